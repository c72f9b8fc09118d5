//! Whether the servers let the node do its work.

use std::sync::Arc;

use nunect_core::protocol::permissions::{self, Permissions};
use nunect_core::protocol::{echo, header};
use nunect_core::{Birth, Contract, Incarnation, Message, Mono, Now, Pattern, Wall};
use nunect_runtime::NodeSpec;

use super::super::client::{Client, Failure};
use super::super::reach::{Session, Target, connect};
use super::{Context, Finding};

/// The connection, when there are servers and they take it.
fn session<'a>(context: &'a Context<'_>) -> Option<Result<&'a Session, &'a (String, String)>> {
    let connection = &context.profile()?.connection;
    if connection.urls.is_empty() {
        return None;
    }
    let open = || {
        let target = Target::Nats(connection.urls.clone(), connection.credentials.clone());
        connect(target, context.timeout).map_err(|lost| (lost.reason, lost.help))
    };
    Some(context.session.get_or_init(open).as_ref())
}

fn connected<'a>(context: &'a Context<'_>) -> Option<&'a Session> {
    session(context)?.ok()
}

/// Whether the server takes the connection.
pub(super) fn credentials(context: &Context<'_>) -> Vec<Finding> {
    match session(context) {
        None => Vec::new(),
        Some(Ok(session)) => vec![Finding::ok("credentials", format!("{} takes them", session.client.describe()))],
        Some(Err((reason, help))) => vec![Finding::problem("credentials", reason.clone(), help.clone())],
    }
}

/// The time to the server and back.
pub(super) fn round_trip(context: &Context<'_>) -> Vec<Finding> {
    let Some(session) = connected(context) else { return Vec::new() };
    vec![match session.wait(session.client.round_trip()) {
        Some(time) => Finding::ok("round trip", format!("{time:.1?} to the server and back")),
        None => Finding::problem("round trip", "the server does not answer", "look at the server's load and log"),
    }]
}

/// What the actors read and publish, each as it would be built here.
fn contracts(context: &Context<'_>) -> Vec<(String, Contract)> {
    let Some(profile) = context.profile() else { return Vec::new() };
    // Only for its session and entropy.
    let Ok(spec) = NodeSpec::new(profile.unit.clone(), profile.metadata.role, Vec::new()) else { return Vec::new() };
    let contract = |actor: &nunect_core::ActorSpec| {
        let birth = Birth {
            unit: profile.unit.clone(),
            role: profile.metadata.role,
            session: spec.session.clone(),
            actor: actor.name.clone(),
            incarnation: Incarnation(1),
            unit_started: Now { mono: Mono::ZERO, wall: Wall::default() },
            entropy: spec.entropy.clone(),
        };
        let entry = context.catalog.get(&actor.kind).ok()?;
        let built = (entry.build)(&actor.config, &birth).ok()?;
        Some((actor.name.to_string(), built.contract()))
    };
    profile.actors.iter().filter_map(contract).collect()
}

/// Whether everything may be read that the actors read: it is subscribed to, for a moment.
pub(super) fn subscriptions(context: &Context<'_>) -> Vec<Finding> {
    let Some(session) = connected(context) else { return Vec::new() };
    let (mut found, mut read) = (Vec::new(), 0_u64);
    for (actor, contract) in contracts(context) {
        for subscription in &contract.reads {
            read += 1;
            let listened = session.wait(session.client.listen(std::slice::from_ref(&subscription.pattern)));
            if let Err(failure) = listened {
                found.push(lacking("subscribe", &format!("`{actor}`: {failure}"), &subscription.pattern));
            }
        }
    }
    if found.is_empty() {
        found.push(Finding::ok("subscribe", format!("all {read} patterns that the actors read")));
    }
    found
}

/// What the server's own subjects tell is more than a node needs.
fn lacking(check: &'static str, what: &str, pattern: &Pattern) -> Finding {
    if pattern.as_str().starts_with('$') {
        return Finding::info(check, format!("{what}; the actor does without"));
    }
    Finding::problem(check, what, allow(check, pattern.as_str()))
}

fn allow(list: &str, pattern: &str) -> String {
    format!("allow it in the server's permissions of this user: {list}: [\"{pattern}\"]")
}

/// Whether everything may be published that the actors publish: by the server's own account of the
/// user's permissions, since whatever were sent to try it would be read by others.
pub(super) fn publications(context: &Context<'_>) -> Vec<Finding> {
    let Some(session) = connected(context) else { return Vec::new() };
    let told = session.wait(session.client.ask(permissions::question()));
    let permissions = match told.map(|answer| Permissions::parse(&answer)) {
        Ok(Ok(permissions)) => permissions,
        Ok(Err(_)) | Err(_) => {
            return vec![Finding::info("publish", "not known: the server does not tell what this user may do")];
        }
    };
    let (mut found, mut published) = (Vec::new(), 0_u64);
    for (actor, contract) in contracts(context) {
        for pattern in &contract.publishes {
            published += 1;
            if !permissions.publish.permit(pattern) {
                let what = format!("`{actor}`: the server does not permit to publish all of `{pattern}`");
                found.push(lacking("publish", &what, pattern));
            }
        }
    }
    if found.is_empty() {
        found.push(Finding::ok("publish", format!("all {published} patterns that the actors publish")));
    }
    found
}

/// Whether another unit of this name lives.
pub(super) fn twin(context: &Context<'_>) -> Vec<Finding> {
    let (Some(session), Some(profile)) = (connected(context), context.profile()) else { return Vec::new() };
    let unit = &profile.unit;
    let client: &Arc<Client> = &session.client;
    vec![match session.wait(client.ask(Message::new(echo::subject(unit)))) {
        Ok(answer) => {
            let run = header::SESSION_ID.read(&answer.headers).ok().flatten();
            let run = run.map(|session| format!(", in session {session}")).unwrap_or_default();
            let what = format!("a unit `{unit}` is there already{run}");
            Finding::warning("same ID", what, "fine if it is this node; else give one of the two another unit ID")
        }
        Err(Failure::NoResponders | Failure::Timeout(_)) => {
            Finding::ok("same ID", format!("no other `{unit}` answers"))
        }
        Err(failure) => {
            Finding::warning("same ID", format!("not known: {failure}"), allow("publish", echo::subject(unit).as_str()))
        }
    }]
}
