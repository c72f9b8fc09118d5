//! What a tree looks like at present.

use nunect_core::ActorName;

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

impl Tree {
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
