//! Every scenario that ships: its expectations are met, and the same seed gives the same course of
//! events, to the bit, in another process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("simulations/scenarios");
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
    let mut scenarios: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    scenarios.sort();
    let names: Vec<_> = scenarios.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    assert!(names.contains(&"quiet-mesh") && names.contains(&"partition-flat"), "{names:?}");
    scenarios
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nunect"));
    command.args(["--json", "sim", "run"]).args(arguments).output().expect("the program runs")
}

/// What a run of its own process came to.
fn report(scenario: &Path, seed: &str) -> Value {
    let output = run(&[scenario.to_str().expect("UTF-8"), "--seed", seed]);
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", scenario.display()))
}

#[test]
fn the_same_seed_gives_the_same_hash_in_another_process_and_another_seed_another() {
    for scenario in scenarios() {
        let (one, again, other) = (report(&scenario, "1"), report(&scenario, "1"), report(&scenario, "2"));
        let name = scenario.display();
        assert_eq!(one["hash"].as_str().map(str::len), Some(32), "{name}: {}", one["hash"]);
        assert_eq!(one["hash"], again["hash"], "{name}");
        assert_eq!(one["counters"], again["counters"], "{name}");
        assert_ne!(one["hash"], other["hash"], "{name}");
    }
}

#[test]
fn every_expectation_is_put_to_the_test_and_met() {
    for scenario in scenarios() {
        for seed in ["1", "7"] {
            let report = report(&scenario, seed);
            assert_eq!(report["passed"], true, "{}: {report:#}", scenario.display());
            let verdicts = report["expectations"].as_array().expect("a list");
            assert!(!verdicts.is_empty());
            for verdict in verdicts {
                assert_eq!(verdict["judgement"]["is"], "met", "{}: {verdict:#}", scenario.display());
            }
        }
    }
}

#[test]
fn a_broken_expectation_is_exit_1_and_a_mistake_exit_2() {
    let quiet = &scenarios()[1];
    let text = std::fs::read_to_string(quiet).expect("readable");
    let folder = std::env::temp_dir().join(format!("nunect-scenarios-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("changed.yaml");
    let exit_with = |text: String| {
        std::fs::write(&path, text).expect("writable");
        run(&[path.to_str().expect("UTF-8")]).status.code()
    };
    assert_eq!(exit_with(text.replace("without: unit_offline", "without: unit_online")), Some(1));
    assert_eq!(exit_with(text.replace("prefix: hub", "prefx: hub")), Some(2));
    assert_eq!(exit_with(text), Some(0));
    std::fs::remove_dir_all(folder).expect("removable");
}
