//! linuxptp alone: what a node says of its clock as the slave measures it, and when the master is gone.

use std::time::{Duration, Instant};

use nunect::clock::PtpState;
use nunect::protocol::header::{ClockQuality, ClockSource};
use nunect::protocol::time::TimeStatus;
use nunect::runtime::config::TimeSection;
use nunect::{Period, TimeDaemon};
use serde_json::json;

use crate::daemons::namespaces::Cable;
use crate::daemons::ptp4l::{ANNOUNCE_TIMEOUT, Ptp4l};
use crate::node::{Host, row};
use crate::{PATIENCE, POLL, measured};

/// What follows any master and never becomes one.
const SLAVE_ONLY: &str = "slaveOnly 1";
/// Within this a node notices that the master is gone: after one announce timeout and one poll, three times over.
const NOTICED: Duration = Duration::from_millis(3 * (ANNOUNCE_TIMEOUT.as_millis() + POLL.as_millis()) as u64);

/// Whether a clock is as good as PTP makes it on a machine with other work to do.
fn follows(status: &TimeStatus) -> bool {
    status.active_source == ClockSource::Ptp
        && status.holdover_ms.is_none()
        && matches!(status.clock_quality, ClockQuality::Locked | ClockQuality::Tracking)
}

#[test]
fn a_slave_makes_the_clock_a_good_one_and_names_its_grandmaster() {
    let cable = Cable::new();
    let master = Ptp4l::master(&cable.ends[0]);
    let slave = Ptp4l::slave(&cable.ends[1], SLAVE_ONLY);
    let host = Host::new(&slave.section());
    let begun = Instant::now();
    let status = host.until("tracking or locked", PATIENCE, follows);
    measured("PTP: tracking or locked", begun.elapsed());
    assert_eq!((status.ptp_enabled, status.ntp_enabled), (true, false));
    assert_eq!(status.ptp_state, Some(PtpState::Slave));
    assert_eq!(status.ptp_master, Some(master.identity()));
    let ptp = row(&status, TimeDaemon::Ptp4l);
    assert_eq!((ptp.active, ptp.follows.as_ref(), ptp.note.as_ref()), (true, Some(&master.identity()), None));
    assert_eq!((ptp.quality, ptp.offset_ns), (Some(status.clock_quality), status.clock_offset_ns));
    assert!(status.ptp_path_delay_ns.is_some_and(|delay| delay > 0), "{status:#?}");
    let offset_ns = status.clock_offset_ns.expect("it is known").unsigned_abs();
    assert!(status.uncertainty_ns.is_some_and(|uncertainty| uncertainty >= offset_ns), "{status:#?}");

    host.until("locked", PATIENCE, |status| status.clock_quality == ClockQuality::Locked);
    measured("PTP: locked", begun.elapsed());
}

#[test]
fn a_path_that_is_longer_one_way_shows_in_the_offset_and_the_quality() {
    let cable = Cable::new();
    let _master = Ptp4l::master(&cable.ends[0]);
    let mut slave = Ptp4l::slave(&cable.ends[1], &format!("{SLAVE_ONLY}\ndelayAsymmetry 50000"));
    let host = Host::new(&slave.section());
    let off_by = |expected_ns: i64, quality: ClockQuality| {
        let near = move |status: &TimeStatus| {
            let offset_ns = status.clock_offset_ns.unwrap_or(0);
            let close = (offset_ns - expected_ns).unsigned_abs() < expected_ns.unsigned_abs() / 2;
            status.holdover_ms.is_none() && close && status.clock_quality == quality
        };
        host.until(&format!("{expected_ns} ns off and {quality:?}"), PATIENCE, near)
    };
    off_by(-50_000, ClockQuality::Tracking);
    slave.start(&cable.ends[1], &format!("{SLAVE_ONLY}\ndelayAsymmetry -500000"));
    let status = off_by(500_000, ClockQuality::Acquiring);
    let ptp = row(&status, TimeDaemon::Ptp4l);
    assert_eq!((status.active_source, ptp.quality), (ClockSource::Ptp, Some(ClockQuality::Acquiring)));
    // Both ends have one clock: what is measured is wrong by all of it, and the uncertainty covers that.
    let offset_ns = status.clock_offset_ns.expect("it is known").unsigned_abs();
    assert!(status.uncertainty_ns.is_some_and(|uncertainty| uncertainty >= offset_ns), "{status:#?}");
}

