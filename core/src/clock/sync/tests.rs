//! Exchanges of a clock whose error is known with one that is right.

use super::*;
use crate::time::{Mono, Now, Wall};

const START_NS: u64 = 1_707_782_400_000_000_000;
const STAY_NS: u64 = 30_000;

/// An exchange that begins `at_ns` after the first: the local clock is ahead by `ahead_ns`, and the two ways
/// take so long.
fn exchange(at_ns: u64, ahead_ns: i64, there_ns: u64, back_ns: u64) -> Exchange {
    let local = |true_ns: u64| Now {
        mono: Mono::from_nanos(true_ns),
        wall: Wall::from_unix_nanos((START_NS + true_ns).saturating_add_signed(ahead_ns)),
    };
    let others = |true_ns: u64| Wall::from_unix_nanos(START_NS + true_ns);
    let (taken, answered) = (at_ns + there_ns, at_ns + there_ns + STAY_NS);
    Exchange {
        sent: local(at_ns),
        taken: others(taken),
        answered: others(answered),
        received: local(answered + back_ns),
    }
}

fn ntp(uncertainty_ns: Option<u64>) -> ClockStamp {
    let (source, quality) = (ClockSource::Ntp, ClockQuality::Locked);
    ClockStamp { source, quality, offset_ns: Some(0), uncertainty_ns }
}

fn of(exchanges: impl IntoIterator<Item = Exchange>, clock: ClockStamp) -> SyncClient {
    let mut client = SyncClient::default();
    exchanges.into_iter().for_each(|exchange| client.add(exchange, clock));
    client
}

#[test]
fn nothing_is_known_before_the_first_exchange() {
    assert_eq!(SyncClient::default().result(), None);
}

#[test]
fn the_shortest_exchange_tells_and_its_error_is_half_its_round_trip_and_the_others_own() {
    // A queue on the way there makes the first and the last lopsided.
    let exchanges = [
        exchange(0, 1_200_000, 900_000, 100_000),
        exchange(200, 1_200_000, 100_000, 100_000),
        exchange(400, 1_200_000, 400_000, 100_000),
    ];
    let synced = of(exchanges, ntp(Some(250_000))).result().expect("three exchanges");
    assert_eq!(synced.offset_ns, 1_200_000);
    assert_eq!((synced.shortest, synced.median), (Duration::from_micros(200), Duration::from_micros(500)));
    // 15 ppm of the millisecond until the last answer is 16 ns.
    assert!((100_000..100_020).contains(&synced.way_error_ns), "{synced:?}");
    assert_eq!(synced.error_ns(), synced.way_error_ns + 250_000);
    assert_eq!((synced.source, synced.quality, synced.has_time()), (ClockSource::Ntp, ClockQuality::Locked, true));
}

#[test]
fn a_clock_that_states_no_uncertainty_is_as_uncertain_as_its_class_allows() {
    let synced = of([exchange(0, 0, 1_000, 1_000)], ntp(None)).result().expect("an exchange");
    assert_eq!(synced.uncertainty_ns, class_bound(ClockSource::Ntp, ClockQuality::Locked));
}

#[test]
fn the_truth_is_within_the_error_however_lopsided_the_ways_are() {
    for (there, back) in [(0, 2_000_000), (2_000_000, 0), (700, 90_000), (1, 0)] {
        let synced = of([exchange(0, -5_000_000, there, back)], ntp(Some(0))).result().expect("an exchange");
        assert!(synced.offset_ns.abs_diff(-5_000_000) <= synced.error_ns(), "{there} {back} {synced:?}");
    }
}

#[test]
fn what_cannot_have_happened_is_counted_and_tells_nothing() {
    let good = exchange(0, 1_000, 50_000, 50_000);
    let backward = Exchange { taken: good.answered, answered: good.taken, ..good };
    let longer = Exchange { answered: Wall::from_unix_nanos(good.answered.unix_nanos() + 1_000_000_000), ..good };
    let client = of([backward, longer, good], ntp(Some(0)));
    assert_eq!(client.impossible(), 2);
    assert_eq!(client.result(), of([good], ntp(Some(0))).result());
    assert_eq!(of([backward], ntp(Some(0))).result(), None);
}

#[test]
fn what_the_clocks_drift_apart_between_the_exchanges_stays_within_the_error() {
    // 15 ppm over eight exchanges, 200 ms apart; the first one is the shortest by far.
    let ahead = |at_ns: u64| i64::try_from(at_ns * DRIFT_PPM / 1_000_000).expect("small");
    let exchanges = (0..8).map(|number: u64| {
        let at_ns = number * 200_000_000;
        exchange(at_ns, ahead(at_ns), 5_000 + number * 10_000, 5_000)
    });
    let synced = of(exchanges, ntp(Some(0))).result().expect("eight exchanges");
    assert_eq!(synced.shortest, Duration::from_micros(10));
    assert!(synced.offset_ns.abs_diff(ahead(1_400_000_000)) <= synced.error_ns(), "{synced:?}");
    assert!(synced.error_ns() < 30_000, "the drift is no more than a remark: {synced:?}");
}

#[test]
fn a_unit_without_the_time_says_so_itself() {
    let synced = of([exchange(0, 7_000, 1_000, 1_000)], ClockStamp::default()).result().expect("an exchange");
    assert!(!synced.has_time());
    assert_eq!((synced.offset_ns, synced.uncertainty_ns), (7_000, None));
    assert_eq!(synced.error_ns(), synced.way_error_ns);
}

#[test]
fn as_many_exchanges_count_as_are_kept() {
    let short_and_old = exchange(0, 1_000, 10, 10);
    let later = (1..=EXCHANGES_MAX as u64).map(|number| exchange(number * 1_000_000, 2_000, 1_000, 1_000));
    let synced = of(std::iter::once(short_and_old).chain(later), ntp(Some(0))).result().expect("exchanges");
    assert_eq!(synced.offset_ns, 2_000);
}
