//! From a crash to the first message that the next life handles, on a fresh node each time: no crash
//! before it makes the restart wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use garde::Validate;
use nunect_benches::Failure;
use nunect_benches::work::{Threads, say};
use nunect_core::{
    Actor, Birth, ConfigError, Contract, Deadline, Effects, Fault, Input, Message, Mono, Now, Pattern, Subject,
};
use nunect_runtime::bus::local::LocalClient;
use nunect_runtime::{Bus, Clock, LocalBus, Node};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

use crate::hosting;

/// What waits for the next life.
const WAITING: &str = "bench.waiting";
/// How long after its start the first life ends.
const LIVES: Duration = Duration::from_millis(10);
/// How long a restart may take until the measurement gives up.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many crashes.
    crashes: u64,
    /// Panics, and not faults.
    #[arg(long)]
    panic: bool,
    #[command(flatten)]
    threads: Threads,
}

/// Says `took` and the nanoseconds of each.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    arguments.threads.runtime()?.block_on(async {
        for _ in 0..arguments.crashes {
            say(&format!("took {}", crash(arguments.panic).await?.as_nanos()));
        }
        Ok(())
    })
}

/// What the crashing actor is beside itself: an actor has neither a bus nor a clock.
struct Stage {
    bus: LocalClient,
    clock: Clock,
    crashed: Option<Instant>,
    handled: Option<oneshot::Sender<Duration>>,
}

static STAGE: Mutex<Option<Stage>> = Mutex::new(None);

fn on_stage<R>(act: impl FnOnce(&mut Stage) -> R) -> Option<R> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
}

async fn crash(panics: bool) -> Result<Duration, Failure> {
    let bus = LocalBus::new();
    let clock = Clock::new();
    let (handled, took) = oneshot::channel();
    let stage = Stage { bus: bus.client(), clock, crashed: None, handled: Some(handled) };
    drop(STAGE.lock().unwrap_or_else(PoisonError::into_inner).replace(stage));
    // Among all the others, as on a full node.
    let catalog = nunect_actors::catalog().with::<Crasher>();
    let mut actors: Vec<_> = nunect_actors::catalog().kinds().map(|kind| (kind, json!({}))).collect();
    actors.push((Crasher::KIND, json!({ "panics": panics })));
    let spec = hosting::spec(&actors)?;
    let node = Node::start(spec, &catalog, Arc::new(bus.client()), clock, Box::new(|_| {})).await?;
    let took = tokio::time::timeout(PATIENCE, took).await??;
    drop(node);
    Ok(took)
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct CrasherConfig {
    /// Whether it panics.
    #[garde(skip)]
    panics: bool,
}

/// Crashes once, on a deadline: no message is to blame.
struct Crasher {
    first: bool,
    panics: bool,
    due: Option<Mono>,
}

impl Actor for Crasher {
    const KIND: &'static str = "crasher";
    type Config = CrasherConfig;

    fn new(config: CrasherConfig, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { first: birth.incarnation.0 == 1, panics: config.panics, due: None })
    }

    fn contract(&self) -> Contract {
        Contract { reads: vec![Pattern::parse(WAITING).expect("a legal pattern").into()], ..Contract::default() }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, _: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Started if self.first => self.due = Some(now.mono + LIVES),
            Input::Timeout(_) => {
                on_stage(|stage| {
                    let message = Message::new(Subject::parse(WAITING).expect("a legal subject"));
                    stage.bus.publish(stage.clock.now(), message).expect("the embedded bus takes everything");
                    stage.crashed = Some(Instant::now());
                });
                assert!(!self.panics, "as configured");
                return Err(Fault::new("as configured"));
            }
            Input::Message(_) => {
                let handled = Instant::now();
                on_stage(|stage| {
                    let crashed = stage.crashed.expect("it crashed before");
                    if let Some(told) = stage.handled.take() {
                        // Whoever waits has patience.
                        let _ = told.send(handled.duration_since(crashed));
                    }
                });
            }
            Input::Started
            | Input::Reply { .. }
            | Input::Host(_)
            | Input::Bus(_)
            | Input::Link(_)
            | Input::Node(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        self.due.map(|at| Deadline::new(at, "crash"))
    }
}
