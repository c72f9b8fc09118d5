use nunect_core::protocol::header::Value as Header;
use nunect_core::testing::{Harness, UNIT, birth};
use nunect_core::{Event, LinkReport};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod delays;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn prober(config: Value) -> Harness {
    Harness::new::<Prober>(config)
}

fn unit(name: &str) -> UnitId {
    name.parse().expect("legal")
}

fn announce(harness: &mut Harness, name: &str) {
    let cluster =
        Cluster { node: unit(name), state: cluster::ClusterState::Healthy, peers: 0, stream_lag: None, leaving: false };
    harness.send(cluster.build());
}

/// The request that is under way, and whom it is for.
fn expect_probe(harness: &mut Harness) -> (RequestId, String, Now) {
    let (id, message) = harness.expect_request();
    (id, echo::parse_subject(&message.subject).expect("an echo").to_string(), harness.now())
}

/// Whom it probes in the next `rounds` intervals, each of whom answers after a millisecond.
fn probed(harness: &mut Harness, rounds: usize) -> Vec<String> {
    let each = |_| {
        let (id, peer, sent) = expect_probe(harness);
        harness.advance(MILLI);
        harness.answer(id, sent, Ok(answer()));
        let next = harness.deadline().expect("another probe").at;
        harness.advance(next.since(harness.now().mono));
        peer
    };
    let peers = (0..rounds).map(each).collect();
    harness.published();
    peers
}

fn answer() -> Message {
    Message::new("_INBOX.1".to_owned().try_into().expect("legal"))
}

fn expect_metric(harness: &mut Harness) -> (Option<u64>, Option<u64>, Option<String>) {
    let received = Rtt::parse(&harness.expect_publish(&format!("ops.metric.rtt.{UNIT}"))).expect("a metric");
    assert_eq!(received.problems, []);
    (received.rtt.native_us, received.rtt.app_us, received.rtt.peer.map(String::from))
}

