//! Meshes, from outside.

mod faults;
mod links;
mod movement;
mod routes;

use super::plan::{HearingPlan, LinkPlan, LossPlan};
use super::*;
use crate::draw::key;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn keys(stations: u32) -> Vec<u64> {
    (0..stations).map(|n| key(&format!("n{n:02}"))).collect()
}

/// Links in both directions.
fn both(pairs: impl IntoIterator<Item = (u32, u32)>) -> HearingPlan {
    let mut pairs: Vec<_> = pairs.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]).collect();
    pairs.sort_unstable();
    pairs.dedup();
    HearingPlan::Pairs(pairs)
}

fn ring(stations: u32) -> NetPlan {
    let hearing = both((0..stations).map(|n| (n, (n + 1) % stations)));
    NetPlan { hearing, area: [1_000.0; 2], ..NetPlan::default() }
}

fn line(stations: u32, link: LinkPlan) -> NetPlan {
    NetPlan { hearing: both((1..stations).map(|n| (n - 1, n))), link, area: [1_000.0; 2], ..NetPlan::default() }
}

fn lossy(share: f64) -> LinkPlan {
    LinkPlan { loss: Some(LossPlan::Share(share)), ..LinkPlan::default() }
}

/// A mesh and what is due in it.
struct Mesh {
    net: Net,
    due: Vec<(u64, NetEvent)>,
    now: u64,
}

impl Mesh {
    fn new(plan: NetPlan, stations: u32) -> Self {
        Self::seeded(plan, stations, 1)
    }

    fn seeded(plan: NetPlan, stations: u32, seed: u64) -> Self {
        let mut mesh = Self { net: Net::new(plan, &keys(stations), seed), due: Vec::new(), now: 0 };
        mesh.net.start(&mut mesh.due);
        mesh
    }

    /// Lets happen what is due until then.
    fn until(&mut self, now: u64) {
        while let Some(place) = (0..self.due.len()).filter(|&n| self.due[n].0 <= now).min_by_key(|&n| self.due[n].0) {
            let (at, event) = self.due.remove(place);
            self.net.happen(at, event, &mut self.due);
        }
        self.now = now;
    }

    fn send(&mut self, from: u32, to: u32) -> Option<u64> {
        self.net.send(self.now, from, to, 100)
    }

    fn impose(&mut self, id: u32, fault: NetFault) {
        self.net.impose(self.now, id, fault, &mut self.due);
    }

    fn lift(&mut self, id: u32) {
        self.net.lift(self.now, id, &mut self.due);
    }

    fn counters(&self, from: u32, to: u32) -> LinkCounters {
        let links = self.net.links();
        links.iter().find(|link| (link.from, link.to) == (from, to)).expect("a link").counters
    }
}
