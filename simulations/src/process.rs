//! One run of a node: its supervisor, its components and its way out, from start to end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nunect_core::health::{Cause, NodeHealth};
use nunect_core::log::Said;
use nunect_core::outbox::Outbox;
use nunect_core::protocol::command::{ChaosKind, CrashReport};
use nunect_core::random::{Entropy, Rng};
use nunect_core::requests::{Requests, Slot};
use nunect_core::table::Table;
use nunect_core::{
    ActorName, BusEvent, Catalog, ConfigError, Event, Health, Level, Message, Mono, NodeCommand, NodeReport, Now,
    PortName, RequestError, RequestId, Role, SessionId, StopReason, Subject, UnitId,
};
use nunect_supervisor::{Action, ChildId, Event as Report, TimerId, Tree};

use crate::around::Around;
use crate::component::{Answer, Component, Directory, End, Office, Senses};
use crate::node::NodeSpec;
use crate::sensor::HostSensor;
use crate::service::Service;
use crate::trace::Down;

mod command;
mod lives;

/// What the subscription to the answers of a node's own requests is called.
const INBOX: u32 = u32::MAX;

/// The reason of a crash that a scenario asked for.
const INJECTED: &str = "injected panic";

#[derive(Debug)]
pub(crate) struct Process {
    components: Vec<Component>,
    /// When something of each component is next due.
    due: Vec<Mono>,
    /// The earliest of them.
    next_due: Mono,
    /// The place of the actor that ships what the node has to say.
    shipper: Option<u32>,
    /// When the earliest timer of the supervisor is due.
    timer_due: Mono,
    hung: Option<Hung>,
    over: Option<Down>,
    /// What the monotonic clock showed last.
    last: Mono,
    office: Office,
    registry: Box<Registry>,
}

/// What is needed when lives begin and end. Kept apart from what every step touches: with thousands
/// of nodes, each further line of memory is one that is not in the cache.
#[derive(Debug)]
struct Registry {
    unit: UnitId,
    role: Role,
    session: SessionId,
    entropy: Entropy,
    started: Now,
    supervisor: Tree,
    timers: Vec<(TimerId, Mono)>,
    health: NodeHealth,
    host: HostSensor,
    log_level: Level,
    chaos: bool,
    /// The last crash of each component.
    crashes: Vec<Option<CrashReport>>,
}

/// An actor that does not come back.
#[derive(Clone, Copy, Debug)]
struct Hung {
    slot: u32,
    since: Mono,
    told: bool,
}

/// When a hang is told, and when the process ends for it (protocol, section 6).
const HANG_AFTER: Duration = Duration::from_millis(500);
const HANG_LIMIT: Duration = Duration::from_secs(2);

/// What follows from a step and is done before the next.
#[derive(Debug)]
pub(crate) enum Work {
    /// The supervisor wants it.
    Act(Action),
    /// A request failed before it left.
    Fail { slot: u32, id: RequestId, sent: Now, error: RequestError },
    /// The bus came or went.
    TellBus(BusEvent),
    /// The node does better or worse.
    TellHealth,
    /// An actor asks something of the node.
    Command { slot: u32, id: RequestId, command: NodeCommand },
    /// An actor gives something to the script behind a port.
    Port { slot: u32, port: PortName, bytes: Bytes },
    /// An actor suffers what a command wants.
    Suffer { slot: u32, what: ChaosKind },
}

