//! A run as a page: one HTML file that needs nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nunect_core::protocol::family;
use nunect_core::table::Table;
use nunect_core::{ActorName, Event, Health, UnitId};
use serde::Serialize;
use serde_json::json;

use crate::checker::Judgement;
use crate::latency::{FamilyLatency, Latencies};
use crate::{Outcome, Scenario};

/// The page, with a place for its data.
const PAGE: &str = include_str!("report/page.html");
const DATA: &str = "{{data}}";

/// Events that a page lists; more are in the trace.
const EVENTS_MAX: usize = 4_000;
/// Ticks on the lane of one unit.
const MARKS_MAX: usize = 500;
/// Points of a curve.
const POINTS: u64 = 120;

/// How a unit does, as the colours of its lane. The numbers are those of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum State {
    None = 0,
    Ok = 1,
    Degraded = 2,
    Critical = 3,
    Away = 4,
    Down = 5,
    Offline = 6,
}

impl From<Health> for State {
    fn from(health: Health) -> Self {
        match health {
            Health::Ok => Self::Ok,
            Health::Degraded => Self::Degraded,
            Health::Critical => Self::Critical,
            Health::Offline => Self::Offline,
        }
    }
}

/// Changes of a state, in order.
#[derive(Clone, Debug, Default)]
struct Lane(Vec<(u64, State)>);

impl Lane {
    fn set(&mut self, at: u64, state: State) {
        if self.0.last().is_none_or(|(_, last)| *last != state) {
            self.0.push((at, state));
        }
    }

    fn page(&self) -> Vec<(f64, u8)> {
        self.0.iter().map(|&(at, state)| (seconds(at), state as u8)).collect()
    }
}

/// What a page shows of one node.
#[derive(Debug, Default)]
struct Unit {
    own: Lane,
    seen: Lane,
    marks: Vec<(u64, String)>,
    health: Option<Health>,
    connected: bool,
    up: bool,
    /// What each monitor makes of it.
    views: BTreeMap<u32, State>,
}

impl Unit {
    fn note(&mut self, at: u64) {
        let state = match (self.up, self.connected, self.health) {
            (false, ..) => State::Down,
            (true, false, _) => State::Away,
            (true, true, health) => health.map_or(State::Ok, State::from),
        };
        self.own.set(at, state);
    }

    fn view(&mut self, at: u64, monitor: u32, state: State) {
        self.views.insert(monitor, state);
        let worst = self.views.values().copied().max().unwrap_or(State::None);
        self.seen.set(at, worst);
    }
}

/// What a page is made from: collected while a run goes on, from what the checkers see, too.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    units: Vec<Unit>,
    names: Table<UnitId, u32>,
    faults: BTreeMap<u32, (u64, Option<u64>)>,
    healed: Option<u64>,
    lost: BTreeMap<(String, u64), u64>,
    events: Vec<(u64, u32, Option<ActorName>, Event)>,
    left_out: u64,
}

/// Losses are counted by this much time.
const LOST_EVERY: u64 = 1_000_000_000;

impl Chronicle {
    /// Learns of the next node.
    pub(crate) fn add(&mut self, unit: UnitId) {
        let number = u32::try_from(self.units.len()).unwrap_or(u32::MAX);
        self.names.insert(unit, number);
        self.units.push(Unit::default());
    }

    /// Something observable happens.
    pub(crate) fn event(&mut self, at: u64, node: u32, actor: Option<&ActorName>, event: &Event) {
        self.view(at, node, event);
        let Some(unit) = self.units.get_mut(index(node)) else { return };
        if let Event::NodeStarted { .. } = event {
            // It says so when it has no bus.
            (unit.up, unit.connected, unit.health) = (true, true, None);
        } else if let Event::NodeHealth { health, .. } = event {
            unit.health = Some(*health);
        } else if matches!(event, Event::BusConnected | Event::BusDisconnected) {
            unit.connected = *event == Event::BusConnected;
        }
        unit.note(at);
        if is_mark(event) && unit.marks.len() < MARKS_MAX {
            let who = actor.map_or(String::new(), |actor| format!("{actor}: "));
            unit.marks.push((at, format!("{who}{event}")));
        }
        if is_routine(event) {
            return;
        }
        if self.events.len() < EVENTS_MAX {
            self.events.push((at, node, actor.cloned(), event.clone()));
        } else {
            self.left_out += 1;
        }
    }

