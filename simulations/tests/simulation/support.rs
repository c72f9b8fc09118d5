//! What several tests need: an actor that does as it is told, and short ways to say things.

use std::time::Duration;

use garde::Validate;
use nunect_core::{
    Actor, ActorSpec, Birth, Catalog, ConfigError, Contract, Deadline, Effects, Event, Fault, Input, MailboxLimits,
    Message, Mono, Now, Overflow, Pattern, Subject, Subscription, UnitId,
};
use nunect_simulations::{Delay, FlatConfig, NodeSpec, Simulation};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Does what the messages it reads say, and emits a custom event for all else that it is given.
pub(crate) struct Puppet {
    config: PuppetConfig,
    due: Option<Mono>,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct PuppetConfig {
    /// What it subscribes to.
    #[serde(default)]
    reads: Vec<String>,
    #[serde(default)]
    queue: Option<String>,
    /// Messages that may wait, new ones being refused beyond.
    #[serde(default)]
    capacity: Option<usize>,
    /// Subjects that it publishes to at this period.
    #[serde(default)]
    beat: Option<(String, u64)>,
    /// Where it sends a request as soon as it starts.
    #[serde(default)]
    asks: Option<String>,
    /// Panics as soon as it starts.
    #[serde(default)]
    stillborn: bool,
    /// Panics before that.
    #[serde(default)]
    unborn: bool,
}

impl Actor for Puppet {
    const KIND: &'static str = "puppet";
    type Config = PuppetConfig;

    fn new(config: PuppetConfig, _: &Birth) -> Result<Self, ConfigError> {
        assert!(!config.unborn, "unborn");
        Ok(Self { config, due: None })
    }

    fn contract(&self) -> Contract {
        let subscribe = |pattern: &String| Subscription {
            pattern: Pattern::parse(pattern.clone()).expect("legal"),
            queue: self.config.queue.clone(),
        };
        let limits = MailboxLimits::default();
        let mailbox = self.config.capacity.map_or(limits, |capacity| MailboxLimits {
            capacity,
            overflow: Overflow::DropNewest,
            ..limits
        });
        Contract { reads: self.config.reads.iter().map(subscribe).collect(), mailbox, ..Contract::default() }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Started => {
                assert!(!self.config.stillborn, "stillborn");
                self.due = self.config.beat.as_ref().map(|_| now.mono);
                if let Some(subject) = &self.config.asks {
                    out.request(question(subject), secs(2));
                }
            }
            Input::Message(message) => {
                let body = String::from_utf8(message.payload().to_vec()).expect("text");
                match body.split_once(' ').unwrap_or((&body, "")) {
                    ("panic", _) => panic!("as told"),
                    ("fault", _) => return Err(Fault::new("as told")),
                    ("stop", _) => out.stop("as told"),
                    ("ask", subject) => {
                        out.request(question(subject), secs(2));
                    }
                    ("stuck", _) => self.due = Some(Mono::ZERO),
                    (_, _) => {
                        if let Some(reply) = &message.reply {
                            out.respond(Message::new(reply.clone()).body("answer"));
                        }
                        out.emit(told("took", &body));
                    }
                }
            }
            Input::Reply { result, .. } => out.emit(match result {
                Ok(answer) => match answer.headers.get("X-Response-Code") {
                    Some(code) => told("code", &code),
                    None => told("answer", &String::from_utf8_lossy(&answer.payload())),
                },
                Err(error) => told("failed", &error.to_string()),
            }),
            Input::Timeout(_) => {
                if let Some((subject, millis)) = &self.config.beat {
                    out.publish(Message::new(Subject::parse(subject.clone()).expect("legal")).body("beat"));
                    self.due = self.due.map(|due| due + Duration::from_millis(*millis));
                }
            }
            Input::Stopping(reason) => out.emit(told("stopping", &format!("{reason:?}"))),
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
        self.due.map(|due| Deadline::new(due, "beat"))
    }
}

fn question(subject: &str) -> Message {
    Message::new(Subject::parse(subject.to_owned()).expect("legal")).body("question")
}

/// An event of a [`Puppet`].
pub(crate) fn told(kind: &'static str, what: &str) -> Event {
    Event::Custom { kind: kind.into(), fields: [("what".to_owned(), what.to_owned())].into() }
}

pub(crate) fn catalog() -> Catalog {
    nunect_actors::catalog().with::<Puppet>()
}

pub(crate) fn unit(name: &str) -> UnitId {
    name.parse().expect("a legal unit ID")
}

pub(crate) fn actor(name: &str, options: &Value) -> ActorSpec {
    ActorSpec::parse(name, options).expect("legal options").expect("an enabled actor")
}

/// A puppet that reads one pattern.
pub(crate) fn puppet(pattern: &str) -> ActorSpec {
    actor("puppet", &json!({ "reads": [pattern] }))
}

pub(crate) fn node(name: &str, actors: impl IntoIterator<Item = ActorSpec>) -> NodeSpec {
    NodeSpec::new(unit(name), actors.into_iter().collect::<Vec<_>>())
}

/// A world in which everything takes 2 ms, and whose events are kept.
pub(crate) fn world(seed: u64) -> Simulation {
    world_with(Delay::Fixed(nunect_core::Period::from_millis(2)), seed)
}

pub(crate) fn world_with(delay: Delay, seed: u64) -> Simulation {
    let mut simulation = Simulation::empty(FlatConfig { delay, ..FlatConfig::default() }, catalog(), seed);
    simulation.keep_events();
    simulation
}

pub(crate) fn send(simulation: &mut Simulation, subject: &str, body: &str) {
    let subject = Subject::parse(subject.to_owned()).expect("a legal subject");
    simulation.publish(Message::new(subject).body(body.to_owned()));
}

/// The events of an actor of a node, in words.
pub(crate) fn words(simulation: &Simulation, name: &str, actor: Option<&str>) -> Vec<String> {
    simulation.events(&unit(name), actor).map(|(_, event)| event.to_string()).collect()
}

/// When an event of this name first happened to an actor of a node.
pub(crate) fn first(simulation: &Simulation, name: &str, actor: Option<&str>, event: &str) -> Option<Duration> {
    simulation.events(&unit(name), actor).find(|(_, seen)| seen.name() == event).map(|(at, _)| at)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
