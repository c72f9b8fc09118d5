//! `ops.dead.{unit}.{actor}`: messages that an actor crashed on twice (protocol, section 1).

use super::header::{self, Value};
use crate::identity::{ActorName, UnitId};
use crate::message::Message;
use crate::subject::{Pattern, Subject};

const PREFIX: &str = "ops.dead";

/// How much of a reason a letter carries, in characters: its headers are to fit where the poison did.
pub const REASON_MAX_CHARS: usize = 512;

/// Where `actor` of `unit` leaves what it cannot handle.
#[must_use]
pub fn subject(unit: &UnitId, actor: &ActorName) -> Subject {
    Subject::join(&[PREFIX, unit.as_str(), actor.as_str()])
}

/// The dead letters of every actor of every unit.
#[must_use]
pub fn pattern() -> Pattern {
    Pattern::join(&[PREFIX, "*", "*"])
}

/// The dead letter of `poison`: its payload and its sender's headers, with the reason and the
/// subject it came on. It is relayed, not stamped: whoever reads it sees who sent the poison.
#[must_use]
pub fn letter(unit: &UnitId, actor: &ActorName, poison: &Message, reason: &str) -> Message {
    let mut letter = poison.clone();
    let reason: String = reason.chars().take(REASON_MAX_CHARS).collect();
    letter.subject = subject(unit, actor);
    letter.reply = None;
    letter
        .with(&header::REASON, Value::text(&reason))
        .with(&header::ORIGINAL_SUBJECT, Value::text(poison.subject.as_str()))
}

#[cfg(test)]
mod tests;