    /// A monitor on `node` learns something about a unit.
    fn view(&mut self, at: u64, node: u32, event: &Event) {
        let Some(about) = event.about() else { return };
        let state = if let Event::UnitHealth { to, .. } = event {
            State::from(*to)
        } else if let Event::UnitOffline { .. } = event {
            State::Offline
        } else {
            State::Ok
        };
        let about = self.names.get(about).copied();
        if let Some(unit) = about.and_then(|about| self.units.get_mut(index(about))) {
            unit.view(at, node, state);
        }
    }

    /// A node is down; what its monitors saw counts no longer.
    pub(crate) fn down(&mut self, at: u64, node: u32) {
        if let Some(unit) = self.units.get_mut(index(node)) {
            (unit.up, unit.connected) = (false, false);
            unit.note(at);
        }
        for unit in &mut self.units {
            if unit.views.remove(&node).is_some() {
                unit.seen.set(at, unit.views.values().copied().max().unwrap_or(State::None));
            }
        }
    }

    pub(crate) fn fault(&mut self, at: u64, fault: u32, begins: bool) {
        if begins {
            self.faults.insert(fault, (at, None));
        } else if let Some((_, end)) = self.faults.get_mut(&fault) {
            *end = Some(at);
        }
    }

    /// Every fault ends.
    pub(crate) fn healed(&mut self, at: u64) {
        self.healed = Some(at);
        for (_, end) in self.faults.values_mut() {
            end.get_or_insert(at);
        }
    }

    /// A message is lost.
    pub(crate) fn lost(&mut self, at: u64, subject: &str) {
        *self.lost.entry((family(subject).to_owned(), at / LOST_EVERY)).or_default() += 1;
    }

    /// The page.
    pub(crate) fn page(&self, scenario: &Scenario, outcome: &Outcome, extras: &Extras) -> String {
        let events: Vec<_> = self
            .events
            .iter()
            .map(|(at, node, actor, event)| {
                let actor = actor.as_ref().map_or("", ActorName::as_str);
                (seconds(*at), self.name(*node), actor, event.name(), event.to_string())
            })
            .collect();
        let data = json!({
            "scenario": outcome.scenario, "seed": outcome.seed, "about": scenario.about(),
            "duration": outcome.simulated.as_secs_f64(), "passed": outcome.passed(), "weak": outcome.is_weak(),
            "replay": outcome.replay, "facts": facts(scenario, outcome), "expectations": expectations(outcome),
            "units": self.lanes(), "faults": self.faults(scenario, outcome.seed),
            "healed": self.healed.map(seconds), "latency": extras.latency, "drops": self.drops(outcome),
            "links": extras.links, "events": events, "events_left_out": self.left_out,
        });
        // `</script>` in a name would end the data.
        PAGE.replacen(DATA, &data.to_string().replace('<', "\\u003c"), 1)
    }

    fn name(&self, node: u32) -> &str {
        self.names.get_index(index(node)).map_or("", |(unit, _)| unit.as_str())
    }

    fn lanes(&self) -> Vec<serde_json::Value> {
        let lane = |(number, unit): (u32, &Unit)| {
            let marks: Vec<_> = unit.marks.iter().map(|(at, words)| (seconds(*at), words)).collect();
            json!({ "name": self.name(number), "own": unit.own.page(), "seen": unit.seen.page(), "marks": marks })
        };
        (0..).zip(&self.units).map(lane).collect()
    }

    fn faults(&self, scenario: &Scenario, seed: u64) -> Vec<serde_json::Value> {
        let described = scenario.describe_faults(seed);
        let ribbon = |(number, (at, end)): (&u32, &(u64, Option<u64>))| {
            let (name, words, lasts) = described.get(index(*number)).cloned().unwrap_or_default();
            // What strikes in an instant is over in it.
            let end = if lasts { *end } else { Some(*at) };
            json!({ "name": name, "words": words, "at": seconds(*at), "end": end.map(seconds) })
        };
        self.faults.iter().map(ribbon).collect()
    }

