//! What servers and clients say to each other, and how many bytes that takes.

use std::sync::Arc;

use nunect_core::message::{Body, Stamp};
use nunect_core::{Message, Pattern, Subject};

/// A pattern that somebody wants, and the queue group in whose name.
pub(super) type Key = (Pattern, Option<Arc<str>>);

/// The queue groups that a message is meant for beyond a connection: mostly none, and a frame stays small.
pub(super) type Queues = Option<Box<Vec<Arc<str>>>>;

/// A message on its way through servers.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) message: Box<Message>,
    /// The true instant at which it was published.
    pub(super) sent: u64,
    /// About how many bytes it takes on the wire.
    pub(super) bytes: u32,
}

impl Parcel {
    pub(super) fn new(message: Box<Message>, sent: u64) -> Self {
        Self { bytes: wire_bytes(&message), message, sent }
    }
}

impl Clone for Parcel {
    fn clone(&self) -> Self {
        Self { message: Box::new(Message::clone(&self.message)), sent: self.sent, bytes: self.bytes }
    }
}

/// A change of what one end wants from the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: Key,
    /// How many stand behind it; 0 ends it.
    pub(super) weight: u32,
    /// Whether any of them is a client of the server that says so, and not of a leaf behind it.
    pub(super) direct: bool,
}

/// One protocol message.
#[derive(Debug)]
pub(super) enum Frame {
    /// Of the acceptor: who it is.
    Info,
    /// Of the opener: who it is.
    Connect,
    /// Of the acceptor: it takes the opener.
    Accept,
    Ping,
    Pong,
    /// A server wants these.
    Interest(Vec<Line>),
    /// A client wants this, and calls it so.
    Subscribe(u32, Key),
    /// To a server: for whom it finds, and for the groups named. To a client: for the subscription of
    /// this tag.
    Message {
        parcel: Parcel,
        tag: u32,
        queues: Queues,
    },
    /// To a client: nobody listens to what it asked with this reply subject.
    Unanswered(Box<Subject>),
    /// Nobody's words: what is left of a datagram that was lost.
    Dropped(Box<Subject>),
}

/// INFO of a server with its name, id, version, cluster, limits and addresses as JSON.
const INFO_BYTES: u32 = 420;
/// CONNECT of a leaf or client with its name, version and options as JSON.
const CONNECT_BYTES: u32 = 280;
/// `RS+ $G ` and the end of the line.
const LINE_BYTES: usize = 12;
/// `LMSG `, two lengths and the ends of the lines.
const MESSAGE_BYTES: usize = 18;
/// `NATS/1.0`, and a stamp without the unit's ID and session: names and values of six headers.
const STAMP_BYTES: usize = 152;
/// A short JSON document, as heartbeats carry it. Encoding each only to count would cost more than it tells.
const JSON_BYTES: usize = 240;

impl Frame {
    pub(super) fn bytes(&self) -> u32 {
        let bytes = match self {
            Self::Info | Self::Accept => return INFO_BYTES,
            Self::Connect => return CONNECT_BYTES,
            Self::Ping | Self::Pong => return 6,
            Self::Interest(lines) => lines.iter().map(|line| key_bytes(&line.key)).sum(),
            Self::Subscribe(_, key) => key_bytes(key),
            Self::Message { parcel, queues, .. } => {
                let names = queues.iter().flat_map(|queues| queues.iter());
                parcel.bytes as usize + names.map(|name| name.len() + 1).sum::<usize>()
            }
            Self::Unanswered(reply) => reply.as_str().len() + 40,
            Self::Dropped(_) => 0,
        };
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

fn key_bytes((pattern, queue): &Key) -> usize {
    LINE_BYTES + pattern.as_str().len() + queue.as_ref().map_or(0, |queue| queue.len() + 1)
}

/// About how many bytes a message takes on the wire: protocol line, headers, payload. Headers beside
/// the stamp count with the memory that they take, which is about as much.
fn wire_bytes(message: &Message) -> u32 {
    let subjects = message.subject.as_str().len() + message.reply.as_ref().map_or(0, |reply| reply.as_str().len());
    let stamp = message.headers.stamp();
    let (typed, payload) = match &message.body {
        Body::Bytes(bytes) => (bytes.len(), bytes.len()),
        Body::Heartbeat(_) => (0, JSON_BYTES),
        Body::Rtt(rtt) => (size_of_val(&**rtt), JSON_BYTES),
        Body::Time(payload) => (size_of_val(&**payload), message.payload().len()),
    };
    let known = size_of::<Message>() + subjects + typed + stamp.map_or(0, |_| size_of::<Stamp>());
    let extras = message.weight().saturating_sub(known);
    let stamped = stamp.map_or(0, |stamp| STAMP_BYTES + stamp.unit.as_str().len() + stamp.session.as_str().len());
    u32::try_from(MESSAGE_BYTES + subjects + stamped + extras + payload).unwrap_or(u32::MAX)
}
