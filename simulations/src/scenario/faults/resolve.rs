//! What one fault does, with every name resolved.

use nunect_core::protocol::command::ChaosKind;
use nunect_core::time::nanos;
use nunect_core::{Period, UnitId};

use crate::clock::{ClockFault, DRIFT_MAX_PPB};
use crate::delay::Delay;
use crate::fault::Kind;
use crate::scenario::error::{Problems, did_you_mean};
use crate::scenario::file::Names;
use crate::scenario::file::faults::{
    ActorEntry, Amount, Chosen, CrashEntry, Direction, LinkEntry, Mishap, PartitionEntry, Share, WHOLE,
};
use crate::scenario::names;
use crate::scenario::plan::{Plan, YEAR};
use crate::tamper::{How, Tampering};
use crate::world::flat::DELAY_MAX;

use super::net;

/// Sides that a partition may have.
const SIDES_MAX: usize = 200;

/// Resolves what is written down. What cannot be goes to the problems, if anybody wants to know.
pub(in crate::scenario) struct Resolver<'a> {
    pub(in crate::scenario) plan: &'a Plan,
    pub(in crate::scenario) units: &'a [UnitId],
    pub(in crate::scenario) problems: Option<&'a mut Problems>,
}

/// Whose messages suffer, and how many of them.
type Sufferers<'a> = (&'a Chosen, Share, Direction);

