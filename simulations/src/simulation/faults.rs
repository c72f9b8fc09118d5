//! Faults of a scenario strike, and end.

use super::{Simulation, index};
use crate::fault::Kind;
use crate::node::Node;

impl Simulation {
    /// Lets a fault strike, or end.
    pub(super) fn fault(&mut self, number: u32, begins: bool) {
        self.witness.fault(self.now, number, begins);
        let Some(fault) = self.faults.get(index(number)).cloned() else { return };
        match (fault.kind, begins) {
            (Kind::World(harm), true) => self.world.impose(self.now, number, &harm, &mut self.heap),
            (Kind::World(harm), false) => self.world.lift(self.now, number, &harm, &mut self.heap),
            (Kind::Crash(nodes), true) => nodes.into_iter().for_each(|node| self.at_node(node, Node::crash)),
            (Kind::Stop(nodes), true) => nodes.into_iter().for_each(|node| self.at_node(node, Node::stop)),
            (Kind::Crash(nodes) | Kind::Stop(nodes), false) => nodes.into_iter().for_each(|node| self.boot(node)),
            (Kind::Panic(actors), true) => {
                for (node, slot) in actors {
                    self.at_node(node, |node, around| node.panic(slot, around));
                }
            }
            (Kind::Panic(_), false) => {}
        }
    }
}
