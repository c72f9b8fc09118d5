//! Routes: the cheapest path for each pair of stations that talk.
//!
//! Trees of cheapest paths (Dijkstra) are made on demand, from or to the station of a pair that more
//! others talk with, and hold until routes change: a thousand leaves of three hubs need six. Costs are
//! whole numbers with a tie-break from the stations' keys in their lowest bits, so that there is one
//! cheapest path, the same from whichever end one looks, and however stations are numbered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nunect_core::table::Table;

use super::air::{Air, at};
use super::fault::Faults;
use super::hearing::Hearing;
use crate::draw::mix;

/// No station.
const NONE: u32 = u32::MAX;

/// Bits of a cost below one; costs are multiples of 1/4096 with the tie-break below.
const FRACTION: f32 = 4_096.0;
const TIE_BITS: u32 = 32;
/// A link's tie-break has so many bits: those of 256 links still stay below `TIE_BITS`.
const TIE: u64 = (1 << 24) - 1;

/// Below what no path of two links lies: each costs at least 1.
const TWO_LINKS: u64 = (2 * 4_096) << TIE_BITS;

/// What routes are computed from.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) air: &'a Air,
    pub(super) hearing: &'a Hearing,
    pub(super) faults: &'a Faults,
}

impl View<'_> {
    /// What the link costs by the shares that get through forth and back without faults.
    fn cost(&self, from: u32, to: u32, [forth, back]: [f32; 2]) -> Option<u64> {
        let shares = if self.faults.none_known() {
            [forth, back]
        } else {
            [forth * self.faults.known(from, to), back * self.faults.known(to, from)]
        };
        let cost = self.air.plan.routes.cost(shares)?;
        let tie = mix(self.air.ties[at(from)] ^ self.air.ties[at(to)]) & TIE;
        Some((((cost * FRACTION) as u64) << TIE_BITS) + tie)
    }
}

/// Cheapest paths from one station to all (outward), or from all to it.
#[derive(Debug, Default)]
struct Tree {
    version: u64,
    /// By station, the next on its way to the root; [`NONE`] at the root, and where there is none.
    next: Vec<u32>,
    costs: Vec<u64>,
}

impl Tree {
    fn grow(&mut self, root: u32, outward: bool, version: u64, view: View<'_>) {
        let stations = view.air.keys.len();
        self.version = version;
        self.next.clear();
        self.next.resize(stations, NONE);
        self.costs.clear();
        self.costs.resize(stations, u64::MAX);
        self.costs[at(root)] = 0;
        let mut open = BinaryHeap::from([Reverse((0_u64, root))]);
        while let Some(Reverse((cost, station))) = open.pop() {
            if cost > self.costs[at(station)] {
                continue;
            }
            view.hearing.each(view.air, station, |other, [forth, back]| {
                let link = if outward {
                    view.cost(station, other, [forth, back])
                } else {
                    view.cost(other, station, [back, forth])
                };
                let Some(total) = link.map(|link| cost + link) else { return };
                if total < self.costs[at(other)] {
                    self.costs[at(other)] = total;
                    self.next[at(other)] = station;
                    open.push(Reverse((total, other)));
                }
            });
        }
    }
}

/// The route of one pair.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) from: u32,
    pub(super) to: u32,
    /// The version of the routes that it belongs to.
    version: u64,
    /// Places of its links; empty when there is no route.
    pub(super) links: Vec<u32>,
}

/// All routes that are in use.
#[derive(Debug)]
pub(super) struct Routes {
    version: u64,
    pairs: Table<u64, u32>,
    paths: Vec<Path>,
    trees: Table<(u32, bool), Tree>,
    /// With how many others each station talks, in either direction.
    partners: Vec<u32>,
    /// Kept between uses for its memory only.
    stations: Vec<u32>,
}

impl Routes {
    pub(super) fn new(stations: usize) -> Self {
        Self {
            version: 1,
            pairs: Table::default(),
            paths: Vec::new(),
            trees: Table::default(),
            partners: vec![0; stations],
            stations: Vec::new(),
        }
    }

    /// Forgets what was computed: links are not what they were.
    pub(super) const fn change(&mut self) {
        self.version += 1;
    }

    /// The place of the path of a pair, and whether its links are up to date.
    pub(super) fn pair(&mut self, from: u32, to: u32) -> (u32, bool) {
        let pair = (u64::from(from) << 32) | u64::from(to);
        if let Some(&place) = self.pairs.get(&pair) {
            return (place, self.paths[at(place)].version == self.version);
        }
        let place = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        self.pairs.insert(pair, place);
        self.paths.push(Path { from, to, version: 0, links: Vec::new() });
        self.partners[at(from)] += 1;
        self.partners[at(to)] += 1;
        (place, false)
    }

    /// How many trees were ever made.
    #[cfg(test)]
    pub(super) fn trees(&self) -> usize {
        self.trees.len()
    }

    pub(super) fn path(&self, place: u32) -> &Path {
        &self.paths[at(place)]
    }

    /// Finds the path anew; `link` gives the place of the link between two stations.
    pub(super) fn find(&mut self, place: u32, view: View<'_>, mut link: impl FnMut(u32, u32) -> u32) {
        let Path { from, to, .. } = self.paths[at(place)];
        let mut stations = std::mem::take(&mut self.stations);
        stations.clear();
        stations.push(from);
        self.walk(from, to, view, &mut stations);
        let path = &mut self.paths[at(place)];
        path.version = self.version;
        path.links.clear();
        if stations.len() - 1 <= view.air.plan.routes.hop_limit {
            path.links.extend(stations.windows(2).map(|ends| link(ends[0], ends[1])));
        }
        self.stations = stations;
    }

    /// Adds to `stations` those after `from`, up to `to`; none when there is no way.
    fn walk(&mut self, from: u32, to: u32, view: View<'_>, stations: &mut Vec<u32>) {
        let direct = view.hearing.seen(view.air, from, to).and_then(|seen| view.cost(from, to, seen));
        if direct.is_some_and(|cost| cost < TWO_LINKS) {
            stations.push(to);
            return;
        }
        let outward = self.partners[at(from)] > self.partners[at(to)];
        let (root, mut station) = if outward { (from, to) } else { (to, from) };
        let version = self.version;
        let tree = self.trees.entry((root, outward)).or_default();
        if tree.version != version {
            tree.grow(root, outward, version, view);
        }
        if tree.costs[at(station)] == u64::MAX {
            return;
        }
        let first = stations.len();
        while station != root {
            if outward {
                stations.push(station);
            }
            station = tree.next[at(station)];
            if !outward {
                stations.push(station);
            }
        }
        if outward {
            stations[first..].reverse();
        }
    }
}
