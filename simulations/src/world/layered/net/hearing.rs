//! Who hears whom, how well, and how well the routes believe that they do.

use super::air::{Air, at};
use super::plan::{HearingPlan, Metric, RoutePlan};

/// What one station is to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    pub(super) to: u32,
    /// The shares of probes that get through to it, and back.
    pub(super) now: [f32; 2],
    /// The same as routes know them.
    pub(super) seen: [f32; 2],
    /// Whether routes are about to learn of a change.
    pending: bool,
    /// Whether it was found again in this step.
    found: bool,
}

/// All stations and whom they hear.
#[derive(Debug)]
pub(super) struct Hearing {
    /// By station, in the order of the others' numbers; empty where everybody hears everybody.
    lists: Vec<Vec<Edge>>,
    /// Kept between steps for its memory only.
    old: Vec<Vec<Edge>>,
    everybody: bool,
    range: Option<f64>,
    /// Pairs that hear each other at any distance, beside those in range.
    wired: Vec<(u32, u32)>,
    grid: Grid,
}

impl RoutePlan {
    /// What a link costs, by the shares of probes that get through it forth and back; none if it is of
    /// no use. ETX is 1 / (df · dr): De Couto, Aguayo, Bicket and Morris, MobiCom 2003, section 3.1.
    pub(super) fn cost(&self, [forth, back]: [f32; 2]) -> Option<f32> {
        let usable = self.usable as f32;
        match self.metric {
            Metric::Hops => (forth >= usable).then_some(1.0),
            Metric::Etx => (forth >= usable && back >= usable).then(|| 1.0 / (forth * back)),
        }
    }

    fn differs(&self, edge: &Edge) -> bool {
        let turned = |[forth, back]: [f32; 2]| [back, forth];
        let changed = |now: [f32; 2], seen: [f32; 2]| match (self.cost(now), self.cost(seen)) {
            (Some(now), Some(seen)) => (now - seen).abs() > seen * self.hysteresis as f32,
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        };
        changed(edge.now, edge.seen) || changed(turned(edge.now), turned(edge.seen))
    }
}

impl Hearing {
    pub(super) fn new(air: &Air) -> Self {
        let stations = air.keys.len();
        let range = air.range();
        let mut pairs: Vec<(u32, u32)> = match &air.plan.hearing {
            HearingPlan::Pairs(pairs) => pairs.clone(),
            HearingPlan::All | HearingPlan::Range(_) | HearingPlan::Radio => Vec::new(),
        };
        let everybody = air.plan.hearing == HearingPlan::All;
        let own = air.plan.links.iter().filter(|(_, _, link)| range.is_none() || link.wired);
        pairs.extend(own.map(|&(from, to, _)| (from, to)).filter(|_| !everybody));
        pairs.sort_unstable();
        pairs.dedup();
        let mut hearing = Self {
            lists: vec![Vec::new(); if everybody { 0 } else { stations }],
            old: vec![Vec::new(); if everybody { 0 } else { stations }],
            everybody,
            range,
            wired: Vec::new(),
            grid: Grid::default(),
        };
        if range.is_none() {
            hearing.link(air, &pairs);
        } else {
            hearing.wired = pairs.iter().map(|&(a, b)| (a.min(b), a.max(b))).collect();
            hearing.wired.sort_unstable();
            hearing.wired.dedup();
            hearing.search(air, true);
        }
        // Routes have settled when the run begins.
        hearing.lists.iter_mut().flatten().for_each(|edge| edge.seen = edge.now);
        hearing
    }

    /// Makes the edges of a topology that positions do not decide.
    fn link(&mut self, air: &Air, pairs: &[(u32, u32)]) {
        let heard = |from: u32, to: u32| pairs.binary_search(&(from, to)).is_ok();
        for &(a, b) in pairs {
            // The pair stands twice where both directions do.
            if a > b && heard(b, a) {
                continue;
            }
            let delivery = |from, to| if heard(from, to) { air.delivery(from, to) } else { 0.0 };
            self.put(a, b, [delivery(a, b), delivery(b, a)], None);
        }
        self.lists.iter_mut().for_each(|list| list.sort_unstable_by_key(|edge| edge.to));
    }

