//! What a scenario expects, and what must hold in every run, held against what happens.
//!
//! Checkers see events and faults, as the trace records them, and messages at their two ends; where a
//! scenario asks for states, they look at these once a second. The nodes do not know that they are
//! watched, and no draw and no record depends on it.

use std::collections::BTreeSet;

use nunect_core::table::Table;
use nunect_core::{ActorName, Event, Message, UnitId};

pub(crate) mod compare;
pub(crate) mod condition;
pub(crate) mod delivery;
pub(crate) mod errors;
mod intensity;
pub(crate) mod laws;
mod recent;
mod verdict;
mod watch;

pub use verdict::{FailureKey, Judgement, Verdict};

use condition::{Condition, Scene};
use delivery::Tally;
use laws::Laws;
use watch::Watch;

/// In the place of a node or a unit when any will do.
const ANY: u32 = u32::MAX;

/// How often states are looked at, in nanoseconds.
pub(crate) const LOOK_EVERY: u64 = 1_000_000_000;

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
    /// So whenever it is looked at, from one instant to another.
    Hold { what: Condition, from: u64, until: u64 },
    /// Seen within `limit` after each trigger: on each of the nodes, about each of the units.
    Within { limit: u64, after: Trigger, see: Filter, same: Same },
    /// So at some look within `limit` after each trigger.
    Reach { limit: u64, after: Trigger, what: Condition },
    /// So at the end of the run.
    Finally { what: Condition, end: u64 },
    /// Seen at least once.
    Sometimes { see: Filter },
    /// So at one look at least.
    SometimesSo { what: Condition },
}

/// One expectation of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Expectation {
    pub(crate) name: String,
    /// Where it stands in the file.
    pub(crate) line: usize,
    pub(crate) rule: Rule,
}

impl Expectation {
    /// That all is well from `from` to `until`: what is demanded when every fault has ended.
    pub(crate) fn recovery(from: u64, until: u64) -> Self {
        let rule = Rule::Hold { what: Condition::Recovered, from, until };
        Self { name: "liveness: every unit recovers when all faults have ended".to_owned(), line: 0, rule }
    }
}

/// All expectations of a run, and the laws of every run.
#[derive(Debug)]
pub(crate) struct Checker {
    pub(crate) laws: Laws,
    watches: Vec<Watch>,
    /// The names of nodes.
    units: Table<UnitId, ()>,
    /// When states are next looked at; never, when nobody asks for any.
    due: u64,
    /// Whether anybody asks for states that are looked at as the run goes on.
    looks: bool,
    /// Whether anybody counts messages.
    counts: bool,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new([])
    }
}

impl Checker {
    pub(crate) fn new(expectations: impl IntoIterator<Item = Expectation>) -> Self {
        let mut watches: Vec<_> = expectations.into_iter().map(Watch::new).collect();
        let counts = watches.iter_mut().any(|watch| watch.tally().is_some());
        let looks = watches.iter().any(|watch| watch.state().is_some());
        let (laws, units) = (Laws::default(), Table::default());
        let mut checker = Self { laws, watches, units, due: u64::MAX, looks, counts };
        checker.due = checker.next_look(None);
        checker
    }

    /// Learns the name of the next node.
    pub(crate) fn add(&mut self, unit: UnitId) {
        self.units.insert(unit, ());
        self.laws.add();
    }

    /// Takes an event that happened.
    pub(crate) fn event(&mut self, seen: &Sighting<'_>) {
        self.laws.event(seen, &self.units);
        for watch in &mut self.watches {
            watch.event(seen, &self.units);
        }
        self.reconsider(seen.at);
    }

    /// Takes a fault that begins or ends.
    pub(crate) fn fault(&mut self, at: u64, fault: u32, begins: bool) {
        for watch in &mut self.watches {
            watch.fault(at, fault, begins);
        }
        self.reconsider(at);
    }

    /// What happened at `now` may have opened a time in which something must be so.
    fn reconsider(&mut self, now: u64) {
        if self.looks {
            self.due = self.due.min(self.next_look(Some(now)));
        }
    }

    fn next_look(&self, now: Option<u64>) -> u64 {
        self.watches.iter().filter_map(|watch| watch.next_look(now)).min().unwrap_or(u64::MAX)
    }

    /// When states are next to be looked at: after all that happens at that instant.
    #[inline]
    pub(crate) const fn due(&self) -> u64 {
        self.due
    }

    /// Looks at the states that are asked for.
    pub(crate) fn look(&mut self, at: u64, scene: &dyn Scene) {
        for watch in &mut self.watches {
            watch.look(at, scene);
        }
        self.due = self.next_look(Some(at));
    }

    /// A node hands a message to the bus.
    #[inline]
    pub(crate) fn published(&mut self, at: u64, node: u32, message: &Message) {
        self.laws.published(at, node, message);
        if self.counts {
            self.tallies().for_each(|tally| tally.published(at, node, message));
        }
    }

    /// Whether anybody wants to hear of messages that arrive.
    #[inline]
    pub(crate) const fn counts(&self) -> bool {
        self.counts
    }

    /// A message that was published at `sent` reaches a node.
    pub(crate) fn arrived(&mut self, at: u64, sent: u64, node: u32, message: &Message) {
        let Some(stamp) = message.headers.stamp() else { return };
        let Some(from) = self.units.get_index_of(&stamp.unit).map(place) else { return };
        self.tallies().for_each(|tally| tally.arrived(at, sent, from, node, message));
    }

    fn tallies(&mut self) -> impl Iterator<Item = &mut Tally> {
        self.watches.iter_mut().filter_map(Watch::tally)
    }

    /// What became of the expectations in a run that ended at `end`, and the laws that it broke.
    pub(crate) fn verdicts(&mut self, end: u64, scene: &dyn Scene) -> Vec<Verdict> {
        let expected = self.watches.iter_mut().map(|watch| watch.verdict(end, scene, &self.units));
        let expected: Vec<_> = expected.collect();
        expected.into_iter().chain(self.laws.verdicts()).collect()
    }
}

/// What a node is called.
fn name(units: &Table<UnitId, ()>, node: u32) -> &str {
    units.get_index(index(node)).map_or("?", |(unit, ())| unit.as_str())
}

fn index(node: u32) -> usize {
    usize::try_from(node).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
