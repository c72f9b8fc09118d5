//! The bus within one process: the embedded default of `nunect up`, and the fastest arm of tests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nunect_core::broker::{Broker, ClientId, SubscriptionId, Target};
use nunect_core::{BusEvent, Message, Now, RequestError, Subscription};

use super::{Bus, BusError, Inbound, Pending, Refused, Sink, Subscribed, Watcher};
use crate::sync::lock;

/// A bus that nodes of this process share.
#[derive(Clone, Default)]
pub struct LocalBus {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    broker: Broker,
    clients: u32,
    sinks: Vec<Option<(Owner, Sink)>>,
    /// The state of a linear congruential generator.
    draw: u64,
    targets: Vec<Target>,
}

/// Whose a sink is; places are given anew.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Owner {
    client: ClientId,
    subscription: SubscriptionId,
}

/// One node's connection to a [`LocalBus`].
pub struct LocalClient {
    id: ClientId,
    closed: AtomicBool,
    state: Arc<Mutex<State>>,
}

impl LocalBus {
    /// A bus without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection for one more node.
    #[must_use]
    pub fn client(&self) -> LocalClient {
        let mut state = lock(&self.state);
        state.clients += 1;
        LocalClient { id: ClientId(state.clients), closed: AtomicBool::new(false), state: Arc::clone(&self.state) }
    }
}

impl State {
    fn publish(&mut self, now: Now, mut message: Message) {
        message.received = now;
        let Self { broker, targets, draw, .. } = self;
        targets.clear();
        let pick = |members| {
            // Drawn, since several groups may share a message: where all take turns by one count,
            // a member's turn may never come. Knuth's constants; the high bits are the good ones.
            *draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*draw >> 33) as usize % members
        };
        let reached = broker.route(&message.subject, pick, |target| targets.push(target));
        if reached == 0 {
            if let Some(reply) = message.reply {
                self.deliver(&reply.clone(), || Inbound::NoResponders(reply.clone()));
            }
            return;
        }
        let sink = |target: &Target| self.sinks.get(target.tag as usize).and_then(Option::as_ref);
        let (last, others) = self.targets.split_last().expect("the broker reached somebody");
        for target in others {
            if let Some((_, sink)) = sink(target) {
                sink(Inbound::Message(Box::new(message.clone())));
            }
        }
        if let Some((_, sink)) = sink(last) {
            sink(Inbound::Message(Box::new(message)));
        }
    }

    fn deliver(&mut self, subject: &nunect_core::Subject, inbound: impl Fn() -> Inbound) {
        let Self { broker, sinks, .. } = self;
        broker.route(
            subject,
            |_| 0,
            |target| {
                if let Some(Some((_, sink))) = sinks.get(target.tag as usize) {
                    sink(inbound());
                }
            },
        );
    }
}

/// Ends one subscription, if its place is still its own.
fn end(state: &Mutex<State>, place: usize, owner: Owner) {
    let mut state = lock(state);
    state.broker.unsubscribe(owner.subscription);
    let sink = state.sinks.get_mut(place).and_then(|sink| sink.take_if(|(other, _)| *other == owner));
    drop(state);
    // As below: a sink may hold whatever it likes.
    drop(sink);
}

impl Bus for LocalClient {
    fn describe(&self) -> String {
        "embedded".to_owned()
    }

    fn publish(&self, now: Now, message: Message) -> Result<(), BusError> {
        let mut state = lock(&self.state);
        if self.closed.load(Ordering::Relaxed) {
            return Err(BusError::Closed);
        }
        state.publish(now, message);
        Ok(())
    }

    fn subscribe<'a>(
        &'a self,
        subscription: &'a Subscription,
        sink: Sink,
    ) -> Pending<'a, Result<Subscribed, BusError>> {
        let mut state = lock(&self.state);
        if self.closed.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(BusError::Closed)));
        }
        let State { broker, sinks, .. } = &mut *state;
        let free = sinks.iter().position(Option::is_none).unwrap_or_else(|| {
            sinks.push(None);
            sinks.len() - 1
        });
        let tag = u32::try_from(free).unwrap_or(u32::MAX);
        let id = broker.subscribe(self.id, tag, subscription.pattern.clone(), subscription.queue.as_deref());
        let owner = Owner { client: self.id, subscription: id };
        sinks[free] = Some((owner, sink));
        let state = Arc::downgrade(&self.state);
        Box::pin(std::future::ready(Ok(Subscribed::new(move || {
            if let Some(state) = state.upgrade() {
                end(&state, free, owner);
            }
        }))))
    }

    fn watch(&self, watcher: Watcher) {
        watcher(BusEvent::Connected);
    }

    fn round_trip(&self, _: Duration) -> Pending<'_, Result<Duration, RequestError>> {
        // There is no server to go to: what is left is the lock.
        let start = std::time::Instant::now();
        drop(lock(&self.state));
        Box::pin(std::future::ready(Ok(start.elapsed())))
    }

    fn flush(&self, _: Duration) -> Pending<'_, Result<(), BusError>> {
        // Everything was delivered as it was published.
        let closed = self.closed.load(Ordering::Relaxed);
        Box::pin(std::future::ready(if closed { Err(BusError::Closed) } else { Ok(()) }))
    }

    fn refusals(&self, _: u64) -> Vec<Refused> {
        Vec::new()
    }

    fn close(&self, _: Duration) -> Pending<'_, ()> {
        self.abandon();
        Box::pin(std::future::ready(()))
    }

    fn abandon(&self) {
        let mut state = lock(&self.state);
        self.closed.store(true, Ordering::Relaxed);
        state.broker.disconnect(self.id);
        let dropped: Vec<_> = state
            .sinks
            .iter_mut()
            .filter(|sink| sink.as_ref().is_some_and(|(owner, _)| owner.client == self.id))
            .map(Option::take)
            .collect();
        drop(state);
        // Sinks hold mailboxes: let them go without the lock.
        drop(dropped);
    }
}

impl Drop for LocalClient {
    fn drop(&mut self) {
        self.abandon();
    }
}

#[cfg(test)]
mod tests;
