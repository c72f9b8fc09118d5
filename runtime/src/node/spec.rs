//! What a node is to be, and why it may not start.

use std::sync::Arc;
use std::time::Duration;

use nunect_core::capability::Capability;
use nunect_core::random::Entropy;
use nunect_core::{ActorSpec, ConfigError, Level, Role, SessionId, UnitId};
use nunect_supervisor::SpecError;

use crate::bus::BusError;
use crate::config::{SupervisionSection, TimeSection};
use crate::port::Ports;
use crate::telemetry::Tap;
use crate::watchdog::HangLimits;

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its name on the bus.
    pub unit: UnitId,
    /// What it is for.
    pub role: Role,
    /// Its run; drawn anew at every start.
    pub session: SessionId,
    /// Where its randomness comes from.
    pub entropy: Entropy,
    /// Its actors, in the order of their start where `supervision` does not say another.
    pub actors: Vec<ActorSpec>,
    /// Who restarts with whom.
    pub supervision: SupervisionSection,
    /// When an actor that does not come back counts as hung, and when the node ends for it.
    pub hang: HangLimits,
    /// What it may publish; `None`: everything.
    pub capabilities: Option<Vec<Capability>>,
    /// Whether commands may do harm to its actors.
    pub chaos: bool,
    /// From which level on it writes down what happens.
    pub log_level: Level,
    /// The headers of messages that stand beside what is written about them.
    pub include_fields: Vec<String>,
    /// The tasks behind the ports of its actors.
    pub ports: Ports,
    /// Where the process's own records come from.
    pub tap: Option<Tap>,
    /// Who is asked about the clock, if an actor wants to know.
    pub time: TimeSection,
    /// Called by the root of its actors so often: who calls it is known to work.
    pub pulse: Option<Pulse>,
}

/// A sign of life, and how often it is due.
#[derive(Clone)]
pub struct Pulse {
    /// The period.
    pub every: Duration,
    /// What gives it. It must not block.
    pub beat: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulse").field("every", &self.every).finish_non_exhaustive()
    }
}

impl NodeSpec {
    /// A node of these actors, with a session and randomness from the operating system, and the
    /// default supervision.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new(unit: UnitId, role: Role, actors: Vec<ActorSpec>) -> Result<Self, StartError> {
        let mut secret = [0; 40];
        getrandom::fill(&mut secret).map_err(|error| StartError::Entropy(error.to_string()))?;
        let (seed, session) = secret.split_first_chunk::<32>().expect("40 bytes begin with 32");
        let session = session.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Ok(Self {
            unit,
            role,
            session: SessionId::from_random(session),
            entropy: Entropy::new(*seed),
            actors,
            supervision: SupervisionSection::default(),
            hang: HangLimits::default(),
            capabilities: None,
            chaos: false,
            log_level: Level::default(),
            include_fields: Vec::new(),
            ports: Ports::default(),
            tap: None,
            time: TimeSection::default(),
            pulse: None,
        })
    }
}

/// What of a node may change while it runs.
#[derive(Clone, Debug)]
pub struct Reload {
    /// Its actors.
    pub actors: Vec<ActorSpec>,
    /// What it may publish; `None`: everything.
    pub capabilities: Option<Vec<Capability>>,
    /// Whether commands may do harm to its actors.
    pub chaos: bool,
    /// From which level on it writes down what happens; `None`: as it does.
    pub log_level: Option<Level>,
    /// The headers of messages that stand beside what is written about them.
    pub include_fields: Vec<String>,
    /// Who is asked about the clock.
    pub time: TimeSection,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An actor's configuration is wrong.
    #[error("actors.{0}")]
    Config(#[from] ConfigError),
    /// Its actors cannot be supervised so.
    #[error("the actors cannot be supervised as they should")]
    Supervision(#[from] SpecError),
    /// No randomness.
    #[error("the operating system gives no randomness: {0}")]
    Entropy(String),
    /// The node's own inbox could not be subscribed to.
    #[error("the bus did not take the node's first subscription")]
    Bus(#[from] BusError),
    /// The tree could not be spawned.
    #[error("the root supervisor did not start: {0}")]
    Spawn(String),
}
