use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, over_the_wire, subject_of, unit_named};
use crate::message::Headers;

const STATES: [ClusterState; 3] = [ClusterState::Healthy, ClusterState::Degraded, ClusterState::Partitioned];

fn cluster() -> impl Strategy<Value = Cluster> {
    (arbitrary::unit(), proptest::sample::select(&STATES), any::<(u64, Option<u64>, bool)>())
        .prop_map(|(node, state, (peers, stream_lag, leaving))| Cluster { node, state, peers, stream_lag, leaving })
}

fn raw(subject: &str, headers: &str) -> Message {
    let mut message = Message::new(subject_of(subject));
    message.headers = Headers::from_raw(Bytes::from(headers.to_owned()));
    message
}

proptest! {
    #[test]
    fn what_a_node_sees_reads_back_typed_and_from_the_wire(cluster in cluster()) {
        let message = cluster.build();
        prop_assert!(pattern().matches(&message.subject));
        let expected = Received { cluster, session: None, sequence: None, problems: Vec::new() };
        prop_assert_eq!(&Cluster::parse(&message)?, &expected);
        prop_assert_eq!(&Cluster::parse(&over_the_wire(&message))?, &expected);
    }

    #[test]
    fn nothing_that_arrives_makes_the_parser_panic(tail in any::<Vec<u8>>(), headers in arbitrary::raw_block()) {
        for subject in [[b"ops.health.cluster.", &tail[..]].concat(), b"ops.health.cluster.alpha".to_vec()] {
            let Ok(subject) = Subject::from_wire(Bytes::from(subject)) else { continue };
            let mut message = Message::new(subject);
            message.headers = Headers::from_raw(headers.clone());
            let _ = Cluster::parse(&message);
        }
    }
}

#[test]
fn the_headers_are_those_that_existing_clients_read() {
    let cluster = Cluster {
        node: unit_named("alpha"),
        state: ClusterState::Degraded,
        peers: 3,
        stream_lag: None,
        leaving: false,
    };
    let block = |cluster: &Cluster| String::from_utf8(cluster.build().headers.encode().to_vec()).expect("UTF-8");
    assert_eq!(block(&cluster), "X-Node-ID: alpha\r\nX-Cluster-State: DEGRADED\r\nX-Peer-Count: 3\r\n");
    let lagging = Cluster { stream_lag: Some(0), ..cluster };
    assert!(block(&lagging).ends_with("X-Stream-Lag: 0\r\n"));
    assert_eq!(lagging.build().subject.as_str(), "ops.health.cluster.alpha");
}

#[test]
fn a_node_that_says_nothing_does_well_and_sees_nobody() {
    let received = Cluster::parse(&raw("ops.health.cluster.alpha", "X-Cluster-State: fine\r\n")).expect("a report");
    let quiet =
        Cluster { node: unit_named("alpha"), state: ClusterState::Healthy, peers: 0, stream_lag: None, leaving: false };
    assert_eq!(received.cluster, quiet);
    let words = received.problems[0].to_string();
    assert_eq!(words, "header X-Cluster-State: `fine` is not one of HEALTHY, DEGRADED, PARTITIONED");
}

#[test]
fn a_report_on_the_subject_of_another_node_counts_for_the_subject_and_is_noted() {
    let received = Cluster::parse(&raw("ops.health.cluster.alpha", "X-Node-ID: bravo\r\n")).expect("a report");
    assert_eq!(received.cluster.node, unit_named("alpha"));
    assert_eq!(received.problems[0].to_string(), "header X-Node-ID: `bravo` is not the unit that the subject names");
}

#[test]
fn another_subject_is_no_report() {
    for text in ["ops.health.cluster", "ops.health.alpha", "ops.health.cluster.alpha.bravo"] {
        assert!(matches!(Cluster::parse(&raw(text, "")), Err(ProtocolError::Subject { .. })), "{text}");
    }
}
