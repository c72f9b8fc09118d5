//! `ops.health.cluster.{node}`: how the bus around a node does, and who is there to be probed
//! (protocol, sections 1 and 2).

use std::time::Duration;

use super::header::{self, Health, Reader, Value};
use super::{HeaderError, ProtocolError, sender};
use crate::identity::{SessionId, UnitId};
use crate::message::Message;
use crate::subject::{Pattern, Subject};

pub use super::header::ClusterState;

/// How often a node with a monitor tells, beside at its start (protocol, section 1).
pub const INTERVAL: Duration = Duration::from_secs(15);

const PREFIX: &str = "ops.health.cluster";
const FORM: &str = "ops.health.cluster.{node}";

/// Where `node` tells.
#[must_use]
pub fn subject(node: &UnitId) -> Subject {
    Subject::join(&[PREFIX, node.as_str()])
}

/// What every node tells.
#[must_use]
pub fn pattern() -> Pattern {
    Pattern::join(&[PREFIX, "*"])
}

/// What one node sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Who sees it.
    pub node: UnitId,
    /// How its cluster does.
    pub state: ClusterState,
    /// How many other nodes it sees.
    pub peers: u64,
    /// Messages by which its copy of the streams is behind, where there are streams.
    pub stream_lag: Option<u64>,
    /// Whether this is its last word: it stops, and is not to be missed.
    pub leaving: bool,
}

/// The same as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub cluster: Cluster,
    /// In which run of the node.
    pub session: Option<SessionId>,
    /// Its number on this subject.
    pub sequence: Option<u64>,
    /// Headers that were there but malformed; what they would have said is taken as absent.
    pub problems: Vec<HeaderError>,
}

impl Cluster {
    /// The message; the outbox adds the stamp.
    #[must_use]
    pub fn build(&self) -> Message {
        let message = Message::new(subject(&self.node))
            .with(&header::NODE_ID, Value::text(self.node.as_str()))
            .with(&header::CLUSTER_STATE, Value::Word(self.state.as_str()))
            .with(&header::PEER_COUNT, Value::Unsigned(self.peers));
        let message = match self.stream_lag {
            Some(lag) => message.with(&header::STREAM_LAG, Value::Unsigned(lag)),
            None => message,
        };
        if self.leaving { message.with(&header::HEALTH_STATUS, Value::Word(Health::Offline.as_str())) } else { message }
    }

    /// Reads what a node sees: one that leaves out its state does well, and one that leaves out its
    /// peers sees none.
    ///
    /// # Errors
    /// When the subject is not of this family.
    pub fn parse(message: &Message) -> Result<Received, ProtocolError> {
        let node = sender(message, PREFIX, FORM)?;
        let mut headers = Reader::of(message, &node);
        headers.agree(&header::NODE_ID, &node);
        Ok(Received {
            cluster: Self {
                state: headers.read(&header::CLUSTER_STATE).unwrap_or_default(),
                peers: headers.read(&header::PEER_COUNT).unwrap_or_default(),
                stream_lag: headers.read(&header::STREAM_LAG),
                leaving: headers.read(&header::HEALTH_STATUS) == Some(Health::Offline),
                node,
            },
            session: headers.read(&header::SESSION_ID),
            sequence: headers.read(&header::SEQUENCE),
            problems: headers.problems,
        })
    }
}

#[cfg(test)]
mod tests;
