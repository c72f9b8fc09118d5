//! What GPS does to a clock: measures it once a step, and steers it.
//!
//! A pulse shows the offset with an error of 30 ns. The servo is of the first order: it takes out the
//! frequency error that it has estimated, and the offset with a time constant of 20 s,
//! `offset(t) = offset(0) · e^(−t/20 s)`. It estimates the frequency by a Kalman filter with one state
//! (R. G. Brown and P. Hwang, Introduction to Random Signals and Applied Kalman Filtering, 4th ed.,
//! section 4.2): the oscillator's walk is the noise of the process, two pulses make the noise of the
//! measurement. Without GPS the estimate stays: holdover.
//!
//! The error of the frequency has the variance `P` that the filter says, and walks on by `w` per
//! √second. So after `t` seconds without a pulse the wall clock is wrong by at most
//!
//! ```text
//! |offset left| + 4 · (30 ns + √(P · t² + w² · t³ / 3))
//! ```
//!
//! the last term being the variance of an integrated random walk. With 4 deviations that covers more
//! than the 99.9 % that tests demand.

use nunect_core::protocol::header::{ClockQuality, ClockSource};

use super::ClockState;
use super::oscillator::{STEP_NS, STEP_S};

/// The error of a pulse: u-blox NEO-M8 data sheet, "accuracy of time pulse signal, RMS".
pub(super) const PULSE_NS: f64 = 30.0;

/// In which the servo takes out an offset, but for 1/e of it.
const TIME_CONSTANT_S: f64 = 20.0;

/// Beyond this the wall clock is stepped, not steered: ptp4l's `first_step_threshold`.
const STEP_BEYOND_NS: f64 = 20_000.0;

/// The servo takes no oscillator for steadier than this, in ppb per √second, so that it always learns.
const WANDER_MIN: f64 = 1.0;

/// A frequency off by more than this many deviations was not measured right, or is a new one.
const OUTLIER: f64 = 6.0;

/// The variance of a frequency that nothing is known of, in ppb²: 2 % is possible.
const UNKNOWN: f64 = FREQUENCY_MAX * FREQUENCY_MAX;

/// More than this, in ppb, no oscillator is off: it was the wall clock that jumped.
const FREQUENCY_MAX: f64 = 2e7;

/// The deviations that the uncertainty covers.
const COVERED: f64 = 4.0;

/// How long a node goes by what it had: protocol, section 4, `holdover_max`.
const HOLDOVER_MAX_NS: u64 = 600_000_000_000;

/// The limits of the qualities in nanoseconds: protocol, section 4.
const LOCKED_NS: f64 = 1_000.0;
const TRACKING_NS: f64 = 100_000.0;
const HOLDOVER_NS: f64 = 10_000_000.0;

#[derive(Clone, Debug)]
pub(super) struct Servo {
    present: bool,
    /// The walk that it reckons with, in ppb per √second.
    wander: f64,
    last: Option<Sample>,
    /// Whether it has steered from the last sample to now.
    steers: bool,
    /// Until when it did.
    had: u64,
    /// What it takes the drift of the oscillator for, in ppb, and how sure it is for the present step.
    frequency: f64,
    variance: f64,
    /// What it adds to the frequency, in ppb.
    correction: f64,
}

/// An offset as it was measured.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: u64,
    measured: f64,
    /// What of it was not taken out by a step of the wall clock.
    left: f64,
}

impl Servo {
    pub(super) fn new(wander: f64) -> Self {
        Self {
            present: true,
            wander: wander.max(WANDER_MIN),
            last: None,
            steers: false,
            had: 0,
            frequency: 0.0,
            variance: UNKNOWN,
            correction: 0.0,
        }
    }

    /// Whether GPS is there.
    pub(super) const fn is_present(&self) -> bool {
        self.present
    }

    pub(super) const fn correction(&self) -> f64 {
        self.correction
    }

    /// GPS is there from now on, which the next step shows, or no more.
    pub(super) const fn receive(&mut self, at: u64, present: bool) {
        self.present = present;
        if !present && self.steers {
            self.steers = false;
            self.had = at;
            self.correction = -self.frequency;
        }
    }

