//! What comes back for a command.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Call, Command, CommandError, subject_of_answer};
use crate::identity::{Role, UnitId};
use crate::message::Message;
use crate::protocol::ProtocolError;
use crate::protocol::header::{self, Health, Value};
use crate::subject::Subject;

/// Everything is well (`X-Response-Code`).
const CODE_OK: u16 = 200;

/// An answer: it goes to the unit's status subject, where others see it too, and to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name of the command; `None` when none could be read.
    pub to: Option<String>,
    /// The call's own ID, which the body repeats as `id`.
    pub id: Option<String>,
    /// As HTTP would say it: 200, 400 malformed, 403 not allowed, 404 unknown, 503 busy.
    pub code: u16,
    /// What the command tells; of a refusal: `{"error": "…"}`.
    pub body: Json,
}

impl Answer {
    /// `call` was carried out, and this is what came of it. A body that JSON cannot hold is empty.
    #[must_use]
    pub fn ok(call: &Call, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).unwrap_or_else(|_| Map::new().into());
        Self { to: Some(call.command.name().to_owned()), id: call.id.clone(), code: CODE_OK, body }
    }

    /// `call` was not carried out, and why: 403 not allowed, 404 no such thing, 503 busy.
    #[must_use]
    pub fn refusal(call: &Call, code: u16, reason: impl Into<String>) -> Self {
        let body = error(reason.into());
        Self { to: Some(call.command.name().to_owned()), id: call.id.clone(), code, body }
    }

    /// The words of a refusal; `None` when the command was carried out.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        let words = || self.body.get("error").and_then(Json::as_str).unwrap_or("no reason given");
        (self.code >= 300).then(words)
    }

    /// The message for everybody: on `ops.status.{role}.{unit}` of the unit that answers.
    #[must_use]
    pub fn on_status(&self, role: Role, unit: &UnitId) -> Message {
        self.message(subject_of_answer(role, unit))
    }

    /// The message for whoever asked.
    #[must_use]
    pub fn to_reply(&self, reply: Subject) -> Message {
        self.message(reply)
    }

    fn message(&self, subject: Subject) -> Message {
        let mut message = Message::new(subject).with(&header::RESPONSE_CODE, Value::Unsigned(self.code.into()));
        if let Some(to) = &self.to {
            message = message.with(&header::RESPONSE_TO, Value::text(to));
        }
        let status = self.body.get("status").and_then(Json::as_str).and_then(Health::parse);
        if let Some(health) = status.filter(|_| self.to.as_deref() == Some(Command::HealthProbe.name())) {
            message = message.with(&header::HEALTH_STATUS, Value::Word(health.as_str()));
        }
        let mut body = self.body.clone();
        if let (Json::Object(body), Some(id)) = (&mut body, &self.id) {
            body.insert("id".to_owned(), id.clone().into());
        }
        message.body(body.to_string())
    }

    /// Reads an answer. One without a code says that all is well; one without a payload, as a full
    /// mailbox gives it, has its reason in a header.
    ///
    /// # Errors
    /// When the code is malformed, or the payload no JSON.
    pub fn parse(message: &Message) -> Result<Self, ProtocolError> {
        let code = header::RESPONSE_CODE.read(&message.headers)?.unwrap_or(CODE_OK);
        let payload = message.payload();
        let mut body = match header::REASON.read(&message.headers)? {
            Some(reason) if payload.is_empty() => error(reason),
            Some(_) | None => serde_json::from_slice(&payload).map_err(|_| ProtocolError::Payload {
                subject: message.subject.clone(),
                expected: "the answer to a command as JSON",
            })?,
        };
        let id = match body.as_object_mut().and_then(|body| body.shift_remove("id")) {
            Some(Json::String(id)) => Some(id),
            Some(_) | None => None,
        };
        Ok(Self { to: header::RESPONSE_TO.read(&message.headers)?, id, code, body })
    }
}

impl From<&CommandError> for Answer {
    fn from(refused: &CommandError) -> Self {
        let body = error(refused.to_string());
        Self { to: refused.to.clone(), id: refused.id.clone(), code: refused.problem.code(), body }
    }
}

fn error(words: String) -> Json {
    Map::from_iter([("error".to_owned(), words.into())]).into()
}
