//! Clocks that GPS disciplines, and what they do without it.

use super::*;
use crate::draw::{between, link};

const MS: u64 = 1_000_000;

fn disciplined(wander_ppb: u32) -> Clock {
    Clock { offset_ns: 3_000_000, drift_ppb: 20_000, wander_ppb, gps: true }
}

fn receive(clock: &mut Running, at: u64, present: bool) {
    clock.befall(at, ClockFault::Gps { present });
}

#[test]
fn a_receiver_has_a_clock_locked_after_half_a_minute() {
    for seed in 0..500 {
        let clock = disciplined(1).start(seed);
        assert_eq!(clock.state(0).quality, ClockQuality::Acquiring);
        for second in 30..300 {
            let state = clock.state(second * BILLION);
            assert_eq!(state.source, ClockSource::Gps);
            assert_eq!(state.quality, ClockQuality::Locked, "seed {seed}, {second} s: {state:?}");
            assert!(state.offset_ns.abs() < 1_000 && state.drift_ppb.abs() < 100, "{state:?}");
            assert_eq!(state.since, Some(second * BILLION));
        }
    }
}

#[test]
fn an_offset_is_taken_out_with_the_time_constant() {
    let clock = Clock { offset_ns: 15_000, gps: true, ..Clock::default() };
    for time_constants in 0..=3_u32 {
        let at = u64::from(time_constants) * 20 * BILLION;
        let mean = (0..500).map(|seed| clock.start(seed).state(at).offset_ns as f64).sum::<f64>() / 500.0;
        let expected = 15_000.0 * (-f64::from(time_constants)).exp();
        assert!((mean - expected).abs() < 20.0, "{mean} for {expected}");
    }
}

#[test]
fn a_jump_under_gps_is_seen_and_undone() {
    let mut clock = disciplined(1).start(3);
    let at = 605 * BILLION;
    clock.befall(at, ClockFault::Step { by_ns: 5_000_000 });
    assert_eq!(clock.state(at).quality, ClockQuality::Locked, "nobody knows yet");
    assert_eq!(clock.next_change(at), Some(610 * BILLION));
    assert_eq!(clock.state(610 * BILLION).quality, ClockQuality::Acquiring);
    let (seen, drift_ppb) = (clock.state(611 * BILLION), clock.state(604 * BILLION).drift_ppb);
    assert!(seen.offset_ns.abs() < 1_000, "{seen:?}");
    assert!((seen.drift_ppb - drift_ppb).abs() < 50, "the frequency is not taken for wrong: {seen:?}");
    assert_eq!(clock.state(640 * BILLION).quality, ClockQuality::Locked);
}

#[test]
fn another_drift_is_learned_and_its_end_too() {
    let mut clock = disciplined(1).start(4);
    clock.befall(602 * BILLION, ClockFault::Drift { ppb: 3_000 });
    assert!((2_900..3_100).contains(&clock.state(605 * BILLION).drift_ppb), "{:?}", clock.state(605 * BILLION));
    assert_eq!(clock.state(650 * BILLION).quality, ClockQuality::Locked, "{:?}", clock.state(650 * BILLION));
    clock.befall(700 * BILLION, ClockFault::Drift { ppb: 0 });
    assert_ne!(clock.state(715 * BILLION).quality, ClockQuality::Locked);
    assert_eq!(clock.state(750 * BILLION).quality, ClockQuality::Locked);
}

/// The share of samples within the uncertainty, over an hour of GPS and ten minutes of holdover.
fn covered(wander_ppb: u32, lost_at: u64, seeds: std::ops::Range<u64>) -> f64 {
    let (mut within, mut all) = (0_u32, 0_u32);
    for seed in seeds {
        let mut clock = disciplined(wander_ppb).start(seed);
        receive(&mut clock, lost_at, false);
        for second in [0, 1, 7, 20, 33, 60, 90, 125, 200, 300, 420, 599] {
            let at = lost_at + second * BILLION;
            clock.read(at);
            let state = clock.state(at);
            let bound = state.uncertainty_ns.expect("it had GPS");
            within += u32::from(state.offset_ns.unsigned_abs() <= bound);
            all += 1;
        }
    }
    f64::from(within) / f64::from(all)
}

#[test]
fn the_uncertainty_in_holdover_covers_the_error() {
    for wander_ppb in [0, 1, 5, 100] {
        for lost_at in [25 * BILLION, 60 * BILLION, 127 * BILLION + 3, 900 * BILLION] {
            let share = covered(wander_ppb, lost_at, 50_000..50_600);
            assert!(share >= 0.999, "{wander_ppb} ppb, lost at {lost_at}: {share}");
        }
    }
}

