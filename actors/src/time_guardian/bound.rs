//! An uncertainty that grows: u(t) = u0 + frequency error · t (RFC 5905, section 11.1, dispersion).

use std::time::Duration;

use nunect_core::Mono;
use nunect_core::time::nanos;

const BILLION: u128 = 1_000_000_000;

/// A bound on an error, which grows evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// Nanoseconds at `from`.
    pub(crate) ns: u64,
    /// From when on it grows.
    pub(crate) from: Mono,
    /// By how much: parts per billion.
    pub(crate) ppb: u64,
}

impl Bound {
    /// Nanoseconds at `now`, rounded down.
    pub(crate) fn at(&self, now: Mono) -> u64 {
        let grown = u128::from(self.ppb) * u128::from(nanos(now.since(self.from))) / BILLION;
        self.ns.saturating_add(u64::try_from(grown).unwrap_or(u64::MAX))
    }

    /// The first instant at which it is `limit_ns` or more; none when it never is.
    pub(crate) fn reaches(&self, limit_ns: u64) -> Option<Mono> {
        let missing = limit_ns.saturating_sub(self.ns);
        if missing == 0 {
            return Some(self.from);
        }
        let wait = (u128::from(missing) * BILLION).checked_div(u128::from(self.ppb))?;
        let exact = wait * u128::from(self.ppb) == u128::from(missing) * BILLION;
        let wait = u64::try_from(wait + u128::from(!exact)).ok()?;
        Some(self.from + Duration::from_nanos(wait))
    }
}

/// Parts per million as whole parts per billion, rounded up; what is no frequency is as bad as can be.
pub(crate) fn ppb(ppm: f64) -> u64 {
    if ppm.is_nan() || ppm < 0.0 {
        return u64::MAX;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and is positive")]
    let ppb = (ppm * 1_000.0).ceil() as u64;
    ppb
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fifteen_parts_per_million_are_fifteen_microseconds_a_second() {
        let bound = Bound { ns: 1_000, from: Mono::from_nanos(7), ppb: ppb(15.0) };
        assert_eq!(bound.at(Mono::from_nanos(7)), 1_000);
        assert_eq!(bound.at(Mono::from_nanos(1_000_000_007)), 16_000);
        assert_eq!(bound.at(Mono::ZERO), 1_000, "it does not shrink");
    }

    #[test]
    fn what_does_not_grow_reaches_nothing_that_it_has_not_reached() {
        let bound = Bound { ns: 5, from: Mono::from_nanos(9), ppb: 0 };
        assert_eq!((bound.reaches(5), bound.reaches(6)), (Some(Mono::from_nanos(9)), None));
    }

    #[test]
    fn what_is_no_frequency_is_as_bad_as_can_be() {
        assert_eq!([ppb(f64::NAN), ppb(-1.0), ppb(f64::INFINITY)], [u64::MAX; 3]);
        assert_eq!([ppb(0.0), ppb(0.0001), ppb(500.0)], [0, 1, 500_000]);
    }

    proptest! {
        #[test]
        fn a_limit_is_reached_at_the_very_nanosecond(
            ns in 0..1_000_000_u64, ppb in 1..1_000_000_u64, limit in 0..10_000_000_u64, from in 1..1_000_000_000_u64,
        ) {
            let bound = Bound { ns, from: Mono::from_nanos(from), ppb };
            let at = bound.reaches(limit).expect("it grows");
            prop_assert!(bound.at(at) >= limit);
            if ns < limit {
                prop_assert!(bound.at(at - Duration::from_nanos(1)) < limit);
            }
        }
    }
}
