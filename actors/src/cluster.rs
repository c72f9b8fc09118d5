//! Tells the other nodes that this one is there, and how the cluster around it does.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use nunect_core::config::period_within;
use nunect_core::protocol::cluster::{self, Cluster as Told, ClusterState};
use nunect_core::table::Table;
use nunect_core::time::nanos;
use nunect_core::{
    Actor, Birth, BusEvent, ConfigError, Contract, Deadline, Effects, Event, Fault, Health, Input, Message, Mono,
    NodeReport, Now, Pattern, Period, Sensor, StopReason, Subscription, UnitId,
};

/// The shortest interval that may be configured.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// The longest.
pub const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// A change of state is told at once, but extra messages keep this distance.
pub const EXTRA_DISTANCE_MIN: Duration = Duration::from_secs(1);

/// For so long after a peer fell silent the cluster is DEGRADED.
pub const LOST_LATELY: Duration = Duration::from_secs(60);
/// A peer that was silent for so long is no peer any more.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// Nodes that are remembered; beyond that the one that was heard longest ago gives way.
pub const PEERS_MAX: usize = 1_024;

/// A timeout that comes later than this says that this node itself stood still.
const STOOD_STILL: Duration = Duration::from_millis(500);

/// What may be configured of a cluster reporter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// Time between two reports, from 1s to 60s. Probers look for nodes that report within 45s.
    #[garde(custom(period_within(INTERVAL_MIN, INTERVAL_MAX)))]
    pub interval: Period,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self { interval: Period(cluster::INTERVAL) }
    }
}

/// Publishes `ops.health.cluster.{unit}` at once when the bus is there, every interval, and when the
/// state changes; and reads what the others publish there.
///
/// A peer is another node that was heard within 2.5 intervals: the own ones or the protocol's,
/// whichever are longer, since nobody tells theirs. The cluster is
///
/// - PARTITIONED, when half of the peers or more fell silent at about the same time, within two
///   intervals: at least two of them, or all there were, since a node that loses one of two others has
///   lost just that one. It stays so until they are back, or forgotten after ten minutes.
/// - DEGRADED, when this node is not OK, or a peer fell silent within the last minute.
/// - HEALTHY otherwise.
#[derive(Debug)]
pub struct Cluster {
    unit: UnitId,
    interval: Duration,
    health: Health,
    peers: Table<UnitId, Peer>,
    /// When the next peer falls silent or is forgotten, or a loss is no longer a late one, or earlier.
    look: Option<Mono>,
    /// Since when others can be heard; none while the bus is away. Silence is counted from here.
    listening_since: Option<Mono>,
    state: ClusterState,
    told: ClusterState,
    /// When the next regular report is due; none while the bus is away.
    due: Option<Mono>,
    extra_from: Mono,
}

#[derive(Debug)]
struct Peer {
    heard: Mono,
    /// Since when it is silent.
    lost: Option<Mono>,
}

impl Actor for Cluster {
    const KIND: &'static str = "cluster";
    type Config = ClusterConfig;

    fn new(config: ClusterConfig, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self {
            unit: birth.unit.clone(),
            interval: config.interval.0,
            health: Health::Ok,
            peers: Table::default(),
            look: None,
            listening_since: None,
            state: ClusterState::Healthy,
            told: ClusterState::Healthy,
            due: None,
            extra_from: Mono::ZERO,
        })
    }

    fn contract(&self) -> Contract {
        Contract {
            reads: vec![Subscription::from(cluster::pattern())],
            publishes: vec![Pattern::from(&cluster::subject(&self.unit))],
            sensors: vec![Sensor::Bus, Sensor::Node],
            ..Contract::default()
        }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        let now = now.mono;
        match input {
            Input::Message(message) => self.read(now, message, out),
            Input::Timeout(_) => {
                self.look_around(now, out);
            }
            Input::Bus(BusEvent::Connected) => {
                self.listening_since = Some(now);
                self.due = Some(now);
            }
            Input::Bus(BusEvent::Disconnected) => {
                self.listening_since = None;
                self.due = None;
            }
            Input::Node(NodeReport::Health(health)) => {
                self.health = *health;
                self.judge(now, out);
            }
            Input::Bus(
                BusEvent::Denied { .. }
                | BusEvent::Permitted { .. }
                | BusEvent::SlowConsumer
                | BusEvent::Refused { .. },
            )
            | Input::Node(NodeReport::Done { .. } | NodeReport::Clock(_))
            | Input::Started
            | Input::Reply { .. }
            | Input::Host(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(StopReason::Restart | StopReason::Command) => {}
            // Who says goodbye is not missed.
            Input::Stopping(StopReason::NodeShutdown) => {
                if self.due.take().is_some() {
                    self.tell(true, out);
                }
            }
        }
        self.report(now, out);
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        let regular = Deadline::new(self.due?, "cluster report due");
        let change = (self.state != self.told).then_some(Deadline::new(self.extra_from, "cluster state changed"));
        let look = self.look.map(|at| Deadline::new(at, "cluster peer silent"));
        [Some(regular), change, look].into_iter().flatten().min()
    }
}

