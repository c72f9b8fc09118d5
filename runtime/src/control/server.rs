//! The node's side of its control socket.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use nunect_core::{BusEvent, Pattern, Subscription};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::frame::{self, Carried, FrameError, PROTOCOL, ToClient, ToNode};
use super::path::{Claim, Places};
use super::queue::{Queue, Waiting};
use super::{ControlError, Identity, Refusal, Switchboard};
use crate::bus::{BusError, Inbound, Subscribed};
use crate::sync::lock;

/// Clients that may be connected at once.
pub const CLIENTS_MAX: usize = 64;
/// Subscriptions that one client may have.
pub const SUBSCRIPTIONS_MAX: usize = 1_024;
/// How long a client may take to say who it is.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);
/// How long a client that is let go may take to read why.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);
/// How long a flush may take, whatever the client wants.
const FLUSH_MAX: Duration = Duration::from_secs(10);
/// Subjects of one client of which it is remembered that it published there; beyond it, all are its.
const PUBLISHED_MAX: usize = 1_024;
/// How long to wait when the system has no descriptor for a further client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Frames that are written at once, and bytes that such a writing begins with at most.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;

/// A control socket that is open, until this is dropped.
#[derive(Debug)]
pub struct ControlServer {
    claim: Claim,
    task: AbortHandle,
}

/// What the clients of one node share.
struct Shared {
    node: Arc<dyn Switchboard>,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    connected: bool,
    queues: Vec<Weak<Queue>>,
}

impl ControlServer {
    /// Opens the control socket of a node: at `path`, or where the protocol says (section 6).
    ///
    /// # Errors
    /// When there is no place for it, or another node has it.
    pub async fn start(node: Arc<dyn Switchboard>, path: Option<&Path>) -> Result<Self, ControlError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => Places::of_this_process().socket(&node.identity().unit)?,
        };
        let (listener, claim) = Claim::new(path).await?;
        let shared = Arc::new(Shared { node, clients: Mutex::default() });
        let told = Arc::downgrade(&shared);
        shared.node.bus().watch(Box::new(move |event| {
            if let Some(shared) = told.upgrade() {
                shared.tell(&event);
            }
        }));
        let task = tokio::spawn(accept(listener, shared)).abort_handle();
        Ok(Self { claim, task })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claim.path()
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        // The clients' tasks end with it, and their subscriptions.
        self.task.abort();
    }
}

impl Shared {
    fn tell(&self, event: &BusEvent) {
        let mut clients = lock(&self.clients);
        match event {
            BusEvent::Connected => clients.connected = true,
            BusEvent::Disconnected => clients.connected = false,
            BusEvent::Denied { .. }
            | BusEvent::Permitted { .. }
            | BusEvent::SlowConsumer
            | BusEvent::Refused { .. } => {}
        }
        clients.queues.retain(|queue| {
            let queue = queue.upgrade();
            if let Some(queue) = &queue {
                queue.answer(ToClient::Bus(event.clone()));
            }
            queue.is_some()
        });
    }

    fn welcome(&self, queue: &Arc<Queue>) {
        let Identity { unit, session, role, bus } = self.node.identity();
        // Under the lock: between the present state and the next event there must be no gap.
        let mut clients = lock(&self.clients);
        queue.answer(ToClient::Welcome {
            protocol: PROTOCOL,
            unit: unit.as_str().to_owned(),
            session: session.as_str().to_owned(),
            role: role.as_str().to_owned(),
            bus,
        });
        queue.answer(ToClient::Bus(if clients.connected { BusEvent::Connected } else { BusEvent::Disconnected }));
        clients.queues.push(Arc::downgrade(queue));
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let mut clients = JoinSet::new();
    // A system that has no descriptor has none for a while: said once.
    let mut exhausted = false;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    exhausted = false;
                    let room = clients.len() < CLIENTS_MAX;
                    clients.spawn(serve(stream, Arc::clone(&shared), room));
                }
                Err(error) => {
                    if !std::mem::replace(&mut exhausted, true) {
                        tracing::warn!(target: "nunect::control", "command line tools wait: {error}");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = clients.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(target: "nunect::control", "serving a client: {error}");
                }
            }
        }
    }
}

