//! The faults of a scenario: what is written down, checked, and the list of single faults that it
//! becomes with a seed.
//!
//! All that is random of faults is drawn before a run: which strike, when, whom, how hard, for how long.
//! What remains is a list in which everything is said, and which can be written down as a scenario
//! again. Draws are functions of the seed, names and instants: another fault or node moves none.

use nunect_core::time::nanos;
use nunect_core::{Period, UnitId};

use super::error::Problems;
use super::file::faults::{FaultEntry, KindName, Mishap};
use super::file::{Names, ScenarioFile};
use super::plan::Plan;
use super::swarm;
use crate::draw::{key, link, mix};
use crate::fault::{Fault, Liveness};
use overlap::{Claim, Claims, Class};
use resolve::Resolver;

mod concrete;
mod expand;
mod net;
mod overlap;
pub(super) mod resolve;
#[cfg(test)]
mod tests;
pub(super) mod when;

pub(super) use expand::ranked;
pub(crate) use when::When;

/// How often faults may strike in a run.
pub(super) const STRIKES_MAX: u64 = 100_000;

/// The faults of a scenario before a seed has drawn anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultPlan {
    drafts: Vec<Draft>,
    swarm: Option<swarm::Swarm>,
}

/// An entry of the file.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// The place in the file of the first fault of its name, or of itself.
    entry: u32,
    name: Option<String>,
    when: When,
    mishap: Mishap,
    /// The earliest that it may strike.
    pub(crate) at: u64,
    /// When it is then over; never, if not given.
    pub(crate) end: Option<u64>,
}

/// One fault, with nothing left to draw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strike {
    pub(super) at: u64,
    pub(super) entry: u32,
    pub(super) name: Option<String>,
    pub(super) mishap: Mishap,
}

impl FaultPlan {
    /// The entry at this place of the file.
    pub(crate) fn get(&self, entry: usize) -> Option<&Draft> {
        self.drafts.get(entry)
    }
}

impl Plan {
    /// Every fault of a run with this seed, in the order of time.
    pub(crate) fn faults(&self, seed: u64) -> Vec<Fault> {
        let units = self.units();
        let mut resolver = Resolver { plan: self, units: &units, problems: None };
        let resolved = expand::strikes(self, seed).into_iter().filter_map(|strike| {
            let end = strike.end();
            let kind = resolver.kind("", &strike.mishap, strike.number(seed), end);
            debug_assert!(kind.is_some(), "checked before: {strike:?}");
            Some(Fault { at: strike.at, end, entry: strike.entry, kind: kind? })
        });
        resolved.collect()
    }
}

impl Plan {
    /// Whether a node has GPS to lose.
    pub(super) fn has_gps(&self, node: u32) -> bool {
        usize::try_from(node).ok().and_then(|node| self.nodes.get(node)).is_some_and(|node| node.clocks.gps)
    }
}

impl Strike {
    /// When it is over; never, if not given.
    pub(super) fn end(&self) -> Option<u64> {
        self.mishap.lasting().map(|lasting| self.at.saturating_add(nanos(lasting.0)))
    }

    /// What its own draws during the run begin with.
    fn number(&self, seed: u64) -> u64 {
        mix(of_name(seed, self.name.as_deref(), self.mishap.kind()) ^ self.at)
    }

    fn claim(&self, class: Class, who: usize) -> Claim {
        Claim { class, at: self.at, end: self.end(), who }
    }

    /// What befalls which of the names in it.
    fn classes(&self) -> Vec<(Class, &Names)> {
        let nodes = Class::of(&self.mishap).zip(self.mishap.nodes().map(|nodes| nodes.names()));
        let servers = self.mishap.servers().map(|servers| (Class::Server, servers.names()));
        nodes.into_iter().chain(servers).collect()
    }
}

/// What the draws of a fault begin with.
fn of_name(seed: u64, name: Option<&str>, kind: KindName) -> u64 {
    let named = name.map_or(0, key);
    mix(mix(seed ^ key("faults")) ^ link(named, key(kind.as_str())))
}

/// Reads all faults; each keeps its place. What cannot be goes to `problems`.
pub(crate) fn resolve(file: &ScenarioFile, plan: &mut Plan, problems: &mut Problems) {
    let units = plan.units();
    plan.liveness = file.liveness.as_ref().and_then(|told| when::liveness(*told, plan, problems));
    check_names(&file.faults, problems);
    let mut drafts = Vec::new();
    for (number, entry) in file.faults.iter().enumerate() {
        let mut resolver = Resolver { plan, units: &units, problems: Some(problems) };
        drafts.extend(draft(&format!("faults[{number}]"), entry, &file.faults, &mut resolver));
    }
    let swarm = file
        .swarm
        .as_ref()
        .and_then(|told| swarm::resolve(told, &mut Resolver { plan, units: &units, problems: Some(problems) }));
    plan.faults = FaultPlan { drafts, swarm };
    if problems.is_empty() {
        check_overlaps(plan, &units, problems);
    }
}

