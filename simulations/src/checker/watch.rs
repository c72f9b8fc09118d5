//! One expectation over the course of a run.

use std::collections::BTreeSet;
use std::time::Duration;

use nunect_core::table::Table;
use nunect_core::{ActorName, Period, UnitId};

use super::condition::{Condition, Look, Scene};
use super::delivery::Tally;
use super::verdict::{Judgement, Verdict};
use super::{ANY, Expectation, Filter, LOOK_EVERY, Rule, Same, Sighting, Trigger, index, name};

#[derive(Debug)]
pub(crate) struct Watch {
    expectation: Expectation,
    open: Vec<Obligation>,
    tests: u64,
    broken: Option<(u64, String)>,
    times: u64,
    /// When a state was last looked at, and why it was not as wanted.
    looked: Option<u64>,
    lacked: Option<String>,
}

/// Something that must be seen, or so, by a deadline.
#[derive(Debug)]
struct Obligation {
    since: u64,
    deadline: u64,
    /// The node and actor of the trigger, when it must be the same.
    node: Option<u32>,
    actor: Option<ActorName>,
    missing: BTreeSet<(u32, u32)>,
}

impl Watch {
    pub(crate) fn new(expectation: Expectation) -> Self {
        let (looked, lacked) = (None, None);
        let mut watch = Self { expectation, open: Vec::new(), tests: 0, broken: None, times: 0, looked, lacked };
        if let Rule::Within { after: Trigger::Start, .. } | Rule::Reach { after: Trigger::Start, .. } =
            watch.expectation.rule
        {
            watch.open(0, None, None);
        }
        watch
    }

    /// The messages that it counts.
    pub(crate) const fn tally(&mut self) -> Option<&mut Tally> {
        match &mut self.expectation.rule {
            Rule::Hold { what: Condition::Delivery(tally), .. }
            | Rule::Reach { what: Condition::Delivery(tally), .. }
            | Rule::Finally { what: Condition::Delivery(tally), .. }
            | Rule::SometimesSo { what: Condition::Delivery(tally) } => Some(tally),
            Rule::Always { .. }
            | Rule::Hold { .. }
            | Rule::Within { .. }
            | Rule::Reach { .. }
            | Rule::Finally { .. }
            | Rule::Sometimes { .. }
            | Rule::SometimesSo { .. } => None,
        }
    }

    /// The state that is to be looked at as the run goes on, and from when until when.
    pub(crate) const fn state(&self) -> Option<(&Condition, u64, u64)> {
        let (what, from, until) = match &self.expectation.rule {
            Rule::Hold { what, from, until } => (what, *from, *until),
            Rule::Reach { what, .. } | Rule::SometimesSo { what } => (what, 0, u64::MAX),
            Rule::Always { .. } | Rule::Within { .. } | Rule::Finally { .. } | Rule::Sometimes { .. } => return None,
        };
        match what {
            // What became of messages is clear at the end.
            Condition::Delivery(_) => None,
            Condition::Unit { .. }
            | Condition::Node { .. }
            | Condition::Mailbox { .. }
            | Condition::Restarts { .. }
            | Condition::Recovered => Some((what, from, until)),
        }
    }

    /// When it next wants to look at a state, after `now`, or at all.
    pub(crate) fn next_look(&self, now: Option<u64>) -> Option<u64> {
        let (_, from, until) = self.state()?;
        let (waits, deadline) = match &self.expectation.rule {
            Rule::Reach { .. } => (!self.open.is_empty(), self.open.first().map(|open| open.deadline)),
            Rule::SometimesSo { .. } => (self.tests == 0, None),
            Rule::Hold { .. } => (true, Some(until)),
            Rule::Always { .. } | Rule::Within { .. } | Rule::Finally { .. } | Rule::Sometimes { .. } => return None,
        };
        if !waits {
            return None;
        }
        let Some(now) = now.filter(|&now| now >= from) else { return Some(from) };
        let second = (now / LOOK_EVERY + 1).saturating_mul(LOOK_EVERY);
        let next = deadline.filter(|&deadline| deadline > now).map_or(second, |deadline| deadline.min(second));
        (next <= until).then_some(next)
    }