    /// What was lost over time, by family; the most frequent first.
    fn drops(&self, outcome: &Outcome) -> Vec<serde_json::Value> {
        let end = u64::try_from(outcome.simulated.as_nanos()).unwrap_or(u64::MAX) / LOST_EVERY;
        let width = end.div_ceil(POINTS).max(1);
        let families: BTreeSet<&str> = self.lost.keys().map(|(family, _)| family.as_str()).collect();
        let mut drops: Vec<(u64, serde_json::Value)> = families
            .into_iter()
            .map(|family| {
                let mut bins = vec![0; usize::try_from(end / width + 1).unwrap_or(1)];
                let mut count = 0;
                for ((other, at), lost) in &self.lost {
                    if other == family
                        && let Some(bin) = bins.get_mut(usize::try_from(at / width).unwrap_or(usize::MAX))
                    {
                        *bin += lost;
                        count += lost;
                    }
                }
                let points: Vec<_> = (0_u64..).zip(&bins).map(|(bin, lost)| (bin * width, *lost)).collect();
                (count, json!({ "name": family, "count": count, "points": points }))
            })
            .collect();
        drops.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        drops.into_iter().map(|(_, drop)| drop).collect()
    }
}

/// What others know of a run.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) latency: Vec<LatencyCurve>,
    pub(crate) links: Option<LinkMatrix>,
}

/// The latency of one family over time.
#[derive(Debug, Serialize)]
pub(crate) struct LatencyCurve {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) points: Vec<LatencyPoint>,
}

/// When, in seconds; p50, p95 and p99 in milliseconds; how many messages.
type LatencyPoint = (f64, f64, f64, f64, u64);

/// The latencies of a run as curves, of the most frequent family first.
pub(crate) fn curves(latencies: &Latencies) -> Vec<LatencyCurve> {
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    let curve = |family: FamilyLatency| {
        let points = latencies
            .over_time(&family.family)
            .map(|(at, q)| (at.as_secs_f64(), millis(q.p50), millis(q.p95), millis(q.p99), q.count));
        LatencyCurve { points: points.collect(), name: family.family, count: family.quantiles.count }
    };
    let mut curves: Vec<LatencyCurve> = latencies.families().into_iter().map(curve).collect();
    curves.sort_by_key(|curve| std::cmp::Reverse(curve.count));
    curves
}

/// Links, from each unit to each.
#[derive(Debug, Serialize)]
pub(crate) struct LinkMatrix {
    pub(crate) title: String,
    pub(crate) words: String,
    pub(crate) units: Vec<String>,
    pub(crate) cells: Vec<LinkCell>,
}

/// One direction of one link.
#[derive(Debug, Serialize)]
pub(crate) struct LinkCell {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// From 0, good, to 1.
    pub(crate) bad: f64,
    /// Whether anything went over it.
    pub(crate) used: bool,
    pub(crate) words: String,
}

fn facts(scenario: &Scenario, outcome: &Outcome) -> Vec<(String, String)> {
    let seen = outcome.counters;
    let claims = format!("{} ({} wrong)", seen.clock_claims, seen.clock_claims_wrong);
    let restarts: u64 = outcome.units.iter().map(|unit| u64::from(unit.restarts)).sum();
    [
        ("seed", outcome.seed.to_string()),
        ("nodes", scenario.nodes().to_string()),
        ("simulated", format!("{:.0} s", outcome.simulated.as_secs_f64())),
        ("messages", seen.deliveries.to_string()),
        ("lost", seen.lost.to_string()),
        ("answers", seen.replies.to_string()),
        ("claims about clocks", claims),
        ("restarts of actors", restarts.to_string()),
        ("trace hash", outcome.hash.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn expectations(outcome: &Outcome) -> Vec<serde_json::Value> {
    let row = |verdict: &crate::Verdict| {
        let (is, mark, why) = match &verdict.judgement {
            Judgement::Met { tests: 0 | 1 } => ("met", "met", String::new()),
            Judgement::Met { tests } => ("met", "met", format!("each of {tests} times")),
            Judgement::Untried { why } => ("untried", "untried", why.clone()),
            Judgement::Unmet { why } => ("unmet", "not seen", why.clone()),
            Judgement::Broken { at, why, times } => {
                ("broken", "BROKEN", format!("{times} ×, first at {:.3} s: {why}", at.as_secs_f64()))
            }
        };
        json!({ "is": is, "mark": mark, "name": verdict.name, "why": why, "line": verdict.line })
    };
    outcome.expectations.iter().map(row).collect()
}

/// Whether it is a tick on its unit's lane.
fn is_mark(event: &Event) -> bool {
    ["actor_crashed", "actor_hung", "escalated", "quarantined", "node_started", "duplicate_unit"]
        .contains(&event.name())
}

/// Whether it happens all the time, and says little.
fn is_routine(event: &Event) -> bool {
    ["server_client", "restart_scheduled"].contains(&event.name())
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
