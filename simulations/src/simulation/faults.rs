//! Faults of a scenario strike, and end.

use std::collections::BTreeMap;

use nunect_core::protocol::command::ChaosKind;
use nunect_core::{Message, Mono, UnitId};

use super::{Simulation, index};
use crate::clock::ClockFault;
use crate::draw::{key, link};
use crate::fault::{Fault, Kind, Liveness, NO_ENTRY};
use crate::happening::Happening;
use crate::node::Node;
use crate::tamper::{Tamper, Verdict, Way};
use crate::trace::WORLD;

/// What faults do to nodes and messages at present.
#[derive(Debug, Default)]
pub(super) struct Harmed {
    /// Nodes that a fault keeps down, and how many do. Nobody else can start them.
    held: BTreeMap<u32, u32>,
    /// Nodes whose process stands still.
    frozen: BTreeMap<u32, Frozen>,
    tamper: Tamper,
}

#[derive(Debug)]
struct Frozen {
    /// What its monotonic clock showed then.
    since: Mono,
    /// What the process will find when it goes on, in order.
    waiting: Vec<Happening>,
}

impl Simulation {
    /// Puts all faults of a run on the heap.
    pub(super) fn plan_faults(&mut self, faults: Vec<Fault>, liveness: Option<Liveness>) {
        for (number, fault) in (0..).zip(&faults) {
            self.heap.push(fault.at, u64::from(WORLD), Happening::Strike { fault: number });
            if let Some(end) = fault.end {
                self.heap.push(end, u64::from(WORLD), Happening::Over { fault: number });
            }
        }
        // After the ends of all faults, which it shares its channel with.
        if let Some(Liveness { at, .. }) = liveness {
            self.heap.push(at, u64::from(WORLD), Happening::Heal);
        }
        self.faults = faults;
    }

    /// Lets a fault strike, or end.
    pub(super) fn fault(&mut self, number: u32, begins: bool) {
        let Some(fault) = self.faults.get(index(number)) else { return };
        let (entry, kind) = (fault.entry, fault.kind.clone());
        self.witness.fault(self.now, number, (entry != NO_ENTRY).then_some(entry), begins);
        match (kind, begins) {
            (Kind::World(harm), true) => self.world.impose(self.now, number, &harm, &mut self.heap),
            (Kind::World(harm), false) => self.world.lift(self.now, number, &harm, &mut self.heap),
            (Kind::Crash { nodes, servers }, true) => {
                if let Some(harm) = servers {
                    self.world.impose(self.now, number, &harm, &mut self.heap);
                }
                nodes.into_iter().for_each(|node| self.hold(node, Node::crash));
            }
            (Kind::Crash { nodes, servers }, false) => {
                if let Some(harm) = servers {
                    self.world.lift(self.now, number, &harm, &mut self.heap);
                }
                nodes.into_iter().for_each(|node| self.release(node));
            }
            (Kind::Stop(nodes), true) => nodes.into_iter().for_each(|node| self.hold(node, Node::stop)),
            (Kind::Stop(nodes), false) => nodes.into_iter().for_each(|node| self.release(node)),
            (Kind::Pause(nodes), true) => {
                for node in nodes {
                    self.freeze(node);
                }
            }
            (Kind::Pause(nodes), false) => {
                for node in nodes {
                    self.thaw(node);
                }
            }
            (Kind::Actor { what, actors }, true) => {
                for (node, slot) in actors {
                    self.at_node(node, |node, around| node.suffer(slot, what, around));
                }
            }
            (Kind::Actor { .. }, false) => {}
            (Kind::Tamper(tampering), true) => {
                self.witness.checker.laws.order_excused |= tampering.how.disorders();
                self.harmed.tamper.begin(number, *tampering);
            }
            (Kind::Tamper(_), false) => self.harmed.tamper.end(number),
            (Kind::Clock { nodes, begin, .. }, true) => self.clock_faults(nodes, begin),
            (Kind::Clock { nodes, end: Some(end), .. }, false) => self.clock_faults(nodes, end),
            (Kind::Clock { end: None, .. }, false) => {}
        }
    }

    /// Everything recovers that can: whoever is down or stands still.
    pub(super) fn heal(&mut self) {
        self.witness.healed(self.now);
        self.harmed.held.clear();
        for node in self.harmed.frozen.keys().copied().collect::<Vec<_>>() {
            self.thaw(node);
        }
        for node in (0..).take(self.nodes.len()) {
            self.boot(node);
        }
    }

    fn clock_faults(&mut self, nodes: Vec<u32>, fault: ClockFault) {
        for node in nodes {
            self.at_node(node, |node, around| node.clock_fault(fault, around));
            self.watch_clock(node);
        }
    }

