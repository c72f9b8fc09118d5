//! What a scenario expects, held against what happens.
//!
//! Checkers see events and faults, as the trace records them, and nothing else: neither the world
//! nor the nodes know that they are watched.

use std::collections::BTreeSet;
use std::time::Duration;

use nunect_core::table::Table;
use nunect_core::{ActorName, Event, Period, UnitId};
use serde::Serialize;

/// In the place of a node or a unit when any will do.
const ANY: u32 = u32::MAX;

/// An event, and what it happened to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting<'a> {
    pub(crate) at: u64,
    pub(crate) node: u32,
    pub(crate) actor: Option<&'a ActorName>,
    pub(crate) event: &'a Event,
}

/// Which events are meant. What is not given may be anything.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// [`Event::name`].
    pub(crate) event: String,
    /// The nodes that it happens on, in order.
    pub(crate) nodes: Option<Vec<u32>>,
    pub(crate) actor: Option<ActorName>,
    /// The units that it is about.
    pub(crate) about: Option<Table<UnitId, ()>>,
    /// All of this in words.
    pub(crate) words: String,
}

impl Filter {
    /// If it matches: on which of the wanted nodes, about which of the wanted units.
    fn matches(&self, seen: &Sighting<'_>) -> Option<(u32, u32)> {
        if seen.event.name() != self.event || self.actor.as_ref().is_some_and(|actor| seen.actor != Some(actor)) {
            return None;
        }
        let node = match &self.nodes {
            Some(nodes) => nodes.binary_search(&seen.node).is_ok().then_some(seen.node)?,
            None => ANY,
        };
        let about = match &self.about {
            Some(units) => place(units.get_index_of(seen.event.about()?)?),
            None => ANY,
        };
        Some((node, about))
    }

    /// Everything that must be seen when it is wanted of every node about every unit.
    fn wanted(&self) -> BTreeSet<(u32, u32)> {
        let nodes = self.nodes.as_deref().unwrap_or(&[ANY]);
        let units = self.about.as_ref().map_or(1, Table::len);
        let about = |unit| if self.about.is_some() { place(unit) } else { ANY };
        nodes.iter().flat_map(|&node| (0..units).map(move |unit| (node, about(unit)))).collect()
    }
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(ANY)
}

/// What opens the time in which something must be seen.
#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    Start,
    Fault(u32),
    EndOf(u32),
    Seen(Filter),
}

/// How much of a sighting must be the trigger's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Same {
    Nothing,
    Node,
    Actor,
}

#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// Never seen from one instant to another.
    Always { without: Filter, from: u64, until: u64 },
    /// Seen within `limit` after each trigger: on each of the nodes, about each of the units.
    Within { limit: u64, after: Trigger, see: Filter, same: Same },
}

/// One expectation of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Expectation {
    pub(crate) name: String,
    /// Where it stands in the file.
    pub(crate) line: usize,
    pub(crate) rule: Rule,
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Its name, or what it says.
    pub name: String,
    /// Where it stands in the scenario file, from 1.
    pub line: usize,
    /// Whether it was met.
    pub judgement: Judgement,
}

/// Whether an expectation was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Judgement {
    /// It was put to the test and met.
    Met {
        /// How often it was put to the test.
        tests: u64,
    },
    /// The run never put it to the test.
    Untried {
        /// Why not.
        why: String,
    },
    /// It was not met.
    Broken {
        /// When it was first clear, from the beginning of the run.
        at: Duration,
        /// What happened, or did not.
        why: String,
        /// How often.
        times: u64,
    },
}

impl Judgement {
    /// Whether it was broken.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        match self {
            Self::Broken { .. } => true,
            Self::Met { .. } | Self::Untried { .. } => false,
        }
    }
}

/// All expectations of a run.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    watches: Vec<Watch>,
    /// The names of nodes, for explanations.
    units: Vec<UnitId>,
}

#[derive(Debug)]
struct Watch {
    expectation: Expectation,
    open: Vec<Obligation>,
    tests: u64,
    broken: Option<(u64, String)>,
    times: u64,
}

/// Something that must be seen by a deadline.
#[derive(Debug)]
struct Obligation {
    since: u64,
    deadline: u64,
    /// The node and actor of the trigger, when it must be the same.
    node: Option<u32>,
    actor: Option<ActorName>,
    missing: BTreeSet<(u32, u32)>,
}

impl Checker {
    pub(crate) fn new(expectations: impl IntoIterator<Item = Expectation>) -> Self {
        Self { watches: expectations.into_iter().map(Watch::new).collect(), units: Vec::new() }
    }

    /// Learns the name of the next node.
    pub(crate) fn add(&mut self, unit: UnitId) {
        self.units.push(unit);
    }

    /// Takes an event that happened.
    pub(crate) fn event(&mut self, seen: &Sighting<'_>) {
        for watch in &mut self.watches {
            watch.event(seen, &self.units);
        }
    }

    /// Takes a fault that begins or ends.
    pub(crate) fn fault(&mut self, at: u64, fault: u32, begins: bool) {
        for watch in &mut self.watches {
            watch.fault(at, fault, begins);
        }
    }

    /// What became of the expectations in a run that ended at `end`.
    pub(crate) fn verdicts(&mut self, end: u64) -> Vec<Verdict> {
        self.watches.iter_mut().map(|watch| watch.verdict(end, &self.units)).collect()
    }
}

