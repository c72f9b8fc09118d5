//! A message and its headers.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use crate::identity::{SessionId, UnitId};
use crate::protocol::header::{self, ClockQuality, ClockSource, Key, Late, Value};
use crate::protocol::heartbeat;
use crate::protocol::rtt::Rtt;
use crate::protocol::{HeaderError, time};
use crate::subject::Subject;
use crate::time::{Now, Wall};

/// What travels: received by an actor, or made by one and completed by the outbox.
///
/// A clone costs reference counts only.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it goes, or where it was sent to.
    pub subject: Subject,
    /// Protocol metadata.
    pub headers: Headers,
    /// Raw payload, or a typed one that is encoded when it goes over a wire.
    pub body: Body,
    /// Where an answer is expected.
    pub reply: Option<Subject>,
    /// When it reached this node's bus edge; zero on a message that was made here.
    pub received: Now,
}

impl Message {
    /// An empty message to `subject`.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            headers: Headers::default(),
            body: Body::Bytes(Bytes::new()),
            reply: None,
            received: Now::default(),
        }
    }

    /// The same with a raw payload.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(body.into());
        self
    }

    /// The same with this header; another of that name gives way to it.
    #[must_use]
    pub fn with<T>(mut self, key: &Key<T>, value: Value) -> Self {
        self.headers.push(key.name(), value);
        self
    }

    /// The raw payload; a typed one is encoded with the sequence and time of its stamp.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        match &self.body {
            Body::Bytes(bytes) => bytes.clone(),
            body @ (Body::Heartbeat(_) | Body::Rtt(_) | Body::Time(_)) => {
                let stamp = self.headers.stamp();
                body.encode(stamp.and_then(|s| s.sequence).unwrap_or(0), stamp.map(|s| s.tx).unwrap_or_default())
            }
        }
    }

    /// About how many bytes this message occupies, for bounds on queues.
    #[must_use]
    pub fn weight(&self) -> usize {
        let reply = self.reply.as_ref().map_or(0, |reply| reply.as_str().len());
        size_of::<Self>() + self.subject.as_str().len() + reply + self.headers.weight() + self.body.weight()
    }
}

/// A payload: raw, or of a protocol family whose JSON repeats what only the outbox knows. The latter
/// stays as it is until somebody wants its bytes: who reads it within the process reads no JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Raw bytes.
    Bytes(Bytes),
    /// The payload of a heartbeat.
    Heartbeat(heartbeat::Payload),
    /// The payload of a measurement of round trips.
    Rtt(Arc<Rtt>),
    /// The payload of what a unit tells about its clock.
    Time(Arc<time::Payload>),
}

impl Body {
    /// The bytes on the wire of a message with this sequence, handed over at `tx`.
    #[must_use]
    pub fn encode(&self, sequence: u64, tx: Wall) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Heartbeat(payload) => payload.encode(sequence, tx),
            Self::Rtt(rtt) => rtt.encode(sequence, tx),
            Self::Time(payload) => payload.encode(sequence, tx),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Heartbeat(_) => 0,
            Self::Rtt(_) => size_of::<Rtt>(),
            Self::Time(_) => size_of::<time::Payload>(),
        }
    }
}

/// What the outbox knows about every message of this node (protocol, section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `X-Unit-ID`.
    pub unit: UnitId,
    /// `X-Session-ID`.
    pub session: SessionId,
    /// `X-Sequence`; absent on answers to reply subjects.
    pub sequence: Option<u64>,
    /// `X-TX-Timestamp`.
    pub tx: Wall,
    /// `X-Clock-Source`, `X-Clock-Quality` and the offsets.
    pub clock: ClockStamp,
}

/// What a node says about its clock on every message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockStamp {
    /// What steers the clock.
    pub source: ClockSource,
    /// How well.
    pub quality: ClockQuality,
    /// Nanoseconds by which the local clock is ahead of the source, when known.
    pub offset_ns: Option<i64>,
    /// A bound on |true − local| in nanoseconds, when known.
    pub uncertainty_ns: Option<u64>,
}

