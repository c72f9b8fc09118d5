//! What people and devices send, as it is written down.

use nunect_core::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Names;
use crate::delay::Delay;

/// What some nodes send beside what their actors do: exactly one of `talk` and `telemetry`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficEntry {
    /// What its actors are called; `talk` and its number if not given.
    pub(crate) name: Option<String>,
    /// People who talk now and then: spurts of voice frames.
    pub(crate) talk: Option<TalkEntry>,
    /// Devices that measure something again and again.
    pub(crate) telemetry: Option<TelemetryEntry>,
}

/// A talk group.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TalkEntry {
    /// The group; what is said goes to `com.sim.radio.{unit}.{group}.voice`.
    #[serde(default = "group")]
    pub(crate) group: String,
    /// The nodes whose users talk.
    pub(crate) talkers: Names,
    /// The nodes whose users listen; all if not given.
    pub(crate) listeners: Option<Names>,
    /// From one frame of a spurt to the next.
    #[serde(default = "frame")]
    pub(crate) frame: Period,
    /// Bytes of a frame.
    #[serde(default = "payload")]
    pub(crate) payload: u32,
    /// How long somebody talks.
    #[serde(default = "spurt")]
    pub(crate) spurt: Delay,
    /// How long somebody is silent between two spurts.
    #[serde(default = "silence")]
    pub(crate) silence: Delay,
}

/// Measurements.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelemetryEntry {
    /// The group; measurements go to `com.sim.radio.{unit}.{group}.data`.
    #[serde(default = "group")]
    pub(crate) group: String,
    /// The nodes that measure.
    pub(crate) from: Names,
    /// The nodes that want to know; all if not given.
    pub(crate) to: Option<Names>,
    /// From one measurement to the next.
    #[serde(default = "every")]
    pub(crate) every: Delay,
    /// Bytes of a measurement.
    #[serde(default = "payload")]
    pub(crate) payload: u32,
}

fn group() -> String {
    "all".to_owned()
}

const fn frame() -> Period {
    Period::from_millis(20)
}

/// G.711 in 20 ms: 160 bytes.
const fn payload() -> u32 {
    160
}

/// Brady's measurements of two-way speech, as ITU-T P.59 uses them: spurts of 1.004 s in the mean.
const fn spurt() -> Delay {
    Delay::Exponential(Period::from_millis(1_004))
}

/// The pauses of ITU-T P.59: 1.587 s in the mean.
const fn silence() -> Delay {
    Delay::Exponential(Period::from_millis(1_587))
}

const fn every() -> Delay {
    Delay::Fixed(Period::from_secs(1))
}
