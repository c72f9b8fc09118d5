//! `ops.metric.time.{unit}`, `ops.time.config`, `ops.time.sync.{unit}`: what units know of their clocks
//! (protocol, sections 1, 3 and 4).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::header::{self, ClockQuality, ClockSource, Reader};
use super::{HeaderError, ProtocolError, accepted, echo, sender, unit_after};
use crate::clock::delay::Exchange;
use crate::clock::{PtpState, TimeDaemon};
use crate::identity::{SessionId, UnitId};
use crate::message::{Body, ClockStamp, Message};
use crate::subject::{Pattern, Subject};
use crate::time::{Now, Wall};

const METRIC: &str = "ops.metric.time";
const METRIC_FORM: &str = "ops.metric.time.{unit}";
const CONFIG: &str = "ops.time.config";
const SYNC: &str = "ops.time.sync";
const SYNC_FORM: &str = "ops.time.sync.{unit}";

/// How often a unit tells about its clock when nothing changes.
pub const METRIC_EVERY: Duration = Duration::from_secs(5);
/// How often it tells what clients are to go by (protocol, section 1).
pub const CONFIG_EVERY: Duration = Duration::from_secs(60);
/// How many synchronisations it remembers (protocol, section 3, `sync_log`).
pub const SYNC_LOG_LENGTH: usize = 3;
/// How long an answer to `ops.time.sync` may take before it counts as lost: that of an echo.
pub const SYNC_TIMEOUT: Duration = echo::TIMEOUT;

/// The offset below which a clock that PTP or GPS steers is locked, nanoseconds (protocol, section 4).
pub const PTP_LOCKED_NS: u64 = 1_000;
/// The offset below which it is tracking; also the uncertainty below which holdover is.
pub const PTP_TRACKING_NS: u64 = 100_000;
/// The offset below which a clock that NTP steers is locked, nanoseconds.
pub const NTP_LOCKED_NS: u64 = 1_000_000;
/// The offset below which it is tracking.
pub const NTP_TRACKING_NS: u64 = 10_000_000;
/// The uncertainty beyond which no clock that NTP steers is locked.
pub const NTP_LOCKED_UNCERTAINTY_NS: u64 = 10_000_000;
/// The uncertainty beyond which holdover is freerun.
pub const HOLDOVER_NS: u64 = 10_000_000;

/// Where `unit` tells about its clock.
#[must_use]
pub fn subject(unit: &UnitId) -> Subject {
    Subject::join(&[METRIC, unit.as_str()])
}

/// What every unit tells about its clock.
#[must_use]
pub fn pattern() -> Pattern {
    Pattern::join(&[METRIC, "*"])
}

/// What `unit` tells about its clock.
#[must_use]
pub fn pattern_of(unit: &UnitId) -> Pattern {
    Pattern::from(&subject(unit))
}

/// Where clients are told what to go by.
#[must_use]
pub fn config_subject() -> Subject {
    Subject::join(&[CONFIG])
}

/// The same as a pattern.
#[must_use]
pub fn config_pattern() -> Pattern {
    Pattern::from(&config_subject())
}

/// Where `unit` tells others the time.
#[must_use]
pub fn sync_subject(unit: &UnitId) -> Subject {
    Subject::join(&[SYNC, unit.as_str()])
}

/// The questions to `unit`.
#[must_use]
pub fn sync_pattern(unit: &UnitId) -> Pattern {
    Pattern::from(&sync_subject(unit))
}

/// The unit that a question on `subject` is for.
///
/// # Errors
/// When the subject is not that of a question for the time.
pub fn parse_sync_subject(subject: &Subject) -> Result<UnitId, ProtocolError> {
    unit_after(subject, SYNC, SYNC_FORM)
}

