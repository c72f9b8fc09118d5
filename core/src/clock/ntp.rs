//! What NTP daemons know.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Wall;

/// What an NTP daemon knows, in seconds and in its own signs (chrony, `chronyc tracking`).
#[derive(Clone, Debug, PartialEq)]
pub struct NtpStatus {
    /// Whom it follows: an address, or the name of a reference clock. None before it follows anybody.
    pub server: Option<Box<str>>,
    /// The reference ID: 0 before it follows anybody, [`LOCAL_REFERENCE`](Self::LOCAL_REFERENCE) for itself.
    pub reference_id: u32,
    /// 1 to 15; 0 or 16: not synchronised.
    pub stratum: u8,
    /// The leap indicator.
    pub leap: Leap,
    /// When the clock was last corrected, by the daemon's own time.
    pub reference_time: Wall,
    /// What is to be added to the local clock: positive = the local clock is slow.
    pub correction_s: f64,
    /// The last measured offset, as `chronyc` signs it.
    pub last_offset_s: f64,
    /// The long-term average of the offsets.
    pub rms_offset_s: f64,
    /// By how much the clock would be fast without correction, parts per million.
    pub frequency_ppm: f64,
    /// By how much that may be wrong.
    pub skew_ppm: f64,
    /// The delay to the primary reference and back.
    pub root_delay_s: f64,
    /// The dispersion to the primary reference, grown until now.
    pub root_dispersion_s: f64,
    /// The time between the last two corrections.
    pub update_interval_s: f64,
    /// Its sources; `None` when they could not be asked for.
    pub sources: Option<Vec<NtpSource>>,
    /// Through what it was asked.
    pub via: NtpVia,
}

impl NtpStatus {
    /// 127.127.1.1: the daemon follows its own clock (`local stratum`).
    pub const LOCAL_REFERENCE: u32 = 0x7f7f_0101;

    /// By how much the local clock is ahead, nanoseconds.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        nanos_of(-self.correction_s)
    }

    /// By how much it may be wrong at most: |correction| + root dispersion + root delay / 2, nanoseconds
    /// (RFC 5905, section 11.2, root distance; chrony's "maximum error").
    #[must_use]
    pub fn error_bound_ns(&self) -> u64 {
        let bound = self.correction_s.abs() + self.root_dispersion_s + self.root_delay_s / 2.0;
        u64::try_from(nanos_of(bound)).unwrap_or(u64::MAX)
    }
}

/// Seconds as whole nanoseconds; what is no number is as large as can be.
fn nanos_of(seconds: f64) -> i64 {
    if seconds.is_nan() {
        return i64::MAX;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let nanos = (seconds * 1e9).round() as i64;
    nanos
}

/// Through what an NTP daemon was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NtpVia {
    /// chronyd's own protocol.
    Cmdmon,
    /// The tool `chronyc`.
    Chronyc,
    /// The tool `ntpq`.
    Ntpq,
}

/// The leap indicator of NTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leap {
    /// None is due.
    Normal,
    /// The last minute of the day has 61 seconds.
    Insert,
    /// It has 59.
    Delete,
    /// Not synchronised.
    Unsynchronised,
}

/// One of the sources of an NTP daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NtpSource {
    /// Its address, or the name of a reference clock.
    pub name: Box<str>,
    /// Whether the daemon follows it.
    pub selected: bool,
    /// Its stratum.
    pub stratum: u8,
    /// The time between two questions.
    pub poll: Duration,
    /// The last eight questions, the latest in the lowest bit: 1 = answered.
    pub reach: u8,
    /// How long ago the last answer came.
    pub since: Option<Duration>,
}
