//! How connections begin, and begin again.

use super::conn::{Conn, ConnId, End, Kind, Medium, Stage};
use super::frame::Frame;
use super::pipe::Air;
use super::server::Dial;
use super::tcp::{Handshake, Progress};
use super::{Layered, Moment, Side, Step, Turn, index};
use crate::draw::{between, link, mix};
use crate::happening::Happening;
use crate::trace::LinkEnd;
use crate::witness::Witness;

/// The place of a process's own connection among the dials of its node.
pub(super) const OF_PROCESS: u32 = u32::MAX;

/// How long a server waits for who connected to say who it is (`auth_timeout`).
const AUTH_TIMEOUT_NS: u64 = 2_000_000_000;

/// By how much servers that lost each other differ in when they try again.
const ROUTE_SPREAD_NS: u64 = 100_000_000;

/// What a server had before it tries to connect again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last {
    /// A connection, whose end was held up for so long.
    Stood { held: u64 },
    /// Only a try.
    Failed,
}

impl Layered {
    pub(super) fn dial_mut(&mut self, node: u32, dial: u32) -> Option<&mut Dial> {
        if dial == OF_PROCESS {
            return self.ports.get_mut(index(node))?.dial.as_deref_mut();
        }
        self.server_mut(node)?.dials.get_mut(index(dial))
    }

    /// The client of a process tries again to connect, after a while.
    pub(super) fn dial_later(&mut self, step: &mut Step<'_>, node: u32, dial: u32) {
        let limits = (self.plan.reconnect_floor, self.plan.reconnect_cap);
        let draw = self.dial_draw(step.now, node, dial);
        let tries = self.dial_mut(node, dial).map_or(0, |plan| plan.tries);
        self.dial_after(step, (node, dial), back_off(tries, limits, draw));
    }

    /// A server tries again to connect: after a connection that it had, or after a try that failed.
    pub(super) fn dial_again(&mut self, step: &mut Step<'_>, (node, dial): (u32, u32), last: Last) {
        let (leaf, route) = (self.plan.reconnect, self.plan.route_reconnect);
        let draw = self.dial_draw(step.now, node, dial);
        let is_route = self.dial_mut(node, dial).is_some_and(|plan| plan.only.is_some());
        let wait = match (last, is_route) {
            // `reConnectToRemoteLeafNode` waits as long as it is set to, and `connectToRemoteLeafNode` up to twice that.
            (Last::Stood { held }, false) => held.saturating_add(leaf),
            (Last::Failed, false) => leaf.saturating_add(between(draw, 0, leaf)),
            // `reConnectToRoute` draws a little more, and `connectToRoute` does not.
            (Last::Stood { held }, true) => {
                held.saturating_add(route).saturating_add(between(draw, 0, ROUTE_SPREAD_NS.min(route)))
            }
            (Last::Failed, true) => route,
        };
        self.dial_after(step, (node, dial), wait);
    }

    fn dial_draw(&self, now: u64, node: u32, dial: u32) -> u64 {
        let key = self.plan.stations.get(index(node)).copied().unwrap_or_default();
        mix(mix(self.seed ^ now) ^ mix(key ^ u64::from(dial)))
    }

    fn dial_after(&mut self, step: &mut Step<'_>, (node, dial): (u32, u32), wait: u64) {
        let Some(&key) = self.plan.stations.get(index(node)) else { return };
        let Some(plan) = self.dial_mut(node, dial) else { return };
        plan.turn = plan.turn.wrapping_add(1);
        let turn = Turn::Dial { node, dial, turn: plan.turn };
        step.heap.push(step.now.saturating_add(wait), key, Happening::World(turn));
    }

    /// Tries to connect.
    pub(super) fn dial(&mut self, step: &mut Step<'_>, node: u32, dial: u32, witness: &mut Witness) {
        let wanted = match self.server(node) {
            Some(server) if dial != OF_PROCESS => server.is_up(),
            Some(_) | None => self.ports.get(index(node)).is_some_and(|port| port.wanted),
        };
        let hubs = self.plan.hubs.len();
        let Some(plan) = self.dial_mut(node, dial).filter(|plan| wanted && plan.conn.is_none()) else { return };
        let (next, only) = (plan.next, plan.only);
        let kind = match (dial, only) {
            (OF_PROCESS, _) => Kind::Client,
            (_, None) => Kind::Leaf,
            (_, Some(_)) => Kind::Route,
        };
        let Some(target) = only.or_else(|| self.plan.hubs.get(index(next) % hubs.max(1)).copied()) else { return };
        let mut air = Air { net: &mut self.net, opener: node, acceptor: target };
        let (handshake, progress) = Handshake::begin(&self.carrier.kernel, step.now, &mut air);
        let id = self.place(kind, (node, dial), target, handshake);
        if let Some(plan) = self.dial_mut(node, dial) {
            plan.conn = Some(id.place);
        }
        if kind != Kind::Client
            && let Some(server) = self.server_mut(node)
        {
            server.conns.push(id.place);
        }
        self.later(step, id, Side::Opener, self.patience(kind), Moment::Late(Stage::Dialing));
        self.shake(step, id, progress, witness);
    }

