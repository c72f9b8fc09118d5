//! `ops.status.units`: who is there, asked of one of the monitors (protocol, section 1).
//!
//! An answer is a JSON array that fits the largest message a server takes. A directory that is larger
//! goes in parts, in the order of unit IDs: a question says after which unit to go on.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};

use super::header::{ClockQuality, ClockSource, Health};
use super::{ProtocolError, accepted};
use crate::identity::{Role, SessionId, UnitId};
use crate::message::Message;
use crate::subject::Subject;

/// The queue group of the monitors: each question has one answer.
pub const QUEUE_GROUP: &str = "monitor";

/// The units of one answer at most: the longest that they can be, they stay below 1 MiB, the largest
/// payload that a NATS server takes unless told otherwise.
pub const UNITS_PER_ANSWER: usize = 2_000;

const SUBJECT: &str = "ops.status.units";

/// Where to ask.
#[must_use]
pub fn subject() -> Subject {
    Subject::join(&[SUBJECT])
}

/// One unit, as a monitor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// Which.
    pub unit: UnitId,
    /// What it is for.
    pub role: Role,
    /// How it does.
    pub state: Health,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// When it was heard last, in Unix milliseconds.
    pub last_seen_ms: u64,
    /// Its run, when it tells.
    pub session: Option<SessionId>,
    /// Round trip through a peer's echo, in microseconds.
    pub rtt_app_us: Option<u64>,
    /// Round trip to its server, in microseconds.
    pub rtt_native_us: Option<u64>,
    /// What steers its clock.
    pub clock_source: Option<ClockSource>,
    /// How well.
    pub clock_quality: Option<ClockQuality>,
}

/// Which part of the directory is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The units whose IDs come after this one; `None`: from the first.
    pub after: Option<UnitId>,
    /// How many, 1 to [`UNITS_PER_ANSWER`].
    pub limit: usize,
}

impl Default for Question {
    /// The first units, as many as an answer holds.
    fn default() -> Self {
        Self { after: None, limit: UNITS_PER_ANSWER }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Json {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<UnitId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
}

impl Question {
    /// The message, to be sent as a request. One for the first units has no payload.
    #[must_use]
    pub fn build(&self) -> Message {
        let limit = (self.limit != UNITS_PER_ANSWER).then(|| u64::try_from(self.limit).unwrap_or(u64::MAX));
        let question = Message::new(subject());
        if limit.is_none() && self.after.is_none() {
            return question;
        }
        let json = Json { after: self.after.clone(), limit };
        question.body(serde_json::to_vec(&json).expect("a text and a number are JSON"))
    }

    /// Reads a question; a limit that is out of range becomes the nearest within.
    ///
    /// # Errors
    /// When there is a payload that is no question.
    pub fn parse(message: &Message) -> Result<Self, ProtocolError> {
        let payload = message.payload();
        let json = if payload.is_empty() { Ok(Json::default()) } else { serde_json::from_slice(&payload) };
        let expected = "empty, or JSON with `after` (a unit ID) and `limit` (a number)";
        let Json { after, limit } =
            json.map_err(|_| ProtocolError::Payload { subject: message.subject.clone(), expected })?;
        let limit = limit.map_or(UNITS_PER_ANSWER, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Self { after, limit: limit.clamp(1, UNITS_PER_ANSWER) })
    }

    /// The answer, out of the `rows` of a directory in the order of their unit IDs.
    #[must_use]
    pub fn answer(&self, reply: Subject, rows: impl IntoIterator<Item = impl Borrow<UnitStatus>>) -> Message {
        let mut json = vec![b'['];
        let wanted = |row: &UnitStatus| self.after.as_ref().is_none_or(|after| row.unit > *after);
        let rows = rows.into_iter().filter(|row| wanted(row.borrow()));
        for row in rows.take(self.limit.min(UNITS_PER_ANSWER)) {
            if json.len() > 1 {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, row.borrow()).expect("a struct of texts and numbers is JSON");
        }
        json.push(b']');
        Message::new(reply).body(json)
    }

    /// The question for what comes after `rows`, which answered this one; `None` when they are the last.
    #[must_use]
    pub fn next(&self, rows: &[UnitStatus]) -> Option<Self> {
        let last = rows.last().filter(|_| rows.len() >= self.limit)?;
        Some(Self { after: Some(last.unit.clone()), limit: self.limit })
    }
}

/// Reads an answer.
///
/// # Errors
/// When the question was refused, or the payload is no array of units.
pub fn parse(answer: &Message) -> Result<Vec<UnitStatus>, ProtocolError> {
    accepted(answer)?;
    serde_json::from_slice(&answer.payload())
        .map_err(|_| ProtocolError::Payload { subject: answer.subject.clone(), expected: "a JSON array of units" })
}

#[cfg(test)]
mod tests;
