//! The bus of a NATS server. async-nats is known to this file alone.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_nats::{ConnectOptions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use futures_core::Stream;
use nunect_core::protocol::inbox;
use nunect_core::random::{ChaCha8Rng, Rng};
use nunect_core::{Body, BusEvent, Headers, Message, Now, RequestError, SessionId, Subject, Subscription, UnitId};
use tokio::task::AbortHandle;

use super::{Bus, BusError, Inbound, Pending, Sink, Watcher};
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

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// `nats://host:port`, tried in this order.
    pub urls: Vec<String>,
    /// Who connects.
    pub unit: UnitId,
    /// In which run.
    pub session: SessionId,
    /// The longest wait between two tries.
    pub reconnect_wait: Duration,
    /// Tries before it gives up; `None`: for ever.
    pub max_reconnects: Option<usize>,
}

/// One node's connection to a NATS server.
pub struct NatsBus {
    client: async_nats::Client,
    urls: String,
    nobody: String,
    clock: Clock,
    watch: Arc<Watch>,
    spill: Arc<Spill>,
    tasks: Mutex<Vec<AbortHandle>>,
    closed: AtomicBool,
}

/// Whether it is connected, and who wants to know.
#[derive(Default)]
struct Watch {
    connected: AtomicBool,
    watcher: Mutex<Option<Watcher>>,
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
    /// When a URL is no URL, or the client cannot be set up at all.
    pub async fn connect(options: NatsOptions, clock: Clock, random: ChaCha8Rng) -> Result<Self, BusError> {
        // Two TLS providers in one graph make rustls panic unless one is chosen; an error here
        // only says that somebody chose before.
        let _ = rustls_provider();
        let watch = Arc::new(Watch::default());
        let told = Arc::clone(&watch);
        let backoff = Mutex::new(Backoff::new(options.reconnect_wait, random));
        let connected_at = Arc::new(Mutex::new(None));
        let connected = Arc::clone(&connected_at);
        let mut connect = ConnectOptions::new()
            .name(options.unit.as_str())
            .retry_on_initial_connect()
            .skip_subject_validation(true)
            .retain_servers_order()
            .ping_interval(PING_INTERVAL)
            .connection_timeout(CALL_TIMEOUT)
            .request_timeout(Some(CALL_TIMEOUT))
            .custom_inbox_prefix(inbox::prefix(&options.unit))
            .reconnect_delay_callback(move |attempts| lock(&backoff).delay(attempts, lock(&connected_at).take()))
            .event_callback(move |event| {
                told.hear(&event, &connected);
                std::future::ready(())
            });
        if let Some(most) = options.max_reconnects {
            connect = connect.max_reconnects(most);
        }
        let urls = options.urls.join(", ");
        let addresses: Vec<async_nats::ServerAddr> = options
            .urls
            .iter()
            .map(|url| url.parse().map_err(|error| BusError::Refused(format!("`{url}` is no server URL: {error}"))))
            .collect::<Result<_, _>>()?;
        let client = tokio::time::timeout(CALL_TIMEOUT, connect.connect(addresses))
            .await
            .map_err(|_| BusError::Timeout(CALL_TIMEOUT))?
            .map_err(|error| BusError::Refused(error.to_string()))?;
        let bus = Self {
            nobody: inbox::nobody(&options.unit, &options.session).as_str().to_owned(),
            client,
            urls,
            clock,
            watch,
            spill: Arc::default(),
            tasks: Mutex::default(),
            closed: AtomicBool::new(false),
        };
        let drain = drain_spill(bus.client.clone(), Arc::clone(&bus.spill));
        bus.spawn(drain);
        Ok(bus)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.tasks).push(tokio::spawn(task).abort_handle());
    }
}

fn rustls_provider() -> Result<(), ()> {
    async_nats::rustls::crypto::ring::default_provider().install_default().map_err(drop)
}

impl Watch {
    fn hear(&self, event: &async_nats::Event, connected_at: &Mutex<Option<Instant>>) {
        let state = match event {
            async_nats::Event::Connected => {
                *lock(connected_at) = Some(Instant::now());
                BusEvent::Connected
            }
            async_nats::Event::Disconnected | async_nats::Event::Closed => BusEvent::Disconnected,
            async_nats::Event::ClientError(async_nats::ClientError::MaxReconnects) => {
                tracing::error!(
                    target: "nunect::bus",
                    "no further try to reconnect: max_reconnects is reached; start the node again when the server is back"
                );
                return;
            }
            async_nats::Event::LameDuckMode
            | async_nats::Event::Draining
            | async_nats::Event::SlowConsumer(_)
            | async_nats::Event::ServerError(_) => {
                tracing::warn!(target: "nunect::bus", "{event}");
                return;
            }
            // Every failed try to connect is one: that the bus is away was said already.
            async_nats::Event::ClientError(_) => {
                tracing::debug!(target: "nunect::bus", "{event}");
                return;
            }
        };
        let now = state == BusEvent::Connected;
        let watcher = lock(&self.watcher);
        if self.connected.swap(now, Ordering::AcqRel) != now
            && let Some(watcher) = &*watcher
        {
            watcher(state);
        }
    }
}

/// Reconnects by the protocol: first try at once, then from the floor doubling to the cap, with jitter.
struct Backoff {
    cap: Duration,
    random: ChaCha8Rng,
    /// Failed tries before the present one.
    failed: usize,
    /// Of these, the ones before the last connection, which was lost too soon to be a success.
    before: usize,
}

