use nunect_core::{Actor, Birth, Contract, Effects, Fault, Input, Now};
use serde::Deserialize;

use super::*;

const GOOD: &str = "\
name: small
about: Three nodes and a fault.
seed: 7
duration: 2m
actors: { heart: { beat: 5s } }
nodes:
  - { prefix: hub, count: 2, actors: { ear: {} } }
  - { name: lone, role: gateway, actors: { heart: { kind: ear } }, clocks: { drift: 20ppm } }
boot: { spread: 5s }
clocks: { offset: 50ms }
world: { flat: { delay: { uniform: [1ms, 5ms] }, detect: 4s } }
faults:
  - { at: 60s, name: cut, partition: { nodes: [hub*, not hub1], for: 30s } }
  - { at: 70s, crash: { nodes: lone } }
expect:
  - always: { without: escalated }
  - within: 15s
    after: { end_of: cut }
    see: { event: unit_online, about: hub0, nodes: hub1, actor: ear }
";

struct Any;

#[derive(Deserialize, schemars::JsonSchema, garde::Validate)]
#[serde(deny_unknown_fields)]
struct AnyConfig {
    #[garde(skip)]
    #[expect(dead_code, reason = "only read")]
    beat: Option<nunect_core::Period>,
}

impl Actor for Any {
    const KIND: &'static str = "heart";
    type Config = AnyConfig;
    fn new(_: AnyConfig, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    fn contract(&self) -> Contract {
        Contract::default()
    }
    fn handle(&mut self, _: Now, _: Input<'_>, _: &mut Effects) -> Result<(), Fault> {
        Ok(())
    }
}

fn problems(text: &str) -> Vec<Problem> {
    Scenario::parse("x.yaml", text).expect_err("a mistake").problems().to_vec()
}

/// The one mistake in `GOOD` after `from` became `to`; what its place covers, and its line for people.
fn mistake(from: &str, to: &str) -> (String, String) {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD, "nothing to replace");
    let found = problems(&text);
    let [problem] = found.as_slice() else { panic!("one mistake expected: {found:#?}") };
    let line = text.lines().nth(problem.place.line - 1).expect("within the text");
    let covered = text.get(problem.place.span.clone()).expect("a span within the text");
    let column = line.chars().skip(problem.place.column - 1).collect::<String>();
    let shown = covered.lines().next().unwrap_or_default();
    assert!(column.starts_with(shown), "column and span disagree: {column:?} {covered:?}");
    (covered.to_owned(), problem.to_string())
}

