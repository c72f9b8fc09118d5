//! chrony alone: what a node says of its clock as chronyd would correct it, and when its server is gone.

use std::time::{Duration, Instant};

use nunect::protocol::header::{ClockQuality, ClockSource};
use nunect::protocol::time::TimeStatus;
use nunect::runtime::config::TimeSection;
use nunect::{Period, TimeDaemon};

use crate::daemons::chronyd::{self, Chronyd, free_port};
use crate::node::{Host, row};
use crate::{PATIENCE, POLL, measured};

/// A server is lost after eight polls without an answer, as the register of reachability is long; the node notices one
/// poll later. Three times over.
const NOTICED: Duration = Duration::from_millis(3 * (8 * chronyd::POLL.as_millis() + POLL.as_millis()) as u64);

/// Whether the clock goes by what chronyd says, and is so good.
fn is(status: &TimeStatus, quality: ClockQuality) -> bool {
    let by_chronyd = status.sources.iter().any(|row| row.daemon == TimeDaemon::Chronyd && row.active);
    by_chronyd && status.active_source == ClockSource::Ntp && status.clock_quality == quality
}

/// Whether chronyd was read and tells no time, for this reason. Nobody else does, either, unless somebody told the
/// kernel of this machine before the node knew that there is a chronyd.
fn is_no_source(status: &TimeStatus, note: &str) -> bool {
    let chronyd = row(status, TimeDaemon::Chronyd);
    let kernel = status.sources.iter().any(|row| row.daemon == TimeDaemon::Kernel && row.quality.is_some());
    let is_unsynced = (status.active_source, status.clock_quality) == (ClockSource::Unsynced, ClockQuality::Freerun);
    !chronyd.active && chronyd.quality.is_none() && chronyd.note.as_deref() == Some(note) && (is_unsynced || kernel)
}

#[test]
fn a_clock_that_agrees_with_its_server_is_locked() {
    let port = free_port();
    let _server = Chronyd::server(port);
    let client = Chronyd::client(port, "");
    let host = Host::new(&client.section());
    let begun = Instant::now();
    let status = host.until("locked", PATIENCE, |status| is(status, ClockQuality::Locked));
    measured("NTP: locked", begun.elapsed());
    assert_eq!((status.ptp_enabled, status.ntp_enabled), (false, true));
    assert_eq!((status.ntp_server.as_deref(), status.ntp_stratum), (Some("127.0.0.1"), Some(2)));
    assert!(status.ntp_offset_ms.is_some_and(|offset| offset.abs() < 1.0), "{status:#?}");
    assert!(status.uncertainty_ns >= status.clock_offset_ns.map(i64::unsigned_abs), "{status:#?}");
    let chrony = row(&status, TimeDaemon::Chronyd);
    assert_eq!((chrony.follows.as_deref(), chrony.note.as_ref()), (Some("127.0.0.1"), None));
}

#[test]
fn what_chronyd_has_still_to_correct_decides_the_quality() {
    let port = free_port();
    let _server = Chronyd::server(port);
    for (offset_s, quality) in [("0.005", ClockQuality::Tracking), ("0.5", ClockQuality::Acquiring)] {
        let client = Chronyd::client(port, &format!("offset {offset_s}"));
        let host = Host::new(&client.section());
        let status = host.until(&format!("{quality:?}"), PATIENCE, |status| is(status, quality));
        // Which is to be added to the clock: it is behind.
        let behind_ms = offset_s.parse::<f64>().expect("a number") * 1e3;
        let shown_ms = status.ntp_offset_ms.expect("an offset");
        assert!((shown_ms + behind_ms).abs() < behind_ms / 10.0, "{shown_ms} ms for {behind_ms} ms");
        let uncertainty_ms = Duration::from_nanos(status.uncertainty_ns.expect("a bound")).as_secs_f64() * 1e3;
        assert!(uncertainty_ms >= shown_ms.abs(), "{status:#?}");
    }
}

#[test]
fn without_its_server_a_clock_is_in_holdover_and_then_free() {
    const HOLDOVER_MAX: Duration = Duration::from_secs(4);
    let port = free_port();
    let mut server = Chronyd::server(port);
    let client = Chronyd::client(port, "");
    let section = TimeSection { holdover_max: Period(HOLDOVER_MAX), ..client.section() };
    let host = Host::new(&section);
    host.until("locked", PATIENCE, |status| is(status, ClockQuality::Locked));

    server.kill();
    let killed = Instant::now();
    let held = host.until("in holdover", NOTICED, |status| status.holdover_ms.is_some());
    measured("NTP: holdover, the server is dead,", killed.elapsed());
    // It goes on saying that all is well.
    let tracking = client.chronyc(&["tracking"]);
    assert!(tracking.starts_with("7F000001,") && tracking.trim_end().ends_with(",Normal"), "{tracking}");
    assert_eq!(held.active_source, ClockSource::Ntp);
    assert_ne!(held.clock_quality, ClockQuality::Locked);
    let lost = host.changes().last().expect("a change").clone();
    // Which of the two depends on whether chronyd has looked at its source since.
    let why = ["127.0.0.1 does not answer any more", "has no source selected"];
    assert!(why.iter().any(|why| lost.reason == format!("chronyd: {why}")), "{lost:?}");
    // A node that starts now does not believe it either.
    let late = Host::new(&client.section());
    late.until("told of chronyd", PATIENCE, |status| status.ntp_enabled);
    for status in late.during(4 * POLL) {
        assert!(why.iter().any(|why| is_no_source(&status, why)), "{status:#?}");
    }
    let mut course = Vec::new();
    host.until("free running", 3 * HOLDOVER_MAX, |status| {
        course.push(status.clone());
        status.active_source == ClockSource::Unsynced
    });
    measured("NTP: freerun, the server is dead,", killed.elapsed());
    course.pop();
    let uncertain: Vec<_> = course.iter().map(|status| status.uncertainty_ns).collect();
    assert!(uncertain.is_sorted_by(|one, next| one < next), "{uncertain:?}");
}

#[test]
fn a_chronyd_that_follows_its_own_clock_is_no_source() {
    let server = Chronyd::server(free_port());
    let host = Host::new(&server.section());
    host.until("read", PATIENCE, |status| status.ntp_enabled);
    // It says that its leap status is normal, its stratum 1, and its offset 0.
    for status in host.during(Duration::from_secs(2)) {
        assert!(is_no_source(&status, "follows its own clock (local stratum)"), "{status:#?}");
    }
}

#[test]
fn a_chronyd_without_a_server_is_never_synchronised_and_one_that_finds_it_is() {
    let port = free_port();
    let mut client = Chronyd::client(port, "");
    client.kill();
    let host = Host::new(&client.section());
    host.during(3 * POLL);
    client.start();
    let start = host.during(16 * chronyd::POLL);
    host.until("read", PATIENCE, |status| status.ntp_enabled);
    let later = host.during(8 * chronyd::POLL);
    for status in start.iter().filter(|status| status.ntp_enabled).chain(&later) {
        assert!(is_no_source(status, "is not synchronised"), "{status:#?}");
    }

    let _server = Chronyd::server(port);
    host.until("locked", PATIENCE, |status| is(status, ClockQuality::Locked));
}
