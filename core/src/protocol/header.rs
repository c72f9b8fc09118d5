//! Header names with the types of their values (protocol, section 2).

use std::borrow::Cow;

use crate::identity::{Role, SessionId, UnitId};
use crate::message::{Field, Headers, Lookup, Message};
use crate::time::Wall;

/// A header that is there but cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {name}: `{value}` is not {expected}")]
pub struct HeaderError {
    /// The name under which it stood.
    pub name: &'static str,
    /// Its value, shortened to 64 characters.
    pub value: String,
    /// What should have stood there.
    pub expected: &'static str,
}

/// Another name of a header, and how its value is read there: its unit may differ.
type Alias<T> = (&'static str, fn(&str) -> Option<T>);

/// A header's name together with the type of its value and the names it is also read under.
#[derive(Debug)]
pub struct Key<T: 'static> {
    name: &'static str,
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
    /// Reads a value that never was a text; what it does not take is read as one.
    typed: fn(Field<'_>) -> Option<T>,
    aliases: &'static [Alias<T>],
}

impl<T> Key<T> {
    /// A header for messages of your own: `name` as it goes over the wire, what its value is in
    /// words (for errors), and how it is read.
    #[must_use]
    pub const fn new(name: &'static str, expected: &'static str, parse: fn(&str) -> Option<T>) -> Self {
        Self { name, expected, parse, typed: |_| None, aliases: &[] }
    }

    const fn with_aliases(self, aliases: &'static [Alias<T>]) -> Self {
        Self { aliases, ..self }
    }

    const fn typed(self, typed: fn(Field<'_>) -> Option<T>) -> Self {
        Self { typed, ..self }
    }

    /// The name as it goes over the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Reads this header, or the first alias that is present; `None` when all are absent.
    ///
    /// # Errors
    /// When it is there and malformed.
    pub fn read(&self, headers: &Headers) -> Result<Option<T>, HeaderError> {
        match headers.field(self.name) {
            Lookup::Found(field) => {
                if let Some(value) = (self.typed)(field) {
                    return Ok(Some(value));
                }
            }
            // Most headers are absent from most messages: none but the aliases is looked for again.
            Lookup::Absent if self.aliases.is_empty() => return Ok(None),
            Lookup::Absent | Lookup::Text => {}
        }
        let own = (self.name, self.parse);
        for (name, parse) in std::iter::once(own).chain(self.aliases.iter().copied()) {
            if let Some(value) = headers.get(name) {
                return match parse(&value) {
                    Some(parsed) => Ok(Some(parsed)),
                    None => Err(HeaderError { name, value: value.chars().take(64).collect(), expected: self.expected }),
                };
            }
        }
        Ok(None)
    }
}

/// Reads the headers of one message: a malformed one counts as absent, and is kept for whoever counts.
pub(super) struct Reader<'a> {
    headers: &'a Headers,
    pub(super) problems: Vec<HeaderError>,
}

impl<'a> Reader<'a> {
    /// The headers of `message`, which is from `unit` by its subject.
    pub(super) fn of(message: &'a Message, unit: &UnitId) -> Self {
        let mut reader = Self { headers: &message.headers, problems: Vec::new() };
        reader.agree(&UNIT_ID, unit);
        reader
    }

    pub(super) fn read<T>(&mut self, key: &Key<T>) -> Option<T> {
        key.read(self.headers).unwrap_or_else(|error| {
            self.problems.push(error);
            None
        })
    }

    /// Notes it when the header names another unit than the subject, which counts.
    pub(super) fn agree(&mut self, key: &Key<UnitId>, unit: &UnitId) {
        // As nearly always, and then nothing is made of the text.
        if self.headers.get(key.name).is_some_and(|header| header == unit.as_str()) {
            return;
        }
        if let Some(header) = self.read(key)
            && header != *unit
        {
            let (name, value) = (key.name, header.as_str().to_owned());
            self.problems.push(HeaderError { name, value, expected: "the unit that the subject names" });
        }
    }
}

/// A header's value: kept in its own type until it goes over the wire, so that building a message
/// formats nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word of the protocol.
    Word(&'static str),
    /// A plain decimal integer.
    Integer(i64),
    /// A plain decimal integer that may use all 64 bits.
    Unsigned(u64),
    /// `12%`.
    Percent(u8),
    /// Free text, without line breaks.
    Text(Box<str>),
    /// Known only when the message is handed to the bus; the outbox fills it in.
    AtHandOver(Late),
}

/// A value that the outbox knows and the actor cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// The clock source of the stamp.
    ClockSource,
    /// The clock quality of the stamp.
    ClockQuality,
    /// This instant's wall time plus the monotonic time from it until hand-over.
    WallSince(crate::time::Now),
}

