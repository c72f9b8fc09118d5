//! The oscillator of a clock that is not linear: it wanders, is disciplined, or something befell it.
//!
//! Its rate is constant within a step of [`STEP_NS`] of true time; a fault begins a new piece within
//! one. A piece takes up the count of the one before to the 10⁻¹² of a nanosecond, so it does not
//! matter where pieces begin. The frequency is a random walk: at each step it moves by a normal deviate
//! of wander · √step, hence by one of wander · √t in t seconds (random walk FM; IEEE Std 1139-2022).
//! Deviates are functions of (seed, purpose, number of the step).

use super::servo::{PULSE_NS, Servo};
use super::{BILLION, CHANGE_HORIZON_NS, Clock, ClockFault, ClockState, DRIFT_MAX_PPB, signed};
use crate::draw::{key, link, mix};

/// How long a step is.
pub(super) const STEP_NS: u64 = 10_000_000_000;

/// A step, in seconds.
pub(super) const STEP_S: f64 = 10.0;

/// What rates are in: a part per trillion of a nanosecond per nanosecond.
const PARTS: i64 = 1_000_000_000_000;

/// The fastest or slowest that drift, walk and faults together make it: twice the largest drift.
const RATE_MAX: i64 = 2 * DRIFT_MAX_PPB as i64 * 1_000;

#[derive(Clone, Debug)]
pub(super) struct Oscillator {
    piece: Piece,
    /// By how much the wall clock is ahead of what it counts.
    offset_ns: i64,
    /// Its own drift and that of a fault, in parts per billion.
    drift_ppb: i32,
    fault_ppb: i32,
    /// Of the walk, in parts per billion per √second.
    wander: f64,
    /// How far the frequency has gone, in parts per billion.
    walk: f64,
    seed: u64,
    servo: Option<Servo>,
    /// The last pulse of the receiver before the present piece: the true instant, and by how much the wall
    /// clock was ahead, as the receiver showed it.
    pulse: Option<Pulse>,
}

/// A whole second as a receiver shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// The true instant.
    pub(crate) at: u64,
    /// By how much the wall clock was ahead, with the error of the pulse.
    pub(crate) offset_ns: i64,
}

/// A stretch of true time in which the rate is constant.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u64,
    /// Its first instant that no longer belongs to it.
    end: u64,
    /// What was counted at its start, in nanoseconds and parts of one.
    count: u64,
    parts: i64,
    /// Parts beside the nanosecond that it counts each nanosecond.
    rate: i64,
}

impl Piece {
    /// What is counted at an instant of it.
    fn at(&self, at: u64) -> (u64, i64) {
        let passed = at.saturating_sub(self.start);
        let parts = i128::from(passed) * i128::from(self.rate) + i128::from(self.parts);
        // Steps of realistic clocks stay within 64 bits, whose division is five times as fast.
        let (whole, parts) = match i64::try_from(parts) {
            Ok(parts) => (parts.div_euclid(PARTS), parts.rem_euclid(PARTS)),
            Err(_) => {
                let of = i128::from(PARTS);
                (signed(parts.div_euclid(of)), signed(parts.rem_euclid(of)))
            }
        };
        (self.count.saturating_add(passed).saturating_add_signed(whole), parts)
    }

    /// The first instant of it at which that much is counted, or its end.
    fn when(&self, count: u64) -> u64 {
        let missing = u128::from(count.saturating_sub(self.count)) * u128::from(PARTS.unsigned_abs());
        // floor(parts + x · (1 + rate)) ≥ missing exactly when parts + x · (1 + rate) ≥ missing.
        let missing = missing.saturating_sub(u128::from(self.parts.unsigned_abs()));
        let needed = missing.div_ceil(u128::from((PARTS + self.rate).unsigned_abs()));
        self.start.saturating_add(u64::try_from(needed).unwrap_or(u64::MAX)).min(self.end)
    }
}

impl Oscillator {
    pub(super) fn new(clock: Clock, seed: u64) -> Self {
        let Clock { offset_ns, drift_ppb, wander_ppb, gps } = clock;
        let wander = f64::from(wander_ppb);
        let servo = gps.then(|| Servo::new(wander));
        let piece = Piece { start: 0, end: 0, count: 0, parts: 0, rate: 0 };
        let mut new = Self { piece, offset_ns, drift_ppb, fault_ppb: 0, wander, walk: 0.0, seed, servo, pulse: None };
        new.discipline(0);
        new.begin(0);
        new
    }

    /// What it has counted at an instant, and by how much the wall clock is ahead of that.
    pub(super) fn count(&mut self, at: u64) -> (u64, i64) {
        self.advance(at);
        (self.piece.at(at).0, self.offset_ns)
    }

    /// The first instant at which it has counted so much, or the end of the piece.
    pub(super) fn when(&self, count: u64) -> u64 {
        self.piece.when(count)
    }

