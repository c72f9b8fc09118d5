//! What the parts of one node share, and the ways out of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::Duration;

use nunect_core::clock::ReaderCounters;
use nunect_core::health::{Cause, NodeHealth};
use nunect_core::log::Said;
use nunect_core::outbox::{Failed, HandOver, Outbox, Refusal};
use nunect_core::protocol::log::is_log;
use nunect_core::random::Entropy;
use nunect_core::requests::{Requests, Slot};
use nunect_core::{
    ActorName, ActorSpec, ClockReport, ClockStamp, Effect, Entry, Event, Health, HostReport, Incarnation, Level,
    LogRecord, Message, Mono, NodeReport, Now, RequestError, Role, Sensor, SessionId, TimeDaemon, UnitId,
};
use ractor::ActorRef;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::daemons::Daemons;
use super::{End, Observer, Pulse, Record, Status};
use crate::bus::{Bus, BusError};
use crate::clock::Clock;
use crate::component::{Component, Control};
use crate::directory::Directory;
use crate::logs::Logs;
use crate::port::Ports;
use crate::sensor::HostSensor;
use crate::sync::{lock, read, write};
use crate::timers::{Timers, Waiting};
use crate::tree::Told;

/// What the parts of one node share.
pub(crate) struct Shared {
    pub(crate) unit: UnitId,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Clock,
    pub(crate) timers: Timers,
    pub(crate) logs: Logs,
    pub(crate) directory: Directory,
    pub(crate) pulse: Option<Pulse>,
    pub(crate) role: Role,
    pub(super) session: SessionId,
    pub(super) entropy: Entropy,
    pub(super) started: Now,
    pub(super) components: RwLock<Vec<Arc<Component>>>,
    pub(super) outbox: Mutex<Outbox>,
    pub(super) requests: Mutex<Requests>,
    pub(super) health: Mutex<NodeHealth>,
    pub(super) observer: Observer,
    pub(super) responses: mpsc::Sender<Message>,
    pub(super) sensor: Mutex<(HostSensor, HostReport)>,
    pub(super) sense_every: watch::Sender<Option<Duration>>,
    pub(super) link_every: watch::Sender<Option<Duration>>,
    pub(super) clock_every: watch::Sender<Option<Duration>>,
    /// What each time daemon said last.
    pub(super) clocks: Mutex<BTreeMap<TimeDaemon, Arc<ClockReport>>>,
    /// How the asking of each went.
    pub(super) readers: Mutex<BTreeMap<TimeDaemon, ReaderCounters>>,
    /// Who is asked.
    pub(super) daemons: Mutex<Daemons>,
    pub(super) log_level: watch::Sender<Level>,
    pub(super) chaos: AtomicBool,
    pub(super) ports: Ports,
    pub(super) port_tasks: Mutex<JoinSet<()>>,
    pub(super) tree: OnceLock<ActorRef<Told>>,
    pub(super) restarts: AtomicU32,
    pub(super) lost: AtomicU64,
    pub(super) end: watch::Sender<Option<End>>,
}

impl Shared {
    /// The component in this place.
    pub(crate) fn component(&self, index: usize) -> Arc<Component> {
        Arc::clone(&read(&self.components)[index])
    }

    /// All components that are part of the node, in the order in which they came.
    pub(crate) fn components(&self) -> Vec<Arc<Component>> {
        read(&self.components).iter().filter(|component| !component.is_retired()).cloned().collect()
    }

    /// How the asking of each time daemon went.
    pub(crate) fn reader_counters(&self) -> BTreeMap<TimeDaemon, ReaderCounters> {
        lock(&self.readers).clone()
    }

    /// What the node says about its clock.
    pub(crate) fn clock_stamp(&self) -> ClockStamp {
        lock(&self.outbox).clock().at(self.clock.mono())
    }

    /// What the node says about itself.
    pub(crate) fn status(&self) -> Status {
        let outbox = lock(&self.outbox);
        Status {
            unit: self.unit.clone(),
            session: self.session.clone(),
            bus: self.bus.describe(),
            connected: outbox.is_connected(),
            sent: outbox.counters().sent,
            lost: self.lost.load(Ordering::Relaxed),
            outbox: outbox.counters(),
            health: lock(&self.health).health(),
            uptime: self.clock.mono().since(self.started.mono),
            restarts: self.restarts.load(Ordering::Relaxed),
        }
    }

