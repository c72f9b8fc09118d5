//! `ops.status.units`: who is there (protocol, section 1).

use serde::{Deserialize, Serialize};

use super::header::{ClockQuality, ClockSource, Health};
use crate::identity::{Role, SessionId, UnitId};

/// One unit, as a monitor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// Which.
    pub unit: UnitId,
    /// What it is for.
    pub role: Role,
    /// How it does.
    pub state: Health,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// When it was heard last, in Unix milliseconds.
    pub last_seen_ms: u64,
    /// Its run, when it tells.
    pub session: Option<SessionId>,
    /// Round trip through a peer's echo, in microseconds.
    pub rtt_app_us: Option<u64>,
    /// Round trip to its server, in microseconds.
    pub rtt_native_us: Option<u64>,
    /// What steers its clock.
    pub clock_source: Option<ClockSource>,
    /// How well.
    pub clock_quality: Option<ClockQuality>,
}
