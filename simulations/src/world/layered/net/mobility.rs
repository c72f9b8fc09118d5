//! Where stations are.
//!
//! Random waypoint begins in its stationary distribution (Navidi and Camp, "Stationary distributions
//! for the random waypoint mobility model", IEEE Transactions on Mobile Computing 3(1), 2004): a
//! walker begins to pause with probability P / (P + E[L] · E[1/V]), anywhere and for the uniform rest
//! of its pause; otherwise under way between two points drawn with a density proportional to their
//! distance, anywhere between them, at a speed of density ∝ 1/v: v = low · (high/low)^u. Started
//! plainly, walkers would slow down and gather in the middle for the first quarter of an hour.
//!
//! Groups are reference point group mobility (Hong, Gerla, Pei and Chiang, MSWiM 1999): the centre
//! moves by itself, the members wander around it.

use super::plan::{CentrePlan, GroupPlan, NetPlan, Walk, WaypointPlan};
use super::random::{unit, within};
use crate::draw::{key, mix};

/// Metres east and north.
pub(super) type Point = [f64; 2];

const SECOND: f64 = 1e9;

pub(super) fn distance(a: Point, b: Point) -> f64 {
    let (x, y) = (a[0] - b[0], a[1] - b[1]);
    (x * x + y * y).sqrt()
}

fn between(a: Point, b: Point, share: f64) -> Point {
    [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share]
}

fn anywhere(bits: u64, area: Point) -> Point {
    [within(bits, 0.0, area[0]), within(mix(bits), 0.0, area[1])]
}

/// The mean distance of two points of a rectangle (Santaló, "Integral Geometry and Geometric
/// Probability", 1976, section I.4): 0.5214 of the side of a square.
fn mean_distance([a, b]: Point) -> f64 {
    let diagonal = (a * a + b * b).sqrt();
    let cubes = a * a * a / (b * b) + b * b * b / (a * a) + diagonal * (3.0 - a * a / (b * b) - b * b / (a * a));
    let logarithms = b * b / a * libm::log((a + diagonal) / b) + a * a / b * libm::log((b + diagonal) / a);
    cubes / 15.0 + logarithms / 6.0
}

/// One who walks from a random point to the next.
#[derive(Debug)]
pub(super) struct Walker {
    key: u64,
    plan: WaypointPlan,
    legs: u64,
    from: Point,
    to: Point,
    /// When it left `from`, arrives at `to` and leaves again.
    left: f64,
    arrives: f64,
    leaves: f64,
}

impl Walker {
    pub(super) fn new(key: u64, plan: WaypointPlan) -> Self {
        let mut walker =
            Self { key, plan, legs: 0, from: [0.0; 2], to: [0.0; 2], left: 0.0, arrives: 0.0, leaves: 0.0 };
        let [low, high] = plan.speed;
        // E[1/V] of speeds from low to high.
        let slowness = if high > low { libm::log(high / low) / (high - low) } else { 1.0 / low };
        let (pause, walk) = (plan.pause as f64, mean_distance(plan.area) * slowness * SECOND);
        let [paused, rest, speed, share] = [1, 2, 3, 4].map(|purpose| unit(walker.bits(purpose)));
        if paused * (pause + walk) < pause {
            walker.to = anywhere(walker.bits(5), plan.area);
            walker.from = walker.to;
            walker.leaves = pause * rest;
            return walker;
        }
        let (from, to) = walker.ends();
        let speed = low * libm::pow(high / low, speed);
        let lasts = distance(from, to) / speed * SECOND;
        (walker.from, walker.to) = (from, to);
        (walker.left, walker.arrives) = (-lasts * share, lasts * (1.0 - share));
        walker.leaves = walker.arrives + pause;
        walker
    }

    /// Two points, drawn the more often the farther they are from each other: by rejection.
    fn ends(&self) -> (Point, Point) {
        let diagonal = distance([0.0; 2], self.plan.area);
        let mut bits = self.bits(6);
        loop {
            let (from, to) = (anywhere(mix(bits ^ 1), self.plan.area), anywhere(mix(bits ^ 2), self.plan.area));
            if unit(mix(bits ^ 3)) * diagonal < distance(from, to) {
                return (from, to);
            }
            bits = mix(bits);
        }
    }

    fn bits(&self, purpose: u64) -> u64 {
        mix(mix(self.key ^ self.legs) ^ purpose)
    }

    /// Where it is. Time must not run back.
    pub(super) fn at(&mut self, now: u64) -> Point {
        let now = now as f64;
        while now >= self.leaves {
            self.legs += 1;
            self.from = self.to;
            self.to = anywhere(self.bits(1), self.plan.area);
            let speed = within(self.bits(2), self.plan.speed[0], self.plan.speed[1]);
            self.left = self.leaves;
            // At least a nanosecond, so that there is an end to legs.
            self.arrives = self.left + (distance(self.from, self.to) / speed * SECOND).max(1.0);
            self.leaves = self.arrives + self.plan.pause as f64;
        }
        if now >= self.arrives {
            self.to
        } else {
            between(self.from, self.to, (now - self.left) / (self.arrives - self.left))
        }
    }
}

