//! Whether what an NTP daemon says can be used.
//!
//! A daemon whose server died goes on saying that it is synchronised, so the source that it selected must
//! have been reached of late, and the clock must have been corrected of late: within eight times the
//! longer of the update interval and the poll of that source. A daemon that follows its own clock (`local
//! stratum`) follows nobody.
//!
//! The uncertainty is |correction| + root dispersion + root delay / 2 (RFC 5905, section 11.2). The daemon
//! has grown it until it was asked; from then on it grows by the skew and 0.1 ppm.

use std::time::Duration;

use nunect_core::Now;
use nunect_core::clock::{Leap, NtpStatus};
use nunect_core::protocol::header::ClockQuality;
use nunect_core::time::Span;

use super::{Reason, Sample, age_ns, before};
use crate::time_guardian::bound::ppb;
use crate::time_guardian::quality::FREQUENCY_UNKNOWN_PPB;

/// So many polls may pass without a correction: as many as the register of reachability is long.
pub const CORRECTIONS: u32 = 8;
/// A correction that is not older is always a recent one.
pub const RECENT_MIN: Duration = Duration::from_secs(4);
/// The longest time between two polls (RFC 5905, MAXPOLL, 2^17 s).
pub const POLL_MAX: Duration = Duration::from_secs(1 << 17);

pub(super) fn judge(status: &NtpStatus, at: Now) -> Result<Sample, Reason> {
    match status.leap {
        Leap::Normal | Leap::Insert | Leap::Delete => {}
        Leap::Unsynchronised => return Err("is not synchronised".into()),
    }
    match status.reference_id {
        0 => return Err("follows nobody yet".into()),
        NtpStatus::LOCAL_REFERENCE => return Err("follows its own clock (local stratum)".into()),
        1.. => {}
    }
    if !(1..=15).contains(&status.stratum) {
        return Err(format!("is not synchronised: stratum {}", status.stratum).into());
    }
    let poll = polled(status)?;
    let numbers = [status.correction_s, status.root_delay_s, status.root_dispersion_s];
    if numbers.iter().any(|number| !number.is_finite()) || status.root_delay_s < 0.0 || status.root_dispersion_s < 0.0 {
        let [correction, delay, dispersion] = numbers;
        return Err(format!(
            "says what cannot be: correction {correction} s, root delay {delay} s, root dispersion {dispersion} s"
        )
        .into());
    }
    let update = Duration::try_from_secs_f64(status.update_interval_s).unwrap_or(Duration::ZERO);
    let limit = (update.max(poll).min(POLL_MAX) * CORRECTIONS).max(RECENT_MIN);
    let age = age_ns(at, status.reference_time.unix_nanos());
    if Duration::from_nanos(age.unsigned_abs()) > limit {
        let side = if age < 0 { "in the future" } else { "ago" };
        let how_far = Span::unsigned(age.unsigned_abs());
        return Err(format!("last correction is {how_far} {side}").into());
    }
    let offset_ns = status.offset_ns();
    let skew_ppb = ppb(status.skew_ppm).min(FREQUENCY_UNKNOWN_PPB);
    Ok(Sample {
        offset_ns,
        error_ns: status.error_bound_ns().saturating_sub(offset_ns.unsigned_abs()),
        measured: before(at, age, limit),
        grows_from: at.mono,
        frequency_ppb: Some(skew_ppb),
        at_most: ClockQuality::Locked,
        note: None,
    })
}

/// How often the selected source is polled; zero when the sources are not known.
fn polled(status: &NtpStatus) -> Result<Duration, Reason> {
    let Some(sources) = &status.sources else { return Ok(Duration::ZERO) };
    let mut selected = sources.iter().filter(|source| source.selected).peekable();
    let Some(first) = selected.peek() else { return Err("has no source selected".into()) };
    let silent = format!("{} does not answer any more", first.name);
    selected.filter(|source| source.reach != 0).map(|source| source.poll).max().ok_or_else(|| silent.into())
}