    fn put(&mut self, a: u32, b: u32, now: [f32; 2], old: Option<Edge>) {
        let (seen, pending) = old.map_or(([0.0; 2], false), |edge| (edge.seen, edge.pending));
        let edge = Edge { to: b, now, seen, pending, found: false };
        self.lists[at(a)].push(edge);
        self.lists[at(b)].push(Edge { to: a, now: [now[1], now[0]], seen: [seen[1], seen[0]], ..edge });
    }

    /// Follows the latest step of the stations. Returns the links that routes are to learn of.
    pub(super) fn step(&mut self, air: &Air, routes: &RoutePlan) -> Vec<(u32, u32)> {
        let mut changed = Vec::new();
        if self.everybody {
            return changed;
        }
        if self.range.is_some() {
            self.search(air, false);
        } else if air.plan.radio.is_some() {
            self.measure(air);
        }
        for (station, list) in (0..).zip(&mut self.lists) {
            for edge in list.iter_mut().filter(|edge| !edge.pending && routes.differs(edge)) {
                edge.pending = true;
                if station < edge.to {
                    changed.push((station, edge.to));
                }
            }
        }
        changed
    }

    /// Measures the links of stations that moved, where these stay the same.
    fn measure(&mut self, air: &Air) {
        let moved = &air.field.moved;
        for (station, list) in (0..).zip(&mut self.lists) {
            for edge in list.iter_mut().filter(|edge| moved[at(station)] || moved[at(edge.to)]) {
                // A direction that is not heard by plan has no way to become so.
                let delivery = |from, to, heard| if heard { air.delivery(from, to) } else { 0.0 };
                let planned = |from, to| match &air.plan.hearing {
                    HearingPlan::Pairs(pairs) => pairs.binary_search(&(from, to)).is_ok() || air.is_own(from, to),
                    HearingPlan::All | HearingPlan::Range(_) | HearingPlan::Radio => true,
                };
                let to = edge.to;
                edge.now = [(station, to), (to, station)].map(|(from, to)| delivery(from, to, planned(from, to)));
            }
        }
    }

    /// Finds who is in range of whom.
    fn search(&mut self, air: &Air, all: bool) {
        std::mem::swap(&mut self.lists, &mut self.old);
        self.lists.iter_mut().for_each(Vec::clear);
        let mut grid = std::mem::take(&mut self.grid);
        let range = self.range.unwrap_or(0.0);
        grid.fill(&air.field.positions, range);
        for a in 0..air.stations() {
            grid.near(a, |b| {
                let near = b > a && air.distance(a, b) <= range;
                if near && self.wired.binary_search(&(a, b)).is_err() {
                    self.meet(air, all, a, b);
                }
            });
        }
        for (a, b) in std::mem::take(&mut self.wired) {
            self.meet(air, all, a, b);
            self.wired.push((a, b));
        }
        self.grid = grid;
        self.keep_lost();
        self.lists.iter_mut().for_each(|list| list.sort_unstable_by_key(|edge| edge.to));
    }

    fn meet(&mut self, air: &Air, all: bool, a: u32, b: u32) {
        let list = &mut self.old[at(a)];
        let old = list.binary_search_by_key(&b, |edge| edge.to).ok().map(|place| {
            list[place].found = true;
            list[place]
        });
        let moved = all || air.field.moved[at(a)] || air.field.moved[at(b)];
        let now = match old {
            Some(edge) if !moved => edge.now,
            // Two that did not hear each other and did not move still do not.
            None if !moved => return,
            Some(_) | None => air.deliveries(a, b),
        };
        let idle = old.is_none_or(|edge| edge.seen == [0.0; 2] && !edge.pending);
        if now != [0.0; 2] || !idle {
            self.put(a, b, now, old);
        }
    }

    /// Keeps what is out of range for as long as routes believe in it.
    fn keep_lost(&mut self) {
        for a in 0..self.old.len() {
            for place in 0..self.old[a].len() {
                let edge = self.old[a][place];
                let station = u32::try_from(a).unwrap_or(u32::MAX);
                if edge.to > station && !edge.found && (edge.seen != [0.0; 2] || edge.pending) {
                    self.put(station, edge.to, [0.0; 2], Some(edge));
                }
            }
        }
    }