#[test]
fn without_its_master_a_clock_is_in_a_holdover_that_grows_and_ends() {
    const HOLDOVER_MAX: Duration = Duration::from_secs(6);
    let cable = Cable::new();
    let mut master = Ptp4l::master(&cable.ends[0]);
    let slave = Ptp4l::slave(&cable.ends[1], SLAVE_ONLY);
    let section = TimeSection { holdover_max: Period(HOLDOVER_MAX), ..slave.section() };
    // So fast a clock may drift that it leaves `tracking` after some two seconds.
    let host = Host::with(&section, &json!({ "holdover_drift_ppm": 40.0 }));
    let is_sure = |status: &TimeStatus| follows(status) && status.uncertainty_ns.is_some_and(|ns| ns < 60_000);
    host.until("sure of its clock", PATIENCE, is_sure);

    master.kill();
    let killed = Instant::now();
    let held = host.until("in holdover", NOTICED, |status| status.holdover_ms.is_some());
    measured("PTP: holdover, the master is dead,", killed.elapsed());
    assert_ne!(held.clock_quality, ClockQuality::Locked);
    let note = row(&held, TimeDaemon::Ptp4l).note.clone().expect("a note");
    assert!(["port is LISTENING", "no sync message counts at present"].contains(&note.as_str()), "{note}");
    let mut course = Vec::new();
    host.until("free running", 3 * HOLDOVER_MAX, |status| {
        course.push(status.clone());
        status.clock_quality == ClockQuality::Freerun
    });
    let end = course.pop().expect("the last");
    measured("PTP: freerun, the master is dead,", killed.elapsed());
    assert_eq!((end.active_source, end.uncertainty_ns, end.holdover_ms), (ClockSource::Unsynced, None, None));

    assert!(course.iter().all(|status| status.active_source == ClockSource::Ptp), "the source keeps its name");
    assert!(course.is_sorted_by_key(|status| status.clock_quality), "it becomes no better: {course:#?}");
    let classes = [ClockQuality::Tracking, ClockQuality::Acquiring];
    assert!(classes.map(|class| course.iter().any(|status| status.clock_quality == class)).iter().all(|was| *was));
    let uncertain: Vec<_> = course.iter().map(|status| status.uncertainty_ns).collect();
    assert!(uncertain.is_sorted_by(|one, next| one < next), "{uncertain:?}");
    let metrics = host.metrics().into_iter().filter(|status| status.holdover_ms.is_some());
    let metrics: Vec<_> = metrics.map(|status| status.uncertainty_ns).collect();
    assert!(metrics.len() >= 2 && metrics.is_sorted_by(|one, next| one < next), "{metrics:?}");

    let lasted = course.last().and_then(|status| status.holdover_ms).map(Duration::from_millis).expect("a holdover");
    assert!(lasted < HOLDOVER_MAX && lasted + 3 * POLL > HOLDOVER_MAX, "holdover took {lasted:?}");
    let ended = host.changes().pop().expect("the end");
    assert!(ended.reason.starts_with("holdover: has lasted for "), "{ended:?}");
}