/// One client, from its first word to its last.
async fn serve(stream: UnixStream, shared: Arc<Shared>, room: bool) {
    let (read, write) = stream.into_split();
    let queue = Arc::new(Queue::default());
    let mut writing = Box::pin(write_all(&queue, write));
    let session = Session::new(shared, Arc::clone(&queue));
    let end = tokio::select! {
        // It takes nothing any more: gone, or asking on without listening.
        () = &mut writing => return,
        end = session.run(read, room) => end,
    };
    if let Err(Refusal { code, reason }) = end {
        tracing::debug!(target: "nunect::control", "a client is let go: {reason}");
        queue.answer(ToClient::Refused { id: 0, code, reason });
    }
    queue.close();
    let _ = timeout(LAST_WORDS_PATIENCE, writing).await;
}

async fn write_all(queue: &Queue, mut to: OwnedWriteHalf) {
    let mut bytes = Vec::new();
    while let Some((dropped, mut waiting)) = queue.take(BATCH).await {
        if dropped > 0 {
            waiting.insert(0, Waiting::Answer(ToClient::Dropped(dropped)));
        }
        for waiting in waiting {
            // One that is too long for a frame is lost as well.
            if frame::put(&mut bytes, &waiting.frame()).is_err()
                && frame::put(&mut bytes, &ToClient::Dropped(1)).is_err()
            {
                return;
            }
            if bytes.len() >= BATCH_BYTES {
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
                bytes = Vec::new();
            }
        }
        if to.write_all(&bytes).await.is_err() {
            return;
        }
        bytes.clear();
    }
}

/// What the node knows of one client.
struct Session {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    subscriptions: BTreeMap<u64, Subscribed>,
    /// Where it published since its last flush; `None`: to more subjects than are remembered.
    published: Option<BTreeSet<String>>,
    /// The last refusal of the bus that it was told of, or that came before it.
    refused: u64,
}

impl Session {
    fn new(shared: Arc<Shared>, queue: Arc<Queue>) -> Self {
        let mut session =
            Self { shared, queue, subscriptions: BTreeMap::new(), published: Some(BTreeSet::new()), refused: 0 };
        session.refused = session.refusals().last().map_or(0, |refused| refused.number);
        session
    }

    /// Does what the client says until it ends, by itself or by being refused.
    async fn run(mut self, read: OwnedReadHalf, room: bool) -> Result<(), Refusal> {
        let (mut from, mut scratch) = (BufReader::new(read), Vec::new());
        let hello = timeout(HELLO_PATIENCE, frame::take(&mut from, &mut scratch)).await;
        match hello.map_err(|_| Refusal::new(408, "no greeting in time"))?.map_err(broken)? {
            None => return Ok(()),
            Some(ToNode::Hello { protocol: PROTOCOL }) if room => self.shared.welcome(&self.queue),
            Some(ToNode::Hello { protocol: PROTOCOL }) => {
                return Err(Refusal::new(429, format!("{CLIENTS_MAX} clients are connected already")));
            }
            Some(ToNode::Hello { .. }) => {
                // It says what is spoken here, and the client what to do about it.
                self.shared.welcome(&self.queue);
                return Err(Refusal::new(426, format!("this node speaks protocol {PROTOCOL}")));
            }
            Some(_) => return Err(Refusal::new(400, "a client begins with a greeting")),
        }
        while let Some(frame) = frame::take(&mut from, &mut scratch).await.map_err(broken)? {
            self.obey(frame).await?;
        }
        Ok(())
    }

