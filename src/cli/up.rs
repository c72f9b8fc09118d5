//! `nunect up`: one node, until it is told to stop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use nunect_core::random::Entropy;
use nunect_core::{Catalog, Event, Health, UnitId};
use nunect_runtime::config::{ConnectionSection, Profile};
use nunect_runtime::{Bus, Clock, End, LocalBus, NatsBus, NatsOptions, Node, NodeSpec, Record, Status, telemetry};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::console::{Console, Tone, clock_face, count};
use super::{exit, logging, problem};

/// How often the status line is drawn anew.
const STATUS_EVERY: Duration = Duration::from_millis(500);
/// Threads for actors; a node's work is small, and each costs memory.
const WORKERS: usize = 2;

/// What `nunect up` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A NATS server, in place of the bus within this process; several are tried in order.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    nats: Vec<String>,
    /// The node's name on the bus; the host's name otherwise.
    #[arg(long, value_name = "ID")]
    unit: Option<String>,
}

impl Arguments {
    /// What the flags say, each in the form of a configuration.
    fn flags(&self) -> Vec<(String, Value)> {
        let mut flags = Vec::new();
        if !self.nats.is_empty() {
            flags.push(("--nats".to_owned(), json!({ "connection": { "urls": self.nats } })));
        }
        if let Some(unit) = &self.unit {
            flags.push(("--unit".to_owned(), json!({ "metadata": { "unit_id": unit } })));
        }
        flags
    }
}

/// The units that this node's monitor sees.
type Seen = Arc<Mutex<BTreeMap<UnitId, Health>>>;

/// Runs a node.
pub(super) fn run(arguments: &Arguments, catalog: &Catalog, console: &Console) -> u8 {
    let clock = Clock::new();
    let profile = match problem::load(arguments.config.as_deref(), arguments.flags(), catalog, console) {
        Ok(loaded) => loaded.profile,
        Err(code) => return code,
    };
    if let Err(code) = logging::start(console, profile.logging.min_level) {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            console.complain(&format!("the system gives no threads for a node: {error}"));
            return exit::ESCALATED;
        }
    };
    let code = runtime.block_on(live(profile, catalog, clock, console));
    // An actor that hangs must not keep the process.
    runtime.shutdown_background();
    code
}

async fn live(profile: Profile, catalog: &Catalog, clock: Clock, console: &Console) -> u8 {
    // Before anything starts: a node that is told to stop while it does so stops in order, too.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        console.complain(
            "the system lets nobody wait for signals; the node cannot be stopped in order and does not start",
        );
        return exit::ESCALATED;
    };
    let seen = Seen::default();
    let node = match start(profile, catalog, clock, observer(&seen)).await {
        Ok(node) => node,
        Err(error) => {
            console.finish();
            console.complain(&problem::chain(error.as_ref()));
            return exit::CONFIGURATION;
        }
    };
    let mut redraw = tokio::time::interval(STATUS_EVERY);
    let end = loop {
        tokio::select! {
            end = node.ended() => break end,
            _ = interrupt.recv() => break stop(node, console, [&mut interrupt, &mut terminate]).await,
            _ = terminate.recv() => break stop(node, console, [&mut interrupt, &mut terminate]).await,
            _ = redraw.tick() => console.status(status_line(console, &node.status(), &seen)),
        }
    };
    console.finish();
    match end {
        End::Stopped => exit::FINE,
        End::Escalated { actor, crashes, period, reason } => {
            console.complain(&format!(
                "{actor} crashed {crashes} times within {period:?} and the node gave up; the last time: {reason}\n\
                 Mend the cause, or give the actor other options in the configuration, and start again."
            ));
            exit::ESCALATED
        }
        End::Hung { actor, on, running } => {
            console.complain(&format!(
                "{actor} has not come back from {on} for {running:?}; the process ends, since nothing else helps\n\
                 Run it under a service manager, or with --respawn, to have it back at once."
            ));
            exit::HUNG
        }
        End::Duplicate { session } => {
            console.complain(&format!(
                "another node of this name was there before, in session {session}\n\
                 Give one of the two another name (metadata.unit_id, --unit), or stop the other."
            ));
            exit::DUPLICATE
        }
    }
}

async fn start(
    profile: Profile,
    catalog: &Catalog,
    clock: Clock,
    observer: nunect_runtime::Observer,
) -> Result<Node, Box<dyn std::error::Error>> {
    let spec = NodeSpec::new(profile.unit, profile.metadata.role, profile.actors)?;
    let bus = bus(&profile.connection, &spec, clock).await?;
    Ok(Node::start(spec, catalog, bus, clock, observer).await?)
}

async fn bus(
    connection: &ConnectionSection,
    spec: &NodeSpec,
    clock: Clock,
) -> Result<Arc<dyn Bus>, Box<dyn std::error::Error>> {
    if connection.urls.is_empty() {
        return Ok(Arc::new(LocalBus::new().client()));
    }
    let options = NatsOptions {
        urls: connection.urls.iter().map(|url| url.expose().to_owned()).collect(),
        unit: spec.unit.clone(),
        session: spec.session.clone(),
        reconnect_wait: connection.reconnect_wait.0,
        max_reconnects: connection.max_reconnects.map(|most| most as usize),
        credentials: None,
    };
    let random = Entropy::stream(&spec.entropy, "reconnect", 0);
    Ok(Arc::new(NatsBus::connect(options, clock, random).await?))
}

async fn stop(node: Node, console: &Console, signals: [&mut tokio::signal::unix::Signal; 2]) -> End {
    console.finish();
    let [interrupt, terminate] = signals;
    tokio::select! {
        end = node.stop() => end,
        // Whoever asks twice does not want to wait.
        _ = async { tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} } } => {
            console.complain("stopped at once, without last words");
            End::Stopped
        }
    }
}

fn observer(seen: &Seen) -> nunect_runtime::Observer {
    let seen = Arc::clone(seen);
    Box::new(move |record: &Record| {
        let event = &record.event;
        let mut units = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::UnitOnline { unit, .. } = event {
            units.insert(unit.clone(), Health::Ok);
        } else if let Event::UnitHealth { unit, to, .. } = event {
            units.insert(unit.clone(), *to);
        } else if let Event::UnitOffline { unit, .. } = event {
            units.insert(unit.clone(), Health::Offline);
        }
        drop(units);
        telemetry::trace(record);
    })
}

fn status_line(console: &Console, status: &Status, seen: &Seen) -> String {
    let units = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let offline = units.values().filter(|health| **health == Health::Offline).count();
    let online = (units.len() - offline) as u64;
    drop(units);
    let tone = match status.health {
        Health::Ok => Tone::Good,
        Health::Degraded => Tone::Warn,
        Health::Critical | Health::Offline => Tone::Bad,
    };
    let bus = if status.connected { status.bus.clone() } else { format!("{} (away)", status.bus) };
    let units = match offline {
        0 => count(online, "unit"),
        offline => format!("{} ({offline} offline)", count(online, "unit")),
    };
    let parts = [
        bus,
        format!("up {}", clock_face(status.uptime)),
        units,
        count(u64::from(status.restarts), "restart"),
        match status.lost {
            0 => format!("{} sent", count(status.sent, "message")),
            lost => format!("{} sent, {lost} lost", count(status.sent - lost, "message")),
        },
    ];
    let head = console.paint(tone, &format!("● {}", status.health));
    let unit = console.paint(Tone::Bold, status.unit.as_str());
    format!("{head}  {unit}  {}", parts.join(&console.paint(Tone::Dim, " · ")))
}
