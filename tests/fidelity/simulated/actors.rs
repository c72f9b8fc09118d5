//! What the clients of the real side do, as actors.

use garde::Validate;
use nunect::{
    Actor, Birth, ConfigError, Contract, Deadline, Effects, Fault, Input, Message, Mono, Now, Pattern, Period, Subject,
    Subscription,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where a [`Flow`] tells what it sent and heard.
pub(super) const RECORD: &str = "record";

/// What the simulator counts for a message's protocol line, and for the stamp that each message of an actor has, beside
/// the texts in them.
const MESSAGE_BYTES: usize = 18;
const STAMP_BYTES: usize = 152;
/// The digits of a message's number.
const NUMBER: usize = 8;

/// Numbered messages at a fixed distance, and an ear for others: `echo.py ask` and `flow.py`.
pub(super) struct Flow {
    config: FlowConfig,
    payload: usize,
    due: Option<Mono>,
    sent: u64,
}

/// Of a [`Flow`].
#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct FlowConfig {
    /// The subject of what it sends.
    sends: String,
    /// The subject of what it hears.
    hears: String,
    /// From one message to the next.
    every: Period,
    /// From its start to the first message.
    from: Period,
    /// How many it sends.
    messages: u64,
    /// How many bytes one takes in the TCP connection.
    bytes: usize,
}

/// Sends back what it hears: `echo.py answer`.
pub(super) struct Answerer {
    config: AnswererConfig,
    payload: usize,
}

/// Of an [`Answerer`].
#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct AnswererConfig {
    /// The subject of what it hears.
    hears: String,
    /// The subject of what it answers.
    sends: String,
    /// How many bytes an answer takes in the TCP connection.
    bytes: usize,
}

/// The payload with which a message takes so many bytes; the number in it at least.
fn payload(bytes: usize, subjects: usize, birth: &Birth) -> usize {
    let names = birth.unit.as_str().len() + birth.session.as_str().len();
    bytes.saturating_sub(MESSAGE_BYTES + STAMP_BYTES + subjects + names).max(NUMBER)
}

fn subject(text: &str) -> Subject {
    Subject::parse(text.to_owned()).expect("a legal subject")
}

fn contract(hears: &str, sends: &str) -> Contract {
    let pattern = |text: &str| Pattern::parse(text.to_owned()).expect("a legal subject");
    Contract {
        reads: vec![Subscription::from(pattern(hears))],
        publishes: vec![pattern(sends)],
        ports: vec![RECORD],
        ..Contract::default()
    }
}

fn numbered(number: &str, bytes: usize) -> String {
    format!("{number:.<bytes$}")
}

impl Actor for Flow {
    const KIND: &'static str = "flow";
    type Config = FlowConfig;

    fn new(config: FlowConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let payload = payload(config.bytes, config.sends.len(), birth);
        Ok(Self { config, payload, due: None, sent: 0 })
    }

    fn contract(&self) -> Contract {
        contract(&self.config.hears, &self.config.sends)
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Started => self.due = Some(now.mono + self.config.from.0),
            Input::Message(message) => {
                let heard = message.payload();
                out.port(RECORD, [b"heard ", &heard[..NUMBER]].concat());
            }
            Input::Timeout(_) => {
                let number = format!("{:0NUMBER$}", self.sent);
                out.port(RECORD, format!("sent {number}"));
                out.publish(Message::new(subject(&self.config.sends)).body(numbered(&number, self.payload)));
                self.sent += 1;
                self.due = self.due.map(|due| due + self.config.every.0).filter(|_| self.sent < self.config.messages);
            }
            Input::Reply { .. }
            | Input::Stopping(_)
            | Input::Host(_)
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
        self.due.map(|due| Deadline::new(due, "next"))
    }
}

impl Actor for Answerer {
    const KIND: &'static str = "answerer";
    type Config = AnswererConfig;

    fn new(config: AnswererConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let payload = payload(config.bytes, config.sends.len(), birth);
        Ok(Self { config, payload })
    }

    fn contract(&self) -> Contract {
        contract(&self.config.hears, &self.config.sends)
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        if let Input::Message(message) = input {
            let heard = message.payload();
            let number = std::str::from_utf8(&heard[..NUMBER]).expect("digits");
            out.publish(Message::new(subject(&self.config.sends)).body(numbered(number, self.payload)));
        }
        Ok(())
    }
}
