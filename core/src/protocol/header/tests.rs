use std::fmt;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, HEALTHS, QUALITIES, SOURCES, subject_of};
use crate::message::Message;

const ROLES: [Role; 4] = [Role::Gateway, Role::Client, Role::Repeater, Role::Node];

fn raw(block: &str) -> Headers {
    Headers::from_raw(Bytes::from(block.to_owned()))
}

/// What is written under `key` is read there, from the typed form and from the wire.
fn reads_back<T: PartialEq + fmt::Debug>(key: &Key<T>, value: Value, expected: T) -> Result<(), TestCaseError> {
    let typed = Message::new(subject_of("a")).with(key, value).headers;
    let encoded = Headers::from_raw(typed.encode());
    let expected = Some(expected);
    prop_assert_eq!(&key.read(&typed)?, &expected, "{} typed", key.name());
    prop_assert_eq!(&key.read(&encoded)?, &expected, "{} encoded", key.name());
    Ok(())
}

fn reads_alias<T: PartialEq + fmt::Debug>(
    key: &Key<T>,
    alias: &str,
    text: impl fmt::Display,
    expected: T,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(key.read(&raw(&format!("{alias}: {text}\r\n")))?, Some(expected), "{}", alias);
    Ok(())
}

fn refuses<T: PartialEq + fmt::Debug>(key: &Key<T>, text: &str) {
    let error = key.read(&raw(&format!("{}: {text}\r\n", key.name()))).expect_err(text);
    assert_eq!((error.name, error.value.as_str()), (key.name(), text));
}

/// Reads every key there is and throws away what it says.
fn read_all(headers: &Headers) -> usize {
    let problems = [
        UNIT_ID.read(headers).is_err(),
        SESSION_ID.read(headers).is_err(),
        SEQUENCE.read(headers).is_err(),
        TX_TIMESTAMP.read(headers).is_err(),
        CLOCK_SOURCE.read(headers).is_err(),
        CLOCK_QUALITY.read(headers).is_err(),
        CLOCK_OFFSET.read(headers).is_err(),
        CLOCK_UNCERTAINTY.read(headers).is_err(),
        HEALTH_STATUS.read(headers).is_err(),
        CPU_LOAD.read(headers).is_err(),
        MEMORY_USAGE.read(headers).is_err(),
        UPTIME.read(headers).is_err(),
        HEARTBEAT_INTERVAL.read(headers).is_err(),
        ROLE.read(headers).is_err(),
        RTT_NATIVE.read(headers).is_err(),
        RTT_APP.read(headers).is_err(),
        ACTIVE_CONNECTIONS.read(headers).is_err(),
        SERVER_RX_TIMESTAMP.read(headers).is_err(),
        SERVER_TX_TIMESTAMP.read(headers).is_err(),
        SERVER_CLOCK_SOURCE.read(headers).is_err(),
        SERVER_CLOCK_QUALITY.read(headers).is_err(),
        REASON.read(headers).is_err(),
        ORIGINAL_SUBJECT.read(headers).is_err(),
        RESPONSE_CODE.read(headers).is_err(),
        RESPONSE_TO.read(headers).is_err(),
        NODE_ID.read(headers).is_err(),
        CLUSTER_STATE.read(headers).is_err(),
        PEER_COUNT.read(headers).is_err(),
        STREAM_LAG.read(headers).is_err(),
    ];
    problems.into_iter().filter(|problem| *problem).count()
}

