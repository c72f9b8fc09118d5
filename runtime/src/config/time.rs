//! The section `time:`, and the variables that stand for its keys.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use garde::Validate;
use nunect_core::clock::{Grandmaster, TimeMode};
use nunect_core::config::period_within;
use nunect_core::{ConfigError, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::{HostPort, host, reachable, socket_path};

/// The specification's own variables, and the keys of `time:` that they stand for.
pub(super) const VARIABLES: [(&str, &str); 5] = [
    ("TIME_SYNC_MODE", "mode"),
    ("PTP_MASTER_ADDRESS", "ptp_master"),
    ("PTP_DOMAIN", "ptp_domain"),
    ("PTP_HW_TIMESTAMP", "ptp_hw_timestamp"),
    ("NTP_SERVERS", "ntp_servers"),
];

/// What tells the node the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct TimeSection {
    /// The source that counts.
    #[garde(skip)]
    pub mode: TimeMode,
    /// The management socket of ptp4l. Absent: /var/run/ptp/ptp4lro, else /var/run/ptp4l. In a
    /// configuration file, a relative path starts at its folder.
    #[garde(inner(custom(socket_path)))]
    #[schemars(extend("format" = "path"))]
    pub ptp_socket: Option<PathBuf>,
    /// The PTP domain (IEEE 1588).
    #[garde(range(max = 127))]
    pub ptp_domain: u8,
    /// PTP's transportSpecific (majorSdoId of IEEE 1588-2019), as ptp4l.conf has it; 1 for IEEE 802.1AS.
    #[garde(range(max = 15))]
    pub ptp_transport_specific: u8,
    /// The grandmaster that is to be followed; another one is reported. Absent: any.
    #[garde(inner(custom(master)))]
    pub ptp_master: Option<String>,
    /// Whether the network card is to stamp PTP's messages. Absent: if it can.
    #[garde(skip)]
    pub ptp_hw_timestamp: Option<bool>,
    /// Where chronyd is asked. Absent: its socket, else 127.0.0.1:323.
    #[garde(inner(custom(daemon)))]
    pub chrony: Option<Daemon>,
    /// Where gpsd is asked. Absent: 127.0.0.1:2947.
    #[garde(inner(custom(reachable)))]
    pub gpsd: Option<HostPort>,
    /// The NTP servers that clients are told.
    #[garde(length(max = 16), inner(custom(host)))]
    pub ntp_servers: Vec<String>,
    /// Whether a node without a source is DEGRADED.
    #[garde(skip)]
    pub required: bool,
    /// How long the time of a source that is lost still counts, 1s to 1day.
    #[garde(custom(period_within(Duration::from_secs(1), Duration::from_secs(86_400))))]
    pub holdover_max: Period,
}

impl Default for TimeSection {
    fn default() -> Self {
        Self {
            mode: TimeMode::default(),
            ptp_socket: None,
            ptp_domain: 0,
            ptp_transport_specific: 0,
            ptp_master: None,
            ptp_hw_timestamp: None,
            chrony: None,
            gpsd: None,
            ntp_servers: Vec::new(),
            required: false,
            holdover_max: Period::from_secs(600),
        }
    }
}

/// Where a daemon of this host is asked: `host:port`, or the path of its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// Over UDP or TCP.
    Port(HostPort),
    /// Over a UNIX socket.
    Socket(PathBuf),
}

impl FromStr for Daemon {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        if text.starts_with('/') {
            return Ok(Self::Socket(PathBuf::from(text)));
        }
        if !text.contains(':') && text.contains('/') {
            return Err(ConfigError::new("", format!("`{text}`: the path of a socket begins with `/`")));
        }
        text.parse().map(Self::Port)
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

impl Serialize for Daemon {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Daemon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: ConfigError| serde::de::Error::custom(error.reason))
    }
}

impl JsonSchema for Daemon {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Daemon".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "host:port, such as 127.0.0.1:323, or the path of a socket, such as /run/chrony/chronyd.sock",
            "pattern": r"^(/.*|\d+|.+:\d+)$",
        })
    }
}

/// A `garde` rule: where a daemon can be asked.
fn daemon(daemon: &Daemon, (): &()) -> garde::Result {
    match daemon {
        Daemon::Port(address) => reachable(address, &()),
        Daemon::Socket(path) => socket_path(path, &()),
    }
}

/// A `garde` rule: what names a PTP clock.
fn master(text: &str, (): &()) -> garde::Result {
    text.parse::<Grandmaster>().map(drop).map_err(garde::Error::new)
}
