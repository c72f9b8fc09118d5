//! What commands answer, with the names of section 6 of the protocol.

use serde::{Deserialize, Serialize};

use crate::identity::UnitId;
use crate::protocol::header::{ClockQuality, ClockSource, Health};

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The answer to `HEALTH_PROBE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthProbe {
    /// Whose.
    pub unit: UnitId,
    /// How it does.
    pub status: Health,
    /// Whole seconds since it started.
    pub uptime_s: u64,
    /// Processor use of its host in percent.
    pub cpu_percent: Option<u8>,
    /// Memory use of its host in percent.
    pub memory_percent: Option<u8>,
    /// Round trip through a peer's echo, in microseconds.
    pub rtt_app_us: Option<u64>,
    /// Round trip to its server, in microseconds.
    pub rtt_native_us: Option<u64>,
    /// What steers its clock.
    pub clock_source: ClockSource,
    /// How well.
    pub clock_quality: ClockQuality,
    /// Units that its monitor sees and that are not OFFLINE; `None` without a monitor.
    pub units: Option<u64>,
}

/// The answer to `VERSION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The program.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of the protocol that it speaks: [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The compiler that it was built with.
    pub rustc: String,
    /// The platform that it was built for.
    pub target: String,
}

/// The answer to `ACTORS`: one actor, or one supervisor, of a node's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorReport {
    /// Its name in the configuration.
    pub name: String,
    /// What it is; of a supervisor: `supervisor`.
    pub kind: String,
    /// How it does, in one word.
    pub state: String,
    /// How often it was started after its first start.
    pub restarts: u32,
    /// Which of its lives this is.
    pub incarnation: u32,
    /// What waits for it; a supervisor has none.
    pub mailbox: Option<MailboxReport>,
    /// Its last crash in this run.
    pub last_crash: Option<CrashReport>,
    /// What stands under a supervisor, in the order of start.
    #[serde(default)]
    pub children: Vec<ActorReport>,
}

/// A mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxReport {
    /// Messages that wait.
    pub depth: u64,
    /// Messages that may wait.
    pub capacity: u64,
    /// Messages lost because it was full.
    pub dropped: u64,
    /// Messages set aside.
    pub poisoned: u64,
}

/// A crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashReport {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Why.
    pub reason: String,
}
