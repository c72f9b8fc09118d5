//! A client's side of a control socket.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nunect_core::{BusEvent, Message, Now, RequestError, Role, Subject, Subscription, UnitId};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::frame::{self, Carried, FrameError, PROTOCOL, ToClient, ToNode};
use super::queue::{WAITING_MAX, WAITING_MAX_BYTES};
use super::{ControlError, Identity, Refusal};
use crate::bus::{Bus, BusError, Inbound, Pending, Refusals, Refused, Sink, Subscribed, Watcher, Watchers};
use crate::clock::Clock;
use crate::sync::lock;

/// How long a node may take for its first words.
const HELLO_PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take when only its name is asked for, to name it in an error.
const NAME_PATIENCE: Duration = Duration::from_millis(500);
/// How long a node may take to subscribe.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of frames that are written at once.
const BATCH_BYTES: usize = 256 << 10;

/// The bus of a running node, over its control socket.
///
/// It ends with the node and does not come back: a node that starts anew is another run.
#[derive(Debug)]
pub struct ControlBus {
    shared: Arc<Shared>,
    identity: Identity,
    path: PathBuf,
    tasks: [AbortHandle; 2],
}

struct Shared {
    clock: Clock,
    frames: mpsc::Sender<Vec<u8>>,
    /// Bytes of frames that wait to be written.
    waiting_bytes: AtomicUsize,
    next: AtomicU64,
    watchers: Watchers,
    refusals: Refusals,
    sinks: Mutex<BTreeMap<u64, Sink>>,
    asked: Mutex<BTreeMap<u64, oneshot::Sender<Result<(), Refusal>>>>,
    closed: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl ControlBus {
    /// Connects to the node whose control socket is at `path`.
    ///
    /// # Errors
    /// When nobody listens there, or nobody that this process may and can talk to.
    pub async fn connect(path: &Path, clock: Clock) -> Result<Self, ControlError> {
        let (identity, mut from, to) = greet(path, HELLO_PATIENCE).await?;
        let (frames, waiting) = mpsc::channel(WAITING_MAX);
        let shared = Arc::new(Shared {
            clock,
            frames,
            waiting_bytes: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            watchers: Watchers::default(),
            refusals: Refusals::default(),
            sinks: Mutex::default(),
            asked: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        // Whoever watches first is told the present state, which follows the greeting at once.
        let state = timeout(HELLO_PATIENCE, frame::take(&mut from, &mut Vec::new())).await;
        if let Ok(Ok(Some(ToClient::Bus(event)))) = state {
            shared.watchers.tell(&event);
        }
        let gone = format!("node `{}` at `{}` has ended", identity.unit, path.display());
        let tasks = [
            tokio::spawn(read_all(from, Arc::clone(&shared), gone)).abort_handle(),
            tokio::spawn(write_all(to, waiting, Arc::clone(&shared))).abort_handle(),
        ];
        Ok(Self { shared, identity, path: path.to_owned(), tasks })
    }

    /// Whom it reaches.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// The unit whose control socket is at `path`, if it says so.
pub(super) async fn unit_of(path: &Path) -> Option<UnitId> {
    greet(path, NAME_PATIENCE).await.ok().map(|(identity, ..)| identity.unit)
}

async fn greet(
    path: &Path,
    patience: Duration,
) -> Result<(Identity, BufReader<OwnedReadHalf>, OwnedWriteHalf), ControlError> {
    let owned = || path.to_owned();
    let stream = UnixStream::connect(path).await.map_err(|error| {
        let is = |kind| error.kind() == kind;
        if is(ErrorKind::NotFound) || is(ErrorKind::ConnectionRefused) {
            ControlError::NobodyListens(owned())
        } else if is(ErrorKind::PermissionDenied) {
            ControlError::Permission(owned())
        } else {
            ControlError::Io { doing: "connecting to", path: owned(), error }
        }
    })?;
    let (read, mut to) = stream.into_split();
    let mut from = BufReader::new(read);
    let talk = async {
        let mut hello = Vec::new();
        frame::put(&mut hello, &ToNode::Hello { protocol: PROTOCOL })?;
        // One that refuses at once may be gone before it is greeted, and its words are still to be read.
        let _ = to.write_all(&hello).await;
        frame::take(&mut from, &mut Vec::new()).await
    };
    match timeout(patience, talk).await {
        Ok(Ok(Some(ToClient::Welcome { protocol: PROTOCOL, unit, session, role, bus }))) => {
            let identity = (|| {
                Some(Identity {
                    unit: UnitId::new(&unit).ok()?,
                    session: session.parse().ok()?,
                    role: Role::parse(&role)?,
                    bus,
                })
            })();
            Ok((identity.ok_or_else(|| ControlError::NoAnswer(owned()))?, from, to))
        }
        Ok(Ok(Some(ToClient::Welcome { protocol, .. }))) => {
            Err(ControlError::Protocol { path: owned(), theirs: protocol })
        }
        Ok(Ok(Some(ToClient::Refused { code, reason, .. }))) => {
            Err(ControlError::Refused { path: owned(), refusal: Refusal { code, reason } })
        }
        _ => Err(ControlError::NoAnswer(owned())),
    }
}

async fn read_all(mut from: BufReader<OwnedReadHalf>, shared: Arc<Shared>, gone: String) {
    let mut scratch = Vec::new();
    let end = loop {
        match frame::take(&mut from, &mut scratch).await {
            Ok(Some(frame)) => shared.hear(frame),
            Ok(None) | Err(FrameError::Io(_)) => break gone,
            Err(error @ (FrameError::TooLong(_) | FrameError::Malformed(_))) => break error.to_string(),
        }
    };
    shared.end();
    shared.watchers.tell(&BusEvent::Disconnected);
    shared.watchers.tell(&BusEvent::Refused { reason: end });
}

async fn write_all(mut to: OwnedWriteHalf, mut frames: mpsc::Receiver<Vec<u8>>, shared: Arc<Shared>) {
    let mut bytes = Vec::new();
    while let Some(frame) = frames.recv().await {
        bytes.clear();
        bytes.extend_from_slice(&frame);
        while bytes.len() < BATCH_BYTES
            && let Ok(frame) = frames.try_recv()
        {
            bytes.extend_from_slice(&frame);
        }
        let written = to.write_all(&bytes).await;
        shared.waiting_bytes.fetch_sub(bytes.len(), Ordering::AcqRel);
        if written.is_err() {
            // The reader hears of it, too, after what the node said last.
            return;
        }
    }
}

impl Shared {
    fn hear(&self, frame: ToClient) {
        match frame {
            // It was greeted before.
            ToClient::Welcome { .. } => {}
            ToClient::Message { subscription, message } => {
                if let Some(sink) = self.sink(subscription) {
                    sink(Inbound::Message(Box::new(message.deliver(self.clock.now()))));
                }
            }
            ToClient::NoResponders { subscription, subject } => {
                if let Some(sink) = self.sink(subscription) {
                    sink(Inbound::NoResponders(Subject::delivered(subject)));
                }
            }
            ToClient::Done { id } => self.answered(id, Ok(())),
            ToClient::Refused { id, code, reason } => self.answered(id, Err(Refusal { code, reason })),
            ToClient::NotPublished { subject, code, reason } => {
                self.refusals.note(subject, Refusal { code, reason }.to_string());
            }
            ToClient::Bus(event) => self.watchers.tell(&event),
            ToClient::Dropped(_) => self.watchers.tell(&BusEvent::SlowConsumer),
        }
    }

    fn sink(&self, subscription: u64) -> Option<Sink> {
        lock(&self.sinks).get(&subscription).cloned()
    }

    fn answered(&self, id: u64, outcome: Result<(), Refusal>) {
        if let Some(asked) = lock(&self.asked).remove(&id) {
            // Whoever asked may have gone.
            let _ = asked.send(outcome);
        }
    }

    fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.closed.store(true, Ordering::Release);
        // Whoever waits on one of them learns of the end by this. Sinks go without the lock.
        drop(std::mem::take(&mut *lock(&self.sinks)));
        lock(&self.asked).clear();
    }

    fn id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Hands a frame to the writer.
    fn send(&self, frame: &ToNode) -> Result<(), BusError> {
        if self.closed() {
            return Err(BusError::Closed);
        }
        let mut bytes = Vec::new();
        frame::put(&mut bytes, frame).map_err(|error| BusError::Refused(error.to_string()))?;
        let length = bytes.len();
        let waiting = self.waiting_bytes.fetch_add(length, Ordering::AcqRel);
        let sent = match self.frames.try_send(bytes) {
            _ if waiting > WAITING_MAX_BYTES => Err(BusError::Full(WAITING_MAX)),
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(BusError::Full(WAITING_MAX)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(BusError::Closed),
        };
        self.waiting_bytes.fetch_sub(length, Ordering::AcqRel);
        sent
    }

    /// Sends what `frame` makes of a number, and waits for the answer.
    async fn ask(&self, id: u64, frame: &ToNode, limit: Duration) -> Result<(), BusError> {
        let (sender, answer) = oneshot::channel();
        lock(&self.asked).insert(id, sender);
        let asked = match self.send(frame) {
            Ok(()) => timeout(limit, answer).await,
            Err(error) => {
                lock(&self.asked).remove(&id);
                return Err(error);
            }
        };
        match asked {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(Refusal { code: 504, .. }))) => Err(BusError::Timeout(limit)),
            Ok(Ok(Err(refusal))) => Err(BusError::Refused(refusal.reason)),
            Ok(Err(_)) => Err(BusError::Closed),
            Err(_) => {
                lock(&self.asked).remove(&id);
                Err(BusError::Timeout(limit))
            }
        }
    }
}

impl Bus for ControlBus {
    fn describe(&self) -> String {
        format!("node {} at {}", self.identity.unit, self.path.display())
    }

    fn publish(&self, _: Now, message: Message) -> Result<(), BusError> {
        self.shared.send(&ToNode::Publish(Carried::from(&message)))
    }

    fn subscribe<'a>(
        &'a self,
        subscription: &'a Subscription,
        sink: Sink,
    ) -> Pending<'a, Result<Subscribed, BusError>> {
        Box::pin(async move {
            let id = self.shared.id();
            lock(&self.shared.sinks).insert(id, sink);
            let shared = Arc::downgrade(&self.shared);
            // Before it is there, so that it also ends when nobody waits for it any more.
            let subscribed = Subscribed::new(move || {
                if let Some(shared) = shared.upgrade() {
                    let sink = lock(&shared.sinks).remove(&id);
                    drop(sink);
                    // One that finds no room goes on at the node, and is heard by nobody.
                    let _ = shared.send(&ToNode::Unsubscribe { id });
                }
            });
            let pattern = subscription.pattern.as_str().to_owned();
            let frame = ToNode::Subscribe { id, pattern, queue: subscription.queue.clone() };
            self.shared.ask(id, &frame, CALL_TIMEOUT).await?;
            Ok(subscribed)
        })
    }

