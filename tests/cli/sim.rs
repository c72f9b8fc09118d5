//! `nunect sim`: what its commands say, what they leave behind, and how they end.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::unit::{clean, folder, program};
use crate::{Said, said};

/// Fails with most seeds, at one of two expectations, and passes with some. Its names try to break whatever
/// shows them.
const FRAGILE: &str = r#"name: "fragile </script><script>alert(1)</script>"
duration: 60s
actors: { heartbeater: { interval: 2s }, echo: {} }
nodes:
  - { name: hub, actors: { monitor: {} } }
  - { prefix: n, count: 5 }
boot: { spread: 1s }
faults:
  - { every: 20s, until: 50s, name: cut, partition: { nodes: { any: 1, of: n* }, for: 8s } }
  - { every: 7s, until: 50s, name: broken, panic: { nodes: { any: 1, of: n* }, actor: echo } }
expect:
  - name: n3 </script> stays
    always: { without: { event: unit_offline, about: n3 } }
  - name: n1 stays
    always: { without: { event: unit_offline, about: n1 } }
  - always: { without: escalated }
  - sometimes: mailbox_overflow
"#;

/// A folder with [`FRAGILE`] in it, in which `nunect sim` is run.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let place = Self(folder());
        place.write("fragile.yaml", FRAGILE);
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("writable");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn command(&self, words: &str) -> Command {
        let mut command = program();
        command.current_dir(&self.0).args(words.split_whitespace());
        command
    }

    /// `nunect sim` with these words.
    fn sim(&self, words: &str) -> Said {
        said(&mut self.command(&format!("sim {words}")))
    }

    /// The same with `--json`.
    fn json(&self, words: &str) -> (Option<i32>, Vec<Value>) {
        let said = said(&mut self.command(&format!("--json sim {words}")));
        (said.code, said.json())
    }

    /// Repeats a run by the line that says how, in a shell.
    fn again(&self, line: &str) -> Said {
        let programs = Path::new(env!("CARGO_BIN_EXE_nunect")).parent().expect("a folder");
        said(clean(Path::new("/bin/sh")).args(["-c", line]).current_dir(&self.0).env("PATH", programs))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The lines of what was said that begin so, without that.
fn after<'a>(said: &'a Said, begin: &str) -> Vec<&'a str> {
    said.out.lines().filter_map(|line| line.trim_start().strip_prefix(begin)).collect()
}

#[track_caller]
fn refused(said: &Said, words: &[&str]) {
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    for word in words {
        assert!(said.errors.contains(word), "`{word}` is not in: {said:?}");
    }
}

#[test]
fn a_run_leaves_a_trace_of_json_lines_that_name_everybody() {
    let place = Place::new();
    let (code, report) = place.json("run fragile.yaml --seed 2 --trace some/where/trace.jsonl");
    assert_eq!((code, &report[0]["passed"], &report[0]["seed"]), (Some(1), &false.into(), &2.into()));
    let text = place.read("some/where/trace.jsonl");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(json!(lines.len()), report[0]["records"]);
    assert_eq!(lines[0], json!({ "at": 0.0, "is": "run", "seed": 2 }));
    let (units, mut last) = (["hub", "n0", "n1", "n2", "n3", "n4"], 0.0);
    for line in &lines {
        let at = line["at"].as_f64().expect("seconds");
        assert!(at >= last && at <= 60.0 && line["is"].is_string(), "{line}");
        assert!(line.get("node").is_none_or(|node| units.contains(&node.as_str().expect("a name"))), "{line}");
        assert!(line.get("actor").is_none_or(|actor| actor != ""), "{line}");
        last = at;
    }
    for (unit, is) in [("hub", "message"), ("n4", "node"), ("n0", "event")] {
        assert!(lines.iter().any(|line| line["node"] == unit && line["is"] == is), "{unit} {is}");
    }
    assert!(lines.iter().any(|line| line["is"] == "fault" && line["begins"] == true));
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else_and_names_cannot_break() {
    let place = Place::new();
    assert_eq!(place.sim("run fragile.yaml --seed 2 --report some/where/page.html").code, Some(1));
    let page = place.read("some/where/page.html");
    for outside in ["http://", "https://", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "`{outside}` in the page");
    }
    // The data and what draws it; a name that ended the data would add to these.
    assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (2, 2));
    let (_, data) = page.split_once(r#"<script type="application/json" id="data">"#).expect("data");
    let (data, _) = data.split_once("</script>").expect("its end");
    let data: Value = serde_json::from_str(data).expect("JSON");
    let names = |list: &str| -> Vec<String> {
        let items = data[list].as_array().unwrap_or_else(|| panic!("no list {list}"));
        items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("units"), ["hub", "n0", "n1", "n2", "n3", "n4"]);
    let expected = ["n3 </script> stays", "n1 stays", "always without escalated", "sometimes mailbox_overflow"];
    assert_eq!(names("expectations"), expected);
    assert_eq!(data["scenario"], "fragile </script><script>alert(1)</script>");
    assert_eq!(names("faults").iter().filter(|name| *name == "cut").count(), 2);
    assert_eq!((&data["passed"], &data["replay"]), (&false.into(), &"nunect sim run fragile.yaml --seed 2".into()));
}

