//! How far a clock is from that of another unit, from a few exchanges with it (RFC 5905, section 10).

use std::time::Duration;

use super::delay::{Exchange, best, class_bound};
use crate::message::ClockStamp;
use crate::protocol::header::{ClockQuality, ClockSource};
use crate::time::nanos;

/// By how much two clocks may drift apart that nothing steers, parts per million: RFC 5905's PHI.
pub const DRIFT_PPM: u64 = 15;
/// Exchanges that count: older ones give way. The clock drifts on meanwhile, so that more say no more.
pub const EXCHANGES_MAX: usize = 64;

/// Gathers exchanges with one other unit, and says how far apart the clocks are. It reads no clock, and
/// sets none.
#[derive(Clone, Debug, Default)]
pub struct SyncClient {
    exchanges: Vec<(Exchange, ClockStamp)>,
    impossible: usize,
}

/// How far the local clock is from the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// By how much the local clock is ahead of the other's, nanoseconds.
    pub offset_ns: i64,
    /// By how much that may be wrong as a statement on the other's clock: half the shortest round trip, and
    /// what the clocks may have drifted apart since. Nanoseconds.
    pub way_error_ns: u64,
    /// By how much the other's own clock may be wrong, as it says or as its class promises. Nanoseconds.
    pub uncertainty_ns: Option<u64>,
    /// The shortest round trip, without the time at the other's.
    pub shortest: Duration,
    /// The median of all.
    pub median: Duration,
    /// What steers the other's clock.
    pub source: ClockSource,
    /// How well.
    pub quality: ClockQuality,
}

impl Synced {
    /// By how much the offset may be wrong as a statement on the true time; when the other does not say how
    /// far its clock may be off, only on the other's.
    #[must_use]
    pub fn error_ns(&self) -> u64 {
        self.way_error_ns.saturating_add(self.uncertainty_ns.unwrap_or(0))
    }

    /// Whether the other has the time itself. Of two clocks that have not, nobody knows which one is off.
    #[must_use]
    pub const fn has_time(&self) -> bool {
        !matches!((self.source, self.quality), (ClockSource::Unsynced, _) | (_, ClockQuality::Freerun))
    }
}

impl SyncClient {
    /// An exchange, and what the other said of its clock in the answer. One that cannot have happened is
    /// counted, and tells nothing.
    pub fn add(&mut self, exchange: Exchange, clock: ClockStamp) {
        if !exchange.is_possible() {
            self.impossible += 1;
            return;
        }
        if self.exchanges.len() == EXCHANGES_MAX {
            self.exchanges.remove(0);
        }
        self.exchanges.push((exchange, clock));
    }

    /// Exchanges that cannot have happened: an answer before its question, or a stay at the other's that is
    /// longer than the whole.
    #[must_use]
    pub const fn impossible(&self) -> usize {
        self.impossible
    }

    /// What the exchanges say together; `None` before the first.
    #[must_use]
    pub fn result(&self) -> Option<Synced> {
        let exchanges: Vec<Exchange> = self.exchanges.iter().map(|(exchange, _)| *exchange).collect();
        let best = best(&exchanges)?;
        let (_, clock) = self.exchanges.iter().find(|(exchange, _)| exchange == best)?;
        let latest = exchanges.iter().map(|exchange| exchange.received.mono).max()?;
        let drift_ns = nanos(latest.since(best.sent.mono)).saturating_mul(DRIFT_PPM).div_ceil(1_000_000);
        let mut trips: Vec<Duration> = exchanges.iter().map(Exchange::round_trip).collect();
        trips.sort_unstable();
        Some(Synced {
            offset_ns: best.offset_ns(),
            way_error_ns: best.error_ns().saturating_add(drift_ns),
            uncertainty_ns: clock.uncertainty_ns.or_else(|| class_bound(clock.source, clock.quality)),
            shortest: best.round_trip(),
            median: *trips.get(trips.len() / 2)?,
            source: clock.source,
            quality: clock.quality,
        })
    }
}

#[cfg(test)]
mod tests;
