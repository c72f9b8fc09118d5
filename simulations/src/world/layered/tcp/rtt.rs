//! How long a round trip takes, and from that how long to wait for one.

use super::Kernel;

/// The estimator of RFC 6298 as the kernel has it (`tcp_rtt_estimator` in `net/ipv4/tcp_input.c`).
/// In microseconds.
#[derive(Debug)]
pub(super) struct Rtt {
    /// Eight times the smoothed round trip; 0 before the first sample.
    smoothed_8: u32,
    /// Four times the smoothed deviation.
    deviation_4: u32,
    /// The largest `deviation_4` within the present window of data, and no less than `min_rto`.
    deviation_max: u32,
    /// What the time-out adds to the smoothed round trip.
    variance: u32,
    /// When this sequence number is acknowledged a new window begins.
    window: u64,
    /// The shortest of the last minutes, and when it was (in milliseconds).
    min: u32,
    min_at: u32,
}

/// Until a shortest round trip is too old to be believed: `tcp_min_rtt_wlen`, 300 s.
const MIN_LASTS_MS: u32 = 300_000;

/// The time-out before the first sample (RFC 6298, 2.1).
pub(super) const INITIAL_RTO: u32 = 1_000_000;

impl Rtt {
    pub(super) const fn new() -> Self {
        Self { smoothed_8: 0, deviation_4: 0, deviation_max: 0, variance: 0, window: 0, min: u32::MAX, min_at: 0 }
    }

    /// Takes a sample when everything up to `una` is acknowledged and everything up to `nxt` sent.
    pub(super) fn sample(&mut self, micros: u32, una: u64, nxt: u64, kernel: &Kernel) {
        // What is longer than the longest time-out tells nothing more, and keeps the sums in range.
        let micros = micros.clamp(1, kernel.max_rto.min(u32::MAX / 16));
        if self.smoothed_8 == 0 {
            self.smoothed_8 = micros * 8;
            self.deviation_4 = micros * 2;
            self.variance = self.deviation_4.max(kernel.min_rto);
            self.deviation_max = self.variance;
            self.window = nxt;
            return;
        }
        let smoothed = self.smoothed_8 / 8;
        self.smoothed_8 = (self.smoothed_8 - smoothed + micros).max(1);
        let part = self.deviation_4 / 4;
        let error = smoothed.abs_diff(micros);
        self.deviation_4 = if micros < smoothed && error > part {
            // A round trip that becomes shorter is no reason to wait longer.
            self.deviation_4 + (error - part) / 8
        } else {
            self.deviation_4 - part + error
        };
        if self.deviation_4 > self.deviation_max {
            self.deviation_max = self.deviation_4;
            self.variance = self.variance.max(self.deviation_max);
        }
        if una > self.window {
            self.variance -= self.variance.saturating_sub(self.deviation_max) / 4;
            self.window = nxt;
            self.deviation_max = kernel.min_rto;
        }
    }

    /// Notes the shortest round trip.
    pub(super) fn shortest(&mut self, micros: u32, now_ms: u32) {
        if micros <= self.min || now_ms.wrapping_sub(self.min_at) > MIN_LASTS_MS {
            (self.min, self.min_at) = (micros.max(1), now_ms);
        }
    }

    pub(super) const fn min(&self) -> u32 {
        self.min
    }

    /// Eight times the smoothed round trip; 0 before the first sample.
    pub(super) const fn smoothed_8(&self) -> u32 {
        self.smoothed_8
    }

    /// The retransmission time-out without back-off.
    pub(super) fn timeout(&self, kernel: &Kernel) -> u32 {
        if self.smoothed_8 == 0 { INITIAL_RTO } else { (self.smoothed_8 / 8 + self.variance).min(kernel.max_rto) }
    }
}
