//! The layered world: units → NATS servers → TCP connections → mesh routes → radio links.
//!
//! Each layer knows only the one below it. A node publishes to its server; servers talk over
//! connections; a connection hands segments to the mesh and hears when, or whether, they arrive; the
//! mesh walks the route of the moment, link by link, and draws what each link does to a segment.

mod config;
mod conn;
pub(crate) mod datagram;
mod dialing;
mod ending;
mod frame;
pub(crate) mod net;
mod pipe;
mod process;
mod routing;
mod server;
mod talk;
pub(crate) mod tcp;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use nunect_core::{Message, Pattern, Subject, UnitId};

use self::config::NodesConfig;
pub(crate) use self::config::{LayeredConfig, LayeredPlan};
use self::conn::{Conn, ConnId, Stage};
use self::frame::Frame;
pub(crate) use self::net::NetFault;
use self::net::{LinkReport, Net, NetEvent};
use self::pipe::Carrier;
use self::process::Port;
use self::routing::Ways;
use self::server::{Dial, Server};
use super::Harm;
use crate::happening::Happening;
use crate::heap::Heap;
use crate::report::{LinkCell, LinkMatrix};
use crate::trace::LinkEnd;
use crate::witness::Witness;

/// Stations whose links a page shows.
const SHOWN_MAX: usize = 64;

/// What carries segments from one end of a connection to the other.
pub(crate) trait Wire {
    /// Sends so many bytes (with all headers) from the side `from` to the other at the true instant
    /// `now`. Returns when they arrive, or `None` when they are lost.
    fn carry(&mut self, now: u64, from: Side, bytes: u32) -> Option<u64>;
}

/// An end of a connection: who opened it, or who accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Opener,
    Acceptor,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Opener => Self::Acceptor,
            Self::Acceptor => Self::Opener,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Opener => 0,
            Self::Acceptor => 1,
        }
    }
}

/// Something of the layered world that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {
    /// Of the mesh.
    Net(NetEvent),
    /// A connection is to be looked at.
    Wake(ConnId),
    /// Something arrived on connections while they were written to.
    Backlog,
    /// Of one end of a connection.
    Of(ConnId, Side, Moment),
    /// A server, or a process without one on its machine, tries to connect.
    Dial { node: u32, dial: u32, turn: u32 },
    /// The server of a node is down.
    Crash(u32),
    /// It runs again.
    Restart(u32),
}

/// What is due at one end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// It may have taken too long to get beyond a stage.
    Late(Stage),
    Ping,
    /// It may have been unable to write for too long.
    WriteDeadline,
    /// More waits to be written than is allowed.
    Overflow,
    /// It hears that the other end is closed.
    Reset,
    /// It has closed, and says so again.
    Farewell(u8),
    /// The process whose end it is is gone.
    Leave,
}

/// What is at hand at one instant.
#[derive(Debug)]
struct Step<'a> {
    now: u64,
    heap: &'a mut Heap<Happening>,
}

/// Servers, the connections between them, and the mesh below.
#[derive(Debug)]
pub(crate) struct Layered {
    plan: LayeredPlan,
    seed: u64,
    net: Net,
    carrier: Carrier,
    /// By node.
    servers: Vec<Option<Server>>,
    ports: Vec<Port>,
    conns: Vec<Conn>,
    /// Places of connections that are no more.
    free: Vec<u32>,
    /// Faults that hold: of the scenario and of the mesh.
    faults: Vec<(u32, NetFault, u32)>,
    imposed: u32,
    /// Messages that were routed, by any server.
    serial: u64,
    backlog: VecDeque<(ConnId, Side, Frame)>,
    /// Kept between steps for their memory only.
    arrived: Vec<(Side, Frame)>,
    ways: Ways,
    events: Vec<(u64, NetEvent)>,
    added: usize,
}

impl Layered {
    pub(crate) fn new(mut plan: LayeredPlan, seed: u64) -> Self {
        let net = Net::new(std::mem::take(&mut plan.net), &plan.stations, seed);
        let place = |node: u32| plan.hubs.iter().position(|&hub| hub == node);
        let server = |(node, &key): (u32, &u64)| match (place(node), plan.nodes) {
            // One of two hubs opens the route between them.
            (Some(place), _) => {
                let dials = plan.hubs[..place].iter().map(|&other| Dial::new(Some(other))).collect();
                Some(Server::new(key, true, dials))
            }
            (None, NodesConfig::Leaf) => Some(Server::new(key, false, vec![Dial::new(None)])),
            (None, NodesConfig::Client) => None,
        };
        let servers: Vec<_> = (0..).zip(&plan.stations).map(server).collect();
        let port = |(&key, server): (&u64, &Option<Server>)| Port::new(key, server.is_some());
        Self {
            ports: plan.stations.iter().zip(&servers).map(port).collect(),
            servers,
            carrier: Carrier::new(&plan.transport),
            plan,
            seed,
            net,
            conns: Vec::new(),
            free: Vec::new(),
            faults: Vec::new(),
            imposed: 0,
            serial: 0,
            backlog: VecDeque::new(),
            arrived: Vec::new(),
            ways: Ways::default(),
            events: Vec::new(),
            added: 0,
        }
    }

