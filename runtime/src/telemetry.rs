//! Events as tracing records, for whoever listens to the process's log.

use std::cell::Cell;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use nunect_core::event::Severity;
use nunect_core::log::Said;
use nunect_core::protocol::log::mentions_log;
use nunect_core::{Level, LogRecord, Wall};
use serde_json::Value;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer};

use crate::node::{Record, Shared};
use crate::sync::lock;

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

/// The target of the client of NATS. What it says about the messages of the log shipper (that the server does
/// not permit them, that it sent them) is not shipped: the next would be such a message as well.
const CLIENT: &str = "async_nats";

thread_local! {
    /// Whether this thread ships logs at this moment: what it says meanwhile is not logged.
    static UNHEARD: Cell<bool> = const { Cell::new(false) };
}

/// Does `work` without anything said meanwhile on this thread being shipped.
pub(crate) fn unheard<R>(work: impl FnOnce() -> R) -> R {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            UNHEARD.set(self.0);
        }
    }
    let _reset = Reset(UNHEARD.replace(true));
    work()
}

/// Brings what libraries and the host say to the log shipper of the node that opens it: one more
/// layer of the process's tracing subscriber. Events of nodes do not go this way.
#[derive(Clone, Default)]
pub struct Tap(Arc<Mutex<Weak<Shared>>>);

impl Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tap")
    }
}

impl Tap {
    pub(crate) fn open(&self, node: &Arc<Shared>) {
        *lock(&self.0) = Arc::downgrade(node);
    }
}

impl<S: Subscriber> Layer<S> for Tap {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == TARGET || UNHEARD.get() {
            return;
        }
        let Some(node) = lock(&self.0).upgrade() else { return };
        let level = level_of(*metadata.level());
        if !node.logs.wants(level) {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        if metadata.target().starts_with(CLIENT) && mentions_log(&words.msg) {
            return;
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ts = Wall::from_unix_nanos(nunect_core::time::nanos(wall));
        let comp = words.comp.unwrap_or_else(|| metadata.target().into());
        let said = Said::Words { comp, msg: words.msg.into(), fields: words.fields };
        node.logs.push(LogRecord { ts, level, said, trace: words.trace, headers: Vec::new() });
    }
}

/// The level of a tracing record in the words of the protocol.
#[must_use]
pub fn level_of(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    }
}

/// What a tracing record says.
#[derive(Default)]
struct Words {
    comp: Option<Box<str>>,
    trace: Option<Box<str>>,
    msg: String,
    fields: serde_json::Map<String, Value>,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "comp" => self.comp = Some(value.into()),
            "trace" => self.trace = Some(value.into()),
            name => drop(self.fields.insert(name.to_owned(), value.into())),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // Writing to a text cannot fail.
            let _ = write!(self.msg, "{value:?}");
        } else {
            self.fields.insert(field.name().to_owned(), format!("{value:?}").into());
        }
    }
}
