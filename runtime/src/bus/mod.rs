//! The bus as a node sees it: publish, subscribe, and whether it is there.

pub mod ask;
pub mod local;
pub mod nats;
mod refusals;
mod watchers;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use nunect_core::{BusEvent, Message, Now, RequestError, Subject, Subscription};

pub use local::LocalBus;
pub use nats::{ConnectError, NatsBus, NatsOptions};
pub(crate) use refusals::Refusals;
pub use refusals::{REFUSALS_KEPT, Refused};
pub(crate) use watchers::Watchers;

/// A future that a trait object returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What arrives on a subscription.
#[derive(Debug)]
pub enum Inbound {
    /// A message.
    Message(Box<Message>),
    /// Instead of an answer on this subject: nobody listens to what was asked.
    NoResponders(Subject),
}

/// Where what arrives goes. It must not block, and must not publish from within.
pub type Sink = Arc<dyn Fn(Inbound) + Send + Sync>;

/// Who is told what happens to the connection. It must not watch another time from within.
pub type Watcher = Box<dyn Fn(BusEvent) + Send + Sync>;

/// Why something could not be done on the bus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// It takes more than it was given time for.
    #[error("the bus did not take it within {0:?}")]
    Timeout(Duration),
    /// More waits for the connection than may.
    #[error("the connection does not keep up: {0} messages wait")]
    Full(usize),
    /// The bus refused it.
    #[error("the bus refused it: {0}")]
    Refused(String),
    /// It is closed for good.
    #[error("the bus is closed")]
    Closed,
}

/// A subscription that ends when this is dropped, unless it is to stay [`forever`](Self::forever).
///
/// What was on its way when it ended may still arrive at the sink. Not to be dropped by a sink.
#[must_use = "dropped at once, it hears nothing"]
pub struct Subscribed {
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Subscribed {
    pub(crate) fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { end: Some(Box::new(end)) }
    }

    /// Lets the subscription live as long as the bus.
    pub fn forever(mut self) {
        self.end = None;
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

impl std::fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscribed").finish_non_exhaustive()
    }
}

/// One node's connection to a bus.
pub trait Bus: Send + Sync + 'static {
    /// What it is connected to, for people: `embedded`, or the server's URL.
    fn describe(&self) -> String;

    /// Sends a message that the outbox completed at `now`. Never blocks.
    ///
    /// # Errors
    /// When the message is lost.
    fn publish(&self, now: Now, message: Message) -> Result<(), BusError>;

    /// Delivers what matches to `sink`, until what it returns is dropped or the bus is closed.
    ///
    /// When it is done, what this node publishes from then on is delivered, too.
    fn subscribe<'a>(&'a self, subscription: &'a Subscription, sink: Sink)
    -> Pending<'a, Result<Subscribed, BusError>>;

    /// Tells `watcher` whether the bus is there, and from then on whatever happens to the connection,
    /// as it tells all who watched before.
    fn watch(&self, watcher: Watcher);

    /// Waits until everything that was published before has been taken.
    ///
    /// # Errors
    /// [`BusError::Refused`] is the first refusal since the last flush: a server takes a message that
    /// it then refuses, and says so later. [`Self::refusals`] has them all.
    fn flush(&self, timeout: Duration) -> Pending<'_, Result<(), BusError>>;

    /// The messages that were taken and then refused, after number `after`, oldest first; of more
    /// than [`REFUSALS_KEPT`] the newest.
    fn refusals(&self, after: u64) -> Vec<Refused>;

    /// The time to the server and back, through nobody's mailbox.
    fn round_trip(&self, timeout: Duration) -> Pending<'_, Result<Duration, RequestError>>;

    /// Sends what was published, then ends; takes at most `grace`.
    fn close(&self, grace: Duration) -> Pending<'_, ()>;

    /// Ends at once, as if the machine had lost power.
    fn abandon(&self);
}