/// The nodes that the names at `key` mean.
pub(super) fn resolve_names(key: &str, names: &Names, plan: &Plan, problems: &mut Problems) -> Option<Vec<u32>> {
    Resolver { plan, units: &plan.units(), problems: Some(problems) }.names(key, names)
}

fn check_names(entries: &[FaultEntry], problems: &mut Problems) {
    let kinds = |entry: &FaultEntry| entry.mishaps().iter().map(Mishap::kind).collect::<Vec<_>>();
    for (number, entry) in entries.iter().enumerate() {
        let Some(name) = &entry.name else { continue };
        let mut others = entries.iter().take(number).filter(|other| other.name.as_ref() == Some(name));
        if others.any(|other| kinds(other) != kinds(entry)) {
            let reason = format!("two faults are called `{name}`, and do different things");
            problems.add(format!("faults[{number}].name"), reason, "rename one");
        }
    }
}

fn draft(key: &str, entry: &FaultEntry, all: &[FaultEntry], resolver: &mut Resolver<'_>) -> Option<Draft> {
    let mishaps = entry.mishaps();
    let [mishap] = mishaps.as_slice() else {
        let kinds: Vec<&str> = KindName::ALL.iter().map(|kind| kind.as_str()).collect();
        let (last, others) = kinds.split_last()?;
        let reason = format!("a fault is exactly one of {} and {last}", others.join(", "));
        resolver.problem(key, reason, "write each as its own fault");
        return None;
    };
    let when = when::read(key, entry, resolver)?;
    let at = when.earliest();
    let name = entry.name.clone();
    let lasts = mishap.lasting();
    let kind_key = format!("{key}.{}", mishap.kind().as_str());
    if lasts.is_some_and(|lasts| lasts.0.is_zero()) {
        resolver.problem(format!("{kind_key}.for"), "it would be over before it began", "leave it out for ever");
    }
    let end = lasts.map(|lasts| at.saturating_add(nanos(lasts.0)));
    let runs_out = at < resolver.plan.duration && end.is_some_and(|end| end > resolver.plan.duration);
    if when.is_once() && runs_out {
        let reason = format!("it would last beyond the end of the run at {}", shown(resolver.plan.duration));
        resolver.problem(format!("{kind_key}.for"), reason, "leave it out for the rest of the run");
    }
    resolver.kind(key, mishap, 0, end)?;
    let strike = Strike { at, entry: 0, name, mishap: mishap.clone() };
    if strike.classes().iter().any(|(class, _)| class.needs_start()) && at < resolver.plan.spread {
        let reason = format!("nodes are still starting until {}", shown(resolver.plan.spread));
        resolver.problem(format!("{key}.{}", when.first_key()), reason, "let it strike later");
    }
    let same = |other: &FaultEntry| other.name == entry.name || std::ptr::eq(other, entry);
    let first =
        all.iter().position(|other| if entry.name.is_some() { same(other) } else { std::ptr::eq(other, entry) });
    let Strike { name, mishap, .. } = strike;
    // What is healed ends then, whatever it says.
    let end = match (end, resolver.plan.liveness) {
        (end, Some(Liveness { at: heals, .. })) if mishap.clone().lasting_mut().is_some() => {
            Some(end.map_or(heals, |end| end.min(heals)))
        }
        (end, _) => end,
    };
    Some(Draft { entry: u32::try_from(first?).ok()?, name, when, mishap, at, end })
}

/// Reports faults of which nothing is drawn and that strike nodes while another keeps them from it.
fn check_overlaps(plan: &Plan, units: &[UnitId], problems: &mut Problems) {
    let mut fixed: Vec<(usize, Strike)> = Vec::new();
    for (number, draft) in plan.faults.drafts.iter().enumerate().filter(|(_, draft)| draft.is_fixed()) {
        fixed.extend(draft.strikes(0, plan).into_iter().map(|strike| (number, strike)));
    }
    fixed.sort_by_key(|(_, strike)| strike.at);
    let mut claims = Claims::new(units.len());
    let mut told = vec![false; plan.faults.drafts.len()];
    for (place, (number, strike)) in fixed.iter().enumerate() {
        for (class, names) in strike.classes() {
            let mut resolver = Resolver { plan, units, problems: None };
            let claim = strike.claim(class, place);
            for node in resolver.names("", names).unwrap_or_default() {
                let clash = claims.clash(node, &claim).and_then(|(who, why)| Some((fixed.get(who)?, why)));
                if let Some(((other, since), why)) = clash.filter(|_| !told[*number]) {
                    let unit = usize::try_from(node).ok().and_then(|node| units.get(node)).map_or("", UnitId::as_str);
                    let reason = format!("{unit} {why} then, since faults[{other}] at {}", shown(since.at));
                    let key = plan.faults.drafts.get(*number).map_or("at", |draft| draft.when.key());
                    problems.add(
                        format!("faults[{number}].{key}"),
                        reason,
                        "let it strike when the node is up and well",
                    );
                    told[*number] = true;
                }
                claims.add(node, claim);
            }
        }
    }
}

/// A time as people write it.
pub(super) fn shown(at: u64) -> Period {
    Period(std::time::Duration::from_nanos(at))
}