impl Cluster {
    /// Notes that another node is there.
    fn read(&mut self, now: Mono, message: &Message, out: &mut Effects) {
        let received = match Told::parse(message) {
            Ok(received) => received,
            Err(error) => return out.malformed(&message.subject, &error),
        };
        for problem in &received.problems {
            out.malformed(&message.subject, problem);
        }
        let (node, heard) = (received.cluster.node, message.received.mono);
        if node == self.unit {
            return;
        }
        if received.cluster.leaving {
            if self.peers.swap_remove(&node).is_some() {
                self.judge(now, out);
            }
            return;
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.heard = heard;
            if peer.lost.take().is_none() {
                return;
            }
        } else {
            if self.peers.len() >= PEERS_MAX {
                let quiet = self.peers.iter().min_by_key(|(_, peer)| peer.heard).map(|(unit, _)| unit.clone());
                quiet.and_then(|unit| self.peers.swap_remove(&unit));
            }
            self.peers.insert(node, Peer { heard, lost: None });
        }
        let silent = self.silent_at(heard);
        self.look = Some(self.look.map_or(silent, |look| look.min(silent)));
        // Where all is well one more node changes nothing, however many there are.
        if self.state != ClusterState::Healthy {
            self.judge(now, out);
        }
    }

    fn silent_at(&self, heard: Mono) -> Mono {
        heard.max(self.listening_since.unwrap_or_default()) + self.window()
    }

    /// How long a peer may be silent.
    fn window(&self) -> Duration {
        self.interval.max(cluster::INTERVAL) * 5 / 2
    }

    /// Looks who fell silent, if somebody may have.
    fn look_around(&mut self, now: Mono, out: &mut Effects) {
        let (Some(look), Some(_)) = (self.look.filter(|look| *look <= now), self.listening_since) else { return };
        if now.since(look) > STOOD_STILL {
            self.listening_since = Some(now);
        }
        let (since, window) = (self.listening_since.unwrap_or_default(), self.window());
        for peer in self.peers.values_mut().filter(|peer| peer.lost.is_none()) {
            let silent = peer.heard.max(since) + window;
            peer.lost = (silent <= now).then_some(silent);
        }
        self.peers.retain(|_, peer| peer.lost.is_none_or(|lost| lost + FORGOTTEN_AFTER > now));
        let next = |peer: &Peer| match peer.lost {
            None => peer.heard.max(since) + window,
            Some(lost) if lost + LOST_LATELY > now => lost + LOST_LATELY,
            Some(lost) => lost + FORGOTTEN_AFTER,
        };
        self.look = self.peers.values().map(next).min();
        self.judge(now, out);
    }

    /// Finds out how the cluster does.
    fn judge(&mut self, now: Mono, out: &mut Effects) {
        let mut lost: Vec<Mono> = self.peers.values().filter_map(|peer| peer.lost).collect();
        lost.sort_unstable();
        let together = |from: usize| lost[from..].partition_point(|at| at.since(lost[from]) <= 2 * self.interval);
        let at_once = (0..lost.len()).map(together).max().unwrap_or(0);
        let known = self.peers.len();
        let split = at_once > 0 && 2 * at_once >= known && (at_once >= 2 || at_once == known);
        let lately = lost.last().is_some_and(|at| *at + LOST_LATELY > now);
        let state = if split {
            ClusterState::Partitioned
        } else if lately || self.health != Health::Ok {
            ClusterState::Degraded
        } else {
            ClusterState::Healthy
        };
        if std::mem::replace(&mut self.state, state) != state {
            out.emit(Event::ClusterChanged { state: state.as_str().into(), peers: self.present() });
        }
    }

    fn present(&self) -> u64 {
        self.peers.values().filter(|peer| peer.lost.is_none()).count() as u64
    }

    /// Publishes what is due.
    fn report(&mut self, now: Mono, out: &mut Effects) {
        let Some(due) = self.due else { return };
        if due <= now {
            let late = Duration::from_nanos(nanos(now.since(due)) % nanos(self.interval));
            self.due = Some(now - late + self.interval);
        } else if self.state != self.told && self.extra_from <= now {
            self.extra_from = now + EXTRA_DISTANCE_MIN;
        } else {
            return;
        }
        self.told = self.state;
        self.tell(false, out);
    }

    fn tell(&self, leaving: bool, out: &mut Effects) {
        let (node, state, peers) = (self.unit.clone(), self.state, self.present());
        out.publish(Told { node, state, peers, stream_lag: None, leaving }.build());
    }
}

#[cfg(test)]
mod tests;