impl Process {
    /// A node that is about to start.
    ///
    /// # Errors
    /// When the catalog does not know the kind of an actor.
    pub(crate) fn new(spec: &NodeSpec, catalog: &Catalog, entropy: Entropy, now: Now) -> Result<Self, ConfigError> {
        let session = SessionId::from_random(entropy.stream("session", 0).next_u64());
        let components = spec.actors.iter().zip(0..).map(|(actor, slot)| {
            let entry = catalog.get(&actor.kind).map_err(|error| error.under(actor.name.as_str()))?;
            let mut component = Component::new(slot, actor.name.clone(), Arc::clone(&spec.actors), *entry);
            if let Some(delay) = spec.service.get(&actor.kind) {
                let key = entropy.stream("service", slot.into()).next_u64();
                component.take_time(Service::new(*delay, key));
            }
            Ok(component)
        });
        let components = components.collect::<Result<Vec<_>, ConfigError>>()?;
        Ok(Self {
            due: vec![Mono::MAX; components.len()],
            next_due: Mono::MAX,
            shipper: None,
            timer_due: Mono::MAX,
            hung: None,
            components,
            over: None,
            last: now.mono,
            office: Office {
                outbox: Outbox::new(spec.unit.clone(), session.clone()),
                requests: Requests::new(spec.unit.clone(), session.clone()),
                work: VecDeque::new(),
                directory: Directory::default(),
            },
            registry: Box::new(Registry {
                unit: spec.unit.clone(),
                role: spec.role,
                session,
                started: now,
                supervisor: Tree::new(spec.tree(), entropy.clone()),
                timers: Vec::new(),
                health: NodeHealth::default(),
                host: HostSensor::new(&entropy),
                log_level: Level::default(),
                chaos: spec.chaos,
                crashes: vec![None; spec.actors.len()],
                entropy,
            }),
        })
    }

    /// Starts: connects when the server is in reach, then starts the actors.
    pub(crate) fn start(&mut self, now: Now, around: &mut Around<'_>) {
        around.emit(None, Event::NodeStarted { session: self.registry.session.clone() });
        if around.world.open(around.at, around.node, around.heap) {
            self.connect(now, around);
        } else {
            around.emit(None, Event::BusDisconnected);
            self.set_health(Cause::BusAway, true, around);
        }
        self.report(now, Report::Start, around);
    }

    /// Whether and how it ended by itself.
    pub(crate) const fn over(&self) -> Option<Down> {
        self.over
    }

    /// Notes what the monotonic clock shows. Returns what it showed before, if that was later.
    #[inline]
    pub(crate) fn note_time(&mut self, now: Mono) -> Option<Mono> {
        let before = std::mem::replace(&mut self.last, now);
        (before > now).then_some(before)
    }

    pub(crate) fn components(&self) -> &[Component] {
        &self.components
    }

    pub(crate) fn component(&self, slot: u32) -> Option<&Component> {
        self.components.get(index(slot))
    }

    /// The units that its actors see, and how they do.
    pub(crate) const fn directory(&self) -> &Table<UnitId, Health> {
        self.office.directory.units()
    }

    pub(crate) fn health(&self) -> Health {
        self.registry.health.health()
    }

    /// Restarts of all actors in this run.
    pub(crate) fn restarts(&self) -> u32 {
        self.components.iter().map(Component::restarts).sum()
    }

    /// When something of it is next due.
    pub(crate) fn next_due(&self) -> Mono {
        let requests = self.office.requests.deadline().map_or(Mono::MAX, |due| due.at);
        requests.min(self.next_due).min(self.timer_due).min(self.hang_due())
    }

    fn hang_due(&self) -> Mono {
        self.hung.map_or(Mono::MAX, |hung| hung.since + if hung.told { HANG_LIMIT } else { HANG_AFTER })
    }

    /// Whether somebody on it wants to know what it has to say.
    pub(crate) const fn is_heard(&self) -> bool {
        self.shipper.is_some()
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Now, around: &mut Around<'_>) {
        if self.hang_due() <= now.mono {
            self.find_hung(now, around);
        }
        while self.timer_due <= now.mono {
            let due = self.registry.timers.iter().position(|&(_, at)| at <= now.mono);
            let timer = due.map(|due| self.registry.timers.remove(due).0);
            self.note_timers();
            if let Some(timer) = timer {
                self.report(now, Report::Timer(timer), around);
            }
        }
        while let Some(late) = self.office.requests.expire(now.mono) {
            self.outcome(now, late.slot, (late.id, late.sent), Err(RequestError::Timeout), around);
            self.settle(now, around);
        }
        for slot in 0..self.components.len() {
            if self.due[slot] <= now.mono {
                self.wake_component(now, slot, around);
                self.settle(now, around);
            }
        }
    }

