//! The bus of a NATS server. async-nats is known to this module alone.

mod backoff;
mod credentials;
mod denials;
mod watch;
mod wire;

use std::collections::VecDeque;
use std::future::{Ready, poll_fn};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_nats::{ConnectOptions, Request};
use futures_core::Stream;
use nunect_core::protocol::inbox;
use nunect_core::random::ChaCha8Rng;
use nunect_core::{BusAction, Message, Now, RequestError, SessionId, Subscription, UnitId};
use tokio::task::AbortHandle;

use self::backoff::Backoff;
pub use self::credentials::CredentialsError;
use self::credentials::{Credentials, told};
pub use self::denials::DENIED_TOLD_EVERY;
pub use self::watch::SLOW_TOLD_EVERY;
use self::watch::{EVENT_PATIENCE, RECONCILE_EVERY, Watch};
use self::wire::{incoming, outgoing, outgoing_headers};
use super::{Bus, BusError, Pending, Refused, Sink, Subscribed, Watcher};
use crate::clock::Clock;
use crate::sync::lock;

/// The shortest wait between two tries to connect, once the first has failed (protocol, section 6).
pub const RECONNECT_FLOOR: Duration = Duration::from_millis(250);
/// A connection that was lost sooner counts as a failed try: nothing reconnects in a storm.
pub const CONNECTION_PROVEN: Duration = Duration::from_secs(1);
/// How often the server is asked whether it still lives; twice unanswered, the connection is stale.
pub const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long one call may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// Messages that may wait here when the connection's own queue of 2,048 is full.
pub const SPILL_MAX: usize = 8_192;
/// Messages taken from a subscription before others have their turn.
const BATCH: usize = 256;
/// How long after the server's answer a refusal may take to be known: another task tells it.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(5);
/// How often the spill is looked at by who waits for it to be empty.
const SPILL_POLL: Duration = Duration::from_millis(1);
/// A subscription that lived so long before it was denied is at first made again soon.
const RETRIES_FORGIVEN_AFTER: Duration = Duration::from_secs(120);

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// `nats://host:port`, tried in this order. User and password, or a token, of the first that has
    /// any are shown to all.
    pub urls: Vec<String>,
    /// A file with a user's JWT and the seed of its key; read anew for each connection, so that a
    /// renewed one is taken up.
    pub credentials: Option<PathBuf>,
    /// Who connects.
    pub unit: UnitId,
    /// In which run.
    pub session: SessionId,
    /// The longest wait between two tries.
    pub reconnect_wait: Duration,
    /// Tries before it gives up; `None`: for ever.
    pub max_reconnects: Option<usize>,
}

/// Why there is not even a try to connect.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// An address is none.
    #[error("`{url}` is no server URL: write it as `nats://host:4222`")]
    Url {
        /// The address, without user and password.
        url: String,
        /// What is wrong with it.
        #[source]
        error: std::io::Error,
    },
    /// The credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The client cannot be set up.
    #[error("setting up the client for NATS")]
    Client(#[source] async_nats::ConnectError),
}

/// Counts what nodes of this process have sent themselves.
static ROUND_TRIPS: AtomicU64 = AtomicU64::new(0);

/// One node's connection to a NATS server.
pub struct NatsBus {
    client: async_nats::Client,
    urls: String,
    mirror: String,
    clock: Clock,
    watch: Arc<Watch>,
    spill: Arc<Spill>,
    tasks: Mutex<Vec<AbortHandle>>,
    closed: AtomicBool,
}

/// What the connection's own queue had no room for, in order.
#[derive(Default)]
struct Spill {
    queue: Mutex<VecDeque<Message>>,
    filled: tokio::sync::Notify,
}

