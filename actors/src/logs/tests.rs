use std::collections::BTreeMap;

use nunect_core::testing::{Harness, UNIT, WALL_START, birth};
use nunect_core::{ActorName, Incarnation};
use serde_json::Value;

use super::*;

fn shipper(config: Value) -> Harness {
    Harness::new::<Logs>(config)
}

fn with_file() -> Value {
    json!({ "file": { "folder": "/var/log/nunect" } })
}

/// A shipper with a file, after it has asked for it.
fn writer(config: Value) -> Harness {
    let mut harness = shipper(config);
    harness.expect_port(PORT);
    harness
}

fn record(level: Level, said: Said) -> LogRecord {
    LogRecord { ts: WALL_START, level, said, trace: None, headers: Vec::new() }
}

fn event(event: Event) -> LogRecord {
    record(Level::Warn, Said::Event(ActorName::new("echo").ok(), event))
}

fn words(level: Level, msg: &str) -> LogRecord {
    record(level, Said::Words { comp: "nunect::bus".into(), msg: msg.into(), fields: serde_json::Map::new() })
}

fn expect_record(harness: &mut Harness) -> Entry {
    Entry::parse(&harness.expect_publish("ops.log.*.*")).expect("a record")
}

fn config_error(config: &Value) -> String {
    let catalog = nunect_core::Catalog::new().with::<Logs>();
    (catalog.get("logs").expect("known").check)(config).expect_err("illegal").to_string()
}

#[test]
fn an_event_is_published_as_words_and_as_data() {
    let mut harness = shipper(json!({}));
    harness.input(Input::Log(&event(Event::MailboxOverflow { dropped: 7 })));
    let message = harness.expect_publish(&format!("ops.log.WARN.{UNIT}"));
    let expected = format!(
        r#"{{"ts":"2024-02-13T00:00:00.000000Z","lvl":"WARN","unit":"{UNIT}","comp":"echo","msg":"mailbox full, 7 messages lost so far","fields":{{"dropped":7,"kind":"mailbox_overflow"}},"trace":""}}"#
    );
    assert_eq!(message.payload(), expected);
}

