//! What outlives an actor's crash: its mailbox, what else waits for it, and the doorbell.
//!
//! ractor's own queue is unbounded, so messages never travel through it. They wait here, and the
//! actor is told by one small cast that something does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use nunect_core::mailbox::{Delivery, Mailbox, Push};
use nunect_core::protocol;
use nunect_core::requests::Slot;
use nunect_core::{
    ActorSpec, BusEvent, Entry, Event, HostReport, Incarnation, MailboxLimits, Message, NodeReport, Now, RequestError,
    RequestId, Sensor, StopReason,
};
use nunect_supervisor::Exit;
use ractor::ActorRef;

use crate::bus::Inbound;
use crate::node::Shared;
use crate::shell::Ring;
use crate::sync::lock;

/// An input that is no message. These go before messages and are bounded by what the node does.
#[derive(Debug)]
pub(crate) enum Control {
    Started,
    Reply { id: RequestId, sent: Now, result: Result<Box<Message>, RequestError> },
    Host(HostReport),
    Bus(BusEvent),
    Node(NodeReport),
    Stopping(StopReason),
}

/// One component of a node, over all lives of its actor.
pub(crate) struct Component {
    pub(crate) slot: Slot,
    pub(crate) spec: ActorSpec,
    pub(crate) entry: Entry,
    node: Weak<Shared>,
    inbox: Mutex<Inbox>,
}

struct Inbox {
    mailbox: Mailbox,
    control: VecDeque<Control>,
    door: Option<Door>,
    /// Whether the actor works, or was told that it should: it then looks here again by itself.
    awake: bool,
    sensors: Vec<Sensor>,
    subscribed: bool,
    exit: Option<Exit>,
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
            subscribed: false,
            exit: None,
        };
        Self { slot, spec, entry, node, inbox: Mutex::new(inbox) }
    }

    /// Settles what the contract of the first life says for all lives. Returns whether it was the first.
    pub(crate) fn subscribe_once(&self, limits: MailboxLimits, sensors: &[Sensor]) -> bool {
        let mut inbox = lock(&self.inbox);
        if inbox.subscribed {
            return false;
        }
        inbox.subscribed = true;
        inbox.mailbox = Mailbox::new(limits);
        inbox.sensors = sensors.to_vec();
        true
    }

    /// The first life could not subscribe: the next tries again.
    pub(crate) fn unsubscribed(&self) {
        lock(&self.inbox).subscribed = false;
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
        inbox.exit = Some(exit);
        let control = std::mem::take(&mut inbox.control);
        drop(inbox);
        drop(control);
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
            return Next::Control(control);
        }
        match inbox.mailbox.take() {
            Some(delivery) => Next::Message(delivery),
            None => {
                inbox.awake = false;
                Next::Nothing
            }
        }
    }

    /// Gives back the message that was handled, when the actor lets others have their turn.
    pub(crate) fn settle(&self, handled: Option<Delivery>) {
        if let Some(delivery) = handled {
            lock(&self.inbox).mailbox.settle(delivery);
        }
    }

    /// What follows from a crash on a message.
    pub(crate) fn crashed(&self, now: Now, delivery: Delivery) -> nunect_core::mailbox::Verdict {
        lock(&self.inbox).mailbox.crashed(now.mono, delivery)
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

    /// Gives the actor the outcome of a request, if the life that asked still lasts.
    pub(crate) fn reply(&self, id: RequestId, sent: Now, result: Result<Box<Message>, RequestError>) {
        let mut inbox = lock(&self.inbox);
        if inbox.door.as_ref().is_some_and(|door| door.incarnation == id.incarnation) {
            inbox.control.push_back(Control::Reply { id, sent, result });
            inbox.ring();
        }
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
            node.emit(Some(&self.spec.name), Event::MailboxOverflow { dropped });
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
