use std::time::Duration;

use nunect_core::Health;
use nunect_core::protocol::command::MailboxReport;

use super::condition::Standing;
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

fn judgement(checker: Checker, end: u64) -> Judgement {
    verdict(checker, end, &Stage::default()).judgement
}

fn verdict(mut checker: Checker, end: u64, stage: &Stage) -> Verdict {
    let [verdict] = checker.verdicts(end, stage).try_into().expect("one expectation");
    assert_eq!((verdict.name.as_str(), verdict.line), ("it", 7));
    verdict
}

/// Three nodes that are as a test wants them, the first two of which monitor.
#[derive(Debug, Default)]
struct Stage {
    down: Vec<u32>,
    away: Vec<u32>,
    sick: Vec<u32>,
    known: Table<UnitId, Health>,
    waiting: u64,
    restarts: u32,
}

impl Scene for Stage {
    fn nodes(&self) -> u32 {
        3
    }
    fn unit(&self, node: u32) -> &str {
        ["hub0", "hub1", "n0"][index(node)]
    }
    fn is_up(&self, node: u32) -> bool {
        !self.down.contains(&node)
    }
    fn is_connected(&self, node: u32) -> bool {
        !self.down.contains(&node) && !self.away.contains(&node)
    }
    fn health(&self, node: u32) -> Health {
        match (self.is_up(node), self.sick.contains(&node)) {
            (false, _) => Health::Offline,
            (true, true) => Health::Degraded,
            (true, false) => Health::Ok,
        }
    }
    fn directory(&self, node: u32) -> Option<&Table<UnitId, Health>> {
        (node < 2 && self.is_up(node)).then_some(&self.known)
    }
    fn mailbox(&self, node: u32, slot: u32) -> Option<MailboxReport> {
        let report = MailboxReport { depth: self.waiting, capacity: 9, dropped: 0, poisoned: slot.into() };
        self.is_up(node).then_some(report)
    }
    fn restarts(&self, node: u32, _: u32) -> Option<u32> {
        self.is_up(node).then_some(self.restarts)
    }
}

fn knowing(units: &[(&str, Health)]) -> Stage {
    Stage { known: units.iter().map(|(name, health)| (unit(name), *health)).collect(), ..Stage::default() }
}

/// Lets the checker look whenever it wants to, up to an instant.
fn look(checker: &mut Checker, until: u64, stage: &Stage) {
    while checker.due() <= until {
        checker.look(checker.due(), stage);
    }
}

