//! A scenario with every name resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nunect_core::time::nanos;
use nunect_core::{ActorSpec, Period, Role, UnitId};

use super::error::{Problems, did_you_mean};
use super::faults::FaultPlan;
use super::file::{Actors, Group, Names, ScenarioFile, World};
use super::{expect, faults, names as patterns, traffic};
use crate::checker::{Expectation, Filter};
use crate::clock::DRIFT_MAX_PPB;
use crate::clock::config::ClocksConfig;
use crate::delay::Delay;
use crate::fault::Liveness;
use crate::world::WorldPlan;
use crate::world::flat::{DELAY_MAX, FlatConfig};

/// The most nodes that a scenario may have.
pub(super) const NODES_MAX: usize = 100_000;
/// The longest that an actor may work on one message: beyond, a node would call it hung.
const SERVICE_MAX: std::time::Duration = std::time::Duration::from_millis(500);
/// The longest run, and the largest error of a clock: a year.
pub(super) const YEAR: Period = Period::from_secs(365 * 86_400);

#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) seed: u64,
    pub(crate) duration: u64,
    /// The latest start of a node.
    pub(crate) spread: u64,
    pub(crate) world: WorldPlan,
    pub(crate) nodes: Vec<PlannedNode>,
    /// Every actor that is written down, and the key of the list that it stands in.
    pub(crate) actors: Vec<(String, ActorSpec)>,
    /// How long actors of a kind work on a message.
    pub(crate) service: Arc<BTreeMap<String, Delay>>,
    pub(crate) faults: FaultPlan,
    /// When all faults end, and how soon all must be well.
    pub(crate) liveness: Option<Liveness>,
    pub(crate) expectations: Vec<Expectation>,
    /// Errors that are no surprise.
    pub(crate) expected_errors: Vec<Filter>,
}

#[derive(Clone, Debug)]
pub(crate) struct PlannedNode {
    pub(crate) unit: UnitId,
    pub(crate) role: Role,
    pub(crate) actors: Arc<[ActorSpec]>,
    pub(crate) clocks: ClocksConfig,
}

impl Plan {
    /// Resolves a file. What cannot be resolved goes to `problems`.
    pub(crate) fn new(file: &ScenarioFile, problems: &mut Problems) -> Self {
        let mut plan = Self {
            name: file.name.clone(),
            about: file.about.clone(),
            seed: file.seed,
            duration: nanos(file.duration.0),
            spread: nanos(file.boot.spread.0),
            ..Self::default()
        };
        plan.check_times(file, problems);
        plan.add_nodes(file, problems);
        plan.plan_world(file, problems);
        if problems.is_empty() {
            traffic::add(&file.traffic, &mut plan, problems);
            plan.check_service(file, problems);
        }
        // What is wrong with nodes or faults would be reported again wherever they are named.
        if problems.is_empty() {
            faults::resolve(file, &mut plan, problems);
        }
        if problems.is_empty() {
            plan.expectations = expect::resolve(&file.expect, &file.faults, &plan, problems);
            plan.expected_errors = expect::resolve_errors(&file.expect_errors, &file.faults, &plan, problems);
        }
        plan
    }

    /// All units, in order.
    pub(crate) fn units(&self) -> Vec<UnitId> {
        self.nodes.iter().map(|node| node.unit.clone()).collect()
    }

    fn check_times(&self, file: &ScenarioFile, problems: &mut Problems) {
        if self.duration == 0 || file.duration > YEAR {
            problems.add("duration", format!("{} is no time to simulate", file.duration), "write 1s to 1year");
        } else if self.spread > self.duration {
            problems.add("boot.spread", "nodes would start after the end of the run", "make it shorter");
        }
        check_clocks("clocks", file.clocks, problems);
    }

    fn plan_world(&mut self, file: &ScenarioFile, problems: &mut Problems) {
        let config = match &file.world {
            World::Flat(config) => {
                check_flat(*config, problems);
                self.world = WorldPlan::Flat(*config);
                return;
            }
            World::Layered(config) => config,
        };
        // What is wrong with nodes would be reported again wherever they are named.
        if !problems.is_empty() {
            return;
        }
        let units = self.units();
        let find = |named: &Names| {
            patterns::resolve(named, &units).map_err(|unknown| (unknown.position, unknown.reason, unknown.help))
        };
        let plan = config.plan(&units, &find, &mut |key, reason, help| {
            problems.add(format!("world.layered.{key}"), reason, help);
        });
        self.world = WorldPlan::Layered(Box::new(plan));
    }

    fn check_service(&mut self, file: &ScenarioFile, problems: &mut Problems) {
        for (kind, delay) in &file.service {
            let key = format!("service.{kind}");
            let kinds: BTreeSet<&str> =
                self.nodes.iter().flat_map(|node| node.actors.iter()).map(|actor| actor.kind.as_str()).collect();
            if !kinds.contains(kind.as_str()) {
                let help = did_you_mean(kind, kinds.iter().copied());
                problems.add(key, format!("no actor of the scenario is of the kind `{kind}`"), help);
            } else if delay.is_reversed() {
                problems.add(format!("{key}.uniform"), "the second time is shorter than the first", "swap them");
            } else if delay.max().0 > SERVICE_MAX {
                problems.add(key, format!("longer than {}", Period(SERVICE_MAX)), "an actor that takes longer hangs");
            }
        }
        self.service = Arc::new(file.service.clone());
    }

