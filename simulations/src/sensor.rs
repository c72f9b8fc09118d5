//! What simulated nodes measure of their host and of their link to the server.

use std::time::Duration;

use nunect_core::random::{ChaCha8Rng, Entropy, Rng};
use nunect_core::{HostReport, LinkReport};

use crate::draw::between;

/// What a sensor of this node would measure: a memory that stays and a processor that varies, both
/// in whole percent.
#[derive(Debug)]
pub(crate) struct HostSensor {
    cpu: ChaCha8Rng,
    link: ChaCha8Rng,
    memory: u64,
}

impl HostSensor {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        let memory = between(entropy.stream("memory", 0).next_u64(), 20, 70);
        Self { cpu: entropy.stream("cpu", 0), link: entropy.stream("link", 0), memory }
    }

    /// The round trip to a server next door: 60 to 400 µs.
    pub(crate) fn round_trip(&mut self) -> LinkReport {
        let micros = between(self.link.next_u64(), 60, 400);
        LinkReport { round_trip: Some(Duration::from_micros(micros)) }
    }

    /// Processor and memory.
    pub(crate) fn measure(&mut self) -> HostReport {
        let cpu = between(self.cpu.next_u64(), 1, 40);
        HostReport { cpu_percent: Some(cpu as f32), memory_percent: Some(self.memory as f32) }
    }
}
