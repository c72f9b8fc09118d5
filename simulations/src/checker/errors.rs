//! Which errors a scenario must expect.
//!
//! An error is an event that would be written down as one, and every crash of an actor: with no fault
//! to explain it, it is a bug that was found.

use std::time::Duration;

use nunect_core::time::nanos;
use nunect_core::{Event, Level};

use super::{Filter, Sighting};
use crate::fault::{Fault, Kind};
use crate::world::Harm;

/// For how long after it is over a fault explains errors: the window of a supervisor's intensity, and
/// the back-off at its end.
const AFTERMATH: Duration = Duration::from_secs(60);

/// The names of all events that can be errors.
pub(crate) const ERRORS: [&str; 7] =
    ["actor_crashed", "actor_hung", "bus_refused", "duplicate_unit", "escalated", "node_health", "unit_health"];

pub(crate) fn is_error(event: &Event) -> bool {
    matches!(event, Event::ActorCrashed { .. }) || event.level() >= Level::Error
}

/// What a fault explains.
#[derive(Clone, Debug)]
struct Excuse {
    from: u64,
    until: u64,
    /// The nodes that it names; all, when it names none.
    nodes: Option<Vec<u32>>,
    /// Whether it befalls processes: then it explains crashes, too.
    process: bool,
}

/// The errors that are expected.
#[derive(Debug)]
pub(crate) struct Errors {
    expected: Vec<Filter>,
    excuses: Vec<Excuse>,
}

impl Errors {
    pub(crate) fn new(expected: Vec<Filter>, faults: &[Fault]) -> Self {
        Self { expected, excuses: faults.iter().map(Excuse::from).collect() }
    }

    /// Whether it is an error that nothing explains.
    pub(crate) fn is_unexpected(&mut self, seen: &Sighting<'_>) -> bool {
        if let Event::ChaosInjected { .. } = seen.event {
            let until = seen.at.saturating_add(nanos(AFTERMATH));
            let nodes = Some(vec![seen.node]);
            self.excuses.push(Excuse { from: seen.at, until, nodes, process: true });
        }
        is_error(seen.event)
            && !self.excuses.iter().any(|excuse| excuse.explains(seen))
            && !self.expected.iter().any(|filter| filter.matches(seen).is_some())
    }
}

impl From<&Fault> for Excuse {
    fn from(fault: &Fault) -> Self {
        let (nodes, process) = match &fault.kind {
            Kind::World(Harm::Cut(nodes) | Harm::Servers(nodes)) | Kind::Clock { nodes, .. } => (Some(nodes), false),
            Kind::World(Harm::Net(_)) => (None, false),
            Kind::Tamper(tampering) => (Some(&tampering.nodes), false),
            Kind::Crash { nodes, .. } | Kind::Stop(nodes) | Kind::Pause(nodes) => (Some(nodes), true),
            Kind::Actor { actors, .. } => return Self::of(fault, Some(actors.iter().map(|(node, _)| *node)), true),
        };
        Self::of(fault, nodes.map(|nodes| nodes.iter().copied()), process)
    }
}

impl Excuse {
    fn of(fault: &Fault, nodes: Option<impl Iterator<Item = u32>>, process: bool) -> Self {
        let over = match (fault.end, process) {
            (Some(end), _) => end,
            // What lasts to the end of the run explains all of it; a panic is over at once.
            (None, false) => u64::MAX,
            (None, true) => fault.at,
        };
        Self {
            from: fault.at,
            until: over.saturating_add(nanos(AFTERMATH)),
            nodes: nodes.map(Iterator::collect),
            process,
        }
    }

    fn explains(&self, seen: &Sighting<'_>) -> bool {
        let named = |node: u32| self.nodes.as_ref().is_none_or(|nodes| nodes.contains(&node));
        let event = seen.event;
        let of_process =
            matches!(event, Event::ActorCrashed { .. } | Event::ActorHung { .. } | Event::Escalated { .. });
        // What others see of a unit is for the scenario to judge: any fault explains it.
        let of_another = matches!(event, Event::UnitHealth { .. });
        // No fault makes a second unit of a name.
        let of_none = matches!(event, Event::DuplicateUnit { .. });
        let kind = !of_none && (self.process || !of_process);
        kind && (of_another || named(seen.node)) && (self.from..=self.until).contains(&seen.at)
    }
}