#[track_caller]
fn check(from: &str, to: &str, place: &str, words: &[&str]) {
    let (covered, message) = mistake(from, to);
    assert!(covered.starts_with(place), "points at {covered:?} and not at {place:?}: {message}");
    assert!(message.starts_with("x.yaml:"), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

#[test]
fn a_good_scenario_is_read_whole() {
    let scenario = Scenario::parse("x.yaml", GOOD).expect("a good scenario");
    assert_eq!((scenario.name(), scenario.seed(), scenario.nodes()), ("small", 7, 3));
    assert_eq!(scenario.duration(), Duration::from_secs(120));
    let plan = &scenario.plan;
    let units: Vec<_> = plan.nodes.iter().map(|node| node.unit.to_string()).collect();
    assert_eq!(units, ["hub0", "hub1", "lone"]);
    let kinds = |node: usize| plan.nodes[node].actors.iter().map(|actor| actor.kind.clone()).collect::<Vec<_>>();
    assert_eq!((kinds(0), kinds(2)), (vec!["heart".to_owned(), "ear".to_owned()], vec!["ear".to_owned()]));
    let clocks = |node: usize| plan.nodes[node].clocks;
    assert_eq!((clocks(0).offset.0, clocks(2).offset.0), (Duration::from_millis(50), Duration::ZERO));
    assert_eq!(clocks(2).drift.ppb, 20_000);
    assert_eq!(plan.expectations[0].name, "always without escalated");
    let words = "unit_online about hub0 on hub1 (ear) within 15s after the end of `cut`";
    assert_eq!(plan.expectations[1].name, words);
    assert_eq!(plan.expectations[1].line, 17);
}

#[test]
fn nodes_are_numbered_with_as_many_digits_as_their_count() {
    let units = |count: u32| {
        let text = format!("name: x\nduration: 1s\nnodes: [{{ prefix: n, count: {count} }}]\n");
        Scenario::parse("x.yaml", text).expect("good").plan.units()
    };
    let ends = |count| {
        let units = units(count);
        (units.len(), units[0].to_string(), units[units.len() - 1].to_string())
    };
    assert_eq!(ends(1), (1, "n0".to_owned(), "n0".to_owned()));
    assert_eq!(ends(10), (10, "n00".to_owned(), "n09".to_owned()));
    assert_eq!(ends(100), (100, "n000".to_owned(), "n099".to_owned()));
}

#[test]
fn a_key_that_does_not_exist_is_shown_with_the_one_that_was_meant() {
    check("duration: 2m", "duraton: 2m", "duraton", &["unknown field `duraton`", "did you mean `duration`?"]);
    check("prefix: hub", "prefx: hub", "prefx", &["x.yaml:7:", "nodes[0].prefx", "did you mean `prefix`?"]);
    check("uniform:", "unifrom:", "unifrom", &["world.flat.delay.unifrom", "did you mean `uniform`?"]);
    check("without:", "witout:", "witout", &["expect[0].always.witout", "did you mean `without`?"]);
    check("about: hub0", "abot: hub0", "abot", &["expect[1].see.abot", "did you mean `about`?"]);
    check("end_of:", "endof:", "endof", &["did you mean `end_of`?"]);
}

#[test]
fn a_value_of_the_wrong_type_is_shown_where_it_stands() {
    check("duration: 2m", "duration: 120", "120", &["x.yaml:4:11", "duration", "such as 5s"]);
    check("duration: 2m", "duration: 2 fortnights", "2 fortnights", &["is no duration"]);
    check("count: 2", "count: two", "two", &["nodes[0].count", "u32"]);
    check("seed: 7", "seed: -7", "-7", &["seed"]);
    check("drift: 20ppm", "drift: 20", "20", &["drift"]);
    check("drift: 20ppm", "drift: 2e1ppm", "2e1ppm", &["write 20ppm or 500ppb"]);
    check("role: gateway", "role: gatway", "gatway", &["did you mean `gateway`?"]);
    check("duration: 2m\n", "", "", &["x.yaml:1:1: duration: missing field `duration`"]);
}

#[test]
fn what_is_no_yaml_is_shown_where_it_stops_being_it() {
    let found = problems("name: x\nduration: [1s\nnodes: []\n");
    assert!(found[0].place.line >= 2 && !found[0].reason.is_empty(), "{found:#?}");
    let found = problems("name: x\nname: y\n");
    assert!(found[0].to_string().contains("x.yaml:2:1") && found[0].reason.contains("name"), "{found:#?}");
    assert!(!problems("").is_empty());
    assert!(!problems("- x").is_empty());
}

#[test]
fn nodes_that_cannot_be_are_errors() {
    check("prefix: hub, count: 2", "prefix: n, count: 4000000000", "", &["more than 100000 nodes"]);
    check("prefix: hub, count: 2", "prefix: hub*, count: 9", "", &["nodes[0]", "`hub*0`", "`-` and `_`"]);
    check("count: 2", "count: 0", "0", &["without nodes"]);
    check("prefix: hub, count: 2", "prefix: hub", "", &["a name, or a prefix and a count"]);
    check("name: lone", "name: hub1", "", &["x.yaml:8:5: nodes[1]: two nodes are called `hub1`"]);
    check("name: lone", "name: units", "", &["reserved"]);
    check("drift: 20ppm", "drift: 20000ppm", "20000ppm", &["10000ppm"]);
    check("[1ms, 5ms]", "[5ms, 1ms]", "[", &["swap them"]);
    check("spread: 5s", "spread: 5m", "5m", &["boot.spread", "after the end"]);
    check("duration: 2m", "duration: 0s", "0s", &["is no time to simulate"]);
}

#[test]
fn a_fault_that_cannot_strike_is_an_error() {
    check("nodes: lone }", "nodes: loan }", "loan", &["faults[1].crash.nodes", "`loan`", "did you mean `lone`?"]);
    check("[hub*, not", "[nub*, not", "nub*", &["faults[0].partition.nodes[0]", "no node matches"]);
    check("at: 60s", "at: 6m", "6m", &["not before the end of the run"]);
    check("for: 30s", "for: 0s", "0s", &["over before it began"]);
    check("at: 70s", "at: 3s", "3s", &["faults[1].at", "still starting until 5s"]);
    check("crash: {", "partition: { nodes: hub0 }, crash: {", "", &["exactly one of partition, crash,"]);
    check("crash: { nodes: lone }", "panic: { nodes: lone, actor: hart }", "hart", &["did you mean `heart`?"]);
    let twice = "crash: { nodes: lone } }\n  - { at: 90s, panic: { nodes: lone, actor: heart }";
    check("crash: { nodes: lone }", twice, "90s", &["faults[2].at", "lone is down then", "faults[1]"]);
    let names = "crash: { nodes: lone }, name: cut";
    check("crash: { nodes: lone }", names, "cut", &["two faults are called `cut`"]);
}

#[test]
fn a_crash_after_the_restart_is_no_overlap() {
    let twice = "crash: { nodes: lone, for: 10s } }\n  - { at: 80s, crash: { nodes: lone }";
    Scenario::parse("x.yaml", GOOD.replace("crash: { nodes: lone }", twice)).expect("the node is up again");
}

#[test]
fn an_expectation_that_can_never_be_evaluated_is_an_error() {
    check("without: escalated", "without: escalate", "escalate", &["no event", "did you mean `escalated`?"]);
    check("without: escalated", "without: boiled_over", "boiled_over", &["`custom:boiled_over`"]);
    check("event: unit_online", "event: actor_started", "", &["about no unit", "unit_offline"]);
    check("about: hub0", "about: hub7", "hub7", &["expect[1].see.about", "did you mean"]);
    check("actor: ear", "actor: year", "year", &["none of these nodes", "did you mean `ear`?"]);
    check("end_of: cut", "end_of: cat", "cat", &["no fault is called `cat`", "did you mean `cut`?"]);
    check(", for: 30s", "", "cut", &["does not end within the run"]);
    check("within: 15s", "within: 2m", "2m", &["the run ends at 2m"]);
    check("without: escalated }", "without: escalated, from: 3m }", "3m", &["no time of the run is left"]);
    check("see: {", "same: node\n    see: {", "node", &["only an event"]);
    check("  - within: 15s\n", "  - name: nothing\n", "", &["either `always`, or `within`"]);
}

#[test]
fn all_mistakes_of_a_kind_are_reported_at_once() {
    let text = GOOD.replace("nodes: lone }", "nodes: loan }").replace("at: 60s", "at: 6m");
    assert_eq!(problems(&text).len(), 2);
}

#[test]
fn events_of_foreign_actors_are_named_with_a_prefix() {
    let text = GOOD.replace("without: escalated", "without: custom:echo_lost");
    let scenario = Scenario::parse("x.yaml", text).expect("any name");
    assert_eq!(scenario.plan.expectations[0].name, "always without echo_lost");
}

#[test]
fn actors_are_checked_against_the_catalog() {
    let catalog = Catalog::new().with::<Any>();
    let errors = |text: String| match Scenario::parse("x.yaml", text).expect("good so far").check(&catalog) {
        Ok(()) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    };
    let known = GOOD.replace("ear: {}", "ear: { kind: heart }").replace("kind: ear", "kind: heart");
    assert_eq!(errors(known.clone()), Vec::<String>::new());
    let wrong = errors(known.replace("{ heart: { beat: 5s } }", "{ heart: { beet: 5s } }"));
    let [wrong] = wrong.as_slice() else { panic!("one mistake expected: {wrong:?}") };
    assert!(wrong.starts_with("x.yaml:5:20: actors.heart.beet: unknown field `beet`"), "{wrong}");
    let unknown = errors(known.replace("ear: { kind: heart }", "ear: { kind: hart }"));
    let [unknown] = unknown.as_slice() else { panic!("one mistake expected: {unknown:?}") };
    assert!(unknown.starts_with("x.yaml:7:53: nodes[0].actors.ear.kind"), "{unknown}");
    assert!(unknown.ends_with("did you mean `heart`?"), "{unknown}");
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_its_path() {
    let error = Scenario::load("no/such/file.yaml").expect_err("no such file");
    assert!(error.to_string().contains("no/such/file.yaml"));
    assert!(std::error::Error::source(&error).is_some() && error.problems().is_empty());
}

#[test]
fn the_schema_knows_every_key() {
    let schema = serde_json::to_value(schema()).expect("JSON");
    let keys = schema["properties"].as_object().expect("a map");
    for key in ["name", "about", "seed", "duration", "actors", "nodes", "boot", "clocks", "world", "faults", "expect"] {
        assert!(keys[key]["description"].is_string() || keys[key]["$ref"].is_string(), "{key}");
    }
}
