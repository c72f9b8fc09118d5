//! chrony: a server of its own time, and clients that measure and never steer (`-x`).

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nunect::runtime::config::{Daemon as Place, TimeMode, TimeSection};

use super::{Daemon, Folder, MORTAL, ask, find};

/// How often a client asks its server.
pub(crate) const POLL: Duration = Duration::from_millis(250);

/// A running chronyd.
pub(crate) struct Chronyd {
    daemon: Option<Daemon>,
    folder: Folder,
    lines: String,
}

impl Chronyd {
    /// A server that others may follow, and that follows nobody, on a port of loopback.
    pub(crate) fn server(port: u16) -> Self {
        Self::new(&format!("local stratum 1\nallow 127.0.0.0/8\nbindaddress 127.0.0.1\nport {port}"))
    }

    /// What follows the server on this port; `options` stand behind it.
    pub(crate) fn client(port: u16, options: &str) -> Self {
        Self::new(&format!("server 127.0.0.1 port {port} iburst minpoll -2 maxpoll -2 xleave {options}\nport 0"))
    }

    /// One with these lines in its configuration.
    fn new(lines: &str) -> Self {
        let folder = Folder::new();
        let private = std::fs::Permissions::from_mode(0o750);
        std::fs::set_permissions(folder.path(), private).expect("a folder of the test");
        let mut chronyd = Self { daemon: None, folder, lines: lines.to_owned() };
        chronyd.start();
        chronyd
    }

    /// Starts it, after the one before has ended.
    pub(crate) fn start(&mut self) {
        self.kill();
        let socket = self.socket();
        // It may be what was left of the one before.
        let _ = std::fs::remove_file(&socket);
        let [pid, drift] = ["pid", "drift"].map(|name| self.folder.at(name));
        let own = format!(
            "cmdport 0\nbindcmdaddress {}\npidfile {}\ndriftfile {}",
            socket.display(),
            pid.display(),
            drift.display()
        );
        self.folder.write("conf", &format!("{}\n{own}\n", self.lines));
        let mut command = Command::new(MORTAL[0]);
        // As its user stands whoever runs the test: it is to be able to write to the folder.
        command.args(&MORTAL[1..]).arg(find("chronyd", "chrony")).args(["-x", "-d", "-U", "-u", &user(), "-f"]);
        command.arg(self.folder.at("conf"));
        let mut daemon = Daemon::start("chronyd", command, &self.folder);
        daemon.wait_for("its socket", &self.folder, || socket.exists());
        self.daemon = Some(daemon);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.daemon = None;
    }

    /// The process that runs.
    pub(crate) const fn process(&self) -> &Daemon {
        self.daemon.as_ref().expect("it runs")
    }

    /// Its command socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.at("socket")
    }

    /// What tells a node of it, and of nobody else.
    pub(crate) fn section(&self) -> TimeSection {
        TimeSection { mode: TimeMode::Chrony, chrony: Some(Place::Socket(self.socket())), ..TimeSection::default() }
    }

    /// What `chronyc` says when it is asked so.
    pub(crate) fn chronyc(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(find("chronyc", "chrony"));
        command.arg("-h").arg(self.socket()).args(["-n", "-c"]).args(arguments);
        ask(&mut command, &self.folder, None)
    }
}

/// A UDP port of loopback that nobody listens on.
pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

/// The name of whoever runs the test.
fn user() -> String {
    let said = Command::new("id").arg("-un").output().expect("coreutils are installed").stdout;
    String::from_utf8_lossy(&said).trim().to_owned()
}
