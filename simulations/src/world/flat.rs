//! The flat world: one perfect server, and a drawn delay from end to end.
//!
//! A message is routed the instant it is published, by the same [`Broker`] that the embedded bus
//! uses, and reaches each subscriber after a delay of its own. What one node sends to another stays
//! in order. A node that is cut off loses what is sent to it and by it; it learns that after the time
//! its client takes to miss two pings.

use std::time::Duration;

use nunect_core::broker::{Broker, ClientId, Target};
use nunect_core::table::Table;
use nunect_core::time::nanos;
use nunect_core::{Message, Pattern, Period, Subject};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::delay::Delay;
use crate::draw::{between, key, link, mix};
use crate::happening::Happening;
use crate::heap::Heap;

/// A client tries to reconnect at least this often (protocol, section 6).
pub const RECONNECT_CAP: Duration = Duration::from_secs(1);

/// The longest delay or detection that may be configured.
pub const DELAY_MAX: Duration = Duration::from_secs(3_600);

/// How the flat world behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FlatConfig {
    /// From the hand-over of a message to its arrival.
    pub delay: Delay,
    /// How long after it was cut off a node learns that the bus is away: two pings of 2 s.
    pub detect: Period,
}

impl Default for FlatConfig {
    fn default() -> Self {
        Self { delay: Delay::Uniform(Period::from_millis(1), Period::from_millis(5)), detect: Period::from_secs(4) }
    }
}

/// One server and the connections to it.
#[derive(Debug)]
pub(crate) struct Flat {
    config: FlatConfig,
    seed: u64,
    broker: Broker,
    ports: Vec<Port>,
    outside: Port,
    /// Kept between messages for its memory only.
    targets: Vec<Target>,
}

/// The server's end of one node, in one line of memory.
#[derive(Debug)]
#[repr(align(64))]
struct Port {
    /// From the node's name.
    key: u64,
    connected: bool,
    /// Counts connections: what was under way on an earlier one never arrives.
    epoch: u32,
    /// Partitions that cut it off at present.
    cuts: u32,
    /// Counts the times that it was cut off or healed.
    turn: u32,
    /// When its latest message to each node arrives, so that none overtakes another; only those that
    /// are still under way matter.
    arrivals: Vec<(u32, u64)>,
    /// The same for more than [`FEW`] nodes: telemetry goes to a handful, broadcasts to all.
    more_arrivals: Option<Box<Table<u32, u64>>>,
    /// The latest of them all.
    last_arrival: u64,
}

/// As many as are found faster by looking at each than by hashing.
const FEW: usize = 16;

impl Port {
    fn new(key: u64) -> Self {
        Self {
            key,
            connected: false,
            epoch: 0,
            cuts: 0,
            turn: 0,
            arrivals: Vec::new(),
            more_arrivals: None,
            last_arrival: 0,
        }
    }

    /// When a message to `to` arrives that would do so at `earliest` if it could overtake.
    fn arrive(&mut self, now: u64, to: u32, earliest: u64) -> u64 {
        if self.last_arrival <= now {
            self.arrivals.clear();
            self.more_arrivals = None;
        }
        let last = match self.arrivals.iter().position(|&(node, _)| node == to) {
            Some(place) => &mut self.arrivals[place].1,
            None if self.arrivals.len() < FEW => &mut self.arrivals.push_mut((to, earliest)).1,
            None => self.more_arrivals.get_or_insert_default().entry(to).or_default(),
        };
        *last = earliest.max(*last);
        self.last_arrival = self.last_arrival.max(*last);
        *last
    }
}

impl Flat {
    pub(crate) fn new(config: FlatConfig, seed: u64) -> Self {
        // A port of its own name: no unit ID is empty.
        let outside = Port { connected: true, ..Port::new(key("")) };
        Self { config, seed, broker: Broker::new(), ports: Vec::new(), outside, targets: Vec::new() }
    }

    /// Makes room for one more node.
    pub(crate) fn add(&mut self, key: u64) {
        self.ports.push(Port::new(key));
    }

    /// Whether `node` is cut off.
    pub(crate) fn is_cut(&self, node: u32) -> bool {
        self.port(node).cuts > 0
    }

    /// Begins a connection.
    pub(crate) fn connect(&mut self, node: u32) {
        let port = self.port_mut(node);
        port.connected = true;
        port.epoch += 1;
    }

    /// Ends the connection of `node`, if there is one, and with it its subscriptions.
    pub(crate) fn disconnect(&mut self, node: u32) {
        if std::mem::take(&mut self.port_mut(node).connected) {
            self.broker.disconnect(ClientId(node));
        }
    }

