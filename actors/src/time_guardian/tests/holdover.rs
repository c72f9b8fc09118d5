//! A clock whose source is lost, or that steps (protocol, section 4, "holdover").

use super::*;

const MILLI: u64 = 1_000_000;

/// A guardian whose source, at 300 ns, is lost: eight samples without any spread.
fn holding(config: Value) -> World {
    let mut world = World::new(config);
    for _ in 0..8 {
        world.ptp(world.slave(300));
        world.pass(SECOND);
    }
    world.unread(TimeDaemon::Ptp4l, Obstacle::Absent);
    drop(world.harness.events());
    world
}

#[test]
fn the_name_and_the_offset_stay_and_the_uncertainty_grows_by_fifteen_parts_per_million() {
    let mut world = holding(json!({}));
    assert_eq!(world.clock(), (ClockSource::Ptp, Tracking));
    assert_eq!(world.stamp().offset_ns, Some(300));
    let before = world.asked();
    world.pass(2 * SECOND);
    let after = world.asked();
    assert_eq!(after.uncertainty_ns.zip(before.uncertainty_ns).map(|(after, before)| after - before), Some(30_000));
    assert_eq!((before.holdover_ms, after.holdover_ms), (Some(0), Some(2_000)));
    assert_eq!(after.clock_offset_ns, Some(300));
}

#[test]
fn the_drift_of_a_better_oscillator_may_be_configured() {
    let mut world = holding(json!({ "holdover_drift_ppm": 0.02 }));
    let before = world.asked().uncertainty_ns.expect("known");
    world.pass(100 * SECOND);
    assert_eq!(world.asked().uncertainty_ns, Some(before + 2_000));
}

#[test]
fn the_frequency_error_that_the_samples_showed_counts_too() {
    let mut world = World::auto();
    for second in 0..8 {
        world.gps(world.pulse(second * 1_000));
        world.pass(SECOND);
    }
    world.unread(TimeDaemon::Gpsd, Obstacle::Absent);
    let before = world.asked().uncertainty_ns.expect("known");
    world.pass(SECOND);
    assert_eq!(world.asked().uncertainty_ns, Some(before + 16_000));
}

#[test]
fn it_is_tracking_until_the_uncertainty_is_100_microseconds_and_ends_at_10_milliseconds() {
    let mut world = holding(json!({ "holdover_max": "1day" }));
    let began = world.harness.now().mono;
    let mut ends = Vec::new();
    while world.clock().1 != Freerun {
        let (before, claim) = (world.clock().1, world.stamp());
        let limit = if before == Tracking { 100_000 } else { 10 * MILLI };
        assert!(claim.uncertainty_ns.is_some_and(|ns| ns < limit), "{claim:?}");
        let due = world.harness.deadline().expect("it grows");
        world.pass(due.at.since(world.harness.now().mono));
        if world.clock().1 != before {
            ends.push(world.harness.now().mono.since(began).as_secs());
        }
    }
    // 1.1 µs at first, and 15 µs a second.
    assert_eq!(ends, [5, 665]);
    assert_eq!(world.stamp(), ClockStamp::default());
    assert!(world.is_lost());
    assert_eq!(
        world.changes(),
        [
            "clock is ptp acquiring: holdover: uncertain by 100.0 µs",
            "clock is unsynced freerun: holdover: uncertain by 10.0 ms",
        ]
    );
}

#[test]
fn it_ends_after_holdover_max() {
    let mut world = holding(json!({ "holdover_max": "3s" }));
    world.pass(Duration::from_millis(2_999));
    assert_eq!(world.clock(), (ClockSource::Ptp, Tracking));
    world.pass(Duration::from_millis(1));
    assert_eq!(world.clock(), (ClockSource::Unsynced, Freerun));
    assert_eq!(world.changes(), ["clock is unsynced freerun: holdover: has lasted for 3.0 s"]);
    assert!(world.is_lost());
}

