//! Whether what gpsd says can be used.
//!
//! Only a pulse tells the time, and only with a fix; a bare fix does not. A pulse must be another one than
//! before within three intervals, and three seconds at least, since receivers have one a second. It is
//! uncertain by
//!
//! ```text
//! |offset| + 4 · spread + the pulse's error + age · (frequency error + 0.1 ppm)
//! ```
//!
//! where the spread is the largest deviation from the median of the last 8 distinct pulses, and the
//! frequency error what these show: twice the spread over the time that they span, 500 ppm before there
//! are two. Without a pulse on a wire (`TOFF`) the clock is at most acquiring: the message that tells the
//! second comes when the receiver has time for it.

use std::time::Duration;

use nunect_core::Now;
use nunect_core::clock::{GpsFix, GpsStatus, PulseKind};
use nunect_core::protocol::header::ClockQuality;
use nunect_core::time::Span;

use super::{Reason, Rules, Sample, Seen, age_ns, before};

/// Receivers have a pulse a second: two may get lost.
pub const RECENT_MIN: Duration = Duration::from_secs(3);
/// So many intervals may pass without a new one.
pub const RECENT_INTERVALS: u32 = 3;

/// What tells one pulse from another; 0 where there is none.
pub(super) fn key(status: &GpsStatus) -> u64 {
    status.pulse.map_or(0, |pulse| pulse.real.unix_nanos())
}

pub(super) fn judge(status: &GpsStatus, seen: Seen, at: Now, rules: &Rules) -> Result<Sample, Reason> {
    match status.fix {
        GpsFix::TwoD | GpsFix::ThreeD => {}
        GpsFix::No => return Err("has no fix".into()),
        GpsFix::Unknown => return Err("does not say whether it has a fix".into()),
    }
    let Some(pulse) = status.pulse else {
        return Err("has a fix and no pulse: a position tells no time".into());
    };
    let limit = rules.interval.saturating_mul(RECENT_INTERVALS).max(RECENT_MIN);
    let by_wall_ns = age_ns(at, pulse.clock.unix_nanos());
    let by_wall = Duration::from_nanos(u64::try_from(by_wall_ns).unwrap_or(0));
    let age = at.mono.since(seen.since).max(if seen.first { by_wall } else { Duration::ZERO });
    if age > limit {
        return Err(format!("last pulse is {} old", Span::from(age)).into());
    }
    // By the wall clock where that is plausible: it may have stepped since.
    let measured = before(at, by_wall_ns, limit).min(seen.since);
    let (at_most, note) = match pulse.kind {
        PulseKind::Pps => (ClockQuality::Locked, None),
        PulseKind::Toff => (ClockQuality::Acquiring, Some("no pulse on a wire: by the receiver's messages".into())),
    };
    Ok(Sample {
        offset_ns: pulse.offset_ns(),
        error_ns: pulse.error_ns,
        measured,
        grows_from: measured,
        frequency_ppb: None,
        at_most,
        note,
    })
}
