//! The console as the end of tracing: events of the node, and what libraries have to say.

use std::fmt::{Debug, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use nunect_runtime::config;
use nunect_runtime::telemetry::{self, Tap};
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::console::{Console, Tone, rfc3339, time_of_day};
use super::exit;

/// Moves the least level that is written while the program runs.
pub(super) struct Control {
    filter: reload::Handle<Targets, Registry>,
    wanted: Targets,
}

impl Control {
    /// From now on this is the least level of the program's own records.
    pub(super) fn set(&self, least: config::Level) {
        // Without the subscriber there is nothing to write, either.
        let _ = self.filter.reload(targets(least, &self.wanted));
    }
}

/// Says at every try to connect why it failed; the node tells that itself, and once.
const TALKATIVE: &str = "async_nats::connector";

/// What is written from `least` on: libraries only from WARN on, unless `wanted` says otherwise.
fn targets(least: config::Level, wanted: &Targets) -> Targets {
    let least = match least {
        config::Level::Debug => Level::DEBUG,
        config::Level::Info => Level::INFO,
        config::Level::Warn => Level::WARN,
        config::Level::Error | config::Level::Fatal => Level::ERROR,
    };
    let own = Targets::new().with_default(Level::WARN).with_target("nunect", least);
    let asked_for = wanted.iter().any(|(target, _)| TALKATIVE.starts_with(target));
    let own = if asked_for { own } else { own.with_target(TALKATIVE, LevelFilter::OFF) };
    own.with_targets(wanted.iter())
}

/// Sends records from `least` on to the console and to `tap`; the variable `NUNECT_LOG` says
/// otherwise for single targets: `nunect=debug,async_nats=info`.
///
/// # Errors
/// The exit code, when the variable cannot be read.
pub(super) fn start(console: &Console, least: config::Level, tap: Tap) -> Result<Control, u8> {
    let mut overrides = Targets::new();
    if let Ok(wanted) = std::env::var("NUNECT_LOG") {
        match wanted.parse::<Targets>() {
            Ok(wanted) => overrides = wanted,
            Err(error) => {
                console.complain(&format!(
                    "error: environment variable NUNECT_LOG: `{wanted}`: {error}\n\
                     write targets with levels, such as NUNECT_LOG=nunect=debug,async_nats=info"
                ));
                return Err(exit::CONFIGURATION);
            }
        }
    }
    let (filter, handle) = reload::Layer::new(targets(least, &overrides));
    let layer = ConsoleLayer { console: console.clone() }.and_then(tap).with_filter(filter);
    // A second node in one process finds the first one's subscriber, and that is as good.
    let _ = tracing_subscriber::registry().with(layer).try_init();
    Ok(Control { filter: handle, wanted: overrides })
}

struct ConsoleLayer {
    console: Console,
}

/// What a record says, in the words of the protocol's log records (section 3).
#[derive(Default)]
struct Words {
    unit: String,
    comp: Option<String>,
    kind: Option<String>,
    msg: String,
    /// Of an event: its details, as JSON.
    fields: Option<String>,
    /// Of any other record: its further fields.
    others: serde_json::Map<String, serde_json::Value>,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "unit" => value.clone_into(&mut self.unit),
            "comp" => self.comp = Some(value.to_owned()),
            "kind" => self.kind = Some(value.to_owned()),
            "fields" => self.fields = Some(value.to_owned()),
            name => drop(self.others.insert(name.to_owned(), value.into())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // Writing to a text cannot fail.
            let _ = write!(self.msg, "{value:?}");
        } else if field.name() == "fields" {
            self.fields = Some(format!("{value:?}"));
        } else {
            self.others.insert(field.name().to_owned(), format!("{value:?}").into());
        }
    }
}

/// One line of JSON.
#[derive(Serialize)]
struct Logged<'a> {
    ts: String,
    lvl: &'static str,
    unit: &'a str,
    comp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    msg: &'a str,
    fields: &'a RawValue,
}

impl<S: Subscriber> Layer<S> for ConsoleLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let metadata = event.metadata();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = nunect_core::Wall::from_unix_nanos(nunect_core::time::nanos(wall));
        let comp = words.comp.as_deref().unwrap_or_else(|| metadata.target());
        if self.console.is_json() {
            let others = || serde_json::Value::Object(words.others.clone()).to_string();
            let fields = words.fields.clone().unwrap_or_else(others);
            let Ok(fields) = RawValue::from_string(fields) else { return };
            return self.console.object(&Logged {
                ts: rfc3339(wall),
                lvl: word(*metadata.level()),
                unit: &words.unit,
                comp,
                kind: words.kind.as_deref(),
                msg: &words.msg,
                fields: &fields,
            });
        }
        let time = self.console.paint(Tone::Dim, &time_of_day(wall));
        let who = self.console.paint(Tone::Dim, &format!("{comp:<13}"));
        let mut text = self.console.paint(tone(*metadata.level()), &words.msg);
        if metadata.target() != telemetry::TARGET {
            for (name, value) in &words.others {
                let _ = write!(text, " {name}={value}");
            }
        }
        self.console.line(&format!("{time}  {who}  {text}"));
    }
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

const fn tone(level: Level) -> Tone {
    match level {
        Level::ERROR => Tone::Bad,
        Level::WARN => Tone::Warn,
        Level::INFO => Tone::Plain,
        Level::DEBUG | Level::TRACE => Tone::Dim,
    }
}
