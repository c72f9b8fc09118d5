//! A scenario as it is written down.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use nunect_core::{Period, Role};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::clock::config::ClocksConfig;
use crate::delay::Delay;
use crate::world::flat::FlatConfig;
use crate::world::layered::LayeredConfig;

mod expect;
pub(crate) mod faults;
mod traffic;

pub(crate) use expect::{
    AfterEntry, AlwaysEntry, DeliveryEntry, ExpectEntry, FilterEntry, LatencyEntry, LongSight, MailboxEntry, SameEntry,
    SightEntry, StandingEntry, SupervisorEntry,
};
pub(crate) use faults::{FaultEntry, LivenessEntry, SwarmEntry};
pub(crate) use traffic::{TalkEntry, TelemetryEntry, TrafficEntry};

/// Reads a file: the one place of the crate that touches the file system.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

/// A scenario: which nodes there are, what befalls them, and what is expected of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "nunect scenario")]
pub(crate) struct ScenarioFile {
    /// Its name.
    pub(crate) name: String,
    /// What it is about, in a sentence.
    #[serde(default)]
    pub(crate) about: String,
    /// What everything random grows from, unless the command line gives another.
    #[serde(default = "one")]
    pub(crate) seed: u64,
    /// How much time it simulates.
    pub(crate) duration: Period,
    /// The actors of every node, as in a node's configuration.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Value>")]
    pub(crate) actors: Actors,
    /// The nodes, in groups.
    pub(crate) nodes: Vec<Group>,
    /// How the nodes start.
    #[serde(default)]
    pub(crate) boot: Boot,
    /// How wrong the clocks of the nodes are.
    #[serde(default)]
    pub(crate) clocks: ClocksConfig,
    /// What lies between the nodes.
    #[serde(default)]
    pub(crate) world: World,
    /// What people and devices send beside what the actors do.
    #[serde(default)]
    pub(crate) traffic: Vec<TrafficEntry>,
    /// How long actors of a kind work on one message; no time at all if not given.
    #[serde(default)]
    pub(crate) service: BTreeMap<String, Delay>,
    /// What befalls the nodes.
    #[serde(default)]
    pub(crate) faults: Vec<FaultEntry>,
    /// What befalls them beside, as the seed draws it.
    pub(crate) swarm: Option<SwarmEntry>,
    /// When all that befalls them ends, and they must recover.
    pub(crate) liveness: Option<LivenessEntry>,
    /// What is expected of them.
    #[serde(default)]
    pub(crate) expect: Vec<ExpectEntry>,
    /// Errors that are no surprise: any other that no fault explains fails the run.
    #[serde(default)]
    pub(crate) expect_errors: Vec<FilterEntry>,
}

const fn one() -> u64 {
    1
}

/// Actors by name, with their options.
pub(crate) type Actors = serde_json::Map<String, Value>;

/// One node, or several that are alike: `{ name: master }` or `{ prefix: n, count: 100 }`, whose
/// nodes are `n000` to `n099`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// The unit ID of a single node.
    pub(crate) name: Option<String>,
    /// What the unit IDs of several nodes begin with.
    pub(crate) prefix: Option<String>,
    /// How many there are; their numbers begin with 0 and are as long as this.
    pub(crate) count: Option<u32>,
    /// What they are for.
    #[serde(default)]
    pub(crate) role: Role,
    /// Actors beside, or in place of, those of every node.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Value>")]
    pub(crate) actors: Actors,
    /// How wrong their clocks are, in place of what holds for every node.
    pub(crate) clocks: Option<ClocksConfig>,
}

/// How nodes start.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Boot {
    /// Each node starts at a time drawn from the beginning to this.
    pub(crate) spread: Period,
}

/// What lies between the nodes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum World {
    /// One perfect server, with delays drawn from end to end.
    Flat(FlatConfig),
    /// A radio mesh, connections over it, and NATS servers on the nodes.
    Layered(Box<LayeredConfig>),
}

impl Default for World {
    fn default() -> Self {
        Self::Flat(FlatConfig::default())
    }
}

/// Names of nodes: one pattern or a list of them. A pattern is a unit ID, a unit ID with `*` for any
/// characters, a range `n000..n049`, or `not` and one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [name] => name.serialize(serializer),
            names => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;
        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = Names;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a node, or a list of names")
            }
            fn visit_str<E>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(NamesVisitor)
    }
}

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "unit IDs, with * for any characters, ranges such as n000..n049, and `not` before what is left out",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
        })
    }
}

/// How fast or slow a clock is: `20ppm` or `500ppb`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub(crate) struct Drift {
    pub(crate) ppb: u32,
}

impl FromStr for Drift {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no drift; write 20ppm or 500ppb");
        let parse = |number: &str, unit: u32| number.trim().parse::<u32>().ok()?.checked_mul(unit);
        let ppm = text.strip_suffix("ppm").and_then(|number| parse(number, 1_000));
        let ppb = text.strip_suffix("ppb").and_then(|number| parse(number, 1));
        Ok(Self { ppb: ppm.or(ppb).ok_or_else(wrong)? })
    }
}

impl From<Drift> for String {
    fn from(drift: Drift) -> Self {
        format!("{}ppb", drift.ppb)
    }
}

impl<'de> Deserialize<'de> for Drift {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Drift {
    fn schema_name() -> Cow<'static, str> {
        "Drift".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "parts per million or billion, such as 20ppm",
            "pattern": "^\\d+\\s*pp[mb]$",
        })
    }
}
