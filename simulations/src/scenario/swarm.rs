//! Faults that the seed draws, kinds and all.
//!
//! A run in which everything fails a little finds less than one in which a few things fail a lot (swarm
//! testing: Groce and others, ISSTA 2012). So each seed switches about half of the kinds off, and draws
//! for each of the others how often it strikes, how much of the mesh, how hard and for how long.

use nunect_core::Period;
use nunect_core::time::nanos;

use super::faults::resolve::Resolver;
use super::faults::when::{end_words, healed, whole};
use super::faults::{STRIKES_MAX, Strike, ranked, shown};
use super::file::Names;
use super::file::faults::{
    ActorEntry, BitRate, Chosen, ClockDriftEntry, ClockStepEntry, CorruptEntry, CrashEntry, Direction, DuplicateEntry,
    KindName, LateEntry, LinkEntry, Mishap, OutageEntry, PartitionEntry, RateChange, ReorderEntry, Share, Shift,
    SwarmEntry,
};
use super::names;
use super::plan::Plan;
use crate::delay::{Delay, exponential};
use crate::draw::{between, key, mix};
use crate::fault::NO_ENTRY;

const MS: u64 = 1_000_000;

/// The largest share of the nodes that one fault befalls, in millionths.
const CROWD_MAX: u64 = 300_000;
/// From the smallest to the largest share of the messages that suffer, in millionths.
const SHARES: (u64, u64) = (1_000, 200_000);
/// The longest mean delay of late messages.
const LATE_MAX: u64 = 500 * MS;
/// The largest step of a clock.
const STEP_MAX: u64 = 200 * MS;
/// The largest change of a clock's rate, in parts per billion.
const DRIFT_MAX: u64 = 100_000;

/// What the seed draws from.
#[derive(Clone, Debug)]
pub(crate) struct Swarm {
    from: u64,
    until: u64,
    every: u64,
    longest: u64,
    kinds: Vec<KindName>,
    nodes: Vec<u32>,
}

/// What a seed drew for a kind.
struct Mood {
    kind: KindName,
    /// What further draws begin with.
    number: u64,
    gap: u64,
    longest: u64,
    /// The most nodes that one fault befalls.
    crowd: u64,
    share: Share,
}

/// Reads what the seed draws from.
pub(super) fn resolve(told: &SwarmEntry, resolver: &mut Resolver<'_>) -> Option<Swarm> {
    let plan = resolver.plan;
    let (from, until) = (told.from.map_or(plan.spread, |from| nanos(from.0)), told.until.map(|until| nanos(until.0)));
    let (every, longest) = (nanos(told.every.0), nanos(told.longest.0));
    let Some(until) = until.or_else(|| plan.liveness.map(|liveness| liveness.at)) else {
        resolver.problem("swarm.until", "faults have no end", "write `until: 5m`, or a `liveness` phase");
        return None;
    };
    if until > healed(plan) {
        let reason = format!("{} is after {} at {}", shown(until), end_words(plan), shown(healed(plan)));
        resolver.problem("swarm.until", reason, "let it end then, or earlier");
    } else if from < plan.spread {
        let reason = format!("nodes are still starting until {}", shown(plan.spread));
        resolver.problem("swarm.from", reason, "let it begin later");
    } else if from >= until {
        resolver.problem("swarm.from", format!("it ends at {}", shown(until)), "let it begin before");
    }
    if every == 0 {
        resolver.problem("swarm.every", "faults would strike without end at one instant", "write 20s");
        return None;
    }
    if longest < MS {
        resolver.problem("swarm.longest", "no fault is shorter than 1ms", "write 30s");
    }
    let nodes = match &told.nodes {
        Some(names) => resolver.names("swarm.nodes", names)?,
        None => (0..).take(resolver.units.len()).collect(),
    };
    let kinds = kinds(told, &nodes, resolver)?;
    let most = until.saturating_sub(from) / (every / 2).max(1);
    if most.saturating_mul(u64::try_from(kinds.len()).unwrap_or(u64::MAX)) >= STRIKES_MAX {
        let reason = format!("more than {STRIKES_MAX} faults would strike");
        resolver.problem("swarm.every", reason, "let them strike less often");
        return None;
    }
    Some(Swarm { from, until, every, longest, kinds, nodes })
}