impl Watch {
    fn new(expectation: Expectation) -> Self {
        let mut watch = Self { expectation, open: Vec::new(), tests: 0, broken: None, times: 0 };
        if let Rule::Within { after: Trigger::Start, .. } = watch.expectation.rule {
            watch.open(0, None, None);
        }
        watch
    }

    fn event(&mut self, seen: &Sighting<'_>, units: &[UnitId]) {
        match &self.expectation.rule {
            Rule::Always { without, from, until } => {
                if (*from..=*until).contains(&seen.at) && without.matches(seen).is_some() {
                    let event = seen.event;
                    let place = units.get(index(seen.node)).map_or("?", UnitId::as_str);
                    let actor = seen.actor.map_or_else(String::new, |actor| format!(" {actor}"));
                    self.broke(seen.at, || format!("{place}{actor}: {event}"));
                }
            }
            Rule::Within { after, see, same, .. } => {
                let met = see.matches(seen);
                let opens = match after {
                    Trigger::Seen(filter) => filter.matches(seen).is_some(),
                    Trigger::Start | Trigger::Fault(_) | Trigger::EndOf(_) => false,
                };
                if met.is_none() && !opens {
                    return;
                }
                let same = *same;
                self.expire(seen.at, units);
                if let Some(met) = met {
                    self.open.retain_mut(|obligation| obligation.remains(met, seen));
                }
                if opens {
                    let node = (same != Same::Nothing).then_some(seen.node);
                    let actor = if same == Same::Actor { seen.actor.cloned() } else { None };
                    self.open(seen.at, node, actor);
                }
            }
        }
    }

    fn fault(&mut self, at: u64, fault: u32, begins: bool) {
        let Rule::Within { after, .. } = &self.expectation.rule else { return };
        let opens = match after {
            Trigger::Fault(wanted) => begins && *wanted == fault,
            Trigger::EndOf(wanted) => !begins && *wanted == fault,
            Trigger::Start | Trigger::Seen(_) => false,
        };
        if opens {
            self.open(at, None, None);
        }
    }

    fn open(&mut self, at: u64, node: Option<u32>, actor: Option<ActorName>) {
        let Rule::Within { limit, see, .. } = &self.expectation.rule else { return };
        let deadline = at.saturating_add(*limit);
        self.open.push(Obligation { since: at, deadline, node, actor, missing: see.wanted() });
        self.tests += 1;
    }

    /// Breaks what was not seen before `now`.
    fn expire(&mut self, now: u64, units: &[UnitId]) {
        // Deadlines come in the order in which they were opened: they all have the same limit.
        let late = self.open.iter().take_while(|obligation| obligation.deadline < now).count();
        for obligation in self.open.drain(..late).collect::<Vec<_>>() {
            let why = self.explain(&obligation, units);
            self.broke(obligation.deadline, || why);
        }
    }

    fn explain(&self, obligation: &Obligation, units: &[UnitId]) -> String {
        let Rule::Within { limit, see, .. } = &self.expectation.rule else { return String::new() };
        let mut words = format!(
            "no {} within {} of {}",
            see.event,
            Period(Duration::from_nanos(*limit)),
            Period(Duration::from_nanos(obligation.since))
        );
        let name = |node: u32| units.get(index(node)).map_or("?", UnitId::as_str);
        if let Some(&(node, about)) = obligation.missing.first() {
            if let Some((unit, ())) = see.about.as_ref().and_then(|units| units.get_index(index(about))) {
                words += &format!(" about {unit}");
            }
            match (node, obligation.node) {
                (ANY, Some(node)) => words += &format!(" on {}", name(node)),
                (ANY, None) => {}
                (node, _) => words += &format!(" on {}", name(node)),
            }
        }
        match (obligation.missing.len(), see.wanted().len()) {
            (_, 1) => {}
            (missing, wanted) => words += &format!("; {missing} of {wanted} missing"),
        }
        words
    }

    fn broke(&mut self, at: u64, why: impl FnOnce() -> String) {
        self.times += 1;
        self.broken.get_or_insert_with(|| (at, why()));
    }

    fn verdict(&mut self, end: u64, units: &[UnitId]) -> Verdict {
        self.expire(end.saturating_add(1), units);
        let undecided = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        let judgement = match (&self.broken, &self.expectation.rule) {
            (Some((at, why)), _) => {
                Judgement::Broken { at: Duration::from_nanos(*at), why: why.clone(), times: self.times }
            }
            (None, Rule::Always { .. }) => Judgement::Met { tests: 1 },
            (None, Rule::Within { .. }) if self.tests == 0 => {
                Judgement::Untried { why: "what it waits for never happened".to_owned() }
            }
            (None, Rule::Within { .. }) if self.tests == undecided => {
                Judgement::Untried { why: "the run ended before its time was up".to_owned() }
            }
            (None, Rule::Within { .. }) => Judgement::Met { tests: self.tests - undecided },
        };
        Verdict { name: self.expectation.name.clone(), line: self.expectation.line, judgement }
    }
}

impl Obligation {
    /// Takes a match; returns whether anything is missing after it.
    fn remains(&mut self, met: (u32, u32), seen: &Sighting<'_>) -> bool {
        let other_node = self.node.is_some_and(|node| node != seen.node);
        let other_actor = self.actor.is_some() && self.actor.as_ref() != seen.actor;
        if other_node || other_actor {
            return true;
        }
        self.missing.remove(&met);
        !self.missing.is_empty()
    }
}

fn index(node: u32) -> usize {
    usize::try_from(node).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
