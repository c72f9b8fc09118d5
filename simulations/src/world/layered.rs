//! The layered world: units → NATS servers → TCP connections → mesh routes → radio links.
//!
//! Each layer knows only the one below it. A node publishes to its server; servers talk over
//! connections; a connection hands segments to the mesh and hears when, or whether, they arrive; the
//! mesh walks the route of the moment, link by link, and draws what each link does to a segment.

#![expect(dead_code, unused_imports, reason = "the layers are put together in the next step")]

pub(crate) mod net;
pub(crate) mod tcp;

use std::time::Duration;

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
