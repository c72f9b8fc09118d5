//! What the node says of its clock, for how long, and whether that stands against it.

use nunect_core::testing::{WALL_START, birth};
use nunect_core::{Incarnation, StopReason};

use super::*;

#[test]
fn a_node_without_a_source_claims_nothing_and_that_is_not_held_against_it() {
    let mut world = World::auto();
    for daemon in [TimeDaemon::Ptp4l, TimeDaemon::Gpsd, TimeDaemon::Chronyd, TimeDaemon::Kernel] {
        world.unread(daemon, Obstacle::Absent);
    }
    world.pass(600 * SECOND);
    assert_eq!(world.harness.claim(), None);
    assert_eq!(world.harness.events(), []);
}

#[test]
fn one_that_needs_the_time_says_that_it_has_none_once_its_daemons_had_their_chance() {
    let mut world = World::new(json!({ "required": true }));
    assert_eq!(world.harness.claim(), None);
    world.pass(HOLD_MIN);
    assert!(world.is_lost());
    world.ptp(world.slave(0));
    assert!(!world.is_lost());
}

#[test]
fn a_claim_holds_for_three_intervals_and_three_seconds_at_least() {
    for (interval, hold) in [("250ms", 3), ("1s", 3), ("10s", 30)] {
        let mut world = World::new(json!({ "interval": interval }));
        world.ptp(world.slave(10));
        let (claim, _) = world.harness.claim().expect("claimed");
        assert_eq!(claim.until, world.harness.now().mono + hold * SECOND);
    }
}

#[test]
fn what_does_not_change_is_claimed_anew_only_before_it_would_end() {
    let mut world = World::auto();
    let mut made = 0;
    let mut last = None;
    for _ in 0..60 {
        let status = NtpStatus { skew_ppm: 0.0, ..world.chrony(0) };
        world.ntp(status);
        assert!(world.clock().1 == Locked);
        made += u32::from(world.harness.claim() != last);
        last = world.harness.claim();
        world.pass(SECOND);
        assert!(world.clock().1 == Locked, "it never lapses");
    }
    assert_eq!(made, 30);
}

#[test]
fn other_daemons_reports_are_no_reason_to_claim() {
    let mut world = World::auto();
    world.ptp(world.slave(10));
    let claim = world.harness.claim();
    world.pass(Duration::from_millis(10));
    world.ntp(world.chrony(0));
    world.gps(world.pulse(0));
    assert_eq!(world.harness.claim(), claim);
}

#[test]
fn who_had_the_time_and_has_it_no_more_is_worse_off_than_before() {
    let mut world = World::new(json!({ "holdover_max": "1s" }));
    world.ptp(world.slave(10));
    world.unread(TimeDaemon::Ptp4l, Obstacle::Absent);
    assert!(!world.is_lost(), "holdover");
    world.pass(SECOND);
    assert!(world.is_lost());
    assert_eq!(world.stamp(), ClockStamp::default());
}

#[test]
fn a_life_that_is_ended_takes_its_claim_back_and_a_node_that_ends_keeps_it() {
    for (reason, quality) in
        [(StopReason::Command, Freerun), (StopReason::Restart, Freerun), (StopReason::NodeShutdown, Locked)]
    {
        let mut world = World::auto();
        world.ptp(world.slave(10));
        world.harness.stop(reason);
        assert_eq!(world.clock().1, quality);
    }
}

/// A second life, some time after the first made a claim.
fn reborn(claim: ClockClaim, age: Duration) -> World {
    let now = Now { mono: claim.until - HOLD_MIN + age, wall: WALL_START };
    let birth = Birth { incarnation: Incarnation(2), ..birth("time_guardian", now) };
    let mut harness = Harness::unstarted::<TimeGuardian>(json!({}), now, birth);
    harness.input(Input::Started);
    harness.input(Input::Node(&NodeReport::Clock(claim)));
    World { harness, stepped_ns: 0 }
}

fn claimed() -> ClockClaim {
    let stamp =
        ClockStamp { source: ClockSource::Ptp, quality: Locked, offset_ns: Some(10), uncertainty_ns: Some(2_000) };
    ClockClaim { stamp, until: Mono::from_nanos(90_000_000_000) }
}

#[test]
fn a_life_after_a_crash_goes_on_as_if_nothing_had_happened() {
    let mut world = reborn(claimed(), SECOND);
    world.unread(TimeDaemon::Gpsd, Obstacle::Absent);
    assert_eq!(world.asked().clock_quality, Locked);
    world.ptp(world.slave(10));
    assert_eq!(world.clock(), (ClockSource::Ptp, Locked));
    assert_eq!(world.changes(), [] as [String; 0], "nothing has");
}

#[test]
fn without_its_source_it_is_in_holdover_when_the_claim_of_the_life_before_ends() {
    let mut world = reborn(claimed(), SECOND);
    world.unread(TimeDaemon::Ptp4l, Obstacle::Absent);
    world.pass(2 * SECOND);
    assert_eq!(world.clock(), (ClockSource::Ptp, Acquiring));
    // Nothing is known of the frequency: 515 ppm, from when the claim was made until the next is due.
    assert_eq!(world.uncertainty_ns(), 2_000 + 4 * 515_000);
}

#[test]
fn it_knows_that_the_unit_had_the_time_even_when_the_claim_has_lapsed() {
    let mut world = reborn(claimed(), 10 * SECOND);
    world.pass(HOLD_MIN);
    assert_eq!(world.clock().1, Freerun);
    assert!(world.is_lost());
}

#[test]
fn a_claim_of_its_own_that_it_hears_is_no_news() {
    let mut world = World::auto();
    world.ptp(world.slave(10));
    let (claim, _) = world.harness.claim().expect("claimed");
    world.harness.input(Input::Node(&NodeReport::Clock(claim)));
    assert_eq!(world.harness.claim(), Some((claim, false)));
}
