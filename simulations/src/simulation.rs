//! The simulation itself: takes what is next off the heap and lets it happen.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use nunect_core::random::Entropy;
use nunect_core::table::Table;
use nunect_core::time::nanos;
use nunect_core::{Catalog, ConfigError, Event, Health, Message, Now, UnitId};

use crate::around::Around;
use crate::checker::{Checker, Expectation};
use crate::clock::{Clock, ClockState};
use crate::fault::{Fault, Liveness};
use crate::happening::Happening;
use crate::heap::Heap;
use crate::latency::Latencies;
use crate::node::{Node, NodeSpec};
use crate::outcome::{Outcome, UnitState};
use crate::ports::{Ports, Script};
use crate::process::Process;
use crate::report::{Chronicle, Extras, curves};
use crate::scenario::{Plan, PlannedNode, Scenario, ScenarioError};
use crate::trace::{TraceHash, WORLD, What};
use crate::traffic;
use crate::witness::{Claim, Counters, Witness};
use crate::world::flat::FlatConfig;
use crate::world::{Harm, OUTSIDE, World, WorldPlan};

mod clocks;
mod faults;
mod scene;

use clocks::Watched;
use faults::Harmed;

/// Why a node cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Another node of that name runs.
    #[error("unit `{0}` runs already")]
    Duplicate(UnitId),
    /// There are `u32::MAX` nodes.
    #[error("too many nodes")]
    TooMany,
    /// An actor cannot be configured so.
    #[error("actors of `{unit}`")]
    Config {
        /// The node.
        unit: UnitId,
        /// What is wrong.
        #[source]
        error: ConfigError,
    },
}

/// In the place of a fault's number when a test does the harm.
const BY_HAND: u32 = u32::MAX;

/// Says how to repeat a run in which the simulator itself panics.
struct LastWords {
    replay: String,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.replay.is_empty() {
            // Nobody else may be left to say it.
            let _ = writeln!(std::io::stderr(), "the simulator panicked; again: {}", self.replay);
        }
    }
}

/// Nodes, and the world between them, in virtual time.
#[derive(Debug)]
pub struct Simulation {
    seed: u64,
    now: u64,
    catalog: Catalog,
    entropy: Entropy,
    heap: Heap<Happening>,
    world: World,
    nodes: Vec<Node>,
    numbers: Table<UnitId, u32>,
    witness: Witness,
    faults: Vec<Fault>,
    harmed: Harmed,
    watched: Watched,
    ports: Ports,
    name: String,
    replay: String,
    end: u64,
}

impl Simulation {
    /// A scenario that is about to begin.
    ///
    /// # Errors
    /// When the catalog does not know an actor of it, or refuses an actor's options.
    pub fn new(scenario: &Scenario, catalog: Catalog, seed: u64) -> Result<Self, ScenarioError> {
        scenario.check(&catalog)?;
        let plan = &scenario.plan;
        let faults = plan.faults(seed);
        let recovery = plan.liveness.map(|Liveness { at, within }| Expectation::recovery(at + within, plan.duration));
        let mut checker = Checker::new(plan.expectations.iter().cloned().chain(recovery));
        checker.laws.expect_errors(plan.expected_errors.clone(), &faults);
        let mut simulation = Self::with(plan.world.clone(), catalog, seed, checker);
        for planned in &plan.nodes {
            simulation.plan_node(planned, plan);
        }
        simulation.world.start(&mut simulation.heap);
        simulation.plan_faults(faults, plan.liveness);
        simulation.name = plan.name.clone();
        simulation.replay = scenario.replay(seed);
        simulation.end = plan.duration;
        Ok(simulation)
    }

    /// A world without nodes, faults and expectations, for tests that start their own.
    #[must_use]
    pub fn empty(world: FlatConfig, catalog: Catalog, seed: u64) -> Self {
        Self::with(WorldPlan::Flat(world), catalog, seed, Checker::default())
    }

    /// A layered world in which all these units are down, for tests that start them.
    #[cfg(test)]
    pub(crate) fn empty_layered(
        plan: crate::world::layered::LayeredPlan,
        units: &[UnitId],
        catalog: Catalog,
        seed: u64,
    ) -> Self {
        let mut simulation = Self::with(WorldPlan::Layered(Box::new(plan)), catalog, seed, Checker::default());
        for unit in units {
            simulation.add(NodeSpec::new(unit.clone(), []));
        }
        simulation.world.start(&mut simulation.heap);
        simulation
    }

