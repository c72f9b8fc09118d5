//! The machine's two clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nunect_core::time::nanos;
use nunect_core::{Mono, Now, Wall};

/// How far apart two clocks may be read that are read together.
const TOGETHER: Duration = Duration::from_micros(2);
/// How often that is tried.
const ATTEMPTS: usize = 4;

/// Reads the monotonic and the wall clock; the monotonic one counts from when this was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock whose monotonic origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// Both clocks (60 ns).
    #[must_use]
    pub fn now(&self) -> Now {
        // A wall clock before 1970 has no representation and reads as 1970.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.mono(), wall: Wall::from_unix_nanos(nanos(wall)) }
    }

    /// Both clocks, read within 2 µs of each other if that is to be had in a few attempts: between two
    /// such readings a step of the wall clock shows.
    #[must_use]
    pub fn together(&self) -> Now {
        let mut best = None;
        for _ in 0..ATTEMPTS {
            let before = self.mono();
            let wall = self.now().wall;
            let gap = self.mono().since(before);
            let now = Now { mono: before + gap / 2, wall };
            if best.is_none_or(|(shortest, _)| gap < shortest) {
                best = Some((gap, now));
            }
            if gap <= TOGETHER {
                break;
            }
        }
        best.map_or_else(|| self.now(), |(_, now)| now)
    }

    /// The monotonic clock.
    #[must_use]
    pub fn mono(&self) -> Mono {
        Mono::from_nanos(nanos(self.origin.elapsed()))
    }

    /// The instant at which the monotonic clock reads `at`.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Instant {
        let since = at.since(Mono::ZERO);
        // Beyond what the platform can represent is beyond the life of the process.
        self.origin.checked_add(since).unwrap_or_else(|| self.origin + Duration::from_secs(86_400 * 365))
    }
}