    fn watch(&self, watcher: Watcher) {
        self.shared.watchers.add(watcher, None);
    }

    /// The time to the node and back.
    fn round_trip(&self, timeout: Duration) -> Pending<'_, Result<Duration, RequestError>> {
        Box::pin(async move {
            if !self.shared.watchers.connected() {
                return Err(RequestError::BusAway);
            }
            let start = Instant::now();
            let id = self.shared.id();
            match self.shared.ask(id, &ToNode::Ping { id }, timeout).await {
                Ok(()) => Ok(start.elapsed()),
                Err(BusError::Timeout(_) | BusError::Full(_)) => Err(RequestError::Timeout),
                Err(BusError::Refused(_)) => Err(RequestError::Refused),
                Err(BusError::Closed) => Err(RequestError::BusAway),
            }
        })
    }

    fn flush(&self, timeout: Duration) -> Pending<'_, Result<(), BusError>> {
        Box::pin(async move {
            let id = self.shared.id();
            let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
            // The node answers within the time; its answer takes a moment more.
            let limit = timeout.saturating_add(HELLO_PATIENCE);
            match self.shared.ask(id, &ToNode::Flush { id, timeout_ms }, limit).await {
                Ok(()) => self.shared.refusals.flushed(),
                // What the node did not take is the better reason.
                Err(BusError::Timeout(_)) => self.shared.refusals.flushed().and(Err(BusError::Timeout(timeout))),
                Err(error) => Err(error),
            }
        })
    }

    fn refusals(&self, after: u64) -> Vec<Refused> {
        self.shared.refusals.after(after)
    }

    fn close(&self, grace: Duration) -> Pending<'_, ()> {
        Box::pin(async move {
            // A node that does not take the last words in time does not get them.
            let _ = timeout(grace, self.flush(grace)).await;
            self.abandon();
        })
    }

    fn abandon(&self) {
        self.shared.watchers.forget();
        self.shared.end();
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for ControlBus {
    fn drop(&mut self) {
        self.abandon();
    }
}
