use nunect_core::testing::{Harness, UNIT};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);
/// 2.5 of the default interval of 15 seconds.
const WINDOW: Duration = Duration::from_millis(37_500);

fn reporter(config: Value) -> Harness {
    Harness::new::<Cluster>(config)
}

fn report_of(node: &str) -> Message {
    let node = node.parse().expect("legal");
    Told { node, state: ClusterState::Healthy, peers: 0, stream_lag: None, leaving: false }.build()
}

fn hear(harness: &mut Harness, nodes: &[&str]) {
    for node in nodes {
        harness.send(report_of(node));
    }
}

fn expect_report(harness: &mut Harness) -> (ClusterState, u64) {
    let received = Told::parse(&harness.expect_publish(&format!("ops.health.cluster.{UNIT}"))).expect("a report");
    assert_eq!((received.problems, received.cluster.stream_lag), (vec![], None));
    (received.cluster.state, received.cluster.peers)
}

fn changed(state: &'static str, peers: u64) -> Event {
    Event::ClusterChanged { state: state.into(), peers }
}

fn health(harness: &mut Harness, health: Health) {
    harness.input(Input::Node(&NodeReport::Health(health)));
}

/// What it told of while `duration` passed.
fn events_within(harness: &mut Harness, duration: Duration) -> Vec<Event> {
    harness.advance(duration);
    harness.published();
    harness.events()
}

#[test]
fn it_reports_at_once_and_every_interval() {
    let mut harness = reporter(json!({}));
    assert_eq!(expect_report(&mut harness), (ClusterState::Healthy, 0));
    hear(&mut harness, &["alpha", "beta", UNIT]);
    for _ in 0..2 {
        harness.expect_silence();
        harness.advance(15 * SECOND - NANO);
        harness.expect_silence();
        harness.advance(NANO);
        assert_eq!(expect_report(&mut harness), (ClusterState::Healthy, 2));
    }
}

#[test]
fn the_interval_is_bounded() {
    let catalog = nunect_core::Catalog::new().with::<Cluster>();
    let check = |interval: &str| (catalog.get("cluster").expect("known").check)(&json!({ "interval": interval }));
    assert!(check("999ms").is_err() && check("61s").is_err());
    assert_eq!((check("1s"), check("60s")), (Ok(()), Ok(())));
}

#[test]
fn a_node_that_is_not_well_has_a_degraded_cluster_and_says_so_at_once() {
    let mut harness = reporter(json!({}));
    expect_report(&mut harness);
    for (own, state) in [(Health::Degraded, ClusterState::Degraded), (Health::Ok, ClusterState::Healthy)] {
        health(&mut harness, own);
        assert_eq!(harness.expect_event(), changed(state.as_str(), 0));
        assert_eq!(expect_report(&mut harness), (state, 0));
        harness.advance(SECOND);
    }
    harness.expect_silence();
}

#[test]
fn a_state_that_flaps_is_reported_once_a_second() {
    let mut harness = reporter(json!({}));
    for _ in 0..100 {
        health(&mut harness, Health::Degraded);
        health(&mut harness, Health::Ok);
        harness.advance(Duration::from_millis(10));
    }
    assert!(harness.published().len() <= 3);
}

#[test]
fn one_of_many_that_falls_silent_degrades_the_cluster_for_a_minute() {
    let mut harness = reporter(json!({}));
    hear(&mut harness, &["alpha", "beta", "gamma"]);
    harness.advance(15 * SECOND);
    hear(&mut harness, &["alpha", "beta"]);
    assert_eq!(events_within(&mut harness, 15 * SECOND), []);
    hear(&mut harness, &["alpha", "beta"]);
    assert_eq!(events_within(&mut harness, WINDOW - 30 * SECOND - NANO), []);
    harness.advance(NANO);
    assert_eq!(harness.expect_event(), changed("DEGRADED", 2));
    assert_eq!(expect_report(&mut harness), (ClusterState::Degraded, 2));
    for _ in 0..5 {
        hear(&mut harness, &["alpha", "beta"]);
        assert_eq!(events_within(&mut harness, 12 * SECOND - Duration::from_millis(1)), []);
    }
    assert_eq!(events_within(&mut harness, Duration::from_millis(5)), [changed("HEALTHY", 2)]);
}

#[test]
fn half_of_the_peers_silent_at_once_is_a_partition_until_they_are_back() {
    let mut harness = reporter(json!({}));
    hear(&mut harness, &["alpha", "beta", "gamma", "delta"]);
    let stay = |harness: &mut Harness| {
        hear(harness, &["alpha", "beta"]);
        events_within(harness, 15 * SECOND)
    };
    let before: Vec<Event> = (0..4).flat_map(|_| stay(&mut harness)).collect();
    assert_eq!(before, [changed("PARTITIONED", 2)]);
    let during: Vec<Event> = (0..10).flat_map(|_| stay(&mut harness)).collect();
    assert_eq!(during, []);
    hear(&mut harness, &["gamma", "delta"]);
    assert_eq!(harness.events(), [changed("HEALTHY", 3)]);
}

#[test]
fn a_partition_is_forgotten_after_ten_minutes() {
    let mut harness = reporter(json!({}));
    hear(&mut harness, &["alpha", "beta"]);
    assert_eq!(events_within(&mut harness, WINDOW), [changed("PARTITIONED", 0)]);
    assert_eq!(events_within(&mut harness, FORGOTTEN_AFTER - NANO), []);
    assert_eq!(events_within(&mut harness, NANO), [changed("HEALTHY", 0)]);
}

