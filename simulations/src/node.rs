//! One simulated node: who it is, over all its runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use nunect_core::protocol::command::ChaosKind;
use nunect_core::random::{Entropy, Rng};
use nunect_core::{ActorName, ActorSpec, Catalog, ConfigError, Message, Mono, Now, Role, Subject, UnitId};
use nunect_supervisor::TreeSpec;

use crate::around::Around;
use crate::clock::{Clock, ClockFault, ClockState, Running};
use crate::delay::Delay;
use crate::draw::{between, key};
use crate::happening::Happening;
use crate::process::Process;
use crate::trace::{Down, What};

/// The latest that a monotonic clock may show at a boot: about half an hour. Clocks of two nodes, or
/// of two runs of one, thus have nothing to do with each other.
const ORIGIN_MAX_NS: u64 = 1 << 41;

/// How long a process that ended for a hang takes to be there again.
const RESPAWN_NS: u64 = 50_000_000;

/// A node as a scenario or a test wants it.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its name.
    pub unit: UnitId,
    /// What it is for.
    pub role: Role,
    /// Its actors, in the order they start where `supervision` does not say another.
    pub actors: Arc<[ActorSpec]>,
    /// Who restarts with whom; `None`: nobody with anybody else.
    pub supervision: Option<Arc<TreeSpec>>,
    /// How wrong its clocks are.
    pub clock: Clock,
    /// Whether commands may do harm to its actors.
    pub chaos: bool,
    /// How long its actors work on a message, by kind; no time at all if not given.
    pub service: Arc<BTreeMap<String, Delay>>,
}

impl NodeSpec {
    /// A node of the default role whose clocks are right.
    #[must_use]
    pub fn new(unit: UnitId, actors: impl Into<Arc<[ActorSpec]>>) -> Self {
        let (role, clock) = (Role::default(), Clock::default());
        Self { unit, role, actors: actors.into(), supervision: None, clock, chaos: false, service: Arc::default() }
    }

    /// The tree that its actors stand in.
    pub(crate) fn tree(&self) -> TreeSpec {
        match &self.supervision {
            Some(tree) => TreeSpec::clone(tree),
            None => TreeSpec::flat(self.actors.iter().map(|actor| actor.name.clone())),
        }
    }

    /// # Errors
    /// When a catalog does not take an actor, or its supervision is not that of its actors.
    pub(crate) fn check(&self, catalog: &Catalog) -> Result<(), ConfigError> {
        self.actors.iter().try_for_each(|actor| catalog.check(actor))?;
        let tree = self.tree();
        tree.check().map_err(|error| ConfigError::new("supervision", error.to_string()))?;
        let mut supervised: Vec<&ActorName> = tree.actors().into_iter().map(|actor| &actor.name).collect();
        let mut actors: Vec<&ActorName> = self.actors.iter().map(|actor| &actor.name).collect();
        supervised.sort_unstable();
        actors.sort_unstable();
        if supervised == actors {
            return Ok(());
        }
        Err(ConfigError::new("supervision", "the actors in it are not those of the node"))
    }

    /// What its actors are called, and then its groups: the numbers of the trace.
    fn names(&self) -> impl Iterator<Item = &ActorName> {
        let actors = self.actors.iter().map(|actor| &actor.name);
        actors.chain(self.supervision.iter().flat_map(|tree| tree.groups()))
    }

    /// The number of an actor in the trace, or that of a group.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        (0..).zip(self.names()).find(|(_, other)| other.as_str() == name).map(|(number, _)| number)
    }

    /// How the trace introduces it.
    pub(crate) fn introduction(&self) -> What<'_> {
        What::Node { unit: self.unit.as_str().into(), actors: self.names().map(ToString::to_string).collect() }
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) present: Present,
    pub(crate) spec: NodeSpec,
    entropy: Entropy,
    boots: u64,
    /// What its clocks were made from.
    made: Clock,
}

/// What every step of a node touches, in one line of memory.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Present {
    /// From its name: what it draws does not depend on which other nodes there are.
    pub(crate) key: u64,
    /// When the earliest wake of it that still counts stands on the heap.
    armed: u64,
    /// Those of the machine: they outlive a run.
    clock: Running,
    run: Option<Box<Process>>,
}

impl Node {
    pub(crate) fn new(spec: NodeSpec, root: &Entropy) -> Self {
        let key = key(spec.unit.as_str());
        let entropy = derive(root, "node", key);
        let made = spec.clock;
        let present = Present { key, armed: u64::MAX, clock: start(made, &entropy), run: None };
        Self { present, spec, entropy, boots: 0, made }
    }

    /// A draw that belongs to this node and `purpose` alone.
    pub(crate) fn draw(&self, purpose: &str, low: u64, high: u64) -> u64 {
        between(self.entropy.stream(purpose, 0).next_u64(), low, high)
    }

    /// Draws how wrong its clocks are, each way by at most so much.
    pub(crate) fn draw_clock(&mut self, offset_max_ns: u64, drift_max_ppb: u32) {
        let either_way = |purpose, max: u64| {
            let drawn = i64::try_from(self.draw(purpose, 0, max.saturating_mul(2))).unwrap_or(i64::MAX);
            drawn.saturating_sub_unsigned(max)
        };
        let drift_ppb = i32::try_from(either_way("drift", drift_max_ppb.into())).unwrap_or_default();
        self.spec.clock = Clock { offset_ns: either_way("offset", offset_max_ns), drift_ppb, ..self.spec.clock };
        self.machine();
    }

    /// What its clocks show; `None` while it is down.
    pub(crate) fn now(&self, at: u64) -> Option<Now> {
        self.is_up().then(|| self.present.clock.peek(at))
    }

