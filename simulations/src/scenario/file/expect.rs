//! What is expected, as it is written down.

use std::borrow::Cow;
use std::fmt;

use nunect_core::Period;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::Names;

/// An expectation: `always` with what must not be seen, or `within` a time with what to `see`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectEntry {
    /// A name, for the report.
    pub(crate) name: Option<String>,
    /// At every instant.
    pub(crate) always: Option<AlwaysEntry>,
    /// Not later than this after `after`, or after the beginning of the run.
    pub(crate) within: Option<Period>,
    /// What starts the time: each time that it happens.
    pub(crate) after: Option<AfterEntry>,
    /// What must be seen by then: on each of its nodes, about each of its units.
    pub(crate) see: Option<FilterEntry>,
    /// What must be the same as in the event that started the time.
    pub(crate) same: Option<SameEntry>,
}

/// What holds at every instant.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlwaysEntry {
    /// What must not be seen.
    pub(crate) without: FilterEntry,
    /// From when on; the beginning of the run if not given.
    pub(crate) from: Option<Period>,
    /// Until when; the end of the run if not given.
    pub(crate) until: Option<Period>,
}

/// What starts a time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AfterEntry {
    /// The fault of this name strikes.
    Fault(String),
    /// The fault of this name is over.
    EndOf(String),
    /// An event is seen.
    Seen(FilterEntry),
}

/// What must be the same.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SameEntry {
    /// The node.
    Node,
    /// The node and the actor.
    Actor,
}

/// Which events are meant: the name alone, or with what must be true of them.
#[derive(Clone, Debug)]
pub(crate) struct FilterEntry {
    pub(crate) event: String,
    pub(crate) nodes: Option<Names>,
    pub(crate) actor: Option<String>,
    pub(crate) about: Option<Names>,
}

/// Which events are meant; what is not given may be anything.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongFilter {
    /// The name of the event; `custom:NAME` for events of your own actors.
    event: String,
    /// The nodes that it happens on.
    nodes: Option<Names>,
    /// The actor that it happens to.
    actor: Option<String>,
    /// The units that it is about.
    about: Option<Names>,
}

impl<'de> Deserialize<'de> for FilterEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FilterVisitor;
        impl<'de> Visitor<'de> for FilterVisitor {
            type Value = FilterEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an event, or a map with `event`")
            }
            fn visit_str<E>(self, event: &str) -> Result<FilterEntry, E> {
                Ok(FilterEntry { event: event.to_owned(), nodes: None, actor: None, about: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FilterEntry, A::Error> {
                let LongFilter { event, nodes, actor, about } =
                    LongFilter::deserialize(MapAccessDeserializer::new(map))?;
                Ok(FilterEntry { event, nodes, actor, about })
            }
        }
        deserializer.deserialize_any(FilterVisitor)
    }
}

impl JsonSchema for FilterEntry {
    fn schema_name() -> Cow<'static, str> {
        "Filter".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<LongFilter>();
        json_schema!({ "anyOf": [{ "type": "string", "description": "the name of an event" }, long] })
    }
}