/// Where who follows a route is.
fn along(points: &[Point], speed: f64, now: u64) -> Point {
    let mut metres = speed * now as f64 / SECOND;
    for ends in points.windows(2) {
        let length = distance(ends[0], ends[1]);
        if metres < length {
            return between(ends[0], ends[1], metres / length);
        }
        metres -= length;
    }
    points.last().copied().unwrap_or_default()
}

/// What the members of a group gather around.
#[derive(Debug)]
struct Centre {
    plan: GroupPlan,
    walker: Option<Walker>,
    at: Point,
}

impl Centre {
    fn step(&mut self, now: u64) {
        self.at = match (&mut self.walker, &self.plan.centre) {
            (Some(walker), _) => walker.at(now),
            (None, CentrePlan::Route { points, speed }) => along(points, *speed, now),
            (None, CentrePlan::Waypoint(_)) => self.at,
        };
    }

    /// Where a member is: on its way from one point of the disc to the next.
    fn member(&self, key: u64, now: u64) -> Point {
        let place = |number: u64| {
            let bits = mix(key ^ number);
            let radius = self.plan.radius * unit(bits).sqrt();
            let angle = std::f64::consts::TAU * unit(mix(bits));
            [radius * libm::cos(angle), radius * libm::sin(angle)]
        };
        let offset = match now.checked_div(self.plan.wander) {
            None => place(0),
            Some(number) => {
                let share = (now % self.plan.wander) as f64 / self.plan.wander as f64;
                between(place(number), place(number + 1), share)
            }
        };
        [self.at[0] + offset[0], self.at[1] + offset[1]]
    }
}

#[derive(Debug)]
enum Mover {
    Still,
    Walks(Box<Walker>),
    Member { group: usize, key: u64 },
}

/// All stations and their positions.
#[derive(Debug)]
pub(super) struct Field {
    movers: Vec<Mover>,
    groups: Vec<Centre>,
    pub(super) positions: Vec<Point>,
    /// Metres that each has moved so far.
    pub(super) travelled: Vec<f64>,
    /// Whether each moved with the latest step.
    pub(super) moved: Vec<bool>,
}

impl Field {
    pub(super) fn new(plan: &NetPlan, keys: &[u64], seed: u64) -> Self {
        let seed = mix(seed ^ key("position"));
        let groups = plan.mobility.groups.iter().map(|group| {
            let walker = match &group.centre {
                CentrePlan::Waypoint(walk) => Some(Walker::new(mix(seed ^ mix(group.key)), *walk)),
                CentrePlan::Route { .. } => None,
            };
            Centre { plan: group.clone(), walker, at: [0.0; 2] }
        });
        let groups: Vec<_> = groups.collect();
        let (mut movers, mut positions) = (Vec::new(), Vec::new());
        for (number, &key) in keys.iter().enumerate() {
            let station = plan.stations.get(number).copied().unwrap_or_default();
            let key = mix(seed ^ key);
            positions.push(station.at.unwrap_or_else(|| anywhere(key, plan.area)));
            movers.push(match (station.walk, plan.mobility.waypoint) {
                (Walk::Waypoint, Some(walk)) => Mover::Walks(Box::new(Walker::new(key, walk))),
                (Walk::Member(group), _) if group < groups.len() => Mover::Member { group, key },
                (Walk::Still | Walk::Waypoint | Walk::Member(_), _) => Mover::Still,
            });
        }
        let stations = keys.len();
        let (travelled, moved) = (vec![0.0; stations], vec![false; stations]);
        let mut field = Self { movers, groups, positions, travelled, moved };
        field.step(0);
        field.travelled.fill(0.0);
        field
    }

    /// Whether anybody ever moves.
    pub(super) fn is_mobile(&self) -> bool {
        self.movers.iter().any(|mover| !matches!(mover, Mover::Still))
    }

    /// Moves everybody to where they are at `now`.
    pub(super) fn step(&mut self, now: u64) {
        self.groups.iter_mut().for_each(|centre| centre.step(now));
        for (number, mover) in self.movers.iter_mut().enumerate() {
            let old = self.positions[number];
            let new = match mover {
                Mover::Still => old,
                Mover::Walks(walker) => walker.at(now),
                Mover::Member { group, key } => self.groups[*group].member(*key, now),
            };
            self.moved[number] = new != old;
            self.travelled[number] += distance(old, new);
            self.positions[number] = new;
        }
    }
}

#[cfg(test)]
mod tests;
