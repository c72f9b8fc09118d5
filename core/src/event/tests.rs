use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{subject_of, unit_named};

/// One event of every kind but custom ones, in the order of [`Event::NAMES`], and its line for people.
fn one_of_each() -> Vec<(Event, &'static str)> {
    let (unit, subject) = (|| unit_named("alpha"), || subject_of("a.b"));
    let (session, life) = (SessionId::from_random(1), Incarnation(2));
    let reason = || "because".to_owned();
    let second = Duration::from_secs(1);
    vec![
        (Event::NodeStarted { session: session.clone() }, "node started, session 0000000000000001"),
        (Event::NodeStopping, "node stopping"),
        (
            Event::NodeHealth { health: Health::Degraded, causes: vec![reason(), reason()] },
            "node is DEGRADED: because, because",
        ),
        (Event::BusConnected, "bus connected"),
        (Event::BusDisconnected, "bus away"),
        (Event::ActorStarted { incarnation: life }, "started again (life 2)"),
        (
            Event::ActorCrashed { incarnation: life, reason: reason(), on_message: true },
            "crashed on a message: because",
        ),
        (Event::ActorStopped { incarnation: life, reason: reason() }, "stopped: because"),
        (Event::RestartScheduled { delay: second }, "restarts in 1.0s"),
        (
            Event::Escalated { crashes: 6, period: second, reason: reason() },
            "gave up after 6 crashes in 1s, the last: because",
        ),
        (Event::Quarantined { subject: subject(), reason: reason() }, "message from a.b quarantined: because"),
        (Event::MailboxPaused { pause: second, crashes: 11 }, "mailbox paused for 1s after 11 crashes on messages"),
        (Event::MailboxResumed, "mailbox delivers again"),
        (Event::MailboxOverflow { dropped: 3 }, "mailbox full, 3 messages lost so far"),
        (Event::PublishRefused { subject: subject(), reason: "because".into() }, "not published to a.b: because"),
        (Event::Malformed { subject: subject(), reason: reason() }, "malformed message on a.b: because"),
        (Event::UnitOnline { unit: unit(), session: Some(session), restarted: true }, "alpha is back in a new session"),
        (
            Event::UnitHealth { unit: unit(), from: Health::Ok, to: Health::Critical, reason: "because".into() },
            "alpha OK → CRITICAL: because",
        ),
        (Event::UnitOffline { unit: unit(), reason: "because".into() }, "alpha is OFFLINE: because"),
        (Event::UnitsFull { units_max: 7 }, "7 units are tracked; further ones are ignored"),
        (
            Event::BusDenied { action: BusAction::Publish, subject: "a.>".to_owned() },
            "the server does not permit to publish a.>",
        ),
        (Event::BusSlow, "messages lost before the mailbox: the node does not keep up with the bus"),
        (Event::BusRefused { reason: reason() }, "the server refuses this node: because"),
        (Event::ClockStepped { by_ms: -3_600_000 }, "the wall clock stepped by -3600000 ms"),
        (
            Event::DuplicateUnit { session: SessionId::from_random(1), leaving: true },
            "session 0000000000000001 of this unit was there before: this node ends",
        ),
        (
            Event::Reloaded { changed: vec!["a.b".to_owned()], restart_needed: vec!["c".to_owned()] },
            "configuration read again: changed a.b; restart for c",
        ),
        (Event::LogLevelSet { level: Level::Warn }, "writes down from WARN on"),
        (Event::ChaosInjected { what: ChaosKind::Hang }, "chaos: hang"),
        (Event::CommandRefused { command: "CHAOS".to_owned(), reason: reason() }, "CHAOS refused: because"),
        (Event::ActorHung { on: "a.b".to_owned(), running: second }, "hangs on a.b for 1.0s"),
        (Event::ActorReturned { running: second }, "came back after 1.0s"),
        (Event::PortFailed { port: "log-file".into(), reason: reason() }, "log-file: because"),
        (Event::ClusterChanged { state: "DEGRADED".into(), peers: 2 }, "cluster is DEGRADED, 2 peers"),
        (
            Event::ServerClient { client: "alpha".to_owned(), connected: false, detail: reason() },
            "alpha disconnected: because",
        ),
        (Event::ServerSlowConsumers { server: "hub".to_owned(), total: 3 }, "hub cut off slow consumers, 3 so far"),
        (
            Event::ClockChanged { source: ClockSource::Ptp, quality: ClockQuality::Freerun, reason: "because".into() },
            "clock is ptp freerun: because",
        ),
        (Event::TimeDaemon { daemon: TimeDaemon::Chronyd, problem: Some(reason()) }, "chronyd cannot be read: because"),
        (
            Event::DelayAsymmetry { peer: unit_named("bravo"), forward_us: 900, backward_us: -100, uncertainty_us: 25 },
            "900 µs to bravo and -100 µs back, each ± 25 µs: the ways differ, or a clock does",
        ),
    ]
}

