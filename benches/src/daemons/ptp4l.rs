//! Two ptp4l at the ends of a cable: a master that is its own reference, and a slave that measures and never steers.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Daemon, LOG, MORTAL, find, said, until};
use crate::Failure;
use crate::scratch::Scratch;

/// The data sets of one report, as `pmc` is asked for them.
pub const DATA_SETS: [&str; 4] =
    ["GET PORT_DATA_SET", "GET TIME_STATUS_NP", "GET CURRENT_DATA_SET", "GET PARENT_DATA_SET"];

/// Over Ethernet: both ends of the cable are in one namespace, where an address of IP would never leave the host.
const COMMON: &str = "\
[global]
free_running 1
time_stamping software
network_transport L2
logSyncInterval -3
logAnnounceInterval -2
logMinDelayReqInterval -3
announceReceiptTimeout 3
";
/// Makes the cable, says so, and stays.
const CABLE: &str = "\"$0\" link add ptp0 type veth peer name ptp1 && \"$0\" link set ptp0 up && \
    \"$0\" link set ptp1 up && echo && exec cat";

/// A slave, and all that it needs.
#[derive(Debug)]
pub struct Ptp4l {
    /// Both daemons end before their network does.
    _daemons: [Daemon; 2],
    _network: Network,
    folder: Scratch,
    pmc: PathBuf,
}

impl Ptp4l {
    /// Starts both, and waits until the one follows the other.
    ///
    /// # Errors
    /// When linuxptp or iproute2 is not installed, or the slave finds no master.
    pub fn start() -> Result<Self, Failure> {
        let (ptp4l, pmc, ip) = (find("ptp4l", "linuxptp")?, find("pmc", "linuxptp")?, find("ip", "iproute2")?);
        let folder = Scratch::make()?;
        let network = Network::make(&ip)?;
        let run = |name: &str, interface: &str, role: &str| {
            let at = |end: &str| folder.path().join(format!("{name}{end}"));
            let conf = format!("{COMMON}{role}\nuds_address {}\n[{interface}]\n", at("").display());
            std::fs::write(at(".conf"), conf)?;
            let mut command = network.command();
            command.arg(&ptp4l).args(["-m", "-f"]).arg(at(".conf"));
            Daemon::start(&mut command, &folder.path().join(LOG))
        };
        let daemons = [
            run("master", "ptp0", "clockClass 6\npriority1 10")?,
            run("slave", "ptp1", "slaveOnly 1\npriority1 200\nfreq_est_interval 0")?,
        ];
        let ptp4l = Self { _daemons: daemons, _network: network, folder, pmc };
        // Without a servo it would stay UNCALIBRATED for ever: nobody tells it that the clock is right.
        let certain = |ptp4l: &Self| -> Result<bool, Failure> {
            Ok(said(&mut ptp4l.pmc(&["SET SYNCHRONIZATION_UNCERTAIN_NP 0"]))?.contains("uncertain 0"))
        };
        until("ptp4l answers", &ptp4l.folder, || certain(&ptp4l))?;
        until("ptp4l is a slave", &ptp4l.folder, || {
            Ok(said(&mut ptp4l.pmc(&["GET PORT_DATA_SET"]))?.contains("SLAVE"))
        })?;
        Ok(ptp4l)
    }

    /// The slave's management socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("slave")
    }

    /// Asks the slave by its own tool.
    #[must_use]
    pub fn pmc(&self, questions: &[&str]) -> Command {
        let mut command = Command::new(&self.pmc);
        command.args(["-u", "-b", "0", "-s"]).arg(self.socket()).arg("-i").arg(self.folder.path().join("pmc"));
        command.args(questions);
        command
    }
}

/// A network namespace, which lasts as long as this.
#[derive(Debug)]
struct Network(Child);

impl Network {
    /// Makes one with a cable in it: among users of its own, where everybody may make networks.
    fn make(ip: &PathBuf) -> Result<Self, Failure> {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "--"]).args(MORTAL).args(["sh", "-c", CABLE]).arg(ip);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut network = Self(command.spawn().map_err(|error| format!("{command:?} does not start: {error}"))?);
        let mut said = String::new();
        BufReader::new(network.0.stdout.take().ok_or("a child without an output")?).read_line(&mut said)?;
        match said.as_str() {
            "\n" => Ok(network),
            _ => Err("no network namespace can be made, see above: be root, or allow user namespaces".into()),
        }
    }

    /// What runs a program within; its path and arguments are to follow.
    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.0.id().to_string(), "--user", "--net", "--preserve-credentials", "--"]);
        command.args(MORTAL);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
