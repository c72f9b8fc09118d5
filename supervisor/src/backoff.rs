//! How long a child that keeps crashing waits.

use std::time::Duration;

use nunect_core::random::{ChaCha8Rng, Rng};
use nunect_core::time::nanos;
use nunect_core::{Mono, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a child waits for its restart: the first one comes at once, the second after `first`,
/// then the wait doubles up to `cap`.
///
/// A wait is drawn from 0.8 to 1.2 of its nominal value, the upper end cut at `cap`, so that what
/// crashed together does not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// The nominal wait for the second restart.
    pub first: Period,
    /// The longest wait.
    pub cap: Period,
    /// After this time without a charged crash the next restart comes at once again. It is measured
    /// from the first start after the last charged crash.
    pub reset_after: Period,
}

impl Default for Backoff {
    /// 100 ms, doubling to 10 s, reset after 30 s (protocol, section 6).
    fn default() -> Self {
        Self { first: Period::from_millis(100), cap: Period::from_secs(10), reset_after: Period::from_secs(30) }
    }
}

impl Backoff {
    /// The wait after so many charged crashes before this one.
    fn wait(&self, crashes_before: u32, rng: &mut ChaCha8Rng) -> Duration {
        let Some(doublings) = crashes_before.checked_sub(1) else { return Duration::ZERO };
        let cap = nanos(self.cap.0);
        let nominal = nanos(self.first.0.saturating_mul(1 << doublings.min(31))).min(cap);
        let low = nominal - nominal / 5;
        let high = nominal.saturating_add(nominal / 5).min(cap);
        Duration::from_nanos(low + rng.next_u64() % (high - low).saturating_add(1))
    }
}

/// How far the back-off of one child has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    crashes: u32,
    clean_since: Option<Mono>,
}

impl Level {
    /// The child is up. Lives that ended without a charge do not interrupt the clean time.
    pub(crate) fn started(&mut self, now: Mono) {
        self.clean_since.get_or_insert(now);
    }

    /// The child crashed and is charged for it: how long is it to wait?
    pub(crate) fn charge(&mut self, now: Mono, backoff: &Backoff, rng: &mut ChaCha8Rng) -> Duration {
        if self.clean_since.take().is_some_and(|since| now.since(since) >= backoff.reset_after.0) {
            self.crashes = 0;
        }
        let wait = backoff.wait(self.crashes, rng);
        self.crashes = self.crashes.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests;
