//! One child, as the supervisor sees it.

use std::fmt;

use nunect_core::StopReason;

use crate::action::TimerId;
use crate::backoff::Level;
use crate::spec::ChildSpec;

/// A child: its place in [`Spec::children`](crate::Spec::children), and after those the place among
/// the children that were added. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId(pub u32);

/// Counts the starts of one child, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

/// How a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildState {
    /// It is down and waits for its turn to start.
    Pending,
    /// It is down and waits for its back-off to pass.
    BackingOff,
    /// It was started and has not answered yet.
    Starting,
    /// It is up.
    Running,
    /// It was asked to stop, or killed, and is not down yet.
    Stopping,
    /// It is down and stays so.
    Ended,
}

impl ChildState {
    /// One word for people and for the tree of actors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::BackingOff => "backing_off",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        }
    }

    /// Whether there is a life that has not ended.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Stopping => true,
            Self::Pending | Self::BackingOff | Self::Ended => false,
        }
    }
}

impl fmt::Display for ChildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the host has, as far as the supervisor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Down,
    Starting,
    Running,
    /// With the timer after which it is killed.
    Stopping(Option<TimerId>),
}

/// What the supervisor knows of a child and wants of it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) id: ChildId,
    pub(crate) spec: ChildSpec,
    pub(crate) life: Life,
    pub(crate) generation: Generation,
    /// It was added when the others had been started.
    pub(crate) added: bool,
    /// It is gone for ever.
    pub(crate) removed: bool,
    /// Its first start is done: it was up, or it came to its natural end before it was.
    pub(crate) came_up: bool,
    /// It is to be up, as soon as its turn has come.
    pub(crate) wanted: bool,
    /// Its present life is to end, as soon as its turn has come; never set while it is down.
    pub(crate) doomed: Option<StopReason>,
    /// It must not start before this timer.
    pub(crate) hold: Option<TimerId>,
    pub(crate) backoff: Level,
}

impl Slot {
    pub(crate) fn new(id: ChildId, spec: ChildSpec) -> Self {
        Self {
            id,
            spec,
            life: Life::Down,
            generation: Generation(0),
            added: false,
            removed: false,
            came_up: false,
            wanted: false,
            doomed: None,
            hold: None,
            backoff: Level::default(),
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.life != Life::Down
    }

    /// Whether those after it must wait for it when the children start for the first time.
    pub(crate) const fn owes_its_first_start(&self) -> bool {
        self.wanted && !self.came_up
    }
}
