//! Links that carry nothing for a while, and more than a link carries.

use super::*;

/// Carries nothing in between.
struct Cut {
    from: u64,
    until: u64,
}

impl Wire for Cut {
    fn carry(&mut self, now: u64, _: Side, _: u32) -> Option<u64> {
        (!(self.from..self.until).contains(&now)).then_some(now + DELAY)
    }
}

/// Writes messages of so many bytes at this interval until `until`.
fn stream(bench: &mut Bench<Cut>, bytes: u32, interval: u64, until: u64) {
    for n in 0..until / interval {
        bench.run(n * interval);
        bench.write(n * interval, Side::Opener, bytes, n);
    }
    bench.run(until);
}

/// A real connection with 100 messages a second was heard of again 1.1 and 2.6 s after a cut of 5 s
/// (`facts/nats.md`): the back-off decides.
#[test]
fn a_cut_heals_at_the_next_time_out() {
    for begin in 0..40 {
        let from = SECOND + begin * 3 * MS;
        let until = from + 5 * SECOND;
        let mut bench = Bench::new(&TcpConfig::default(), Cut { from, until });
        stream(&mut bench, 200, 10 * MS, 12 * SECOND);
        bench.run(NEVER);
        let times = bench.times(Side::Acceptor);
        assert_eq!(times.len(), 1_200);
        let healed = times.iter().find(|&&at| at > until).expect("there is one") - until;
        assert!((1_000 * MS..2_700 * MS).contains(&healed), "{} ms", healed / MS);
        let events = bench.woken;
        assert!(events < 3_000, "{events}");
    }
}

/// Linux 6.18 took 341 to 354 writes of 200 bytes, and 54 of 1,000 (while the receiver's window was
/// small), until one would have waited.
#[test]
fn the_send_buffer_of_a_connection_that_is_cut_fills() {
    for (bytes, writes) in [(200, 320..370), (1_000, 50..90)] {
        let mut bench = Bench::new(&TcpConfig::default(), Cut { from: 0, until: NEVER });
        let mut n = 0;
        while bench.tcp.blocked_since(Side::Opener).is_none() {
            bench.run(n * 2 * MS);
            bench.write(n * 2 * MS, Side::Opener, bytes, n);
            n += 1;
        }
        assert!(writes.contains(&n), "{n} writes of {bytes} bytes");
        assert_eq!(bench.tcp.blocked_since(Side::Opener), Some((n - 1) * 2 * MS));
    }
}

#[test]
fn who_is_blocked_goes_on_when_the_cut_has_healed() {
    let mut bench = Bench::new(&TcpConfig::default(), Cut { from: SECOND, until: 6 * SECOND });
    stream(&mut bench, 1_000, 10 * MS, 5 * SECOND);
    assert!(bench.tcp.blocked_since(Side::Opener).is_some());
    bench.run(20 * SECOND);
    // Acknowledgements take effect when somebody looks.
    let _ = bench.tcp.happen(20 * SECOND, &mut bench.wire, &mut bench.out);
    assert_eq!(bench.tcp.blocked_since(Side::Opener), None);
    assert_eq!(bench.tcp.unacknowledged(Side::Opener), 0);
    assert!(bench.events.is_empty());
}

/// Slow start (RFC 5681, 3.1): 10 segments in the first round trip, twice as many in each that follows.
#[test]
fn the_window_bounds_what_is_sent_in_a_round_trip() {
    let mut bench = Bench::new(&TcpConfig::default(), Cut { from: NEVER, until: NEVER });
    for n in 0..800 {
        bench.write(0, Side::Opener, 1_448, n);
    }
    bench.run(NEVER);
    let until = |at: u64| bench.times(Side::Acceptor).iter().filter(|&&t| t <= at).count();
    assert_eq!([10, 30, 50, 70, 90].map(|ms| until(ms * MS)), [10, 30, 70, 150, 310]);
    assert_eq!(bench.arrived[1].len(), 800);
}
