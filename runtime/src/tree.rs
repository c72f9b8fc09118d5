//! Carries out, on ractor, what the supervisor decides.

use std::collections::VecDeque;
use std::sync::Arc;

use nunect_core::cell::Cell;
use nunect_core::health::Cause;
use nunect_core::requests::Slot;
use nunect_core::{ActorName, ActorSpec, Entry, Event, Incarnation, NodeAnswer, NodeReport, RequestId, StopReason};
use nunect_supervisor::{About, Action, ChildId, ChildSpec, Exit, Generation, TimerId};
use ractor::{ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

use crate::component::{Component, Control};
use crate::node::{End, Shared};
use crate::shell::{Life, Ring, Shell};
use crate::timers::Waiting;

/// What the tree is told from outside.
#[derive(Debug)]
pub(crate) enum Told {
    /// A timer's instant has come.
    Timer(TimerId),
    /// The node stops.
    Stop,
    /// An actor wants to know what the tree looks like.
    Describe {
        /// Which.
        slot: Slot,
        /// In answer to what.
        id: RequestId,
    },
    /// A sign of life is due.
    Pulse,
    /// Actors come, go, or get other options.
    Change(Vec<Change>),
}

/// What becomes of an actor when the configuration is read again.
#[derive(Debug)]
pub(crate) enum Change {
    Add(ActorSpec, Entry),
    Remove(ActorName),
    /// Another life with these options.
    Alter(ActorSpec),
}

impl ractor::Message for Told {}

/// The root of a node's actors.
pub(crate) struct Tree;

/// The supervisor and the lives it sees.
pub(crate) struct Root {
    node: Arc<Shared>,
    machine: nunect_supervisor::Tree,
    /// The lives of the children, in their order; matched by ractor's id, since it keeps its own in
    /// a table without order.
    lives: Vec<Option<(Generation, ActorRef<Ring>)>>,
    /// Children that are gone as soon as their last life is over.
    leaving: Vec<ChildId>,
    /// Told once every actor had its first start.
    started: Option<oneshot::Sender<()>>,
}

impl Root {
    pub(crate) fn new(node: Arc<Shared>, machine: nunect_supervisor::Tree, started: oneshot::Sender<()>) -> Self {
        let lives = node.components().iter().map(|_| None).collect();
        Self { node, machine, lives, leaving: Vec::new(), started: Some(started) }
    }
}

impl ractor::Actor for Tree {
    type Msg = Told;
    type State = Root;
    type Arguments = Root;

    async fn pre_start(&self, _: ActorRef<Told>, root: Root) -> Result<Root, ActorProcessingErr> {
        Ok(root)
    }

    async fn post_start(&self, myself: ActorRef<Told>, root: &mut Root) -> Result<(), ActorProcessingErr> {
        root.drive(&myself, nunect_supervisor::Event::Start).await;
        if let Some(started) = root.started.take() {
            // Whoever waited may have gone away.
            let _ = started.send(());
        }
        Ok(())
    }

    async fn handle(&self, myself: ActorRef<Told>, told: Told, root: &mut Root) -> Result<(), ActorProcessingErr> {
        let event = match told {
            Told::Describe { slot, id } => {
                root.describe(slot, id);
                return Ok(());
            }
            Told::Pulse => {
                root.node.beat();
                return Ok(());
            }
            Told::Change(changes) => {
                for change in changes {
                    if let Some(event) = root.change(change) {
                        root.drive(&myself, event).await;
                    }
                }
                return Ok(());
            }
            Told::Timer(timer) => nunect_supervisor::Event::Timer(timer),
            Told::Stop => nunect_supervisor::Event::Stop(StopReason::NodeShutdown),
        };
        root.drive(&myself, event).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Told>,
        event: SupervisionEvent,
        root: &mut Root,
    ) -> Result<(), ActorProcessingErr> {
        let ended = match &event {
            SupervisionEvent::ActorTerminated(who, _, _) | SupervisionEvent::ActorFailed(who, _) => who.get_id(),
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => return Ok(()),
        };
        // The state of the ended actor comes with the event: its `Drop` says how it ended.
        drop(event);
        let place = root.lives.iter().position(|life| life.as_ref().is_some_and(|(_, actor)| actor.get_id() == ended));
        let Some((index, (generation, _))) = place.and_then(|index| Some((index, root.lives[index].take()?))) else {
            return Ok(());
        };
        let exit = root.node.component(index).take_exit();
        let event = root.ended(index, generation, exit);
        root.drive(&myself, event).await;
        Ok(())
    }
}

impl Root {
    /// Tells the machine an event, and carries out everything that follows from it.
    async fn drive(&mut self, myself: &ActorRef<Told>, event: nunect_supervisor::Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.machine.step(self.node.clock.mono(), event) {
                match action {
                    Action::Start { child, generation } => {
                        events.push_back(self.start(myself, child, generation).await);
                    }
                    Action::Stop { child, generation, reason } => match self.life(child, generation) {
                        Some(_) => self.node.component(index(child)).control(Control::Stopping(reason)),
                        None => tracing::debug!("{child:?} is to stop and has ended"),
                    },
                    Action::Kill { child, generation } => {
                        if let Some(actor) = self.life(child, generation) {
                            actor.kill();
                        }
                    }
                    Action::Arm { timer, at } => self.node.timers.set(Waiting::Supervisor(timer), Some(at)),
                    Action::Cancel(timer) => self.node.timers.set(Waiting::Supervisor(timer), None),
                    Action::Emit { who, event } => self.emit(who, event),
                    Action::Escalate { who, crashes, period, reason } => {
                        self.node.ended(End::Escalated { actor: who, crashes, period, reason });
                        myself.stop(None);
                    }
                    Action::Completed { .. } | Action::Stopped => {
                        self.node.ended(End::Stopped);
                        myself.stop(None);
                    }
                }
            }
        }
        self.retire();
    }

    /// What the machine is to know of a change.
    fn change(&mut self, change: Change) -> Option<nunect_supervisor::Event> {
        match change {
            Change::Add(spec, entry) => {
                let name = spec.name.clone();
                self.node.add_component(spec, entry);
                self.lives.push(None);
                Some(nunect_supervisor::Event::Add(ChildSpec::new(name)))
            }
            Change::Remove(name) => {
                let child = self.machine.find(&name)?;
                self.leaving.push(child);
                Some(nunect_supervisor::Event::Remove(child))
            }
            Change::Alter(spec) => {
                let child = self.machine.find(&spec.name)?;
                self.node.component(index(child)).set_config(spec.config);
                Some(nunect_supervisor::Event::Restart(child))
            }
        }
    }

    /// Takes leave of the components whose last life is over.
    fn retire(&mut self) {
        let Self { node, machine, leaving, .. } = self;
        leaving.retain(|&child| {
            let over = machine.state(child).is_none_or(|state| !state.is_alive());
            if over {
                let component = node.component(index(child));
                component.retire();
                for cause in [Cause::ActorDown(component.name.clone()), Cause::MailboxPaused(component.name.clone())] {
                    node.set_cause(cause, false);
                }
            }
            !over
        });
    }

    async fn start(
        &mut self,
        myself: &ActorRef<Told>,
        child: ChildId,
        generation: Generation,
    ) -> nunect_supervisor::Event {
        let component = self.node.component(index(child));
        match begin(&self.node, &component, Incarnation(generation.0), myself).await {
            Ok(actor) => {
                self.lives[index(child)] = Some((generation, actor));
                self.node.set_cause(Cause::ActorDown(component.name.clone()), false);
                nunect_supervisor::Event::Started { child, generation }
            }
            Err(reason) => {
                let incarnation = Incarnation(generation.0);
                let event = Event::ActorCrashed { incarnation, reason: reason.clone(), on_message: false };
                component.note_crash(self.node.clock.now(), &reason);
                self.node.emit(Some(&component.name), event);
                nunect_supervisor::Event::StartFailed { child, generation, reason }
            }
        }
    }

    fn ended(&self, index: usize, generation: Generation, exit: Exit) -> nunect_supervisor::Event {
        let component = self.node.component(index);
        let actor = &component.name;
        let incarnation = Incarnation(generation.0);
        match &exit {
            Exit::Normal { reason } => {
                self.node.emit(Some(actor), Event::ActorStopped { incarnation, reason: reason.clone() });
            }
            Exit::Killed => {
                let reason = "killed".to_owned();
                component.note_crash(self.node.clock.now(), &reason);
                self.node.emit(Some(actor), Event::ActorCrashed { incarnation, reason, on_message: false });
            }
            // Told when it happened, before what followed from it.
            Exit::Crash { .. } => {}
        }
        let child = ChildId(u32::try_from(index).unwrap_or(u32::MAX));
        nunect_supervisor::Event::Exited { child, generation, exit }
    }

    fn emit(&self, who: ActorName, event: Event) {
        let waits = matches!(event, Event::RestartScheduled { .. });
        self.node.emit(Some(&who), event);
        if waits {
            // A group that waits is its actors that are down; each ends that by its start.
            for child in self.machine.find_all(&who) {
                self.node.set_cause(Cause::ActorDown(self.node.component(index(child)).name.clone()), true);
            }
        }
    }

    /// Tells an actor what the tree looks like.
    fn describe(&self, slot: Slot, id: RequestId) {
        let leaf = |child: ChildId| {
            let component = self.node.component(index(child));
            let look = component.look();
            Some(About { kind: component.kind.clone(), mailbox: Some(look.report), last_crash: look.last_crash })
        };
        let tree = Box::new(self.machine.report(&self.node.unit, leaf));
        let result = Ok(NodeAnswer::Description { tree, units: self.node.directory.online() });
        let answer = Control::Node(NodeReport::Done { id, result });
        self.node.component(slot.0 as usize).control_life(id.incarnation, answer);
    }

    fn life(&self, child: ChildId, generation: Generation) -> Option<&ActorRef<Ring>> {
        self.lives[index(child)].as_ref().filter(|(life, _)| *life == generation).map(|(_, actor)| actor)
    }
}

