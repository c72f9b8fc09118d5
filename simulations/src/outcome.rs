//! What a run came to.

use std::time::Duration;

use nunect_core::{Health, UnitId};
use serde::{Serialize, Serializer};

use crate::checker::Verdict;
use crate::trace::TraceHash;
use crate::witness::Counters;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The seed that everything random grew from.
    pub seed: u64,
    /// How much time was simulated.
    #[serde(serialize_with = "seconds")]
    pub simulated: Duration,
    /// Equal for equal runs.
    pub hash: TraceHash,
    /// Records in the trace.
    pub records: u64,
    /// What was seen, in numbers.
    pub counters: Counters,
    /// What became of each expectation.
    pub expectations: Vec<Verdict>,
    /// Every node at the end.
    pub units: Vec<UnitState>,
    /// The command that repeats this run.
    pub replay: String,
}

impl Outcome {
    /// Whether no expectation was broken.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.expectations.iter().all(|verdict| !verdict.judgement.is_broken())
    }
}

/// A node at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnitState {
    /// Which.
    pub unit: UnitId,
    /// Whether it runs.
    pub up: bool,
    /// Whether it is connected to the bus, as it believes.
    pub connected: bool,
    /// How it does; OFFLINE when it does not run.
    pub health: Health,
    /// Restarts of its actors in its present run.
    pub restarts: u32,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
