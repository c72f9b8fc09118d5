//! What a supervisor is told about its children.

use std::collections::BTreeSet;

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
    /// Whether the end of significant children is the end of all.
    pub auto_shutdown: AutoShutdown,
    /// The children in the order of their start.
    pub children: Vec<ChildSpec>,
}

impl Spec {
    /// The default intensity and back-off for `children`.
    #[must_use]
    pub fn new(strategy: Strategy, children: Vec<ChildSpec>) -> Self {
        Self { strategy, children, ..Self::default() }
    }

    /// Finds what a supervisor could not do sensibly. It does no harm all the same: of two children of
    /// one name the first is found, and a significance without effect has none.
    ///
    /// # Errors
    /// The first mistake, in the order of the children.
    pub fn check(&self) -> Result<(), SpecError> {
        let mut names = BTreeSet::new();
        for child in &self.children {
            if !names.insert(&child.name) {
                return Err(SpecError::NameTwice(child.name.clone()));
            }
            self.auto_shutdown.check(&child.name, child.restart, child.significant)?;
        }
        Ok(())
    }
}

/// What is wrong with what a supervisor is told about its children.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Children and groups are told apart by their names.
    #[error("there are two of the name {0}")]
    NameTwice(ActorName),
    /// A permanent child always lives again, so nothing can follow from its end.
    #[error("{0} is significant and permanent: make it transient or temporary")]
    SignificantPermanent(ActorName),
    /// Nobody asks for significance (an error in OTP too).
    #[error("{0} is significant, but `auto_shutdown` is `never` where it stands")]
    SignificantInVain(ActorName),
    /// A group of nobody.
    #[error("nobody is in the group {0}")]
    EmptyGroup(ActorName),
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
    /// Whether its end counts for [`Spec::auto_shutdown`]. It must not be permanent then.
    pub significant: bool,
}

impl ChildSpec {
    /// A permanent child with the default time for its shutdown.
    #[must_use]
    pub fn new(name: ActorName) -> Self {
        Self { name, restart: Restart::default(), shutdown: Shutdown::default(), significant: false }
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

/// When the end of significant children takes the others with them.
///
/// What counts is an end after which the child stays down and for which nobody asked: not a stop, not
/// a removal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoShutdown {
    /// Never.
    #[default]
    Never,
    /// When one of them ends.
    AnySignificant,
    /// When the last of them ends.
    AllSignificant,
}

impl AutoShutdown {
    pub(crate) fn check(self, name: &ActorName, restart: Restart, significant: bool) -> Result<(), SpecError> {
        match (significant, restart, self) {
            (true, Restart::Permanent, _) => Err(SpecError::SignificantPermanent(name.clone())),
            (true, Restart::Transient | Restart::Temporary, Self::Never) => {
                Err(SpecError::SignificantInVain(name.clone()))
            }
            (true, Restart::Transient | Restart::Temporary, Self::AnySignificant | Self::AllSignificant)
            | (false, ..) => Ok(()),
        }
    }
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