    /// The mesh begins to move, and the servers start.
    pub(crate) fn start(&mut self, heap: &mut Heap<Happening>) {
        self.net.start(&mut self.events);
        self.push_net(heap);
        let mut step = Step { now: 0, heap };
        for node in (0..).take(self.servers.len()) {
            self.dial_all(&mut step, node);
        }
    }

    /// One more node. All are known beforehand; one that is not has neither a station nor a server, and
    /// never gets a connection.
    pub(crate) fn add(&mut self, key: u64) {
        debug_assert!(self.plan.stations.get(self.added).is_none_or(|&planned| planned == key), "in the planned order");
        self.added += 1;
    }

    pub(crate) fn open(&mut self, now: u64, node: u32, heap: &mut Heap<Happening>) -> bool {
        self.open_port(&mut Step { now, heap }, node)
    }

    pub(crate) fn connect(&mut self, node: u32) {
        self.connect_port(node);
    }

    pub(crate) fn disconnect(&mut self, now: u64, node: u32, ended: bool, heap: &mut Heap<Happening>) {
        self.disconnect_port(&mut Step { now, heap }, node, ended);
    }

    pub(crate) fn is_connected(&self, node: u32) -> bool {
        self.is_port_connected(node)
    }

    pub(crate) fn subscribe(
        &mut self,
        now: u64,
        node: u32,
        tag: u32,
        wanted: (&Pattern, Option<&str>),
        heap: &mut Heap<Happening>,
    ) {
        self.subscribe_port(&mut Step { now, heap }, node, tag, process::key_of(wanted));
    }

    pub(crate) fn publish(
        &mut self,
        now: u64,
        from: u32,
        message: Box<Message>,
        heap: &mut Heap<Happening>,
    ) -> Option<Subject> {
        self.publish_from(&mut Step { now, heap }, from, message)
    }

    pub(crate) fn admits(&self, node: u32, epoch: u32) -> bool {
        self.admits_port(node, epoch)
    }

    pub(crate) fn is_turn(&self, node: u32, turn: u32) -> bool {
        self.is_port_turn(node, turn)
    }

    pub(crate) fn happen(&mut self, now: u64, turn: Turn, heap: &mut Heap<Happening>, witness: &mut Witness) {
        // What arrived before comes first.
        let mut step = Step { now, heap };
        self.catch_up(&mut step, witness);
        match turn {
            Turn::Net(event) => {
                self.net.happen(now, event, &mut self.events);
                self.push_net(step.heap);
            }
            Turn::Wake(id) => self.wake(&mut step, id, witness),
            Turn::Backlog => {}
            Turn::Of(id, side, moment) => self.end_is_due(&mut step, id, (side, moment), witness),
            Turn::Dial { node, dial, turn } => {
                if self.dial_mut(node, dial).is_some_and(|dial| dial.turn == turn) {
                    self.dial(&mut step, node, dial, witness);
                }
            }
            Turn::Crash(node) => self.crash(&mut step, node, witness),
            Turn::Restart(node) => self.restart(&mut step, node),
        }
    }

    fn end_is_due(&mut self, step: &mut Step<'_>, id: ConnId, (side, moment): (Side, Moment), witness: &mut Witness) {
        match moment {
            Moment::Late(stage) => self.late(step, id, (side, stage), witness),
            Moment::Ping => self.ping(step, id, side, witness),
            Moment::WriteDeadline => self.write_deadline(step, id, side, witness),
            Moment::Overflow => self.close(step, id, side, LinkEnd::SlowConsumer, witness),
            Moment::Reset => self.close(step, id, side, LinkEnd::Reset, witness),
            Moment::Farewell(tries) => self.say_farewell(step, id, side, tries),
            Moment::Leave => self.close(step, id, side, LinkEnd::Left, witness),
        }
    }