fn custom() -> Event {
    let fields = [("channel", "16"), ("band", "vhf")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    Event::Custom { kind: "squelch".into(), fields: fields.into() }
}

fn reads_back(event: &Event) {
    let json = serde_json::to_string(event).expect("events are data");
    let read: Event = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(&read, event);
}

proptest! {
    #[test]
    fn an_event_about_whatever_subject_arrived_reads_back(text in any::<String>()) {
        let subject = Subject::from_wire(Bytes::from(text)).expect("a string is UTF-8");
        reads_back(&Event::Malformed { subject: subject.clone(), reason: String::new() });
        reads_back(&Event::Quarantined { subject: subject.clone(), reason: String::new() });
        reads_back(&Event::PublishRefused { subject, reason: "".into() });
    }
}

#[test]
fn every_event_has_the_name_at_its_place_and_no_two_share_one() {
    let names: Vec<_> = one_of_each().iter().map(|(event, _)| event.name().to_owned()).collect();
    assert_eq!(names, Event::NAMES);
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), Event::NAMES.len());
}

#[test]
fn an_event_goes_by_its_name_in_json_too() {
    for (event, _) in one_of_each() {
        let json = serde_json::to_string(&event).expect("events are data");
        assert_eq!(json.split('"').nth(1), Some(event.name()));
    }
}

#[test]
fn every_event_is_one_line_for_people() {
    for (event, expected) in one_of_each() {
        assert_eq!(event.to_string(), expected);
    }
    assert_eq!(Event::NodeHealth { health: Health::Ok, causes: Vec::new() }.to_string(), "node is OK");
    assert_eq!(Event::ActorStarted { incarnation: Incarnation(1) }.to_string(), "started");
    let crash = Event::ActorCrashed { incarnation: Incarnation(1), reason: "because".to_owned(), on_message: false };
    assert_eq!(crash.to_string(), "crashed: because");
    let online = Event::UnitOnline { unit: unit_named("alpha"), session: None, restarted: false };
    assert_eq!(online.to_string(), "alpha is online");
}

#[test]
fn every_event_reads_back() {
    for (event, _) in one_of_each() {
        reads_back(&event);
    }
    reads_back(&custom());
}

#[test]
fn an_event_of_somebody_elses_goes_by_its_own_name_with_its_fields_in_order() {
    assert_eq!((custom().name(), custom().severity()), ("squelch", Severity::Info));
    assert_eq!(custom().to_string(), "squelch band=vhf channel=16");
}

#[test]
fn health_is_as_urgent_as_it_is_bad() {
    for (health, severity) in [
        (Health::Ok, Severity::Info),
        (Health::Degraded, Severity::Warn),
        (Health::Critical, Severity::Error),
        (Health::Offline, Severity::Error),
    ] {
        assert_eq!(Event::NodeHealth { health, causes: Vec::new() }.severity(), severity);
        let unit = Event::UnitHealth { unit: unit_named("a"), from: Health::Ok, to: health, reason: "".into() };
        assert_eq!(unit.severity(), severity);
    }
}

#[test]
fn losses_and_crashes_warn_and_giving_up_is_an_error() {
    let of = |wanted: Severity| -> Vec<_> {
        let events = one_of_each().into_iter().map(|(event, _)| event);
        events.filter(|event| event.severity() == wanted).map(|event| event.name().to_owned()).collect()
    };
    let errors = ["escalated", "unit_health", "bus_refused", "duplicate_unit", "actor_hung"];
    assert_eq!(of(Severity::Error), errors);
    let warnings = [
        "node_health",
        "bus_disconnected",
        "actor_crashed",
        "quarantined",
        "mailbox_paused",
        "mailbox_overflow",
        "publish_refused",
        "malformed",
        "unit_offline",
        "units_full",
        "bus_denied",
        "bus_slow",
        "clock_stepped",
        "chaos_injected",
        "command_refused",
        "port_failed",
        "cluster_changed",
        "server_slow_consumers",
        "clock_changed",
        "time_daemon",
        "delay_asymmetry",
    ];
    assert_eq!(of(Severity::Warn), warnings);
}

#[test]
fn only_what_the_monitor_and_the_prober_see_is_about_another_unit() {
    for (event, _) in one_of_each() {
        assert_eq!(
            event.about().is_some(),
            event.name().starts_with("unit_") || event.name() == "delay_asymmetry",
            "{event}"
        );
    }
    assert_eq!(custom().about(), None);
}
