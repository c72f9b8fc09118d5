use serde_json::{Value, json};

use super::*;
use crate::arbitrary::{at_millis, over_the_wire, subject_of, unit_named};
use crate::clock::ClockClaim;
use crate::outbox::{HandOver, Outbox};
use crate::time::Mono;

fn stamp() -> ClockStamp {
    ClockStamp {
        source: ClockSource::Ptp,
        quality: ClockQuality::Locked,
        offset_ns: Some(-120),
        uncertainty_ns: Some(1_900),
    }
}

fn outbox() -> Outbox {
    let mut outbox = Outbox::new(unit_named("alpha"), SessionId::from_random(1));
    drop(outbox.connected(at_millis(0)));
    outbox.set_clock(ClockClaim { stamp: stamp(), until: Mono::MAX });
    outbox
}

fn sent(handed_over: HandOver) -> Message {
    match handed_over {
        HandOver::Send(message) => *message,
        other @ (HandOver::Kept | HandOver::Refused { .. }) => panic!("{other:?}"),
    }
}

fn status() -> TimeStatus {
    TimeStatus {
        ptp_enabled: true,
        ptp_master: Some("001122.fffe.334455".to_owned()),
        ptp_offset_ns: Some(-120),
        ntp_enabled: true,
        ntp_offset_ms: Some(0.25),
        active_source: ClockSource::Ptp,
        clock_quality: ClockQuality::Locked,
        ptp_path_delay_ns: Some(800),
        ptp_state: Some(PtpState::Slave),
        ntp_server: Some("10.0.0.1".to_owned()),
        ntp_stratum: Some(2),
        sync_log: vec![SyncEvent {
            ts: 1_707_772_800_000,
            offset_ms: Some(-0.00012),
            source: ClockSource::Ptp,
            quality: ClockQuality::Locked,
        }],
        clock_offset_ns: Some(-120),
        uncertainty_ns: Some(1_900),
        holdover_ms: None,
        sources: vec![SourceStatus {
            daemon: TimeDaemon::Ptp4l,
            source: ClockSource::Ptp,
            active: true,
            quality: Some(ClockQuality::Locked),
            offset_ns: Some(-120),
            uncertainty_ns: Some(1_900),
            follows: Some("001122.fffe.334455".to_owned()),
            age_ms: Some(40),
            note: None,
        }],
    }
}

#[test]
fn a_metric_has_the_fields_that_clients_know() {
    let message = sent(outbox().publish(at_millis(5), status().build(&unit_named("alpha"))));
    let json: Value = serde_json::from_slice(&message.payload()).expect("JSON");
    let expected = json!({
        "ts": 1_707_772_800_005_u64,
        "unit_id": "alpha",
        "seq": 1,
        "ptp_enabled": true,
        "ptp_master": "001122.fffe.334455",
        "ptp_offset_ns": -120,
        "ntp_enabled": true,
        "ntp_offset_ms": 0.25,
        "active_source": "ptp",
        "clock_quality": "locked",
        "ptp_path_delay_ns": 800,
        "ptp_state": "SLAVE",
        "ntp_server": "10.0.0.1",
        "ntp_stratum": 2,
        "sync_log": [{ "ts": 1_707_772_800_000_u64, "offset_ms": -0.00012, "source": "ptp", "quality": "locked" }],
        "clock_offset_ns": -120,
        "uncertainty_ns": 1_900,
        "holdover_ms": null,
        "sources": [{
            "daemon": "ptp4l",
            "source": "ptp",
            "active": true,
            "quality": "locked",
            "offset_ns": -120,
            "uncertainty_ns": 1_900,
            "follows": "001122.fffe.334455",
            "age_ms": 40,
            "note": null,
        }],
    });
    assert_eq!(json, expected);
    let names = |json: &Value| json.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    assert_eq!(names(&json), names(&expected), "in this order");
}

#[test]
fn a_metric_reads_back_over_the_wire_and_typed() {
    let message = sent(outbox().publish(at_millis(5), status().build(&unit_named("alpha"))));
    assert_eq!(message.subject, subject_of("ops.metric.time.alpha"));
    for message in [&message, &over_the_wire(&message)] {
        let received = TimeStatus::parse(message).expect("a metric");
        assert_eq!(
            received,
            Received {
                unit: unit_named("alpha"),
                status: status(),
                session: Some(SessionId::from_random(1)),
                sequence: Some(1),
                ts: Some(at_millis(5).wall),
                problems: Vec::new(),
            }
        );
    }
}

