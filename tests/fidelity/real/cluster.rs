//! Three servers, and the link between two of them cut and healed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::flow;
use super::mesh::Mesh;
use super::server::Server;
use crate::measured::{Cut, Pings};
use crate::real::Conditions;

const PATIENCE: Duration = Duration::from_secs(30);
/// How long the routes have stood when the link is cut. A server first pings 1 to 1.2 s after a route is made, then every
/// interval: pings each second are then half-way between each other.
const STAND: Duration = Duration::from_millis(5_600);
/// From heal to the last message: more than any row takes to come back.
const RECOVERY: Duration = Duration::from_secs(12);
/// What a server says of each connection of a route; there are several to each other server.
const CREATED: &str = "Route connection created";

/// Cuts the link between servers 0 and 1; server 2 sees both all the time.
pub(crate) fn cluster_cut(pings: Pings, cut: Duration) -> (Cut, Conditions) {
    let mut mesh = Mesh::start(3, 0.0, 0);
    let config = |node: usize| {
        let others = (0..3).filter(|other| *other != node);
        let routes: Vec<String> =
            others.map(|other| format!("\"nats-route://{}:6222\"", Mesh::address(other))).collect();
        let pings = match pings {
            Pings::Default => "",
            Pings::EverySecond => "ping_interval: \"1s\", ping_max: 2, ",
        };
        format!(
            "cluster {{ name: mesh, {pings}listen: \"{}:6222\", routes: [{}] }}",
            Mesh::address(node),
            routes.join(", ")
        )
    };
    let started = Instant::now();
    let mut servers = [0, 1, 2].map(|node| Server::start(&mesh, node, &format!("s{node}"), &config(node)));
    let ends = flow::start(&mesh, [0, 1]);
    let routed = servers[0].expect(&[CREATED, &Mesh::address(1)], started, PATIENCE).at;
    sleep(STAND.saturating_sub(routed.elapsed()));

    let cut_at = mesh.cut(0, 1);
    sleep(cut.saturating_sub(cut_at.elapsed()));
    let healed = mesh.heal(0, 1);
    sleep(RECOVERY.saturating_sub(healed.elapsed()));
    let ways = flow::finish(&mesh, ends);
    let [first, second, _] = &mut servers;
    let given_up = [first.gave_up("s1", cut_at), second.gave_up("s0", cut_at)].concat();
    let each = ways.each_ref();
    let cut = Cut {
        pings,
        cut,
        routes_stood: cut_at.duration_since(routed),
        detected: given_up.iter().min().copied(),
        parted: given_up.iter().max().copied(),
        sent: each.map(|way| way.sent()),
        lost: each.map(|way| way.lost()),
        first_after_heal: each.map(|way| way.first_after(healed)),
        latest: each.map(|way| way.latest()),
    };
    (cut, Conditions::of(&mut mesh))
}
