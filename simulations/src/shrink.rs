//! A failing run, made smaller while it still fails alike.
//!
//! First everything random is written out, so that what is left can be taken away piece by piece:
//! faults (by delta debugging: Zeller and Hildebrandt, IEEE TSE 28(2), 2002), the time after the
//! failure, what else is expected, traffic, nodes; then faults are made shorter. The streams of
//! randomness belong to names and instants, so that what is taken away leaves every other draw as it was.

use std::ops::ControlFlow;
use std::time::Duration;

use nunect_core::{Catalog, Period};
use serde_json::Value;

use crate::checker::Judgement;
use crate::explore::{PANICKED, run_caught};
use crate::{Scenario, ScenarioError};

/// A failing run that became smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The scenario, as YAML.
    pub text: String,
    /// What fails.
    pub failure: String,
    /// What it was made of before, once everything random was written out.
    pub before: Size,
    /// What it is made of now.
    pub after: Size,
    /// Runs that it took.
    pub runs: u32,
}

/// What a scenario is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Nodes.
    pub nodes: usize,
    /// Simulated time.
    pub duration: Duration,
}

/// Why a run does not become smaller.
#[derive(Debug, thiserror::Error)]
pub enum ShrinkError {
    /// The scenario cannot be run at all.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// It does not fail with this seed.
    #[error("the scenario does not fail with seed {0}; `sim explore` finds seeds that do")]
    Passes(u64),
    /// With everything random written out it does not fail alike.
    #[error(
        "written out without chance, seed {seed} no longer fails at `{failure}`; this is a mistake of the simulator"
    )]
    NotConcrete {
        /// The seed.
        seed: u64,
        /// What failed before.
        failure: String,
    },
}

/// Makes the failure of `scenario` with `seed` smaller, in at most `runs_max` runs. `tell` hears of every
/// step and may end the search; what was reached by then is the result.
///
/// # Errors
/// When the scenario cannot be run, or does not fail.
pub fn shrink(
    scenario: &Scenario,
    catalog: &Catalog,
    seed: u64,
    runs_max: u32,
    tell: impl FnMut(Size, u32) -> ControlFlow<()>,
) -> Result<Shrunk, ShrinkError> {
    let (failure, _) = attempt(scenario, catalog, seed)?.ok_or(ShrinkError::Passes(seed))?;
    let mut search = Search { scenario, catalog, seed, failure, runs: 0, runs_max, tell };
    let mut best = scenario.concrete(seed);
    best["seed"] = seed.into();
    let Some(at) = search.failure_of(&best) else {
        return Err(ShrinkError::NotConcrete { seed, failure: search.failure });
    };
    let before = size(&best);
    // A run cannot end before its liveness phase.
    search.drop_keys(&mut best, &["about", "liveness", "service"]);
    search.shorten_run(&mut best, at);
    search.drop_items(&mut best, "expect");
    // Each may make room for another.
    loop {
        let round = best.clone();
        search.drop_items(&mut best, "faults");
        search.drop_items(&mut best, "traffic");
        search.drop_nodes(&mut best);
        search.shorten_faults(&mut best);
        if let Some(at) = search.failure_of(&best) {
            search.shorten_run(&mut best, at);
        }
        if best == round || search.is_over() {
            break;
        }
    }
    let after = size(&best);
    let text = search.text(&best);
    Ok(Shrunk { text, failure: search.failure, before, after, runs: search.runs })
}

/// What failed first in a run, in words that are the same for equal failures, and when.
fn attempt(scenario: &Scenario, catalog: &Catalog, seed: u64) -> Result<Option<(String, Duration)>, ScenarioError> {
    let (outcome, end) = run_caught(scenario, catalog, seed)?;
    let Ok(outcome) = outcome else { return Ok(Some((PANICKED.to_owned(), end))) };
    let broken = outcome.expectations.iter().filter_map(|verdict| match verdict.judgement {
        Judgement::Broken { at, .. } => Some(at),
        Judgement::Met { .. } | Judgement::Untried { .. } | Judgement::Unmet { .. } => None,
    });
    Ok(outcome.failure().map(|failure| failure.to_string()).zip(broken.min()))
}

struct Search<'a, T> {
    scenario: &'a Scenario,
    catalog: &'a Catalog,
    seed: u64,
    failure: String,
    runs: u32,
    runs_max: u32,
    tell: T,
}