    /// Routes learn of links that have changed a while ago, if they still are changed. Returns whether
    /// that is any.
    pub(super) fn learn(&mut self, changed: &[(u32, u32)], routes: &RoutePlan) -> bool {
        let mut news = false;
        for &(a, b) in changed {
            for (from, to) in [(a, b), (b, a)] {
                let list = &mut self.lists[at(from)];
                let Ok(place) = list.binary_search_by_key(&to, |edge| edge.to) else { continue };
                let edge = &mut list[place];
                edge.pending = false;
                if routes.differs(edge) {
                    edge.seen = edge.now;
                    news = true;
                }
            }
        }
        news
    }

    /// What routes know of a link, forth and back.
    pub(super) fn seen(&self, air: &Air, from: u32, to: u32) -> Option<[f32; 2]> {
        if self.everybody {
            return (from != to).then(|| [air.delivery(from, to), air.delivery(to, from)]);
        }
        let list = self.lists.get(at(from))?;
        list.binary_search_by_key(&to, |edge| edge.to).ok().map(|place| list[place].seen)
    }

    /// Shows everybody to whom there may be a link, with what routes know of it forth and back.
    pub(super) fn each(&self, air: &Air, from: u32, mut show: impl FnMut(u32, [f32; 2])) {
        if !self.everybody {
            self.lists[at(from)].iter().for_each(|edge| show(edge.to, edge.seen));
            return;
        }
        let common = air.plan.link.loss.map_or(1.0, |loss| 1.0 - loss.share()) as f32;
        let single = !air.plan.links.is_empty();
        for to in (0..air.stations()).filter(|&to| to != from) {
            let seen = if single { [air.delivery(from, to), air.delivery(to, from)] } else { [common; 2] };
            show(to, seen);
        }
    }

    /// All links that exist at present, both directions of each; none where everybody hears everybody.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, u32)> {
        let stations = (0_u32..).zip(&self.lists);
        stations.flat_map(|(from, list)| list.iter().filter(|edge| edge.now[0] > 0.0).map(move |edge| (from, edge.to)))
    }
}

/// Stations by squares as wide as the range, so that each need look at nine squares only.
#[derive(Debug, Default)]
struct Grid {
    /// Column and row of each station.
    squares: Vec<(u32, u32)>,
    columns: u32,
    rows: u32,
    /// Where the stations of each square begin in `sorted`, and at last its end.
    starts: Vec<u32>,
    sorted: Vec<u32>,
}

/// No grid has more squares on a side.
const SIDE_MAX: f64 = 256.0;

impl Grid {
    fn fill(&mut self, positions: &[[f64; 2]], range: f64) {
        let bound = |axis: usize, pick: fn(f64, f64) -> f64, start| positions.iter().map(|p| p[axis]).fold(start, pick);
        let low = [0, 1].map(|axis| bound(axis, f64::min, f64::INFINITY));
        let high = [0, 1].map(|axis| bound(axis, f64::max, f64::NEG_INFINITY));
        let size = [0, 1].map(|axis| (high[axis] - low[axis]).max(0.0));
        let side = range.max(size[0].max(size[1]) / SIDE_MAX).max(1e-9);
        let square = |p: [f64; 2], axis: usize| ((p[axis] - low[axis]) / side) as u32;
        self.squares = positions.iter().map(|&p| (square(p, 0), square(p, 1))).collect();
        self.columns = (size[0] / side) as u32 + 1;
        self.rows = (size[1] / side) as u32 + 1;
        self.starts.clear();
        self.starts.resize(at(self.columns * self.rows) + 1, 0);
        for &(column, row) in &self.squares {
            self.starts[at(row * self.columns + column) + 1] += 1;
        }
        for place in 1..self.starts.len() {
            self.starts[place] += self.starts[place - 1];
        }
        let mut next = self.starts.clone();
        self.sorted.resize(positions.len(), 0);
        for (station, &(column, row)) in (0..).zip(&self.squares) {
            let place = &mut next[at(row * self.columns + column)];
            self.sorted[at(*place)] = station;
            *place += 1;
        }
    }

    /// Shows everybody in the squares around a station.
    fn near(&self, station: u32, mut show: impl FnMut(u32)) {
        let (column, row) = self.squares[at(station)];
        for row in row.saturating_sub(1)..(row + 2).min(self.rows) {
            // Squares of a row lie side by side.
            let first = row * self.columns + column.saturating_sub(1);
            let last = row * self.columns + (column + 2).min(self.columns);
            let places = at(self.starts[at(first)])..at(self.starts[at(last)]);
            self.sorted[places].iter().for_each(|&other| show(other));
        }
    }
}
