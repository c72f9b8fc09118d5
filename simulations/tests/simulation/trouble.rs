//! Every kind of fault from a scenario file does what it says, at the nanosecond that it says, and a
//! scenario with all that was drawn written down is the same run.

use std::collections::BTreeSet;
use std::time::Duration;

use nunect_core::Event;
use nunect_simulations::{Outcome, Scenario, Simulation};

use crate::support::{actor, first, millis, node, puppet, secs, send, unit, words, world};

/// Two nodes that beat at each other every 100 ms, and everything takes 2 ms.
const BASE: &str = "\
name: trouble
duration: 5m
nodes:
  - { name: a, actors: { ear: { kind: puppet, reads: [to.a] }, mouth: { kind: puppet, beat: [to.b, 100] } } }
  - { name: b, actors: { ear: { kind: puppet, reads: [to.b] }, mouth: { kind: puppet, beat: [to.a, 100] } } }
world: { flat: { delay: { fixed: 2ms }, detect: 4s } }
";

fn begin(text: &str, seed: u64) -> Simulation {
    let scenario = Scenario::parse("x.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    let mut world =
        Simulation::new(&scenario, crate::support::catalog(), seed).unwrap_or_else(|error| panic!("{error}"));
    world.keep_events();
    world
}

fn run(fault: &str) -> Simulation {
    let mut world = begin(&format!("{BASE}faults:\n  - {fault}\n"), 1);
    world.run_for(secs(300));
    world
}

/// When the ear of a node took something from one time to another.
fn taken(world: &Simulation, name: &str, from: Duration, to: Duration) -> Vec<Duration> {
    let events = world.events(&unit(name), Some("ear")).filter(|(_, event)| event.name() == "took");
    events.map(|(at, _)| at).filter(|at| (from..to).contains(at)).collect()
}

/// What a puppet took.
fn said(event: &Event) -> Option<&str> {
    let Event::Custom { fields, .. } = event else { return None };
    fields.get("what").map(String::as_str)
}

/// When an event of this name happened to a node or an actor of it.
fn when(world: &Simulation, name: &str, actor: Option<&str>, event: &str) -> Vec<Duration> {
    let events = world.events(&unit(name), actor).filter(|(_, seen)| seen.name() == event);
    events.map(|(at, _)| at).filter(|at| *at > secs(1)).collect()
}

#[test]
fn a_partition_a_crash_and_a_stop_take_what_they_say_for_as_long_as_they_say() {
    let world = run("{ at: 60s, partition: { nodes: b, for: 30s } }");
    assert!(taken(&world, "b", secs(60), secs(90)).is_empty() && taken(&world, "a", secs(60), secs(90)).is_empty());
    assert_eq!(when(&world, "b", None, "bus_disconnected"), [secs(64)]);
    assert!(taken(&world, "b", secs(91), secs(92)).len() == 10);
    let world = run("{ at: 60s, crash: { nodes: b, for: 30s } }");
    assert_eq!(
        (when(&world, "b", None, "node_started"), when(&world, "b", None, "node_stopping")),
        (vec![secs(90)], vec![])
    );
    let world = run("{ at: 60s, stop: { nodes: b, for: 30s } }");
    assert_eq!(
        (when(&world, "b", None, "node_stopping"), when(&world, "b", None, "node_started")),
        (vec![secs(60)], vec![secs(90)])
    );
}

#[test]
fn an_actor_panics_hangs_or_stops_at_the_time_of_its_fault() {
    let world = run("{ at: 60s, panic: { nodes: b, actor: ear } }");
    assert_eq!(when(&world, "b", Some("ear"), "actor_crashed"), [secs(60)]);
    let world = run("{ at: 60s, stop_actor: { nodes: b, actor: ear } }");
    assert_eq!(when(&world, "b", Some("ear"), "actor_stopped"), [secs(60)]);
    let world = run("{ at: 60s, hang: { nodes: b, actor: ear } }");
    assert_eq!(when(&world, "b", Some("ear"), "actor_hung"), [secs(60) + millis(500)]);
    assert_eq!(when(&world, "b", None, "node_started"), [secs(62) + millis(50)]);
}

#[test]
fn a_node_that_hung_stays_down_while_a_crash_keeps_it_there() {
    let world = run("{ at: 60s, hang: { nodes: b, actor: ear } }\n  - { at: 61s, crash: { nodes: b, for: 9s } }");
    assert_eq!(when(&world, "b", None, "node_started"), [secs(70)]);
    let late = millis(62_020);
    let text = format!(
        "{BASE}faults:\n  - {{ at: 60s, hang: {{ nodes: b, actor: ear }} }}\n  - {{ at: 62s 20ms, crash: {{ nodes: b, for: 9s }} }}\n"
    );
    let mut world = begin(&text, 1);
    world.run_for(secs(300));
    assert_eq!(when(&world, "b", None, "node_started"), [late + secs(9)], "nobody else starts it");
}

#[test]
fn a_paused_process_works_off_what_waited_in_order_and_its_clock_went_on() {
    let world = run("{ at: 60s, pause: { nodes: b, for: 10s } }");
    let (from, to) = (secs(60), secs(70));
    assert!(taken(&world, "b", from, to).is_empty(), "it takes nothing");
    let at_once = taken(&world, "b", to, to + Duration::from_nanos(1));
    assert_eq!(at_once.len(), 100, "what came in 10 s is taken in one instant");
    assert!(taken(&world, "a", from + millis(3), to).is_empty(), "it says nothing");
    assert_eq!(taken(&world, "a", to, to + millis(3)).len(), 1, "its deadline has come, once");
    assert!(when(&world, "b", None, "bus_disconnected").is_empty(), "its connection stands");
    assert_eq!(taken(&world, "b", secs(71), secs(72)).len(), 10);
}

#[test]
fn a_pause_is_no_hang_and_a_process_that_was_killed_in_it_starts_afresh() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("x"), actor("echo", &serde_json::json!({}))])).expect("a legal node");
    world.run_for(secs(1));
    assert!(world.hang_actor(&unit("a"), "puppet"));
    world.run_for(millis(300));
    assert!(world.pause_node(&unit("a")) && !world.pause_node(&unit("a")));
    assert!(!world.stop_node(&unit("a")) && !world.panic_actor(&unit("a"), "echo"), "it hears of nothing");
    world.run_for(secs(60));
    assert!(world.resume_node(&unit("a")) && !world.resume_node(&unit("a")));
    world.run_for(millis(199));
    assert_eq!(first(&world, "a", Some("puppet"), "actor_hung"), None);
    world.run_for(millis(1));
    assert_eq!(first(&world, "a", Some("puppet"), "actor_hung"), Some(world.now()));
    assert!(world.pause_node(&unit("a")) && world.kill_node(&unit("a")) && !world.resume_node(&unit("a")));
    world.start_node(node("a", [puppet("x")])).expect("it is down");
    send(&mut world, "x", "hello");
    world.run_for(secs(1));
    assert_eq!(words(&world, "a", Some("puppet")).last().expect("an event"), "took what=hello");
}

