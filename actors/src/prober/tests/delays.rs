//! How long each way takes, by the clocks of both ends.

use nunect_core::protocol::header::{ClockQuality, ClockSource};

use super::*;

const MICRO: Duration = Duration::from_micros(1);

/// The own clock: ahead by so much, and right within 20 µs once that is taken out.
fn steer(harness: &mut Harness, ahead_us: i64) {
    let stamp = ClockStamp {
        source: ClockSource::Ptp,
        quality: ClockQuality::Tracking,
        offset_ns: Some(ahead_us * 1_000),
        uncertainty_ns: Some((ahead_us.unsigned_abs() + 20) * 1_000),
    };
    let claim = ClockClaim { stamp, until: Mono::MAX };
    harness.input(Input::Node(&NodeReport::Clock(claim)));
}

/// An answer of a peer whose clock claims to be ahead by `ahead_us`, ± 5 µs, and which had the probe from `taken` on
/// for 100 µs.
fn answer_at(taken: u64, ahead_us: i64) -> Message {
    let (offset, uncertainty) = (ahead_us * 1_000, (ahead_us.unsigned_abs() + 5) * 1_000);
    let block = format!(
        "X-Clock-Source: gps\r\nX-Clock-Quality: locked\r\nX-Clock-Offset: {offset}\r\n\
         X-Clock-Uncertainty: {uncertainty}\r\nX-Server-RX-Timestamp: {taken}\r\n\
         X-Server-TX-Timestamp: {}\r\n",
        taken + 100_000
    );
    Message { headers: nunect_core::Headers::from_raw(block.into_bytes().into()), ..answer() }
}

/// Answers the probe under way as a peer which took `there` µs to reach, kept the probe for 100 µs, and whose answer
/// took `back` µs. Its clock is ahead by `ahead_us`, and ours by `own_us`; both say so.
fn exchange(harness: &mut Harness, own_us: i64, ahead_us: i64, (there, back): (u64, u64)) {
    let (id, _, sent) = expect_probe(harness);
    let apart = (ahead_us - own_us) * 1_000;
    let taken = (sent.wall.unix_nanos() + there * 1_000).saturating_add_signed(apart);
    harness.advance(MICRO * u32::try_from(there + 100 + back).expect("short"));
    harness.answer(id, sent, Ok(answer_at(taken, ahead_us)));
    let next = harness.deadline().expect("another probe").at;
    harness.advance(next.since(harness.now().mono));
}

fn delays(harness: &mut Harness) -> Option<(i64, i64, u64)> {
    let metric = Rtt::parse(&harness.expect_publish(&format!("ops.metric.rtt.{UNIT}"))).expect("a metric");
    metric.rtt.delays.map(|delays| (delays.forward_us, delays.backward_us, delays.uncertainty_us))
}

fn with_peer() -> Harness {
    let mut harness = prober(json!({ "peers": ["alpha"] }));
    steer(&mut harness, 0);
    harness
}

#[test]
fn each_way_is_told_by_itself_however_far_the_clocks_are_apart() {
    let mut harness = with_peer();
    for (own, peer) in [(0, 0), (700, 0), (0, -900), (-40_000, 25_000)] {
        steer(&mut harness, own);
        exchange(&mut harness, own, peer, (300, 320));
        assert_eq!(delays(&mut harness), Some((300, 320, 25)), "own clock {own} µs, peer's {peer} µs ahead");
    }
    assert_eq!(harness.events(), []);
}

#[test]
fn a_clock_of_which_nothing_is_known_tells_no_delay() {
    let mut harness = prober(json!({ "peers": ["alpha"] }));
    exchange(&mut harness, 0, 0, (300, 300));
    assert_eq!(delays(&mut harness), None, "nothing is known of the own clock");
    steer(&mut harness, 0);
    let (id, _, sent) = expect_probe(&mut harness);
    harness.answer(id, sent, Ok(answer()));
    assert_eq!(delays(&mut harness), None, "the peer says nothing of its clock");
}

#[test]
fn ways_that_differ_by_more_than_the_clocks_can_are_told_after_three_probes_and_once() {
    let mut harness = with_peer();
    let mut told = |ways, times: usize| {
        for _ in 0..times {
            exchange(&mut harness, 0, 0, ways);
        }
        harness.published();
        harness.events()
    };
    assert_eq!(told((300, 250), 5), [], "50 µs are within twice 25 µs");
    assert_eq!(told((900, 100), 2), [], "either may have waited somewhere");
    let asymmetry = |forward_us, backward_us| Event::DelayAsymmetry {
        peer: unit("alpha"),
        forward_us,
        backward_us,
        uncertainty_us: 25,
    };
    assert_eq!(told((900, 100), 5), [asymmetry(900, 100)]);
    assert_eq!(told((100, 900), 3), [asymmetry(100, 900)], "the other way round is news");
    assert_eq!(told((300, 300), 1), []);
}

#[test]
fn a_clock_that_is_not_what_it_claims_shows_by_a_negative_delay() {
    let mut harness = with_peer();
    let (id, _, sent) = expect_probe(&mut harness);
    harness.advance(700 * MICRO);
    // It is 5 ms behind, and says that it is right.
    let taken = sent.wall.unix_nanos() + 300_000 - 5_000_000;
    harness.answer(id, sent, Ok(answer_at(taken, 0)));
    assert_eq!(delays(&mut harness), Some((-4_700, 5_300, 25)));
}

#[test]
fn a_unit_that_is_alone_tells_no_delays_of_itself() {
    let mut harness = prober(json!({}));
    steer(&mut harness, 0);
    exchange(&mut harness, 0, 0, (300, 300));
    assert_eq!(delays(&mut harness), None);
}
