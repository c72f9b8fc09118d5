//! How everything stands, for the checkers.

use nunect_core::protocol::command::MailboxReport;
use nunect_core::table::Table;
use nunect_core::{Health, UnitId};

use super::{Simulation, index};
use crate::checker::Verdict;
use crate::checker::condition::Scene;
use crate::component::Component;
use crate::node::Node;
use crate::process::Process;
use crate::witness::Witness;
use crate::world::World;

struct Present<'a> {
    nodes: &'a [Node],
    world: &'a World,
}

impl Present<'_> {
    fn process(&self, node: u32) -> Option<&Process> {
        self.nodes.get(index(node))?.process()
    }

    fn component(&self, node: u32, slot: u32) -> Option<&Component> {
        self.process(node)?.component(slot)
    }
}

impl Scene for Present<'_> {
    fn nodes(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }
    fn unit(&self, node: u32) -> &str {
        self.nodes.get(index(node)).map_or("?", |node| node.spec.unit.as_str())
    }
    fn is_up(&self, node: u32) -> bool {
        self.process(node).is_some()
    }
    fn is_connected(&self, node: u32) -> bool {
        self.world.is_connected(node)
    }
    fn health(&self, node: u32) -> Health {
        self.process(node).map_or(Health::Offline, Process::health)
    }
    fn directory(&self, node: u32) -> Option<&Table<UnitId, Health>> {
        Some(self.process(node)?.directory())
    }
    fn mailbox(&self, node: u32, slot: u32) -> Option<MailboxReport> {
        self.component(node, slot)?.mailbox_report()
    }
    fn restarts(&self, node: u32, slot: u32) -> Option<u32> {
        self.component(node, slot).map(Component::restarts)
    }
}

impl Simulation {
    /// Lets the checkers look at what nothing changed before `next`.
    pub(super) fn look(&mut self, next: u64) {
        let Self { witness: Witness { checker, .. }, nodes, world, .. } = self;
        while checker.due() < next {
            checker.look(checker.due(), &Present { nodes, world });
        }
    }

    /// What became of the expectations so far.
    pub(super) fn verdicts(&mut self) -> Vec<Verdict> {
        self.look(self.now.saturating_add(1));
        let Self { witness: Witness { checker, .. }, nodes, world, now, .. } = self;
        for node in nodes.iter() {
            for component in node.process().into_iter().flat_map(Process::components) {
                if let (Some(counters), Some(report)) = (component.mailbox_counters(), component.mailbox_report()) {
                    let place = || format!("{} {}", node.spec.unit, component.name);
                    checker.laws.counted(*now, place, counters, report.depth);
                }
            }
        }
        checker.verdicts(*now, &Present { nodes, world })
    }
}
