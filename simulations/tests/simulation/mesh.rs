//! Real actors in the flat world: crashes, partitions and restarts, as the monitors see them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nunect_core::{ActorSpec, Event, Health, Period};
use nunect_simulations::trace::{self, Record, What};
use nunect_simulations::{Clock, Delay, NodeSpec, Simulation};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{actor, first, millis, node, puppet, secs, send, unit, words, world, world_with};

fn heartbeater(interval: &str) -> ActorSpec {
    actor("heartbeater", &json!({ "interval": interval }))
}

fn monitor() -> ActorSpec {
    actor("monitor", &json!({}))
}

/// The bytes of the trace of whatever happens in `world` from here on.
fn tap(world: &mut Simulation) -> Arc<Mutex<Vec<u8>>> {
    let trace = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&trace);
    world.tap_trace(move |block| sink.lock().expect("no poison").extend_from_slice(block));
    trace
}

/// When actors took messages on `subject`, by the trace.
fn received(world: &mut Simulation, trace: &Mutex<Vec<u8>>, subject: &str) -> Vec<Duration> {
    world.hash();
    let trace = trace.lock().expect("no poison");
    // The first node is the hub; a heartbeater hears itself as well.
    let taken = |Record { at, node, what }: Record<'_>| {
        if let What::Message { subject: on, .. } = what {
            (on == subject && node == 0).then(|| Duration::from_nanos(at))
        } else {
            None
        }
    };
    trace::records(&trace).filter_map(|record| taken(record.expect("a trace of ours"))).collect()
}

fn seen_of(world: &Simulation, hub: &str, about: &str) -> Vec<(Duration, Event)> {
    let about = unit(about);
    let of = world.events(&unit(hub), Some("monitor")).filter(|(_, event)| event.about() == Some(&about));
    of.map(|(at, event)| (at, event.clone())).collect()
}

#[test]
fn a_node_that_is_killed_is_offline_two_and_a_half_intervals_after_its_last_heartbeat_arrived() {
    for interval in [1_000, 3_000] {
        let mut world = world_with(Delay::Uniform(Period::from_millis(1), Period::from_millis(40)), interval);
        let trace = tap(&mut world);
        world.start_node(node("hub", [monitor()])).expect("a legal node");
        world.start_node(node("a", [heartbeater(&format!("{interval}ms"))])).expect("a legal node");
        world.run_for(secs(10) + millis(300));
        world.kill_node(&unit("a"));
        world.run_for(secs(20));
        let last = *received(&mut world, &trace, "ops.heartbeat.a").last().expect("heartbeats");
        let offline = first(&world, "hub", Some("monitor"), "unit_offline").expect("it is missed");
        assert_eq!(offline - last, millis(interval) * 5 / 2);
    }
}

#[test]
fn a_node_that_comes_back_does_so_in_a_new_session() {
    let mut world = world(1);
    world.start_node(node("hub", [monitor()])).expect("a legal node");
    world.start_node(node("a", [heartbeater("1s")])).expect("a legal node");
    world.run_for(secs(5));
    world.kill_node(&unit("a"));
    world.run_for(secs(5));
    world.start_node(node("a", [heartbeater("1s")])).expect("it is down");
    world.run_for(secs(5));
    let seen = seen_of(&world, "hub", "a");
    let sessions: Vec<_> = seen
        .iter()
        .filter_map(|(_, event)| {
            if let Event::UnitOnline { session, restarted, .. } = event {
                Some((session.clone(), *restarted))
            } else {
                None
            }
        })
        .collect();
    assert!(matches!(sessions.as_slice(), [(Some(first), false), (Some(second), true)] if first != second), "{seen:?}");
}

#[test]
fn a_node_that_is_stopped_is_offline_at_once() {
    let mut world = world(1);
    world.start_node(node("hub", [monitor()])).expect("a legal node");
    world.start_node(node("a", [heartbeater("5s")])).expect("a legal node");
    world.run_for(secs(7));
    world.stop_node(&unit("a"));
    assert!(!world.units().any(|node| node.unit == unit("a") && node.up));
    let stopped = world.now();
    world.run_for(secs(1));
    assert_eq!(first(&world, "hub", Some("monitor"), "unit_offline"), Some(stopped + millis(2)));
}

