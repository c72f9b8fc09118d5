//! The reader against ptp4l itself, which nobody follows and which follows nobody, in a network namespace of its own.
//! It never touches the clock (`free_running 1`).

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};

use super::*;

/// How long ptp4l may take to listen.
const START: Duration = Duration::from_secs(10);

/// A running ptp4l.
struct Ptp4l {
    process: Child,
    folder: Scratch,
}

impl Ptp4l {
    /// One on the loopback interface, which is enough to be asked.
    async fn start(domain: u8) -> Self {
        let folder = Scratch::new();
        let mut config = "[global]\nfree_running 1\ntime_stamping software\nnetwork_transport UDPv4\n".to_owned();
        let socket = folder.path().join("ptp4l");
        write!(config, "domainNumber {domain}\nuds_address {}\n[lo]\n", socket.display()).expect("a text");
        folder.write("ptp4l.conf", &config);
        let process = Command::new("unshare")
            .args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec ptp4l -q -f \"$0\""])
            .arg(folder.path().join("ptp4l.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("unshare cannot be started ({error}); on Debian: apt-get install util-linux")
            });
        let mut ptp4l = Self { process, folder };
        let begun = StdInstant::now();
        while !socket.exists() {
            let ended = ptp4l.process.try_wait().expect("a child");
            let hint = "ptp4l does not start; on Debian: apt-get install linuxptp iproute2";
            assert!(ended.is_none() && begun.elapsed() < START, "{hint}: {ended:?}");
            sleep(Duration::from_millis(10)).await;
        }
        ptp4l
    }

    fn section(&self, domain: u8) -> TimeSection {
        let socket = self.folder.path().join("ptp4l");
        TimeSection { ptp_socket: Some(socket), ptp_domain: domain, ..TimeSection::default() }
    }
}

impl Drop for Ptp4l {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn ptp4l_is_read() {
    let ptp4l = Ptp4l::start(24).await;
    let mut reader = PtpReader::new(&TimeSection { ptp_master: Some("10.0.0.1".to_owned()), ..ptp4l.section(24) });
    for _ in 0..3 {
        let status = read(&mut reader).await.expect("a report");
        assert_eq!((status.domain, status.steps_removed, status.ingress_ns), (24, 0, 0));
        assert!(!status.grandmaster_present, "it follows nobody: {status:?}");
        assert_eq!((status.hardware, status.interface.as_deref(), status.card), (Some(false), Some("lo"), None));
        assert_eq!((status.announce_timeout, status.sync_interval), (Duration::from_secs(6), Duration::from_secs(1)));
        // Without a master it is the grandmaster itself, and tells its own address: `lo` has this one.
        assert_eq!(status.grandmaster_address, "127.0.0.1".parse().ok());
    }
    assert_eq!(counted(&reader), (15, 0, 0, 0));
}

#[tokio::test]
async fn ptp4l_in_another_domain_is_found_there() {
    let ptp4l = Ptp4l::start(42).await;
    let mut reader = PtpReader::new(&ptp4l.section(0));
    let (obstacle, why) = trouble(&mut reader).await;
    assert_eq!(obstacle, Obstacle::OtherDomain { answers: 42, transport_specific: 0 }, "{why}");
    read(&mut PtpReader::new(&ptp4l.section(42))).await.expect("a report");
}