#[test]
fn a_run_that_was_written_down_without_chance_is_the_same_run() {
    let place = Place::new();
    let (_, first) = place.json("run fragile.yaml --seed 5 --concrete some/where/fixed.yaml");
    let text = place.read("some/where/fixed.yaml");
    assert!(!text.contains("every:") && !text.contains("any:") && text.contains("seed: 5"), "{text}");
    let (code, again) = place.json("run some/where/fixed.yaml");
    assert_eq!((&again[0]["hash"], &again[0]["passed"]), (&first[0]["hash"], &first[0]["passed"]));
    assert_eq!(
        (code, &again[0]["expectations"][0]["judgement"]),
        (Some(if first[0]["passed"] == true { 0 } else { 1 }), &first[0]["expectations"][0]["judgement"],)
    );
    let (_, other) = place.json("run some/where/fixed.yaml --seed 6");
    assert_ne!(other[0]["hash"], first[0]["hash"]);
}

#[test]
fn what_cannot_be_written_is_an_error_that_names_it() {
    let place = Place::new();
    for flag in ["--report", "--trace", "--concrete"] {
        let said = place.sim(&format!("run fragile.yaml {flag} fragile.yaml/x"));
        refused(&said, &["cannot write", "fragile.yaml/x"]);
    }
    refused(&place.sim("run missing.yaml"), &["cannot read scenario missing.yaml", "No such file"]);
}

#[test]
fn exploring_groups_equal_failures_and_says_how_to_repeat_each() {
    let place = Place::new();
    let said = place.sim("explore fragile.yaml --seeds 1..30 --jobs 2");
    assert_eq!(said.code, Some(1), "{said:?}");
    let (failures, lines) = (after(&said, "FAILED  "), after(&said, "again: "));
    assert_eq!((failures.len(), lines.len()), (2, 2), "{said:?}");
    for (failure, line) in failures.iter().zip(lines) {
        let (_, failure) = failure.split_once(": ").expect("how often, and what");
        let (expectation, _) = failure.split_once(" (unit_offline)").unwrap_or_else(|| panic!("{failure}"));
        let again = place.again(line);
        assert_eq!(again.code, Some(1), "{again:?}");
        assert!(after(&again, "BROKEN ").iter().any(|broken| broken.contains(expectation)), "{expectation}: {again:?}");
    }
    assert!(said.out.contains("no seed ever saw: sometimes mailbox_overflow"), "{said:?}");

    let (code, mut objects) = place.json("explore fragile.yaml --seeds 1..30 --jobs 2");
    let explored = objects.pop().expect("the whole");
    assert_eq!((code, objects.len(), &explored["tried"]), (Some(1), 30, &30.into()));
    let mut grouped: Vec<u64> = Vec::new();
    for group in explored["groups"].as_array().expect("a list") {
        let seeds = group["seeds"].as_array().expect("a list").iter().map(|seed| seed.as_u64().expect("a seed"));
        for seed in seeds {
            let tried = objects.iter().find(|tried| tried["seed"] == seed).expect("each is told");
            assert_eq!(tried["failure"], group["failure"]);
            grouped.push(seed);
        }
    }
    let failed = objects.iter().filter(|tried| !tried["failure"].is_null()).count();
    assert_eq!((json!(grouped.len()), json!(failed)), (explored["failed"].clone(), explored["failed"].clone()));
    assert!((1..30).contains(&failed), "{failed} of 30 failed: some do and some do not");
}