    /// One more component, after all others.
    pub(crate) fn add_component(self: &Arc<Self>, spec: ActorSpec, entry: Entry) {
        let mut components = write(&self.components);
        let slot = Slot(u32::try_from(components.len()).unwrap_or(u32::MAX));
        components.push(Arc::new(Component::new(slot, spec, entry, Arc::downgrade(self))));
    }

    /// Carries out the effects of one input. Returns why the life is to end, if it is.
    /// `about` is the message that led to them, if one did.
    pub(crate) fn carry_out(
        &self,
        component: &Component,
        effects: impl Iterator<Item = Effect>,
        about: Option<&Message>,
    ) -> Option<String> {
        let mut end = None;
        let mut malformed = false;
        for effect in effects {
            match effect {
                Effect::Publish(message) => self.hand_over(component, |outbox, now| outbox.publish(now, message)),
                Effect::Respond(answer) => self.hand_over(component, |outbox, now| outbox.respond(now, answer)),
                Effect::Request(id, message, timeout) => {
                    let mut outbox = lock(&self.outbox);
                    let now = self.clock.now();
                    let mut requests = lock(&self.requests);
                    let asked = outbox.request(now, &mut requests, component.slot, id, message, timeout);
                    self.timers.set(Waiting::Requests, requests.deadline().map(|deadline| deadline.at));
                    drop(requests);
                    match asked {
                        Ok(message) => self.hand_to_bus(now, *message),
                        Err(Failed { error, refusal }) => {
                            drop(outbox);
                            self.tell_refusal(Some(component), refusal);
                            component.reply(id, now, Err(error));
                        }
                    }
                }
                Effect::Emit(event) => {
                    // A message of which several things are wrong is one.
                    if matches!(event, Event::Malformed { .. }) && !std::mem::replace(&mut malformed, true) {
                        component.note_malformed();
                    }
                    self.emit_about(Some(&component.name), event, about);
                }
                Effect::Directory(change) => {
                    component.note_directory();
                    self.directory.apply(change);
                }
                Effect::Node(id, command) => self.command(component, id, command),
                Effect::Port(port, bytes) => {
                    if let Err(reason) = component.give_port(port, bytes) {
                        let event = Event::PortFailed { port: port.into(), reason: reason.to_owned() };
                        self.emit(Some(&component.name), event);
                    }
                }
                Effect::Stop(reason) => end = Some(reason.into_owned()),
            }
        }
        end
    }

    /// Numbers a message and hands it to the bus in one step, so that wire order is sequence order.
    pub(super) fn hand_over(&self, component: &Component, give: impl FnOnce(&mut Outbox, Now) -> HandOver) {
        let mut outbox = lock(&self.outbox);
        let now = self.clock.now();
        match give(&mut outbox, now) {
            HandOver::Send(message) => self.hand_to_bus(now, *message),
            HandOver::Kept => {}
            HandOver::Refused(refusal) => {
                drop(outbox);
                self.tell_refusal(Some(component), Some(refusal));
            }
        }
    }

    pub(super) fn tell_refusal(&self, component: Option<&Component>, refusal: Option<Refusal>) {
        if let Some(Refusal { subject, reason, .. }) = refusal.filter(|refusal| refusal.tell) {
            self.emit(component.map(|component| &component.name), Event::PublishRefused { subject, reason });
        }
    }

    /// A mailbox holds back until then.
    pub(crate) fn mailbox_pauses(&self, component: &Component, until: Mono, pause: Duration, crashes: u32) {
        let actor = &component.name;
        self.timers.set(Waiting::Mailbox(component.slot), Some(until));
        self.emit(Some(actor), Event::MailboxPaused { pause, crashes });
        self.set_cause(Cause::MailboxPaused(actor.clone()), true);
    }

    pub(super) fn hand_to_bus(&self, now: Now, message: Message) {
        let subject = message.subject.clone();
        match self.bus.publish(now, message) {
            // A bus that is closed for good is the end of the node, and no loss to tell of.
            Ok(()) | Err(BusError::Closed) => {}
            Err(error @ (BusError::Timeout(_) | BusError::Full(_) | BusError::Refused(_))) => {
                let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
                // Thousands may follow in a second: every doubling is told. That a log is lost is not
                // logged: the next would be lost as well.
                if lost.is_power_of_two() && !is_log(&subject) {
                    let reason = format!("{error}; {lost} lost so far").into();
                    self.emit(None, Event::PublishRefused { subject, reason });
                }
            }
        }
    }

