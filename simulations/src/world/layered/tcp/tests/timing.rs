//! What the loss of a packet costs, to the nanosecond.

use super::*;

/// Loses the packets of the opener, or of the acceptor, with these numbers; the first is 0.
struct Losing {
    delay: u64,
    opener: &'static [u32],
    acceptor: &'static [u32],
    sent: [u32; 2],
}

impl Losing {
    fn new(opener: &'static [u32], acceptor: &'static [u32]) -> Self {
        Self { delay: DELAY, opener, acceptor, sent: [0; 2] }
    }
}

impl Wire for Losing {
    fn carry(&mut self, now: u64, from: Side, _: u32) -> Option<u64> {
        let lost = [self.opener, self.acceptor][from.index()];
        let number = self.sent[from.index()];
        self.sent[from.index()] += 1;
        (!lost.contains(&number)).then_some(now + self.delay)
    }
}

/// When each of `count` messages arrives, sent by the opener at these intervals, in milliseconds.
fn stream(wire: Losing, interval: u64, count: u64) -> Vec<u64> {
    let mut bench = Bench::new(&exact(), wire);
    for n in 0..count {
        bench.run(n * interval - u64::from(n > 0));
        bench.write(n * interval, Side::Opener, 200, n);
        bench.run(n * interval);
    }
    bench.run(NEVER);
    bench.times(Side::Acceptor).iter().map(|at| at / MS).collect()
}

#[test]
fn nothing_lost() {
    assert_eq!(stream(Losing::new(&[], &[]), 20 * MS, 3), [10, 30, 50]);
}

/// The next message's acknowledgement shows the loss, beyond the reordering window of a quarter of the
/// round trip (RFC 8985, 6.2).
#[test]
fn in_the_middle_of_a_stream() {
    assert_eq!(stream(Losing::new(&[1], &[]), 20 * MS, 5), [10, 70, 70, 70, 90]);
}

/// Three later ones have arrived: no reordering window (RFC 8985, 6.2, step 4).
#[test]
fn in_the_middle_of_a_fast_stream() {
    assert_eq!(stream(Losing::new(&[0], &[]), MS, 6), [33; 6]);
}

/// One later one has, which waits for the reordering window and 2 ms (`TCP_TIMEOUT_MIN_US`).
#[test]
fn one_of_two() {
    assert_eq!(stream(Losing::new(&[0], &[]), MS, 2), [10 + 21 + 4 + 2; 2]);
}

/// 2 · SRTT + 200 ms for an acknowledgement that may be delayed, but no more than the time-out, which is
/// SRTT + 200 ms (RFC 8985, 7.2; RFC 6298, 2).
#[test]
fn the_only_one() {
    assert_eq!(stream(Losing::new(&[0], &[]), MS, 1), [220 + 10]);
}

/// 2 · SRTT + 2 ms after the last: the probe repeats it, its acknowledgement shows the other.
#[test]
fn the_only_two() {
    assert_eq!(stream(Losing::new(&[0, 1], &[]), MS, 2), [1 + 42 + 20 + 10; 2]);
}

/// The time-out follows the probe by 220 ms, then by twice as much each time (RFC 6298, 5.5).
#[test]
fn the_only_one_again_and_again() {
    assert_eq!(stream(Losing::new(&[0, 1], &[]), MS, 1), [220 + 220 + 10]);
    assert_eq!(stream(Losing::new(&[0, 1, 2], &[]), MS, 1), [220 + 220 + 440 + 10]);
    assert_eq!(stream(Losing::new(&[0, 1, 2, 3], &[]), MS, 1), [220 + 220 + 440 + 880 + 10]);
}

/// The acknowledgement of what was sent after the retransmission shows that this was lost too.
#[test]
fn a_retransmission_in_a_fast_stream() {
    // The loss is found at 28 ms, 1 ms within the reordering window; what is sent at 31 ms is lost too. The
    // message of 32 ms is acknowledged at 52 ms.
    let times = stream(Losing::new(&[1, 8], &[]), 4 * MS, 13);
    assert_eq!(times, [&[10][..], &[62; 12]].concat());
}

/// While a loss is repaired, no more is sent than is acknowledged (RFC 6937): if the next message has to
/// wait for that, the time-out finds that the retransmission was lost.
#[test]
fn a_retransmission_in_a_slow_stream() {
    // The second message is lost at 20 ms and again at 56 ms. A retransmission is under way: nothing else
    // may be until something is acknowledged.
    let wire = Losing { delay: 8 * MS, ..Losing::new(&[1, 3], &[]) };
    let times = stream(wire, 20 * MS, 3);
    assert_eq!(times[0], 8);
    assert!((270..290).contains(&times[1]), "{times:?}");
}

/// A lost acknowledgement costs nobody anything: the next says the same.
#[test]
fn an_acknowledgement() {
    let (one, none) = (Losing::new(&[], &[1]), Losing::new(&[], &[]));
    assert_eq!(stream(one, 20 * MS, 5), stream(none, 20 * MS, 5));
    let (one, none) = (Losing::new(&[], &[1]), Losing::new(&[], &[]));
    assert_eq!(stream(one, SECOND, 5), stream(none, SECOND, 5));
}

/// A message beyond 1,448 bytes is as late as the last of its segments.
#[test]
fn a_part_of_a_long_message() {
    let mut bench = Bench::new(&exact(), Losing::new(&[1], &[]));
    bench.write(0, Side::Opener, 5 * 1_448, 0);
    bench.run(NEVER);
    // Three segments behind it arrive at once.
    assert_eq!(bench.times(Side::Acceptor), [30 * MS]);
    assert_eq!(bench.wire.sent[0], 6);
}
