//! A node: a tree of supervised actors on one bus.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use nunect_core::actor::Birth;
use nunect_core::health::{Cause, NodeHealth};
use nunect_core::outbox::{HandOver, Outbox};
use nunect_core::random::Entropy;
use nunect_core::requests::{Pending, Requests, Slot};
use nunect_core::{
    ActorName, ActorSpec, BusEvent, Catalog, ConfigError, Effect, Event, Health, HostReport, Incarnation, Message,
    Mono, NodeReport, Now, RequestError, Role, Sensor, SessionId, StopReason, Subscription, UnitId,
};
use nunect_supervisor::{Backoff, ChildSpec, Intensity, Spec, Strategy, Supervisor};
use ractor::ActorRef;
use tokio::sync::{mpsc, oneshot, watch};

use crate::bus::{Bus, BusError, Inbound};
use crate::clock::Clock;
use crate::component::{Component, Control};
use crate::sensor::HostSensor;
use crate::sync::lock;
use crate::timers::{Timers, Waiting};
use crate::tree::{Root, Told, Tree};

/// Answers of full mailboxes that may wait; beyond it the requester's own time-out answers.
const RESPONSES_MAX: usize = 1_024;
/// How long a node waits at its start for a bus that is about to be there.
const BUS_PATIENCE: Duration = Duration::from_millis(500);
/// How long a node may take to stop, all in all (5 s), less what the bus gets.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// How long the bus may take for what was published last.
const BUS_GRACE: Duration = Duration::from_millis(1_500);
/// How often the host is measured at most.
const SENSE_MIN: Duration = Duration::from_millis(250);
/// How long before the end of the first period the host is measured, a quarter of it at most: who
/// asked for the period then tells the figure with its next message, and not with the one after.
const SENSE_AHEAD: Duration = Duration::from_millis(250);

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its name on the bus.
    pub unit: UnitId,
    /// What it is for.
    pub role: Role,
    /// Its run; drawn anew at every start.
    pub session: SessionId,
    /// Where its randomness comes from.
    pub entropy: Entropy,
    /// Its actors, in the order of their start.
    pub actors: Vec<ActorSpec>,
    /// Who restarts with an actor that crashed.
    pub strategy: Strategy,
    /// How many crashes are too many.
    pub intensity: Intensity,
    /// How long an actor that keeps crashing waits.
    pub backoff: Backoff,
}

