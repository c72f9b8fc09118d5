//! States that are expected, resolved.

use std::time::Duration;

use nunect_core::{Health, Pattern, Period};

use super::Resolver;
use crate::checker::compare::{Compare, Quantity};
use crate::checker::condition::{Actors, Condition, Standing};
use crate::checker::delivery::{Demands, Tally};
use crate::scenario::error::did_you_mean;
use crate::scenario::file::{
    DeliveryEntry, FilterEntry, LatencyEntry, LongSight, MailboxEntry, Names, SightEntry, StandingEntry,
    SupervisorEntry,
};

/// What was published this shortly before the end may still be under way then, and does not count.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// What an event or a state is written as.
const FORMS: &str = "write EVENT, `{ event: … }`, `{ unit: n03, is: OFFLINE }`, `{ nodes: n*, connected: true }`, \
                     `{ mailbox: … }`, `{ supervisor: … }` or `{ delivery: … }`";

/// What somebody wants to see.
pub(super) enum Sight {
    Event(FilterEntry),
    State(Box<LongSight>),
}

impl Resolver<'_> {
    /// Tells events from states.
    pub(super) fn sight(&mut self, key: &str, SightEntry(sight): &SightEntry) -> Option<Sight> {
        let sight = sight.as_ref().clone();
        let LongSight { event, nodes, actor, about, unit, is, seen_by, up, connected, health, .. } = sight.clone();
        let LongSight { mailbox, supervisor, delivery, .. } = sight.clone();
        let nothing = LongSight::default();
        let of_nodes = up.is_some() || connected.is_some() || health.is_some();
        let meant = match (&event, &unit, &mailbox, &supervisor, &delivery) {
            (Some(_), ..) => LongSight { event: event.clone(), nodes, actor, about, ..nothing },
            (None, Some(_), ..) => LongSight { unit, is, seen_by, ..nothing },
            (None, None, Some(_), ..) => LongSight { mailbox, ..nothing },
            (None, None, None, Some(_), _) => LongSight { supervisor, ..nothing },
            (None, None, None, None, Some(_)) => LongSight { delivery, ..nothing },
            (None, None, None, None, None) if of_nodes => LongSight { nodes, up, connected, health, ..nothing },
            (None, None, None, None, None) => {
                self.problems.add(key, "this is neither an event nor a state", FORMS);
                return None;
            }
        };
        if meant != sight {
            self.problems.add(key, "this is more than one event or state, or has keys of another", FORMS);
            return None;
        }
        let LongSight { nodes, actor, about, .. } = meant.clone();
        Some(event.map_or_else(
            || Sight::State(Box::new(meant)),
            |event| Sight::Event(FilterEntry { event, nodes, actor, about }),
        ))
    }

    /// A state that must hold, and what it is called. Of messages, those count that are published within
    /// the time.
    pub(super) fn condition(
        &mut self,
        key: &str,
        sight: &LongSight,
        (from, until): (u64, Option<u64>),
    ) -> Option<(Condition, String)> {
        if let Some(mailbox) = &sight.mailbox {
            return self.mailbox(&format!("{key}.mailbox"), mailbox);
        }
        if let Some(supervisor) = &sight.supervisor {
            return self.supervisor(&format!("{key}.supervisor"), supervisor);
        }
        if let Some(delivery) = &sight.delivery {
            return self.delivery(&format!("{key}.delivery"), delivery, (from, until));
        }
        match &sight.unit {
            Some(unit) => self.unit_state(key, unit, sight),
            None => self.node_state(key, sight),
        }
    }

    fn unit_state(&mut self, key: &str, unit: &Names, sight: &LongSight) -> Option<(Condition, String)> {
        let Some(is) = sight.is else {
            self.problems.add(key, "how is the unit to be seen?", "write `is: ONLINE` or another state");
            return None;
        };
        let (standing, word) = match is {
            StandingEntry::Online => (Standing::Online, "ONLINE"),
            StandingEntry::Ok => (Standing::Just(Health::Ok), "OK"),
            StandingEntry::Degraded => (Standing::Just(Health::Degraded), "DEGRADED"),
            StandingEntry::Critical => (Standing::Just(Health::Critical), "CRITICAL"),
            StandingEntry::Offline => (Standing::Just(Health::Offline), "OFFLINE"),
            StandingEntry::Unknown => (Standing::Unknown, "UNKNOWN"),
        };
        let mut words = format!("{unit} {word}");
        let chosen = self.nodes(&format!("{key}.unit"), unit)?;
        let planned = chosen.iter().filter_map(|node| self.plan.nodes.get(usize::try_from(*node).ok()?));
        let units = planned.map(|node| node.unit.clone()).collect();
        let seen_by = match &sight.seen_by {
            None => None,
            Some(names) => {
                words += &format!(" for {names}");
                Some(self.nodes(&format!("{key}.seen_by"), names)?)
            }
        };
        Some((Condition::Unit { units, standing, seen_by }, words))
    }

    fn node_state(&mut self, key: &str, sight: &LongSight) -> Option<(Condition, String)> {
        let LongSight { up, connected, health, .. } = *sight;
        let nodes = self.all_or(&format!("{key}.nodes"), sight.nodes.as_ref())?;
        if up == Some(false) && (connected == Some(true) || health.is_some_and(|health| health != Health::Offline)) {
            self.problems.add(key, "a node that is down is OFFLINE and not connected", "leave out `up`");
            return None;
        }
        let mut words = sight.nodes.as_ref().map_or_else(|| "all nodes".to_owned(), ToString::to_string);
        let mut say = |told: Option<String>| words.extend(told.map(|told| format!(" {told}")));
        say(up.map(|up| if up { "up" } else { "down" }.to_owned()));
        say(connected.map(|connected| if connected { "connected" } else { "not connected" }.to_owned()));
        say(health.map(|health| health.to_string()));
        Some((Condition::Node { nodes, up, connected, health }, words))
    }

    fn mailbox(&mut self, key: &str, entry: &MailboxEntry) -> Option<(Condition, String)> {
        let MailboxEntry { nodes, actor, depth, dropped, quarantined } = entry;
        let (of, mut words) = self.actors_of(key, nodes.as_ref(), actor.as_deref())?;
        let mut any = false;
        for (name, compare) in [("depth", depth), ("dropped", dropped), ("quarantined", quarantined)] {
            let Some(compare) = compare else { continue };
            any = true;
            self.check_compare(&format!("{key}.{name}"), *compare)?;
            words += &format!(" {name} {compare}");
        }
        if !any {
            self.problems.add(key, "nothing is demanded of the mailbox", "write `depth: \"< 100\"` or `dropped: 0`");
            return None;
        }
        let (depth, dropped, quarantined) = (*depth, *dropped, *quarantined);
        Some((Condition::Mailbox { of, depth, dropped, quarantined }, format!("mailbox of {words}")))
    }

    fn supervisor(&mut self, key: &str, entry: &SupervisorEntry) -> Option<(Condition, String)> {
        let SupervisorEntry { nodes, actor, restarts } = entry;
        let (of, words) = self.actors_of(key, nodes.as_ref(), actor.as_deref())?;
        self.check_compare(&format!("{key}.restarts"), *restarts)?;
        let words = format!("supervisor of {words} restarts {restarts}");
        Some((Condition::Restarts { of, each: actor.is_some(), restarts: *restarts }, words))
    }

    fn delivery(
        &mut self,
        key: &str,
        entry: &DeliveryEntry,
        (from, until): (u64, Option<u64>),
    ) -> Option<(Condition, String)> {
        let DeliveryEntry { subject, of, to, share, lost, latency } = entry;
        let subject_key = format!("{key}.subject");
        let pattern = Pattern::parse(subject.clone())
            .map_err(|error| self.problems.add(subject_key, error.to_string(), "write such as `com.>`"))
            .ok()?;
        let mut words = format!("delivery of {subject}");
        let ends = (self.some(key, "of", of.as_ref())?, self.some(key, "to", to.as_ref())?);
        for (word, names) in [("of", of), ("to", to)] {
            words.extend(names.as_ref().map(|names| format!(" {word} {names}")));
        }
        if let (Some(of), Some(to)) = (&ends.0, &ends.1)
            && of.len() == 1
            && of == to
        {
            self.problems.add(format!("{key}.to"), "what a node sends to itself is not counted", "name another");
            return None;
        }
        let latency = self.latency(&format!("{key}.latency"), latency.as_ref())?;
        if (share.is_some() || lost.is_some()) && to.is_none() {
            self.problems.add(key, "who is to receive the messages?", "write `to: hub*`");
            return None;
        }
        if share.is_none() && lost.is_none() && latency.is_empty() {
            let help = "write `share: \">= 99%\"`, `lost: 0` or `latency: { p99: \"< 150ms\" }`";
            self.problems.add(key, "nothing is demanded of the messages", help);
            return None;
        }
        if let Some(share) = share {
            self.check_compare(&format!("{key}.share"), *share)?;
            words += &format!(", share {share}");
        }
        if let Some(lost) = lost {
            self.check_compare(&format!("{key}.lost"), *lost)?;
            words += &format!(", lost {lost}");
        }
        for (per_mille, compare) in &latency {
            words += &format!(", {} {compare}", crate::checker::delivery::quantile_name(*per_mille));
        }
        let last = self.plan.duration.saturating_sub(nunect_core::time::nanos(UNDER_WAY));
        let until = until.unwrap_or(last);
        if from >= until {
            let reason = format!("what is published in the last {} is not counted: no time is left", Period(UNDER_WAY));
            self.problems.add(key, reason, "make the run longer");
            return None;
        }
        let demands = Demands { share: *share, lost: *lost, latency };
        Some((Condition::Delivery(Box::new(Tally::new(pattern, ends, (from, until), demands))), words))
    }

    fn latency(
        &mut self,
        key: &str,
        entry: Option<&LatencyEntry>,
    ) -> Option<Vec<(u64, Compare<crate::checker::compare::Span>)>> {
        let Some(LatencyEntry { p50, p95, p99, max }) = entry else { return Some(Vec::new()) };
        let mut demands = Vec::new();
        for (name, per_mille, compare) in [("p50", 500, p50), ("p95", 950, p95), ("p99", 990, p99), ("max", 1_000, max)]
        {
            let Some(compare) = compare else { continue };
            self.check_compare(&format!("{key}.{name}"), *compare)?;
            demands.push((per_mille, *compare));
        }
        if demands.is_empty() {
            self.problems.add(key, "nothing is demanded of the latency", "write `p99: \"< 150ms\"`");
            return None;
        }
        Some(demands)
    }

    /// Reports a comparison that says nothing, since it holds for all that there can be or for none.
    fn check_compare<Q: Quantity>(&mut self, key: &str, compare: Compare<Q>) -> Option<()> {
        let Some(holds) = compare.foregone() else { return Some(()) };
        let never = if holds { "always" } else { "never" };
        self.problems.add(key, format!("`{compare}` is {never} so"), format!("write such as \"{}\"", Q::EXAMPLE));
        None
    }

    /// The actors that are meant, where they are, and that in words.
    fn actors_of(&mut self, key: &str, nodes: Option<&Names>, actor: Option<&str>) -> Option<(Actors, String)> {
        let chosen = self.all_or(&format!("{key}.nodes"), nodes)?;
        let mut of = Actors::new();
        let mut known: Vec<&str> = Vec::new();
        for node in chosen {
            let Some(planned) = usize::try_from(node).ok().and_then(|node| self.plan.nodes.get(node)) else { continue };
            known.extend(planned.actors.iter().map(|own| own.name.as_str()));
            let slots = (0..).zip(planned.actors.iter());
            let slots = slots.filter(|(_, own)| actor.is_none_or(|actor| own.name.as_str() == actor));
            of.push((node, slots.map(|(slot, _)| slot).collect()));
        }
        of.retain(|(_, slots): &(u32, Vec<u32>)| !slots.is_empty());
        if of.is_empty() {
            let actor = actor.unwrap_or_default();
            let help = did_you_mean(actor, known);
            self.problems.add(format!("{key}.actor"), format!("none of these nodes has an actor `{actor}`"), help);
            return None;
        }
        let mut words = actor.unwrap_or("every actor").to_owned();
        words.extend(nodes.map(|nodes| format!(" on {nodes}")));
        Some((of, words))
    }

    /// The nodes that `names` mean; all, without names.
    fn all_or(&mut self, key: &str, names: Option<&Names>) -> Option<Vec<u32>> {
        match names {
            Some(names) => self.nodes(key, names),
            None => Some((0..).zip(&self.plan.nodes).map(|(node, _)| node).collect()),
        }
    }

    /// The nodes that `names` mean, if there are any; `None` after a mistake.
    #[expect(clippy::option_option, reason = "a mistake is no lack of names")]
    fn some(&mut self, key: &str, name: &str, names: Option<&Names>) -> Option<Option<Vec<u32>>> {
        match names {
            Some(names) => self.nodes(&format!("{key}.{name}"), names).map(Some),
            None => Some(None),
        }
    }
}

/// Whether a state needs nodes that have started.
pub(super) fn needs_nodes(condition: &Condition) -> bool {
    match condition {
        Condition::Unit { standing, .. } => *standing != Standing::Unknown,
        Condition::Node { up, connected, health, .. } => {
            *up == Some(true) || *connected == Some(true) || health.is_some_and(|health| health != Health::Offline)
        }
        Condition::Mailbox { .. } | Condition::Restarts { .. } | Condition::Recovered | Condition::Delivery(_) => false,
    }
}
