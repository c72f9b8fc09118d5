//! The kernel's own state of the clock: the last resort.

use nunect_core::clock::{KernelStatus, Obstacle, ReaderCounters, Reading, TimeDaemon, Unread};
use nunect_timesync_sys::{KernelClock, kernel_clock};

use super::{Asked, ClockReader};
use crate::clock::Clock;

/// Reads the kernel.
#[derive(Debug, Default)]
pub struct KernelReader {
    counters: ReaderCounters,
}

impl KernelReader {
    /// A reader.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn ask(&mut self) -> Result<KernelStatus, Unread> {
        self.counters.asked += 1;
        kernel_clock().map(status).map_err(|error| {
            self.counters.malformed += 1;
            Unread::new(Obstacle::Refused, format!("the kernel does not tell of its clock: {error}"))
        })
    }
}

/// The kernel's own words in those of all daemons. It says what is to be added to the clock; here the sign is
/// that of a clock which is ahead.
fn status(clock: KernelClock) -> KernelStatus {
    KernelStatus {
        synchronized: clock.synchronized,
        offset_ns: clock.offset_ns.saturating_neg(),
        max_error_us: clock.max_error_us,
        estimated_error_us: clock.est_error_us,
        frequency_ppm: clock.frequency_ppm,
        tai_offset_s: clock.tai_offset,
    }
}

impl ClockReader for KernelReader {
    fn daemon(&self) -> TimeDaemon {
        TimeDaemon::Kernel
    }

    fn read<'a>(&'a mut self, _: &'a Clock) -> Asked<'a> {
        // One system call that waits for nothing.
        Box::pin(std::future::ready(self.ask().map(Reading::Kernel)))
    }

    fn counters(&self) -> ReaderCounters {
        self.counters
    }
}