impl NodeSpec {
    /// A node of these actors, with a session and randomness from the operating system, and the
    /// default supervision.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new(unit: UnitId, role: Role, actors: Vec<ActorSpec>) -> Result<Self, StartError> {
        let mut secret = [0; 40];
        getrandom::fill(&mut secret).map_err(|error| StartError::Entropy(error.to_string()))?;
        let (seed, session) = secret.split_first_chunk::<32>().expect("40 bytes begin with 32");
        let session = session.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Ok(Self {
            unit,
            role,
            session: SessionId::from_random(session),
            entropy: Entropy::new(*seed),
            actors,
            strategy: Strategy::default(),
            intensity: Intensity::default(),
            backoff: Backoff::default(),
        })
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An actor's configuration is wrong.
    #[error("actors.{0}")]
    Config(#[from] ConfigError),
    /// No randomness.
    #[error("the operating system gives no randomness: {0}")]
    Entropy(String),
    /// The node's own inbox could not be subscribed to.
    #[error("the bus did not take the node's first subscription")]
    Bus(#[from] BusError),
    /// The tree could not be spawned.
    #[error("the root supervisor did not start: {0}")]
    Spawn(String),
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As asked.
    Stopped,
    /// An actor crashed more often than the intensity allows.
    Escalated {
        /// Which.
        actor: ActorName,
        /// How often within the window.
        crashes: u32,
        /// The window.
        period: Duration,
        /// Why, the last time.
        reason: String,
    },
}

/// An event, with whom it happened to and when.
#[derive(Clone, Debug)]
pub struct Record {
    /// On which unit.
    pub unit: UnitId,
    /// To which actor; `None`: the node as a whole.
    pub actor: Option<ActorName>,
    /// When, by the node's clocks.
    pub now: Now,
    /// What.
    pub event: Event,
}

/// Who is told what happens. It must not block.
pub type Observer = Box<dyn Fn(&Record) + Send + Sync>;

/// What a node says about itself.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its name.
    pub unit: UnitId,
    /// Its run.
    pub session: SessionId,
    /// What its bus is.
    pub bus: String,
    /// Whether the bus is there.
    pub connected: bool,
    /// How it does.
    pub health: Health,
    /// Since when it lives.
    pub uptime: Duration,
    /// How many lives of actors were not the first.
    pub restarts: u32,
    /// Messages handed to the bus.
    pub sent: u64,
    /// Of these, messages that it did not take.
    pub lost: u64,
}

/// A node that runs. Dropping it is like pulling the plug: nothing is said any more.
pub struct Node {
    shared: Arc<Shared>,
    tree: ActorRef<Told>,
    end: watch::Receiver<Option<End>>,
    tasks: Vec<tokio::task::AbortHandle>,
}

/// What the parts of one node share.
pub(crate) struct Shared {
    pub(crate) unit: UnitId,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Clock,
    pub(crate) timers: Timers,
    role: Role,
    session: SessionId,
    entropy: Entropy,
    started: Now,
    components: Vec<Arc<Component>>,
    outbox: Mutex<Outbox>,
    requests: Mutex<Requests>,
    health: Mutex<NodeHealth>,
    observer: Observer,
    responses: mpsc::Sender<Message>,
    sensor: Mutex<(HostSensor, HostReport)>,
    sense_every: watch::Sender<Option<Duration>>,
    restarts: AtomicU32,
    lost: AtomicU64,
    end: watch::Sender<Option<End>>,
}

impl Node {
    /// Starts a node on its bus, and returns when its actors are up: what is published from then on
    /// reaches them. Everything that happens to the node goes to `observer`.
    ///
    /// # Errors
    /// When the configuration of an actor is wrong, or the bus refuses the node.
    pub async fn start(
        spec: NodeSpec,
        catalog: &Catalog,
        bus: Arc<dyn Bus>,
        clock: Clock,
        observer: Observer,
    ) -> Result<Self, StartError> {
        for actor in &spec.actors {
            catalog.check(actor)?;
        }
        let entries =
            spec.actors.iter().map(|actor| catalog.get(&actor.kind).copied()).collect::<Result<Vec<_>, _>>()?;
        let (responses, waiting) = mpsc::channel(RESPONSES_MAX);
        let (end, ended) = watch::channel(None);
        let (sense_every, sense) = watch::channel(None);
        let children = spec.actors.iter().map(|actor| ChildSpec::new(actor.name.clone())).collect();
        let shared = Arc::new_cyclic(|node: &Weak<Shared>| {
            let component = |(index, (actor, entry)): (usize, (ActorSpec, _))| {
                let slot = Slot(u32::try_from(index).unwrap_or(u32::MAX));
                Arc::new(Component::new(slot, actor, entry, Weak::clone(node)))
            };
            let mut sensor = HostSensor::new();
            let first = sensor.sample();
            Shared {
                outbox: Mutex::new(Outbox::new(spec.unit.clone(), spec.session.clone())),
                requests: Mutex::new(Requests::new(spec.unit.clone(), spec.session.clone())),
                components: spec.actors.into_iter().zip(entries).enumerate().map(component).collect(),
                unit: spec.unit,
                role: spec.role,
                session: spec.session,
                entropy: spec.entropy.clone(),
                started: clock.now(),
                bus,
                clock,
                timers: Timers::default(),
                health: Mutex::default(),
                observer,
                responses,
                sensor: Mutex::new((sensor, first)),
                sense_every,
                restarts: AtomicU32::new(0),
                lost: AtomicU64::new(0),
                end,
            }
        });
        shared.emit(None, Event::NodeStarted { session: shared.session.clone() });
        shared.connect().await?;
        let supervision = Spec { strategy: spec.strategy, intensity: spec.intensity, backoff: spec.backoff, children };
        let machine = Supervisor::new(supervision, spec.entropy.stream("supervisor", 0));
        let (started, running) = oneshot::channel();
        let root = Root::new(Arc::clone(&shared), machine, started);
        let (tree, _) =
            ractor::Actor::spawn(None, Tree, root).await.map_err(|error| StartError::Spawn(error.to_string()))?;
        let mut tasks = Vec::new();
        let mut spawn = |task: tokio::task::JoinHandle<()>| tasks.push(task.abort_handle());
        spawn(tokio::spawn(timing(Arc::clone(&shared), tree.clone())));
        spawn(tokio::spawn(responding(Arc::clone(&shared), waiting)));
        spawn(tokio::spawn(sensing(Arc::clone(&shared), sense)));
        // A tree that ended instead has said why.
        let _ = running.await;
        Ok(Self { shared, tree, end: ended, tasks })
    }

