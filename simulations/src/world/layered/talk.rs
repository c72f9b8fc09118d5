//! What goes over connections, and what comes of it.

use nunect_core::broker::ClientId;

use super::conn::{Conn, ConnId, Kind, Medium, Stage};
use super::frame::{Frame, Key, Line};
use super::pipe::Air;
use super::routing::{Source, remote_tag};
use super::server::Server;
use super::{Layered, Moment, Side, Step, Turn, index};
use crate::happening::Happening;
use crate::trace::{LinkChange, LinkEnd};
use crate::witness::Witness;

/// Subscriptions that are told in one piece.
const LINES_AT_ONCE: usize = 64;

impl Layered {
    /// Puts a frame on a connection. What is more than it can take is seen soon, by events of their own.
    pub(super) fn write(&mut self, step: &mut Step<'_>, place: u32, from: Side, frame: Frame) {
        let Self { conns, net, arrived, backlog, plan, .. } = self;
        let conn = &mut conns[index(place)];
        let id = ConnId { place, epoch: conn.epoch };
        let Conn { medium: Medium::Pipe(pipe), opener, acceptor, kind, ends, channel, .. } = conn else { return };
        let mut air = Air { net, opener: *opener, acceptor: *acceptor };
        let mut push = |at, turn| step.heap.push(at, *channel, Happening::World(turn));
        if let Some(at) = pipe.write(step.now, from, frame, &mut air, arrived) {
            push(at, Turn::Wake(id));
        }
        if !arrived.is_empty() {
            if backlog.is_empty() {
                push(step.now, Turn::Backlog);
            }
            backlog.extend(arrived.drain(..).map(|(to, frame)| (id, to, frame)));
        }
        if *kind == Kind::Client && from == Side::Opener {
            return;
        }
        let end = &mut ends[from.index()];
        if !end.overflown && pipe.unacknowledged(from) > plan.max_pending {
            end.overflown = true;
            push(step.now, Turn::Of(id, from, Moment::Overflow));
        }
        if !end.watched
            && let Some(since) = pipe.blocked_since(from)
        {
            end.watched = true;
            push(since.saturating_add(plan.write_deadline).max(step.now), Turn::Of(id, from, Moment::WriteDeadline));
        }
    }

    /// A connection is to be looked at.
    pub(super) fn wake(&mut self, step: &mut Step<'_>, id: ConnId, witness: &mut Witness) {
        let Some(conn) = self.conn(id) else { return };
        let (opener, acceptor, channel) = (conn.opener, conn.acceptor, conn.channel);
        let Self { conns, net, arrived, .. } = self;
        let mut air = Air { net, opener, acceptor };
        match &mut conns[index(id.place)].medium {
            Medium::Pipe(pipe) => {
                if let Some(at) = pipe.happen(step.now, &mut air, arrived) {
                    step.heap.push(at, channel, Happening::World(Turn::Wake(id)));
                }
                let mut frames = std::mem::take(arrived);
                for (to, frame) in frames.drain(..) {
                    self.receive(step, id, to, frame, witness);
                }
                // What it is written to meanwhile delivers into a list that is empty again, and as long.
                if self.arrived.is_empty() {
                    self.arrived = frames;
                }
            }
            Medium::Handshake(handshake) => {
                let progress = handshake.happen(step.now, &mut air);
                self.shake(step, id, progress, witness);
            }
            Medium::Gone => {}
        }
    }

    /// Takes what arrived while something was written.
    pub(super) fn catch_up(&mut self, step: &mut Step<'_>, witness: &mut Witness) {
        while let Some((id, to, frame)) = self.backlog.pop_front() {
            self.receive(step, id, to, frame, witness);
        }
    }

