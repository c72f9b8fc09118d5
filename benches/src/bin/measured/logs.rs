//! What it costs that something is said: by an actor, in bursts that the ring of records holds, to a
//! node that ships it, filters it, or does neither.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use garde::Validate;
use nunect_benches::work::{Threads, UNIT, say};
use nunect_benches::{Failure, process};
use nunect_core::{
    Actor, Birth, Body, ConfigError, Contract, Effects, Event, Fault, Health, Input, Level, Message, Now, Pattern,
    Subject, UnitId,
};
use nunect_runtime::bus::Inbound;
use nunect_runtime::telemetry::Tap;
use nunect_runtime::{Bus, Clock, LocalBus, Node, Ports, port};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Identity, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::hosting;

/// What is said at once: half of what the ring holds.
const BURST: u64 = 512;
/// Bursts that warm everything up.
const BURSTS_BEFORE: u64 = 200;
/// Where the actor is told to speak, and where it says that it has.
const GO: &str = "bench.go";
const DONE: &str = "bench.done";
/// How often the file is looked at until everything is in it.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// How long a burst may take until the measurement gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fate {
    /// Nothing is said at all.
    Unsaid,
    /// Nobody ships.
    Unheard,
    /// There is a shipper, and the node writes down graver things alone.
    Filtered,
    /// It is published.
    Published,
    /// It is published, and written to a file.
    Filed,
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What becomes of it.
    fate: Fate,
    /// How many bursts of 512.
    bursts: u64,
    /// It is said to the process's log, and not by an event.
    #[arg(long)]
    tracing: bool,
    /// An empty folder, for the file.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    threads: Threads,
}

/// Says `nanos`, the processor time of the process for all bursts.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    arguments.threads.runtime()?.block_on(measure(&arguments))
}

/// How far everything is.
#[derive(Default)]
struct Progress {
    done: AtomicU64,
    published: AtomicU64,
    /// The number of the last record of the burst.
    last: AtomicU64,
    published_bytes: AtomicU64,
    told: AtomicU64,
    moved: Notify,
}

async fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { fate, bursts, tracing, ref folder, .. } = *arguments;
    let level = if fate == Fate::Filtered { Level::Warn } else { Level::Info };
    let tap = Tap::default();
    if tracing {
        listen(fate, tap.clone())?;
    }
    let bus = LocalBus::new();
    let clock = Clock::new();
    let burst = if fate == Fate::Unsaid { 0 } else { BURST };
    let mut actors = vec![(Speaker::KIND, json!({ "burst": burst, "tracing": tracing }))];
    match fate {
        Fate::Unsaid | Fate::Unheard => {}
        Fate::Filtered | Fate::Published => actors.push(("logs", json!({}))),
        Fate::Filed => actors.push(("logs", json!({ "file": { "folder": folder, "max_size": "1GiB" } }))),
    }
    let mut spec = hosting::spec(&actors)?;
    spec.log_level = level;
    spec.ports = Ports::default().with(nunect_actors::logs::PORT, port::log_file);
    spec.tap = Some(tap);
    let catalog = nunect_actors::catalog().with::<Speaker>();
    let progress = Arc::new(Progress::default());
    let shipped = if matches!(fate, Fate::Published | Fate::Filed) { BURST } else { 0 };
    let client = bus.client();
    follow(&client, &progress).await?;
    let failures = Arc::clone(&progress);
    let observer = Box::new(move |record: &nunect_runtime::Record| {
        if matches!(record.event, Event::PortFailed { .. } | Event::PublishRefused { .. }) {
            failures.told.fetch_add(1, Ordering::Relaxed);
        }
    });
    let _node = Node::start(spec, &catalog, Arc::new(bus.client()), clock, observer).await?;
    // What the start has to say is not to be counted.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let file = (fate == Fate::Filed).then(|| folder.join(format!("{UNIT}.current.jsonl")));
    let mut bursts_done = 0;
    let mut speak = async |count: u64| -> Result<(), Failure> {
        let published = progress.published.load(Ordering::Acquire);
        let published_bytes = progress.published_bytes.load(Ordering::Acquire);
        let written = file.as_deref().map_or(Ok(0), size)?;
        for burst in 1..=count {
            let last = published + shipped * burst;
            progress.last.store(last, Ordering::Release);
            client.publish(clock.now(), Message::new(subject(GO)))?;
            bursts_done += 1;
            let done = async {
                while progress.done.load(Ordering::Acquire) < bursts_done
                    || progress.published.load(Ordering::Acquire) < last
                {
                    progress.moved.notified().await;
                }
                if let Some(file) = &file {
                    let wanted = progress.published_bytes.load(Ordering::Acquire) - published_bytes;
                    while size(file)? < written + wanted {
                        tokio::time::sleep(LOOK_EVERY).await;
                    }
                }
                Ok::<_, Failure>(())
            };
            tokio::time::timeout(PATIENCE, done).await.map_err(|_| "a burst did not come through: it was lost")??;
        }
        let more = progress.published.load(Ordering::Acquire) - published - shipped * count;
        match (more, progress.told.load(Ordering::Relaxed)) {
            (0, 0) => Ok(()),
            (more, told) => Err(format!("{more} records too many, {told} failures told: something was lost").into()),
        }
    };
    speak(BURSTS_BEFORE).await?;
    let start = process::ran(std::process::id())?;
    speak(bursts).await?;
    say(&format!("nanos {}", process::ran(std::process::id())?.saturating_sub(start).as_nanos()));
    Ok(())
}

