//! One component of a node: the mailbox that outlives crashes, and the actor that lives at present.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nunect_core::cell::{BirthError, Cell, Crash};
use nunect_core::mailbox::{Counters, Delivery, Mailbox, Push};
use nunect_core::outbox::Outbox;
use nunect_core::protocol::command::MailboxReport;
use nunect_core::requests::Requests;
use nunect_core::table::Table;
use nunect_core::{
    ActorName, ActorSpec, Birth, BusEvent, Contract, Deadline, DirectoryChange, Entry, Event, Health, HostReport,
    Incarnation, Input, LogRecord, Message, Mono, NodeReport, Now, PortName, RequestError, RequestId, Sensor,
    StopReason, Subscription, UnitId, protocol,
};
use nunect_supervisor::Generation;
use serde_json::Value;

use crate::around::Around;
use crate::process::Work;
use crate::service::Service;
use crate::trace::What;

mod effects;
mod sensing;

use effects::{carry_out, hand_over};

/// How a life ends.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself, or as asked.
    Stopped(String),
    /// In a crash; on this message, if on one.
    Crashed(String, Option<Delivery>),
    /// By force.
    Killed,
}

impl End {
    fn crash(crash: &Crash) -> Self {
        Self::Crashed(crash.to_string(), None)
    }
}

/// What the actors of a node share.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) outbox: Outbox,
    pub(crate) requests: Requests,
    /// What follows from the present input and is done after it.
    pub(crate) work: VecDeque<Work>,
    pub(crate) directory: Directory,
}

/// The units that a node's actors see, and how they do.
#[derive(Debug, Default)]
pub(crate) struct Directory(Table<UnitId, Health>);

impl Directory {
    fn apply(&mut self, change: DirectoryChange) {
        match change {
            DirectoryChange::Seen(status) => drop(self.0.insert(status.unit, status.state)),
            DirectoryChange::Forgotten(unit) => drop(self.0.swap_remove(&unit)),
        }
    }

    pub(crate) const fn units(&self) -> &Table<UnitId, Health> {
        &self.0
    }

    /// How many are not OFFLINE.
    pub(crate) fn online(&self) -> u64 {
        self.0.values().filter(|health| **health != Health::Offline).count() as u64
    }
}

/// What comes back to a life besides replies.
#[derive(Debug)]
pub(crate) enum Answer {
    Port(PortName, Bytes),
    Node(NodeReport),
}

/// What an actor wants to be told about its host and node.
#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    host: Option<Duration>,
    link: Option<Duration>,
    clock: Option<Duration>,
    claim: bool,
    bus: bool,
    node: bool,
    log: bool,
}

/// The present state of what may be sensed.
#[derive(Clone, Debug)]
pub(crate) struct Senses {
    pub(crate) host: HostReport,
    pub(crate) bus: BusEvent,
    pub(crate) node: NodeReport,
}

/// What a component is made from: needed when lives begin, and not for every input.
#[derive(Debug)]
struct Blueprint {
    /// Of all actors of the node; this one's is in the component's own place.
    specs: Arc<[ActorSpec]>,
    entry: Entry,
    reads: Vec<Subscription>,
    wishes: Wishes,
}

#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) slot: u32,
    pub(crate) name: ActorName,
    pub(crate) generation: Generation,
    incarnation: Incarnation,
    cell: Option<Cell>,
    mailbox: Option<Mailbox>,
    /// Whether the mailbox pauses.
    pub(crate) paused: bool,
    /// Whether the actor does not come back from an input, until the process ends for it.
    pub(crate) hung: bool,
    host_due: Mono,
    link_due: Mono,
    clock_due: Mono,
    /// Its work on messages, when that takes time.
    service: Option<Box<Service>>,
    blueprint: Box<Blueprint>,
}

impl Component {
    /// The component in the place `slot` of `specs`.
    pub(crate) fn new(slot: u32, name: ActorName, specs: Arc<[ActorSpec]>, entry: Entry) -> Self {
        Self {
            slot,
            name,
            generation: Generation::default(),
            incarnation: Incarnation::default(),
            cell: None,
            mailbox: None,
            paused: false,
            hung: false,
            host_due: Mono::MAX,
            link_due: Mono::MAX,
            clock_due: Mono::MAX,
            service: None,
            blueprint: Box::new(Blueprint { specs, entry, reads: Vec::new(), wishes: Wishes::default() }),
        }
    }