#[test]
fn a_path_that_a_shell_would_take_apart_is_quoted_in_what_repeats_a_run() {
    let place = Place::new();
    place.write("it's a; one.yaml", FRAGILE);
    let mut command = program();
    command.current_dir(&place.0).args(["sim", "explore", "it's a; one.yaml", "--seeds", "1..9"]);
    let said = said(&mut command);
    let lines = after(&said, "again: ");
    assert!(lines[0].starts_with(r"nunect sim run 'it'\''s a; one.yaml' --seed "), "{said:?}");
    for line in lines {
        let again = place.again(line);
        assert_eq!((again.code, again.errors.as_str()), (Some(1), ""), "{again:?}");
    }
    let smaller = place.again(after(&said, "smaller: ")[0]);
    assert!(smaller.code == Some(0) && place.0.join("smaller.yaml").exists(), "{smaller:?}");
}

#[test]
fn exploring_what_holds_is_a_success_up_to_the_last_of_all_seeds() {
    let place = Place::new();
    place.write("calm.yaml", "name: calm\nduration: 1s\nnodes: [{ name: a }]\n");
    let seeds = |words: &str| {
        let (code, objects) = place.json(&format!("explore calm.yaml --jobs 3 --seeds {words}"));
        assert_eq!(code, Some(0), "{objects:?}");
        let mut seeds: Vec<u64> = objects.iter().filter_map(|tried| tried["seed"].as_u64()).collect();
        seeds.sort_unstable();
        seeds
    };
    assert_eq!(seeds("3..5"), [3, 4, 5]);
    assert_eq!(seeds("3..=5"), [3, 4, 5]);
    assert_eq!(seeds("7"), [7]);
    assert_eq!(seeds("1_000..1_001"), [1000, 1001]);
    assert_eq!(seeds("18446744073709551614..18446744073709551615"), [u64::MAX - 1, u64::MAX]);
}

#[test]
fn seeds_that_are_none_are_refused_with_what_to_write() {
    let place = Place::new();
    for (seeds, words) in [
        ("5..1", "5 is greater than 1; write the smaller seed first"),
        ("a..9", "`a` is no seed; write 1..1000, or 7 for one"),
        ("1..", "`` is no seed"),
        ("1...9", "`.9` is no seed"),
        ("=-1", "`-1` is no seed"),
        ("1..18446744073709551616", "`18446744073709551616` is no seed"),
    ] {
        let seeds = if seeds.starts_with('=') { seeds.to_owned() } else { format!("={seeds}") };
        refused(&place.sim(&format!("explore fragile.yaml --seeds{seeds}")), &["--seeds", words]);
    }
    refused(&place.sim("explore fragile.yaml --jobs 0"), &["--jobs"]);
}

#[test]
fn exploring_ends_when_its_time_is_over() {
    let place = Place::new();
    let (code, mut objects) = place.json("explore fragile.yaml --seeds 0..18446744073709551615 --jobs 2 --for 300ms");
    let explored = objects.pop().expect("the whole");
    assert!(code.is_some_and(|code| code < 2), "{explored}");
    assert_eq!(json!(objects.len()), explored["tried"]);
    assert!(!objects.is_empty());
}