#[test]
fn what_is_not_known_is_null_and_reads_so() {
    let message = sent(outbox().publish(at_millis(0), TimeStatus::default().build(&unit_named("alpha"))));
    let json: Value = serde_json::from_slice(&message.payload()).expect("JSON");
    for field in ["ptp_master", "ptp_offset_ns", "ntp_offset_ms", "ntp_server", "ntp_stratum", "clock_offset_ns"] {
        assert_eq!(json.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(json.get("active_source"), Some(&json!("unsynced")));
    assert_eq!(json.get("clock_quality"), Some(&json!("freerun")));
    let received = TimeStatus::parse(&over_the_wire(&message)).expect("a metric");
    assert_eq!(received.status, TimeStatus::default());
}

fn read_metric(json: &Value) -> Result<Received, ProtocolError> {
    TimeStatus::parse(&Message::new(subject_of("ops.metric.time.bravo")).body(json.to_string()))
}

#[test]
fn what_other_clients_leave_out_is_not_known() {
    let sparse = json!({ "ts": 1_707_772_800_000_u64, "unit_id": "bravo", "seq": 42, "active_source": "ntp", "clock_quality": "tracking" });
    let received = read_metric(&sparse).expect("a metric");
    assert_eq!((received.sequence, received.ts), (Some(42), Some(at_millis(0).wall)));
    let status =
        TimeStatus { active_source: ClockSource::Ntp, clock_quality: ClockQuality::Tracking, ..TimeStatus::default() };
    assert_eq!(received.status, status);
    let log = json!({ "sync_log": [{ "ts": 1, "offset_ms": 0.5, "source": "ntp" }] });
    let received = read_metric(&log).expect("without the quality, as the contract has it");
    assert_eq!(received.status.sync_log.len(), 1);
}

#[test]
fn a_word_that_is_not_known_is_the_worst_there_is() {
    for odd in [json!("galileo"), json!(null), json!(7), json!({})] {
        let received = read_metric(&json!({ "active_source": odd, "clock_quality": odd })).expect("a metric");
        assert_eq!(received.status, TimeStatus::default());
    }
}

#[test]
fn what_is_no_metric_is_an_error() {
    for payload in ["", "[]", "locked", r#"{"ntp_stratum":-1}"#] {
        let message = Message::new(subject_of("ops.metric.time.bravo")).body(payload);
        assert!(matches!(TimeStatus::parse(&message), Err(ProtocolError::Payload { .. })), "{payload}");
    }
    let elsewhere = Message::new(subject_of("ops.metric.rtt.bravo")).body("{}");
    assert!(TimeStatus::parse(&elsewhere).is_err());
}

#[test]
fn what_clients_are_to_go_by_has_the_fields_that_they_know() {
    let config = TimeConfig {
        mode: "auto".to_owned(),
        ntp_servers: vec!["10.0.0.1".to_owned()],
        ptp_master: None,
        ptp_domain: 24,
    };
    let message = config.build();
    assert_eq!(message.subject, config_subject());
    assert_eq!(message.payload(), r#"{"mode":"auto","ntp_servers":["10.0.0.1"],"ptp_master":null,"ptp_domain":24}"#);
    assert_eq!(TimeConfig::parse(&message), Ok(config));
    assert!(TimeConfig::parse(&Message::new(config_subject()).body("auto")).is_err());
}

/// A question that was 2 ms on its way to a clock that is 30 ms behind, waited there for 5 ms, and whose
/// answer took 1 ms.
fn answered() -> (Now, Message) {
    let behind = |millis: u64| Now { mono: at_millis(millis).mono, wall: at_millis(millis - 30).wall };
    let asked = at_millis(100);
    let question = Message { received: behind(102), ..Message::new(sync_subject(&unit_named("alpha"))) };
    let answer = status().answer(&unit_named("alpha"), &question, subject_of("_INBOX.1"));
    let mut answer = sent(outbox().respond(behind(107), answer));
    answer.received = at_millis(108);
    (asked, answer)
}

#[test]
fn an_answer_tells_the_time_over_the_wire_and_typed() {
    let (asked, answer) = answered();
    assert_eq!(answer.subject, subject_of("_INBOX.1"));
    for answer in [&answer, &over_the_wire(&answer)] {
        let told = told(asked, answer).expect("an answer");
        assert_eq!(told.exchange.round_trip(), Duration::from_millis(3));
        // Half a millisecond of it is that the ways differ.
        assert_eq!(told.exchange.offset_ns(), 29_500_000);
        assert_eq!(told.clock, stamp());
        assert_eq!(told.status, status());
    }
}

#[test]
fn an_answer_that_lacks_a_timestamp_or_refuses_is_an_error() {
    let plain = Message::new(subject_of("_INBOX.1")).body("{}");
    assert!(matches!(told(at_millis(0), &plain), Err(ProtocolError::Payload { .. })));
    let mut refusal = plain;
    refusal.headers.push(header::RESPONSE_CODE.name(), header::Value::Unsigned(503));
    assert!(matches!(told(at_millis(0), &refusal), Err(ProtocolError::Refused { code: 503, .. })));
}

#[test]
fn questions_are_for_one_unit_and_their_subject_names_it() {
    let unit = unit_named("alpha");
    assert_eq!(sync_subject(&unit), subject_of("ops.time.sync.alpha"));
    assert_eq!(parse_sync_subject(&sync_subject(&unit)), Ok(unit.clone()));
    assert!(sync_pattern(&unit).matches(&sync_subject(&unit)));
    assert!(!sync_pattern(&unit).matches(&sync_subject(&unit_named("bravo"))));
    assert!(parse_sync_subject(&config_subject()).is_err());
    assert!(pattern().matches(&subject(&unit)) && pattern_of(&unit).matches(&subject(&unit)));
}