    fn with(world: WorldPlan, catalog: Catalog, seed: u64, checker: Checker) -> Self {
        let mut witness = Witness::new(checker);
        // Datagrams may overtake each other.
        witness.checker.laws.order_excused = !world.keeps_order();
        witness.record(0, WORLD, What::Run { seed });
        Self {
            seed,
            now: 0,
            catalog: traffic::extend(catalog),
            entropy: Entropy::from(seed),
            heap: Heap::new(seed),
            world: World::new(world, seed),
            nodes: Vec::new(),
            numbers: Table::default(),
            witness,
            faults: Vec::new(),
            harmed: Harmed::default(),
            watched: Watched::default(),
            ports: Ports::default(),
            name: String::new(),
            replay: String::new(),
            end: u64::MAX,
        }
    }

    /// Keeps every event from now on, for [`events`](Self::events). It costs memory for each.
    pub fn keep_events(&mut self) {
        self.witness.kept.get_or_insert_default();
    }

    /// Keeps from now on how long messages take, for [`latencies`](Self::latencies) and the outcome, in a
    /// few megabytes at most.
    pub fn keep_latencies(&mut self) {
        self.witness.latencies.get_or_insert_default();
    }

    /// How long messages took by true time, from their publisher's hand-over to the receiver's process;
    /// those since [`keep_latencies`](Self::keep_latencies).
    #[must_use]
    pub fn latencies(&self) -> Option<&Latencies> {
        self.witness.latencies.as_deref()
    }

    /// Keeps from now on what nodes say about their clocks, for [`claims`](Self::claims).
    pub fn keep_claims(&mut self) {
        self.witness.claims.get_or_insert_default();
    }

