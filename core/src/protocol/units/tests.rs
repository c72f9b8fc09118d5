use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, HEALTHS, QUALITIES, SOURCES, over_the_wire, subject_of, unit_named};
use crate::protocol::{refused, unavailable};

/// The largest payload that a server takes unless it is told otherwise.
const MAX_PAYLOAD: usize = 1 << 20;

fn row() -> impl Strategy<Value = UnitStatus> {
    let roles = proptest::sample::select(&[Role::Gateway, Role::Client, Role::Repeater, Role::Node]);
    (
        (arbitrary::unit(), roles, proptest::sample::select(&HEALTHS), any::<(u64, u64)>()),
        (proptest::option::of(arbitrary::session()), any::<(Option<u64>, Option<u64>)>()),
        proptest::option::of((proptest::sample::select(&SOURCES), proptest::sample::select(&QUALITIES))),
    )
        .prop_map(|((unit, role, state, (since_ms, last_seen_ms)), (session, (app, native)), clock)| UnitStatus {
            unit,
            role,
            state,
            since_ms,
            last_seen_ms,
            session,
            rtt_app_us: app,
            rtt_native_us: native,
            clock_source: clock.map(|(source, _)| source),
            clock_quality: clock.map(|(_, quality)| quality),
        })
}

fn quiet(unit: UnitId) -> UnitStatus {
    UnitStatus {
        unit,
        role: Role::Node,
        state: Health::Ok,
        since_ms: 1_707_772_800_000,
        last_seen_ms: 1_707_772_805_000,
        session: None,
        rtt_app_us: None,
        rtt_native_us: None,
        clock_source: None,
        clock_quality: None,
    }
}

fn inbox() -> Subject {
    subject_of("_INBOX.alpha.1.1")
}

proptest! {
    #[test]
    fn a_directory_of_any_size_reads_back_part_by_part(
        rows in proptest::collection::vec(row(), 0..20),
        limit in 1..8usize,
    ) {
        let directory: BTreeMap<_, _> = rows.into_iter().map(|row| (row.unit.clone(), row)).collect();
        let mut read = Vec::new();
        let mut question = Some(Question { after: None, limit });
        while let Some(asked) = question {
            let arrived = Question::parse(&over_the_wire(&asked.build()))?;
            prop_assert_eq!(&arrived, &asked);
            let rows = parse(&over_the_wire(&arrived.answer(inbox(), directory.values())))?;
            prop_assert!(rows.len() <= limit);
            question = asked.next(&rows);
            read.extend(rows);
        }
        prop_assert_eq!(read, directory.into_values().collect::<Vec<_>>());
    }

    #[test]
    fn nothing_that_arrives_makes_the_parsers_panic(
        payload in any::<Vec<u8>>(),
        headers in arbitrary::raw_block(),
    ) {
        for payload in [payload.clone(), [b"[", &payload[..], b"]"].concat()] {
            let mut message = Message::new(subject()).body(payload);
            message.headers = crate::message::Headers::from_raw(headers.clone());
            let _ = parse(&message);
            if let Ok(question) = Question::parse(&message) {
                prop_assert!((1..=UNITS_PER_ANSWER).contains(&question.limit));
            }
        }
    }
}

#[test]
fn the_answer_is_byte_for_byte_what_existing_clients_read() {
    let known = UnitStatus {
        role: Role::Gateway,
        state: Health::Degraded,
        session: Some(SessionId::from_random(7)),
        rtt_app_us: Some(438),
        rtt_native_us: Some(168),
        clock_source: Some(ClockSource::Ntp),
        clock_quality: Some(ClockQuality::Tracking),
        ..quiet(unit_named("bravo"))
    };
    let answer = Question::default().answer(inbox(), [quiet(unit_named("alpha")), known]);
    let expected = r#"[{"unit":"alpha","role":"node","state":"OK","since_ms":1707772800000,"last_seen_ms":1707772805000,"session":null,"rtt_app_us":null,"rtt_native_us":null,"clock_source":null,"clock_quality":null},{"unit":"bravo","role":"gateway","state":"DEGRADED","since_ms":1707772800000,"last_seen_ms":1707772805000,"session":"0000000000000007","rtt_app_us":438,"rtt_native_us":168,"clock_source":"ntp","clock_quality":"tracking"}]"#;
    assert_eq!(answer.payload(), expected);
    assert_eq!(Question::default().answer(inbox(), [] as [UnitStatus; 0]).payload(), "[]");
}

#[test]
fn a_question_without_payload_is_for_the_first_units() {
    let question = Question::default().build();
    assert_eq!((question.subject.as_str(), question.payload().len()), ("ops.status.units", 0));
    assert_eq!(Question::parse(&question), Ok(Question { after: None, limit: UNITS_PER_ANSWER }));
    let on = Question { after: Some(unit_named("alpha")), limit: 10 };
    assert_eq!(on.build().payload(), r#"{"after":"alpha","limit":10}"#);
}

#[test]
fn a_limit_out_of_range_becomes_the_nearest_within() {
    for (json, limit) in [(r#"{"limit":0}"#, 1), (r#"{"limit":18446744073709551615}"#, 2_000), ("{}", 2_000)] {
        let question = Question::parse(&Message::new(subject()).body(json)).expect(json);
        assert_eq!(question, Question { after: None, limit });
    }
    let greedy = Question { after: None, limit: usize::MAX };
    let many = (0..3_000).map(|number| quiet(unit_named(&format!("u{number:04}"))));
    assert_eq!(parse(&greedy.answer(inbox(), many)).map(|rows| rows.len()), Ok(UNITS_PER_ANSWER));
}

#[test]
fn what_is_no_question_is_an_error_that_says_what_one_is() {
    for payload in ["all", r#"{"after":"a b"}"#, r#"{"after":">"}"#, r#"{"limit":-1}"#] {
        let error = Question::parse(&Message::new(subject()).body(payload)).expect_err(payload);
        let expected =
            "payload of `ops.status.units` is not empty, or JSON with `after` (a unit ID) and `limit` (a number)";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_full_answer_of_the_longest_rows_fits_one_message() {
    let long = "u".repeat(crate::identity::IDENTITY_MAX_BYTES);
    let longest = UnitStatus {
        unit: unit_named(&long),
        role: Role::Repeater,
        state: Health::Degraded,
        since_ms: u64::MAX,
        last_seen_ms: u64::MAX,
        session: Some(SessionId::new(&long).expect("a session ID")),
        rtt_app_us: Some(u64::MAX),
        rtt_native_us: Some(u64::MAX),
        clock_source: Some(ClockSource::Unsynced),
        clock_quality: Some(ClockQuality::Acquiring),
    };
    let answer = Question::default().answer(inbox(), std::iter::repeat_n(longest, UNITS_PER_ANSWER));
    assert!(answer.payload().len() < MAX_PAYLOAD, "{}", answer.payload().len());
}

#[test]
fn a_refusal_is_told_apart_from_an_answer() {
    let error = parse(&over_the_wire(&unavailable(inbox()))).expect_err("refused");
    assert_eq!(error.to_string(), "refused with code 503: mailbox full");
    let error = parse(&over_the_wire(&refused(inbox(), 400, "no question"))).expect_err("refused");
    assert_eq!(error, ProtocolError::Refused { code: 400, reason: "no question".to_owned() });
    let error = parse(&Message::new(inbox()).body("{}")).expect_err("no array");
    assert_eq!(error.to_string(), "payload of `_INBOX.alpha.1.1` is not a JSON array of units");
}
