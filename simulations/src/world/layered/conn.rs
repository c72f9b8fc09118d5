//! One connection, with two ends that need not believe the same of it.

use std::collections::BTreeMap;

use nunect_core::broker::SubscriptionId;

use super::Side;
use super::frame::Key;
use super::pipe::Pipe;
use super::tcp::Handshake;

/// Identifies a connection: places are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnId {
    pub(super) place: u32,
    pub(super) epoch: u32,
}

/// Who talks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A leaf to its hub.
    Leaf,
    /// A hub to a hub.
    Route,
    /// A process to a hub.
    Client,
}

/// How far the opener has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It waits for the answer to its SYN.
    Dialing,
    /// It waits to be taken.
    Greeting,
    Up,
}

/// What lies between the ends.
#[derive(Debug, Default)]
pub(super) enum Medium {
    /// It was there.
    #[default]
    Gone,
    Handshake(Box<Handshake>),
    Pipe(Box<Pipe>),
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) epoch: u32,
    pub(super) kind: Kind,
    /// The node that opened it, and the place among its dials.
    pub(super) opener: u32,
    pub(super) dial: u32,
    pub(super) acceptor: u32,
    pub(super) stage: Stage,
    pub(super) channel: u64,
    pub(super) medium: Medium,
    pub(super) ends: [End; 2],
    /// The last message that goes out on it, and its place among the hops of that.
    pub(super) mark: (u64, u32),
}

/// One end, as it believes.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Whether it has not closed.
    pub(super) open: bool,
    /// Whether the other end took it, or it took the other end.
    pub(super) ready: bool,
    /// Pings that were not answered.
    pub(super) pings: u32,
    /// When it last heard anything.
    pub(super) heard: u64,
    /// Whether it will be looked at whether its writes are blocked.
    pub(super) watched: bool,
    /// Whether more waits than is allowed.
    pub(super) overflown: bool,
    /// What the other end wants from here, by key and a client's tag, and how many stand behind it.
    pub(super) wants: BTreeMap<(Key, u32), (SubscriptionId, u32)>,
}

impl Conn {
    pub(super) const fn node(&self, side: Side) -> u32 {
        match side {
            Side::Opener => self.opener,
            Side::Acceptor => self.acceptor,
        }
    }

    /// Which end of it `node` has.
    pub(super) const fn side(&self, node: u32) -> Side {
        if self.opener == node { Side::Opener } else { Side::Acceptor }
    }

    pub(super) const fn end(&self, side: Side) -> &End {
        &self.ends[side.index()]
    }

    pub(super) const fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side.index()]
    }
}
