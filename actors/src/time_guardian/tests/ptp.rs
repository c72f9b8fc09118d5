//! What ptp4l says, and what is made of it (protocol, section 4, "clock quality, PTP").

use nunect_core::clock::CardOffset;

use super::*;

/// A guardian that heard one report of a slave that is `changed`.
fn with(config: Value, change: impl FnOnce(&mut PtpStatus)) -> World {
    let mut world = World::new(config);
    let mut status = world.slave(300);
    change(&mut status);
    world.ptp(status);
    world
}

fn refused(change: impl FnOnce(&mut PtpStatus)) -> String {
    let mut world = with(json!({}), change);
    assert_eq!(world.stamp(), ClockStamp::default());
    world.note(TimeDaemon::Ptp4l)
}

#[test]
fn a_slave_is_classed_by_its_offset() {
    for (offset_ns, quality) in [
        (999, Locked),
        (-999, Locked),
        (1_000, Tracking),
        (-99_999, Tracking),
        (100_000, Acquiring),
        (-500_000_000, Acquiring),
    ] {
        let world = with(json!({}), |status| status.offset_ns = offset_ns);
        assert_eq!(world.clock(), (ClockSource::Ptp, quality), "{offset_ns}");
        assert_eq!(world.stamp().offset_ns, Some(offset_ns));
        assert!(world.uncertainty_ns() >= offset_ns.unsigned_abs());
    }
}

#[test]
fn a_port_that_follows_nobody_is_no_source() {
    for state in [
        PtpState::Initializing,
        PtpState::Faulty,
        PtpState::Disabled,
        PtpState::Listening,
        PtpState::PreMaster,
        PtpState::Passive,
    ] {
        assert_eq!(refused(|status| status.port = state), format!("port is {state}"));
    }
    assert_eq!(refused(|status| status.grandmaster_present = false), "has no grandmaster");
    assert!(refused(|status| status.steps_removed = 0).contains("itself the master"));
    assert_eq!(refused(|status| status.ingress_ns = 0), "no sync message counts at present");
    assert_eq!(refused(|status| status.domain = 7), "is in domain 7, not 0");
}

#[test]
fn a_slave_that_became_master_with_offset_0_is_not_locked() {
    let note = refused(|status| {
        (status.port, status.offset_ns, status.steps_removed) = (PtpState::Master, 0, 0);
        status.grandmaster_present = false;
    });
    assert_eq!(note, "port is MASTER: this clock is itself the master");
}

#[test]
fn before_the_first_delay_measurement_nothing_is_known_and_not_all_perfect() {
    let note = refused(|status| (status.offset_ns, status.path_delay) = (0, ScaledNanos(0)));
    assert_eq!(note, "has not measured the path delay yet");
    let world = with(json!({}), |status| status.offset_ns = 0);
    assert_eq!(world.clock(), (ClockSource::Ptp, Locked), "an offset of 0 alone may well be");
}

#[test]
fn a_negative_path_delay_is_refused() {
    assert_eq!(refused(|status| status.path_delay = ScaledNanos(-5 << 16)), "mean path delay is negative: -5.0 ns");
}

#[test]
fn a_port_that_is_not_calibrated_is_at_most_acquiring() {
    let world = with(json!({}), |status| status.port = PtpState::Uncalibrated);
    assert_eq!(world.clock(), (ClockSource::Ptp, Acquiring));
}

#[test]
fn what_cannot_be_is_refused() {
    for offset_ns in [i64::MIN, i64::MAX, 400_000_000_000_000_000] {
        assert!(refused(|status| status.offset_ns = offset_ns).contains("ten years"));
    }
}

#[test]
fn the_expected_grandmaster_by_its_identity_is_the_only_one() {
    let expecting = json!({ "ptp_master": "00:11:22:33:44:55" });
    assert_eq!(with(expecting, |_| {}).clock().1, Locked);
    let mut world = with(json!({ "ptp_master": "aabbcc.fffe.ddeeff" }), |_| {});
    assert_eq!(world.clock().1, Freerun);
    assert_eq!(world.note(TimeDaemon::Ptp4l), "grandmaster is 001122.fffe.334455, not aabbcc.fffe.ddeeff");
}

