//! What makes a unit DEGRADED or CRITICAL.

use super::*;

#[test]
fn a_unit_does_as_it_reports() {
    let (mut monitor, mut alpha) = watched();
    let mut from = Health::Ok;
    for to in [Health::Degraded, Health::Critical, Health::Degraded, Health::Ok] {
        monitor.send(alpha.beat_as(to));
        monitor.send(alpha.beat_as(to));
        assert_eq!(monitor.events(), [alpha.health(from, to, "as the unit reports")]);
        from = to;
    }
}

#[test]
fn a_unit_that_comes_online_is_ok_until_told_otherwise() {
    let (mut monitor, mut alpha) = (monitor(), Sender::new("alpha"));
    let degraded = |sender: &Sender| sender.health(Health::Ok, Health::Degraded, "as the unit reports");
    monitor.send(alpha.beat_as(Health::Degraded));
    assert_eq!(monitor.events(), [alpha.online(false), degraded(&alpha)]);
    let mut again = alpha.restarted(2);
    monitor.send(again.beat());
    assert_eq!(monitor.events(), [again.online(true), degraded(&again)]);
}

#[test]
fn a_round_trip_beyond_300_ms_is_degraded() {
    let (mut monitor, mut alpha) = watched();
    let mut after = |rtt_app_us, status| {
        alpha.heartbeat.rtt_app_us = rtt_app_us;
        monitor.send(alpha.beat_as(status));
        monitor.events().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(after(Some(300_000), Health::Ok), "");
    assert_eq!(after(Some(300_001), Health::Ok), "alpha OK → DEGRADED: app RTT 301 ms");
    assert_eq!(after(Some(412_000), Health::Ok), "");
    assert_eq!(after(Some(412_000), Health::Critical), "alpha DEGRADED → CRITICAL: as the unit reports");
    assert_eq!(after(Some(412_000), Health::Ok), "alpha CRITICAL → DEGRADED: app RTT 412 ms");
    assert_eq!(after(None, Health::Ok), "alpha DEGRADED → OK: as the unit reports");
    assert_eq!(after(Some(u64::MAX), Health::Ok), "alpha OK → DEGRADED: app RTT 18446744073709552 ms");
}

#[test]
fn a_clock_that_lost_its_source_is_degraded_and_one_that_never_had_any_is_not() {
    use ClockQuality::{Acquiring, Freerun, Locked, Tracking};
    use ClockSource::{Gps, Ntp, Ptp, Unsynced};
    let lost = "alpha OK → DEGRADED: clock lost its source";
    let back = "alpha DEGRADED → OK: as the unit reports";
    let (mut monitor, mut alpha) = watched();
    let mut after = |clock| {
        alpha.clock = clock;
        monitor.send(alpha.beat());
        monitor.events().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(after(Some((Unsynced, Freerun))), "");
    assert_eq!(after(Some((Gps, Acquiring))), "");
    assert_eq!(after(Some((Gps, Freerun))), "", "acquiring is not synchronised yet");
    assert_eq!(after(Some((Ntp, Tracking))), "");
    assert_eq!(after(Some((Ntp, Acquiring))), "", "holdover");
    assert_eq!(after(Some((Ntp, Freerun))), lost);
    assert_eq!(after(Some((Unsynced, Freerun))), "");
    assert_eq!(after(Some((Ptp, Locked))), back);
    assert_eq!(after(Some((Unsynced, Freerun))), lost);
    assert_eq!(after(None), back, "what is not told is not held against it");
}

#[test]
fn a_new_session_knows_nothing_of_the_clock_before_it() {
    let (mut monitor, mut alpha) = watched();
    alpha.clock = Some((ClockSource::Ntp, ClockQuality::Locked));
    monitor.send(alpha.beat());
    let mut again = alpha.restarted(2);
    again.clock = Some((ClockSource::Unsynced, ClockQuality::Freerun));
    monitor.send(again.beat());
    assert_eq!(monitor.events(), [again.online(true)]);
}
