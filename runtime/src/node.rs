//! A node: a tree of supervised actors on one bus.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock, Weak};
use std::time::Duration;

use nunect_core::capability::Grants;
use nunect_core::outbox::{Counters, Outbox};
use nunect_core::requests::{Requests, Slot};
use nunect_core::{ActorName, ActorSpec, Catalog, ConfigError, Event, Health, Level, Now, SessionId, UnitId};
use ractor::ActorRef;
use tokio::sync::{mpsc, oneshot, watch};

use crate::bus::Bus;
use crate::clock::Clock;
use crate::component::Component;
use crate::directory::Directory;
use crate::logs::Logs;
use crate::sensor::HostSensor;
use crate::sync::lock;
use crate::timers::Timers;
use crate::tree::{Change, Root, Told, Tree};
use crate::watchdog;

mod command;
mod connection;
mod daemons;
mod life;
mod shared;
mod spec;
mod switchboard;
mod tasks;

pub(crate) use shared::Shared;
pub use spec::{NodeSpec, Pulse, Reload, StartError};
use tasks::{linking, responding, sensing, shipping, timing};

/// Answers of full mailboxes that may wait; beyond it the requester's own time-out answers.
const RESPONSES_MAX: usize = 1_024;
/// How long a node may take to stop, all in all (5 s), less what the bus gets.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// How long the bus may take for what was published last.
const BUS_GRACE: Duration = Duration::from_millis(1_500);
/// How long what actors left to the tasks behind their ports may take when the node stops.
const PORT_GRACE: Duration = Duration::from_millis(500);

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

impl Node {
    /// Starts a node on its bus, and returns when its actors are up: what is published from then on
    /// reaches them. Everything that happens to the node goes to `observer`.
    ///
    /// # Errors
    /// When the configuration of an actor is wrong, or the bus refuses the node.
    pub async fn start(
        mut spec: NodeSpec,
        catalog: &Catalog,
        bus: Arc<dyn Bus>,
        clock: Clock,
        observer: Observer,
    ) -> Result<Self, StartError> {
        for actor in &spec.actors {
            catalog.check(actor)?;
        }
        let names: Vec<ActorName> = spec.actors.iter().map(|actor| actor.name.clone()).collect();
        let supervision = spec.supervision.tree(&names);
        supervision.check()?;
        // A component and its child in the tree have the same number.
        let order: Vec<&ActorName> = supervision.actors().into_iter().map(|child| &child.name).collect();
        spec.actors.sort_by_key(|actor| order.iter().position(|name| **name == actor.name));
        let entries =
            spec.actors.iter().map(|actor| catalog.get(&actor.kind).copied()).collect::<Result<Vec<_>, _>>()?;
        let (responses, waiting) = mpsc::channel(RESPONSES_MAX);
        let (end, ended) = watch::channel(None);
        let (sense_every, sense) = watch::channel(None);
        let (link_every, link) = watch::channel(None);
        let (clock_every, _) = watch::channel(None);
        let time = spec.time.clone();
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
                clock_every,
                clocks: Mutex::default(),
                readers: Mutex::default(),
                daemons: Mutex::default(),
                log_level: watch::Sender::new(spec.log_level),
                chaos: AtomicBool::new(spec.chaos),
                ports: spec.ports,
                port_tasks: Mutex::default(),
                tree: OnceLock::new(),
                requests: Mutex::new(Requests::new(spec.unit.clone(), spec.session.clone())),
                components: RwLock::new(spec.actors.into_iter().zip(entries).enumerate().map(component).collect()),
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
        let machine = nunect_supervisor::Tree::new(supervision, spec.entropy);
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
        shared.ask_daemons(time);
        spawn(tokio::spawn(shipping(Arc::clone(&shared))));
        watchdog::watch(&shared, spec.hang);
        shared.arm_pulse();
        // A tree that ended instead has said why.
        let _ = running.await;
        shared.logs.started();
        Ok(Self { shared, tree, end: ended, tasks })
    }

    /// What the node says about itself.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.status()
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

    /// Takes another configuration over: what it says about actors, logs, capabilities and chaos.
    ///
    /// An actor with other options begins another life; the messages that wait for it stay. Returns
    /// the actors that need a start of the node, since they are of another kind now.
    ///
    /// # Errors
    /// When an actor cannot be configured so; nothing has changed then.
    pub fn reload(&self, reload: Reload, catalog: &Catalog) -> Result<Vec<ActorName>, ConfigError> {
        let shared = &self.shared;
        let mut changes = Vec::new();
        let mut other_kind = Vec::new();
        let present = shared.components();
        for actor in &reload.actors {
            catalog.check(actor)?;
            match present.iter().find(|component| component.name == actor.name) {
                None => changes.push(Change::Add(actor.clone(), *catalog.get(&actor.kind)?)),
                Some(component) if component.kind != actor.kind => other_kind.push(actor.name.clone()),
                Some(component) if component.config() != actor.config => changes.push(Change::Alter(actor.clone())),
                Some(_) => {}
            }
        }
        let gone = present.iter().filter(|one| reload.actors.iter().all(|actor| actor.name != one.name));
        changes.extend(gone.map(|component| Change::Remove(component.name.clone())));
        if let Some(level) = reload.log_level {
            shared.set_log_level(level);
        }
        shared.logs.set_include_fields(reload.include_fields);
        shared.ask_daemons(reload.time);
        shared.chaos.store(reload.chaos, Ordering::Relaxed);
        let contracts = present.iter().flat_map(|component| component.publishes());
        let grants = reload.capabilities.map(|said| Grants::new(shared.unit.clone(), &said, contracts));
        lock(&shared.outbox).grant(grants);
        if !changes.is_empty() {
            // A tree that has ended changes no more.
            let _ = self.tree.cast(Told::Change(changes));
        }
        Ok(other_kind)
    }

    /// Lets the outside know of something that happened to the node as a whole.
    pub fn tell(&self, event: Event) {
        self.shared.emit(None, event);
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
        lock(&self.shared.daemons).ask_nobody();
    }
}
