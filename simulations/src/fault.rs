//! What befalls nodes.

use nunect_core::protocol::command::ChaosKind;

use crate::clock::ClockFault;
use crate::tamper::Tampering;
use crate::world::Harm;

/// A fault of a scenario, ready to strike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// True time in nanoseconds since the run begins.
    pub(crate) at: u64,
    /// When it is over; never, if not given.
    pub(crate) end: Option<u64>,
    /// The place in the file of the first fault of its name, or of itself; [`NO_ENTRY`] for one that
    /// nothing can refer to.
    pub(crate) entry: u32,
    pub(crate) kind: Kind,
}

/// The entry of a fault that the seed drew.
pub(crate) const NO_ENTRY: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// What lies between the nodes suffers.
    World(Harm),
    /// The nodes go down as if their processes were killed, and servers likewise.
    Crash { nodes: Vec<u32>, servers: Option<Harm> },
    /// The nodes stop as asked.
    Stop(Vec<u32>),
    /// The processes of the nodes stand still.
    Pause(Vec<u32>),
    /// An actor of each node suffers: node and place of the actor.
    Actor { what: ChaosKind, actors: Vec<(u32, u32)> },
    /// Messages suffer.
    Tamper(Box<Tampering>),
    /// Clocks suffer, and recover when it is over.
    Clock { nodes: Vec<u32>, begin: ClockFault, end: Option<ClockFault> },
}

/// When all faults end, and how soon all must be well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Liveness {
    /// True time in nanoseconds since the run begins.
    pub(crate) at: u64,
    /// So long after, all is well and remains so.
    pub(crate) within: u64,
}
