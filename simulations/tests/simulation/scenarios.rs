//! The scenarios that ship: they run, they meet what they expect, and they would notice if not.

use nunect_simulations::{Judgement, Outcome, Scenario, Simulation};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");

fn load(name: &str) -> Scenario {
    Scenario::load(format!("{FOLDER}/{name}.yaml")).unwrap_or_else(|error| panic!("{error}"))
}

fn run(scenario: &Scenario, seed: u64) -> Outcome {
    Simulation::new(scenario, nunect_actors::catalog(), seed).unwrap_or_else(|error| panic!("{error}")).run()
}

/// `name` with other words in its file.
fn changed(name: &str, from: &str, to: &str) -> Scenario {
    let text = load(name).source().text.replacen(from, to, 1);
    assert!(text.contains(to), "nothing to replace");
    Scenario::parse("changed.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

fn broken(outcome: &Outcome) -> Vec<String> {
    let broken = outcome.expectations.iter().filter(|verdict| verdict.judgement.is_broken());
    broken.map(|verdict| verdict.name.clone()).collect()
}

fn all_met(outcome: &Outcome) {
    assert!(outcome.passed());
    for verdict in &outcome.expectations {
        assert!(matches!(verdict.judgement, Judgement::Met { .. }), "{verdict:?}\n{}", outcome.replay);
    }
}

#[test]
fn the_quiet_mesh_stays_quiet() {
    let outcome = run(&load("quiet-mesh"), 1);
    all_met(&outcome);
    assert_eq!(outcome.simulated.as_secs(), 600);
    assert_eq!(
        (outcome.units.len(), outcome.units.iter().filter(|unit| unit.up && unit.connected).count()),
        (100, 100)
    );
    // A heartbeat every 5 s to each of three monitors and to who sent it, from a start within the
    // first 5 s.
    assert!((100 * 4 * 118..=100 * 4 * 120).contains(&outcome.counters.deliveries), "{:?}", outcome.counters);
    assert!(outcome.replay.ends_with("quiet-mesh.yaml --seed 1"), "{}", outcome.replay);
}

#[test]
fn the_partition_is_noticed_and_healed_whatever_the_seed() {
    let scenario = load("partition-flat");
    for seed in 0..5 {
        all_met(&run(&scenario, seed));
    }
}

#[test]
fn a_run_repeats_to_the_bit_and_another_seed_is_another_run() {
    for name in ["quiet-mesh", "partition-flat"] {
        let scenario = load(name);
        let first = run(&scenario, 7);
        assert_eq!(first, run(&scenario, 7));
        assert_ne!(first.hash, run(&scenario, 8).hash);
    }
}

#[test]
fn what_a_scenario_expects_is_really_tested() {
    let check = |from: &str, to: &str, wanted: &str| {
        let scenario = changed("partition-flat", from, to);
        assert_eq!(broken(&run(&scenario, 1)), [wanted], "{from} → {to}");
    };
    check(
        "within: 5100ms\n    after: { fault: cut }",
        "within: 3s\n    after: { fault: cut }",
        "every hub misses every node behind the cut",
    );
    check("within: 4s", "within: 3999ms", "the nodes behind the cut notice it themselves");
    check(
        "about: n08..n17, nodes: hub* }\n  - name: the nodes behind",
        "about: n07..n17, nodes: hub* }\n  - name: the nodes behind",
        "every hub misses every node behind the cut",
    );
    check(
        "nodes: n05, actor: echo }\n  - name: an actor never",
        "nodes: n06, actor: echo }\n  - name: an actor never",
        "an actor that panicked lives again at once",
    );
    check("until: 120s", "until: 126s", "the others stay online meanwhile");
    check("from: 150s", "from: 100s", "and nobody else notices it");
}

#[test]
fn a_broken_expectation_says_what_was_missing_and_when() {
    let scenario = changed("partition-flat", "crash: { nodes: n03, for: 20s }", "stop: { nodes: n04, for: 20s }");
    let outcome = run(&scenario, 1);
    assert!(!outcome.passed());
    let verdict = outcome.expectations.iter().find(|verdict| verdict.judgement.is_broken()).expect("one is broken");
    assert_eq!(verdict.name, "a node that went down is missed");
    let Judgement::Broken { at, why, times } = &verdict.judgement else { panic!("{verdict:?}") };
    assert_eq!((at.as_millis(), *times), (125_100, 1));
    assert_eq!(why, "no unit_offline within 5s 100ms of 2m about n03 on hub0; 2 of 2 missing");
}

#[test]
fn an_outcome_is_json_with_its_hash_as_text() {
    let outcome = run(&load("partition-flat"), 1);
    let json = serde_json::to_value(&outcome).expect("JSON");
    assert_eq!(json["hash"].as_str().expect("text"), outcome.hash.to_string());
    assert_eq!(json["expectations"][0]["judgement"]["is"], "met");
    assert_eq!(json["units"][0]["health"], "OK");
}

#[test]
fn a_kind_that_the_program_does_not_know_is_an_error_before_anything_runs() {
    let error = Simulation::new(&load("quiet-mesh"), nunect_core::Catalog::new(), 1).expect_err("no such kind");
    assert!(error.problems()[0].key.starts_with("actors.heartbeater.kind"), "{error}");
}
