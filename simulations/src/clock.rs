//! The clocks of simulated nodes: what they show, and when they will show it.
//!
//! True time is nanoseconds since the run began. All arithmetic is on integers and exact, so that a
//! deadline fires at the very nanosecond on every platform.

use nunect_core::{Mono, Now, Wall};

/// The wall clock of a node without offset or drift when a run begins: 2024-02-13 00:00:00 UTC.
pub const WALL_START: Wall = Wall::from_unix_nanos(1_707_782_400_000_000_000);

/// The drift that a scenario may ask for, in parts per billion: 1 %.
pub const DRIFT_MAX_PPB: i32 = 10_000_000;

const BILLION: u64 = 1_000_000_000;

/// How wrong the clocks of a node are. One oscillator drives both, so both drift alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// By how much the wall clock is ahead when the run begins, in nanoseconds.
    pub offset_ns: i64,
    /// By how much a second of it is shorter than a true one, in parts per billion.
    pub drift_ppb: i32,
}

/// The clocks of one run of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    clock: Clock,
    booted: u64,
    origin: u64,
}

impl Clock {
    /// The clocks of a node that boots at the true instant `booted`; its monotonic clock then shows
    /// `origin`.
    pub(crate) const fn boot(self, booted: u64, origin: u64) -> Running {
        Running { clock: self, booted, origin }
    }

    /// What this clock counts while `duration` true nanoseconds pass, rounded down.
    const fn counted(self, duration: u64) -> u64 {
        if self.drift_ppb == 0 {
            return duration;
        }
        // By whole seconds and the rest, so that 64 bits are enough and nothing is rounded twice.
        let drift = self.drift_ppb as i64;
        let seconds = (duration / BILLION) as i64 * drift;
        let rest = ((duration % BILLION) as i64 * drift).div_euclid(BILLION as i64);
        duration.saturating_add_signed(seconds + rest)
    }

    /// The shortest true duration in which it counts `local` nanoseconds.
    fn needed(self, local: u64) -> u64 {
        if self.drift_ppb == 0 {
            return local;
        }
        // floor(x · (1 + drift)) ≥ local exactly when x · (1 + drift) ≥ local.
        let rate = u128::from(BILLION.saturating_add_signed(i64::from(self.drift_ppb)));
        let needed = (u128::from(local) * u128::from(BILLION)).div_ceil(rate);
        u64::try_from(needed).unwrap_or(u64::MAX)
    }
}

impl Running {
    /// Both clocks at a true instant, which must not lie before the boot.
    pub(crate) const fn read(&self, at: u64) -> Now {
        let mono = Mono::from_nanos(self.origin.saturating_add(self.clock.counted(at.saturating_sub(self.booted))));
        let wall = WALL_START.unix_nanos().saturating_add(self.clock.counted(at));
        Now { mono, wall: Wall::from_unix_nanos(wall.saturating_add_signed(self.clock.offset_ns)) }
    }

    /// The first true instant at which the monotonic clock shows `mono` or more.
    pub(crate) fn when(&self, mono: Mono) -> u64 {
        let local = mono.as_nanos().saturating_sub(self.origin);
        self.booted.saturating_add(self.clock.needed(local))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const YEAR: u64 = 365 * 86_400 * BILLION;

    fn clocks() -> impl Strategy<Value = Running> {
        (-1_000_000_000_i64..1_000_000_000, -DRIFT_MAX_PPB..=DRIFT_MAX_PPB, 0..YEAR, 0..YEAR)
            .prop_map(|(offset_ns, drift_ppb, booted, origin)| Clock { offset_ns, drift_ppb }.boot(booted, origin))
    }

    proptest! {
        #[test]
        fn a_deadline_maps_to_the_first_instant_at_which_it_has_come(clock in clocks(), local in 0..YEAR) {
            let deadline = Mono::from_nanos(clock.origin + local);
            let when = clock.when(deadline);
            prop_assert!(clock.read(when).mono >= deadline);
            if when > clock.booted {
                prop_assert!(clock.read(when - 1).mono < deadline);
            }
        }

        #[test]
        fn an_instant_survives_the_round_trip_within_the_grain_of_the_clock(clock in clocks(), true_time in 0..YEAR) {
            let at = clock.booted + true_time;
            let back = clock.when(clock.read(at).mono);
            prop_assert!(back <= at && at - back <= 1, "{at} came back as {back}");
        }

        #[test]
        fn neither_clock_ever_runs_back(clock in clocks(), a in 0..YEAR, b in 0..YEAR) {
            let (earlier, later) = (clock.read(clock.booted + a.min(b)), clock.read(clock.booted + a.max(b)));
            prop_assert!(earlier.mono <= later.mono && earlier.wall <= later.wall);
        }

        #[test]
        fn counting_by_parts_is_exact(drift_ppb in -DRIFT_MAX_PPB..=DRIFT_MAX_PPB, duration in 0..YEAR) {
            let clock = Clock { offset_ns: 0, drift_ppb };
            let exact = i128::from(duration)
                + (i128::from(duration) * i128::from(drift_ppb)).div_euclid(i128::from(BILLION));
            prop_assert_eq!(i128::from(clock.counted(duration)), exact);
        }
    }

    #[test]
    fn a_true_clock_shows_true_time() {
        let clock = Clock::default().boot(5, 100);
        let now = clock.read(12);
        assert_eq!((now.mono, now.wall), (Mono::from_nanos(107), WALL_START + Duration::from_nanos(12)));
        assert_eq!(clock.when(now.mono), 12);
        assert_eq!(clock.when(Mono::MAX), u64::MAX - 100 + 5);
    }

    #[test]
    fn a_fast_clock_reaches_its_deadline_early() {
        let fast = Clock { offset_ns: -3, drift_ppb: 1_000_000 }.boot(0, 0);
        assert_eq!(fast.when(Mono::from_nanos(1_001_000_000)), BILLION);
        assert_eq!(fast.read(0).wall.unix_nanos(), WALL_START.unix_nanos() - 3);
    }
}
