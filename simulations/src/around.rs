//! What a node reaches beyond itself while it handles one step of the run.

use nunect_core::{ActorName, Event, Message, Pattern};

use crate::happening::Happening;
use crate::heap::Heap;
use crate::trace::What;
use crate::witness::Witness;
use crate::world::flat::Flat;

/// The rest of the world, as one node sees it at one instant.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    /// True time.
    pub(crate) at: u64,
    /// Which node.
    pub(crate) node: u32,
    pub(crate) world: &'a mut Flat,
    pub(crate) heap: &'a mut Heap<Happening>,
    pub(crate) witness: &'a mut Witness,
}

impl Around<'_> {
    /// Hands a message to the bus.
    pub(crate) fn publish(&mut self, message: Message) {
        if let Some(lost) = self.world.publish(self.at, self.node, message, self.heap) {
            self.witness.lost(self.at, self.node, lost.as_str());
        }
    }

    pub(crate) fn subscribe(&mut self, tag: u32, pattern: &Pattern, queue: Option<&str>) {
        self.world.subscribe(self.node, tag, pattern, queue);
    }

    /// Something observable happens to the node, or to one of its actors.
    pub(crate) fn emit(&mut self, actor: Option<(u32, &ActorName)>, event: Event) {
        self.witness.event(self.at, self.node, actor, event);
    }

    pub(crate) fn record(&mut self, what: What<'_>) {
        self.witness.record(self.at, self.node, what);
    }
}
