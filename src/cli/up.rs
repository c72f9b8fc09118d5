//! `nunect up`: one node, until it is told to stop.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nunect_core::{Catalog, Health};
use nunect_runtime::{Clock, End, Node, Ports, Status};
use sd_notify::NotifyState;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::console::{Console, Tone, clock_face, count};
use super::{exit, logging, problem};

mod reload;
mod respawn;
mod service;
mod start;

use start::Started;

/// How often the status line is drawn anew.
const STATUS_EVERY: Duration = Duration::from_millis(500);
/// Where there is no status line.
const NEVER: Duration = Duration::from_secs(1 << 30);
/// Threads for actors; a node's work is small, and each costs memory.
const WORKERS: usize = 2;

/// How long tasks that are left may take to end when the node has: those of hooks kill their programs.
const LAST_TASKS: Duration = Duration::from_millis(200);

/// What `nunect up` is told.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A NATS server, in place of the bus within this process; several are tried in order.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    nats: Vec<String>,
    /// Run a nats-server beside the node, too, and keep it up.
    #[arg(long)]
    with_nats: bool,
    /// The node's name on the bus; the host's name otherwise.
    #[arg(long, value_name = "ID")]
    unit: Option<String>,
    /// Where the command line tools reach the node.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Start although another node of this name answers.
    #[arg(long)]
    force: bool,
    /// Start the node's process again when it ends for a hang or too many crashes.
    #[arg(long)]
    respawn: bool,
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
        if let Some(socket) = &self.socket {
            flags.push(("--socket".to_owned(), json!({ "control": { "socket": socket } })));
        }
        flags
    }
}

/// Runs a node.
pub(super) fn run(arguments: &Arguments, catalog: &Catalog, ports: &Ports, mut console: Console) -> u8 {
    if arguments.respawn {
        return respawn::run(&console);
    }
    let clock = Clock::new();
    let profile = match problem::load(arguments.config.as_deref(), arguments.flags(), catalog, &console) {
        Ok(loaded) => loaded.profile,
        Err(code) => return code,
    };
    // Nobody who has something to say waits for whoever reads it.
    console.detach();
    let tap = nunect_runtime::telemetry::Tap::default();
    let logs = match logging::start(&console, profile.logging.min_level, tap.clone()) {
        Ok(logs) => logs,
        Err(code) => return code,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            console.complain(&format!("the system gives no threads for a node: {error}"));
            return exit::ESCALATED;
        }
    };
    let start = start::Start { arguments, catalog, ports, console: &console, clock, tap };
    let code = runtime.block_on(live(start, profile, &logs));
    // An actor that hangs must not keep the process; hooks that still run end with it.
    runtime.shutdown_timeout(LAST_TASKS);
    console.flush();
    code
}

/// What a node is told from outside.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

async fn live(start: start::Start<'_>, profile: nunect_runtime::config::Profile, logs: &logging::Control) -> u8 {
    let console = start.console;
    // Before anything starts: a node that is told to stop while it does so stops in order, too.
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(interrupt), Ok(terminate), Ok(hangup)] = signals else {
        console.complain(
            "the system lets nobody wait for signals; the node cannot be stopped in order and does not start",
        );
        return exit::ESCALATED;
    };
    let mut signals = Signals { interrupt, terminate, hangup };
    // A file that may not grow (`ulimit -f`) ends a process that does not listen: then writing fails.
    let _exceeded = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    let started = match start.node(&profile).await {
        Ok(started) => started,
        Err(failed) => {
            console.finish();
            console.complain(&failed.words);
            return failed.code;
        }
    };
    service::tell(&[NotifyState::Ready, NotifyState::Status(&format!("{} is up", profile.unit))]);
    let end = serve(&start, profile, started, &mut signals, logs).await;
    service::tell(&[NotifyState::Stopping]);
    console.finish();
    exit_code(console, end)
}

/// Lets the node live, until it ends or is told to stop.
async fn serve(
    start: &start::Start<'_>,
    mut profile: nunect_runtime::config::Profile,
    started: Started,
    signals: &mut Signals,
    logs: &logging::Control,
) -> End {
    let console = start.console;
    let node = &started.node;
    let mut level = node.log_level();
    // Each tick wakes a processor: only where somebody looks.
    let mut redraw = tokio::time::interval(if console.has_status() { STATUS_EVERY } else { NEVER });
    loop {
        tokio::select! {
            end = node.ended() => return end,
            _ = signals.interrupt.recv() => break,
            _ = signals.terminate.recv() => break,
            _ = signals.hangup.recv() => reload::reload(start, &mut profile, node, logs),
            Ok(()) = level.changed() => logs.set(*level.borrow_and_update()),
            _ = redraw.tick() => console.status(status_line(console, &node.status(), node)),
        }
    }
    service::tell(&[NotifyState::Stopping]);
    tokio::select! {
        end = started.stop() => end,
        // Whoever asks twice does not want to wait.
        _ = async { tokio::select! { _ = signals.interrupt.recv() => {}, _ = signals.terminate.recv() => {} } } => {
            console.complain("stopped at once, without last words");
            End::Stopped
        }
    }
}

/// Says why a node ended, unless it was asked to.
fn exit_code(console: &Console, end: End) -> u8 {
    match end {
        End::Stopped => exit::FINE,
        End::Escalated { actor, crashes, period, reason } => {
            console.complain(&format!(
                "the node gave up after {crashes} crashes of its actors within {period:?}, the last of {actor}: {reason}\n\
                 Mend the cause, or give the actor other options in the configuration, and start again."
            ));
            exit::ESCALATED
        }
        End::Hung { actor, on, running } => {
            console.complain(&format!(
                "{actor} has not come back from {on} for {running:.1?}; the process ends, since nothing else helps\n\
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

fn status_line(console: &Console, status: &Status, node: &Node) -> String {
    let directory = node.directory();
    let tone = match status.health {
        Health::Ok => Tone::Good,
        Health::Degraded => Tone::Warn,
        Health::Critical | Health::Offline => Tone::Bad,
    };
    let bus = if status.connected { status.bus.clone() } else { format!("{} (away)", status.bus) };
    let units = match directory.count(Health::Offline) {
        0 => count(directory.online(), "unit"),
        offline => format!("{} ({offline} offline)", count(directory.online(), "unit")),
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
