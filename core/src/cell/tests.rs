use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::actor::{Actor, Effect, Fault};
use crate::arbitrary::{at_millis, subject_of};
use crate::event::Event;
use crate::message::Message;
use crate::testing::birth;
use crate::time::Mono;

#[derive(Default, Deserialize, JsonSchema, garde::Validate)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Where it panics of itself.
    #[garde(skip)]
    panics: String,
    /// The first deadline.
    #[garde(skip)]
    wakes_at_ms: Option<u64>,
    /// How far each timeout moves the deadline; not at all without it.
    #[garde(skip)]
    moves_by_ms: Option<u64>,
}

/// An actor that does what the subject of a message says.
struct Puppet {
    options: Options,
    deadline: Option<Mono>,
    inputs: u64,
}

impl Actor for Puppet {
    const KIND: &'static str = "puppet";
    type Config = Options;

    fn new(options: Options, _: &Birth) -> Result<Self, ConfigError> {
        assert!(options.panics != "new", "stillborn");
        if options.panics == "never, but is impossible" {
            return Err(ConfigError::new("panics", "is impossible"));
        }
        let deadline = options.wakes_at_ms.map(|millis| at_millis(millis).mono);
        Ok(Self { options, deadline, inputs: 0 })
    }

    fn contract(&self) -> Contract {
        assert!(self.options.panics != "contract", "no contract");
        Contract::default()
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        self.inputs += 1;
        out.emit(Event::Custom {
            kind: input.name().into(),
            fields: [("input".into(), self.inputs.to_string())].into(),
        });
        if let Input::Timeout(why) = input {
            out.stop(why);
            self.deadline =
                self.options.moves_by_ms.map_or(self.deadline, |by| Some(now.mono + Duration::from_millis(by)));
        }
        let Input::Message(message) = input else { return Ok(()) };
        match message.subject.as_str() {
            "fault" => return Err(Fault::new("out of cheese")),
            "panic" => panic!("{} seconds late", 5),
            "sleep" => self.deadline = None,
            "break the deadline" => self.options.panics = "deadline".to_owned(),
            _ => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        assert!(self.options.panics != "deadline", "no idea");
        self.deadline.map(|at| Deadline::new(at, "puppet due"))
    }
}

fn born(options: &serde_json::Value) -> Result<Cell, BirthError> {
    Cell::new(&Entry::of::<Puppet>(), options, &birth("puppet", at_millis(0)))
}

fn cell(options: &serde_json::Value) -> Cell {
    born(options).expect("it lives")
}

fn message(order: &str) -> Message {
    let wire = bytes::Bytes::from(order.to_owned());
    Message { subject: crate::subject::Subject::from_wire(wire).expect("UTF-8"), ..Message::new(subject_of("a")) }
}

fn order(cell: &mut Cell, order: &str) -> Result<Vec<Effect>, Crash> {
    cell.handle(at_millis(0), Input::Message(&message(order))).map(|effects| effects.drain().collect())
}

/// Kinds and details of the events among `effects`.
fn words(effects: impl IntoIterator<Item = Effect>) -> Vec<String> {
    effects
        .into_iter()
        .map(|effect| match effect {
            Effect::Emit(event) => event.to_string(),
            Effect::Stop(reason) => format!("stop: {reason}"),
            Effect::Publish(_)
            | Effect::Request(..)
            | Effect::Respond(_)
            | Effect::Directory(_)
            | Effect::Node(..)
            | Effect::Port(..) => panic!("{effect:?}"),
        })
        .collect()
}

/// Wakes it and says what that led to; `None` when nothing was due.
fn wake(cell: &mut Cell, millis: u64) -> Option<Vec<String>> {
    cell.wake(at_millis(millis)).expect("no crash").map(words)
}

#[test]
fn effects_come_in_order_and_once() {
    let mut cell = cell(&json!({}));
    let effects = cell.handle(at_millis(0), Input::Started).expect("no crash");
    assert_eq!(words(effects), ["started input=1"]);
    assert_eq!(words(order(&mut cell, "a").expect("no crash")), ["message input=2"]);
}

#[test]
fn a_fault_is_a_crash_in_its_own_words() {
    let crash = order(&mut cell(&json!({})), "fault").expect_err("a crash");
    assert_eq!(crash, Crash { reason: "out of cheese".to_owned(), input: "message" });
    assert_eq!(crash.to_string(), "out of cheese (on message)");
}

#[test]
fn a_panic_is_a_crash_that_names_its_place() {
    let crash = order(&mut cell(&json!({})), "panic").expect_err("a crash");
    let (place, what) = crash.reason.rsplit_once(": ").expect("a place and a message");
    assert_eq!((what, crash.input), ("5 seconds late", "message"));
    let (file, line) = place.strip_prefix("panic at ").and_then(|place| place.rsplit_once(':')).expect("a place");
    assert!(file.ends_with("core/src/cell/tests.rs") && line.parse::<u32>().is_ok(), "{place}");
}

#[test]
fn the_effects_of_a_handle_that_crashed_are_discarded() {
    let mut cell = cell(&json!({}));
    for crash in ["fault", "panic"] {
        assert!(order(&mut cell, crash).is_err());
    }
    assert_eq!(words(order(&mut cell, "a").expect("no crash")), ["message input=3"]);
}

#[test]
fn effects_that_the_host_did_not_take_are_not_carried_over() {
    let mut cell = cell(&json!({}));
    cell.handle(at_millis(0), Input::Started).expect("no crash");
    assert_eq!(words(order(&mut cell, "a").expect("no crash")), ["message input=2"]);
}

#[test]
fn a_timeout_is_delivered_once_per_due_deadline_with_its_reason() {
    let mut cell = cell(&json!({ "wakes_at_ms": 100, "moves_by_ms": 50 }));
    assert_eq!(cell.deadline(), Some(Deadline::new(at_millis(100).mono, "puppet due")));
    assert_eq!(wake(&mut cell, 99), None);
    assert_eq!(wake(&mut cell, 100), Some(vec!["timeout input=1".to_owned(), "stop: puppet due".to_owned()]));
    assert_eq!(wake(&mut cell, 100), None);
    assert_eq!(wake(&mut cell, 149), None);
    assert_eq!(wake(&mut cell, 900).map(|words| words.len()), Some(2), "late, and once");
    assert_eq!(wake(&mut cell, 949), None);
}

#[test]
fn a_deadline_that_its_timeout_does_not_move_is_a_crash_that_names_why_and_does_nothing() {
    let mut cell = cell(&json!({ "wakes_at_ms": 100 }));
    let crash = cell.wake(at_millis(100)).map(drop).expect_err("it would be woken for ever");
    assert_eq!(crash.to_string(), "deadline `puppet due` is still in the past after its timeout (on timeout)");
    assert_eq!(words(order(&mut cell, "a").expect("no crash")), ["message input=2"], "its effects are gone");
    let mut stuck = self::cell(&json!({ "wakes_at_ms": 100, "moves_by_ms": 0 }));
    assert!(stuck.wake(at_millis(100)).is_err(), "now is still due");
}

#[test]
fn any_input_may_move_the_deadline() {
    let mut cell = cell(&json!({ "wakes_at_ms": 100 }));
    assert!(order(&mut cell, "sleep").is_ok());
    assert_eq!(cell.deadline(), None);
    assert_eq!(wake(&mut cell, 100), None);
}

#[test]
fn a_deadline_that_panics_is_a_crash_on_the_input_before() {
    let crash = order(&mut cell(&json!({})), "break the deadline").expect_err("a crash");
    assert!(crash.reason.ends_with(": no idea") && crash.input == "message", "{crash}");
}

#[test]
fn a_life_may_end_before_it_begins() {
    for (options, expected) in [
        (json!({ "panics": "never, but is impossible" }), "panics: is impossible"),
        (json!({ "panics": 5 }), "panics: invalid type: integer `5`, expected a string"),
    ] {
        let error = born(&options).map(drop).expect_err("impossible");
        assert!(matches!(error, BirthError::Config(_)));
        assert_eq!(error.to_string(), expected);
    }
    for (options, expected) in [(json!({ "panics": "new" }), "stillborn"), (json!({ "panics": "deadline" }), "no idea")]
    {
        let error = born(&options).map(drop).expect_err("a panic");
        assert!(matches!(&error, BirthError::Panic(words) if words.starts_with("panic at ")), "{error}");
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn a_contract_that_panics_is_an_error() {
    let error = cell(&json!({ "panics": "contract" })).contract().expect_err("a panic");
    assert!(error.to_string().ends_with(": no contract"), "{error}");
    assert_eq!(cell(&json!({})).contract(), Ok(Contract::default()));
}

#[test]
fn requests_are_numbered_through_all_inputs_of_a_life() {
    let mut effects = Effects::new(Incarnation(3));
    let first = effects.request(message("a"), Duration::ZERO);
    assert_eq!(effects.drain().count(), 1);
    let second = effects.request(message("a"), Duration::ZERO);
    effects.clear();
    let third = effects.request(message("a"), Duration::ZERO);
    assert_eq!([first.number, second.number, third.number], [1, 2, 3]);
    assert!([first, second, third].iter().all(|id| id.incarnation == Incarnation(3)));
}