/// What a unit knows of its clock. What is not known is `None`, and never 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimeStatus {
    /// Whether ptp4l is asked, and answers.
    pub ptp_enabled: bool,
    /// The grandmaster that ptp4l follows.
    pub ptp_master: Option<String>,
    /// The last offset from it, as ptp4l tells it, nanoseconds.
    pub ptp_offset_ns: Option<i64>,
    /// Whether an NTP daemon is asked, and answers.
    pub ntp_enabled: bool,
    /// The offset that it still corrects, milliseconds.
    pub ntp_offset_ms: Option<f64>,
    /// What steers the clock, or did when holdover began.
    #[serde(deserialize_with = "lenient")]
    pub active_source: ClockSource,
    /// How well.
    #[serde(deserialize_with = "lenient")]
    pub clock_quality: ClockQuality,
    /// The mean path delay to the master, nanoseconds.
    pub ptp_path_delay_ns: Option<i64>,
    /// The state of the PTP port.
    pub ptp_state: Option<PtpState>,
    /// Whom the NTP daemon follows.
    pub ntp_server: Option<String>,
    /// Its stratum.
    pub ntp_stratum: Option<u8>,
    /// The last synchronisations, the latest last.
    pub sync_log: Vec<SyncEvent>,
    /// By how much the clock is ahead of the active source, nanoseconds.
    pub clock_offset_ns: Option<i64>,
    /// A bound on |true − local|, nanoseconds; growing in holdover.
    pub uncertainty_ns: Option<u64>,
    /// Since when the source is lost and the clock runs on by itself, milliseconds.
    pub holdover_ms: Option<u64>,
    /// Everybody who was asked, the active one first.
    pub sources: Vec<SourceStatus>,
}

/// Reads what others wrote: a word that is not known is the worst there is.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::de::DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// A source began or ceased to steer the clock, or steers it better or worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncEvent {
    /// When, milliseconds since 1970.
    pub ts: u64,
    /// By how much the clock was ahead, milliseconds.
    pub offset_ms: Option<f64>,
    /// Which source.
    pub source: ClockSource,
    /// How well it steers the clock since.
    #[serde(default)]
    pub quality: ClockQuality,
}

/// What one of those says who were asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Who.
    pub daemon: TimeDaemon,
    /// Which source of time it stands for.
    pub source: ClockSource,
    /// Whether the clock goes by it.
    pub active: bool,
    /// How well it would steer the clock; none when it cannot.
    pub quality: Option<ClockQuality>,
    /// By how much the clock is ahead of it, nanoseconds.
    pub offset_ns: Option<i64>,
    /// By how much the clock may be wrong as far as it knows, nanoseconds.
    pub uncertainty_ns: Option<u64>,
    /// Its grandmaster, server or receiver.
    pub follows: Option<String>,
    /// How old its last measurement is, milliseconds.
    pub age_ms: Option<u64>,
    /// Why the clock does not go by it; what to know about it.
    pub note: Option<String>,
}

/// What a unit told about its clock, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// Who told.
    pub unit: UnitId,
    /// What.
    pub status: TimeStatus,
    /// In which run of the unit.
    pub session: Option<SessionId>,
    /// Its number on this subject.
    pub sequence: Option<u64>,
    /// When, by the unit's clock.
    pub ts: Option<Wall>,
    /// Headers that were there but malformed.
    pub problems: Vec<HeaderError>,
}

#[derive(Serialize)]
struct Json<'a> {
    ts: u64,
    unit_id: &'a str,
    seq: u64,
    #[serde(flatten)]
    status: &'a TimeStatus,
}

#[derive(Deserialize)]
struct JsonReceived {
    ts: Option<u64>,
    seq: Option<u64>,
    #[serde(flatten)]
    status: TimeStatus,
}

/// The payload of what a unit tells about its clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    unit: UnitId,
    status: TimeStatus,
}

impl Payload {
    pub(crate) fn encode(&self, sequence: u64, tx: Wall) -> Bytes {
        let json = Json { ts: tx.unix_millis(), unit_id: self.unit.as_str(), seq: sequence, status: &self.status };
        Bytes::from(serde_json::to_vec(&json).expect("a struct of numbers and texts is JSON"))
    }
}

