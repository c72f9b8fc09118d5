//! Actors that are supervised in groups.

use std::sync::Arc;

use nunect_core::{ActorName, Health};
use nunect_simulations::{NodeSpec, Simulation, StartError};
use nunect_supervisor::{ChildSpec, Intensity, NodeSpec as Child, Strategy, TreeSpec};
use serde_json::json;

use crate::support::{actor, millis, node, secs, unit, words, world};

const ACTORS: [&str; 6] = ["lone", "x", "y", "z", "p", "q"];

fn name(name: &str) -> ActorName {
    ActorName::new(name).expect("legal")
}

fn group(strategy: Strategy, actors: &[&str]) -> TreeSpec {
    TreeSpec { strategy, ..TreeSpec::flat(actors.iter().map(|actor| name(actor))) }
}

/// `lone`, then `line` of `x`, `y` and `z`, which build on each other, then `pair` of `p` and `q`, in
/// which the second crash is one too many.
fn grouped() -> NodeSpec {
    let line = group(Strategy::RestForOne, &["x", "y", "z"]);
    let intensity = Intensity { crashes: 1, ..Intensity::default() };
    let pair = TreeSpec { intensity, ..group(Strategy::OneForAll, &["p", "q"]) };
    let lone = Child::Actor(ChildSpec::new(name("lone")));
    let children = vec![lone, Child::group(name("line"), line), Child::group(name("pair"), pair)];
    // The order of the configuration is not that of the tree.
    let puppets = ACTORS.iter().rev().map(|name| actor(name, &json!({ "kind": "puppet" })));
    NodeSpec { supervision: Some(Arc::new(TreeSpec::new(Strategy::OneForOne, children))), ..node("a", puppets) }
}

fn running(seed: u64) -> Simulation {
    let mut world = world(seed);
    world.start_node(grouped()).expect("a legal node");
    world.run_for(millis(10));
    world
}

/// How often each actor was started.
fn lives(world: &Simulation) -> [usize; 6] {
    let started = |name| words(world, "a", Some(name)).iter().filter(|said| said.starts_with("started")).count();
    ACTORS.map(started)
}

#[test]
fn a_crash_in_a_rest_for_one_group_restarts_its_later_actors_and_nobody_else() {
    let mut world = running(1);
    assert_eq!(lives(&world), [1; 6]);
    assert!(world.panic_actor(&unit("a"), "y"));
    world.run_for(secs(1));
    assert_eq!(lives(&world), [1, 1, 2, 2, 1, 1]);
    assert!(words(&world, "a", Some("z")).iter().any(|said| said.contains("stopping") && said.contains("Restart")));
}

#[test]
fn a_group_beyond_its_intensity_is_begun_anew_by_the_root_and_the_others_do_not_notice() {
    let mut world = running(1);
    for _ in 0..2 {
        assert!(world.panic_actor(&unit("a"), "p"));
        world.run_for(millis(10));
    }
    assert_eq!(lives(&world), [1, 1, 1, 1, 3, 3], "once by the group, once by the root");
    let escalations =
        |actor| world.events(&unit("a"), Some(actor)).filter(|(_, seen)| seen.name() == "escalated").count();
    assert_eq!((escalations("p"), escalations("pair")), (1, 0), "the root has not given up");
    for _ in 0..2 {
        assert!(world.panic_actor(&unit("a"), "q"));
        world.run_for(millis(10));
    }
    let state = |world: &Simulation| world.units().next().expect("a node");
    let waits = words(&world, "a", Some("pair"));
    assert!(waits.len() == 1 && waits[0].starts_with("restarts in"), "the second time it waits: {waits:?}");
    assert_eq!(state(&world).health, Health::Degraded);
    world.run_for(secs(1));
    assert_eq!(lives(&world), [1, 1, 1, 1, 5, 5]);
    assert_eq!((state(&world).health, state(&world).up), (Health::Ok, true));
}

#[test]
fn groups_that_go_beyond_the_intensity_of_the_root_end_the_node_in_the_reverse_order() {
    let mut world = running(1);
    for _ in 0..12 {
        world.panic_actor(&unit("a"), "p");
        world.run_for(secs(2));
    }
    assert!(!world.units().next().expect("a node").up);
    for name in ["lone", "x", "y", "z"] {
        let said = words(&world, "a", Some(name));
        assert!(said.iter().any(|said| said.contains("NodeShutdown")), "{name}: {said:?}");
    }
}

#[test]
fn equal_seeds_repeat_a_run_with_groups_to_the_bit() {
    let hash = |seed| {
        let mut world = running(seed);
        for name in ["y", "p", "p", "q", "q", "q"] {
            world.panic_actor(&unit("a"), name);
            world.run_for(millis(50));
        }
        world.run_for(secs(5));
        world.hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn supervision_must_be_that_of_the_actors() {
    let mut world = world(1);
    let other = TreeSpec::flat([name("x")]);
    let error = world.start_node(NodeSpec { supervision: Some(Arc::new(other)), ..grouped() }).expect_err("not these");
    let StartError::Config { error, .. } = error else { panic!("{error}") };
    assert_eq!(error.key, "supervision");
}
