//! Clocks whose frequency wanders.

use super::super::oscillator::normal;
use super::*;

fn wandering(wander_ppb: u32, gps: bool) -> Clock {
    Clock { offset_ns: 1_000_000, drift_ppb: 20_000, wander_ppb, gps }
}

fn faults() -> impl Strategy<Value = Vec<(u64, ClockFault)>> {
    let fault = prop_oneof![
        (-1_000_000_i64..1_000_000).prop_map(|by_ns| ClockFault::Step { by_ns }),
        (-10_000_i32..10_000).prop_map(|ppb| ClockFault::Drift { ppb }),
        any::<bool>().prop_map(|present| ClockFault::Gps { present }),
    ];
    proptest::collection::vec((0..3_600 * BILLION, fault), 0..6).prop_map(|mut faults| {
        faults.sort_by_key(|&(at, _)| at);
        faults
    })
}

/// The same clock, read at these instants on the way.
fn after(clock: Clock, seed: u64, faults: &[(u64, ClockFault)], looks: &[u64], at: u64) -> Running {
    let mut running = booted(clock, seed, 0, 0);
    let looks = looks.iter().map(|&look| (look, None));
    let mut all: Vec<_> = faults.iter().map(|&(when, fault)| (when, Some(fault))).chain(looks).collect();
    all.retain(|&(when, _)| when <= at);
    all.sort_by_key(|&(when, _)| when);
    for (when, fault) in all {
        running.read(when);
        if let Some(fault) = fault {
            running.befall(when, fault);
        }
    }
    running
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_does_not_matter_how_often_a_clock_is_read(
        seed: u64, gps: bool, faults in faults(), at in 0..3_600 * BILLION,
        looks in proptest::collection::vec(0..3_600 * BILLION, 0..50),
    ) {
        let clock = wandering(5, gps);
        let (mut often, mut once) = (after(clock, seed, &faults, &looks, at), after(clock, seed, &faults, &[], at));
        prop_assert_eq!(often.peek(at), once.peek(at));
        prop_assert_eq!(often.state(at), once.state(at));
        prop_assert_eq!(often.next_change(at), once.next_change(at));
        prop_assert_eq!(often.read(at), once.read(at));
    }

    #[test]
    fn the_next_change_is_the_first(
        seed: u64, faults in faults(), looks in proptest::collection::vec(0..3_600 * BILLION, 50),
    ) {
        let at = 3_600 * BILLION;
        let clock = after(wandering(5, true), seed, &faults, &[], at);
        let quality = clock.state(at).quality;
        let change = clock.next_change(at);
        if let Some(change) = change {
            prop_assert_ne!(clock.state(change).quality, quality);
            prop_assert_eq!(clock.state(change - 1).quality, quality);
        }
        for before in looks.into_iter().map(|look| at + look).filter(|look| change.is_none_or(|change| *look < change)) {
            prop_assert_eq!(clock.state(before).quality, quality, "{} before {:?}", before, change);
        }
    }

    #[test]
    fn the_monotonic_clock_never_runs_back(
        seed: u64, gps: bool, faults in faults(), looks in proptest::collection::vec(0..3_600 * BILLION, 2..50),
    ) {
        let mut looks = looks;
        looks.sort_unstable();
        let mut shown = Mono::ZERO;
        let mut running = booted(wandering(500, gps), seed, 0, 0);
        let mut faults = faults.into_iter().peekable();
        for look in looks {
            while let Some((at, fault)) = faults.next_if(|&(at, _)| at <= look) {
                let before = running.read(at).mono;
                running.befall(at, fault);
                prop_assert_eq!(running.read(at).mono, before, "a fault does not move it");
            }
            let mono = running.read(look).mono;
            prop_assert!(mono >= shown);
            shown = mono;
        }
    }

    #[test]
    fn by_arming_again_at_the_end_of_each_piece_a_deadline_comes_at_its_first_instant(
        seed: u64, gps: bool, from in 0..3_600 * BILLION, wait in 0..600 * BILLION,
    ) {
        let mut running = booted(wandering(5, gps), seed, from, 77);
        let deadline = Mono::from_nanos(77 + wait);
        let (mut at, mut wakes) = (from, 0);
        while running.read(at).mono < deadline {
            let next = running.when(deadline);
            prop_assert!(next > at, "each wake gets further");
            at = next;
            wakes += 1;
        }
        prop_assert!(wakes <= wait / (9 * BILLION) + 2, "{wakes} wakes");
        if at > from {
            prop_assert!(booted(wandering(5, gps), seed, from, 77).peek(at - 1).mono < deadline);
        }
    }

    #[test]
    fn the_machine_keeps_its_time_over_boots(seed: u64, gps: bool, boots in proptest::collection::vec(0..3_600 * BILLION, 0..9)) {
        let mut boots = boots;
        boots.sort_unstable();
        let (mut rebooted, steady) = (wandering(5, gps).start(seed), wandering(5, gps).start(seed));
        for at in boots {
            rebooted.boot(at, 42);
            prop_assert_eq!(rebooted.read(at).mono, Mono::from_nanos(42));
            prop_assert_eq!(rebooted.read(at).wall, steady.peek(at).wall);
            prop_assert_eq!(rebooted.state(at), steady.state(at));
        }
    }
}

