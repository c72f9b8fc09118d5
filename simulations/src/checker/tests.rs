use super::*;

const SECOND: u64 = 1_000_000_000;

fn unit(name: &str) -> UnitId {
    name.parse().expect("legal")
}

fn any(event: &str) -> Filter {
    Filter { event: event.to_owned(), nodes: None, actor: None, about: None, words: event.to_owned() }
}

fn on(event: &str, nodes: &[u32]) -> Filter {
    Filter { nodes: Some(nodes.to_vec()), ..any(event) }
}

fn about(filter: Filter, units: &[&str]) -> Filter {
    Filter { about: Some(units.iter().map(|name| (unit(name), ())).collect()), ..filter }
}

fn watching(rule: Rule) -> Checker {
    let mut checker = Checker::new([Expectation { name: "it".to_owned(), line: 7, rule }]);
    ["hub0", "hub1", "n0"].into_iter().for_each(|name| checker.add(unit(name)));
    checker
}

fn judgement(mut checker: Checker, end: u64) -> Judgement {
    let [verdict] = checker.verdicts(end).try_into().expect("one expectation");
    assert_eq!((verdict.name.as_str(), verdict.line), ("it", 7));
    verdict.judgement
}

fn broken(checker: Checker, end: u64) -> (Duration, String) {
    match judgement(checker, end) {
        Judgement::Broken { at, why, .. } => (at, why),
        other @ (Judgement::Met { .. } | Judgement::Untried { .. }) => panic!("not broken: {other:?}"),
    }
}

fn see(checker: &mut Checker, at: u64, node: u32, event: &Event) {
    let actor: ActorName = "monitor".parse().expect("legal");
    checker.event(&Sighting { at, node, actor: Some(&actor), event });
}

fn offline(name: &str) -> Event {
    Event::UnitOffline { unit: unit(name), reason: "silent".into() }
}

fn within(limit: u64, after: Trigger, see: Filter) -> Rule {
    Rule::Within { limit, after, see, same: Same::Nothing }
}

#[test]
fn what_must_never_be_seen_breaks_when_it_is() {
    let rule = || Rule::Always { without: any("unit_offline"), from: 0, until: 10 * SECOND };
    assert_eq!(judgement(watching(rule()), 10 * SECOND), Judgement::Met { tests: 1 });
    let mut checker = watching(rule());
    see(&mut checker, 2 * SECOND, 1, &Event::BusConnected);
    see(&mut checker, 3 * SECOND, 1, &offline("n0"));
    let (at, why) = broken(checker, 10 * SECOND);
    assert_eq!(at, Duration::from_secs(3));
    assert!(why.starts_with("hub1 monitor: n0 is OFFLINE"), "{why}");
}

#[test]
fn a_filter_tells_nodes_actors_and_units_apart() {
    let rule = || Rule::Always { without: about(on("unit_offline", &[0]), &["n0"]), from: 0, until: 9 };
    for (node, name, breaks) in [(0, "n0", true), (1, "n0", false), (0, "hub1", false)] {
        let mut checker = watching(rule());
        see(&mut checker, 1, node, &offline(name));
        assert_eq!(judgement(checker, 9).is_broken(), breaks, "{node} {name}");
    }
    let actor = Filter { actor: Some("echo".parse().expect("legal")), ..any("unit_offline") };
    let mut checker = watching(Rule::Always { without: actor, from: 0, until: 9 });
    see(&mut checker, 1, 0, &offline("n0"));
    assert!(!judgement(checker, 9).is_broken());
}

#[test]
fn always_may_begin_late_and_end_early() {
    for (at, breaks) in [(1, false), (2, true), (4, true), (5, false)] {
        let mut checker = watching(Rule::Always { without: any("unit_offline"), from: 2, until: 4 });
        see(&mut checker, at, 0, &offline("n0"));
        assert_eq!(judgement(checker, 9).is_broken(), breaks, "{at}");
    }
}

#[test]
fn what_is_seen_at_the_last_instant_is_in_time_and_after_it_is_not() {
    for (at, breaks) in [(5, false), (15, false), (16, true)] {
        let mut checker = watching(within(10, Trigger::Fault(3), any("unit_offline")));
        checker.fault(5, 3, true);
        see(&mut checker, at, 0, &offline("n0"));
        assert_eq!(judgement(checker, 99).is_broken(), breaks, "{at}");
    }
}

#[test]
fn what_was_seen_before_the_trigger_does_not_count() {
    let mut checker = watching(within(10, Trigger::Fault(0), any("unit_offline")));
    see(&mut checker, 4, 0, &offline("n0"));
    checker.fault(5, 1, true);
    checker.fault(5, 0, false);
    checker.fault(5, 0, true);
    let (at, why) = broken(checker, 99);
    assert_eq!(at, Duration::from_nanos(15));
    assert!(why.contains("no unit_offline within"), "{why}");
}

#[test]
fn it_must_be_seen_on_each_node_about_each_unit() {
    let rule = || within(10, Trigger::EndOf(0), about(on("unit_offline", &[0, 1]), &["n0", "hub0"]));
    let all = [(0, "n0"), (0, "hub0"), (1, "n0"), (1, "hub0")];
    let mut complete = watching(rule());
    complete.fault(1, 0, false);
    all.iter().for_each(|(node, name)| see(&mut complete, 2, *node, &offline(name)));
    assert_eq!(judgement(complete, 99), Judgement::Met { tests: 1 });
    let mut partial = watching(rule());
    partial.fault(1, 0, false);
    all[..3].iter().for_each(|(node, name)| see(&mut partial, 2, *node, &offline(name)));
    let (_, why) = broken(partial, 99);
    assert!(why.contains("about hub0 on hub1; 1 of 4 missing"), "{why}");
}

#[test]
fn every_trigger_counts_and_the_same_actor_can_be_demanded() {
    let rule =
        |same| Rule::Within { limit: 10, after: Trigger::Seen(any("unit_offline")), see: any("bus_connected"), same };
    for (same, node, breaks) in [(Same::Nothing, 1, false), (Same::Node, 1, true), (Same::Actor, 0, false)] {
        let mut checker = watching(rule(same));
        see(&mut checker, 1, 0, &offline("n0"));
        see(&mut checker, 2, node, &Event::BusConnected);
        assert_eq!(judgement(checker, 99).is_broken(), breaks, "{same:?}");
    }
    let mut twice = watching(rule(Same::Nothing));
    see(&mut twice, 1, 0, &offline("n0"));
    see(&mut twice, 2, 0, &Event::BusConnected);
    see(&mut twice, 3, 0, &offline("n0"));
    assert_eq!(broken(twice, 99).0, Duration::from_nanos(13));
}

#[test]
fn what_was_never_put_to_the_test_says_so() {
    let never = watching(within(10, Trigger::Seen(any("unit_offline")), any("bus_connected")));
    assert!(matches!(judgement(never, 99), Judgement::Untried { .. }));
    let mut late = watching(within(10, Trigger::Seen(any("unit_offline")), any("bus_connected")));
    see(&mut late, 95, 0, &offline("n0"));
    assert!(matches!(judgement(late, 99), Judgement::Untried { .. }));
    let start = watching(within(10, Trigger::Start, any("bus_connected")));
    assert_eq!(broken(start, 99).0, Duration::from_nanos(10));
}