    /// Sends a message as it is: a dead letter.
    pub(crate) fn relay(&self, message: Message) {
        let mut outbox = lock(&self.outbox);
        if let HandOver::Send(message) = outbox.relay(message) {
            self.hand_to_bus(self.clock.now(), *message);
        }
    }

    /// Answers from a place that must not wait for the outbox.
    pub(crate) fn respond_later(&self, answer: Message) {
        // When too many wait, the requester's own time-out is the answer.
        let _ = self.responses.try_send(answer);
    }

    pub(crate) fn forget_requests(&self, slot: Slot, incarnation: Incarnation) {
        let mut requests = lock(&self.requests);
        requests.forget(slot, incarnation);
        self.timers.set(Waiting::Requests, requests.deadline().map(|deadline| deadline.at));
    }

    pub(crate) fn emit(&self, actor: Option<&ActorName>, event: Event) {
        self.emit_about(actor, event, None);
    }

    /// The same for an event that a message led to.
    pub(crate) fn emit_about(&self, actor: Option<&ActorName>, event: Event, about: Option<&Message>) {
        if let Event::ActorStarted { incarnation } = &event
            && incarnation.0 > 1
        {
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
        let now = self.clock.now();
        let level = event.level();
        // Who ships does not hear of itself: a log about logs would never end.
        if self.logs.wants(level) && actor.is_none_or(|actor| self.logs.shipper() != Some(actor)) {
            let (trace, headers) = about.map(|message| self.logs.context(message)).unwrap_or_default();
            let said = Said::Event(actor.cloned(), event.clone());
            self.logs.push(LogRecord { ts: now.wall, level, said, trace, headers });
        }
        (self.observer)(&Record { unit: self.unit.clone(), actor: actor.cloned(), now, event });
    }

    /// Notes what stands against the node, and tells those who want to know when it changes.
    pub(crate) fn set_cause(&self, cause: Cause, stands: bool) {
        let mut state = lock(&self.health);
        if !state.set(cause, stands) {
            return;
        }
        let (health, causes) = (state.health(), state.causes());
        drop(state);
        self.tell_health(health, causes);
    }

    /// Notes that no such cause stands any longer.
    pub(super) fn clear_causes(&self, over: impl Fn(&Cause) -> bool) {
        let mut state = lock(&self.health);
        if !state.clear(over) {
            return;
        }
        let (health, causes) = (state.health(), state.causes());
        drop(state);
        self.tell_health(health, causes);
    }

    pub(super) fn tell_health(&self, health: Health, causes: Vec<String>) {
        self.emit(None, Event::NodeHealth { health, causes });
        self.tell(|| Control::Node(NodeReport::Health(health)), |sensor| matches!(sensor, Sensor::Node));
    }

    pub(crate) fn ended(&self, end: End) {
        self.end.send_if_modified(|present| {
            let first = present.is_none();
            if first {
                *present = Some(end);
            }
            first
        });
    }

    pub(super) fn fire(&self, waiting: Waiting, tree: &ActorRef<Told>) {
        match waiting {
            Waiting::Actor(slot) => self.component(slot.0 as usize).ring(),
            Waiting::Mailbox(slot) => {
                let component = self.component(slot.0 as usize);
                if component.resume(self.clock.now()) {
                    self.emit(Some(&component.name), Event::MailboxResumed);
                    self.set_cause(Cause::MailboxPaused(component.name.clone()), false);
                }
            }
            Waiting::Requests => self.expire(self.clock.mono()),
            Waiting::Pulse => {
                self.arm_pulse();
                // A tree that has ended gives no sign of life.
                let _ = tree.cast(Told::Pulse);
            }
            Waiting::Supervisor(timer) => {
                // A tree that has ended waits for nothing.
                let _ = tree.cast(Told::Timer(timer));
            }
        }
    }

    /// Gives a sign of life. The root of the actors does, and nobody else.
    pub(crate) fn beat(&self) {
        if let Some(pulse) = &self.pulse {
            (pulse.beat)();
        }
    }

    pub(super) fn arm_pulse(&self) {
        if let Some(pulse) = &self.pulse {
            self.timers.set(Waiting::Pulse, Some(self.clock.mono() + pulse.every));
        }
    }

    pub(super) fn expire(&self, now: Mono) {
        loop {
            let mut requests = lock(&self.requests);
            let Some(pending) = requests.expire(now) else {
                self.timers.set(Waiting::Requests, requests.deadline().map(|deadline| deadline.at));
                return;
            };
            drop(requests);
            self.conclude(pending, Err(RequestError::Timeout));
        }
    }
}
