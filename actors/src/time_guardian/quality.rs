//! Classes of quality, and what they are decided on (protocol, section 4, "clock quality").

use nunect_core::Mono;
use nunect_core::protocol::header::ClockQuality;
use nunect_core::protocol::time::{
    HOLDOVER_NS, NTP_LOCKED_NS, NTP_LOCKED_UNCERTAINTY_NS, NTP_TRACKING_NS, PTP_LOCKED_NS, PTP_TRACKING_NS,
};
use nunect_core::time::nanos;

/// Distinct samples that a class of PTP or GPS is decided on (protocol, section 4).
pub const WINDOW: usize = 8;

/// The uncertainty beyond which no clock that NTP steers is tracking, nanoseconds: ten times what tracking
/// allows the offset, as the protocol's own limit for `locked` is.
pub const NTP_TRACKING_UNCERTAINTY_NS: u64 = 100_000_000;

/// What is assumed of a frequency that was not observed, parts per billion: the most that a kernel corrects
/// (RFC 5905, MAXFREQ, 500 ppm).
pub const FREQUENCY_UNKNOWN_PPB: u64 = 500_000;

/// The last distinct samples of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// When each was measured, and the offset in nanoseconds; the oldest first.
    samples: Vec<(Mono, i64)>,
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self { samples: Vec::new() }
    }

    pub(crate) fn push(&mut self, at: Mono, offset_ns: i64) {
        if self.samples.len() >= WINDOW {
            self.samples.remove(0);
        }
        self.samples.push((at, offset_ns));
    }

    pub(crate) fn clear(&mut self) {
        self.samples.clear();
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The median of the magnitudes, nanoseconds: never less than the magnitude of the median, so that a
    /// source that scatters around zero is not taken for a good one.
    pub(crate) fn median_ns(&self) -> u64 {
        let magnitudes = self.samples.iter().map(|(_, offset)| i128::from(*offset).abs()).collect();
        u64::try_from(median(magnitudes)).unwrap_or(u64::MAX)
    }

    /// The largest deviation from the median, nanoseconds.
    pub(crate) fn spread_ns(&self) -> u64 {
        let middle = median(self.samples.iter().map(|(_, offset)| i128::from(*offset)).collect());
        let deviations = self.samples.iter().map(|(_, offset)| (i128::from(*offset) - middle).unsigned_abs());
        u64::try_from(deviations.max().unwrap_or(0)).unwrap_or(u64::MAX)
    }

    /// By how much the frequency may be off as the samples show it, parts per billion: twice the spread over
    /// the time between the first sample and the last. That is the slope of samples on a line.
    pub(crate) fn frequency_ppb(&self) -> u64 {
        let span = match self.samples.as_slice() {
            [(first, _), .., (last, _)] => nanos(last.since(*first)),
            [] | [_] => 0,
        };
        if span == 0 {
            return FREQUENCY_UNKNOWN_PPB;
        }
        let ppb = u128::from(self.spread_ns()) * 2_000_000_000 / u128::from(span);
        u64::try_from(ppb).unwrap_or(u64::MAX)
    }
}

/// The middle one, or the mean of the middle two; 0 of none.
fn median(mut values: Vec<i128>) -> i128 {
    values.sort_unstable();
    let half = values.len() / 2;
    match (values.get(half.wrapping_sub(1)), values.get(half)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => (low + high).div_euclid(2),
        (_, Some(middle)) => *middle,
        (_, None) => 0,
    }
}

/// The class of a clock that PTP or GPS steers, by the median of its samples in nanoseconds. A better class
/// that it had `before` is left only when the median is 1.5 times its limit.
pub(crate) fn fine(before: Option<ClockQuality>, median_ns: u64) -> ClockQuality {
    for (class, limit_ns) in [(ClockQuality::Locked, PTP_LOCKED_NS), (ClockQuality::Tracking, PTP_TRACKING_NS)] {
        let has_been = before.is_some_and(|before| before <= class);
        let left_at_ns = if has_been { limit_ns + limit_ns / 2 } else { limit_ns };
        if median_ns < left_at_ns {
            return class;
        }
    }
    ClockQuality::Acquiring
}

/// The class of a clock that NTP steers, by the magnitude of its offset, and by no more than its
/// uncertainty allows; both in nanoseconds.
pub(crate) const fn coarse(offset_ns: u64, uncertainty_ns: u64) -> ClockQuality {
    if offset_ns < NTP_LOCKED_NS && uncertainty_ns < NTP_LOCKED_UNCERTAINTY_NS {
        ClockQuality::Locked
    } else if offset_ns < NTP_TRACKING_NS && uncertainty_ns <= NTP_TRACKING_UNCERTAINTY_NS {
        ClockQuality::Tracking
    } else {
        ClockQuality::Acquiring
    }
}

/// The class of a clock without a source, by its uncertainty in nanoseconds alone: never locked.
pub(crate) const fn holdover(uncertainty_ns: u64) -> ClockQuality {
    if uncertainty_ns < PTP_TRACKING_NS {
        ClockQuality::Tracking
    } else if uncertainty_ns < HOLDOVER_NS {
        ClockQuality::Acquiring
    } else {
        ClockQuality::Freerun
    }
}

/// The limit that an uncertainty of `class` stays below in holdover, nanoseconds.
pub(crate) const fn holdover_limit_ns(class: ClockQuality) -> u64 {
    match class {
        ClockQuality::Locked | ClockQuality::Tracking => PTP_TRACKING_NS,
        ClockQuality::Acquiring | ClockQuality::Freerun => HOLDOVER_NS,
    }
}

#[cfg(test)]
mod tests;