proptest! {
    #[test]
    fn every_number_reads_back_in_full(unsigned in any::<u64>(), signed in any::<i64>(), percent in 0..=100u8) {
        for key in [&SEQUENCE, &UPTIME, &HEARTBEAT_INTERVAL, &RTT_NATIVE, &RTT_APP, &ACTIVE_CONNECTIONS, &PEER_COUNT, &STREAM_LAG, &CLOCK_UNCERTAINTY] {
            reads_back(key, Value::Unsigned(unsigned), unsigned)?;
        }
        for key in [&TX_TIMESTAMP, &SERVER_RX_TIMESTAMP, &SERVER_TX_TIMESTAMP] {
            reads_back(key, Value::Unsigned(unsigned), Wall::from_unix_nanos(unsigned))?;
        }
        reads_back(&CLOCK_OFFSET, Value::Integer(signed), signed)?;
        reads_back(&CPU_LOAD, Value::Percent(percent), percent)?;
        reads_back(&MEMORY_USAGE, Value::Percent(percent), percent)?;
        let code = u16::try_from(unsigned % 600).expect("below 600");
        reads_back(&RESPONSE_CODE, Value::Unsigned(code.into()), code)?;
    }

    #[test]
    fn every_word_and_name_reads_back(
        unit in arbitrary::unit(),
        session in arbitrary::session(),
        subject in arbitrary::subject(),
        index in 0..4usize,
    ) {
        reads_back(&UNIT_ID, Value::text(unit.as_str()), unit)?;
        reads_back(&SESSION_ID, Value::text(session.as_str()), session)?;
        reads_back(&ORIGINAL_SUBJECT, Value::text(subject.as_str()), subject.as_str().to_owned())?;
        reads_back(&CLOCK_SOURCE, Value::Word(SOURCES[index].as_str()), SOURCES[index])?;
        reads_back(&SERVER_CLOCK_SOURCE, Value::Word(SOURCES[index].as_str()), SOURCES[index])?;
        reads_back(&CLOCK_QUALITY, Value::Word(QUALITIES[index].as_str()), QUALITIES[index])?;
        reads_back(&SERVER_CLOCK_QUALITY, Value::Word(QUALITIES[index].as_str()), QUALITIES[index])?;
        reads_back(&HEALTH_STATUS, Value::Word(HEALTHS[index].as_str()), HEALTHS[index])?;
        reads_back(&ROLE, Value::Word(ROLES[index].as_str()), ROLES[index])?;
    }

    #[test]
    fn free_text_reads_back_without_control_characters_and_outer_blanks(text in any::<String>()) {
        let expected: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        reads_back(&REASON, Value::text(&text), expected.trim_matches(' ').to_owned())?;
    }

    #[test]
    fn aliases_are_read_in_their_own_units(
        micros in 0..=u64::MAX / 1_000,
        millis in 0..=u64::MAX / 1_000_000,
        percent in 0..=100u8,
    ) {
        reads_alias(&TX_TIMESTAMP, "X-Timestamp", millis, Wall::from_unix_nanos(millis * 1_000_000))?;
        reads_alias(&SERVER_RX_TIMESTAMP, "X-Server-Received-At", micros, Wall::from_unix_nanos(micros * 1_000))?;
        reads_alias(&RTT_NATIVE, "X-Native-RTT", micros, micros)?;
        reads_alias(&RTT_APP, "X-App-RTT", micros, micros)?;
        reads_alias(&MEMORY_USAGE, "X-Mem-Usage", format!("{percent}%"), percent)?;
    }

    #[test]
    fn no_block_of_bytes_makes_a_key_panic(block in arbitrary::raw_block()) {
        read_all(&Headers::from_raw(block));
    }

    #[test]
    fn a_malformed_value_is_an_error_of_readable_length(value in "\\PC{0,200}") {
        if let Err(error) = SEQUENCE.read(&raw(&format!("X-Sequence: {value}\r\n"))) {
            prop_assert_eq!(error.name, "X-Sequence");
            prop_assert!(error.value.chars().count() <= 64);
            prop_assert!(value.trim().starts_with(error.value.trim()));
        }
    }
}

#[test]
fn read_all_reads_every_key_of_this_file() {
    let keys = include_str!("../header.rs").matches(": Key<").count();
    // Nothing but free text can be read from a value that is no number, word or name.
    let block: String = arbitrary::header_names().into_iter().map(|name| format!("{name}: ?!\r\n")).collect();
    assert_eq!(read_all(&raw(&block)), keys - 3, "REASON, ORIGINAL_SUBJECT and RESPONSE_TO take any text");
}

#[test]
fn only_plain_decimal_numbers_are_numbers() {
    for text in ["+5", "", "5 5", "0x5", "5.0", "-1", "-", "1e3", "٣", "18446744073709551616"] {
        refuses(&SEQUENCE, text);
        refuses(&TX_TIMESTAMP, text);
    }
    for text in ["+5", "5.5", "--5", "9223372036854775808", "-9223372036854775809"] {
        refuses(&CLOCK_OFFSET, text);
    }
    assert_eq!(CLOCK_OFFSET.read(&raw("X-Clock-Offset: -9223372036854775808\r\n")), Ok(Some(i64::MIN)));
}