impl ClockStamp {
    /// What the headers of a message say about the clock of its sender; what they do not say counts as
    /// unsynced, freerun and unknown.
    ///
    /// # Errors
    /// When one of them is malformed.
    pub fn read(headers: &Headers) -> Result<Self, HeaderError> {
        if let Some(stamp) = headers.stamp() {
            return Ok(stamp.clock);
        }
        Ok(Self {
            source: header::CLOCK_SOURCE.read(headers)?.unwrap_or_default(),
            quality: header::CLOCK_QUALITY.read(headers)?.unwrap_or_default(),
            offset_ns: header::CLOCK_OFFSET.read(headers)?,
            uncertainty_ns: header::CLOCK_UNCERTAINTY.read(headers)?,
        })
    }
}

/// Headers in one of two forms, behind one [`get`](Headers::get): typed as this node writes them, or
/// the raw block that a server delivered. Names are case-sensitive, as in NATS.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    origin: Origin,
    extras: Option<Arc<[Extra]>>,
}

/// A header that the maker of a message added.
pub(crate) type Extra = (&'static str, Value);

/// A header's value in its own type: of a message that never went over a wire.
#[derive(Clone, Copy)]
pub(crate) enum Field<'a> {
    /// One that the maker of the message added.
    Value(&'a Value),
    Unit(&'a UnitId),
    Session(&'a SessionId),
    Unsigned(u64),
    ClockSource(ClockSource),
    ClockQuality(ClockQuality),
}

/// What looking for a header in its own type came to.
pub(crate) enum Lookup<'a> {
    Found(Field<'a>),
    /// It is not there, not as a text either.
    Absent,
    /// It may be there as a text.
    Text,
}

impl Field<'_> {
    pub(crate) const fn unsigned(self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(number),
            Self::Value(Value::Unsigned(number)) => Some(*number),
            Self::Value(_) | Self::Unit(_) | Self::Session(_) | Self::ClockSource(_) | Self::ClockQuality(_) => None,
        }
    }
}

#[derive(Clone, Debug, Default)]
enum Origin {
    #[default]
    None,
    Stamp(Arc<Stamp>),
    /// `Name: value\r\n` lines.
    Raw(ByteString),
    /// Lines that whoever made the message wrote, or that came with the one that it relays, under the
    /// stamp: of what the stamp owns, theirs counts for nothing.
    Stamped(Arc<Stamp>, ByteString),
}

impl Headers {
    /// Headers as a server delivered them: `Name: value` lines, each ended by `\r\n`.
    /// What is no UTF-8 in them becomes U+FFFD.
    #[must_use]
    pub fn from_raw(block: Bytes) -> Self {
        if block.is_empty() {
            return Self::default();
        }
        let block = ByteString::try_from(block.clone())
            .unwrap_or_else(|_| ByteString::from(String::from_utf8_lossy(&block).into_owned()));
        Self { origin: Origin::Raw(block), extras: None }
    }

    /// Headers that the maker of a message adds, each name once.
    pub(crate) fn of(extras: impl Into<Arc<[Extra]>>) -> Self {
        Self { origin: Origin::None, extras: Some(extras.into()) }
    }

    /// All there is, when none of it came as a text.
    pub(crate) fn typed(&self) -> Option<(&Stamp, &[Extra])> {
        match &self.origin {
            Origin::Stamp(stamp) => Some((stamp, self.extras.as_deref().unwrap_or_default())),
            Origin::None | Origin::Raw(_) | Origin::Stamped(..) => None,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.origin, Origin::None) && self.extras.is_none()
    }

    /// The typed stamp, when this node or a simulated one made the message.
    #[must_use]
    pub fn stamp(&self) -> Option<&Stamp> {
        match &self.origin {
            Origin::Stamp(stamp) | Origin::Stamped(stamp, _) => Some(stamp),
            Origin::None | Origin::Raw(_) => None,
        }
    }

    /// The value of the first header called `name`, exactly so written.
    ///
    /// Extras come before the rest, and hide it: they are what this node added last.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(value) = self.extra(name) {
            return Some(value.encode());
        }
        match &self.origin {
            Origin::None => None,
            Origin::Stamp(stamp) => stamp.get(name),
            Origin::Raw(block) => find(block, name).map(Cow::Borrowed),
            Origin::Stamped(stamp, _) if Stamp::owns(name) => stamp.get(name),
            Origin::Stamped(_, block) => find(block, name).map(Cow::Borrowed),
        }
    }

    /// The value that [`get`](Self::get) tells, when it is kept in its own type.
    #[inline]
    pub(crate) fn field(&self, name: &str) -> Lookup<'_> {
        if let Some(value) = self.extra(name) {
            return Lookup::Found(Field::Value(value));
        }
        match &self.origin {
            Origin::None => Lookup::Absent,
            Origin::Stamp(stamp) => stamp.field(name).unwrap_or(Lookup::Absent),
            Origin::Raw(_) => Lookup::Text,
            Origin::Stamped(stamp, _) => stamp.field(name).unwrap_or(Lookup::Text),
        }
    }

    /// Adds a header that only this message carries, or gives it another value.
    pub(crate) fn push(&mut self, name: &'static str, value: Value) {
        let Some(extras) = &mut self.extras else {
            self.extras = Some(Arc::new([(name, value)]));
            return;
        };
        match extras.iter().position(|(other, _)| same(other, name)) {
            Some(place) => Arc::make_mut(extras)[place].1 = value,
            None => *extras = extras.iter().cloned().chain([(name, value)]).collect(),
        }
    }

    fn extra(&self, name: &str) -> Option<&Value> {
        self.extras.as_ref()?.iter().find(|(extra, _)| same(extra, name)).map(|(_, value)| value)
    }

    /// Completes what an actor made: sets the stamp, which nothing the actor wrote can overrule,
    /// and fills in late values.
    pub(crate) fn complete(&mut self, stamp: Arc<Stamp>, now: Now) {
        if let Some(extras) = &mut self.extras
            && extras.iter().any(|(name, value)| matches!(value, Value::AtHandOver(_)) || Stamp::owns(name))
        {
            if extras.iter().any(|(name, _)| Stamp::owns(name)) {
                *extras = extras.iter().filter(|(name, _)| !Stamp::owns(name)).cloned().collect();
            }
            for (_, value) in Arc::make_mut(extras) {
                if let Value::AtHandOver(late) = *value {
                    *value = match late {
                        Late::ClockSource => Value::Word(stamp.clock.source.as_str()),
                        Late::ClockQuality => Value::Word(stamp.clock.quality.as_str()),
                        Late::WallSince(then) => Value::Unsigned((then.wall + now.mono.since(then.mono)).unix_nanos()),
                    };
                }
            }
        }
        self.origin = match std::mem::take(&mut self.origin) {
            Origin::None | Origin::Stamp(_) => Origin::Stamp(stamp),
            Origin::Raw(block) | Origin::Stamped(_, block) => Origin::Stamped(stamp, block),
        };
    }

    /// Calls `each` with every header in the order it is written to the wire.
    pub fn for_each(&self, mut each: impl FnMut(&str, &str)) {
        match &self.origin {
            Origin::None => {}
            Origin::Stamp(stamp) | Origin::Stamped(stamp, _) => stamp.for_each(&mut |name, value: &str| {
                if self.extra(name).is_none() {
                    each(name, value);
                }
            }),
            Origin::Raw(block) => {
                for (name, value) in lines(block).filter(|(name, _)| self.extra(name).is_none()) {
                    each(name, value);
                }
            }
        }
        if let Origin::Stamped(_, block) = &self.origin {
            for (name, value) in lines(block).filter(|(name, _)| !Stamp::owns(name) && self.extra(name).is_none()) {
                each(name, value);
            }
        }
        for (name, value) in self.extras.iter().flat_map(|extras| extras.iter()) {
            each(name, &value.encode());
        }
    }

    /// The raw block: what [`from_raw`](Self::from_raw) reads.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        if let (Origin::Raw(block), None) = (&self.origin, &self.extras) {
            return block.as_bytes().clone();
        }
        let mut block = Vec::with_capacity(256);
        self.for_each(|name, value| {
            block.extend_from_slice(name.as_bytes());
            block.extend_from_slice(b": ");
            block.extend_from_slice(value.as_bytes());
            block.extend_from_slice(b"\r\n");
        });
        Bytes::from(block)
    }

    fn weight(&self) -> usize {
        let origin = match &self.origin {
            Origin::None => 0,
            Origin::Stamp(_) => size_of::<Stamp>(),
            Origin::Raw(block) => block.len(),
            Origin::Stamped(_, block) => size_of::<Stamp>() + block.len(),
        };
        let each = |(_, value): &(&str, Value)| size_of::<(&str, Value)>() + value.weight();
        origin + self.extras.as_ref().map_or(0, |extras| extras.iter().map(each).sum::<usize>())
    }
}

