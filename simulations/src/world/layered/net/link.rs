//! One direction of a link, and what it does to a packet.
//!
//! A packet is followed along its whole route at the instant at which it is sent; links are therefore
//! asked about instants that are yet to come, and not in their order. A link remembers what it has
//! promised for the future: a packet that comes before what was promised goes in front of it if there
//! is room, and behind it if not; whoever comes after that goes behind both. No promise is revoked, nothing is sent at the same time as something
//! else, and packets leave in the order in which they came, whatever the jitter.

use std::collections::VecDeque;

use super::air::Air;
use super::fault::Faults;
use super::loss::Loss;
use super::plan::{JitterPlan, LinkPlan};
use super::random::{exponential, threshold};
use crate::draw::{between, mix};

/// What has become of the packets of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkCounters {
    /// Packets that came.
    pub(crate) sent: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Packets that no attempt got through, or that found the link down.
    pub(crate) lost: u64,
    /// Packets that found the queue full.
    pub(crate) dropped: u64,
    /// Attempts after the first.
    pub(crate) retried: u64,
}

/// A packet that was promised to pass.
#[derive(Clone, Copy, Debug)]
struct Slot {
    entered: u64,
    start: u64,
    end: u64,
    arrival: u64,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) from: u32,
    pub(super) to: u32,
    key: u64,
    plan: LinkPlan,
    loss: Loss,
    /// The turn of the net for which what follows was made.
    pub(super) turn: u32,
    open: bool,
    delay: u64,
    /// Picoseconds to send a byte; 0 without a limit.
    byte_ps: u64,
    /// Attempts that a fault loses, as a threshold.
    extra: u64,
    /// Until when nothing passes.
    clog: u64,
    /// Bytes that wait for that.
    clogged: u64,
    slots: VecDeque<Slot>,
    pub(super) counters: LinkCounters,
}

/// SplitMix64's increment.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Purposes of the draws of one packet.
const ATTEMPT: u64 = 1 << 32;
const JITTER: u64 = 2 << 32;
const FAULT: u64 = 3 << 32;

const NANOS: f64 = 1e9;

fn byte_ps(rate: Option<u64>) -> u64 {
    rate.map_or(0, |rate| 8_000_000_000_000_u64.div_ceil(rate.max(1)))
}

impl Link {
    pub(super) fn new(from: u32, to: u32, key: u64, plan: LinkPlan) -> Self {
        Self {
            from,
            to,
            key,
            plan,
            loss: plan.loss.map_or(Loss::None, Loss::new),
            turn: u32::MAX,
            open: false,
            delay: 0,
            byte_ps: 0,
            extra: 0,
            clog: 0,
            clogged: 0,
            slots: VecDeque::new(),
            counters: LinkCounters::default(),
        }
    }

    /// Takes over what positions and faults have made of it.
    pub(super) fn refresh(&mut self, turn: u32, air: &Air, faults: &Faults) {
        self.turn = turn;
        let effect = faults.effect(self.from, self.to);
        let heard = air.refresh(self.from, self.to, &mut self.loss);
        self.open = heard && !effect.blocked;
        let propagation = match self.plan.propagation {
            Some(speed) => (air.distance(self.from, self.to) / speed * NANOS) as u64,
            None => 0,
        };
        self.delay = self.plan.delay.saturating_add(propagation).saturating_add(effect.delay);
        self.byte_ps = byte_ps(self.plan.rate).max(byte_ps(effect.rate));
        self.extra = threshold(effect.loss);
        if self.clog != effect.clog {
            self.clogged = 0;
        }
        self.clog = effect.clog;
    }

