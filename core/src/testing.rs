//! Drives one actor in a unit test, in virtual time, without any host.
//!
//! ```
//! # use nunect_core::{*, testing::Harness};
//! # #[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate, Default)]
//! # struct None {}
//! # struct Parrot;
//! # impl Actor for Parrot {
//! #     const KIND: &'static str = "parrot";
//! #     type Config = None;
//! #     fn new(_: None, _: &Birth) -> Result<Self, ConfigError> { Ok(Self) }
//! #     fn contract(&self) -> Contract { Contract::default() }
//! #     fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
//! #         if let Input::Message(m) = input { out.publish(m.clone()) }
//! #         Ok(())
//! #     }
//! # }
//! let mut parrot = Harness::new::<Parrot>(serde_json::json!({}));
//! parrot.send(Message::new(Subject::parse("a.b")?).body("hello"));
//! assert_eq!(parrot.expect_publish("a.b").payload(), "hello");
//! parrot.expect_silence();
//! # Ok::<(), subject::SubjectError>(())
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::actor::{
    Actor, Birth, BusEvent, DirectoryChange, Effect, HostReport, Input, NodeAnswer, NodeCommand, NodeRefusal,
    NodeReport, PortName, RequestError, RequestId, StopReason,
};
use crate::catalog::Entry;
use crate::cell::{Cell, Crash};
use crate::clock::ClockClaim;
use crate::event::Event;
use crate::identity::{ActorName, Incarnation, Role, SessionId, UnitId};
use crate::message::Message;
use crate::outbox::{HandOver, Outbox};
use crate::protocol::header::Health;
use crate::random::Entropy;
use crate::requests::{Requests, Slot};
use crate::subject::Pattern;
use crate::time::{Deadline, Mono, Now, Wall};

/// The unit that a [`Harness`] runs its actor on.
pub const UNIT: &str = "unit-under-test";

/// The wall clock when a [`Harness`] starts: 2024-02-13 00:00:00 UTC.
pub const WALL_START: Wall = Wall::from_unix_nanos(1_707_782_400_000_000_000);

/// One actor, its virtual clock, and what it did so far.
///
/// Its methods panic when an expectation is not met: it is made for tests.
#[derive(Debug)]
pub struct Harness {
    cell: Cell,
    outbox: Outbox,
    requests: Requests,
    now: Now,
    published: VecDeque<Message>,
    requested: VecDeque<(RequestId, Message)>,
    events: VecDeque<Event>,
    stopped: Option<String>,
    directory: Vec<DirectoryChange>,
    commands: VecDeque<(RequestId, NodeCommand)>,
    claim: Option<(ClockClaim, bool)>,
    ports: VecDeque<(PortName, Bytes)>,
}

/// A birth certificate for actors that a test builds itself.
#[must_use]
pub fn birth(actor: &str, now: Now) -> Birth {
    Birth {
        unit: UnitId::new(UNIT).expect("the harness's unit ID is legal"),
        role: Role::Node,
        session: SessionId::from_random(1),
        actor: ActorName::new(actor).expect("an actor's name is one subject token"),
        incarnation: Incarnation(1),
        unit_started: now,
        entropy: Entropy::from(1),
    }
}

impl Harness {
    /// Starts an actor with this configuration; its bus is connected and its node healthy.
    ///
    /// # Panics
    /// When the configuration is refused, or the actor crashes on its first inputs.
    #[must_use]
    pub fn new<A: Actor>(config: Value) -> Self {
        let now = Now { mono: Mono::from_nanos(1_000_000_000), wall: WALL_START };
        let mut harness = Self::unstarted::<A>(config, now, birth(A::KIND, now));
        harness.input(Input::Started);
        harness.input(Input::Node(&NodeReport::Health(Health::Ok)));
        harness.input(Input::Bus(&BusEvent::Connected));
        harness
    }

