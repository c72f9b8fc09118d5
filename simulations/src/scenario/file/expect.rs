//! What is expected, as it is written down.

use std::borrow::Cow;
use std::fmt;

use nunect_core::{Health, Period};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Names;
use crate::checker::compare::{Compare, Count, Share, Span};

/// An expectation: exactly one of `always`, `within` a time with what to `see`, `eventually` and
/// `sometimes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExpectEntry {
    /// A name, for the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// At every instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) always: Option<AlwaysEntry>,
    /// Not later than this after `after`, or after the beginning of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) within: Option<Period>,
    /// What starts the time: each time that it happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<AfterEntry>,
    /// What must be seen by then: an event, on each of its nodes, about each of its units; or a state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) see: Option<SightEntry>,
    /// What must be the same as in the event that started the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) same: Option<SameEntry>,
    /// An event that must happen before the run ends, on each of its nodes, about each of its units; or
    /// a state that must be reached at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) eventually: Option<SightEntry>,
    /// What some runs must show, with one seed or another; a run that does not has not failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sometimes: Option<SightEntry>,
}

/// What is so at every instant: exactly one of `without` and `hold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlwaysEntry {
    /// The event that must not be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) without: Option<FilterEntry>,
    /// The state that must hold whenever it is looked at, which is once a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<SightEntry>,
    /// From when on; the beginning of the run if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<Period>,
    /// Until when; the end of the run if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Period>,
}

/// What starts a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SameEntry {
    /// The node.
    Node,
    /// The node and the actor.
    Actor,
}

/// Which events are meant: the name alone, or with what must be true of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FilterEntry {
    pub(crate) event: String,
    pub(crate) nodes: Option<Names>,
    pub(crate) actor: Option<String>,
    pub(crate) about: Option<Names>,
}

/// Which events are meant; what is not given may be anything.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongFilter {
    /// The name of the event; `custom:NAME` for events of your own actors.
    event: String,
    /// The nodes that it happens on.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Names>,
    /// The actor that it happens to.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// The units that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<Names>,
}

/// An event or a state: an event's name alone, or a map with `event`, `unit`, `nodes`, `mailbox`,
/// `supervisor` or `delivery`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LongSight {
    /// The name of an event; `custom:NAME` for events of your own actors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    /// Nodes: those that an event happens on, or those that are `up`, `connected` or of a `health`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<Names>,
    /// The actor that an event happens to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
    /// The units that an event is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<Names>,
    /// Units, as those see them that monitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<Names>,
    /// How `unit` is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is: Option<StandingEntry>,
    /// By which nodes `unit` is seen so: by each that runs; all that monitor if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seen_by: Option<Names>,
    /// Whether `nodes` run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) up: Option<bool>,
    /// Whether `nodes` are connected to the bus, as they believe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connected: Option<bool>,
    /// How `nodes` do; OFFLINE when they do not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub(crate) health: Option<Health>,
    /// Mailboxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mailbox: Option<MailboxEntry>,
    /// Supervisors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) supervisor: Option<SupervisorEntry>,
    /// What becomes of messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delivery: Option<DeliveryEntry>,
}

/// An event or a state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SightEntry(pub(crate) Box<LongSight>);

/// How a unit is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum StandingEntry {
    /// Heard of, and not OFFLINE.
    Online,
    /// Fully operational.
    Ok,
    /// With reduced functionality.
    Degraded,
    /// With core functions failing.
    Critical,
    /// Gone.
    Offline,
    /// Never heard of.
    Unknown,
}

/// Mailboxes of actors, on those nodes that run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MailboxEntry {
    /// The nodes; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<Names>,
    /// The actor; each if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
    /// Messages that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) depth: Option<Compare<Count>>,
    /// Messages lost because it was full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<Compare<Count>>,
    /// Messages set aside after two crashes on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quarantined: Option<Compare<Count>>,
}

/// Restarts of actors, on those nodes that run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SupervisorEntry {
    /// The nodes; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<Names>,
    /// The actor; all of a node together if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
    /// How often they were restarted since their node started.
    pub(crate) restarts: Compare<Count>,
}

/// What becomes of messages that nodes publish: each is expected once at every other node of `to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveryEntry {
    /// The subjects of the messages; wildcards are allowed.
    pub(crate) subject: String,
    /// The nodes that publish; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<Names>,
    /// The nodes that are to receive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<Names>,
    /// The part of what is expected that arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) share: Option<Compare<Share>>,
    /// The number of messages that are expected and do not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<Compare<Count>>,
    /// How long those take that arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<LatencyEntry>,
}

/// How long messages take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LatencyEntry {
    /// Half of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50: Option<Compare<Span>>,
    /// 95 % of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p95: Option<Compare<Span>>,
    /// 99 % of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99: Option<Compare<Span>>,
    /// All of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<Compare<Span>>,
}

impl Serialize for FilterEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, nodes, actor, about } = self.clone();
        match (&nodes, &actor, &about) {
            (None, None, None) => event.serialize(serializer),
            (_, _, _) => LongFilter { event, nodes, actor, about }.serialize(serializer),
        }
    }
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
                Ok(FilterEntry { event: event.to_owned(), ..FilterEntry::default() })
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

impl Serialize for SightEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.event {
            Some(event) if *self.0 == LongSight { event: Some(event.clone()), ..LongSight::default() } => {
                event.serialize(serializer)
            }
            Some(_) | None => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SightEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SightVisitor;
        impl<'de> Visitor<'de> for SightVisitor {
            type Value = SightEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an event, or a map with `event` or a state")
            }
            fn visit_str<E>(self, event: &str) -> Result<SightEntry, E> {
                let event = Some(event.to_owned());
                Ok(SightEntry(Box::new(LongSight { event, ..LongSight::default() })))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SightEntry, A::Error> {
                LongSight::deserialize(MapAccessDeserializer::new(map)).map(|long| SightEntry(Box::new(long)))
            }
        }
        deserializer.deserialize_any(SightVisitor)
    }
}

impl JsonSchema for SightEntry {
    fn schema_name() -> Cow<'static, str> {
        "Sight".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<LongSight>();
        json_schema!({ "anyOf": [{ "type": "string", "description": "the name of an event" }, long] })
    }
}
