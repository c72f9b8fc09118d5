//! Values that configuration files share, and what is wrong with them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod size;

pub use size::{Size, size_within};

/// A configuration value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}{}{reason}", if key.is_empty() { "" } else { ": " })]
pub struct ConfigError {
    /// The key at fault, dotted, relative to what was being configured; empty for the whole.
    pub key: String,
    /// What is wrong and, where that is not plain, what would be right.
    pub reason: String,
}

impl ConfigError {
    /// The value of `key` cannot be used, for `reason`.
    #[must_use]
    pub fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }

    /// The same, seen from where `prefix` is a key.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.key = if self.key.is_empty() { prefix.to_owned() } else { format!("{prefix}.{}", self.key) };
        self
    }
}

/// A duration as people write it: `5s`, `250ms`, `1m 30s`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(pub Duration);

impl Period {
    /// `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// `secs` seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

impl FromStr for Period {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|error| ConfigError::new("", format!("`{text}` is no duration ({error}); write 5s or 250ms")))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as 5s or 250ms")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(|error: ConfigError| E::custom(error.reason))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Period".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a duration with its unit, such as 5s or 250ms",
            "pattern": r"^\s*(\d+(\.\d+)?\s*[a-zµ]+\s*)+$|^0$",
        })
    }
}

/// A `garde` rule: a [`Period`] from `min` to `max`.
pub fn period_within(min: Duration, max: Duration) -> impl FnOnce(&Period, &()) -> garde::Result {
    move |period, ()| {
        if (min..=max).contains(&period.0) {
            Ok(())
        } else {
            Err(garde::Error::new(format!("{period} is outside {} to {}", Period(min), Period(max))))
        }
    }
}

#[cfg(test)]
mod tests;
