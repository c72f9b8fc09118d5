//! Measures round trips: to the server behind the bus, and through the echo of other nodes.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use nunect_core::clock::ClockClaim;
use nunect_core::clock::delay::Exchange;
use nunect_core::config::period_within;
use nunect_core::protocol::cluster::{self, Cluster};
use nunect_core::protocol::echo::{self, ServerTimes};
use nunect_core::protocol::header;
use nunect_core::protocol::rtt::{self, Delays, Rtt};
use nunect_core::random::{ChaCha8Rng, Rng};
use nunect_core::table::Table;
use nunect_core::time::nanos;
use nunect_core::{
    Actor, Birth, BusEvent, ClockStamp, ConfigError, Contract, Deadline, Effects, Event, Fault, Input, Message, Mono,
    NodeReport, Now, Period, RequestError, RequestId, Sensor, Subject, Subscription, UnitId,
};

/// The time between two probes unless configured (protocol, section 6, "probe interval").
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);
/// The shortest time between two probes.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The longest.
pub const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Peers that may be configured.
pub const PEERS_CONFIGURED_MAX: usize = 64;

/// Intervals between two looks at what hardly changes: the round trip to the server, and that to
/// itself while nobody else is there. Every second of either would cost an idle node more than all
/// its other actors together.
pub const INTERVALS_ALONE: u32 = 5;

/// A node that has not announced itself for so long is no peer: three intervals.
pub const PEER_SILENT: Duration = cluster::INTERVAL.saturating_mul(3);
/// Nodes that are remembered as possible peers.
pub const PEERS_KNOWN_MAX: usize = 1_024;
/// Probes in a row without an answer after which another peer takes a peer's place.
pub const FAILURES_MAX: u32 = 3;
/// Probes in a row that take longer one way than the other before that is told.
pub const LOPSIDED_TOLD: u32 = 3;
/// How long a peer that did not answer is passed over, unless nobody else is there.
pub const PASSED_OVER: Duration = Duration::from_secs(60);

/// What may be configured of a prober.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ProberConfig {
    /// Time between two probes, from 100ms to 60s.
    #[garde(custom(period_within(INTERVAL_MIN, INTERVAL_MAX)))]
    pub interval: Period,
    /// The units to probe, at most 64. None: nodes that announce themselves; the own unit when there
    /// is none.
    #[garde(length(max = PEERS_CONFIGURED_MAX))]
    pub peers: Vec<UnitId>,
    /// How many of the nodes that announce themselves are probed, 1 to 16.
    #[garde(range(min = 1, max = 16))]
    pub peers_max: usize,
}

impl Default for ProberConfig {
    fn default() -> Self {
        Self { interval: Period(INTERVAL_DEFAULT), peers: Vec::new(), peers_max: 3 }
    }
}

/// Sends an echo request to one peer after the other, one each interval, and publishes
/// `ops.metric.rtt.{unit}` after the outcome of each: an answer, or none within two seconds. So there
/// is one metric an interval on average, never older than its measurement, and requests overlap: one
/// that is lost delays no other. Alone it probes itself, five times as rarely.
///
/// A value that is not known is left out: that of the peers when the last probe was not answered, that
/// of the server when it could not be measured. Both are unknown as soon as the bus is away.
#[derive(Debug)]
pub struct Prober {
    unit: UnitId,
    /// Where it tells what it measured.
    subject: Subject,
    interval: Duration,
    configured: bool,
    peers_max: usize,
    /// The nodes that announced themselves.
    known: Table<UnitId, Known>,
    /// Whom it probes, in turn.
    peers: Vec<Peer>,
    turn: usize,
    /// Hardly ever asked, and large: kept out of the way of what is.
    random: Box<ChaCha8Rng>,
    /// Probes whose outcome is not known yet.
    open: Vec<(RequestId, UnitId)>,
    open_max: usize,
    native: Option<Duration>,
    /// What the node says about its clock.
    clock: ClockClaim,
    /// When the next probe is due; none while the bus is away.
    due: Option<Mono>,
}

/// A node that may become a peer.
#[derive(Debug)]
struct Known {
    heard: Mono,
    /// Those of lower rank come first. It is random, so that not everybody probes the same node.
    rank: u64,
    passed_over_until: Mono,
}

/// A node that is probed.
#[derive(Debug)]
struct Peer {
    unit: UnitId,
    /// Where its echo listens.
    echo: Subject,
    /// Probes in a row without an answer.
    failures: u32,
    /// Probes in a row that took longer one way than the other, by more than the clocks can be wrong; negative
    /// when the way back is the longer one.
    lopsided: i32,
}

impl Actor for Prober {
    const KIND: &'static str = "prober";
    type Config = ProberConfig;