impl TimeStatus {
    /// The message; the outbox adds the stamp, and with it `ts` and `seq` of the payload.
    #[must_use]
    pub fn build(self, unit: &UnitId) -> Message {
        let body = Body::Time(Arc::new(Payload { unit: unit.clone(), status: self }));
        Message { body, ..Message::new(subject(unit)) }
    }

    /// The answer to a question on `ops.time.sync`: what this unit knows of its clock, and when the question
    /// was here by it, as an echo tells it.
    #[must_use]
    pub fn answer(self, unit: &UnitId, question: &Message, reply: Subject) -> Message {
        Message { body: self.build(unit).body, ..echo::answer(question, reply) }
    }

    /// Reads what a unit tells about its clock.
    ///
    /// # Errors
    /// When the subject is not that of such a metric, or the payload is no JSON of one.
    pub fn parse(message: &Message) -> Result<Received, ProtocolError> {
        let unit = sender(message, METRIC, METRIC_FORM)?;
        let (json, status) = read(message)?;
        let mut headers = Reader::of(message, &unit);
        let millis = json.0.and_then(|ts| ts.checked_mul(1_000_000)).map(Wall::from_unix_nanos);
        Ok(Received {
            session: headers.read(&header::SESSION_ID),
            sequence: headers.read(&header::SEQUENCE).or(json.1),
            ts: headers.read(&header::TX_TIMESTAMP).or(millis),
            status,
            unit,
            problems: headers.problems,
        })
    }
}

/// `ts` and `seq` of a payload.
type Numbered = (Option<u64>, Option<u64>);

/// `ts` and `seq` of a payload, and the rest of it.
fn read(message: &Message) -> Result<(Numbered, TimeStatus), ProtocolError> {
    if let Body::Time(payload) = &message.body {
        let stamp = message.headers.stamp();
        let (ts, sequence) = (stamp.map(|stamp| stamp.tx.unix_millis()), stamp.and_then(|stamp| stamp.sequence));
        return Ok(((ts, sequence), payload.status.clone()));
    }
    let json: JsonReceived = serde_json::from_slice(&message.payload()).map_err(|_| ProtocolError::Payload {
        subject: message.subject.clone(),
        expected: "JSON of what a unit knows of its clock",
    })?;
    Ok(((json.ts, json.seq), json.status))
}

/// What came of a question for the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The four timestamps.
    pub exchange: Exchange,
    /// What the other says about its clock.
    pub clock: ClockStamp,
    /// All that it knows of it.
    pub status: TimeStatus,
}

/// Reads an answer to a question on `ops.time.sync` that was handed over at `sent`.
///
/// # Errors
/// When it is a refusal, lacks a timestamp, or is no JSON of a time status.
pub fn told(sent: Now, answer: &Message) -> Result<Told, ProtocolError> {
    accepted(answer)?;
    let times = echo::ServerTimes::parse(answer)?.ok_or_else(|| ProtocolError::Payload {
        subject: answer.subject.clone(),
        expected: "an answer that tells when the question came and the answer went",
    })?;
    let exchange = times.exchange(sent, answer.received);
    let clock = ClockStamp::read(&answer.headers)?;
    Ok(Told { exchange, clock, status: read(answer)?.1 })
}

/// What clients are to go by (`ops.time.config`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeConfig {
    /// `auto`, `ptp`, `chrony` or `gps`.
    pub mode: String,
    /// NTP servers for those that have no other source.
    pub ntp_servers: Vec<String>,
    /// The grandmaster to follow, if it has to be this one.
    pub ptp_master: Option<String>,
    /// The PTP domain.
    pub ptp_domain: u8,
}

impl TimeConfig {
    /// The message.
    #[must_use]
    pub fn build(&self) -> Message {
        let json = serde_json::to_vec(self).expect("a struct of numbers and texts is JSON");
        Message::new(config_subject()).body(json)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the payload is no JSON of one.
    pub fn parse(message: &Message) -> Result<Self, ProtocolError> {
        serde_json::from_slice(&message.payload()).map_err(|_| ProtocolError::Payload {
            subject: message.subject.clone(),
            expected: "JSON of what clients are to go by",
        })
    }
}

#[cfg(test)]
mod tests;