fn link(harness: &mut Harness, micros: Option<u64>) {
    harness.input(Input::Link(LinkReport { round_trip: micros.map(Duration::from_micros) }));
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn it_reads_who_is_there_unless_it_is_told_whom_to_probe() {
    let contract =
        |config: ProberConfig| Actor::contract(&Prober::new(config, &birth("prober", Now::default())).expect("legal"));
    let words = |patterns: &[nunect_core::Pattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    let automatic = contract(ProberConfig::default());
    assert_eq!(automatic.reads, [Subscription::from(cluster::pattern())]);
    assert_eq!(words(&automatic.publishes), [format!("ops.metric.rtt.{UNIT}"), "ops.echo.*".to_owned()]);
    assert_eq!(automatic.sensors, [Sensor::Bus, Sensor::Claim, Sensor::Link { every: 5 * SECOND }]);
    let told = contract(ProberConfig { peers: vec![unit("alpha"), unit("beta")], ..ProberConfig::default() });
    assert_eq!(told.reads, []);
    let expected = [format!("ops.metric.rtt.{UNIT}"), "ops.echo.alpha".to_owned(), "ops.echo.beta".to_owned()];
    assert_eq!(words(&told.publishes), expected);
}

#[test]
fn alone_it_probes_itself_five_times_as_rarely_until_somebody_is_there() {
    let mut harness = prober(json!({}));
    let start = harness.now().mono;
    assert_eq!(probed(&mut harness, 3), [UNIT, UNIT, UNIT]);
    assert_eq!(harness.now().mono.since(start), 15 * SECOND);
    assert_eq!(probed(&mut harness, 1), [UNIT]);
    harness.expect_request();
    announce(&mut harness, "alpha");
    harness.advance(SECOND);
    assert_eq!(probed(&mut harness, 2), ["alpha", "alpha"]);
    assert_eq!(harness.now().mono.since(start), 23 * SECOND);
}

#[test]
fn who_says_goodbye_is_probed_no_more() {
    let mut harness = prober(json!({}));
    announce(&mut harness, "alpha");
    assert_eq!(probed(&mut harness, 3)[1..], ["alpha", "alpha"]);
    harness.expect_request();
    let node = unit("alpha");
    let last = Cluster { node, state: cluster::ClusterState::Healthy, peers: 0, stream_lag: None, leaving: true };
    harness.send(last.build());
    harness.advance(SECOND);
    assert_eq!(probed(&mut harness, 2), [UNIT, UNIT]);
}

#[test]
fn it_takes_its_own_announcement_for_nobody_elses() {
    let mut harness = prober(json!({}));
    announce(&mut harness, UNIT);
    assert_eq!(probed(&mut harness, 2), [UNIT, UNIT]);
}

#[test]
fn it_probes_at_most_three_of_those_that_announce_themselves_and_stays_with_them() {
    let mut harness = prober(json!({}));
    probed(&mut harness, 1);
    harness.expect_request();
    for name in ["alpha", "beta", "gamma", "delta", "epsilon"] {
        announce(&mut harness, name);
    }
    harness.advance(SECOND);
    let first = probed(&mut harness, 3);
    assert_eq!(sorted(first.clone()).windows(2).filter(|two| two[0] != two[1]).count(), 2, "three: {first:?}");
    for _ in 0..5 {
        for name in ["zeta", "alpha", "beta", "gamma", "delta", "epsilon"] {
            announce(&mut harness, name);
        }
        assert_eq!(probed(&mut harness, 3), first);
    }
}

#[test]
fn a_node_that_no_longer_announces_itself_is_probed_no_more() {
    let mut harness = prober(json!({}));
    announce(&mut harness, "alpha");
    let rounds = PEER_SILENT.as_secs() as usize;
    let peers = probed(&mut harness, rounds + 2);
    assert!(peers[1..rounds].iter().all(|peer| peer == "alpha"), "{peers:?}");
    assert_eq!(peers[rounds..], [UNIT, UNIT]);
}

#[test]
fn the_units_of_the_configuration_are_probed_in_turn_whether_they_answer_or_not() {
    let mut harness = prober(json!({ "peers": ["alpha", "beta"], "interval": "10s" }));
    for expected in ["beta", "alpha", "beta", "alpha", "beta", "alpha", "beta", "alpha"] {
        let (id, peer, sent) = expect_probe(&mut harness);
        assert_eq!(peer, expected);
        harness.answer(id, sent, Err(RequestError::Timeout));
        harness.advance(10 * SECOND);
    }
}

#[test]
fn a_peer_that_does_not_answer_three_times_in_a_row_gives_way_to_another_for_a_minute() {
    let mut harness = prober(json!({ "peers_max": 1 }));
    let mut probes = Vec::new();
    harness.expect_request();
    for second in 0..70 {
        if second % 10 == 0 {
            announce(&mut harness, "alpha");
            announce(&mut harness, "beta");
        }
        harness.advance(SECOND);
        let (id, peer, sent) = expect_probe(&mut harness);
        let result = if peer == "alpha" || second > 30 { Err(RequestError::NoResponders) } else { Ok(answer()) };
        harness.answer(id, sent, result);
        probes.push(peer);
    }
    let of_alpha = probes[..30].iter().filter(|peer| *peer == "alpha").count();
    assert!(of_alpha == 0 || of_alpha == 3, "{probes:?}");
    assert!(probes[31..].contains(&"alpha".to_owned()), "it has its turn again when the other is gone");
}

#[test]
fn the_only_peer_is_probed_though_it_does_not_answer() {
    let mut harness = prober(json!({}));
    harness.expect_request();
    announce(&mut harness, "alpha");
    for _ in 0..10 {
        harness.advance(SECOND);
        let (id, peer, sent) = expect_probe(&mut harness);
        assert_eq!(peer, "alpha");
        harness.answer(id, sent, Err(RequestError::NoResponders));
    }
}

#[test]
fn a_metric_has_the_latest_of_both_and_follows_each_outcome() {
    let mut harness = prober(json!({ "peers": ["alpha"] }));
    harness.published();
    for (native, millis) in [(Some(168), 3), (None, 4), (Some(0), 0)] {
        link(&mut harness, native);
        let (id, _, sent) = expect_probe(&mut harness);
        harness.advance(Duration::from_millis(millis));
        harness.answer(id, sent, Ok(answer()));
        let app = (millis * 1_000).max(1);
        assert_eq!(expect_metric(&mut harness), (native.map(|us| us.max(1)), Some(app), Some("alpha".to_owned())));
        harness.expect_silence();
        harness.advance(SECOND - Duration::from_millis(millis));
    }
}

#[test]
fn the_time_a_probe_spent_with_the_peer_does_not_count() {
    let mut harness = prober(json!({ "peers": ["alpha"] }));
    let (id, _, sent) = expect_probe(&mut harness);
    harness.advance(Duration::from_millis(30));
    let answer = answer()
        .with(&header::SERVER_RX_TIMESTAMP, Header::Unsigned(5_000_000_000))
        .with(&header::SERVER_TX_TIMESTAMP, Header::Unsigned(5_020_000_000));
    harness.answer(id, sent, Ok(answer));
    assert_eq!(expect_metric(&mut harness), (None, Some(10_000), Some("alpha".to_owned())));
}

#[test]
fn what_is_not_measured_is_absent_and_never_zero() {
    let full = answer().with(&header::RESPONSE_CODE, Header::Unsigned(503));
    for result in [Err(RequestError::Timeout), Err(RequestError::NoResponders), Err(RequestError::Refused), Ok(full)] {
        let mut harness = prober(json!({ "peers": ["alpha"] }));
        link(&mut harness, Some(168));
        let (id, _, sent) = expect_probe(&mut harness);
        harness.answer(id, sent, result);
        assert_eq!(expect_metric(&mut harness), (Some(168), None, Some("alpha".to_owned())));
    }
}

#[test]
fn an_answer_with_a_malformed_header_is_counted_and_measured_all_the_same() {
    let mut harness = prober(json!({ "peers": ["alpha"] }));
    let (id, _, sent) = expect_probe(&mut harness);
    harness.advance(MILLI);
    harness.answer(id, sent, Ok(answer().with(&header::SERVER_RX_TIMESTAMP, Header::Word("soon"))));
    assert!(matches!(harness.expect_event(), Event::Malformed { .. }));
    assert_eq!(expect_metric(&mut harness).1, Some(1_000));
}

#[test]
fn requests_without_an_answer_delay_no_other_and_stay_few() {
    let mut harness = prober(json!({ "interval": "300ms", "peers": ["alpha"] }));
    let mut sent = Vec::new();
    for _ in 0..8 {
        sent.push(expect_probe(&mut harness));
        harness.expect_silence();
        harness.advance(Duration::from_millis(300));
    }
    harness.expect_silence();
    assert_eq!(sent.len(), 8, "two seconds of intervals, and one");
    let (id, _, at) = sent.remove(0);
    harness.answer(id, at, Err(RequestError::Timeout));
    harness.advance(Duration::from_millis(300));
    expect_probe(&mut harness);
}

#[test]
fn an_answer_that_comes_after_its_time_changes_nothing() {
    let mut harness = prober(json!({ "peers": ["alpha"] }));
    let (id, _, sent) = expect_probe(&mut harness);
    harness.answer(id, sent, Err(RequestError::Timeout));
    assert_eq!(expect_metric(&mut harness).1, None);
    harness.answer(id, sent, Ok(answer()));
    harness.expect_silence();
}

#[test]
fn while_the_bus_is_away_nothing_is_known_and_nobody_probed() {
    let mut harness = prober(json!({ "peers": ["alpha"] }));
    link(&mut harness, Some(168));
    let (id, _, sent) = expect_probe(&mut harness);
    harness.input(Input::Bus(&BusEvent::Disconnected));
    assert_eq!(expect_metric(&mut harness), (None, None, None));
    harness.answer(id, sent, Err(RequestError::BusAway));
    harness.advance(60 * SECOND);
    harness.expect_silence();
    harness.input(Input::Bus(&BusEvent::Connected));
    expect_probe(&mut harness);
    harness.expect_silence();
}

#[test]
fn a_bus_that_was_never_there_is_no_outcome() {
    let now = Now { mono: Mono::from_nanos(1), ..Now::default() };
    let mut harness = Harness::unstarted::<Prober>(json!({}), now, birth("prober", now));
    harness.input(Input::Started);
    harness.input(Input::Bus(&BusEvent::Disconnected));
    harness.advance(60 * SECOND);
    harness.expect_silence();
}

#[test]
fn a_million_announcements_fill_no_memory_and_the_peers_stay() {
    let mut actor = Prober::new(ProberConfig::default(), &birth("prober", Now::default())).expect("legal");
    let cluster = |name: &str| Cluster {
        node: unit(name),
        state: cluster::ClusterState::Healthy,
        peers: 0,
        stream_lag: None,
        leaving: false,
    };
    let mut out = Effects::new(nunect_core::Incarnation(1));
    let now = Now::default();
    let mut send = |actor: &mut Prober, message: &Message| {
        actor.handle(now, Input::Message(message), &mut out).expect("no fault");
        out.drain();
    };
    send(&mut actor, &cluster("alpha").build());
    actor.handle(now, Input::Bus(&BusEvent::Connected), &mut Effects::new(nunect_core::Incarnation(1))).expect("fine");
    for spoofed in 0..5_000 {
        send(&mut actor, &cluster(&format!("x{spoofed}")).build());
    }
    assert_eq!(actor.known.len(), PEERS_KNOWN_MAX);
    assert!(actor.known.contains_key(&unit("alpha")) && actor.is_peer(&unit("alpha")));
}

#[derive(Clone, Debug)]
enum Step {
    Announce(u8),
    Answer(bool),
    Pass(u64),
    Bus(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..8u8).prop_map(Step::Announce),
        4 => any::<bool>().prop_map(Step::Answer),
        4 => (0..1_500u64).prop_map(Step::Pass),
        1 => (0..50_000u64).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Bus),
    ]
}