    /// A message arrives on one of its subscriptions.
    pub(crate) fn arrive(&mut self, now: Now, tag: u32, mut message: Box<Message>, around: &mut Around<'_>) {
        if tag == INBOX {
            message.received = now;
            if let Some(pending) = self.office.requests.close(&message.subject) {
                self.outcome(now, pending.slot, (pending.id, pending.sent), Ok(&message), around);
            }
        } else if let Some(component) = self.components.get_mut(index(tag)) {
            let end = component.arrive(now, message, &mut self.office, around);
            self.after(now, index(tag), end, around);
        }
        self.settle(now, around);
    }

    /// The server says that nobody listens to a request.
    pub(crate) fn unanswered(&mut self, now: Now, reply: &Subject, around: &mut Around<'_>) {
        if let Some(pending) = self.office.requests.close(reply) {
            self.outcome(now, pending.slot, (pending.id, pending.sent), Err(RequestError::NoResponders), around);
        }
        self.settle(now, around);
    }

    /// The server is in reach: subscribes, sends what waited, and tells the actors.
    pub(crate) fn connect(&mut self, now: Now, around: &mut Around<'_>) {
        around.world.connect(around.node);
        around.subscribe(INBOX, &self.office.requests.pattern(), None);
        for component in &self.components {
            component.subscribe(around);
        }
        for message in self.office.outbox.connected(now) {
            around.publish(Box::new(message));
        }
        around.emit(None, Event::BusConnected);
        self.set_health(Cause::BusAway, false, around);
        self.office.work.push_back(Work::TellBus(BusEvent::Connected));
        self.settle(now, around);
    }

    /// It noticed that the server is out of reach.
    pub(crate) fn disconnect(&mut self, now: Now, around: &mut Around<'_>) {
        around.world.disconnect(around.at, around.node, false, around.heap);
        self.office.outbox.disconnected();
        around.emit(None, Event::BusDisconnected);
        // Whoever tells of a change of health must know that nobody can hear it.
        self.office.work.push_back(Work::TellBus(BusEvent::Disconnected));
        self.set_health(Cause::BusAway, true, around);
        self.settle(now, around);
    }

    /// Stops as an operator asks it to: the actors say goodbye.
    pub(crate) fn stop(&mut self, now: Now, around: &mut Around<'_>) {
        around.emit(None, Event::NodeStopping);
        self.report(now, Report::Stop(StopReason::NodeShutdown), around);
    }

    /// Harms an actor, at once and on no message.
    pub(crate) fn harm(&mut self, now: Now, slot: u32, what: ChaosKind, around: &mut Around<'_>) {
        self.suffer(now, slot, what, around);
        self.settle(now, around);
    }

    /// Goes on after it stood still since `since`, and does what is due. Nobody hung meanwhile: whoever
    /// looks for that stood still, too.
    pub(crate) fn resume(&mut self, now: Now, since: Mono, around: &mut Around<'_>) {
        if let Some(hung) = &mut self.hung {
            hung.since = hung.since + now.mono.since(since);
        }
        self.wake(now, around);
    }

    /// Tells the supervisor, and does what it says.
    fn report(&mut self, now: Now, report: Report, around: &mut Around<'_>) {
        self.tell_supervisor(now, report);
        self.settle(now, around);
    }

    fn tell_supervisor(&mut self, now: Now, report: Report) {
        let actions = self.registry.supervisor.step(now.mono, report);
        self.office.work.extend(actions.into_iter().map(Work::Act));
    }

