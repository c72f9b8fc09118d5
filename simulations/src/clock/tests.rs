use std::time::Duration;

use proptest::prelude::*;

use super::*;

mod discipline;
mod nodes;
mod walk;

const YEAR: u64 = 365 * 86_400 * BILLION;

/// A clock that booted, and what it showed then.
fn booted(clock: Clock, seed: u64, at: u64, origin: u64) -> Running {
    let mut running = clock.start(seed);
    running.boot(at, origin);
    running
}

prop_compose! {
    /// A clock without wander: when it booted, and what it showed then.
    fn clocks()(
        offset_ns in -1_000_000_000_i64..1_000_000_000,
        drift_ppb in -DRIFT_MAX_PPB..=DRIFT_MAX_PPB,
        at in 0..YEAR,
        origin in 0..YEAR,
    ) -> (Running, u64, u64) {
        (booted(Clock { offset_ns, drift_ppb, ..Clock::default() }, 0, at, origin), at, origin)
    }
}

proptest! {
    #[test]
    fn a_deadline_maps_to_the_first_instant_at_which_it_has_come(clock in clocks(), local in 0..YEAR) {
        let (mut clock, booted, origin) = clock;
        let deadline = Mono::from_nanos(origin + local);
        let when = clock.when(deadline);
        prop_assert!(clock.read(when).mono >= deadline);
        if when > booted {
            prop_assert!(clock.read(when - 1).mono < deadline);
        }
    }

    #[test]
    fn an_instant_survives_the_round_trip_within_the_grain_of_the_clock(clock in clocks(), true_time in 0..YEAR) {
        let (mut clock, booted, _) = clock;
        let at = booted + true_time;
        let back = clock.when(clock.peek(at).mono);
        prop_assert!(back <= at && at - back <= 1, "{at} came back as {back}");
        prop_assert_eq!(clock.read(at), clock.peek(at));
    }

    #[test]
    fn neither_clock_ever_runs_back(clock in clocks(), a in 0..YEAR, b in 0..YEAR) {
        let (mut clock, booted, _) = clock;
        let (earlier, later) = (clock.read(booted + a.min(b)), clock.read(booted + a.max(b)));
        prop_assert!(earlier.mono <= later.mono && earlier.wall <= later.wall);
    }

    #[test]
    fn counting_by_parts_is_exact(drift_ppb in -DRIFT_MAX_PPB..=DRIFT_MAX_PPB, duration in 0..YEAR) {
        let exact = i128::from(duration)
            + (i128::from(duration) * i128::from(drift_ppb)).div_euclid(i128::from(BILLION));
        prop_assert_eq!(i128::from(counted(duration, drift_ppb)), exact);
    }

    #[test]
    fn a_fault_that_changes_nothing_changes_nothing(clock in clocks(), a in 0..YEAR, b in 0..YEAR) {
        let (clock, booted, _) = clock;
        let (fault, at) = (booted + a.min(b), booted + a.max(b));
        let mut disturbed = clock.clone();
        disturbed.befall(fault, ClockFault::Drift { ppb: 0 });
        prop_assert!(matches!(disturbed.beat, Beat::Varying(_)));
        prop_assert_eq!(disturbed.read(at), clock.peek(at));
        prop_assert_eq!(disturbed.state(at), clock.state(at));
        let deadline = clock.peek(at).mono;
        prop_assert_eq!(disturbed.when(deadline), clock.when(deadline).max(fault));
    }

    #[test]
    fn another_drift_counts_from_the_fault_on(clock in clocks(), a in 0..YEAR, b in 0..YEAR, ppb in -9_000_000..9_000_000) {
        let (mut clock, booted, _) = clock;
        let (fault, at) = (booted + a.min(b), booted + a.max(b));
        let clock_before = clock.peek(at);
        clock.befall(fault, ClockFault::Drift { ppb });
        let gained = i128::from(clock.read(at).mono.as_nanos()) - i128::from(clock_before.mono.as_nanos());
        let expected = i128::from(at - fault) * i128::from(ppb) / i128::from(BILLION);
        // Its own drift and that of the fault may together pass the largest rate.
        if clock.state(at).drift_ppb.abs() < 2 * DRIFT_MAX_PPB {
            prop_assert!((gained - expected).abs() <= 1, "{gained} for {expected}");
        }
    }

    #[test]
    fn a_step_moves_the_wall_clock_alone(clock in clocks(), true_time in 0..YEAR, by_ns in -1_000_000_000_000_i64..1_000_000_000_000) {
        let (mut clock, booted, _) = clock;
        let before = clock.peek(booted + true_time);
        clock.befall(booted + true_time / 2, ClockFault::Step { by_ns });
        let after = clock.read(booted + true_time);
        prop_assert_eq!(after.mono, before.mono);
        prop_assert_eq!(after.wall.unix_nanos(), before.wall.unix_nanos().saturating_add_signed(by_ns));
    }
}

#[test]
fn a_true_clock_shows_true_time() {
    let mut clock = booted(Clock::default(), 0, 5, 100);
    let now = clock.read(12);
    assert_eq!((now.mono, now.wall), (Mono::from_nanos(107), WALL_START + Duration::from_nanos(12)));
    assert_eq!(clock.when(now.mono), 12);
    assert_eq!(clock.when(Mono::MAX), u64::MAX - 100 + 5);
}

#[test]
fn a_fast_clock_reaches_its_deadline_early() {
    let mut fast = booted(Clock { offset_ns: -3, drift_ppb: 1_000_000, ..Clock::default() }, 0, 0, 0);
    assert_eq!(fast.when(Mono::from_nanos(1_001_000_000)), BILLION);
    assert_eq!(fast.read(0).wall.unix_nanos(), WALL_START.unix_nanos() - 3);
}

#[test]
fn a_clock_that_nothing_disciplines_says_so() {
    let clock = Clock { offset_ns: 7, drift_ppb: -1_000, ..Clock::default() }.start(1);
    let state = clock.state(10 * BILLION);
    assert_eq!((state.offset_ns, state.drift_ppb), (7 - 10_000, -1_000));
    assert_eq!((state.source, state.quality), (ClockSource::Unsynced, ClockQuality::Freerun));
    assert_eq!((state.since, state.uncertainty_ns, clock.next_change(0)), (None, None, None));
    let mut deaf = clock;
    deaf.befall(0, ClockFault::Gps { present: true });
    assert_eq!(deaf.state(10 * BILLION), state, "it has no receiver");
}

#[test]
fn the_clocks_of_a_machine_fit_beside_what_else_a_step_of_a_node_touches() {
    assert!(size_of::<Running>() <= 32);
}
