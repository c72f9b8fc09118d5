//! From whom a message goes to whom: the rules of nats-server for clients, leafs and routes.

use std::sync::Arc;

use nunect_core::broker::{Target, Wanted};
use nunect_core::{Message, Subject};

use super::conn::{Conn, Kind};
use super::frame::{Frame, Parcel, Queues};
use super::server::PROCESS;
use super::{Layered, Side, Step, index};
use crate::draw::{between, mix};
use crate::happening::Happening;

/// Where a server has a message from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The process on its machine.
    Process,
    /// A test, or a scenario's script.
    Outside,
    /// A connection.
    Conn(u32),
}

/// Where one goes. Kept between messages for its memory only.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// The process on the server's machine, by what it calls the subscription.
    local: Vec<u32>,
    hops: Vec<Hop>,
}

#[derive(Debug)]
struct Hop {
    conn: u32,
    tag: u32,
    queues: Queues,
}

/// Whether a member of a queue group is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Never,
    /// If there is nobody else.
    Fallback,
    Take,
}

impl Layered {
    /// A server takes a message, for everybody who wants it and, of the groups in `queues`, one member.
    pub(super) fn route(
        &mut self,
        step: &mut Step<'_>,
        server: u32,
        (source, queues): (Source, &Queues),
        parcel: Parcel,
    ) {
        let mut ways = std::mem::take(&mut self.ways);
        self.find_ways(server, (source, queues), &parcel.message.subject, &mut ways);
        let mut left = ways.local.len() + ways.hops.len();
        if left == 0 {
            self.unanswered(step, server, source, *parcel.message);
            self.ways = ways;
            return;
        }
        // The last takes the message itself, and each before it a copy.
        let mut parcel = Some(parcel);
        let mut next = || {
            left -= 1;
            if left > 0 { parcel.clone() } else { parcel.take() }
        };
        if !ways.local.is_empty() {
            for tag in ways.local.drain(..) {
                next().into_iter().for_each(|parcel| self.arrive(step, server, tag, parcel));
            }
        }
        for Hop { conn, tag, queues } in ways.hops.drain(..) {
            let Some(parcel) = next() else { break };
            let from = self.conns[index(conn)].side(server);
            self.write(step, conn, from, Frame::Message { parcel, tag, queues });
        }
        self.ways = ways;
    }

    /// Hands a message to the process on the server's machine. What it took from the publisher to its
    /// server is made up for here: nothing can be seen of a message in between.
    fn arrive(&mut self, step: &mut Step<'_>, node: u32, tag: u32, parcel: Parcel) {
        let at = step.now.saturating_add(self.plan.loopback.saturating_mul(2));
        self.arrive_at(step, at, node, tag, parcel);
    }

    pub(super) fn arrive_at(&mut self, step: &mut Step<'_>, at: u64, node: u32, tag: u32, parcel: Parcel) {
        let Some(port) = self.ports.get(index(node)) else { return };
        let Parcel { message, sent, .. } = parcel;
        step.heap.push(at, port.channel, Happening::Arrive { to: node, tag, epoch: port.epoch, sent, message });
    }

    /// Nobody is known to listen. Whoever asked of this server itself is told.
    fn unanswered(&mut self, step: &mut Step<'_>, server: u32, source: Source, message: Message) {
        let Some(reply) = message.reply.map(Box::new) else { return };
        match source {
            Source::Process => {
                let Some(port) = self.ports.get(index(server)) else { return };
                let at = step.now.saturating_add(self.plan.loopback.saturating_mul(2));
                step.heap.push(at, port.channel, Happening::Unanswered { to: server, epoch: port.epoch, reply });
            }
            Source::Conn(conn) if self.conns[index(conn)].kind == Kind::Client => {
                self.write(step, conn, Side::Acceptor, Frame::Unanswered(reply));
            }
            Source::Conn(_) | Source::Outside => {}
        }
    }

    fn find_ways(&mut self, server: u32, from: (Source, &Queues), subject: &Subject, ways: &mut Ways) {
        let (source, queues) = from;
        let source_kind = match source {
            Source::Conn(conn) => Some(self.conns[index(conn)].kind),
            Source::Process | Source::Outside => None,
        };
        let from_server = matches!(source_kind, Some(Kind::Leaf | Kind::Route));
        self.serial += 1;
        let Self { servers, conns, serial, seed, .. } = self;
        let Some(host) = servers.get_mut(index(server)).and_then(Option::as_mut) else { return };
        host.routed += 1;
        let draw = mix(mix(*seed ^ host.key) ^ host.routed);
        let mut served: Queues = None;
        let mut groups = 0;
        host.broker.visit(subject, |wanted| match wanted {
            Wanted::By(target) => ways.add(conns, *serial, (source, source_kind), target, None),
            Wanted::ByOneOf(name, members) => {
                // Servers say which groups a message is still for.
                if from_server && !queues.iter().any(|queues| queues.contains(name)) {
                    return;
                }
                groups += 1;
                let choice = |target: &Target| choice(conns, (source, source_kind), target);
                if let Some(target) = choose(members, mix(draw ^ groups), choice) {
                    ways.add(conns, *serial, (source, source_kind), target, Some(name));
                    served.get_or_insert_default().push(Arc::clone(name));
                }
            }
        });
        // A leaf passes on what did not come from its hub.
        if !host.is_hub
            && !from_server
            && let Some(&uplink) = host.peers.first()
        {
            self.find_way_up(uplink, subject, &served, ways);
        }
    }

