//! The faults of a scenario, resolved.

use nunect_core::Period;
use nunect_core::time::nanos;

use super::error::{Problems, did_you_mean};
use super::file::{FaultEntry, Names, Outage, PanicEntry};
use super::names;
use super::plan::Plan;
use crate::fault::{Fault, Kind};
use crate::world::Harm;

/// Resolves all faults; each keeps its place. What cannot be goes to `problems`.
pub(crate) fn resolve(entries: &[FaultEntry], plan: &Plan, problems: &mut Problems) -> Vec<Fault> {
    check_names(entries, problems);
    let mut faults = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let key = format!("faults[{number}]");
        faults.extend(fault(&key, entry, plan, problems));
    }
    if problems.is_empty() {
        check_overlaps(entries, &faults, plan, problems);
    }
    faults
}

fn check_names(entries: &[FaultEntry], problems: &mut Problems) {
    for (number, entry) in entries.iter().enumerate() {
        let Some(name) = &entry.name else { continue };
        if entries.iter().take(number).any(|other| other.name.as_ref() == Some(name)) {
            problems.add(format!("faults[{number}].name"), format!("two faults are called `{name}`"), "rename one");
        }
    }
}

fn fault(key: &str, entry: &FaultEntry, plan: &Plan, problems: &mut Problems) -> Option<Fault> {
    let at = nanos(entry.at.0);
    if at >= plan.duration {
        problems.add(format!("{key}.at"), format!("{} is not before the end of the run", entry.at), "");
    }
    let (kind, lasting) = match (&entry.partition, &entry.crash, &entry.stop, &entry.panic) {
        (Some(outage), None, None, None) => {
            let key = format!("{key}.partition");
            let nodes = nodes(&key, &outage.nodes, plan, problems)?;
            (Kind::World(Harm::Cut(nodes)), lasting(&key, outage, problems))
        }
        (None, Some(outage), None, None) => {
            let key = format!("{key}.crash");
            let nodes = nodes(&key, &outage.nodes, plan, problems)?;
            (Kind::Crash(nodes), lasting(&key, outage, problems))
        }
        (None, None, Some(outage), None) => {
            let key = format!("{key}.stop");
            let nodes = nodes(&key, &outage.nodes, plan, problems)?;
            (Kind::Stop(nodes), lasting(&key, outage, problems))
        }
        (None, None, None, Some(panic)) => (Kind::Panic(actors(&format!("{key}.panic"), panic, plan, problems)?), None),
        (_, _, _, _) => {
            problems.add(
                key,
                "a fault is exactly one of partition, crash, stop and panic",
                "write each as its own fault",
            );
            return None;
        }
    };
    let starts_first = match kind {
        Kind::Crash(_) | Kind::Stop(_) | Kind::Panic(_) => at < plan.spread,
        Kind::World(_) => false,
    };
    if starts_first {
        let spread = Period(std::time::Duration::from_nanos(plan.spread));
        problems.add(format!("{key}.at"), format!("nodes are still starting until {spread}"), "let it strike later");
    }
    Some(Fault { at, end: lasting.map(|lasting| at.saturating_add(lasting)), kind })
}

fn nodes(key: &str, names: &Names, plan: &Plan, problems: &mut Problems) -> Option<Vec<u32>> {
    resolve_names(&format!("{key}.nodes"), names, plan, problems)
}

/// The nodes that the names at `key` mean.
pub(super) fn resolve_names(key: &str, names: &Names, plan: &Plan, problems: &mut Problems) -> Option<Vec<u32>> {
    let units = plan.units();
    let report = |unknown: names::Unknown| {
        let key = if names.0.len() > 1 { format!("{key}[{}]", unknown.position) } else { key.to_owned() };
        problems.add(key, unknown.reason, unknown.help);
    };
    names::resolve(names, &units).map_err(report).ok()
}

fn lasting(key: &str, outage: &Outage, problems: &mut Problems) -> Option<u64> {
    let lasting = outage.lasting?;
    if lasting.0.is_zero() {
        problems.add(format!("{key}.for"), "it would be over before it began", "leave it out for ever");
    }
    Some(nanos(lasting.0))
}

fn actors(key: &str, panic: &PanicEntry, plan: &Plan, problems: &mut Problems) -> Option<Vec<(u32, u32)>> {
    let mut actors = Vec::new();
    for (number, node) in (0..).zip(&plan.nodes) {
        let slot = (0..).zip(node.actors.iter()).find(|(_, actor)| actor.name.as_str() == panic.actor);
        actors.push(slot.map(|(slot, _)| (number, slot)));
    }
    let nodes = nodes(key, &panic.nodes, plan, problems)?;
    let mut chosen = Vec::new();
    for node in nodes {
        let planned = usize::try_from(node).ok().and_then(|node| Some((plan.nodes.get(node)?, actors.get(node)?)));
        match planned {
            Some((_, Some(actor))) => chosen.push(*actor),
            Some((planned, None)) => {
                let names = planned.actors.iter().map(|actor| actor.name.as_str());
                let reason = format!("{} has no actor `{}`", planned.unit, panic.actor);
                problems.add(format!("{key}.actor"), reason, did_you_mean(&panic.actor, names));
                return None;
            }
            None => {}
        }
    }
    Some(chosen)
}

/// Reports faults that strike nodes while another fault keeps them down.
fn check_overlaps(entries: &[FaultEntry], faults: &[Fault], plan: &Plan, problems: &mut Problems) {
    for (number, fault) in faults.iter().enumerate() {
        let Some(nodes) = needs_up(fault) else { continue };
        for (other_number, other) in faults.iter().enumerate() {
            let Some(down) = takes_down(other) else { continue };
            let before = other.at < fault.at || (other.at == fault.at && other_number < number);
            let over = other.end.is_some_and(|end| end <= fault.at);
            let Some(node) = nodes.iter().find(|node| down.contains(node)).filter(|_| before && !over) else {
                continue;
            };
            let unit = usize::try_from(*node).ok().and_then(|node| plan.nodes.get(node)).map(|node| node.unit.as_str());
            let since = entries.get(other_number).map(|entry| entry.at).unwrap_or_default();
            let reason = format!("{} is down then, since faults[{other_number}] at {since}", unit.unwrap_or_default());
            problems.add(format!("faults[{number}].at"), reason, "let it strike when the node is up");
            break;
        }
    }
}

/// The nodes that must be up when it strikes.
fn needs_up(fault: &Fault) -> Option<Vec<u32>> {
    match &fault.kind {
        Kind::World(_) => None,
        Kind::Crash(nodes) | Kind::Stop(nodes) => Some(nodes.clone()),
        Kind::Panic(actors) => Some(actors.iter().map(|&(node, _)| node).collect()),
    }
}

/// The nodes that are down while it lasts.
fn takes_down(fault: &Fault) -> Option<&[u32]> {
    match &fault.kind {
        Kind::Crash(nodes) | Kind::Stop(nodes) => Some(nodes),
        Kind::World(_) | Kind::Panic(_) => None,
    }
}
