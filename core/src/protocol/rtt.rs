//! `ops.metric.rtt.{unit}`: round trips as a unit measures them (protocol, sections 1 to 3).

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::header::{self, Reader, Value};
use super::{HeaderError, ProtocolError, is_of, sender};
use crate::clock::delay::{Exchange, one_way};
use crate::identity::{SessionId, UnitId};
use crate::message::{Body, ClockStamp, Extra, Headers, Message, same};
use crate::subject::{Pattern, Subject};
use crate::time::Wall;

const PREFIX: &str = "ops.metric.rtt";
const FORM: &str = "ops.metric.rtt.{unit}";
const METHOD: &str = "echo";

/// Where `unit` tells what it measured.
#[must_use]
pub fn subject(unit: &UnitId) -> Subject {
    Subject::join(&[PREFIX, unit.as_str()])
}

/// The measurements of every unit.
#[must_use]
pub fn pattern() -> Pattern {
    Pattern::join(&[PREFIX, "*"])
}

/// The measurements of `unit`.
#[must_use]
pub fn pattern_of(unit: &UnitId) -> Pattern {
    Pattern::from(&subject(unit))
}

/// One measurement. What was not measured, or timed out, is `None`, and never 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtt {
    /// Who measured.
    pub unit: UnitId,
    /// Round trip to its server, in microseconds.
    pub native_us: Option<u64>,
    /// Round trip through the echo of `peer`, in microseconds.
    pub app_us: Option<u64>,
    /// Whose echo it was.
    pub peer: Option<UnitId>,
    /// How long each way took, when both clocks are known well enough to tell.
    pub delays: Option<Delays>,
}

/// How long a message takes to another unit and back, each way by itself (protocol, section 4, "one-way
/// delay").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    /// To the peer, microseconds; negative beyond the uncertainty when a clock is not what it claims.
    pub forward_us: i64,
    /// From the peer.
    pub backward_us: i64,
    /// By how much either may be wrong: what both clocks may be.
    #[serde(rename = "delay_uncertainty_us")]
    pub uncertainty_us: u64,
}

impl Delays {
    /// The delays of an exchange of a unit whose clock is `own` with one whose clock is `peers`; `None`
    /// when either does not know how far its clock is off.
    #[must_use]
    pub fn of(exchange: &Exchange, own: &ClockStamp, peers: &ClockStamp) -> Option<Self> {
        let there = one_way(exchange.sent.wall, own, exchange.taken, peers)?;
        let back = one_way(exchange.answered, peers, exchange.received.wall, own)?;
        Some(Self {
            forward_us: there.delay_ns / 1_000,
            backward_us: back.delay_ns / 1_000,
            uncertainty_us: there.uncertainty_ns.max(back.uncertainty_ns).div_ceil(1_000),
        })
    }

    /// Whether one way takes longer than the other by more than the clocks can be wrong. An error of the
    /// clocks lengthens one way and shortens the other, so it counts twice.
    #[must_use]
    pub const fn is_asymmetric(&self) -> bool {
        self.forward_us.abs_diff(self.backward_us) > self.uncertainty_us.saturating_mul(2)
    }
}

/// A measurement as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub rtt: Rtt,
    /// In which run of the unit.
    pub session: Option<SessionId>,
    /// Its number on this subject.
    pub sequence: Option<u64>,
    /// When it was sent, by the unit's clock.
    pub ts: Option<Wall>,
    /// Headers that were there but malformed; what they would have said is taken from the payload.
    pub problems: Vec<HeaderError>,
}

#[derive(Serialize)]
struct Json<'a> {
    ts: u64,
    unit_id: &'a UnitId,
    seq: u64,
    native_rtt_us: Option<u64>,
    app_rtt_us: Option<u64>,
    measurement_method: &'static str,
    peer: Option<&'a UnitId>,
    #[serde(flatten)]
    delays: Option<Delays>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asymmetric: Option<bool>,
}

/// What is read of the same: senders other than ours may leave out what they do not know.
#[derive(Deserialize)]
struct JsonReceived {
    ts: Option<u64>,
    seq: Option<u64>,
    native_rtt_us: Option<u64>,
    app_rtt_us: Option<u64>,
    peer: Option<UnitId>,
    forward_us: Option<i64>,
    backward_us: Option<i64>,
    delay_uncertainty_us: Option<u64>,
}

impl JsonReceived {
    /// What the payload of `message` says; one that never was text is not made one first.
    fn of(message: &Message) -> Option<Self> {
        match &message.body {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).ok(),
            Body::Heartbeat(_) | Body::Time(_) => serde_json::from_slice(&message.payload()).ok(),
            Body::Rtt(rtt) => {
                let stamp = message.headers.stamp();
                Some(Self {
                    ts: Some(stamp.map_or(0, |stamp| stamp.tx.unix_millis())),
                    seq: Some(stamp.and_then(|stamp| stamp.sequence).unwrap_or(0)),
                    native_rtt_us: rtt.native_us,
                    app_rtt_us: rtt.app_us,
                    peer: rtt.peer.clone(),
                    forward_us: rtt.delays.map(|delays| delays.forward_us),
                    backward_us: rtt.delays.map(|delays| delays.backward_us),
                    delay_uncertainty_us: rtt.delays.map(|delays| delays.uncertainty_us),
                })
            }
        }
    }
}