#[test]
fn a_slave_that_becomes_master_itself_is_not_called_locked() {
    let cable = Cable::new();
    let mut master = Ptp4l::master(&cable.ends[0]);
    let slave = Ptp4l::slave(&cable.ends[1], "");
    let host = Host::new(&slave.section());
    host.until("tracking or locked", PATIENCE, follows);

    master.kill();
    let killed = Instant::now();
    host.until("not locked", NOTICED, |status| status.holdover_ms.is_some());
    // It shows an offset of 0 or so, and itself as the grandmaster.
    let is_master = |status: &TimeStatus| status.ptp_state == Some(PtpState::Master);
    let status = host.until("itself a master", PATIENCE, is_master);
    measured("PTP: the slave is MASTER, its master is dead,", killed.elapsed());
    assert_eq!((status.ptp_master, status.ptp_offset_ns), (None, None));
    for status in host.during(Duration::from_secs(2)) {
        assert!(status.holdover_ms.is_some() && status.clock_quality != ClockQuality::Locked, "{status:#?}");
        let ptp = row(&status, TimeDaemon::Ptp4l);
        assert_eq!((ptp.active, ptp.quality), (false, None));
        assert_eq!(ptp.note.as_deref(), Some("port is MASTER: this clock is itself the master"));
    }
    // Nor by a node that knows nothing of what was before.
    let late = Host::new(&slave.section());
    late.until("told of the master", PATIENCE, is_master);
    for status in late.during(4 * POLL) {
        assert_eq!((status.active_source, status.clock_quality), (ClockSource::Unsynced, ClockQuality::Freerun));
    }
    assert_eq!(late.changes().len(), 0);
}

#[test]
fn the_domain_that_answers_is_named_where_another_one_is_configured() {
    let cable = Cable::new();
    for (lines, why) in [
        ("domainNumber 44", "does not answer in domain 0; it answers in domain 44"),
        (
            "domainNumber 20\ntransportSpecific 1",
            "in domain 0 with transportSpecific 0; it answers in domain 20 with transportSpecific 1",
        ),
    ] {
        let ptp4l = Ptp4l::master_with(&cable.ends[0], lines);
        let host = Host::new(&ptp4l.section());
        let told = |status: &TimeStatus| !status.sources.is_empty();
        let status = host.until("told why", PATIENCE, told);
        let note = row(&status, TimeDaemon::Ptp4l).note.clone().expect("a note");
        assert!(note.contains(why), "{note}");
        assert_eq!((status.active_source, status.ptp_enabled), (ClockSource::Unsynced, false));
        assert_eq!(host.problems(), [(TimeDaemon::Ptp4l, Some(note))]);
    }
}

#[test]
fn delays_between_neighbours_count_in_a_domain_of_802_1as() {
    const PROFILE: &str = "network_transport L2\ndelay_mechanism P2P\ntransportSpecific 1\ndomainNumber 20";
    let cable = Cable::new();
    let master = Ptp4l::master_with(&cable.ends[0], PROFILE);
    let slave = Ptp4l::slave(&cable.ends[1], &format!("{SLAVE_ONLY}\n{PROFILE}"));
    let host = Host::new(&TimeSection { ptp_domain: 20, ptp_transport_specific: 1, ..slave.section() });
    let status = host.until("tracking or locked", PATIENCE, follows);
    assert_eq!(status.ptp_master, Some(master.identity()));
    assert!(status.ptp_path_delay_ns.is_some_and(|delay| delay > 0), "{status:#?}");
}

#[test]
fn a_grandmaster_that_is_not_the_configured_one_is_reported_and_not_used() {
    let cable = Cable::new();
    let [here, there] = &cable.ends;
    let master = Ptp4l::master(here);
    let slave = Ptp4l::slave(there, SLAVE_ONLY);
    let identity = master.identity();
    let of = |named: &str| Host::new(&TimeSection { ptp_master: Some(named.to_owned()), ..slave.section() });
    let refused = [
        ("00:11:22:33:44:55", format!("grandmaster is {identity}, not 001122.fffe.334455")),
        ("10.78.0.77", format!("grandmaster is {identity} at {}, not 10.78.0.77", here.address())),
    ];
    let refused = refused.map(|(named, note)| (of(named), note));
    let accepted = [identity.as_str(), here.address()].map(of);
    for host in &accepted {
        let status = host.until("tracking or locked", PATIENCE, follows);
        assert_eq!(
            (status.ptp_master.as_ref(), row(&status, TimeDaemon::Ptp4l).note.as_ref()),
            (Some(&identity), None)
        );
    }
    for (host, note) in &refused {
        let says = |status: &TimeStatus| row(status, TimeDaemon::Ptp4l).note.as_ref() == Some(note);
        let status = host.until(note, PATIENCE, says);
        assert_eq!(status.active_source, ClockSource::Unsynced, "{status:#?}");
        assert_eq!(status.ptp_master.as_ref(), Some(&identity), "the one that is there is told");
    }
}
