//! What the command line tools reach of a node.

use std::sync::Arc;

use nunect_core::Message;
use nunect_core::outbox::HandOver;

use super::{Node, Shared};
use crate::bus::{Bus, BusError};
use crate::control::{Identity, Refusal, Switchboard};
use crate::sync::lock;

impl Node {
    /// What a [`ControlServer`](crate::ControlServer) offers to the tools of this machine.
    #[must_use]
    pub fn switchboard(&self) -> Arc<dyn Switchboard> {
        Arc::clone(&self.shared) as Arc<dyn Switchboard>
    }
}

impl Switchboard for Shared {
    fn identity(&self) -> Identity {
        Identity { unit: self.unit.clone(), session: self.session.clone(), role: self.role, bus: self.bus.describe() }
    }

    fn publish(&self, message: Message) -> Result<(), Refusal> {
        let mut outbox = lock(&self.outbox);
        if !outbox.is_connected() {
            return Err(Refusal::new(503, "the node's bus is away"));
        }
        let now = self.clock.now();
        match outbox.publish(now, message) {
            HandOver::Send(message) => match self.bus.publish(now, *message) {
                Ok(()) => Ok(()),
                Err(error @ BusError::Refused(_)) => Err(Refusal::new(400, error.to_string())),
                Err(error @ (BusError::Timeout(_) | BusError::Full(_) | BusError::Closed)) => {
                    Err(Refusal::new(503, error.to_string()))
                }
            },
            HandOver::Kept => Err(Refusal::new(503, "the node's bus is away")),
            HandOver::Refused(refusal) => {
                drop(outbox);
                let told = Refusal::new(403, format!("{}: {}", refusal.subject, refusal.reason));
                self.tell_refusal(None, Some(refusal));
                Err(told)
            }
        }
    }

    fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }
}