impl<T: FnMut(Size, u32) -> ControlFlow<()>> Search<'_, T> {
    const fn is_over(&self) -> bool {
        self.runs >= self.runs_max
    }

    /// When a candidate fails in the way that is wanted; `None` when it does not, or is no scenario.
    fn failure_of(&mut self, candidate: &Value) -> Option<Duration> {
        if self.is_over() {
            return None;
        }
        self.runs += 1;
        let text = serde_saphyr::to_string(candidate).ok()?;
        let scenario = Scenario::parse(&self.scenario.source().path, text).ok()?;
        let (failure, at) = attempt(&scenario, self.catalog, self.seed).ok()??;
        (failure == self.failure).then_some(at)
    }

    /// Takes a candidate in place of the best so far if it fails alike.
    fn try_out(&mut self, best: &mut Value, candidate: Value) -> bool {
        if candidate == *best || self.failure_of(&candidate).is_none() {
            return false;
        }
        *best = candidate;
        if (self.tell)(size(best), self.runs).is_break() {
            self.runs_max = self.runs;
        }
        true
    }

    /// Ends the run soon after the failure.
    fn shorten_run(&mut self, best: &mut Value, at: Duration) {
        for margin in [Duration::from_secs(1), Duration::from_secs(30)] {
            let duration = Duration::from_secs((at + margin).as_secs() + 1);
            if duration < size(best).duration {
                let mut candidate = best.clone();
                candidate["duration"] = period(duration);
                drop_later(&mut candidate, duration);
                if self.try_out(best, candidate) {
                    return;
                }
            }
        }
    }

    /// Takes away what these keys add.
    fn drop_keys(&mut self, best: &mut Value, keys: &[&str]) {
        for key in keys {
            let mut candidate = best.clone();
            if candidate.as_object_mut().is_some_and(|keys| keys.shift_remove(*key).is_some()) {
                self.try_out(best, candidate);
            }
        }
    }

    /// Delta debugging of a list: ever smaller parts of it are taken away.
    fn drop_items(&mut self, best: &mut Value, key: &str) {
        let length = |value: &Value| value[key].as_array().map_or(0, Vec::len);
        let mut part = length(best);
        while part > 0 {
            let mut start = 0;
            while start < length(best) {
                let mut candidate = best.clone();
                if let Some(items) = candidate[key].as_array_mut() {
                    items.drain(start..(start + part).min(items.len()));
                }
                if length(&candidate) == 0
                    && let Some(keys) = candidate.as_object_mut()
                {
                    keys.shift_remove(key);
                }
                if !self.try_out(best, candidate) {
                    start += part;
                }
            }
            part /= 2;
        }
    }

    /// Takes nodes away: first groups are written out as nodes.
    fn drop_nodes(&mut self, best: &mut Value) {
        let mut single = best.clone();
        single["nodes"] = Value::Array(single["nodes"].as_array().into_iter().flatten().flat_map(singles).collect());
        if single == *best || self.try_out(best, single) {
            self.drop_items(best, "nodes");
        }
    }

    /// Halves how long each fault lasts, down to a second.
    fn shorten_faults(&mut self, best: &mut Value) {
        let faults = best["faults"].as_array().map_or(0, Vec::len);
        for fault in 0..faults {
            while let Some((kind, lasting)) = lasting(&best["faults"][fault]) {
                let half = Duration::from_secs((lasting / 2).as_secs());
                let mut candidate = best.clone();
                candidate["faults"][fault][&kind]["for"] = period(half);
                if half.is_zero() || !self.try_out(best, candidate) {
                    break;
                }
            }
        }
    }

    fn text(&self, best: &Value) -> String {
        let path = self.scenario.source().path.display();
        let yaml = serde_saphyr::to_string(best).unwrap_or_default();
        let Self { seed, failure, .. } = self;
        // A name may have several lines, and a comment has one.
        let failure = failure.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("# Made smaller from {path} with seed {seed}, which failed at: {failure}\n{yaml}")
    }
}

fn size(scenario: &Value) -> Size {
    let nodes = scenario["nodes"].as_array().into_iter().flatten();
    let count = |node: &Value| node["count"].as_u64().map_or(1, |count| usize::try_from(count).unwrap_or(usize::MAX));
    Size {
        faults: scenario["faults"].as_array().map_or(0, Vec::len),
        nodes: nodes.map(count).sum(),
        duration: duration(&scenario["duration"]).unwrap_or_default(),
    }
}

/// Takes away the faults that come after the end, and lets those last to the end that would last longer.
fn drop_later(scenario: &mut Value, end: Duration) {
    let Some(faults) = scenario["faults"].as_array_mut() else { return };
    faults.retain(|fault| duration(&fault["at"]).is_none_or(|at| at < end));
    for fault in faults {
        let over = |(kind, lasting): (String, Duration)| (kind, duration(&fault["at"]).unwrap_or_default() + lasting);
        if let Some((kind, _)) = lasting(fault).map(over).filter(|(_, over)| *over > end)
            && let Some(told) = fault[&kind].as_object_mut()
        {
            told.shift_remove("for");
        }
    }
}

/// The nodes of a group, each as a group of its own.
fn singles(group: &Value) -> Vec<Value> {
    let (Some(prefix), Some(count)) = (group["prefix"].as_str(), group["count"].as_u64()) else {
        return vec![group.clone()];
    };
    let width = count.to_string().len();
    let single = |n: u64| {
        let mut node = serde_json::Map::new();
        node.insert("name".to_owned(), format!("{prefix}{n:0width$}").into());
        let others = group.as_object().into_iter().flatten();
        node.extend(
            others.filter(|(key, _)| !["prefix", "count"].contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())),
        );
        Value::Object(node)
    };
    (0..count).map(single).collect()
}

/// Which kind a fault is of, and how long it lasts.
fn lasting(fault: &Value) -> Option<(String, Duration)> {
    fault.as_object()?.iter().find_map(|(kind, value)| Some((kind.clone(), duration(value.get("for")?)?)))
}

fn duration(value: &Value) -> Option<Duration> {
    value.as_str()?.parse::<Period>().ok().map(|period| period.0)
}

fn period(duration: Duration) -> Value {
    Period(duration).to_string().into()
}