impl Value {
    /// Free text; line breaks and other control characters, which would forge headers, become
    /// spaces, and none stay at its ends, where no reader would see them.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let text = text.trim_matches(|c: char| c == ' ' || c.is_control());
        Self::Text(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    }

    /// The value as it goes over the wire; a late value that nobody filled in reads as empty.
    #[must_use]
    pub fn encode(&self) -> Cow<'_, str> {
        match self {
            Self::Word(word) => Cow::Borrowed(word),
            Self::Integer(integer) => Cow::Owned(integer.to_string()),
            Self::Unsigned(integer) => Cow::Owned(integer.to_string()),
            Self::Percent(percent) => Cow::Owned(format!("{percent}%")),
            Self::Text(text) => Cow::Borrowed(text),
            Self::AtHandOver(_) => Cow::Borrowed(""),
        }
    }

    /// The bytes that it occupies beside itself.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Word(_) | Self::Integer(_) | Self::Unsigned(_) | Self::Percent(_) | Self::AtHandOver(_) => 0,
        }
    }
}

/// What steers the local clock (`X-Clock-Source`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockSource {
    /// IEEE 1588.
    Ptp,
    /// A GPS receiver with a pulse.
    Gps,
    /// An NTP server.
    Ntp,
    /// Nothing.
    #[default]
    Unsynced,
}

/// How well it does (`X-Clock-Quality`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockQuality {
    /// Fully synchronised.
    Locked,
    /// Converging.
    Tracking,
    /// Far off.
    Acquiring,
    /// No source.
    #[default]
    Freerun,
}

/// How a unit does (`X-Health-Status`, protocol sections 2 and 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Health {
    /// Fully operational.
    #[default]
    Ok,
    /// Reduced functionality.
    Degraded,
    /// Core functions failing.
    Critical,
    /// Stopped, or not heard of.
    Offline,
}

/// How the part of the bus does that a node sees (`X-Cluster-State`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ClusterState {
    /// Every node is there that was.
    #[default]
    Healthy,
    /// Some are away.
    Degraded,
    /// It has come apart.
    Partitioned,
}

words!(ClockSource { Ptp => "ptp", Gps => "gps", Ntp => "ntp", Unsynced => "unsynced" });
words!(ClockQuality { Locked => "locked", Tracking => "tracking", Acquiring => "acquiring", Freerun => "freerun" });
words!(ClusterState { Healthy => "HEALTHY", Degraded => "DEGRADED", Partitioned => "PARTITIONED" });
words!(Health { Ok => "OK", Degraded => "DEGRADED", Critical => "CRITICAL", Offline => "OFFLINE" });

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    // `parse` would take a leading `+`, which is not plain decimal.
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-').then(|| text.parse().ok()).flatten()
}

fn percent(text: &str) -> Option<u8> {
    number(text.strip_suffix('%')?).filter(|&percent: &u8| percent <= 100)
}

fn wall(text: &str) -> Option<Wall> {
    number(text).map(Wall::from_unix_nanos)
}

fn wall_from_millis(text: &str) -> Option<Wall> {
    number::<u64>(text)?.checked_mul(1_000_000).map(Wall::from_unix_nanos)
}

fn wall_from_micros(text: &str) -> Option<Wall> {
    number::<u64>(text)?.checked_mul(1_000).map(Wall::from_unix_nanos)
}

fn typed_number<T: TryFrom<u64>>(field: Field<'_>) -> Option<T> {
    field.unsigned().and_then(|number| T::try_from(number).ok())
}

fn typed_wall(field: Field<'_>) -> Option<Wall> {
    field.unsigned().map(Wall::from_unix_nanos)
}

fn typed_percent(field: Field<'_>) -> Option<u8> {
    match field {
        Field::Value(Value::Percent(percent)) if *percent <= 100 => Some(*percent),
        Field::Value(_)
        | Field::Unit(_)
        | Field::Session(_)
        | Field::Unsigned(_)
        | Field::ClockSource(_)
        | Field::ClockQuality(_) => None,
    }
}