    /// Does what is left to do, until nothing is.
    fn settle(&mut self, now: Now, around: &mut Around<'_>) {
        while self.over.is_none() {
            if let Some(work) = self.office.work.pop_front() {
                self.work(now, work, around);
            } else if !self.ship(now, around) {
                return;
            }
        }
    }

    /// Gives what was said to the actor that ships it. Returns whether there was anything.
    fn ship(&mut self, now: Now, around: &mut Around<'_>) -> bool {
        let Some(slot) = self.shipper else { return false };
        let Some(said) = around.said.as_mut().filter(|said| !said.is_empty()) else { return false };
        let said = std::mem::take(said);
        let own = &self.components[index(slot)].name;
        let heard: Vec<_> = said
            .into_iter()
            .filter(|record| record.level >= self.registry.log_level)
            // A log about logs would never end.
            .filter(|record| !matches!(&record.said, Said::Event(Some(actor), _) if actor == own))
            .collect();
        let any = !heard.is_empty();
        for mut record in heard {
            record.ts = now.wall;
            let end = self.components[index(slot)].log(now, &record, &mut self.office, around);
            self.after(now, index(slot), end, around);
        }
        any
    }

    fn work(&mut self, now: Now, work: Work, around: &mut Around<'_>) {
        match work {
            Work::Act(action) => self.act(now, action, around),
            Work::Fail { slot, id, sent, error } => self.outcome(now, Slot(slot), (id, sent), Err(error), around),
            Work::TellBus(bus) => {
                for slot in 0..self.components.len() {
                    let end = self.components[slot].sense_bus(now, &bus, &mut self.office, around);
                    self.after(now, slot, end, around);
                }
            }
            Work::Command { slot, id, command } => self.command(now, slot, id, command, around),
            Work::Port { slot, port, bytes } => {
                let component = &self.components[index(slot)];
                let Some(life) = component.incarnation() else { return };
                for said in around.ports.give(port, &self.registry.unit, now, &bytes) {
                    let answer = Answer::Port(port, said);
                    let end = self.components[index(slot)].answer(now, life, &answer, &mut self.office, around);
                    self.after(now, index(slot), end, around);
                }
            }
            Work::Suffer { slot, what } => self.suffer(now, slot, what, around),
            Work::TellHealth => {
                for slot in 0..self.components.len() {
                    let node = NodeReport::Health(self.health());
                    let end = self.components[slot].sense_node(now, &node, &mut self.office, around);
                    self.after(now, slot, end, around);
                }
            }
        }
    }

    fn act(&mut self, now: Now, action: Action, around: &mut Around<'_>) {
        match action {
            Action::Start { child, generation } => self.begin(now, child, generation, around),
            Action::Stop { child, reason, .. } => {
                let Some(slot) = self.slot(child) else { return };
                let component = &mut self.components[slot];
                let end = component.stop(now, reason, &mut self.office, around);
                self.after(now, slot, end.and(Err(End::Stopped(reason.to_string()))), around);
            }
            Action::Kill { child, .. } => {
                let Some(slot) = self.slot(child) else { return };
                self.after(now, slot, Err(End::Killed), around);
            }
            Action::Arm { timer, at } => {
                self.registry.timers.push((timer, at));
                self.note_timers();
            }
            Action::Cancel(timer) => {
                self.registry.timers.retain(|&(other, _)| other != timer);
                self.note_timers();
            }
            Action::Emit { who, event } => {
                let waits = matches!(event, Event::RestartScheduled { .. });
                around.emit(self.number(&who).map(|number| (number, &who)), event);
                // A group that waits is its actors that are down; each ends that by its start.
                for child in self.registry.supervisor.find_all(&who).into_iter().filter(|_| waits) {
                    if let Some(name) = self.registry.supervisor.name(child).cloned() {
                        self.set_health(Cause::ActorDown(name), true, around);
                    }
                }
            }
            Action::Escalate { .. } => self.over = Some(Down::Escalated),
            Action::Completed { .. } | Action::Stopped => self.over = Some(Down::Stopped),
        }
    }

