//! What the time guardians of simulated nodes claim of their clocks, beside the truth.

use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_simulations::{Claim, Scenario, Simulation};

/// Thirty clocks with GPS that lose it for minutes at a time, are heated and are set by somebody, for two hours.
const TEXT: &str = "
name: claims
duration: 2h
actors: { heartbeater: {}, time_guardian: {} }
nodes:
  - { prefix: g, count: 30, clocks: { offset: 100ms, drift: 20ppm, wander: 2ppb, gps: true } }
boot: { spread: 5s }
world: { flat: { delay: { fixed: 5ms } } }
faults:
  - { from: 2m, until: 110m, mean: 2m, name: shadow, gps_loss: { nodes: { any: 3, of: g* }, for: 20s } }
  - { from: 2m, until: 110m, mean: 10m, name: tunnel, gps_loss: { nodes: { any: 4, of: g* }, for: 3m } }
  - { from: 2m, until: 110m, mean: 40m, name: jammed, gps_loss: { nodes: { any: 10, of: g* }, for: 12m } }
  - { from: 2m, until: 110m, mean: 8m, name: heat, clock_drift: { nodes: { any: 5, of: g* }, by: 4ppm, for: 5m } }
  - { from: 2m, until: 110m, mean: 8m, name: cold, clock_drift: { nodes: { any: 5, of: g* }, by: -2ppm, for: 4m } }
  - { from: 2m, until: 110m, mean: 12m, name: ahead, clock_step: { nodes: { any: 2, of: g* }, by: 30ms } }
  - { from: 2m, until: 110m, mean: 12m, name: behind, clock_step: { nodes: { any: 2, of: g* }, by: -400ms } }
";

/// Seeds that nothing was tuned with.
const SEEDS: std::ops::Range<u64> = 7_001..7_005;

fn claims(text: &str, seed: u64) -> Vec<Claim> {
    let scenario = Scenario::parse("claims.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    let mut simulation = Simulation::new(&scenario, nunect_actors::catalog(), seed).expect("known actors");
    simulation.keep_claims();
    let outcome = simulation.run();
    let claims = simulation.claims().to_vec();
    let bounds = claims.iter().filter(|claim| claim.stamp.uncertainty_ns.is_some()).count() as u64;
    assert_eq!(outcome.counters.clock_claims, bounds, "the run counts what it keeps");
    claims
}

/// The bounds that were stated, each with the true error.
fn bounds(claims: &[Claim]) -> Vec<(u64, u64)> {
    claims.iter().filter_map(|claim| Some((claim.stamp.uncertainty_ns?, claim.error_ns.unsigned_abs()))).collect()
}

fn quantile(mut values: Vec<u64>, per_mille: usize) -> u64 {
    values.sort_unstable();
    values.get((values.len() * per_mille / 1_000).min(values.len().saturating_sub(1))).copied().unwrap_or(0)
}

#[test]
fn what_nodes_claim_covers_the_truth_and_is_not_much_wider_than_it() {
    for seed in SEEDS {
        let claims = claims(TEXT, seed);
        let bounds = bounds(&claims);
        let held = bounds.iter().filter(|(bound, error)| error <= bound).count();
        let covered = held as f64 / bounds.len() as f64;
        let width = quantile(bounds.iter().map(|(bound, _)| *bound).collect(), 500);
        let worst = quantile(bounds.iter().map(|(_, error)| *error).collect(), 990);
        let told = format!(
            "seed {seed}: {} of {} hold ({covered:.6}); median bound {width} ns, 99 % of the errors within {worst} ns",
            held,
            bounds.len()
        );
        assert!(bounds.len() > 100_000, "{told}");
        assert!(covered >= 0.999, "{told}");
        assert!(width <= 3 * worst, "{told}");
        let of = |wanted| claims.iter().filter(|claim| claim.stamp.quality == wanted).count();
        let seen = [ClockQuality::Locked, ClockQuality::Tracking, ClockQuality::Acquiring].map(of);
        assert!(seen.iter().all(|count| *count > 100), "{told}: {seen:?}");
    }
}

/// The same without anything that happens to a clock.
#[test]
fn where_gps_is_never_lost_the_bound_is_tight_as_well() {
    let calm = TEXT.split("faults:").next().expect("the part before");
    let claims = claims(calm, 7_010);
    // The first minutes are the servo's.
    let settled: Vec<Claim> = claims.into_iter().filter(|claim| claim.at > 600_000_000_000).collect();
    let bounds = bounds(&settled);
    let held = bounds.iter().filter(|(bound, error)| error <= bound).count();
    let width = quantile(bounds.iter().map(|(bound, _)| *bound).collect(), 500);
    let worst = quantile(bounds.iter().map(|(_, error)| *error).collect(), 990);
    let told = format!("{held} of {} hold; median bound {width} ns, errors within {worst} ns", bounds.len());
    assert!(held as f64 >= 0.999 * bounds.len() as f64, "{told}");
    assert!(width <= 3 * worst, "{told}");
    assert!(settled.iter().all(|claim| claim.stamp.quality == ClockQuality::Locked), "{told}");
}

#[test]
fn a_node_without_a_source_claims_nothing() {
    let text = "
name: nothing
duration: 5m
actors: { heartbeater: {}, time_guardian: {} }
nodes: [{ name: a, clocks: { offset: 1s, drift: 50ppm } }]
";
    let claims = claims(text, 1);
    assert!(claims.iter().all(|claim| claim.stamp.source == ClockSource::Unsynced), "{claims:?}");
    assert_eq!(bounds(&claims), []);
}
