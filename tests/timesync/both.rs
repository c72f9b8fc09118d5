//! linuxptp and chrony on one host, in mode `auto`.

use std::time::{Duration, Instant};

use nunect::TimeDaemon;
use nunect::actors::time_guardian::choice::STEADY_TIME;
use nunect::protocol::header::{ClockQuality, ClockSource};
use nunect::protocol::time::TimeStatus;
use nunect::runtime::config::{HostPort, TimeMode, TimeSection};

use crate::daemons::chronyd::{self, Chronyd};
use crate::daemons::gpsd;
use crate::daemons::namespaces::Cable;
use crate::daemons::ptp4l::{ANNOUNCE_TIMEOUT, Ptp4l};
use crate::node::{Host, row};
use crate::{PATIENCE, POLL, measured};

/// An offset of some 20 µs, in the middle of what is `tracking`: noise changes its class neither way.
const SLAVE: &str = "slaveOnly 1\ndelayAsymmetry 20000";

/// Whether the clock goes by `daemon`.
fn goes_by(daemon: TimeDaemon) -> impl Fn(&TimeStatus) -> bool {
    move |status| status.sources.iter().any(|row| row.daemon == daemon && row.active)
}

#[test]
fn ptp_is_preferred_ntp_stands_in_for_it_and_nothing_flaps() {
    let cable = Cable::new();
    let [here, there] = &cable.ends;
    let mut master = Ptp4l::master(here);
    let mut slave = Ptp4l::slave(there, SLAVE);
    let port = chronyd::free_port();
    let _server = Chronyd::server(port);
    let client = Chronyd::client(port, "");
    let host = Host::new(&TimeSection {
        mode: TimeMode::Auto,
        ptp_socket: Some(slave.socket()),
        chrony: client.section().chrony,
        gpsd: Some(HostPort::loopback(gpsd::free_port())),
        ..TimeSection::default()
    });
    let until = |what: &str, daemon, limit| {
        let begun = Instant::now();
        host.until(what, limit, goes_by(daemon));
        measured(what, begun.elapsed());
    };
    until("steered by PTP", TimeDaemon::Ptp4l, PATIENCE);
    let status = host.until("told of both", PATIENCE, |status| status.ptp_enabled && status.ntp_enabled);
    let chronyd = row(&status, TimeDaemon::Chronyd);
    assert!(!chronyd.active && chronyd.quality.is_some() && chronyd.offset_ns.is_some(), "{status:#?}");
    let before = host.changes().len();

    // ptp4l ends: the next poll notices.
    slave.kill();
    until("steered by NTP", TimeDaemon::Chronyd, 3 * (POLL + Duration::from_millis(250)));
    let begun = Instant::now();
    slave.start(there, SLAVE);
    until("steered by PTP again", TimeDaemon::Ptp4l, PATIENCE);
    assert!(begun.elapsed() >= STEADY_TIME, "so soon it could be gone again");
    // Its master ends: ptp4l notices after the announce timeout, and the next poll after that.
    master.kill();
    until("steered by NTP", TimeDaemon::Chronyd, 3 * (ANNOUNCE_TIMEOUT + POLL));
    let begun = Instant::now();
    master.start(here, "");
    until("steered by PTP once more", TimeDaemon::Ptp4l, PATIENCE);
    assert!(begun.elapsed() >= STEADY_TIME, "so soon it could be gone again");
    host.during(Duration::from_secs(2));

    let course: Vec<_> = host.changes()[before..].iter().map(|change| (change.source, change.quality)).collect();
    let ntp = (ClockSource::Ntp, ClockQuality::Locked);
    let ptp = (ClockSource::Ptp, ClockQuality::Tracking);
    assert_eq!(course, [ntp, ptp, ntp, ptp], "{:#?}", host.changes());
}