/// Whether two names are one. Names differ in length or at their ends, and nearly always both are the
/// one text of a key: it takes no call to tell.
#[inline]
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && (std::ptr::eq(one, other) || (one.as_bytes().last() == other.as_bytes().last() && one == other))
}

/// The name and value of every line of a raw block; a line without a colon is skipped.
fn lines(block: &str) -> impl Iterator<Item = (&str, &str)> {
    block.split('\n').filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim_ascii()))
}

/// The value of the first line called `name`. It looks at the beginnings of lines alone: this is how
/// every header of every message is read.
fn find<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = block;
    loop {
        let end = memchr::memchr(b'\n', rest.as_bytes());
        if let Some(value) = rest.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) {
            let value = end.map_or(value, |end| &value[..end - name.len() - 1]);
            return Some(value.trim_ascii());
        }
        rest = &rest[end? + 1..];
    }
}

impl Stamp {
    /// The headers that are for the stamp alone to write, or to leave out; in the order on the wire.
    const NAMES: [&'static str; 10] = [
        header::UNIT_ID.name(),
        header::SEQUENCE.name(),
        header::SESSION_ID.name(),
        header::TX_TIMESTAMP.name(),
        header::CLOCK_SOURCE.name(),
        header::CLOCK_QUALITY.name(),
        header::PTP_OFFSET,
        header::NTP_OFFSET,
        header::CLOCK_OFFSET.name(),
        header::CLOCK_UNCERTAINTY.name(),
    ];
    /// The longest of them.
    const NAME_MAX_BYTES: usize = header::CLOCK_UNCERTAINTY.name().len();

