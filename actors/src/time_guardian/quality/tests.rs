use super::*;
use nunect_core::protocol::header::ClockQuality::{Acquiring, Freerun, Locked, Tracking};
use std::time::Duration;

fn window(offsets: &[i64]) -> Window {
    let mut window = Window::default();
    for (second, offset) in (0_u32..).zip(offsets) {
        window.push(Mono::ZERO + Duration::from_secs(1) * second, *offset);
    }
    window
}

#[test]
fn the_median_is_that_of_the_magnitudes_of_the_last_eight() {
    assert_eq!(window(&[]).median_ns(), 0);
    assert_eq!(window(&[-7]).median_ns(), 7);
    assert_eq!(window(&[-10, 20]).median_ns(), 15);
    assert_eq!(window(&[5_000, -5_000, 5_000, -5_000]).median_ns(), 5_000, "scatter is no accuracy");
    assert_eq!(window(&[9_999, 9_999, 9_999, 9_999, 9_999, 1, 1, 1, 1, 1, 1, 1, 1]).median_ns(), 1);
    assert_eq!(window(&[i64::MIN]).median_ns(), 1 << 63);
}

#[test]
fn the_spread_is_the_largest_deviation_from_the_median() {
    assert_eq!(window(&[7]).spread_ns(), 0);
    assert_eq!(window(&[100, 110, 90, 400]).spread_ns(), 295);
    assert_eq!(window(&[i64::MIN, i64::MAX]).spread_ns(), 1 << 63);
}

#[test]
fn a_clock_that_drifts_evenly_shows_its_frequency() {
    assert_eq!(window(&[0, 1_000, 2_000, 3_000, 4_000]).frequency_ppb(), 1_000);
    assert_eq!(window(&[5]).frequency_ppb(), FREQUENCY_UNKNOWN_PPB);
    assert_eq!(window(&[]).frequency_ppb(), FREQUENCY_UNKNOWN_PPB);
}

#[test]
fn a_class_is_entered_below_its_limit_and_left_at_one_and_a_half_times_it() {
    for (before, median_ns, class) in [
        (None, 999, Locked),
        (None, 1_000, Tracking),
        (Some(Locked), 1_499, Locked),
        (Some(Locked), 1_500, Tracking),
        (Some(Tracking), 1_499, Tracking),
        (Some(Tracking), 149_999, Tracking),
        (Some(Locked), 149_999, Tracking),
        (Some(Tracking), 150_000, Acquiring),
        (Some(Acquiring), 149_999, Acquiring),
        (Some(Freerun), 99_999, Tracking),
    ] {
        assert_eq!(fine(before, median_ns), class, "{before:?}, {median_ns} ns");
    }
}

#[test]
fn holdover_is_never_locked() {
    for (uncertainty_ns, class) in
        [(0, Tracking), (99_999, Tracking), (100_000, Acquiring), (9_999_999, Acquiring), (10_000_000, Freerun)]
    {
        assert_eq!(holdover(uncertainty_ns), class);
    }
}