    fn add_nodes(&mut self, file: &ScenarioFile, problems: &mut Problems) {
        if file.nodes.is_empty() {
            problems.add("nodes", "a scenario needs at least one node", "write `- { prefix: n, count: 10 }`");
        }
        let mut known = BTreeSet::new();
        let common = self.add_actors("actors", &file.actors, problems);
        for (number, group) in file.nodes.iter().enumerate() {
            let key = format!("nodes[{number}]");
            let own = self.add_actors(&format!("{key}.actors"), &group.actors, problems);
            let actors: Arc<[ActorSpec]> = merged(&common, own).into();
            let clocks = group.clocks.unwrap_or(file.clocks);
            check_clocks(&format!("{key}.clocks"), clocks, problems);
            for unit in names(&key, group, problems) {
                if !known.insert(unit.clone()) {
                    problems.add(key, format!("two nodes are called `{unit}`"), "rename one group");
                    break;
                }
                if !self.add_node(&key, &unit, group.role, &actors, clocks, problems) {
                    break;
                }
            }
            if self.nodes.len() == NODES_MAX && !problems.is_empty() {
                break;
            }
        }
    }

    /// Adds a node. Returns whether it could.
    fn add_node(
        &mut self,
        key: &str,
        unit: &str,
        role: Role,
        actors: &Arc<[ActorSpec]>,
        clocks: ClocksConfig,
        problems: &mut Problems,
    ) -> bool {
        let unit = match UnitId::new(unit) {
            Ok(unit) if self.nodes.len() < NODES_MAX => unit,
            Ok(_) => {
                problems.add(key, format!("more than {NODES_MAX} nodes"), "");
                return false;
            }
            Err(error) => {
                problems.add(key, error.to_string(), "");
                return false;
            }
        };
        self.nodes.push(PlannedNode { unit, role, actors: Arc::clone(actors), clocks });
        true
    }

    /// Reads a list of actors; one that is not enabled comes as its name alone.
    fn add_actors(&mut self, key: &str, actors: &Actors, problems: &mut Problems) -> Vec<(String, Option<ActorSpec>)> {
        let mut specs = Vec::new();
        for (name, options) in actors {
            match ActorSpec::parse(name, options) {
                Ok(spec) => {
                    self.actors.extend(spec.clone().map(|spec| (key.to_owned(), spec)));
                    specs.push((name.clone(), spec));
                }
                Err(error) => problems.add(format!("{key}.{}", error.key), error.reason, ""),
            }
        }
        specs
    }
}

/// The actors of a group: its own in place of, and then beside, those of every node.
fn merged(common: &[(String, Option<ActorSpec>)], own: Vec<(String, Option<ActorSpec>)>) -> Vec<ActorSpec> {
    let mut actors = common.to_vec();
    for (name, spec) in own {
        match actors.iter_mut().find(|(other, _)| *other == name) {
            Some((_, place)) => *place = spec,
            None => actors.push((name, spec)),
        }
    }
    actors.into_iter().filter_map(|(_, spec)| spec).collect()
}

/// The unit IDs of a group.
fn names(key: &str, group: &Group, problems: &mut Problems) -> Vec<String> {
    match (&group.name, &group.prefix, group.count) {
        (Some(name), None, None) => vec![name.clone()],
        (None, Some(prefix), Some(count @ 1..)) => {
            let width = count.to_string().len();
            // One more than is allowed is enough to see that there are too many.
            (0..count).take(NODES_MAX + 1).map(|n| format!("{prefix}{n:0width$}")).collect()
        }
        (None, Some(_), Some(0)) => {
            problems.add(format!("{key}.count"), "a group without nodes", "leave the group out");
            Vec::new()
        }
        (Some(_), _, _) | (None, _, _) => {
            let help = "write `{ name: master }` or `{ prefix: n, count: 100 }`";
            problems.add(key, "a group has either a name, or a prefix and a count", help);
            Vec::new()
        }
    }
}

fn check_flat(world: FlatConfig, problems: &mut Problems) {
    if world.delay.is_reversed() {
        problems.add("world.flat.delay.uniform", "the second time is shorter than the first", "swap them");
    }
    if world.delay.max().0 > DELAY_MAX {
        problems.add("world.flat.delay", format!("longer than {}", Period(DELAY_MAX)), "");
    }
    if world.detect.0 > DELAY_MAX {
        problems.add("world.flat.detect", format!("longer than {}", Period(DELAY_MAX)), "");
    }
}

fn check_clocks(key: &str, clocks: ClocksConfig, problems: &mut Problems) {
    if clocks.offset > YEAR {
        problems.add(format!("{key}.offset"), "no clock is wrong by more than a year", "");
    }
    if i32::try_from(clocks.drift.ppb).is_err() || clocks.drift.ppb > DRIFT_MAX_PPB.unsigned_abs() {
        let max = DRIFT_MAX_PPB / 1_000;
        problems.add(format!("{key}.drift"), format!("no clock drifts by more than {max}ppm"), "");
    }
}
