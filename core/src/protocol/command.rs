//! `ops.cmd.{role}.{unit}`: commands of operators, and their answers on `ops.status.{role}.{unit}`
//! (protocol, sections 1 and 6).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::log::Level;
use super::{ProtocolError, identity};
use crate::identity::{ActorName, Role, UnitId};
use crate::message::Message;
use crate::subject::{Pattern, Subject};

mod answer;
mod report;

pub use answer::Answer;
pub use report::{ActorReport, CrashReport, HealthProbe, MailboxReport, PROTOCOL_VERSION, Version};

/// The longest ID that a call may have, in bytes.
pub const ID_MAX_BYTES: usize = 128;

/// How much of a command's or an argument's text is repeated in an answer, in characters.
const QUOTED_MAX_CHARS: usize = 64;

const PREFIX: &str = "ops.cmd";
const FORM: &str = "ops.cmd.{role}.{unit}";
const PREFIX_OF_ANSWERS: &str = "ops.status";
const FORM_OF_ANSWERS: &str = "ops.status.{role}.{unit}";

/// Where `unit` takes commands.
#[must_use]
pub fn subject(role: Role, unit: &UnitId) -> Subject {
    Subject::join(&[PREFIX, role.as_str(), unit.as_str()])
}

/// The commands to `unit`, whatever its role was thought to be.
#[must_use]
pub fn pattern(unit: &UnitId) -> Pattern {
    Pattern::join(&[PREFIX, "*", unit.as_str()])
}

/// Where `unit` answers for everybody to see.
#[must_use]
pub fn subject_of_answer(role: Role, unit: &UnitId) -> Subject {
    Subject::join(&[PREFIX_OF_ANSWERS, role.as_str(), unit.as_str()])
}

/// The answers of every unit.
#[must_use]
pub fn pattern_of_answers() -> Pattern {
    Pattern::join(&[PREFIX_OF_ANSWERS, "*", "*"])
}

/// The role and the unit that a command on `subject` is for.
///
/// # Errors
/// When the subject is not a command's.
pub fn parse_subject(subject: &Subject) -> Result<(Role, UnitId), ProtocolError> {
    role_and_unit(subject, PREFIX, FORM)
}

/// The role and the unit whose answer arrived on `subject`.
///
/// # Errors
/// When the subject is not an answer's.
pub fn parse_subject_of_answer(subject: &Subject) -> Result<(Role, UnitId), ProtocolError> {
    role_and_unit(subject, PREFIX_OF_ANSWERS, FORM_OF_ANSWERS)
}

fn role_and_unit(subject: &Subject, prefix: &str, expected: &'static str) -> Result<(Role, UnitId), ProtocolError> {
    let rest = subject.as_str().strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
    let tokens = rest.and_then(|rest| rest.split_once('.')).filter(|(_, unit)| !unit.contains('.'));
    let read = tokens.and_then(|(role, unit)| Some((Role::parse(role)?, unit)));
    let (role, unit) = read.ok_or_else(|| ProtocolError::Subject { subject: subject.clone(), expected })?;
    Ok((role, identity(subject, unit)?))
}

/// What an operator may ask of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// How it does: answered by [`HealthProbe`].
    HealthProbe,
    /// What it runs: answered by [`Version`].
    Version,
    /// Its supervision tree: answered by [`ActorReport`].
    Actors,
    /// From which level on it writes down what happens.
    LogLevel {
        /// The least level that is written.
        level: Level,
    },
    /// To do harm to one of its actors, for those who test how it recovers.
    Chaos {
        /// Which.
        actor: ActorName,
        /// What.
        what: ChaosKind,
    },
}

/// What harm may be done to an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChaosKind {
    /// It panics.
    Panic,
    /// It ends as if its work were done.
    Stop,
    /// It does not come back from its next input.
    Hang,
    /// Its mailbox holds back for a while.
    Pause,
}

words!(ChaosKind { Panic => "panic", Stop => "stop", Hang => "hang", Pause => "pause" });

const KNOWN: &str = "HEALTH_PROBE, VERSION, ACTORS, LOG_LEVEL, CHAOS";

impl Command {
    /// The word on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::HealthProbe => "HEALTH_PROBE",
            Self::Version => "VERSION",
            Self::Actors => "ACTORS",
            Self::LogLevel { .. } => "LOG_LEVEL",
            Self::Chaos { .. } => "CHAOS",
        }
    }

    fn args(&self) -> Map<String, Json> {
        let args: &[(&str, &str)] = match self {
            Self::HealthProbe | Self::Version | Self::Actors => &[],
            Self::LogLevel { level } => &[("level", level.as_str())],
            Self::Chaos { actor, what } => &[("actor", actor.as_str()), ("what", what.as_str())],
        };
        args.iter().map(|(name, value)| ((*name).to_owned(), Json::from(*value))).collect()
    }

    fn parse(name: &str, args: &Json) -> Result<Self, CommandProblem> {
        Ok(match name {
            "HEALTH_PROBE" => Self::HealthProbe,
            "VERSION" => Self::Version,
            "ACTORS" => Self::Actors,
            "LOG_LEVEL" => Self::LogLevel {
                level: argument(args, "level", "one of DEBUG, INFO, WARN, ERROR, FATAL", Level::parse)?,
            },
            "CHAOS" => Self::Chaos {
                actor: argument(args, "actor", "the name of an actor", |text| ActorName::new(text).ok())?,
                what: argument(args, "what", "one of panic, stop, hang, pause", ChaosKind::parse)?,
            },
            _ => return Err(CommandProblem::Unknown(name.to_owned())),
        })
    }
}

