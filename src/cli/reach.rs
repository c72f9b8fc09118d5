//! How a command reaches a node: the control socket of one on this machine, or a NATS server.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use nunect_core::{Period, Role, UnitId};
use nunect_runtime::config::BusUrl;
use nunect_runtime::control::find_socket;
use nunect_runtime::{Bus, Clock, ControlBus, ControlError, NatsBus, NatsOptions, NodeSpec};

use super::client::{Client, Failure};
use super::console::Console;
use super::greeting::greet;
use super::{exit, problem};

/// What NATS's own tools read: a list of servers, separated by commas.
const NATS_URL: &str = "NATS_URL";

/// Which node, or which server.
#[derive(Clone, Debug, Args)]
pub(super) struct Reach {
    /// A NATS server, in place of a node's control socket; several are tried in order [env: NATS_URL].
    #[arg(long, value_name = "URL", value_delimiter = ',', conflicts_with = "socket", help_heading = "Connection")]
    nats: Vec<String>,
    /// A file with credentials for the server (`.creds`).
    #[arg(long, value_name = "FILE", conflicts_with = "socket", help_heading = "Connection")]
    creds: Option<PathBuf>,
    /// The control socket of a node; without it, that of the one node on this machine.
    #[arg(long, value_name = "PATH", help_heading = "Connection")]
    socket: Option<PathBuf>,
    /// How long to wait for anything.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = patience, help_heading = "Connection")]
    timeout: Period,
}

fn patience(text: &str) -> Result<Period, String> {
    let period: Period = text.parse().map_err(|error: nunect_core::ConfigError| error.reason)?;
    if period.0.is_zero() { Err("nothing happens in no time; write 2s or 500ms".to_owned()) } else { Ok(period) }
}

/// A client, and what it runs on.
pub(super) struct Session {
    runtime: tokio::runtime::Runtime,
    /// The client.
    pub(super) client: Arc<Client>,
    /// The node whose control socket it is; none behind a server.
    pub(super) node: Option<UnitId>,
}

impl Session {
    /// Does one thing, and others may follow.
    pub(super) fn wait<T>(&self, command: impl Future<Output = T>) -> T {
        self.runtime.block_on(command)
    }

    /// Runs a command to its end.
    pub(super) fn run<T>(self, command: impl Future<Output = T>) -> T {
        let done = self.runtime.block_on(command);
        self.client.close();
        self.runtime.shutdown_background();
        done
    }
}

/// Where a command goes.
pub(super) enum Target {
    /// One of these servers, perhaps with a file of credentials.
    Nats(Vec<BusUrl>, Option<PathBuf>),
    /// A control socket.
    Socket(PathBuf),
}

/// What went wrong on the way, what to do about it, and the exit code.
pub(super) struct Lost {
    pub(super) reason: String,
    pub(super) help: String,
    code: u8,
}

impl Reach {
    /// Connects.
    ///
    /// # Errors
    /// The exit code, when there is nothing to connect to; it was said why.
    pub(super) fn open(&self, console: &Console) -> Result<Session, u8> {
        let session = self.target().and_then(|target| connect(target, self.timeout.0));
        session.map_err(|lost| {
            let level = annotate_snippets::Level::ERROR;
            console.complain(&problem::render(console, level, &lost.reason, None, &lost.help));
            lost.code
        })
    }

    fn target(&self) -> Result<Target, Lost> {
        if !self.nats.is_empty() {
            return urls("--nats", &self.nats).map(|urls| Target::Nats(urls, self.creds.clone()));
        }
        if let Some(path) = &self.socket {
            return Ok(Target::Socket(path.clone()));
        }
        let given = std::env::var(NATS_URL).unwrap_or_default();
        let given: Vec<String> =
            given.split(',').map(str::trim).filter(|url| !url.is_empty()).map(Into::into).collect();
        if !given.is_empty() {
            return urls(NATS_URL, &given).map(|urls| Target::Nats(urls, self.creds.clone()));
        }
        find_socket(None).map(Target::Socket).map_err(|error| unreached(&error))
    }
}

