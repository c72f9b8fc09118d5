//! What lies between the nodes: one of two worlds.

pub(crate) mod flat;
pub(crate) mod layered;

use nunect_core::{Message, Pattern, Subject, UnitId};

use crate::happening::Happening;
use crate::heap::Heap;
use crate::report::LinkMatrix;
use crate::witness::Witness;
use flat::{Flat, FlatConfig};
use layered::{Layered, LayeredPlan, NetFault, Turn};

/// What calls itself a publisher and is no node: a test, or a scenario's script.
pub(crate) const OUTSIDE: u32 = u32::MAX;

/// Which world, and how it behaves.
#[derive(Clone, Debug)]
pub(crate) enum WorldPlan {
    Flat(FlatConfig),
    Layered(Box<LayeredPlan>),
}

impl WorldPlan {
    pub(crate) const fn is_layered(&self) -> bool {
        match self {
            Self::Flat(_) => false,
            Self::Layered(_) => true,
        }
    }

    /// Whether what one node sends to another arrives in order.
    pub(crate) const fn keeps_order(&self) -> bool {
        match self {
            Self::Flat(_) => true,
            Self::Layered(plan) => plan.keeps_order(),
        }
    }
}

impl Default for WorldPlan {
    fn default() -> Self {
        Self::Flat(FlatConfig::default())
    }
}

/// What lies between the nodes.
///
/// A node asks it to [`open`](Self::open) a connection to the bus, and hears of it by
/// [`Happening::Reconnect`] and [`Happening::Noticed`]; what it is sent comes as
/// [`Happening::Arrive`] and [`Happening::Unanswered`].
#[derive(Debug)]
pub(crate) enum World {
    Flat(Box<Flat>),
    Layered(Box<Layered>),
}

impl World {
    pub(crate) fn new(plan: WorldPlan, seed: u64) -> Self {
        match plan {
            WorldPlan::Flat(config) => Self::Flat(Box::new(Flat::new(config, seed))),
            WorldPlan::Layered(plan) => Self::Layered(Box::new(Layered::new(*plan, seed))),
        }
    }

    /// What it does by itself begins.
    pub(crate) fn start(&mut self, heap: &mut Heap<Happening>) {
        match self {
            Self::Flat(_) => {}
            Self::Layered(layered) => layered.start(heap),
        }
    }

    /// Makes room for one more node.
    pub(crate) fn add(&mut self, key: u64) {
        match self {
            Self::Flat(flat) => flat.add(key),
            Self::Layered(layered) => layered.add(key),
        }
    }

    /// The process of `node` wants a connection. Returns whether it has one at once; otherwise a
    /// [`Happening::Reconnect`] comes as soon as it can.
    pub(crate) fn open(&mut self, now: u64, node: u32, heap: &mut Heap<Happening>) -> bool {
        match self {
            Self::Flat(flat) => !flat.is_cut(node),
            Self::Layered(layered) => layered.open(now, node, heap),
        }
    }

    /// The process of `node` takes the connection that is there.
    pub(crate) fn connect(&mut self, node: u32) {
        match self {
            Self::Flat(flat) => flat.connect(node),
            Self::Layered(layered) => layered.connect(node),
        }
    }

    /// The process of `node` gives up its connection, and with it its subscriptions: it ended
    /// (`ended`), or heard that the bus is away and tries again.
    pub(crate) fn disconnect(&mut self, now: u64, node: u32, ended: bool, heap: &mut Heap<Happening>) {
        match self {
            Self::Flat(flat) => flat.disconnect(node),
            Self::Layered(layered) => layered.disconnect(now, node, ended, heap),
        }
    }

    /// Whether the process of `node` has a connection, as it believes.
    pub(crate) fn is_connected(&self, node: u32) -> bool {
        match self {
            Self::Flat(flat) => flat.is_connected(node),
            Self::Layered(layered) => layered.is_connected(node),
        }
    }

    pub(crate) fn subscribe(
        &mut self,
        now: u64,
        node: u32,
        tag: u32,
        (pattern, queue): (&Pattern, Option<&str>),
        heap: &mut Heap<Happening>,
    ) {
        match self {
            Self::Flat(flat) => flat.subscribe(node, tag, pattern, queue),
            Self::Layered(layered) => layered.subscribe(now, node, tag, (pattern, queue), heap),
        }
    }

    /// Takes a message from `from`. Gives back its subject when it is lost at once.
    pub(crate) fn publish(
        &mut self,
        now: u64,
        from: u32,
        message: Box<Message>,
        heap: &mut Heap<Happening>,
    ) -> Option<Subject> {
        match self {
            Self::Flat(flat) => flat.publish(now, from, message, heap),
            Self::Layered(layered) => layered.publish(now, from, message, heap),
        }
    }

    /// Whether what was sent to `node` on its connection `epoch` arrives now.
    pub(crate) fn admits(&self, node: u32, epoch: u32) -> bool {
        match self {
            Self::Flat(flat) => flat.admits(node, epoch),
            Self::Layered(layered) => layered.admits(node, epoch),
        }
    }

    /// Whether what a node is about to hear of its connection still holds.
    pub(crate) fn is_turn(&self, node: u32, turn: u32) -> bool {
        match self {
            Self::Flat(flat) => flat.is_turn(node, turn),
            Self::Layered(layered) => layered.is_turn(node, turn),
        }
    }

    /// Something of the world's own is due.
    pub(crate) fn happen(&mut self, now: u64, turn: Turn, heap: &mut Heap<Happening>, witness: &mut Witness) {
        match self {
            Self::Flat(_) => {}
            Self::Layered(layered) => layered.happen(now, turn, heap, witness),
        }
    }

    /// The links between these units, for a page; the flat world has none.
    pub(crate) fn links(&self, units: &[UnitId]) -> Option<LinkMatrix> {
        match self {
            Self::Flat(_) => None,
            Self::Layered(layered) => Some(layered.links(units)),
        }
    }

    /// Nodes cannot reach the others any more. The flat world has one server, which `cut` cannot reach.
    pub(crate) fn impose(&mut self, now: u64, fault: u32, harm: &Harm, heap: &mut Heap<Happening>) {
        match (self, harm) {
            (Self::Flat(flat), Harm::Cut(nodes)) => nodes.iter().for_each(|&node| flat.cut(now, node, heap)),
            (Self::Flat(_), Harm::Net(_) | Harm::Servers(_)) => {}
            (Self::Layered(layered), harm) => layered.impose(now, fault, harm, heap),
        }
    }

    /// The harm that `fault` did ends.
    pub(crate) fn lift(&mut self, now: u64, fault: u32, harm: &Harm, heap: &mut Heap<Happening>) {
        match (self, harm) {
            (Self::Flat(flat), Harm::Cut(nodes)) => nodes.iter().for_each(|&node| flat.heal(now, node, heap)),
            (Self::Flat(_), Harm::Net(_) | Harm::Servers(_)) => {}
            (Self::Layered(layered), harm) => layered.lift(now, fault, harm, heap),
        }
    }
}

/// What a fault does to the world.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Harm {
    /// These nodes lose everybody else; in the flat world, the server.
    Cut(Vec<u32>),
    /// Links between stations suffer; in the layered world alone.
    Net(NetFault),
    /// The servers of these nodes are down, as if their processes were killed; in the layered world alone.
    Servers(Vec<u32>),
}
