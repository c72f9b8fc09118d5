//! How long something takes.

use nunect_core::Period;
use nunect_core::time::nanos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::between;

/// A distribution of delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Always this long.
    Fixed(Period),
    /// Any time from the first to the second, each as likely.
    Uniform(Period, Period),
    /// Mostly short and now and then long: an exponential distribution with this mean.
    Exponential(Period),
}

/// The longest exponential delay, in means: the rarest draw that 53 random bits know.
const EXPONENTIAL_MAX: u32 = 37;

impl Delay {
    /// The delay in nanoseconds that 64 random bits stand for.
    pub(crate) fn draw(self, bits: u64) -> u64 {
        match self {
            Self::Fixed(period) => nanos(period.0),
            Self::Uniform(low, high) => between(bits, nanos(low.0), nanos(high.0)),
            Self::Exponential(mean) => exponential(bits, nanos(mean.0)),
        }
    }

    /// The longest delay.
    #[must_use]
    pub const fn max(self) -> Period {
        match self {
            Self::Fixed(period) | Self::Uniform(_, period) => period,
            Self::Exponential(mean) => Period(mean.0.saturating_mul(EXPONENTIAL_MAX)),
        }
    }

    /// Whether the first bound lies above the second.
    pub(crate) fn is_reversed(self) -> bool {
        match self {
            Self::Fixed(_) | Self::Exponential(_) => false,
            Self::Uniform(low, high) => low > high,
        }
    }
}

/// The draw of an exponential distribution that 64 random bits stand for, by the inverse of its
/// distribution function; `libm` gives the same on every platform.
pub(crate) fn exponential(bits: u64, mean: u64) -> u64 {
    // From above 0 to 1, in steps of 2^-53.
    let uniform = ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-libm::log(uniform) * mean as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::mix;

    #[test]
    fn an_exponential_delay_has_its_mean_and_never_passes_its_longest() {
        let mean = Period::from_millis(200);
        let delay = Delay::Exponential(mean);
        let draws: Vec<u64> = (0..100_000).map(|n| delay.draw(mix(n))).collect();
        let average = draws.iter().sum::<u64>() / 100_000;
        assert!((198_000_000..202_000_000).contains(&average), "{average}");
        let beyond = draws.iter().filter(|&&draw| draw > nanos(mean.0)).count();
        assert!((36_300..37_300).contains(&beyond), "1/e of them lie beyond the mean: {beyond}");
        assert_eq!(delay.draw(u64::MAX), 0);
        assert!(delay.draw(0) <= nanos(delay.max().0));
    }
}