/// The argument `name`, a text that `parse` understands.
fn argument<T>(
    args: &Json,
    name: &'static str,
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, CommandProblem> {
    let Some(found) = args.get(name) else { return Err(CommandProblem::ArgumentMissing { name, expected }) };
    let wrong = || CommandProblem::ArgumentWrong { name, found: quoted(&found.to_string()), expected };
    found.as_str().and_then(parse).ok_or_else(wrong)
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_MAX_CHARS).collect()
}

/// A command as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is to be done.
    pub command: Command,
    /// What the caller knows its answer by.
    pub id: Option<String>,
}

/// Why a message is no call. What it says of itself is kept for the answer, which
/// [`Answer`] can be made from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct CommandError {
    /// The name of the command, shortened to 64 characters.
    pub to: Option<String>,
    /// The call's own ID.
    pub id: Option<String>,
    /// What is wrong.
    pub problem: CommandProblem,
}

/// What may be wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandProblem {
    /// There is no payload.
    #[error("no command; send one of {KNOWN}")]
    Empty,
    /// The payload is no JSON, and no word either.
    #[error("neither the word of a command nor JSON `{{\"command\":…,\"args\":{{…}},\"id\":…}}`")]
    Malformed,
    /// The JSON names no command.
    #[error("`command` is missing, or no text; send one of {KNOWN}")]
    NoCommand,
    /// The ID is none.
    #[error("`id` is not a text of at most {ID_MAX_BYTES} bytes")]
    Id,
    /// No such command.
    #[error("unknown command `{0}`; known are {KNOWN}")]
    Unknown(String),
    /// The command needs to be told more.
    #[error("`args.{name}` is missing: {expected}")]
    ArgumentMissing {
        /// The argument.
        name: &'static str,
        /// What it is to be.
        expected: &'static str,
    },
    /// It cannot be what it was told.
    #[error("`args.{name}` is {found}, not {expected}")]
    ArgumentWrong {
        /// The argument.
        name: &'static str,
        /// What it is, as JSON.
        found: String,
        /// What it is to be.
        expected: &'static str,
    },
}

impl CommandProblem {
    /// The code of the answer (`X-Response-Code`): 404 for a command that is not known, else 400.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Unknown(_) => 404,
            Self::Empty
            | Self::Malformed
            | Self::NoCommand
            | Self::Id
            | Self::ArgumentMissing { .. }
            | Self::ArgumentWrong { .. } => 400,
        }
    }
}

impl Call {
    /// `command`, without an ID.
    #[must_use]
    pub const fn new(command: Command) -> Self {
        Self { command, id: None }
    }

    /// The message to `unit`: the bare word where that says it all, else JSON.
    #[must_use]
    pub fn message(&self, role: Role, unit: &UnitId) -> Message {
        let args = self.command.args();
        let message = Message::new(subject(role, unit));
        if args.is_empty() && self.id.is_none() {
            return message.body(self.command.name());
        }
        let mut json = Map::from_iter([("command".to_owned(), self.command.name().into())]);
        if !args.is_empty() {
            json.insert("args".to_owned(), args.into());
        }
        if let Some(id) = &self.id {
            json.insert("id".to_owned(), id.clone().into());
        }
        message.body(Json::from(json).to_string())
    }

    /// Reads a call from the payload: the bare word of a command, or JSON.
    ///
    /// # Errors
    /// When there is no command, an unknown one, or one whose arguments are missing or wrong.
    pub fn parse(message: &Message) -> Result<Self, CommandError> {
        let payload = message.payload();
        let fail = |to: Option<&str>, id: Option<&str>, problem| CommandError {
            to: to.map(quoted),
            id: id.map(str::to_owned),
            problem,
        };
        let text = payload.trim_ascii();
        if text.is_empty() {
            return Err(fail(None, None, CommandProblem::Empty));
        }
        if !text.starts_with(b"{") {
            let word = std::str::from_utf8(text).map_err(|_| fail(None, None, CommandProblem::Malformed))?;
            let word = quoted(word);
            let command = Command::parse(&word, &Json::Null).map_err(|problem| fail(Some(&word), None, problem))?;
            return Ok(Self::new(command));
        }
        let json: Map<String, Json> =
            serde_json::from_slice(text).map_err(|_| fail(None, None, CommandProblem::Malformed))?;
        let name = json.get("command").and_then(Json::as_str).map(quoted);
        let id = match json.get("id") {
            None | Some(Json::Null) => None,
            Some(Json::String(id)) if id.len() <= ID_MAX_BYTES => Some(id.as_str()),
            Some(_) => return Err(fail(name.as_deref(), None, CommandProblem::Id)),
        };
        let Some(name) = name else { return Err(fail(None, id, CommandProblem::NoCommand)) };
        let command = Command::parse(&name, json.get("args").unwrap_or(&Json::Null));
        let command = command.map_err(|problem| fail(Some(&name), id, problem))?;
        Ok(Self { command, id: id.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests;
