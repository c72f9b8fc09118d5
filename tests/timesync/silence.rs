//! Daemons that are stopped (SIGSTOP) are there and say nothing.

use std::time::{Duration, Instant};

use nunect::TimeDaemon;
use nunect::clock::Obstacle;
use nunect::protocol::header::{ClockQuality, ClockSource};
use nunect::protocol::time::TimeStatus;
use nunect::runtime::Clock;
use nunect::runtime::timesync::ClockReader;
use nunect::runtime::timesync::chrony::ChronyReader;
use nunect::runtime::timesync::ptp::PtpReader;
use rustix::process::Signal;

use crate::daemons::Daemon;
use crate::daemons::chronyd::{self, Chronyd};
use crate::daemons::namespaces::Cable;
use crate::daemons::ptp4l::Ptp4l;
use crate::node::{Host, row};
use crate::{PATIENCE, POLL, measured};

/// How long a reader may take, whatever its daemon does; three times over.
const READ: Duration = Duration::from_secs(3);

/// Stops a daemon that the clock of `host` goes by, until the node notices, within the bound for which its reader has
/// this `patience`; and lets it go on.
fn is_lost_and_found(host: &Host, daemon: &Daemon, of: TimeDaemon, patience: Duration) {
    let follows = |status: &TimeStatus| {
        let good = matches!(status.clock_quality, ClockQuality::Locked | ClockQuality::Tracking);
        row_is_active(status, of) && good
    };
    let before = host.until("steered", PATIENCE, follows);
    daemon.signal(Signal::STOP);
    let stopped = Instant::now();
    let held = host.until("in holdover", 3 * (POLL + patience), |status| status.holdover_ms.is_some());
    measured(&format!("{of} stopped: holdover"), stopped.elapsed());
    assert_eq!(held.active_source, before.active_source);
    assert_ne!(held.clock_quality, ClockQuality::Locked);
    let note = row(&held, of).note.clone().expect("a note");
    let problems: Vec<_> = host.problems().into_iter().filter(|(daemon, _)| *daemon == of).collect();
    assert_eq!(problems, [(of, Some(note))]);
    for status in host.during(4 * POLL) {
        assert!(status.holdover_ms.is_some(), "{status:#?}");
    }

    daemon.signal(Signal::CONT);
    let resumed = Instant::now();
    host.until("steered again", PATIENCE, follows);
    measured(&format!("{of} goes on: steered again"), resumed.elapsed());
    assert_eq!(host.problems().last(), Some(&(of, None)));
    let sources = host.changes().into_iter().map(|change| change.source);
    assert!(sources.skip_while(|source| *source != before.active_source).all(|source| source != ClockSource::Unsynced));
}

fn row_is_active(status: &TimeStatus, of: TimeDaemon) -> bool {
    status.sources.iter().any(|row| row.daemon == of && row.active)
}

/// A reader of a stopped daemon says so in time and counts it, however often it is asked, and reads it afterwards.
fn counts_timeouts(reader: &mut dyn ClockReader, daemon: &Daemon) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = Clock::new();
    runtime.block_on(reader.read(&clock)).expect("it answers");
    assert_eq!(reader.counters().timeouts, 0);
    daemon.signal(Signal::STOP);
    // More questions than fit into its socket.
    for time in 1..=8 {
        let begun = Instant::now();
        let unread = runtime.block_on(reader.read(&clock)).expect_err("it is stopped");
        assert!(begun.elapsed() < READ, "asked for {:?}", begun.elapsed());
        assert_eq!(unread.cause, Obstacle::Silent, "{unread}");
        let counted = reader.counters();
        assert!(counted.timeouts >= time && counted.timeouts <= counted.asked, "{counted:?}");
    }
    daemon.signal(Signal::CONT);
    let begun = Instant::now();
    while let Err(unread) = runtime.block_on(reader.read(&clock)) {
        assert!(begun.elapsed() < PATIENCE, "{unread}");
    }
}

#[test]
fn a_stopped_ptp4l_leaves_the_clock_in_holdover_until_it_goes_on() {
    let cable = Cable::new();
    let _master = Ptp4l::master(&cable.ends[0]);
    let slave = Ptp4l::slave(&cable.ends[1], "slaveOnly 1");
    let host = Host::new(&slave.section());
    is_lost_and_found(&host, slave.process(), TimeDaemon::Ptp4l, Duration::from_millis(200));
    counts_timeouts(&mut PtpReader::new(&slave.section()), slave.process());
}

#[test]
fn a_stopped_chronyd_leaves_the_clock_in_holdover_until_it_goes_on() {
    let port = chronyd::free_port();
    let _server = Chronyd::server(port);
    let client = Chronyd::client(port, "");
    let host = Host::new(&client.section());
    is_lost_and_found(&host, client.process(), TimeDaemon::Chronyd, Duration::from_millis(250));
    counts_timeouts(&mut ChronyReader::new(&client.section()), client.process());
}