    pub(crate) fn subscribe(&mut self, node: u32, tag: u32, pattern: &Pattern, queue: Option<&str>) {
        self.broker.subscribe(ClientId(node), tag, pattern.clone(), queue);
    }

    /// Whether what was sent to `node` on its connection `epoch` arrives now.
    pub(crate) fn admits(&self, node: u32, epoch: u32) -> bool {
        let port = self.port(node);
        port.connected && port.epoch == epoch && port.cuts == 0
    }

    /// Takes a message from `from`. Gives back its subject when it is lost.
    pub(crate) fn publish(
        &mut self,
        now: u64,
        from: u32,
        message: Box<Message>,
        heap: &mut Heap<Happening>,
    ) -> Option<Subject> {
        let Self { config, seed, broker, ports, outside, targets } = self;
        let sender = port_of(ports, outside, from);
        if !sender.connected || sender.cuts > 0 {
            return Some(message.subject);
        }
        let sender_key = sender.key;
        let instant = mix(*seed ^ now);
        let pick = |members: usize| {
            let last = u64::try_from(members).unwrap_or(u64::MAX).saturating_sub(1);
            usize::try_from(between(mix(instant ^ sender_key), 0, last)).unwrap_or(0)
        };
        targets.clear();
        broker.route(&message.subject, pick, |target| targets.push(target));
        let Some((last, others)) = targets.split_last() else {
            if let Some(reply) = message.reply {
                let channel = link(key("server"), sender_key);
                let epoch = sender.epoch;
                let at = now.saturating_add(config.delay.draw(mix(instant ^ channel)));
                heap.push(at, channel, Happening::Unanswered { to: from, epoch, reply: Box::new(reply) });
            }
            return None;
        };
        let mut send = |target: &Target, message: Box<Message>| {
            let to = target.client.0;
            let Some(receiver) = ports.get(index(to)) else { return };
            let (epoch, channel) = (receiver.epoch, link(sender_key, receiver.key));
            let earliest = now.saturating_add(config.delay.draw(mix(instant ^ channel)));
            let at = port_of(ports, outside, from).arrive(now, to, earliest);
            heap.push(at, channel, Happening::Arrive { to, tag: target.tag, epoch, sent: now, message });
        };
        for target in others {
            send(target, message.clone());
        }
        send(last, message);
        None
    }

    /// Cuts `node` off from the server.
    pub(crate) fn cut(&mut self, now: u64, node: u32, heap: &mut Heap<Happening>) {
        let detect = nanos(self.config.detect.0);
        let port = self.port_mut(node);
        port.cuts += 1;
        if port.cuts == 1 {
            port.turn += 1;
            heap.push(now.saturating_add(detect), port.key, Happening::Noticed { node, turn: port.turn });
        }
    }

    /// Ends one cut of `node`; when it was the last and the node had noticed, it comes back soon.
    pub(crate) fn heal(&mut self, now: u64, node: u32, heap: &mut Heap<Happening>) {
        let seed = self.seed;
        let port = self.port_mut(node);
        port.cuts = port.cuts.saturating_sub(1);
        if port.cuts == 0 {
            port.turn += 1;
            // Somewhere between two attempts of its client.
            let wait = between(mix(mix(seed ^ now) ^ port.key), 0, nanos(RECONNECT_CAP));
            heap.push(now.saturating_add(wait), port.key, Happening::Reconnect { node, turn: port.turn });
        }
    }

    /// Whether `node` was neither cut off nor healed since it was so for the `turn`th time.
    pub(crate) fn is_turn(&self, node: u32, turn: u32) -> bool {
        self.port(node).turn == turn
    }

    pub(crate) fn is_connected(&self, node: u32) -> bool {
        self.port(node).connected
    }

    fn port(&self, node: u32) -> &Port {
        self.ports.get(index(node)).unwrap_or(&self.outside)
    }

    fn port_mut(&mut self, node: u32) -> &mut Port {
        port_of(&mut self.ports, &mut self.outside, node)
    }
}

fn port_of<'a>(ports: &'a mut [Port], outside: &'a mut Port, node: u32) -> &'a mut Port {
    ports.get_mut(index(node)).unwrap_or(outside)
}

/// [`OUTSIDE`](super::OUTSIDE), and any other number without a node, lies beyond every list.
fn index(node: u32) -> usize {
    usize::try_from(node).unwrap_or(usize::MAX)
}
