//! What a supervisor is told about its children.

use nunect_core::{ActorName, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::event::Exit;
use crate::intensity::Intensity;

/// A supervisor and its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Who restarts with a child that crashed.
    pub strategy: Strategy,
    /// How many crashes are too many.
    pub intensity: Intensity,
    /// How long a child that keeps crashing waits.
    pub backoff: Backoff,
    /// The children in the order of their start.
    pub children: Vec<ChildSpec>,
}

impl Spec {
    /// The default intensity and back-off for `children`.
    #[must_use]
    pub fn new(strategy: Strategy, children: Vec<ChildSpec>) -> Self {
        Self { strategy, children, ..Self::default() }
    }
}

/// One child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildSpec {
    /// Its name in the configuration.
    pub name: ActorName,
    /// When it lives again.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Shutdown,
}

impl ChildSpec {
    /// A permanent child with the default time for its shutdown.
    #[must_use]
    pub fn new(name: ActorName) -> Self {
        Self { name, restart: Restart::default(), shutdown: Shutdown::default() }
    }
}

/// Who restarts with a child that crashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Nobody else.
    #[default]
    OneForOne,
    /// All children.
    OneForAll,
    /// The children that start after it.
    RestForOne,
}

/// When a child lives again after its life ended without anybody asking for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// After a crash or a kill. A restart of its group begins it again even after it came to its
    /// natural end, as in OTP: its work starts over together with what it depends on.
    Transient,
    /// Never.
    Temporary,
}

/// How long a child may take to stop before it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shutdown {
    /// It is killed without being asked.
    Brutal,
    /// This long.
    Timeout(Period),
    /// As long as it wants.
    Infinite,
}

impl Default for Shutdown {
    /// 1 s.
    fn default() -> Self {
        Self::Timeout(Period::from_secs(1))
    }
}

/// What follows from the end of a life that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The child stays down.
    Leave,
    /// It restarts, and with it what the strategy says.
    Restart {
        /// Whether that counts toward the intensity and the back-off.
        charged: bool,
    },
}

impl Restart {
    pub(crate) const fn verdict(self, exit: &Exit) -> Verdict {
        let again = match self {
            Self::Permanent => true,
            Self::Transient => !exit.is_normal(),
            Self::Temporary => false,
        };
        if again { Verdict::Restart { charged: !exit.is_on_message() } } else { Verdict::Leave }
    }
}

#[cfg(test)]
mod tests;
