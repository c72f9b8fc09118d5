//! linuxptp: a master that is its own reference, and a slave that measures and never steers.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nunect::runtime::config::{TimeMode, TimeSection};

use super::namespaces::{End, INTERFACE};
use super::{Daemon, Folder, ask, find};

/// After so long without an announce message the slave gives its master up: three intervals of 1/4 s.
pub(crate) const ANNOUNCE_TIMEOUT: Duration = Duration::from_millis(750);

/// What both have in common. `free_running`: neither touches the clock.
const COMMON: &str = "\
[global]
free_running 1
time_stamping software
network_transport UDPv4
logSyncInterval -3
logAnnounceInterval -2
logMinDelayReqInterval -3
announceReceiptTimeout 3
";
const MASTER: &str = "clockClass 6\npriority1 10\n";
const SLAVE: &str = "priority1 200\nfreq_est_interval 0\n";

/// A running ptp4l.
pub(crate) struct Ptp4l {
    daemon: Option<Daemon>,
    folder: Folder,
    role: &'static str,
}

impl Ptp4l {
    /// A grandmaster.
    pub(crate) fn master(end: &End) -> Self {
        Self::master_with(end, "")
    }

    /// A grandmaster, with these lines in its configuration.
    pub(crate) fn master_with(end: &End, lines: &str) -> Self {
        let mut master = Self { daemon: None, folder: Folder::new(), role: MASTER };
        master.start(end, lines);
        master
    }

    /// What follows a grandmaster, with these lines in its configuration.
    pub(crate) fn slave(end: &End, lines: &str) -> Self {
        let mut slave = Self { daemon: None, folder: Folder::new(), role: SLAVE };
        slave.start(end, lines);
        slave
    }

    /// Starts it, after the one before has ended, with these lines in its configuration.
    pub(crate) fn start(&mut self, end: &End, lines: &str) {
        self.kill();
        let socket = self.socket();
        // It may be what was left of the one before.
        let _ = std::fs::remove_file(&socket);
        let uds = socket.display();
        self.folder.write("conf", &format!("{COMMON}{}uds_address {uds}\n{lines}\n[{INTERFACE}]\n", self.role));
        let mut command = end.command(&find("ptp4l", "linuxptp"));
        command.args(["-m", "-f"]).arg(self.folder.at("conf"));
        let mut daemon = Daemon::start("ptp4l", command, &self.folder);
        daemon.wait_for("its socket", &self.folder, || socket.exists());
        // Without a servo it would stay UNCALIBRATED for ever: nobody tells it that the clock is right.
        let certain = || self.pmc(&["SET SYNCHRONIZATION_UNCERTAIN_NP 0"], "uncertain").contains("uncertain 0");
        daemon.wait_for("answer to pmc", &self.folder, certain);
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

    /// Its management socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.at("socket")
    }

    /// What tells a node of it, and of nobody else.
    pub(crate) fn section(&self) -> TimeSection {
        TimeSection { mode: TimeMode::Ptp, ptp_socket: Some(self.socket()), ..TimeSection::default() }
    }

    /// What `pmc` says when it is asked so, up to the field `last`: after that it waits for further answers.
    pub(crate) fn pmc(&self, questions: &[&str], last: &str) -> String {
        let mut command = Command::new(find("pmc", "linuxptp"));
        command
            .args([
                "-u",
                "-b",
                "0",
                "-d",
                &self.setting("domainNumber"),
                "-t",
                &self.setting("transportSpecific"),
                "-s",
            ])
            .arg(self.socket());
        command.arg("-i").arg(self.folder.at("pmc")).args(questions);
        ask(&mut command, &self.folder, Some(last))
    }

    /// A number in its configuration, 0 unless it is there.
    fn setting(&self, name: &str) -> String {
        let conf = self.folder.read("conf");
        let value = conf.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or("0").to_owned()
    }

    /// The identity of its clock, as `pmc` shows it.
    pub(crate) fn identity(&self) -> String {
        field(&self.pmc(&["GET DEFAULT_DATA_SET"], "clockIdentity"), "clockIdentity").to_owned()
    }
}

/// A field in what `pmc` says.
pub(crate) fn field<'a>(said: &'a str, name: &str) -> &'a str {
    let value = said.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(' '));
    value.map_or_else(|| panic!("pmc shows no {name}: `{said}`"), str::trim)
}
