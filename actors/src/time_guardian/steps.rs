//! Steps of the wall clock, seen by comparing it with the monotonic one.

use std::time::Duration;

use nunect_core::Now;
use nunect_core::time::nanos;

/// What two readings of both clocks may differ by and be no step: they are read one after the other.
pub const TOLERANCE: Duration = Duration::from_micros(50);
/// And by so much of the time between them, parts per million.
pub const TOLERANCE_PPM: u64 = 100;
/// The smallest step that is an event.
pub const TOLD_MIN: Duration = Duration::from_millis(1);
/// The smallest step that the host's own watch tells, whether or not a time daemon is there: those are
/// told once, by it.
pub const TOLD_BY_HOST: Duration = Duration::from_millis(500);

/// Looks for steps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    before: Option<Now>,
}

impl Steps {
    /// By how many nanoseconds the wall clock stepped since the reading before, if it did. Readings that
    /// come out of order tell nothing.
    pub(crate) fn see(&mut self, at: Now) -> Option<i64> {
        let before = self.before.filter(|before| before.mono <= at.mono);
        if before.is_some() || self.before.is_none() {
            self.before = Some(at);
        }
        step(before?, at, TOLERANCE)
    }

    /// The same by clocks that were not read together: only a large step is one, since whoever read them may have
    /// had to wait between the one and the other.
    pub(crate) fn glance(&mut self, now: Now) -> Option<i64> {
        let stepped = step(self.before.filter(|before| before.mono <= now.mono)?, now, TOLD_MIN)?;
        self.before = Some(now);
        Some(stepped)
    }
}

/// By how many nanoseconds the wall clock stepped between two readings, if by more than is to be tolerated.
fn step(before: Now, at: Now, tolerance: Duration) -> Option<i64> {
    let passed = at.mono.since(before.mono);
    let shown = i128::from(at.wall.unix_nanos()) - i128::from(before.wall.unix_nanos());
    let stepped = shown - i128::from(nanos(passed));
    let tolerance = nanos(tolerance).saturating_add(nanos(passed) / 1_000_000 * TOLERANCE_PPM);
    let stepped = i64::try_from(stepped).unwrap_or(if stepped < 0 { i64::MIN } else { i64::MAX });
    (stepped.unsigned_abs() > tolerance).then_some(stepped)
}

/// The step as the event that this actor tells, in milliseconds; none when nobody or somebody else does.
pub(crate) fn told(step_ns: i64) -> Option<i64> {
    let size = Duration::from_nanos(step_ns.unsigned_abs());
    (TOLD_MIN..TOLD_BY_HOST).contains(&size).then_some(step_ns / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunect_core::{Mono, Wall};

    fn at(mono_us: u64, wall_us: u64) -> Now {
        Now { mono: Mono::from_nanos(mono_us * 1_000), wall: Wall::from_unix_nanos((9_000_000 + wall_us) * 1_000) }
    }

    #[test]
    fn more_than_fifty_microseconds_and_a_hundred_parts_per_million_are_a_step() {
        let step = |to| {
            let mut steps = Steps::default();
            assert_eq!(steps.see(at(1_000, 1_000)), None);
            steps.see(to)
        };
        assert_eq!(step(at(1_000, 1_050)), None);
        assert_eq!(step(at(1_000, 1_051)), Some(51_000));
        assert_eq!(step(at(1_001_000, 1_001_150)), None);
        assert_eq!(step(at(1_001_000, 1_000_849)), Some(-151_000));
    }

    #[test]
    fn a_glance_sees_large_steps_only_and_once() {
        let mut steps = Steps::default();
        assert_eq!(steps.glance(at(1_000, 5_000)), None, "nothing to compare with");
        assert_eq!(steps.see(at(1_000, 1_000)), None);
        assert_eq!(steps.glance(at(2_000, 2_900)), None, "whoever read the clocks may have waited");
        assert_eq!(steps.see(at(3_000, 3_000)), None);
        assert_eq!(steps.glance(at(4_000, 34_000)), Some(30_000_000));
        assert_eq!(steps.glance(at(5_000, 35_000)), None);
        assert_eq!(steps.see(at(6_000, 36_000)), None);
    }

    #[test]
    fn a_reading_from_before_tells_nothing() {
        let mut steps = Steps::default();
        assert_eq!(steps.see(at(2_000, 2_000)), None);
        assert_eq!(steps.see(at(1_000, 9_000)), None);
        assert_eq!(steps.see(at(3_000, 3_000)), None);
    }

    #[test]
    fn a_step_is_told_once_the_large_ones_by_the_host() {
        assert_eq!([999_999, 1_000_000, -499_999_999, 500_000_000].map(told), [None, Some(1), Some(-499), None]);
    }
}
