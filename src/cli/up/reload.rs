//! SIGHUP: the configuration is read again, and what can change in a node that runs does.

use nunect_core::Event;
use nunect_runtime::config::Profile;
use nunect_runtime::{Node, Reload};

use super::super::{logging, problem};
use super::start::Start;

/// Reads the configuration again. A mistake in it is shown, and the node goes on as it was.
pub(super) fn reload(start: &Start<'_>, present: &mut Profile, node: &Node, logs: &logging::Control) {
    let arguments = start.arguments;
    let Ok(loaded) = problem::load(arguments.config.as_deref(), arguments.flags(), start.catalog, start.console) else {
        start.console.complain("the configuration was not read again; the node goes on as it was");
        return;
    };
    let new = loaded.profile;
    let mut changes = present.diff(&new);
    if changes.is_empty() {
        return node.tell(Event::Reloaded { changed: Vec::new(), restart_needed: Vec::new() });
    }
    let reload = Reload {
        actors: new.actors.clone(),
        capabilities: new.capabilities.clone(),
        chaos: new.chaos.enabled,
        // A level that a command set stays unless the file says another than before.
        log_level: (new.logging.min_level != present.logging.min_level).then_some(new.logging.min_level),
        include_fields: new.logging.include_fields.clone(),
        time: new.time.clone(),
    };
    let other_kind = match node.reload(reload, start.catalog) {
        Ok(other_kind) => other_kind,
        Err(error) => {
            start.console.complain(&format!("actors.{error}\nthe node goes on as it was"));
            return;
        }
    };
    for name in other_kind {
        let key = format!("actors.{name}");
        changes.live.retain(|live| *live != key);
        changes.restart.push(key);
    }
    if new.logging.min_level < present.logging.min_level {
        // Whoever wants to read more from now on reads what this has changed, too.
        logs.set(new.logging.min_level);
    }
    // What takes a restart is told at every further reload until it had one.
    present.actors = new.actors;
    present.capabilities = new.capabilities;
    present.chaos = new.chaos;
    present.logging = new.logging;
    present.health = new.health;
    present.time = new.time;
    node.tell(Event::Reloaded { changed: changes.live, restart_needed: changes.restart });
}
