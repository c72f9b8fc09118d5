//! Round trips over a lossy wire, against those of a real kernel.

use super::*;

/// A round trip's share that is no network: client, server, answerer.
const PROCESSING: u64 = 600_000;
const INTERVAL: u64 = 20 * MS;

/// The round trips in nanoseconds of `count` messages of one connection.
fn round_trips(seed: u64, loss_ppm: u64, count: u64) -> Vec<u64> {
    let mut wire = Lossy::new(mix(seed), loss_ppm);
    let kernel = kernel();
    let begin = mix(seed ^ 1) % INTERVAL;
    let mut tcp = Tcp::new(&kernel, begin, Some(2 * DELAY));
    let mut sent = Vec::new();
    let mut back = vec![0; count as usize];
    let mut events: BTreeSet<(u64, u64)> = BTreeSet::new();
    let mut answers: BTreeSet<(u64, u64)> = BTreeSet::new();
    let mut out = Vec::new();
    let (mut got, mut now) = (0, begin);
    while got < count {
        assert!(now < begin + count * INTERVAL + 600_000 * MS, "stuck: {tcp:?}");
        let next_send = if (sent.len() as u64) < count {
            begin + sent.len() as u64 * INTERVAL + mix(seed ^ sent.len() as u64) % 300_000
        } else {
            NEVER
        };
        let next_event = events.first().map_or(NEVER, |e| e.0);
        let next_answer = answers.first().map_or(NEVER, |e| e.0);
        now = next_send.min(next_event).min(next_answer);
        let wake = if now == next_event {
            events.pop_first();
            tcp.happen(now, &mut wire, &mut out)
        } else if now == next_answer {
            let n = answers.pop_first().unwrap().1;
            tcp.write(now, Side::Acceptor, (203 - 52, n), &mut wire, &mut out)
        } else {
            sent.push(now);
            tcp.write(now, Side::Opener, (208 - 52, sent.len() as u64 - 1), &mut wire, &mut out)
        };
        events.extend(wake.map(|at| (at, 0)));
        for (to, n) in out.drain(..) {
            match to {
                Side::Acceptor => {
                    answers.insert((now + PROCESSING + mix(seed ^ mix(n)) % 400_000, n));
                }
                Side::Opener => {
                    back[n as usize] = now + 200_000 - sent[n as usize];
                    got += 1;
                }
            }
        }
    }
    back
}

#[test]
fn table() {
    for loss in [0, 10_000, 20_000, 50_000, 100_000] {
        let mut all: Vec<u64> = (0..8).flat_map(|c| round_trips(loss * 100 + c, loss, 10_000)).collect();
        all.sort_unstable();
        let q = |p: usize| all[all.len() * p / 1000] as f64 / 1e6;
        let share = all.iter().filter(|&&r| r > 60 * MS).count() as f64 / all.len() as f64;
        eprintln!("{loss:6} p50 {:.1} p95 {:.1} p99 {:.1} max {:.0} share {share:.4}", q(500), q(950), q(990), q(999));
    }
}
