use std::collections::BTreeSet;

use super::*;
use crate::scenario::{Scenario, names};

const BASE: &str = "\
name: small
duration: 10m
actors: { heart: { kind: heartbeater }, ear: { kind: echo } }
nodes:
  - { prefix: n, count: 9 }
  - { prefix: hub, count: 2, actors: { eye: { kind: monitor } } }
boot: { spread: 5s }
";

fn text(faults: &str) -> String {
    format!("{BASE}faults:\n  - {faults}\n")
}

fn parse(text: &str) -> Scenario {
    Scenario::parse("x.yaml", text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn strikes(text: &str, seed: u64) -> Vec<Strike> {
    expand::strikes(&parse(text).plan, seed)
}

/// The one mistake in a scenario with this fault, and what its place covers.
#[track_caller]
fn check(fault: &str, place: &str, words: &[&str]) {
    check_text(&text(fault), place, words);
}

#[track_caller]
fn check_text(text: &str, place: &str, words: &[&str]) {
    let error = Scenario::parse("x.yaml", text.to_owned()).expect_err("a mistake");
    let [problem] = error.problems() else { panic!("one mistake expected: {error}") };
    let covered = &text[problem.place.span.clone()];
    assert!(covered.starts_with(place), "points at {covered:?} and not at {place:?}: {problem}");
    for word in words {
        assert!(problem.to_string().contains(word), "`{word}` is not in: {problem}");
    }
}

#[test]
fn a_fault_has_one_kind_and_one_time() {
    check("{ at: 60s }", "", &["faults[0]", "exactly one of partition, crash,"]);
    check("{ crash: { nodes: n0 } }", "", &["exactly one of at, every and mean", "`at: 60s`"]);
    check("{ at: 60s, every: 9s, until: 1m, crash: { nodes: n0 } }", "", &["exactly one of at, every and mean"]);
    check("{ at: 60s, jitter: 1s, crash: { nodes: n0 } }", "1s", &["jitter", "it strikes once"]);
    check("{ every: 60s, crash: { nodes: n0, for: 1s } }", "", &["faults[0].until", "`every` has no end"]);
    check("{ every: 60s, until: 20m, crash: { nodes: n0, for: 1s } }", "20m", &["after the end of the run at 10m"]);
    check("{ every: 60s, until: 50s, crash: { nodes: n0, for: 1s } }", "50s", &["first strike at 1m 5s"]);
    check("{ every: 0s, until: 50s, crash: { nodes: n0, for: 1s } }", "0s", &["without end"]);
    check("{ every: 1ms, until: 9m, crash: { nodes: n0, for: 1s } }", "1ms", &["more than 100000 times"]);
    check("{ every: 9s, jitter: 10s, until: 9m, panic: { nodes: n0, actor: ear } }", "10s", &["longer than `every`"]);
    check("{ mean: 9s, jitter: 1s, until: 9m, crash: { nodes: n0 } }", "1s", &["drawn anyway"]);
    check("{ every: 9s, from: 1s, until: 9m, panic: { nodes: n0, actor: ear } }", "1s", &["still starting until 5s"]);
    check("{ at: 60s, crsh: { nodes: n0 } }", "crsh", &["did you mean `crash`?"]);
}

#[test]
fn a_fault_that_says_nothing_possible_is_an_error() {
    check("{ at: 9s, crash: {} }", "crash", &["nothing goes down"]);
    check("{ at: 9s, crash: { nodes: n0, for: 11m } }", "11m", &["beyond the end of the run at 10m"]);
    check("{ at: 9s, crash: { nodes: [] } }", "[", &["no node"]);
    check("{ at: 9s, pause: { nodes: m0, for: 1s } }", "m0", &["no node is called `m0`", "did you mean `n0`?"]);
    check("{ at: 9s, pause: { nodes: { any: 10, of: n* } } }", "10", &["10 of only 9"]);
    check("{ at: 9s, pause: { nodes: { any: 0%, of: n* } } }", "0%", &["nobody"]);
    check("{ at: 9s, pause: { nodes: { any: 3 } } }", "nodes", &["missing field `of`"]);
    check("{ at: 9s, hang: { nodes: n*, actor: eaar } }", "eaar", &["n0 has no actor `eaar`", "did you mean `ear`?"]);
    check("{ at: 9s, partition: { for: 1s } }", "partition", &["exactly one of nodes, sides and random"]);
    check("{ at: 9s, partition: { nodes: n0, random: isolate } }", "partition", &["exactly one of nodes, sides"]);
    check("{ at: 9s, partition: { random: isolated } }", "isolated", &["did you mean `isolate`?"]);
    check("{ at: 9s, late: { nodes: n0, share: 130%, delay: { fixed: 1s } } }", "130%", &["from 0% to 100%"]);
    check("{ at: 9s, late: { nodes: n0, share: 0%, delay: { fixed: 1s } } }", "0%", &["none of the messages"]);
    check("{ at: 9s, late: { nodes: n0, share: 5%, delay: { uniform: [2s, 1s] } } }", "[", &["swap them"]);
    check("{ at: 9s, late: { nodes: n0, share: 5%, delay: { exponential: 0s } } }", "0s", &["not a time up to 1h"]);
    check("{ at: 9s, reorder: { nodes: n0, share: 5%, window: 0s } }", "0s", &["held back"]);
    check("{ at: 9s, clock_step: { nodes: n0, by: 0s } }", "0s", &["more than nothing"]);
    check("{ at: 9s, gps_loss: { nodes: n0 } }", "n0", &["n0 has no GPS", "gps: true"]);
    check("{ at: 9s, clock_step: { nodes: n0, by: 5 } }", "5", &["faults[0].clock_step.by"]);
    check("{ at: 9s, clock_drift: { nodes: n0, by: 20000ppm } }", "20000ppm", &["at most 10000ppm"]);
}

#[test]
fn what_only_the_layered_world_knows_is_an_error_in_the_flat_one() {
    check("{ at: 9s, partition: { sides: [n0, n1] } }", "[", &["one server, and no sides", "`nodes`"]);
    check("{ at: 9s, partition: { nodes: n0, one_way: true } }", "true", &["cuts both ways"]);
    check("{ at: 9s, crash: { servers: n0 } }", "n0", &["flat world has one server"]);
    check("{ at: 9s, link: { from: n0, to: n1, down: true } }", "link", &["no links", "layered world"]);
}

#[test]
fn faults_that_cannot_befall_a_node_at_once_are_errors() {
    let crash = "{ at: 9s, crash: { nodes: n0..n3, for: 60s } }";
    let pause = "{ at: 9s, pause: { nodes: n0..n3, for: 60s } }";
    let and = |first: &str, second: &str| format!("{first}\n  - {second}");
    let down = &["faults[1].at", "n2 is down then, since faults[0] at 9s"];
    check(&and(crash, "{ at: 20s, crash: { nodes: n2..n8 } }"), "20s", down);
    check(&and(crash, "{ at: 20s, pause: { nodes: n2 } }"), "20s", down);
    check(&and(crash, "{ at: 20s, stop_actor: { nodes: n2, actor: ear } }"), "20s", down);
    let paused = &["n2 is paused then, since faults[0] at 9s"];
    check(&and(pause, "{ at: 20s, pause: { nodes: n2 } }"), "20s", paused);
    check(&and(pause, "{ at: 20s, stop: { nodes: n2 } }"), "20s", paused);
    parse(&text(&and(pause, "{ at: 20s, crash: { nodes: n2, for: 1s } }")));
    parse(&text(&and(crash, "{ at: 69s, crash: { nodes: n2, for: 1s } }")));
    parse(&text(&and(crash, "{ at: 20s, late: { nodes: n2, share: 1%, delay: { fixed: 1s } } }")));
    let drift = "{ at: 9s, clock_drift: { nodes: n0, by: 4ppm, for: 60s } }";
    check(&and(drift, "{ at: 20s, clock_drift: { nodes: n*, by: -4ppm } }"), "20s", &["n0 drifts already then"]);
    let again = "{ every: 10s, until: 1m, crash: { nodes: n0, for: 20s } }";
    check(again, "10s", &["faults[0].every", "n0 is down then, since faults[0] at 15s"]);
}

#[test]
fn names_are_shared_within_a_kind_only() {
    let panic = |at: u64, actor: &str| format!("{{ at: {at}s, name: x, panic: {{ nodes: n0, actor: {actor} }} }}");
    let scenario = parse(&text(&format!("{}\n  - {}", panic(20, "ear"), panic(9, "heart"))));
    let entries: Vec<_> = scenario.plan.faults(1).iter().map(|fault| (fault.at, fault.entry)).collect();
    assert_eq!(entries, [(9_000_000_000, 0), (20_000_000_000, 0)], "in order, and both are the first");
    let other = format!("{}\n  - {{ at: 9s, name: x, crash: {{ nodes: n1 }} }}", panic(20, "ear"));
    check(&other, "x", &["faults[1].name", "two faults are called `x`"]);
}

#[test]
fn the_liveness_phase_ends_every_fault() {
    let live = |told: &str| format!("{}liveness: {told}\n", text("{ at: 9s, crash: { nodes: n0 } }"));
    check_text(&live("{ at: 10m, within: 1s }"), "10m", &["liveness.at", "not before the end of the run"]);
    check_text(&live("{ at: 9m, within: 2m }"), "2m", &["liveness.within", "the run ends at 10m"]);
    check_text(&live("{ at: 9m, within: 0s }"), "0s", &["liveness.within"]);
    check_text(&live("{ at: 3s, within: 1s }"), "3s", &["still starting until 5s"]);
    check_text(&live("{ at: 9s, within: 1s }"), "9s", &["faults[0].at", "all faults end at 9s"]);
    let faults = parse(&live("{ at: 8m, within: 1m }")).plan.faults(1);
    assert_eq!(faults[0].end, Some(480_000_000_000));
    let scenario = parse(&live("{ at: 8m, within: 1m }"));
    assert_eq!(scenario.plan.liveness, Some(Liveness { at: 480_000_000_000, within: 60_000_000_000 }));
}

#[test]
fn repeated_faults_stay_within_their_bounds() {
    let of = |when: &str, seed| {
        let fault = format!("{{ {when}, panic: {{ nodes: {{ any: 2, of: n* }}, actor: ear }} }}");
        strikes(&text(&fault), seed)
    };
    let times = |when: &str, seed| of(when, seed).iter().map(|strike| strike.at / 1_000_000).collect::<Vec<_>>();
    assert_eq!(times("every: 30s, from: 1m, until: 2m", 1), [60_000, 90_000]);
    assert_eq!(times("every: 30s, until: 1m", 1), [35_000]);
    let jittered = times("every: 10s, jitter: 5s, from: 1m, until: 5m", 3);
    assert_eq!(jittered.len(), 24);
    assert!((60_000..300_000).step_by(10_000).zip(&jittered).all(|(due, at)| (due..=due + 5_000).contains(at)));
    assert_ne!(jittered, times("every: 10s, jitter: 5s, from: 1m, until: 5m", 4));
    let drawn = times("mean: 1s, from: 1m, until: 9m", 3);
    assert!((400..560).contains(&drawn.len()), "{}", drawn.len());
    assert!(drawn.iter().all(|at| (60_000..540_000).contains(at)) && drawn.is_sorted());
    let nodes: BTreeSet<String> =
        of("every: 5s, until: 9m", 1).iter().map(|s| format!("{:?}", s.mishap.nodes())).collect();
    assert!(nodes.len() > 20, "each time others: {nodes:?}");
}

#[test]
fn what_is_drawn_strikes_only_whom_it_can() {
    let fault = "{ every: 1s, until: 9m, crash: { nodes: { any: 1, of: n0..n2 }, for: 20s } }
  - { at: 60s, name: fixed, stop: { nodes: n0, for: 5m } }";
    let all = strikes(&text(fault), 5);
    let mut claims: Vec<(String, u64, u64)> = Vec::new();
    for strike in &all {
        let node = strike.mishap.nodes().expect("nodes").names().to_string();
        let free = claims.iter().all(|(other, at, end)| *other != node || strike.at >= *end || strike.at < *at);
        assert!(free, "{node} is down at {}", strike.at);
        claims.push((node, strike.at, strike.end().expect("an end")));
    }
    assert!(all.len() > 60 && all.iter().any(|strike| strike.name.as_deref() == Some("fixed")));
}

#[test]
fn random_partitions_have_two_sides() {
    let side = |split: &str, seed| {
        let all = strikes(&text(&format!("{{ at: 9s, partition: {{ random: {split}, for: 30s }} }}")), seed);
        let units = parse(&text("{ at: 9s, crash: { nodes: n0 } }")).plan.units();
        names::resolve(all[0].mishap.nodes().expect("a side").names(), &units).expect("nodes").len()
    };
    let sizes = |split| (0..40).map(|seed| side(split, seed)).collect::<BTreeSet<_>>();
    assert_eq!(sizes("isolate"), BTreeSet::from([1]));
    assert!(sizes("uniform").iter().all(|size| (1..11).contains(size)));
    let uniform = sizes("uniform_size");
    assert!(uniform.len() > 6 && uniform.iter().all(|size| (1..11).contains(size)), "{uniform:?}");
}

const SWARM: &str = "swarm: { until: 8m, every: 5s, longest: 10s, nodes: n* }\n";

fn kinds(text: &str, seed: u64) -> BTreeSet<&'static str> {
    strikes(text, seed).iter().map(|strike| strike.mishap.kind().as_str()).collect()
}

#[test]
fn a_swarm_switches_kinds_off_by_the_seed_and_draws_how_hard_the_others_strike() {
    let text = format!("{BASE}{SWARM}");
    let drawn: Vec<_> = (0..20).map(|seed| kinds(&text, seed)).collect();
    assert!(drawn.iter().all(|kinds| !kinds.is_empty() && kinds.len() < 13), "{drawn:?}");
    assert!(drawn.iter().collect::<BTreeSet<_>>().len() > 15, "{drawn:?}");
    let all: BTreeSet<_> = drawn.iter().flatten().collect();
    assert_eq!(all.len(), 13, "every kind comes up that the flat world knows and nodes without GPS");
    for strike in strikes(&text, 3) {
        assert!((5_000_000_000..480_000_000_000).contains(&strike.at), "{strike:?}");
        assert!(strike.mishap.lasting().is_none_or(|lasting| lasting <= Period::from_secs(10)), "{strike:?}");
    }
    let one = format!("{BASE}swarm: {{ until: 8m, every: 5s, kinds: [pause] }}\n");
    assert!((0..5).all(|seed| kinds(&one, seed) == BTreeSet::from(["pause"])), "at least one stays");
}

#[test]
fn a_swarm_that_cannot_be_drawn_is_an_error() {
    let swarm = |told: &str| format!("{BASE}swarm: {told}\n");
    check_text(&swarm("{ every: 5s }"), "swarm", &["swarm.until", "no end", "liveness"]);
    check_text(&swarm("{ every: 0s, until: 8m }"), "0s", &["without end"]);
    check_text(&swarm("{ every: 5s, until: 11m }"), "11m", &["after the end of the run at 10m"]);
    check_text(&swarm("{ every: 5s, until: 8m, from: 1s }"), "1s", &["still starting until 5s"]);
    check_text(&swarm("{ every: 5s, until: 8m, kinds: [link] }"), "link", &["swarm.kinds[0]", "no links"]);
    check_text(&swarm("{ every: 5s, until: 8m, kinds: [gps_loss] }"), "gps_loss", &["no node of these has GPS"]);
    check_text(&swarm("{ every: 5s, until: 8m, kinds: [crsh] }"), "crsh", &["did you mean `crash`?"]);
    check_text(&swarm("{ every: 5s, until: 8m, kinds: [] }"), "[", &["no kind is left"]);
    check_text(&swarm("{ every: 5s, until: 8m, nodes: m* }"), "m*", &["no node matches"]);
    check_text(&swarm("{ every: 1us, until: 8m }"), "1us", &["more than 100000 faults"]);
}

#[test]
fn nodes_and_faults_that_have_nothing_to_do_with_it_change_no_draw() {
    let faults = "{ every: 10s, jitter: 5s, until: 9m, name: x, pause: { nodes: { any: 2, of: n* }, for: 1s } }";
    let before = format!("{}{SWARM}", text(faults));
    let more = before.replace("prefix: hub, count: 2", "prefix: hub, count: 7");
    assert_eq!(strikes(&before, 4), strikes(&more, 4));
    let other = "{ at: 30s, panic: { nodes: hub0, actor: eye } }";
    let more = before.replace(faults, &format!("{other}\n  - {faults}"));
    let same = |strike: &Strike| strike.mishap.nodes().is_some_and(|nodes| nodes.names().to_string() != "hub0");
    let strip = |strike: Strike| (strike.at, strike.name, strike.mishap);
    let after: Vec<_> = strikes(&more, 4).into_iter().filter(same).map(strip).collect();
    assert_eq!(strikes(&before, 4).into_iter().map(strip).collect::<Vec<_>>(), after);
}

#[test]
fn a_concrete_scenario_has_the_same_faults_and_nothing_left_to_draw() {
    let faults = "{ every: 10s, jitter: 5s, until: 9m, name: x, pause: { nodes: { any: 2, of: n* }, for: 1s } }
  - { at: 30s, partition: { random: uniform, for: 1m } }";
    let scenario = parse(&format!("{}{SWARM}liveness: {{ at: 9m, within: 1m }}\n", text(faults)));
    for seed in 0..10 {
        let concrete = scenario.concrete(seed);
        let again = parse(&serde_json::to_string_pretty(&concrete).expect("JSON"));
        assert_eq!(again.seed(), seed);
        let plain = |faults: Vec<Fault>| faults.into_iter().map(|f| (f.at, f.end, f.kind)).collect::<Vec<_>>();
        assert_eq!(plain(again.plan.faults(seed)), plain(scenario.plan.faults(seed)));
        assert_eq!(again.concrete(seed), concrete, "there is nothing more to say");
        assert!(concrete.get("swarm").is_none());
        let faults = concrete["faults"].as_array().expect("a list");
        assert!(faults.iter().all(|fault| fault["at"].is_string() && fault.get("every").is_none()));
        assert!(faults.iter().any(|fault| fault["name"] == "x"));
    }
}
