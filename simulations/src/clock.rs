//! The clocks of simulated nodes: what they show, and when they will show it.
//!
//! True time is nanoseconds since the run began. Clocks are linear, or linear by pieces, and all
//! arithmetic within a piece is on integers and exact, so that a deadline fires at the very nanosecond
//! on every platform.

use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::{Mono, Now, Wall};

use self::oscillator::Oscillator;

pub(crate) mod config;
mod oscillator;
mod receiver;
mod servo;

pub(crate) use receiver::{Receiver, report};

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
    /// How its frequency wanders: after t seconds it has moved by a normal deviate of this many parts per
    /// billion times √t.
    pub wander_ppb: u32,
    /// Whether a GPS receiver with a pulse disciplines it.
    pub gps: bool,
}

/// What befalls the clocks of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockFault {
    /// The wall clock jumps; the monotonic one does not.
    Step {
        /// How far ahead.
        by_ns: i64,
    },
    /// The oscillator gets faster or slower, as by a change of temperature.
    Drift {
        /// By so many parts per billion, beside the drift that it has; 0 ends it.
        ppb: i32,
    },
    /// The receiver, if the node has one, has GPS from now on, or has it no more.
    Gps {
        /// Whether it has.
        present: bool,
    },
}

/// How a clock does: what it could take itself for (protocol, section 4), and what is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// By how much the wall clock is truly ahead, in nanoseconds.
    pub offset_ns: i64,
    /// By how much a second of both clocks is at present truly too short, in parts per billion.
    pub drift_ppb: i32,
    /// What steers it, or did when holdover began; nothing once it runs free.
    pub source: ClockSource,
    /// How well: by the last measured offset as for PTP, and in holdover by the uncertainty.
    pub quality: ClockQuality,
    /// The true instant at which it last had GPS.
    pub since: Option<u64>,
    /// By how much the wall clock may be wrong as far as the node can know, in nanoseconds. It does not
    /// know of faults that GPS has not shown it.
    pub uncertainty_ns: Option<u64>,
}

/// The clocks of a machine. The oscillator and the wall clock run on while the node is down; its
/// monotonic clock begins anew with each boot.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// What the monotonic clock shows beyond what the oscillator has counted.
    ahead: i64,
    beat: Beat,
}

#[derive(Clone, Debug)]
enum Beat {
    /// Linear for ever.
    Steady {
        drift_ppb: i32,
        offset_ns: i64,
    },
    Varying(Box<Oscillator>),
}

impl Clock {
    /// The clocks of a machine from the beginning of the run; all that is random of them is a function
    /// of `seed`.
    pub(crate) fn start(self, seed: u64) -> Running {
        let Self { offset_ns, drift_ppb, .. } = self;
        let beat = if self.wander_ppb == 0 && !self.gps {
            Beat::Steady { drift_ppb, offset_ns }
        } else {
            Beat::Varying(Box::new(Oscillator::new(self, seed)))
        };
        Running { ahead: 0, beat }
    }
}

impl Running {
    /// The machine boots at a true instant; its monotonic clock then shows `origin`.
    pub(crate) fn boot(&mut self, at: u64, origin: u64) {
        self.ahead = signed(i128::from(origin) - i128::from(self.count(at).0));
    }

    /// Both clocks at a true instant, which must not lie before the boot, nor before an instant that
    /// they were read at or that something befell them at.
    pub(crate) fn read(&mut self, at: u64) -> Now {
        let (count, offset_ns) = self.count(at);
        Now {
            mono: Mono::from_nanos(count.saturating_add_signed(self.ahead)),
            wall: Wall::from_unix_nanos(WALL_START.unix_nanos().saturating_add(count).saturating_add_signed(offset_ns)),
        }
    }

    /// As [`read`](Self::read), for whoever must not move it on.
    pub(crate) fn peek(&self, at: u64) -> Now {
        self.clone().read(at)
    }

    /// The first true instant at which the monotonic clock shows `mono` or more. When that lies beyond
    /// the end of the piece that was last read, the end: ask again then.
    pub(crate) fn when(&self, mono: Mono) -> u64 {
        let count = mono.as_nanos().saturating_sub_signed(self.ahead);
        match &self.beat {
            Beat::Steady { drift_ppb, .. } => needed(count, *drift_ppb),
            Beat::Varying(oscillator) => oscillator.when(count),
        }
    }

