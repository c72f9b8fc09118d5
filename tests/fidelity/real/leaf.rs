//! A leaf with two hubs in its list, which loses the first.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::flow;
use super::mesh::Mesh;
use super::server::Server;
use crate::measured::{Failover, How, LeafSettings};
use crate::real::Conditions;

/// The nodes.
const LEAF: usize = 0;
const HUBS: [usize; 2] = [1, 2];

const PATIENCE: Duration = Duration::from_secs(30);
/// How long the leaf's connection stands before it is lost. Ping timers start with it.
const STAND: Duration = Duration::from_millis(5_600);
/// From the new connection to the last message.
const RECOVERY: Duration = Duration::from_secs(3);
/// What a leaf says of a connection to a hub.
const CREATED: &str = "Leafnode connection created";
const CLOSED: &str = "Leafnode connection closed";

/// Takes the first hub from a leaf, and waits until it is connected to the second.
pub(crate) fn leaf_failover(how: How, settings: LeafSettings) -> (Failover, Conditions) {
    let mut mesh = Mesh::start(3, 0.0, 0);
    let LeafSettings { reconnect, ping_interval, ping_max, write_deadline } = settings;
    let life =
        format!("ping_interval: \"{ping_interval:?}\"\nping_max: {ping_max}\nwrite_deadline: \"{write_deadline:?}\"\n");
    let started = Instant::now();
    let mut hubs = HUBS.map(|node| {
        let address = Mesh::address(node);
        let other = Mesh::address(HUBS[0] + HUBS[1] - node);
        let config = format!(
            "{life}leafnodes {{ listen: \"{address}:7422\" }}\n\
             cluster {{ name: hubs, listen: \"{address}:6222\", routes: [\"nats-route://{other}:6222\"] }}"
        );
        Server::start(&mesh, node, &format!("hub{node}"), &config)
    });
    hubs[1].expect(&["Route connection created"], started, PATIENCE);
    let urls = HUBS.map(|node| format!("\"nats-leaf://{}:7422\"", Mesh::address(node))).join(", ");
    let remote = format!("{{ urls: [{urls}], no_randomize: true }}");
    let config = format!("{life}leafnodes {{ reconnect: \"{reconnect:?}\", remotes: [{remote}] }}");
    let mut leaf = Server::start(&mesh, LEAF, "leaf", &config);
    let [first, second] = HUBS.map(Mesh::address);
    let stands = leaf.expect(&[CREATED, &first], started, PATIENCE).at;
    let ends = flow::start(&mesh, [LEAF, HUBS[1]]);
    sleep(STAND.saturating_sub(stands.elapsed()));

    let gone = match how {
        How::HubKilled => {
            hubs[0].kill();
            Instant::now()
        }
        How::LinkSilent => mesh.cut(LEAF, HUBS[0]),
    };
    let given_up = leaf.expect(&[CLOSED, &first], gone, Duration::from_secs(60)).at;
    let back = leaf.expect(&[CREATED, &second], gone, Duration::from_secs(60)).at;
    sleep(RECOVERY);
    let ways = flow::finish(&mesh, ends);
    let each = ways.each_ref();
    let failover = Failover {
        how,
        stood: gone.duration_since(stands),
        detected: given_up.duration_since(gone),
        after: back.duration_since(gone),
        sent: each.map(|way| way.sent()),
        lost: each.map(|way| way.lost()),
        silence: each.map(|way| way.silence()),
    };
    (failover, Conditions::of(&mut mesh))
}