    /// Its work on messages takes time.
    pub(crate) fn take_time(&mut self, service: Service) {
        self.service = Some(Box::new(service));
    }

    pub(crate) const fn is_alive(&self) -> bool {
        self.cell.is_some()
    }

    /// How many lives it has had before this one.
    pub(crate) const fn restarts(&self) -> u32 {
        self.incarnation.0.saturating_sub(1)
    }

    /// Its present life.
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        self.cell.as_ref().map(Cell::incarnation)
    }

    /// Counts the next life; its [`Birth`] names it.
    pub(crate) const fn conceive(&mut self, generation: Generation) -> Incarnation {
        self.generation = generation;
        self.incarnation = self.incarnation.next();
        self.incarnation
    }

    /// Begins a life, up to the point where it may be given inputs.
    pub(crate) fn bear(&mut self, birth: &Birth, around: &mut Around<'_>) -> Result<(), BirthError> {
        let Blueprint { specs, entry, .. } = self.blueprint.as_ref();
        let config = specs.get(index(self.slot)).map_or(&Value::Null, |spec| &spec.config);
        let cell = Cell::new(entry, config, birth)?;
        let Contract { reads, sensors, mailbox, .. } = cell.contract()?;
        if self.mailbox.is_none() {
            self.mailbox = Some(Mailbox::new(mailbox));
            self.blueprint.reads = reads;
            self.subscribe(around);
        }
        let wishes = &mut self.blueprint.wishes;
        *wishes = Wishes::default();
        for sensor in sensors {
            match sensor {
                Sensor::Host { every } => wishes.host = Some(every),
                Sensor::Bus => wishes.bus = true,
                Sensor::Node => wishes.node = true,
                Sensor::Link { every } => wishes.link = Some(every),
                Sensor::Clock { every } => wishes.clock = Some(every),
                Sensor::Claim => wishes.claim = true,
                Sensor::Log => wishes.log = true,
            }
        }
        self.cell = Some(cell);
        Ok(())
    }

    /// Subscribes to what the component reads, if it is connected.
    pub(crate) fn subscribe(&self, around: &mut Around<'_>) {
        if around.world.is_connected(around.node) {
            for Subscription { pattern, queue } in &self.blueprint.reads {
                around.subscribe(self.slot, pattern, queue.as_deref());
            }
        }
    }

    /// The first inputs of a life.
    pub(crate) fn introduce(
        &mut self,
        now: Now,
        senses: &Senses,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        self.give(now, Input::Started, office, around)?;
        self.host_due = Mono::MAX;
        self.link_due = next(now, self.blueprint.wishes.link);
        if self.blueprint.wishes.host.is_some() {
            let first = HostReport { cpu_percent: None, ..senses.host };
            self.sense_host(now, first, office, around)?;
        }
        self.sense_node(now, &senses.node, office, around)?;
        self.sense_bus(now, &senses.bus, office, around)?;
        self.sense_claim(now, office.outbox.clock(), office, around)?;
        self.clock_due = Mono::MAX;
        if self.blueprint.wishes.clock.is_some() { self.sense_clock(now, office, around) } else { Ok(()) }
    }

    /// The actor takes messages from now on, those that wait first.
    pub(crate) fn attach(&mut self, now: Now, office: &mut Office, around: &mut Around<'_>) -> Result<(), End> {
        let waiting = match (&self.cell, &mut self.mailbox) {
            (Some(_), Some(mailbox)) => mailbox.attach(),
            (_, _) => false,
        };
        if waiting { self.drain(now, office, around) } else { Ok(()) }
    }

    /// A message arrives.
    pub(crate) fn arrive(
        &mut self,
        now: Now,
        mut message: Box<Message>,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        let Some(mailbox) = &mut self.mailbox else { return Ok(()) };
        message.received = now;
        // Nearly always nothing else is there, and the queue may stay where it is: out of the cache.
        let is_free = !self.hung
            && self.service.is_none()
            && self.cell.as_ref().is_some_and(|cell| cell.deadline().is_none_or(|due| due.at > now.mono));
        let message = match if is_free { mailbox.pass(message) } else { Err(message) } {
            Ok(delivery) => {
                self.deliver(now, delivery, office, around)?;
                return self.drain(now, office, around);
            }
            Err(message) => message,
        };
        let first = match mailbox.push(message) {
            Push::Accepted { .. } => false,
            Push::DroppedOldest { first, .. } => first,
            Push::Refused { refused, first } => {
                if let Some(reply) = refused.reply {
                    let answer = office.outbox.respond(now, protocol::unavailable(reply));
                    hand_over(self.slot, &self.name, answer, around);
                }
                first
            }
        };
        if first {
            let dropped = mailbox.counters().dropped;
            around.emit(Some((self.slot, &self.name)), Event::MailboxOverflow { dropped });
        }
        self.drain(now, office, around)
    }

    /// The outcome of a request of the present life.
    pub(crate) fn reply(
        &mut self,
        now: Now,
        (id, sent): (RequestId, Now),
        result: Result<&Message, RequestError>,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        if self.hung || self.cell.as_ref().is_none_or(|cell| cell.incarnation() != id.incarnation) {
            return Ok(());
        }
        let (length, hash) = result.map_or((0, 0), |answer| around.witness.digest(answer));
        let (number, error) = (id.number, result.err());
        around.witness.counters.replies += 1;
        around.record(What::Reply { actor: self.slot, number, error, length, hash });
        self.give(now, Input::Reply { id, sent, result }, office, around)
    }

    /// Whether it ships what the node has to say.
    pub(crate) fn ships(&self) -> bool {
        self.blueprint.wishes.log
    }

    /// Something to write down.
    pub(crate) fn log(
        &mut self,
        now: Now,
        record: &LogRecord,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        self.give(now, Input::Log(record), office, around)
    }

    /// What the script behind a port says, or what the node answers to a command, if the life that
    /// asked lasts.
    pub(crate) fn answer(
        &mut self,
        now: Now,
        life: Incarnation,
        answer: &Answer,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        if self.cell.as_ref().is_none_or(|cell| cell.incarnation() != life) {
            return Ok(());
        }
        let input = match answer {
            Answer::Port(port, bytes) => Input::Port(port, bytes),
            Answer::Node(report) => Input::Node(report),
        };
        self.give(now, input, office, around)
    }

    /// Lets the mailbox hold back until then.
    pub(crate) fn hold(&mut self, until: Mono) {
        if let Some(mailbox) = &mut self.mailbox {
            mailbox.hold(until);
            self.paused = true;
        }
    }

    /// What there is to see of its mailbox.
    pub(crate) fn mailbox_report(&self) -> Option<MailboxReport> {
        self.mailbox.as_ref().map(Mailbox::report)
    }

    /// What its mailbox has seen.
    pub(crate) fn mailbox_counters(&self) -> Option<Counters> {
        self.mailbox.as_ref().map(Mailbox::counters)
    }

    /// What kind of actor it is.
    pub(crate) fn kind(&self) -> &str {
        self.blueprint.specs.get(index(self.slot)).map_or("", |spec| &spec.kind)
    }

    /// Asks the actor to end.
    pub(crate) fn stop(
        &mut self,
        now: Now,
        reason: StopReason,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        self.give(now, Input::Stopping(reason), office, around)
    }

    /// When something of it is next due.
    pub(crate) fn next_due(&self) -> Mono {
        let at = |due: Option<Deadline>| due.map_or(Mono::MAX, |due| due.at);
        let pause = if self.paused { at(self.mailbox.as_ref().and_then(Mailbox::deadline)) } else { Mono::MAX };
        match &self.cell {
            Some(_) if self.hung => pause,
            Some(cell) => at(cell.deadline())
                .min(self.service.as_ref().and_then(|service| service.until).unwrap_or(Mono::MAX))
                .min(self.host_due)
                .min(self.link_due)
                .min(self.clock_due)
                .min(pause),
            None => pause,
        }
    }

    /// Whether its work on a message is done.
    pub(crate) fn has_done(&self, now: Now) -> bool {
        self.service.as_ref().is_some_and(|service| service.until.is_some_and(|until| until <= now.mono))
    }

    /// Ends a pause of its mailbox that is over. Returns whether it did.
    pub(crate) fn resume(&mut self, now: Now) -> bool {
        let resumed = self.paused && self.mailbox.as_mut().is_some_and(|mailbox| mailbox.resume(now.mono));
        self.paused &= !resumed;
        resumed
    }

    /// Gives the actor its timeout, if one is due.
    pub(crate) fn wake(&mut self, now: Now, office: &mut Office, around: &mut Around<'_>) -> Result<(), End> {
        let Some(cell) = self.cell.as_mut().filter(|_| !self.hung) else { return Ok(()) };
        let Some(due) = cell.deadline().filter(|due| due.at <= now.mono) else { return Ok(()) };
        around.witness.counters.timeouts += 1;
        around.record(What::Timeout { actor: self.slot, why: due.why.into() });
        cell.lend(&mut around.witness.effects);
        match cell.wake(now) {
            Ok(Some(effects)) => carry_out((self.slot, &self.name), now, effects, None, office, around),
            Ok(None) => Ok(()),
            Err(crash) => Err(End::crash(&crash)),
        }
    }

    /// Gives the actor what waits for it.
    pub(crate) fn drain(&mut self, now: Now, office: &mut Office, around: &mut Around<'_>) -> Result<(), End> {
        while !self.hung {
            self.wake(now, office, around)?;
            let (Some(_), Some(mailbox)) = (&self.cell, &mut self.mailbox) else { return Ok(()) };
            let waits = mailbox.has_work();
            if self.service.as_mut().is_some_and(|service| !service.is_done(now, waits)) {
                return Ok(());
            }
            let Some(delivery) = mailbox.take() else { return Ok(()) };
            self.deliver(now, delivery, office, around)?;
        }
        Ok(())
    }

    /// Gives the actor a message.
    fn deliver(
        &mut self,
        now: Now,
        delivery: Delivery,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        let (Some(cell), Some(mailbox)) = (&mut self.cell, &mut self.mailbox) else { return Ok(()) };
        let message = delivery.message();
        let (length, hash) = around.witness.digest(message);
        around.witness.counters.deliveries += 1;
        around.record(What::Message {
            actor: self.slot,
            subject: message.subject.as_str().into(),
            sequence: message.headers.stamp().and_then(|stamp| stamp.sequence).unwrap_or(0),
            length,
            hash,
        });
        let laws = &mut around.witness.checker.laws;
        laws.taken(around.at, around.node, self.slot, message, &self.blueprint.reads);
        cell.lend(&mut around.witness.effects);
        match cell.handle(now, Input::Message(message)) {
            Ok(effects) => {
                let about = Some(delivery.message());
                let end = carry_out((self.slot, &self.name), now, effects, about, office, around);
                mailbox.settle(delivery);
                end
            }
            Err(crash) => {
                around.witness.checker.laws.crashed(around.node, self.slot, message);
                Err(End::Crashed(crash.to_string(), Some(delivery)))
            }
        }
    }

    /// Ends the present life without another word. Returns which it was.
    pub(crate) fn bury(&mut self) -> Option<Incarnation> {
        if let Some(mailbox) = &mut self.mailbox {
            mailbox.detach();
        }
        if let Some(service) = &mut self.service {
            service.until = None;
        }
        self.hung = false;
        self.cell.take().map(|cell| cell.incarnation())
    }

    pub(crate) const fn mailbox(&mut self) -> Option<&mut Mailbox> {
        self.mailbox.as_mut()
    }

    fn give(&mut self, now: Now, input: Input<'_>, office: &mut Office, around: &mut Around<'_>) -> Result<(), End> {
        let Some(cell) = self.cell.as_mut().filter(|_| !self.hung) else { return Ok(()) };
        cell.lend(&mut around.witness.effects);
        match cell.handle(now, input) {
            Ok(effects) => carry_out((self.slot, &self.name), now, effects, None, office, around),
            Err(crash) => Err(End::crash(&crash)),
        }
    }
}

/// When something is next due that is so at this period, if at all.
fn next(now: Now, every: Option<Duration>) -> Mono {
    every.map_or(Mono::MAX, |every| now.mono + every)
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}
