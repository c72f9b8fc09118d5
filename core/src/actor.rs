//! The contract between a component and whatever hosts it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use garde::Validate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::ClockReport;
use crate::config::ConfigError;
use crate::event::Event;
use crate::identity::{ActorName, Incarnation, Role, SessionId, UnitId};
use crate::log::LogRecord;
use crate::message::Message;
use crate::protocol::units::UnitStatus;
use crate::random::{ChaCha8Rng, Entropy};
use crate::subject::{Pattern, Subject};
use crate::time::{Deadline, Now};

mod node;

pub use node::{NodeAnswer, NodeCommand, NodeRefusal, NodeReport};

/// A component: state, and a pure function from (state, time, input) to effects.
///
/// The same value runs on a production node and, thousands of times in one process, in the
/// simulator. It never reads a clock, a file, the network or a random generator of its own.
pub trait Actor: Send + Sized + 'static {
    /// Its name in configuration, logs and metrics: one subject token.
    const KIND: &'static str;
    /// What may be configured. Give it `#[serde(deny_unknown_fields, default)]`.
    type Config: DeserializeOwned + JsonSchema + Validate<Context = ()>;

    /// Begins one life of the actor.
    ///
    /// # Errors
    /// When the configuration is legal by its schema and impossible all the same.
    fn new(config: Self::Config, birth: &Birth) -> Result<Self, ConfigError>;

    /// What it reads, publishes and wants to sense. Asked once a life; the answer may depend on
    /// configuration and birth, and on nothing that changes.
    fn contract(&self) -> Contract;

    /// Takes one input. Effects are carried out after it returned `Ok`, in order.
    ///
    /// # Errors
    /// A [`Fault`] is a crash: the effects are discarded and the supervisor decides. A malformed
    /// message is no fault: report it with [`Effects::malformed`] and go on.
    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault>;

    /// When it next wants an [`Input::Timeout`], and why.
    fn deadline(&self) -> Option<Deadline> {
        None
    }
}

/// The object-safe face of [`Actor`], implemented for every actor: what hosts run.
pub trait Hosted: Send {
    /// See [`Actor::contract`].
    fn contract(&self) -> Contract;
    /// See [`Actor::handle`].
    ///
    /// # Errors
    /// See [`Actor::handle`].
    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault>;
    /// See [`Actor::deadline`].
    fn deadline(&self) -> Option<Deadline>;
}

impl<A: Actor> Hosted for A {
    fn contract(&self) -> Contract {
        Actor::contract(self)
    }
    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        Actor::handle(self, now, input, out)
    }
    fn deadline(&self) -> Option<Deadline> {
        Actor::deadline(self)
    }
}

/// What an actor knows of the world it is born into.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Its node.
    pub unit: UnitId,
    /// What the node is for.
    pub role: Role,
    /// The run of the node.
    pub session: SessionId,
    /// Its own name in the configuration.
    pub actor: ActorName,
    /// Which of its lives this is.
    pub incarnation: Incarnation,
    /// When the node started: uptime survives the restart of an actor.
    pub unit_started: Now,
    /// Where its randomness comes from.
    pub entropy: Entropy,
}

impl Birth {
    /// A random stream for `purpose` that no other purpose, actor or life shares: a restart never
    /// repeats a nonce.
    #[must_use]
    pub fn random(&self, purpose: &str) -> ChaCha8Rng {
        self.entropy.stream(&format!("{}/{}", self.actor, purpose), u64::from(self.incarnation.0))
    }
}

/// What an actor reads, publishes and senses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contract {
    /// What its mailbox subscribes to.
    pub reads: Vec<Subscription>,
    /// What it publishes.
    pub publishes: Vec<Pattern>,
    /// What it wants to be told about its host and node.
    pub sensors: Vec<Sensor>,
    /// How much may wait for it.
    pub mailbox: MailboxLimits,
    /// The tasks beside it that do I/O of its own: what it says by [`Effect::Port`] goes there.
    pub ports: Vec<PortName>,
}

/// The name of a task that does I/O for an actor, as the host knows it: `log-file`.
pub type PortName = &'static str;

/// One subscription of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// On what.
    pub pattern: Pattern,
    /// With whom it shares the messages: each goes to one member of the group.
    pub queue: Option<String>,
}

impl From<Pattern> for Subscription {
    fn from(pattern: Pattern) -> Self {
        Self { pattern, queue: None }
    }
}

