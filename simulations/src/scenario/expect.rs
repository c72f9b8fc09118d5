//! The expectations of a scenario, resolved.

use std::time::Duration;

use nunect_core::time::nanos;
use nunect_core::{ActorName, Event, Period};

use super::error::{Problems, did_you_mean};
use super::faults::resolve_names;
use super::file::{AfterEntry, AlwaysEntry, ExpectEntry, FaultEntry, FilterEntry, Names, SameEntry};
use super::plan::Plan;
use crate::checker::{Expectation, Filter, Rule, Same, Trigger};

/// Before the names of events that are not in [`Event::NAMES`].
const CUSTOM: &str = "custom:";

/// The events that are about a unit.
const ABOUT: [&str; 3] = ["unit_online", "unit_health", "unit_offline"];

/// Resolves all expectations. What cannot be, or could never be evaluated, goes to `problems`.
pub(crate) fn resolve(
    entries: &[ExpectEntry],
    faults: &[FaultEntry],
    plan: &Plan,
    problems: &mut Problems,
) -> Vec<Expectation> {
    let mut expectations = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let key = format!("expect[{number}]");
        let mut resolver = Resolver { faults, plan, problems };
        let Some((rule, words)) = resolver.rule(&key, entry) else { continue };
        let name = entry.name.clone().unwrap_or(words);
        expectations.push(Expectation { name, line: problems.line(&key), rule });
    }
    expectations
}

struct Resolver<'a> {
    faults: &'a [FaultEntry],
    plan: &'a Plan,
    problems: &'a mut Problems,
}