    fn receive(&mut self, step: &mut Step<'_>, id: ConnId, to: Side, frame: Frame, witness: &mut Witness) {
        let Some(conn) = self.conn_mut(id) else { return };
        let (kind, node) = (conn.kind, conn.node(to));
        if !conn.end(to).open {
            match &frame {
                Frame::Message { parcel, .. } => witness.lost(step.now, node, parcel.message.subject.as_str()),
                Frame::Dropped(subject) => return witness.lost(step.now, node, subject.as_str()),
                Frame::Info
                | Frame::Connect
                | Frame::Accept
                | Frame::Ping
                | Frame::Pong
                | Frame::Interest(_)
                | Frame::Subscribe(..)
                | Frame::Unanswered(_) => {}
            }
            self.reset(step, id, to);
            return;
        }
        let end = conn.end_mut(to);
        end.heard = step.now;
        match frame {
            Frame::Info => self.write(step, id.place, to, Frame::Connect),
            Frame::Connect => self.accept(step, id, witness),
            Frame::Accept => self.accepted(step, id, witness),
            Frame::Ping => self.write(step, id.place, to, Frame::Pong),
            // A server forgets all pings that it sent (`processPong`), nunect's client one.
            Frame::Pong if kind == Kind::Client && to == Side::Opener => end.pings = end.pings.saturating_sub(1),
            Frame::Pong => end.pings = 0,
            Frame::Interest(lines) => self.learn(step, id, to, lines),
            Frame::Subscribe(tag, key) => self.subscribe_client(step, id, tag, key),
            Frame::Message { parcel, tag, .. } if kind == Kind::Client && to == Side::Opener => {
                self.arrive_at(step, step.now, node, tag, parcel);
            }
            Frame::Message { parcel, queues, .. } => {
                self.route(step, node, (Source::Conn(id.place), &queues), parcel);
            }
            Frame::Dropped(subject) => witness.lost(step.now, node, subject.as_str()),
            Frame::Unanswered(reply) => {
                let Some(port) = self.ports.get(index(node)) else { return };
                let unanswered = Happening::Unanswered { to: node, epoch: port.epoch, reply };
                step.heap.push(step.now, port.channel, unanswered);
            }
        }
    }

    /// The acceptor hears who it is that connected.
    fn accept(&mut self, step: &mut Step<'_>, id: ConnId, witness: &mut Witness) {
        let Some(conn) = self.conn(id) else { return };
        let (kind, opener, acceptor) = (conn.kind, conn.opener, conn.acceptor);
        if let Some(old) = self.older(id) {
            match kind {
                // A leaf has one connection: that of the same name is one that it has lost.
                Kind::Leaf => self.close(step, old, Side::Acceptor, LinkEnd::Replaced, witness),
                // Of two routes to the same server the first stays (`handleDuplicateRoute`).
                Kind::Route => return self.close(step, id, Side::Acceptor, LinkEnd::Duplicate, witness),
                Kind::Client => {}
            }
        }
        self.ready(step, id, Side::Acceptor);
        self.write(step, id.place, Side::Acceptor, Frame::Accept);
        if kind == Kind::Route {
            self.introduce(step, id.place, acceptor);
        }
        witness.link(step.now, acceptor, opener, LinkChange::Up);
    }

    /// The opener hears that it is welcome.
    fn accepted(&mut self, step: &mut Step<'_>, id: ConnId, witness: &mut Witness) {
        let Some(conn) = self.conn_mut(id) else { return };
        conn.stage = Stage::Up;
        let (kind, opener, acceptor, dial) = (conn.kind, conn.opener, conn.acceptor, conn.dial);
        self.ready(step, id, Side::Opener);
        if let Some(dial) = self.dial_mut(opener, dial) {
            dial.tries = 0;
        }
        witness.link(step.now, opener, acceptor, LinkChange::Up);
        match kind {
            Kind::Leaf | Kind::Route => self.introduce(step, id.place, opener),
            Kind::Client => self.connected(step, opener),
        }
    }

    /// Another connection of the same opener that this one's acceptor believes in.
    fn older(&self, id: ConnId) -> Option<ConnId> {
        let new = self.conn(id)?;
        let server = self.server(new.acceptor)?;
        server.conns.iter().find_map(|&place| {
            let old = &self.conns[index(place)];
            let alike = old.kind == new.kind && old.opener == new.opener && old.acceptor == new.acceptor;
            let other = place != id.place && alike && old.end(Side::Acceptor).ready;
            other.then_some(ConnId { place, epoch: old.epoch })
        })
    }