#[test]
fn shrinking_leaves_less_that_fails_with_the_same_words() {
    let place = Place::new();
    let (_, tried) = place.json("explore fragile.yaml --seeds 1..30");
    let failed = tried.iter().find(|tried| tried["failure"].is_string()).expect("one fails");
    let (seed, failure) = (&failed["seed"], &failed["failure"]);
    let (code, shrunk) = place.json(&format!("shrink fragile.yaml --seed {seed} -o some/where/small.yaml"));
    let [shrunk] = shrunk.as_slice() else { panic!("one object: {shrunk:?}") };
    assert_eq!((code, &shrunk["failure"]), (Some(0), failure));
    for part in ["faults", "nodes", "duration_s"] {
        let size = |of: &str| shrunk[of][part].as_f64().unwrap_or_else(|| panic!("{part}: {shrunk}"));
        assert!(size("after") < size("before"), "{part}: {shrunk}");
    }
    // A cut that lasts, and the two that it parts.
    assert_eq!((&shrunk["after"]["faults"], &shrunk["after"]["nodes"]), (&1.into(), &2.into()), "{shrunk}");
    let checked = place.json("check some/where/small.yaml").1.remove(0);
    assert_eq!((&checked["faults"], &checked["nodes"], &checked["expectations"]), (&1.into(), &2.into(), &1.into()));
    assert_eq!(place.json(&format!("explore some/where/small.yaml --seeds {seed}")).1[0]["failure"], *failure);
    assert_eq!(place.again(shrunk["replay"].as_str().expect("a command")).code, Some(1));

    let said = place.sim(&format!("shrink fragile.yaml --seed {seed} -o again.yaml --runs 5"));
    assert!(said.code == Some(0) && said.out.contains("again.yaml written in 5 runs"), "{said:?}");
}

#[test]
fn what_does_not_fail_cannot_be_shrunk() {
    let place = Place::new();
    place.write("calm.yaml", "name: calm\nduration: 1s\nnodes: [{ name: a }]\n");
    let said = place.sim("shrink calm.yaml --seed 9 -o small.yaml");
    refused(&said, &["error: the scenario does not fail with seed 9", "`sim explore` finds seeds that do"]);
    assert!(!place.0.join("small.yaml").exists());
}

#[test]
fn the_first_difference_of_two_runs_or_traces_is_found() {
    let place = Place::new();
    for seed in [1, 2] {
        place.sim(&format!("run fragile.yaml --seed {seed} --trace {seed}.jsonl"));
    }
    let text = place.read("1.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let line = |at: usize| serde_json::from_str::<Value>(lines[at]).expect("JSON");

    for equal in ["1.jsonl 1.jsonl", "fragile.yaml@1 1.jsonl", "fragile.yaml fragile.yaml@1"] {
        let said = place.sim(&format!("diff {equal}"));
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(said.out, format!("equal  {} lines\n", lines.len()));
    }
    let (code, found) = place.json("diff fragile.yaml@1 2.jsonl");
    assert_eq!((code, &found[0]["equal"]), (Some(1), &false.into()));
    // Both have the same nodes, whatever their seeds.
    assert!(found[0]["common"].as_u64() > Some(1), "{found:#?}");
    assert_ne!(found[0]["a"][0], found[0]["b"][0]);

    let changed = text.replacen(lines[100], "{\"at\":1.0}", 1);
    place.write("changed.jsonl", &changed);
    let (code, found) = place.json("diff 1.jsonl changed.jsonl");
    assert_eq!((code, &found[0]["common"]), (Some(1), &100.into()));
    assert_eq!(found[0]["a"], json!([line(100), line(101), line(102)]));
    assert_eq!(found[0]["b"], json!([{ "at": 1.0 }, line(101), line(102)]));
    let said = place.sim("diff 1.jsonl changed.jsonl");
    assert!(said.out.starts_with("they share 100 lines and part then\n"), "{said:?}");
    assert!(said.out.contains("\n+   {\"at\":1.0}\n"), "{said:?}");

    place.write("shorter.jsonl", &(lines[..50].join("\n") + "\n"));
    let said = place.sim("diff shorter.jsonl 1.jsonl");
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("- shorter.jsonl\n-   ends here\n+ 1.jsonl\n"), "{said:?}");
}

#[test]
fn what_cannot_be_compared_is_an_error_that_names_it() {
    let place = Place::new();
    refused(&place.sim("diff missing.jsonl fragile.yaml"), &["cannot read the trace missing.jsonl", "No such file"]);
    refused(&place.sim("diff fragile.yaml missing.yaml@2"), &["cannot read scenario missing.yaml"]);
    refused(&place.sim("diff fragile.yaml@x fragile.yaml"), &["`x` is no seed; write fragile.yaml@7"]);
    refused(&place.sim("diff fragile.yaml ."), &["cannot read the trace .:"]);
}