impl Rtt {
    /// The message; the outbox adds the stamp, and with it `ts` and `seq` of the payload.
    #[must_use]
    pub fn build(self) -> Message {
        let subject = subject(&self.unit);
        self.build_to(subject)
    }

    /// The same for whoever keeps the [`subject`] of its unit: making a text is most of the work.
    #[must_use]
    pub fn build_to(self, subject: Subject) -> Message {
        let native = |micros| (header::RTT_NATIVE.name(), Value::Unsigned(micros));
        let app = |micros| (header::RTT_APP.name(), Value::Unsigned(micros));
        let extras: Option<Arc<[Extra]>> = match (self.native_us, self.app_us) {
            (Some(first), Some(second)) => Some(Arc::new([native(first), app(second)])),
            (Some(first), None) => Some(Arc::new([native(first)])),
            (None, Some(second)) => Some(Arc::new([app(second)])),
            (None, None) => None,
        };
        let headers = extras.map_or_else(Headers::default, Headers::of);
        Message { headers, body: Body::Rtt(Arc::new(self)), ..Message::new(subject) }
    }

    /// Reads a measurement. Headers come before the payload; a malformed one costs nothing that the
    /// payload knows too.
    ///
    /// # Errors
    /// When the subject is not that of a measurement, or the payload is no JSON of one.
    pub fn parse(message: &Message) -> Result<Received, ProtocolError> {
        if let Some(received) = Self::typed(message) {
            return Ok(received);
        }
        let unit = sender(message, PREFIX, FORM)?;
        let json = JsonReceived::of(message).ok_or_else(|| ProtocolError::Payload {
            subject: message.subject.clone(),
            expected: "JSON of a round trip, with whole microseconds or null",
        })?;
        let mut headers = Reader::of(message, &unit);
        let millis = json.ts.and_then(|ts| ts.checked_mul(1_000_000)).map(Wall::from_unix_nanos);
        Ok(Received {
            session: headers.read(&header::SESSION_ID),
            sequence: headers.read(&header::SEQUENCE).or(json.seq),
            ts: headers.read(&header::TX_TIMESTAMP).or(millis),
            rtt: Self {
                native_us: headers.read(&header::RTT_NATIVE).or(json.native_rtt_us),
                app_us: headers.read(&header::RTT_APP).or(json.app_rtt_us),
                peer: json.peer,
                delays: delays(json.forward_us, json.backward_us, json.delay_uncertainty_us),
                unit,
            },
            problems: headers.problems,
        })
    }

    /// The same of one that never was text, and holds nothing but what [`build`](Self::build) wrote.
    fn typed(message: &Message) -> Option<Received> {
        let (stamp, extras) = message.headers.typed()?;
        let Body::Rtt(rtt) = &message.body else { return None };
        if !is_of(&message.subject, PREFIX, &stamp.unit) {
            return None;
        }
        let (mut native_us, mut app_us) = (rtt.native_us, rtt.app_us);
        for (name, value) in extras {
            match value {
                &Value::Unsigned(micros) if same(name, header::RTT_NATIVE.name()) => native_us = Some(micros),
                &Value::Unsigned(micros) if same(name, header::RTT_APP.name()) => app_us = Some(micros),
                Value::Unsigned(_)
                | Value::Integer(_)
                | Value::Word(_)
                | Value::Percent(_)
                | Value::Text(_)
                | Value::AtHandOver(_) => return None,
            }
        }
        Some(Received {
            rtt: Self { unit: stamp.unit.clone(), native_us, app_us, peer: rtt.peer.clone(), delays: rtt.delays },
            session: Some(stamp.session.clone()),
            sequence: Some(stamp.sequence.unwrap_or(0)),
            ts: Some(stamp.tx),
            problems: Vec::new(),
        })
    }

    pub(crate) fn encode(&self, sequence: u64, tx: Wall) -> Bytes {
        let json = Json {
            ts: tx.unix_millis(),
            unit_id: &self.unit,
            seq: sequence,
            native_rtt_us: self.native_us,
            app_rtt_us: self.app_us,
            measurement_method: METHOD,
            peer: self.peer.as_ref(),
            delays: self.delays,
            asymmetric: self.delays.map(|delays| delays.is_asymmetric()),
        };
        Bytes::from(serde_json::to_vec(&json).expect("a struct of numbers and texts is JSON"))
    }
}

fn delays(forward_us: Option<i64>, backward_us: Option<i64>, uncertainty_us: Option<u64>) -> Option<Delays> {
    Some(Delays { forward_us: forward_us?, backward_us: backward_us?, uncertainty_us: uncertainty_us? })
}

#[cfg(test)]
mod tests;