    /// What the node says about itself.
    #[must_use]
    pub fn status(&self) -> Status {
        let outbox = lock(&self.shared.outbox);
        Status {
            unit: self.shared.unit.clone(),
            session: self.shared.session.clone(),
            bus: self.shared.bus.describe(),
            connected: outbox.is_connected(),
            sent: outbox.counters().sent,
            lost: self.shared.lost.load(Ordering::Relaxed),
            health: lock(&self.shared.health).health(),
            uptime: self.shared.clock.mono().since(self.shared.started.mono),
            restarts: self.shared.restarts.load(Ordering::Relaxed),
        }
    }

    /// Resolves when the node has ended, by itself or as asked.
    pub async fn ended(&self) -> End {
        let mut end = self.end.clone();
        // The sender lives as long as the node.
        end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()).unwrap_or(End::Stopped)
    }

    /// Stops the actors in the reverse order of their start, sends their last words, and ends; within
    /// 5 s, whatever an actor or the bus does.
    pub async fn stop(self) -> End {
        self.shared.emit(None, Event::NodeStopping);
        let end = match self.tree.cast(Told::Stop) {
            Ok(()) => tokio::time::timeout(STOP_PATIENCE, self.ended()).await.unwrap_or(End::Stopped),
            // The tree has ended before: it escalated.
            Err(_) => self.ended().await,
        };
        self.shared.bus.close(BUS_GRACE).await;
        end
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shared.bus.abandon();
        self.tree.kill();
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Shared {
    pub(crate) fn component(&self, index: usize) -> &Arc<Component> {
        &self.components[index]
    }

    pub(crate) fn components(&self) -> impl Iterator<Item = &Arc<Component>> {
        self.components.iter()
    }

    /// Subscribes to answers, and follows the bus from now on.
    async fn connect(self: &Arc<Self>) -> Result<(), BusError> {
        let inbox = Subscription::from(lock(&self.requests).pattern());
        let node = Arc::downgrade(self);
        let sink = Arc::new(move |inbound| {
            if let Some(node) = node.upgrade() {
                node.answered(inbound);
            }
        });
        self.bus.subscribe(&inbox, sink).await?;
        let (present, mut known) = watch::channel(None);
        let node = Arc::downgrade(self);
        self.bus.watch(Box::new(move |event| {
            if let Some(node) = node.upgrade() {
                let before = present.send_replace(Some(event));
                node.bus_changed(event, before.is_none());
            }
        }));
        // A bus that is about to be there is waited for: the first thing a node says should not be
        // that it is deaf. It then says so all the same.
        let connected = known.wait_for(|event| *event == Some(BusEvent::Connected));
        let waited = tokio::time::timeout(BUS_PATIENCE, connected).await;
        // It may have come in the very moment that the time was up.
        if waited.is_err() && !lock(&self.outbox).is_connected() {
            self.emit(None, Event::BusDisconnected);
            self.set_cause(Cause::BusAway, true);
        }
        Ok(())
    }

    fn bus_changed(&self, event: BusEvent, first: bool) {
        match event {
            BusEvent::Connected => {
                let now = self.clock.now();
                let mut outbox = lock(&self.outbox);
                for message in outbox.connected(now) {
                    self.hand_to_bus(now, message);
                }
                drop(outbox);
                self.emit(None, Event::BusConnected);
            }
            // At first it is merely not there yet.
            BusEvent::Disconnected if first => return,
            BusEvent::Disconnected => {
                lock(&self.outbox).disconnected();
                self.emit(None, Event::BusDisconnected);
            }
        }
        // Whoever tells of a change of health must know whether anybody can hear it: what is said to
        // an absent bus is told when it is back, as if it were new.
        let tell_bus = || self.tell(|| Control::Bus(event), |sensor| matches!(sensor, Sensor::Bus));
        match event {
            BusEvent::Connected => {
                self.set_cause(Cause::BusAway, false);
                tell_bus();
            }
            BusEvent::Disconnected => {
                tell_bus();
                self.set_cause(Cause::BusAway, true);
            }
        }
    }

    /// Gives an input to every actor that wants it.
    fn tell(&self, control: impl Fn() -> Control, wanted: impl Fn(&Sensor) -> bool + Copy) {
        for component in self.components.iter().filter(|component| component.wants(wanted)) {
            component.control(control());
        }
    }

    fn answered(&self, inbound: Inbound) {
        let (subject, result) = match inbound {
            Inbound::Message(message) => (message.subject.clone(), Ok(message)),
            Inbound::NoResponders(subject) => (subject, Err(RequestError::NoResponders)),
        };
        let pending = lock(&self.requests).close(&subject);
        if let Some(pending) = pending {
            self.conclude(pending, result);
        }
    }

    fn conclude(&self, pending: Pending, result: Result<Box<Message>, RequestError>) {
        self.components[pending.slot.0 as usize].reply(pending.id, pending.sent, result);
    }

    /// The inputs that a life begins with: it has started, and this is how things stand.
    pub(crate) fn first_inputs(&self, component: &Component) -> Vec<Control> {
        let mut inputs = vec![Control::Started];
        if component.wants(|sensor| matches!(sensor, Sensor::Host { .. })) {
            inputs.push(Control::Host(lock(&self.sensor).1));
        }
        if component.wants(|sensor| matches!(sensor, Sensor::Node)) {
            inputs.push(Control::Node(NodeReport::Health(lock(&self.health).health())));
        }
        if component.wants(|sensor| matches!(sensor, Sensor::Bus)) {
            let connected = lock(&self.outbox).is_connected();
            inputs.push(Control::Bus(if connected { BusEvent::Connected } else { BusEvent::Disconnected }));
        }
        inputs
    }

    /// Measures the host as often as the most eager actor wants.
    pub(crate) fn sense(&self, sensors: &[Sensor]) {
        for sensor in sensors {
            if let Sensor::Host { every } = sensor {
                let every = (*every).max(SENSE_MIN);
                self.sense_every.send_if_modified(|present| {
                    let sooner = present.is_none_or(|present| every < present);
                    if sooner {
                        *present = Some(every);
                    }
                    sooner
                });
            }
        }
    }

    pub(crate) fn birth(&self, component: &Component, incarnation: Incarnation) -> Birth {
        Birth {
            unit: self.unit.clone(),
            role: self.role,
            session: self.session.clone(),
            actor: component.spec.name.clone(),
            incarnation,
            unit_started: self.started,
            entropy: self.entropy.clone(),
        }
    }

    /// Carries out the effects of one input. Returns why the life is to end, if it is.
    pub(crate) fn carry_out(&self, component: &Component, effects: impl Iterator<Item = Effect>) -> Option<String> {
        let mut end = None;
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
                        Ok(message) => self.hand_to_bus(now, message),
                        Err(error) => component.reply(id, now, Err(error)),
                    }
                }
                Effect::Emit(event) => self.emit(Some(&component.spec.name), event),
                Effect::Stop(reason) => end = Some(reason.into_owned()),
            }
        }
        end
    }

    /// Numbers a message and hands it to the bus in one step, so that wire order is sequence order.
    fn hand_over(&self, component: &Component, give: impl FnOnce(&mut Outbox, Now) -> HandOver) {
        let mut outbox = lock(&self.outbox);
        let now = self.clock.now();
        match give(&mut outbox, now) {
            HandOver::Send(message) => self.hand_to_bus(now, message),
            HandOver::Kept => {}
            HandOver::Refused { subject, reason, first } => {
                drop(outbox);
                if first {
                    self.emit(Some(&component.spec.name), Event::PublishRefused { subject, reason });
                }
            }
        }
    }

    fn hand_to_bus(&self, now: Now, message: Message) {
        let subject = message.subject.clone();
        match self.bus.publish(now, message) {
            // A bus that is closed for good is the end of the node, and no loss to tell of.
            Ok(()) | Err(BusError::Closed) => {}
            Err(error @ (BusError::Timeout(_) | BusError::Full(_) | BusError::Refused(_))) => {
                let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
                // Thousands may follow in a second: every doubling is told.
                if lost.is_power_of_two() {
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
            self.hand_to_bus(self.clock.now(), message);
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
        if let Event::ActorStarted { incarnation } = &event
            && incarnation.0 > 1
        {
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
        (self.observer)(&Record { unit: self.unit.clone(), actor: actor.cloned(), now: self.clock.now(), event });
    }

    /// Notes what stands against the node, and tells those who want to know when it changes.
    pub(crate) fn set_cause(&self, cause: Cause, stands: bool) {
        let mut state = lock(&self.health);
        if !state.set(cause, stands) {
            return;
        }
        let (health, causes) = (state.health(), state.causes());
        drop(state);
        self.emit(None, Event::NodeHealth { health, causes });
        self.tell(|| Control::Node(NodeReport::Health(health)), |sensor| matches!(sensor, Sensor::Node));
    }

    pub(crate) fn stop_words(&self, reason: StopReason) -> String {
        match reason {
            StopReason::NodeShutdown => "the node stops",
            StopReason::Restart => "a sibling restarts",
            StopReason::Command => "as commanded",
        }
        .to_owned()
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

    fn fire(&self, waiting: Waiting, tree: &ActorRef<Told>) {
        match waiting {
            Waiting::Actor(slot) => self.components[slot.0 as usize].ring(),
            Waiting::Mailbox(slot) => {
                let component = &self.components[slot.0 as usize];
                if component.resume(self.clock.now()) {
                    self.emit(Some(&component.spec.name), Event::MailboxResumed);
                    self.set_cause(Cause::MailboxPaused(component.spec.name.clone()), false);
                }
            }
            Waiting::Requests => self.expire(self.clock.mono()),
            Waiting::Supervisor(timer) => {
                // A tree that has ended waits for nothing.
                let _ = tree.cast(Told::Timer(timer));
            }
        }
    }

    fn expire(&self, now: Mono) {
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

async fn timing(node: Arc<Shared>, tree: ActorRef<Told>) {
    node.timers.run(node.clock, |waiting| node.fire(waiting, &tree)).await;
}

async fn responding(node: Arc<Shared>, mut waiting: mpsc::Receiver<Message>) {
    while let Some(answer) = waiting.recv().await {
        let mut outbox = lock(&node.outbox);
        let now = node.clock.now();
        if let HandOver::Send(answer) = outbox.respond(now, answer) {
            node.hand_to_bus(now, answer);
        }
    }
}

async fn sensing(node: Arc<Shared>, mut every: watch::Receiver<Option<Duration>>) {
    let mut ahead = SENSE_AHEAD;
    loop {
        let period = *every.borrow_and_update();
        let wait = period.map(|period| period.saturating_sub(ahead.min(period / 4)).max(SENSE_MIN));
        let changed = match wait {
            None => every.changed().await.is_ok(),
            Some(wait) => match tokio::time::timeout(wait, every.changed()).await {
                Ok(changed) => changed.is_ok(),
                Err(_) => {
                    ahead = Duration::ZERO;
                    let mut sensor = lock(&node.sensor);
                    let report = sensor.0.sample();
                    sensor.1 = report;
                    drop(sensor);
                    node.tell(|| Control::Host(report), |sensor| matches!(sensor, Sensor::Host { .. }));
                    true
                }
            },
        };
        if !changed {
            return;
        }
    }
}
