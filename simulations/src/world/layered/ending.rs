//! How an end finds that the other is gone, and what comes of it.

use super::conn::{Conn, ConnId, Kind, Medium};
use super::dialing::Last;
use super::frame::Frame;
use super::pipe::Air;
use super::{Layered, Moment, Side, Step, Wire, index};
use crate::draw::{between, mix};
use crate::trace::{LinkChange, LinkEnd};
use crate::witness::Witness;

/// The first ping of a server comes sooner (`firstPingInterval` and `firstClientPingInterval`).
const FIRST_PING_NS: u64 = 1_000_000_000;
const FIRST_CLIENT_PING_NS: u64 = 2_000_000_000;

/// A PING or PONG, and a FIN or RST, with all headers.
const PING_PACKET: u32 = 58;
const RESET_PACKET: u32 = 52;

/// A FIN that is not acknowledged is repeated so often (`tcp_orphan_retries`), first after this time and
/// then after twice as long.
const FAREWELLS: u8 = 8;
const FAREWELL_NS: u64 = 400_000_000;

impl Layered {
    /// Sets the timer of the first ping. nats-server draws up to a fifth more.
    pub(super) fn ping_first(&mut self, step: &mut Step<'_>, id: ConnId, side: Side) {
        let Some(conn) = self.conn(id) else { return };
        let interval = self.pings(conn, side).interval;
        let first = match (conn.kind, side) {
            (Kind::Client, Side::Opener) => interval,
            (Kind::Client, Side::Acceptor) => interval.min(FIRST_CLIENT_PING_NS),
            (Kind::Leaf | Kind::Route, _) => interval.min(FIRST_PING_NS),
        };
        let draw = mix(mix(self.seed ^ step.now) ^ conn.channel.rotate_left(side.index() as u32));
        let more = if conn.kind == Kind::Client && side == Side::Opener { 0 } else { between(draw, 0, first / 5) };
        self.later(step, id, side, first.saturating_add(more), Moment::Ping);
    }

    const fn pings(&self, conn: &Conn, side: Side) -> super::config::PingPlan {
        match (conn.kind, side) {
            (Kind::Client, Side::Opener) => self.plan.client_ping,
            (Kind::Leaf, _) | (Kind::Client, Side::Acceptor) => self.plan.ping,
            (Kind::Route, _) => self.plan.route_ping,
        }
    }

    /// The ping timer of one end (`processPingTimer` of nats-server, `ProcessFut::ping` of async-nats).
    pub(super) fn ping(&mut self, step: &mut Step<'_>, id: ConnId, side: Side, witness: &mut Witness) {
        // What the connection does inside shows only when it is looked at.
        self.wake(step, id, witness);
        let Some(conn) = self.conn(id).filter(|conn| conn.end(side).open) else { return };
        let pings = self.pings(conn, side);
        let end = conn.end(side);
        let silent = step.now - end.heard;
        match (conn.kind, side) {
            // Whoever is pinged need not ping.
            (Kind::Leaf | Kind::Client, Side::Acceptor) if silent < pings.interval => {
                return self.later(step, id, side, pings.interval, Moment::Ping);
            }
            // async-nats begins its interval anew with everything that it hears.
            (Kind::Client, Side::Opener) if silent < pings.interval => {
                return self.later(step, id, side, pings.interval - silent, Moment::Ping);
            }
            (Kind::Leaf | Kind::Client | Kind::Route, _) => {}
        }
        if end.pings >= pings.max {
            return self.close(step, id, side, LinkEnd::Stale, witness);
        }
        if !self.answered(step, id, side) {
            self.conns[index(id.place)].end_mut(side).pings += 1;
            self.write(step, id.place, side, Frame::Ping);
        }
        self.later(step, id, side, pings.interval, Moment::Ping);
    }

    /// Whether a ping and its answer get through at the first attempt, on a connection on which nothing
    /// waits before them: then it is over here and now, and costs no event. Otherwise it goes the way
    /// of all frames.
    fn answered(&mut self, step: &Step<'_>, id: ConnId, side: Side) -> bool {
        let Self { conns, net, .. } = self;
        let conn = &mut conns[index(id.place)];
        let Medium::Pipe(pipe) = &conn.medium else { return false };
        let idle = [Side::Opener, Side::Acceptor].into_iter().all(|side| pipe.unacknowledged(side) == 0);
        if !idle || !conn.end(side.other()).open {
            return false;
        }
        let mut air = Air { net, opener: conn.opener, acceptor: conn.acceptor };
        let there = air.carry(step.now, side, PING_PACKET);
        let back = there.and_then(|_| air.carry(step.now, side.other(), PING_PACKET));
        if back.is_none() {
            return false;
        }
        conn.end_mut(side).pings = 0;
        for end in &mut conn.ends {
            end.heard = step.now;
        }
        true
    }

