//! How much may be under way.

use super::Kernel;

/// The congestion window in segments (RFC 5681), which grows as CUBIC has it (RFC 9438,
/// `net/ipv4/tcp_cubic.c`).
#[derive(Debug)]
pub(super) struct Window {
    pub(super) size: u32,
    /// Slow start ends here.
    pub(super) threshold: u32,
    /// The most segments that were out within the present window of data (`max_packets_out`).
    most: u32,
    limited: bool,
    /// When this sequence number is acknowledged a new window of data begins.
    until: u64,
}

/// CUBIC's state, from the first loss on.
#[derive(Debug, Default)]
pub(super) struct Cubic {
    /// When the present epoch began.
    epoch: Option<u64>,
    /// The window before the last reduction.
    max: u32,
    /// The time until the curve is at `origin` again, in 1/1024 s.
    k: u64,
    origin: u32,
    acked: u32,
    /// What Reno's window would be.
    friendly: u32,
    /// Acknowledged segments that were not yet worth one more in the window.
    credit: u32,
}

/// Proportional rate reduction (RFC 6937, `tcp_cwnd_reduction`).
#[derive(Debug, Default)]
pub(super) struct Reduction {
    delivered: u32,
    pub(super) out: u32,
    pub(super) prior: u32,
}

/// CUBIC's beta, 0.7, in 1/1024.
const BETA: u32 = 717;
/// CUBIC's C, 0.4, in 1/1024.
const C: u64 = 410;

impl Window {
    pub(super) const fn new(kernel: &Kernel) -> Self {
        Self { size: kernel.initial_window, threshold: u32::MAX, most: 0, limited: false, until: 0 }
    }

    /// Notes how much of it was used (`tcp_cwnd_validate`): only a window that binds may grow.
    pub(super) const fn used(&mut self, out: u32, limited: bool, una: u64, nxt: u64) {
        if una >= self.until || limited || (!self.limited && out > self.most) {
            (self.limited, self.most, self.until) = (limited, out, nxt);
        }
    }

    /// After a pause it falls back by half for each time-out (`tcp_cwnd_restart`, RFC 2861).
    pub(super) fn restart(&mut self, idle_ms: u32, rto_ms: u32, kernel: &Kernel) {
        let least = kernel.initial_window.min(self.size);
        if self.size <= least || idle_ms <= rto_ms {
            return;
        }
        self.threshold = self.threshold.max(self.size - self.size / 4);
        let halvings = (idle_ms / rto_ms.max(1)).min(31);
        self.size = (self.size >> halvings).max(least);
    }

    /// `tcp_cong_avoid`: so many segments were acknowledged.
    pub(super) fn grow(&mut self, acked: u32, cubic: Option<&mut Cubic>, now: u64, min_rtt: u32) {
        let slow_start = self.size < self.threshold;
        let doubling = slow_start && self.size < self.most.saturating_mul(2);
        if !self.limited && !doubling {
            return;
        }
        let mut acked = acked;
        if slow_start {
            let size = self.size.saturating_add(acked).min(self.threshold);
            acked -= size - self.size;
            self.size = size;
        }
        if let Some(cubic) = cubic
            && acked > 0
        {
            let every = cubic.every(self.size, acked, now, min_rtt);
            if cubic.credit >= every {
                cubic.credit = 0;
                self.size += 1;
            }
            cubic.credit += acked;
            self.size += cubic.credit / every;
            cubic.credit %= every;
        }
    }

    /// The threshold after a loss (`cubictcp_recalc_ssthresh`).
    pub(super) fn reduce(&mut self, cubic: &mut Cubic) {
        cubic.epoch = None;
        cubic.credit = 0;
        // Fast convergence: who has to give way twice leaves room.
        cubic.max = if self.size < cubic.max { self.size * (1_024 + BETA) / 2_048 } else { self.size };
        self.threshold = (self.size * BETA / 1_024).max(2);
    }
}

impl Cubic {
    /// After how many acknowledged segments the window grows by one (`bictcp_update`).
    fn every(&mut self, size: u32, acked: u32, now: u64, min_rtt: u32) -> u32 {
        self.acked = self.acked.saturating_add(acked);
        let epoch = *self.epoch.get_or_insert_with(|| {
            self.acked = acked;
            self.friendly = size;
            self.k = cube_root((u64::from(self.max.saturating_sub(size)) << 40) / C);
            self.origin = self.max.max(size);
            now
        });
        let passed = (now - epoch) / 1_000 + u64::from(if min_rtt == u32::MAX { 0 } else { min_rtt });
        // Beyond two minutes the curve is as steep as it ever matters.
        let offset = (passed * 1_024 / 1_000_000).abs_diff(self.k).min(1 << 17);
        let delta = u32::try_from((C * offset * offset * offset) >> 40).unwrap_or(u32::MAX);
        let target = if passed * 1_024 / 1_000_000 < self.k {
            self.origin.saturating_sub(delta)
        } else {
            self.origin.saturating_add(delta)
        };
        let mut every = if target > size { size / (target - size) } else { size.saturating_mul(100) };
        // No slower than Reno with the same beta.
        let round = (size.saturating_mul(15) / 8).max(1);
        while self.acked > round {
            self.acked -= round;
            self.friendly += 1;
        }
        if self.max == 0 {
            // Nothing is known of the path: no slower than 5 % a round trip.
            every = every.min(20);
        }
        if self.friendly > size {
            every = every.min(size / (self.friendly - size));
        }
        every.max(2)
    }
}

impl Reduction {
    pub(super) const fn begin(&mut self, size: u32) {
        (self.delivered, self.out, self.prior) = (0, 0, size);
    }

    /// The window while it is being reduced.
    pub(super) fn size(&mut self, in_flight: u32, threshold: u32, acked: u32, advanced_without_loss: bool) -> u32 {
        self.delivered += acked;
        let least = u32::from(self.out == 0);
        let more = if in_flight > threshold {
            let share = u64::from(threshold) * u64::from(self.delivered);
            u32::try_from(share.div_ceil(u64::from(self.prior.max(1)))).unwrap_or(u32::MAX).saturating_sub(self.out)
        } else {
            let conserved = self.delivered.saturating_sub(self.out).max(acked);
            (conserved + u32::from(advanced_without_loss)).min(threshold - in_flight)
        };
        in_flight + more.max(least)
    }
}

/// The integer part of the cube root.
fn cube_root(of: u64) -> u64 {
    (0..=21).rev().fold(0, |root: u64, bit| {
        let next = root | 1 << bit;
        if next.checked_pow(3).is_some_and(|cube| cube <= of) { next } else { root }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cube_root_is_exact() {
        for root in [0, 1, 2, 3, 10, 1_023, 65_536, 2_642_245] {
            let cube = u64::pow(root, 3);
            assert_eq!((cube_root(cube), cube_root(cube.saturating_sub(1))), (root, root.saturating_sub(1)));
        }
    }

    #[test]
    fn a_reduced_window_is_back_where_it_was_after_k_seconds() {
        let mut cubic = Cubic::default();
        let mut window = Window { size: 100, threshold: u32::MAX, most: 100, limited: true, until: 0 };
        window.reduce(&mut cubic);
        assert_eq!(window.threshold, 70);
        window.size = 70;
        // K = cbrt(30 / 0.4) = 4.2 s.
        let round = 100_000_000;
        for n in 0..42 {
            let size = window.size;
            window.grow(size, Some(&mut cubic), n * round, 100_000);
        }
        assert!((96..=101).contains(&window.size), "{}", window.size);
    }
}
