use nunect_core::random::SeedableRng;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

#[test]
fn the_first_restart_comes_at_once_then_the_wait_doubles_to_the_cap_within_the_jitter() {
    let (backoff, mut rng) = (Backoff::default(), rng());
    assert_eq!(backoff.wait(0, &mut rng), Duration::ZERO);
    for (crashes, nominal_ms) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1_600), (6, 3_200), (7, 6_400)] {
        for _ in 0..100 {
            let wait = backoff.wait(crashes, &mut rng);
            let nominal = Duration::from_millis(nominal_ms);
            assert!((nominal * 4 / 5..=nominal * 6 / 5).contains(&wait), "{crashes} crashes: {wait:?}");
        }
    }
}

#[test]
fn no_wait_is_longer_than_the_cap_and_waits_at_the_cap_still_differ() {
    let (backoff, mut rng) = (Backoff::default(), rng());
    for crashes in [8, 9, 32, 33, 34, u32::MAX] {
        let waits: Vec<Duration> = (0..100).map(|_| backoff.wait(crashes, &mut rng)).collect();
        assert!(waits.iter().all(|wait| (8 * SECOND..=10 * SECOND).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}

#[test]
fn degenerate_settings_do_no_harm() {
    let zero = Period::from_secs(0);
    let none = Backoff { first: zero, ..Backoff::default() };
    assert_eq!(none.wait(9, &mut rng()), Duration::ZERO);
    let capped = Backoff { cap: Period::from_millis(1), ..Backoff::default() };
    assert!(capped.wait(1, &mut rng()) <= Duration::from_millis(1));
    let endless = Backoff { first: Period(Duration::MAX), cap: Period(Duration::MAX), reset_after: zero };
    assert!(endless.wait(40, &mut rng()) > SECOND);
}

#[test]
fn thirty_clean_seconds_reset_it_and_a_second_less_does_not() {
    let (backoff, mut rng) = (Backoff::default(), rng());
    let mut level = Level::default();
    level.started(Mono::ZERO);
    let first = Mono::ZERO + 5 * SECOND;
    assert_eq!(level.charge(first, &backoff, &mut rng), Duration::ZERO);
    level.started(first);
    let early = first + 29 * SECOND;
    assert_ne!(level.charge(early, &backoff, &mut rng), Duration::ZERO);
    level.started(early);
    assert_eq!(level.charge(early + 30 * SECOND, &backoff, &mut rng), Duration::ZERO);
}

#[test]
fn waiting_is_not_clean_time_but_a_life_that_ended_without_a_charge_is() {
    let (backoff, mut rng) = (Backoff::default(), rng());
    let mut level = Level::default();
    let crash = |level: &mut Level, rng: &mut ChaCha8Rng, at| level.charge(Mono::ZERO + at, &backoff, rng);
    crash(&mut level, &mut rng, Duration::ZERO);
    // Never came up in a minute: not clean.
    assert_ne!(crash(&mut level, &mut rng, 60 * SECOND), Duration::ZERO);
    level.started(Mono::ZERO + 61 * SECOND);
    level.started(Mono::ZERO + 90 * SECOND);
    assert_eq!(crash(&mut level, &mut rng, 91 * SECOND), Duration::ZERO);
}