    /// How its clocks do, even while it is down.
    pub(crate) fn clock_state(&self, at: u64) -> ClockState {
        self.present.clock.state(at)
    }

    /// When the quality of its clocks next changes, as [`Running::next_change`] says.
    pub(crate) fn clock_change(&self, at: u64) -> Option<u64> {
        self.present.clock.next_change(at)
    }

    /// Lets something befall its clocks, whether it is up or down.
    pub(crate) fn clock_fault(&mut self, fault: ClockFault, around: &mut Around<'_>) {
        self.machine().befall(around.at, fault);
        // What is due may now be due earlier.
        self.step(around, |_, _, _| {});
    }

    /// The clocks of the machine that the specification asks for.
    fn machine(&mut self) -> &mut Running {
        if self.made != self.spec.clock {
            self.made = self.spec.clock;
            self.present.clock = start(self.made, &self.entropy);
        }
        &mut self.present.clock
    }

    pub(crate) const fn process(&self) -> Option<&Process> {
        match &self.present.run {
            Some(process) => Some(process),
            None => None,
        }
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.present.run.is_some()
    }

    /// Restarts of all actors in the present run.
    pub(crate) fn restarts(&self) -> u32 {
        self.process().map_or(0, Process::restarts)
    }

    /// Starts it, unless it is up.
    ///
    /// # Errors
    /// When the catalog does not know the kind of an actor.
    pub(crate) fn boot(&mut self, catalog: &Catalog, around: &mut Around<'_>) -> Result<(), ConfigError> {
        if self.present.run.is_some() {
            return Ok(());
        }
        self.boots += 1;
        // The wake of a process that was killed while it stood still is gone.
        self.present.armed = u64::MAX;
        let entropy = derive(&self.entropy, "boot", self.boots);
        let origin = between(entropy.stream("origin", 0).next_u64(), 0, ORIGIN_MAX_NS);
        let clock = self.machine();
        clock.boot(around.at, origin);
        let now = clock.read(around.at);
        self.present.run = Some(Box::new(Process::new(&self.spec, catalog, entropy, now)?));
        around.witness.checker.laws.started(around.node, self.spec.supervision.as_ref());
        self.step(around, Process::start);
        Ok(())
    }

    /// Takes it down as if its process were killed.
    pub(crate) fn crash(&mut self, around: &mut Around<'_>) {
        self.fall(Down::Crashed, around);
    }

    pub(crate) fn stop(&mut self, around: &mut Around<'_>) {
        self.step(around, Process::stop);
    }

    pub(crate) fn suffer(&mut self, slot: u32, what: ChaosKind, around: &mut Around<'_>) {
        self.step(around, |process, now, around| process.harm(now, slot, what, around));
    }

    /// Its process goes on, which stood still since its monotonic clock showed `since`.
    pub(crate) fn resume(&mut self, since: Mono, around: &mut Around<'_>) {
        // Wakes that came meanwhile are gone.
        self.present.armed = u64::MAX;
        self.step(around, |process, now, around| process.resume(now, since, around));
    }

    /// The time of a wake on the heap has come.
    pub(crate) fn wake(&mut self, around: &mut Around<'_>) {
        if self.present.armed == around.at {
            self.present.armed = u64::MAX;
            self.step(around, Process::wake);
        }
    }

    pub(crate) fn arrive(&mut self, tag: u32, message: Box<Message>, around: &mut Around<'_>) {
        self.step(around, |process, now, around| process.arrive(now, tag, message, around));
    }

    pub(crate) fn unanswered(&mut self, reply: &Subject, around: &mut Around<'_>) {
        self.step(around, |process, now, around| process.unanswered(now, reply, around));
    }

    pub(crate) fn connect(&mut self, around: &mut Around<'_>) {
        self.step(around, Process::connect);
    }

    pub(crate) fn disconnect(&mut self, around: &mut Around<'_>) {
        self.step(around, Process::disconnect);
    }

    /// Lets the present run take one step, and arms the wake for what is next due.
    fn step(&mut self, around: &mut Around<'_>, step: impl FnOnce(&mut Process, Now, &mut Around<'_>)) {
        let Present { clock, run: Some(process), .. } = &mut self.present else { return };
        around.said = process.is_heard().then(Vec::new);
        let now = clock.read(around.at);
        around.receiver = clock.receiver(around.at);
        if let Some(before) = process.note_time(now.mono) {
            around.witness.checker.laws.clock_backwards(around.at, self.spec.unit.as_str(), before, now.mono);
        }
        step(process, now, around);
        if let Some(how) = process.over() {
            return self.fall(how, around);
        }
        let due = process.next_due();
        if due == Mono::MAX {
            return;
        }
        let at = clock.when(due).max(around.at);
        if at < self.present.armed {
            self.present.armed = at;
            around.heap.push(at, self.present.key, Happening::Wake { node: around.node });
        }
    }

    fn fall(&mut self, how: Down, around: &mut Around<'_>) {
        if self.present.run.take().is_some() {
            around.world.disconnect(around.at, around.node, true, around.heap);
            around.witness.down(around.at, around.node, how);
            if how == Down::Hung {
                // Whoever supervises the process starts it again.
                let at = around.at.saturating_add(RESPAWN_NS);
                around.heap.push(at, self.present.key, Happening::Boot { node: around.node });
            }
        }
    }
}

/// The clocks of a node with this randomness.
fn start(clock: Clock, entropy: &Entropy) -> Running {
    clock.start(entropy.stream("clock", 0).next_u64())
}

/// Randomness of its own for `purpose` and `index`.
fn derive(root: &Entropy, purpose: &str, index: u64) -> Entropy {
    let mut bytes = [0; 32];
    root.stream(purpose, index).fill_bytes(&mut bytes);
    Entropy::new(bytes)
}
