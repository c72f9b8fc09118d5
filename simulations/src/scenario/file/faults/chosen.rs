//! Nodes that a fault befalls: named, or some that the seed draws.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::amounts::Share;
use crate::scenario::file::Names;

/// Nodes: by name, or some of those with such names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Chosen {
    Names(Names),
    Any(AnyOf),
}

/// Some nodes that the seed draws, anew each time that the fault strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnyOf {
    /// How many.
    pub(crate) any: Amount,
    /// Of which.
    pub(crate) of: Names,
}

/// A number, or a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    Count(u32),
    Share(Share),
}

impl Chosen {
    /// All nodes that it may mean.
    pub(crate) const fn names(&self) -> &Names {
        match self {
            Self::Names(names) => names,
            Self::Any(any) => &any.of,
        }
    }
}

impl Amount {
    /// How many of `all` that is, at least one.
    pub(crate) fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX).min(all),
            Self::Share(share) => {
                let parts = u64::from(share.ppm).saturating_mul(u64::try_from(all).unwrap_or(u64::MAX));
                usize::try_from(parts.div_ceil(1_000_000)).unwrap_or(usize::MAX).max(1)
            }
        }
    }
}

impl Serialize for Chosen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Names(names) => names.serialize(serializer),
            Self::Any(any) => any.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Chosen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChosenVisitor;
        impl<'de> Visitor<'de> for ChosenVisitor {
            type Value = Chosen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a node, a list of names, or `{ any: 1, of: NAMES }`")
            }
            fn visit_str<E>(self, name: &str) -> Result<Chosen, E> {
                Ok(Chosen::Names(Names(vec![name.to_owned()])))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Chosen, A::Error> {
                Names::deserialize(SeqAccessDeserializer::new(items)).map(Chosen::Names)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Chosen, A::Error> {
                AnyOf::deserialize(MapAccessDeserializer::new(map)).map(Chosen::Any)
            }
        }
        deserializer.deserialize_any(ChosenVisitor)
    }
}

impl JsonSchema for Chosen {
    fn schema_name() -> Cow<'static, str> {
        "Chosen".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = generator.subschema_for::<Names>();
        let any = generator.subschema_for::<AnyOf>();
        json_schema!({ "anyOf": [names, any] })
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => count.serialize(serializer),
            Self::Share(share) => share.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;
        impl Visitor<'_> for AmountVisitor {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 3, or a share such as 30%")
            }
            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<Amount, E> {
                u32::try_from(count).map(Amount::Count).map_err(|_| E::custom("more than there can be"))
            }
            fn visit_str<E: serde::de::Error>(self, share: &str) -> Result<Amount, E> {
                share.parse().map(Amount::Share).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(AmountVisitor)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let share = generator.subschema_for::<Share>();
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, share] })
    }
}