fn broken(checker: Checker, end: u64) -> (Duration, String) {
    match judgement(checker, end) {
        Judgement::Broken { at, why, .. } => (at, why),
        other @ (Judgement::Met { .. } | Judgement::Untried { .. } | Judgement::Unmet { .. }) => {
            panic!("not broken: {other:?}")
        }
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

fn seen(standing: Standing, by: Option<&[u32]>) -> Condition {
    Condition::Unit { units: vec![unit("n0")], standing, seen_by: by.map(<[u32]>::to_vec) }
}

fn nodes_up() -> Condition {
    Condition::Node { nodes: vec![0, 1, 2], up: Some(true), connected: None, health: None }
}

#[test]
fn a_unit_is_seen_by_those_who_monitor_and_run() {
    use condition::Look;
    let check = |condition: &Condition, stage: &Stage, holds: bool| {
        assert_eq!(condition.look(stage) == Look::Holds, holds, "{condition:?} {stage:?}");
    };
    let sick = knowing(&[("n0", Health::Degraded)]);
    check(&seen(Standing::Online, None), &sick, true);
    check(&seen(Standing::Just(Health::Degraded), Some(&[0])), &sick, true);
    check(&seen(Standing::Just(Health::Ok), None), &sick, false);
    check(&seen(Standing::Unknown, None), &sick, false);
    let others = knowing(&[("hub0", Health::Ok)]);
    check(&seen(Standing::Online, None), &others, false);
    check(&seen(Standing::Unknown, Some(&[0, 1])), &others, true);
    // Nobody who monitors runs, or has heard of anybody: there is nothing to look at.
    assert_eq!(seen(Standing::Online, Some(&[0])).look(&Stage { down: vec![0], ..others }), Look::Nothing);
    assert_eq!(seen(Standing::Online, None).look(&Stage::default()), Look::Nothing);
    let Look::Fails(why) = seen(Standing::Online, None).look(&knowing(&[("n0", Health::Offline)])) else {
        panic!("it is OFFLINE")
    };
    assert_eq!(why, "hub0: n0 is OFFLINE");
}

#[test]
fn nodes_mailboxes_and_supervisors_are_looked_at() {
    use condition::Look;
    let node = |up, connected, health| Condition::Node { nodes: vec![2], up, connected, health };
    let away = Stage { away: vec![2], sick: vec![2], waiting: 5, restarts: 3, ..Stage::default() };
    assert_eq!(node(Some(true), Some(false), Some(Health::Degraded)).look(&away), Look::Holds);
    assert_eq!(node(None, Some(true), None).look(&away), Look::Fails("n0 is not connected".to_owned()));
    assert_eq!(node(None, None, Some(Health::Ok)).look(&away), Look::Fails("n0 is DEGRADED".to_owned()));
    let mailbox = |depth: &str| {
        let depth = Some(depth.parse().expect("legal"));
        Condition::Mailbox { of: vec![(2, vec![0, 1])], depth, dropped: None, quarantined: None }
    };
    assert_eq!(mailbox("<= 5").look(&away), Look::Holds);
    assert_eq!(mailbox("< 5").look(&away), Look::Fails("n0: 5 waiting and not < 5".to_owned()));
    assert_eq!(mailbox("< 5").look(&Stage { down: vec![2], ..Stage::default() }), Look::Nothing);
    let restarts =
        |each| Condition::Restarts { of: vec![(2, vec![0, 1])], each, restarts: "<= 3".parse().expect("legal") };
    assert_eq!(restarts(true).look(&away), Look::Holds);
    assert_eq!(restarts(false).look(&away), Look::Fails("n0: 6 restarts and not <= 3".to_owned()));
}

#[test]
fn what_must_hold_is_looked_at_once_a_second_and_at_both_ends() {
    let rule = || Rule::Hold { what: nodes_up(), from: 1_500_000_000, until: 4_200_000_000 };
    let mut looks = Vec::new();
    let mut checker = watching(rule());
    while checker.due() < u64::MAX {
        looks.push(checker.due());
        checker.look(checker.due(), &Stage::default());
    }
    assert_eq!(looks, [1_500_000_000, 2 * SECOND, 3 * SECOND, 4 * SECOND, 4_200_000_000]);
    assert_eq!(judgement(checker, 9 * SECOND), Judgement::Met { tests: 1 });
    let mut checker = watching(rule());
    look(&mut checker, 2 * SECOND, &Stage::default());
    look(&mut checker, 3 * SECOND, &Stage { down: vec![1], ..Stage::default() });
    look(&mut checker, 9 * SECOND, &Stage::default());
    assert_eq!(broken(checker, 9 * SECOND), (Duration::from_secs(3), "hub1 is down".to_owned()));
    assert!(matches!(judgement(watching(rule()), SECOND), Judgement::Untried { .. }));
}

#[test]
fn a_state_must_be_reached_in_time_after_each_trigger() {
    let rule = || Rule::Reach { limit: 1_500_000_000, after: Trigger::Fault(1), what: nodes_up() };
    let down = Stage { down: vec![2], ..Stage::default() };
    let mut never = watching(rule());
    look(&mut never, 9 * SECOND, &Stage::default());
    assert!(matches!(judgement(never, 9 * SECOND), Judgement::Untried { .. }));
    for (recovers, met) in [(4 * SECOND, true), (4_500_000_000, true), (5 * SECOND, false)] {
        let mut checker = watching(rule());
        checker.fault(3 * SECOND, 1, true);
        look(&mut checker, recovers - 1, &down);
        look(&mut checker, 9 * SECOND, &Stage::default());
        assert_eq!(!judgement(checker, 9 * SECOND).is_broken(), met, "{recovers}");
    }
    let mut checker = watching(rule());
    checker.fault(3 * SECOND, 1, true);
    look(&mut checker, 9 * SECOND, &down);
    let (at, why) = broken(checker, 9 * SECOND);
    assert_eq!((at, why.as_str()), (Duration::from_millis(4_500), "not within 1s 500ms of 3s: n0 is down"));
}

#[test]
fn eventually_is_what_is_so_at_the_end() {
    let rule = || Rule::Finally { what: nodes_up(), end: 9 * SECOND };
    let down = Stage { down: vec![2], ..Stage::default() };
    assert_eq!(verdict(watching(rule()), 9 * SECOND, &Stage::default()).judgement, Judgement::Met { tests: 1 });
    assert!(verdict(watching(rule()), 9 * SECOND, &down).judgement.is_broken());
    assert!(matches!(verdict(watching(rule()), 8 * SECOND, &down).judgement, Judgement::Untried { .. }));
    assert_eq!(watching(rule()).due(), u64::MAX, "nobody looks before");
}

#[test]
fn what_runs_show_sometimes_is_unmet_and_not_broken() {
    let rule = || Rule::Sometimes { see: any("unit_offline") };
    let unmet = verdict(watching(rule()), 99, &Stage::default());
    assert!(unmet.judgement.is_unmet() && unmet.sometimes && unmet.failure().is_none(), "{unmet:?}");
    let mut checker = watching(rule());
    see(&mut checker, 1, 0, &offline("n0"));
    assert_eq!(judgement(checker, 99), Judgement::Met { tests: 1 });

    let rule = || Rule::SometimesSo { what: nodes_up() };
    let down = Stage { down: vec![2], ..Stage::default() };
    let mut checker = watching(rule());
    look(&mut checker, 5 * SECOND, &down);
    let Judgement::Unmet { why } = verdict(checker, 5 * SECOND, &down).judgement else { panic!("never so") };
    assert_eq!(why, "it was never so, at last: n0 is down");
    let mut checker = watching(rule());
    look(&mut checker, 2 * SECOND, &down);
    look(&mut checker, 3 * SECOND, &Stage::default());
    assert_eq!(checker.due(), u64::MAX, "once is enough");
    assert_eq!(verdict(checker, 5 * SECOND, &down).judgement, Judgement::Met { tests: 1 });
}

#[test]
fn a_mesh_has_recovered_when_all_are_well_and_seen() {
    let check = |stage: &Stage, why: Option<&str>| {
        let Expectation { rule, .. } = Expectation::recovery(SECOND, 9 * SECOND);
        let mut checker = watching(rule);
        look(&mut checker, 9 * SECOND, stage);
        match (verdict(checker, 9 * SECOND, stage).judgement, why) {
            (Judgement::Broken { at, why, .. }, Some(wanted)) => {
                assert_eq!((at, why.as_str()), (Duration::from_secs(1), wanted));
            }
            (Judgement::Met { .. }, None) => {}
            (other, _) => panic!("{other:?} and not {why:?}"),
        }
    };
    let all = || knowing(&[("hub0", Health::Ok), ("hub1", Health::Degraded), ("n0", Health::Ok)]);
    check(&all(), None);
    check(&Stage::default(), None);
    check(&Stage { down: vec![1], ..all() }, Some("hub1 is down"));
    check(&Stage { away: vec![2], ..all() }, Some("n0 is not connected"));
    check(&Stage { sick: vec![0], ..all() }, Some("hub0 is DEGRADED"));
    check(&knowing(&[("hub0", Health::Ok), ("hub1", Health::Ok)]), Some("hub0: n0 is never heard of"));
}

#[test]
fn a_failure_is_called_alike_whenever_and_wherever_it_happens() {
    let key = |at, node, name| {
        let mut checker = watching(Rule::Always { without: any("unit_offline"), from: 0, until: 99 });
        see(&mut checker, at, node, &offline(name));
        verdict(checker, 99, &Stage::default()).failure().expect("broken").to_string()
    };
    assert_eq!(key(1, 0, "n0"), key(7, 1, "hub0"));
    assert_eq!(key(1, 0, "n0"), "it (unit_offline)");
}
