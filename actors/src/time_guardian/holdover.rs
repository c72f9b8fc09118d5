//! What is known of a clock whose source is lost (protocol, section 4, "holdover").
//!
//! The offset stays what it was, and the uncertainty grows from the last measurement on:
//!
//! ```text
//! u(t) = u0 + (holdover drift + frequency error) · t
//! ```
//!
//! with the frequency error that the samples of the source showed, since the frequency that the clock runs
//! at now is the one that it was left with.

use std::borrow::Cow;
use std::time::Duration;

use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::time::Span;
use nunect_core::{ClockStamp, Mono, TimeDaemon};

use super::bound::Bound;
use super::quality;
use super::source::Reason;

/// A clock whose source is lost.
#[derive(Clone, Debug)]
pub(crate) struct Holdover {
    pub(crate) source: ClockSource,
    /// Who told it the time; none when that was in another life.
    pub(crate) daemon: Option<TimeDaemon>,
    /// By how much the clock was ahead, nanoseconds, and the steps that it made since.
    pub(crate) offset_ns: i64,
    pub(crate) bound: Bound,
    pub(crate) since: Mono,
}

impl Holdover {
    /// How good the clock still is, or why it is so no more.
    pub(crate) fn quality(&self, now: Mono, max: Duration) -> Result<ClockQuality, Reason> {
        let uncertainty_ns = self.bound.at(now);
        let lasted = now.since(self.since);
        match quality::holdover(uncertainty_ns) {
            ClockQuality::Freerun => Err(self.grown(now)),
            ClockQuality::Locked | ClockQuality::Tracking | ClockQuality::Acquiring if lasted >= max => {
                Err(Cow::Owned(format!("holdover: has lasted for {}", Span::from(lasted))))
            }
            class @ (ClockQuality::Locked | ClockQuality::Tracking | ClockQuality::Acquiring) => Ok(class),
        }
    }

    /// How uncertain it is, in words.
    pub(crate) fn grown(&self, now: Mono) -> Reason {
        Cow::Owned(format!("holdover: uncertain by {}", Span::unsigned(self.bound.at(now))))
    }

    /// When its quality changes if nothing happens until then.
    pub(crate) fn changes_at(&self, now: Mono, max: Duration) -> Mono {
        let end = self.since + max;
        let limit_ns = quality::holdover_limit_ns(quality::holdover(self.bound.at(now)));
        self.bound.reaches(limit_ns).map_or(end, |grown| grown.min(end))
    }

    /// What to say about it until it is said anew, `ahead` from now: a bound that holds until then, and not
    /// beyond what its quality promises, since a change of that is said at once.
    pub(crate) fn stamp(&self, now: Mono, ahead: Duration, quality: ClockQuality) -> ClockStamp {
        let promised_ns = quality::holdover_limit_ns(quality).saturating_sub(1);
        let uncertainty_ns = self.bound.at(now + ahead).min(promised_ns).max(self.bound.at(now));
        ClockStamp {
            source: self.source,
            quality,
            offset_ns: Some(self.offset_ns),
            uncertainty_ns: Some(uncertainty_ns),
        }
    }

    /// The wall clock stepped.
    pub(crate) const fn step(&mut self, by_ns: i64) {
        self.offset_ns = self.offset_ns.saturating_add(by_ns);
        self.bound.ns = self.bound.ns.saturating_add(by_ns.unsigned_abs());
    }
}
