//! What is measured, of a real network as of a simulated one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Round trips over one lossy link.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rtts {
    /// The share of packets that the link loses, each way.
    pub(crate) loss: f64,
    /// A connection's round trips in milliseconds, in the order of sending; none for a message that never came back.
    pub(crate) runs: Vec<Vec<Option<f64>>>,
}

impl Rtts {
    /// All round trips in milliseconds, the shortest first.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        sorted(self.runs.iter().flatten())
    }

    /// How many messages were sent.
    pub(crate) fn sent(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    /// How many messages never came back.
    pub(crate) fn lost(&self) -> usize {
        self.runs.iter().flatten().filter(|rtt| rtt.is_none()).count()
    }

    /// The share of round trips that took longer.
    pub(crate) fn share_above(&self, ms: f64) -> f64 {
        let sorted = self.sorted();
        let above = sorted.len() - sorted.partition_point(|rtt| *rtt <= ms);
        above as f64 / sorted.len() as f64
    }

    /// The round trip in milliseconds that a share of all stayed below.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        quantile(&self.sorted(), share)
    }

    /// More of the same link.
    pub(crate) fn pool(&mut self, other: Self) {
        assert!((self.loss - other.loss).abs() < f64::EPSILON, "links that lose the same");
        self.runs.extend(other.runs);
    }
}

fn sorted<'a>(rtts: impl Iterator<Item = &'a Option<f64>>) -> Vec<f64> {
    let mut sorted: Vec<f64> = rtts.copied().flatten().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
}

/// How servers of a cluster look whether their routes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pings {
    /// As nats-server has it: every 30 s at most, stale after two without an answer.
    Default,
    /// Every second, stale after two without an answer.
    EverySecond,
}

/// The link between two servers of a cluster of three was cut and healed, while 100 messages a second went each way:
/// from clients of server 0 to those of server 1, which come first in all pairs, and back.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cut {
    /// The servers' settings.
    pub(crate) pings: Pings,
    /// For how long it was cut.
    pub(crate) cut: Duration,
    /// How long ago the first route between the two was made when it was cut.
    pub(crate) routes_stood: Duration,
    /// When the first route between them was given up, since the cut.
    pub(crate) detected: Option<Duration>,
    /// When the last was given up.
    pub(crate) parted: Option<Duration>,
    /// Messages sent.
    pub(crate) sent: [usize; 2],
    /// Messages that never arrived.
    pub(crate) lost: [usize; 2],
    /// When the first message arrived, since the link was healed.
    pub(crate) first_after_heal: [Option<Duration>; 2],
    /// How long the message took that took longest.
    pub(crate) latest: [Duration; 2],
}

/// What a leaf loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    /// Its hub dies; the hub's kernel still answers.
    HubKilled,
    /// The link to its hub carries nothing any more.
    LinkSilent,
}

/// The settings of a leaf and of its hubs.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct LeafSettings {
    /// How long the leaf waits before it connects again.
    pub(crate) reconnect: Duration,
    /// How often either end asks for a sign of life.
    pub(crate) ping_interval: Duration,
    /// How many may be without an answer.
    pub(crate) ping_max: u32,
    /// How long a write may take.
    pub(crate) write_deadline: Duration,
}

/// A leaf changed from its first hub to its second, while 100 messages a second went from a client of the leaf to one of
/// the second hub, which comes first in all pairs, and back. The hubs are a cluster.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failover {
    /// What happened to the first hub.
    pub(crate) how: How,
    /// How long the leaf's connection had stood then.
    pub(crate) stood: Duration,
    /// When the leaf gave the connection up, since then.
    pub(crate) detected: Duration,
    /// When its connection to the second hub stood, since then.
    pub(crate) after: Duration,
    /// Messages sent.
    pub(crate) sent: [usize; 2],
    /// Messages that never arrived.
    pub(crate) lost: [usize; 2],
    /// For how long no message arrived.
    pub(crate) silence: [Duration; 2],
}

/// What one unit thinks of the others, after some were cut off and one was killed at the same moment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Decisions {
    /// Time between two heartbeats of a unit.
    pub(crate) interval: Duration,
    /// For how long the link was cut.
    pub(crate) cut: Duration,
    /// The units, and when the last heartbeat of each arrived where the server is, before the cut.
    pub(crate) last_heard: Vec<(String, Duration)>,
    /// When the monitor decided that a unit is OFFLINE, since the cut.
    pub(crate) offline: Vec<(String, Duration)>,
    /// When it decided that a unit is back, since the link was healed.
    pub(crate) online: Vec<(String, Duration)>,
}
