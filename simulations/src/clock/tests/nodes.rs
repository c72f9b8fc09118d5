//! Clocks as nodes have them.

use nunect_core::UnitId;

use super::*;
use crate::{FlatConfig, NodeSpec, Simulation};

const CLOCK: Clock = Clock { offset_ns: -9_000_000, drift_ppb: 20_000, wander_ppb: 5, gps: false };

fn unit(name: &str) -> UnitId {
    name.parse().expect("a legal name")
}

/// A world in which node `a` has such a clock.
fn world(seed: u64, clock: Clock) -> Simulation {
    let mut world = Simulation::empty(FlatConfig::default(), nunect_actors::catalog(), seed);
    world.start_node(NodeSpec { clock, ..NodeSpec::new(unit("a"), []) }).expect("a legal node");
    world
}

#[test]
fn a_wall_clock_runs_on_while_its_node_is_down() {
    let (mut rebooted, mut steady) = (world(1, CLOCK), world(1, CLOCK));
    rebooted.run_for(Duration::from_secs(100));
    rebooted.kill_node(&unit("a"));
    assert_eq!(rebooted.clocks(&unit("a")), None);
    rebooted.run_for(Duration::from_secs(100));
    rebooted.start_node(NodeSpec { clock: CLOCK, ..NodeSpec::new(unit("a"), []) }).expect("a legal node");
    rebooted.run_for(Duration::from_secs(1_000));
    steady.run_for(Duration::from_secs(1_200));
    let wall = |world: &Simulation| world.clocks(&unit("a")).map(|now| now.wall);
    assert_eq!(wall(&rebooted), wall(&steady));
    assert_ne!(rebooted.clocks(&unit("a")), steady.clocks(&unit("a")), "its monotonic clock began anew");
}

#[test]
fn other_nodes_do_not_move_a_clock_and_another_seed_does() {
    let clocks = |seed, more: &[&str]| {
        let mut world = world(seed, Clock { gps: true, ..CLOCK });
        for name in more {
            world.start_node(NodeSpec { clock: CLOCK, ..NodeSpec::new(unit(name), []) }).expect("a legal node");
        }
        world.run_for(Duration::from_secs(1_234));
        world.clocks(&unit("a"))
    };
    assert_eq!(clocks(1, &[]), clocks(1, &["b", "c"]));
    assert_ne!(clocks(1, &[]).map(|now| now.wall), clocks(2, &[]).map(|now| now.wall));
}
