//! `ops.echo.{unit}`: a request whose answer is its own payload (protocol, sections 1, 2 and 4).

use std::sync::Arc;
use std::time::Duration;

use super::header::{self, Late, Value};
use super::{HeaderError, ProtocolError, unit_after};
use crate::clock::delay::Exchange;
use crate::identity::UnitId;
use crate::message::{Extra, Headers, Message};
use crate::subject::{Pattern, Subject};
use crate::time::{Now, Wall};

/// How long an echo may take before it counts as lost.
pub const TIMEOUT: Duration = Duration::from_secs(2);

const PREFIX: &str = "ops.echo";
const FORM: &str = "ops.echo.{unit}";

/// The subject on which `unit` echoes.
#[must_use]
pub fn subject(unit: &UnitId) -> Subject {
    Subject::join(&[PREFIX, unit.as_str()])
}

/// The echo requests to `unit`.
#[must_use]
pub fn pattern(unit: &UnitId) -> Pattern {
    Pattern::from(&subject(unit))
}

/// The echo requests to every unit.
#[must_use]
pub fn pattern_of_all() -> Pattern {
    Pattern::join(&[PREFIX, "*"])
}

/// The unit that a request on `subject` is for.
///
/// # Errors
/// When the subject is not an echo's.
pub fn parse_subject(subject: &Subject) -> Result<UnitId, ProtocolError> {
    unit_after(subject, PREFIX, FORM)
}

/// The answer to `request`, to be sent to the subject it names: the same payload, and when it was
/// here by this node's clock.
#[must_use]
pub fn answer(request: &Message, reply: Subject) -> Message {
    let extras: Arc<[Extra]> = Arc::new([
        (header::SERVER_RX_TIMESTAMP.name(), Value::Unsigned(request.received.wall.unix_nanos())),
        (header::SERVER_TX_TIMESTAMP.name(), Value::AtHandOver(Late::WallSince(request.received))),
        (header::SERVER_CLOCK_SOURCE.name(), Value::AtHandOver(Late::ClockSource)),
        (header::SERVER_CLOCK_QUALITY.name(), Value::AtHandOver(Late::ClockQuality)),
    ]);
    Message { headers: Headers::of(extras), ..Message::new(reply) }.body(request.payload())
}

/// What an answer says about the time it spent with the responder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTimes {
    /// T2: when the request reached the responder's bus edge, by its wall clock.
    pub received: Wall,
    /// T3: that plus the monotonic time until the answer's hand-over.
    pub sent: Wall,
}

impl ServerTimes {
    /// Reads an answer's times; `None` from a responder that gives none.
    ///
    /// # Errors
    /// When a header is malformed.
    pub fn parse(answer: &Message) -> Result<Option<Self>, HeaderError> {
        let received = header::SERVER_RX_TIMESTAMP.read(&answer.headers)?;
        let sent = header::SERVER_TX_TIMESTAMP.read(&answer.headers)?;
        Ok(received.zip(sent).map(|(received, sent)| Self { received, sent }))
    }

    /// The exchange that these are the middle of: a request that was handed over at `sent`, and an answer that
    /// was here at `received`.
    #[must_use]
    pub const fn exchange(&self, sent: Now, received: Now) -> Exchange {
        Exchange { sent, taken: self.received, answered: self.sent, received }
    }
}

#[cfg(test)]
mod tests;
