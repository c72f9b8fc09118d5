use proptest::prelude::*;

use super::*;
use crate::arbitrary;
use crate::protocol::time::HOLDOVER_NS;
use crate::time::Mono;

const MILLI: u64 = 1_000_000;

fn wall(ns: u64) -> Wall {
    Wall::from_unix_nanos(1_707_782_400_000_000_000 + ns)
}

fn now(mono_ns: u64, wall_ns: u64) -> Now {
    Now { mono: Mono::from_nanos(mono_ns), wall: wall(wall_ns) }
}

fn stamp(source: ClockSource, quality: ClockQuality, offset_ns: i64, uncertainty_ns: Option<u64>) -> ClockStamp {
    ClockStamp { source, quality, offset_ns: Some(offset_ns), uncertainty_ns }
}

fn ptp(offset_ns: i64) -> ClockStamp {
    stamp(ClockSource::Ptp, ClockQuality::Locked, offset_ns, Some(offset_ns.unsigned_abs() + 100))
}

/// A question that takes `there`, an answer after `inside` that takes `back`, to a clock that this one is
/// ahead of by `ahead`.
fn exchange(there: u64, inside: u64, back: u64, ahead: i64) -> Exchange {
    let base = 1_000_000_000_000_u64;
    let theirs = |ns: u64| wall((base + ns).saturating_add_signed(-ahead));
    Exchange {
        sent: now(5_000, base),
        taken: theirs(there),
        answered: theirs(there + inside),
        received: now(5_000 + there + inside + back, base + there + inside + back),
    }
}

#[test]
fn a_sender_that_is_ahead_makes_a_message_seem_fast_and_a_receiver_slow() {
    let delay =
        |sender, receiver| one_way(wall(10_000), &ptp(sender), wall(17_000), &ptp(receiver)).map(|way| way.delay_ns);
    assert_eq!(delay(0, 0), Some(7_000));
    assert_eq!(delay(2_000, 0), Some(9_000));
    assert_eq!(delay(0, 2_000), Some(5_000));
    assert_eq!(delay(-2_000, -2_000), Some(7_000));
    assert_eq!(delay(0, 9_000), Some(-2_000), "one of them is not what it claims");
}

#[test]
fn what_either_does_not_know_of_its_clock_the_delay_may_be_wrong_by() {
    let (here, there) = (
        stamp(ClockSource::Ptp, ClockQuality::Tracking, -5_000, Some(5_300)),
        stamp(ClockSource::Ntp, ClockQuality::Locked, 0, Some(2 * MILLI)),
    );
    let way = one_way(wall(0), &here, wall(9_000), &there).expect("both are known");
    assert_eq!(way, OneWay { delay_ns: 4_000, uncertainty_ns: 300 + 2 * MILLI });
}

#[test]
fn a_clock_that_states_no_uncertainty_is_as_good_as_its_class_promises() {
    let way = |source, quality| {
        one_way(wall(0), &stamp(source, quality, 0, None), wall(9_000), &ptp(0)).map(|way| way.uncertainty_ns - 100)
    };
    assert_eq!(way(ClockSource::Ptp, ClockQuality::Locked), Some(1_500));
    assert_eq!(way(ClockSource::Gps, ClockQuality::Tracking), Some(150_000));
    assert_eq!(way(ClockSource::Ntp, ClockQuality::Locked), Some(10 * MILLI));
    for (source, quality) in [
        (ClockSource::Ntp, ClockQuality::Tracking),
        (ClockSource::Ptp, ClockQuality::Acquiring),
        (ClockSource::Ptp, ClockQuality::Freerun),
        (ClockSource::Unsynced, ClockQuality::Locked),
    ] {
        assert_eq!(way(source, quality), None, "{source:?} {quality:?} promises nothing");
    }
}

#[test]
fn of_a_clock_that_does_not_know_its_offset_nothing_is_known() {
    let unknown = ClockStamp::default();
    assert_eq!(one_way(wall(0), &unknown, wall(9_000), &ptp(0)), None);
    assert_eq!(one_way(wall(0), &ptp(0), wall(9_000), &unknown), None);
    let without_offset = ClockStamp { offset_ns: None, ..ptp(0) };
    assert_eq!(one_way(wall(0), &without_offset, wall(9_000), &ptp(0)), None);
}

#[test]
fn four_timestamps_tell_the_round_trip_and_the_offset() {
    let exchange = exchange(3_000, 50_000, 3_000, 12_345);
    assert_eq!(exchange.round_trip(), Duration::from_nanos(6_000));
    assert_eq!(exchange.offset_ns(), 12_345);
    assert_eq!(exchange.error_ns(), 3_000);
    assert!(exchange.is_possible());
}