    /// The place of a child of the tree, which has an order of its own, among the components.
    fn slot(&self, child: ChildId) -> Option<usize> {
        let name = self.registry.supervisor.name(child)?;
        self.components.iter().position(|component| component.name == *name)
    }

    /// The number of an actor or a group in the trace, see [`NodeSpec::number`].
    fn number(&self, who: &ActorName) -> Option<u32> {
        let actors = self.components.iter().map(|component| &component.name);
        let all = actors.chain(self.registry.supervisor.groups());
        (0..).zip(all).find(|(_, name)| *name == who).map(|(number, _)| number)
    }

    fn wake_component(&mut self, now: Now, slot: usize, around: &mut Around<'_>) {
        let component = &mut self.components[slot];
        let resumed = component.resume(now);
        if resumed {
            let name = component.name.clone();
            around.emit(Some((component.slot, &name)), Event::MailboxResumed);
            self.set_health(Cause::MailboxPaused(name), false, around);
        }
        if self.components[slot].wants_link(now) {
            let report = self.office.outbox.is_connected().then(|| self.registry.host.round_trip());
            let end = self.components[slot].sense_link(now, report, &mut self.office, around);
            self.after(now, slot, end, around);
        }
        if self.components[slot].wants_host(now) {
            let report = self.registry.host.measure();
            let end = self.components[slot].sense_host(now, report, &mut self.office, around);
            self.after(now, slot, end, around);
        }
        if self.components[slot].wants_clock(now) {
            let end = self.components[slot].sense_clock(now, &mut self.office, around);
            self.after(now, slot, end, around);
        }
        let component = &mut self.components[slot];
        let end = if resumed || component.has_done(now) {
            component.drain(now, &mut self.office, around)
        } else {
            component.wake(now, &mut self.office, around)
        };
        self.after(now, slot, end, around);
    }

    /// An actor learns the outcome of a request, if the life that made it lasts.
    fn outcome(
        &mut self,
        now: Now,
        slot: Slot,
        request: (RequestId, Now),
        result: Result<&Message, RequestError>,
        around: &mut Around<'_>,
    ) {
        if let Some(component) = self.components.get_mut(index(slot.0)) {
            let end = component.reply(now, request, result, &mut self.office, around);
            self.after(now, index(slot.0), end, around);
        }
    }

    /// Ends a life when its last input ended it. Comes after whatever a component was given.
    fn after(&mut self, now: Now, slot: usize, end: Result<(), End>, around: &mut Around<'_>) {
        if let Err(end) = end {
            self.end(now, slot, end, around);
        }
        let due = self.components[slot].next_due();
        if due != self.due[slot] {
            self.due[slot] = due;
            self.next_due = self.due.iter().copied().min().unwrap_or(Mono::MAX);
        }
    }

    fn note_timers(&mut self) {
        self.timer_due = self.registry.timers.iter().map(|&(_, at)| at).min().unwrap_or(Mono::MAX);
    }

    /// Notes that `cause` stands, or no longer stands.
    fn set_health(&mut self, cause: Cause, stands: bool, around: &mut Around<'_>) {
        let health = &mut self.registry.health;
        if health.set(cause, stands) {
            let (health, causes) = (health.health(), health.causes());
            around.emit(None, Event::NodeHealth { health, causes });
            self.office.work.push_back(Work::TellHealth);
        }
    }
}

/// What may be sensed at present.
fn senses(office: &Office, registry: &mut Registry) -> Senses {
    let connected = office.outbox.is_connected();
    Senses {
        host: registry.host.measure(),
        bus: if connected { BusEvent::Connected } else { BusEvent::Disconnected },
        node: NodeReport::Health(registry.health.health()),
    }
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}