    fn owns(name: &str) -> bool {
        // Most names of others are longer.
        name.len() <= Self::NAME_MAX_BYTES && Self::NAMES.iter().any(|own| same(own, name))
    }

    /// `None` for what is not the stamp's.
    fn field(&self, name: &str) -> Option<Lookup<'_>> {
        Some(match Self::NAMES.iter().position(|own| same(own, name))? {
            0 => Lookup::Found(Field::Unit(&self.unit)),
            1 => self.sequence.map_or(Lookup::Absent, |sequence| Lookup::Found(Field::Unsigned(sequence))),
            2 => Lookup::Found(Field::Session(&self.session)),
            3 => Lookup::Found(Field::Unsigned(self.tx.unix_nanos())),
            4 => Lookup::Found(Field::ClockSource(self.clock.source)),
            5 => Lookup::Found(Field::ClockQuality(self.clock.quality)),
            _ => Lookup::Text,
        })
    }

    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let place = Self::NAMES.iter().position(|own| *own == name)?;
        let offset = |source| self.clock.offset_ns.filter(|_| self.clock.source == source);
        Some(match place {
            0 => Cow::Borrowed(self.unit.as_str()),
            1 => Cow::Owned(self.sequence?.to_string()),
            2 => Cow::Borrowed(self.session.as_str()),
            3 => Cow::Owned(self.tx.unix_nanos().to_string()),
            4 => Cow::Borrowed(self.clock.source.as_str()),
            5 => Cow::Borrowed(self.clock.quality.as_str()),
            6 => Cow::Owned(offset(ClockSource::Ptp)?.to_string()),
            7 => Cow::Owned(decimal_millis(offset(ClockSource::Ntp)?)),
            8 => Cow::Owned(self.clock.offset_ns?.to_string()),
            _ => Cow::Owned(self.clock.uncertainty_ns?.to_string()),
        })
    }

    fn for_each(&self, each: &mut impl FnMut(&str, &str)) {
        for name in Self::NAMES {
            if let Some(value) = self.get(name) {
                each(name, &value);
            }
        }
    }
}

/// Nanoseconds as decimal milliseconds, by integers so that it reads alike on every platform.
fn decimal_millis(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    format!("{sign}{}.{:06}", nanos / 1_000_000, nanos % 1_000_000)
}

#[cfg(test)]
mod tests;
