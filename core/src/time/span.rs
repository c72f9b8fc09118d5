//! Lengths of time as operators read them.

use std::fmt;
use std::time::Duration;

use super::nanos;

/// A length of time, or by how much a clock is ahead, in nanoseconds; it shows as three figures or so with their
/// unit: `170 ns`, `5.3 µs`, `-5.0 ms`, `2.0 s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub i64);

impl Span {
    /// That of so many nanoseconds, as near as it can be told.
    #[must_use]
    pub fn unsigned(ns: u64) -> Self {
        Self(i64::try_from(ns).unwrap_or(i64::MAX))
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self::unsigned(nanos(duration))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "a few figures are shown")]
        let ns = self.0 as f64;
        // The limits are where the figures would round to the next unit's 1.0.
        match self.0.unsigned_abs() {
            0..1_000 => write!(f, "{} ns", self.0),
            1_000..999_950 => write!(f, "{:.1} µs", ns / 1e3),
            999_950..999_950_000 => write!(f, "{:.1} ms", ns / 1e6),
            999_950_000.. => write!(f, "{:.1} s", ns / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_one_that_fits() {
        let texts = [0, -170, 999, 1_000, 5_340, 999_949, 999_950, -5_000_000, 2_000_000_000, i64::MIN]
            .map(|ns| Span(ns).to_string());
        let expected = [
            "0 ns",
            "-170 ns",
            "999 ns",
            "1.0 µs",
            "5.3 µs",
            "999.9 µs",
            "1.0 ms",
            "-5.0 ms",
            "2.0 s",
            "-9223372036.9 s",
        ];
        assert_eq!(texts, expected);
    }
}
