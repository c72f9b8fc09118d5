use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::actor::{Contract, Effects, Fault};
use crate::arbitrary::subject_of;
use crate::config::ConfigError;
use crate::protocol::header;
use crate::time::Deadline;

#[derive(Deserialize, JsonSchema, garde::Validate)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Publishes every second, and does what the subject of a message says.
struct Clerk {
    next: Mono,
    period: Duration,
}

impl Actor for Clerk {
    const KIND: &'static str = "clerk";
    type Config = Nothing;

    fn new(_: Nothing, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { next: birth.unit_started.mono + Duration::from_secs(1), period: Duration::from_secs(1) })
    }

    fn contract(&self) -> Contract {
        Contract::default()
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Started => out.emit(Event::Custom { kind: "ready".into(), fields: [].into() }),
            Input::Timeout(_) => {
                out.publish(Message::new(subject_of("ops.tick")));
                self.next = now.mono + self.period;
            }
            Input::Message(message) => match message.subject.as_str() {
                "ask" => drop(out.request(Message::new(subject_of("ops.echo.bravo")), Duration::from_secs(2))),
                "answer" => out.respond(Message::new(message.reply.clone().expect("a request"))),
                "stop" => out.stop("done"),
                "stick" => self.period = Duration::ZERO,
                _ => return Err(Fault::new("no such order")),
            },
            Input::Reply { result, sent, .. } => {
                let age = now.mono.since(sent.mono);
                let words = result.map_or_else(|error| error.to_string(), |answer| answer.subject.to_string());
                let fields = [("age".to_owned(), format!("{age:?}")), ("is".to_owned(), words)];
                out.emit(Event::Custom { kind: "reply".into(), fields: fields.into() });
            }
            Input::Stopping(_) => out.publish(Message::new(subject_of("ops.bye"))),
            Input::Host(_)
            | Input::Bus(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        Some(Deadline::new(self.next, "tick due"))
    }
}

fn clerk() -> Harness {
    let mut clerk = Harness::new::<Clerk>(json!({}));
    assert_eq!(clerk.expect_event().name(), "ready");
    clerk
}

fn order(order: &str) -> Message {
    Message::new(subject_of(order))
}

#[test]
fn time_passes_from_deadline_to_deadline() {
    let mut clerk = clerk();
    let started = clerk.now();
    clerk.advance(Duration::from_millis(2_500));
    for millis in [1_000, 2_000] {
        let tick = clerk.expect_publish("ops.*");
        let at = started.wall + Duration::from_millis(millis);
        assert_eq!(header::TX_TIMESTAMP.read(&tick.headers), Ok(Some(at)));
        assert_eq!(header::SEQUENCE.read(&tick.headers), Ok(Some(millis / 1_000)));
    }
    clerk.expect_silence();
    assert_eq!(clerk.now().mono.since(started.mono), Duration::from_millis(2_500));
    assert_eq!(clerk.now().wall, started.wall + Duration::from_millis(2_500));
}

#[test]
fn a_deadline_at_the_very_end_of_the_time_is_due() {
    let mut clerk = clerk();
    clerk.advance(Duration::from_secs(1));
    clerk.expect_publish("ops.tick");
    clerk.expect_silence();
}

#[test]
fn a_host_that_stood_still_wakes_the_actor_late_and_once() {
    let mut clerk = clerk();
    clerk.stand_still(Duration::from_secs(10));
    clerk.expect_silence();
    clerk.advance(Duration::ZERO);
    clerk.expect_publish("ops.tick");
    clerk.expect_silence();
    assert_eq!(clerk.deadline().map(|due| due.at), Some(clerk.now().mono + Duration::from_secs(1)));
}

#[test]
fn requests_come_out_stamped_with_an_inbox_and_answers_go_in() {
    let mut clerk = clerk();
    clerk.send(order("ask"));
    let (id, request) = clerk.expect_request();
    let sent = clerk.now();
    assert!(request.reply.is_some() && request.headers.stamp().is_some());
    clerk.advance(Duration::from_millis(5));
    clerk.answer(id, sent, Ok(order("pong")));
    assert_eq!(clerk.expect_event().to_string(), "reply age=5ms is=pong");
    clerk.answer(id, sent, Err(RequestError::Timeout));
    assert_eq!(clerk.expect_event().to_string(), "reply age=5ms is=no answer in time");
}

#[test]
fn answers_and_the_last_words_are_published_too() {
    let mut clerk = clerk();
    clerk.send(Message { reply: Some(subject_of("_INBOX.a.1.1")), ..order("answer") });
    let answer = clerk.expect_publish("_INBOX.>");
    assert_eq!(header::SEQUENCE.read(&answer.headers), Ok(None));
    clerk.stop(StopReason::NodeShutdown);
    assert_eq!(clerk.published().len(), 1);
    assert_eq!(clerk.stopped(), None, "it did not ask to end");
    clerk.send(order("stop"));
    assert_eq!(clerk.stopped(), Some("done"));
}

#[test]
fn a_crash_can_be_looked_at() {
    let mut clerk = clerk();
    let crash = clerk.try_input(Input::Message(&order("dance"))).expect_err("a fault");
    assert_eq!(crash.reason, "no such order");
}

#[test]
#[should_panic(expected = "crashed: no such order (on message)")]
fn a_crash_that_nobody_looks_at_fails_the_test() {
    clerk().send(order("dance"));
}

#[test]
#[should_panic(expected = "deadline `tick due` is still in the past")]
fn an_actor_that_does_not_move_its_deadline_fails_the_test() {
    let mut clerk = clerk();
    clerk.send(order("stick"));
    clerk.advance(Duration::from_secs(2));
}

#[test]
#[should_panic(expected = "clerk does not start: color: unknown field `color`")]
fn an_actor_that_does_not_start_fails_the_test() {
    let _clerk = Harness::new::<Clerk>(json!({ "color": "red" }));
}

#[test]
#[should_panic(expected = "published on ops.tick, expected ops.tock")]
fn a_message_elsewhere_than_expected_fails_the_test() {
    let mut clerk = clerk();
    clerk.advance(Duration::from_secs(1));
    clerk.expect_publish("ops.tock");
}

#[test]
#[should_panic(expected = "also published")]
fn noise_where_silence_is_expected_fails_the_test() {
    let mut clerk = clerk();
    clerk.advance(Duration::from_secs(1));
    clerk.expect_silence();
}
