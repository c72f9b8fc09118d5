//! Two network namespaces, and a cable between them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{MORTAL, find};

/// The interface at either end.
pub(crate) const INTERFACE: &str = "ptp0";

/// Both namespaces last as long as this, or as a process within.
pub(crate) struct Cable {
    pub(crate) ends: [End; 2],
}

/// One network namespace with `lo` and its end of the cable.
pub(crate) struct End {
    /// A process that only is there.
    keeper: Child,
    address: &'static str,
}

/// Who is not root becomes it in a namespace of users, where it may make networks.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Cable {
    /// Both ends are up.
    pub(crate) fn new() -> Self {
        let one = End::new(None, "10.78.0.1");
        let other = End::new(Some(&one), "10.78.0.2");
        let process = other.keeper.id().to_string();
        one.ip(&["link", "add", INTERFACE, "type", "veth", "peer", "name", INTERFACE, "netns", &process]);
        for end in [&one, &other] {
            end.ip(&["addr", "add", &format!("{}/24", end.address), "dev", INTERFACE]);
            end.ip(&["link", "set", INTERFACE, "up"]);
        }
        Self { ends: [one, other] }
    }
}

impl End {
    /// A namespace, among the users of `other` if there is one.
    fn new(other: Option<&Self>, address: &'static str) -> Self {
        let users = match other {
            _ if is_root() => Vec::new(),
            None => vec!["unshare".to_owned(), "--user".to_owned(), "--map-root-user".to_owned(), "--".to_owned()],
            Some(other) => other.users(),
        };
        let wait = ["sh", "-c", "\"$0\" link set lo up && echo && exec cat"];
        let words = users.iter().map(String::as_str).chain(["unshare", "--net", "--"]).chain(MORTAL).chain(wait);
        let words: Vec<&str> = words.collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(find("ip", "iproute2")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut said = String::new();
        let read = BufReader::new(keeper.stdout.take().expect("a pipe")).read_line(&mut said);
        let made = read.is_ok() && said == "\n";
        assert!(made, "{command:?} makes no network namespace, see above; be root, or allow user namespaces");
        Self { keeper, address }
    }

    /// What enters its users, for who is not root outside.
    fn users(&self) -> Vec<String> {
        let users = format!("--user=/proc/{}/ns/user", self.keeper.id());
        ["nsenter", &users, "--preserve-credentials", "--"].map(ToOwned::to_owned).to_vec()
    }

    /// What runs `program` within, until the thread that starts it ends.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.keeper.id()));
        if !is_root() {
            command.args(&self.users()[1..3]);
        }
        command.arg("--").args(MORTAL).arg(program);
        command
    }

    /// Its address on the cable.
    pub(crate) const fn address(&self) -> &'static str {
        self.address
    }

    fn ip(&self, arguments: &[&str]) {
        let mut command = self.command(&find("ip", "iproute2"));
        let status = command.args(arguments).status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(status.success(), "{command:?}: {status}, see above");
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // It fails only when there is nothing left to kill.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
