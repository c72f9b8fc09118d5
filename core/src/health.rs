//! How a node as a whole does: the causes that stand against it, kept by its host.

use std::collections::BTreeSet;

use crate::identity::ActorName;
use crate::protocol::header::Health;

/// Something that reduces a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The bus is away.
    BusAway,
    /// An actor is down and waits for its restart.
    ActorDown(ActorName),
    /// A mailbox holds back after too many poison messages.
    MailboxPaused(ActorName),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BusAway => f.write_str("bus away"),
            Self::ActorDown(actor) => write!(f, "{actor} down"),
            Self::MailboxPaused(actor) => write!(f, "mailbox of {actor} paused"),
        }
    }
}

/// The causes that stand at present.
#[derive(Clone, Debug, Default)]
pub struct NodeHealth {
    causes: BTreeSet<Cause>,
}

impl NodeHealth {
    /// Notes that `cause` stands, or no longer stands. Returns whether that changed anything.
    pub fn set(&mut self, cause: Cause, stands: bool) -> bool {
        if stands { self.causes.insert(cause) } else { self.causes.remove(&cause) }
    }

    /// How the node does: degraded while any cause stands.
    #[must_use]
    pub fn health(&self) -> Health {
        if self.causes.is_empty() { Health::Ok } else { Health::Degraded }
    }

    /// The causes in words, in a fixed order.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        self.causes.iter().map(ToString::to_string).collect()
    }
}
