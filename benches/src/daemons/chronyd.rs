//! A chronyd that follows four others on loopback and never steers.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::{Daemon, LOG, MORTAL, find, said, until};
use crate::Failure;
use crate::scratch::Scratch;

/// How many sources it has.
pub const SOURCES: usize = 4;

/// A client, and all that it needs.
#[derive(Debug)]
pub struct Chronyd {
    _daemons: Vec<Daemon>,
    folder: Scratch,
    chronyc: PathBuf,
}

impl Chronyd {
    /// Starts the servers and their client, and waits until it follows one and has heard of all.
    ///
    /// # Errors
    /// When chrony is not installed, or the client hears nothing.
    pub fn start() -> Result<Self, Failure> {
        let (chronyd, chronyc) = (find("chronyd", "chrony")?, find("chronyc", "chrony")?);
        let folder = Scratch::make()?;
        // chronyd refuses a folder for its socket in which others may look around.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o750))?;
        // It is to be able to write to the folder.
        let user = said(Command::new("id").arg("-un"))?;
        let run = |name: &str, lines: &str| {
            let at = |end: &str| folder.path().join(format!("{name}{end}"));
            let own = ["bindcmdaddress", "pidfile", "driftfile"].into_iter().zip(["", ".pid", ".drift"]);
            let own: String = own.map(|(what, end)| format!("{what} {}\n", at(end).display())).collect();
            std::fs::write(at(".conf"), format!("{lines}\ncmdport 0\n{own}"))?;
            let mut command = Command::new(MORTAL[0]);
            command.args(&MORTAL[1..]).arg(&chronyd).args(["-x", "-d", "-U", "-u", user.trim(), "-f"]).arg(at(".conf"));
            Daemon::start(&mut command, &folder.path().join(LOG))
        };
        let mut daemons = Vec::new();
        let mut client = "port 0\n".to_owned();
        for number in 1..=SOURCES {
            // Several sources at one address are one to chronyd, whatever their ports.
            let address = format!("127.0.1.{number}");
            let port = UdpSocket::bind((address.as_str(), 0))?.local_addr()?.port();
            let lines = format!("local stratum 1\nallow 127.0.0.0/8\nbindaddress {address}\nport {port}");
            daemons.push(run(&format!("server{number}"), &lines)?);
            client += &format!("server {address} port {port} iburst minpoll 0 maxpoll 0\n");
        }
        daemons.push(run("client", &client)?);
        let chronyd = Self { _daemons: daemons, folder, chronyc };
        until("chronyd follows one of its sources and hears all", &chronyd.folder, || {
            let sources = said(&mut chronyd.chronyc(&["sources"]))?;
            // Their state is the second field: none, or one that was not heard of, has `?`.
            let heard = sources.lines().filter(|line| line.split(',').nth(1).is_some_and(|state| state != "?"));
            Ok(heard.count() == SOURCES && sources.contains(",*,"))
        })?;
        Ok(chronyd)
    }

    /// The client's command socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("client")
    }

    /// Asks the client by its own tool, over its socket.
    #[must_use]
    pub fn chronyc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.chronyc);
        command.arg("-h").arg(self.socket()).args(["-n", "-c"]).args(arguments);
        command
    }
}
