//! What befalls nodes.

use crate::world::Harm;

/// A fault of a scenario, ready to strike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// True time in nanoseconds since the run begins.
    pub(crate) at: u64,
    /// When it is over; never, if not given.
    pub(crate) end: Option<u64>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// What lies between the nodes suffers.
    World(Harm),
    /// The nodes go down as if their processes were killed.
    Crash(Vec<u32>),
    /// The nodes stop as asked.
    Stop(Vec<u32>),
    /// An actor of each node panics: node and place of the actor.
    Panic(Vec<(u32, u32)>),
}
