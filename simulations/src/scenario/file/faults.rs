//! What befalls nodes, as it is written down.

use nunect_core::Period;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Names;

/// Something that befalls nodes: exactly one of `partition`, `crash`, `stop` and `panic`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultEntry {
    /// When, from the beginning of the run.
    pub(crate) at: Period,
    /// A name, so that expectations can refer to it.
    pub(crate) name: Option<String>,
    /// The nodes cannot reach the server: what is sent to them or by them is lost.
    pub(crate) partition: Option<Outage>,
    /// The nodes go down as if their processes were killed.
    pub(crate) crash: Option<Outage>,
    /// The nodes stop as an operator stops them: their actors say goodbye.
    pub(crate) stop: Option<Outage>,
    /// An actor of the nodes panics.
    pub(crate) panic: Option<PanicEntry>,
}

/// Which nodes, and for how long.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outage {
    /// The nodes.
    pub(crate) nodes: Names,
    /// Until all is well again; without it, until the end of the run.
    #[serde(rename = "for")]
    pub(crate) lasting: Option<Period>,
}

/// Which actor.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PanicEntry {
    /// The nodes.
    pub(crate) nodes: Names,
    /// The actor.
    pub(crate) actor: String,
}