    pub(super) fn befall(&mut self, at: u64, fault: ClockFault) {
        self.advance(at);
        self.pulse = self.pulse_at(at);
        match fault {
            ClockFault::Step { by_ns } => self.offset_ns = self.offset_ns.saturating_add(by_ns),
            ClockFault::Drift { ppb } => self.fault_ppb = ppb,
            ClockFault::Gps { present } => {
                if let Some(servo) = &mut self.servo {
                    servo.receive(at, present);
                    // It shows its own pulses only.
                    self.pulse = self.pulse.filter(|_| !present);
                }
            }
        }
        self.begin(at);
    }

    pub(super) fn state(&mut self, at: u64) -> ClockState {
        self.advance(at);
        let error = self.error(at);
        let drift_ppb = i32::try_from((self.piece.rate + 500).div_euclid(1_000)).unwrap_or_default();
        match &self.servo {
            None => ClockState::unsynced(error, drift_ppb),
            Some(servo) => servo.state(at, error, drift_ppb),
        }
    }

    pub(super) fn next_change(&self, at: u64) -> Option<u64> {
        self.servo.as_ref()?;
        let mut ahead = self.clone();
        let quality = ahead.state(at).quality;
        let horizon = at.saturating_add(CHANGE_HORIZON_NS);
        let mut from = at;
        while from < horizon {
            // Within a piece it gets worse at most, and is in the end what it was only if it never changed.
            let last = ahead.piece.end - 1;
            if ahead.state(last).quality != quality {
                return Some(first(from, last, |at| ahead.state(at).quality != quality));
            }
            from = last + 1;
            if ahead.state(from).quality != quality {
                return Some(from);
            }
        }
        None
    }

    /// Lets whole steps pass. It costs as much as there are, whether at once or by and by.
    fn advance(&mut self, at: u64) {
        while at >= self.piece.end && self.piece.end < u64::MAX {
            let at = self.piece.end;
            let step = at / STEP_NS;
            self.pulse = self.pulse_at(at - 1);
            self.walk += self.wander * STEP_S.sqrt() * normal(self.seed ^ key("wander"), step);
            self.discipline(at);
            self.begin(at);
        }
    }

    /// Begins a piece, with the rate that holds now.
    fn begin(&mut self, at: u64) {
        let (count, parts) = self.piece.at(at);
        let steps = self.wander > 0.0 || self.servo.is_some();
        let end = if steps { (at / STEP_NS + 1).saturating_mul(STEP_NS) } else { u64::MAX };
        let correction = self.servo.as_ref().map_or(0.0, Servo::correction);
        let drift = (i64::from(self.drift_ppb) + i64::from(self.fault_ppb)) * 1_000;
        #[expect(clippy::cast_possible_truncation, reason = "it saturates, and is bounded below")]
        let steered = ((self.walk + correction) * 1e3).round() as i64;
        let rate = drift.saturating_add(steered).clamp(-RATE_MAX, RATE_MAX);
        self.piece = Piece { start: at, end, count, parts, rate };
    }

    /// Lets GPS have its way with the wall clock and the frequency.
    fn discipline(&mut self, at: u64) {
        let error = self.error(at);
        if let Some(servo) = &mut self.servo {
            let noise = normal(self.seed ^ key("gps"), at / STEP_NS);
            self.offset_ns = self.offset_ns.saturating_add(servo.sample(at, error, noise));
        }
    }

    /// Whether the receiver, if there is one, has GPS at an instant that it was advanced to, and the last
    /// pulse that it showed.
    pub(super) fn gps(&self, at: u64) -> Option<(bool, Option<Pulse>)> {
        let servo = self.servo.as_ref()?;
        Some((servo.is_present(), self.pulse_at(at)))
    }

    /// The last pulse at an instant of the present piece.
    fn pulse_at(&self, at: u64) -> Option<Pulse> {
        let second = at - at % BILLION;
        if second < self.piece.start || !self.servo.as_ref().is_some_and(Servo::is_present) {
            return self.pulse;
        }
        let noise = PULSE_NS * normal(self.seed ^ key("pulse"), second / BILLION);
        #[expect(clippy::cast_possible_truncation, reason = "a few hundred nanoseconds")]
        let offset_ns = self.error(second).saturating_add(noise.round() as i64);
        Some(Pulse { at: second, offset_ns })
    }

    /// By how much the wall clock is ahead.
    fn error(&self, at: u64) -> i64 {
        signed(i128::from(self.piece.at(at).0) - i128::from(at) + i128::from(self.offset_ns))
    }
}

/// The first instant of `from..=last` from which on something holds; it holds at the last.
fn first(mut from: u64, mut last: u64, mut holds: impl FnMut(u64) -> bool) -> u64 {
    while from < last {
        let middle = from + (last - from) / 2;
        if holds(middle) {
            last = middle;
        } else {
            from = middle + 1;
        }
    }
    last
}

/// A normal deviate of mean 0 and deviation 1 (Box and Muller, Ann. Math. Stat. 29, 1958): a function of
/// its arguments, at most 8.6, and the same on every platform.
pub(super) fn normal(stream: u64, number: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let unit = |number: u64| (link(mix(stream), number) >> 11) as f64 * UNIT;
    let number = number.wrapping_mul(2);
    let (radius, turn) = (1.0 - unit(number), unit(number.wrapping_add(1)));
    (-2.0 * libm::log(radius)).sqrt() * libm::cos(turn * std::f64::consts::TAU)
}
