//! The simulated network against a real one: kernels, nats-servers and units in network namespaces.
//!
//! `tools/fidelity` measures as often as docs/fidelity.md says, prints its tables and writes `real_runs.json`. The tests
//! of every change measure less, and look at what it measured then, too. What was measured is left in `target/fidelity`.

mod alike;
mod cuts;
mod failovers;
mod form;
mod links;
mod measured;
#[path = "../support/nats.rs"]
mod nats;
mod offline;
mod real;
mod simulated;
mod stored;
#[path = "../support/unit.rs"]
mod unit;

/// What real runs found at length. Their names come last, as does their turn: by then nothing real is measured.
mod stored_runs {
    #[test]
    fn a_simulated_cluster_notices_and_loses_what_real_ones_did() {
        crate::cuts::compare_at_length();
    }

    #[test]
    fn a_simulated_leaf_goes_to_its_second_hub_when_real_ones_did() {
        crate::failovers::compare_at_length();
    }

    #[test]
    fn a_simulated_link_delays_messages_as_real_ones_did() {
        crate::links::compare_at_length();
    }

    #[test]
    fn the_monitor_of_a_simulated_unit_decides_as_real_ones_did() {
        crate::offline::compare_at_length();
    }
}
