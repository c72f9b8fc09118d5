//! Every scenario that ships: its expectations are met, and the same seed gives the same course of
//! events, to the bit, in another process, on more threads, and as it was when it was written down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// What ships at least.
const SHIPPED: &[&str] = &[
    "actor-crash-storm",
    "black-start",
    "clock-skew",
    "convoy-splits",
    "flapping-link",
    "hub-crash",
    "late-packets",
    "one-way-link",
    "partition-flat",
    "quiet-mesh",
    "ring-partition",
    "thousand-nodes",
];

/// The seeds whose runs are written down.
const SEEDS: [u64; 2] = [1, 2];

/// A line for each scenario and seed: an unintended change of behaviour is a visible difference.
const HASHES: &str = "simulations/hashes.txt";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder");
    let paths = entries.map(|entry| Path::new(folder).join(entry.expect("readable").file_name()));
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8")
}

/// Runs the program in the project's folder, so that paths in what it says do not depend on the machine.
fn sim(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nunect"));
    command.current_dir(root()).args(["--json", "sim"]).args(arguments).output().expect("the program runs")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let lines: Vec<Value> = text.lines().map(parse).collect();
    assert!(!lines.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    lines
}

/// What a run of its own process came to.
fn report(scenario: &Path, seed: u64) -> Value {
    let path = scenario.to_str().expect("UTF-8");
    lines(&sim(&["run", path, "--seed", &seed.to_string()])).remove(0)
}

/// Does something with every scenario, two at a time.
fn each(scenarios: &[PathBuf], check: impl Fn(&Path) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    check(scenario);
                }
            });
        }
    });
}

#[test]
fn what_must_ship_ships() {
    let files = files("simulations/scenarios");
    let names: Vec<&str> = files.iter().map(|path| name(path)).collect();
    for shipped in SHIPPED {
        assert!(names.contains(shipped), "{shipped} is not among {names:?}");
    }
}

#[test]
fn every_scenario_passes_and_its_runs_are_those_that_were_written_down() {
    let hashes = std::sync::Mutex::new(BTreeMap::new());
    each(&files("simulations/scenarios"), |scenario| {
        let runs = SEEDS.map(|seed| report(scenario, seed));
        for (seed, run) in SEEDS.iter().zip(&runs) {
            assert_eq!(run["passed"], true, "{} with seed {seed}: {run:#}", scenario.display());
            let verdicts = run["expectations"].as_array().expect("a list");
            let own = verdicts.iter().filter(|verdict| verdict["line"] != 0);
            for verdict in own {
                assert_eq!(verdict["judgement"]["is"], "met", "{} with seed {seed}: {verdict:#}", scenario.display());
            }
            let key = format!("{} {seed}", name(scenario));
            hashes.lock().expect("no poison").insert(key, run["hash"].as_str().expect("a hash").to_owned());
        }
        assert_ne!(runs[0]["hash"], runs[1]["hash"], "{}", scenario.display());
        // Other processes, and as many threads as seeds.
        let path = scenario.to_str().expect("UTF-8");
        let seeds = format!("{}..{}", SEEDS[0], SEEDS[1]);
        for tried in lines(&sim(&["explore", path, "--seeds", &seeds, "--jobs", "2"])) {
            let Some(seed) = tried["seed"].as_u64() else { continue };
            let run = &runs[SEEDS.iter().position(|other| *other == seed).expect("one of the seeds")];
            assert_eq!(tried["hash"], run["hash"], "{} with seed {seed}", scenario.display());
        }
    });
    let hashes = hashes.into_inner().expect("no poison");
    let found: String = hashes.iter().map(|(key, hash)| format!("{key} {hash}\n")).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(root().join(HASHES), &found).expect("writable");
    }
    let expected = std::fs::read_to_string(root().join(HASHES)).expect("readable");
    assert_eq!(found, expected, "behaviour changed; if it was meant to: UPDATE_GOLDEN=1 cargo test --test scenarios");
}

#[test]
fn what_once_failed_passes_for_good() {
    each(&files("simulations/regressions"), |scenario| {
        let seed = lines(&sim(&["check", scenario.to_str().expect("UTF-8")])).remove(0)["seed"].as_u64();
        let run = report(scenario, seed.expect("a seed"));
        assert_eq!(run["passed"], true, "{}: {run:#}", scenario.display());
    });
}

#[test]
fn a_broken_expectation_is_exit_1_and_a_mistake_exit_2() {
    let text = std::fs::read_to_string(root().join("simulations/scenarios/quiet-mesh.yaml")).expect("readable");
    let folder = std::env::temp_dir().join(format!("nunect-scenarios-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("changed.yaml");
    let exit_with = |text: String| {
        std::fs::write(&path, text).expect("writable");
        sim(&["run", path.to_str().expect("UTF-8")]).status.code()
    };
    assert_eq!(exit_with(text.replace("without: unit_offline", "without: unit_online")), Some(1));
    assert_eq!(exit_with(text.replace("prefix: hub", "prefx: hub")), Some(2));
    assert_eq!(exit_with(text), Some(0));
    std::fs::remove_dir_all(folder).expect("removable");
}
