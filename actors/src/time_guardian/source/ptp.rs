//! Whether what ptp4l says can be used.
//!
//! It goes on showing the last offset after its master died, so the sample has to be a recent one: its
//! ingress time must have changed within the longest of the announce timeout, three sync intervals, and
//! one second. A sample is uncertain by
//!
//! ```text
//! |offset| + 4 · spread + path delay + the grandmaster's accuracy + the card's error
//! ```
//!
//! where the spread is the largest deviation from the median of the last 8 distinct samples, and the path
//! delay is there since an asymmetry cannot exceed it (IEEE 1588, section 11.6). It is at most one sync
//! interval old when it is seen, and grows from then on by the frequency error that the samples show.

use std::borrow::Cow;
use std::time::Duration;

use nunect_core::Now;
use nunect_core::clock::{CardOffset, Grandmaster, PtpState, PtpStatus, Reading, Unread};
use nunect_core::protocol::header::ClockQuality;
use nunect_core::time::Span;

use super::{Reason, Rules, Sample, Seen, age_ns};

/// A sample that is not older is always a recent one.
pub const RECENT_MIN: Duration = Duration::from_secs(1);
/// No port waits longer for its master.
pub const RECENT_MAX: Duration = Duration::from_secs(600);
/// So many sync messages may get lost in a row.
pub const SYNC_INTERVALS: u32 = 3;

/// Beyond this an ingress time is on a clock with an epoch of its own, and tells nothing by the wall clock.
const PLAUSIBLE_NS: u64 = 365 * 86_400 * 1_000_000_000;
/// TAI − UTC since 2017, where nobody vouches for it.
const TAI_MINUS_UTC_S: i64 = 37;

pub(super) const fn of(answer: &Result<Reading, Unread>) -> Option<&PtpStatus> {
    match answer {
        Ok(Reading::Ptp(status)) => Some(status),
        Ok(Reading::Gps(_) | Reading::Ntp(_) | Reading::Kernel(_)) | Err(_) => None,
    }
}

/// What tells one sample from another.
pub(super) const fn key(status: &PtpStatus) -> u64 {
    status.ingress_ns.cast_unsigned()
}

/// Whether it has a master.
pub(crate) const fn is_following(status: &PtpStatus) -> bool {
    status.grandmaster_present
        && status.steps_removed >= 1
        && matches!(status.port, PtpState::Slave | PtpState::Uncalibrated)
}

/// Whether it has measured the offset and the delay.
pub(crate) const fn is_measured(status: &PtpStatus) -> bool {
    status.ingress_ns != 0 && (status.offset_ns != 0 || status.path_delay.0 != 0)
}

pub(super) fn judge(status: &PtpStatus, seen: Seen, at: Now, rules: &Rules) -> Result<Sample, Reason> {
    if status.domain != rules.domain {
        return Err(format!("is in domain {}, not {}", status.domain, rules.domain).into());
    }
    let at_most = match status.port {
        PtpState::Slave => ClockQuality::Locked,
        PtpState::Uncalibrated => ClockQuality::Acquiring,
        PtpState::Master => return Err("port is MASTER: this clock is itself the master".into()),
        state @ (PtpState::Initializing
        | PtpState::Faulty
        | PtpState::Disabled
        | PtpState::Listening
        | PtpState::PreMaster
        | PtpState::Passive) => return Err(format!("port is {state}").into()),
    };
    if !status.grandmaster_present {
        return Err("has no grandmaster".into());
    }
    if status.steps_removed == 0 {
        return Err("is zero steps from the grandmaster: this clock is itself the master".into());
    }
    let note = expected(status, rules)?;
    if status.ingress_ns == 0 {
        return Err("no sync message counts at present".into());
    }
    is_recent(status, seen, at)?;
    if status.path_delay.0 < 0 {
        return Err(format!("mean path delay is negative: {} ns", status.path_delay).into());
    }
    if !is_measured(status) {
        return Err("has not measured the path delay yet".into());
    }
    let card = match (status.card, status.hardware) {
        (Some(card), _) => card,
        (None, Some(true)) => return Err("the system clock cannot be compared with the network card's".into()),
        (None, Some(false) | None) => CardOffset { offset_ns: 0, error_ns: 0 },
    };
    let delay_ns = status.path_delay.nanos().saturating_add(1).unsigned_abs();
    let error_ns = delay_ns.saturating_add(status.grandmaster_accuracy_ns.unwrap_or(0)).saturating_add(card.error_ns);
    let measured = seen.since - status.sync_interval.min(RECENT_MAX);
    Ok(Sample {
        offset_ns: status.offset_ns.saturating_add(card.offset_ns),
        error_ns,
        measured,
        grows_from: measured,
        frequency_ppb: None,
        at_most,
        note,
    })
}

/// Whether the grandmaster is the one that is to be followed; what to know about it if it may be.
pub(super) fn expected(status: &PtpStatus, rules: &Rules) -> Result<Option<Reason>, Reason> {
    let found = status.grandmaster;
    match (rules.master, status.grandmaster_address) {
        (None, _) => Ok(None),
        (Some(Grandmaster::Identity(wanted)), _) if wanted == found => Ok(None),
        (Some(Grandmaster::Identity(wanted)), _) => Err(format!("grandmaster is {found}, not {wanted}").into()),
        (Some(Grandmaster::Address(wanted)), Some(address)) if wanted == address => Ok(None),
        (Some(Grandmaster::Address(wanted)), Some(address)) => {
            Err(format!("grandmaster is {found} at {address}, not {wanted}").into())
        }
        (Some(Grandmaster::Address(wanted)), None) => {
            Ok(Some(format!("could not check whether grandmaster {found} is {wanted}: it does not tell").into()))
        }
    }
}

/// Whether the sample is a recent one. By the monotonic clock, from when it was seen first; the first sample
/// of all by the wall clock too, if the ingress time was taken on it: a daemon that lost its master before
/// this node started is not to be believed.
fn is_recent(status: &PtpStatus, seen: Seen, at: Now) -> Result<(), Reason> {
    let syncs = status.sync_interval.saturating_mul(SYNC_INTERVALS);
    let limit = status.announce_timeout.max(syncs).clamp(RECENT_MIN, RECENT_MAX);
    let old = |age: Duration| -> Result<(), Reason> {
        Err(Cow::Owned(format!("last sync message is {} old", Span::from(age))))
    };
    let age = at.mono.since(seen.since);
    if age > limit {
        return old(age);
    }
    let (true, Ok(ingress_ns)) = (seen.first && status.hardware != Some(true), u64::try_from(status.ingress_ns)) else {
        return Ok(());
    };
    let by_utc = age_ns(at, ingress_ns);
    let tai_ns = status.utc_offset_s.map_or(TAI_MINUS_UTC_S, i64::from) * 1_000_000_000;
    let by_tai = by_utc.saturating_add(tai_ns);
    let near = |age_ns: i64| Duration::from_nanos(age_ns.unsigned_abs()) <= limit;
    if near(by_utc) || near(by_tai) || by_utc < 0 || by_utc.unsigned_abs() > PLAUSIBLE_NS {
        return Ok(());
    }
    old(Duration::from_nanos(by_utc.unsigned_abs()))
}