#[test]
fn the_frequency_walks_as_far_as_the_wander_says() {
    for (wander_ppb, seconds) in [(5, 100), (5, 3_600), (40, 900)] {
        let clock = Clock { wander_ppb, ..Clock::default() };
        let runs = 4_000;
        let at = seconds * BILLION;
        let squares: f64 = (0..runs).map(|seed| f64::from(clock.start(seed).state(at).drift_ppb).powi(2)).sum();
        let ratio = squares / f64::from(runs as u32) / (f64::from(wander_ppb).powi(2) * seconds as f64);
        // A sample variance of 4,000 deviates is off by 2.2 %, three times that is 7 %.
        assert!((0.93..1.07).contains(&ratio), "{wander_ppb} ppb, {seconds} s: {ratio}");
    }
}

#[test]
fn the_offset_is_the_integral_of_the_walk() {
    // Of a walk in steps of T, after n steps: w² T³ · Σ m² for m below n; near w² t³ / 3.
    let clock = Clock { wander_ppb: 5, ..Clock::default() };
    let (runs, n) = (4_000_u32, 60_u32);
    let at = u64::from(n) * 10 * BILLION;
    let squares: f64 = (0..u64::from(runs)).map(|seed| (clock.start(seed).state(at).offset_ns as f64).powi(2)).sum();
    let exact = 25.0 * 1_000.0 * f64::from((n - 1) * n * (2 * n - 1)) / 6.0;
    let ratio = squares / f64::from(runs) / exact;
    assert!((0.93..1.07).contains(&ratio), "{ratio}");
}

#[test]
fn deviates_are_normal_and_their_own() {
    let all: Vec<f64> = (0..100_000).map(|number| normal(7, number)).collect();
    let moment = |power: i32| all.iter().map(|deviate| deviate.powi(power)).sum::<f64>() / all.len() as f64;
    assert!(moment(1).abs() < 0.01 && (moment(2) - 1.0).abs() < 0.015 && (moment(4) - 3.0).abs() < 0.1);
    let next = all.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / all.len() as f64;
    assert!(next.abs() < 0.01, "{next}");
    let beyond = all.iter().filter(|deviate| deviate.abs() > 3.29).count();
    assert!((60..140).contains(&beyond), "one in a thousand: {beyond}");
}

#[test]
fn clocks_of_other_seeds_wander_elsewhere_and_those_of_one_alike() {
    let at = 3_600 * BILLION;
    let state = |seed| wandering(5, false).start(seed).state(at);
    assert_eq!(state(1), state(1));
    assert_ne!(state(1), state(2));
}
