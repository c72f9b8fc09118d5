//! Whoever sees what happens: the trace, the checkers, and tests that ask for events.

use std::borrow::Cow;

use nunect_core::protocol::family;
use nunect_core::{ActorName, ClockStamp, Effect, Event, Message, Wall};
use serde::Serialize;

use crate::checker::{Checker, Sighting};
use crate::clock::WALL_START;
use crate::latency::Latencies;
use crate::report::Chronicle;
use crate::trace::{Down, LinkChange, LinkEnd, Record, Recorder, WORLD, What, digest};

/// An event that was kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) at: u64,
    pub(crate) node: u32,
    pub(crate) actor: Option<u32>,
    pub(crate) event: Event,
}

/// What a run has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Steps of the run: what came off the event heap.
    pub steps: u64,
    /// Messages that actors took.
    pub deliveries: u64,
    /// Messages that were lost on their way.
    pub lost: u64,
    /// Requests whose outcome an actor learned.
    pub replies: u64,
    /// Deadlines of actors that came.
    pub timeouts: u64,
    /// Events that actors and nodes emitted.
    pub events: u64,
    /// Ends of connections between nodes that came up.
    pub links_up: u64,
    /// Ends of such connections that were closed.
    pub links_closed: u64,
    /// Those of them that were closed because too much waited to be written, or waited for too long.
    pub slow_consumers: u64,
    /// Bounds on the error of a clock that nodes stated.
    pub clock_claims: u64,
    /// Those of them that did not hold when they were stated.
    pub clock_claims_wrong: u64,
}

/// What a node said about its clock, beside the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The true instant, nanoseconds since the run began.
    pub at: u64,
    /// Which node, in the order of their start.
    pub node: u32,
    /// What it said.
    pub stamp: ClockStamp,
    /// By how much its wall clock was truly ahead, nanoseconds.
    pub error_ns: i64,
}

#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) recorder: Recorder,
    /// Whether there is a trace: without, nothing is written, and nothing hashed for it.
    pub(crate) traces: bool,
    pub(crate) checker: Checker,
    pub(crate) kept: Option<Vec<Kept>>,
    pub(crate) latencies: Option<Box<Latencies>>,
    pub(crate) chronicle: Option<Box<Chronicle>>,
    pub(crate) counters: Counters,
    /// What nodes said about their clocks, if that is kept.
    pub(crate) claims: Option<Vec<Claim>>,
    /// Where actors write down what they want: one memory for all, which stays in the cache.
    pub(crate) effects: Vec<Effect>,
}

impl Witness {
    pub(crate) fn new(checker: Checker) -> Self {
        Self {
            recorder: Recorder::new(),
            traces: true,
            checker,
            kept: None,
            latencies: None,
            chronicle: None,
            counters: Counters::default(),
            claims: None,
            effects: Vec::new(),
        }
    }

    pub(crate) fn record(&mut self, at: u64, node: u32, what: What<'_>) {
        if self.traces {
            self.recorder.write(&Record { at, node, what });
        }
    }

    pub(crate) fn event(&mut self, at: u64, node: u32, actor: Option<(u32, &ActorName)>, event: Event) {
        self.counters.events += 1;
        let (slot, name) = actor.unzip();
        self.record(at, node, What::Event { actor: slot, event: Cow::Borrowed(&event) });
        self.checker.event(&Sighting { at, node, actor: name, event: &event });
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.event(at, node, name, &event);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(Kept { at, node, actor: slot, event });
        }
    }

    /// A message that was published at `sent` reaches a node.
    #[inline]
    pub(crate) fn arrived(&mut self, at: u64, sent: u64, node: u32, message: &Message) {
        if let Some(latencies) = &mut self.latencies {
            latencies.record(at, family(message.subject.as_str()), at.saturating_sub(sent));
        }
        if self.checker.counts() {
            self.checker.arrived(at, sent, node, message);
        }
    }

    /// [`digest`], when there is a trace to carry it.
    pub(crate) fn digest(&self, message: &Message) -> (u32, u64) {
        if self.traces { digest(message) } else { (0, 0) }
    }

    /// A node says something about its clock, which shows `wall`.
    pub(crate) fn claimed(&mut self, at: u64, node: u32, wall: Wall, stamp: ClockStamp) {
        let truth = WALL_START.unix_nanos().saturating_add(at);
        let error = i128::from(wall.unix_nanos()) - i128::from(truth);
        let error_ns = i64::try_from(error).unwrap_or(if error < 0 { i64::MIN } else { i64::MAX });
        if let Some(bound) = stamp.uncertainty_ns {
            self.counters.clock_claims += 1;
            self.counters.clock_claims_wrong += u64::from(error_ns.unsigned_abs() > bound);
        }
        if let Some(claims) = &mut self.claims {
            claims.push(Claim { at, node, stamp, error_ns });
        }
    }

    /// An end of a connection came up or was closed.
    pub(crate) fn link(&mut self, at: u64, node: u32, peer: u32, change: LinkChange) {
        match change {
            LinkChange::Up => self.counters.links_up += 1,
            LinkChange::Closed(why) => {
                self.counters.links_closed += 1;
                let slow = matches!(why, LinkEnd::SlowConsumer | LinkEnd::WriteDeadline);
                self.counters.slow_consumers += u64::from(slow);
            }
        }
        self.record(at, node, What::Link { peer, change });
    }

    pub(crate) fn lost(&mut self, at: u64, node: u32, subject: &str) {
        self.counters.lost += 1;
        self.record(at, node, What::Lost { subject: subject.into() });
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.lost(at, subject);
        }
    }

    /// A node is down.
    pub(crate) fn down(&mut self, at: u64, node: u32, how: Down) {
        self.record(at, node, What::Down { how });
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.down(at, node);
        }
    }

    /// A fault begins or ends; `entry` is what expectations call it.
    pub(crate) fn fault(&mut self, at: u64, fault: u32, entry: Option<u32>, begins: bool) {
        self.record(at, WORLD, What::Fault { fault, begins });
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.fault(at, fault, begins);
        }
        if let Some(entry) = entry {
            self.checker.fault(at, entry, begins);
        }
    }

    /// All faults have ended: the liveness phase begins.
    pub(crate) fn healed(&mut self, at: u64) {
        self.record(at, WORLD, What::Healed);
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.healed(at);
        }
    }
}