    pub(crate) fn event(&mut self, seen: &Sighting<'_>, units: &Table<UnitId, ()>) {
        match &self.expectation.rule {
            Rule::Always { without, from, until } => {
                if (*from..=*until).contains(&seen.at) && without.matches(seen).is_some() {
                    let event = seen.event;
                    let place = name(units, seen.node);
                    let actor = seen.actor.map_or_else(String::new, |actor| format!(" {actor}"));
                    self.broke(seen.at, || format!("{place}{actor}: {event}"));
                }
            }
            Rule::Within { after, see, same, .. } => {
                let met = see.matches(seen);
                let opens = after.is_seen(seen);
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
            Rule::Reach { after, .. } => {
                if after.is_seen(seen) {
                    self.open(seen.at, None, None);
                }
            }
            Rule::Sometimes { see } => self.tests += u64::from(see.matches(seen).is_some()),
            Rule::Hold { .. } | Rule::Finally { .. } | Rule::SometimesSo { .. } => {}
        }
    }

    pub(crate) fn fault(&mut self, at: u64, fault: u32, begins: bool) {
        let (Rule::Within { after, .. } | Rule::Reach { after, .. }) = &self.expectation.rule else { return };
        let opens = match after {
            Trigger::Fault(wanted) => begins && *wanted == fault,
            Trigger::EndOf(wanted) => !begins && *wanted == fault,
            Trigger::Start | Trigger::Seen(_) => false,
        };
        if opens {
            self.open(at, None, None);
        }
    }

    /// Looks at the state that is wanted.
    pub(crate) fn look(&mut self, at: u64, scene: &dyn Scene) {
        let Some((what, from, until)) = self.state() else { return };
        if !(from..=until).contains(&at) || self.looked == Some(at) {
            return;
        }
        let look = what.look(scene);
        self.looked = Some(at);
        match (look, &self.expectation.rule) {
            (Look::Holds, Rule::Reach { .. }) => self.open.clear(),
            (Look::Holds, _) => self.tests += 1,
            (Look::Nothing, _) => self.lacked = Some("there was nothing to look at".to_owned()),
            (Look::Fails(why), Rule::Hold { .. }) => {
                self.tests += 1;
                self.broke(at, || why);
            }
            (Look::Fails(why), _) => self.lacked = Some(why),
        }
        if let Rule::Reach { limit, .. } = self.expectation.rule {
            for late in self.overdue(at.saturating_add(1)) {
                let lacked = self.lacked.clone().unwrap_or_default();
                let (limit, since) = (time(limit), time(late.since));
                self.broke(late.deadline, || format!("not within {limit} of {since}: {lacked}"));
            }
        }
    }

    fn open(&mut self, at: u64, node: Option<u32>, actor: Option<ActorName>) {
        let (limit, missing) = match &self.expectation.rule {
            Rule::Within { limit, see, .. } => (*limit, see.wanted()),
            Rule::Reach { limit, .. } => (*limit, BTreeSet::new()),
            Rule::Always { .. }
            | Rule::Hold { .. }
            | Rule::Finally { .. }
            | Rule::Sometimes { .. }
            | Rule::SometimesSo { .. } => return,
        };
        self.open.push(Obligation { since: at, deadline: at.saturating_add(limit), node, actor, missing });
        self.tests += 1;
    }

    /// Takes out what was not met before `now`.
    fn overdue(&mut self, now: u64) -> Vec<Obligation> {
        // Deadlines come in the order in which they were opened: they all have the same limit.
        let late = self.open.iter().take_while(|obligation| obligation.deadline < now).count();
        self.open.drain(..late).collect()
    }

    /// Breaks what was not seen before `now`.
    fn expire(&mut self, now: u64, units: &Table<UnitId, ()>) {
        for obligation in self.overdue(now) {
            let why = self.explain(&obligation, units);
            self.broke(obligation.deadline, || why);
        }
    }

    fn explain(&self, obligation: &Obligation, units: &Table<UnitId, ()>) -> String {
        let Rule::Within { limit, see, .. } = &self.expectation.rule else { return String::new() };
        let mut words = format!("no {} within {} of {}", see.event, time(*limit), time(obligation.since));
        if let Some(&(node, about)) = obligation.missing.first() {
            if let Some((unit, ())) = see.about.as_ref().and_then(|units| units.get_index(index(about))) {
                words += &format!(" about {unit}");
            }
            match (node, obligation.node) {
                (ANY, Some(node)) => words += &format!(" on {}", name(units, node)),
                (ANY, None) => {}
                (node, _) => words += &format!(" on {}", name(units, node)),
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

    /// What became of it in a run that ended at `end`.
    pub(crate) fn verdict(&mut self, end: u64, scene: &dyn Scene, units: &Table<UnitId, ()>) -> Verdict {
        self.look(end, scene);
        if let Rule::Within { .. } = self.expectation.rule {
            self.expire(end.saturating_add(1), units);
        }
        let judgement = match &self.broken {
            Some((at, why)) => Judgement::Broken { at: Duration::from_nanos(*at), why: why.clone(), times: self.times },
            None => self.judge(end, scene),
        };
        let Expectation { name, line, rule } = &self.expectation;
        let (name, about, sometimes) = (name.clone(), rule.about().to_owned(), rule.is_sometimes());
        Verdict { name, line: *line, about, sometimes, judgement }
    }

    /// The same of one that nothing broke as the run went on.
    fn judge(&self, end: u64, scene: &dyn Scene) -> Judgement {
        let untried = |why: &str| Judgement::Untried { why: why.to_owned() };
        match &self.expectation.rule {
            Rule::Always { .. } => Judgement::Met { tests: 1 },
            Rule::Hold { what: what @ Condition::Delivery(_), .. } => decide(what.look(scene), end),
            Rule::Hold { from, .. } if *from > end => untried("the run ended before its time came"),
            Rule::Hold { .. } if self.tests == 0 => untried("there was nothing to look at"),
            Rule::Hold { .. } => Judgement::Met { tests: 1 },
            Rule::Finally { end: last, .. } if end < *last => untried("the run has not come to its end"),
            Rule::Finally { what, .. } => decide(what.look(scene), end),
            Rule::Within { .. } | Rule::Reach { .. } => {
                let undecided = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
                match self.tests {
                    0 => untried("what it waits for never happened"),
                    tests if tests == undecided => untried("the run ended before its time was up"),
                    tests => Judgement::Met { tests: tests - undecided },
                }
            }
            Rule::Sometimes { .. } if self.tests == 0 => {
                Judgement::Unmet { why: "it was not seen in this run".to_owned() }
            }
            Rule::SometimesSo { what: what @ Condition::Delivery(_) } => match what.look(scene) {
                Look::Holds => Judgement::Met { tests: 1 },
                Look::Fails(why) => Judgement::Unmet { why },
                Look::Nothing => Judgement::Unmet { why: "no message was sent".to_owned() },
            },
            Rule::SometimesSo { .. } if self.tests == 0 => {
                let why = self.lacked.as_deref().unwrap_or("nobody looked");
                Judgement::Unmet { why: format!("it was never so, at last: {why}") }
            }
            Rule::Sometimes { .. } | Rule::SometimesSo { .. } => Judgement::Met { tests: 1 },
        }
    }
}

/// What a look at the end of the run means.
fn decide(look: Look, end: u64) -> Judgement {
    match look {
        Look::Holds => Judgement::Met { tests: 1 },
        Look::Nothing => Judgement::Untried { why: "there was nothing to look at".to_owned() },
        Look::Fails(why) => Judgement::Broken { at: Duration::from_nanos(end), why, times: 1 },
    }
}

fn time(nanos: u64) -> Period {
    Period(Duration::from_nanos(nanos))
}

impl Rule {
    /// Whether not every run must meet it.
    pub(crate) const fn is_sometimes(&self) -> bool {
        matches!(self, Self::Sometimes { .. } | Self::SometimesSo { .. })
    }

    /// What it is about, in a word.
    const fn about(&self) -> &str {
        match self {
            Self::Always { without: Filter { event, .. }, .. }
            | Self::Within { see: Filter { event, .. }, .. }
            | Self::Sometimes { see: Filter { event, .. } } => event.as_str(),
            Self::Hold { what, .. }
            | Self::Reach { what, .. }
            | Self::Finally { what, .. }
            | Self::SometimesSo { what } => what.about(),
        }
    }
}

impl Trigger {
    fn is_seen(&self, seen: &Sighting<'_>) -> bool {
        match self {
            Self::Seen(filter) => filter.matches(seen).is_some(),
            Self::Start | Self::Fault(_) | Self::EndOf(_) => false,
        }
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
