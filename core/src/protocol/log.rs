//! `ops.log.{level}.{unit}`: what a unit writes down (protocol, sections 1 and 3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ProtocolError, header, identity};
use crate::identity::UnitId;
use crate::message::Message;
use crate::subject::{Pattern, Subject};
use crate::time::Wall;

const PREFIX: &str = "ops.log";
const FORM: &str = "ops.log.{level}.{unit}";
const PAYLOAD: &str = "a log record as JSON with a `msg`";

/// How grave a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// For those who look for a fault.
    Debug,
    /// The usual course of things.
    #[default]
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
    /// The node cannot go on.
    Fatal,
}

words!(Level { Debug => "DEBUG", Info => "INFO", Warn => "WARN", Error => "ERROR", Fatal => "FATAL" });

/// Where `unit` writes records of `level`.
#[must_use]
pub fn subject(level: Level, unit: &UnitId) -> Subject {
    Subject::join(&[PREFIX, level.as_str(), unit.as_str()])
}

/// The records of every unit.
#[must_use]
pub fn pattern() -> Pattern {
    Pattern::join(&[PREFIX, ">"])
}

/// The records of `unit`, of every level.
#[must_use]
pub fn pattern_of(unit: &UnitId) -> Pattern {
    Pattern::join(&[PREFIX, "*", unit.as_str()])
}

/// Whether `subject` is one that records are written to: what writes records about messages leaves
/// these out, or it would never end.
#[must_use]
pub fn is_log(subject: &Subject) -> bool {
    subject.as_str().strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether words are about a subject that records are written to: such as what a server has against
/// that.
#[must_use]
pub fn mentions_log(words: &str) -> bool {
    words.match_indices(PREFIX).any(|(at, _)| words[at + PREFIX.len()..].starts_with('.'))
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it happened; microseconds of it go over the wire.
    pub ts: Wall,
    /// How grave it is.
    pub level: Level,
    /// Who writes it.
    pub unit: UnitId,
    /// What part of the unit: an actor, or a module of the program.
    pub comp: String,
    /// What happened, in words.
    pub msg: String,
    /// The same in data.
    pub fields: Fields,
    /// What belongs together across units: an ID of the request that it is about.
    pub trace: Option<String>,
}

impl Entry {
    /// The record as JSON. A record of no request has an empty `trace`, as existing clients expect.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // The names, the time and the level take 110 bytes; quotes in the texts a few more.
        let trace = self.trace.as_deref().unwrap_or_default();
        let texts = [self.unit.as_str(), &self.comp, &self.msg, self.fields.as_str(), trace];
        let mut json = Vec::with_capacity(128 + texts.iter().map(|text| text.len() + text.len() / 16).sum::<usize>());
        json.extend_from_slice(b"{\"ts\":\"");
        json.extend_from_slice(self.ts.rfc3339().as_bytes());
        json.extend_from_slice(b"\",\"lvl\":\"");
        json.extend_from_slice(self.level.as_str().as_bytes());
        json.extend_from_slice(b"\",\"unit\":\"");
        json.extend_from_slice(self.unit.as_str().as_bytes());
        json.extend_from_slice(b"\",\"comp\":");
        quote(&mut json, &self.comp);
        json.extend_from_slice(b",\"msg\":");
        quote(&mut json, &self.msg);
        json.extend_from_slice(b",\"fields\":");
        json.extend_from_slice(self.fields.as_str().as_bytes());
        json.extend_from_slice(b",\"trace\":");
        quote(&mut json, trace);
        json.push(b'}');
        json
    }

    /// The message; the outbox adds the stamp.
    #[must_use]
    pub fn build(&self) -> Message {
        Message::new(subject(self.level, &self.unit)).body(self.encode())
    }

    /// Reads a record. Unit and level are those of the subject; a time that is absent or malformed is
    /// that of the message, and fields that are no object are none.
    ///
    /// # Errors
    /// When the subject is not a log's, or the payload not a record with a `msg`.
    pub fn parse(message: &Message) -> Result<Self, ProtocolError> {
        #[derive(Deserialize)]
        struct Json<'a> {
            ts: Option<String>,
            comp: Option<String>,
            msg: String,
            #[serde(borrow)]
            fields: Option<&'a RawValue>,
            trace: Option<String>,
        }
        let subject = &message.subject;
        let (level, unit) = parse_subject(subject)?;
        let payload = message.payload();
        let json: Json<'_> = serde_json::from_slice(&payload)
            .map_err(|_| ProtocolError::Payload { subject: subject.clone(), expected: PAYLOAD })?;
        let written = json.ts.as_deref().and_then(Wall::from_rfc3339);
        let sent = || header::TX_TIMESTAMP.read(&message.headers).ok().flatten();
        Ok(Self {
            ts: written.or_else(sent).unwrap_or(message.received.wall),
            level,
            unit,
            comp: json.comp.unwrap_or_default(),
            msg: json.msg,
            fields: json.fields.and_then(|fields| Fields::from_json(fields.get())).unwrap_or_default(),
            trace: json.trace.filter(|trace| !trace.is_empty()),
        })
    }
}

/// The level and the unit that `subject` names.
///
/// # Errors
/// When it is not a log's.
pub fn parse_subject(subject: &Subject) -> Result<(Level, UnitId), ProtocolError> {
    let mut tokens =
        subject.as_str().strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')).map(|t| t.split('.'));
    let tokens = tokens.as_mut().map(|tokens| [tokens.next(), tokens.next(), tokens.next()]);
    let Some([Some(level), Some(unit), None]) = tokens else {
        return Err(ProtocolError::Subject { subject: subject.clone(), expected: FORM });
    };
    let level =
        Level::parse(level).ok_or_else(|| ProtocolError::Subject { subject: subject.clone(), expected: FORM })?;
    Ok((level, identity(subject, unit)?))
}

fn quote(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("a text is JSON, and a vector takes it");
}

/// A record's data: a JSON object, kept as text since nobody on the way looks into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(String);

impl Fields {
    /// The object that `json` holds; `None` when it is no JSON, or JSON of another kind.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        let object = serde_json::from_str::<&RawValue>(json).ok()?.get();
        let inside = object.strip_prefix('{')?.strip_suffix('}')?;
        Some(Self(if inside.trim_ascii().is_empty() { String::new() } else { object.to_owned() }))
    }

    /// The same with one more field, which must not be there already. A value that JSON cannot hold
    /// is `null`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        self.push(name, value);
        self
    }

    /// Adds a field, which must not be there already. A value that JSON cannot hold is `null`.
    pub fn push(&mut self, name: &str, value: &impl Serialize) {
        let value = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
        let before = if self.0.pop().is_some() { "," } else { "{" };
        self.0.push_str(before);
        self.0.push_str(&serde_json::Value::from(name).to_string());
        self.0.push(':');
        self.0.push_str(&value);
        self.0.push('}');
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object as JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "{}" } else { &self.0 }
    }

    /// The fields one by one, in the order they were written.
    #[must_use]
    pub fn to_map(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(self.as_str()).unwrap_or_default()
    }
}

impl From<&serde_json::Map<String, serde_json::Value>> for Fields {
    fn from(map: &serde_json::Map<String, serde_json::Value>) -> Self {
        let text = || serde_json::to_string(map).expect("a map of texts to values is JSON");
        Self(if map.is_empty() { String::new() } else { text() })
    }
}

#[cfg(test)]
mod tests;
