//! How long it takes to connect.

use super::*;

/// Loses the first so many packets of each side.
struct Losing([u32; 2]);

impl Wire for Losing {
    fn carry(&mut self, now: u64, from: Side, _: u32) -> Option<u64> {
        let left = &mut self.0[from.index()];
        let lost = *left > 0;
        *left = left.saturating_sub(1);
        (!lost).then_some(now + DELAY)
    }
}

/// How long a handshake takes in milliseconds, or that it fails, and the round trip that it measures.
fn connect(config: &TcpConfig, lost: [u32; 2]) -> (u64, Option<Option<u64>>) {
    let mut wire = Losing(lost);
    let (mut handshake, mut progress) = Handshake::begin(&Arc::new(Kernel::new(config)), 0, &mut wire);
    let mut now = 0;
    loop {
        match progress {
            Progress::Wait(at) => {
                assert!(at > now);
                now = at;
                progress = handshake.happen(now, &mut wire);
            }
            Progress::Established { round_trip } => return (now / MS, Some(round_trip.map(|time| time / MS))),
            Progress::Failed => return (now / MS, None),
        }
    }
}

#[test]
fn a_handshake_takes_a_round_trip_and_a_half() {
    assert_eq!(connect(&exact(), [0, 0]), (30, Some(Some(20))));
}

/// RFC 6298, 2.1 and 5.5.
#[test]
fn lost_calls_cost_one_three_and_seven_seconds() {
    for (lost, seconds) in [(1, 1), (2, 3), (3, 7), (4, 15)] {
        assert_eq!(connect(&exact(), [lost, 0]), (seconds * 1_000 + 30, Some(None)));
    }
    assert_eq!(connect(&exact(), [7, 0]), (127_000, None));
}

#[test]
fn newer_kernels_call_each_second_at_first() {
    let config = TcpConfig { syn_linear_timeouts: 4, ..exact() };
    assert_eq!(connect(&config, [4, 0]).0, 4_030);
    assert_eq!(connect(&config, [6, 0]).0, 7_030);
}

#[test]
fn a_lost_answer_is_sent_again() {
    assert_eq!(connect(&exact(), [0, 1]).0, 1_030);
}