impl NatsBus {
    /// Begins to connect, and goes on trying while the node already lives.
    ///
    /// # Errors
    /// When a URL is no URL, the credentials cannot be used, or the client cannot be set up at all.
    pub async fn connect(options: NatsOptions, clock: Clock, random: ChaCha8Rng) -> Result<Self, ConnectError> {
        // Two TLS providers in one graph make rustls panic unless one is chosen; an error here
        // only says that somebody chose before.
        let _ = rustls_provider();
        let mut addresses = Vec::new();
        for url in &options.urls {
            let address = url.parse::<async_nats::ServerAddr>();
            addresses.push(address.map_err(|error| ConnectError::Url { url: without_secrets(url), error })?);
        }
        let mirror = inbox::mirror(&options.unit, &options.session).as_str().to_owned();
        let watch = Arc::new(Watch::new(mirror.clone(), options.max_reconnects));
        let backoff = Mutex::new(Backoff::new(options.reconnect_wait, random));
        let [told, tried, lost] = std::array::from_fn(|_| Arc::clone(&watch));
        let connect = match options.credentials {
            Some(path) => {
                Credentials::read(&path)?;
                ConnectOptions::with_auth_callback(proof(path, Arc::clone(&watch)))
            }
            None => authenticate(&addresses),
        };
        let mut connect = connect
            .name(options.unit.as_str())
            .retry_on_initial_connect()
            .skip_subject_validation(true)
            .retain_servers_order()
            .ping_interval(PING_INTERVAL)
            .connection_timeout(CALL_TIMEOUT)
            .request_timeout(Some(CALL_TIMEOUT))
            .custom_inbox_prefix(inbox::prefix(&options.unit))
            .reconnect_delay_callback(move |attempts| lock(&backoff).delay(attempts, lost.lost()))
            .reconnect_to_server_callback(move |servers, _| {
                // There is no other way to what a server said when it refused the last try, either.
                std::future::ready(tried.turn(&servers))
            })
            .event_callback(move |event| {
                told.hear(&event);
                std::future::ready(())
            });
        if let Some(most) = options.max_reconnects {
            connect = connect.max_reconnects(most);
        }
        let client = connect.connect(addresses).await.map_err(ConnectError::Client)?;
        let bus = Self {
            mirror,
            client,
            urls: options.urls.iter().map(|url| without_secrets(url)).collect::<Vec<_>>().join(", "),
            clock,
            watch,
            spill: Arc::default(),
            tasks: Mutex::default(),
            closed: AtomicBool::new(false),
        };
        bus.spawn(drain_spill(bus.client.clone(), Arc::clone(&bus.spill)));
        let (watch, client) = (Arc::clone(&bus.watch), bus.client.clone());
        bus.spawn(async move { watch.reconcile(client).await });
        bus.spawn(permit(bus.client.clone(), Arc::clone(&bus.watch), Arc::clone(&bus.spill), bus.mirror.clone()));
        Ok(bus)
    }

    async fn spill_empty(&self) {
        while !lock(&self.spill.queue).is_empty() {
            tokio::time::sleep(SPILL_POLL).await;
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let task = tokio::spawn(task).abort_handle();
        let mut tasks = lock(&self.tasks);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.clone());
        task
    }
}

/// With the user and password of the first address that has any: async-nats would show none.
fn authenticate(addresses: &[async_nats::ServerAddr]) -> ConnectOptions {
    let connect = ConnectOptions::new();
    let Some(address) = addresses.iter().find(|address| address.has_user_pass()) else { return connect };
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    match (address.username().map(plain), address.password().map(plain)) {
        (Some(user), Some(password)) => connect.user_and_password(user, password),
        // `nats://token@host`, as everywhere with NATS.
        (Some(token), None) => connect.token(token),
        (None, _) => connect,
    }
}

/// Answers a server that asks for proof, by the file at `path` as it is at that time.
fn proof(
    path: PathBuf,
    watch: Arc<Watch>,
) -> impl Fn(Vec<u8>) -> Ready<Result<async_nats::Auth, async_nats::AuthError>> + Send + Sync + 'static {
    move |nonce| {
        let credentials = Credentials::read(&path).map_err(|error| told(&error));
        let auth = credentials.and_then(|credentials| credentials.sign(&nonce).map_err(|error| told(&error)));
        std::future::ready(auth.map_err(|reason| {
            watch.refused(reason.clone());
            async_nats::AuthError::new(reason)
        }))
    }
}

/// The address without user and password: it is shown to people.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

fn rustls_provider() -> Result<(), ()> {
    async_nats::rustls::crypto::ring::default_provider().install_default().map_err(drop)
}

