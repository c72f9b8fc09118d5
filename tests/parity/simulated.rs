//! The simulated arm: the same actors on one event heap, in virtual time.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use nunect::simulations::{FlatConfig, NodeSpec, Simulation};
use nunect::{ActorSpec, Message, Program, UnitId};
use serde_json::Value;

use crate::brittle::Brittle;
use crate::world::{History, Seen, World};
use crate::{INTERVAL, OFFLINE_AFTER};

/// Nodes of a simulation.
pub(crate) struct Simulated {
    simulation: Simulation,
    /// The names of the actors of every unit that was ever started.
    units: BTreeMap<String, Vec<String>>,
}

impl Simulated {
    /// One perfect server.
    pub(crate) fn new() -> Self {
        let catalog = Program::new().with::<Brittle>().catalog().clone();
        let mut simulation = Simulation::empty(FlatConfig::default(), catalog, 1);
        simulation.keep_events();
        Self { simulation, units: BTreeMap::new() }
    }
}

fn unit_id(unit: &str) -> UnitId {
    UnitId::new(unit).expect("a legal unit ID")
}

fn history(simulation: &Simulation, units: &BTreeMap<String, Vec<String>>) -> Vec<Seen> {
    let mut history = Vec::new();
    for (unit, actors) in units {
        let id = unit_id(unit);
        for actor in std::iter::once(None).chain(actors.iter().map(Some)) {
            let events = simulation.events(&id, actor.map(String::as_str));
            history.extend(events.map(|(at, event)| Seen {
                unit: unit.clone(),
                actor: actor.map_or("node", String::as_str).to_owned(),
                at,
                event: event.clone(),
            }));
        }
    }
    history.sort_by_key(|seen| seen.at);
    history
}

impl World for Simulated {
    fn name(&self) -> &'static str {
        "the simulator"
    }

    fn now(&self) -> Duration {
        self.simulation.now()
    }

    fn offline_within(&self) -> RangeInclusive<Duration> {
        // What is under way is at most this late (the delay of the flat world).
        let delay = Duration::from_millis(5);
        OFFLINE_AFTER - INTERVAL..=OFFLINE_AFTER + delay
    }

    fn start(&mut self, unit: &str, actors: &Value) {
        let actors = actors.as_object().expect("a map of actors").iter();
        let actors: Vec<ActorSpec> =
            actors.filter_map(|(name, options)| ActorSpec::parse(name, options).expect("legal")).collect();
        self.units.insert(unit.to_owned(), actors.iter().map(|actor| actor.name.as_str().to_owned()).collect());
        self.simulation.start_node(NodeSpec::new(unit_id(unit), actors)).expect("the node starts");
    }

    fn kill(&mut self, unit: &str) {
        assert!(self.simulation.kill_node(&unit_id(unit)), "{unit} runs");
    }

    fn send(&mut self, message: Message) {
        self.simulation.publish(message);
    }

    fn run_until(&mut self, predicate: &dyn Fn(&History) -> bool, limit: Duration) -> bool {
        let Self { simulation, units } = self;
        simulation.run_until(|simulation| predicate(&history(simulation, units)), limit)
    }

    fn history(&self) -> Vec<Seen> {
        history(&self.simulation, &self.units)
    }
}
