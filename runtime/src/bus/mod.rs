//! The bus as a node sees it: publish, subscribe, and whether it is there.

pub mod local;
pub mod nats;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use nunect_core::{BusEvent, Message, Now, RequestError, Subject, Subscription};

pub use local::LocalBus;
pub use nats::{NatsBus, NatsOptions};

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

/// Who is told that the bus came or went.
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

/// One node's connection to a bus.
pub trait Bus: Send + Sync + 'static {
    /// What it is connected to, for people: `embedded`, or the server's URL.
    fn describe(&self) -> String;

    /// Sends a message that the outbox completed at `now`. Never blocks.
    ///
    /// # Errors
    /// When the message is lost.
    fn publish(&self, now: Now, message: Message) -> Result<(), BusError>;

    /// Delivers what matches to `sink`, until the bus is closed.
    ///
    /// When it is done, what this node publishes from then on is delivered, too.
    fn subscribe<'a>(&'a self, subscription: &'a Subscription, sink: Sink) -> Pending<'a, Result<(), BusError>>;

    /// Tells `watcher` the present state, and from then on every change.
    fn watch(&self, watcher: Watcher);

    /// The time to the server and back, through nobody's mailbox.
    fn round_trip(&self, timeout: Duration) -> Pending<'_, Result<Duration, RequestError>>;

    /// Sends what was published, then ends; takes at most `grace`.
    fn close(&self, grace: Duration) -> Pending<'_, ()>;

    /// Ends at once, as if the machine had lost power.
    fn abandon(&self);
}
