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
    /// An actor does not come back from an input.
    ActorHung(ActorName),
    /// The server does not permit what an actor needs.
    Denied(String),
    /// The server refuses the node.
    Refused(String),
    /// Another unit of this name is there.
    Duplicate,
    /// Nothing steers the clock, which did before or has to.
    ClockLost,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BusAway => f.write_str("bus away"),
            Self::ActorDown(actor) => write!(f, "{actor} down"),
            Self::MailboxPaused(actor) => write!(f, "mailbox of {actor} paused"),
            Self::ActorHung(actor) => write!(f, "{actor} hangs"),
            Self::Denied(what) => write!(f, "not permitted: {what}"),
            Self::Refused(reason) => write!(f, "refused by the server: {reason}"),
            Self::Duplicate => f.write_str("this unit runs twice"),
            Self::ClockLost => f.write_str("nothing steers the clock"),
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

    /// Notes that no such cause stands any longer. Returns whether that changed anything.
    pub fn clear(&mut self, over: impl Fn(&Cause) -> bool) -> bool {
        let before = self.causes.len();
        self.causes.retain(|cause| !over(cause));
        self.causes.len() != before
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
