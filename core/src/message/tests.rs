use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, at_millis, header_names, over_the_wire, subject_of, unit_named};
use crate::protocol::header::HeaderError;

fn extras() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let names: Vec<_> = header_names().into_iter().collect();
    proptest::collection::vec((proptest::sample::select(names), arbitrary::value()), 0..6)
}

fn all_of(headers: &Headers) -> Vec<(String, String)> {
    let mut all = Vec::new();
    headers.for_each(|name, value| all.push((name.to_owned(), value.to_owned())));
    all
}

fn read_alike(headers: &Headers) -> Result<(), TestCaseError> {
    let encoded = Headers::from_raw(headers.encode());
    for name in header_names() {
        prop_assert_eq!(headers.get(name), encoded.get(name), "{} of {:?}", name, headers);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_stamp_and_its_encoded_form_read_alike(stamp in arbitrary::stamp(), extras in extras(), relayed in extras()) {
        let mut headers = Headers::default();
        for (name, value) in extras {
            headers.push(name, value);
        }
        read_alike(&headers)?;
        headers.complete(Arc::new(stamp), Now::default());
        read_alike(&headers)?;
        prop_assert_eq!(all_of(&Headers::from_raw(headers.encode())), all_of(&headers));
        for (name, value) in relayed {
            headers.push(name, value);
        }
        read_alike(&headers)?;
    }

    #[test]
    fn what_is_added_to_received_headers_reads_alike_too(block in arbitrary::raw_block(), extras in extras()) {
        let mut headers = Headers::from_raw(block.clone());
        prop_assert_eq!(headers.encode(), Bytes::from(String::from_utf8_lossy(&block).into_owned()));
        for (name, value) in extras {
            headers.push(name, value.clone());
            prop_assert_eq!(headers.get(name), Some(value.encode()), "what was added last is read first");
        }
        read_alike(&headers)?;
    }

    #[test]
    fn no_header_is_written_twice(stamp in arbitrary::stamp(), extras in extras()) {
        let mut headers = Headers::default();
        for (name, value) in extras {
            headers.push(name, value);
        }
        headers.complete(Arc::new(stamp), Now::default());
        let mut names: Vec<_> = all_of(&headers).into_iter().map(|(name, _)| name).collect();
        names.sort();
        prop_assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", names);
    }

    #[test]
    fn what_an_actor_adds_never_overrules_the_stamp(stamp in arbitrary::stamp(), extras in extras()) {
        let mut bare = Headers::default();
        bare.complete(Arc::new(stamp.clone()), Now::default());
        let mut headers = Headers::default();
        for (name, value) in extras {
            headers.push(name, value);
        }
        headers.complete(Arc::new(stamp), Now::default());
        for (name, value) in all_of(&bare) {
            prop_assert_eq!(headers.get(&name), Some(Cow::Owned(value)));
        }
    }

    #[test]
    fn a_stamp_reads_back_through_its_keys(stamp in arbitrary::stamp()) {
        let mut typed = Headers::default();
        typed.complete(Arc::new(stamp.clone()), Now::default());
        for headers in [&typed, &Headers::from_raw(typed.encode())] {
            prop_assert_eq!(header::UNIT_ID.read(headers)?, Some(stamp.unit.clone()));
            prop_assert_eq!(header::SESSION_ID.read(headers)?, Some(stamp.session.clone()));
            prop_assert_eq!(header::SEQUENCE.read(headers)?, stamp.sequence);
            prop_assert_eq!(header::TX_TIMESTAMP.read(headers)?, Some(stamp.tx));
            prop_assert_eq!(header::CLOCK_SOURCE.read(headers)?, Some(stamp.clock.source));
            prop_assert_eq!(header::CLOCK_QUALITY.read(headers)?, Some(stamp.clock.quality));
            prop_assert_eq!(header::CLOCK_OFFSET.read(headers)?, stamp.clock.offset_ns);
        }
    }

    #[test]
    fn the_offset_stands_under_the_name_and_in_the_unit_of_its_source(stamp in arbitrary::stamp()) {
        let mut headers = Headers::default();
        headers.complete(Arc::new(stamp.clone()), Now::default());
        let (ptp, ntp) = (headers.get("X-PTP-Offset"), headers.get("X-NTP-Offset"));
        let nanos = stamp.clock.offset_ns.map(|offset| offset.to_string());
        match stamp.clock.source {
            ClockSource::Ptp => prop_assert_eq!((ptp.map(Cow::into_owned), ntp), (nanos, None)),
            ClockSource::Ntp => {
                // Moving the decimal point six places to the right gives the nanoseconds again.
                let moved = ntp.map(|millis| {
                    let (whole, fraction) = millis.split_once('.').unwrap_or((&millis, ""));
                    assert_eq!(fraction.len(), 6, "{millis}");
                    format!("{whole}{fraction}").parse::<i64>().expect("an integer")
                });
                prop_assert_eq!((ptp, moved), (None, stamp.clock.offset_ns));
            }
            ClockSource::Gps | ClockSource::Unsynced => prop_assert_eq!((ptp, ntp), (None, None)),
        }
    }

    #[test]
    fn free_text_forges_no_header(text in any::<String>(), forged in "\\PC{0,9}[\\r\\n]{1,2}X-Unit-ID: evil[\\r\\n]{0,2}") {
        for text in [&text, &forged] {
            let message = Message::new(subject_of("a")).with(&header::REASON, Value::text(text));
            let block = message.headers.encode();
            prop_assert!(block.ends_with(b"\r\n"));
            prop_assert!(!block[..block.len() - 2].iter().any(u8::is_ascii_control), "{:?}", block);
            let read = all_of(&Headers::from_raw(block));
            prop_assert_eq!(read.len(), 1, "{:?}", read);
            prop_assert_eq!(&read[0].0, "X-Reason");
        }
    }

    #[test]
    fn any_bytes_are_headers_that_can_be_read_and_written_again(block in arbitrary::raw_block()) {
        let headers = Headers::from_raw(block.clone());
        prop_assert_eq!(headers.is_empty(), block.is_empty());
        prop_assert!(headers.stamp().is_none());
        all_of(&headers);
        read_alike(&headers)?;
        let kept: Result<Option<u64>, HeaderError> = header::SEQUENCE.read(&headers);
        prop_assert_eq!(kept, header::SEQUENCE.read(&headers.clone()));
    }

    #[test]
    fn a_late_instant_is_its_wall_time_plus_the_monotonic_time_since(
        (then, step) in (arbitrary::now(), any::<u64>()),
        passed in 0..u64::MAX / 4,
        stamp in arbitrary::stamp(),
    ) {
        // The wall clock may step in between: that must not show.
        let now = Now { mono: then.mono + std::time::Duration::from_nanos(passed), wall: Wall::from_unix_nanos(step) };
        let mut message = Message::new(subject_of("a"))
            .with(&header::SERVER_TX_TIMESTAMP, Value::AtHandOver(Late::WallSince(then)))
            .with(&header::SERVER_CLOCK_SOURCE, Value::AtHandOver(Late::ClockSource))
            .with(&header::SERVER_CLOCK_QUALITY, Value::AtHandOver(Late::ClockQuality));
        message.headers.complete(Arc::new(stamp.clone()), now);
        let expected = Wall::from_unix_nanos(then.wall.unix_nanos() + passed);
        for headers in [&message.headers, &over_the_wire(&message).headers] {
            prop_assert_eq!(header::SERVER_TX_TIMESTAMP.read(headers)?, Some(expected));
            prop_assert_eq!(header::SERVER_CLOCK_SOURCE.read(headers)?, Some(stamp.clock.source));
            prop_assert_eq!(header::SERVER_CLOCK_QUALITY.read(headers)?, Some(stamp.clock.quality));
        }
    }
}

fn stamp(sequence: Option<u64>) -> Stamp {
    let (unit, session) = (unit_named("alpha"), SessionId::from_random(7));
    Stamp { unit, session, sequence, tx: at_millis(5).wall, clock: ClockStamp::default() }
}

#[test]
fn a_stamp_goes_over_the_wire_in_these_words() {
    let mut message = Message::new(subject_of("a")).with(&header::UPTIME, Value::Unsigned(3));
    let clock = ClockStamp {
        source: ClockSource::Ntp,
        quality: ClockQuality::Tracking,
        offset_ns: Some(-1_000_250),
        uncertainty_ns: Some(2_000_000),
    };
    message.headers.complete(Arc::new(Stamp { clock, ..stamp(Some(42)) }), at_millis(5));
    let expected = "X-Unit-ID: alpha\r\nX-Sequence: 42\r\nX-Session-ID: 0000000000000007\r\n\
        X-TX-Timestamp: 1707772800005000000\r\nX-Clock-Source: ntp\r\nX-Clock-Quality: tracking\r\n\
        X-NTP-Offset: -1.000250\r\nX-Clock-Offset: -1000250\r\nX-Clock-Uncertainty: 2000000\r\nX-Uptime: 3\r\n";
    assert_eq!(message.headers.encode(), expected);
}

#[test]
fn header_names_are_case_sensitive_and_the_first_of_two_counts() {
    let headers = Headers::from_raw(Bytes::from_static(b"x-sequence: 1\r\nX-Sequence: 2\r\nX-Sequence: 3\r\n"));
    assert_eq!(headers.get("X-Sequence").as_deref(), Some("2"));
    assert_eq!(headers.get("X-SEQUENCE"), None);
}

#[test]
fn a_header_added_to_a_clone_does_not_show_in_the_original() {
    let original = Message::new(subject_of("a")).with(&header::UPTIME, Value::Unsigned(1));
    let copy = original.clone().with(&header::REASON, Value::text("because"));
    assert_eq!(original.headers.get("X-Reason"), None);
    assert_eq!(copy.headers.get("X-Reason").as_deref(), Some("because"));
    assert_eq!(copy.headers.get("X-Uptime").as_deref(), Some("1"));
}

#[test]
fn adding_a_header_again_replaces_it() {
    let message = Message::new(subject_of("a"))
        .with(&header::REASON, Value::text("the first"))
        .with(&header::REASON, Value::text("the second"));
    assert_eq!(message.headers.encode(), "X-Reason: the second\r\n");
}

#[test]
fn a_typed_payload_speaks_of_the_sequence_and_time_of_its_stamp() {
    let mut message = Message::new(subject_of("ops.heartbeat.alpha"));
    message.body = Body::Heartbeat(heartbeat::Payload { status: header::Health::Ok });
    assert_eq!(message.payload(), r#"{"status":"OK","sequence":0,"ts":0}"#);
    message.headers.complete(Arc::new(stamp(Some(9))), at_millis(5));
    assert_eq!(message.payload(), r#"{"status":"OK","sequence":9,"ts":1707772800005}"#);
}

#[test]
fn a_message_weighs_at_least_what_it_carries() {
    let empty = Message::new(subject_of("a")).weight();
    let long = "x".repeat(10_000);
    assert!(Message::new(subject_of("a")).body(long.clone()).weight() >= empty + 10_000);
    assert!(Message::new(subject_of("a")).with(&header::REASON, Value::text(&long)).weight() >= empty + 10_000);
    let mut raw = Message::new(subject_of("a"));
    raw.headers = Headers::from_raw(Bytes::from(format!("X-Reason: {long}\r\n")));
    assert!(raw.weight() >= empty + 10_000);
    let reply = Subject::from_wire(Bytes::from(long)).expect("ASCII is UTF-8");
    assert!(Message { reply: Some(reply), ..Message::new(subject_of("a")) }.weight() >= empty + 10_000);
}

#[test]
fn headers_that_came_with_a_message_go_on_under_the_stamp_but_for_what_the_stamp_owns() {
    let raw = "X-Origin-ID: SSI-12345\r\nX-Unit-ID: forged\r\nX-Sequence: 99\r\n";
    let mut headers = Headers::from_raw(Bytes::from_static(raw.as_bytes()));
    let stamp = Stamp {
        unit: unit_named("alpha"),
        session: SessionId::from_random(1),
        sequence: None,
        tx: Wall::from_unix_nanos(5),
        clock: ClockStamp::default(),
    };
    headers.complete(Arc::new(stamp), Now::default());
    assert_eq!(headers.get("X-Origin-ID").as_deref(), Some("SSI-12345"));
    assert_eq!(headers.get("X-Unit-ID").as_deref(), Some("alpha"));
    assert_eq!(headers.get("X-Sequence"), None, "an answer has none, whatever came with it");
    let again = Headers::from_raw(headers.encode());
    assert_eq!(again.get("X-Origin-ID").as_deref(), Some("SSI-12345"));
    assert_eq!(again.get("X-Unit-ID").as_deref(), Some("alpha"));
    assert_eq!(again.get("X-Sequence"), None);
}
