//! The expectations of a scenario, resolved.

use std::time::Duration;

use nunect_core::time::nanos;
use nunect_core::{ActorName, Event, Period};

use super::error::{Problems, did_you_mean};
use super::faults::resolve_names;
use super::file::{AfterEntry, AlwaysEntry, ExpectEntry, FaultEntry, FilterEntry, Names, SameEntry, SightEntry};
use super::plan::Plan;
use crate::checker::errors::ERRORS;
use crate::checker::{Expectation, Filter, Rule, Same, Trigger};
use state::{Sight, needs_nodes};

mod state;

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

/// Resolves the errors that are expected.
pub(crate) fn resolve_errors(
    entries: &[FilterEntry],
    faults: &[FaultEntry],
    plan: &Plan,
    problems: &mut Problems,
) -> Vec<Filter> {
    let mut filters = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let key = format!("expect_errors[{number}]");
        let Some(filter) = (Resolver { faults, plan, problems }).filter(&key, entry) else { continue };
        if ERRORS.contains(&filter.event.as_str()) {
            filters.push(filter);
        } else {
            let key = if problems.has(&format!("{key}.event")) { format!("{key}.event") } else { key };
            let help = format!("errors are {}", ERRORS.join(", "));
            problems.add(key, format!("`{}` is no error, and needs not be expected", filter.event), help);
        }
    }
    filters
}

struct Resolver<'a> {
    faults: &'a [FaultEntry],
    plan: &'a Plan,
    problems: &'a mut Problems,
}

impl Resolver<'_> {
    fn rule(&mut self, key: &str, entry: &ExpectEntry) -> Option<(Rule, String)> {
        let ExpectEntry { always, within, after, see, same, eventually, sometimes, name: _ } = entry;
        let alone = after.is_none() && see.is_none() && same.is_none();
        match (always, within, eventually, sometimes) {
            (Some(always), None, None, None) if alone => self.always(&format!("{key}.always"), always),
            (None, Some(limit), None, None) if see.is_some() => {
                self.within(key, *limit, after.as_ref(), see.as_ref()?, *same)
            }
            (None, None, Some(sight), None) if alone => self.eventually(&format!("{key}.eventually"), sight),
            (None, None, None, Some(sight)) if alone => self.sometimes(&format!("{key}.sometimes"), sight),
            (_, _, _, _) => {
                let help = "write `always: { without: EVENT }` or `within: 15s`, `after: …` and `see: EVENT`";
                let reason = "an expectation is either `always`, or `within` a time with what to `see`, or `eventually`, or `sometimes`";
                self.problems.add(key, reason, help);
                None
            }
        }
    }

    fn always(&mut self, key: &str, always: &AlwaysEntry) -> Option<(Rule, String)> {
        let AlwaysEntry { without, hold, from, until } = always;
        let start = from.map_or(0, |from| nanos(from.0));
        let end = until.map(|until| nanos(until.0));
        let (rule, mut words) = match (without, hold) {
            (Some(without), None) => {
                let without = self.filter(&format!("{key}.without"), without)?;
                let words = format!("always without {}", without.words);
                let until = end.unwrap_or(self.plan.duration);
                (Rule::Always { without, from: start, until }, words)
            }
            (None, Some(hold)) => self.hold(&format!("{key}.hold"), hold, (start, end), from.is_some())?,
            (Some(_), Some(_)) | (None, None) => {
                let reason = "what is always so is either `without` an event, or what must `hold`";
                self.problems.add(key, reason, "write `without: EVENT` or `hold: { nodes: n*, connected: true }`");
                return None;
            }
        };
        if start >= end.unwrap_or(self.plan.duration) || start >= self.plan.duration {
            let side = if until.is_some() { "until" } else { "from" };
            self.problems.add(format!("{key}.{side}"), "no time of the run is left to check", "");
            return None;
        }
        words.extend(from.map(|from| format!(" from {from}")));
        words.extend(until.map(|until| format!(" until {until}")));
        Some((rule, words))
    }

    fn hold(
        &mut self,
        key: &str,
        hold: &SightEntry,
        (from, until): (u64, Option<u64>),
        has_from: bool,
    ) -> Option<(Rule, String)> {
        let state = match self.sight(key, hold)? {
            Sight::State(state) => state,
            Sight::Event(_) => {
                self.problems.add(key, "an event happens and does not hold", "write `without: EVENT`");
                return None;
            }
        };
        let (what, words) = self.condition(key, &state, (from, until))?;
        if needs_nodes(&what) && from < self.plan.spread {
            let spread = Period(Duration::from_nanos(self.plan.spread));
            let above = key.trim_end_matches(".hold");
            let key = if has_from { format!("{above}.from") } else { key.to_owned() };
            self.problems.add(
                key,
                format!("nodes are still starting until {spread}"),
                format!("write `from: {spread}`"),
            );
            return None;
        }
        let until = until.unwrap_or(self.plan.duration);
        Some((Rule::Hold { what, from, until }, format!("always {words}")))
    }

    fn eventually(&mut self, key: &str, sight: &SightEntry) -> Option<(Rule, String)> {
        let end = self.plan.duration;
        match self.sight(key, sight)? {
            Sight::Event(filter) => {
                let see = self.filter(key, &filter)?;
                let words = format!("eventually {}", see.words);
                Some((Rule::Within { limit: end, after: Trigger::Start, see, same: Same::Nothing }, words))
            }
            Sight::State(state) => {
                let (what, words) = self.condition(key, &state, (0, None))?;
                Some((Rule::Finally { what, end }, format!("eventually {words}")))
            }
        }
    }

    fn sometimes(&mut self, key: &str, sight: &SightEntry) -> Option<(Rule, String)> {
        match self.sight(key, sight)? {
            Sight::Event(filter) => {
                let see = self.filter(key, &filter)?;
                let words = format!("sometimes {}", see.words);
                Some((Rule::Sometimes { see }, words))
            }
            Sight::State(state) => {
                let (what, words) = self.condition(key, &state, (0, None))?;
                Some((Rule::SometimesSo { what }, format!("sometimes {words}")))
            }
        }
    }

    fn within(
        &mut self,
        key: &str,
        limit: Period,
        after: Option<&AfterEntry>,
        see: &SightEntry,
        same: Option<SameEntry>,
    ) -> Option<(Rule, String)> {
        let sight = self.sight(&format!("{key}.see"), see)?;
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
        self.seen_within(key, sight, nanos(limit.0), after, same)
            .map(|(rule, words)| (rule, format!("{words} within {limit} after {since}")))
    }

    fn seen_within(
        &mut self,
        key: &str,
        sight: Sight,
        limit: u64,
        after: Trigger,
        same: Same,
    ) -> Option<(Rule, String)> {
        let see_key = format!("{key}.see");
        let state = match sight {
            Sight::Event(filter) => {
                let see = self.filter(&see_key, &filter)?;
                let words = see.words.clone();
                return Some((Rule::Within { limit, after, see, same }, words));
            }
            Sight::State(state) => state,
        };
        if same != Same::Nothing {
            self.problems.add(format!("{key}.same"), "a state is not that of one node or actor", "leave it out");
            return None;
        }
        if state.delivery.is_some() {
            let help = "write `always: { hold: { delivery: … }, from: …, until: … }`";
            self.problems.add(see_key, "what becomes of messages is judged at the end of the run", help);
            return None;
        }
        let (what, words) = self.condition(&see_key, &state, (0, None))?;
        Some((Rule::Reach { limit, after, what }, words))
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

#[cfg(test)]
mod tests;
