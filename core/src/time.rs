//! Nanosecond instants. Durations are [`std::time::Duration`].
//!
//! A decision that needs the time is handed a [`Now`]; nothing in the pure crates reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod rfc3339;
mod span;

pub use span::Span;

/// An instant of a monotonic clock: nanoseconds since an origin that only this node knows.
///
/// Every duration and every deadline is computed from this clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(u64);

/// An instant of the wall clock: nanoseconds since the Unix epoch, as this node believes.
///
/// It may step and is therefore used for timestamps on messages only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(u64);

/// Both clocks of one node, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// For durations and deadlines.
    pub mono: Mono,
    /// For timestamps on messages.
    pub wall: Wall,
}

/// When an actor next wants to be woken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The instant from which the timeout is due.
    pub at: Mono,
    /// What is due then, for logs, traces and faults: "heartbeat due".
    pub why: &'static str,
}

impl Mono {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);
    /// Later than any instant that is ever reached (584 years).
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Wall {
    /// The instant `nanos` nanoseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_millis(self) -> u64 {
        self.0 / 1_000_000
    }
}

impl Add<Duration> for Mono {
    type Output = Self;

    /// Saturates at [`Mono::MAX`].
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Self;

    /// Saturates at [`Mono::ZERO`].
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

impl Add<Duration> for Wall {
    type Output = Self;

    /// Saturates at the last representable instant.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

/// The nanoseconds of `duration`, capped at `u64::MAX` (584 years).
#[must_use]
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Deadline {
    /// The deadline `at`, for the reason `why`.
    #[must_use]
    pub const fn new(at: Mono, why: &'static str) -> Self {
        Self { at, why }
    }
}

impl fmt::Display for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}
