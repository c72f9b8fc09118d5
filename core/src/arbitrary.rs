//! Values of the protocol, drawn at random for the property tests.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use crate::identity::{ActorName, SessionId, UnitId};
use crate::message::{Body, ClockStamp, Headers, Message, Stamp};
use crate::protocol::header::{ClockQuality, ClockSource, Health, Value};
use crate::subject::{Pattern, Subject};
use crate::time::{Mono, Now, Wall};

pub(crate) const SOURCES: [ClockSource; 4] =
    [ClockSource::Ptp, ClockSource::Gps, ClockSource::Ntp, ClockSource::Unsynced];
pub(crate) const QUALITIES: [ClockQuality; 4] =
    [ClockQuality::Locked, ClockQuality::Tracking, ClockQuality::Acquiring, ClockQuality::Freerun];
pub(crate) const HEALTHS: [Health; 4] = [Health::Ok, Health::Degraded, Health::Critical, Health::Offline];

pub(crate) fn unit_named(text: &str) -> UnitId {
    UnitId::new(text).expect("a legal unit ID")
}

pub(crate) fn subject_of(text: &str) -> Subject {
    Subject::parse(text.to_owned()).expect("a legal subject")
}

pub(crate) fn pattern_of(text: &str) -> Pattern {
    Pattern::parse(text.to_owned()).expect("a legal pattern")
}

/// Both clocks at `millis` milliseconds after their own origins; the wall's is 13 February 2024.
pub(crate) fn at_millis(millis: u64) -> Now {
    Now {
        mono: Mono::from_nanos(millis * 1_000_000),
        wall: Wall::from_unix_nanos(1_707_772_800_000_000_000 + millis * 1_000_000),
    }
}

/// Every header name that `protocol/header.rs` writes down, aliases included.
pub(crate) fn header_names() -> BTreeSet<&'static str> {
    let source = include_str!("protocol/header.rs");
    let names: BTreeSet<_> = source.split('"').filter(|text| text.starts_with("X-")).collect();
    assert!(names.len() > 25 && names.contains("X-Unit-ID"), "the scan of header.rs no longer works: {names:?}");
    names
}

/// What the other end of a connection reads: the same message with its headers as a raw block.
pub(crate) fn over_the_wire(message: &Message) -> Message {
    Message {
        subject: Subject::from_wire(message.subject.as_bytes().clone()).expect("subjects are UTF-8"),
        headers: Headers::from_raw(message.headers.encode()),
        body: Body::Bytes(message.payload()),
        reply: message.reply.clone(),
        received: message.received,
    }
}

pub(crate) fn unit() -> impl Strategy<Value = UnitId> {
    "[A-Za-z0-9_-]{1,64}".prop_filter_map("a reserved unit ID", |text| UnitId::new(&text).ok())
}

pub(crate) fn actor() -> impl Strategy<Value = ActorName> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|text| ActorName::new(&text).expect("a legal actor name"))
}

pub(crate) fn session() -> impl Strategy<Value = SessionId> {
    any::<u64>().prop_map(SessionId::from_random)
}

/// A subject that may be published to, of any characters that NATS allows.
pub(crate) fn subject() -> impl Strategy<Value = Subject> {
    "[^\\s\\p{Cc}.]{1,9}(\\.[^\\s\\p{Cc}.]{1,9}){0,6}"
        .prop_filter_map("a wildcard or too long", |text| Subject::parse(text).ok())
}

pub(crate) fn now() -> impl Strategy<Value = Now> {
    (0..u64::MAX / 4, 0..u64::MAX / 4)
        .prop_map(|(mono, wall)| Now { mono: Mono::from_nanos(mono), wall: Wall::from_unix_nanos(wall) })
}

pub(crate) fn clock() -> impl Strategy<Value = ClockStamp> {
    let (sources, qualities) = (proptest::sample::select(&SOURCES), proptest::sample::select(&QUALITIES));
    let known = (any::<Option<i64>>(), any::<Option<u64>>());
    (sources, qualities, known).prop_map(|(source, quality, (offset_ns, uncertainty_ns))| ClockStamp {
        source,
        quality,
        offset_ns,
        uncertainty_ns,
    })
}

pub(crate) fn stamp() -> impl Strategy<Value = Stamp> {
    (unit(), session(), any::<Option<u64>>(), any::<u64>(), clock()).prop_map(|(unit, session, sequence, tx, clock)| {
        Stamp { unit, session, sequence, tx: Wall::from_unix_nanos(tx), clock }
    })
}

/// A header's value of any kind but the late ones.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        proptest::sample::select(&["OK", "locked", "node", ""]).prop_map(Value::Word),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::Unsigned),
        (0..=100u8).prop_map(Value::Percent),
        any::<String>().prop_map(|text| Value::text(&text)),
    ]
}

/// A header block as somebody hostile or careless might send it.
pub(crate) fn raw_block() -> impl Strategy<Value = Bytes> {
    let names: Vec<Vec<u8>> = header_names().into_iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = prop_oneof![8 => proptest::sample::select(names), 1 => any::<Vec<u8>>()];
    let value = prop_oneof![
        any::<u64>().prop_map(|number| number.to_string().into_bytes()),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        "[ \\t]{0,2}[!-~]{0,12}%?[ \\r\\t]{0,2}".prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ];
    let colon = proptest::sample::select(&[": ", ":", " :", ""]);
    let end = proptest::sample::select(&["\r\n", "\n", ""]);
    let line = (name, colon, value, end)
        .prop_map(|(name, colon, value, end)| [&name[..], colon.as_bytes(), &value, end.as_bytes()].concat());
    prop_oneof![
        4 => proptest::collection::vec(line, 0..12).prop_map(|lines| Bytes::from(lines.concat())),
        1 => any::<Vec<u8>>().prop_map(Bytes::from),
    ]
}