#[test]
fn a_step_of_the_wall_clock_between_question_and_answer_does_no_harm() {
    let plain = exchange(3_000, 0, 3_000, -700);
    let received = Now { wall: wall(77), ..plain.received };
    let stepped = Exchange { received, ..plain };
    assert_eq!((stepped.offset_ns(), stepped.round_trip()), (-700, Duration::from_nanos(6_000)));
}

#[test]
fn an_answer_from_before_its_question_is_impossible_and_so_is_one_that_took_longer_than_it_was_away() {
    let possible = exchange(3_000, 500, 3_000, 0);
    let received = now(4_000, 0);
    assert!(!Exchange { received, ..possible }.is_possible());
    assert!(!Exchange { answered: possible.taken, taken: possible.answered, ..possible }.is_possible());
    let answered = possible.taken + Duration::from_nanos(6_501);
    assert!(!Exchange { answered, ..possible }.is_possible());
    let answered = possible.taken + Duration::from_nanos(6_500);
    assert!(Exchange { answered, ..possible }.is_possible());
}

#[test]
fn the_exchange_with_the_shortest_round_trip_knows_most() {
    let (short, long) = (exchange(3_000, 900_000, 3_000, 50), exchange(4_000, 0, 90_000, 50));
    let impossible = Exchange { taken: short.answered, answered: short.taken, ..short };
    assert_eq!(best(&[long, impossible, short]), Some(&short));
    assert_eq!(best(&[impossible]), None);
    assert_eq!(best(&[]), None);
}

#[test]
fn no_class_promises_more_than_holdover_allows() {
    for source in arbitrary::SOURCES {
        for quality in arbitrary::QUALITIES {
            assert!(class_bound(source, quality).is_none_or(|bound| bound <= HOLDOVER_NS));
        }
    }
}

proptest! {
    #[test]
    fn the_true_offset_is_within_the_error_however_lopsided_the_ways(
        (there, inside, back) in (0..1_u64 << 40, 0..1_u64 << 40, 0..1_u64 << 40), ahead in -(1_i64 << 39)..1_i64 << 39,
    ) {
        let exchange = exchange(there, inside, back, ahead);
        prop_assert!(exchange.is_possible());
        prop_assert_eq!(exchange.round_trip(), Duration::from_nanos(there + back));
        prop_assert!(exchange.offset_ns().abs_diff(ahead) <= exchange.error_ns());
    }

    #[test]
    fn the_true_delay_is_within_the_uncertainty_when_both_clocks_are_what_they_claim(
        delay in 0..1_i64 << 40,
        (sender, receiver) in (-(1_i64 << 30)..1_i64 << 30, -(1_i64 << 30)..1_i64 << 30),
        (sender_wrong, receiver_wrong) in (-1_000..1_000_i64, -1_000..1_000_i64),
    ) {
        let claim = |offset: i64| stamp(ClockSource::Ptp, ClockQuality::Tracking, offset, Some(offset.unsigned_abs() + 1_000));
        let sent = 1_u64 << 41;
        let received = sent.saturating_add_signed(delay);
        let shown = |at: u64, truly: i64| wall(at.saturating_add_signed(truly));
        let way = one_way(
            shown(sent, sender + sender_wrong), &claim(sender),
            shown(received, receiver + receiver_wrong), &claim(receiver),
        ).expect("both are known");
        prop_assert!(way.delay_ns.abs_diff(delay) <= way.uncertainty_ns);
    }

    #[test]
    fn no_instants_are_too_far_apart(
        (sent, taken, answered, received) in any::<(u64, u64, u64, u64)>(), (mono, later) in any::<(u64, u64)>(),
        (from, to) in any::<(i64, i64)>(),
    ) {
        let at = |mono, wall| Now { mono: Mono::from_nanos(mono), wall: Wall::from_unix_nanos(wall) };
        let (taken, answered) = (Wall::from_unix_nanos(taken), Wall::from_unix_nanos(answered));
        let exchange = Exchange { sent: at(mono, sent), taken, answered, received: at(later, received) };
        let _ = (exchange.offset_ns(), exchange.error_ns(), exchange.round_trip(), exchange.is_possible());
        let claim = |offset: i64| stamp(ClockSource::Ptp, ClockQuality::Tracking, offset, None);
        let _ = one_way(taken, &claim(from), answered, &claim(to));
    }
}