#[test]
fn a_source_that_was_too_uncertain_has_no_holdover() {
    let mut world = World::auto();
    let far = NtpStatus { root_delay_s: 0.03, ..world.chrony(0) };
    world.ntp(far);
    assert_eq!(world.clock(), (ClockSource::Ntp, Tracking));
    world.unread(TimeDaemon::Chronyd, Obstacle::Absent);
    assert_eq!(world.clock().1, Freerun);
    assert_eq!(
        world.changes()[1],
        "clock is unsynced freerun: chronyd: no chronyd here; holdover: uncertain by 16.0 ms"
    );
}

#[test]
fn a_reader_that_says_nothing_any_more_is_a_lost_source() {
    let mut world = World::auto();
    world.ptp(world.slave(300));
    world.pass(Duration::from_millis(2_999));
    assert_eq!(world.clock().1, Locked);
    assert_eq!(world.harness.deadline().map(|due| due.why), Some("clock report overdue"));
    world.pass(Duration::from_millis(1));
    assert_ne!(world.clock().1, Locked);
    assert_eq!(world.note(TimeDaemon::Ptp4l), "its reader tells nothing any more");
}

#[test]
fn the_source_takes_over_again_as_soon_as_it_is_back() {
    let mut world = holding(json!({}));
    world.pass(20 * SECOND);
    assert_eq!(world.clock().1, Acquiring);
    world.ptp(world.slave(300));
    assert_eq!(world.clock(), (ClockSource::Ptp, Locked));
    assert_eq!(world.asked().holdover_ms, None);
}

#[test]
fn a_step_in_holdover_moves_the_offset_and_adds_to_the_uncertainty() {
    let mut world = holding(json!({}));
    let before = world.asked().uncertainty_ns.expect("known");
    world.stepped_ns = -2_000_000;
    world.unread(TimeDaemon::Gpsd, Obstacle::Absent);
    assert_eq!(world.stamp().offset_ns, Some(300 - 2_000_000));
    assert_eq!(world.asked().uncertainty_ns, Some(before + 2 * MILLI));
    assert_eq!(world.clock().1, Acquiring);
}

#[test]
fn a_step_counts_until_the_source_has_measured_again() {
    let mut world = World::auto();
    for _ in 0..4 {
        world.ptp(world.slave(100));
        world.pass(SECOND);
    }
    let old = world.slave(100);
    world.ptp(old.clone());
    world.stepped_ns = 5_000_000;
    world.pass(Duration::from_millis(100));
    world.ptp(old);
    assert_eq!(world.stamp().offset_ns, Some(5_000_100));
    assert!(world.uncertainty_ns() >= 10_000_100);
    assert_eq!(world.clock().1, Acquiring);
    world.pass(SECOND);
    world.ptp(world.slave(5_000_100));
    assert_eq!(world.stamp().offset_ns, Some(5_000_100));
    assert!(world.uncertainty_ns() < 6 * MILLI, "measured, and the window begins anew");
}

#[test]
fn a_step_that_the_daemon_made_itself_is_no_error() {
    let mut world = World::auto();
    world.ntp(world.chrony(-500_000_000));
    assert_eq!(world.clock().1, Acquiring);
    world.pass(SECOND);
    world.stepped_ns = 500_000_000;
    world.ntp(world.chrony(0));
    assert_eq!(world.clock().1, Locked);
    assert_eq!(world.stamp().offset_ns, Some(0));
}

#[test]
fn steps_of_a_millisecond_are_told_and_those_that_the_host_tells_are_not() {
    for (by_ns, expected) in [(900_000, None), (3_000_000, Some(3)), (-3_000_000, Some(-3)), (700_000_000, None)] {
        let mut world = World::auto();
        world.unread(TimeDaemon::Ptp4l, Obstacle::Absent);
        world.stepped_ns = by_ns;
        world.unread(TimeDaemon::Gpsd, Obstacle::Absent);
        let told = world.harness.events();
        let expected: Vec<_> = expected.map(|by_ms| Event::ClockStepped { by_ms }).into_iter().collect();
        assert_eq!(told, expected);
    }
}