#[test]
fn late_messages_come_late_and_hold_up_those_behind_them() {
    let told = "share: 100%, delay: { fixed: 1s }, for: 10s";
    let world = run(&format!("{{ at: 60s, late: {{ nodes: b, direction: to, {told} }} }}"));
    let before = taken(&world, "b", secs(50), secs(51));
    let during = taken(&world, "b", secs(62), secs(63));
    assert_eq!((before.len(), during.len()), (10, 10));
    assert!(taken(&world, "b", secs(60) + millis(1), secs(61)).is_empty(), "a second without");
    let after = taken(&world, "b", secs(70), secs(71) + millis(1));
    assert_eq!(after.len(), 20, "what was late comes, and what came meanwhile behind it");
    assert_eq!(taken(&world, "a", secs(60), secs(61)).len(), 10, "the other way is well");
    let world = run(&format!("{{ at: 60s, late: {{ nodes: b, direction: from, {told} }} }}"));
    assert_eq!(taken(&world, "b", secs(60), secs(61)).len(), 10);
    assert!(taken(&world, "a", secs(60) + millis(1), secs(61)).is_empty());
}

/// In which order the ear of `b` took numbered messages.
fn order(fault: &str, seed: u64) -> Vec<u32> {
    let text = format!("{BASE}faults:\n  - {fault}\n").replace("beat: [to.b, 100]", "");
    let mut world = begin(&text.replace("kind: puppet,  }", "kind: puppet }"), seed);
    world.run_for(secs(60) + millis(1));
    for number in 0..200 {
        send(&mut world, "to.b", &number.to_string());
        world.run_for(millis(1));
    }
    world.run_for(secs(10));
    let number = |event: &Event| said(event)?.parse().ok();
    world.events(&unit("b"), Some("ear")).filter_map(|(_, event)| number(event)).collect()
}

