//! A simulated leaf with two hubs in its list, which loses the first.

use std::time::Duration;

use nunect::simulations::trace::LinkChange;
use nunect::time::nanos;

use super::run::{At, Link, Run, Traced, period, run};
use crate::measured::{Failover, How, LeafSettings};

/// The nodes, in the order of the scenario.
const LEAF: u32 = 0;
const HUBS: [u32; 2] = [1, 2];

/// As on the real side.
const STAND: Duration = Duration::from_millis(5_600);
/// More than any run takes to be back.
const RECOVERY: Duration = Duration::from_secs(25);
/// Bytes a second in the leaf's connection, and of one message. The real one is compressed, as is nats-server's default:
/// 54 bytes for each of 100 messages a second, and its kernel blocks when 35 to 45 kB wait, 6.5 to 8.4 s after the cut.
/// The simulator compresses nothing and blocks at 64 kB: so much a second blocks it after 7.5 s, too.
const BYTES_A_SECOND: usize = 8_500;
const BYTES: usize = 216;

/// Takes the first hub from a leaf, and waits until it is connected to the second.
pub(crate) fn leaf_failover(how: How, settings: LeafSettings, seed: u64) -> Failover {
    let stands = simulate(how, settings, None, seed).first_up(LEAF, HUBS[0]);
    let gone_at = Duration::from_nanos(stands) + STAND;
    let found = simulate(how, settings, Some(gone_at), seed);
    let gone = nanos(gone_at);
    let first = |is: fn(LinkChange) -> bool, peer: u32| {
        let of_leaf = |link: &&Link| link.at >= gone && (link.node, link.peer) == (LEAF, peer) && is(link.change);
        let at =
            found.links.iter().find(of_leaf).unwrap_or_else(|| panic!("{how:?}, seed {seed}: {:?}", found.links)).at;
        Duration::from_nanos(at - gone)
    };
    let ways = [found.way("leaf", "hub2"), found.way("hub2", "leaf")];
    let silence = |way: &Vec<(At, Option<At>)>| {
        let mut arrivals: Vec<At> = way.iter().filter_map(|(_, arrived)| *arrived).collect();
        arrivals.sort_unstable();
        Duration::from_nanos(arrivals.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default())
    };
    Failover {
        how,
        stood: STAND,
        detected: first(|change| matches!(change, LinkChange::Closed(_)), HUBS[0]),
        after: first(|change| change == LinkChange::Up, HUBS[1]),
        sent: ways.each_ref().map(Vec::len),
        lost: ways.each_ref().map(|way| way.iter().filter(|(_, arrived)| arrived.is_none()).count()),
        silence: ways.each_ref().map(silence),
    }
}

fn simulate(how: How, settings: LeafSettings, gone_at: Option<Duration>, seed: u64) -> Run {
    let every =
        Duration::from_secs(1) * u32::try_from(BYTES).expect("few") / u32::try_from(BYTES_A_SECOND).expect("few");
    let until = gone_at.map_or(Duration::from_secs(3), |at| at + RECOVERY);
    let messages = until.as_millis() / every.as_millis();
    let flow = |sends: &str, hears: &str| {
        format!(
            "flow: {{ sends: flow.{sends}, hears: flow.{hears}, every: {}, from: 1s, messages: {messages}, bytes: {BYTES} }}",
            period(every)
        )
    };
    let LeafSettings { reconnect, ping_interval, ping_max, write_deadline } = settings;
    let fault = match how {
        How::HubKilled => "crash: { servers: hub1 }",
        How::LinkSilent => "link: { from: leaf, to: hub1, down: true }",
    };
    let faults = gone_at.map_or_else(String::new, |at| format!("faults:\n  - {{ at: {}, {fault} }}\n", period(at)));
    let text = format!(
        "name: leaf-failover
duration: {duration}
nodes:
  - {{ name: leaf, actors: {{ {up} }} }}
  - {{ name: hub1 }}
  - {{ name: hub2, actors: {{ {down} }} }}
world:
  layered:
    mesh: {{ link: {{ delay: 10ms }}, routes: {{ hop_limit: 1, convergence: 0s }} }}
    transport: {{ tcp: {{ syn_linear_timeouts: 4 }} }}
    servers:
      hubs: [hub1, hub2]
      ping: {{ interval: {ping}, max: {ping_max} }}
      write_deadline: {deadline}
      reconnect: {reconnect}
{faults}",
        duration = period(until + Duration::from_secs(1)),
        up = flow("up", "down"),
        down = flow("down", "up"),
        ping = period(ping_interval),
        deadline = period(write_deadline),
        reconnect = period(reconnect),
    );
    run(&text, seed, Traced::Yes, None)
}
