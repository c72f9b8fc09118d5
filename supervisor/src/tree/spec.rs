//! What a tree is told about its nodes.

use std::collections::BTreeSet;

use nunect_core::ActorName;

use crate::backoff::Backoff;
use crate::intensity::Intensity;
use crate::spec::{AutoShutdown, ChildSpec, Restart, SpecError, Strategy};

/// A supervisor and what stands below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeSpec {
    /// Who restarts with a child that crashed.
    pub strategy: Strategy,
    /// How many crashes are too many.
    pub intensity: Intensity,
    /// How long a child that keeps crashing waits.
    pub backoff: Backoff,
    /// Whether the end of significant children is the end of all.
    pub auto_shutdown: AutoShutdown,
    /// The children in the order of their start.
    pub children: Vec<NodeSpec>,
}

/// A child of a supervisor in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeSpec {
    /// One that the host starts.
    Actor(ChildSpec),
    /// A supervisor of its own. It takes as long to stop as its children take.
    Group {
        /// Its name in the configuration.
        name: ActorName,
        /// When it lives again: escalating is a crash, having completed a normal exit.
        restart: Restart,
        /// Whether its end counts for the `auto_shutdown` of the supervisor above it.
        significant: bool,
        /// What it consists of.
        spec: TreeSpec,
    },
}

impl NodeSpec {
    /// A permanent group.
    #[must_use]
    pub const fn group(name: ActorName, spec: TreeSpec) -> Self {
        Self::Group { name, restart: Restart::Permanent, significant: false, spec }
    }

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(&self) -> &ActorName {
        match self {
            Self::Actor(child) => &child.name,
            Self::Group { name, .. } => name,
        }
    }
}

impl TreeSpec {
    /// The default intensity and back-off for `children`.
    #[must_use]
    pub fn new(strategy: Strategy, children: Vec<NodeSpec>) -> Self {
        Self { strategy, children, ..Self::default() }
    }

    /// Permanent actors side by side, nobody restarting with anybody else.
    pub fn flat(actors: impl IntoIterator<Item = ActorName>) -> Self {
        let children = actors.into_iter().map(|name| NodeSpec::Actor(ChildSpec::new(name)));
        Self::new(Strategy::OneForOne, children.collect())
    }

    /// The actors in the order of their definition, depth first: of their start, that is, and of their
    /// [`ChildId`](crate::ChildId)s.
    #[must_use]
    pub fn actors(&self) -> Vec<&ChildSpec> {
        let mut actors = Vec::new();
        for child in &self.children {
            match child {
                NodeSpec::Actor(actor) => actors.push(actor),
                NodeSpec::Group { spec, .. } => actors.extend(spec.actors()),
            }
        }
        actors
    }

    /// The names of the groups in the order of their definition, depth first.
    #[must_use]
    pub fn groups(&self) -> Vec<&ActorName> {
        let mut groups = Vec::new();
        for child in &self.children {
            if let NodeSpec::Group { name, spec, .. } = child {
                groups.push(name);
                groups.extend(spec.groups());
            }
        }
        groups
    }

    /// Finds what a tree could not do sensibly.
    ///
    /// # Errors
    /// The first mistake, in the order of the definition.
    pub fn check(&self) -> Result<(), SpecError> {
        self.check_below(&mut BTreeSet::new())
    }

    fn check_below<'a>(&'a self, names: &mut BTreeSet<&'a ActorName>) -> Result<(), SpecError> {
        for child in &self.children {
            if !names.insert(child.name()) {
                return Err(SpecError::NameTwice(child.name().clone()));
            }
            match child {
                NodeSpec::Actor(ChildSpec { name, restart, significant, .. }) => {
                    self.auto_shutdown.check(name, *restart, *significant)?;
                }
                NodeSpec::Group { name, restart, significant, spec } => {
                    self.auto_shutdown.check(name, *restart, *significant)?;
                    if spec.children.is_empty() {
                        return Err(SpecError::EmptyGroup(name.clone()));
                    }
                    spec.check_below(names)?;
                }
            }
        }
        Ok(())
    }
}