proptest! {
    /// Whatever happens: one metric for each outcome, one probe an interval at most, none of them to
    /// whom nobody heard of for 45 seconds, and no more of them open than fit.
    #[test]
    fn probes_keep_to_the_rules(millis in 100..3_000u64, steps in prop::collection::vec(step(), 0..60)) {
        let mut harness = prober(json!({ "interval": format!("{millis}ms") }));
        let open_max = 2_000_u64.div_ceil(millis) as usize + 1;
        let (first, _, at) = expect_probe(&mut harness);
        let mut open = vec![(first, at)];
        let mut heard = [None; 8];
        let mut connected = true;
        for step in steps {
            let before = harness.now();
            match step {
                Step::Announce(node) => {
                    announce(&mut harness, &format!("n{node}"));
                    heard[usize::from(node)] = Some(harness.now().mono);
                }
                Step::Answer(fine) if !open.is_empty() => {
                    let (id, sent) = open.remove(0);
                    harness.answer(id, sent, if fine { Ok(answer()) } else { Err(RequestError::Timeout) });
                    prop_assert_eq!(harness.published().len(), 1);
                }
                Step::Answer(_) => {}
                Step::Pass(millis) => harness.advance(Duration::from_millis(millis)),
                Step::Bus(true) => {
                    harness.input(Input::Bus(&BusEvent::Connected));
                    connected = true;
                }
                Step::Bus(false) => {
                    harness.input(Input::Bus(&BusEvent::Disconnected));
                    prop_assert_eq!(harness.published().len(), usize::from(std::mem::take(&mut connected)));
                    open.clear();
                }
            }
            let mut probes = 0;
            for (id, request) in harness.requested() {
                let peer = echo::parse_subject(&request.subject).expect("an echo").to_string();
                prop_assert!(connected);
                probes += 1;
                open.push((id, harness.now()));
                let silent = peer.strip_prefix('n').and_then(|node| node.parse::<usize>().ok()).and_then(|node| heard[node]);
                prop_assert!(peer == UNIT || silent.is_some_and(|at| before.mono.since(at) < PEER_SILENT));
            }
            let passed = harness.now().mono.since(before.mono).as_millis() as u64;
            prop_assert!(probes <= passed / millis + 1, "{} probes in {} ms", probes, passed);
            prop_assert!(open.len() <= open_max);
            prop_assert!(harness.published().is_empty());
        }
    }
}