    /// One end takes the other.
    fn ready(&mut self, step: &mut Step<'_>, id: ConnId, side: Side) {
        let Some(conn) = self.conn_mut(id) else { return };
        let end = conn.end_mut(side);
        (end.ready, end.heard) = (true, step.now);
        let (kind, node) = (conn.kind, conn.node(side));
        let tells = match kind {
            Kind::Leaf => side == Side::Opener,
            Kind::Route => true,
            Kind::Client => false,
        };
        if tells && let Some(server) = self.server_mut(node) {
            server.peers.push(id.place);
        }
        self.ping_first(step, id, side);
    }

    /// Tells everything that a server wants over a connection that is new.
    fn introduce(&mut self, step: &mut Step<'_>, place: u32, node: u32) {
        let Some(server) = self.server(node) else { return };
        let lines = server.interest.lines();
        let from = self.conns[index(place)].side(node);
        for lines in lines.chunks(LINES_AT_ONCE) {
            self.write(step, place, from, Frame::Interest(lines.to_vec()));
        }
    }

    /// Tells what a server wants, or no longer wants, to those who need to know.
    pub(super) fn tell(&mut self, step: &mut Step<'_>, node: u32, line: &Line) {
        let count = self.server(node).map_or(0, |server| server.peers.len());
        for number in 0..count {
            let Some(&place) = self.server(node).and_then(|server| server.peers.get(number)) else { return };
            let from = self.conns[index(place)].side(node);
            self.write(step, place, from, Frame::Interest(vec![line.clone()]));
        }
    }

    /// Notes what the other end wants from here.
    fn learn(&mut self, step: &mut Step<'_>, id: ConnId, side: Side, lines: Vec<Line>) {
        let Some(conn) = self.conn(id) else { return };
        let (node, kind) = (conn.node(side), conn.kind);
        for line in lines {
            let Self { conns, servers, .. } = self;
            let wants = &mut conns[index(id.place)].end_mut(side).wants;
            let Some(server) = servers.get_mut(index(node)).and_then(Option::as_mut) else { return };
            let entry = (line.key, 0);
            let before = wants.remove(&entry).map_or(0, |(id, before)| {
                server.broker.unsubscribe(id);
                before
            });
            if line.weight > 0 {
                let (pattern, queue) = &entry.0;
                let tag = remote_tag(line.weight, line.direct);
                let client = ClientId(id.place);
                let subscription = server.broker.subscribe(client, tag, pattern.clone(), queue.as_deref());
                wants.insert(entry.clone(), (subscription, line.weight));
            }
            if kind == Kind::Leaf {
                let told = server.interest.change(&entry.0, false, before, line.weight);
                told.iter().for_each(|line| self.tell(step, node, line));
            }
        }
    }

    fn subscribe_client(&mut self, step: &mut Step<'_>, id: ConnId, tag: u32, key: Key) {
        let Some(conn) = self.conn(id) else { return };
        let node = conn.acceptor;
        let Self { conns, servers, .. } = self;
        let Some(server) = servers.get_mut(index(node)).and_then(Option::as_mut) else { return };
        let client = ClientId(id.place);
        let subscription = server.broker.subscribe(client, tag, key.0.clone(), key.1.as_deref());
        let told = server.interest.change(&key, true, 0, 1);
        conns[index(id.place)].end_mut(Side::Acceptor).wants.insert((key, tag), (subscription, 1));
        told.iter().for_each(|line| self.tell(step, node, line));
    }

    /// What the other end wanted from here ends with the connection.
    pub(super) fn forget(&mut self, step: &mut Step<'_>, place: u32, side: Side) {
        let conn = &mut self.conns[index(place)];
        let (node, kind) = (conn.node(side), conn.kind);
        let wants = std::mem::take(&mut conn.end_mut(side).wants);
        for ((key, _), (subscription, weight)) in wants {
            let Some(server) = self.server_mut(node) else { return };
            server.broker.unsubscribe(subscription);
            let told = match kind {
                Kind::Leaf => server.interest.change(&key, false, weight, 0),
                Kind::Client => server.interest.change(&key, true, weight, 0),
                Kind::Route => None,
            };
            told.iter().for_each(|line| self.tell(step, node, line));
        }
    }

    pub(super) fn server(&self, node: u32) -> Option<&Server> {
        self.servers.get(index(node)).and_then(Option::as_ref)
    }

    pub(super) fn server_mut(&mut self, node: u32) -> Option<&mut Server> {
        self.servers.get_mut(index(node)).and_then(Option::as_mut)
    }
}
