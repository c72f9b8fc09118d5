//! One test body, three worlds: the embedded bus, a real nats-server, the simulator.
//!
//! What is compared is the sequence of events of each actor of each unit, without times. Between
//! actors only such orders are looked at as a cause fixes. Every difference between the arms stands
//! in [`normal`], with its reason.

#![allow(unreachable_pub, dead_code, reason = "what tests share is nobody's face, and not every test uses all of it")]

#[path = "../support/brittle.rs"]
mod brittle;
mod live;
#[path = "../support/nats.rs"]
mod nats;
mod simulated;
mod world;

use std::time::Duration;

use brittle::tell;
use live::Live;
use nunect::{Event, Health};
use serde_json::{Value, json};
use simulated::Simulated;
use world::{History, Seen, World};

/// Real processes may take three times what the protocol allows; the simulator may not.
const LIMIT: Duration = Duration::from_secs(15);
/// Short, so that the live arms need not wait long.
const INTERVAL: Duration = Duration::from_millis(300);
/// 2.5 intervals: how long after its last heartbeat a unit is OFFLINE.
const OFFLINE_AFTER: Duration = Duration::from_millis(750);

/// The actors of every unit here: the program's own, and one that does what it is told.
fn actors() -> Value {
    json!({ "heartbeater": { "interval": "300ms" }, "monitor": {}, "echo": {}, "brittle": {} })
}

/// Runs `body` in each world and compares what `view` sees of it.
fn in_all_worlds(body: impl Fn(&mut dyn World), views: &[(&str, &str)]) {
    let mut worlds: [Box<dyn World>; 3] =
        [Box::new(Simulated::new()), Box::new(Live::local()), Box::new(Live::server())];
    let mut expected: Option<Vec<Vec<String>>> = None;
    for world in &mut worlds {
        body(world.as_mut());
        let seen: Vec<Vec<String>> =
            views.iter().map(|(unit, actor)| world.events(unit, actor).iter().filter_map(normal).collect()).collect();
        match &expected {
            None => expected = Some(seen),
            Some(expected) => {
                for ((unit, actor), (expected, seen)) in views.iter().zip(expected.iter().zip(&seen)) {
                    assert_eq!(expected, seen, "{actor} of {unit} on {} differs from the simulator's", world.name());
                }
            }
        }
    }
}

/// An event without what may differ between the worlds.
fn normal(event: &Event) -> Option<String> {
    match event {
        // Drawn anew in every run.
        Event::NodeStarted { .. } => Some("node_started".to_owned()),
        Event::UnitOnline { unit, restarted, .. } => Some(format!("unit_online {unit} restarted={restarted}")),
        // Jitter is drawn from another seed.
        Event::RestartScheduled { .. } => Some("restart_scheduled".to_owned()),
        // A real unit's interval passes by its own clock, so the words about it carry a time.
        Event::UnitOffline { unit, .. } => Some(format!("unit_offline {unit}")),
        Event::NodeStopping
        | Event::NodeHealth { .. }
        | Event::BusConnected
        | Event::BusDisconnected
        | Event::ActorStarted { .. }
        | Event::ActorCrashed { .. }
        | Event::ActorStopped { .. }
        | Event::Escalated { .. }
        | Event::Quarantined { .. }
        | Event::MailboxPaused { .. }
        | Event::MailboxResumed
        | Event::MailboxOverflow { .. }
        | Event::PublishRefused { .. }
        | Event::Malformed { .. }
        | Event::UnitHealth { .. }
        | Event::UnitsFull { .. }
        | Event::BusDenied { .. }
        | Event::BusSlow
        | Event::BusRefused { .. }
        | Event::ClockChanged { .. }
        | Event::TimeDaemon { .. }
        | Event::DelayAsymmetry { .. }
        | Event::DuplicateUnit { .. }
        | Event::Reloaded { .. }
        | Event::LogLevelSet { .. }
        | Event::ChaosInjected { .. }
        | Event::CommandRefused { .. }
        | Event::ActorHung { .. }
        | Event::ActorReturned { .. }
        | Event::PortFailed { .. }
        | Event::ClusterChanged { .. }
        | Event::ServerClient { .. }
        | Event::ServerSlowConsumers { .. }
        | Event::Custom { .. } => Some(format!("{event:?}")),
        // A wall clock that somebody sets is no part of the world that the bodies play in.
        Event::ClockStepped { .. } => None,
    }
}

fn wait(world: &mut dyn World, what: &str, predicate: impl Fn(&History) -> bool) {
    let name = world.name();
    if !world.run_until(&predicate, LIMIT) {
        let history: Vec<String> =
            world.history().iter().map(|seen| format!("{}/{}: {}", seen.unit, seen.actor, seen.event)).collect();
        panic!("on {name}, {what} did not happen within {LIMIT:?}. What did:\n{}", history.join("\n"));
    }
}

fn count(history: &History, unit: &str, actor: &str, wanted: impl Fn(&Event) -> bool) -> usize {
    history.iter().filter(|seen| seen.unit == unit && seen.actor == actor && wanted(&seen.event)).count()
}

fn sees_online(history: &History, on: &str, whom: &str) -> usize {
    count(history, on, "monitor", |event| matches!(event, Event::UnitOnline { unit, .. } if unit.as_str() == whom))
}

fn lives(history: &History, unit: &str, actor: &str) -> usize {
    count(history, unit, actor, |event| matches!(event, Event::ActorStarted { .. }))
}

fn counted(history: &History, unit: &str) -> usize {
    count(history, unit, "brittle", |event| matches!(event, Event::Custom { .. }))
}