#[test]
fn every_scenario_that_ships_is_without_mistakes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["simulations/scenarios", "simulations/regressions"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder").map(|entry| entry.expect("readable"));
        paths.extend(entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "yaml")));
    }
    let checked = said(program().args(["--json", "sim", "check"]).args(&paths));
    assert_eq!((checked.code, checked.errors.as_str()), (Some(0), ""), "{checked:?}");
    let checked = checked.json();
    assert_eq!(checked.len(), paths.len());
    for (path, checked) in paths.iter().zip(checked) {
        assert_eq!(Some(path.file_stem().expect("a name")), checked["scenario"].as_str().map(std::ffi::OsStr::new));
        assert!(checked["nodes"].as_u64() > Some(0), "{checked}");
    }
}

#[test]
fn every_mistake_is_shown_with_its_place_the_reason_and_what_to_do() {
    let place = Place::new();
    let broken = FRAGILE.replace("about: n3", "about: n7").replace("without: escalated", "without: escalate");
    place.write("broken.yaml", &broken);
    let said = place.sim("check fragile.yaml broken.yaml");
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.out.starts_with("fragile </script>") && said.out.lines().count() == 1, "{said:?}");
    for words in [
        "error: expect[0].always.without.about: no node is called `n7`",
        "broken.yaml:13:54",
        "did you mean `n0`?",
        "error: expect[2].always.without: no event is called `escalate`",
        "broken.yaml:16:24",
        "did you mean `escalated`?",
    ] {
        assert!(said.errors.contains(words), "`{words}` is not in: {}", said.errors);
    }
    let (code, mistakes) = place.json("check broken.yaml");
    let first = json!({
        "origin": "broken.yaml", "line": 13, "column": 54, "key": "expect[0].always.without.about",
        "reason": "no node is called `n7`", "help": "did you mean `n0`?",
    });
    assert_eq!((code, mistakes.len(), &mistakes[0]), (Some(2), 2, &first));
    // Whatever is to be done with it, nothing is done.
    for words in ["run", "explore", "diff fragile.yaml", "shrink -o small.yaml"] {
        refused(&place.sim(&format!("{words} broken.yaml")), &["broken.yaml:13:54", "broken.yaml:16:24"]);
    }
}

#[test]
fn the_schema_documents_every_key_and_is_the_one_that_is_kept() {
    let printed = said(program().args(["sim", "schema"])).out;
    assert_eq!(said(program().args(["--json", "sim", "schema"])).out, printed);
    let schema: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let keys = schema["properties"].as_object().expect("a map");
    for key in ["name", "seed", "duration", "nodes", "world", "traffic", "service", "faults", "swarm", "liveness"] {
        assert!(keys.contains_key(key), "{key}");
    }
    for (key, described) in keys {
        assert!(described["description"].as_str().is_some_and(|words| !words.is_empty()), "{key}: {described}");
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/schema/scenario.schema.json");
    let kept = std::fs::read_to_string(kept).expect("readable");
    assert!(printed == kept, "UPDATE_GOLDEN=1 cargo test --test configs");
}

#[test]
fn a_new_scenario_is_one_that_can_be_run_whatever_its_name() {
    let place = Place::new();
    let said = place.sim("new first");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("nunect sim run ./first.yaml"), "{said:?}");
    let run = place.again("nunect sim run ./first.yaml");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(after(&run, "met ").len(), 4, "{run:?}");
    // What YAML takes for something else than text.
    for name in ["007", "true", "null", "1e5", "y"] {
        let (code, written) = place.json(&format!("new {name} --into some/where"));
        assert_eq!((code, &written[0]["written"]), (Some(0), &format!("some/where/{name}.yaml").into()));
        let checked = place.json(&format!("check some/where/{name}.yaml"));
        assert_eq!((checked.0, &checked.1[0]["scenario"]), (Some(0), &name.into()));
    }
}

#[test]
fn nothing_is_overwritten_by_a_new_scenario_and_its_name_is_checked() {
    let place = Place::new();
    refused(&place.sim("new fragile"), &["error: ./fragile.yaml is there already; nothing was written"]);
    assert_eq!(place.read("fragile.yaml"), FRAGILE);
    for name in ["../up", "a.b", "-- -", "-- -x", "ü"] {
        refused(&place.sim(&format!("new {name}")), &["letters, digits, `-` and `_`"]);
    }
    let files: Vec<_> = std::fs::read_dir(&place.0).expect("readable").collect();
    assert_eq!(files.len(), 1, "{files:?}");
}
