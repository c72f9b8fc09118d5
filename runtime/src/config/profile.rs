//! What a node is told: the sections of its profile.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use garde::Validate;
use nunect_core::config::period_within;
pub use nunect_core::protocol::log::Level;
use nunect_core::subject::check_token;
use nunect_core::{ActorSpec, ConfigError, Period, Role, UnitId};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// Everything a node is told, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name on the bus: `metadata.unit_id`, else the host's.
    pub unit: UnitId,
    /// Who it is.
    pub metadata: MetadataSection,
    /// How it reaches the bus.
    pub connection: ConnectionSection,
    /// What it tells about itself.
    pub health: HealthSection,
    /// What it writes down.
    pub logging: LoggingSection,
    /// What runs on it, in the order of start: the program's own first, then the file's.
    pub actors: Vec<ActorSpec>,
}

/// Who the node is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct MetadataSection {
    /// The name of the node on the bus, unique within its tenant. Absent: the name of the host.
    #[garde(skip)]
    pub unit_id: Option<UnitId>,
    /// The tenant whose messages the node carries, a token of its subjects.
    #[garde(inner(custom(token)))]
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$", "maxLength" = 64))]
    pub tenant: Option<String>,
    /// What the node is for.
    #[garde(skip)]
    pub role: Role,
    /// The version of what the node runs, as operators count it. Absent: that of the program.
    #[garde(inner(length(chars, min = 1, max = 64), custom(printable)))]
    pub version: Option<String>,
}

/// How the node reaches the bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionSection {
    /// The NATS servers, any of which will do. Empty: the bus inside the process.
    #[garde(length(max = 64))]
    pub urls: Vec<BusUrl>,
    /// The longest wait between two attempts to reconnect, 250ms to 5m: the first is made at
    /// once, the waits then double from 250ms, with jitter.
    #[garde(custom(period_within(Duration::from_millis(250), Duration::from_secs(300))))]
    pub reconnect_wait: Period,
    /// How many attempts to reconnect before the node gives up. Absent: it never does.
    #[garde(skip)]
    pub max_reconnects: Option<u32>,
}

impl Default for ConnectionSection {
    fn default() -> Self {
        Self { urls: Vec::new(), reconnect_wait: Period::from_secs(1), max_reconnects: None }
    }
}

/// What the node tells about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct HealthSection {
    /// How often it says that it lives, 100ms to 1m.
    #[garde(custom(period_within(Duration::from_millis(100), Duration::from_secs(60))))]
    pub heartbeat_interval: Period,
    /// Whether processor, memory and uptime go with it.
    #[garde(skip)]
    pub report_metrics: bool,
}

impl Default for HealthSection {
    fn default() -> Self {
        Self { heartbeat_interval: Period::from_secs(5), report_metrics: true }
    }
}

/// What the node writes down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct LoggingSection {
    /// The least level that is written.
    #[garde(skip)]
    pub min_level: Level,
    /// The message headers that are written beside the text.
    #[garde(length(max = 64), inner(length(chars, min = 1, max = 64), custom(printable)))]
    pub include_fields: Vec<String>,
}

/// The address of a NATS server: `nats://` or `tls://`, and perhaps user and password. What is
/// shown of it never includes these.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BusUrl(Url);

impl BusUrl {
    /// The whole address, for the client that connects; not for eyes.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for BusUrl {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        // The text may hold a password: no reason repeats it.
        let wrong = |reason: String| ConfigError::new("", reason);
        let Some((scheme, _)) = text.split_once("://") else {
            return Err(wrong("the URL has no scheme; write nats://host:4222".to_owned()));
        };
        if scheme != "nats" && scheme != "tls" {
            return Err(wrong(format!("`{scheme}://` is no scheme of NATS; write nats:// or tls://")));
        }
        let url = Url::parse(text).map_err(|error| wrong(format!("no URL of a server: {error}")))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("the URL names no host; write nats://host:4222".to_owned()));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("the URL goes on after the port; a server has no path".to_owned()));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for BusUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BusUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: ConfigError| serde::de::Error::custom(error.reason))
    }
}

impl JsonSchema for BusUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BusUrl".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "the address of a NATS server, such as nats://127.0.0.1:4222",
            "pattern": "^(nats|tls)://[^/]+/?$",
        })
    }
}

/// A `garde` rule: one token of a subject.
fn token(text: &str, (): &()) -> garde::Result {
    if text.len() > nunect_core::identity::IDENTITY_MAX_BYTES {
        return Err(garde::Error::new("longer than 64 bytes"));
    }
    check_token(text).map_err(|error| garde::Error::new(error.to_string()))
}

/// A `garde` rule: what a header may carry.
fn printable(text: &str, (): &()) -> garde::Result {
    if text.chars().any(char::is_control) {
        return Err(garde::Error::new("holds a control character"));
    }
    Ok(())
}
