//! The traffic of a scenario, resolved: actors of the simulator's own on the nodes that it names.

use std::sync::Arc;

use nunect_core::{Actor, ActorName, ActorSpec, Period};
use serde_json::json;

use super::error::Problems;
use super::faults::resolve_names;
use super::file::{Names, TalkEntry, TelemetryEntry, TrafficEntry};
use super::plan::Plan;
use crate::traffic::{Talk, Telemetry};

/// Those of one node, or of several that are alike.
type Actors = Arc<[ActorSpec]>;

/// The largest payload: what a server takes by default.
const PAYLOAD_MAX: u32 = 1 << 20;
/// The shortest time between two messages of one source.
const EVERY_MIN: Period = Period::from_millis(1);

/// Adds the actors of every entry to the nodes of `plan`. What cannot be goes to `problems`.
pub(crate) fn add(entries: &[TrafficEntry], plan: &mut Plan, problems: &mut Problems) {
    for (number, entry) in entries.iter().enumerate() {
        let key = format!("traffic[{number}]");
        let kind = if entry.talk.is_some() { "talk" } else { "telemetry" };
        let name = entry.name.clone().unwrap_or_else(|| format!("{kind}{number}"));
        let Ok(name) = ActorName::new(&name).map_err(|e| problems.add(format!("{key}.name"), e.to_string(), "")) else {
            continue;
        };
        match (&entry.talk, &entry.telemetry) {
            (Some(talk), None) => add_talk(&format!("{key}.talk"), &name, talk, plan, problems),
            (None, Some(telemetry)) => add_telemetry(&format!("{key}.telemetry"), &name, telemetry, plan, problems),
            (_, _) => problems.add(key, "traffic is exactly one of talk and telemetry", "write each as its own entry"),
        }
    }
}

fn add_talk(key: &str, name: &ActorName, talk: &TalkEntry, plan: &mut Plan, problems: &mut Problems) {
    check(key, &talk.group, talk.payload, problems);
    if talk.frame < EVERY_MIN {
        problems.add(format!("{key}.frame"), format!("shorter than {EVERY_MIN}"), "write 20ms");
    }
    for (part, delay) in [("spurt", talk.spurt), ("silence", talk.silence)] {
        check_delay(&format!("{key}.{part}"), delay, problems);
    }
    let Some((talkers, listeners)) =
        both(key, ("talkers", &talk.talkers), ("listeners", &talk.listeners), plan, problems)
    else {
        return;
    };
    let TalkEntry { group, frame, payload, spurt, silence, .. } = talk;
    install(key, name, &talkers, &listeners, plan, problems, |talks, listens| {
        (
            Talk::KIND,
            json!({
                "group": group, "talks": talks, "listens": listens, "frame": frame, "payload": payload,
                "spurt": spurt, "silence": silence,
            }),
        )
    });
}

fn add_telemetry(key: &str, name: &ActorName, entry: &TelemetryEntry, plan: &mut Plan, problems: &mut Problems) {
    check(key, &entry.group, entry.payload, problems);
    check_delay(&format!("{key}.every"), entry.every, problems);
    let Some((from, to)) = both(key, ("from", &entry.from), ("to", &entry.to), plan, problems) else { return };
    let TelemetryEntry { group, every, payload, .. } = entry;
    install(key, name, &from, &to, plan, problems, |sends, receives| {
        let options =
            json!({ "group": group, "sends": sends, "receives": receives, "every": every, "payload": payload });
        (Telemetry::KIND, options)
    });
}

/// The nodes that send, and those that receive: all, if not given.
fn both(
    key: &str,
    (from_key, from): (&str, &Names),
    (to_key, to): (&str, &Option<Names>),
    plan: &Plan,
    problems: &mut Problems,
) -> Option<(Vec<u32>, Vec<u32>)> {
    let from = resolve_names(&format!("{key}.{from_key}"), from, plan, problems)?;
    let to = match to {
        Some(to) => resolve_names(&format!("{key}.{to_key}"), to, plan, problems)?,
        None => (0..).take(plan.nodes.len()).collect(),
    };
    Some((from, to))
}

/// Gives each node that sends or receives an actor.
fn install(
    key: &str,
    name: &ActorName,
    from: &[u32],
    to: &[u32],
    plan: &mut Plan,
    problems: &mut Problems,
    actor: impl Fn(bool, bool) -> (&'static str, serde_json::Value),
) {
    // Nodes that are alike share one list.
    let mut made: Vec<(Actors, (bool, bool), Actors)> = Vec::new();
    for (number, node) in (0..).zip(&mut plan.nodes) {
        let (sends, receives) = (from.binary_search(&number).is_ok(), to.binary_search(&number).is_ok());
        if !sends && !receives {
            continue;
        }
        if node.actors.iter().any(|actor| actor.name == *name) {
            let reason = format!("{} has an actor `{name}` already", node.unit);
            return problems.add(key, reason, "give the entry another `name`");
        }
        let role = (sends, receives);
        let alike = made.iter().find(|(before, other, _)| Arc::ptr_eq(before, &node.actors) && *other == role);
        if let Some((.., after)) = alike {
            node.actors = Arc::clone(after);
            continue;
        }
        let (kind, config) = actor(sends, receives);
        let added = ActorSpec { name: name.clone(), kind: kind.to_owned(), config };
        let after: Actors = node.actors.iter().cloned().chain([added]).collect();
        made.push((Arc::clone(&node.actors), role, Arc::clone(&after)));
        node.actors = after;
    }
}

fn check(key: &str, group: &str, payload: u32, problems: &mut Problems) {
    if let Err(error) = nunect_core::subject::check_token(group) {
        problems.add(format!("{key}.group"), error.to_string(), "");
    }
    if payload > PAYLOAD_MAX {
        problems.add(format!("{key}.payload"), format!("more than {PAYLOAD_MAX} bytes"), "a server takes no more");
    }
}

fn check_delay(key: &str, delay: crate::Delay, problems: &mut Problems) {
    if delay.is_reversed() {
        problems.add(format!("{key}.uniform"), "the second time is shorter than the first", "swap them");
    }
    if delay.max() < EVERY_MIN {
        problems.add(key, format!("shorter than {EVERY_MIN}"), "");
    }
}
