//! Random faults and their end, as they are written down.

use nunect_core::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KindName;
use crate::scenario::file::Names;

/// Faults that the seed draws: it switches some of the kinds off, and draws for each of the others how
/// often it strikes, how many nodes, how hard and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwarmEntry {
    /// From when on; without it, from when the nodes have started.
    pub(crate) from: Option<Period>,
    /// Until when; without it, until the liveness phase.
    pub(crate) until: Option<Period>,
    /// About how long it takes from one fault of a kind to the next: each seed draws for each kind from
    /// half of it to twice as long.
    pub(crate) every: Period,
    /// The longest that a fault lasts.
    #[serde(default = "longest")]
    pub(crate) longest: Period,
    /// The kinds that may strike; without it, all that the world knows.
    pub(crate) kinds: Option<Vec<KindName>>,
    /// The nodes that they may befall; without it, all.
    pub(crate) nodes: Option<Names>,
}

const fn longest() -> Period {
    Period::from_secs(30)
}

/// When all faults end, and how soon all must be well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LivenessEntry {
    /// At this time every fault ends, and nodes and servers that are down come back.
    pub(crate) at: Period,
    /// So long after, every unit must be up, connected, OK and seen by every monitor, and must remain so.
    pub(crate) within: Period,
}