impl Resolver<'_> {
    pub(in crate::scenario) fn problem(
        &mut self,
        key: impl Into<String>,
        reason: impl Into<String>,
        help: impl Into<String>,
    ) {
        if let Some(problems) = &mut self.problems {
            problems.add(key, reason, help);
        }
    }

    /// What `mishap`, written at `key`, does if it strikes under this draw `number` and is over at `end`.
    /// Of nodes that the seed draws, all are taken.
    pub(super) fn kind(&mut self, key: &str, mishap: &Mishap, number: u64, end: Option<u64>) -> Option<Kind> {
        let key = format!("{key}.{}", mishap.kind().as_str());
        match mishap {
            Mishap::Partition(told) => self.partition(&key, told),
            Mishap::Crash(told) => self.crash(&key, told),
            Mishap::Stop(told) => self.chosen(&format!("{key}.nodes"), &told.nodes).map(Kind::Stop),
            Mishap::Pause(told) => self.chosen(&format!("{key}.nodes"), &told.nodes).map(Kind::Pause),
            Mishap::Panic(told) => self.actors(&key, told, ChaosKind::Panic),
            Mishap::Hang(told) => self.actors(&key, told, ChaosKind::Hang),
            Mishap::StopActor(told) => self.actors(&key, told, ChaosKind::Stop),
            Mishap::Link(told) => self.link(&key, told, end),
            Mishap::Late(told) => {
                self.delay(&key, told.delay)?;
                let how = How::Late { delay: told.delay, in_order: told.in_order };
                self.tamper(&key, (&told.nodes, told.share, told.direction), number, how)
            }
            Mishap::Duplicate(told) => {
                self.delay(&key, told.delay)?;
                let how = How::Duplicate { delay: told.delay };
                self.tamper(&key, (&told.nodes, told.share, told.direction), number, how)
            }
            Mishap::Reorder(told) => {
                let delay = Delay::Uniform(Period::default(), told.window);
                if told.window.0.is_zero() || told.window.0 > DELAY_MAX {
                    let reason = format!("nothing can be held back by {}", told.window);
                    self.problem(format!("{key}.window"), reason, "write 20ms");
                    return None;
                }
                let how = How::Late { delay, in_order: false };
                self.tamper(&key, (&told.nodes, told.share, told.direction), number, how)
            }
            Mishap::Corrupt(told) => self.tamper(&key, (&told.nodes, told.share, told.direction), number, How::Corrupt),
            Mishap::ClockStep(_) | Mishap::ClockDrift(_) | Mishap::GpsLoss(_) => self.clock(&key, mishap),
        }
    }

    /// What befalls clocks.
    fn clock(&mut self, key: &str, mishap: &Mishap) -> Option<Kind> {
        let nodes = self.chosen(&format!("{key}.nodes"), mishap.nodes()?)?;
        match mishap {
            Mishap::ClockStep(told) => {
                if told.by.ns == 0 || told.by.ns.unsigned_abs() > nanos(YEAR.0) {
                    self.problem(format!("{key}.by"), "a clock steps by more than nothing and at most a year", "");
                    return None;
                }
                Some(Kind::Clock { nodes, begin: ClockFault::Step { by_ns: told.by.ns }, end: None })
            }
            Mishap::ClockDrift(told) => {
                let ppb = told.by.ppb;
                if ppb == 0 || ppb.unsigned_abs() > DRIFT_MAX_PPB.unsigned_abs() {
                    let max = DRIFT_MAX_PPB / 1_000;
                    let reason = format!("a clock drifts by more than nothing and at most {max}ppm");
                    self.problem(format!("{key}.by"), reason, "");
                    return None;
                }
                let (begin, end) = (ClockFault::Drift { ppb }, Some(ClockFault::Drift { ppb: 0 }));
                Some(Kind::Clock { nodes, begin, end })
            }
            Mishap::GpsLoss(_) => {
                if let Some(node) = nodes.iter().find(|node| !self.plan.has_gps(**node)) {
                    let unit = usize::try_from(*node).ok().and_then(|node| self.units.get(node))?;
                    let reason = format!("{unit} has no GPS");
                    self.problem(format!("{key}.nodes"), reason, "give it `clocks: { gps: true }`");
                    return None;
                }
                let (begin, end) = (ClockFault::Gps { present: false }, Some(ClockFault::Gps { present: true }));
                Some(Kind::Clock { nodes, begin, end })
            }
            Mishap::Partition(_)
            | Mishap::Crash(_)
            | Mishap::Stop(_)
            | Mishap::Pause(_)
            | Mishap::Panic(_)
            | Mishap::Hang(_)
            | Mishap::StopActor(_)
            | Mishap::Link(_)
            | Mishap::Late(_)
            | Mishap::Duplicate(_)
            | Mishap::Reorder(_)
            | Mishap::Corrupt(_) => None,
        }
    }

    /// The nodes that the names at `key` mean.
    pub(in crate::scenario) fn names(&mut self, key: &str, names: &Names) -> Option<Vec<u32>> {
        match names::resolve(names, self.units) {
            Ok(nodes) => Some(nodes),
            Err(unknown) => {
                let key = if names.0.len() > 1 { format!("{key}[{}]", unknown.position) } else { key.to_owned() };
                self.problem(key, unknown.reason, unknown.help);
                None
            }
        }
    }

    /// The nodes that may be meant at `key`.
    pub(super) fn chosen(&mut self, key: &str, chosen: &Chosen) -> Option<Vec<u32>> {
        let Chosen::Any(any) = chosen else { return self.names(key, chosen.names()) };
        let nodes = self.names(&format!("{key}.of"), &any.of)?;
        let reason = match any.any {
            Amount::Count(0) => "none of them is nobody".to_owned(),
            Amount::Share(share) if share.ppm == 0 => "none of them is nobody".to_owned(),
            Amount::Count(count) if usize::try_from(count).is_ok_and(|count| count > nodes.len()) => {
                format!("{count} of only {}", nodes.len())
            }
            Amount::Count(_) | Amount::Share(_) => return Some(nodes),
        };
        self.problem(format!("{key}.any"), reason, format!("write 1 to {}, or a share such as 30%", nodes.len()));
        None
    }

    const fn is_flat(&self) -> bool {
        !self.plan.world.is_layered()
    }

    fn partition(&mut self, key: &str, told: &PartitionEntry) -> Option<Kind> {
        if self.is_flat() && told.one_way {
            let reason = "the flat world cuts both ways";
            self.problem(format!("{key}.one_way"), reason, "leave it out, or choose the layered world");
            return None;
        }
        let sides = match (&told.nodes, &told.sides, told.random) {
            (Some(chosen), None, None) => vec![self.chosen(&format!("{key}.nodes"), chosen)?],
            (None, Some(_), None) if self.is_flat() => {
                let reason = "the flat world has one server, and no sides";
                self.problem(
                    format!("{key}.sides"),
                    reason,
                    "name the `nodes` that lose it, or choose the layered world",
                );
                return None;
            }
            (None, Some(sides), None) => self.sides(&format!("{key}.sides"), sides)?,
            (None, None, Some(_)) if self.units.len() < 2 => {
                self.problem(format!("{key}.random"), "one node has nobody to be parted from", "");
                return None;
            }
            (None, None, Some(_)) => vec![vec![0]],
            (_, _, _) => {
                self.problem(key, "a partition has exactly one of nodes, sides and random", "");
                return None;
            }
        };
        Some(Kind::World(net::barrier(&self.plan.world, &sides, self.units.len(), told.one_way)))
    }

    fn sides(&mut self, key: &str, sides: &[Names]) -> Option<Vec<Vec<u32>>> {
        if !(2..=SIDES_MAX).contains(&sides.len()) {
            self.problem(key, format!("{} sides", sides.len()), format!("write 2 to {SIDES_MAX} lists of nodes"));
            return None;
        }
        let mut resolved: Vec<Vec<u32>> = Vec::new();
        for (number, names) in sides.iter().enumerate() {
            let key = format!("{key}[{number}]");
            let side = self.names(&key, names)?;
            let twice = side.iter().find(|node| resolved.iter().any(|other| other.contains(node)));
            if let Some(unit) = twice.and_then(|&node| self.units.get(usize::try_from(node).ok()?)) {
                self.problem(key, format!("{unit} is on two sides"), "take it off one");
                return None;
            }
            resolved.push(side);
        }
        Some(resolved)
    }

    fn crash(&mut self, key: &str, told: &CrashEntry) -> Option<Kind> {
        if told.nodes.is_none() && told.servers.is_none() {
            self.problem(key, "nothing goes down", "write `nodes`, `servers` or both");
            return None;
        }
        if self.is_flat() && told.servers.is_some() {
            let reason = "the flat world has one server, and nobody can reach it to harm it";
            self.problem(format!("{key}.servers"), reason, "write `nodes`, or choose the layered world");
            return None;
        }
        let nodes = match &told.nodes {
            Some(nodes) => self.chosen(&format!("{key}.nodes"), nodes)?,
            None => Vec::new(),
        };
        let servers = match &told.servers {
            Some(servers) => Some(net::servers(self.chosen(&format!("{key}.servers"), servers)?)),
            None => None,
        };
        Some(Kind::Crash { nodes, servers })
    }

    fn actors(&mut self, key: &str, told: &ActorEntry, what: ChaosKind) -> Option<Kind> {
        let mut actors = Vec::new();
        for node in self.chosen(&format!("{key}.nodes"), &told.nodes)? {
            let planned = self.plan.nodes.get(usize::try_from(node).ok()?)?;
            let slot = (0..).zip(planned.actors.iter()).find(|(_, actor)| actor.name.as_str() == told.actor);
            let Some((slot, _)) = slot else {
                let names = planned.actors.iter().map(|actor| actor.name.as_str());
                let (unit, actor) = (&planned.unit, &told.actor);
                let reason = format!("{unit} has no actor `{actor}`");
                self.problem(format!("{key}.actor"), reason, did_you_mean(actor, names));
                return None;
            };
            actors.push((node, slot));
        }
        Some(Kind::Actor { what, actors })
    }

    fn link(&mut self, key: &str, told: &LinkEntry, end: Option<u64>) -> Option<Kind> {
        if self.is_flat() {
            self.problem(key, "the flat world has no links", "choose the layered world");
            return None;
        }
        let from = self.names(&format!("{key}.from"), &told.from)?;
        let to = self.names(&format!("{key}.to"), &told.to)?;
        if from == to && from.len() == 1 {
            self.problem(format!("{key}.to"), "a link leads to another node", "");
            return None;
        }
        let harmless = !told.down && !told.clog && told.loss.is_none() && told.delay.is_none() && told.rate.is_none();
        if harmless {
            let help = "write at least one of down, loss, delay, rate and clog";
            self.problem(key, "nothing happens to the link", help);
            return None;
        }
        if told.delay.is_some_and(|delay| delay.0 > DELAY_MAX) {
            self.problem(format!("{key}.delay"), format!("longer than {}", Period(DELAY_MAX)), "");
            return None;
        }
        Some(Kind::World(net::link(from, to, told, end)))
    }

    fn delay(&mut self, key: &str, delay: Delay) -> Option<()> {
        if delay.is_reversed() {
            self.problem(format!("{key}.delay.uniform"), "the second time is shorter than the first", "swap them");
            return None;
        }
        let (word, longest) = match delay {
            Delay::Fixed(period) => ("fixed", period),
            Delay::Uniform(_, longest) => ("uniform", longest),
            Delay::Exponential(mean) => ("exponential", mean),
        };
        if longest.0.is_zero() || longest.0 > DELAY_MAX {
            let reason = format!("not a time up to {}", Period(DELAY_MAX));
            self.problem(format!("{key}.delay.{word}"), reason, "write 200ms");
            return None;
        }
        Some(())
    }

    fn tamper(&mut self, key: &str, (nodes, share, direction): Sufferers<'_>, number: u64, how: How) -> Option<Kind> {
        let nodes = self.chosen(&format!("{key}.nodes"), nodes)?;
        if share.ppm == 0 {
            self.problem(format!("{key}.share"), "none of the messages would suffer", "write a share such as 5%");
            return None;
        }
        debug_assert!(share.ppm <= WHOLE, "no share is more than all");
        let (to, from) = match direction {
            Direction::To => (true, false),
            Direction::From => (false, true),
            Direction::Both => (true, true),
        };
        Some(Kind::Tamper(Box::new(Tampering { number, nodes, share: share.ppm, to, from, how })))
    }
}
