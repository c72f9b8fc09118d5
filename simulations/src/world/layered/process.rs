//! The processes of nodes, as clients of their servers.

use nunect_core::{Message, Pattern, Subject};

use super::conn::{ConnId, Stage};
use super::dialing::{OF_PROCESS, back_off};
use super::frame::{Frame, Key, Parcel};
use super::routing::Source;
use super::server::{Dial, PROCESS};
use super::{Layered, Moment, Side, Step, Turn, index};
use crate::draw::{link, mix};
use crate::happening::Happening;
use crate::world::OUTSIDE;

/// One node's process, as a client.
#[derive(Debug)]
pub(super) struct Port {
    /// Of everything that comes to it from its server, in order.
    pub(super) channel: u64,
    /// Whether it runs, and wants a connection or has one.
    pub(super) wanted: bool,
    /// Whether it has one, as it believes.
    connected: bool,
    /// Counts connections: what was under way on an earlier one never arrives.
    pub(super) epoch: u32,
    /// Counts what it is about to hear of its connection.
    turn: u32,
    /// Since when it has been trying to reach the server of its machine.
    since: u64,
    /// How it connects where its machine has no server.
    pub(super) dial: Option<Box<Dial>>,
}

impl Port {
    pub(super) fn new(key: u64, has_server: bool) -> Self {
        Self {
            channel: link(crate::draw::key("server"), key),
            wanted: false,
            connected: false,
            epoch: 0,
            turn: 0,
            since: 0,
            dial: (!has_server).then(|| Box::new(Dial::new(None))),
        }
    }
}

impl Layered {
    /// The process of `node` wants a connection. Returns whether it has one at once.
    pub(super) fn open_port(&mut self, step: &mut Step<'_>, node: u32) -> bool {
        let Some(port) = self.ports.get_mut(index(node)) else { return false };
        port.wanted = true;
        port.turn += 1;
        port.since = step.now;
        if let Some(dial) = &mut port.dial {
            (dial.next, dial.tries) = (0, 0);
            self.dial_later(step, node, OF_PROCESS);
            return false;
        }
        self.server(node).is_some_and(super::server::Server::is_up)
    }

    pub(super) fn connect_port(&mut self, node: u32) {
        if let Some(port) = self.ports.get_mut(index(node)) {
            port.connected = true;
            port.epoch += 1;
        }
    }

    /// The connection of `node`, if there is one, is over; and, if the process `ended`, so are its tries.
    pub(super) fn disconnect_port(&mut self, step: &mut Step<'_>, node: u32, ended: bool) {
        let Some(port) = self.ports.get_mut(index(node)) else { return };
        let was = std::mem::take(&mut port.connected);
        port.wanted = !ended;
        port.turn += 1;
        port.since = step.now;
        if let Some(dial) = &mut port.dial {
            // What is still there of a process that ended is closed by its kernel.
            if let Some(place) = dial.conn.take() {
                let id = ConnId { place, epoch: self.conns[index(place)].epoch };
                self.later(step, id, Side::Opener, 0, Moment::Leave);
            }
            if !ended {
                self.dial_later(step, node, OF_PROCESS);
            }
            return;
        }
        let lines = match self.server_mut(node).filter(|server| server.is_up()) {
            Some(server) if was => server.forget_process(),
            Some(_) => Vec::new(),
            None => return,
        };
        lines.iter().for_each(|line| self.tell(step, node, line));
        if !ended {
            self.reach_own_server(step, node);
        }
    }

    pub(super) fn is_port_connected(&self, node: u32) -> bool {
        self.ports.get(index(node)).is_some_and(|port| port.connected)
    }

    pub(super) fn is_port_turn(&self, node: u32, turn: u32) -> bool {
        self.ports.get(index(node)).is_some_and(|port| port.turn == turn)
    }

    pub(super) fn admits_port(&self, node: u32, epoch: u32) -> bool {
        self.ports.get(index(node)).is_some_and(|port| port.connected && port.epoch == epoch)
    }

    pub(super) fn subscribe_port(&mut self, step: &mut Step<'_>, node: u32, tag: u32, key: Key) {
        let Some(port) = self.ports.get(index(node)) else { return };
        if let Some(dial) = &port.dial {
            if let Some(place) = dial.conn {
                self.write(step, place, Side::Opener, Frame::Subscribe(tag, key));
            }
            return;
        }
        let Some(server) = self.server_mut(node) else { return };
        server.broker.subscribe(PROCESS, tag, key.0.clone(), key.1.as_deref());
        if let Some(line) = server.interest.change(&key, true, 0, 1) {
            self.tell(step, node, &line);
        }
    }

