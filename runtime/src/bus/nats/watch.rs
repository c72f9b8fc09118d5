//! What async-nats tells of a connection, and what of it others are told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::{ClientError, Event, ReconnectToServer, ServerError, Statistics};
use nunect_core::{BusAction, BusEvent};
use tokio::sync::Notify;

use super::denials::Denials;
use super::without_secrets;
use crate::bus::{Refusals, Watcher, Watchers};
use crate::sync::lock;

/// How often at most others are told that messages were lost.
pub const SLOW_TOLD_EVERY: Duration = Duration::from_secs(10);
/// Reasons of refusals that are remembered.
const REASONS_MAX: usize = 16;
/// How often the connection is asked for its state, see [`Watch::reconcile`].
pub(super) const RECONCILE_EVERY: Duration = Duration::from_secs(5);
/// How long an event may be on its way.
pub(super) const EVENT_PATIENCE: Duration = Duration::from_millis(100);

/// Whether the connection is there, who wants to know, and what they were told.
pub(super) struct Watch {
    pub(super) watchers: Watchers,
    pub(super) refusals: Refusals,
    pub(super) denials: Denials,
    /// The server does not let the node send something to itself: which answers it.
    pub(super) mirror_denied: Notify,
    mirror: String,
    max_reconnects: Option<usize>,
    told: Mutex<Told>,
    /// When the present connection began, until it is lost.
    connected_at: Mutex<Option<Instant>>,
    /// Connections of which this was told, and those that there were. No `Client`: it would keep
    /// itself alive through its own callback.
    connects: AtomicU64,
    /// Those of which it was asked when they were lost.
    lost: AtomicU64,
    /// The connections that there were, and the tries since the last was lost.
    turn: Mutex<(u64, usize)>,
    statistics: OnceLock<Arc<Statistics>>,
}

#[derive(Default)]
struct Told {
    slow: Option<Instant>,
    refused: Vec<String>,
}

/// What the server means by an error.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Denied { action: BusAction, subject: String },
    SlowConsumer,
    Refused,
    Other,
}

impl Meaning {
    fn of(error: &str) -> Self {
        let lower = error.to_ascii_lowercase();
        if let Some(what) = lower.strip_prefix("permissions violation for ") {
            // As in `Publish to "x"`, `Publish with Reply of "x"`, `Subscription to "x" using queue "y"`.
            let action = if what.starts_with("publish") { BusAction::Publish } else { BusAction::Subscribe };
            let subject = error.split('"').nth(1).unwrap_or_default().to_owned();
            return Self::Denied { action, subject };
        }
        // `authorization violation`, `user authentication expired`, `account authentication revoked`, `maximum
        // connections exceeded`, `maximum payload violation`, `secure connection - tls required` and their like.
        let refusals = ["authorization", "authentication", "maximum ", "tls required"];
        if lower.contains("slow consumer") {
            Self::SlowConsumer
        } else if refusals.iter().any(|words| lower.contains(words)) {
            Self::Refused
        } else {
            Self::Other
        }
    }
}

impl Watch {
    pub(super) fn new(mirror: String, max_reconnects: Option<usize>) -> Self {
        Self {
            watchers: Watchers::default(),
            refusals: Refusals::default(),
            denials: Denials::default(),
            mirror_denied: Notify::new(),
            mirror,
            max_reconnects,
            told: Mutex::default(),
            connected_at: Mutex::default(),
            connects: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            turn: Mutex::default(),
            statistics: OnceLock::new(),
        }
    }

    /// Tells `watcher` how it is, with what the server refuses or denies at present, and from then on.
    pub(super) fn add(&self, watcher: Watcher) {
        let told = lock(&self.told);
        let refused = told.refused.iter().map(|reason| BusEvent::Refused { reason: reason.clone() });
        let denied = self.denials.standing().map(|(action, subject)| BusEvent::Denied { action, subject });
        // Under the lock: what is refused from now on is told after it.
        self.watchers.add(watcher, refused.chain(denied));
    }

