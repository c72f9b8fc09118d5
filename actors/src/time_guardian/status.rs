//! What the unit tells of its clock (`ops.metric.time`, protocol, section 3).

use std::time::Duration;

use nunect_core::clock::{NtpStatus, Obstacle, TimeDaemon};
use nunect_core::protocol::time::{SourceStatus, TimeStatus};
use nunect_core::time::nanos;
use nunect_core::{ClockStamp, Mono};

use super::source::{Source, ptp};
use super::{State, TimeGuardian};

impl TimeGuardian {
    /// All that is known of the clock at `now`.
    pub(super) fn status(&self, now: Mono) -> TimeStatus {
        let ptp = self.source(TimeDaemon::Ptp4l).ptp();
        let measured = ptp.filter(|ptp| ptp::is_following(ptp) && ptp::is_measured(ptp));
        let ntp = self.source(TimeDaemon::Chronyd).ntp();
        let followed = ntp.filter(|ntp| !matches!(ntp.reference_id, 0 | NtpStatus::LOCAL_REFERENCE));
        let ClockStamp { source, quality, offset_ns, uncertainty_ns } = self.stamp(now, Duration::ZERO);
        let held = match &self.state {
            State::Holdover(holdover) => Some(holdover),
            State::Unsynced | State::Inherited(_) | State::Following(..) => None,
        };
        TimeStatus {
            ptp_enabled: ptp.is_some(),
            ptp_master: ptp.filter(|ptp| ptp::is_following(ptp)).map(|ptp| ptp.grandmaster.to_string()),
            ptp_offset_ns: measured.map(|ptp| ptp.offset_ns),
            ntp_enabled: ntp.is_some(),
            ntp_offset_ms: followed.filter(|ntp| ntp.correction_s.is_finite()).map(|ntp| millis(ntp.offset_ns())),
            active_source: source,
            clock_quality: quality,
            ptp_path_delay_ns: measured.map(|ptp| ptp.path_delay.nanos()),
            ptp_state: ptp.map(|ptp| ptp.port),
            ntp_server: followed.and_then(|ntp| ntp.server.as_deref()).map(str::to_owned),
            ntp_stratum: ntp.map(|ntp| ntp.stratum).filter(|stratum| (1..=15).contains(stratum)),
            sync_log: self.log.iter().cloned().collect(),
            clock_offset_ns: offset_ns,
            uncertainty_ns,
            holdover_ms: held.map(|holdover| nanos(now.since(holdover.since)) / 1_000_000),
            sources: self.rows(now),
        }
    }

    /// Everybody who was asked: first whom the clock goes by or did, then by preference. Who is not there is
    /// left out, unless it is the one that is to be there.
    fn rows(&self, now: Mono) -> Vec<SourceStatus> {
        let first = self.state.daemon();
        let there = |source: &&Source| {
            let absent = source.obstacle() == Some(Obstacle::Absent) && !self.mode.names(source.daemon);
            source.was_asked() && !absent
        };
        let mut rows: Vec<_> = self.sources.iter().filter(there).map(|source| self.row(source, now)).collect();
        rows.sort_by_key(|row| Some(row.daemon) != first);
        rows
    }

    fn row(&self, source: &Source, now: Mono) -> SourceStatus {
        let active = matches!(&self.state, State::Following(held, _) if held.daemon == source.daemon);
        let estimate = source.estimate(now, self.hold);
        let note = match &estimate {
            Err(reason) => Some(reason.to_string()),
            Ok(_) if active => source.note().map(Into::into),
            Ok(_) => self.unused(source.daemon).or_else(|| source.note()).map(Into::into),
        };
        let estimate = estimate.ok();
        SourceStatus {
            daemon: source.daemon,
            source: source.source(),
            active,
            quality: estimate.map(|estimate| estimate.quality),
            offset_ns: estimate.map(|estimate| estimate.offset_ns),
            uncertainty_ns: estimate.map(|estimate| estimate.bound.at(now)),
            follows: source.follows(),
            age_ms: estimate.map(|estimate| nanos(now.since(estimate.measured)) / 1_000_000),
            note,
        }
    }
}

/// Nanoseconds as milliseconds.
pub(super) fn millis(ns: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 104 days")]
    let ns = ns as f64;
    ns / 1e6
}
