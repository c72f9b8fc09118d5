//! What gpsd knows.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Wall;

/// What gpsd knows of one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpsStatus {
    /// The receiver.
    pub device: Option<Box<str>>,
    /// What it has.
    pub fix: GpsFix,
    /// Satellites in use.
    pub satellites: Option<u8>,
    /// The latest comparison of the system clock with the receiver's, if there was any. A bare fix has none.
    pub pulse: Option<GpsPulse>,
}

/// A receiver's fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GpsFix {
    /// Not known.
    #[default]
    Unknown,
    /// None.
    No,
    /// Position.
    #[serde(rename = "2D")]
    TwoD,
    /// Position and altitude.
    #[serde(rename = "3D")]
    ThreeD,
}

impl fmt::Display for GpsFix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::No => "no fix",
            Self::TwoD => "2D fix",
            Self::ThreeD => "3D fix",
        })
    }
}

/// The system clock, as it was when the receiver's showed a whole second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpsPulse {
    /// How the second was told.
    pub kind: PulseKind,
    /// The receiver's time.
    pub real: Wall,
    /// The system clock's.
    pub clock: Wall,
    /// By how much the comparison may be wrong, nanoseconds: what the daemon says of it, or is known of its kind.
    pub error_ns: u64,
}

impl GpsPulse {
    /// By how much the local clock is ahead, nanoseconds.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        let wide = i128::from(self.clock.unix_nanos()) - i128::from(self.real.unix_nanos());
        i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
    }
}

/// How a receiver tells that a second begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PulseKind {
    /// By a pulse on a wire.
    Pps,
    /// By the arrival of its message.
    Toff,
}
