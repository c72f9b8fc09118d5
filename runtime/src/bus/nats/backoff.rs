//! How long to wait before the next try to connect.

use std::time::{Duration, Instant};

use nunect_core::random::{ChaCha8Rng, Rng};

use super::{CONNECTION_PROVEN, RECONNECT_FLOOR};

/// Reconnects by the protocol: first try at once, then from the floor doubling to the cap, with jitter.
pub(super) struct Backoff {
    cap: Duration,
    random: ChaCha8Rng,
    /// Failed tries before the present one.
    failed: usize,
    /// Of these, the ones before the last connection, which was lost too soon to be a success.
    before: usize,
}

impl Backoff {
    pub(super) fn new(cap: Duration, random: ChaCha8Rng) -> Self {
        Self { cap: cap.max(RECONNECT_FLOOR), random, failed: 0, before: 0 }
    }

    /// The wait before try number `attempts` (from 1); `connected` is when the connection began that
    /// was just lost, if this is the first try after it.
    pub(super) fn delay(&mut self, attempts: usize, connected: Option<Instant>) -> Duration {
        if let Some(at) = connected {
            self.before = if at.elapsed() < CONNECTION_PROVEN { self.failed + 1 } else { 0 };
        }
        self.failed = self.before.saturating_add(attempts.saturating_sub(1));
        if self.failed == 0 {
            return Duration::ZERO;
        }
        let doublings = u32::try_from(self.failed - 1).unwrap_or(u32::MAX).min(16);
        let wait = RECONNECT_FLOOR.saturating_mul(1 << doublings).min(self.cap);
        // Up to a quarter more, so that the units of a mesh do not come back in one instant.
        wait + wait.mul_f64(0.25 * f64::from(self.random.next_u32()) / f64::from(u32::MAX))
    }
}
