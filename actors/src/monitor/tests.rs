use nunect_core::protocol::header::{ClockQuality, ClockSource, Value as Header};
use nunect_core::testing::{Harness, birth};
use nunect_core::{Catalog, Headers, Overflow, SessionId, UnitId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod directory;
mod health;
mod hooks;
mod model;
mod sessions;
mod silence;

const NANO: Duration = Duration::from_nanos(1);
/// 2.5 of the default interval of five seconds.
const WINDOW: Duration = Duration::from_millis(12_500);

/// A unit that sends heartbeats.
#[derive(Clone, Debug)]
struct Sender {
    heartbeat: Heartbeat,
    session: Option<SessionId>,
    sequence: Option<u64>,
    clock: Option<(ClockSource, ClockQuality)>,
}

impl Sender {
    fn new(unit: &str) -> Self {
        let unit = unit.parse().expect("legal");
        let session = Some(SessionId::from_random(1));
        Self { heartbeat: Heartbeat::new(unit), session, sequence: Some(0), clock: None }
    }

    /// The same unit after another start.
    fn restarted(&self, session: u64) -> Self {
        Self { session: Some(SessionId::from_random(session)), sequence: Some(0), ..self.clone() }
    }

    fn beat(&mut self) -> Message {
        let mut message = self.heartbeat.build();
        if let Some(session) = &self.session {
            message = message.with(&header::SESSION_ID, Header::text(session.as_str()));
        }
        if let Some(sequence) = &mut self.sequence {
            *sequence += 1;
            message = message.with(&header::SEQUENCE, Header::Unsigned(*sequence));
        }
        if let Some((source, quality)) = self.clock {
            message = message
                .with(&header::CLOCK_SOURCE, Header::Word(source.as_str()))
                .with(&header::CLOCK_QUALITY, Header::Word(quality.as_str()));
        }
        message
    }

    fn beat_as(&mut self, status: Health) -> Message {
        self.heartbeat.status = status;
        self.beat()
    }

    fn online(&self, restarted: bool) -> Event {
        Event::UnitOnline { unit: self.heartbeat.unit.clone(), session: self.session.clone(), restarted }
    }

    fn offline(&self, reason: &'static str) -> Event {
        Event::UnitOffline { unit: self.heartbeat.unit.clone(), reason: reason.into() }
    }

    fn health(&self, from: Health, to: Health, reason: &'static str) -> Event {
        Event::UnitHealth { unit: self.heartbeat.unit.clone(), from, to, reason: reason.into() }
    }
}

fn monitor() -> Harness {
    Harness::new::<Monitor>(json!({}))
}

/// A monitor, and a unit that it has just seen come online.
fn watched() -> (Harness, Sender) {
    let (mut monitor, mut alpha) = (monitor(), Sender::new("alpha"));
    monitor.send(alpha.beat());
    assert_eq!(monitor.events(), [alpha.online(false)]);
    (monitor, alpha)
}

fn bus(monitor: &mut Harness, event: BusEvent) {
    monitor.input(Input::Bus(&event));
}

/// Nothing happens within `silence`, and `event` at its end, to the nanosecond.
fn expect_after(monitor: &mut Harness, silence: Duration, event: Event) {
    monitor.advance(silence - NANO);
    assert_eq!(monitor.events(), []);
    monitor.advance(NANO);
    assert_eq!(monitor.events(), [event]);
}

fn expect_malformed(monitor: &mut Harness) -> String {
    let event = monitor.expect_event();
    let Event::Malformed { reason, .. } = event else { panic!("expected a malformed message, not: {event}") };
    reason
}

#[test]
fn it_reads_every_heartbeat_and_prefers_the_newest() {
    let monitor = Monitor::new(MonitorConfig::default(), &birth("monitor", Now::default())).expect("legal");
    let contract = Actor::contract(&monitor);
    let pattern = |text: &'static str| Pattern::parse(text).expect("legal");
    let questions = Subscription { pattern: pattern("ops.status.units"), queue: Some("monitor".to_owned()) };
    assert_eq!(contract.reads, [Subscription::from(pattern("ops.heartbeat.*")), questions]);
    assert_eq!((contract.publishes, contract.ports), (vec![], vec![]));
    assert_eq!(contract.mailbox.overflow, Overflow::DropOldest);
}

#[test]
fn the_number_of_units_is_bounded_and_an_error_says_how() {
    let catalog = Catalog::new().with::<Monitor>();
    let check = |config: Value| (catalog.get("monitor").expect("it is in there").check)(&config);
    let error = check(json!({ "units_max": 0 })).expect_err("none to monitor").to_string();
    assert_eq!(error, "units_max: lower than 1");
    assert!(check(json!({ "units_max": 1_000_001 })).is_err());
    assert_eq!(check(json!({ "units_max": 1_000_000 })), Ok(()));
}

#[test]
fn units_beyond_the_bound_are_not_tracked_which_is_told_once_a_minute() {
    let mut monitor = Harness::new::<Monitor>(json!({ "units_max": 1 }));
    let (mut alpha, mut beta) = (Sender::new("alpha"), Sender::new("beta"));
    monitor.send(alpha.beat());
    monitor.send(beta.beat());
    monitor.send(beta.beat());
    monitor.send(alpha.beat_as(Health::Degraded));
    let told = monitor.events();
    assert_eq!(told[0], alpha.online(false));
    assert_eq!(told[1], Event::UnitsFull { units_max: 1 });
    assert_eq!(told[2..], [alpha.health(Health::Ok, Health::Degraded, "as the unit reports")]);
    let mut again = Vec::new();
    for _ in 0..24 {
        monitor.advance(Duration::from_secs(5));
        monitor.send(alpha.beat());
        monitor.send(beta.beat());
        again.extend(monitor.events());
    }
    assert_eq!(again, vec![Event::UnitsFull { units_max: 1 }; 2]);
}

#[test]
fn a_malformed_header_is_counted_and_the_rest_still_read() {
    let mut monitor = monitor();
    let block =
        "X-Session-ID: a b\r\nX-Heartbeat-Interval: soon\r\nX-Clock-Quality: superb\r\nX-Health-Status: DEGRADED\r\n";
    let mut message = Message::new(Subject::parse("ops.heartbeat.alpha").expect("legal"));
    message.headers = Headers::from_raw(block.into());
    monitor.send(message);
    let mut reasons: Vec<_> = (0..3).map(|_| expect_malformed(&mut monitor)).collect();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "header X-Clock-Quality: `superb` is not one of locked, tracking, acquiring, freerun",
            "header X-Heartbeat-Interval: `soon` is not whole milliseconds",
            "header X-Session-ID: `a b` is not a session ID",
        ]
    );
    let alpha = Sender { session: None, ..Sender::new("alpha") };
    assert_eq!(
        monitor.events(),
        [alpha.online(false), alpha.health(Health::Ok, Health::Degraded, "as the unit reports")]
    );
    expect_after(&mut monitor, WINDOW, alpha.offline("no heartbeat for 12.5s"));
}