    /// How many packets it remembers.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.slots.len()
    }

    /// When what comes at `at` arrives at the other end, if it does; `now` is the instant of the call.
    pub(super) fn pass(&mut self, now: u64, at: u64, bytes: u32) -> Option<u64> {
        let packet = mix(self.key.wrapping_add(self.counters.sent.wrapping_mul(GOLDEN)));
        self.counters.sent += 1;
        self.counters.bytes += u64::from(bytes);
        if !self.open {
            self.counters.lost += 1;
            return None;
        }
        while self.slots.front().is_some_and(|slot| slot.arrival <= now) {
            self.slots.pop_front();
        }
        let place = self.place(at);
        let before = place.checked_sub(1).and_then(|place| self.slots.get(place)).copied();
        let free = at.max(before.map_or(0, |slot| slot.end)).max(self.clog);
        if self.is_full(at, free, bytes) {
            self.counters.dropped += 1;
            return None;
        }
        let (through, airtime) = self.attempt(packet, free, bytes);
        if self.clog == u64::MAX {
            // It waits for ever.
            return None;
        }
        let arrival = self.reserve(at, free, airtime, through.then(|| self.jitter(packet)), place);
        if !through {
            self.counters.lost += 1;
            return None;
        }
        Some(arrival)
    }

    /// Behind whom a packet comes: all that entered before it or with it.
    fn place(&self, at: u64) -> usize {
        self.slots.iter().rposition(|slot| slot.entered <= at).map_or(0, |last| last + 1)
    }

    /// Whether there is no room to wait for a packet that could be sent at `free`. What is ahead of it is
    /// told by how long it waits; who need not wait always has room.
    fn is_full(&mut self, at: u64, free: u64, bytes: u32) -> bool {
        let bytes = u64::from(bytes);
        if at < self.clog {
            let full = self.clogged + bytes > self.plan.queue;
            if !full {
                self.clogged += bytes;
            }
            return full;
        }
        if free == at {
            return false;
        }
        let ahead = (free - at).saturating_mul(1_000).checked_div(self.byte_ps).unwrap_or(0);
        ahead + bytes > self.plan.queue
    }

    /// Sends until it gets through or there are no retries left. Returns whether it did, and how long the link was
    /// busy with it.
    fn attempt(&mut self, packet: u64, start: u64, bytes: u32) -> (bool, u64) {
        let once = (u64::from(bytes) * self.byte_ps).div_ceil(1_000);
        let mut airtime = once;
        for attempt in 0..=self.plan.retries {
            if attempt > 0 {
                self.counters.retried += 1;
                airtime = airtime.saturating_add(self.plan.backoff).saturating_add(once);
            }
            let number = u64::from(attempt);
            let begun = start.saturating_add(airtime - once);
            let lost = self.loss.loses(mix(packet ^ ATTEMPT ^ number), begun, bytes);
            let harmed = self.extra > 0 && mix(packet ^ FAULT ^ number) < self.extra;
            if !lost && !harmed {
                return (true, airtime);
            }
        }
        (false, airtime)
    }

    fn jitter(&self, packet: u64) -> u64 {
        match self.plan.jitter {
            JitterPlan::None => 0,
            JitterPlan::Uniform(most) => between(mix(packet ^ JITTER), 0, most),
            JitterPlan::Exponential(mean) => (exponential(mix(packet ^ JITTER)) * mean as f64) as u64,
        }
    }

    /// Takes the first time of that length from `free` on. Returns when what is sent then arrives.
    /// What is lost keeps the link busy and holds up nobody's arrival.
    fn reserve(&mut self, at: u64, free: u64, airtime: u64, jitter: Option<u64>, mut place: usize) -> u64 {
        let mut start = free;
        while let Some(next) = self.slots.get(place) {
            if start.saturating_add(airtime) <= next.start {
                break;
            }
            start = start.max(next.end);
            place += 1;
        }
        let end = start.saturating_add(airtime);
        let earliest = place.checked_sub(1).and_then(|place| self.slots.get(place)).map_or(0, |slot| slot.arrival);
        let latest = self.slots.get(place).map_or(u64::MAX, |slot| slot.arrival);
        let alone = jitter.map_or(end, |jitter| end.saturating_add(self.delay).saturating_add(jitter));
        let arrival = alone.max(earliest).min(latest);
        let slot = Slot { entered: at, start, end, arrival };
        if place == self.slots.len() {
            self.slots.push_back(slot)
        } else {
            self.slots.insert(place, slot)
        }
        arrival
    }
}
