//! What scenarios expect, and what holds in every run, against nodes that misbehave.

use nunect_core::outbox::{HandOver, Outbox};
use nunect_core::{Message, Now, SessionId, Subject};
use nunect_simulations::{Judgement, Outcome, Scenario, Simulation, Verdict};

use crate::support::{catalog, node, puppet, secs, unit, words, world};

const HEAD: &str = "\
name: small
duration: 1m
nodes:
  - { name: hub, actors: { monitor: {}, heartbeater: { interval: 2s }, puppet: { reads: ['t.>'] } } }
  - { prefix: n, count: 3, actors: { heartbeater: { interval: 2s }, puppet: { beat: [t.beat, 100] } } }
world: { flat: { delay: { uniform: [10ms, 20ms] } } }
";

fn run(rest: &str, seed: u64) -> Outcome {
    let scenario = Scenario::parse("x.yaml", format!("{HEAD}{rest}\n")).unwrap_or_else(|error| panic!("{error}"));
    let mut simulation = Simulation::new(&scenario, catalog(), seed).unwrap_or_else(|error| panic!("{error}"));
    simulation.run()
}

/// The only verdict of a run.
fn judged(rest: &str) -> Verdict {
    let [verdict] = run(rest, 1).expectations.try_into().expect("one verdict");
    verdict
}

#[track_caller]
fn met(expect: &str) {
    let verdict = judged(&format!("expect:\n  - {expect}"));
    assert!(matches!(verdict.judgement, Judgement::Met { .. }), "{verdict:?}");
}

#[track_caller]
fn broken(expect: &str, words: &str) {
    let verdict = judged(&format!("expect:\n  - {expect}"));
    let Judgement::Broken { why, .. } = &verdict.judgement else { panic!("{verdict:?}") };
    assert!(why.contains(words), "`{words}` is not in: {why}");
}

#[test]
fn states_are_looked_at_as_the_run_goes_on() {
    met("always: { hold: { unit: '*', is: ONLINE, seen_by: hub }, from: 5s }");
    met("always: { hold: { nodes: '*', up: true, connected: true, health: OK }, from: 1s }");
    met("within: 5s\n    see: { unit: '*', is: OK }");
    met("eventually: { unit: n*, is: ONLINE }");
    met("always: { hold: { mailbox: { depth: '< 5', dropped: 0, quarantined: 0 } } }");
    met("always: { hold: { supervisor: { restarts: 0 } } }");
    broken("eventually: { unit: n1, is: OFFLINE }", "hub: n1 is OK");
    broken("always: { hold: { nodes: n*, connected: false }, from: 5s }", "n0 is connected");
}

#[test]
fn deliveries_are_counted() {
    // What is sent before the hub has started is lost.
    let delivery = |demands: &str, rest: &str| {
        format!("always: {{ hold: {{ delivery: {{ subject: 't.>', of: n*, {demands} }} }}, from: 1s{rest} }}")
    };
    met(&delivery("to: hub, share: 100%, lost: 0, latency: { p50: '>= 10ms', max: '<= 21ms' }", ""));
    broken(&delivery("to: hub, latency: { p95: '< 5ms' }", ""), "p95 is");
    broken(&delivery("to: n0, lost: '< 100'", ""), "0 of 11");
    let cut = |rest: &str| {
        let faults = "faults: [{ at: 20s, partition: { nodes: n0, for: 10s } }]";
        judged(&format!("{faults}\nexpect:\n  - {}", delivery("to: hub, lost: 0", rest)))
    };
    assert!(cut("").judgement.is_broken() && cut("").about == "delivery");
    assert!(!cut(", until: 19s").judgement.is_broken());
}

#[test]
fn what_no_run_shows_makes_a_scenario_weak_and_not_wrong() {
    let outcome = run("expect:\n  - sometimes: mailbox_overflow\n  - sometimes: unit_online", 1);
    assert!(outcome.passed() && outcome.is_weak() && outcome.failure().is_none());
    assert_eq!(outcome.seen().collect::<Vec<_>>(), ["sometimes unit_online"]);
    assert_eq!(outcome.unseen().collect::<Vec<_>>(), ["sometimes mailbox_overflow"]);
}