    /// Takes a node down and keeps it there.
    fn hold(&mut self, node: u32, end: impl FnOnce(&mut Node, &mut crate::around::Around<'_>)) {
        *self.harmed.held.entry(node).or_default() += 1;
        self.harmed.frozen.remove(&node);
        self.at_node(node, end);
    }

    /// Starts a node again, unless something else keeps it down.
    fn release(&mut self, node: u32) {
        // It may have been healed before.
        let Some(held) = self.harmed.held.get_mut(&node) else { return };
        *held -= 1;
        if *held == 0 {
            self.harmed.held.remove(&node);
            self.boot(node);
        }
    }

    pub(super) fn is_held(&self, node: u32) -> bool {
        self.harmed.held.contains_key(&node)
    }

    /// Stops a process, as SIGSTOP does. Returns whether it ran.
    fn freeze(&mut self, node: u32) -> bool {
        let Some(now) = self.nodes[index(node)].now(self.now).filter(|_| !self.is_frozen(node)) else { return false };
        self.harmed.frozen.insert(node, Frozen { since: now.mono, waiting: Vec::new() });
        true
    }

    /// Lets a process go on: first with what was due, then with what came. Returns whether it stood
    /// still.
    fn thaw(&mut self, node: u32) -> bool {
        let Some(Frozen { since, waiting }) = self.harmed.frozen.remove(&node) else { return false };
        self.at_node(node, |node, around| node.resume(since, around));
        for happening in waiting {
            match happening {
                // It was admitted when it came.
                Happening::Late { to, tag, sent, message, .. } | Happening::Arrive { to, tag, sent, message, .. } => {
                    self.witness.arrived(self.now, sent, to, &message);
                    self.at_node(to, |node, around| node.arrive(tag, message, around));
                }
                Happening::Unanswered { to, reply, .. } => {
                    self.at_node(to, |node, around| node.unanswered(&reply, around));
                }
                other @ (Happening::Wake { .. }
                | Happening::Boot { .. }
                | Happening::Clock { .. }
                | Happening::Noticed { .. }
                | Happening::Reconnect { .. }
                | Happening::World(_)
                | Happening::Strike { .. }
                | Happening::Over { .. }
                | Happening::Heal) => self.happen(other),
            }
        }
        true
    }

    /// Keeps what happens to a process that stands still.
    pub(super) fn wait(&mut self, node: u32, happening: Happening) {
        if let Some(frozen) = self.harmed.frozen.get_mut(&node) {
            frozen.waiting.push(happening);
        }
    }

    pub(super) fn is_frozen(&self, node: u32) -> bool {
        self.harmed.frozen.contains_key(&node)
    }

    /// Forgets what waited for a process that is no more.
    pub(super) fn forget_frozen(&mut self, node: u32) {
        self.harmed.frozen.remove(&node);
    }

    /// A message reaches a node, unless it suffers on its last step.
    pub(super) fn arrive(&mut self, (to, tag, epoch): (u32, u32, u32), sent: u64, mut message: Box<Message>) {
        if self.harmed.tamper.is_idle(self.now) {
            return self.deliver((to, tag, epoch), sent, message);
        }
        let sender = message.headers.stamp().map(|stamp| &stamp.unit);
        let number = sender.and_then(|unit| self.numbers.get(unit)).copied();
        let from = (number, sender.map_or(0, |unit| key(unit.as_str())));
        let way = Way { from, to: (to, self.nodes[index(to)].present.key), tag, sent };
        let Verdict { later, again } = self.harmed.tamper.judge(self.now, &way, &mut message);
        let channel = link(way.from.1, way.to.1);
        if let Some(again) = again {
            let message = message.clone();
            // Not before the first.
            let again = later.map_or(again, |later| again.max(later));
            self.heap.push(again, channel, Happening::Late { to, tag, epoch, sent, message });
        }
        match later {
            Some(later) => self.heap.push(later, channel, Happening::Late { to, tag, epoch, sent, message }),
            None => self.deliver((to, tag, epoch), sent, message),
        }
    }

    /// A message reaches a node.
    pub(super) fn deliver(&mut self, (to, tag, epoch): (u32, u32, u32), sent: u64, message: Box<Message>) {
        if !self.world.admits(to, epoch) {
            self.witness.lost(self.now, to, message.subject.as_str());
        } else if self.is_frozen(to) {
            self.wait(to, Happening::Late { to, tag, epoch, sent, message });
        } else {
            self.witness.arrived(self.now, sent, to, &message);
            self.at_node(to, |node, around| node.arrive(tag, message, around));
        }
    }

    /// Makes an actor panic, on no message. Returns whether there is such an actor on a node that runs and
    /// is not paused.
    pub fn panic_actor(&mut self, unit: &UnitId, actor: &str) -> bool {
        self.harm_actor(unit, actor, ChaosKind::Panic)
    }

    /// Lets an actor hang: after 2 s the process of its node ends, and starts anew. Returns whether there
    /// is such an actor on a node that runs.
    pub fn hang_actor(&mut self, unit: &UnitId, actor: &str) -> bool {
        self.harm_actor(unit, actor, ChaosKind::Hang)
    }

    /// Lets an actor stop by itself. Returns whether there is such an actor on a node that runs.
    pub fn stop_actor(&mut self, unit: &UnitId, actor: &str) -> bool {
        self.harm_actor(unit, actor, ChaosKind::Stop)
    }

    fn harm_actor(&mut self, unit: &UnitId, actor: &str, what: ChaosKind) -> bool {
        let Some(number) = self.awake(unit) else { return false };
        let actors = &self.nodes[index(number)].spec.actors;
        let slot = (0..).zip(actors.iter()).find(|(_, spec)| spec.name.as_str() == actor);
        let Some((slot, _)) = slot else { return false };
        self.at_node(number, |node, around| node.suffer(slot, what, around));
        true
    }

    /// Stops the process of a node, as SIGSTOP does: messages and deadlines wait, its clocks go on.
    /// Returns whether it ran.
    pub fn pause_node(&mut self, unit: &UnitId) -> bool {
        self.running(unit).is_some_and(|number| self.freeze(number))
    }

    /// Lets the process of a node go on that was paused. Returns whether it was.
    pub fn resume_node(&mut self, unit: &UnitId) -> bool {
        self.numbers.get(unit).copied().is_some_and(|number| self.thaw(number))
    }
}
