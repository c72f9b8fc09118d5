//! What outlives an actor's crash: its mailbox, what else waits for it, and the doorbell.
//!
//! ractor's own queue is unbounded, so messages never travel through it. They wait here, and the
//! actor is told by one small cast that something does.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use nunect_core::mailbox::{Counters, Delivery, Mailbox, Push};
use nunect_core::protocol;
use nunect_core::protocol::command::{ChaosKind, CrashReport, MailboxReport};
use nunect_core::requests::Slot;
use nunect_core::{
    ActorName, ActorSpec, BusEvent, ClockReport, Contract, Entry, Event, HostReport, Incarnation, LinkReport,
    MailboxLimits, Message, Mono, NodeReport, Now, Pattern, PortName, RequestError, RequestId, Sensor, StopReason,
    Subscription,
};
use nunect_supervisor::Exit;
use ractor::ActorRef;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::bus::{Bus, Inbound, Subscribed};
use crate::node::Shared;
use crate::shell::Ring;
use crate::sync::lock;

/// An input that is no message. These go before messages and are bounded by what the node does.
#[derive(Debug)]
pub(crate) enum Control {
    Started,
    Reply {
        id: RequestId,
        sent: Now,
        result: Result<Box<Message>, RequestError>,
    },
    Host(HostReport),
    Bus(BusEvent),
    Link(LinkReport),
    Clock(Arc<ClockReport>),
    Node(NodeReport),
    Port(PortName, Bytes),
    /// The task behind a port is gone while the life lasts.
    PortEnded(PortName, String),
    /// Harm that the configuration allows.
    Chaos(ChaosKind),
    Stopping(StopReason),
}

impl Control {
    /// What it is, in one word.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Reply { .. } => "reply",
            Self::Host(_) => "host",
            Self::Bus(_) => "bus",
            Self::Link(_) => "link",
            Self::Clock(_) => "clock",
            Self::Node(_) => "node",
            Self::Port(..) | Self::PortEnded(..) => "port",
            Self::Chaos(_) => "chaos",
            Self::Stopping(_) => "stopping",
        }
    }
}

/// One component of a node, over all lives of its actor.
pub(crate) struct Component {
    pub(crate) slot: Slot,
    pub(crate) name: ActorName,
    pub(crate) kind: String,
    pub(crate) entry: Entry,
    config: Mutex<Value>,
    /// What the bus delivers here, with what ends it.
    subscriptions: Mutex<Vec<(Subscription, Subscribed)>>,
    retired: AtomicBool,
    /// Whether it has written the directory of units.
    directory: AtomicBool,
    node: Weak<Shared>,
    inbox: Mutex<Inbox>,
    /// The tasks beside the present life.
    ports: Mutex<Vec<(PortName, mpsc::Sender<Bytes>)>>,
}

struct Inbox {
    mailbox: Mailbox,
    control: VecDeque<Control>,
    door: Option<Door>,
    /// Whether the actor works, or was told that it should: it then looks here again by itself.
    awake: bool,
    sensors: Vec<Sensor>,
    /// What its contract publishes.
    publishes: Vec<Pattern>,
    /// Whether the mailbox is that of a contract.
    made: bool,
    exit: Option<Exit>,
    doing: Doing,
    last_crash: Option<CrashReport>,
    /// Messages that it reported as malformed.
    malformed: u64,
    crashes: u64,
    /// Lives that were not the first.
    restarts: u64,
}

/// What an actor is at, for whoever finds that it does not come back. The words are copied: a
/// reference count would cost more than these few bytes.
struct Doing {
    /// Counts what was given to it, so that two looks can tell whether it is still the same.
    turn: u64,
    busy: bool,
    length: u8,
    words: [u8; Doing::MAX],
}

impl Doing {
    /// The longest part of a subject that is kept.
    const MAX: usize = 110;

    const fn nothing() -> Self {
        Self { turn: 0, busy: false, length: 0, words: [0; Self::MAX] }
    }