    fn new(config: ProberConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let interval = config.interval.0;
        let open_max = nanos(echo::TIMEOUT).div_ceil(nanos(interval)) + 1;
        Ok(Self {
            unit: birth.unit.clone(),
            subject: rtt::subject(&birth.unit),
            interval,
            configured: !config.peers.is_empty(),
            peers_max: config.peers_max,
            known: Table::default(),
            peers: config.peers.into_iter().map(Peer::new).collect(),
            turn: 0,
            random: Box::new(birth.random("ranks")),
            open: Vec::new(),
            open_max: usize::try_from(open_max).unwrap_or(usize::MAX),
            native: None,
            clock: ClockClaim::default(),
            due: None,
        })
    }

    fn contract(&self) -> Contract {
        let peers = self.peers.iter().map(|peer| echo::pattern(&peer.unit));
        let echoes = if self.configured { peers.collect() } else { vec![echo::pattern_of_all()] };
        Contract {
            reads: if self.configured { Vec::new() } else { vec![Subscription::from(cluster::pattern())] },
            publishes: [vec![rtt::pattern_of(&self.unit)], echoes].concat(),
            sensors: vec![Sensor::Bus, Sensor::Claim, Sensor::Link { every: self.interval * INTERVALS_ALONE }],
            ..Contract::default()
        }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Message(message) => self.read(message, out),
            Input::Reply { id, sent, result } => self.outcome(now, id, sent, result, out),
            Input::Node(NodeReport::Clock(claim)) => self.clock = *claim,
            Input::Link(report) => self.native = report.round_trip,
            Input::Bus(BusEvent::Connected) => self.due = Some(now.mono),
            Input::Bus(BusEvent::Disconnected) => self.bus_away(out),
            Input::Bus(
                BusEvent::Denied { .. }
                | BusEvent::Permitted { .. }
                | BusEvent::SlowConsumer
                | BusEvent::Refused { .. },
            )
            | Input::Started
            | Input::Timeout(_)
            | Input::Host(_)
            | Input::Node(NodeReport::Health(_) | NodeReport::Done { .. })
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        if let Some(due) = self.due.filter(|due| *due <= now.mono) {
            self.probe(now.mono, out);
            // Counted from when it was due, and what was missed is not made up for.
            let late = Duration::from_nanos(nanos(now.mono.since(due)) % nanos(self.interval));
            let wait = if self.peers.is_empty() { self.interval * INTERVALS_ALONE } else { self.interval };
            self.due = Some(now.mono - late + wait);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        Some(Deadline::new(self.due?, "probe due"))
    }
}

impl Prober {
    /// Notes a node that announces itself.
    fn read(&mut self, message: &Message, out: &mut Effects) {
        let received = match Cluster::parse(message) {
            Ok(received) => received,
            Err(error) => return out.malformed(&message.subject, &error),
        };
        for problem in &received.problems {
            out.malformed(&message.subject, problem);
        }
        let (node, heard) = (received.cluster.node, message.received.mono);
        if received.cluster.leaving {
            self.known.swap_remove(&node);
            return;
        }
        if let Some(known) = self.known.get_mut(&node) {
            known.heard = heard;
            return;
        }
        if node == self.unit {
            return;
        }
        if self.known.len() >= PEERS_KNOWN_MAX {
            let others = self.known.iter().filter(|(unit, _)| !self.is_peer(unit));
            let longest_silent = others.min_by_key(|(_, known)| known.heard).map(|(unit, _)| unit.clone());
            longest_silent.and_then(|unit| self.known.swap_remove(&unit));
        }
        let rank = self.random.next_u64();
        self.known.insert(node, Known { heard, rank, passed_over_until: Mono::ZERO });
        if self.peers.is_empty() {
            // It is alone no longer.
            self.due = self.due.map(|due| due.min(heard + self.interval));
        }
    }

    fn is_peer(&self, unit: &UnitId) -> bool {
        self.peers.iter().any(|peer| peer.unit == *unit)
    }

    /// Sends the next request.
    fn probe(&mut self, now: Mono, out: &mut Effects) {
        if !self.configured {
            self.choose_peers(now);
        }
        if self.open.len() >= self.open_max {
            return;
        }
        self.turn = (self.turn + 1) % self.peers.len().max(1);
        let (peer, echo) = match self.peers.get(self.turn) {
            Some(peer) => (peer.unit.clone(), peer.echo.clone()),
            None => (self.unit.clone(), echo::subject(&self.unit)),
        };
        let id = out.request(Message::new(echo), echo::TIMEOUT);
        self.open.push((id, peer));
    }

