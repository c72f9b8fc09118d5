use std::collections::BTreeMap;

use super::*;
use crate::spec::{AutoShutdown, Restart, SpecError};

fn name(text: &str) -> ActorName {
    ActorName::new(text).expect("legal")
}

fn actor(text: &str) -> NodeSpec {
    NodeSpec::Actor(ChildSpec::new(name(text)))
}

fn spec(strategy: Strategy, children: impl Into<Vec<NodeSpec>>) -> TreeSpec {
    TreeSpec::new(strategy, children.into())
}

fn group(text: &str, strategy: Strategy, children: impl Into<Vec<NodeSpec>>) -> NodeSpec {
    NodeSpec::group(name(text), spec(strategy, children))
}

/// `a`, then the group `g` of `b` and `c`, which restart together, then `d`.
fn abcd(root: Strategy) -> TreeSpec {
    spec(root, [actor("a"), group("g", Strategy::OneForAll, [actor("b"), actor("c")]), actor("d")])
}

/// A tree whose events and actions are short texts, and whose actors stop at once.
struct Bench {
    tree: Tree,
    now: Mono,
    timers: BTreeMap<TimerId, Mono>,
}

impl Bench {
    fn new(spec: TreeSpec) -> Self {
        Self { tree: Tree::new(spec, Entropy::from(3)), now: Mono::ZERO, timers: BTreeMap::new() }
    }

    /// All are up.
    fn running(spec: TreeSpec) -> Self {
        let mut bench = Self::new(spec);
        bench.step(Event::Start);
        for child in bench.tree.actors() {
            bench.step(Event::Started { child, generation: Generation(1) });
        }
        assert!(bench.tree.is_up());
        bench
    }

    fn step(&mut self, event: Event) -> Vec<String> {
        let actions = self.tree.step(self.now, event);
        actions.into_iter().filter_map(|action| self.word(action)).collect()
    }

    /// Timers are left out.
    fn word(&mut self, action: Action) -> Option<String> {
        let life = |child, generation: Generation| format!("{}{}", self.tree.name(child).expect("known"), generation.0);
        Some(match action {
            Action::Start { child, generation } => format!("start {}", life(child, generation)),
            Action::Stop { child, generation, reason } => format!("stop {} {reason:?}", life(child, generation)),
            Action::Kill { child, generation } => format!("kill {}", life(child, generation)),
            Action::Arm { timer, at } => {
                self.timers.insert(timer, at);
                return None;
            }
            Action::Cancel(timer) => {
                self.timers.remove(&timer).expect("it was armed");
                return None;
            }
            Action::Emit { who, event } => format!("{} of {who}", event.name()),
            Action::Escalate { who, crashes, reason, .. } => format!("escalate {crashes} {who}: {reason}"),
            Action::Completed { who } => format!("completed {who}"),
            Action::Stopped => "stopped".to_owned(),
        })
    }

    fn life(&self, name: &str) -> (ChildId, Generation) {
        let child = self.tree.find(&super::tests::name(name)).expect("a child of the bench");
        (child, self.tree.generation(child).expect("it is there"))
    }

    fn up(&mut self, name: &str) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::Started { child, generation })
    }

    fn fails(&mut self, name: &str) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::StartFailed { child, generation, reason: "no device".to_owned() })
    }

    fn ends(&mut self, name: &str) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::Exited { child, generation, exit: Exit::Normal { reason: "done".to_owned() } })
    }

    fn crashes(&mut self, name: &str) -> Vec<String> {
        let (child, generation) = self.life(name);
        let exit = Exit::Crash { reason: "panic".to_owned(), on_message: false };
        self.step(Event::Exited { child, generation, exit })
    }

    /// The latest life of an actor that was removed is over.
    fn ends_removed(&mut self, child: ChildId) -> Vec<String> {
        let generation = self.tree.generation(child).expect("it is there");
        self.step(Event::Exited { child, generation, exit: Exit::Killed })
    }

    /// The time of the only timer comes.
    fn fire(&mut self) -> Vec<String> {
        let (timer, at) = self.timers.pop_first().expect("one is armed");
        assert!(self.timers.is_empty(), "{:?}", self.timers);
        self.now = at;
        self.step(Event::Timer(timer))
    }

    fn state(&self, name: &str) -> &'static str {
        self.tree.state(self.life(name).0).expect("it is there").as_str()
    }
}

