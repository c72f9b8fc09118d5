//! `ops.heartbeat.{unit}`: how a unit does, every interval (protocol, sections 1 to 4).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::header::{self, Health, Reader, Value};
use super::{HeaderError, ProtocolError, is_of, sender};
use crate::identity::{Role, SessionId, UnitId};
use crate::message::{Body, Headers, Message, same};
use crate::subject::{Pattern, Subject};
use crate::time::Wall;

/// The interval of a unit that announces none, and the default of our own.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(5);
/// The shortest interval that may be configured.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The longest interval that may be configured.
pub const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// A unit whose round trip between actors is longer counts as DEGRADED (protocol, section 4).
pub const RTT_APP_MAX: Duration = Duration::from_millis(300);

const PREFIX: &str = "ops.heartbeat";
const FORM: &str = "ops.heartbeat.{unit}";

/// How long after its last heartbeat a unit counts as OFFLINE: 2.5 of the intervals it announced.
#[must_use]
pub const fn offline_after(interval: Duration) -> Duration {
    interval.saturating_mul(5).checked_div(2).expect("two is not zero")
}

/// The subject on which `unit` beats.
#[must_use]
pub fn subject(unit: &UnitId) -> Subject {
    Subject::join(&[PREFIX, unit.as_str()])
}

/// The heartbeats of every unit.
#[must_use]
pub fn pattern() -> Pattern {
    Pattern::join(&[PREFIX, "*"])
}

/// One heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Whose.
    pub unit: UnitId,
    /// How it does.
    pub status: Health,
    /// What it is for.
    pub role: Role,
    /// When the next one is due.
    pub interval: Duration,
    /// Whole seconds since it started.
    pub uptime_s: Option<u64>,
    /// Processor use of its host in percent.
    pub cpu_percent: Option<u8>,
    /// Memory use of its host in percent.
    pub memory_percent: Option<u8>,
    /// Round trip to its server in microseconds, when measured.
    pub rtt_native_us: Option<u64>,
    /// Round trip through a peer's echo in microseconds, when measured.
    pub rtt_app_us: Option<u64>,
    /// Connections it serves, when it counts them.
    pub active_connections: Option<u64>,
}

/// A heartbeat as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub heartbeat: Heartbeat,
    /// In which run of the unit; absent from senders that know no sessions.
    pub session: Option<SessionId>,
    /// Its number on this subject.
    pub sequence: Option<u64>,
    /// Headers that were there but malformed; what they would have said is taken as absent.
    pub problems: Vec<HeaderError>,
}

impl Heartbeat {
    /// A heartbeat of `unit` that says nothing but that it lives.
    #[must_use]
    pub const fn new(unit: UnitId) -> Self {
        Self {
            unit,
            status: Health::Ok,
            role: Role::Node,
            interval: INTERVAL_DEFAULT,
            uptime_s: None,
            cpu_percent: None,
            memory_percent: None,
            rtt_native_us: None,
            rtt_app_us: None,
            active_connections: None,
        }
    }

    /// The message; the outbox adds the stamp.
    #[must_use]
    pub fn build(&self) -> Message {
        let millis = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        let mut extras = Vec::with_capacity(9);
        extras.push((header::HEALTH_STATUS.name(), Value::Word(self.status.as_str())));
        extras.push((header::HEARTBEAT_INTERVAL.name(), Value::Unsigned(millis)));
        extras.push((header::ROLE.name(), Value::Word(self.role.as_str())));
        let mut optional = |name: &'static str, value: Option<Value>| extras.extend(value.map(|value| (name, value)));
        optional(header::UPTIME.name(), self.uptime_s.map(Value::Unsigned));
        optional(header::CPU_LOAD.name(), self.cpu_percent.map(Value::Percent));
        optional(header::MEMORY_USAGE.name(), self.memory_percent.map(Value::Percent));
        optional(header::RTT_NATIVE.name(), self.rtt_native_us.map(Value::Unsigned));
        optional(header::RTT_APP.name(), self.rtt_app_us.map(Value::Unsigned));
        optional(header::ACTIVE_CONNECTIONS.name(), self.active_connections.map(Value::Unsigned));
        let body = Body::Heartbeat(Payload { status: self.status });
        Message { headers: Headers::of(extras), body, ..Message::new(subject(&self.unit)) }
    }

