//! gpsd: what it knows of a receiver that gpsfake plays, and pulses that are scripted, since only hardware has them.

use std::time::{Duration, Instant};

use nunect::TimeDaemon;
use nunect::protocol::header::{ClockQuality, ClockSource};
use nunect::protocol::time::TimeStatus;
use nunect::runtime::config::TimeSection;

use crate::daemons::gpsd::{Gpsd, Script};
use crate::node::{Host, row};
use crate::{PATIENCE, POLL, measured};

/// Receivers have a pulse a second; three may be missing.
const PULSES_LOST: Duration = Duration::from_secs(3);

fn is_unsynced(status: &TimeStatus) -> bool {
    (status.active_source, status.clock_quality) == (ClockSource::Unsynced, ClockQuality::Freerun)
}

fn note(status: &TimeStatus) -> Option<&str> {
    status.sources.iter().find(|row| row.daemon == TimeDaemon::Gpsd)?.note.as_deref()
}

#[test]
fn a_bare_fix_is_seen_and_is_no_source() {
    // Position and satellites, and no date: such a receiver tells no time.
    let second = |second: u32| {
        let position = format!("GPGGA,1200{second:02}.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,");
        [position, "GPGSA,A,3,04,05,09,12,24,25,29,31,,,,,2.5,1.3,2.1".to_owned()]
    };
    let gpsd = Gpsd::receiver((0..60).flat_map(second), Duration::from_millis(100));
    let host = Host::new(&gpsd.section());
    let no_pulse = "has a fix and no pulse: a position tells no time";
    let status = host.until("seen with a fix", PATIENCE, |status| note(status) == Some(no_pulse));
    let receiver = row(&status, TimeDaemon::Gpsd).follows.clone().expect("its device");
    assert!(receiver.starts_with("/dev/pts/"), "{receiver}");
    for status in host.during(Duration::from_secs(2)) {
        assert!(is_unsynced(&status), "{status:#?}");
        assert_eq!(note(&status), Some(no_pulse));
    }
    assert_eq!(host.changes().len(), 0);
}

#[test]
fn messages_of_a_receiver_without_a_pulse_make_a_clock_acquiring_at_most() {
    // The time of last year: gpsd compares it with this machine's, and says so.
    let begin = jiff::Timestamp::now() - Duration::from_secs(365 * 86_400);
    let second = |second: u32| {
        let at = (begin + Duration::from_secs(second.into())).strftime("%H%M%S.00,%d%m%y").to_string();
        let (time, date) = at.split_once(',').expect("two parts");
        let minimum = format!("GPRMC,{time},A,4807.038,N,01131.000,E,0.0,84.4,{date},003.1,W,A");
        let position = format!("GPGGA,{time},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,");
        [minimum, position, "GPGSA,A,3,04,05,09,12,24,25,29,31,,,,,2.5,1.3,2.1".to_owned()]
    };
    let gpsd = Gpsd::receiver((0..600).flat_map(second), Duration::from_millis(330));
    let host = Host::new(&gpsd.section());
    let by_gps = |status: &TimeStatus| status.active_source == ClockSource::Gps;
    let status = host.until("steered by the receiver's messages", PATIENCE, by_gps);
    assert_eq!(status.clock_quality, ClockQuality::Acquiring);
    assert_eq!(note(&status), Some("no pulse on a wire: by the receiver's messages"));
    // A year ahead, by a receiver that begins a year ago and has played for a while.
    let ahead = Duration::from_nanos(status.clock_offset_ns.expect("an offset").unsigned_abs());
    assert!(ahead.abs_diff(Duration::from_secs(365 * 86_400)) < Duration::from_secs(120), "{ahead:?}");
    for status in host.during(Duration::from_secs(2)) {
        assert_ne!(status.clock_quality, ClockQuality::Locked, "{status:#?}");
        assert_ne!(status.clock_quality, ClockQuality::Tracking, "{status:#?}");
    }
}

#[test]
fn scripted_pulses_lock_a_clock_and_leave_it_in_holdover_when_they_stop() {
    let script = Script::of(&[700, -400, 550, 900, -650]);
    let section = TimeSection { holdover_max: nunect::Period::from_secs(2), ..script.section() };
    let host = Host::new(&section);
    let locked = host.until("locked", PATIENCE, |status| status.clock_quality == ClockQuality::Locked);
    assert_eq!((locked.active_source, note(&locked)), (ClockSource::Gps, None));
    assert_eq!(row(&locked, TimeDaemon::Gpsd).follows.as_deref(), Some("/dev/pps0"));
    assert!(locked.clock_offset_ns.is_some_and(|offset| offset.abs() < 1_000), "{locked:#?}");
    for status in host.during(PULSES_LOST) {
        assert_eq!(status.clock_quality, ClockQuality::Locked, "{status:#?}");
    }

    script.pulse(false);
    let stopped = Instant::now();
    let held = host.until("in holdover", 3 * (PULSES_LOST + POLL), |status| status.holdover_ms.is_some());
    measured("GPS: holdover, the pulses stopped,", stopped.elapsed());
    assert_eq!(held.active_source, ClockSource::Gps);
    assert_ne!(held.clock_quality, ClockQuality::Locked);
    assert!(note(&held).is_some_and(|note| note.starts_with("last pulse is ")), "{held:#?}");
    // The fix that is left is no source.
    host.until("free running", PATIENCE, is_unsynced);

    script.pulse(true);
    host.until("locked", PATIENCE, |status| status.clock_quality == ClockQuality::Locked);
}

#[test]
fn scripted_pulses_that_are_off_decide_the_quality() {
    for (offsets, quality) in [(&[20_000, -20_500][..], ClockQuality::Tracking), (&[400_000], ClockQuality::Acquiring)]
    {
        let script = Script::of(offsets);
        let host = Host::new(&script.section());
        let status = host.until(&format!("{quality:?}"), PATIENCE, |status| status.clock_quality == quality);
        assert_eq!(status.active_source, ClockSource::Gps);
        assert!(status.clock_offset_ns.is_some_and(|offset| offsets.contains(&offset)), "{status:#?}");
    }
}
