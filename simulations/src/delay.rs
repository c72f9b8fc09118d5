//! How long something takes.

use nunect_core::Period;
use nunect_core::time::nanos;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::draw::between;

/// A distribution of delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Always this long.
    Fixed(Period),
    /// Any time from the first to the second, each as likely.
    Uniform(Period, Period),
}

impl Delay {
    /// The delay in nanoseconds that 64 random bits stand for.
    pub(crate) fn draw(self, bits: u64) -> u64 {
        match self {
            Self::Fixed(period) => nanos(period.0),
            Self::Uniform(low, high) => between(bits, nanos(low.0), nanos(high.0)),
        }
    }

    /// The longest delay.
    #[must_use]
    pub const fn max(self) -> Period {
        match self {
            Self::Fixed(period) | Self::Uniform(_, period) => period,
        }
    }

    /// Whether the first bound lies above the second.
    pub(crate) fn is_reversed(self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Uniform(low, high) => low > high,
        }
    }
}
