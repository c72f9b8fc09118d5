//! Stations, radio links and routes.
//!
//! Stations stand or move (`mobility`), hear each other by topology or by radio (`air`, `radio`,
//! `hearing`), and forward packets along the cheapest route they know of (`route`), over links that
//! delay, queue and lose them (`link`, `loss`). What befalls the mesh is learnt by the routes a while
//! later; until then packets die where the old route is broken.
//!
//! All times are true nanoseconds since the run began. Every draw is a function of the seed, its
//! purpose, the names of the stations and, for packets, how many the link has seen: another station,
//! link or fault moves none of those of other links. Nothing is in flight: the whole way of a packet
//! is decided when it is sent.

mod air;
pub(crate) mod config;
mod fault;
mod hearing;
mod link;
mod loss;
mod mobility;
pub(crate) mod plan;
mod radio;
mod random;
mod route;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use nunect_core::table::Table;

use crate::draw::{self, key, mix};
use air::{Air, at};
use fault::Faults;
use hearing::Hearing;
use link::Link;
use route::{Routes, View};

pub(crate) use config::NetConfig;
pub(crate) use fault::{LinkChange, NetFault};
pub(crate) use link::LinkCounters;
pub(crate) use plan::NetPlan;

/// How long what a station sends to itself takes: 20 µs.
pub(crate) const LOOPBACK_NS: u64 = 20_000;

/// Something of the mesh that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetEvent {
    /// Stations have moved.
    Moved,
    /// Routes learn of links that changed.
    Links(u32),
    /// Routes learn of a fault, or of its end.
    Fault(u32),
}

/// A direction of a link, for reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LinkReport {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// In metres.
    pub(crate) distance: f64,
    /// The share of short packets that arrive at the first attempt, with all faults of the moment.
    pub(crate) delivery: f64,
    pub(crate) counters: LinkCounters,
}

/// The mesh.
#[derive(Debug)]
pub(crate) struct Net {
    seed: u64,
    air: Air,
    hearing: Hearing,
    faults: Faults,
    routes: Routes,
    /// Links that were ever used, by both ends.
    places: Table<(u32, u32), u32>,
    links: Vec<Link>,
    /// Counts what changed links.
    turn: u32,
    /// Links of which routes are about to learn, by the number of their event.
    changed: BTreeMap<u32, Vec<(u32, u32)>>,
    batches: u32,
    unroutable: u64,
}

impl Net {
    /// A mesh of the stations with these keys. Routes have settled.
    pub(crate) fn new(plan: NetPlan, stations: &[u64], seed: u64) -> Self {
        let seed = mix(seed ^ key("mesh"));
        let air = Air::new(plan, stations, seed);
        Self {
            seed,
            hearing: Hearing::new(&air),
            air,
            faults: Faults::default(),
            routes: Routes::new(stations.len()),
            places: Table::default(),
            links: Vec::new(),
            turn: 0,
            changed: BTreeMap::new(),
            batches: 0,
            unroutable: 0,
        }
    }

    /// Begins: `out` gets what will be due.
    pub(crate) fn start(&mut self, out: &mut Vec<(u64, NetEvent)>) {
        if self.air.field.is_mobile() {
            out.push((self.air.plan.mobility.step, NetEvent::Moved));
        }
    }

    /// An event is due.
    pub(crate) fn happen(&mut self, now: u64, event: NetEvent, out: &mut Vec<(u64, NetEvent)>) {
        match event {
            NetEvent::Moved => self.moved(now, out),
            NetEvent::Links(batch) => {
                let changed = self.changed.remove(&batch).unwrap_or_default();
                if self.hearing.learn(&changed, &self.air.plan.routes) {
                    self.routes.change();
                }
            }
            NetEvent::Fault(serial) => {
                if self.faults.learn(serial) {
                    self.routes.change();
                }
            }
        }
    }

    fn moved(&mut self, now: u64, out: &mut Vec<(u64, NetEvent)>) {
        self.air.field.step(now);
        self.turn = self.turn.wrapping_add(1);
        let changed = self.hearing.step(&self.air, &self.air.plan.routes);
        if !changed.is_empty() {
            out.push((self.converged(now), NetEvent::Links(self.batches)));
            self.changed.insert(self.batches, changed);
            self.batches = self.batches.wrapping_add(1);
        }
        out.push((now.saturating_add(self.air.plan.mobility.step.max(1)), NetEvent::Moved));
    }

    /// When routes know of what happens now.
    const fn converged(&self, now: u64) -> u64 {
        now.saturating_add(self.air.plan.routes.convergence)
    }

