//! The section `supervision`: who restarts with whom.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use garde::Validate;
use nunect_core::config::period_within;
use nunect_core::{ActorName, Period};
use nunect_supervisor::{AutoShutdown, Backoff, ChildSpec, Intensity, NodeSpec, Restart, Shutdown, Strategy, TreeSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::watchdog::HangLimits;

/// Who restarts with an actor that crashed, and when a node gives up. An actor in no group stands
/// directly under the root, in the order of start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct SupervisionSection {
    /// Who restarts with a child of the root that crashed: nobody else, all of them, or those that
    /// start after it.
    #[garde(skip)]
    pub strategy: Strategy,
    /// How many crashes are answered with a restart; one more within the period, and the node ends.
    #[garde(skip)]
    pub intensity: Intensity,
    /// How long a child that keeps crashing waits for its restart.
    #[garde(skip)]
    pub backoff: Backoff,
    /// Whether the node ends when a significant child of the root has ended, or all of them have.
    #[garde(skip)]
    pub auto_shutdown: AutoShutdown,
    /// Actors that are supervised together: `name: { strategy: …, children: [ … ] }`.
    #[garde(length(max = 256))]
    pub groups: BTreeMap<ActorName, GroupSection>,
    /// How single actors are supervised: `name: { restart: … }`.
    #[garde(length(max = 1_024))]
    pub children: BTreeMap<ActorName, ChildSection>,
    /// After how long an actor that does not come back from an input counts as hung, 50ms to 1m.
    #[garde(custom(period_within(Duration::from_millis(50), Duration::from_secs(60))))]
    pub hang_after: Period,
    /// After how long the process then ends, to be started again: more than `hang_after`, up to 10m.
    #[garde(custom(period_within(Duration::from_millis(50), Duration::from_secs(600))))]
    pub hang_limit: Period,
}

impl Default for SupervisionSection {
    fn default() -> Self {
        let HangLimits { after, limit } = HangLimits::default();
        Self {
            strategy: Strategy::default(),
            intensity: Intensity::default(),
            backoff: Backoff::default(),
            auto_shutdown: AutoShutdown::default(),
            groups: BTreeMap::new(),
            children: BTreeMap::new(),
            hang_after: Period(after),
            hang_limit: Period(limit),
        }
    }
}

/// Actors that are supervised together. The group starts when the first of its actors would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct GroupSection {
    /// Who restarts with a child of the group that crashed: nobody else, all of them, or those that
    /// start after it.
    #[serde(default)]
    #[garde(skip)]
    pub strategy: Strategy,
    /// How many crashes are answered with a restart; one more within the period, and the group as a
    /// whole has crashed.
    #[serde(default)]
    #[garde(skip)]
    pub intensity: Intensity,
    /// How long a child that keeps crashing waits for its restart.
    #[serde(default)]
    #[garde(skip)]
    pub backoff: Backoff,
    /// Whether the group ends when a significant child of it has ended, or all of them have.
    #[serde(default)]
    #[garde(skip)]
    pub auto_shutdown: AutoShutdown,
    /// When the group lives again.
    #[serde(default)]
    #[garde(skip)]
    pub restart: Restart,
    /// Whether its end counts for the `auto_shutdown` of what it stands in.
    #[serde(default)]
    #[garde(skip)]
    pub significant: bool,
    /// The names of actors and of other groups, in the order of start.
    #[garde(length(max = 1_024))]
    pub children: Vec<ActorName>,
}

/// How one actor is supervised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ChildSection {
    /// When it lives again.
    #[garde(skip)]
    pub restart: Restart,
    /// How long it may take to stop before it is killed: `brutal`, `infinite`, or `{ timeout: 1s }`.
    #[garde(skip)]
    pub shutdown: Shutdown,
    /// Whether its end counts for the `auto_shutdown` of what it stands in.
    #[garde(skip)]
    pub significant: bool,
}

/// Something wrong with what the section says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Below the section.
    pub(super) path: Vec<String>,
    /// Whether the key at the end of the path is meant, and not its value.
    pub(super) is_key: bool,
    pub(super) reason: String,
    pub(super) help: String,
}