#[test]
fn a_cut_loses_messages_both_ways_and_what_would_arrive_during_it() {
    let mut world = world(1);
    let beats = actor("puppet", &json!({ "beat": ["to.a", 100] }));
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    world.start_node(node("b", [beats])).expect("a legal node");
    world.run_for(millis(1_001));
    // Sent at 1,000 ms and under way.
    world.cut_node(&unit("a"), true);
    world.run_for(millis(500));
    world.cut_node(&unit("a"), false);
    world.run_for(millis(499));
    world.cut_node(&unit("b"), true);
    world.run_for(millis(500));
    world.cut_node(&unit("b"), false);
    world.run_for(millis(250));
    let took: Vec<_> = world.events(&unit("a"), Some("puppet")).skip(1).map(|(at, _)| at.as_millis()).collect();
    let beats = |range: std::ops::Range<u128>| range.step_by(100);
    // Sent at 1,000 ms: lost on its way to `a`. At 2,100 to 2,500 ms: lost on the way from `b`.
    let expected: Vec<_> = beats(2..1_000).chain(beats(1_502..2_003)).chain(beats(2_602..2_750)).collect();
    assert_eq!(took, expected);
    assert!(words(&world, "a", None).iter().all(|words| words != "bus away"), "too short to be noticed");
}

#[test]
fn a_node_that_is_cut_off_notices_after_two_pings_and_is_back_within_a_second() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    world.run_for(secs(1));
    world.cut_node(&unit("a"), true);
    world.run_for(secs(9));
    assert_eq!(first(&world, "a", None, "bus_disconnected"), Some(secs(5)));
    let state = world.units().next().expect("one node");
    assert_eq!((state.up, state.connected, state.health), (true, false, Health::Degraded));
    world.cut_node(&unit("a"), false);
    assert!(world.run_until(|world| world.units().all(|node| node.connected), secs(1)));
    assert_eq!(world.units().next().expect("one node").health, Health::Ok);
    send(&mut world, "to.a", "subscribed again");
    world.run_for(millis(10));
    assert_eq!(words(&world, "a", Some("puppet")), ["started", "took what=subscribed again"]);
    let node = words(&world, "a", None);
    assert_eq!(node[1..], ["bus connected", "bus away", "node is DEGRADED: bus away", "bus connected", "node is OK"]);
}

#[test]
fn a_second_cut_before_the_reconnect_puts_it_off() {
    let mut world = world(1);
    world.start_node(node("a", [])).expect("a legal node");
    world.cut_node(&unit("a"), true);
    world.cut_node(&unit("a"), true);
    world.run_for(secs(10));
    world.cut_node(&unit("a"), false);
    world.run_for(secs(10));
    assert!(!world.units().next().expect("one node").connected, "one of two cuts is left");
    world.cut_node(&unit("a"), false);
    world.cut_node(&unit("a"), true);
    world.run_for(secs(10));
    assert!(!world.units().next().expect("one node").connected);
    world.cut_node(&unit("a"), false);
    world.run_for(secs(1));
    assert!(world.units().next().expect("one node").connected);
}

#[test]
fn a_node_that_starts_behind_a_cut_connects_when_it_heals() {
    let mut world = world(1);
    world.start_node(node("a", [])).expect("a legal node");
    world.kill_node(&unit("a"));
    world.cut_node(&unit("a"), true);
    world.run_for(secs(1));
    world.start_node(node("a", [puppet("to.a")])).expect("it is down");
    world.run_for(secs(10));
    assert_eq!(words(&world, "a", Some("puppet")), ["started"]);
    let state = world.units().next().expect("one node");
    assert_eq!((state.connected, state.health), (false, Health::Degraded));
    world.cut_node(&unit("a"), false);
    world.run_for(secs(1));
    send(&mut world, "to.a", "hello");
    world.run_for(secs(1));
    assert_eq!(words(&world, "a", Some("puppet"))[1..], ["took what=hello"]);
}

