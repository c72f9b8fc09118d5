//! Requests of whoever has a connection and no actor: the command line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nunect_core::protocol::inbox;
use nunect_core::{Message, RequestError, SessionId, Subject, Subscription, UnitId};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::{Bus, BusError, Inbound, Subscribed};
use crate::clock::Clock;

/// Answers that may wait for whoever asked; more are dropped.
pub const ANSWERS_MAX: usize = 4_096;

/// Where the answers to a client's requests arrive, each on a subject of its own.
#[derive(Debug)]
pub struct Inbox {
    unit: UnitId,
    session: SessionId,
    next: AtomicU64,
}

impl Inbox {
    /// Inboxes among those of `unit`, the only ones that a server may let its connection read; the
    /// session is drawn anew for every client.
    #[must_use]
    pub const fn new(unit: UnitId, session: SessionId) -> Self {
        Self { unit, session, next: AtomicU64::new(0) }
    }

    /// One that was not used before.
    fn fresh(&self) -> Subject {
        inbox::subject(&self.unit, &self.session, self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Sends `message` and returns the answer.
///
/// # Errors
/// When there is none within `timeout`, nobody listens, or the bus does not take it.
pub async fn ask(
    bus: &dyn Bus,
    inbox: &Inbox,
    clock: &Clock,
    message: Message,
    timeout: Duration,
) -> Result<Message, RequestError> {
    ask_many(bus, inbox, clock, message, timeout, 1).await?.pop().ok_or(RequestError::Timeout)
}

/// Sends `message` and returns the answers that come within `timeout`, and no more than `most`.
///
/// # Errors
/// When nobody listens, or the bus does not take it. No answer in time is an empty list.
pub async fn ask_many(
    bus: &dyn Bus,
    inbox: &Inbox,
    clock: &Clock,
    message: Message,
    timeout: Duration,
    most: usize,
) -> Result<Vec<Message>, RequestError> {
    let deadline = Instant::now() + timeout;
    let reply = inbox.fresh();
    let (mut answers, _subscribed) =
        timeout_at(deadline, listen(bus, &reply)).await.map_err(|_| RequestError::Timeout)?.map_err(request_error)?;
    let asked = message.subject.clone();
    let refused_before = bus.refusals(0).last().map_or(0, |refused| refused.number);
    bus.publish(clock.now(), Message { reply: Some(reply), ..message }).map_err(request_error)?;
    let collect = async {
        let mut all = Vec::new();
        while all.len() < most {
            match timeout_at(deadline, answers.recv()).await {
                Err(_) => break,
                Ok(Some(Inbound::Message(answer))) => all.push(*answer),
                Ok(Some(Inbound::NoResponders(_))) => return Err(RequestError::NoResponders),
                Ok(None) => return Err(RequestError::BusAway),
            }
        }
        Ok(all)
    };
    // A server that does not let the question pass says so beside it, and nobody ever answers.
    let denied = async {
        // Whether the flush ends in time does not matter: only a refusal does.
        let _ = bus.flush(timeout).await;
        if bus.refusals(refused_before).iter().all(|refused| refused.subject != asked.as_str()) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        answers = collect => answers,
        () = denied => Err(RequestError::Refused),
    }
}

async fn listen(bus: &dyn Bus, reply: &Subject) -> Result<(mpsc::Receiver<Inbound>, Subscribed), BusError> {
    let (sender, answers) = mpsc::channel(ANSWERS_MAX);
    let subscription = Subscription::from(nunect_core::Pattern::from(reply));
    // Beyond the bound the asker has more than it can use.
    let sink = Arc::new(move |inbound| drop(sender.try_send(inbound)));
    let subscribed = bus.subscribe(&subscription, sink).await?;
    Ok((answers, subscribed))
}

fn request_error(error: BusError) -> RequestError {
    match error {
        BusError::Timeout(_) => RequestError::Timeout,
        BusError::Full(_) | BusError::Refused(_) => RequestError::Refused,
        BusError::Closed => RequestError::BusAway,
    }
}

#[cfg(test)]
mod tests;
