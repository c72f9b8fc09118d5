//! A node: a tree of supervised actors on one bus.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use nunect_core::actor::Birth;
use nunect_core::capability::{Capability, Grants};
use nunect_core::health::{Cause, NodeHealth};
use nunect_core::log::Said;
use nunect_core::outbox::{Counters, Failed, HandOver, Outbox, Refusal};
use nunect_core::protocol::log::is_log;
use nunect_core::random::Entropy;
use nunect_core::requests::{Pending, Requests, Slot};
use nunect_core::{
    ActorName, ActorSpec, BusEvent, Catalog, ConfigError, Contract, Effect, Event, Health, HostReport, Incarnation,
    Level, LinkReport, LogRecord, Message, Mono, NodeAnswer, NodeCommand, NodeRefusal, NodeReport, Now, PortName,
    RequestError, RequestId, Role, Sensor, SessionId, StopReason, Subscription, UnitId,
};
use nunect_supervisor::{Backoff, ChildSpec, Intensity, Spec, Strategy, Supervisor};
use ractor::ActorRef;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::bus::{Bus, BusError, Inbound};
use crate::clock::Clock;
use crate::component::{Component, Control};
use crate::directory::Directory;
use crate::logs::Logs;
use crate::port::{Port, Ports};
use crate::sensor::HostSensor;
use crate::sync::lock;
use crate::telemetry::Tap;
use crate::timers::{Timers, Waiting};
use crate::tree::{Root, Told, Tree};
use crate::watchdog::{self, HangLimits};

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
/// How long the round trip to the server may take before it counts as unknown.
const LINK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long what actors left to the tasks behind their ports may take when the node stops.
const PORT_GRACE: Duration = Duration::from_millis(500);

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
    /// When an actor that does not come back counts as hung, and when the node ends for it.
    pub hang: HangLimits,
    /// What it may publish; `None`: everything.
    pub capabilities: Option<Vec<Capability>>,
    /// Whether commands may do harm to its actors.
    pub chaos: bool,
    /// From which level on it writes down what happens.
    pub log_level: Level,
    /// The headers of messages that stand beside what is written about them.
    pub include_fields: Vec<String>,
    /// The tasks behind the ports of its actors.
    pub ports: Ports,
    /// Where the process's own records come from.
    pub tap: Option<Tap>,
    /// Called by the root of its actors so often: who calls it is known to work.
    pub pulse: Option<Pulse>,
}

/// A sign of life, and how often it is due.
#[derive(Clone)]
pub struct Pulse {
    /// The period.
    pub every: Duration,
    /// What gives it. It must not block.
    pub beat: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulse").field("every", &self.every).finish_non_exhaustive()
    }
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
            hang: HangLimits::default(),
            capabilities: None,
            chaos: false,
            log_level: Level::default(),
            include_fields: Vec::new(),
            ports: Ports::default(),
            tap: None,
            pulse: None,
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
    /// An actor does not come back: nothing but the end of the process helps.
    Hung {
        /// Which.
        actor: ActorName,
        /// From what: a subject, or the kind of input.
        on: String,
        /// For how long already.
        running: Duration,
    },
    /// Another node of this name was there before.
    Duplicate {
        /// The other's run.
        session: SessionId,
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
    /// All that the outbox has seen.
    pub outbox: Counters,
}