/// What an actor may sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensor {
    /// [`Input::Host`], at once after the start and then at this period.
    Host {
        /// The period.
        every: Duration,
    },
    /// [`Input::Bus`], the present state at once after the start and then every change.
    Bus,
    /// [`Input::Node`] with the node's health, the present state at once after the start and then
    /// every change.
    Node,
    /// [`Input::Link`], at this period while the bus is there.
    Link {
        /// The period.
        every: Duration,
    },
    /// [`Input::Clock`]: what each time daemon says of the host's clock, at this period; a daemon that still
    /// cannot be read, for the same reason, is not told again.
    Clock {
        /// The period.
        every: Duration,
    },
    /// [`Input::Node`] with what the node says about its clock, at once after the start and then whenever
    /// that is said anew.
    Claim,
    /// [`Input::Log`]: everything the node has to say from its present log level on, except what the
    /// actor itself gives rise to.
    Log,
}

/// How much may wait in a mailbox, and what gives way (protocol, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxLimits {
    /// Messages.
    pub capacity: usize,
    /// Bytes, by [`Message::weight`].
    pub capacity_bytes: usize,
    /// What happens beyond either.
    pub overflow: Overflow,
}

impl Default for MailboxLimits {
    fn default() -> Self {
        Self { capacity: 4_096, capacity_bytes: 16 << 20, overflow: Overflow::DropOldest }
    }
}

/// What gives way when a mailbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest message: for telemetry, where the newest is worth most.
    DropOldest,
    /// The new message; a request is answered 503 at once.
    DropNewest,
}

/// What an actor takes.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The first input of every life.
    Started,
    /// A message of its mailbox.
    Message(&'a Message),
    /// The outcome of a request of this life.
    Reply {
        /// Which request.
        id: RequestId,
        /// When it was handed to the bus (T1).
        sent: Now,
        /// The answer, or why there is none.
        result: Result<&'a Message, RequestError>,
    },
    /// A deadline has passed; its reason. Delivered before messages that wait.
    Timeout(&'static str),
    /// The host's processor and memory.
    Host(HostReport),
    /// The bus came or went, or had something to say.
    Bus(&'a BusEvent),
    /// The round trip to the server.
    Link(LinkReport),
    /// What a time daemon says.
    Clock(&'a ClockReport),
    /// The node as a whole, or its answer to a command of this life.
    Node(&'a NodeReport),
    /// Something to write down.
    Log(&'a LogRecord),
    /// The task behind a port has something to say.
    Port(PortName, &'a Bytes),
    /// The last input of this life.
    Stopping(StopReason),
}

impl Input<'_> {
    /// What it is, in one word, for crash reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Message(_) => "message",
            Self::Reply { .. } => "reply",
            Self::Timeout(_) => "timeout",
            Self::Host(_) => "host",
            Self::Bus(_) => "bus",
            Self::Link(_) => "link",
            Self::Clock(_) => "clock",
            Self::Node(_) => "node",
            Self::Log(_) => "log",
            Self::Port(..) => "port",
            Self::Stopping(_) => "stopping",
        }
    }
}

/// What the host's sensor measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostReport {
    /// Processor use over all cores since the sample before, 0 to 100; absent on the first sample.
    pub cpu_percent: Option<f32>,
    /// Memory in use, 0 to 100: what is not available, of what is there.
    pub memory_percent: Option<f32>,
}

/// What the link to the server is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkReport {
    /// The time to the server and back, through nobody's mailbox; absent when it could not be
    /// measured, never zero for that.
    pub round_trip: Option<Duration>,
}

/// What happened to the connection to the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BusEvent {
    /// Messages go out.
    Connected,
    /// They do not; mailboxes wait and the outbox keeps what its rules say.
    Disconnected,
    /// The server refuses what the node is not permitted to do.
    Denied {
        /// What it wanted to do.
        action: BusAction,
        /// With which subject or pattern.
        subject: String,
    },
    /// The node did not keep up with a subscription: messages were lost.
    SlowConsumer,
    /// The server refuses the node itself, or ended the connection: credentials, limits.
    Refused {
        /// Why, in the server's words.
        reason: String,
    },
    /// What the server denied before stands against the node no longer: it was done since without a
    /// denial, or nobody did it any more.
    Permitted {
        /// What it was.
        action: BusAction,
        /// With which subject or pattern.
        subject: String,
    },
}

/// What may be permitted on a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BusAction {
    /// Sending.
    Publish,
    /// Reading.
    Subscribe,
}

impl fmt::Display for BusAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        })
    }
}

/// Why a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The node stops: the only one that is the end of the unit.
    NodeShutdown,
    /// The supervisor restarts it, because of a sibling.
    Restart,
    /// Somebody asked for it.
    Command,
}