    /// How long an opener waits at each stage.
    const fn patience(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Leaf | Kind::Route => self.plan.connect_timeout,
            Kind::Client => self.plan.client_timeout,
        }
    }

    fn place(&mut self, kind: Kind, (opener, dial): (u32, u32), acceptor: u32, handshake: Handshake) -> ConnId {
        let key = |node| self.plan.stations.get(index(node)).copied().unwrap_or_default();
        let channel = link(key(opener), key(acceptor));
        let ends = [End { open: true, ..End::default() }, End::default()];
        let mut conn = Conn {
            epoch: 0,
            kind,
            opener,
            dial,
            acceptor,
            stage: Stage::Dialing,
            channel,
            medium: Medium::Handshake(Box::new(handshake)),
            ends,
            mark: (0, 0),
        };
        if let Some(place) = self.free.pop() {
            let old = &mut self.conns[index(place)];
            conn.epoch = old.epoch;
            *old = conn;
            return ConnId { place, epoch: old.epoch };
        }
        self.conns.push(conn);
        ConnId { place: u32::try_from(self.conns.len() - 1).unwrap_or(u32::MAX), epoch: 0 }
    }

    /// A handshake has come so far.
    pub(super) fn shake(&mut self, step: &mut Step<'_>, id: ConnId, progress: Progress, witness: &mut Witness) {
        let Some(conn) = self.conn(id) else { return };
        let (kind, acceptor, channel) = (conn.kind, conn.acceptor, conn.channel);
        match progress {
            Progress::Wait(at) => step.heap.push(at, channel, Happening::World(Turn::Wake(id))),
            Progress::Failed => self.close(step, id, Side::Opener, LinkEnd::TimedOut, witness),
            Progress::Established { round_trip } => {
                let pipe = Box::new(self.carrier.pipe(step.now, round_trip, mix(self.seed ^ channel) ^ step.now));
                match self.server_mut(acceptor).filter(|server| server.is_up()) {
                    Some(server) => server.conns.push(id.place),
                    // A machine on which nothing listens says so at once.
                    None => return self.close(step, id, Side::Opener, LinkEnd::Refused, witness),
                }
                let conn = &mut self.conns[index(id.place)];
                conn.medium = Medium::Pipe(pipe);
                conn.stage = Stage::Greeting;
                conn.end_mut(Side::Acceptor).open = true;
                self.later(step, id, Side::Opener, self.patience(kind), Moment::Late(Stage::Greeting));
                self.later(step, id, Side::Acceptor, AUTH_TIMEOUT_NS, Moment::Late(Stage::Greeting));
                self.write(step, id.place, Side::Acceptor, Frame::Info);
            }
        }
    }

    /// Something of one end of a connection is due after a while.
    pub(super) fn later(&self, step: &mut Step<'_>, id: ConnId, side: Side, after: u64, moment: Moment) {
        let Some(conn) = self.conn(id) else { return };
        step.heap.push(step.now.saturating_add(after), conn.channel, Happening::World(Turn::Of(id, side, moment)));
    }

    /// It has taken too long to come so far.
    pub(super) fn late(
        &mut self,
        step: &mut Step<'_>,
        id: ConnId,
        (side, stage): (Side, Stage),
        witness: &mut Witness,
    ) {
        let Some(conn) = self.conn(id) else { return };
        let late = match side {
            Side::Opener => conn.stage == stage,
            Side::Acceptor => !conn.end(side).ready,
        };
        if late {
            self.close(step, id, side, LinkEnd::TimedOut, witness);
        }
    }
}

/// The wait of nunect's client before the try that follows so many: none before the first.
pub(super) fn back_off(tries: u32, (floor, cap): (u64, u64), draw: u64) -> u64 {
    if tries == 0 {
        return 0;
    }
    let wait = floor.saturating_mul(1 << (tries - 1).min(16)).min(cap);
    wait.saturating_add(between(draw, 0, wait / 4))
}