impl SupervisionSection {
    /// The tree of these actors, given in the order of their start.
    ///
    /// What is named here and is not among the actors is left out, and so is a group of which nobody
    /// is left. Who is named in two groups stands in the first.
    #[must_use]
    pub fn tree(&self, actors: &[ActorName]) -> TreeSpec {
        let above = self.above();
        let mut placed = BTreeSet::new();
        let mut children = Vec::new();
        for actor in actors {
            let top = self.top(actor, &above);
            match self.groups.get(top) {
                Some(group) if placed.insert(top) => children.extend(self.group(top, group, actors, &above)),
                Some(_) => {}
                None => children.push(self.actor(actor)),
            }
        }
        TreeSpec {
            strategy: self.strategy,
            intensity: self.intensity,
            backoff: self.backoff,
            auto_shutdown: self.auto_shutdown,
            children,
        }
    }

    /// The group in which each name stands.
    fn above(&self) -> BTreeMap<&ActorName, &ActorName> {
        let mut above = BTreeMap::new();
        for (name, group) in &self.groups {
            for child in &group.children {
                above.entry(child).or_insert(name);
            }
        }
        above
    }

    /// The outermost group of an actor, or itself when there is none or only a circle.
    fn top<'a>(&self, actor: &'a ActorName, above: &BTreeMap<&'a ActorName, &'a ActorName>) -> &'a ActorName {
        let mut top = actor;
        for _ in 0..=self.groups.len() {
            match above.get(top) {
                Some(group) => top = group,
                None => return top,
            }
        }
        actor
    }

    fn actor(&self, name: &ActorName) -> NodeSpec {
        let ChildSection { restart, shutdown, significant } = self.children.get(name).copied().unwrap_or_default();
        NodeSpec::Actor(ChildSpec { name: name.clone(), restart, shutdown, significant })
    }

    fn group(
        &self,
        name: &ActorName,
        group: &GroupSection,
        actors: &[ActorName],
        above: &BTreeMap<&ActorName, &ActorName>,
    ) -> Option<NodeSpec> {
        let mut placed = BTreeSet::new();
        let mut children = Vec::new();
        for child in group.children.iter().filter(|child| above.get(child) == Some(&name) && placed.insert(*child)) {
            match self.groups.get(child) {
                Some(below) => children.extend(self.group(child, below, actors, above)),
                None => children.extend(actors.contains(child).then(|| self.actor(child))),
            }
        }
        let spec = TreeSpec {
            strategy: group.strategy,
            intensity: group.intensity,
            backoff: group.backoff,
            auto_shutdown: group.auto_shutdown,
            children,
        };
        let (restart, significant) = (group.restart, group.significant);
        let group = NodeSpec::Group { name: name.clone(), restart, significant, spec };
        Some(group).filter(|group| matches!(group, NodeSpec::Group { spec, .. } if !spec.children.is_empty()))
    }

    /// Everything wrong with it, where these are the names of all actors, running or not.
    pub(super) fn mistakes(&self, actors: &[&str]) -> Vec<Mistake> {
        let above = self.above();
        let mut mistakes = Vec::new();
        if self.hang_limit.0 <= self.hang_after.0 {
            let reason = format!("not after hang_after, which is {}", self.hang_after);
            mistakes.push(Mistake::value(&["hang_limit"], &reason, "write a longer time than that of hang_after"));
        }
        let mut circles = BTreeSet::new();
        for (name, group) in &self.groups {
            let path = ["groups", name.as_str()];
            if actors.contains(&name.as_str()) {
                let reason = format!("an actor is called `{name}` already");
                mistakes.push(Mistake::key(&path, reason, "give the group another name"));
            }
            if group.children.is_empty() {
                let help = "name its actors, such as `children: [echo]`, or remove the group";
                mistakes.push(Mistake::value(&[path[0], path[1], "children"], "nobody is in the group", help));
            }
            self.members(name, group, actors, &above, &mut mistakes);
            if let Some(circle) = self.circle(name, &above)
                && circles.is_disjoint(&circle)
            {
                let around: Vec<&str> = circle.iter().map(|name| name.as_str()).collect();
                let reason = format!("stands in itself: {}", around.join(", "));
                mistakes.push(Mistake::key(&path, reason, "remove one of these groups from the children of another"));
                circles.extend(circle);
            }
            self.significance(&path, name, group.restart, group.significant, &above, &mut mistakes);
        }
        for (name, child) in &self.children {
            let path = ["children", name.as_str()];
            if self.groups.contains_key(name) {
                let help = format!("write its settings under supervision.groups.{name}");
                mistakes.push(Mistake::key(&path, format!("`{name}` is a group"), &help));
            } else if !actors.contains(&name.as_str()) {
                mistakes.push(Mistake::unknown(&path, true, name, actors.iter().copied()));
            }
            self.significance(&path, name, child.restart, child.significant, &above, &mut mistakes);
        }
        mistakes
    }

    /// What is wrong with the children of a group.
    fn members(
        &self,
        name: &ActorName,
        group: &GroupSection,
        actors: &[&str],
        above: &BTreeMap<&ActorName, &ActorName>,
        mistakes: &mut Vec<Mistake>,
    ) {
        for (at, child) in group.children.iter().enumerate() {
            let at_text = at.to_string();
            let path = ["groups", name.as_str(), "children", &at_text];
            let first = above.get(child).copied().unwrap_or(name);
            let twice = first != name || group.children[..at].contains(child);
            if !actors.contains(&child.as_str()) && !self.groups.contains_key(child) {
                let known = actors.iter().copied().chain(self.groups.keys().map(ActorName::as_str));
                mistakes.push(Mistake::unknown(&path, false, child, known));
            } else if twice {
                let reason = format!("`{child}` stands in the group `{first}` already");
                mistakes.push(Mistake::value(&path, &reason, "leave it in one of them"));
            }
        }
    }

    /// The groups around which one comes back to `name`.
    fn circle<'a>(
        &'a self,
        name: &'a ActorName,
        above: &BTreeMap<&'a ActorName, &'a ActorName>,
    ) -> Option<BTreeSet<&'a ActorName>> {
        let mut circle = BTreeSet::from([name]);
        let mut next = *above.get(name)?;
        while next != name {
            if !circle.insert(next) {
                return None;
            }
            next = above.get(next)?;
        }
        Some(circle)
    }

    fn significance(
        &self,
        path: &[&str],
        name: &ActorName,
        restart: Restart,
        significant: bool,
        above: &BTreeMap<&ActorName, &ActorName>,
        mistakes: &mut Vec<Mistake>,
    ) {
        let path: Vec<&str> = path.iter().copied().chain(["significant"]).collect();
        let group = above.get(name).and_then(|group| Some((*group, self.groups.get(*group)?)));
        let auto_shutdown = group.map_or(self.auto_shutdown, |(_, group)| group.auto_shutdown);
        if significant && restart == Restart::Permanent {
            let help = "write `restart: transient` or `restart: temporary` beside it, or remove it";
            mistakes.push(Mistake::value(&path, "who always lives again is not significant: it never ends", help));
        } else if significant && auto_shutdown == AutoShutdown::Never {
            let key = group.map_or_else(String::new, |(group, _)| format!("groups.{group}."));
            let help = format!("write any_significant or all_significant to supervision.{key}auto_shutdown");
            mistakes.push(Mistake::value(&path, "nothing follows from its end: `auto_shutdown` is never", &help));
        }
    }
}

impl Mistake {
    fn key(path: &[&str], reason: String, help: &str) -> Self {
        Self { is_key: true, ..Self::value(path, &reason, help) }
    }

    fn value(path: &[&str], reason: &str, help: &str) -> Self {
        let path = path.iter().map(|step| (*step).to_owned()).collect();
        Self { path, is_key: false, reason: reason.to_owned(), help: help.to_owned() }
    }

    fn unknown<'a>(path: &[&str], is_key: bool, name: &ActorName, known: impl Iterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.collect();
        let near = super::shape::nearest(name.as_str(), known.iter().copied());
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}known here: {}", known.join(", "));
        Self { is_key, ..Self::value(path, &format!("no actor is called `{name}`"), &help) }
    }
}

#[cfg(test)]
mod tests;