    /// An actor at the instant `now` of a life that begins as `birth` says, before any input.
    ///
    /// # Panics
    /// When the configuration is refused.
    #[must_use]
    pub fn unstarted<A: Actor>(config: Value, now: Now, birth: Birth) -> Self {
        let cell = match Cell::new(&Entry::of::<A>(), &config, &birth) {
            Ok(cell) => cell,
            Err(error) => panic!("{} does not start: {error}", A::KIND),
        };
        let requests = Requests::new(birth.unit.clone(), birth.session.clone());
        let mut outbox = Outbox::new(birth.unit, birth.session);
        drop(outbox.connected(now));
        Self {
            cell,
            outbox,
            requests,
            now,
            published: VecDeque::new(),
            requested: VecDeque::new(),
            events: VecDeque::new(),
            stopped: None,
            directory: Vec::new(),
            commands: VecDeque::new(),
            claim: None,
            ports: VecDeque::new(),
        }
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Now {
        self.now
    }

    /// Gives the actor any input.
    ///
    /// # Panics
    /// When it crashes.
    pub fn input(&mut self, input: Input<'_>) {
        if let Err(crash) = self.try_input(input) {
            panic!("crashed: {crash}");
        }
    }

    /// Gives the actor any input.
    ///
    /// # Errors
    /// When it crashes.
    pub fn try_input(&mut self, input: Input<'_>) -> Result<(), Crash> {
        let effects: Vec<_> = self.cell.handle(self.now, input)?.drain().collect();
        self.carry_out(effects);
        Ok(())
    }

    /// Delivers a message, received now.
    ///
    /// # Panics
    /// When the actor crashes on it.
    pub fn send(&mut self, mut message: Message) {
        message.received = self.now;
        self.input(Input::Message(&message));
    }

    /// Delivers what the host's sensor measured.
    pub fn host(&mut self, report: HostReport) {
        self.input(Input::Host(report));
    }

    /// Answers a request, now.
    pub fn answer(&mut self, id: RequestId, sent: Now, mut result: Result<Message, RequestError>) {
        if let Ok(message) = &mut result {
            message.received = self.now;
        }
        self.input(Input::Reply { id, sent, result: result.as_ref().map_err(|error| *error) });
    }

    /// Ends the life.
    pub fn stop(&mut self, reason: StopReason) {
        self.input(Input::Stopping(reason));
    }

    /// Lets time pass, waking the actor at each of its deadlines.
    ///
    /// # Panics
    /// When it crashes, or does not move its deadline.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now.mono + duration;
        loop {
            let due = self.cell.deadline().filter(|due| due.at <= end);
            self.set(due.map_or(end, |due| due.at.max(self.now.mono)));
            if due.is_none() {
                return;
            }
            let effects: Vec<_> = match self.cell.wake(self.now) {
                Ok(effects) => effects.into_iter().flatten().collect(),
                Err(crash) => panic!("crashed: {crash}"),
            };
            self.carry_out(effects);
        }
    }

    /// Lets time pass without waking the actor: its host stood still. What is due is delivered by
    /// the next [`advance`](Self::advance).
    pub fn stand_still(&mut self, duration: Duration) {
        self.set(self.now.mono + duration);
    }