    async fn obey(&mut self, frame: ToNode) -> Result<(), Refusal> {
        let (id, outcome) = match frame {
            ToNode::Hello { .. } => return Err(Refusal::new(400, "a second greeting")),
            ToNode::Publish(message) => {
                self.publish(message);
                return Ok(());
            }
            ToNode::Unsubscribe { id } => {
                self.subscriptions.remove(&id);
                return Ok(());
            }
            ToNode::Ping { id } => (id, Ok(())),
            ToNode::Subscribe { id, pattern, queue } => (id, self.subscribe(id, pattern, queue).await),
            ToNode::Flush { id, timeout_ms } => (id, self.flush(Duration::from_millis(timeout_ms.into())).await),
        };
        self.queue.answer(match outcome {
            Ok(()) => ToClient::Done { id },
            Err(Refusal { code, reason }) => ToClient::Refused { id, code, reason },
        });
        Ok(())
    }

    fn publish(&mut self, message: Carried) {
        let subject = message.subject.clone();
        let outcome = message.check().and_then(|message| self.shared.node.publish(message));
        match outcome {
            Ok(()) => {
                if let Some(published) = &mut self.published {
                    published.insert(subject);
                }
                self.published.take_if(|published| published.len() > PUBLISHED_MAX);
            }
            Err(refusal) => self.not_published(subject, refusal),
        }
    }

    fn not_published(&self, subject: String, Refusal { code, reason }: Refusal) {
        self.queue.answer(ToClient::NotPublished { subject, code, reason });
    }

    async fn subscribe(&mut self, id: u64, pattern: String, queue: Option<String>) -> Result<(), Refusal> {
        let malformed = |error: &dyn std::error::Error| Refusal::new(400, error.to_string());
        if self.subscriptions.contains_key(&id) {
            return Err(Refusal::new(409, format!("subscription {id} is there already")));
        }
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(Refusal::new(429, format!("{SUBSCRIPTIONS_MAX} subscriptions are the most for one client")));
        }
        let is_word = |word: &String| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control());
        if !queue.as_ref().is_none_or(is_word) {
            return Err(Refusal::new(400, "the name of a queue group is a word"));
        }
        let pattern = Pattern::parse(pattern).map_err(|error| malformed(&error))?;
        let waiting = Arc::clone(&self.queue);
        let sink = Arc::new(move |inbound| match inbound {
            Inbound::Message(message) => waiting.message(id, message),
            Inbound::NoResponders(subject) => {
                waiting.answer(ToClient::NoResponders { subscription: id, subject: subject.as_str().to_owned() });
            }
        });
        let subscription = Subscription { pattern, queue };
        let subscribed = self.shared.node.bus().subscribe(&subscription, sink).await.map_err(refusal)?;
        self.subscriptions.insert(id, subscribed);
        Ok(())
    }

    async fn flush(&mut self, timeout: Duration) -> Result<(), Refusal> {
        let flushed = self.shared.node.bus().flush(timeout.min(FLUSH_MAX)).await;
        // Whose message it was that the bus refused, the bus does not know: its clients' flushes are
        // all one to it.
        let published = self.published.replace(BTreeSet::new());
        for refused in self.refusals() {
            self.refused = refused.number;
            if published.as_ref().is_none_or(|published| published.contains(&refused.subject)) {
                self.not_published(refused.subject, Refusal::new(403, refused.reason));
            }
        }
        match flushed {
            Ok(()) | Err(BusError::Refused(_)) => Ok(()),
            Err(error) => Err(refusal(error)),
        }
    }

    fn refusals(&self) -> Vec<crate::bus::Refused> {
        self.shared.node.bus().refusals(self.refused)
    }
}

fn broken(error: FrameError) -> Refusal {
    Refusal::new(400, error.to_string())
}

fn refusal(error: BusError) -> Refusal {
    let code = match error {
        BusError::Timeout(_) => 504,
        BusError::Full(_) | BusError::Closed => 503,
        BusError::Refused(_) => 403,
    };
    Refusal::new(code, error.to_string())
}
