//! Trees of any shape on the same stage.

use std::collections::BTreeSet;

use nunect_core::random::Entropy;
use nunect_core::{ActorName, StopReason};
use nunect_supervisor::{
    Action, AutoShutdown, ChildId, ChildState, Event, Exit, NodeSpec, Restart, Spec, Strategy, Supervisor, Tree,
    TreeSpec, View, ViewKind,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

use crate::host::Host;
use crate::scenario::{Disturbance, Fortune, Scenario, any_strategy, disturbance, fortune, gap_ms, scenario, spec};
use crate::stage::{Play, Stage};
use crate::{ended, started};

/// A tree on a stage.
struct Grove {
    stage: Stage,
    tree: Tree,
    actions: Vec<Action>,
    removed: BTreeSet<ChildId>,
    /// The actors in groups: these keep them up until it is their turn to stop.
    grouped: BTreeSet<ChildId>,
    closing: bool,
}

impl Play for Grove {
    fn stage(&mut self) -> &mut Stage {
        &mut self.stage
    }

    fn tell(&mut self, event: Event) {
        self.stage.note(&event);
        if let Event::Remove(child) = event {
            self.removed.insert(child);
        }
        self.closing |= matches!(event, Event::Stop(_));
        assert!(!self.actions.iter().any(is_last) || self.tree.is_over());
        let actions = self.tree.step(self.stage.now, event);
        for action in &actions {
            if let Action::Start { child, .. } = action {
                assert!(!self.removed.contains(child), "{child:?} was removed");
                assert!(!self.closing || self.grouped.contains(child), "{child:?} is started though all go down");
            }
            self.stage.perform(action);
        }
        self.closing |= self.tree.is_closing() || self.tree.is_over();
        if actions.iter().any(is_last) {
            assert!(is_last(&actions[actions.len() - 1]) && self.stage.alive().is_empty());
        }
        self.actions.extend(actions);
        let alive = |child: &ChildId| self.tree.state(*child).is_some_and(ChildState::is_alive);
        assert_eq!(self.tree.actors().filter(alive).collect::<Vec<_>>(), self.stage.alive());
        assert_eq!(self.tree.is_running(), !self.stage.alive().is_empty());
    }
}

const fn is_last(action: &Action) -> bool {
    matches!(action, Action::Stopped | Action::Completed { .. } | Action::Escalate { .. })
}

impl Grove {
    fn new(spec: TreeSpec, fortunes: Vec<Fortune>, seed: u64) -> Self {
        let in_group = |name: &ActorName| {
            let direct = |node: &NodeSpec| matches!(node, NodeSpec::Actor(actor) if actor.name == *name);
            !spec.children.iter().any(direct)
        };
        let actors = (0..).map(ChildId).zip(spec.actors());
        let grouped = actors.filter(|(_, actor)| in_group(&actor.name)).map(|(child, _)| child).collect();
        let stage = Stage::new(spec.actors().into_iter().cloned().collect(), fortunes);
        let tree = Tree::new(spec, Entropy::from(seed));
        Self { stage, tree, actions: Vec::new(), removed: BTreeSet::new(), grouped, closing: false }
    }

    /// All actors are up.
    fn all_up(spec: TreeSpec) -> Self {
        let mut grove = Self::new(spec, vec![Fortune::GOOD], 1);
        grove.tell(Event::Start);
        grove.settle();
        grove
    }

    fn settle(&mut self) {
        self.stage.calm = true;
        self.pass(None);
        assert!(self.stage.is_at_rest());
    }

    /// What is done about an event, up to the end.
    fn after(&mut self, event: Event) -> Vec<Action> {
        self.actions.clear();
        self.tell(event);
        self.settle();
        std::mem::take(&mut self.actions)
    }

    fn crash(&mut self, child: ChildId) -> Vec<Action> {
        let generation = self.tree.generation(child).expect("it is there");
        let exit = Exit::Crash { reason: "test".to_owned(), on_message: false };
        self.after(Event::Exited { child, generation, exit })
    }
}

/// A tree without the groups' names, which come after the shape.
fn shape() -> impl Generator<Value = TreeSpec> {
    let flat = || spec(any_strategy()).prop_map(|spec| tree_of(&spec));
    flat().prop_recursive(2, 16, 3, move |below| {
        let group = (below, restart(), prop::bool::weighted(0.3)).prop_map(|(spec, restart, significant)| {
            let name = ActorName::new("group").expect("legal");
            NodeSpec::Group { name, restart, significant, spec }
        });
        (flat(), prop::collection::vec((group, any::<prop::sample::Index>()), 0..3)).prop_map(|(mut spec, groups)| {
            for (group, at) in groups {
                spec.children.insert(at.index(spec.children.len() + 1), group);
            }
            spec
        })
    })
}

fn restart() -> impl Generator<Value = Restart> {
    prop_oneof![4 => Just(Restart::Permanent), 2 => Just(Restart::Transient), 1 => Just(Restart::Temporary)]
}

fn any_tree() -> impl Generator<Value = TreeSpec> {
    shape().prop_map(|mut spec| {
        rename(&mut spec, &mut 0);
        spec
    })
}

fn rename(spec: &mut TreeSpec, count: &mut u32) {
    for child in &mut spec.children {
        *count += 1;
        let fresh = ActorName::new(&format!("node-{count}")).expect("legal");
        match child {
            NodeSpec::Actor(actor) => actor.name = fresh,
            NodeSpec::Group { name, spec, .. } => {
                *name = fresh;
                rename(spec, count);
            }
        }
    }
}

fn tree_of(spec: &Spec) -> TreeSpec {
    TreeSpec {
        strategy: spec.strategy,
        intensity: spec.intensity,
        backoff: spec.backoff,
        auto_shutdown: spec.auto_shutdown,
        children: spec.children.iter().cloned().map(NodeSpec::Actor).collect(),
    }
}

/// Everybody is permanent, so that all who are affected come back.
fn permanent(spec: &mut TreeSpec) {
    spec.auto_shutdown = AutoShutdown::Never;
    for child in &mut spec.children {
        match child {
            NodeSpec::Actor(actor) => actor.restart = Restart::Permanent,
            NodeSpec::Group { restart, spec, .. } => {
                *restart = Restart::Permanent;
                permanent(spec);
            }
        }
    }
}

/// The permanent actors that stand below permanent groups only.
fn must_run(spec: &TreeSpec) -> Vec<ActorName> {
    let mut names = Vec::new();
    for child in &spec.children {
        match child {
            NodeSpec::Actor(actor) if actor.restart == Restart::Permanent => names.push(actor.name.clone()),
            NodeSpec::Group { restart: Restart::Permanent, spec, .. } => names.extend(must_run(spec)),
            NodeSpec::Actor(_) | NodeSpec::Group { .. } => {}
        }
    }
    names
}

/// Names and actors of a view must be those of the definition, in its order.
fn matches(view: &[View<'_>], spec: &TreeSpec, removed: &dyn Fn(&ActorName) -> bool) -> bool {
    let there: Vec<&NodeSpec> = spec
        .children
        .iter()
        .filter(|node| match node {
            NodeSpec::Actor(actor) => !removed(&actor.name),
            NodeSpec::Group { .. } => true,
        })
        .collect();
    view.len() >= there.len()
        && view.iter().zip(there).all(|(view, node)| match (&view.kind, node) {
            (ViewKind::Actor { .. }, NodeSpec::Actor(actor)) => *view.name == actor.name,
            (ViewKind::Group { strategy, children }, NodeSpec::Group { name, spec, .. }) => {
                view.name == name && *strategy == spec.strategy && matches(children, spec, removed)
            }
            (ViewKind::Actor { .. }, NodeSpec::Group { .. }) | (ViewKind::Group { .. }, NodeSpec::Actor(_)) => false,
        })
}

type Script = Vec<(u64, Disturbance)>;

/// How lives go, and what befalls them.
fn play() -> impl Generator<Value = (Vec<Fortune>, Script, u64)> {
    let fortunes = prop::collection::vec(fortune(), 1..20);
    (fortunes, prop::collection::vec((gap_ms(), disturbance()), 0..40), any::<u64>())
}

proptest! {
    #[test]
    fn a_tree_of_one_level_is_its_supervisor(scenario in scenario(any_strategy())) {
        let Scenario { spec, seed, .. } = scenario.clone();
        let mut supervisor = Supervisor::new(spec.clone(), Entropy::from(seed).stream("supervisor", 0)).into_root();
        let mut tree = Tree::new(tree_of(&spec), Entropy::from(seed));
        for step in Host::run(scenario).steps {
            let actions = supervisor.step(step.now, step.event.clone());
            prop_assert_eq!(tree.step(step.now, step.event), actions);
            prop_assert!(tree.actors().eq(supervisor.children()));
            for child in tree.actors() {
                prop_assert_eq!(tree.state(child), supervisor.state(child));
                prop_assert_eq!(tree.generation(child), supervisor.generation(child));
                prop_assert_eq!(tree.restarts(child), supervisor.restarts(child));
                prop_assert_eq!(tree.name(child), supervisor.name(child));
            }
            prop_assert_eq!(tree.is_up(), supervisor.is_up());
            prop_assert_eq!(tree.is_closing(), supervisor.is_closing());
            prop_assert_eq!(tree.is_over(), supervisor.is_over());
        }
    }

    #[test]
    fn whatever_happens_all_permanent_actors_run_in_the_end_or_all_are_down(
        spec in any_tree(),
        (fortunes, script, seed) in play(),
    ) {
        let mut grove = Grove::new(spec.clone(), fortunes, seed);
        grove.play(script);
        grove.settle();
        if grove.tree.is_over() {
            prop_assert!(!grove.tree.is_running());
            prop_assert!(grove.tree.actors().all(|child| grove.tree.state(child) == Some(ChildState::Ended)));
        } else {
            for child in must_run(&spec).iter().filter_map(|name| grove.tree.find(name)) {
                prop_assert_eq!(grove.tree.state(child), Some(ChildState::Running));
            }
        }
        let gone = |name: &ActorName| grove.tree.find(name).is_none();
        prop_assert!(matches(&grove.tree.view(), &spec, &gone));
    }

    #[test]
    fn every_life_ends_when_the_tree_is_stopped(spec in any_tree(), (fortunes, script, seed) in play()) {
        let mut grove = Grove::new(spec, fortunes, seed);
        grove.play(script);
        grove.tell(Event::Stop(StopReason::NodeShutdown));
        // From now on it is the end, except where a group restarts until its turn has come.
        grove.actions.clear();
        grove.settle();
        for action in &grove.actions {
            if let Action::Stop { child, reason, .. } = action
                && !grove.grouped.contains(child)
            {
                prop_assert_eq!(*reason, StopReason::NodeShutdown);
            }
        }
        prop_assert!(grove.tree.is_over() && grove.stage.alive().is_empty());
    }

    #[test]
    fn the_whole_tree_starts_in_order_and_stops_in_the_reverse(spec in any_tree()) {
        let mut grove = Grove::all_up(spec);
        let mut order = grove.stage.alive();
        prop_assert_eq!(started(&grove.actions), order.clone());
        prop_assert!(grove.tree.is_up());
        let actions = grove.after(Event::Stop(StopReason::NodeShutdown));
        order.reverse();
        prop_assert_eq!(ended(&actions), order);
        prop_assert_eq!(actions.last(), Some(&Action::Stopped));
    }

    #[test]
    fn beyond_the_intensity_of_a_group_the_strategy_above_it_decides(
        mut spec in any_tree(),
        who in any::<prop::sample::Index>(),
    ) {
        permanent(&mut spec);
        spec.intensity.crashes = spec.intensity.crashes.max(1);
        let groups: Vec<usize> = (0..spec.children.len())
            .filter(|at| matches!(&spec.children[*at], NodeSpec::Group { spec, .. } if matches!(spec.children.first(), Some(NodeSpec::Actor(_)))))
            .collect();
        if groups.is_empty() {
            return Ok(());
        }
        let at = *who.get(&groups);
        let NodeSpec::Group { name, spec: group, .. } = &mut spec.children[at] else { panic!("a group") };
        group.intensity.crashes = 0;
        let (first, name) = (group.children[0].name().clone(), name.clone());
        // The actors of each child of the root.
        let actors = |child: &NodeSpec| match child {
            NodeSpec::Actor(actor) => vec![actor.name.clone()],
            NodeSpec::Group { spec, .. } => spec.actors().iter().map(|actor| actor.name.clone()).collect(),
        };
        let affected = match spec.strategy {
            Strategy::OneForOne => at..at + 1,
            Strategy::OneForAll => 0..spec.children.len(),
            Strategy::RestForOne => at..spec.children.len(),
        };
        let names: Vec<ActorName> = spec.children[affected].iter().flat_map(actors).collect();
        let mut grove = Grove::all_up(spec);
        let again: Vec<ChildId> = names.iter().filter_map(|name| grove.tree.find(name)).collect();
        let child = grove.tree.find(&first).expect("it is there");
        let actions = grove.crash(child);
        let escalated: Vec<&Action> = actions.iter().filter(|action| matches!(action, Action::Emit { .. })).collect();
        let [Action::Emit { who, event }] = escalated.as_slice() else { panic!("{escalated:?}") };
        prop_assert_eq!((who, event.name()), (&first, "escalated"));
        let mut stopped: Vec<ChildId> = again.iter().copied().filter(|other| *other != child).collect();
        // The rest of the group goes first, then those that start with it again.
        let members = grove.tree.find_all(&name);
        let place = |other: &ChildId| (!members.contains(other), std::cmp::Reverse(*other));
        stopped.sort_by_key(place);
        prop_assert_eq!(ended(&actions), stopped);
        prop_assert_eq!(started(&actions), again);
        prop_assert!(grove.tree.is_up());
    }
}