impl Resolver<'_> {
    fn rule(&mut self, key: &str, entry: &ExpectEntry) -> Option<(Rule, String)> {
        match entry {
            ExpectEntry { always: Some(always), within: None, after: None, see: None, same: None, .. } => {
                self.always(&format!("{key}.always"), always)
            }
            ExpectEntry { always: None, within: Some(limit), see: Some(see), after, same, .. } => {
                self.within(key, *limit, after.as_ref(), see, *same)
            }
            _ => {
                let help = "write `always: { without: EVENT }` or `within: 15s`, `after: …` and `see: EVENT`";
                self.problems.add(
                    key,
                    "an expectation is either `always`, or `within` a time with what to `see`",
                    help,
                );
                None
            }
        }
    }

    fn always(&mut self, key: &str, always: &AlwaysEntry) -> Option<(Rule, String)> {
        let without = self.filter(&format!("{key}.without"), &always.without)?;
        let from = always.from.map_or(0, |from| nanos(from.0));
        let until = always.until.map_or(self.plan.duration, |until| nanos(until.0));
        if from >= until || from >= self.plan.duration {
            let side = if always.until.is_some() { "until" } else { "from" };
            self.problems.add(format!("{key}.{side}"), "no time of the run is left to check", "");
            return None;
        }
        let mut words = format!("always without {}", without.words);
        if let Some(from) = always.from {
            words += &format!(" from {from}");
        }
        if let Some(until) = always.until {
            words += &format!(" until {until}");
        }
        Some((Rule::Always { without, from, until }, words))
    }

    fn within(
        &mut self,
        key: &str,
        limit: Period,
        after: Option<&AfterEntry>,
        see: &FilterEntry,
        same: Option<SameEntry>,
    ) -> Option<(Rule, String)> {
        let see = self.filter(&format!("{key}.see"), see)?;
        let (after, earliest, since) = self.trigger(&format!("{key}.after"), after)?;
        let same = match (same, &after) {
            (None, _) => Same::Nothing,
            (Some(SameEntry::Node), Trigger::Seen(_)) => Same::Node,
            (Some(SameEntry::Actor), Trigger::Seen(_)) => Same::Actor,
            (Some(_), Trigger::Start | Trigger::Fault(_) | Trigger::EndOf(_)) => {
                let reason = "only an event can be the same";
                self.problems.add(format!("{key}.same"), reason, "write `after: { seen: EVENT }`");
                return None;
            }
        };
        let deadline = earliest.saturating_add(nanos(limit.0));
        if deadline > self.plan.duration {
            let end = Period(Duration::from_nanos(self.plan.duration));
            let reason = format!("the run ends at {end}, before {limit} after {since} are over");
            self.problems.add(format!("{key}.within"), reason, "make the run longer or the time shorter");
            return None;
        }
        let words = format!("{} within {limit} after {since}", see.words);
        Some((Rule::Within { limit: nanos(limit.0), after, see, same }, words))
    }

    /// What starts a time, when that is at the earliest, and what it is called.
    fn trigger(&mut self, key: &str, after: Option<&AfterEntry>) -> Option<(Trigger, u64, String)> {
        match after {
            None => Some((Trigger::Start, 0, "the start".to_owned())),
            Some(AfterEntry::Fault(name)) => {
                let fault = self.fault(&format!("{key}.fault"), name)?;
                let at = self.plan.faults.get(fault)?.at;
                Some((Trigger::Fault(u32::try_from(fault).ok()?), at, format!("fault `{name}`")))
            }
            Some(AfterEntry::EndOf(name)) => {
                let key = format!("{key}.end_of");
                let fault = self.fault(&key, name)?;
                match self.plan.faults.get(fault)?.end {
                    Some(end) if end <= self.plan.duration => {
                        Some((Trigger::EndOf(u32::try_from(fault).ok()?), end, format!("the end of `{name}`")))
                    }
                    Some(_) | None => {
                        self.problems.add(key, format!("`{name}` does not end within the run"), "give it a `for`");
                        None
                    }
                }
            }
            Some(AfterEntry::Seen(filter)) => {
                let filter = self.filter(&format!("{key}.seen"), filter)?;
                let words = filter.words.clone();
                Some((Trigger::Seen(filter), 0, words))
            }
        }
    }

    fn fault(&mut self, key: &str, name: &str) -> Option<usize> {
        let found = self.faults.iter().position(|fault| fault.name.as_deref() == Some(name));
        if found.is_none() {
            let names = self.faults.iter().filter_map(|fault| fault.name.as_deref());
            let help = did_you_mean(name, names);
            let help = if help.is_empty() { "give the fault a `name`".to_owned() } else { help };
            self.problems.add(key, format!("no fault is called `{name}`"), help);
        }
        found
    }

    fn filter(&mut self, key: &str, entry: &FilterEntry) -> Option<Filter> {
        let FilterEntry { event, nodes, actor, about } = entry;
        let event_key =
            if nodes.is_none() && actor.is_none() && about.is_none() { key.to_owned() } else { format!("{key}.event") };
        let name = self.event(&event_key, event)?;
        let mut words = name.to_owned();
        if about.is_some() && !ABOUT.contains(&name) {
            let help = format!("only {} are", ABOUT.join(", "));
            self.problems.add(format!("{key}.about"), format!("`{name}` is about no unit"), help);
            return None;
        }
        let about = match about {
            None => None,
            Some(names) => {
                words += &format!(" about {names}");
                let chosen = self.nodes(&format!("{key}.about"), names)?;
                let unit = |node: &u32| self.plan.nodes.get(usize::try_from(*node).ok()?).map(|n| (n.unit.clone(), ()));
                Some(chosen.iter().filter_map(unit).collect())
            }
        };
        let nodes = match nodes {
            None => None,
            Some(names) => {
                words += &format!(" on {names}");
                Some(self.nodes(&format!("{key}.nodes"), names)?)
            }
        };
        let actor = match actor {
            None => None,
            Some(actor) => {
                words += &format!(" ({actor})");
                Some(self.actor(&format!("{key}.actor"), actor, nodes.as_deref())?)
            }
        };
        Some(Filter { event: name.to_owned(), nodes, actor, about, words })
    }

    fn event<'e>(&mut self, key: &str, event: &'e str) -> Option<&'e str> {
        if let Some(custom) = event.strip_prefix(CUSTOM) {
            return Some(custom);
        }
        if Event::NAMES.contains(&event) {
            return Some(event);
        }
        let help = did_you_mean(event, Event::NAMES);
        let help = if help.is_empty() { format!("events of your own actors are `{CUSTOM}{event}`") } else { help };
        self.problems.add(key, format!("no event is called `{event}`"), help);
        None
    }

    fn nodes(&mut self, key: &str, names: &Names) -> Option<Vec<u32>> {
        resolve_names(key, names, self.plan, self.problems)
    }

    fn actor(&mut self, key: &str, actor: &str, nodes: Option<&[u32]>) -> Option<ActorName> {
        let chosen = |node: u32| nodes.is_none_or(|nodes| nodes.contains(&node));
        let names: Vec<&str> = (0..)
            .zip(&self.plan.nodes)
            .filter(|&(node, _)| chosen(node))
            .flat_map(|(_, node)| node.actors.iter().map(|actor| actor.name.as_str()))
            .collect();
        if !names.contains(&actor) {
            let help = did_you_mean(actor, names.iter().copied());
            self.problems.add(key, format!("none of these nodes has an actor `{actor}`"), help);
            return None;
        }
        ActorName::new(actor).ok()
    }
}