/// The kinds that may strike.
fn kinds(told: &SwarmEntry, nodes: &[u32], resolver: &mut Resolver<'_>) -> Option<Vec<KindName>> {
    let plan = resolver.plan;
    let gps = nodes.iter().any(|&node| plan.has_gps(node));
    let fits = |kind: &KindName| match kind {
        KindName::Link => plan.world.is_layered(),
        KindName::GpsLoss => gps,
        KindName::Partition
        | KindName::Crash
        | KindName::Stop
        | KindName::Pause
        | KindName::Panic
        | KindName::Hang
        | KindName::StopActor
        | KindName::Late
        | KindName::Duplicate
        | KindName::Reorder
        | KindName::Corrupt
        | KindName::ClockStep
        | KindName::ClockDrift => true,
    };
    let Some(kinds) = &told.kinds else {
        return Some(KindName::ALL.into_iter().filter(fits).collect());
    };
    if let Some(place) = kinds.iter().position(|kind| !fits(kind)) {
        let key = format!("swarm.kinds[{place}]");
        let (reason, help) = if kinds.get(place) == Some(&KindName::Link) {
            ("the flat world has no links", "leave it out, or choose the layered world")
        } else {
            ("no node of these has GPS", "leave it out, or give them `clocks: { gps: true }`")
        };
        resolver.problem(key, reason, help);
        return None;
    }
    if kinds.is_empty() {
        resolver.problem("swarm.kinds", "no kind is left", "leave `kinds` out for all");
        return None;
    }
    let mut kinds = kinds.clone();
    kinds.sort_unstable();
    kinds.dedup();
    Some(kinds)
}

impl Swarm {
    /// The kinds that this seed leaves on: at least one.
    fn on(&self, number: u64) -> Vec<KindName> {
        let heads = |kind: &KindName| mix(number ^ key(kind.as_str())) & 1 == 1;
        let on: Vec<KindName> = self.kinds.iter().copied().filter(heads).collect();
        if !on.is_empty() {
            return on;
        }
        self.kinds.iter().copied().min_by_key(|kind| mix(number ^ key(kind.as_str()))).into_iter().collect()
    }

    /// All faults that this seed draws; those that are impossible are still among them.
    pub(super) fn strikes(&self, seed: u64, plan: &Plan) -> Vec<Strike> {
        let number = mix(mix(seed ^ key("swarm")));
        let mut strikes = Vec::new();
        for kind in self.on(number) {
            let mood = self.mood(kind, mix(mix(number) ^ key(kind.as_str())));
            let mut at = self.from;
            loop {
                let wait = exponential(draw(mood.number, "wait", at), mood.gap);
                at = at.saturating_add(whole(wait, u64::MAX).max(MS));
                if at >= self.until {
                    break;
                }
                let told = self.mishap(&mood, at, plan);
                strikes.extend(told.map(|mishap| Strike::new(at, NO_ENTRY, None, mishap, plan)));
            }
        }
        strikes
    }

    fn mood(&self, kind: KindName, number: u64) -> Mood {
        let nodes = u64::try_from(self.nodes.len()).unwrap_or(u64::MAX);
        let most = between(draw(number, "crowd", 0), 0, CROWD_MAX).saturating_mul(nodes) / 1_000_000;
        let ppm = between(draw(number, "share", 0), SHARES.0, SHARES.1);
        Mood {
            kind,
            number,
            gap: between(draw(number, "gap", 0), self.every / 2, self.every.saturating_mul(2)).max(1),
            longest: between(draw(number, "longest", 0), self.longest / 8, self.longest),
            crowd: most.max(1),
            share: Share { ppm: u32::try_from(ppm).unwrap_or(0) },
        }
    }

    /// What strikes at this instant; `None` when there is nobody for it.
    fn mishap(&self, mood: &Mood, at: u64, plan: &Plan) -> Option<Mishap> {
        let units = plan.units();
        let bits = |purpose: &str| draw(mood.number, purpose, at);
        let crowd = usize::try_from(between(bits("crowd"), 1, mood.crowd)).unwrap_or(1);
        let suits = |node: &u32| mood.kind != KindName::GpsLoss || plan.has_gps(*node);
        let nodes: Vec<u32> = self.nodes.iter().copied().filter(suits).collect();
        let crowd = ranked(&nodes, crowd, bits("nodes"), &units);
        let chosen = |nodes: &[u32]| Chosen::Names(names::compress(nodes, &units));
        let nodes = chosen(&crowd);
        let lasting = Some(shown(whole(between(bits("for"), mood.longest / 10, mood.longest), u64::MAX).max(MS)));
        let one_way = plan.world.is_layered() && bits("way") & 8 == 0;
        let sign = |size: u64| i64::try_from(size).map(|size| if bits("sign") & 1 == 0 { size } else { -size });
        let outage = |nodes| OutageEntry { nodes, lasting };
        Some(match mood.kind {
            KindName::Partition if crowd.len() == units.len() => return None,
            KindName::Partition => {
                Mishap::Partition(PartitionEntry { nodes: Some(nodes), sides: None, random: None, one_way, lasting })
            }
            KindName::Crash => {
                let (process, server) = match bits("what") % 3 {
                    0 if plan.world.is_layered() => (None, Some(nodes)),
                    1 if plan.world.is_layered() => (Some(nodes.clone()), Some(nodes)),
                    _ => (Some(nodes), None),
                };
                Mishap::Crash(CrashEntry { nodes: process, servers: server, lasting })
            }
            KindName::Stop => Mishap::Stop(outage(nodes)),
            KindName::Pause => Mishap::Pause(outage(nodes)),
            KindName::GpsLoss => Mishap::GpsLoss(outage(nodes)),
            KindName::Panic => Mishap::Panic(self.actor(bits("actor"), plan)?),
            KindName::Hang => Mishap::Hang(self.actor(bits("actor"), plan)?),
            KindName::StopActor => Mishap::StopActor(self.actor(bits("actor"), plan)?),
            KindName::Link => Mishap::Link(self.link(mood, at, lasting, plan)?),
            KindName::Late | KindName::Duplicate | KindName::Reorder | KindName::Corrupt => {
                mood.messages(at, nodes, lasting)?
            }
            KindName::ClockStep => {
                let by = Shift { ns: sign(whole(between(bits("by"), MS, STEP_MAX), u64::MAX)).ok()? };
                Mishap::ClockStep(ClockStepEntry { nodes, by })
            }
            KindName::ClockDrift => {
                let ppb = i32::try_from(sign(between(bits("by"), 1_000, DRIFT_MAX)).ok()?).ok()?;
                Mishap::ClockDrift(ClockDriftEntry { nodes, by: RateChange { ppb }, lasting })
            }
        })
    }