const NOTHING: [&str; 0] = [];
const NODE_STOPS: Event = Event::Stop(StopReason::NodeShutdown);

#[test]
fn it_starts_depth_first_and_those_after_a_group_wait_for_all_of_it() {
    let mut bench = Bench::new(abcd(Strategy::OneForOne));
    assert_eq!(bench.step(Event::Start), ["start a1"]);
    assert_eq!(bench.up("a"), ["start b1"]);
    assert_eq!(bench.up("b"), ["start c1"]);
    assert_eq!((bench.state("c"), bench.state("d")), ("starting", "pending"));
    assert_eq!(bench.up("c"), ["start d1"]);
    assert!(!bench.tree.is_up());
    assert_eq!(bench.up("d"), NOTHING);
    assert!(bench.tree.is_up());
}

#[test]
fn it_stops_in_the_reverse_order() {
    let mut bench = Bench::running(abcd(Strategy::OneForOne));
    assert_eq!(bench.step(NODE_STOPS), ["stop d1 NodeShutdown"]);
    assert_eq!(bench.ends("d"), ["stop c1 NodeShutdown"]);
    assert_eq!(bench.ends("c"), ["stop b1 NodeShutdown"]);
    assert_eq!(bench.ends("b"), ["stop a1 NodeShutdown"]);
    assert_eq!(bench.ends("a"), ["stopped"]);
    assert!(bench.tree.is_over() && !bench.tree.is_running());
}

#[test]
fn a_crash_in_a_group_is_the_business_of_the_group() {
    let mut bench = Bench::running(abcd(Strategy::OneForAll));
    assert_eq!(bench.crashes("b"), ["stop c1 Restart"]);
    assert_eq!(bench.ends("c"), ["start b2"]);
    assert_eq!(bench.up("b"), ["start c2"]);
    assert_eq!((bench.state("a"), bench.state("d")), ("running", "running"));
}

/// The first crash in `g` is one too many for it.
fn strict(root: Strategy) -> TreeSpec {
    let mut tree = abcd(root);
    if let NodeSpec::Group { spec, .. } = &mut tree.children[1] {
        spec.intensity.crashes = 0;
    }
    tree
}

#[test]
fn a_group_beyond_its_intensity_is_begun_anew_by_its_parent_and_lives_count_on() {
    let mut bench = Bench::running(strict(Strategy::OneForOne));
    let old = bench.life("c");
    assert_eq!(bench.crashes("c"), ["escalated of c", "stop b1 Restart"]);
    assert_eq!(bench.ends("b"), ["start b2"]);
    assert_eq!(bench.up("b"), ["start c2"]);
    let (child, generation) = old;
    assert_eq!(bench.step(Event::Exited { child, generation, exit: Exit::Killed }), NOTHING, "it is over");
    assert_eq!(bench.up("c"), NOTHING);
    assert_eq!(bench.crashes("c"), ["escalated of c", "stop b2 Restart"]);
    assert_eq!(bench.ends("b"), ["restart_scheduled of g"]);
    assert_eq!((bench.state("b"), bench.state("a")), ("pending", "running"));
    assert_eq!(bench.tree.view()[1].state, ChildState::BackingOff);
    assert_eq!(bench.fire(), ["start b3"]);
    assert_eq!((bench.tree.restarts(child), bench.tree.view()[1].restarts), (Some(1), 2));
}

#[test]
fn the_strategy_above_a_group_decides_who_restarts_with_it() {
    let mut bench = Bench::running(strict(Strategy::RestForOne));
    bench.crashes("b");
    assert_eq!(bench.ends("c"), ["stop d1 Restart"]);
    assert_eq!(bench.ends("d"), ["start b2"]);
    assert_eq!(bench.up("b"), ["start c2"]);
    assert_eq!(bench.up("c"), ["start d2"], "d waits for the whole group");
    assert_eq!(bench.state("a"), "running");
}

#[test]
fn a_group_that_restarts_with_a_sibling_tells_its_children_so() {
    let mut bench = Bench::running(abcd(Strategy::OneForAll));
    assert_eq!(bench.crashes("a"), ["stop d1 Restart"]);
    assert_eq!(bench.ends("d"), ["stop c1 Restart"]);
    assert_eq!(bench.ends("c"), ["stop b1 Restart"]);
    assert_eq!(bench.ends("b"), ["start a2"]);
    assert_eq!(bench.up("a"), ["start b2"]);
}

