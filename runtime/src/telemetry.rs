//! Events as tracing records, for whoever listens to the process's log.

use nunect_core::event::Severity;
use serde_json::Value;

use crate::node::Record;

/// The target of records that are events: `comp` is the actor, `kind` the event's name, `fields` its
/// details as JSON.
pub const TARGET: &str = "nunect::event";

/// Turns an event into a tracing record. The details are put into words only when somebody listens.
pub fn trace(record: &Record) {
    macro_rules! emit {
        ($level:ident) => {
            if tracing::enabled!(target: TARGET, tracing::Level::$level) {
                let Record { unit, actor, event, .. } = record;
                tracing::event!(
                    target: TARGET,
                    tracing::Level::$level,
                    unit = unit.as_str(),
                    comp = actor.as_ref().map_or("node", nunect_core::ActorName::as_str),
                    kind = event.name(),
                    fields = details(event).to_string(),
                    "{event}"
                );
            }
        };
    }
    match record.event.severity() {
        Severity::Info => emit!(INFO),
        Severity::Warn => emit!(WARN),
        Severity::Error => emit!(ERROR),
    }
}

/// What an event says beside its name, as a JSON object.
#[must_use]
pub fn details(event: &nunect_core::Event) -> Value {
    match serde_json::to_value(event) {
        // An enum is one key, its name, over its details.
        Ok(Value::Object(named)) => named.into_iter().next().map_or(Value::Null, |(_, details)| details),
        // Without details it is its name alone.
        Ok(_) | Err(_) => Value::Object(serde_json::Map::new()),
    }
}
