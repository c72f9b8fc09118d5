//! What happens to a supervisor.

use crate::action::TimerId;
use crate::child::{ChildId, Generation};

/// What the host tells the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Start the children. Counts once; a supervisor lives once.
    Start,
    /// A child is up.
    Started {
        /// Which child.
        child: ChildId,
        /// Which life.
        generation: Generation,
    },
    /// A child did not come up.
    StartFailed {
        /// Which child.
        child: ChildId,
        /// Which life.
        generation: Generation,
        /// Why.
        reason: String,
    },
    /// A life ended, asked for or not.
    Exited {
        /// Which child.
        child: ChildId,
        /// Which life.
        generation: Generation,
        /// How.
        exit: Exit,
    },
    /// The time of an armed timer has come.
    Timer(TimerId),
    /// Stop the children and end.
    Stop,
}

/// How a life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By its own decision, or because it was asked to.
    Normal {
        /// Why, in words.
        reason: String,
    },
    /// By a fault or a panic.
    Crash {
        /// Why, in words.
        reason: String,
        /// Whether a message is to blame. Its mailbox is then charged, and not the supervisor.
        on_message: bool,
    },
    /// By force.
    Killed,
}

impl Exit {
    /// Whether it was no crash and no kill.
    #[must_use]
    pub const fn is_normal(&self) -> bool {
        match self {
            Self::Normal { .. } => true,
            Self::Crash { .. } | Self::Killed => false,
        }
    }

    /// Whether a message is to blame.
    #[must_use]
    pub const fn is_on_message(&self) -> bool {
        match self {
            Self::Crash { on_message, .. } => *on_message,
            Self::Normal { .. } | Self::Killed => false,
        }
    }

    /// Why, in words.
    #[must_use]
    pub fn into_reason(self) -> String {
        match self {
            Self::Normal { reason } | Self::Crash { reason, .. } => reason,
            Self::Killed => "killed".to_owned(),
        }
    }
}