fn typed_source(field: Field<'_>) -> Option<ClockSource> {
    match field {
        Field::ClockSource(source) => Some(source),
        Field::Value(_) | Field::Unit(_) | Field::Session(_) | Field::Unsigned(_) | Field::ClockQuality(_) => None,
    }
}

fn typed_quality(field: Field<'_>) -> Option<ClockQuality> {
    match field {
        Field::ClockQuality(quality) => Some(quality),
        Field::Value(_) | Field::Unit(_) | Field::Session(_) | Field::Unsigned(_) | Field::ClockSource(_) => None,
    }
}

fn typed_unit(field: Field<'_>) -> Option<UnitId> {
    match field {
        Field::Unit(unit) => Some(unit.clone()),
        Field::Value(_) | Field::Session(_) | Field::Unsigned(_) | Field::ClockSource(_) | Field::ClockQuality(_) => {
            None
        }
    }
}

fn typed_session(field: Field<'_>) -> Option<SessionId> {
    match field {
        Field::Session(session) => Some(session.clone()),
        Field::Value(_) | Field::Unit(_) | Field::Unsigned(_) | Field::ClockSource(_) | Field::ClockQuality(_) => None,
    }
}

fn unit(text: &str) -> Option<UnitId> {
    UnitId::new(text).ok()
}

fn session(text: &str) -> Option<SessionId> {
    SessionId::new(text).ok()
}

const U64: &str = "a whole number";
const MICROS: &str = "whole microseconds";
const UNIX_NANOS: &str = "whole nanoseconds since 1970";
const PERCENT: &str = "a percentage from 0% to 100%";

/// `X-Unit-ID`: who sent it.
pub const UNIT_ID: Key<UnitId> = Key::new("X-Unit-ID", "a unit ID", unit).typed(typed_unit);
/// `X-Session-ID`: in which run of the unit.
pub const SESSION_ID: Key<SessionId> = Key::new("X-Session-ID", "a session ID", session).typed(typed_session);
/// `X-Sequence`: the how-manieth message of this unit on this subject, from 1.
pub const SEQUENCE: Key<u64> = Key::new("X-Sequence", U64, number).typed(typed_number);
/// `X-TX-Timestamp`: the sender's wall clock at hand-over to the bus.
pub const TX_TIMESTAMP: Key<Wall> =
    Key::new("X-TX-Timestamp", UNIX_NANOS, wall).typed(typed_wall).with_aliases(&[("X-Timestamp", wall_from_millis)]);
/// `X-Clock-Source`: what steers the sender's clock.
pub const CLOCK_SOURCE: Key<ClockSource> =
    Key::new("X-Clock-Source", "one of ptp, gps, ntp, unsynced", ClockSource::parse).typed(typed_source);
/// `X-Clock-Quality`: how well.
pub const CLOCK_QUALITY: Key<ClockQuality> =
    Key::new("X-Clock-Quality", "one of locked, tracking, acquiring, freerun", ClockQuality::parse)
        .typed(typed_quality);
/// `X-Clock-Offset`: nanoseconds by which the sender's clock is ahead of its source.
pub const CLOCK_OFFSET: Key<i64> = Key::new("X-Clock-Offset", "whole nanoseconds", number);
/// `X-Clock-Uncertainty`: a bound on |true − local| of the sender's clock, in nanoseconds. Beside the original
/// protocol: floor control and one-way delay need it of every sender, and a class tells only a limit.
pub const CLOCK_UNCERTAINTY: Key<u64> =
    Key::new("X-Clock-Uncertainty", "whole nanoseconds", number).typed(typed_number);
/// `X-Health-Status`: how the unit does.
pub const HEALTH_STATUS: Key<Health> =
    Key::new("X-Health-Status", "one of OK, DEGRADED, CRITICAL, OFFLINE", Health::parse);
/// `X-CPU-Load`: processor use of the host.
pub const CPU_LOAD: Key<u8> = Key::new("X-CPU-Load", PERCENT, percent).typed(typed_percent);
/// `X-Memory-Usage`: memory use of the host.
pub const MEMORY_USAGE: Key<u8> =
    Key::new("X-Memory-Usage", PERCENT, percent).typed(typed_percent).with_aliases(&[("X-Mem-Usage", percent)]);
