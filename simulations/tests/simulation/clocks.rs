//! What clocks take themselves for, as the trace and whoever asks see it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_simulations::trace::{What, records};
use nunect_simulations::{Scenario, Simulation};

use crate::support::unit;

const TEXT: &str = "
name: jammed
duration: 30m
actors: { heartbeater: {} }
nodes:
  - { name: a, clocks: { offset: 1ms, drift: 20ppm, wander: 1ppb, gps: true } }
  - { name: b, clocks: { offset: 1ms, drift: 20ppm } }
faults:
  - { at: 5m, gps_loss: { nodes: a, for: 20m } }
";

#[test]
fn the_trace_tells_when_a_clock_locks_loses_gps_and_is_had_again() {
    let scenario = Scenario::parse("jammed.yaml", TEXT).expect("a legal scenario");
    let mut simulation = Simulation::new(&scenario, nunect_actors::catalog(), 1).expect("known actors");
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&bytes);
    simulation.tap_trace(move |block| sink.lock().expect("no poison").extend_from_slice(block));

    simulation.run_for(Duration::from_secs(299));
    let locked = simulation.clock_state(&unit("a")).expect("a node");
    assert_eq!((locked.source, locked.quality), (ClockSource::Gps, ClockQuality::Locked));
    assert!(locked.offset_ns.unsigned_abs() < 1_000, "{locked:?}");
    let free = simulation.clock_state(&unit("b")).expect("a node");
    assert_eq!((free.source, free.quality), (ClockSource::Unsynced, ClockQuality::Freerun));

    simulation.run_for(Duration::from_secs(301));
    let held = simulation.clock_state(&unit("a")).expect("a node");
    assert!(held.uncertainty_ns > locked.uncertainty_ns, "{held:?}");
    assert!(held.uncertainty_ns.is_some_and(|bound| held.offset_ns.unsigned_abs() <= bound), "{held:?}");

    simulation.run();
    let bytes = bytes.lock().expect("no poison").clone();
    let told = records(&bytes).map(|record| record.expect("a trace of ours")).filter_map(|record| {
        let What::Clock { quality, .. } = record.what else { return None };
        assert_eq!(record.node, 0, "only who has GPS is watched");
        Some((record.at / 1_000_000_000, quality))
    });
    let told: Vec<_> = told.collect();
    let (first, last) = (told.first().expect("told at the start"), told.last().expect("told again"));
    assert_eq!(*first, (0, ClockQuality::Acquiring), "{told:?}");
    assert!(told.iter().any(|(at, quality)| *at < 60 && *quality == ClockQuality::Locked), "{told:?}");
    // Ten minutes without GPS are the end of holdover.
    assert!(told.iter().any(|(at, quality)| (300..=900).contains(at) && *quality == ClockQuality::Freerun), "{told:?}");
    assert!(last.0 > 1_500 && last.1 == ClockQuality::Locked, "{told:?}");
}