#[test]
fn only_reordered_messages_are_overtaken_and_only_duplicates_come_twice() {
    let sent: Vec<u32> = (0..200).collect();
    let late = order("{ at: 60s, late: { nodes: b, share: 20%, delay: { exponential: 50ms } } }", 1);
    assert_eq!(late, sent);
    let loose = order("{ at: 60s, late: { nodes: b, share: 20%, delay: { exponential: 50ms }, in_order: false } }", 1);
    let reordered = order("{ at: 60s, reorder: { nodes: b, share: 20%, window: 10ms } }", 1);
    for mut order in [loose, reordered] {
        assert_ne!(order, sent);
        order.sort_unstable();
        assert_eq!(order, sent, "nothing is lost and nothing comes twice");
    }
    let twice = order("{ at: 60s, duplicate: { nodes: b, share: 20% } }", 1);
    assert!((20..60).contains(&(twice.len() - 200)), "{}", twice.len());
    assert_eq!(twice.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(), sent);
}

#[test]
fn a_corrupt_message_arrives_with_a_wrong_bit() {
    let world = run("{ at: 60s, corrupt: { nodes: b, direction: to, share: 10%, for: 60s } }");
    let wrong =
        world.events(&unit("b"), Some("ear")).filter(|(_, event)| said(event).is_some_and(|said| said != "beat"));
    let wrong: Vec<Duration> = wrong.map(|(at, _)| at).collect();
    // 60 of 600 suffer. What is no UTF-8 any more, an eighth of them, makes a puppet panic.
    assert!((35..70).contains(&wrong.len()), "{}", wrong.len());
    assert!(wrong.iter().all(|at| *at > secs(60)), "before, all is well");
}

#[test]
fn clocks_step_and_drift_as_told() {
    let error = |fault: &str, at: u64| {
        let mut world = begin(&format!("{BASE}faults:\n  - {fault}\n"), 1);
        world.run_for(secs(at));
        let (a, b) = (world.clocks(&unit("a")).expect("up"), world.clocks(&unit("b")).expect("up"));
        i128::from(b.wall.unix_nanos()) - i128::from(a.wall.unix_nanos())
    };
    let step = "{ at: 60s, clock_step: { nodes: b, by: -50ms } }";
    assert_eq!((error(step, 59), error(step, 61)), (0, -50_000_000));
    let drift = "{ at: 60s, clock_drift: { nodes: b, by: 40ppm, for: 100s } }";
    assert_eq!((error(drift, 60), error(drift, 110), error(drift, 290)), (0, 2_000_000, 4_000_000));
}

#[test]
fn the_liveness_phase_brings_everybody_back() {
    let faults = "faults:
  - { at: 60s, crash: { nodes: a } }
  - { at: 90s, pause: { nodes: b } }
  - { at: 95s, late: { nodes: b, share: 100%, delay: { fixed: 3s } } }
liveness: { at: 2m, within: 30s }
";
    let mut world = begin(&format!("{BASE}{faults}"), 1);
    world.run_for(secs(119));
    assert!(taken(&world, "b", secs(91), secs(119)).is_empty());
    world.run_for(secs(10));
    assert!(world.units().all(|unit| unit.up && unit.connected));
    assert_eq!(taken(&world, "b", secs(125), secs(126)).len(), 10);
    assert_eq!(when(&world, "a", None, "node_started"), [secs(120)]);
}