#[test]
fn a_run_is_the_same_whoever_watches_it() {
    let plain = run("", 3);
    let watched = run(
        "expect:\n  - always: { hold: { nodes: '*', up: true }, from: 1s }\n  - sometimes: { mailbox: { depth: '> 3' } }\n  - eventually: { delivery: { subject: 't.>', to: hub, lost: 0 } }",
        3,
    );
    assert_eq!((plain.hash, plain.records), (watched.hash, watched.records));
    assert_eq!(plain.expectations, []);
}

const CRASH: &str = "  - { name: bad, actors: { puppet: { stillborn: true } } }\n";

fn with_bad(rest: &str) -> Outcome {
    let text = format!("{HEAD}{rest}\n").replace("world:", &format!("{CRASH}world:"));
    let scenario = Scenario::parse("x.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    Simulation::new(&scenario, catalog(), 1).unwrap_or_else(|error| panic!("{error}")).run()
}

#[test]
fn an_error_that_nobody_expects_fails_the_run() {
    let outcome = with_bad("");
    assert!(!outcome.passed());
    let key = outcome.failure().expect("it failed").to_string();
    assert_eq!(key, "no error that the scenario does not expect (actor_crashed)");
    assert!(outcome.expectations.iter().all(Verdict::is_built_in));
    let outcome = with_bad("expect_errors: [actor_crashed, { event: escalated, nodes: bad }]");
    assert!(outcome.passed(), "{:?}", outcome.expectations);
}

#[test]
fn a_panic_that_a_fault_asks_for_is_no_surprise() {
    let outcome = run("faults: [{ at: 9s, panic: { nodes: n1, actor: puppet } }]", 1);
    assert!(outcome.passed(), "{:?}", outcome.expectations);
}

/// A message of a sender that numbers anew what it sends.
fn numbered(count: usize) -> Vec<Message> {
    let mut outbox = Outbox::new(unit("liar"), SessionId::from_random(7));
    assert!(outbox.connected(Now::default()).is_empty());
    let subject = Subject::parse("t.x").expect("legal");
    let send = |_| match outbox.publish(Now::default(), Message::new(subject.clone()).body("x")) {
        HandOver::Send(message) => *message,
        HandOver::Kept | HandOver::Refused(_) => panic!("the bus is there"),
    };
    (0..count).map(send).collect()
}

#[test]
fn a_sender_whose_messages_come_out_of_order_or_twice_is_noticed() {
    let after = |order: &[usize]| {
        let mut simulation = world(1);
        simulation.start_node(node("n0", [puppet("t.>")])).expect("a legal node");
        simulation.run_for(secs(1));
        let messages = numbered(3);
        order.iter().for_each(|&place| simulation.publish(messages[place].clone()));
        simulation.run_for(secs(1));
        assert_eq!(words(&simulation, "n0", Some("puppet")).len(), order.len() + 1);
        simulation.outcome().failure().map(|failure| failure.to_string())
    };
    assert_eq!(after(&[0, 1, 2]), None);
    assert_eq!(after(&[0, 2]), None);
    assert_eq!(after(&[1, 0]), Some("messages of one sender on one subject stay in order (t)".to_owned()));
    let twice = "a message is delivered a second time only after a crash on it (t)";
    assert_eq!(after(&[0, 1, 1]), Some(twice.to_owned()));
}

#[test]
fn latencies_are_told_by_family_when_they_are_asked_for() {
    let scenario = Scenario::parse("x.yaml", HEAD).expect("legal");
    let mut simulation = Simulation::new(&scenario, catalog(), 1).expect("known actors");
    assert!(simulation.latencies().is_none());
    simulation.keep_latencies();
    let outcome = simulation.run();
    let latency = outcome.latency.expect("kept");
    let families: Vec<_> = latency.iter().map(|family| family.family.as_str()).collect();
    assert_eq!(families, ["heartbeat", "t"]);
    for family in &latency {
        let quantiles = family.quantiles;
        assert!(quantiles.count > 90 && quantiles.p50.as_millis() >= 10 && quantiles.max.as_millis() <= 20);
    }
    assert!(simulation.latencies().expect("kept").over_time("t").count() > 50);
}