#[test]
fn the_root_gives_up_with_a_reason_that_names_group_and_child() {
    let mut tree = strict(Strategy::OneForOne);
    tree.intensity.crashes = 0;
    let mut bench = Bench::running(tree);
    bench.crashes("b");
    assert_eq!(bench.ends("c"), ["escalated of g", "stop d1 NodeShutdown"]);
    assert_eq!(bench.ends("d"), ["stop a1 NodeShutdown"]);
    assert_eq!(bench.ends("a"), ["escalate 1 g: b: panic"]);
    assert_eq!((bench.state("b"), bench.tree.is_over()), ("ended", true));
}

#[test]
fn a_group_whose_first_start_fails_ends_the_node() {
    let mut bench = Bench::new(abcd(Strategy::OneForOne));
    bench.step(Event::Start);
    bench.up("a");
    bench.up("b");
    assert_eq!(bench.fails("c"), ["escalated of c", "stop b1 Restart"]);
    assert_eq!(bench.ends("b"), ["escalated of g", "stop a1 NodeShutdown"]);
    assert_eq!(bench.ends("a"), ["escalate 1 g: c: no device"]);
}

#[test]
fn a_later_start_of_a_group_that_fails_is_tried_again() {
    let mut bench = Bench::running(strict(Strategy::OneForOne));
    bench.crashes("b");
    assert_eq!(bench.ends("c"), ["start b2"]);
    assert_eq!(bench.fails("b"), ["escalated of b", "restart_scheduled of g"]);
    assert_eq!(bench.fire(), ["start b3"]);
}

/// `a`, then a group `g` of the transient `b`, which is significant, and `c`.
fn with_significant(restart: Restart) -> TreeSpec {
    let b = ChildSpec { restart: Restart::Transient, significant: true, ..ChildSpec::new(name("b")) };
    let inner = TreeSpec {
        auto_shutdown: AutoShutdown::AnySignificant,
        ..spec(Strategy::OneForOne, [NodeSpec::Actor(b), actor("c")])
    };
    let significant = restart != Restart::Permanent;
    let group = NodeSpec::Group { name: name("g"), restart, significant, spec: inner };
    TreeSpec { auto_shutdown: AutoShutdown::AnySignificant, ..spec(Strategy::OneForOne, [actor("a"), group]) }
}

#[test]
fn the_end_of_a_significant_child_is_the_normal_end_of_its_group() {
    let mut bench = Bench::running(with_significant(Restart::Permanent));
    assert_eq!(bench.ends("b"), ["stop c1 Command"]);
    assert_eq!(bench.ends("c"), ["start b2"], "a permanent group lives again");

    let mut bench = Bench::running(with_significant(Restart::Transient));
    bench.ends("b");
    assert_eq!(bench.ends("c"), ["stop a1 NodeShutdown"], "a significant group ends all");
    assert_eq!(bench.ends("a"), ["completed g"]);
}

#[test]
fn groups_stand_in_groups() {
    let inner = group("inner", Strategy::RestForOne, [actor("b"), actor("c")]);
    let outer = group("outer", Strategy::OneForAll, [actor("a"), inner]);
    let mut bench = Bench::running(spec(Strategy::OneForOne, [outer, actor("d")]));
    assert_eq!(bench.crashes("a"), ["stop c1 Restart"]);
    assert_eq!(bench.ends("c"), ["stop b1 Restart"]);
    assert_eq!(bench.ends("b"), ["start a2"]);
    assert_eq!(bench.up("a"), ["start b2"]);
    assert_eq!(bench.up("b"), ["start c2"]);
    let all = |of: &str| bench.tree.find_all(&name(of)).into_iter().map(|child| child.0).collect::<Vec<_>>();
    assert!(bench.tree.groups().map(ActorName::as_str).eq(["outer", "inner"]));
    assert_eq!((all("outer"), all("inner"), all("d"), all("nobody")), (vec![0, 1, 2], vec![1, 2], vec![3], vec![]));
}

#[test]
fn the_end_of_the_node_reaches_groups_that_go_down_already() {
    let mut bench = Bench::running(abcd(Strategy::OneForAll));
    bench.crashes("a");
    assert_eq!(bench.ends("d"), ["stop c1 Restart"]);
    assert_eq!(bench.step(NODE_STOPS), NOTHING);
    assert_eq!(bench.ends("c"), ["stop b1 NodeShutdown"]);
    assert_eq!(bench.ends("b"), ["stopped"]);
}