/// Begins a life of a component's actor.
async fn begin(
    node: &Arc<Shared>,
    component: &Arc<Component>,
    incarnation: Incarnation,
    supervisor: &ActorRef<Told>,
) -> Result<ActorRef<Ring>, String> {
    let birth = node.birth(component, incarnation);
    let cell = Cell::new(&component.entry, &component.config(), &birth).map_err(|error| error.to_string())?;
    let contract = cell.contract().map_err(|error| error.to_string())?;
    if component.wrote_directory() {
        // What the life before wrote there is known to nobody any more.
        node.directory.clear();
    }
    component.settle_contract(&contract);
    component.subscribe(node.bus.as_ref(), &contract.reads).await?;
    node.serve(component, &contract);
    node.open_ports(component, incarnation, &contract.ports)?;
    node.emit(Some(&component.name), Event::ActorStarted { incarnation });
    let life = Life::new(cell, Arc::clone(component), Arc::clone(node));
    // Unnamed: ractor's names are shared by the whole process, and a test runs many nodes in one.
    let (actor, _) = ractor::Actor::spawn_linked(None, Shell, life, supervisor.get_cell())
        .await
        .map_err(|error: ractor::SpawnErr| error.to_string())?;
    Ok(actor)
}

fn index(child: ChildId) -> usize {
    child.0 as usize
}