const EVERYTHING: &str = "\
name: everything
duration: 3m
actors: { heartbeater: { interval: 1s }, echo: {}, prober: {}, commands: {} }
nodes:
  - { prefix: n, count: 6 }
  - { name: hub, actors: { monitor: {} } }
boot: { spread: 2s }
clocks: { offset: 20ms, drift: 20ppm, gps: true }
faults:
  - { every: 7s, jitter: 3s, until: 2m, name: crash, crash: { nodes: { any: 1, of: n* }, for: 5s } }
  - { mean: 9s, from: 5s, until: 2m, stop: { nodes: { any: 30%, of: n* }, for: 3s } }
  - { mean: 9s, from: 5s, until: 2m, pause: { nodes: { any: 2, of: n* }, for: 1500ms } }
  - { at: 20s, partition: { random: uniform, for: 10s } }
  - { at: 40s, partition: { random: uniform_size, for: 10s } }
  - { every: 10s, until: 1m, partition: { random: isolate, for: 1s } }
  - { mean: 5s, until: 2m, panic: { nodes: { any: 1, of: n* }, actor: echo } }
  - { mean: 20s, until: 2m, hang: { nodes: { any: 1, of: n* }, actor: prober } }
  - { mean: 20s, until: 2m, stop_actor: { nodes: { any: 1, of: n* }, actor: prober } }
  - { at: 10s, late: { nodes: { any: 3, of: n* }, share: 5%, delay: { exponential: 200ms }, for: 60s } }
  - { at: 10s, duplicate: { nodes: n*, share: 2.5%, for: 60s } }
  - { every: 20s, until: 2m, reorder: { nodes: { any: 3, of: n* }, share: 10%, direction: from, for: 10s } }
  - { every: 20s, until: 2m, corrupt: { nodes: hub, share: 1%, direction: to, for: 10s } }
  - { mean: 10s, until: 2m, clock_step: { nodes: { any: 1, of: n* }, by: -50ms } }
  - { mean: 10s, until: 2m, clock_drift: { nodes: { any: 1, of: n* }, by: 40ppm, for: 10s } }
  - { mean: 10s, until: 2m, gps_loss: { nodes: { any: 1, of: n* }, for: 10s } }
swarm: { from: 10s, until: 2m, every: 10s, longest: 10s, nodes: [n*, not n0] }
liveness: { at: 140s, within: 30s }
expect:
  - { name: back, within: 6s, after: { fault: crash }, see: { event: node_started, nodes: n* } }
";

fn outcome(scenario: &Scenario, seed: u64) -> Outcome {
    Simulation::new(scenario, nunect_actors::catalog(), seed).unwrap_or_else(|error| panic!("{error}")).run()
}

#[test]
fn a_run_of_a_concrete_scenario_is_the_same_run() {
    let scenario = Scenario::parse("everything.yaml", EVERYTHING).unwrap_or_else(|error| panic!("{error}"));
    let mut hashes = BTreeSet::new();
    for seed in 1..=3 {
        let text = serde_json::to_string_pretty(&scenario.concrete(seed)).expect("JSON");
        let concrete = Scenario::parse("concrete.yaml", text).unwrap_or_else(|error| panic!("{error}"));
        let (drawn, again) = (outcome(&scenario, seed), outcome(&concrete, concrete.seed()));
        assert_eq!((drawn.hash, drawn.counters), (again.hash, again.counters));
        let judgements =
            |outcome: &Outcome| outcome.expectations.iter().map(|v| v.judgement.clone()).collect::<Vec<_>>();
        assert_eq!(judgements(&drawn), judgements(&again), "an expectation means each fault of the name");
        assert!(drawn.units.iter().all(|unit| unit.up && unit.connected), "{:?}", drawn.units);
        hashes.insert(drawn.hash);
    }
    assert_eq!(hashes.len(), 3);
}