/// `X-Uptime`: whole seconds since the unit started.
pub const UPTIME: Key<u64> = Key::new("X-Uptime", "whole seconds", number).typed(typed_number);
/// `X-Heartbeat-Interval`: milliseconds until the next heartbeat.
pub const HEARTBEAT_INTERVAL: Key<u64> =
    Key::new("X-Heartbeat-Interval", "whole milliseconds", number).typed(typed_number);
/// `X-Role`: what the unit is for.
pub const ROLE: Key<Role> = Key::new("X-Role", "one of gateway, client, repeater, node", Role::parse);
/// `X-RTT-Native`: round trip to the server, in microseconds.
pub const RTT_NATIVE: Key<u64> =
    Key::new("X-RTT-Native", MICROS, number).typed(typed_number).with_aliases(&[("X-Native-RTT", number)]);
/// `X-RTT-App`: round trip through a peer's echo responder, in microseconds.
pub const RTT_APP: Key<u64> =
    Key::new("X-RTT-App", MICROS, number).typed(typed_number).with_aliases(&[("X-App-RTT", number)]);
/// `X-Active-Connections`: how many connections the unit serves.
pub const ACTIVE_CONNECTIONS: Key<u64> = Key::new("X-Active-Connections", U64, number).typed(typed_number);
/// `X-Server-RX-Timestamp`: responder's wall clock when the request reached its bus edge.
pub const SERVER_RX_TIMESTAMP: Key<Wall> = Key::new("X-Server-RX-Timestamp", UNIX_NANOS, wall)
    .typed(typed_wall)
    .with_aliases(&[("X-Server-Received-At", wall_from_micros)]);
/// `X-Server-TX-Timestamp`: that plus the monotonic time until the answer's hand-over.
pub const SERVER_TX_TIMESTAMP: Key<Wall> = Key::new("X-Server-TX-Timestamp", UNIX_NANOS, wall).typed(typed_wall);
/// `X-Server-Clock-Source`: what steers the responder's clock.
pub const SERVER_CLOCK_SOURCE: Key<ClockSource> =
    Key::new("X-Server-Clock-Source", "one of ptp, gps, ntp, unsynced", ClockSource::parse);
/// `X-Server-Clock-Quality`: how well.
pub const SERVER_CLOCK_QUALITY: Key<ClockQuality> =
    Key::new("X-Server-Clock-Quality", "one of locked, tracking, acquiring, freerun", ClockQuality::parse);
/// `X-Reason`: why, in words.
pub const REASON: Key<String> = Key::new("X-Reason", "text", |text| Some(text.to_owned()));
/// `X-Original-Subject`: where a dead letter was bound for.
pub const ORIGINAL_SUBJECT: Key<String> = Key::new("X-Original-Subject", "a subject", |text| Some(text.to_owned()));
/// `X-Response-Code`: 200 to 599, as HTTP uses them; 503 when a mailbox is full.
pub const RESPONSE_CODE: Key<u16> = Key::new("X-Response-Code", "a response code", number).typed(typed_number);

/// `X-Response-To`: the name of the command that is answered.
pub const RESPONSE_TO: Key<String> = Key::new("X-Response-To", "the name of a command", |text| Some(text.to_owned()));
/// `X-Node-ID`: the node whose cluster it is about.
pub const NODE_ID: Key<UnitId> = Key::new("X-Node-ID", "a unit ID", unit);
/// `X-Cluster-State`: how its cluster does.
pub const CLUSTER_STATE: Key<ClusterState> =
    Key::new("X-Cluster-State", "one of HEALTHY, DEGRADED, PARTITIONED", ClusterState::parse);
/// `X-Peer-Count`: how many other nodes it sees.
pub const PEER_COUNT: Key<u64> = Key::new("X-Peer-Count", U64, number).typed(typed_number);
/// `X-Stream-Lag`: messages by which its copy of the streams is behind.
pub const STREAM_LAG: Key<u64> = Key::new("X-Stream-Lag", U64, number).typed(typed_number);

pub(crate) const PTP_OFFSET: &str = "X-PTP-Offset";
pub(crate) const NTP_OFFSET: &str = "X-NTP-Offset";

#[cfg(test)]
mod tests;