    /// Sends so many bytes (with all headers) along the route of the moment. Returns when they arrive,
    /// or `None` when they do not: lost, no room in a queue, no route, or one longer than the hop limit.
    pub(crate) fn send(&mut self, now: u64, from: u32, to: u32, bytes: u32) -> Option<u64> {
        if from == to {
            return Some(now.saturating_add(LOOPBACK_NS));
        }
        let pair = self.pair(from, to)?;
        let path = self.routes.path(pair);
        if path.links.is_empty() {
            self.unroutable += 1;
            return None;
        }
        let mut when = now;
        for &place in &path.links {
            let link = &mut self.links[at(place)];
            if link.turn != self.turn {
                link.refresh(self.turn, &self.air, &self.faults);
            }
            when = link.pass(now, when, bytes)?;
        }
        Some(when)
    }

    /// The place of the up-to-date path of a pair; none when one of them is no station.
    fn pair(&mut self, from: u32, to: u32) -> Option<u32> {
        let stations = self.air.stations();
        if from >= stations || to >= stations {
            return None;
        }
        let (pair, fresh) = self.routes.pair(from, to);
        if !fresh {
            let Self { seed, air, hearing, faults, routes, places, links, turn, .. } = self;
            let view = View { air, hearing, faults };
            routes.find(pair, view, |from, to| {
                *places.entry((from, to)).or_insert_with(|| {
                    let key = mix(*seed ^ draw::link(air.keys[at(from)], air.keys[at(to)]));
                    let mut link = Link::new(from, to, key, *air.link(from, to));
                    link.refresh(*turn, air, faults);
                    links.push(link);
                    u32::try_from(links.len() - 1).unwrap_or(u32::MAX)
                })
            });
        }
        Some(pair)
    }

    /// Begins a fault. Another of the same `id` that still holds ends.
    pub(crate) fn impose(&mut self, now: u64, id: u32, fault: NetFault, out: &mut Vec<(u64, NetEvent)>) {
        self.lift(now, id, out);
        let serial = self.faults.impose(id, fault, self.air.keys.len());
        self.turn = self.turn.wrapping_add(1);
        out.push((self.converged(now), NetEvent::Fault(serial)));
    }

    /// Ends a fault: links are again what they would be without it.
    pub(crate) fn lift(&mut self, now: u64, id: u32, out: &mut Vec<(u64, NetEvent)>) {
        if let Some(serial) = self.faults.lift(id) {
            out.push((self.converged(now), NetEvent::Fault(serial)));
        }
        self.turn = self.turn.wrapping_add(1);
    }

    /// Where the stations are, in metres east and north.
    #[cfg(test)]
    pub(crate) fn positions(&self) -> &[[f64; 2]] {
        &self.air.field.positions
    }

    /// Packets for which there was no route, or one longer than the hop limit.
    pub(crate) const fn unroutable(&self) -> u64 {
        self.unroutable
    }

    /// All links that exist at present or were ever used, by their ends; where everybody hears
    /// everybody only those that were used.
    pub(crate) fn links(&self) -> Vec<LinkReport> {
        let mut ends: Vec<(u32, u32)> = self.hearing.all().chain(self.places.keys().copied()).collect();
        ends.sort_unstable();
        ends.dedup();
        let report = |(from, to)| {
            let effect = self.faults.effect(from, to);
            let blocked = effect.blocked || effect.clog > 0;
            let delivery = f64::from(self.air.delivery(from, to)) * (1.0 - effect.loss);
            let counters = self.places.get(&(from, to)).map(|&place| self.links[at(place)].counters);
            LinkReport {
                from,
                to,
                distance: self.air.distance(from, to),
                delivery: if blocked { 0.0 } else { delivery },
                counters: counters.unwrap_or_default(),
            }
        };
        ends.into_iter().map(report).collect()
    }

    /// The stations that a packet sent now goes through, without the sender; empty without a route.
    #[cfg(test)]
    pub(crate) fn route(&mut self, from: u32, to: u32) -> Vec<u32> {
        let Some(pair) = self.pair(from, to).filter(|_| from != to) else { return Vec::new() };
        self.routes.path(pair).links.iter().map(|&place| self.links[at(place)].to).collect()
    }

    /// The station that `from` hands packets for `to` over to.
    #[cfg(test)]
    pub(crate) fn next_hop(&mut self, from: u32, to: u32) -> Option<u32> {
        self.route(from, to).first().copied()
    }
}