    /// Lets something befall it. Instants that [`when`](Self::when) or
    /// [`next_change`](Self::next_change) gave before no longer hold.
    pub(crate) fn befall(&mut self, at: u64, fault: ClockFault) {
        match (&mut self.beat, fault) {
            (Beat::Varying(oscillator), fault) => oscillator.befall(at, fault),
            (Beat::Steady { offset_ns, .. }, ClockFault::Step { by_ns }) => {
                *offset_ns = offset_ns.saturating_add(by_ns);
            }
            (Beat::Steady { .. }, ClockFault::Gps { .. }) => {}
            (&mut Beat::Steady { drift_ppb, offset_ns }, ClockFault::Drift { .. }) => {
                // Nothing of it is random.
                let mut oscillator = Oscillator::new(Clock { offset_ns, drift_ppb, ..Clock::default() }, 0);
                oscillator.befall(at, fault);
                self.beat = Beat::Varying(Box::new(oscillator));
            }
        }
    }

    /// How it does at a true instant, as for [`read`](Self::read).
    pub(crate) fn state(&self, at: u64) -> ClockState {
        match &self.beat {
            &Beat::Steady { drift_ppb, offset_ns } => {
                let error = i128::from(counted(at, drift_ppb)) - i128::from(at) + i128::from(offset_ns);
                ClockState::unsynced(signed(error), drift_ppb)
            }
            Beat::Varying(oscillator) => oscillator.clone().state(at),
        }
    }

    /// What the GPS receiver shows at the true instant that was read last; `None` without one.
    pub(crate) fn receiver(&self, at: u64) -> Option<Receiver> {
        match &self.beat {
            Beat::Steady { .. } => None,
            Beat::Varying(oscillator) => oscillator.gps(at).map(|(present, pulse)| Receiver { present, pulse }),
        }
    }

    /// The first true instant after `at` at which its quality is another than at `at`, if nothing
    /// befalls it before. It looks [`CHANGE_HORIZON_NS`] ahead: after `None`, ask again by then.
    pub(crate) fn next_change(&self, at: u64) -> Option<u64> {
        match &self.beat {
            Beat::Steady { .. } => None,
            Beat::Varying(oscillator) => oscillator.next_change(at),
        }
    }

    /// What the oscillator has counted since the run began, and the offset of the wall clock from it.
    fn count(&mut self, at: u64) -> (u64, i64) {
        match &mut self.beat {
            &mut Beat::Steady { drift_ppb, offset_ns } => (counted(at, drift_ppb), offset_ns),
            Beat::Varying(oscillator) => oscillator.count(at),
        }
    }
}

/// How far ahead [`Running::next_change`] looks: an hour.
pub(crate) const CHANGE_HORIZON_NS: u64 = 3_600 * BILLION;

impl ClockState {
    const fn unsynced(offset_ns: i64, drift_ppb: i32) -> Self {
        let (source, quality) = (ClockSource::Unsynced, ClockQuality::Freerun);
        Self { offset_ns, drift_ppb, source, quality, since: None, uncertainty_ns: None }
    }
}

/// What a clock counts while `duration` true nanoseconds pass, rounded down.
const fn counted(duration: u64, drift_ppb: i32) -> u64 {
    if drift_ppb == 0 {
        return duration;
    }
    // By whole seconds and the rest, so that 64 bits are enough and nothing is rounded twice.
    let drift = drift_ppb as i64;
    let seconds = (duration / BILLION) as i64 * drift;
    let rest = ((duration % BILLION) as i64 * drift).div_euclid(BILLION as i64);
    duration.saturating_add_signed(seconds + rest)
}

/// The shortest true duration in which it counts `local` nanoseconds.
fn needed(local: u64, drift_ppb: i32) -> u64 {
    if drift_ppb == 0 {
        return local;
    }
    // floor(x · (1 + drift)) ≥ local exactly when x · (1 + drift) ≥ local.
    let rate = u128::from(BILLION.saturating_add_signed(i64::from(drift_ppb)));
    let needed = (u128::from(local) * u128::from(BILLION)).div_ceil(rate);
    u64::try_from(needed).unwrap_or(u64::MAX)
}

/// As near as 64 bits allow.
fn signed(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
