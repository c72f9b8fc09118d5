//! What gpsd says, and what is made of it (protocol, section 4, "clock quality, GPS").

use super::*;

#[test]
fn a_pulse_is_classed_as_ptp_is() {
    for (offset_ns, quality) in [(-999, Locked), (1_000, Tracking), (100_000, Acquiring)] {
        let mut world = World::auto();
        world.gps(world.pulse(offset_ns));
        assert_eq!(world.clock(), (ClockSource::Gps, quality));
        assert_eq!(world.stamp().offset_ns, Some(offset_ns));
    }
}

#[test]
fn a_bare_fix_is_no_source_and_a_pulse_without_a_fix_neither() {
    let mut world = World::auto();
    let bare = GpsStatus { pulse: None, ..world.pulse(0) };
    world.gps(bare);
    assert_eq!(world.clock().1, Freerun);
    assert_eq!(world.note(TimeDaemon::Gpsd), "has a fix and no pulse: a position tells no time");
    for (fix, quality) in [(GpsFix::Unknown, Freerun), (GpsFix::No, Freerun), (GpsFix::TwoD, Locked)] {
        let mut world = World::auto();
        let status = GpsStatus { fix, ..world.pulse(0) };
        world.gps(status);
        assert_eq!(world.clock().1, quality);
    }
}

#[test]
fn a_pulse_that_is_repeated_counts_for_three_seconds() {
    let mut world = World::auto();
    for _ in 0..3 {
        world.gps(world.pulse(100));
        world.pass(SECOND);
    }
    let last = world.pulse(100);
    for expected in [Locked, Locked, Locked, Locked, Tracking] {
        world.gps(last.clone());
        assert_eq!(world.clock().1, expected);
        world.pass(SECOND);
    }
    assert_eq!(world.note(TimeDaemon::Gpsd), "last pulse is 4.0 s old");
}

#[test]
fn a_pulse_from_before_this_life_is_not_believed() {
    let mut world = World::auto();
    let old = world.pulse(100);
    world.pass(10 * SECOND);
    world.gps(old);
    assert_eq!(world.clock().1, Freerun);
}

#[test]
fn the_uncertainty_grows_with_the_age_of_the_pulse_as_fast_as_the_clock_was_seen_to_drift() {
    let mut world = World::auto();
    for second in 0..8 {
        world.gps(world.pulse(second * 20_000));
        world.pass(SECOND);
    }
    // 20 ppm: the samples stray by 70 µs from their median, in 7 s.
    let uncertainty_ns = world.asked().uncertainty_ns.expect("known");
    assert_eq!(uncertainty_ns, 140_000 + 4 * 70_000 + 120 + 20_000 + 100);
}

#[test]
fn a_receiver_without_a_pulse_on_a_wire_is_at_most_acquiring() {
    let mut world = World::new(json!({ "mode": "gps" }));
    let mut status = world.pulse(10);
    status.pulse = status.pulse.map(|pulse| GpsPulse { kind: PulseKind::Toff, error_ns: 200_000_000, ..pulse });
    world.gps(status);
    assert_eq!(world.clock(), (ClockSource::Gps, Acquiring));
    assert!(world.uncertainty_ns() > 200_000_000);
    assert_eq!(world.note(TimeDaemon::Gpsd), "no pulse on a wire: by the receiver's messages");
}

#[test]
fn a_clock_off_by_decades_is_refused() {
    let mut world = World::auto();
    let mut status = world.pulse(0);
    status.pulse = status.pulse.map(|pulse| GpsPulse { real: Wall::from_unix_nanos(0), ..pulse });
    world.gps(status);
    assert!(world.note(TimeDaemon::Gpsd).contains("ten years"));
}