    /// An end that could not write is looked at.
    pub(super) fn write_deadline(&mut self, step: &mut Step<'_>, id: ConnId, side: Side, witness: &mut Witness) {
        self.wake(step, id, witness);
        let limit = self.plan.write_deadline;
        let Some(conn) = self.conn_mut(id).filter(|conn| conn.end(side).open) else { return };
        let Medium::Pipe(pipe) = &conn.medium else { return };
        let Some(since) = pipe.blocked_since(side) else {
            conn.end_mut(side).watched = false;
            return;
        };
        match since.saturating_add(limit).checked_sub(step.now) {
            Some(left @ 1..) => self.later(step, id, side, left, Moment::WriteDeadline),
            Some(0) | None => self.close(step, id, side, LinkEnd::WriteDeadline, witness),
        }
    }

    /// One end is closed, for whatever reason. The other is told, if it can be.
    pub(super) fn close(
        &mut self,
        step: &mut Step<'_>,
        id: ConnId,
        side: Side,
        reason: LinkEnd,
        witness: &mut Witness,
    ) {
        let (now, limit) = (step.now, self.plan.write_deadline);
        let Some(conn) = self.conn_mut(id).filter(|conn| conn.end(side).open) else { return };
        let (kind, node, peer, dial) = (conn.kind, conn.node(side), conn.node(side.other()), conn.dial);
        let blocked = match &conn.medium {
            Medium::Pipe(pipe) => pipe.blocked_since(side),
            Medium::Handshake(_) | Medium::Gone => None,
        };
        // A server that gives up a connection while it writes reconnects when that write is over: by its deadline, if
        // the kernel does not know of the end. Both loops of a connection have to be done (`rref` in `reconnect`).
        let writes = !matches!(reason, LinkEnd::Reset | LinkEnd::WriteDeadline | LinkEnd::Down);
        let held = blocked.filter(|_| writes).map_or(0, |since| since.saturating_add(limit).saturating_sub(now));
        let end = conn.end_mut(side);
        end.open = false;
        let was_ready = std::mem::take(&mut end.ready);
        let other_open = conn.end(side.other()).open;
        if was_ready {
            witness.link(step.now, node, peer, LinkChange::Closed(reason));
        }
        if let Some(server) = self.server_mut(node) {
            server.conns.retain(|&place| place != id.place);
            server.peers.retain(|&place| place != id.place);
        }
        self.forget(step, id.place, side);
        if side == Side::Opener {
            let last = if was_ready { Last::Stood { held } } else { Last::Failed };
            self.hang_up(step, id, (kind, node, dial), last);
        }
        if other_open {
            self.say_farewell(step, id, side, 0);
        } else {
            self.release(step, id, witness);
        }
    }

    /// The opener has lost its connection, or given up a try.
    fn hang_up(&mut self, step: &mut Step<'_>, id: ConnId, (kind, node, dial): (Kind, u32, u32), last: Last) {
        let Some(plan) = self.dial_mut(node, dial).filter(|plan| plan.conn == Some(id.place)) else { return };
        plan.conn = None;
        match (kind, last) {
            (Kind::Client, Last::Stood { .. }) => {
                // nunect's client tries the first hub again, and then one after the other.
                (plan.next, plan.tries) = (0, 0);
                return self.disconnected(step, node);
            }
            (Kind::Client, Last::Failed) | (Kind::Leaf | Kind::Route, _) => {}
        }
        plan.next = plan.next.wrapping_add(1);
        plan.tries = plan.tries.saturating_add(1);
        match kind {
            Kind::Client => self.dial_later(step, node, dial),
            Kind::Leaf | Kind::Route => self.dial_again(step, (node, dial), last),
        }
    }

    /// Says to the other end of a connection that this one is closed: until it hears, it goes on.
    pub(super) fn say_farewell(&mut self, step: &mut Step<'_>, id: ConnId, from: Side, tries: u8) {
        if self.conn(id).is_some_and(|conn| conn.end(from.other()).open)
            && !self.reset(step, id, from)
            && tries < FAREWELLS
        {
            self.later(step, id, from, FAREWELL_NS << tries, Moment::Farewell(tries + 1));
        }
    }

    /// Sends one segment that ends the connection. Returns whether it arrives.
    pub(super) fn reset(&mut self, step: &mut Step<'_>, id: ConnId, from: Side) -> bool {
        let Some(conn) = self.conn(id) else { return false };
        let (opener, acceptor) = (conn.opener, conn.acceptor);
        let mut air = Air { net: &mut self.net, opener, acceptor };
        let arrival = air.carry(step.now, from, RESET_PACKET);
        arrival.inspect(|at| self.later(step, id, from.other(), at - step.now, Moment::Reset)).is_some()
    }

    /// Neither end has it any more: what was under way is lost.
    fn release(&mut self, step: &Step<'_>, id: ConnId, witness: &mut Witness) {
        let conn = &mut self.conns[index(id.place)];
        let medium = std::mem::take(&mut conn.medium);
        conn.epoch = conn.epoch.wrapping_add(1);
        if let Medium::Pipe(pipe) = medium {
            for (from, frame) in pipe.close() {
                if let Frame::Message { parcel, .. } = frame {
                    witness.lost(step.now, conn.node(from), parcel.message.subject.as_str());
                }
            }
        }
        self.free.push(id.place);
    }
}