#[test]
fn a_group_that_gives_up_while_the_node_ends_tells_its_children_that_it_is_the_end() {
    let mut bench = Bench::running(strict(Strategy::OneForOne));
    bench.step(NODE_STOPS);
    assert_eq!(bench.crashes("b"), ["escalated of b", "stop c1 NodeShutdown"]);
    assert_eq!(bench.ends("c"), NOTHING);
    assert_eq!(bench.ends("d"), ["stop a1 NodeShutdown"]);
}

#[test]
fn until_its_turn_to_stop_has_come_a_group_keeps_its_actors_up() {
    let mut bench = Bench::running(abcd(Strategy::OneForOne));
    bench.step(NODE_STOPS);
    assert_eq!(bench.crashes("b"), ["stop c1 Restart"]);
    assert_eq!(bench.ends("c"), ["start b2"]);
    assert_eq!(bench.ends("d"), ["stop b2 NodeShutdown"]);
}

#[test]
fn an_added_actor_stands_under_the_root_and_a_removed_one_stays_away() {
    let mut bench = Bench::running(strict(Strategy::OneForOne));
    assert_eq!(bench.step(Event::Add(ChildSpec::new(name("e")))), ["start e1"]);
    assert_eq!(bench.life("e").0, ChildId(4));
    assert_eq!(bench.step(Event::Remove(ChildId(1))), ["stop b1 Command"]);
    assert_eq!(bench.tree.find(&name("b")), None);
    let child = ChildId(1);
    bench.ends_removed(child);
    assert_eq!(bench.crashes("c"), ["escalated of c", "start c2"], "without b");
    assert_eq!(bench.tree.state(child), Some(ChildState::Ended));
    assert_eq!(bench.step(Event::Restart(child)), NOTHING);
    assert_eq!(bench.step(Event::Restart(ChildId(2))), ["stop c2 Restart"]);
    bench.step(NODE_STOPS);
    assert_eq!(bench.step(Event::Add(ChildSpec::new(name("f")))), NOTHING);
    assert_eq!(bench.tree.find(&name("f")), None);
}

#[test]
fn a_view_shows_the_tree_as_it_is() {
    let mut bench = Bench::running(abcd(Strategy::RestForOne));
    bench.crashes("c");
    bench.step(Event::Remove(ChildId(3)));
    let shown = |view: &View<'_>| format!("{} {} {}", view.name, view.state, view.restarts);
    let view = bench.tree.view();
    assert_eq!(view.iter().map(shown).collect::<Vec<_>>(), ["a running 0", "g running 0", "d stopping 0"]);
    let ViewKind::Group { strategy: Strategy::OneForAll, children } = &view[1].kind else { panic!("{view:?}") };
    assert_eq!(children.iter().map(shown).collect::<Vec<_>>(), ["b stopping 0", "c pending 0"]);
    assert_eq!(children[1].kind, ViewKind::Actor { child: ChildId(2), generation: Generation(1) });
    bench.ends_removed(ChildId(3));
    assert_eq!(bench.tree.view().len(), 2, "d is gone");
}

#[test]
fn mistakes_are_found_in_the_whole_tree() {
    let check = |children: Vec<NodeSpec>| spec(Strategy::OneForOne, children).check();
    assert_eq!(abcd(Strategy::OneForOne).check(), Ok(()));
    assert_eq!(with_significant(Restart::Temporary).check(), Ok(()));
    let twice = group("g", Strategy::OneForOne, [actor("a")]);
    assert_eq!(check(vec![actor("a"), twice]), Err(SpecError::NameTwice(name("a"))));
    let same = group("g", Strategy::OneForOne, [actor("g")]);
    assert_eq!(check(vec![same]), Err(SpecError::NameTwice(name("g"))));
    let empty = group("g", Strategy::OneForOne, []);
    assert_eq!(check(vec![empty]), Err(SpecError::EmptyGroup(name("g"))));
    let significant = |restart| NodeSpec::Group {
        name: name("g"),
        restart,
        significant: true,
        spec: spec(Strategy::OneForOne, [actor("a")]),
    };
    assert_eq!(check(vec![significant(Restart::Permanent)]), Err(SpecError::SignificantPermanent(name("g"))));
    assert_eq!(check(vec![significant(Restart::Transient)]), Err(SpecError::SignificantInVain(name("g"))));
}
