//! One-way delays from stamps (protocol, section 4, "one-way delay"), and the offset of a clock from
//! exchanges with another.

use std::time::Duration;

use crate::message::ClockStamp;
use crate::protocol::header::{ClockQuality, ClockSource};
use crate::protocol::time::{NTP_LOCKED_UNCERTAINTY_NS, PTP_LOCKED_NS, PTP_TRACKING_NS};
use crate::time::{Now, Wall, nanos};

/// How long a message took, and by how much that may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneWay {
    /// Nanoseconds; negative beyond the uncertainty means that a clock is not what it claims.
    pub delay_ns: i64,
    /// Nanoseconds: the true delay lies within `delay_ns` ± this, if both clocks are what they claim.
    pub uncertainty_ns: u64,
}

/// The delay of a message: receive − sent − (receiver's offset − sender's). `None` when either side does
/// not know how far its clock is off.
#[must_use]
pub fn one_way(sent: Wall, sender: &ClockStamp, received: Wall, receiver: &ClockStamp) -> Option<OneWay> {
    let (from, to) = (known(sender)?, known(receiver)?);
    let apparent = i128::from(received.unix_nanos()) - i128::from(sent.unix_nanos());
    let delay = apparent - (i128::from(to.offset_ns) - i128::from(from.offset_ns));
    Some(OneWay { delay_ns: clamp(delay), uncertainty_ns: from.residual_ns.saturating_add(to.residual_ns) })
}

/// What is known of a clock once its offset is taken out.
struct Known {
    offset_ns: i64,
    residual_ns: u64,
}

/// The bound that a stamp states, less the offset that is taken out; or else, of a sender that states
/// none, what its class promises.
fn known(stamp: &ClockStamp) -> Option<Known> {
    let offset_ns = stamp.offset_ns?;
    let promised = || match (stamp.source, stamp.quality) {
        (ClockSource::Unsynced, _) | (_, ClockQuality::Freerun) => None,
        (source, quality) => class_bound(source, quality),
    };
    let bound = stamp.uncertainty_ns.or_else(promised)?;
    Some(Known { offset_ns, residual_ns: bound.saturating_sub(offset_ns.unsigned_abs()) })
}

/// What a class promises of a clock that states no uncertainty, in nanoseconds (protocol, section 4): the
/// limit of the class with its hysteresis for PTP and GPS; for NTP the uncertainty that `locked` needs.
/// Other classes promise nothing.
#[must_use]
pub const fn class_bound(source: ClockSource, quality: ClockQuality) -> Option<u64> {
    match (source, quality) {
        (ClockSource::Ptp | ClockSource::Gps, ClockQuality::Locked) => Some(PTP_LOCKED_NS + PTP_LOCKED_NS / 2),
        (ClockSource::Ptp | ClockSource::Gps, ClockQuality::Tracking) => Some(PTP_TRACKING_NS + PTP_TRACKING_NS / 2),
        (ClockSource::Ntp, ClockQuality::Locked) => Some(NTP_LOCKED_UNCERTAINTY_NS),
        (ClockSource::Ntp, ClockQuality::Tracking)
        | (_, ClockQuality::Acquiring | ClockQuality::Freerun)
        | (ClockSource::Unsynced, _) => None,
    }
}

/// One question to another clock, and its answer: four timestamps (RFC 5905, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// T1: when the question was handed over, by both local clocks.
    pub sent: Now,
    /// T2: when it reached the other's bus edge, by the other's wall clock.
    pub taken: Wall,
    /// T3: when the answer was handed over there, by the same.
    pub answered: Wall,
    /// T4: when the answer was here, by both local clocks.
    pub received: Now,
}

impl Exchange {
    /// The round trip without the time at the other's: (T4 − T1) − (T3 − T2), by monotonic clocks.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        let whole = self.received.mono.since(self.sent.mono);
        let inside = self.answered.unix_nanos().saturating_sub(self.taken.unix_nanos());
        whole.saturating_sub(Duration::from_nanos(inside))
    }

    /// By how much the local clock is ahead of the other's: ((T1 − T2) + (T4 − T3)) / 2, with T4 on the
    /// wall clock that showed T1, so that a step between the two does no harm.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        let t1 = i128::from(self.sent.wall.unix_nanos());
        let t4 = t1 + i128::from(nanos(self.received.mono.since(self.sent.mono)));
        let (t2, t3) = (i128::from(self.taken.unix_nanos()), i128::from(self.answered.unix_nanos()));
        clamp(((t1 - t2) + (t4 - t3)).div_euclid(2))
    }

    /// By how much the offset may be wrong if nothing is known of the two ways: half the round trip.
    #[must_use]
    pub fn error_ns(&self) -> u64 {
        nanos(self.round_trip()).div_ceil(2)
    }

    /// Whether it can have happened: an answer is not given before its question, nor received before it
    /// was sent.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let whole = self.received.mono.since(self.sent.mono);
        let inside = self.answered.unix_nanos().checked_sub(self.taken.unix_nanos());
        self.received.mono >= self.sent.mono && inside.is_some_and(|inside| Duration::from_nanos(inside) <= whole)
    }
}

/// The exchange that knows most: the one with the shortest round trip, since nothing but waiting makes
/// others longer and lopsided (RFC 5905, section 10, clock filter). `None` when none is possible.
#[must_use]
pub fn best(exchanges: &[Exchange]) -> Option<&Exchange> {
    exchanges.iter().filter(|exchange| exchange.is_possible()).min_by_key(|exchange| exchange.round_trip())
}

fn clamp(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
