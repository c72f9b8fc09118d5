//! Quantities of radio engineering as people write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use nunect_core::Period;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Bits per second: `2mbit`, `500kbit`, `9600bit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) u64);

/// A share in percent, as it was written: `1%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percent(pub(crate) f64);

/// A ratio in dB: `4dB`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Decibels(pub(crate) f64);

/// A power in dBm: `20dBm`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dbm(pub(crate) f64);

const RATES: [(&str, u64); 4] = [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];

/// The finite number before one of `units`.
fn number(text: &str, units: &[&str]) -> Option<f64> {
    let number = units.iter().find_map(|unit| {
        let at = text.len().checked_sub(unit.len())?;
        let (number, end) = text.split_at_checked(at)?;
        end.eq_ignore_ascii_case(unit).then(|| number.trim())
    })?;
    number.parse().ok().filter(|number: &f64| number.is_finite())
}

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no rate; write 2mbit or 500kbit, which are bits per second");
        let bits = text.strip_suffix("/s").unwrap_or(text);
        let found = RATES.iter().find_map(|&(unit, factor)| Some(number(bits, &[unit])? * factor as f64));
        // Up to 2^53 every whole number is one.
        let whole = found.filter(|rate| (0.0..9e15).contains(rate) && rate.fract() == 0.0);
        whole.map(|rate| Self(rate as u64)).ok_or_else(wrong)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = RATES.iter().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        let (unit, factor) = fits.unwrap_or(&("bit", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Percent {
    pub(crate) fn share(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        number(text, &["%"]).map(Self).ok_or_else(|| format!("`{text}` is no share; write 1% or 0.5%"))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Decibels {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        number(text, &["dBi", "dB"]).map(Self).ok_or_else(|| format!("`{text}` is no ratio; write 4dB"))
    }
}

impl fmt::Display for Decibels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}dB", self.0)
    }
}

impl FromStr for Dbm {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        number(text, &["dBm"]).map(Self).ok_or_else(|| format!("`{text}` is no power; write 20dBm"))
    }
}

impl fmt::Display for Dbm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}dBm", self.0)
    }
}

/// Reads, writes and describes what is written as a string.
macro_rules! written {
    ($($type:ident: $description:literal, $pattern:literal;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($description)
                    }
                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description, "pattern": $pattern })
            }
        }
    )*};
}

written! {
    Rate: "bits per second with their unit, such as 2mbit or 500kbit", r"^\d+(\.\d+)?\s*([kKmMgG])?[bB][iI][tT](/s)?$";
    Percent: "a share in percent, such as 1%", r"^\d+(\.\d+)?\s*%$";
    Decibels: "a ratio in dB, such as 4dB", r"^[-+]?\d+(\.\d+)?\s*[dD][bB][iI]?$";
    Dbm: "a power in dBm, such as 20dBm", r"^[-+]?\d+(\.\d+)?\s*[dD][bB][mM]$";
}

/// What is added to the delay of each packet: `1ms` is anything up to that, each as likely;
/// `{ exponential: 1ms }` is that in the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jitter {
    Uniform(Period),
    Exponential(Period),
}

/// The long form of [`Jitter`].
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LongJitter {
    /// From nothing to this, each as likely.
    Uniform(Period),
    /// Exponentially distributed with this mean.
    Exponential(Period),
}

impl Serialize for Jitter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Uniform(most) => most.serialize(serializer),
            Self::Exponential(mean) => LongJitter::Exponential(mean).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Jitter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Jitter;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 1ms, or { exponential: 1ms }")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Jitter, E> {
                text.parse().map(Jitter::Uniform).map_err(|error: nunect_core::ConfigError| E::custom(error.reason))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Jitter, A::Error> {
                Ok(match LongJitter::deserialize(MapAccessDeserializer::new(map))? {
                    LongJitter::Uniform(most) => Jitter::Uniform(most),
                    LongJitter::Exponential(mean) => Jitter::Exponential(mean),
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Jitter {
    fn schema_name() -> Cow<'static, str> {
        "Jitter".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (short, long) = (generator.subschema_for::<Period>(), generator.subschema_for::<LongJitter>());
        json_schema!({ "description": "up to this, each as likely; or { exponential: mean }", "anyOf": [short, long] })
    }
}

/// How packets are lost: `1%` is each by itself, `{ gilbert_elliott: { loss: 5%, burst: 4 } }` in bursts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LossConfig {
    Share(Percent),
    GilbertElliott(Bursts),
}

/// The long form of [`LossConfig`].
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LongLoss {
    /// In bursts: a link is good, and loses nothing, or bad, and loses all.
    GilbertElliott(Bursts),
}

/// A link that is good or bad by turns.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bursts {
    /// The share that is lost in the long run.
    pub(crate) loss: Percent,
    /// How long a burst lasts in the mean: a number counts attempts to send, a duration is time.
    pub(crate) burst: Burst,
}

/// How long a burst lasts in the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Burst {
    Attempts(f64),
    Time(Period),
}

impl Serialize for LossConfig {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Share(share) => share.serialize(serializer),
            Self::GilbertElliott(bursts) => LongLoss::GilbertElliott(bursts).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for LossConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = LossConfig;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share such as 1%, or { gilbert_elliott: { loss: 5%, burst: 4 } }")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<LossConfig, E> {
                text.parse().map(LossConfig::Share).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LossConfig, A::Error> {
                let LongLoss::GilbertElliott(bursts) = LongLoss::deserialize(MapAccessDeserializer::new(map))?;
                Ok(LossConfig::GilbertElliott(bursts))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for LossConfig {
    fn schema_name() -> Cow<'static, str> {
        "Loss".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (short, long) = (generator.subschema_for::<Percent>(), generator.subschema_for::<LongLoss>());
        json_schema!({ "description": "each packet by itself, or in bursts", "anyOf": [short, long] })
    }
}

impl Serialize for Burst {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Attempts(attempts) => serializer.serialize_f64(attempts),
            Self::Time(time) => time.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Burst {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Burst;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of packets such as 4, or a duration such as 200ms")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Burst, E> {
                Ok(Burst::Attempts(number as f64))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Burst, E> {
                Ok(Burst::Attempts(number as f64))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Burst, E> {
                Ok(Burst::Attempts(number))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Burst, E> {
                text.parse().map(Burst::Time).map_err(|error: nunect_core::ConfigError| E::custom(error.reason))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Burst {
    fn schema_name() -> Cow<'static, str> {
        "Burst".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let time = generator.subschema_for::<Period>();
        let attempts = json_schema!({ "type": "number", "minimum": 1 });
        json_schema!({ "description": "a number of attempts to send, or a time", "anyOf": [attempts, time] })
    }
}
