//! How a node follows its bus.

use std::sync::Arc;
use std::time::Duration;

use nunect_core::health::Cause;
use nunect_core::requests::Pending;
use nunect_core::{BusEvent, Event, Message, RequestError, Sensor, Subscription, protocol};
use tokio::sync::watch;

use super::Shared;
use crate::bus::{BusError, Inbound};
use crate::component::Control;
use crate::sync::lock;

/// How long a node waits at its start for a bus that is about to be there.
const BUS_PATIENCE: Duration = Duration::from_millis(500);

impl Shared {
    /// Subscribes to answers, and follows the bus from now on.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<(), BusError> {
        let inbox = Subscription::from(lock(&self.requests).pattern());
        let node = Arc::downgrade(self);
        let sink = Arc::new(move |inbound| {
            if let Some(node) = node.upgrade() {
                node.answered(inbound);
            }
        });
        self.bus.subscribe(&inbox, sink).await?.forever();
        let (present, mut known) = watch::channel(None);
        let node = Arc::downgrade(self);
        self.bus.watch(Box::new(move |event| {
            if let Some(node) = node.upgrade() {
                let first = present.borrow().is_none();
                if matches!(event, BusEvent::Connected | BusEvent::Disconnected) {
                    present.send_replace(Some(event.clone()));
                }
                node.bus_changed(event, first);
            }
        }));
        // A bus that is about to be there is waited for: the first thing a node says should not be
        // that it is deaf. It then says so all the same.
        let connected = known.wait_for(|event| *event == Some(BusEvent::Connected));
        let waited = tokio::time::timeout(BUS_PATIENCE, connected).await;
        // It may have come in the very moment that the time was up.
        if waited.is_err() && !lock(&self.outbox).is_connected() {
            self.emit(None, Event::BusDisconnected);
            self.set_cause(Cause::BusAway, true);
        }
        Ok(())
    }

    pub(super) fn bus_changed(&self, event: BusEvent, first: bool) {
        match &event {
            BusEvent::Connected => {
                let now = self.clock.now();
                let mut outbox = lock(&self.outbox);
                for message in outbox.connected(now) {
                    self.hand_to_bus(now, message);
                }
                drop(outbox);
                self.emit(None, Event::BusConnected);
            }
            // At first it is merely not there yet.
            BusEvent::Disconnected if first => return,
            BusEvent::Disconnected => {
                lock(&self.outbox).disconnected();
                self.emit(None, Event::BusDisconnected);
            }
            BusEvent::Denied { action, subject } => {
                self.emit(None, Event::BusDenied { action: *action, subject: subject.clone() });
            }
            // That the node does better says it.
            BusEvent::Permitted { .. } => {}
            BusEvent::SlowConsumer => self.emit(None, Event::BusSlow),
            BusEvent::Refused { reason } => self.emit(None, Event::BusRefused { reason: reason.clone() }),
        }
        // Whoever tells of a change of health must know whether anybody can hear it: what is said to
        // an absent bus is told when it is back, as if it were new.
        let tell_bus = || self.tell(|| Control::Bus(event.clone()), |sensor| matches!(sensor, Sensor::Bus));
        match &event {
            BusEvent::Connected => {
                self.clear_causes(|cause| matches!(cause, Cause::BusAway | Cause::Denied(_) | Cause::Refused(_)));
                tell_bus();
            }
            BusEvent::Denied { action, subject } => {
                tell_bus();
                // What the server offers of itself is for those who may see it; a node does without.
                if !protocol::is_servers_own(subject) {
                    self.set_cause(Cause::Denied(format!("{action} {subject}")), true);
                }
            }
            BusEvent::Permitted { action, subject } => {
                self.set_cause(Cause::Denied(format!("{action} {subject}")), false);
                tell_bus();
            }
            BusEvent::Refused { reason } => {
                tell_bus();
                self.set_cause(Cause::Refused(reason.clone()), true);
            }
            BusEvent::SlowConsumer => tell_bus(),
            BusEvent::Disconnected => {
                tell_bus();
                self.set_cause(Cause::BusAway, true);
            }
        }
    }

    /// Gives an input to every actor that wants it.
    pub(super) fn tell(&self, control: impl Fn() -> Control, wanted: impl Fn(&Sensor) -> bool + Copy) {
        for component in self.components().iter().filter(|component| component.wants(wanted)) {
            component.control(control());
        }
    }

    pub(super) fn answered(&self, inbound: Inbound) {
        let (subject, result) = match inbound {
            Inbound::Message(message) => (message.subject.clone(), Ok(message)),
            Inbound::NoResponders(subject) => (subject, Err(RequestError::NoResponders)),
        };
        let pending = lock(&self.requests).close(&subject);
        if let Some(pending) = pending {
            self.conclude(pending, result);
        }
    }

    pub(super) fn conclude(&self, pending: Pending, result: Result<Box<Message>, RequestError>) {
        self.component(pending.slot.0 as usize).reply(pending.id, pending.sent, result);
    }
}