#[test]
fn the_loss_of_one_of_two_is_no_partition_but_that_of_the_only_one_is() {
    for (nodes, expected) in [(&["alpha", "beta"][..], "DEGRADED"), (&["alpha"], "PARTITIONED")] {
        let mut harness = reporter(json!({}));
        hear(&mut harness, nodes);
        harness.advance(20 * SECOND);
        hear(&mut harness, &nodes[1..]);
        harness.advance(WINDOW - 20 * SECOND);
        assert_eq!(harness.events(), [changed(expected, nodes.len() as u64 - 1)]);
    }
}

#[test]
fn peers_that_go_one_after_the_other_are_no_partition() {
    let mut harness = reporter(json!({}));
    let nodes = ["alpha", "beta", "gamma", "delta", "epsilon"];
    let mut events = Vec::new();
    for quarter_minute in 0..16 {
        hear(&mut harness, &nodes[(quarter_minute / 4).min(3)..]);
        events.extend(events_within(&mut harness, 15 * SECOND));
    }
    assert!(!events.is_empty() && events.iter().all(|event| !event.to_string().contains("PARTITIONED")), "{events:?}");
}

#[test]
fn while_the_bus_is_away_nothing_is_said_and_nobody_falls_silent() {
    let mut harness = reporter(json!({}));
    hear(&mut harness, &["alpha"]);
    harness.input(Input::Bus(&BusEvent::Disconnected));
    harness.published();
    harness.advance(10 * WINDOW);
    harness.expect_silence();
    assert_eq!(harness.deadline(), None);
    harness.input(Input::Bus(&BusEvent::Connected));
    assert_eq!(expect_report(&mut harness), (ClusterState::Healthy, 1));
    assert_eq!(events_within(&mut harness, WINDOW - NANO), []);
    assert_eq!(events_within(&mut harness, NANO), [changed("PARTITIONED", 0)]);
}

#[test]
fn a_node_that_stood_still_was_deaf_too() {
    let mut harness = reporter(json!({}));
    hear(&mut harness, &["alpha"]);
    harness.stand_still(10 * WINDOW);
    assert_eq!(events_within(&mut harness, Duration::ZERO), []);
    assert_eq!(events_within(&mut harness, WINDOW), [changed("PARTITIONED", 0)]);
}

#[test]
fn what_is_no_report_is_counted() {
    let mut harness = reporter(json!({}));
    harness.send(Message::new(nunect_core::Subject::parse("ops.health.cluster.units").expect("legal")));
    assert!(matches!(harness.expect_event(), Event::Malformed { .. }));
}

#[test]
fn spoofed_nodes_fill_no_memory() {
    let birth = nunect_core::testing::birth("cluster", Now::default());
    let mut actor = Cluster::new(ClusterConfig::default(), &birth).expect("legal");
    let mut out = Effects::new(nunect_core::Incarnation(1));
    for spoofed in 0..2 * PEERS_MAX {
        let message = report_of(&format!("x{spoofed}"));
        actor.read(Mono::ZERO, &message, &mut out);
        out.drain();
    }
    assert_eq!(actor.peers.len(), PEERS_MAX);
}

proptest! {
    /// Whatever is heard and whenever: the number of peers told is that of the nodes heard within the
    /// window, to the nanosecond, and a state is told of exactly when it changes.
    #[test]
    fn the_peers_told_are_those_heard_within_the_window(
        steps in prop::collection::vec((prop::option::of(0..5usize), 0..20_000u64), 0..60),
    ) {
        let mut harness = reporter(json!({}));
        expect_report(&mut harness);
        let mut heard = [None; 5];
        let mut state = "HEALTHY".to_owned();
        for (node, millis) in steps {
            if let Some(node) = node {
                hear(&mut harness, &[["a", "b", "c", "d", "e"][node]]);
                heard[node] = Some(harness.now().mono);
            }
            harness.advance(Duration::from_millis(millis));
            for message in harness.published() {
                let told = Told::parse(&message).expect("a report").cluster;
                let at = harness.now().mono - Duration::from_nanos(
                    harness.now().wall.unix_nanos() - message.headers.stamp().expect("stamped").tx.unix_nanos(),
                );
                let present = heard.iter().flatten().filter(|heard| at.since(**heard) < WINDOW).count();
                prop_assert_eq!(told.peers, present as u64);
            }
            for event in harness.events() {
                let Event::ClusterChanged { state: to, .. } = event else { panic!("another event") };
                prop_assert!(*to != *state);
                state = to.into_owned();
            }
        }
    }
}

#[test]
fn a_peer_that_stops_says_goodbye_and_is_not_missed() {
    let mut harness = reporter(json!({}));
    hear(&mut harness, &["alpha", "beta"]);
    harness.published();
    let node = "alpha".parse().expect("legal");
    harness.send(Told { node, state: ClusterState::Healthy, peers: 2, stream_lag: None, leaving: true }.build());
    let mut told = Vec::new();
    for _ in 0..3 {
        hear(&mut harness, &["beta"]);
        told.extend(events_within(&mut harness, WINDOW - SECOND));
    }
    assert_eq!(told, []);
}

#[test]
fn it_says_goodbye_when_its_node_stops_and_not_when_it_restarts() {
    for (reason, said) in [(StopReason::NodeShutdown, 1), (StopReason::Restart, 0), (StopReason::Command, 0)] {
        let mut harness = reporter(json!({}));
        harness.published();
        harness.stop(reason);
        let published = harness.published();
        assert_eq!(published.len(), said, "{reason:?}");
        assert!(published.iter().all(|message| Told::parse(message).expect("a report").cluster.leaving));
    }
}
