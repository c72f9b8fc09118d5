//! Many seeds of one scenario: which of them fail, and at what.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use nunect_core::{Catalog, crash};
use serde::Serialize;

use crate::checker::Judgement;
use crate::trace::TraceHash;
use crate::{Outcome, Scenario, ScenarioError, Simulation};

/// What became of one seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The seed.
    pub seed: u64,
    /// Equal for equal runs; `None` when the run did not come to its end.
    pub hash: Option<TraceHash>,
    /// What failed, in words that are the same for equal failures; `None` when nothing did.
    pub failure: Option<String>,
    /// What happened first of it, with its time.
    pub why: String,
    /// The expectations of the kind `sometimes` that this seed met.
    pub seen: Vec<String>,
    /// The command that repeats it.
    pub replay: String,
}

/// Seeds that fail alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What failed.
    pub failure: String,
    /// All of these seeds, in order.
    pub seeds: Vec<u64>,
    /// What happened with the first of them.
    pub why: String,
    /// The command that repeats the first of them.
    pub replay: String,
}

/// What became of many seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exploration {
    /// How many were tried.
    pub tried: u64,
    /// How many failed.
    pub failed: u64,
    /// The failures, the most frequent first.
    pub groups: Vec<Group>,
    /// What should be seen sometimes, and was seen with no seed: the scenario is too weak to show it.
    pub never_seen: Vec<String>,
}

/// Runs a scenario with each of `seeds`, on so many threads, and tells of each as it ends; it begins no
/// further seed once `tell` breaks. The result does not depend on the number of threads.
///
/// # Errors
/// When the catalog does not know an actor of the scenario, or refuses its options.
pub fn explore(
    scenario: &Scenario,
    catalog: &Catalog,
    seeds: RangeInclusive<u64>,
    jobs: NonZeroUsize,
    mut tell: impl FnMut(&Tried) -> ControlFlow<()>,
) -> Result<Exploration, ScenarioError> {
    scenario.check(catalog)?;
    let (first, last) = (*seeds.start(), *seeds.end());
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(first > last));
    let mut all = BTreeMap::new();
    std::thread::scope(|scope| {
        let (sender, tried) = mpsc::sync_channel(jobs.get());
        for _ in 0..jobs.get() {
            let (sender, next, over) = (sender.clone(), &next, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // Counted from the first one: beyond the last of all numbers there would be 0 again.
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth > last - first || sender.send(attempt(scenario, catalog, first + nth)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for tried in tried {
            if tell(&tried).is_break() {
                over.store(true, Ordering::Relaxed);
            }
            all.insert(tried.seed, tried);
        }
    });
    Ok(Exploration::of(all.into_values(), scenario))
}

/// What failed when the simulator itself did.
pub(crate) const PANICKED: &str = "the simulator panicked";

/// What a run came to, or the words of the panic that ended it; and when it ended.
pub(crate) type Caught = (Result<Outcome, String>, Duration);

/// Runs a scenario with one seed, and catches a panic of the simulator.
pub(crate) fn run_caught(scenario: &Scenario, catalog: &Catalog, seed: u64) -> Result<Caught, ScenarioError> {
    let mut simulation = Simulation::new(scenario, catalog.clone(), seed)?;
    let run = crash::catch(|| simulation.run_to_be_caught());
    let now = simulation.now();
    // Not while a panic unwinds: an actor that panics once more when it goes would end the process.
    let gone = crash::catch(|| drop(simulation));
    Ok((run.and_then(|outcome| gone.map(|()| outcome)), now))
}

/// Runs a scenario with one seed. A panic of the simulator is a failure like any other.
fn attempt(scenario: &Scenario, catalog: &Catalog, seed: u64) -> Tried {
    let replay = scenario.replay(seed);
    let failed = |failure: &str, why| {
        let failure = Some(failure.to_owned());
        Tried { seed, hash: None, failure, why, seen: Vec::new(), replay }
    };
    match run_caught(scenario, catalog, seed) {
        Ok((Ok(outcome), _)) => Tried::from(&outcome),
        Ok((Err(words), _)) => failed(PANICKED, words),
        Err(error) => failed("the scenario cannot be run", error.to_string()),
    }
}

impl From<&Outcome> for Tried {
    fn from(outcome: &Outcome) -> Self {
        let broken = outcome.expectations.iter().filter_map(|verdict| match &verdict.judgement {
            Judgement::Broken { at, why, .. } => Some((at, why)),
            Judgement::Met { .. } | Judgement::Untried { .. } | Judgement::Unmet { .. } => None,
        });
        let broken = broken.min_by_key(|(at, _)| *at);
        let why = broken.map_or_else(String::new, |(at, why)| format!("at {:.3} s: {why}", at.as_secs_f64()));
        Self {
            seed: outcome.seed,
            hash: Some(outcome.hash),
            failure: outcome.failure().map(|failure| failure.to_string()),
            why,
            seen: outcome.seen().map(str::to_owned).collect(),
            replay: outcome.replay.clone(),
        }
    }
}

impl Exploration {
    fn of(tried: impl Iterator<Item = Tried>, scenario: &Scenario) -> Self {
        let mut exploration = Self::default();
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        let mut never_seen: Vec<String> = scenario.sometimes().map(str::to_owned).collect();
        for tried in tried {
            exploration.tried += 1;
            never_seen.retain(|name| !tried.seen.contains(name));
            let Some(failure) = tried.failure else { continue };
            exploration.failed += 1;
            let Tried { why, replay, .. } = tried;
            let new = || Group { failure: failure.clone(), seeds: Vec::new(), why, replay };
            groups.entry(failure.clone()).or_insert_with(new).seeds.push(tried.seed);
        }
        exploration.groups = groups.into_values().collect();
        exploration.groups.sort_by_key(|group| std::cmp::Reverse(group.seeds.len()));
        exploration.never_seen = if exploration.tried > 0 { never_seen } else { Vec::new() };
        exploration
    }
}
