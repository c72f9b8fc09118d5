//! What a run came to.

use std::time::Duration;

use nunect_core::{Health, UnitId};
use serde::{Serialize, Serializer};

use crate::checker::{FailureKey, Judgement, Verdict};
use crate::latency::FamilyLatency;
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
    /// What became of each expectation; after them, what was broken of the laws that hold in every run.
    pub expectations: Vec<Verdict>,
    /// How long messages took, by family, when the run was told to keep that.
    pub latency: Option<Vec<FamilyLatency>>,
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

    /// What failed first, in words that are the same in every run in which the same fails.
    #[must_use]
    pub fn failure(&self) -> Option<FailureKey> {
        let broken = self.expectations.iter().filter_map(|verdict| match &verdict.judgement {
            Judgement::Broken { at, .. } => Some((at, verdict)),
            Judgement::Met { .. } | Judgement::Untried { .. } | Judgement::Unmet { .. } => None,
        });
        broken.min_by_key(|(at, _)| *at).and_then(|(_, verdict)| verdict.failure())
    }

    /// The names of what it showed of that which runs should show `sometimes`.
    pub fn seen(&self) -> impl Iterator<Item = &str> {
        let sometimes = self.expectations.iter().filter(|verdict| verdict.sometimes);
        sometimes.filter(|verdict| !verdict.judgement.is_unmet()).map(|verdict| verdict.name.as_str())
    }

    /// The names of what it did not show of that. A scenario is weak when no run of it shows one.
    pub fn unseen(&self) -> impl Iterator<Item = &str> {
        let unmet = self.expectations.iter().filter(|verdict| verdict.judgement.is_unmet());
        unmet.map(|verdict| verdict.name.as_str())
    }

    /// Whether it left out anything that runs should show `sometimes`.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.unseen().next().is_some()
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