/// Why there is no node, with what to do in the same words.
fn unreached(error: &ControlError) -> Lost {
    let code = match error {
        ControlError::Several(_) | ControlError::TooLong(_) | ControlError::NoSocket(_) => exit::CONFIGURATION,
        ControlError::Folder { .. }
        | ControlError::InUse { .. }
        | ControlError::Io { .. }
        | ControlError::NoNode
        | ControlError::NobodyListens(_)
        | ControlError::Permission(_)
        | ControlError::Protocol { .. }
        | ControlError::Refused { .. }
        | ControlError::NoAnswer(_) => exit::NOT_MET,
    };
    Lost { reason: problem::causes(error), help: String::new(), code }
}

fn urls(whence: &str, texts: &[String]) -> Result<Vec<BusUrl>, Lost> {
    let url = |text: &String| {
        text.parse::<BusUrl>().map_err(|error| Lost {
            reason: format!("{whence}: {}", error.reason),
            help: "name a server such as nats://127.0.0.1:4222".to_owned(),
            code: exit::CONFIGURATION,
        })
    };
    texts.iter().map(url).collect()
}

/// Connects.
pub(super) fn connect(target: Target, timeout: Duration) -> Result<Session, Lost> {
    let broken = |reason: String| Lost { reason, help: String::new(), code: exit::NOT_MET };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build();
    let runtime = runtime.map_err(|error| broken(format!("the system gives no thread to wait on: {error}")))?;
    let clock = Clock::new();
    let me = identity().map_err(|error| broken(error.to_string()))?;
    let client = |bus: Arc<dyn Bus>| Arc::new(Client::new(bus, clock, me.unit.clone(), me.session.clone(), timeout));
    let (client, node) = match target {
        Target::Nats(urls, credentials) => {
            let greeted = anybody(&urls, timeout)?;
            let shown = shown(&urls);
            let options = NatsOptions {
                urls: urls.iter().map(|url| url.expose().to_owned()).collect(),
                unit: me.unit.clone(),
                session: me.session.clone(),
                reconnect_wait: Duration::from_secs(1),
                max_reconnects: None,
                credentials,
            };
            let random = me.entropy.stream("reconnect", 0);
            let bus = runtime.block_on(NatsBus::connect(options, clock, random));
            let bus = bus.map_err(|error| broken(format!("{shown}: {}", problem::causes(&error))))?;
            let client = client(Arc::new(bus));
            runtime.block_on(client.connected()).map_err(|failure| refused(&shown, &failure, greeted))?;
            (client, None)
        }
        Target::Socket(path) => {
            let bus = runtime.block_on(ControlBus::connect(&path, clock));
            let bus = bus.map_err(|error| unreached(&error))?;
            let node = bus.identity().unit.clone();
            (client(Arc::new(bus)), Some(node))
        }
    };
    Ok(Session { runtime, client, node })
}

/// A name that no node has, and a session of its own.
fn identity() -> Result<NodeSpec, Box<dyn std::error::Error>> {
    let mut spec = NodeSpec::new(UnitId::new("cli")?, Role::Client, Vec::new())?;
    let random: String = spec.session.as_str().chars().take(8).collect();
    spec.unit = UnitId::new(&format!("cli-{random}"))?;
    Ok(spec)
}

fn shown(urls: &[BusUrl]) -> String {
    urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether any of the servers is there, and whether it wants credentials: the client library would
/// go on trying without a word.
fn anybody(urls: &[BusUrl], timeout: Duration) -> Result<bool, Lost> {
    let mut lost = None;
    for url in urls {
        match greet(url, timeout) {
            Ok(greeting) => return Ok(greeting.auth_required),
            Err(silence) => {
                let reason = format!("{url}: {}", silence.reason);
                lost.get_or_insert(Lost { reason, help: silence.help.to_owned(), code: exit::NOT_MET });
            }
        }
    }
    Err(lost.unwrap_or(Lost {
        reason: "no server is named".to_owned(),
        help: "name one with `--nats URL`".to_owned(),
        code: exit::CONFIGURATION,
    }))
}

fn refused(shown: &str, failure: &Failure, wants_credentials: bool) -> Lost {
    let help = if wants_credentials {
        "the server wants credentials: write nats://user:password@host:4222, or name a file with `--creds`"
    } else {
        "look into the server's log"
    };
    let reason = match failure {
        Failure::Timeout(time) => format!("{shown}: the server does not let us in within {time:?}"),
        Failure::NoResponders | Failure::Away | Failure::Refused(_) => format!("{shown}: {failure}"),
    };
    Lost { reason, help: help.to_owned(), code: exit::NOT_MET }
}
