//! How many crashes are too many.

use std::collections::VecDeque;

use nunect_core::{Mono, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many crashes a supervisor copes with: one more within any window of `period` escalates.
///
/// Both ends belong to the window, as in OTP: two crashes exactly one period apart share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Intensity {
    /// Crashes that are answered with a restart.
    pub crashes: u32,
    /// The window.
    pub period: Period,
}

impl Default for Intensity {
    /// 5 crashes in 30 s (protocol, section 6).
    fn default() -> Self {
        Self { crashes: 5, period: Period::from_secs(30) }
    }
}

/// The charged crashes of the last period. Never holds more than `crashes + 1`: then it is over.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) intensity: Intensity,
    crashes: VecDeque<Mono>,
}

impl Window {
    pub(crate) const fn new(intensity: Intensity) -> Self {
        Self { intensity, crashes: VecDeque::new() }
    }

    /// Charges a crash; returns how many there are in the window that ends `now`.
    pub(crate) fn charge(&mut self, now: Mono) -> u32 {
        self.crashes.push_back(now);
        while self.crashes.front().is_some_and(|crash| now.since(*crash) > self.intensity.period.0) {
            self.crashes.pop_front();
        }
        u32::try_from(self.crashes.len()).unwrap_or(u32::MAX)
    }
}