/// Counts what is published; whenever a burst is through, whoever waits is told.
async fn follow(client: &dyn Bus, progress: &Arc<Progress>) -> Result<(), Failure> {
    let seen = Arc::clone(progress);
    let done = Arc::new(move |_| {
        seen.done.fetch_add(1, Ordering::AcqRel);
        seen.moved.notify_one();
    });
    client.subscribe(&Pattern::parse(DONE)?.into(), done).await?.forever();
    let seen = Arc::clone(progress);
    let log = Arc::new(move |inbound| {
        let Inbound::Message(message) = inbound else { return };
        let Body::Bytes(line) = &message.body else { return };
        // In the file a line has an end.
        seen.published_bytes.fetch_add(line.len() as u64 + 1, Ordering::AcqRel);
        if seen.published.fetch_add(1, Ordering::AcqRel) + 1 == seen.last.load(Ordering::Acquire) {
            seen.moved.notify_one();
        }
    });
    client.subscribe(&Pattern::parse("ops.log.>")?.into(), log).await?.forever();
    Ok(())
}

/// The process's log goes to the tap alone, filtered as `nunect up` filters it.
fn listen(fate: Fate, tap: Tap) -> Result<(), Failure> {
    let registry = tracing_subscriber::registry();
    match fate {
        Fate::Unsaid | Fate::Unheard => registry.with(Identity::new().with_filter(LevelFilter::INFO)).try_init()?,
        Fate::Filtered => registry.with(tap.with_filter(LevelFilter::WARN)).try_init()?,
        Fate::Published | Fate::Filed => registry.with(tap.with_filter(LevelFilter::INFO)).try_init()?,
    }
    Ok(())
}

fn size(file: &Path) -> Result<u64, Failure> {
    Ok(std::fs::metadata(file)?.len())
}

fn subject(text: &'static str) -> Subject {
    Subject::parse(text).expect("a legal subject")
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct SpeakerConfig {
    /// What it says at once.
    #[garde(skip)]
    burst: u64,
    /// Whether it says it to the process's log.
    #[garde(skip)]
    tracing: bool,
}

/// Says a burst whenever it is told.
struct Speaker {
    config: SpeakerConfig,
    unit: UnitId,
}

impl Actor for Speaker {
    const KIND: &'static str = "speaker";
    type Config = SpeakerConfig;

    fn new(config: SpeakerConfig, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { config, unit: birth.unit.clone() })
    }

    fn contract(&self) -> Contract {
        Contract { reads: vec![Pattern::parse(GO).expect("a legal pattern").into()], ..Contract::default() }
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        if let Input::Message(_) = input {
            for number in 0..self.config.burst {
                if self.config.tracing {
                    tracing::info!(unit = self.unit.as_str(), number, "a unit does well again");
                } else {
                    let (from, reason) = (Health::Degraded, "as the unit reports".into());
                    out.emit(Event::UnitHealth { unit: self.unit.clone(), from, to: Health::Ok, reason });
                }
            }
            out.publish(Message::new(subject(DONE)));
        }
        Ok(())
    }
}
