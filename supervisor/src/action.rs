//! What a supervisor wants done.

use std::time::Duration;

use nunect_core::{ActorName, Mono, StopReason};

use crate::child::{ChildId, Generation};

/// A timer of one supervisor; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub u64);

/// What the host is to do, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Begin a life of a child.
    Start {
        /// Which child.
        child: ChildId,
        /// Which life; to be echoed in every event about it.
        generation: Generation,
    },
    /// Ask a child to end, so that it can clean up.
    Stop {
        /// Which child.
        child: ChildId,
        /// Which life.
        generation: Generation,
        /// What the child is told.
        reason: StopReason,
    },
    /// End a child at once.
    Kill {
        /// Which child.
        child: ChildId,
        /// Which life.
        generation: Generation,
    },
    /// Answer with [`Event::Timer`](crate::Event::Timer) once `at` has come.
    Arm {
        /// Which timer.
        timer: TimerId,
        /// When.
        at: Mono,
    },
    /// Forget a timer that is armed.
    Cancel(TimerId),
    /// Let the outside observe an event: `RestartScheduled` or `Escalated`. What happens to a single
    /// life is for the host to tell, which knows incarnations.
    Emit {
        /// The child, or the group of children, that it happened to.
        who: ActorName,
        /// What happened.
        event: nunect_core::Event,
    },
    /// The supervisor gave up and all its children are down: the last action. To a parent supervisor
    /// this is a crash of the child that this supervisor is.
    Escalate {
        /// The child, or the group of children, whose crash was one too many, or whose first start
        /// failed.
        who: ActorName,
        /// How many charged crashes there were within `period`, this one among them.
        crashes: u32,
        /// The window.
        period: Duration,
        /// The reason of the last crash.
        reason: String,
    },
    /// A significant child ended, as [`AutoShutdown`](crate::AutoShutdown) has it, and all children are
    /// down: the last action. To a parent supervisor this is a normal exit.
    Completed {
        /// The child, or the group of children, that ended.
        who: ActorName,
    },
    /// The supervisor stopped as asked and all its children are down: the last action.
    Stopped,
}