#[test]
fn a_percentage_ends_in_its_sign_and_at_a_hundred() {
    for text in ["12", "101%", "256%", "-1%", "12.5%", "%", "12%%", "12 %"] {
        refuses(&CPU_LOAD, text);
        refuses(&MEMORY_USAGE, text);
    }
}

#[test]
fn words_are_read_exactly_as_written() {
    for text in ["PTP", "Ptp", "none", ""] {
        refuses(&CLOCK_SOURCE, text);
    }
    for text in ["ok", "Degraded", "ONLINE"] {
        refuses(&HEALTH_STATUS, text);
    }
    refuses(&CLOCK_QUALITY, "LOCKED");
    refuses(&ROLE, "master");
}

#[test]
fn a_unit_that_would_widen_permissions_is_malformed() {
    for text in ["*", ">", "a.b", "a b", "units", "status", "recommendation", ""] {
        refuses(&UNIT_ID, text);
    }
}

#[test]
fn free_text_keeps_to_one_line() {
    assert_eq!(Value::text("\n\tpanic:\r\n  out of range \n"), Value::Text("panic:    out of range".into()));
}

#[test]
fn an_alias_that_overflows_nanoseconds_is_malformed_not_wrapped() {
    let millis = raw(&format!("X-Timestamp: {}\r\n", u64::MAX / 1_000_000 + 1));
    assert_eq!(TX_TIMESTAMP.read(&millis).expect_err("beyond 2554").name, "X-Timestamp");
    let micros = raw(&format!("X-Server-Received-At: {}\r\n", u64::MAX / 1_000 + 1));
    assert_eq!(SERVER_RX_TIMESTAMP.read(&micros).expect_err("beyond 2554").name, "X-Server-Received-At");
}

#[test]
fn the_own_name_is_read_before_an_alias_even_when_it_is_malformed() {
    let both = raw("X-App-RTT: 1\r\nX-RTT-App: 2\r\n");
    assert_eq!(RTT_APP.read(&both), Ok(Some(2)));
    let malformed = raw("X-App-RTT: 1\r\nX-RTT-App: fast\r\n");
    let error = RTT_APP.read(&malformed).expect_err("malformed");
    assert_eq!(error.to_string(), "header X-RTT-App: `fast` is not whole microseconds");
    assert_eq!(RTT_APP.read(&raw("X-RTT: 1\r\n")), Ok(None));
}

#[test]
fn a_header_of_your_own_is_a_key_like_any_other() {
    const CHANNEL: Key<u8> = Key::new("Y-Channel", "a marine channel", |text| text.parse().ok());
    let message = Message::new(subject_of("a")).with(&CHANNEL, Value::Integer(16));
    assert_eq!(CHANNEL.read(&message.headers), Ok(Some(16)));
    let error = CHANNEL.read(&raw("Y-Channel: sixteen\r\n")).expect_err("malformed");
    assert_eq!(error.to_string(), "header Y-Channel: `sixteen` is not a marine channel");
}

#[test]
fn every_word_has_one_spelling_that_also_json_uses() {
    for source in SOURCES {
        assert_eq!(serde_json::to_value(source).expect("a word"), source.as_str());
        assert_eq!(ClockSource::parse(source.as_str()), Some(source));
    }
    for quality in QUALITIES {
        assert_eq!(serde_json::to_value(quality).expect("a word"), quality.as_str());
        assert_eq!(ClockQuality::parse(quality.as_str()), Some(quality));
    }
    for health in HEALTHS {
        assert_eq!(serde_json::to_value(health).expect("a word"), health.as_str());
        assert_eq!(Health::parse(health.as_str()), Some(health));
    }
    for state in [ClusterState::Healthy, ClusterState::Degraded, ClusterState::Partitioned] {
        assert_eq!(serde_json::to_value(state).expect("a word"), state.as_str());
        assert_eq!(ClusterState::parse(state.as_str()), Some(state));
    }
    for role in ROLES {
        assert_eq!(serde_json::to_value(role).expect("a word"), role.as_str());
    }
}

#[test]
fn the_better_word_compares_as_less() {
    assert!(ClockQuality::Locked < ClockQuality::Freerun && Health::Ok < Health::Degraded);
    assert!(Health::Degraded < Health::Critical && Health::Critical < Health::Offline);
}