#[test]
fn an_expected_address_that_cannot_be_checked_is_no_obstacle_but_worth_knowing() {
    let expecting = || json!({ "ptp_master": "10.0.0.9" });
    let mut world = with(expecting(), |_| {});
    assert_eq!(world.clock().1, Locked);
    assert_eq!(
        world.note(TimeDaemon::Ptp4l),
        "could not check whether grandmaster 001122.fffe.334455 is 10.0.0.9: it does not tell"
    );
    let right = with(expecting(), |status| status.grandmaster_address = Some([10, 0, 0, 9].into()));
    assert_eq!(right.clock().1, Locked);
    let mut wrong = with(expecting(), |status| status.grandmaster_address = Some([10, 0, 0, 8].into()));
    assert_eq!(wrong.clock().1, Freerun);
    assert_eq!(wrong.note(TimeDaemon::Ptp4l), "grandmaster is 001122.fffe.334455 at 10.0.0.8, not 10.0.0.9");
}

#[test]
fn with_hardware_stamps_the_card_s_offset_and_its_error_count() {
    let world = with(json!({}), |status| {
        status.hardware = Some(true);
        status.card = Some(CardOffset { offset_ns: 40_000, error_ns: 700 });
    });
    assert_eq!(world.stamp().offset_ns, Some(40_300));
    assert_eq!(world.clock().1, Tracking);
    let without = with(json!({}), |status| status.card = Some(CardOffset { offset_ns: 40_000, error_ns: 0 }));
    assert_eq!(world.uncertainty_ns() - without.uncertainty_ns(), 700);
    let note = refused(|status| status.hardware = Some(true));
    assert_eq!(note, "the system clock cannot be compared with the network card's");
}

#[test]
fn the_uncertainty_is_offset_and_spread_and_path_delay_and_what_the_grandmaster_claims() {
    let mut world = World::auto();
    for offset_ns in [300, 500, 100, 300] {
        let status = PtpStatus { grandmaster_accuracy_ns: Some(250), ..world.slave(offset_ns) };
        world.ptp(status);
        world.pass(SECOND);
    }
    let status = PtpStatus { grandmaster_accuracy_ns: Some(250), ..world.slave(300) };
    world.ptp(status);
    // The samples stray by 200 ns from their median over 4 s: 100 ppb; and 100 ppb of wandering, for the
    // sync interval that the sample may be old, and the second until the next.
    let now = 300 + 4 * 200 + 801 + 250;
    assert_eq!(world.asked().uncertainty_ns, Some(now + 25));
    assert_eq!(world.uncertainty_ns(), now + 225);
}

#[test]
fn one_outlier_changes_no_class_but_the_uncertainty_shows_it() {
    let mut world = World::auto();
    for _ in 0..7 {
        world.ptp(world.slave(170));
        world.pass(SECOND);
    }
    world.ptp(world.slave(1_987));
    assert_eq!(world.clock().1, Locked);
    assert!(world.uncertainty_ns() > 4 * 1_800);
}

#[test]
fn locked_is_left_only_when_the_median_is_one_and_a_half_times_its_limit() {
    let mut world = World::auto();
    let settle = |world: &mut World, offset_ns| {
        for _ in 0..quality::WINDOW {
            world.ptp(world.slave(offset_ns));
            world.pass(SECOND);
        }
        world.clock().1
    };
    assert_eq!(settle(&mut world, 999), Locked);
    assert_eq!(settle(&mut world, 1_499), Locked);
    assert_eq!(settle(&mut world, 1_500), Tracking);
    assert_eq!(settle(&mut world, 1_000), Tracking);
    assert_eq!(settle(&mut world, -999), Locked);
    assert_eq!(settle(&mut world, 149_999), Tracking);
    assert_eq!(settle(&mut world, 150_000), Acquiring);
    assert_eq!(settle(&mut world, 100_000), Acquiring);
    assert_eq!(settle(&mut world, 99_999), Tracking);
}

#[test]
fn a_sample_that_is_repeated_is_no_new_one() {
    let mut world = World::auto();
    for offset_ns in [100, 100, 100] {
        world.ptp(world.slave(offset_ns));
        world.pass(Duration::from_millis(250));
    }
    let repeated = world.slave(5_000);
    for _ in 0..3 {
        world.ptp(repeated.clone());
        world.pass(Duration::from_millis(250));
    }
    assert_eq!(world.clock().1, Locked, "one of four, however often it is shown");
}