    /// When the actor next wants to be woken.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.cell.deadline()
    }

    /// Takes the oldest message that it published and nobody took yet.
    ///
    /// # Panics
    /// When there is none, or it is not on a subject that matches `pattern`.
    pub fn expect_publish(&mut self, pattern: &str) -> Message {
        let message = self.published.pop_front().expect("the actor published nothing");
        let expected = Pattern::parse(pattern.to_owned()).expect("the expected pattern is legal");
        assert!(expected.matches(&message.subject), "published on {}, expected {pattern}", message.subject);
        message
    }

    /// Takes all messages that it published and nobody took yet.
    pub fn published(&mut self) -> Vec<Message> {
        self.published.drain(..).collect()
    }

    /// Takes the oldest request that it sent and nobody took yet.
    ///
    /// # Panics
    /// When there is none.
    pub fn expect_request(&mut self) -> (RequestId, Message) {
        self.requested.pop_front().expect("the actor requested nothing")
    }

    /// Takes all requests that it sent and nobody took yet.
    pub fn requested(&mut self) -> Vec<(RequestId, Message)> {
        self.requested.drain(..).collect()
    }

    /// Takes all commands to its node that nobody took yet.
    pub fn commanded(&mut self) -> Vec<(RequestId, NodeCommand)> {
        self.commands.drain(..).collect()
    }

    /// Takes the oldest event that nobody took yet.
    ///
    /// # Panics
    /// When there is none.
    pub fn expect_event(&mut self) -> Event {
        self.events.pop_front().expect("the actor emitted nothing")
    }

    /// Takes all events that nobody took yet.
    pub fn events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// Takes the oldest command to its node that nobody took yet.
    ///
    /// # Panics
    /// When there is none.
    pub fn expect_command(&mut self) -> (RequestId, NodeCommand) {
        self.commands.pop_front().expect("the actor commanded nothing")
    }

    /// What it said last about the clock of its node, and whether that stands against the node.
    #[must_use]
    pub const fn claim(&self) -> Option<(ClockClaim, bool)> {
        self.claim
    }

    /// Takes what it gave to the task behind `port`, the oldest first.
    ///
    /// # Panics
    /// When there is nothing, or it is for another port.
    pub fn expect_port(&mut self, port: PortName) -> Bytes {
        let (given, bytes) = self.ports.pop_front().expect("the actor gave nothing to a port");
        assert_eq!(given, port, "given to another port");
        bytes
    }

    /// Takes the changes it made to the directory of units.
    pub fn directory(&mut self) -> Vec<DirectoryChange> {
        std::mem::take(&mut self.directory)
    }

    /// Answers a command, as the node would.
    pub fn node_answers(&mut self, id: RequestId, result: Result<NodeAnswer, NodeRefusal>) {
        self.input(Input::Node(&NodeReport::Done { id, result }));
    }

    /// Nothing is left that it published, requested or emitted.
    ///
    /// # Panics
    /// When something is.
    pub fn expect_silence(&self) {
        assert!(self.published.is_empty(), "also published {:?}", self.published);
        assert!(self.requested.is_empty(), "also requested {:?}", self.requested);
        assert!(self.events.is_empty(), "also emitted {:?}", self.events);
        assert!(self.commands.is_empty(), "also commanded {:?}", self.commands);
        assert!(self.ports.is_empty(), "also gave {:?} to ports", self.ports);
    }

    /// Why it asked to end, if it did.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    fn set(&mut self, mono: Mono) {
        let passed = mono.since(self.now.mono);
        self.now = Now { mono, wall: self.now.wall + passed };
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let now = self.now;
        for effect in effects {
            match effect {
                Effect::Publish(message) => self.hand_over(|outbox| outbox.publish(now, message)),
                Effect::Respond(answer) => self.hand_over(|outbox| outbox.respond(now, answer)),
                Effect::Request(id, message, timeout) => {
                    match self.outbox.request(now, &mut self.requests, Slot(0), id, message, timeout) {
                        Ok(message) => self.requested.push_back((id, *message)),
                        Err(failed) => panic!("request refused: {}", failed.error),
                    }
                }
                Effect::Emit(event) => self.events.push_back(event),
                Effect::Directory(change) => self.directory.push(change),
                Effect::Node(_, NodeCommand::SetClock { claim, lost }) => {
                    self.outbox.set_clock(claim);
                    self.claim = Some((claim, lost));
                }
                Effect::Node(id, command) => self.commands.push_back((id, command)),
                Effect::Port(port, bytes) => self.ports.push_back((port, bytes)),
                Effect::Stop(reason) => self.stopped = Some(reason.into_owned()),
            }
        }
    }

    fn hand_over(&mut self, give: impl FnOnce(&mut Outbox) -> HandOver) {
        match give(&mut self.outbox) {
            HandOver::Send(message) => self.published.push_back(*message),
            HandOver::Kept => {}
            HandOver::Refused(refusal) => panic!("{} refused: {refusal}", refusal.subject),
        }
    }
}

#[cfg(test)]
mod tests;
