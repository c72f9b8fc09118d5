//! From what is written down to single faults.

use nunect_core::UnitId;
use nunect_core::time::nanos;

use super::overlap::{Claims, Class};
use super::resolve::Resolver;
use super::when::healed;
use super::{Draft, Strike, of_name, shown};
use crate::draw::{between, key, mix};
use crate::scenario::file::Names;
use crate::scenario::file::faults::{Chosen, Mishap, PartitionEntry, Split};
use crate::scenario::names;
use crate::scenario::plan::Plan;

impl Draft {
    /// Whether nothing of it is drawn.
    pub(super) fn is_fixed(&self) -> bool {
        let named = |chosen: Option<&Chosen>| match chosen {
            None | Some(Chosen::Names(_)) => true,
            Some(Chosen::Any(_)) => false,
        };
        let is_split = matches!(self.mishap, Mishap::Partition(PartitionEntry { random: Some(_), .. }));
        self.when.is_fixed() && !is_split && named(self.mishap.nodes()) && named(self.mishap.servers())
    }

    /// Each time that it strikes; whom it befalls may still have to be drawn.
    pub(super) fn strikes(&self, seed: u64, plan: &Plan) -> Vec<Strike> {
        let number = of_name(seed, self.name.as_deref(), self.mishap.kind());
        let times = self.when.times(number).into_iter();
        times.map(|at| Strike::new(at, self.entry, self.name.clone(), self.mishap.clone(), plan)).collect()
    }
}

impl Strike {
    /// A fault that ends with all others, and is not said to end when the run ends before.
    pub(in crate::scenario) fn new(at: u64, entry: u32, name: Option<String>, mut mishap: Mishap, plan: &Plan) -> Self {
        if let Some(lasting) = mishap.lasting_mut() {
            let end = lasting.map(|lasting| at.saturating_add(nanos(lasting.0)));
            let heals = healed(plan);
            if plan.liveness.is_some() && end.is_none_or(|end| end > heals) {
                *lasting = Some(shown(heals.saturating_sub(at)));
            } else if end.is_some_and(|end| end > plan.duration) {
                *lasting = None;
            }
        }
        Self { at, entry, name, mishap }
    }
}

/// Every fault of a run with this seed, in the order of time, nothing left to draw. Of what is drawn,
/// only what is possible strikes.
pub(super) fn strikes(plan: &Plan, seed: u64) -> Vec<Strike> {
    let units = plan.units();
    let mut all: Vec<Strike> = Vec::new();
    let mut drawn = Vec::new();
    for draft in &plan.faults.drafts {
        let to = if draft.is_fixed() { &mut all } else { &mut drawn };
        to.extend(draft.strikes(seed, plan));
    }
    if let Some(swarm) = &plan.faults.swarm {
        drawn.extend(swarm.strikes(seed, plan));
    }
    all.sort_by_key(|strike| strike.at);
    drawn.sort_by_key(|strike| strike.at);
    let mut drawer = Drawer { plan, units: &units, claims: Claims::new(units.len()), seed };
    all.iter().for_each(|strike| drawer.claim(strike));
    for strike in drawn {
        all.extend(drawer.settle(strike));
    }
    all.sort_by_key(|strike| strike.at);
    all
}

/// Draws whom faults befall.
struct Drawer<'a> {
    plan: &'a Plan,
    units: &'a [UnitId],
    /// What is settled already.
    claims: Claims,
    seed: u64,
}

impl Drawer<'_> {
    fn claim(&mut self, strike: &Strike) {
        for (class, names) in strike.classes() {
            for node in self.names(names) {
                self.claims.add(node, strike.claim(class, 0));
            }
        }
    }

    fn names(&self, names: &Names) -> Vec<u32> {
        Resolver { plan: self.plan, units: self.units, problems: None }.names("", names).unwrap_or_default()
    }

    /// The strike with its nodes drawn; `None` when it can befall nobody.
    fn settle(&mut self, mut strike: Strike) -> Option<Strike> {
        let number = strike.number(self.seed);
        if let Mishap::Partition(told) = &mut strike.mishap
            && let Some(split) = told.random.take()
        {
            let side = self.split(split, number);
            told.nodes = Some(Chosen::Names(side));
        }
        let class = Class::of(&strike.mishap);
        if let Some(chosen) = strike.mishap.nodes().cloned() {
            let drawn = self.draw(&chosen, number, class, &strike)?;
            *strike.mishap.nodes_mut()? = drawn;
        }
        if let Mishap::Crash(told) = &strike.mishap
            && let Some(chosen) = told.servers.clone()
        {
            let drawn = self.draw(&chosen, mix(number), Some(Class::Server), &strike);
            if let Mishap::Crash(told) = &mut strike.mishap {
                told.servers = drawn;
                if told.nodes.is_none() && told.servers.is_none() {
                    return None;
                }
            }
        }
        self.claim(&strike);
        Some(strike)
    }

    /// Who is drawn of those that it can befall.
    fn draw(&self, chosen: &Chosen, number: u64, class: Option<Class>, strike: &Strike) -> Option<Chosen> {
        let all = self.names(chosen.names());
        let free = |node: &u32| class.is_none_or(|class| self.claims.clash(*node, &strike.claim(class, 0)).is_none());
        let free: Vec<u32> = all.iter().copied().filter(free).collect();
        let wanted = match chosen {
            Chosen::Names(_) if free.len() == all.len() => return Some(chosen.clone()),
            Chosen::Names(_) => free.len(),
            Chosen::Any(any) => any.any.of(all.len()),
        };
        let drawn = ranked(&free, wanted, number, self.units);
        if drawn.is_empty() { None } else { Some(Chosen::Names(names::compress(&drawn, self.units))) }
    }

    /// One side of two.
    fn split(&self, split: Split, number: u64) -> Names {
        let nodes: Vec<u32> = (0..).take(self.units.len()).collect();
        let most = nodes.len().saturating_sub(1).max(1);
        let side = match split {
            Split::Isolate => ranked(&nodes, 1, number, self.units),
            Split::UniformSize => {
                let size = between(mix(number), 1, u64::try_from(most).unwrap_or(u64::MAX));
                ranked(&nodes, usize::try_from(size).unwrap_or(1), number, self.units)
            }
            Split::Uniform => {
                let heads = |node: &u32| mix(number ^ unit_key(*node, self.units)) & 1 == 1;
                let side: Vec<u32> = nodes.iter().copied().filter(heads).collect();
                if (1..=most).contains(&side.len()) { side } else { ranked(&nodes, 1, number, self.units) }
            }
        };
        names::compress(&side, self.units)
    }
}

/// `wanted` of the nodes, drawn by their names: another node takes the place of one at most.
pub(in crate::scenario) fn ranked(nodes: &[u32], wanted: usize, number: u64, units: &[UnitId]) -> Vec<u32> {
    let mut ranked: Vec<(u64, u32)> = nodes.iter().map(|&node| (mix(number ^ unit_key(node, units)), node)).collect();
    ranked.sort_unstable();
    let mut drawn: Vec<u32> = ranked.into_iter().take(wanted).map(|(_, node)| node).collect();
    drawn.sort_unstable();
    drawn
}

fn unit_key(node: u32, units: &[UnitId]) -> u64 {
    usize::try_from(node).ok().and_then(|node| units.get(node)).map_or(0, |unit| key(unit.as_str()))
}
