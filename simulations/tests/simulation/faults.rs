//! What tests on real processes can only bound, to the nanosecond: hangs, their end, and harm that
//! nobody else is to notice.

use std::time::Duration;

use nunect_core::protocol::command::{Call, ChaosKind, Command};
use nunect_core::{ActorName, Event, Health, Role};
use nunect_simulations::{NodeSpec, Simulation};
use serde_json::json;

use crate::support::{actor, first, millis, node, secs, unit, words, world};

/// `hang_after` and `hang_limit` (protocol, section 6).
const HANG_AFTER: Duration = Duration::from_millis(500);
const HANG_LIMIT: Duration = Duration::from_secs(2);

/// A hub with a monitor, and the node `a` of the same actors as a real one that may be harmed.
fn two(seed: u64) -> Simulation {
    let mut world = world(seed);
    world.start_node(node("hub", [actor("monitor", &json!({}))])).expect("a legal node");
    let actors = ["heartbeater", "monitor", "echo", "prober", "commands", "cluster"];
    let actors = actors.map(|name| match name {
        "heartbeater" => actor(name, &json!({ "interval": "1s" })),
        _ => actor(name, &json!({})),
    });
    world.start_node(NodeSpec { chaos: true, ..node("a", actors) }).expect("a legal node");
    world.run_for(secs(5) + millis(300));
    world
}

/// Harms an actor of `a` as an operator would; returns when it befalls it.
fn harm(world: &mut Simulation, name: &str, what: ChaosKind) -> Duration {
    let name = ActorName::new(name).expect("legal");
    let before = world.now();
    let call = Call::new(Command::Chaos { actor: name.clone(), what });
    world.publish(call.message(Role::Node, &unit("a")));
    let injected = |world: &Simulation| {
        let mut events = world.events(&unit("a"), Some(name.as_str()));
        events.find(|(at, event)| *at > before && event.name() == "chaos_injected").map(|(at, _)| at)
    };
    assert!(world.run_until(|world| injected(world).is_some(), secs(1)), "it is done");
    injected(world).expect("it was")
}

fn is_up(world: &Simulation) -> bool {
    world.units().find(|state| state.unit == unit("a")).expect("it is known").up
}

/// What the hub's monitor says about `a`, and when.
fn seen(world: &Simulation) -> Vec<(Duration, Event)> {
    let events = world.events(&unit("hub"), Some("monitor"));
    events.filter(|(_, event)| event.about() == Some(&unit("a"))).map(|(at, event)| (at, event.clone())).collect()
}

#[test]
fn a_hang_is_told_after_half_a_second_and_ends_the_process_after_two() {
    let mut world = two(1);
    let began = harm(&mut world, "echo", ChaosKind::Hang);
    assert!(world.run_until(|world| !is_up(world), secs(10)));
    assert_eq!(first(&world, "a", Some("echo"), "actor_hung").expect("it is told") - began, HANG_AFTER);
    assert_eq!(first(&world, "a", None, "node_health").expect("it is degraded") - began, HANG_AFTER);
    assert_eq!(world.now() - began, HANG_LIMIT);
    let told = words(&world, "a", None);
    assert_eq!(told.last().expect("events"), "node is DEGRADED: echo hangs");
}

#[test]
fn a_node_that_hung_is_back_in_a_new_session_and_was_never_two() {
    let mut world = two(2);
    harm(&mut world, "monitor", ChaosKind::Hang);
    assert!(world.run_until(|world| !is_up(world), secs(10)));
    let ended = world.now();
    assert!(world.run_until(is_up, secs(10)));
    assert!(world.now() - ended <= secs(1), "back within a second");
    world.run_for(secs(5));
    let seen = seen(&world);
    let sessions: Vec<_> = seen
        .iter()
        .filter_map(|(_, event)| {
            let Event::UnitOnline { session, restarted, .. } = event else { return None };
            Some((session.clone(), *restarted))
        })
        .collect();
    assert!(matches!(sessions[..], [(Some(_), false), (Some(_), true)]), "{seen:?}");
    assert_ne!(sessions[0].0, sessions[1].0);
    assert!(seen.iter().all(|(_, event)| event.name() != "unit_offline"), "{seen:?}");
    assert_eq!(world.units().filter(|state| state.unit == unit("a")).count(), 1);
    let state = world.units().find(|state| state.unit == unit("a")).expect("it is known");
    assert_eq!(state.health, Health::Ok);
}

#[test]
fn no_actor_that_panics_or_stops_makes_its_unit_offline_or_another_start_again() {
    for (seed, what) in [(3, ChaosKind::Panic), (4, ChaosKind::Stop)] {
        for name in ["heartbeater", "monitor", "echo", "prober", "commands", "cluster"] {
            let mut world = two(seed);
            let harmed = harm(&mut world, name, what);
            world.run_for(secs(20));
            let again: Vec<_> = ["heartbeater", "monitor", "echo", "prober", "commands", "cluster"]
                .into_iter()
                .filter_map(|other| {
                    let mut events = world.events(&unit("a"), Some(other));
                    events
                        .find(|(at, event)| *at >= harmed && event.name() == "actor_started")
                        .map(|(at, _)| (other, at))
                })
                .collect();
            assert_eq!(again, [(name, harmed)], "it alone, and at once");
            let seen = seen(&world);
            assert_eq!(seen.len(), 1, "{name} {what}: {seen:?}");
        }
    }
}
