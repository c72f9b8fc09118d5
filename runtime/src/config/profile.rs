//! What a node is told: the sections of its profile.

use std::path::PathBuf;
use std::time::Duration;

use garde::Validate;
use nunect_core::capability::Capability;
use nunect_core::config::{Size, period_within, size_within};
pub use nunect_core::protocol::log::Level;
use nunect_core::{ActorSpec, Period, Role, UnitId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::supervision::SupervisionSection;
use super::time::TimeSection;
use super::values::{BusUrl, HostPort, Secret, path, printable, socket_path, token};

/// The port of the OpenTelemetry exporter for Prometheus.
const METRICS_PORT: u16 = 9464;

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
    /// Who restarts with whom.
    pub supervision: SupervisionSection,
    /// What it may publish and subscribe to. `None`: everything.
    pub capabilities: Option<Vec<Capability>>,
    /// Whether operators may break its actors.
    pub chaos: ChaosSection,
    /// Where command-line clients reach it.
    pub control: ControlSection,
    /// Where its figures are read. `None`: nowhere.
    pub metrics: Option<MetricsSection>,
    /// What tells it the time.
    pub time: TimeSection,
    /// Where it gets its profile from; not used yet.
    pub provisioning: ProvisioningSection,
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
    /// The file with the node's credentials (`.creds`: a JWT and an NKey seed). In a configuration
    /// file, a relative path starts at its folder.
    #[garde(inner(custom(path)))]
    #[schemars(extend("format" = "path"))]
    pub credentials: Option<PathBuf>,
    /// The nats-server that `nunect up --with-nats` runs beside the node.
    #[garde(dive)]
    pub server: Option<ServerSection>,
}

impl Default for ConnectionSection {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            reconnect_wait: Period::from_secs(1),
            max_reconnects: None,
            credentials: None,
            server: None,
        }
    }
}

/// The nats-server that `nunect up --with-nats` runs beside the node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// The program: a path, or a name that is looked for in PATH. Absent: NUNECT_NATS_SERVER, else
    /// `nats-server`.
    #[garde(inner(custom(path)))]
    #[schemars(extend("format" = "path"))]
    pub binary: Option<PathBuf>,
    /// The server's own configuration file, such as configs/nats/dev.conf. Absent: the server's
    /// defaults on the address of `connection.urls`.
    #[garde(inner(custom(path)))]
    #[schemars(extend("format" = "path"))]
    pub config: Option<PathBuf>,
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
    /// The least level that is published on `ops.log.…`, of what is written. Absent: INFO.
    #[garde(skip)]
    pub publish_level: Option<Level>,
    /// The files that it is written to as well. Absent: none.
    #[garde(dive)]
    pub file: Option<LogFileSection>,
}

/// The files that a node writes to: one JSON object a line, a file a day and size, and the link
/// `current`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct LogFileSection {
    /// The folder that they are in. In a configuration file, a relative path starts at its folder.
    #[garde(custom(path))]
    #[schemars(extend("format" = "path"))]
    pub folder: PathBuf,
    /// How large one may grow, 64KiB to 1GiB.
    #[serde(default = "LogFileSection::max_size")]
    #[garde(custom(size_within(64 << 10, 1 << 30)))]
    pub max_size: Size,
    /// How many there may be, 1 to 10000; the oldest go first.
    #[serde(default = "LogFileSection::max_files")]
    #[garde(range(min = 1, max = 10_000))]
    pub max_files: u32,
}

impl LogFileSection {
    const fn max_size() -> Size {
        Size(16 << 20)
    }

    const fn max_files() -> u32 {
        14
    }
}

/// Whether operators may break the node's actors, to see what follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ChaosSection {
    /// Whether `nunect chaos` is obeyed: panics, stops, hangs and pauses of actors.
    #[garde(skip)]
    pub enabled: bool,
}

/// Where command-line clients of the same host reach the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ControlSection {
    /// Whether there is a control socket.
    #[garde(skip)]
    pub enabled: bool,
    /// Its path. Absent: `nunect/{unit}.sock` in XDG_RUNTIME_DIR, else in /run, else in the folder
    /// for temporary files. In a configuration file, a relative path starts at its folder.
    #[garde(inner(custom(socket_path)))]
    #[schemars(extend("format" = "path"))]
    pub socket: Option<PathBuf>,
}

impl Default for ControlSection {
    fn default() -> Self {
        Self { enabled: true, socket: None }
    }
}

/// Where Prometheus reads the node's figures, by HTTP under `/metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSection {
    /// The address it listens on; port 0 is any free one.
    #[garde(skip)]
    pub listen: HostPort,
}

impl Default for MetricsSection {
    fn default() -> Self {
        Self { listen: HostPort::loopback(METRICS_PORT) }
    }
}

/// Where the node gets its profile and credentials from when it has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ProvisioningSection {
    /// What the node shows once to be let in.
    #[garde(skip)]
    pub bootstrap_token: Option<Secret>,
    /// The NATS server where the provisioning master is asked.
    #[garde(skip)]
    pub master_url: Option<BusUrl>,
    /// Whether a node without credentials asks by itself.
    #[garde(skip)]
    pub auto_provision: bool,
}
