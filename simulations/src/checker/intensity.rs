//! Whether supervisors give up when they must.
//!
//! Seen from outside: of the crashes that a supervisor answers with restarts, no more than its
//! intensity lie within its period. Its own count is not asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nunect_core::time::nanos;
use nunect_core::{ActorName, Event};
use nunect_supervisor::{Intensity, NodeSpec, Restart, Strategy, TreeSpec};

use super::Sighting;
use crate::clock::DRIFT_MAX_PPB;

/// The supervisors of all nodes on which something crashed.
#[derive(Debug, Default)]
pub(crate) struct Intensities {
    trees: BTreeMap<u32, Arc<TreeSpec>>,
    /// By node and name of the group; the root has none.
    windows: BTreeMap<(u32, Option<ActorName>), Window>,
}

#[derive(Debug, Default)]
struct Window {
    crashes: VecDeque<u64>,
    /// Since when there are too many.
    over: Option<u64>,
    /// Whether a crash is not yet answered by a start.
    answering: bool,
}

/// A supervisor, as far as it matters here.
#[derive(Clone)]
struct Above {
    group: Option<ActorName>,
    intensity: Intensity,
    strategy: Strategy,
    restart: Restart,
}

impl Intensities {
    /// A node starts: whatever crashed in its earlier run is forgotten.
    pub(crate) fn started(&mut self, node: u32, tree: Option<&Arc<TreeSpec>>) {
        match tree {
            Some(tree) => drop(self.trees.insert(node, Arc::clone(tree))),
            None => drop(self.trees.remove(&node)),
        }
        self.windows.retain(|(other, _), _| *other != node);
    }

    /// Takes an event. Returns what is wrong, if anything is.
    pub(crate) fn event(&mut self, seen: &Sighting<'_>) -> Option<String> {
        let actor = seen.actor?;
        let charged = matches!(seen.event, Event::ActorCrashed { on_message: false, .. });
        let escalated = matches!(seen.event, Event::Escalated { .. });
        let started = matches!(seen.event, Event::ActorStarted { .. }) && !self.windows.is_empty();
        if !(charged || escalated || started) {
            return None;
        }
        // From the supervisor of the actor up to the root.
        let line = self.above(seen.node, actor);
        if escalated {
            let (own, rest) = line.split_first()?;
            self.windows.remove(&(seen.node, own.group.clone()));
            return rest.first().and_then(|above| self.charge(seen, above));
        }
        if charged {
            return line.first().and_then(|above| self.charge(seen, above));
        }
        line.iter().find_map(|above| {
            let window = self.windows.get_mut(&(seen.node, above.group.clone()))?;
            window.answering = false;
            window.too_many(seen.at, above)
        })
    }

    fn charge(&mut self, seen: &Sighting<'_>, above: &Above) -> Option<String> {
        if above.restart == Restart::Temporary {
            return None;
        }
        let window = self.windows.entry((seen.node, above.group.clone())).or_default();
        let wrong = window.too_many(seen.at, above);
        // Who crashes while a group restarts with another is not charged.
        if above.strategy != Strategy::OneForOne && window.answering {
            return wrong;
        }
        window.answering = true;
        window.crashes.push_back(seen.at);
        let period = shortest(above.intensity);
        while window.crashes.front().is_some_and(|crash| seen.at - crash > period) {
            window.crashes.pop_front();
        }
        if window.crashes.len() as u64 > u64::from(above.intensity.crashes) {
            window.over.get_or_insert(seen.at);
        }
        wrong
    }

    /// The supervisors above an actor or group of a node, the nearest first.
    fn above(&self, node: u32, name: &ActorName) -> Vec<Above> {
        let mut line = Vec::new();
        match self.trees.get(&node) {
            Some(tree) => drop(find(tree, None, name, &mut line)),
            None => line.push(Above {
                group: None,
                intensity: Intensity::default(),
                strategy: Strategy::OneForOne,
                restart: Restart::Permanent,
            }),
        }
        line
    }
}

impl Window {
    /// Something goes on although there were too many crashes at an earlier instant.
    fn too_many(&mut self, at: u64, above: &Above) -> Option<String> {
        self.over.filter(|&since| since < at)?;
        self.over = None;
        let group = above.group.as_ref().map_or_else(|| "the root".to_owned(), ToString::to_string);
        let Intensity { crashes, period } = above.intensity;
        Some(format!("{group} goes on after {} crashes, with {crashes} allowed in {period}", self.crashes.len()))
    }
}

/// Finds who stands above `name`; returns whether it is in `tree`.
fn find(tree: &TreeSpec, group: Option<&ActorName>, name: &ActorName, line: &mut Vec<Above>) -> bool {
    let found = tree.children.iter().find_map(|child| match child {
        NodeSpec::Actor(actor) => (actor.name == *name).then_some(actor.restart),
        NodeSpec::Group { name: own, restart, spec, .. } => {
            (own == name || find(spec, Some(own), name, line)).then_some(*restart)
        }
    });
    let Some(restart) = found else { return false };
    line.push(Above { group: group.cloned(), intensity: tree.intensity, strategy: tree.strategy, restart });
    true
}

/// The supervisor counts by the node's clock: what lies within the period by true time, taken a little
/// shorter, lies within it by every clock.
fn shortest(intensity: Intensity) -> u64 {
    let period = nanos(intensity.period.0);
    period - period / (1_000_000_000 / u64::from(DRIFT_MAX_PPB.unsigned_abs())).max(1) - period.min(1)
}
