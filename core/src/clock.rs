//! What a host knows of its clock, as the sensors of its node deliver it (protocol, section 4).
//!
//! A [`ClockReport`] is what one time daemon said when it was asked, in the daemon's own terms: nothing
//! of it is judged here. Whether it may be believed, and how far, is for the actor that reads it.
//!
//! Everywhere a positive offset means that the local clock is ahead.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::ClockStamp;
use crate::time::{Mono, Now};

pub mod delay;
mod gps;
mod ntp;
mod ptp;
pub mod sync;

pub use gps::{GpsFix, GpsPulse, GpsStatus, PulseKind};
pub use ntp::{Leap, NtpSource, NtpStatus, NtpVia};
pub use ptp::{CardOffset, ClockIdentity, Grandmaster, NoClock, PtpState, PtpStatus, ScaledNanos};

/// What a node says about its clock, and for how long that holds.
///
/// Whoever says it says it again in time. If nobody does, since who knew is gone, the clock counts as
/// unsynced: a claim does not outlive those who can answer for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockClaim {
    /// What it says.
    pub stamp: ClockStamp,
    /// Until when that holds.
    pub until: Mono,
}

impl ClockClaim {
    /// What holds at `now`.
    #[must_use]
    pub fn at(&self, now: Mono) -> ClockStamp {
        if now < self.until { self.stamp } else { ClockStamp::default() }
    }
}

/// What one time daemon said, or why it said nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockReport {
    /// When it was read. Both clocks were read together, without a pause between them: who compares two
    /// reports sees a step of the wall clock.
    pub at: Now,
    /// Who was asked.
    pub daemon: TimeDaemon,
    /// The answer.
    pub answer: Result<Reading, Unread>,
}

/// Who knows about the clock of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeDaemon {
    /// linuxptp's ptp4l.
    Ptp4l,
    /// gpsd.
    Gpsd,
    /// chronyd, or another NTP daemon through its own tool.
    Chronyd,
    /// The kernel itself.
    Kernel,
}

impl TimeDaemon {
    /// Its name, as its users write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ptp4l => "ptp4l",
            Self::Gpsd => "gpsd",
            Self::Chronyd => "chronyd",
            Self::Kernel => "kernel",
        }
    }
}

impl fmt::Display for TimeDaemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which source of time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeMode {
    /// The best there is: PTP, else GPS with PPS, else NTP.
    #[default]
    Auto,
    /// PTP, from ptp4l.
    Ptp,
    /// NTP, from chronyd or whoever told the kernel.
    Chrony,
    /// GPS with PPS, from gpsd.
    Gps,
}

impl TimeMode {
    /// Its name in configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ptp => "ptp",
            Self::Chrony => "chrony",
            Self::Gps => "gps",
        }
    }

    /// Whether the clock may go by `daemon`.
    #[must_use]
    pub const fn allows(self, daemon: TimeDaemon) -> bool {
        match (self, daemon) {
            (Self::Auto, _)
            | (Self::Ptp, TimeDaemon::Ptp4l)
            | (Self::Gps, TimeDaemon::Gpsd)
            | (Self::Chrony, TimeDaemon::Chronyd | TimeDaemon::Kernel) => true,
            (Self::Ptp, TimeDaemon::Gpsd | TimeDaemon::Chronyd | TimeDaemon::Kernel)
            | (Self::Gps, TimeDaemon::Ptp4l | TimeDaemon::Chronyd | TimeDaemon::Kernel)
            | (Self::Chrony, TimeDaemon::Ptp4l | TimeDaemon::Gpsd) => false,
        }
    }

    /// Whether it names `daemon`: that this one is absent is worth telling.
    #[must_use]
    pub const fn names(self, daemon: TimeDaemon) -> bool {
        matches!(
            (self, daemon),
            (Self::Ptp, TimeDaemon::Ptp4l) | (Self::Gps, TimeDaemon::Gpsd) | (Self::Chrony, TimeDaemon::Chronyd)
        )
    }
}

/// What a daemon said.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// ptp4l.
    Ptp(PtpStatus),
    /// gpsd.
    Gps(GpsStatus),
    /// chronyd, or another NTP daemon.
    Ntp(NtpStatus),
    /// The kernel.
    Kernel(KernelStatus),
}

/// Why a daemon said nothing that could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Unread {
    /// Which kind of obstacle it is.
    pub cause: Obstacle,
    /// In words, with the address that was tried.
    pub detail: Cow<'static, str>,
}

impl Unread {
    /// This obstacle, in these words.
    #[must_use]
    pub fn new(cause: Obstacle, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { cause, detail: detail.into() }
    }
}

/// What keeps a daemon from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It does not run here: there is no such socket, or nobody listens.
    Absent,
    /// This process may not talk to it.
    Denied,
    /// It does not answer in time.
    Silent,
    /// It answers in another PTP domain than the one that is configured.
    OtherDomain {
        /// In which.
        answers: u8,
        /// With which value of transportSpecific (the majorSdoId of IEEE 1588-2019).
        transport_specific: u8,
    },
    /// It answers, and refuses what it is asked.
    Refused,
    /// What it says cannot be read.
    Malformed,
}

/// How many of each thing went wrong while a reader asked a daemon; since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderCounters {
    /// Questions.
    pub asked: u64,
    /// Questions without an answer in time.
    pub timeouts: u64,
    /// Datagrams that are no answer to the question: another sequence number, another sender, a second copy.
    pub strays: u64,
    /// Answers that could not be read.
    pub malformed: u64,
}

/// What the kernel knows (`adjtimex`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelStatus {
    /// Whether somebody told the kernel that the clock is right: neither TIME_ERROR nor STA_UNSYNC.
    pub synchronized: bool,
    /// What is left to correct: positive = the local clock is ahead. Nanoseconds.
    pub offset_ns: i64,
    /// The bound on the error that was told, grown by 500 ppm since. Microseconds.
    pub max_error_us: u64,
    /// The error that was estimated. Microseconds.
    pub estimated_error_us: u64,
    /// The correction of the frequency, parts per million.
    pub frequency_ppm: f64,
    /// TAI − UTC in seconds, when somebody told.
    pub tai_offset_s: Option<i32>,
}

#[cfg(test)]
mod tests;
