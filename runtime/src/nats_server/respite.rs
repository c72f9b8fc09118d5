//! How long a server that died stays down: not at all at first, and not for ever at last.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The second death in a row is followed by this; the time doubles from there.
const FIRST: Duration = Duration::from_millis(100);
/// The longest.
const LAST: Duration = Duration::from_secs(10);
/// So many deaths within [`WINDOW`] are more than bad luck.
const DEATHS_MAX: usize = 5;
/// A server that lives this long does well again.
const WINDOW: Duration = Duration::from_secs(30);

/// The deaths of a server.
#[derive(Debug, Default)]
pub(super) struct Respite {
    deaths: VecDeque<Instant>,
    /// In a row, each soon after its start.
    row: u32,
    often: bool,
}

/// What follows from a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) wait: Duration,
    /// It dies so often that somebody should look after it.
    pub(super) often: bool,
}

impl Respite {
    /// It died, after that time.
    pub(super) fn died(&mut self, now: Instant, lived: Duration) -> Pause {
        if lived >= WINDOW {
            *self = Self::default();
        }
        self.row = self.row.saturating_add(1);
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|death| now.duration_since(*death) > WINDOW) {
            self.deaths.pop_front();
        }
        self.often |= self.deaths.len() >= DEATHS_MAX;
        let wait = match self.row {
            _ if self.often => LAST,
            1 => Duration::ZERO,
            row => FIRST.saturating_mul(1 << (row - 2).min(16)).min(LAST),
        };
        Pause { wait, often: self.often }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_death_is_followed_at_once_by_a_start_and_the_fifth_by_ten_seconds() {
        let (mut respite, mut now) = (Respite::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let pause = respite.died(now, Duration::ZERO);
            pauses.push((pause.wait.as_millis(), pause.often));
            now += pause.wait;
        }
        let (rare, often) = ([0, 100, 200, 400].map(|wait| (wait, false)), [(10_000, true); 3]);
        assert_eq!(pauses, [&rare[..], &often[..]].concat());
        let pause = respite.died(now + WINDOW, WINDOW);
        assert_eq!(pause, Pause { wait: Duration::ZERO, often: false }, "it did well in between");
    }

    #[test]
    fn deaths_far_apart_are_never_often_but_wait_for_longer_and_longer() {
        let (mut respite, mut now) = (Respite::default(), Instant::now());
        let mut last = Duration::ZERO;
        for _ in 0..40 {
            let lived = WINDOW - Duration::from_secs(1);
            now += lived;
            let pause = respite.died(now, lived);
            assert!(!pause.often && pause.wait >= last, "{pause:?}");
            last = pause.wait;
            now += pause.wait;
        }
        assert_eq!(last, LAST);
    }
}
