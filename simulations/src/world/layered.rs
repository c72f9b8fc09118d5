//! The layered world: units → NATS servers → TCP connections → mesh routes → radio links.
//!
//! Each layer knows only the one below it. A node publishes to its server; servers talk over
//! connections; a connection hands segments to the mesh and hears when, or whether, they arrive; the
//! mesh walks the route of the moment, link by link, and draws what each link does to a segment.

#![expect(
    dead_code,
    unused_imports,
    unused_variables,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unused_self,
    clippy::needless_pass_by_value,
    clippy::missing_const_for_fn,
    reason = "the layers are put together in the next step"
)]

pub(crate) mod datagram;
pub(crate) mod net;
pub(crate) mod tcp;

use nunect_core::{Message, Pattern, Subject};

use super::Harm;
use crate::happening::Happening;
use crate::heap::Heap;
use crate::witness::Witness;

/// What carries segments from one end of a connection to the other.
pub(crate) trait Wire {
    /// Sends so many bytes (with all headers) from the side `from` to the other at the true instant
    /// `now`. Returns when they arrive, or `None` when they are lost.
    fn carry(&mut self, now: u64, from: Side, bytes: u32) -> Option<u64>;
}

/// An end of a connection: who opened it, or who accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Opener,
    Acceptor,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Opener => Self::Acceptor,
            Self::Acceptor => Self::Opener,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Opener => 0,
            Self::Acceptor => 1,
        }
    }
}

/// How a layered world is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayeredPlan {}

/// Something of the layered world that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {}

pub(crate) use net::NetFault;

/// Servers, the connections between them, and the mesh below.
#[derive(Debug)]
pub(crate) struct Layered {}

impl Layered {
    pub(crate) fn new(plan: LayeredPlan, seed: u64) -> Self {
        Self {}
    }
    pub(crate) fn start(&mut self, heap: &mut Heap<Happening>) {}
    pub(crate) fn add(&mut self, key: u64) {}
    pub(crate) fn open(&mut self, now: u64, node: u32, heap: &mut Heap<Happening>) -> bool {
        false
    }
    pub(crate) fn connect(&mut self, node: u32) {}
    pub(crate) fn disconnect(&mut self, now: u64, node: u32, ended: bool, heap: &mut Heap<Happening>) {}
    pub(crate) fn is_connected(&self, node: u32) -> bool {
        false
    }
    pub(crate) fn subscribe(
        &mut self,
        now: u64,
        node: u32,
        tag: u32,
        (pattern, queue): (&Pattern, Option<&str>),
        heap: &mut Heap<Happening>,
    ) {
    }
    pub(crate) fn publish(
        &mut self,
        now: u64,
        from: u32,
        message: Message,
        heap: &mut Heap<Happening>,
    ) -> Option<Subject> {
        None
    }
    pub(crate) fn admits(&self, node: u32, epoch: u32) -> bool {
        false
    }
    pub(crate) fn is_turn(&self, node: u32, turn: u32) -> bool {
        false
    }
    pub(crate) fn happen(&mut self, now: u64, turn: Turn, heap: &mut Heap<Happening>, witness: &mut Witness) {}
    pub(crate) fn impose(&mut self, now: u64, fault: u32, harm: &Harm, heap: &mut Heap<Happening>) {}
    pub(crate) fn lift(&mut self, now: u64, fault: u32, harm: &Harm, heap: &mut Heap<Happening>) {}
}