#[test]
fn telemetry_that_waited_for_the_bus_is_sent_when_it_is_back_and_only_the_latest() {
    let mut world = world(1);
    let beats = actor("puppet", &json!({ "beat": ["to.a", 1_000] }));
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    world.start_node(node("b", [beats])).expect("a legal node");
    world.cut_node(&unit("b"), true);
    world.run_for(secs(10) + millis(500));
    world.cut_node(&unit("b"), false);
    assert!(world.run_until(|world| world.units().all(|node| node.connected), secs(1)));
    world.run_for(millis(2));
    let connected = world.events(&unit("b"), None).filter(|(_, event)| event.name() == "bus_connected");
    let back = connected.last().expect("it is back").0;
    let took: Vec<_> = world.events(&unit("a"), Some("puppet")).skip(1).map(|(at, _)| at).collect();
    assert!(took.contains(&(back + millis(2))), "{took:?} {back:?}");
    assert_eq!(took.iter().filter(|at| **at > secs(4)).count(), 1, "one of six beats: {took:?}");
}

#[test]
fn heartbeats_come_at_the_pace_of_the_clock_of_their_node() {
    let mut world = world(1);
    let trace = tap(&mut world);
    let fast = Clock { drift_ppb: 1_000_000, ..Clock::default() };
    world.start_node(node("hub", [monitor()])).expect("a legal node");
    world.start_node(NodeSpec { clock: fast, ..node("a", [heartbeater("1s")]) }).expect("a legal node");
    world.run_for(secs(101));
    let heard = received(&mut world, &trace, "ops.heartbeat.a");
    let (first, last) = (heard[0], heard[100]);
    assert_eq!((last - first).as_nanos(), (100_000_000_000_u128 * 1_000).div_ceil(1_001));
}

/// What happened to nodes `a` and `hub` in a world that may hold more.
fn told(seed: u64, more: impl FnOnce(&mut Simulation)) -> Vec<(Duration, Event)> {
    let delay = Delay::Uniform(Period::from_millis(1), Period::from_millis(100));
    let mut world = world_with(delay, seed);
    world.start_node(node("hub", [monitor()])).expect("a legal node");
    world.start_node(node("a", [heartbeater("1s"), puppet("to.a")])).expect("a legal node");
    more(&mut world);
    for round in 0..20 {
        world.run_for(millis(700));
        world.panic_actor(&unit("a"), "puppet");
        send(&mut world, "to.a", &round.to_string());
    }
    let mut seen = seen_of(&world, "hub", "a");
    seen.extend(world.events(&unit("a"), Some("puppet")).map(|(at, event)| (at, event.clone())));
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn another_node_or_a_fault_elsewhere_moves_no_other_draw(seed: u64) {
        let alone = told(seed, |_| {});
        let with_more = told(seed, |world| {
            world.start_node(node("0-first-by-name", [heartbeater("300ms"), monitor()])).expect("a legal node");
            world.start_node(node("z", [heartbeater("300ms"), puppet("to.z")])).expect("a legal node");
            world.panic_actor(&unit("z"), "puppet");
            world.cut_node(&unit("z"), true);
        });
        prop_assert_eq!(alone, with_more);
    }
}

#[test]
fn equal_seeds_repeat_a_run_to_the_bit_and_others_do_not() {
    let hash = |seed| {
        let mut world = world_with(Delay::Uniform(Period::from_millis(1), Period::from_millis(50)), seed);
        for name in ["a", "b", "c", "d"] {
            world.start_node(node(name, [heartbeater("500ms"), monitor(), puppet("to.*")])).expect("a legal node");
        }
        send(&mut world, "to.a", "panic");
        world.cut_node(&unit("b"), true);
        world.run_for(secs(20));
        world.hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn an_observer_does_not_change_what_happens() {
    let run = |watched: bool| {
        let mut world = world(1);
        if watched {
            tap(&mut world);
        }
        world.start_node(node("a", [heartbeater("1s"), monitor()])).expect("a legal node");
        if watched {
            world.run_until(|world| world.now() >= secs(3), secs(30));
            world.outcome();
        }
        world.run_for(secs(30).saturating_sub(world.now()));
        world.hash()
    };
    assert_eq!(run(true), run(false));
}