#[test]
fn after_the_masters_death_the_old_offset_is_not_believed_for_longer_than_the_announce_timeout_and_a_poll() {
    let mut world = World::auto();
    let dead = world.slave(120);
    let announce_timeout = dead.announce_timeout;
    let died = world.harness.now().mono;
    world.ptp(dead.clone());
    while world.clock().1 == Locked {
        world.pass(SECOND);
        world.ptp(dead.clone());
        assert!(world.harness.now().mono.since(died) <= announce_timeout + SECOND, "still locked");
    }
    assert_eq!(world.note(TimeDaemon::Ptp4l), "last sync message is 4.0 s old");
    assert_ne!(world.clock().1, Locked);
}

#[test]
fn a_port_that_leaves_slave_is_lost_at_the_next_poll() {
    let mut world = World::auto();
    for _ in 0..2 {
        world.ptp(world.slave(120));
        world.pass(SECOND);
    }
    let listening = PtpStatus { port: PtpState::Listening, ingress_ns: 0, ..world.slave(120) };
    world.ptp(listening);
    assert_eq!(world.clock(), (ClockSource::Ptp, Tracking), "holdover");
    assert_eq!(
        world.changes(),
        [
            "clock is ptp locked: offset from 001122.fffe.334455 is 120 ns",
            "clock is ptp tracking: ptp4l: port is LISTENING",
        ]
    );
}

#[test]
fn a_new_life_does_not_believe_a_dead_daemon() {
    let second_ns = 1_000_000_000;
    let shown = |age_s: i64, hardware| {
        with(json!({}), |status| {
            status.ingress_ns -= age_s * second_ns;
            status.hardware = hardware;
            status.card = Some(CardOffset { offset_ns: 0, error_ns: 0 });
        })
    };
    let mut stale = shown(7_200, Some(false));
    assert_eq!(stale.clock().1, Freerun);
    assert_eq!(stale.note(TimeDaemon::Ptp4l), "last sync message is 7200.0 s old");
    assert_eq!(shown(-37, Some(false)).clock().1, Locked, "stamped in TAI");
    assert_eq!(shown(-36, None).clock().1, Locked, "stamped in TAI a second ago");
    assert_eq!(shown(7_200, Some(true)).clock().1, Locked, "a card's clock may show anything");
    let epoch_of_its_own = with(json!({}), |status| status.ingress_ns = 5 * second_ns);
    assert_eq!(epoch_of_its_own.clock().1, Locked);
}

#[test]
fn samples_of_another_grandmaster_are_not_mixed_with_those_before() {
    let mut world = World::auto();
    for _ in 0..8 {
        world.ptp(world.slave(50_000));
        world.pass(SECOND);
    }
    let other = PtpStatus { grandmaster: ClockIdentity([9; 8]), ..world.slave(200) };
    world.ptp(other);
    assert_eq!(world.clock().1, Locked);
}

#[test]
fn what_a_grandmaster_told_counts_no_more_once_it_turns_out_to_be_the_wrong_one() {
    let mut world = World::new(json!({ "ptp_master": "10.0.0.9" }));
    for _ in 0..3 {
        world.ptp(world.slave(300));
        world.pass(SECOND);
    }
    assert_eq!(world.clock().0, ClockSource::Ptp, "nobody could check it yet");
    world.ptp(PtpStatus { grandmaster_address: Some([10, 0, 0, 8].into()), ..world.slave(300) });
    assert_eq!(world.clock(), (ClockSource::Unsynced, Freerun), "and no holdover from it");

    // Another one that is wrong does not unsay what the right one told.
    let mut world = World::new(json!({ "ptp_master": MASTER.to_string() }));
    for _ in 0..3 {
        world.ptp(world.slave(300));
        world.pass(SECOND);
    }
    world.ptp(PtpStatus { grandmaster: ClockIdentity([9; 8]), ..world.slave(300) });
    assert_eq!(world.clock().0, ClockSource::Ptp);
    assert!(world.asked().holdover_ms.is_some());
}