    fn begin(&mut self, words: &str) {
        let bytes = words.as_bytes();
        let kept = bytes.get(..Self::MAX).unwrap_or(bytes);
        if let Some(place) = self.words.get_mut(..kept.len()) {
            place.copy_from_slice(kept);
            self.length = kept.len() as u8;
        }
        self.turn += 1;
        self.busy = true;
    }

    const fn idle(&mut self) {
        self.busy = false;
    }
}

/// What somebody who looks at a mailbox sees.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) report: MailboxReport,
    pub(crate) counters: Counters,
    pub(crate) last_crash: Option<CrashReport>,
    pub(crate) malformed: u64,
    pub(crate) crashes: u64,
    pub(crate) restarts: u64,
}

struct Door {
    bell: ActorRef<Ring>,
    incarnation: Incarnation,
}

/// What an actor does next.
pub(crate) enum Next {
    Control(Control),
    Message(Delivery),
    /// Nothing waits: the bell will ring.
    Nothing,
}

impl Component {
    pub(crate) fn new(slot: Slot, spec: ActorSpec, entry: Entry, node: Weak<Shared>) -> Self {
        let inbox = Inbox {
            mailbox: Mailbox::new(MailboxLimits::default()),
            control: VecDeque::new(),
            door: None,
            awake: false,
            sensors: Vec::new(),
            publishes: Vec::new(),
            made: false,
            exit: None,
            doing: Doing::nothing(),
            last_crash: None,
            malformed: 0,
            crashes: 0,
            restarts: 0,
        };
        Self {
            slot,
            name: spec.name,
            kind: spec.kind,
            config: Mutex::new(spec.config),
            entry,
            node,
            inbox: Mutex::new(inbox),
            subscriptions: Mutex::default(),
            retired: AtomicBool::new(false),
            directory: AtomicBool::new(false),
            ports: Mutex::default(),
        }
    }

    /// It writes the directory of units.
    pub(crate) fn note_directory(&self) {
        self.directory.store(true, Ordering::Relaxed);
    }

    /// Whether it has written the directory of units since this was asked last.
    pub(crate) fn wrote_directory(&self) -> bool {
        self.directory.swap(false, Ordering::Relaxed)
    }

    /// How it is configured.
    pub(crate) fn config(&self) -> Value {
        lock(&self.config).clone()
    }

    /// How its next life is configured.
    pub(crate) fn set_config(&self, config: Value) {
        *lock(&self.config) = config;
    }

    /// Notes what the contract of the life that begins says. The mailbox is made for the first, and
    /// its limits last; what waits in it waits for every later one, too.
    pub(crate) fn settle_contract(&self, contract: &Contract) {
        let mut inbox = lock(&self.inbox);
        if !std::mem::replace(&mut inbox.made, true) {
            inbox.mailbox = Mailbox::new(contract.mailbox);
        }
        inbox.sensors.clone_from(&contract.sensors);
        inbox.publishes.clone_from(&contract.publishes);
    }

    /// Sees to it that the bus delivers what the contract reads, and nothing else.
    ///
    /// # Errors
    /// When the bus does not take a subscription; the next life tries again.
    pub(crate) async fn subscribe(self: &Arc<Self>, bus: &dyn Bus, reads: &[Subscription]) -> Result<(), String> {
        let mut held = std::mem::take(&mut *lock(&self.subscriptions));
        held.retain(|(subscription, _)| reads.contains(subscription));
        let mut result = Ok(());
        for subscription in reads {
            if held.iter().any(|(other, _)| other == subscription) {
                continue;
            }
            let mailbox = Arc::clone(self);
            match bus.subscribe(subscription, Arc::new(move |inbound| mailbox.deliver(inbound))).await {
                Ok(subscribed) => held.push((subscription.clone(), subscribed)),
                Err(error) => {
                    result = Err(format!("subscribing to {}: {error}", subscription.pattern));
                    break;
                }
            }
        }
        *lock(&self.subscriptions) = held;
        result
    }

