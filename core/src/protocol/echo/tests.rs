use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, at_millis, over_the_wire, subject_of, unit_named};
use crate::identity::SessionId;
use crate::message::Headers;
use crate::outbox::{HandOver, Outbox};
use crate::protocol::header::{ClockQuality, ClockSource};
use crate::time::Mono;

/// The answer to a request that arrived at `received`, handed over at `now`.
fn answered(payload: &[u8], received: Now, now: Now) -> Message {
    let mut request = Message::new(subject(&unit_named("bravo"))).body(payload.to_vec());
    request.received = received;
    let mut outbox = Outbox::new(unit_named("bravo"), SessionId::from_random(1));
    drop(outbox.connected(now));
    match outbox.respond(now, answer(&request, subject_of("_INBOX.alpha.1.1"))) {
        HandOver::Send(answer) => *answer,
        other @ (HandOver::Kept | HandOver::Refused { .. }) => panic!("{other:?}"),
    }
}

fn raw(headers: &str) -> Message {
    let mut message = Message::new(subject_of("_INBOX.alpha.1.1"));
    message.headers = Headers::from_raw(Bytes::from(headers.to_owned()));
    message
}

fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

proptest! {
    #[test]
    fn the_unit_of_an_echo_subject_reads_back((one, other) in (arbitrary::unit(), arbitrary::unit())) {
        prop_assert_eq!(&parse_subject(&subject(&one))?, &one);
        prop_assert_eq!(pattern(&one).matches(&subject(&other)), one == other);
    }

    #[test]
    fn an_answer_tells_how_long_it_stayed_whatever_the_wall_clock_does(
        received in arbitrary::now(),
        (inside, stepped) in (0..u64::MAX / 4, any::<u64>()),
        payload in any::<Vec<u8>>(),
    ) {
        let now = Now { mono: received.mono + nanos(inside), wall: Wall::from_unix_nanos(stepped) };
        let answer = answered(&payload, received, now);
        let expected = ServerTimes { received: received.wall, sent: received.wall + nanos(inside) };
        for answer in [&answer, &over_the_wire(&answer)] {
            prop_assert_eq!(ServerTimes::parse(answer)?, Some(expected));
            prop_assert_eq!(answer.payload(), payload.clone());
        }
    }

    #[test]
    fn the_round_trip_is_the_way_there_and_back_whatever_the_two_clocks_show(
        (there, inside, back) in (0..1u64 << 60, 0..1u64 << 60, 0..1u64 << 60),
        (request_sent, theirs) in (0..1u64 << 60, 0..1u64 << 60),
        (our_wall, our_later_wall) in any::<(u64, u64)>(),
    ) {
        let times = ServerTimes {
            received: Wall::from_unix_nanos(theirs),
            sent: Wall::from_unix_nanos(theirs + inside),
        };
        let sent = Now { mono: Mono::from_nanos(request_sent), wall: Wall::from_unix_nanos(our_wall) };
        let answered = Now {
            mono: sent.mono + nanos(there + inside + back),
            wall: Wall::from_unix_nanos(our_later_wall),
        };
        prop_assert_eq!(times.exchange(sent, answered).round_trip(), nanos(there + back));
    }

    #[test]
    fn no_times_make_the_round_trip_overflow(times in any::<(u64, u64, u64, u64)>()) {
        let server = ServerTimes { received: Wall::from_unix_nanos(times.0), sent: Wall::from_unix_nanos(times.1) };
        let at = |mono| Now { mono: Mono::from_nanos(mono), wall: Wall::default() };
        prop_assert!(server.exchange(at(times.2), at(times.3)).round_trip() <= nanos(times.3));
    }

    #[test]
    fn nothing_that_arrives_makes_the_parsers_panic(
        headers in arbitrary::raw_block(),
        bytes in any::<Vec<u8>>(),
        tail in any::<Vec<u8>>(),
    ) {
        let mut message = Message::new(subject_of("a"));
        message.headers = Headers::from_raw(headers);
        let _any = ServerTimes::parse(&message);
        for bytes in [bytes, [b"ops.echo.", &tail[..]].concat()] {
            let Ok(subject) = Subject::from_wire(Bytes::from(bytes)) else { continue };
            if let Ok(unit) = parse_subject(&subject) {
                prop_assert_eq!(self::subject(&unit), subject);
            }
        }
    }
}

#[test]
fn an_answer_carries_the_payload_the_times_and_the_clock_and_no_sequence() {
    let answer = answered(b"ping", at_millis(1_000), at_millis(1_250));
    let read = |name: &str| answer.headers.get(name).map(|value| value.into_owned());
    assert_eq!(answer.payload(), "ping");
    assert_eq!(read("X-Server-RX-Timestamp").as_deref(), Some("1707772801000000000"));
    assert_eq!(read("X-Server-TX-Timestamp").as_deref(), Some("1707772801250000000"));
    assert_eq!(header::SERVER_CLOCK_SOURCE.read(&answer.headers), Ok(Some(ClockSource::Unsynced)));
    assert_eq!(header::SERVER_CLOCK_QUALITY.read(&answer.headers), Ok(Some(ClockQuality::Freerun)));
    assert_eq!(read("X-Unit-ID").as_deref(), Some("bravo"));
    assert_eq!(read("X-Sequence"), None);
}

#[test]
fn a_responder_that_gives_one_time_or_none_gives_no_times() {
    for headers in ["", "X-Server-RX-Timestamp: 5\r\n", "X-Server-Received-At: 5\r\n", "X-Server-TX-Timestamp: 5\r\n"] {
        assert_eq!(ServerTimes::parse(&raw(headers)), Ok(None), "{headers}");
    }
}

#[test]
fn the_older_name_of_the_arrival_is_read_in_microseconds() {
    let times = ServerTimes::parse(&raw("X-Server-Received-At: 5\r\nX-Server-TX-Timestamp: 7000\r\n"));
    let expected = ServerTimes { received: Wall::from_unix_nanos(5_000), sent: Wall::from_unix_nanos(7_000) };
    assert_eq!(times, Ok(Some(expected)));
}

#[test]
fn a_malformed_time_is_an_error_that_names_its_header() {
    let error = ServerTimes::parse(&raw("X-Server-RX-Timestamp: 5\r\nX-Server-TX-Timestamp: now\r\n"));
    assert_eq!(error.expect_err("malformed").name, "X-Server-TX-Timestamp");
}

#[test]
fn another_subject_is_no_echo() {
    for text in ["ops.echo", "ops.echo.a.b", "ops.heartbeat.alpha"] {
        let error = parse_subject(&subject_of(text)).expect_err(text);
        assert!(error.to_string().ends_with("is not of the form `ops.echo.{unit}`"), "{error}");
    }
}