    /// Whether a leaf's hub wants a message. The leaf looks into the hub's own table: a copy in each of
    /// a thousand leafs would need gigabytes, so what hubs tell their leafs is there at once.
    fn find_way_up(&mut self, uplink: u32, subject: &Subject, served: &Queues, ways: &mut Ways) {
        let conn = &self.conns[index(uplink)];
        let mut wanted_there = !conn.end(Side::Acceptor).open;
        let mut queues: Queues = None;
        // Of a hub that is gone the leaf still believes what it wanted last. Nobody kept that: everything
        // goes to it, and is lost.
        if !wanted_there && let Some(Some(hub)) = self.servers.get_mut(index(conn.acceptor)) {
            hub.broker.visit(subject, |wanted| match wanted {
                Wanted::By(target) => wanted_there |= target.client.0 != uplink,
                Wanted::ByOneOf(name, members) => {
                    let other = members.iter().any(|member| member.client.0 != uplink);
                    if other && !served.iter().any(|served| served.contains(name)) {
                        queues.get_or_insert_default().push(Arc::clone(name));
                    }
                }
            });
        }
        if wanted_there || queues.is_some() {
            ways.hops.push(Hop { conn: uplink, tag: 0, queues });
        }
    }
}

impl Ways {
    /// Adds a target, unless the message came from there, or came over a route and would leave over one:
    /// routes are single-hop. Another server gets it once, whatever it matches there.
    fn add(
        &mut self,
        conns: &mut [Conn],
        serial: u64,
        (source, source_kind): (Source, Option<Kind>),
        target: Target,
        queue: Option<&Arc<str>>,
    ) {
        if target.client == PROCESS {
            self.local.push(target.tag);
            return;
        }
        let place = target.client.0;
        let conn = &mut conns[index(place)];
        if conn.kind == Kind::Client {
            self.hops.push(Hop { conn: place, tag: target.tag, queues: None });
            return;
        }
        let over_routes = conn.kind == Kind::Route && source_kind == Some(Kind::Route);
        if source == Source::Conn(place) || over_routes {
            return;
        }
        if conn.mark.0 != serial {
            conn.mark = (serial, u32::try_from(self.hops.len()).unwrap_or(u32::MAX));
            self.hops.push(Hop { conn: place, tag: 0, queues: None });
        }
        if let Some(queue) = queue {
            let hop = &mut self.hops[index(conn.mark.1)];
            hop.queues.get_or_insert_default().push(Arc::clone(queue));
        }
    }
}

/// `processMsgResults` of nats-server: own clients come first, and for who is a client itself those of
/// other hubs are as good; leafs are there for want of others. Returns how many clients stand behind the
/// target, too.
fn choice(conns: &[Conn], (source, source_kind): (Source, Option<Kind>), target: &Target) -> (Choice, u64) {
    if target.client == PROCESS {
        return (Choice::Take, 1);
    }
    let place = target.client.0;
    let weight = u64::from(target.tag >> 1).max(1);
    let kind = conns[index(place)].kind;
    match kind {
        Kind::Client => (Choice::Take, 1),
        Kind::Leaf | Kind::Route if source == Source::Conn(place) => (Choice::Never, 0),
        Kind::Leaf => (Choice::Fallback, weight),
        Kind::Route if source_kind == Some(Kind::Route) => (Choice::Never, 0),
        Kind::Route if is_direct(target.tag) => (Choice::Take, weight),
        Kind::Route => (Choice::Fallback, weight),
    }
}

/// One of the members that may be chosen; each as often as there are clients behind it.
fn choose(members: &[Target], draw: u64, choice: impl Fn(&Target) -> (Choice, u64)) -> Option<Target> {
    for wanted in [Choice::Take, Choice::Fallback] {
        let candidates = || {
            let chosen = |member: &Target| Some(choice(member)).filter(|(choice, _)| *choice == wanted);
            members.iter().filter_map(move |member| chosen(member).map(|(_, weight)| (*member, weight)))
        };
        let total: u64 = candidates().map(|(_, weight)| weight).sum();
        let mut drawn = between(draw, 0, total.saturating_sub(1));
        for (member, weight) in candidates() {
            if drawn < weight {
                return Some(member);
            }
            drawn -= weight;
        }
    }
    None
}

/// What a broker calls the subscription of another server: how many clients stand behind it, and
/// whether any of them is that server's own.
pub(super) fn remote_tag(weight: u32, direct: bool) -> u32 {
    (weight << 1) | u32::from(direct)
}

const fn is_direct(tag: u32) -> bool {
    tag & 1 == 1
}
