//! Ships what this node writes down: to the bus, and to a file.

use std::time::Duration;

use bytes::Bytes;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use nunect_core::config::{Size, size_within};
use nunect_core::log::Said;
use nunect_core::protocol::log::{self, Entry, Fields};
use nunect_core::{
    Actor, Birth, ConfigError, Contract, Effects, Event, Fault, Input, Level, LogRecord, Message, Mono, Now, PortName,
    Sensor, Subject, UnitId,
};

/// The task that writes the file.
///
/// The first it is given is one JSON object, `{"open":{"folder","max_size","max_files","unit"}}`, and
/// from then on lines. It answers with JSON: `{"failed":"why"}`, or `{"recovered":true}`.
pub const PORT: PortName = "log-file";
/// How often a failure of the file is reported at most.
pub const FAILURE_TOLD_EVERY: Duration = Duration::from_secs(60);
/// A longer record loses its data, and its text the end, or no server would take it.
pub const RECORD_MAX_BYTES: usize = 64 << 10;
/// What is left of the text then.
pub const TEXT_KEPT_BYTES: usize = 8 << 10;

/// What may be configured of a log shipper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct LogsConfig {
    /// The file; none unless given.
    #[garde(dive)]
    pub file: Option<LogFile>,
    /// Whether records are published on `ops.log.{LEVEL}.{unit}`.
    #[garde(skip)]
    pub publish: bool,
    /// Records of lower levels are not published, whatever the node writes down.
    #[garde(skip)]
    pub publish_level: Level,
}

impl Default for LogsConfig {
    fn default() -> Self {
        Self { file: None, publish: true, publish_level: Level::Info }
    }
}

/// A log file that begins anew every day, and when it is full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct LogFile {
    /// Where the files lie.
    #[garde(length(min = 1, max = 4_096))]
    pub folder: String,
    /// A file that is this large is followed by the next: `16MiB`, from 64KiB to 1GiB.
    #[serde(default = "default_size")]
    #[garde(custom(size_within(64 << 10, 1 << 30)))]
    pub max_size: Size,
    /// How many files are kept, 1 to 10000; beyond that the oldest is deleted.
    #[serde(default = "default_files")]
    #[garde(range(min = 1, max = 10_000))]
    pub max_files: u32,
}

const fn default_size() -> Size {
    Size(16 << 20)
}

const fn default_files() -> u32 {
    14
}

/// Gives every record of this node to the bus and to the file. It drops none by itself: what the bus
/// does not take waits in the outbox by the rule of logs, and what nobody took in time before comes as
/// a number, which becomes a record, too. What it gives rise to itself never comes back to it.
#[derive(Debug)]
pub struct Logs {
    unit: UnitId,
    file: Option<LogFile>,
    /// From which level on records are published; none: never.
    publish_level: Option<Level>,
    /// The subject of each level.
    subjects: [Subject; 5],
    failure_told: Option<Mono>,
}

impl Actor for Logs {
    const KIND: &'static str = "logs";
    type Config = LogsConfig;

    fn new(config: LogsConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let levels = [Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];
        Ok(Self {
            unit: birth.unit.clone(),
            file: config.file,
            publish_level: config.publish.then_some(config.publish_level),
            subjects: levels.map(|level| log::subject(level, &birth.unit)),
            failure_told: None,
        })
    }

    fn contract(&self) -> Contract {
        let idle = self.file.is_none() && self.publish_level.is_none();
        Contract {
            publishes: self.publish_level.iter().map(|_| log::pattern_of(&self.unit)).collect(),
            sensors: if idle { Vec::new() } else { vec![Sensor::Log] },
            ports: self.file.iter().map(|_| PORT).collect(),
            ..Contract::default()
        }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Log(record) => self.ship(record, out),
            Input::Started => self.open(out),
            Input::Port(_, said) => self.port_said(now.mono, said, out),
            Input::Message(_)
            | Input::Reply { .. }
            | Input::Timeout(_)
            | Input::Host(_)
            | Input::Bus(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Node(_)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }
}

impl Logs {
    fn open(&self, out: &mut Effects) {
        if let Some(LogFile { folder, max_size, max_files }) = &self.file {
            let open = json!({ "folder": folder, "max_size": max_size.0, "max_files": max_files, "unit": self.unit });
            out.port(PORT, json!({ "open": open }).to_string());
        }
    }

    /// The JSON is made once: the line of the file is also, without its end, what is published.
    fn ship(&self, record: &LogRecord, out: &mut Effects) {
        let level = if matches!(record.said, Said::Lost(_)) { Level::Warn } else { record.level };
        let publish = self.publish_level.is_some_and(|least| level >= least);
        if !publish && self.file.is_none() {
            return;
        }
        let entry = self.entry(level, record);
        let mut line = entry.encode();
        if line.len() > RECORD_MAX_BYTES {
            line = shortened(entry).encode();
        }
        line.push(b'\n');
        let line = Bytes::from(line);
        if publish {
            let subject = self.subjects[level as usize].clone();
            out.publish(Message::new(subject).body(line.slice(..line.len() - 1)));
        }
        if self.file.is_some() {
            out.port(PORT, line);
        }
    }

    fn entry(&self, level: Level, record: &LogRecord) -> Entry {
        let (comp, msg, mut fields) = match &record.said {
            Said::Event(actor, event) => {
                let comp = actor.as_ref().map_or("node", |actor| actor.as_str());
                (comp.to_owned(), event.to_string(), details(event))
            }
            Said::Words { comp, msg, fields } => (String::from(&**comp), String::from(&**msg), Fields::from(fields)),
            Said::Lost(lost) => {
                let words = format!("{lost} log records lost");
                (Self::KIND.to_owned(), words, Fields::default().with("lost", lost))
            }
        };
        for (name, value) in &record.headers {
            fields.push(name, value);
        }
        let trace = record.trace.as_deref().map(str::to_owned);
        Entry { ts: record.ts, level, unit: self.unit.clone(), comp, msg, fields, trace }
    }

    fn port_said(&mut self, now: Mono, said: &Bytes, out: &mut Effects) {
        if let Some(reason) = failure(said)
            && self.failure_told.is_none_or(|told| now.since(told) >= FAILURE_TOLD_EVERY)
        {
            self.failure_told = Some(now);
            out.emit(Event::PortFailed { port: PORT.into(), reason });
        }
    }
}

/// Why the task behind a port failed, when that is what it says.
pub(crate) fn failure(said: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Json {
        failed: String,
    }
    serde_json::from_slice(said).ok().map(|json: Json| json.failed)
}

/// What an event says beside its name, and the name as `kind`.
fn details(event: &Event) -> Fields {
    // An enum is one key, its name, over its details; without details it is its name alone.
    let json = serde_json::to_string(event).unwrap_or_default();
    let inside = json.strip_suffix('}').and_then(|json| json.split_once(':')).map(|(_, details)| details);
    let fields = inside.and_then(Fields::from_json).unwrap_or_default();
    // One of an actor that is not ours has its kind among them.
    if matches!(event, Event::Custom { .. }) { fields } else { fields.with("kind", &event.name()) }
}

/// The beginning of a record that is too long, and nothing of its data.
fn shortened(entry: Entry) -> Entry {
    let Entry { mut msg, comp, .. } = entry;
    msg.truncate(msg.floor_char_boundary(TEXT_KEPT_BYTES));
    let comp = comp.chars().take(64).collect();
    let fields = Fields::default().with("shortened", &true);
    Entry { msg, comp, fields, trace: None, ..entry }
}

#[cfg(test)]
mod tests;
