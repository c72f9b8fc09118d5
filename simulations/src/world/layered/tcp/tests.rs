//! What the tests share: wires, and a connection with its events.

use std::collections::BTreeSet;

use super::*;
use crate::draw::mix;

mod echo;

/// One way takes 10 ms.
const DELAY: u64 = 10_000_000;
const MS: u64 = 1_000_000;

/// Loses each packet with the same probability.
pub(super) struct Lossy {
    pub(super) seed: u64,
    pub(super) loss_ppm: u64,
    pub(super) delay: u64,
    pub(super) carried: u64,
}

impl Lossy {
    pub(super) fn new(seed: u64, loss_ppm: u64) -> Self {
        Self { seed, loss_ppm, delay: DELAY, carried: 0 }
    }
}

impl Wire for Lossy {
    fn carry(&mut self, now: u64, _: Side, _: u32) -> Option<u64> {
        self.carried += 1;
        (mix(self.seed ^ mix(self.carried)) % 1_000_000 >= self.loss_ppm).then_some(now + self.delay)
    }
}

fn kernel() -> Arc<Kernel> {
    Arc::new(Kernel::new(&TcpConfig::default()))
}
