//! Three simulated servers, and the link between two of them cut and healed.

use std::time::Duration;

use nunect::simulations::trace::{LinkChange, LinkEnd};
use nunect::time::nanos;

use super::run::{At, Run, Traced, is_between, period, run};
use crate::measured::{Cut, Pings};

/// As on the real side: how long the routes stand, and how long it goes on after heal.
const STAND: Duration = Duration::from_millis(5_600);
const RECOVERY: Duration = Duration::from_secs(12);
const DRAIN: Duration = Duration::from_secs(3);
/// One message in the connection of a route: `RMSG $G flow.up 160`, two ends of lines, and 160 bytes. The simulator's
/// smallest stamped message is 4 bytes longer or so.
const BYTES: usize = 183;

/// Cuts the link between servers 0 and 1; server 2 sees both all the time.
pub(crate) fn cluster_cut(pings: Pings, cut: Duration, seed: u64) -> Cut {
    // When the route is made follows from the seed: the same run shows it.
    let routed = simulate(pings, Duration::from_secs(30), cut, seed, Some(Duration::from_secs(3))).first_up(0, 1);
    let cut_at = Duration::from_nanos(routed) + STAND;
    let found = simulate(pings, cut_at, cut, seed, None);
    let (cut_ns, healed) = (nanos(cut_at), nanos(cut_at + cut));
    let is_end = |change: LinkChange| matches!(change, LinkChange::Closed(end) if end != LinkEnd::Duplicate && end != LinkEnd::TimedOut);
    let given_up = || {
        let ends = found.links.iter().filter(|link| link.at >= cut_ns && is_between(link, 0, 1) && is_end(link.change));
        ends.map(|link| Duration::from_nanos(link.at - cut_ns))
    };
    let ways = [found.way("s0", "s1"), found.way("s1", "s0")];
    let first_after = |way: &Vec<(At, Option<At>)>| {
        let arrivals = way.iter().filter_map(|(_, arrived)| arrived.as_ref()?.checked_sub(healed));
        arrivals.min().map(Duration::from_nanos)
    };
    let latest = |way: &Vec<(At, Option<At>)>| {
        let took = way.iter().filter_map(|(sent, arrived)| arrived.as_ref().map(|at| at - sent));
        Duration::from_nanos(took.max().unwrap_or_default())
    };
    Cut {
        pings,
        cut,
        routes_stood: STAND,
        detected: given_up().min(),
        parted: given_up().max(),
        sent: ways.each_ref().map(Vec::len),
        lost: ways.each_ref().map(|way| way.iter().filter(|(_, arrived)| arrived.is_none()).count()),
        first_after_heal: ways.each_ref().map(first_after),
        latest: ways.each_ref().map(latest),
    }
}

fn simulate(pings: Pings, cut_at: Duration, cut: Duration, seed: u64, only: Option<Duration>) -> Run {
    let every = Duration::from_millis(10);
    let from = Duration::from_secs(1);
    let until = cut_at + cut + RECOVERY;
    let messages = (until - from).as_millis() / every.as_millis();
    let flow = |sends: &str, hears: &str| {
        format!(
            "flow: {{ sends: flow.{sends}, hears: flow.{hears}, every: {}, from: {}, messages: {messages}, bytes: {BYTES} }}",
            period(every),
            period(from)
        )
    };
    let ping = match pings {
        Pings::Default => "interval: 2m",
        Pings::EverySecond => "interval: 1s",
    };
    let text = format!(
        "name: cluster-cut
duration: {duration}
nodes:
  - {{ name: s0, actors: {{ {up} }} }}
  - {{ name: s1, actors: {{ {down} }} }}
  - {{ name: s2 }}
world:
  layered:
    # Nothing forwards, and nothing has to be found first.
    mesh: {{ link: {{ delay: 10ms }}, routes: {{ hop_limit: 1, convergence: 0s }} }}
    transport: {{ tcp: {{ syn_linear_timeouts: 4 }} }}
    servers: {{ hubs: '*', ping: {{ {ping}, max: 2 }}, write_deadline: 10s }}
faults:
  - {{ at: {at}, link: {{ from: s0, to: s1, down: true, for: {lasting} }} }}
",
        duration = period(only.unwrap_or(until + DRAIN)),
        up = flow("up", "down"),
        down = flow("down", "up"),
        at = period(if only.is_some() { Duration::from_secs(2) } else { cut_at }),
        lasting = period(if only.is_some() { Duration::from_millis(1) } else { cut }),
    );
    run(&text, seed, Traced::Yes, None)
}
