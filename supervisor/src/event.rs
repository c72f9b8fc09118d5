//! What happens to a supervisor.

use nunect_core::StopReason;

use crate::action::TimerId;
use crate::child::{ChildId, Generation};
use crate::spec::ChildSpec;

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
    /// Stop the children, tell them this, and end. Once they go down, only
    /// [`StopReason::NodeShutdown`] changes what those are told that were not asked yet.
    Stop(StopReason),
    /// One more child, after the others. It takes the next [`ChildId`], whatever becomes of it.
    ///
    /// It starts when its turn has come; before [`Event::Start`], with the others. When its first start
    /// fails it stays down, and nobody is charged (as in OTP, where `start_child` returns the error).
    /// While the children go down, or are down, it is gone at once. Its name must be free:
    /// [`Supervisor::find`](crate::Supervisor::find) tells.
    Add(ChildSpec),
    /// A child is to be gone for ever. Its place stays, with the state
    /// [`ChildState::Ended`](crate::ChildState::Ended) once it is down.
    ///
    /// It is stopped with [`StopReason::Command`] when it is up or starting; one that is stopping
    /// already is not asked again. A wait for its restart is over: siblings that waited behind it go
    /// on. Its end counts for nothing: not as a crash, not as that of a significant child.
    Remove(ChildId),
    /// A child is to begin another life, whatever its [`Restart`](crate::Restart): its configuration
    /// changed, say. Nobody is charged and no sibling is touched.
    ///
    /// A life that is up or starting is stopped with [`StopReason::Restart`] first. A child that waits
    /// for its restart waits no longer, and one that has ended begins again. Without effect on a child
    /// that was removed, before [`Event::Start`], and while the children go down.
    Restart(ChildId),
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