#[test]
fn the_uncertainty_covers_the_error_while_gps_comes_and_goes() {
    let (mut within, mut all) = (0_u32, 0_u32);
    for seed in 90_000..90_400 {
        let mut clock = disciplined(5).start(seed);
        let (mut at, mut present) = (20 * BILLION, true);
        for number in 0..100 {
            at += between(link(seed, number), 0, 60 * BILLION);
            if number % 3 == 0 {
                present = !present;
                receive(&mut clock, at, present);
            }
            clock.read(at);
            let state = clock.state(at);
            within += u32::from(Some(state.offset_ns.unsigned_abs()) <= state.uncertainty_ns);
            all += 1;
        }
    }
    let share = f64::from(within) / f64::from(all);
    assert!(share >= 0.999, "{share}");
}

#[test]
fn the_uncertainty_is_of_the_size_of_the_error() {
    // Ten minutes after a long lock; 4 deviations of the uncertainty for 1 of the error.
    let (mut squares, mut bound) = (0.0, 0.0);
    for seed in 0..400 {
        let mut clock = disciplined(5).start(seed);
        receive(&mut clock, 900 * BILLION, false);
        let state = clock.state(1_500 * BILLION);
        squares += (state.offset_ns as f64).powi(2);
        bound += state.uncertainty_ns.expect("it had GPS") as f64;
    }
    let ratio = bound / 400.0 / (squares / 400.0).sqrt();
    assert!((3.5..5.0).contains(&ratio), "{ratio}");
}

#[test]
fn holdover_gets_worse_with_the_uncertainty_and_ends_after_ten_minutes() {
    let lost = 900 * BILLION + 1;
    let mut clock = disciplined(5).start(9);
    receive(&mut clock, lost, false);
    assert_eq!(clock.state(lost).quality, ClockQuality::Tracking, "never locked without a source");
    let limit = clock.next_change(lost).expect("it gets worse");
    let (before, worse) = (clock.state(limit - 1), clock.state(limit));
    assert_eq!((before.quality, worse.quality), (ClockQuality::Tracking, ClockQuality::Acquiring));
    assert!(before.uncertainty_ns <= Some(100_000) && worse.uncertainty_ns >= Some(100_000));
    assert_eq!((worse.source, worse.since), (ClockSource::Gps, Some(lost)));
    let over = clock.next_change(limit).expect("it ends");
    assert_eq!(over, lost + 600 * BILLION);
    assert_eq!((clock.state(over).source, clock.state(over).quality), (ClockSource::Unsynced, ClockQuality::Freerun));
    assert_eq!(clock.next_change(over), None);
}

#[test]
fn a_wild_oscillator_runs_free_before_ten_minutes_are_over() {
    let mut clock = disciplined(1_000).start(9);
    receive(&mut clock, 900 * BILLION, false);
    let mut changes = vec![];
    let mut at = 900 * BILLION;
    while let Some(next) = clock.next_change(at) {
        changes.push((next, clock.state(next).quality));
        at = next;
    }
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!(changes.last().map(|last| last.1), Some(ClockQuality::Freerun));
    assert!(at < 1_500 * BILLION && clock.state(at).uncertainty_ns >= Some(10 * MS), "{changes:?}");
}

#[test]
fn gps_that_comes_back_has_the_clock_again_at_the_next_step() {
    let mut clock = disciplined(5).start(11);
    receive(&mut clock, 900 * BILLION, false);
    receive(&mut clock, 1_203 * BILLION, true);
    let lost = clock.state(1_209 * BILLION);
    assert_eq!((lost.since, lost.source), (Some(900 * BILLION), ClockSource::Gps));
    assert!(lost.uncertainty_ns > Some(20_000));
    for second in 1_230..1_400 {
        let state = clock.state(second * BILLION);
        assert!(state.quality <= ClockQuality::Tracking && state.offset_ns.abs() < 20_000, "{state:?}");
        assert!(second < 1_300 || state.quality == ClockQuality::Locked, "{state:?}");
    }
}

#[test]
fn a_loss_within_a_step_does_not_spoil_the_frequency() {
    let mut clock = disciplined(1).start(12);
    for (second, present) in [(601, false), (602, true), (613, false), (614, false), (618, true), (619, true)] {
        receive(&mut clock, second * BILLION, present);
    }
    for second in 620..700 {
        assert_eq!(clock.state(second * BILLION).quality, ClockQuality::Locked);
    }
}

#[test]
fn gps_moves_the_wall_clock_in_steps_and_the_monotonic_one_by_its_rate_alone() {
    let mut clock = booted(disciplined(5), 1, 0, 0);
    let before = clock.read(0);
    assert!(before.wall.unix_nanos().abs_diff(WALL_START.unix_nanos()) < 200, "3 ms are stepped at once");
    let step = clock.read(10 * BILLION - 1);
    let after = clock.read(10 * BILLION);
    assert!(after.wall < step.wall, "200 µs of drift are stepped back");
    assert!(after.mono >= step.mono && after.mono.since(before.mono) == Duration::from_nanos(10_000_200_000));
}