    /// Takes a message from a process, or from [`OUTSIDE`]. Gives back its subject when it is lost at once.
    pub(super) fn publish_from(&mut self, step: &mut Step<'_>, from: u32, message: Box<Message>) -> Option<Subject> {
        if from == OUTSIDE {
            return self.publish_outside(step, message);
        }
        let port = self.ports.get(index(from)).filter(|port| port.connected);
        match port.map(|port| port.dial.as_ref().map(|dial| dial.conn)) {
            None | Some(Some(None)) => Some(message.subject),
            Some(Some(Some(place))) if self.conns[index(place)].stage < Stage::Up => Some(message.subject),
            Some(Some(Some(place))) => {
                let parcel = Parcel::new(message, step.now);
                self.write(step, place, Side::Opener, Frame::Message { parcel, tag: 0, queues: None });
                None
            }
            Some(None) if self.server(from).is_some_and(super::server::Server::is_up) => {
                self.route(step, from, (Source::Process, &None), Parcel::new(message, step.now));
                None
            }
            Some(None) => Some(message.subject),
        }
    }

    /// By the first hub that is up: whoever is outside is not cut off.
    fn publish_outside(&mut self, step: &mut Step<'_>, message: Box<Message>) -> Option<Subject> {
        let up = |hub: &&u32| self.server(**hub).is_some_and(super::server::Server::is_up);
        if let Some(&hub) = self.plan.hubs.iter().find(up) {
            self.route(step, hub, (Source::Outside, &None), Parcel::new(message, step.now));
        }
        None
    }

    /// The connection of a process to a hub stands.
    pub(super) fn connected(&self, step: &mut Step<'_>, node: u32) {
        let Some(port) = self.ports.get(index(node)) else { return };
        step.heap.push(step.now, port.channel, Happening::Reconnect { node, turn: port.turn });
    }

    /// The connection of a process is gone: it hears of it.
    pub(super) fn disconnected(&mut self, step: &mut Step<'_>, node: u32) {
        let loopback = self.plan.loopback;
        let Some(port) = self.ports.get_mut(index(node)) else { return };
        port.turn += 1;
        if port.connected {
            let at = step.now.saturating_add(if port.dial.is_some() { 0 } else { loopback });
            step.heap.push(at, port.channel, Happening::Noticed { node, turn: port.turn });
        } else if port.wanted && port.dial.is_some() {
            self.dial_later(step, node, OF_PROCESS);
        }
    }

    /// The server of the node's machine is up, and its process looks for it: it comes to it with its next
    /// try, of which all before failed at once.
    pub(super) fn reach_own_server(&self, step: &mut Step<'_>, node: u32) {
        let Some(port) = self.ports.get(index(node)).filter(|port| port.wanted && !port.connected) else { return };
        let (limits, draws) = ((self.plan.reconnect_floor, self.plan.reconnect_cap), mix(self.seed ^ port.channel));
        let (mut at, mut tries) = (port.since.saturating_add(self.plan.loopback), 0);
        while at < step.now {
            tries += 1;
            at = at.saturating_add(back_off(tries, limits, mix(draws ^ at)).max(1));
        }
        step.heap.push(at, port.channel, Happening::Reconnect { node, turn: port.turn });
    }

    /// The server of `node` is down, as if its process were killed: its kernel closes what it had open.
    pub(super) fn crash(&mut self, step: &mut Step<'_>, node: u32, witness: &mut crate::witness::Witness) {
        let Some(server) = self.server_mut(node) else { return };
        server.clear();
        server.peers.clear();
        for place in std::mem::take(&mut server.conns) {
            let conn = &self.conns[index(place)];
            let (id, side) = (ConnId { place, epoch: conn.epoch }, conn.side(node));
            self.close(step, id, side, crate::trace::LinkEnd::Down, witness);
        }
        self.disconnected(step, node);
    }

    /// The server of `node` runs again.
    pub(super) fn restart(&mut self, step: &mut Step<'_>, node: u32) {
        let Some(server) = self.server_mut(node).filter(|server| server.is_up()) else { return };
        for dial in &mut server.dials {
            (dial.next, dial.tries) = (0, 0);
        }
        self.dial_all(step, node);
        self.reach_own_server(step, node);
    }

    /// A server that has just started connects to the others.
    pub(super) fn dial_all(&mut self, step: &mut Step<'_>, node: u32) {
        /// Two machines are never ready at one instant.
        const START_SPREAD_NS: u64 = 100_000_000;
        let seed = self.seed;
        let Some(server) = self.server_mut(node) else { return };
        for (number, dial) in (0..).zip(&mut server.dials) {
            dial.turn = dial.turn.wrapping_add(1);
            let draw = mix(mix(seed ^ step.now) ^ mix(server.key ^ u64::from(number)));
            let at = step.now.saturating_add(crate::draw::between(draw, 0, START_SPREAD_NS));
            step.heap.push(at, server.key, Happening::World(Turn::Dial { node, dial: number, turn: dial.turn }));
        }
    }
}

/// What is subscribed to.
pub(super) fn key_of((pattern, queue): (&Pattern, Option<&str>)) -> Key {
    (pattern.clone(), queue.map(std::sync::Arc::from))
}
