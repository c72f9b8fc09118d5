//! What actors may ask of their node.

use std::sync::atomic::Ordering;

use nunect_core::health::Cause;
use nunect_core::{Event, Level, NodeAnswer, NodeCommand, NodeRefusal, NodeReport, RequestId, Sensor};

use super::{End, Shared};
use crate::component::{Component, Control};
use crate::sync::lock;
use crate::tree::Told;

impl Shared {
    /// Carries out what an actor asks of its node, or says why not.
    pub(super) fn command(&self, component: &Component, id: RequestId, command: NodeCommand) {
        let done = match command {
            NodeCommand::Describe => {
                // The tree answers by itself; one that has ended describes nothing.
                let told = self.tree.get().map(|tree| tree.cast(Told::Describe { slot: component.slot, id }));
                match told {
                    Some(Ok(())) => return,
                    Some(Err(_)) | None => {
                        Err(NodeRefusal { code: 503, reason: "the node is starting or ending".into() })
                    }
                }
            }
            NodeCommand::LogLevel(level) => {
                self.set_log_level(level);
                self.emit(Some(&component.name), Event::LogLevelSet { level });
                Ok(NodeAnswer::Done)
            }
            NodeCommand::Chaos { actor, what } => {
                let target = self.components().into_iter().find(|component| component.name == actor);
                match target {
                    _ if !self.chaos.load(Ordering::Relaxed) => Err(NodeRefusal {
                        code: 403,
                        reason: "chaos is not allowed on this node; its configuration needs `chaos: { enabled: true }`"
                            .into(),
                    }),
                    None => Err(NodeRefusal { code: 404, reason: format!("no actor is called `{actor}` here") }),
                    Some(target) => {
                        // The answer goes before the harm, which may befall who is to give it.
                        component.control_life(
                            id.incarnation,
                            Control::Node(NodeReport::Done { id, result: Ok(NodeAnswer::Done) }),
                        );
                        self.emit(Some(&actor), Event::ChaosInjected { what });
                        target.control(Control::Chaos(what));
                        return;
                    }
                }
            }
            NodeCommand::SetClock { claim, lost } => {
                lock(&self.outbox).set_clock(claim);
                self.set_cause(Cause::ClockLost, lost);
                self.tell(|| Control::Node(NodeReport::Clock(claim)), |sensor| matches!(sensor, Sensor::Claim));
                // Said once a second: that it is done goes without saying.
                return;
            }
            NodeCommand::Leave { session } => {
                self.ended(End::Duplicate { session });
                Ok(NodeAnswer::Done)
            }
        };
        component.control_life(id.incarnation, Control::Node(NodeReport::Done { id, result: done }));
    }

    pub(super) fn set_log_level(&self, level: Level) {
        self.logs.set_level(level);
        self.log_level.send_replace(level);
    }
}