    /// Keeps the peers that announce themselves and answer, and fills up the rest from the others that
    /// do, those that were passed over last.
    fn choose_peers(&mut self, now: Mono) {
        self.known.retain(|_, known| now.since(known.heard) < PEER_SILENT);
        let Self { known, peers, .. } = self;
        peers.retain_mut(|peer| {
            let Some(known) = known.get_mut(&peer.unit) else { return false };
            let failed = peer.failures >= FAILURES_MAX;
            if failed {
                known.passed_over_until = now + PASSED_OVER;
            }
            !failed
        });
        while self.peers.len() < self.peers_max {
            let rest = self.known.iter().filter(|(unit, _)| !self.is_peer(unit));
            let best = rest.min_by_key(|(_, known)| (known.passed_over_until.max(now), known.rank));
            let Some((unit, known)) = best else { return };
            if known.passed_over_until > now && !self.peers.is_empty() {
                return;
            }
            self.peers.push(Peer::new(unit.clone()));
        }
    }

    /// Publishes what came of a probe.
    fn outcome(
        &mut self,
        now: Now,
        id: RequestId,
        sent: Now,
        result: Result<&Message, RequestError>,
        out: &mut Effects,
    ) {
        let Some(place) = self.open.iter().position(|(open, _)| *open == id) else { return };
        let (_, peer) = self.open.swap_remove(place);
        let measured = result.ok().and_then(|answer| Measured::of(sent, answer, out));
        let round_trip = measured.map(|measured| measured.round_trip);
        let own = self.clock.at(now.mono);
        let delays = measured.and_then(|measured| Delays::of(&measured.exchange?, &own, &measured.clock));
        // What it measures of itself has no way to differ.
        let delays = delays.filter(|_| peer != self.unit);
        match (result, self.peers.iter_mut().find(|other| other.unit == peer)) {
            // Our own doing says nothing about the peer.
            (Err(RequestError::BusAway | RequestError::Refused), _) | (_, None) => {}
            (Ok(_), Some(peer)) if round_trip.is_some() => peer.failures = 0,
            (Ok(_) | Err(RequestError::Timeout | RequestError::NoResponders), Some(peer)) => peer.failures += 1,
        }
        if let (Some(delays), Some(peer)) = (delays, self.peers.iter_mut().find(|other| other.unit == peer)) {
            peer.weigh(delays, out);
        }
        self.publish(round_trip, Some(peer), delays, out);
    }

    /// Forgets what it knew: it holds no longer.
    fn bus_away(&mut self, out: &mut Effects) {
        self.open.clear();
        self.native = None;
        if self.due.take().is_some() {
            self.publish(None, None, None, out);
        }
    }

    fn publish(&self, app: Option<Duration>, peer: Option<UnitId>, delays: Option<Delays>, out: &mut Effects) {
        let unit = self.unit.clone();
        let rtt = Rtt { unit, native_us: self.native.map(micros), app_us: app.map(micros), peer, delays };
        out.publish(rtt.build_to(self.subject.clone()));
    }
}

impl Peer {
    fn new(unit: UnitId) -> Self {
        Self { echo: echo::subject(&unit), unit, failures: 0, lopsided: 0 }
    }

    /// Tells it once when a number of probes in a row took longer one way than the other: a single one may have
    /// waited somewhere.
    fn weigh(&mut self, delays: Delays, out: &mut Effects) {
        let Delays { forward_us, backward_us, uncertainty_us } = delays;
        let side = if forward_us > backward_us { 1 } else { -1 };
        self.lopsided = match delays.is_asymmetric() {
            false => 0,
            true if self.lopsided.signum() == -side => side,
            true => self.lopsided.saturating_add(side),
        };
        if self.lopsided.unsigned_abs() == LOPSIDED_TOLD {
            out.emit(Event::DelayAsymmetry { peer: self.unit.clone(), forward_us, backward_us, uncertainty_us });
        }
    }
}

/// What an answer shows.
#[derive(Clone, Copy)]
struct Measured {
    /// The round trip, without the time it spent with the peer when the peer tells that.
    round_trip: Duration,
    /// The four timestamps, when it does.
    exchange: Option<Exchange>,
    /// What the peer says about its clock.
    clock: ClockStamp,
}

impl Measured {
    /// Reads an answer; none when the peer says that it could not take the request.
    fn of(sent: Now, answer: &Message, out: &mut Effects) -> Option<Self> {
        let code = header::RESPONSE_CODE.read(&answer.headers).unwrap_or_else(|error| {
            out.malformed(&answer.subject, &error);
            None
        });
        if code.is_some_and(|code| code >= 300) {
            return None;
        }
        let times = ServerTimes::parse(answer).unwrap_or_else(|error| {
            out.malformed(&answer.subject, &error);
            None
        });
        let clock = ClockStamp::read(&answer.headers).unwrap_or_else(|error| {
            out.malformed(&answer.subject, &error);
            ClockStamp::default()
        });
        let received = answer.received;
        let exchange = times.map(|times| times.exchange(sent, received));
        let plain = || received.mono.since(sent.mono);
        let round_trip = exchange.map_or_else(plain, |exchange| exchange.round_trip());
        Some(Self { round_trip, exchange: exchange.filter(Exchange::is_possible), clock })
    }
}

/// Whole microseconds, and never 0, which could be taken for none.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
