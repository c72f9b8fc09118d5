use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, over_the_wire, subject_of, unit_named};
use crate::message::Headers;

const LEVELS: [Level; 5] = [Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

fn fields() -> impl Strategy<Value = Fields> {
    proptest::collection::btree_map(any::<String>(), any::<(String, i64, Option<bool>)>(), 0..4)
        .prop_map(|fields| fields.iter().fold(Fields::default(), |all, (name, value)| all.with(name, value)))
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        (any::<u64>(), proptest::sample::select(&LEVELS), arbitrary::unit()),
        (any::<String>(), any::<String>(), fields(), proptest::option::of("\\PC{1,20}")),
    )
        .prop_map(|((nanos, level, unit), (comp, msg, fields, trace))| Entry {
            ts: Wall::from_unix_nanos(nanos / 1_000 * 1_000),
            level,
            unit,
            comp,
            msg,
            fields,
            trace,
        })
}

fn example() -> Entry {
    Entry {
        ts: Wall::from_unix_nanos(1_707_772_800_123_456_789),
        level: Level::Warn,
        unit: unit_named("alpha"),
        comp: "probe".to_owned(),
        msg: "no echo from \"bravo\"".to_owned(),
        fields: Fields::default().with("peer", &"bravo").with("timeout_ms", &2_000),
        trace: Some("4bf92f35".to_owned()),
    }
}

fn read(subject: &str, payload: &str) -> Result<Entry, ProtocolError> {
    Entry::parse(&Message::new(subject_of(subject)).body(payload.to_owned()))
}

proptest! {
    #[test]
    fn a_record_reads_back(entry in entry()) {
        let message = entry.build();
        prop_assert!(pattern().matches(&message.subject) && pattern_of(&entry.unit).matches(&message.subject));
        prop_assert!(is_log(&message.subject));
        prop_assert_eq!(&Entry::parse(&over_the_wire(&message))?, &entry);
    }

    #[test]
    fn what_is_written_is_json_whatever_the_texts_hold(entry in entry()) {
        let json: serde_json::Value = serde_json::from_slice(&entry.encode())?;
        prop_assert_eq!(&json["msg"], &entry.msg);
        prop_assert_eq!(&json["fields"], &serde_json::Value::Object(entry.fields.to_map()));
    }

    #[test]
    fn nothing_that_arrives_makes_the_parser_panic(
        tail in any::<Vec<u8>>(),
        headers in arbitrary::raw_block(),
        payload in any::<Vec<u8>>(),
    ) {
        for subject in [[b"ops.log.", &tail[..]].concat(), b"ops.log.INFO.alpha".to_vec()] {
            let Ok(subject) = Subject::from_wire(Bytes::from(subject)) else { continue };
            for payload in [payload.clone(), [b"{\"msg\":\"", &payload[..], b"\"}"].concat()] {
                let mut message = Message::new(subject.clone()).body(payload);
                message.headers = Headers::from_raw(headers.clone());
                let _ = Entry::parse(&message);
            }
        }
    }

    #[test]
    fn no_text_but_an_object_makes_fields(text in any::<String>()) {
        let _ = Fields::from_json(&text);
        prop_assert_eq!(Fields::from_json(&serde_json::Value::from(text).to_string()), None);
    }
}

#[test]
fn the_payload_is_byte_for_byte_what_existing_clients_read() {
    let expected = r#"{"ts":"2024-02-12T21:20:00.123456Z","lvl":"WARN","unit":"alpha","comp":"probe","msg":"no echo from \"bravo\"","fields":{"peer":"bravo","timeout_ms":2000},"trace":"4bf92f35"}"#;
    assert_eq!(String::from_utf8(example().encode()).as_deref(), Ok(expected));
    let bare = Entry { fields: Fields::default(), trace: None, ..example() };
    let text = String::from_utf8(bare.encode()).expect("UTF-8");
    assert!(text.ends_with(r#","fields":{},"trace":""}"#), "{text}");
}

#[test]
fn a_level_has_a_subject_of_its_own_in_every_unit() {
    assert_eq!(example().build().subject.as_str(), "ops.log.WARN.alpha");
    assert_eq!(pattern().as_str(), "ops.log.>");
    assert_eq!(pattern_of(&unit_named("alpha")).as_str(), "ops.log.*.alpha");
    for level in LEVELS {
        assert_eq!(parse_subject(&subject(level, &unit_named("alpha"))), Ok((level, unit_named("alpha"))));
        assert_eq!(serde_json::to_value(level).expect("a word"), level.as_str());
        assert_eq!(Level::parse(level.as_str()), Some(level));
    }
    assert!(LEVELS.is_sorted());
    assert!(!is_log(&subject_of("ops.logs.INFO.alpha")) && !is_log(&subject_of("ops.log")));
}

#[test]
fn another_subject_is_no_log() {
    for text in ["ops.log", "ops.log.INFO", "ops.log.info.alpha", "ops.log.INFO.alpha.bravo", "x.ops.log.INFO.alpha"] {
        let error = read(text, r#"{"msg":"m"}"#).expect_err(text);
        assert_eq!(error.to_string(), format!("subject `{text}` is not of the form `ops.log.{{level}}.{{unit}}`"));
    }
    assert!(matches!(read("ops.log.INFO.units", ""), Err(ProtocolError::Identity { .. })));
}

#[test]
fn what_a_writer_leaves_out_is_taken_from_the_message() {
    let mut message =
        Message::new(subject_of("ops.log.ERROR.alpha")).body(&br#"{"msg":"m","fields":[1],"lvl":"INFO"}"#[..]);
    message.received.wall = Wall::from_unix_nanos(7);
    let entry = Entry::parse(&message).expect("a record");
    let expected = Entry {
        ts: Wall::from_unix_nanos(7),
        level: Level::Error,
        unit: unit_named("alpha"),
        comp: String::new(),
        msg: "m".to_owned(),
        fields: Fields::default(),
        trace: None,
    };
    assert_eq!(entry, expected);
    message.headers = Headers::from_raw(Bytes::from_static(b"X-TX-Timestamp: 9\r\n"));
    assert_eq!(Entry::parse(&message).expect("a record").ts, Wall::from_unix_nanos(9));
}

#[test]
fn a_payload_that_is_no_record_is_an_error_that_says_what_was_expected() {
    for payload in ["", "words", "[]", "{}", r#"{"msg":1}"#] {
        let error = read("ops.log.INFO.alpha", payload).expect_err(payload);
        assert_eq!(error.to_string(), "payload of `ops.log.INFO.alpha` is not a log record as JSON with a `msg`");
    }
}

#[test]
fn fields_keep_their_order_and_a_value_that_json_lacks_is_null() {
    let unspeakable = std::collections::BTreeMap::from([((1, 2), 3)]);
    let fields =
        Fields::from_json(" { } ").expect("an object").with("b", &1).with("a\n", &f64::NAN).with("c", &unspeakable);
    assert_eq!(fields.as_str(), r#"{"b":1,"a\n":null,"c":null}"#);
    assert_eq!(Fields::from(&fields.to_map()), fields);
    assert_eq!(Fields::from(&serde_json::Map::new()), Fields::default());
    assert_eq!(fields.to_map().keys().collect::<Vec<_>>(), ["b", "a\n", "c"]);
    assert_eq!(Fields::from_json("{\"a\": 1}").expect("an object").with("b", &2).as_str(), "{\"a\": 1,\"b\":2}");
    assert!(Fields::from_json("{}").expect("an object").is_empty());
}