    /// Reads a heartbeat. A malformed header costs only what it would have said.
    ///
    /// # Errors
    /// When the subject is not a heartbeat's.
    pub fn parse(message: &Message) -> Result<Received, ProtocolError> {
        if let Some(received) = Self::typed(message) {
            return Ok(received);
        }
        let unit = sender(message, PREFIX, FORM)?;
        let mut headers = Reader::of(message, &unit);
        let status = headers.read(&header::HEALTH_STATUS).or_else(|| Payload::status_in(message));
        let interval = headers.read(&header::HEARTBEAT_INTERVAL);
        let heartbeat = Self {
            status: status.unwrap_or_default(),
            role: headers.read(&header::ROLE).unwrap_or_default(),
            interval: interval.map_or(INTERVAL_DEFAULT, Duration::from_millis).clamp(INTERVAL_MIN, INTERVAL_MAX),
            uptime_s: headers.read(&header::UPTIME),
            cpu_percent: headers.read(&header::CPU_LOAD),
            memory_percent: headers.read(&header::MEMORY_USAGE),
            rtt_native_us: headers.read(&header::RTT_NATIVE),
            rtt_app_us: headers.read(&header::RTT_APP),
            active_connections: headers.read(&header::ACTIVE_CONNECTIONS),
            unit,
        };
        Ok(Received {
            session: headers.read(&header::SESSION_ID),
            sequence: headers.read(&header::SEQUENCE),
            heartbeat,
            problems: headers.problems,
        })
    }

    /// The same of one that never was text, and holds nothing but what [`build`](Self::build) writes.
    fn typed(message: &Message) -> Option<Received> {
        let (stamp, extras) = message.headers.typed()?;
        if !is_of(&message.subject, PREFIX, &stamp.unit) {
            return None;
        }
        let mut heartbeat = Self { role: Role::default(), ..Self::new(stamp.unit.clone()) };
        let mut status = None;
        for (name, value) in extras {
            let is = |key: &'static str| same(name, key);
            match value {
                Value::Word(word) if is(header::HEALTH_STATUS.name()) => status = Some(Health::parse(word)?),
                Value::Word(word) if is(header::ROLE.name()) => heartbeat.role = Role::parse(word)?,
                &Value::Unsigned(number) => match *name {
                    name if same(name, header::HEARTBEAT_INTERVAL.name()) => {
                        heartbeat.interval = Duration::from_millis(number).clamp(INTERVAL_MIN, INTERVAL_MAX);
                    }
                    name if same(name, header::UPTIME.name()) => heartbeat.uptime_s = Some(number),
                    name if same(name, header::RTT_NATIVE.name()) => heartbeat.rtt_native_us = Some(number),
                    name if same(name, header::RTT_APP.name()) => heartbeat.rtt_app_us = Some(number),
                    name if same(name, header::ACTIVE_CONNECTIONS.name()) => {
                        heartbeat.active_connections = Some(number)
                    }
                    _ => return None,
                },
                &Value::Percent(percent @ ..=100) if is(header::CPU_LOAD.name()) => {
                    heartbeat.cpu_percent = Some(percent)
                }
                &Value::Percent(percent @ ..=100) if is(header::MEMORY_USAGE.name()) => {
                    heartbeat.memory_percent = Some(percent);
                }
                Value::Word(_) | Value::Percent(_) | Value::Integer(_) | Value::Text(_) | Value::AtHandOver(_) => {
                    return None;
                }
            }
        }
        heartbeat.status = status.or_else(|| Payload::status_in(message)).unwrap_or_default();
        let (session, sequence) = (Some(stamp.session.clone()), stamp.sequence);
        Some(Received { heartbeat, session, sequence, problems: Vec::new() })
    }
}

/// What a heartbeat's JSON says beside the sequence and the time, which the outbox adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// How the unit does.
    pub status: Health,
}

#[derive(Serialize, Deserialize)]
struct Json {
    status: Health,
    sequence: u64,
    ts: u64,
}

impl Payload {
    pub(crate) fn encode(self, sequence: u64, tx: Wall) -> Bytes {
        let json = Json { status: self.status, sequence, ts: tx.unix_millis() };
        Bytes::from(serde_json::to_vec(&json).expect("a struct of numbers and a word is JSON"))
    }

    fn status_in(message: &Message) -> Option<Health> {
        match &message.body {
            Body::Heartbeat(payload) => Some(payload.status),
            Body::Bytes(bytes) => serde_json::from_slice::<Json>(bytes).ok().map(|json| json.status),
            Body::Rtt(_) | Body::Time(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