/// In words, as the end of a life is told.
impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NodeShutdown => "the node stops",
            Self::Restart => "it is to restart",
            Self::Command => "as commanded",
        })
    }
}

/// A request of one life of one actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// The life.
    pub incarnation: Incarnation,
    /// The request within it.
    pub number: u64,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RequestError {
    /// None came in time.
    #[error("no answer in time")]
    Timeout,
    /// Nobody listens on the subject.
    #[error("nobody listens")]
    NoResponders,
    /// The bus is away.
    #[error("the bus is away")]
    BusAway,
    /// A bound of the outbox refused it.
    #[error("refused by the outbox")]
    Refused,
}

/// What an actor wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send it.
    Publish(Box<Message>),
    /// Send it and bring back the answer within the time.
    Request(RequestId, Box<Message>, Duration),
    /// Send it as the answer to a request: without a sequence.
    Respond(Box<Message>),
    /// Let the outside observe it.
    Emit(Event),
    /// Write a row of the node's directory of units.
    Directory(DirectoryChange),
    /// Ask something of the node.
    Node(RequestId, NodeCommand),
    /// Give it to the task behind a port.
    Port(PortName, Bytes),
    /// End this life, as if it had come to its natural end.
    Stop(Cow<'static, str>),
}

/// A change of a node's directory of units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryChange {
    /// This is how a unit does now.
    Seen(UnitStatus),
    /// A unit is known no longer.
    Forgotten(UnitId),
}

/// The effects of one `handle`, in order: the only way out of an actor.
#[derive(Debug)]
pub struct Effects {
    items: Vec<Effect>,
    incarnation: Incarnation,
    requests: u64,
}

impl Effects {
    /// No effects yet, for a life of an actor.
    #[must_use]
    pub const fn new(incarnation: Incarnation) -> Self {
        Self { items: Vec::new(), incarnation, requests: 0 }
    }

    /// Sends `message`.
    pub fn publish(&mut self, message: Message) {
        self.items.push(Effect::Publish(Box::new(message)));
    }

    /// Sends `message` and brings its answer back as [`Input::Reply`], or the reason why there is
    /// none after `timeout` at the latest.
    pub fn request(&mut self, message: Message, timeout: Duration) -> RequestId {
        self.requests += 1;
        let id = RequestId { incarnation: self.incarnation, number: self.requests };
        self.items.push(Effect::Request(id, Box::new(message), timeout));
        id
    }

    /// Answers a request; the message's subject is the reply subject that the request named.
    pub fn respond(&mut self, answer: Message) {
        self.items.push(Effect::Respond(Box::new(answer)));
    }

    /// Lets the outside observe `event`.
    pub fn emit(&mut self, event: Event) {
        self.items.push(Effect::Emit(event));
    }

    /// Counts a message that is not what its subject promises, with the reason.
    pub fn malformed(&mut self, subject: &Subject, error: &dyn std::error::Error) {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            reason = format!("{reason}: {error}");
            source = error.source();
        }
        self.emit(Event::Malformed { subject: subject.clone(), reason });
    }

    /// Writes a row of the node's directory of units.
    pub fn directory(&mut self, change: DirectoryChange) {
        self.items.push(Effect::Directory(change));
    }

    /// Asks something of the node. [`NodeReport::Done`] with this id tells what came of it.
    pub fn command(&mut self, command: NodeCommand) -> RequestId {
        self.requests += 1;
        let id = RequestId { incarnation: self.incarnation, number: self.requests };
        self.items.push(Effect::Node(id, command));
        id
    }

    /// Gives `bytes` to the task behind a port of this actor's contract.
    pub fn port(&mut self, port: PortName, bytes: impl Into<Bytes>) {
        self.items.push(Effect::Port(port, bytes.into()));
    }

    /// Ends this life.
    pub fn stop(&mut self, reason: impl Into<Cow<'static, str>>) {
        self.items.push(Effect::Stop(reason.into()));
    }

    /// Takes the effects out, in order.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Effect> {
        self.items.drain(..)
    }

    /// Exchanges the list of effects for another: for one that is empty before an input, and back after it.
    /// Where there are thousands of actors, memory that all of them use in turn stays in the cache, and what
    /// each keeps for itself does not.
    #[inline]
    pub const fn swap(&mut self, list: &mut Vec<Effect>) {
        std::mem::swap(&mut self.items, list);
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
    }
}

/// Takes the effects out, in order.
impl<'a> IntoIterator for &'a mut Effects {
    type Item = Effect;
    type IntoIter = std::vec::Drain<'a, Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.drain()
    }
}

/// A crash that an actor declares itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub Cow<'static, str>);

impl Fault {
    /// A fault for `reason`.
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}