#[test]
fn an_event_of_the_node_an_event_without_details_and_one_of_others_have_their_place() {
    let mut harness = shipper(json!({}));
    harness.input(Input::Log(&record(Level::Info, Said::Event(None, Event::BusConnected))));
    let entry = expect_record(&mut harness);
    assert_eq!((entry.comp.as_str(), entry.fields.as_str()), ("node", r#"{"kind":"bus_connected"}"#));
    let fields = BTreeMap::from([("snr".to_owned(), "12".to_owned())]);
    harness.input(Input::Log(&event(Event::Custom { kind: "heard".into(), fields })));
    assert_eq!(expect_record(&mut harness).fields.as_str(), r#"{"kind":"heard","fields":{"snr":"12"}}"#);
}

#[test]
fn the_details_of_an_event_are_those_that_its_json_has() {
    let reason = "a: {\"b\"}: c}".to_owned();
    for sample in [
        Event::ActorCrashed { incarnation: Incarnation(3), reason: reason.clone(), on_message: true },
        Event::CommandRefused { command: "CHAOS".to_owned(), reason },
        Event::NodeStopping,
    ] {
        let json = serde_json::to_value(&sample).expect("JSON");
        let mut expected = json.as_object().map_or_else(|| json!({}), |named| named[sample.name()].clone());
        expected["kind"] = sample.name().into();
        assert_eq!(Value::from(details(&sample).to_map()), expected);
    }
}

#[test]
fn words_keep_their_origin_their_data_and_what_they_belong_to() {
    let mut harness = shipper(json!({}));
    let mut said = words(Level::Error, "no \"route\"");
    if let Said::Words { fields, .. } = &mut said.said {
        fields.insert("port".to_owned(), 4222.into());
    }
    said.trace = Some("alpha/7".into());
    said.headers = vec![("X-Unit-ID".into(), "alpha".into())];
    harness.input(Input::Log(&said));
    let entry = expect_record(&mut harness);
    assert_eq!((entry.level, entry.comp.as_str(), entry.msg.as_str()), (Level::Error, "nunect::bus", "no \"route\""));
    assert_eq!(entry.fields.as_str(), r#"{"port":4222,"X-Unit-ID":"alpha"}"#);
    assert_eq!(entry.trace.as_deref(), Some("alpha/7"));
}

#[test]
fn what_was_lost_is_a_warning() {
    let mut harness = shipper(json!({}));
    harness.input(Input::Log(&record(Level::Info, Said::Lost(12))));
    let entry = expect_record(&mut harness);
    assert_eq!((entry.level, entry.msg.as_str()), (Level::Warn, "12 log records lost"));
    assert_eq!(entry.fields.as_str(), r#"{"lost":12}"#);
}

#[test]
fn the_line_of_the_file_is_what_is_published() {
    let mut harness = writer(with_file());
    harness.input(Input::Log(&words(Level::Info, "one\nline")));
    let mut line = harness.expect_publish("ops.log.INFO.*").payload().to_vec();
    line.push(b'\n');
    assert_eq!(harness.expect_port(PORT), line);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
}

#[test]
fn a_level_below_the_published_one_goes_to_the_file_alone() {
    let mut config = with_file();
    config["publish_level"] = "WARN".into();
    let mut harness = writer(config);
    harness.input(Input::Log(&words(Level::Info, "fine")));
    assert!(harness.expect_port(PORT).ends_with(b"\n"));
    harness.expect_silence();
    harness.input(Input::Log(&words(Level::Warn, "not so")));
    expect_record(&mut harness);
    let mut harness = shipper(json!({}));
    harness.input(Input::Log(&words(Level::Debug, "detail")));
    harness.expect_silence();
}

#[test]
fn it_may_write_and_not_publish_or_neither() {
    let mut config = with_file();
    config["publish"] = false.into();
    let mut harness = writer(config);
    harness.input(Input::Log(&words(Level::Fatal, "the end")));
    harness.expect_port(PORT);
    harness.expect_silence();
    let idle = LogsConfig { publish: false, ..LogsConfig::default() };
    let contract = Actor::contract(&Logs::new(idle, &birth("logs", Now::default())).expect("legal"));
    assert_eq!(contract, Contract::default());
}

#[test]
fn it_asks_for_its_file_first_of_all() {
    let mut harness = shipper(with_file());
    let expected =
        format!(r#"{{"open":{{"folder":"/var/log/nunect","max_size":16777216,"max_files":14,"unit":"{UNIT}"}}}}"#);
    assert_eq!(harness.expect_port(PORT), expected);
    harness.expect_silence();
}

#[test]
fn what_it_needs_of_its_host_follows_from_its_options() {
    let contract =
        |config: LogsConfig| Actor::contract(&Logs::new(config, &birth("logs", Now::default())).expect("legal"));
    let published = contract(LogsConfig::default());
    assert_eq!(published.publishes.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("ops.log.*.{UNIT}")]);
    assert_eq!((published.sensors, published.ports), (vec![Sensor::Log], vec![]));
    let file = LogFile { folder: "logs".to_owned(), max_size: default_size(), max_files: 1 };
    let written = contract(LogsConfig { file: Some(file), publish: false, ..LogsConfig::default() });
    assert_eq!((written.publishes, written.sensors, written.ports), (vec![], vec![Sensor::Log], vec![PORT]));
}

#[test]
fn a_failure_of_the_file_is_reported_once_a_minute() {
    let mut harness = writer(with_file());
    let mut reported = Vec::new();
    for second in 0..121 {
        harness.input(Input::Port(PORT, &Bytes::from_static(br#"{"failed":"disk full"}"#)));
        harness.input(Input::Port(PORT, &Bytes::from_static(br#"{"recovered":true}"#)));
        let events = harness.events();
        if !events.is_empty() {
            assert_eq!(events, [Event::PortFailed { port: PORT.into(), reason: "disk full".to_owned() }]);
            reported.push(second);
        }
        harness.advance(Duration::from_secs(1));
    }
    assert_eq!(reported, [0, 60, 120]);
    for said in ["", "garbage", "{}", r#"{"failed":7}"#] {
        harness.input(Input::Port(PORT, &Bytes::from_static(said.as_bytes())));
    }
    harness.expect_silence();
}

#[test]
fn a_record_that_no_server_would_take_loses_its_end() {
    let mut harness = shipper(json!({}));
    harness.input(Input::Log(&words(Level::Info, &"é".repeat(1 << 20))));
    let entry = expect_record(&mut harness);
    assert_eq!((entry.msg.len(), entry.fields.as_str()), (TEXT_KEPT_BYTES, r#"{"shortened":true}"#));
    let mut big = words(Level::Info, "short");
    big.trace = Some("x".repeat(1 << 20).into());
    harness.input(Input::Log(&big));
    assert_eq!(expect_record(&mut harness).trace, None);
}

#[test]
fn what_the_options_may_be_is_bounded() {
    let file = |key: &str, value: Value| {
        let mut config = with_file();
        config["file"][key] = value;
        config_error(&config)
    };
    assert_eq!(file("max_size", "1KiB".into()), "file.max_size: 1KiB is outside 64KiB to 1GiB");
    assert_eq!(file("max_files", 0.into()), "file.max_files: lower than 1");
    assert!(file("max_size", "big".into()).contains("such as 16MiB"));
    assert!(file("folder", "".into()).starts_with("file.folder: "));
    assert!(config_error(&json!({ "file": {} })).contains("folder"));
    assert!(config_error(&json!({ "publish_level": "LOUD" })).starts_with("publish_level: "));
}
