//! Readers of time daemons: what ptp4l, chronyd, gpsd and the kernel know of the host's clock.
//!
//! Each reader is asked once a period and answers within its own patience, whatever the daemon does: one
//! that is silent, slow or talks nonsense costs a time-out and a counter. What a reader brings is what the
//! daemon said; an actor judges it.

pub mod chrony;
mod datagrams;
pub mod gpsd;
pub mod kernel;
pub mod ptp;

pub use chrony::ChronyReader;
pub use gpsd::GpsdReader;
pub use kernel::KernelReader;
pub use ptp::PtpReader;

use std::future::Future;
use std::pin::Pin;

use nunect_core::clock::{ReaderCounters, Reading, TimeDaemon, Unread};

use crate::clock::Clock;
use crate::config::TimeSection;

/// What comes of asking a daemon once.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Reading, Unread>> + Send + 'a>>;

/// Asks one time daemon.
pub trait ClockReader: Send {
    /// Which.
    fn daemon(&self) -> TimeDaemon;

    /// Asks it once. Resolves within a second, whatever the daemon does; may be dropped and asked again.
    fn read<'a>(&'a mut self, clock: &'a Clock) -> Asked<'a>;

    /// How the asking went so far.
    fn counters(&self) -> ReaderCounters;
}

/// The readers that a node needs for what its configuration says.
#[must_use]
pub fn readers(time: &TimeSection) -> Vec<Box<dyn ClockReader>> {
    let mut readers: Vec<Box<dyn ClockReader>> = Vec::new();
    if time.mode.allows(TimeDaemon::Ptp4l) {
        readers.push(Box::new(PtpReader::new(time)));
    }
    if time.mode.allows(TimeDaemon::Gpsd) {
        readers.push(Box::new(GpsdReader::new(time)));
    }
    if time.mode.allows(TimeDaemon::Chronyd) {
        readers.push(Box::new(ChronyReader::new(time)));
        // An NTP daemon that cannot be read has still told the kernel.
        readers.push(Box::new(KernelReader::new()));
    }
    readers
}
