//! What goes over the wire: every subject, header, payload, unit and threshold, once.
//!
//! Section numbers refer to the protocol's own page, which `docs/PROTOCOL.md` carries.

/// The words of a closed list: how each is written, read and shown.
macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word on the wire.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub mod cluster;
pub mod command;
pub mod dead;
pub mod echo;
pub mod header;
pub mod heartbeat;
pub mod inbox;
pub mod log;
pub mod media;
pub mod permissions;
pub mod rtt;
pub mod service;
pub mod sys;
pub mod time;
pub mod units;

use crate::identity::{IdentityError, UnitId};
use crate::message::Message;
use crate::subject::Subject;

pub use header::{HeaderError, Key};

/// Why a message does not belong to the family that it came in for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The subject has another shape.
    #[error("subject `{subject}` is not of the form `{expected}`")]
    Subject {
        /// The subject as received.
        subject: Subject,
        /// The family's form.
        expected: &'static str,
    },
    /// A token of the subject is no identity.
    #[error("subject `{subject}`")]
    Identity {
        /// The subject as received.
        subject: Subject,
        /// What is wrong with the token.
        #[source]
        error: IdentityError,
    },
    /// A header that was read is malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The payload is not what the family carries.
    #[error("payload of `{subject}` is not {expected}")]
    Payload {
        /// The subject as received.
        subject: Subject,
        /// What the family carries.
        expected: &'static str,
    },
    /// The answer is that there is none.
    #[error("refused with code {code}: {reason}")]
    Refused {
        /// `X-Response-Code`.
        code: u16,
        /// `X-Reason`.
        reason: String,
    },
}

/// The unit in the last token of `subject`, when what stands before it is `prefix`.
fn unit_after(subject: &Subject, prefix: &str, expected: &'static str) -> Result<UnitId, ProtocolError> {
    let token = subject
        .as_str()
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('.'))
        .filter(|token| !token.contains('.'))
        .ok_or_else(|| ProtocolError::Subject { subject: subject.clone(), expected })?;
    identity(subject, token)
}

/// The unit that `message` is from by the last token of its subject; its stamp, when that names the
/// same, spares making one of the text.
fn sender(message: &Message, prefix: &str, expected: &'static str) -> Result<UnitId, ProtocolError> {
    if let Some(stamp) = message.headers.stamp()
        && is_of(&message.subject, prefix, &stamp.unit)
    {
        return Ok(stamp.unit.clone());
    }
    unit_after(&message.subject, prefix, expected)
}

/// Whether `subject` is `prefix` and then `unit`.
fn is_of(subject: &Subject, prefix: &str, unit: &UnitId) -> bool {
    subject.as_str().strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) == Some(unit.as_str())
}

/// The unit that `token` of `subject` names.
fn identity(subject: &Subject, token: &str) -> Result<UnitId, ProtocolError> {
    UnitId::new(token).map_err(|error| ProtocolError::Identity { subject: subject.clone(), error })
}

/// The answer to a request that is not granted.
#[must_use]
pub fn refused(reply: Subject, code: u16, reason: &str) -> Message {
    Message::new(reply)
        .with(&header::RESPONSE_CODE, header::Value::Unsigned(code.into()))
        .with(&header::REASON, header::Value::text(reason))
}

/// Whether `answer` is one, by its code: none, or one below 300.
fn accepted(answer: &Message) -> Result<(), ProtocolError> {
    match header::RESPONSE_CODE.read(&answer.headers)? {
        Some(code) if code >= 300 => {
            let reason = header::REASON.read(&answer.headers)?.unwrap_or_else(|| "no reason given".to_owned());
            Err(ProtocolError::Refused { code, reason })
        }
        Some(_) | None => Ok(()),
    }
}

/// The answer of a full mailbox to a request: code 503 (protocol, section 2, provisioning row).
#[must_use]
pub fn unavailable(reply: Subject) -> Message {
    Message::new(reply)
        .with(&header::RESPONSE_CODE, header::Value::Unsigned(503))
        .with(&header::REASON, header::Value::Word("mailbox full"))
}

/// Whether a subject or pattern belongs to the NATS server itself: what it tells about itself, and how
/// its tools find services.
#[must_use]
pub fn is_servers_own(subject: &str) -> bool {
    subject.starts_with('$')
}

/// What happens to a message of a family while the bus is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwayRule {
    /// Telemetry: the newest of each subject is sent when the bus is back.
    KeepLatest,
    /// Logs: sent in order when the bus is back; beyond `max` the oldest gives way.
    Queue {
        /// Messages that may wait.
        max: usize,
    },
    /// Voice and whatever else is worth nothing late.
    Drop,
}

/// Log records that may wait for the bus.
pub const LOGS_KEPT_MAX: usize = 1_024;

/// The rule of the family that `subject` belongs to.
#[must_use]
pub fn away_rule(subject: &Subject) -> AwayRule {
    let mut tokens = subject.tokens();
    match (tokens.next(), tokens.next()) {
        (Some("ops"), Some("log")) => AwayRule::Queue { max: LOGS_KEPT_MAX },
        (Some("com"), _) => match subject.tokens().last() {
            Some("voice" | "ptt") => AwayRule::Drop,
            _ => AwayRule::KeepLatest,
        },
        (_, _) => AwayRule::KeepLatest,
    }
}

/// What a message is, in a word for reports: `heartbeat`, `voice`, `answer`; of a subject of no family
/// of ours, its first token.
#[must_use]
pub fn family(subject: &str) -> &str {
    let mut tokens = subject.split('.');
    match (tokens.next(), tokens.next(), tokens.next()) {
        (Some("ops"), Some("metric" | "health"), Some(family)) | (Some("ops"), Some(family), _) => family,
        (Some("com"), Some(_), _) => match tokens.next_back() {
            Some(last @ ("voice" | "ptt")) => last,
            Some(_) | None => "com",
        },
        (Some("_INBOX"), _, _) => "answer",
        (Some(first), _, _) => first,
        (None, _, _) => "",
    }
}
