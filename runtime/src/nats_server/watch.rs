//! The thread that starts a server, waits for it, starts it anew, and ends it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nunect_core::UnitId;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};

use super::binary::Binary;
use super::respite::Respite;
use super::words::{TARGET, Words};
use super::{NatsServerError, START_MAX, STOP_MAX, State};

/// How `setpriv` is asked to have a process end with its parent.
pub(super) const GUARD: [&str; 2] = ["--pdeathsig", "TERM"];
/// How often a server that starts is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long one such question may take.
const ASK_MAX: Duration = Duration::from_millis(500);
/// What it says to whoever connects.
const GREETING: &[u8] = b"INFO ";
/// How long the last words of a server that ended are waited for.
const WORDS_GRACE: Duration = Duration::from_millis(200);

/// What the thread is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// To keep the server running.
    Run,
    /// To end it in order.
    Stop,
    /// To end it at once.
    Kill,
}

/// What is started.
pub(super) struct Launch {
    pub(super) binary: Binary,
    pub(super) config: Option<PathBuf>,
    pub(super) address: SocketAddr,
    pub(super) unit: UnitId,
}

/// One process of the server.
struct Life {
    child: Child,
    words: Words,
    listening: tokio::task::JoinHandle<()>,
    since: Instant,
}

/// Keeps a server running until it is told otherwise. `ready` hears of the first start alone.
pub(super) async fn watch(
    launch: Launch,
    state: &State,
    ready: oneshot::Sender<Result<(), NatsServerError>>,
    mut orders: watch::Receiver<Order>,
) {
    let mut life = match launch.first(&mut orders).await {
        Ok(life) => life,
        Err(error) => {
            // Whoever no longer waits does not care.
            let _ = ready.send(Err(error));
            return;
        }
    };
    state.process.store(life.child.id().unwrap_or(0), Ordering::Relaxed);
    let _ = ready.send(Ok(()));
    let mut respite = Respite::default();
    loop {
        let died = tokio::select! {
            died = life.child.wait() => died,
            order = ordered(&mut orders) => {
                life.end(order, &mut orders).await;
                state.process.store(0, Ordering::Relaxed);
                return;
            }
        };
        state.process.store(0, Ordering::Relaxed);
        life.finish().await;
        let mut how = died.map_or_else(|error| error.to_string(), |status| status.to_string());
        let mut lived = life.since.elapsed();
        life = loop {
            let pause = respite.died(Instant::now(), lived);
            if pause.often {
                tracing::error!(
                    target: TARGET,
                    "nats-server dies again and again ({how}); it is started anew every {:?}. \
                     See what it said last:\n{}", pause.wait, life.words.last()
                );
            } else {
                tracing::warn!(target: TARGET, "nats-server died after {lived:.1?} ({how}); it is started anew in {:?}", pause.wait);
            }
            tokio::select! {
                () = tokio::time::sleep(pause.wait) => {}
                _ = ordered(&mut orders) => return,
            }
            match launch.start() {
                Ok(life) => break life,
                Err(error) => (how, lived) = (error.to_string(), Duration::ZERO),
            }
        };
        state.process.store(life.child.id().unwrap_or(0), Ordering::Relaxed);
        state.restarts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Resolves when the server is to end, and how.
async fn ordered(orders: &mut watch::Receiver<Order>) -> Order {
    // Nobody is left to give orders: so it would be when all is dropped.
    orders.wait_for(|order| *order != Order::Run).await.map_or(Order::Kill, |order| *order)
}

impl Launch {
    fn start(&self) -> io::Result<Life> {
        let Binary { path, guard, .. } = &self.binary;
        let mut command = match guard {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(GUARD).arg(path);
                command
            }
            None => Command::new(path),
        };
        match &self.config {
            Some(config) => command.arg("--config").arg(config),
            None => command
                .args(["--addr", &self.address.ip().to_string(), "--port", &self.address.port().to_string()])
                .args(["--name", self.unit.as_str()]),
        };
        // A group of its own: Ctrl-C is for the node, which still has its last words to send.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let words = Words::default();
        let pipe = child.stderr.take().ok_or_else(|| io::Error::other("its words cannot be heard"))?;
        let listening = tokio::spawn(words.clone().listen(pipe));
        Ok(Life { child, words, listening, since: Instant::now() })
    }

    /// Starts it and waits until it answers.
    async fn first(&self, orders: &mut watch::Receiver<Order>) -> Result<Life, NatsServerError> {
        let binary = self.binary.path.clone();
        let mut life = self.start().map_err(|source| NatsServerError::Start { binary: binary.clone(), source })?;
        let failed = tokio::select! {
            ended = life.child.wait() => Some(ended),
            () = answers(self.address) => return Ok(life),
            () = tokio::time::sleep(START_MAX) => None,
            // The caller went away: what is said is not heard.
            _ = ordered(orders) => None,
        };
        if failed.is_none() {
            life.kill().await;
        }
        life.finish().await;
        let said = life.words.last();
        Err(match failed {
            Some(Ok(status)) => NatsServerError::Ended { binary, status, said },
            Some(Err(source)) => NatsServerError::Start { binary, source },
            None => NatsServerError::Silent { binary, address: self.address, said },
        })
    }
}

impl Life {
    /// Ends it, by the rules of the order and of any graver one that comes meanwhile.
    async fn end(mut self, order: Order, orders: &mut watch::Receiver<Order>) {
        if order == Order::Stop {
            self.signal(Signal::TERM);
            tokio::select! {
                _ = self.child.wait() => {
                    self.finish().await;
                    return;
                }
                _ = orders.wait_for(|order| *order == Order::Kill) => {}
                () = tokio::time::sleep(STOP_MAX) => {
                    tracing::warn!(target: TARGET, "nats-server does not end within {STOP_MAX:?} and is killed");
                }
            }
        }
        self.kill().await;
        self.finish().await;
    }

    fn signal(&self, signal: Signal) {
        // It has a number as long as nobody waited for its end, and nobody else can have it.
        if let Some(process) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            let _ = kill_process(process, signal);
        }
    }

    async fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _: io::Result<ExitStatus> = self.child.wait().await;
    }

    /// Hears its last words.
    async fn finish(&mut self) {
        if tokio::time::timeout(WORDS_GRACE, &mut self.listening).await.is_err() {
            // A child of its own holds the pipe.
            self.listening.abort();
        }
    }
}

/// Resolves when a server greets whoever connects.
async fn answers(address: SocketAddr) {
    loop {
        let greeted = tokio::time::timeout(ASK_MAX, async {
            let mut greeting = [0; GREETING.len()];
            let mut stream = TcpStream::connect(address).await?;
            stream.read_exact(&mut greeting).await?;
            Ok::<_, io::Error>(greeting == GREETING)
        });
        if matches!(greeted.await, Ok(Ok(true))) {
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
