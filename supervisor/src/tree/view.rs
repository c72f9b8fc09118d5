//! What a tree looks like at present.

use nunect_core::protocol::command::{ActorReport, CrashReport, MailboxReport};
use nunect_core::{ActorName, UnitId};

use super::{Member, Tree};
use crate::child::{ChildId, ChildState, Generation};
use crate::spec::Strategy;

/// A node of a tree, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// Its name.
    pub name: &'a ActorName,
    /// How it does.
    pub state: ChildState,
    /// How often it was started after its first start, for its own sake or another's.
    pub restarts: u32,
    /// What it is.
    pub kind: ViewKind<'a>,
}

/// What a node of a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewKind<'a> {
    /// An actor.
    Actor {
        /// Which.
        child: ChildId,
        /// Its latest life; 0 before its first.
        generation: Generation,
    },
    /// A supervisor of its own.
    Group {
        /// Who restarts with a child of it that crashed.
        strategy: Strategy,
        /// Its children in the order of their start.
        children: Vec<View<'a>>,
    },
}

/// What its host knows of an actor.
#[derive(Clone, Debug)]
pub struct About {
    /// What it is.
    pub kind: String,
    /// What waits for it; none before its first life.
    pub mailbox: Option<MailboxReport>,
    /// Its last crash.
    pub last_crash: Option<CrashReport>,
}

/// The kind of what is no actor.
const SUPERVISOR: &str = "supervisor";

impl View<'_> {
    fn report(self, leaf: &impl Fn(ChildId) -> Option<About>) -> ActorReport {
        let about = ActorReport {
            name: self.name.to_string(),
            kind: SUPERVISOR.to_owned(),
            state: self.state.as_str().to_owned(),
            restarts: self.restarts,
            incarnation: self.restarts + 1,
            mailbox: None,
            last_crash: None,
            children: Vec::new(),
        };
        match self.kind {
            ViewKind::Actor { child, generation } => match leaf(child) {
                Some(About { kind, mailbox, last_crash }) => {
                    ActorReport { kind, incarnation: generation.0, mailbox, last_crash, ..about }
                }
                None => about,
            },
            ViewKind::Group { children, .. } => {
                ActorReport { children: children.into_iter().map(|view| view.report(leaf)).collect(), ..about }
            }
        }
    }
}

impl Tree {
    /// The tree of `unit` as operators see it, with what `leaf` knows of each actor.
    #[must_use]
    pub fn report(&self, unit: &UnitId, leaf: impl Fn(ChildId) -> Option<About>) -> ActorReport {
        ActorReport {
            name: unit.to_string(),
            kind: SUPERVISOR.to_owned(),
            state: ChildState::Running.as_str().to_owned(),
            restarts: 0,
            incarnation: 1,
            mailbox: None,
            last_crash: None,
            children: self.view().into_iter().map(|view| view.report(&leaf)).collect(),
        }
    }

    /// The children of the root in the order of their start, with all that stands below them. Actors
    /// that were removed are not shown once they are down.
    #[must_use]
    pub fn view(&self) -> Vec<View<'_>> {
        self.view_of(0)
    }

    fn view_of(&self, group: usize) -> Vec<View<'_>> {
        let shown = |member: &Member| match *member {
            Member::Actor(child) => {
                let (leaf, state) = (self.leaf(child)?, self.state(child)?);
                let (restarts, generation) = (leaf.latest.saturating_sub(1), Generation(leaf.latest));
                let kind = ViewKind::Actor { child, generation };
                let view = View { name: &leaf.name, state, restarts, kind };
                Some(view).filter(|_| !leaf.removed || state.is_alive())
            }
            Member::Group(group) => {
                let state = self.group_state(group);
                let (group, children) = (&self.groups[group], self.view_of(group));
                let kind = ViewKind::Group { strategy: group.spec.strategy, children };
                let restarts = group.lives.saturating_sub(1);
                group.name.as_ref().map(|name| View { name, state, restarts, kind })
            }
        };
        self.groups[group].members.iter().filter_map(shown).collect()
    }
}