    /// An actor of a node.
    fn actor(&self, bits: u64, plan: &Plan) -> Option<ActorEntry> {
        let units = plan.units();
        let node = *ranked(&self.nodes, 1, bits, &units).first()?;
        let planned = plan.nodes.get(usize::try_from(node).ok()?)?;
        let actor = planned.actors.iter().min_by_key(|actor| mix(bits ^ key(actor.name.as_str())))?;
        let nodes = Chosen::Names(Names(vec![planned.unit.to_string()]));
        Some(ActorEntry { nodes, actor: actor.name.to_string() })
    }

    /// Something that is wrong with the links from one node to some, or to all.
    fn link(&self, mood: &Mood, at: u64, lasting: Option<Period>, plan: &Plan) -> Option<LinkEntry> {
        let units = plan.units();
        let bits = |purpose: &str| draw(mood.number, purpose, at);
        let from = ranked(&self.nodes, 1, bits("from"), &units);
        let others: Vec<u32> = self.nodes.iter().copied().filter(|node| !from.contains(node)).collect();
        let to = ranked(&others, usize::try_from(mood.crowd).ok()?, bits("to"), &units);
        if to.is_empty() {
            return None;
        }
        let (from, to) = (names::compress(&from, &units), names::compress(&to, &units));
        let mut link = LinkEntry {
            from,
            to,
            one_way: bits("way") & 1 == 0,
            down: false,
            loss: None,
            delay: None,
            rate: None,
            clog: false,
            lasting,
        };
        match bits("what") % 5 {
            0 => link.down = true,
            1 => link.loss = Some(Share { ppm: u32::try_from(between(bits("loss"), 10_000, 600_000)).ok()? }),
            2 => link.delay = Some(shown(whole(between(bits("delay"), MS, LATE_MAX), u64::MAX))),
            3 => link.rate = Some(BitRate { bits: between(bits("rate"), 8, 256).saturating_mul(1_000) }),
            _ => link.clog = true,
        }
        Some(link)
    }
}

impl Mood {
    /// What befalls the messages of these nodes.
    fn messages(&self, at: u64, nodes: Chosen, lasting: Option<Period>) -> Option<Mishap> {
        let bits = |purpose: &str| draw(self.number, purpose, at);
        let direction = [Direction::To, Direction::From, Direction::Both][usize::try_from(bits("way") % 3).ok()?];
        let share = self.share;
        Some(match self.kind {
            KindName::Late => {
                let mean = shown(whole(between(bits("delay"), MS, LATE_MAX), u64::MAX));
                let (delay, in_order) = (Delay::Exponential(mean), true);
                Mishap::Late(LateEntry { nodes, share, delay, direction, in_order, lasting })
            }
            KindName::Duplicate => {
                let delay = Delay::Uniform(Period::default(), super::file::faults::window());
                Mishap::Duplicate(DuplicateEntry { nodes, share, delay, direction, lasting })
            }
            KindName::Reorder => {
                let window = shown(whole(between(bits("delay"), MS, 100 * MS), u64::MAX));
                Mishap::Reorder(ReorderEntry { nodes, share, window, direction, lasting })
            }
            KindName::Corrupt => Mishap::Corrupt(CorruptEntry { nodes, share, direction, lasting }),
            KindName::Partition
            | KindName::Crash
            | KindName::Stop
            | KindName::Pause
            | KindName::Panic
            | KindName::Hang
            | KindName::StopActor
            | KindName::Link
            | KindName::ClockStep
            | KindName::ClockDrift
            | KindName::GpsLoss => return None,
        })
    }
}

/// Random bits for a purpose and an instant.
fn draw(number: u64, purpose: &str, at: u64) -> u64 {
    mix(mix(number ^ key(purpose)) ^ at)
}