    pub(super) fn hear(&self, event: &Event) {
        match event {
            Event::Connected => self.came(),
            Event::Disconnected | Event::Closed => self.watchers.tell(&BusEvent::Disconnected),
            Event::SlowConsumer(_) => self.slow_consumer(),
            Event::ServerError(ServerError::Other(error)) => self.server_error(error),
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.refused("authorization violation".to_owned());
            }
            Event::ServerError(ServerError::SlowConsumer(_)) => self.slow_consumer(),
            Event::ClientError(ClientError::MaxReconnects) => {
                let most = self.max_reconnects.map_or_else(String::new, |most| format!(" of {most}"));
                self.refused(format!(
                    "no further try to connect: max_reconnects{most} is reached; start again when the server is back"
                ));
            }
            Event::LameDuckMode | Event::Draining => tracing::warn!(target: "nunect::bus", "{event}"),
            // Every failed try to connect is one: what the server said is known by `tried`.
            Event::ClientError(ClientError::Other(_) | ClientError::ServerNotInPool) => {
                tracing::debug!(target: "nunect::bus", "{event}");
            }
        }
    }

    fn came(&self) {
        let heard = self.connects.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(all) = self.connects_until_now()
            && heard > all
        {
            // It was inferred before it came.
            self.connects.store(all, Ordering::Relaxed);
            return;
        }
        // Known already, if the end of the one before was heard.
        self.watchers.tell(&BusEvent::Disconnected);
        self.begin();
        self.watchers.tell(&BusEvent::Connected);
    }

    /// A connection begins: what was refused before may be permitted, and is told again if it is not.
    fn begin(&self) {
        *lock(&self.connected_at) = Some(Instant::now());
        *lock(&self.told) = Told::default();
        self.denials.clear();
    }

    /// Tells what the last try to connect came to, and says which server is tried next: the first when a
    /// connection was lost, and then one after the other. By itself async-nats tries the first again and
    /// again when that one refuses the node.
    pub(super) fn turn(&self, servers: &[async_nats::Server]) -> Option<ReconnectToServer> {
        let connects = self.connects_until_now().unwrap_or_default();
        let mut turn = lock(&self.turn);
        if turn.0 != connects {
            *turn = (connects, 0);
        }
        let number = turn.1;
        turn.1 += 1;
        drop(turn);
        let server = |number: usize| servers.get(number % servers.len().max(1));
        if let Some(last) = number.checked_sub(1).and_then(server) {
            self.tried(last, servers.len());
        }
        Some(ReconnectToServer { addr: server(number)?.addr.clone(), delay: None })
    }

    fn tried(&self, server: &async_nats::Server, of: usize) {
        // `authorization violation: nats: authorization violation`: the words after that are the server's.
        let Some((_, words)) = server.last_error.as_deref().and_then(|error| error.split_once("nats: ")) else {
            return;
        };
        if Meaning::of(words) == Meaning::Refused {
            let whose = format!("{words} ({})", without_secrets(server.addr.as_url_str()));
            self.refused(if of > 1 { whose } else { words.to_owned() });
        }
    }

    fn server_error(&self, error: &str) {
        match Meaning::of(error) {
            Meaning::Denied { action, subject } => self.denied(action, subject, error),
            Meaning::SlowConsumer => self.slow_consumer(),
            Meaning::Refused => self.refused(error.to_owned()),
            Meaning::Other => tracing::warn!(target: "nunect::bus", "the server says: {error}"),
        }
    }

    fn denied(&self, action: BusAction, subject: String, error: &str) {
        // Either way the server has read what was sent before.
        if subject.strip_prefix(&self.mirror).is_some_and(|rest| rest.starts_with('.')) {
            self.mirror_denied.notify_waiters();
            return;
        }
        if action == BusAction::Publish {
            self.refusals.note(subject.clone(), error.to_owned());
        }
        if self.denials.note(action, &subject) {
            self.watchers.tell(&BusEvent::Denied { action, subject });
        }
    }

    /// The server has answered whatever was sent before `heard`: what it did not deny, it permits.
    pub(super) fn answered(&self, heard: Instant) {
        for (action, subject) in self.denials.over(heard) {
            self.watchers.tell(&BusEvent::Permitted { action, subject });
        }
    }

    fn slow_consumer(&self) {
        let mut told = lock(&self.told);
        if told.slow.is_none_or(|at| at.elapsed() >= SLOW_TOLD_EVERY) {
            told.slow = Some(Instant::now());
            drop(told);
            self.watchers.tell(&BusEvent::SlowConsumer);
        }
    }

    /// Tells why the server refuses this node; the same reason once until it is connected again.
    pub(super) fn refused(&self, reason: String) {
        let mut told = lock(&self.told);
        // When it is said at an attempt to connect it is in small letters.
        if told.refused.iter().any(|known| known.eq_ignore_ascii_case(&reason)) || told.refused.len() >= REASONS_MAX {
            return;
        }
        told.refused.push(reason.clone());
        drop(told);
        self.watchers.tell(&BusEvent::Refused { reason });
    }

    /// When the connection began that was lost, if this is the first to ask since.
    pub(super) fn lost(&self) -> Option<Instant> {
        let all = self.connects_until_now().unwrap_or_default();
        let is_new = self.lost.swap(all, Ordering::Relaxed) < all;
        // It may be lost before anybody heard that it began.
        lock(&self.connected_at).take().or_else(|| is_new.then(Instant::now))
    }

    /// Compares, again and again, what was heard with how it is.
    ///
    /// async-nats hands its events over by a queue of 128 that it never waits for: while a flood of
    /// slow consumers or server errors fills it, that the connection came or went is lost with the rest.
    pub(super) async fn reconcile(&self, client: async_nats::Client) {
        let _ = self.statistics.set(client.statistics());
        loop {
            tokio::time::sleep(RECONCILE_EVERY).await;
            if self.differs(&client) {
                // The event may be on its way.
                tokio::time::sleep(EVENT_PATIENCE).await;
                if self.differs(&client) {
                    self.catch_up(client.connection_state() == State::Connected);
                }
            }
        }
    }

    fn differs(&self, client: &async_nats::Client) -> bool {
        let connected = client.connection_state() == State::Connected;
        connected != self.watchers.connected() || self.missed()
    }

    fn missed(&self) -> bool {
        self.connects_until_now().is_some_and(|all| all > self.connects.load(Ordering::Relaxed))
    }

    fn connects_until_now(&self) -> Option<u64> {
        self.statistics.get().map(|statistics| statistics.connects.load(Ordering::Relaxed))
    }

    fn catch_up(&self, connected: bool) {
        if self.missed() {
            self.connects.store(self.connects_until_now().unwrap_or_default(), Ordering::Relaxed);
            // Between two connections there was none.
            self.watchers.tell(&BusEvent::Disconnected);
            if connected {
                self.begin();
            }
        }
        self.watchers.tell(if connected { &BusEvent::Connected } else { &BusEvent::Disconnected });
    }
}

#[cfg(test)]
mod tests;