/// A node that runs. Dropping it is like pulling the plug: nothing is said any more.
pub struct Node {
    pub(crate) shared: Arc<Shared>,
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
    pub(crate) logs: Logs,
    pub(crate) directory: Directory,
    pub(crate) pulse: Option<Pulse>,
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
    link_every: watch::Sender<Option<Duration>>,
    log_level: watch::Sender<Level>,
    chaos: AtomicBool,
    restricted: bool,
    ports: Ports,
    port_tasks: Mutex<JoinSet<()>>,
    tree: OnceLock<ActorRef<Told>>,
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
        let (link_every, link) = watch::channel(None);
        let children = spec.actors.iter().map(|actor| ChildSpec::new(actor.name.clone())).collect();
        let shared = Arc::new_cyclic(|node: &Weak<Shared>| {
            let component = |(index, (actor, entry)): (usize, (ActorSpec, _))| {
                let slot = Slot(u32::try_from(index).unwrap_or(u32::MAX));
                Arc::new(Component::new(slot, actor, entry, Weak::clone(node)))
            };
            let mut sensor = HostSensor::new();
            let first = sensor.sample();
            let mut outbox = Outbox::new(spec.unit.clone(), spec.session.clone());
            outbox.grant(spec.capabilities.as_deref().map(|said| Grants::new(spec.unit.clone(), said, [])));
            Shared {
                outbox: Mutex::new(outbox),
                logs: Logs::new(spec.log_level, spec.include_fields),
                directory: Directory::default(),
                pulse: spec.pulse,
                link_every,
                log_level: watch::Sender::new(spec.log_level),
                chaos: AtomicBool::new(spec.chaos),
                restricted: spec.capabilities.is_some(),
                ports: spec.ports,
                port_tasks: Mutex::default(),
                tree: OnceLock::new(),
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
        if let Some(tap) = &spec.tap {
            tap.open(&shared);
        }
        shared.emit(None, Event::NodeStarted { session: shared.session.clone() });
        shared.connect().await?;
        let supervision = Spec { strategy: spec.strategy, intensity: spec.intensity, backoff: spec.backoff, children, ..Spec::default() };
        let machine = Supervisor::new(supervision, spec.entropy.stream("supervisor", 0));
        let (started, running) = oneshot::channel();
        let root = Root::new(Arc::clone(&shared), machine, started);
        let (tree, _) =
            ractor::Actor::spawn(None, Tree, root).await.map_err(|error| StartError::Spawn(error.to_string()))?;
        let _ = shared.tree.set(tree.clone());
        let mut tasks = Vec::new();
        let mut spawn = |task: tokio::task::JoinHandle<()>| tasks.push(task.abort_handle());
        spawn(tokio::spawn(timing(Arc::clone(&shared), tree.clone())));
        spawn(tokio::spawn(responding(Arc::clone(&shared), waiting)));
        spawn(tokio::spawn(sensing(Arc::clone(&shared), sense)));
        spawn(tokio::spawn(linking(Arc::clone(&shared), link)));
        spawn(tokio::spawn(shipping(Arc::clone(&shared))));
        watchdog::watch(&shared, spec.hang);
        shared.arm_pulse();
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
            outbox: outbox.counters(),
            health: lock(&self.shared.health).health(),
            uptime: self.shared.clock.mono().since(self.shared.started.mono),
            restarts: self.shared.restarts.load(Ordering::Relaxed),
        }
    }

    /// The units that its actors see.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// From which level on it writes down what happens, now and after every change.
    #[must_use]
    pub fn log_level(&self) -> watch::Receiver<Level> {
        self.shared.log_level.subscribe()
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
        let mut tasks = std::mem::take(&mut *lock(&self.shared.port_tasks));
        // Whoever takes longer is cut off with the process.
        let _ = tokio::time::timeout(PORT_GRACE, async { while tasks.join_next().await.is_some() {} }).await;
        tasks.detach_all();
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
                let before = present.send_replace(Some(event.clone()));
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
        match &event {
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
            BusEvent::Denied { action, subject } => {
                self.emit(None, Event::BusDenied { action: *action, subject: subject.clone() });
            }
            BusEvent::SlowConsumer => self.emit(None, Event::BusSlow),
            BusEvent::Refused { reason } => self.emit(None, Event::BusRefused { reason: reason.clone() }),
        }
        // Whoever tells of a change of health must know whether anybody can hear it: what is said to
        // an absent bus is told when it is back, as if it were new.
        let tell_bus = || self.tell(|| Control::Bus(event.clone()), |sensor| matches!(sensor, Sensor::Bus));
        match &event {
            BusEvent::Connected => {
                self.clear_causes(|cause| matches!(cause, Cause::BusAway | Cause::Denied(_) | Cause::Refused(_)));
                tell_bus();
            }
            BusEvent::Denied { action, subject } => {
                tell_bus();
                self.set_cause(Cause::Denied(format!("{action} {subject}")), true);
            }
            BusEvent::Refused { reason } => {
                tell_bus();
                self.set_cause(Cause::Refused(reason.clone()), true);
            }
            BusEvent::SlowConsumer => tell_bus(),
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

    /// Sees to what a contract wants of the node: measures as often as the most eager actor wants.
    pub(crate) fn serve(&self, component: &Component, contract: &Contract) {
        let sooner = |present: &watch::Sender<Option<Duration>>, every: Duration| {
            present.send_if_modified(|present| {
                let sooner = present.is_none_or(|present| every < present);
                if sooner {
                    *present = Some(every);
                }
                sooner
            });
        };
        for sensor in &contract.sensors {
            match sensor {
                Sensor::Host { every } => sooner(&self.sense_every, (*every).max(SENSE_MIN)),
                Sensor::Link { every } => sooner(&self.link_every, (*every).max(SENSE_MIN)),
                Sensor::Log => self.logs.ship_to(&component.spec.name),
                Sensor::Bus | Sensor::Node => {}
            }
        }
        if self.restricted
            && let Some(grants) = lock(&self.outbox).grants_mut()
        {
            grants.extend(contract.publishes.iter().cloned());
        }
    }

    /// Starts the tasks behind the ports of a life.
    ///
    /// # Errors
    /// When the host has no such task.
    pub(crate) fn open_ports(
        self: &Arc<Self>,
        component: &Arc<Component>,
        incarnation: Incarnation,
        ports: &[PortName],
    ) -> Result<(), String> {
        let mut opened = Vec::new();
        for &name in ports {
            let Some(task) = self.ports.get(name) else {
                return Err(format!("this program has no task for its port `{name}`; add one with Program::with_port"));
            };
            let (sender, port) = Port::open(self.unit.clone(), component, incarnation, name);
            opened.push((name, sender));
            let (work, component) = (task(port), Arc::downgrade(component));
            let mut tasks = lock(&self.port_tasks);
            // Those of lives that are over.
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                let ended = match tokio::spawn(work).await {
                    Ok(Ok(())) => "it ended".to_owned(),
                    Ok(Err(reason)) => reason,
                    Err(error) => error.to_string(),
                };
                if let Some(component) = component.upgrade() {
                    component.control_life(incarnation, Control::PortEnded(name, ended));
                }
            });
        }
        component.set_ports(opened);
        Ok(())
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
    /// `about` is the message that led to them, if one did.
    pub(crate) fn carry_out(
        &self,
        component: &Component,
        effects: impl Iterator<Item = Effect>,
        about: Option<&Message>,
    ) -> Option<String> {
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
                        Err(Failed { error, refusal }) => {
                            drop(outbox);
                            self.tell_refusal(Some(component), refusal);
                            component.reply(id, now, Err(error));
                        }
                    }
                }
                Effect::Emit(event) => {
                    if matches!(event, Event::Malformed { .. }) {
                        component.note_malformed();
                    }
                    self.emit_about(Some(&component.spec.name), event, about);
                }
                Effect::Directory(change) => self.directory.apply(change),
                Effect::Node(id, command) => self.command(component, id, command),
                Effect::Port(port, bytes) => {
                    if let Err(reason) = component.give_port(port, bytes) {
                        let event = Event::PortFailed { port: port.into(), reason: reason.to_owned() };
                        self.emit(Some(&component.spec.name), event);
                    }
                }
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
            HandOver::Refused(refusal) => {
                drop(outbox);
                self.tell_refusal(Some(component), Some(refusal));
            }
        }
    }

    fn tell_refusal(&self, component: Option<&Component>, refusal: Option<Refusal>) {
        if let Some(Refusal { subject, reason, .. }) = refusal.filter(|refusal| refusal.tell) {
            self.emit(component.map(|component| &component.spec.name), Event::PublishRefused { subject, reason });
        }
    }

    /// Carries out what an actor asks of its node, or says why not.
    fn command(&self, component: &Component, id: RequestId, command: NodeCommand) {
        let done = match command {
            NodeCommand::Describe => {
                // The tree answers by itself; one that has ended describes nothing.
                let told = self.tree.get().map(|tree| tree.cast(Told::Describe { slot: component.slot, id }));
                match told {
                    Some(Ok(())) => return,
                    Some(Err(_)) | None => Err(NodeRefusal { code: 503, reason: "the node is starting or ending".into() }),
                }
            }
            NodeCommand::LogLevel(level) => {
                self.set_log_level(level);
                self.emit(Some(&component.spec.name), Event::LogLevelSet { level });
                Ok(NodeAnswer::Done)
            }
            NodeCommand::Chaos { actor, what } => {
                let target = self.components.iter().find(|component| component.spec.name == actor);
                match target {
                    _ if !self.chaos.load(Ordering::Relaxed) => Err(NodeRefusal {
                        code: 403,
                        reason: "chaos is not allowed on this node; its configuration needs `chaos: { enabled: true }`".into(),
                    }),
                    None => Err(NodeRefusal { code: 404, reason: format!("no actor is called `{actor}` here") }),
                    Some(target) => {
                        // The answer goes before the harm, which may befall who is to give it.
                        component.control_life(id.incarnation, Control::Node(NodeReport::Done { id, result: Ok(NodeAnswer::Done) }));
                        self.emit(Some(&actor), Event::ChaosInjected { what });
                        target.control(Control::Chaos(what));
                        return;
                    }
                }
            }
            NodeCommand::Leave { session } => {
                self.ended(End::Duplicate { session });
                Ok(NodeAnswer::Done)
            }
        };
        component.control_life(id.incarnation, Control::Node(NodeReport::Done { id, result: done }));
    }

    fn set_log_level(&self, level: Level) {
        self.logs.set_level(level);
        self.log_level.send_replace(level);
    }

    /// A mailbox holds back until then.
    pub(crate) fn mailbox_pauses(&self, component: &Component, until: Mono, pause: Duration, crashes: u32) {
        let actor = &component.spec.name;
        self.timers.set(Waiting::Mailbox(component.slot), Some(until));
        self.emit(Some(actor), Event::MailboxPaused { pause, crashes });
        self.set_cause(Cause::MailboxPaused(actor.clone()), true);
    }

    fn hand_to_bus(&self, now: Now, message: Message) {
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
    fn clear_causes(&self, over: impl Fn(&Cause) -> bool) {
        let mut state = lock(&self.health);
        if !state.clear(over) {
            return;
        }
        let (health, causes) = (state.health(), state.causes());
        drop(state);
        self.tell_health(health, causes);
    }

    fn tell_health(&self, health: Health, causes: Vec<String>) {
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

    fn arm_pulse(&self) {
        if let Some(pulse) = &self.pulse {
            self.timers.set(Waiting::Pulse, Some(self.clock.mono() + pulse.every));
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

/// Measures the round trip to the server.
async fn linking(node: Arc<Shared>, mut every: watch::Receiver<Option<Duration>>) {
    loop {
        let period = *every.borrow_and_update();
        match period {
            None => {
                if every.changed().await.is_err() {
                    return;
                }
            }
            Some(period) => {
                tokio::time::sleep(period).await;
                let round_trip = match node.bus.round_trip(LINK_TIMEOUT).await {
                    Ok(round_trip) => Some(round_trip),
                    Err(RequestError::BusAway) => continue,
                    Err(RequestError::Timeout | RequestError::NoResponders | RequestError::Refused) => None,
                };
                node.tell(|| Control::Link(LinkReport { round_trip }), |sensor| matches!(sensor, Sensor::Link { .. }));
            }
        }
    }
}

/// Tells the actor that ships logs when something was said.
async fn shipping(node: Arc<Shared>) {
    loop {
        node.logs.filled().await;
        let shipper = node.components.iter().find(|component| Some(&component.spec.name) == node.logs.shipper());
        if let Some(shipper) = shipper {
            shipper.ring();
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
