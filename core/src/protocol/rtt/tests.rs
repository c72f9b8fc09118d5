use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, at_millis, over_the_wire, subject_of, unit_named};
use crate::message::Headers;
use crate::outbox::{HandOver, Outbox};
use crate::time::Now;

fn rtt() -> impl Strategy<Value = Rtt> {
    let peer = proptest::option::of(arbitrary::unit());
    let measured = any::<(Option<u64>, Option<u64>)>();
    (arbitrary::unit(), measured, peer, proptest::option::of(any::<(i64, i64, u64)>())).prop_map(
        |(unit, (native_us, app_us), peer, delays)| {
            let delays = delays.map(|(forward_us, backward_us, uncertainty_us)| Delays {
                forward_us,
                backward_us,
                uncertainty_us,
            });
            Rtt { unit, native_us, app_us, peer, delays }
        },
    )
}

/// What the outbox of its unit hands to the bus.
fn sent(rtt: &Rtt, session: &SessionId, now: Now) -> Message {
    let mut outbox = Outbox::new(rtt.unit.clone(), session.clone());
    drop(outbox.connected(now));
    match outbox.publish(now, rtt.clone().build()) {
        HandOver::Send(message) => *message,
        other @ (HandOver::Kept | HandOver::Refused { .. }) => panic!("{other:?}"),
    }
}

fn raw(headers: &str, payload: &str) -> Message {
    let mut message = Message::new(subject_of("ops.metric.rtt.alpha")).body(payload.to_owned());
    message.headers = Headers::from_raw(Bytes::from(headers.to_owned()));
    message
}

proptest! {
    #[test]
    fn a_measurement_reads_back_typed_and_from_the_wire(
        rtt in rtt(),
        session in arbitrary::session(),
        now in arbitrary::now(),
    ) {
        let message = sent(&rtt, &session, now);
        prop_assert!(pattern().matches(&message.subject) && pattern_of(&rtt.unit).matches(&message.subject));
        let expected =
            Received { rtt, session: Some(session), sequence: Some(1), ts: Some(now.wall), problems: Vec::new() };
        prop_assert_eq!(&Rtt::parse(&message)?, &expected);
        prop_assert_eq!(&Rtt::parse(&over_the_wire(&message))?, &expected);
    }

    #[test]
    fn nothing_that_arrives_makes_the_parser_panic(headers in arbitrary::raw_block(), payload in any::<Vec<u8>>()) {
        for payload in [payload, br#"{"ts":18446744073709551615,"seq":1}"#.to_vec()] {
            let mut message = Message::new(subject(&unit_named("alpha"))).body(payload);
            message.headers = Headers::from_raw(headers.clone());
            let _ = Rtt::parse(&message);
        }
    }
}

#[test]
fn the_payload_is_byte_for_byte_what_existing_clients_read() {
    let (unit, peer) = (unit_named("alpha"), unit_named("bravo"));
    let known = Rtt { unit, native_us: Some(168), app_us: Some(438), peer: Some(peer), delays: None };
    let message = sent(&known, &SessionId::from_random(1), at_millis(0));
    let expected = r#"{"ts":1707772800000,"unit_id":"alpha","seq":1,"native_rtt_us":168,"app_rtt_us":438,"measurement_method":"echo","peer":"bravo"}"#;
    assert_eq!(message.payload(), expected);
    assert_eq!(message.headers.get("X-RTT-Native").as_deref(), Some("168"));
    assert_eq!(message.headers.get("X-RTT-App").as_deref(), Some("438"));
}

#[test]
fn delays_that_are_known_stand_beside_the_round_trip_and_an_asymmetry_beyond_doubt_is_flagged() {
    let payload = |forward_us, backward_us| {
        let delays = Some(Delays { forward_us, backward_us, uncertainty_us: 50 });
        let peer = Some(unit_named("bravo"));
        let rtt = Rtt { unit: unit_named("alpha"), native_us: None, app_us: Some(400), peer, delays };
        String::from_utf8(sent(&rtt, &SessionId::from_random(1), at_millis(0)).payload().to_vec()).expect("JSON")
    };
    let even = payload(150, 250);
    let expected = r#""peer":"bravo","forward_us":150,"backward_us":250,"delay_uncertainty_us":50,"asymmetric":false}"#;
    assert!(even.ends_with(expected), "{even}");
    let lopsided = payload(300, 100);
    assert!(lopsided.ends_with(r#""delay_uncertainty_us":50,"asymmetric":true}"#), "{lopsided}");
}

#[test]
fn what_was_not_measured_is_null_and_has_no_header() {
    let unknown = Rtt { unit: unit_named("alpha"), native_us: None, app_us: None, peer: None, delays: None };
    let message = sent(&unknown, &SessionId::from_random(1), at_millis(0));
    let expected = r#"{"ts":1707772800000,"unit_id":"alpha","seq":1,"native_rtt_us":null,"app_rtt_us":null,"measurement_method":"echo","peer":null}"#;
    assert_eq!(message.payload(), expected);
    assert_eq!((message.headers.get("X-RTT-Native"), message.headers.get("X-RTT-App")), (None, None));
}

#[test]
fn what_a_header_does_not_say_the_payload_does() {
    let received =
        Rtt::parse(&raw("X-RTT-App: fast\r\n", r#"{"ts":5,"seq":9,"app_rtt_us":438}"#)).expect("a round trip");
    assert_eq!((received.rtt.app_us, received.sequence), (Some(438), Some(9)));
    assert_eq!(received.ts, Some(Wall::from_unix_nanos(5_000_000)));
    assert_eq!(received.problems[0].to_string(), "header X-RTT-App: `fast` is not whole microseconds");
    let received = Rtt::parse(&raw("X-App-RTT: 7\r\n", r#"{"app_rtt_us":438}"#)).expect("a round trip");
    assert_eq!((received.rtt.app_us, received.rtt.native_us, received.ts), (Some(7), None, None));
}

#[test]
fn what_is_no_measurement_is_an_error() {
    for payload in ["", "438", r#"{"app_rtt_us":-1}"#, r#"{"peer":"*"}"#] {
        let error = Rtt::parse(&raw("", payload)).expect_err(payload);
        let expected = "payload of `ops.metric.rtt.alpha` is not JSON of a round trip, with whole microseconds or null";
        assert_eq!(error.to_string(), expected);
    }
    let error = Rtt::parse(&Message::new(subject_of("ops.metric.time.alpha"))).expect_err("another metric");
    assert_eq!(error.to_string(), "subject `ops.metric.time.alpha` is not of the form `ops.metric.rtt.{unit}`");
}