impl Backoff {
    fn new(cap: Duration, random: ChaCha8Rng) -> Self {
        Self { cap: cap.max(RECONNECT_FLOOR), random, failed: 0, before: 0 }
    }

    /// The wait before try number `attempts` (from 1); `connected` is when the connection began that
    /// was just lost, if this is the first try after it.
    fn delay(&mut self, attempts: usize, connected: Option<Instant>) -> Duration {
        if let Some(at) = connected {
            self.before = if at.elapsed() < CONNECTION_PROVEN { self.failed + 1 } else { 0 };
        }
        self.failed = self.before.saturating_add(attempts.saturating_sub(1));
        if self.failed == 0 {
            return Duration::ZERO;
        }
        let doublings = u32::try_from(self.failed - 1).unwrap_or(u32::MAX).min(16);
        let wait = RECONNECT_FLOOR.saturating_mul(1 << doublings).min(self.cap);
        // Up to a quarter more, so that the units of a mesh do not come back in one instant.
        wait + wait.mul_f64(0.25 * f64::from(self.random.next_u32()) / f64::from(u32::MAX))
    }
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

fn outgoing(subject: &Subject) -> Result<async_nats::Subject, BusError> {
    async_nats::Subject::from_utf8(subject.as_bytes().clone()).map_err(|error| BusError::Refused(error.to_string()))
}

fn outgoing_headers(headers: &Headers) -> Option<HeaderMap> {
    if headers.is_empty() {
        return None;
    }
    let mut map = HeaderMap::new();
    headers.for_each(|name, value| {
        // `&str` inserts panic on characters a header may not hold; such a one is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            map.append(name, value);
        }
    });
    Some(map)
}

/// What a server delivered, as the rest of the node knows it.
fn incoming(now: Now, message: async_nats::Message) -> Inbound {
    let subject = Subject::delivered(message.subject.into_string());
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Inbound::NoResponders(subject);
    }
    Inbound::Message(Box::new(Message {
        subject,
        headers: message.headers.map(|headers| Headers::from_raw(raw(&headers))).unwrap_or_default(),
        body: Body::Bytes(message.payload),
        reply: message.reply.map(|reply| Subject::delivered(reply.into_string())),
        received: now,
    }))
}

fn raw(headers: &HeaderMap) -> Bytes {
    let mut block = Vec::with_capacity(64 * headers.len());
    for (name, values) in headers.iter() {
        for value in values {
            block.extend_from_slice(AsRef::<[u8]>::as_ref(name));
            block.extend_from_slice(b": ");
            block.extend_from_slice(value.as_str().as_bytes());
            block.extend_from_slice(b"\r\n");
        }
    }
    Bytes::from(block)
}

/// Passes on what arrives, a batch for every reading of the clocks.
async fn pump(mut subscriber: async_nats::Subscriber, clock: Clock, sink: Sink) {
    poll_fn(|cx| {
        let mut now = None;
        for _ in 0..BATCH {
            match Pin::new(&mut subscriber).poll_next(cx) {
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

    fn subscribe<'a>(&'a self, subscription: &'a Subscription, sink: Sink) -> Pending<'a, Result<(), BusError>> {
        Box::pin(async move {
            if self.closed.load(Ordering::Acquire) {
                return Err(BusError::Closed);
            }
            let pattern = subscription.pattern.as_str().to_owned();
            let subscribe = async {
                match &subscription.queue {
                    None => self.client.subscribe(pattern).await,
                    Some(queue) => self.client.queue_subscribe(pattern, queue.clone()).await,
                }
            };
            let subscriber = tokio::time::timeout(CALL_TIMEOUT, subscribe)
                .await
                .map_err(|_| BusError::Timeout(CALL_TIMEOUT))?
                .map_err(|error| BusError::Refused(error.to_string()))?;
            self.spawn(pump(subscriber, self.clock, sink));
            Ok(())
        })
    }

    fn watch(&self, watcher: Watcher) {
        let mut place = lock(&self.watch.watcher);
        watcher(match self.watch.connected.load(Ordering::Acquire) {
            true => BusEvent::Connected,
            false => BusEvent::Disconnected,
        });
        *place = Some(watcher);
    }

    fn round_trip(&self, timeout: Duration) -> Pending<'_, Result<Duration, RequestError>> {
        Box::pin(async move {
            if !self.watch.connected.load(Ordering::Acquire) {
                return Err(RequestError::BusAway);
            }
            let start = Instant::now();
            let ask = self.client.request(self.nobody.clone(), Bytes::new());
            match tokio::time::timeout(timeout, ask).await {
                Err(_) => Err(RequestError::Timeout),
                // Nobody answers by definition: the server's word for that is the answer.
                Ok(Ok(_)) => Ok(start.elapsed()),
                Ok(Err(error)) => match error.kind() {
                    async_nats::RequestErrorKind::NoResponders => Ok(start.elapsed()),
                    async_nats::RequestErrorKind::TimedOut => Err(RequestError::Timeout),
                    async_nats::RequestErrorKind::InvalidSubject
                    | async_nats::RequestErrorKind::MaxPayloadExceeded
                    | async_nats::RequestErrorKind::Other => Err(RequestError::BusAway),
                },
            }
        })
    }

    fn close(&self, grace: Duration) -> Pending<'_, ()> {
        Box::pin(async move {
            let end = async {
                while !lock(&self.spill.queue).is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                if self.watch.connected.load(Ordering::Acquire) && self.client.flush().await.is_ok() {
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
        *lock(&self.watch.watcher) = None;
        for task in lock(&self.tasks).drain(..) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests;