fn start(world: &mut dyn World, unit: &str) {
    let before = world.history().len();
    world.start(unit, &actors());
    // Whoever sees itself has said and heard its first heartbeat: what comes later has a cause later.
    wait(world, "every actor's start, and the unit seeing itself", |history| {
        let history = &history[before..];
        let started =
            ["heartbeater", "monitor", "echo", "brittle"].iter().all(|actor| lives(history, unit, actor) == 1);
        started && sees_online(history, unit, unit) == 1
    });
}

fn start_two(world: &mut dyn World) {
    start(world, "a");
    start(world, "b");
    wait(world, "two units seeing each other", |history| {
        ["a", "b"].iter().all(|on| ["a", "b"].iter().all(|whom| sees_online(history, on, whom) == 1))
    });
}

#[test]
fn two_nodes_see_each_other() {
    in_all_worlds(start_two, &[("a", "node"), ("b", "node"), ("a", "heartbeater"), ("a", "echo"), ("b", "echo")]);
}

#[test]
fn a_killed_node_is_offline_after_two_and_a_half_intervals_and_comes_back_in_a_new_session() {
    let body = |world: &mut dyn World| {
        start_two(world);
        world.kill("b");
        let killed = world.now();
        let offline = |event: &Event| matches!(event, Event::UnitOffline { unit, .. } if unit.as_str() == "b");
        wait(world, "b being declared OFFLINE", |history| count(history, "a", "monitor", offline) == 1);
        let declared = world.history().iter().find(|seen| offline(&seen.event)).expect("declared").at;
        let silence = declared.saturating_sub(killed);
        assert!(world.offline_within().contains(&silence), "OFFLINE {silence:?} after the kill on {}", world.name());
        start(world, "b");
        wait(world, "a seeing b again", |history| sees_online(history, "a", "b") == 2);
    };
    // What b's monitor says depends on which heartbeat it heard first; a's knows the whole story.
    in_all_worlds(body, &[("a", "monitor"), ("a", "node"), ("b", "node"), ("b", "heartbeater")]);
}

#[test]
fn an_actor_that_panics_lives_again_and_nobody_else_notices() {
    let body = |world: &mut dyn World| {
        start(world, "a");
        world.send(tell("a", "before"));
        wait(world, "the first count", |history| counted(history, "a") == 1);
        world.send(tell("a", "crash later"));
        wait(world, "a second life", |history| lives(history, "a", "brittle") == 2);
        world.send(tell("a", "after"));
        wait(world, "a count in the second life", |history| counted(history, "a") == 2);
    };
    in_all_worlds(body, &[("a", "brittle"), ("a", "echo"), ("a", "heartbeater"), ("a", "monitor"), ("a", "node")]);
}

#[test]
fn messages_that_waited_for_a_restart_are_handled_in_order() {
    let body = |world: &mut dyn World| {
        start(world, "a");
        // The first restart is at once, the second after a back-off in which messages wait.
        for life in [2, 3] {
            world.send(tell("a", "crash later"));
            wait(world, "a crash", |history| {
                count(history, "a", "brittle", |event| matches!(event, Event::ActorCrashed { .. })) == life - 1
            });
            if life == 2 {
                wait(world, "the first restart", |history| lives(history, "a", "brittle") == life);
            }
        }
        for what in ["one", "two", "three", "four", "five"] {
            world.send(tell("a", what));
        }
        wait(world, "all that waited", |history| counted(history, "a") == 5);
    };
    in_all_worlds(body, &[("a", "brittle"), ("a", "echo"), ("a", "node")]);
}

#[test]
fn a_poison_message_is_quarantined_after_two_crashes_and_the_node_stays_up() {
    let body = |world: &mut dyn World| {
        start(world, "a");
        for what in ["before", "panic", "between", "fault", "after"] {
            world.send(tell("a", what));
        }
        wait(world, "the messages around the poison", |history| counted(history, "a") == 3);
        let healthy = |seen: &Seen| {
            !matches!(&seen.event, Event::Escalated { .. } | Event::NodeHealth { health: Health::Critical, .. })
        };
        assert!(world.history().iter().all(healthy), "the node stays up on {}", world.name());
    };
    in_all_worlds(body, &[("a", "brittle"), ("a", "echo"), ("a", "heartbeater"), ("a", "monitor"), ("a", "node")]);
}

#[test]
fn more_poison_than_the_budget_pauses_the_mailbox_and_degrades_the_unit() {
    let body = |world: &mut dyn World| {
        start_two(world);
        for _ in 0..6 {
            world.send(tell("a", "panic"));
        }
        world.send(tell("a", "after"));
        wait(world, "the pause", |history| {
            count(history, "a", "brittle", |event| matches!(event, Event::MailboxPaused { .. })) == 1
        });
        wait(world, "b seeing a DEGRADED", |history| {
            count(
                history,
                "b",
                "monitor",
                |event| matches!(event, Event::UnitHealth { unit, to: Health::Degraded, .. } if unit.as_str() == "a"),
            ) == 1
        });
        wait(world, "what stood behind the poison", |history| counted(history, "a") == 1);
        wait(world, "b seeing a OK again", |history| {
            count(
                history,
                "b",
                "monitor",
                |event| matches!(event, Event::UnitHealth { unit, to: Health::Ok, .. } if unit.as_str() == "a"),
            ) >= 1
        });
    };
    in_all_worlds(body, &[("a", "brittle"), ("a", "node"), ("a", "echo")]);
}