    /// The links of a page: all, or where there are many stations, those between the stations whose links
    /// lost most.
    pub(crate) fn links(&self, units: &[UnitId]) -> LinkMatrix {
        let links = self.net.links();
        let mut lost = vec![0; units.len()];
        for link in &links {
            for end in [link.from, link.to] {
                lost[index(end)] += link.counters.lost + link.counters.dropped;
            }
        }
        let mut shown: Vec<usize> = (0..units.len()).collect();
        shown.sort_by_key(|&unit| std::cmp::Reverse(lost[unit]));
        shown.truncate(SHOWN_MAX);
        shown.sort_unstable();
        let place = |station: u32| shown.binary_search(&index(station)).ok();
        let cell = |link: LinkReport| {
            let LinkReport { distance, delivery, counters, .. } = link;
            let lost = counters.lost as f64 / (counters.sent.max(1)) as f64;
            let words = format!(
                "{distance:.0} m, {:.1} % get through at the first attempt\n{} packets, {} lost, {} dropped in the queue, {} bytes",
                delivery * 100.0,
                counters.sent,
                counters.lost,
                counters.dropped,
                counters.bytes,
            );
            // Half of the packets lost is as bad as it can be.
            let bad = if counters.sent > 0 { lost * 2.0 } else { 1.0 - delivery };
            let (from, to, used) = (place(link.from)?, place(link.to)?, counters.sent > 0);
            Some(LinkCell { from, to, bad: bad.clamp(0.0, 1.0), used, words })
        };
        let which = if shown.len() < units.len() {
            format!(" Of {} stations those {} whose links lost most.", units.len(), shown.len())
        } else {
            String::new()
        };
        LinkMatrix {
            title: "Links of the mesh".to_owned(),
            words: format!(
                "From each row to each column: green gets through, red is lost. Pale links were not used. {} packets found \
                 no route.{which}",
                self.net.unroutable()
            ),
            units: shown.iter().map(|&unit| units[unit].to_string()).collect(),
            cells: links.into_iter().filter_map(cell).collect(),
        }
    }

    pub(crate) fn impose(&mut self, now: u64, fault: u32, harm: &Harm, heap: &mut Heap<Happening>) {
        match harm {
            Harm::Cut(nodes) => self.impose_net(now, fault, self.barrier(nodes), heap),
            Harm::Net(harm) => self.impose_net(now, fault, harm.clone(), heap),
            Harm::Servers(nodes) => {
                for &node in nodes {
                    let Some(server) = self.server_mut(node) else { continue };
                    server.down += 1;
                    if server.down == 1 {
                        heap.push(now, server.key, Happening::World(Turn::Crash(node)));
                    }
                }
            }
        }
    }

    pub(crate) fn lift(&mut self, now: u64, fault: u32, harm: &Harm, heap: &mut Heap<Happening>) {
        match harm {
            Harm::Cut(nodes) => self.lift_net(now, fault, &self.barrier(nodes), heap),
            Harm::Net(harm) => self.lift_net(now, fault, harm, heap),
            Harm::Servers(nodes) => {
                for &node in nodes {
                    let Some(server) = self.server_mut(node) else { continue };
                    server.down = server.down.saturating_sub(1);
                    if server.down == 0 {
                        heap.push(now, server.key, Happening::World(Turn::Restart(node)));
                    }
                }
            }
        }
    }

    /// These nodes against all others. Each keeps the server of its own machine.
    fn barrier(&self, nodes: &[u32]) -> NetFault {
        let mut side_of = vec![0; self.plan.stations.len()];
        for &node in nodes {
            if let Some(side) = side_of.get_mut(index(node)) {
                *side = 1;
            }
        }
        NetFault::Barrier { side_of, one_way: false }
    }

    /// Faults of the mesh have numbers of their own: a test cuts several nodes by the same.
    fn impose_net(&mut self, now: u64, fault: u32, harm: NetFault, heap: &mut Heap<Happening>) {
        let id = self.imposed;
        self.imposed += 1;
        self.net.impose(now, id, harm.clone(), &mut self.events);
        self.faults.push((fault, harm, id));
        self.push_net(heap);
    }

    fn lift_net(&mut self, now: u64, fault: u32, harm: &NetFault, heap: &mut Heap<Happening>) {
        let Some(place) = self.faults.iter().position(|held| (held.0, &held.1) == (fault, harm)) else { return };
        let (_, _, id) = self.faults.remove(place);
        self.net.lift(now, id, &mut self.events);
        self.push_net(heap);
    }

    fn push_net(&mut self, heap: &mut Heap<Happening>) {
        for (at, event) in self.events.drain(..) {
            heap.push(at, crate::draw::key("mesh"), Happening::World(Turn::Net(event)));
        }
    }

    /// A connection, unless it is over.
    fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns.get(index(id.place)).filter(|conn| conn.epoch == id.epoch)
    }

    fn conn_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(index(id.place)).filter(|conn| conn.epoch == id.epoch)
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