    /// What nodes said about their clocks, beside the truth; since [`keep_claims`](Self::keep_claims).
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        self.witness.claims.as_deref().unwrap_or_default()
    }

    /// Collects what [`report`](Self::report) shows, from now on.
    pub fn keep_report(&mut self) {
        self.keep_latencies();
        let mut chronicle = Chronicle::default();
        self.nodes.iter().for_each(|node| chronicle.add(node.spec.unit.clone()));
        self.witness.chronicle = Some(Box::new(chronicle));
    }

    /// The run as a page: one HTML file that needs nothing else. Empty unless
    /// [`keep_report`](Self::keep_report) was called.
    pub fn report(&mut self, scenario: &Scenario) -> String {
        let outcome = self.outcome();
        let links = self.world.links(&self.units().map(|state| state.unit).collect::<Vec<_>>());
        let extras = Extras { latency: self.latencies().map(curves).unwrap_or_default(), links };
        let Some(chronicle) = &self.witness.chronicle else { return String::new() };
        chronicle.page(scenario, &outcome, &extras)
    }

    /// Gives the bytes of the trace to `tap` as they come, a block at a time; from the beginning if
    /// called before anything ran. The last block comes with [`hash`](Self::hash) or
    /// [`outcome`](Self::outcome).
    pub fn tap_trace(&mut self, tap: impl FnMut(&[u8]) + Send + 'static) {
        self.witness.recorder.tap(Box::new(tap));
    }

    /// Writes no trace from now on: the run is faster by what that takes, and its hash says nothing.
    pub const fn without_trace(&mut self) {
        self.witness.traces = false;
    }

    /// Puts a script behind a port of all actors that have one of this name. It is told what they say,
    /// and what it returns is said to them at once. A port without a script swallows everything.
    pub fn set_port(&mut self, port: &str, script: Script) {
        self.ports.set(port, script);
    }

    /// True time since the run began.
    #[must_use]
    pub const fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// What the clocks of a node show; `None` while it is down.
    #[must_use]
    pub fn clocks(&self, unit: &UnitId) -> Option<Now> {
        self.node(unit)?.now(self.now)
    }

    /// How the clocks of a node do, and by how much they are wrong; also while it is down.
    #[must_use]
    pub fn clock_state(&self, unit: &UnitId) -> Option<ClockState> {
        Some(self.node(unit)?.clock_state(self.now))
    }

    /// Starts a node now; one that was there before starts anew, with these actors and clocks.
    ///
    /// # Errors
    /// When it runs, or an actor cannot be configured so.
    pub fn start_node(&mut self, spec: NodeSpec) -> Result<(), StartError> {
        let unit = spec.unit.clone();
        spec.check(&self.catalog).map_err(|error| StartError::Config { unit: unit.clone(), error })?;
        let number = match self.numbers.get(&unit) {
            Some(&number) => {
                let node = &mut self.nodes[index(number)];
                if node.is_up() {
                    return Err(StartError::Duplicate(unit));
                }
                node.spec = spec;
                self.witness.record(self.now, number, node.spec.introduction());
                number
            }
            None => self.add(spec).ok_or(StartError::TooMany)?,
        };
        let catalog = self.catalog.clone();
        self.at_node(number, |node, around| node.boot(&catalog, around))
            .map_err(|error| StartError::Config { unit, error })
    }

    /// Takes a node down as if its process were killed. Returns whether it ran.
    pub fn kill_node(&mut self, unit: &UnitId) -> bool {
        let Some(number) = self.running(unit) else { return false };
        self.forget_frozen(number);
        self.at_node(number, Node::crash);
        true
    }

    /// Stops a node as an operator does. Returns whether it ran, and was not paused.
    pub fn stop_node(&mut self, unit: &UnitId) -> bool {
        let Some(number) = self.awake(unit) else { return false };
        self.at_node(number, Node::stop);
        true
    }

    /// Cuts a node off from the server, or ends that. Returns whether there is such a node.
    pub fn cut_node(&mut self, unit: &UnitId, cut: bool) -> bool {
        let Some(&number) = self.numbers.get(unit) else { return false };
        let harm = Harm::Cut(vec![number]);
        if cut {
            self.world.impose(self.now, BY_HAND, &harm, &mut self.heap);
        } else {
            self.world.lift(self.now, BY_HAND, &harm, &mut self.heap);
        }
        true
    }

    /// Publishes a message as a client that is no node: it goes out as it is, without a stamp.
    pub fn publish(&mut self, message: Message) {
        let lost = self.world.publish(self.now, OUTSIDE, Box::new(message), &mut self.heap);
        debug_assert!(lost.is_none(), "the outside is never cut off");
    }

    /// Lets the next thing happen, unless it lies after `limit` or the end of the scenario. Returns
    /// whether it did.
    pub fn step(&mut self, limit: Duration) -> bool {
        match self.heap.pop_until(nanos(limit).min(self.end)) {
            Some((at, happening)) => {
                if self.witness.checker.due() < at {
                    self.look(at);
                }
                self.now = at;
                self.witness.counters.steps += 1;
                self.happen(happening);
                true
            }
            None => false,
        }
    }

    /// Runs until `reached`, looking before the first and after each step, but not past `limit` from
    /// now. Returns whether it was reached.
    pub fn run_until(&mut self, mut reached: impl FnMut(&Self) -> bool, limit: Duration) -> bool {
        let limit = self.now().saturating_add(limit);
        loop {
            if reached(self) {
                return true;
            }
            if !self.step(limit) {
                self.now = self.now.max(nanos(limit).min(self.end));
                return false;
            }
        }
    }

    /// Runs for `duration`, but not past the end of the scenario. A panic of the simulator itself says
    /// how to repeat it.
    pub fn run_for(&mut self, duration: Duration) {
        let _last_words = LastWords { replay: self.replay.clone() };
        self.go_on(duration);
    }

    fn go_on(&mut self, duration: Duration) {
        let limit = self.now().saturating_add(duration);
        while self.step(limit) {}
        self.now = self.now.max(nanos(limit).min(self.end));
    }

    /// Runs to the end of the scenario.
    pub fn run(&mut self) -> Outcome {
        if self.end < u64::MAX {
            self.run_for(Duration::from_nanos(self.end));
        }
        self.outcome()
    }

    /// The same for whoever catches a panic, and says itself how to repeat it.
    pub(crate) fn run_to_be_caught(&mut self) -> Outcome {
        self.go_on(Duration::from_nanos(self.end));
        self.outcome()
    }

    /// What the run came to so far.
    pub fn outcome(&mut self) -> Outcome {
        Outcome {
            scenario: self.name.clone(),
            seed: self.seed,
            simulated: self.now(),
            hash: self.hash(),
            records: self.witness.recorder.records(),
            counters: self.witness.counters,
            expectations: self.verdicts(),
            latency: self.latencies().map(Latencies::families),
            units: self.units().collect(),
            replay: self.replay.clone(),
        }
    }

    /// The hash of the trace so far.
    pub fn hash(&mut self) -> TraceHash {
        self.witness.recorder.hash()
    }

    /// What was seen so far, in numbers.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.witness.counters
    }

    /// The events of one actor or group of one node, or of the node itself, in order and with their true
    /// times; those since [`keep_events`](Self::keep_events).
    pub fn events<'a>(
        &'a self,
        unit: &UnitId,
        actor: Option<&str>,
    ) -> impl Iterator<Item = (Duration, &'a Event)> + use<'a> {
        let number = self.numbers.get(unit).copied();
        let node = number.and_then(|number| self.nodes.get(index(number)));
        // An actor that is not there has no events; the node itself has those of nobody.
        let wanted = match actor {
            Some(actor) => node.and_then(|node| node.spec.number(actor)).map(Some),
            None => Some(None),
        };
        let kept = self.witness.kept.iter().flatten();
        kept.filter(move |kept| Some(kept.node) == number && Some(kept.actor) == wanted)
            .map(|kept| (Duration::from_nanos(kept.at), &kept.event))
    }

    /// Every node, in the order in which they were added.
    pub fn units(&self) -> impl Iterator<Item = UnitState> {
        self.nodes.iter().zip(0..).map(|(node, number)| UnitState {
            unit: node.spec.unit.clone(),
            up: node.is_up(),
            connected: self.world.is_connected(number),
            health: node.process().map_or(Health::Offline, Process::health),
            restarts: node.restarts(),
        })
    }

    fn node(&self, unit: &UnitId) -> Option<&Node> {
        self.numbers.get(unit).and_then(|&number| self.nodes.get(index(number)))
    }

    fn running(&self, unit: &UnitId) -> Option<u32> {
        self.numbers.get(unit).copied().filter(|&number| self.nodes[index(number)].is_up())
    }

    fn awake(&self, unit: &UnitId) -> Option<u32> {
        self.running(unit).filter(|&number| !self.is_frozen(number))
    }

    /// Adds a node that is down; `None` beyond the last number.
    fn add(&mut self, spec: NodeSpec) -> Option<u32> {
        let number = u32::try_from(self.nodes.len()).ok().filter(|&number| number < OUTSIDE)?;
        let node = Node::new(spec, &self.entropy);
        let unit = &node.spec.unit;
        self.world.add(node.present.key);
        self.witness.record(self.now, number, node.spec.introduction());
        self.witness.checker.add(unit.clone());
        if let Some(chronicle) = &mut self.witness.chronicle {
            chronicle.add(unit.clone());
        }
        self.numbers.insert(unit.clone(), number);
        self.nodes.push(node);
        Some(number)
    }

    fn plan_node(&mut self, planned: &PlannedNode, plan: &Plan) {
        let PlannedNode { unit, role, actors, clocks } = planned.clone();
        let clock = Clock { wander_ppb: clocks.wander.ppb, gps: clocks.gps, ..Clock::default() };
        let service = Arc::clone(&plan.service);
        let Some(number) = self.add(NodeSpec { role, clock, service, ..NodeSpec::new(unit, actors) }) else { return };
        let node = &mut self.nodes[index(number)];
        node.draw_clock(nanos(clocks.offset.0), clocks.drift.ppb);
        let at = node.draw("start", 0, plan.spread);
        self.heap.push(at, node.present.key, Happening::Boot { node: number });
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive { to, tag, epoch, sent, message } => self.arrive((to, tag, epoch), sent, message),
            Happening::Late { to, tag, epoch, sent, message } => self.deliver((to, tag, epoch), sent, message),
            Happening::Unanswered { to, epoch, reply } => {
                if self.is_frozen(to) {
                    self.wait(to, Happening::Unanswered { to, epoch, reply });
                } else if self.world.admits(to, epoch) {
                    self.at_node(to, |node, around| node.unanswered(&reply, around));
                }
            }
            // Once it goes on it looks for itself what is due.
            Happening::Wake { node } if self.is_frozen(node) => {}
            Happening::Wake { node } => self.at_node(node, Node::wake),
            Happening::Boot { node } if self.is_held(node) => {}
            Happening::Boot { node } => self.boot(node),
            Happening::Clock { node, turn } => self.clock_turns(node, turn),
            Happening::Noticed { node, .. } | Happening::Reconnect { node, .. } if self.is_frozen(node) => {
                self.wait(node, happening);
            }
            Happening::Noticed { node, turn } => {
                if self.world.is_turn(node, turn) && self.world.is_connected(node) {
                    self.at_node(node, Node::disconnect);
                }
            }
            Happening::Reconnect { node, turn } => {
                if self.world.is_turn(node, turn) && !self.world.is_connected(node) {
                    self.at_node(node, Node::connect);
                }
            }
            Happening::World(turn) => self.world.happen(self.now, turn, &mut self.heap, &mut self.witness),
            Happening::Strike { fault } => self.fault(fault, true),
            Happening::Over { fault } => self.fault(fault, false),
            Happening::Heal => self.heal(),
        }
    }

    fn boot(&mut self, node: u32) {
        let catalog = self.catalog.clone();
        self.at_node(node, |node, around| node.boot(&catalog, around))
            .expect("the catalog knew every actor when the scenario was checked");
        self.watch_clock(node);
    }

    fn at_node<R>(&mut self, number: u32, act: impl FnOnce(&mut Node, &mut Around<'_>) -> R) -> R {
        let Self { world, heap, witness, ports, .. } = self;
        let mut around = Around { at: self.now, node: number, world, heap, witness, ports, receiver: None, said: None };
        act(&mut self.nodes[index(number)], &mut around)
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
