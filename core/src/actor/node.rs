//! What an actor and its node have to say to each other.

use crate::clock::ClockClaim;
use crate::identity::{ActorName, SessionId};
use crate::protocol::command::{ActorReport, ChaosKind};
use crate::protocol::header::Health;
use crate::protocol::log::Level;

use super::RequestId;

/// What an actor may know of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeReport {
    /// How the node as a whole does.
    Health(Health),
    /// What the node says about its clock.
    Clock(ClockClaim),
    /// What came of a [`NodeCommand`].
    Done {
        /// Which, as [`Effects::command`](super::Effects::command) named it.
        id: RequestId,
        /// The answer, or why there is none.
        result: Result<NodeAnswer, NodeRefusal>,
    },
}

/// The few things that an actor may ask of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeCommand {
    /// Its supervision tree, and how many units it sees.
    Describe,
    /// From which level on the node writes down what happens.
    LogLevel(Level),
    /// To do harm to one of its actors, if the configuration allows that.
    Chaos {
        /// Which.
        actor: ActorName,
        /// What.
        what: ChaosKind,
    },
    /// To say this about its clock from now on; it does not answer that it does.
    SetClock {
        /// What.
        claim: ClockClaim,
        /// Whether that stands against the node: it had the time, or needs it, and has it no more.
        lost: bool,
    },
    /// To end, since another node of the same name was there before.
    Leave {
        /// The other's session.
        session: SessionId,
    },
}

/// What a node answers to a command that it carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAnswer {
    /// It is done.
    Done,
    /// To [`NodeCommand::Describe`].
    Description {
        /// The root of the supervision tree.
        tree: Box<ActorReport>,
        /// Units that its monitor sees and that are not OFFLINE.
        units: u64,
    },
}

/// Why a node does not carry out a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NodeRefusal {
    /// As HTTP would say it: 403 not allowed, 404 no such actor.
    pub code: u16,
    /// In words.
    pub reason: String,
}
