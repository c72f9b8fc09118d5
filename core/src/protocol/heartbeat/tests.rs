use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, at_millis, over_the_wire, subject_of, unit_named};
use crate::message::Headers;
use crate::outbox::{HandOver, Outbox};
use crate::time::Now;

fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let interval = (100..=60_000u64).prop_map(Duration::from_millis);
    let percent = || proptest::option::of(0..=100u8);
    let number = || any::<Option<u64>>();
    (
        arbitrary::unit(),
        proptest::sample::select(&arbitrary::HEALTHS),
        proptest::sample::select(&[Role::Gateway, Role::Client, Role::Repeater, Role::Node]),
        (interval, number(), number(), number(), number()),
        (percent(), percent()),
    )
        .prop_map(|(unit, status, role, (interval, uptime_s, native, app, connections), (cpu, memory))| {
            Heartbeat {
                unit,
                status,
                role,
                interval,
                uptime_s,
                cpu_percent: cpu,
                memory_percent: memory,
                rtt_native_us: native,
                rtt_app_us: app,
                active_connections: connections,
            }
        })
}

/// What the outbox of `unit` hands to the bus.
fn sent(heartbeat: &Heartbeat, session: &SessionId, now: Now) -> Message {
    let mut outbox = Outbox::new(heartbeat.unit.clone(), session.clone());
    drop(outbox.connected(now));
    match outbox.publish(now, heartbeat.build()) {
        HandOver::Send(message) => *message,
        other @ (HandOver::Kept | HandOver::Refused { .. }) => panic!("{other:?}"),
    }
}

fn raw(subject: &str, headers: &str, payload: &str) -> Message {
    let mut message = Message::new(subject_of(subject)).body(payload.to_owned());
    message.headers = Headers::from_raw(Bytes::from(headers.to_owned()));
    message
}

