//! Round trips through a simulated server behind a lossy link.

use std::fmt::Write as _;
use std::thread::scope;
use std::time::Duration;

use super::run::{Traced, period, run};
use crate::measured::Rtts;

/// What `echo.py` sends a connection.
const INTERVAL: Duration = Duration::from_millis(20);
/// Of the relay, one way.
const DELAY: Duration = Duration::from_millis(10);
/// What request and answer take in the real connection.
const BYTES: [usize; 2] = [208, 203];
/// As nats-server and nats-py have it.
const PINGS: &str = "ping: { interval: 2m, max: 2 }, write_deadline: 10s, \
                     client: { ping: { interval: 2m, max: 2 }, connect_timeout: 60s }";
/// A handshake may lose several packets in a row: so long after the start all are connected.
const CONNECT: Duration = Duration::from_secs(30);
/// For answers that are late.
const DRAIN: Duration = Duration::from_secs(30);
/// Connections of one simulation.
const SIDE_BY_SIDE: usize = 7;

/// So many connections, each over a link of its own, as on the real side: 10 ms one way, packets lost each way by
/// themselves. `processing` is what a round trip takes besides.
pub(crate) fn lossy_link(loss: f64, connections: usize, messages: usize, processing: Duration) -> Rtts {
    let rounds = connections.div_ceil(SIDE_BY_SIDE);
    let runs = scope(|threads| {
        let one = |round: usize| {
            let connections = (connections - round * SIDE_BY_SIDE).min(SIDE_BY_SIDE);
            threads.spawn(move || round_trips(loss, connections, messages, processing, round as u64 + 1))
        };
        let running: Vec<_> = (0..rounds).map(one).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a simulation")).collect()
    });
    Rtts { loss, runs }
}

fn round_trips(
    loss: f64,
    connections: usize,
    messages: usize,
    processing: Duration,
    seed: u64,
) -> Vec<Vec<Option<f64>>> {
    let numbers = 0..connections;
    let mut text = String::new();
    let sending = INTERVAL * u32::try_from(messages).expect("a run of hours");
    let [up, down] = BYTES;
    write!(
        text,
        "name: lossy-link\nduration: {}\nservice: {{ answerer: {{ fixed: {} }} }}\nnodes:\n  - name: far\n    actors:\n",
        period(CONNECT + sending + DRAIN),
        period(processing),
    )
    .expect("a string takes it");
    for number in numbers.clone() {
        let actor = format!("kind: answerer, hears: ask.{number}, sends: back.{number}, bytes: {down}");
        writeln!(text, "      answerer-{number}: {{ {actor} }}").expect("a string takes it");
    }
    for number in numbers.clone() {
        // Evenly between each other, as the real ones.
        let from = CONNECT + INTERVAL * u32::try_from(number).expect("few") / 7;
        let actor = format!(
            "sends: ask.{number}, hears: back.{number}, every: {}, from: {}, messages: {messages}, bytes: {up}",
            period(INTERVAL),
            period(from),
        );
        writeln!(text, "  - {{ name: n{number}, actors: {{ flow: {{ {actor} }} }} }}").expect("a string takes it");
    }
    write!(
        text,
        "world:\n  layered:\n    mesh:\n      topology: {{ star: {{ center: far }} }}\n      \
         link: {{ delay: {}, loss: {}% }}\n    servers: {{ hubs: [far], nodes: client, {PINGS} }}\n",
        period(DELAY),
        loss * 100.0,
    )
    .expect("a string takes it");
    let found = run(&text, seed, Traced::No, None);
    let round_trips = |number: usize| {
        let record = found.records.get(&format!("n{number}")).expect("an asker");
        assert_eq!(record.sent.len(), messages, "n{number} sends them all");
        let rtt = |(number, sent): (&u64, &u64)| record.heard.get(number).map(|heard| (heard - sent) as f64 / 1e6);
        record.sent.iter().map(rtt).collect()
    };
    numbers.map(round_trips).collect()
}
