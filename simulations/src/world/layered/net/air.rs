//! What lies between any two stations at present: the plan of the link, distance and radio.

use nunect_core::table::Table;

use super::loss::Loss;
use super::mobility::{Field, distance};
use super::plan::{HearingPlan, LinkPlan, NetPlan, RadioPlan};
use super::radio;
use crate::draw::{key, mix};

/// Whether, and how, one station hears another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reach {
    /// Not at all.
    Out,
    /// With the loss of the plan.
    Planned,
    /// The logarithm of the probability that a byte arrives whole.
    Radio(f64),
}

/// Stations and what is between them.
#[derive(Debug)]
pub(super) struct Air {
    pub(super) plan: NetPlan,
    pub(super) keys: Vec<u64>,
    pub(super) field: Field,
    /// Of `plan.links`, by both ends.
    own: Table<(u32, u32), u32>,
    shadows: u64,
    /// The ratio of signal to noise in dB below which nobody is heard.
    faintest: f64,
    /// The stations' keys, mixed, for tie-breaks.
    pub(super) ties: Vec<u64>,
}

impl Air {
    pub(super) fn new(plan: NetPlan, keys: &[u64], seed: u64) -> Self {
        let field = Field::new(&plan, keys, seed);
        let own = (0..).zip(&plan.links).map(|(place, &(from, to, _))| ((from, to), place)).collect();
        let faintest = plan.radio.as_ref().map_or(0.0, radio::faintest);
        let ties = keys.iter().map(|&key| mix(key)).collect();
        Self { field, own, keys: keys.to_vec(), shadows: mix(seed ^ key("shadowing")), faintest, ties, plan }
    }

    pub(super) fn stations(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    /// How the link was planned.
    pub(super) fn link(&self, from: u32, to: u32) -> &LinkPlan {
        match self.own.get(&(from, to)) {
            Some(&place) => &self.plan.links[at(place)].2,
            None => &self.plan.link,
        }
    }

    /// Whether the link has a plan of its own.
    pub(super) fn is_own(&self, from: u32, to: u32) -> bool {
        self.own.contains_key(&(from, to))
    }

    /// In metres.
    pub(super) fn distance(&self, from: u32, to: u32) -> f64 {
        distance(self.field.positions[at(from)], self.field.positions[at(to)])
    }

    pub(super) fn reach(&self, from: u32, to: u32) -> Reach {
        if self.link(from, to).wired {
            return Reach::Planned;
        }
        match (&self.plan.radio, &self.plan.hearing) {
            (_, HearingPlan::Range(range)) if self.distance(from, to) > *range => Reach::Out,
            (Some(radio), _) => {
                let snr = self.strength(radio, from, to) - self.path(radio, from, to);
                if snr < self.faintest { Reach::Out } else { Reach::Radio(radio::whole_byte(radio, snr)) }
            }
            (None, _) => Reach::Planned,
        }
    }

    /// The share of probes that arrive.
    pub(super) fn delivery(&self, from: u32, to: u32) -> f32 {
        match self.reach(from, to) {
            Reach::Out => 0.0,
            Reach::Planned => heard(1.0 - self.link(from, to).loss.map_or(0.0, |loss| loss.share())),
            Reach::Radio(byte) => heard(radio::delivery(byte)),
        }
    }

    /// The same forth and back. What radios have in common is computed once.
    pub(super) fn deliveries(&self, a: u32, b: u32) -> [f32; 2] {
        let alike = self.own.is_empty() && matches!(self.plan.hearing, HearingPlan::Radio);
        match &self.plan.radio {
            Some(radio) if alike && self.strength(radio, a, b) == self.strength(radio, b, a) => {
                [self.delivery(a, b); 2]
            }
            Some(_) | None => [self.delivery(a, b), self.delivery(b, a)],
        }
    }

    /// The ratio of signal to noise in dB if nothing were lost on the way.
    fn strength(&self, radio: &RadioPlan, from: u32, to: u32) -> f64 {
        let station = |station| self.plan.stations.get(at(station));
        let gain = |number| station(number).and_then(|station| station.gain).unwrap_or(radio.gain);
        let power = station(from).and_then(|station| station.power).unwrap_or(radio.power);
        power + (gain(from) + gain(to)) - radio.noise
    }

    /// What is lost on the way, in dB.
    fn path(&self, radio: &RadioPlan, a: u32, b: u32) -> f64 {
        let moved = self.field.travelled[at(a)] + self.field.travelled[at(b)];
        let shadow = radio::shadow(radio, self.shadows, self.keys[at(a)], self.keys[at(b)], moved);
        radio::path_loss(radio, self.distance(a, b)) + shadow
    }

    /// Beyond how many metres nobody hears anybody; none where distance does not decide that.
    pub(super) fn range(&self) -> Option<f64> {
        match (&self.plan.hearing, &self.plan.radio) {
            (HearingPlan::Range(range), _) => Some(*range),
            (HearingPlan::Radio, Some(radio)) => {
                let stations = || self.plan.stations.iter();
                let power = stations().filter_map(|station| station.power).fold(radio.power, f64::max);
                let gain = stations().filter_map(|station| station.gain).fold(radio.gain, f64::max);
                Some(radio::range(radio, power, gain))
            }
            (HearingPlan::Radio, None) => Some(0.0),
            (HearingPlan::All | HearingPlan::Pairs(_), _) => None,
        }
    }

    /// What the air does to packets on a link, whose loss may have a state; whether it lets any through.
    pub(super) fn refresh(&self, from: u32, to: u32, loss: &mut Loss) -> bool {
        match self.reach(from, to) {
            Reach::Out => false,
            Reach::Planned => true,
            Reach::Radio(byte) => {
                *loss = Loss::Noise { byte };
                true
            }
        }
    }
}

/// A share of probes, unless it is next to none.
fn heard(share: f64) -> f32 {
    if share < radio::HEARD_MIN { 0.0 } else { share as f32 }
}

/// A station's, or link's, place in a list.
pub(super) fn at(number: u32) -> usize {
    number as usize
}