proptest! {
    #[test]
    fn a_heartbeat_reads_back_typed_and_from_the_wire(
        heartbeat in heartbeat(),
        session in arbitrary::session(),
        now in arbitrary::now(),
    ) {
        let message = sent(&heartbeat, &session, now);
        let expected = Received { heartbeat, session: Some(session), sequence: Some(1), problems: Vec::new() };
        prop_assert_eq!(&Heartbeat::parse(&message)?, &expected);
        prop_assert_eq!(&Heartbeat::parse(&over_the_wire(&message))?, &expected);
    }

    #[test]
    fn a_heartbeat_reads_back_before_it_is_stamped_too(heartbeat in heartbeat()) {
        let expected = Received { heartbeat, session: None, sequence: None, problems: Vec::new() };
        let message = expected.heartbeat.build();
        prop_assert_eq!(&Heartbeat::parse(&message)?, &expected);
        prop_assert_eq!(&Heartbeat::parse(&over_the_wire(&message))?, &expected);
    }

    #[test]
    fn the_payload_says_the_status_the_sequence_and_the_time_of_the_stamp(
        status in proptest::sample::select(&arbitrary::HEALTHS),
        sequence in any::<u64>(),
        tx in any::<u64>(),
    ) {
        let json = Payload { status }.encode(sequence, Wall::from_unix_nanos(tx));
        let expected = format!(r#"{{"status":"{status}","sequence":{sequence},"ts":{}}}"#, tx / 1_000_000);
        prop_assert_eq!(json, expected);
    }

    #[test]
    fn nothing_that_arrives_makes_the_parser_panic(
        subject in any::<Vec<u8>>(),
        tail in any::<Vec<u8>>(),
        headers in arbitrary::raw_block(),
        payload in any::<Vec<u8>>(),
    ) {
        for subject in [subject, [b"ops.heartbeat.", &tail[..]].concat(), b"ops.heartbeat.alpha".to_vec()] {
            let Ok(subject) = Subject::from_wire(Bytes::from(subject)) else { continue };
            let mut message = Message::new(subject).body(payload.clone());
            message.headers = Headers::from_raw(headers.clone());
            if let Ok(received) = Heartbeat::parse(&message) {
                prop_assert_eq!(&self::subject(&received.heartbeat.unit), &message.subject);
                prop_assert!((INTERVAL_MIN..=INTERVAL_MAX).contains(&received.heartbeat.interval));
            }
        }
    }

    #[test]
    fn every_unit_beats_on_a_subject_of_its_own_that_the_pattern_covers(
        (one, other) in (arbitrary::unit(), arbitrary::unit()),
    ) {
        prop_assert!(pattern().matches(&subject(&one)));
        prop_assert_eq!(subject(&one) == subject(&other), one == other);
    }
}

#[test]
fn the_payload_is_byte_for_byte_what_existing_clients_read() {
    let json = Payload { status: Health::Ok }.encode(42, Wall::from_unix_nanos(1_707_772_800_000_999_999));
    assert_eq!(json, r#"{"status":"OK","sequence":42,"ts":1707772800000}"#);
}

#[test]
fn the_forty_second_heartbeat_of_a_run_says_so_in_header_and_payload() {
    let heartbeat = Heartbeat::new(unit_named("alpha"));
    let mut outbox = Outbox::new(heartbeat.unit.clone(), SessionId::from_random(1));
    drop(outbox.connected(at_millis(0)));
    for _ in 1..42 {
        assert!(matches!(outbox.publish(at_millis(0), heartbeat.build()), HandOver::Send(_)));
    }
    let HandOver::Send(message) = outbox.publish(at_millis(0), heartbeat.build()) else { panic!("not sent") };
    assert_eq!(message.payload(), r#"{"status":"OK","sequence":42,"ts":1707772800000}"#);
    assert_eq!(header::SEQUENCE.read(&message.headers), Ok(Some(42)));
}

#[test]
fn what_a_sender_leaves_out_has_a_default() {
    let received = Heartbeat::parse(&raw("ops.heartbeat.alpha", "", "")).expect("a heartbeat");
    assert_eq!(received.heartbeat, Heartbeat::new(unit_named("alpha")));
    assert_eq!(received.heartbeat.interval, Duration::from_secs(5));
    assert_eq!(received.heartbeat.role, Role::Node);
    assert_eq!((received.session, received.sequence, received.problems), (None, None, Vec::new()));
}

#[test]
fn the_status_is_in_the_header_or_else_in_the_payload() {
    let payload = r#"{"status":"CRITICAL","sequence":42,"ts":1707772800000}"#;
    let status = |headers: &str, payload: &str| {
        let received = Heartbeat::parse(&raw("ops.heartbeat.alpha", headers, payload)).expect("a heartbeat");
        (received.heartbeat.status, received.problems.len())
    };
    assert_eq!(status("X-Health-Status: DEGRADED\r\n", payload), (Health::Degraded, 0));
    assert_eq!(status("", payload), (Health::Critical, 0));
    assert_eq!(status("X-Health-Status: fine\r\n", payload), (Health::Critical, 1));
    assert_eq!(status("", r#"{"status":"fine"}"#), (Health::Ok, 0));
}

#[test]
fn a_malformed_header_costs_only_what_it_would_have_said() {
    let headers = "X-CPU-Load: 120%\r\nX-Memory-Usage: 40%\r\nX-Sequence: -1\r\nX-Role: boss\r\nX-Uptime: 9\r\n\
        X-Heartbeat-Interval: soon\r\nX-Session-ID: a b\r\n";
    let received = Heartbeat::parse(&raw("ops.heartbeat.alpha", headers, "")).expect("a heartbeat");
    let unit = unit_named("alpha");
    let expected = Heartbeat { memory_percent: Some(40), uptime_s: Some(9), ..Heartbeat::new(unit) };
    assert_eq!(received.heartbeat, expected);
    assert_eq!((received.sequence, received.session), (None, None));
    let mut names: Vec<_> = received.problems.iter().map(|problem| problem.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["X-CPU-Load", "X-Heartbeat-Interval", "X-Role", "X-Sequence", "X-Session-ID"]);
}

#[test]
fn an_interval_beyond_what_may_be_configured_is_taken_as_the_nearest_that_may() {
    for (announced, expected) in [("0", INTERVAL_MIN), ("99", INTERVAL_MIN), ("18446744073709551615", INTERVAL_MAX)] {
        let headers = format!("X-Heartbeat-Interval: {announced}\r\n");
        let received = Heartbeat::parse(&raw("ops.heartbeat.alpha", &headers, "")).expect("a heartbeat");
        assert_eq!(received.heartbeat.interval, expected);
    }
}

#[test]
fn a_heartbeat_on_the_subject_of_another_unit_counts_for_the_subject_and_is_noted() {
    let received = Heartbeat::parse(&raw("ops.heartbeat.alpha", "X-Unit-ID: bravo\r\n", "")).expect("a heartbeat");
    assert_eq!(received.heartbeat.unit, unit_named("alpha"));
    let words = received.problems[0].to_string();
    assert_eq!(words, "header X-Unit-ID: `bravo` is not the unit that the subject names");
}

#[test]
fn another_subject_is_no_heartbeat() {
    for text in ["ops.heartbeat", "ops.heartbeats.alpha", "ops.heartbeat.alpha.bravo", "x.ops.heartbeat.alpha"] {
        let error = Heartbeat::parse(&raw(text, "", "")).expect_err(text);
        let expected = format!("subject `{text}` is not of the form `ops.heartbeat.{{unit}}`");
        assert_eq!(error.to_string(), expected);
    }
    for token in ["*", ">", "units", "", "a b"] {
        let wire = Bytes::from(format!("ops.heartbeat.{token}"));
        let message = Message::new(Subject::from_wire(wire).expect("UTF-8"));
        assert!(matches!(Heartbeat::parse(&message), Err(ProtocolError::Identity { .. })), "{token:?}");
    }
}

#[test]
fn a_unit_is_offline_after_two_and_a_half_of_its_intervals() {
    assert_eq!(offline_after(INTERVAL_DEFAULT), Duration::from_millis(12_500));
    assert_eq!(offline_after(INTERVAL_MIN), Duration::from_millis(250));
}