    /// Measures at the beginning of a step, if GPS is there: the offset is `error`, the error of the
    /// pulse `noise` deviations. Returns by how much the wall clock is stepped.
    pub(super) fn sample(&mut self, at: u64, error: i64, noise: f64) -> i64 {
        if !self.present {
            return 0;
        }
        #[expect(clippy::cast_precision_loss, reason = "exact up to 104 days")]
        let measured = error as f64 + PULSE_NS * noise;
        self.learn(at, measured);
        #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
        let stepped = if measured.abs() > STEP_BEYOND_NS { -measured.round() as i64 } else { 0 };
        let left = if stepped == 0 { measured } else { 0.0 };
        let taken_out = 1.0 - libm::exp(-STEP_S / TIME_CONSTANT_S);
        self.correction = -self.frequency - left * taken_out / STEP_S;
        self.last = Some(Sample { at, measured, left });
        self.steers = true;
        stepped
    }

    /// Learns the frequency from two samples, if it has steered from the one to the other.
    fn learn(&mut self, at: u64, measured: f64) {
        let Some(last) = self.last else { return };
        let walk = self.wander * self.wander * STEP_S;
        if !self.steers {
            self.variance += walk * seconds(at - last.at) / STEP_S;
            return;
        }
        let surprise = (measured - last.left) / STEP_S - self.correction - self.frequency;
        let noise = 2.0 * PULSE_NS * PULSE_NS / (STEP_S * STEP_S);
        let expected = self.variance + noise;
        if surprise.abs() > FREQUENCY_MAX || surprise * surprise > OUTLIER * OUTLIER * expected {
            // A jump of the wall clock is forgotten after this step, a new drift is learned from the next.
            self.variance = UNKNOWN;
            return;
        }
        let gain = self.variance / expected;
        self.frequency += gain * surprise;
        self.variance = (1.0 - gain) * self.variance + walk;
    }

    pub(super) fn state(&self, at: u64, offset_ns: i64, drift_ppb: i32) -> ClockState {
        let quality = self.quality(at);
        let source = match quality {
            ClockQuality::Freerun => ClockSource::Unsynced,
            ClockQuality::Locked | ClockQuality::Tracking | ClockQuality::Acquiring => ClockSource::Gps,
        };
        let since = Some(if self.steers { at } else { self.had });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and is positive")]
        let uncertainty_ns = self.uncertainty(at).map(|uncertainty| uncertainty.ceil() as u64);
        ClockState { offset_ns, drift_ppb, source, quality, since, uncertainty_ns }
    }

    fn quality(&self, at: u64) -> ClockQuality {
        let (Some(last), Some(uncertainty)) = (self.last, self.uncertainty(at)) else {
            return ClockQuality::Freerun;
        };
        let classed_by = if self.steers { last.measured.abs() } else { uncertainty };
        let over = !self.steers && (at.saturating_sub(self.had) >= HOLDOVER_MAX_NS || uncertainty >= HOLDOVER_NS);
        if over {
            ClockQuality::Freerun
        } else if self.steers && self.variance >= UNKNOWN {
            // As a PTP port that is not yet calibrated.
            ClockQuality::Acquiring
        } else if self.steers && classed_by < LOCKED_NS {
            ClockQuality::Locked
        } else if classed_by < TRACKING_NS {
            ClockQuality::Tracking
        } else {
            ClockQuality::Acquiring
        }
    }

    /// By how much the wall clock may be wrong, in nanoseconds.
    fn uncertainty(&self, at: u64) -> Option<f64> {
        let last = self.last?;
        let t = seconds(at.saturating_sub(last.at));
        let walked = self.wander * self.wander * t * t * t / 3.0;
        Some(last.left.abs() + COVERED * (PULSE_NS + (self.variance * t * t + walked).sqrt()))
    }
}

fn seconds(nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 104 days")]
    let nanos = nanos as f64;
    nanos / (STEP_NS as f64 / STEP_S)
}
