//! What a node writes down: its events, and what its libraries have to say.

use crate::event::Event;
use crate::identity::ActorName;
use crate::message::Message;
use crate::protocol::header;
use crate::protocol::log::Level;
use crate::time::Wall;

/// Something to write down, as the host gives it to the actor that ships logs.
///
/// It is kept as it came until then: most hosts write less than they could, and words cost time.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// When, by the node's wall clock.
    pub ts: Wall,
    /// How grave.
    pub level: Level,
    /// What happened.
    pub said: Said,
    /// The message that was being handled, when one was: who sent it, and which it was.
    pub trace: Option<Box<str>>,
    /// The headers of that message that the configuration wants beside the text
    /// (`logging.include_fields`).
    pub headers: NamedValues,
}

/// Headers by their names.
pub type NamedValues = Vec<(Box<str>, Box<str>)>;

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// An event, and whom it happened to; `None`: the node as a whole.
    Event(Option<ActorName>, Event),
    /// The words of a library or of the host.
    Words {
        /// Which part of the program: `nunect::bus`.
        comp: Box<str>,
        /// The text.
        msg: Box<str>,
        /// Details, as a JSON object; empty when there are none.
        fields: serde_json::Map<String, serde_json::Value>,
    },
    /// Records before this one were lost, since nobody took them in time.
    Lost(u64),
}

/// Which message something is about: its unit, session and sequence, as `alpha/0123…/42`. Absent for
/// one whose sender does not tell.
#[must_use]
pub fn trace_of(message: &Message) -> Option<Box<str>> {
    let headers = &message.headers;
    let unit = headers.get(header::UNIT_ID.name())?;
    let session = headers.get(header::SESSION_ID.name())?;
    let sequence = headers.get(header::SEQUENCE.name())?;
    Some(format!("{unit}/{session}/{sequence}").into())
}