    /// It is no part of the node any more: nothing is delivered to it, and what waits is lost.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        let subscriptions = std::mem::take(&mut *lock(&self.subscriptions));
        drop(subscriptions);
        let mut inbox = lock(&self.inbox);
        inbox.sensors.clear();
        inbox.publishes.clear();
        inbox.mailbox = Mailbox::new(inbox.mailbox.limits());
    }

    /// Whether it is no part of the node any more.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// What it publishes, by its contract.
    pub(crate) fn publishes(&self) -> Vec<Pattern> {
        lock(&self.inbox).publishes.clone()
    }

    /// What there is to see of it.
    pub(crate) fn look(&self) -> Look {
        let inbox = lock(&self.inbox);
        Look {
            report: inbox.mailbox.report(),
            counters: inbox.mailbox.counters(),
            last_crash: inbox.last_crash.clone(),
            malformed: inbox.malformed,
            crashes: inbox.crashes,
            restarts: inbox.restarts,
        }
    }

    /// Notes a crash of it.
    pub(crate) fn note_crash(&self, now: Now, reason: &str) {
        let mut inbox = lock(&self.inbox);
        inbox.crashes += 1;
        inbox.last_crash = Some(CrashReport { at_ms: now.wall.unix_millis(), reason: reason.to_owned() });
    }

    /// Counts a message that it could not read.
    pub(crate) fn note_malformed(&self) {
        lock(&self.inbox).malformed += 1;
    }

    /// What it is at, if it is at anything: the number of its turn.
    pub(crate) fn turn(&self) -> Option<u64> {
        let inbox = lock(&self.inbox);
        inbox.doing.busy.then_some(inbox.doing.turn)
    }

    /// What it is at, in words: a subject, or the kind of input.
    pub(crate) fn doing(&self) -> String {
        let inbox = lock(&self.inbox);
        String::from_utf8_lossy(&inbox.doing.words[..usize::from(inbox.doing.length)]).into_owned()
    }

    /// It is given something that does not wait here.
    pub(crate) fn begin(&self, words: &str) {
        lock(&self.inbox).doing.begin(words);
    }

    /// The tasks beside the life that begins.
    pub(crate) fn set_ports(&self, ports: Vec<(PortName, mpsc::Sender<Bytes>)>) {
        *lock(&self.ports) = ports;
    }

    /// Gives `bytes` to the task behind `port`; how many could not be given is told back as an error.
    pub(crate) fn give_port(&self, port: PortName, bytes: Bytes) -> Result<(), &'static str> {
        let ports = lock(&self.ports);
        let Some((_, task)) = ports.iter().find(|(name, _)| *name == port) else {
            return Err("the actor's contract names no such port");
        };
        match task.try_send(bytes) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err("it does not keep up: what it was told is lost"),
            // The end of the task is told by itself.
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    pub(crate) fn wants(&self, wanted: impl Fn(&Sensor) -> bool) -> bool {
        lock(&self.inbox).sensors.iter().any(wanted)
    }

    /// A life begins: these inputs first, then what waits.
    pub(crate) fn attach(&self, bell: ActorRef<Ring>, incarnation: Incarnation, first: impl Iterator<Item = Control>) {
        let mut inbox = lock(&self.inbox);
        inbox.exit = None;
        inbox.control.clear();
        inbox.control.extend(first);
        inbox.door = Some(Door { bell, incarnation });
        inbox.restarts = u64::from(incarnation.0).saturating_sub(1);
        inbox.awake = false;
        inbox.mailbox.attach();
        inbox.ring();
    }

    /// A life is over: messages wait from now on. Returns whether it was the present one: what is left
    /// of an earlier life may go later than the next one came.
    pub(crate) fn detach(&self, incarnation: Incarnation, exit: Exit) -> bool {
        let mut inbox = lock(&self.inbox);
        if inbox.door.as_ref().is_none_or(|door| door.incarnation != incarnation) {
            return false;
        }
        inbox.mailbox.detach();
        inbox.door = None;
        inbox.awake = false;
        inbox.doing.idle();
        inbox.exit = Some(exit);
        let control = std::mem::take(&mut inbox.control);
        drop(inbox);
        drop(control);
        // The tasks beside it see that their actor is gone.
        self.set_ports(Vec::new());
        true
    }

    /// How the life that is over ended.
    pub(crate) fn take_exit(&self) -> Exit {
        lock(&self.inbox).exit.take().unwrap_or(Exit::Killed)
    }

    /// Gives back the message that was handled and takes what is next.
    pub(crate) fn next(&self, handled: Option<Delivery>) -> Next {
        let mut inbox = lock(&self.inbox);
        if let Some(delivery) = handled {
            inbox.mailbox.settle(delivery);
        }
        if let Some(control) = inbox.control.pop_front() {
            inbox.doing.begin(control.name());
            return Next::Control(control);
        }
        match inbox.mailbox.take() {
            Some(delivery) => {
                inbox.doing.begin(delivery.message().subject.as_str());
                Next::Message(delivery)
            }
            None => {
                inbox.awake = false;
                inbox.doing.idle();
                Next::Nothing
            }
        }
    }

    /// Gives back the message that was handled, when the actor lets others have their turn.
    pub(crate) fn settle(&self, handled: Option<Delivery>) {
        let mut inbox = lock(&self.inbox);
        inbox.doing.idle();
        if let Some(delivery) = handled {
            inbox.mailbox.settle(delivery);
        }
    }

    /// What follows from a crash on a message.
    pub(crate) fn crashed(&self, now: Now, delivery: Delivery) -> nunect_core::mailbox::Verdict {
        lock(&self.inbox).mailbox.crashed(now.mono, delivery)
    }

    /// Lets the mailbox hold back until then.
    pub(crate) fn hold(&self, until: Mono) {
        lock(&self.inbox).mailbox.hold(until);
    }

    /// Ends the mailbox's pause if it is over. Returns whether it did.
    pub(crate) fn resume(&self, now: Now) -> bool {
        let mut inbox = lock(&self.inbox);
        let resumed = inbox.mailbox.resume(now.mono);
        if resumed {
            inbox.ring();
        }
        resumed
    }

    /// Gives the actor an input that is no message; without an actor it is lost, since the next life
    /// begins with the present state.
    pub(crate) fn control(&self, control: Control) {
        let mut inbox = lock(&self.inbox);
        if inbox.door.is_some() {
            inbox.control.push_back(control);
            inbox.ring();
        }
    }

    /// The same for one life only.
    pub(crate) fn control_life(&self, incarnation: Incarnation, control: Control) {
        let mut inbox = lock(&self.inbox);
        if inbox.door.as_ref().is_some_and(|door| door.incarnation == incarnation) {
            inbox.control.push_back(control);
            inbox.ring();
        }
    }

    /// Gives the actor the outcome of a request, if the life that asked still lasts.
    pub(crate) fn reply(&self, id: RequestId, sent: Now, result: Result<Box<Message>, RequestError>) {
        self.control_life(id.incarnation, Control::Reply { id, sent, result });
    }

    /// Tells the actor that its deadline has come.
    pub(crate) fn ring(&self) {
        lock(&self.inbox).ring();
    }

    /// Takes what the bus delivered.
    pub(crate) fn deliver(self: &Arc<Self>, inbound: Inbound) {
        let message = match inbound {
            Inbound::Message(message) => message,
            // Only inboxes are asked from, and they are no mailboxes.
            Inbound::NoResponders(_) => return,
        };
        let mut inbox = lock(&self.inbox);
        let (lost, first) = match inbox.mailbox.push(message) {
            Push::Accepted { .. } => {
                inbox.ring();
                return;
            }
            Push::DroppedOldest { dropped, first } => {
                inbox.ring();
                (dropped, first)
            }
            Push::Refused { refused, first } => (refused, first),
        };
        let dropped = inbox.mailbox.counters().dropped;
        drop(inbox);
        let Some(node) = self.node.upgrade() else { return };
        if let Some(reply) = lost.reply.clone() {
            node.respond_later(protocol::unavailable(reply));
        }
        if first {
            node.emit(Some(&self.name), Event::MailboxOverflow { dropped });
        }
    }
}

impl Inbox {
    fn ring(&mut self) {
        if self.awake {
            return;
        }
        if let Some(door) = &self.door {
            // A cast fails only when the actor has just ended: its next life attaches anew.
            self.awake = door.bell.cast(Ring).is_ok();
        }
    }
}
