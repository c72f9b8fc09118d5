//! What a node reaches beyond itself while it handles one step of the run.

use nunect_core::log::{Said, trace_of};
use nunect_core::{ActorName, Event, LogRecord, Message, Pattern, Wall};

use crate::clock::Receiver;
use crate::happening::Happening;
use crate::heap::Heap;
use crate::ports::Ports;
use crate::trace::What;
use crate::witness::Witness;
use crate::world::World;

/// The rest of the world, as one node sees it at one instant.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    /// True time.
    pub(crate) at: u64,
    /// Which node.
    pub(crate) node: u32,
    pub(crate) world: &'a mut World,
    pub(crate) heap: &'a mut Heap<Happening>,
    pub(crate) witness: &'a mut Witness,
    pub(crate) ports: &'a mut Ports,
    /// What the node's GPS receiver shows, if it has one.
    pub(crate) receiver: Option<Receiver>,
    /// What the node's log shipper is to be given; `None` when it has none.
    pub(crate) said: Option<Vec<LogRecord>>,
}

impl Around<'_> {
    /// Hands a message to the bus.
    pub(crate) fn publish(&mut self, message: Box<Message>) {
        self.witness.checker.published(self.at, self.node, &message);
        if let Some(lost) = self.world.publish(self.at, self.node, message, self.heap) {
            self.witness.lost(self.at, self.node, lost.as_str());
        }
    }

    pub(crate) fn subscribe(&mut self, tag: u32, pattern: &Pattern, queue: Option<&str>) {
        self.world.subscribe(self.at, self.node, tag, (pattern, queue), self.heap);
    }

    /// Something observable happens to the node, or to one of its actors.
    pub(crate) fn emit(&mut self, actor: Option<(u32, &ActorName)>, event: Event) {
        self.emit_about(actor, event, None);
    }

    /// The same for an event that a message led to.
    pub(crate) fn emit_about(&mut self, actor: Option<(u32, &ActorName)>, event: Event, about: Option<&Message>) {
        if let Some(said) = &mut self.said {
            let level = event.level();
            let event = Said::Event(actor.map(|(_, name)| name.clone()), event.clone());
            let trace = about.and_then(trace_of);
            said.push(LogRecord { ts: Wall::default(), level, said: event, trace, headers: Vec::new() });
        }
        self.witness.event(self.at, self.node, actor, event);
    }

    pub(crate) fn record(&mut self, what: What<'_>) {
        self.witness.record(self.at, self.node, what);
    }
}
