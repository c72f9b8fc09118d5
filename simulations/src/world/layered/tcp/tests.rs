//! What the tests share: wires, and a connection with its events.

use std::collections::BTreeSet;

use nunect_core::Period;
use proptest::prelude::*;

use super::*;
use crate::draw::{between, mix};

mod cuts;
mod echo;
mod opening;
mod timing;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// One way.
const DELAY: u64 = 10 * MS;

/// Loses each packet with the same probability.
#[derive(Debug)]
struct Lossy {
    seed: u64,
    per_million: u64,
    /// Up to so much later than the delay.
    jitter: u64,
    carried: u64,
}

impl Wire for Lossy {
    fn carry(&mut self, now: u64, _: Side, _: u32) -> Option<u64> {
        self.carried += 1;
        let bits = mix(self.seed ^ mix(self.carried));
        let arrives = now + DELAY + between(mix(bits), 0, self.jitter);
        (bits % 1_000_000 >= self.per_million).then_some(arrives)
    }
}

/// A connection, what it asked for, and what it delivered.
struct Bench<W> {
    tcp: Tcp<u64>,
    wire: W,
    events: BTreeSet<u64>,
    woken: u64,
    out: Vec<(Side, u64)>,
    /// When each message arrived, by receiver.
    arrived: [Vec<(u64, u64)>; 2],
}

impl<W: Wire> Bench<W> {
    fn new(config: &TcpConfig, wire: W) -> Self {
        let kernel = Arc::new(Kernel::new(config));
        let tcp = Tcp::new(&kernel, 0, Some(2 * DELAY));
        Self { tcp, wire, events: BTreeSet::new(), woken: 0, out: Vec::new(), arrived: [const { Vec::new() }; 2] }
    }

    fn write(&mut self, now: u64, from: Side, bytes: u32, message: u64) {
        let wake = self.tcp.write(now, from, (bytes, message), &mut self.wire, &mut self.out);
        self.note(now, wake);
    }

    fn note(&mut self, now: u64, wake: Option<u64>) {
        if let Some(at) = wake {
            assert!(at >= now, "asked at {now} to be called at {at}");
            self.events.insert(at);
        }
        for (to, message) in self.out.drain(..) {
            self.arrived[to.index()].push((now, message));
        }
    }

    /// Whatever the connection asked for up to `until`.
    fn run(&mut self, until: u64) {
        while let Some(at) = self.events.first().copied().filter(|&at| at <= until) {
            self.events.pop_first();
            self.woken += 1;
            let wake = self.tcp.happen(at, &mut self.wire, &mut self.out);
            self.note(at, wake);
        }
    }

    fn times(&self, to: Side) -> Vec<u64> {
        self.arrived[to.index()].iter().map(|&(at, _)| at).collect()
    }

    fn messages(&self, to: Side) -> Vec<u64> {
        self.arrived[to.index()].iter().map(|&(_, message)| message).collect()
    }
}

/// Timers that fire when they are due.
fn exact() -> TcpConfig {
    TcpConfig { jiffy: Period::from_millis(0), ..TcpConfig::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn everything_arrives_once_and_in_order(
        seed: u64,
        per_million in 0_u64..600_000,
        jitter in prop::sample::select(vec![0, 3 * MS, 40 * MS]),
        writes in prop::collection::vec((0_u64..60 * MS, any::<bool>(), 1_u32..6_000), 1..80),
    ) {
        let mut bench = Bench::new(&TcpConfig::default(), Lossy { seed, per_million, jitter, carried: 0 });
        let (mut now, mut counts) = (0, [0, 0]);
        for (gap, opener, bytes) in writes {
            now += gap;
            bench.run(now);
            let from = if opener { Side::Opener } else { Side::Acceptor };
            bench.write(now, from, bytes, counts[from.index()]);
            counts[from.index()] += 1;
        }
        bench.run(now + 100_000 * SECOND);
        prop_assert_eq!(bench.messages(Side::Acceptor), (0..counts[0]).collect::<Vec<_>>());
        prop_assert_eq!(bench.messages(Side::Opener), (0..counts[1]).collect::<Vec<_>>());
        prop_assert!(bench.events.is_empty());
        prop_assert_eq!(bench.tcp.close().count(), 0);
    }
}

#[test]
fn a_message_that_is_not_lost_costs_one_event() {
    for gap in [4 * MS, 20 * MS, SECOND] {
        let lossless = Lossy { seed: 1, per_million: 0, jitter: 0, carried: 0 };
        let mut bench = Bench::new(&TcpConfig::default(), lossless);
        for n in 0..1_000 {
            bench.run(n * gap);
            bench.write(n * gap, Side::Opener, 200, n);
        }
        bench.run(NEVER);
        assert_eq!(bench.woken, 1_000, "a message each {gap} ns");
        assert_eq!(bench.arrived[1].len(), 1_000);
    }
}

#[test]
fn what_is_idle_asks_for_nothing_and_is_small() {
    let lossless = Lossy { seed: 1, per_million: 0, jitter: 0, carried: 0 };
    let mut bench = Bench::new(&TcpConfig::default(), lossless);
    bench.write(0, Side::Opener, 200, 0);
    bench.run(NEVER);
    assert!(bench.events.is_empty());
    let core = &bench.tcp.core;
    let queues = core.ends.iter().map(|end| end.sender.segments.capacity() * size_of::<sender::Segment>());
    let messages = bench.tcp.messages.iter().map(|queue| queue.capacity() * size_of::<(u64, u64)>());
    let packets = core.packets.capacity() * size_of::<Packet>();
    let bytes = size_of::<Tcp<u64>>() + queues.sum::<usize>() + messages.sum::<usize>() + packets;
    assert!(bytes <= 700, "{bytes} bytes, {} of them inline", size_of::<Tcp<u64>>());
}

#[test]
fn what_has_not_arrived_comes_back_when_the_connection_is_closed() {
    let mut bench = Bench::new(&TcpConfig::default(), Lossy { seed: 1, per_million: 1_000_000, jitter: 0, carried: 0 });
    bench.write(0, Side::Opener, 200, 7);
    bench.write(0, Side::Acceptor, 200, 8);
    bench.run(SECOND);
    assert_eq!(bench.tcp.unacknowledged(Side::Opener), 200);
    assert_eq!(bench.tcp.close().collect::<Vec<_>>(), [(Side::Opener, 7), (Side::Acceptor, 8)]);
}