/// Hands a message to the client; `None` when the client's queue is full.
fn try_send(client: &async_nats::Client, message: &Message) -> Option<Result<(), BusError>> {
    // There is no `try_publish`. Outside the cooperative budget one poll is exactly that: the
    // future only waits when the queue is full.
    let mut send = pin!(tokio::task::unconstrained(send(client, message)));
    match send.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

async fn send(client: &async_nats::Client, message: &Message) -> Result<(), BusError> {
    let subject = outgoing(&message.subject)?;
    let payload = message.payload();
    let result = match (message.reply.as_ref(), outgoing_headers(&message.headers)) {
        (None, None) => client.publish(subject, payload).await,
        (None, Some(headers)) => client.publish_with_headers(subject, headers, payload).await,
        (Some(reply), None) => client.publish_with_reply(subject, outgoing(reply)?, payload).await,
        (Some(reply), Some(headers)) => {
            client.publish_with_reply_and_headers(subject, outgoing(reply)?, headers, payload).await
        }
    };
    result.map_err(|error| BusError::Refused(error.to_string()))
}

async fn drain_spill(client: async_nats::Client, spill: Arc<Spill>) {
    loop {
        let next = lock(&spill.queue).front().cloned();
        let Some(message) = next else {
            spill.filled.notified().await;
            continue;
        };
        if let Err(error) = send(&client, &message).await {
            tracing::warn!(target: "nunect::bus", "{}: {error}", message.subject);
        }
        // Only now may the next sender go past the spill: the order stays.
        lock(&spill.queue).pop_front();
    }
}

/// Sends ourselves something by way of the server.
async fn round_trip(
    client: &async_nats::Client,
    watch: &Watch,
    mirror: &str,
    timeout: Duration,
) -> Result<Duration, RequestError> {
    let start = Instant::now();
    let denied = watch.mirror_denied.notified();
    // Each has its own: another's must not be taken for it.
    let own = format!("{mirror}.{}", ROUND_TRIPS.fetch_add(1, Ordering::Relaxed));
    let ask = async {
        tokio::select! {
            // A question that nobody hears comes back sooner, but somebody may listen to everything.
            answer = client.send_request(own.clone(), Request::new().inbox(own)) => answer.map(drop),
            // Not permitted: the server has read it all the same.
            () = denied => Ok(()),
        }
    };
    match tokio::time::timeout(timeout, ask).await {
        Err(_) => Err(RequestError::Timeout),
        Ok(Ok(())) => Ok(start.elapsed()),
        Ok(Err(error)) => match error.kind() {
            async_nats::RequestErrorKind::NoResponders => Ok(start.elapsed()),
            async_nats::RequestErrorKind::TimedOut => Err(RequestError::Timeout),
            async_nats::RequestErrorKind::InvalidSubject
            | async_nats::RequestErrorKind::MaxPayloadExceeded
            | async_nats::RequestErrorKind::Other => Err(RequestError::BusAway),
        },
    }
}

/// Finds out, while anything stands denied, whether it is permitted again.
async fn permit(client: async_nats::Client, watch: Arc<Watch>, spill: Arc<Spill>, mirror: String) {
    loop {
        watch.denials.any().await;
        tokio::time::sleep(RECONCILE_EVERY).await;
        // Whoever publishes holds this lock: what was tried before is before the question.
        let heard = Some(lock(&spill.queue)).filter(|queue| queue.is_empty()).map(|_| Instant::now());
        if let Some(heard) = heard
            && watch.watchers.connected()
            && round_trip(&client, &watch, &mirror, CALL_TIMEOUT).await.is_ok()
        {
            // A denial may be on its way.
            tokio::time::sleep(EVENT_PATIENCE).await;
            watch.answered(heard);
        }
    }
}

async fn subscribe(
    client: &async_nats::Client,
    subscription: &Subscription,
) -> Result<async_nats::Subscriber, BusError> {
    let pattern = subscription.pattern.as_str().to_owned();
    let subscribe = async {
        match &subscription.queue {
            None => client.subscribe(pattern).await,
            Some(queue) => client.queue_subscribe(pattern, queue.clone()).await,
        }
    };
    tokio::time::timeout(CALL_TIMEOUT, subscribe)
        .await
        .map_err(|_| BusError::Timeout(CALL_TIMEOUT))?
        .map_err(|error| BusError::Refused(error.to_string()))
}

/// A subscription as long as somebody wants it.
struct Following {
    client: async_nats::Client,
    watch: Arc<Watch>,
    subscription: Subscription,
    subscriber: async_nats::Subscriber,
    since: Instant,
    clock: Clock,
    sink: Sink,
}

/// Passes on what arrives, and makes the subscription again, now and then, when it was denied.
async fn follow(mut following: Following) {
    let pattern = following.subscription.pattern.as_str().to_owned();
    let mut retries = 0;
    loop {
        let denials = &following.watch.denials;
        tokio::select! {
            () = pump(&mut following.subscriber, following.clock, &following.sink) => return,
            () = denials.unsubscribed(&pattern, following.since, retries) => {}
        }
        if following.since.elapsed() > RETRIES_FORGIVEN_AFTER {
            retries = 0;
        }
        let since = Instant::now();
        denials.trying(BusAction::Subscribe, &pattern);
        if let Ok(subscriber) = subscribe(&following.client, &following.subscription).await {
            (following.subscriber, following.since) = (subscriber, since);
        }
        retries += 1;
    }
}

/// Passes on what arrives, a batch for every reading of the clocks.
async fn pump(subscriber: &mut async_nats::Subscriber, clock: Clock, sink: &Sink) {
    poll_fn(|cx| {
        let mut now = None;
        for _ in 0..BATCH {
            match Pin::new(&mut *subscriber).poll_next(cx) {
                Poll::Ready(Some(message)) => {
                    let now = *now.get_or_insert_with(|| clock.now());
                    sink(incoming(now, message));
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Bus for NatsBus {
    fn describe(&self) -> String {
        self.urls.clone()
    }

    fn publish(&self, _: Now, message: Message) -> Result<(), BusError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(BusError::Closed);
        }
        let mut spill = lock(&self.spill.queue);
        self.watch.denials.trying(BusAction::Publish, message.subject.as_str());
        if spill.is_empty()
            && let Some(result) = try_send(&self.client, &message)
        {
            return result;
        }
        if spill.len() >= SPILL_MAX {
            return Err(BusError::Full(spill.len()));
        }
        spill.push_back(message);
        self.spill.filled.notify_one();
        Ok(())
    }

    fn subscribe<'a>(
        &'a self,
        subscription: &'a Subscription,
        sink: Sink,
    ) -> Pending<'a, Result<Subscribed, BusError>> {
        Box::pin(async move {
            if self.closed.load(Ordering::Acquire) {
                return Err(BusError::Closed);
            }
            let since = Instant::now();
            let subscriber = subscribe(&self.client, subscription).await?;
            // With the task ends its subscriber, and takes the subscription back.
            let pump = self.spawn(follow(Following {
                client: self.client.clone(),
                watch: Arc::clone(&self.watch),
                subscription: subscription.clone(),
                subscriber,
                since,
                clock: self.clock,
                sink,
            }));
            Ok(Subscribed::new(move || pump.abort()))
        })
    }

    fn watch(&self, watcher: Watcher) {
        self.watch.add(watcher);
    }

    fn round_trip(&self, timeout: Duration) -> Pending<'_, Result<Duration, RequestError>> {
        Box::pin(async move {
            if !self.watch.watchers.connected() {
                return Err(RequestError::BusAway);
            }
            round_trip(&self.client, &self.watch, &self.mirror, timeout).await
        })
    }

    fn flush(&self, timeout: Duration) -> Pending<'_, Result<(), BusError>> {
        Box::pin(async move {
            if self.closed.load(Ordering::Acquire) {
                return Err(BusError::Closed);
            }
            let answered = async {
                self.spill_empty().await;
                // The client's own flush ends with the socket, and before a connection; only the
                // server's answer says that it has read what came before.
                while self.round_trip(timeout).await.is_err() {
                    tokio::time::sleep(REFUSAL_PATIENCE).await;
                }
                tokio::time::sleep(REFUSAL_PATIENCE).await;
            };
            match tokio::time::timeout(timeout, answered).await {
                Ok(()) => self.watch.refusals.flushed(),
                Err(_) => Err(BusError::Timeout(timeout)),
            }
        })
    }

    fn refusals(&self, after: u64) -> Vec<Refused> {
        self.watch.refusals.after(after)
    }

    fn close(&self, grace: Duration) -> Pending<'_, ()> {
        Box::pin(async move {
            let end = async {
                self.spill_empty().await;
                if self.watch.watchers.connected() && self.client.flush().await.is_ok() {
                    // A flush ends with the socket; only the server's answer says that it has read
                    // what came before.
                    let _ = self.round_trip(grace).await;
                }
            };
            // A server that does not take the last words in time does not get them.
            let _ = tokio::time::timeout(grace, end).await;
            self.abandon();
        })
    }

    fn abandon(&self) {
        self.closed.store(true, Ordering::Release);
        self.watch.watchers.forget();
        for task in lock(&self.tasks).drain(..) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests;
