//! A daemon in another domain is silent; the reader finds out in which.

use super::*;

fn in_domain(folder: &Scratch, domain: u8, transport_specific: u8) -> Daemon {
    Daemon::slow(folder, (domain, transport_specific), Duration::ZERO, ordinary)
}

#[tokio::test]
async fn a_daemon_in_another_domain_is_named() {
    let folder = Scratch::new();
    for (domain, transport_specific, words) in [
        (0, 0, "; it answers in domain 0"),
        (127, 0, "; it answers in domain 127"),
        (20, 1, " with transportSpecific 0; it answers in domain 20 with transportSpecific 1"),
        (24, 9, " with transportSpecific 0; it answers in domain 24 with transportSpecific 9"),
    ] {
        let daemon = in_domain(&folder, domain, transport_specific);
        let mut reader = daemon.reader();
        let (obstacle, why) = trouble(&mut reader).await;
        assert_eq!(obstacle, Obstacle::OtherDomain { answers: domain, transport_specific });
        assert_eq!(why, format!("ptp4l at {} does not answer in domain 24{words}", daemon.path.display()));
        assert_eq!(daemon.asked(), [DataSet::TimeProperties], "it is asked once, and no more until a minute is over");
        assert_eq!(trouble(&mut reader).await, (obstacle, why), "what was found out is remembered");
        assert_eq!(daemon.asked().len(), 1);
        assert_eq!(counted(&reader), (8, 8, 0, 0), "the questions in other domains do not count");
        std::fs::remove_file(&daemon.path).expect("a socket");
    }
}

#[tokio::test]
async fn a_daemon_that_moved_to_the_right_domain_is_read() {
    let folder = Scratch::new();
    let daemon = in_domain(&folder, 3, 0);
    let mut reader = daemon.reader();
    assert_eq!(trouble(&mut reader).await.0, Obstacle::OtherDomain { answers: 3, transport_specific: 0 });
    let path = daemon.path.clone();
    daemon.killed().await;
    std::fs::remove_file(&path).expect("a socket");
    let daemon = in_domain(&folder, DOMAIN, 0);
    read(&mut reader).await.expect("a report");

    // What was found out before says nothing about a silence after that.
    daemon.killed().await;
    std::fs::remove_file(&path).expect("a socket");
    let _daemon = Daemon::answering(&folder, |_| Vec::new());
    assert_eq!(trouble(&mut reader).await.0, Obstacle::Silent);
}

#[tokio::test]
async fn the_value_of_transport_specific_is_configured() {
    let folder = Scratch::new();
    let daemon = in_domain(&folder, DOMAIN, 1);
    let mut reader = PtpReader::new(&TimeSection { ptp_transport_specific: 1, ..daemon.section() });
    read(&mut reader).await.expect("a report");
}