#[test]
fn a_unit_that_is_no_unit_is_counted_and_not_tracked() {
    for token in ["units", "a b", "é", &"x".repeat(65)] {
        let mut monitor = monitor();
        let subject = Subject::from_wire(format!("ops.heartbeat.{token}").into()).expect("UTF-8");
        monitor.send(Message::new(subject));
        assert!(expect_malformed(&mut monitor).contains("ops.heartbeat."));
        monitor.expect_silence();
        assert_eq!(monitor.deadline(), None);
    }
}

proptest! {
    /// No bytes crash it, and what says nothing readable at all is still a sign of life.
    #[test]
    fn garbage_is_counted_and_never_a_crash(
        token in "\\PC{0,12}",
        names in prop::collection::vec("(X-Session-ID|X-Sequence|X-Heartbeat-Interval|X-RTT-App|X-Health-Status)", 0..6),
        values in prop::collection::vec("[0-9]{1,25}|-1|OFFLINE|\\PC{0,20}", 6),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut monitor = monitor();
        let mut block = noise.clone();
        for (name, value) in names.iter().zip(&values) {
            block.extend_from_slice(format!("\r\n{name}: {value}\r\n").as_bytes());
        }
        let subject = Subject::from_wire(format!("ops.heartbeat.{token}").into()).expect("UTF-8");
        let mut message = Message::new(subject.clone()).body(noise);
        message.headers = Headers::from_raw(block.into());
        monitor.send(message.clone());
        let events = monitor.events();
        match Heartbeat::parse(&message) {
            Err(_) => {
                let counted = matches!(&events[..], [Event::Malformed { .. }]);
                prop_assert!(counted, "{:?}", events);
            }
            Ok(received) => {
                let count = |name| events.iter().filter(|event| event.name() == name).count();
                prop_assert!(count("malformed") >= received.problems.len());
                prop_assert_eq!(count("unit_online"), usize::from(received.heartbeat.status != Health::Offline));
            }
        }
        monitor.advance(Duration::from_secs(150));
        prop_assert!(monitor.deadline().is_none_or(|deadline| deadline.why == "unit forgotten"));
    }
}
