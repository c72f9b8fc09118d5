//! Supervisors of any shape on a host where anything goes wrong, at any time.
//!
//! Every run is watched by a [`referee`], an independent reference of all rules together. Beside it
//! the promises that matter most stand here on their own, as statements about what was seen.
//! `PROPTEST_CASES=20000 cargo test -p nunect-supervisor --test properties` looks at more runs.

mod host;
mod referee;
mod scenario;
mod stage;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use nunect_core::{Mono, StopReason};
use nunect_supervisor::{Action, AutoShutdown, ChildId, ChildState, Event, Exit, Generation, Restart, Spec, Strategy};
use proptest::prelude::*;
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::TestRunner;

use crate::host::{Host, Run, Step};
use crate::scenario::{Disturbance, Fortune, Scenario, any_strategy, exit, scenario, spec};
use crate::stage::Play;

/// A run without a script: all children are up.
fn all_up(spec: Spec) -> Host {
    let mut host = Host::new(Scenario { spec, fortunes: vec![Fortune::GOOD], script: Vec::new(), seed: 1 });
    host.tell(Event::Start);
    host.settle();
    host
}

fn started(actions: &[Action]) -> Vec<ChildId> {
    let child = |action: &Action| if let Action::Start { child, .. } = action { Some(*child) } else { None };
    actions.iter().filter_map(child).collect()
}

/// The children that were asked to stop or killed, each once, in the order of that.
fn ended(actions: &[Action]) -> Vec<ChildId> {
    let mut children = Vec::new();
    for action in actions {
        if let Action::Stop { child, .. } | Action::Kill { child, .. } = action
            && !children.contains(child)
        {
            children.push(*child);
        }
    }
    children
}

fn emits(actions: &[Action], name: &str) -> bool {
    actions.iter().any(|action| matches!(action, Action::Emit { event, .. } if event.name() == name))
}

/// The actions from the step on which the supervisor was stopped for the first time.
fn since_stop(run: &Run) -> Option<Vec<Action>> {
    let from = run.steps.iter().position(|step| step.stops())?;
    Some(run.steps[from..].iter().flat_map(|step| step.actions.clone()).collect())
}

/// When a life ended by a charged exit and only its child was restarted: one_for_one.
fn charged_restarts(run: &Run) -> Vec<Mono> {
    let mut up: BTreeSet<(ChildId, Generation)> = BTreeSet::new();
    let mut charged = Vec::new();
    for step in &run.steps {
        let restarts = |child| started(&step.actions).contains(child) || emits(&step.actions, "restart_scheduled");
        match &step.event {
            Event::Started { child, generation } => {
                up.insert((*child, *generation));
            }
            Event::Exited { child, generation, exit } => {
                let on_message = matches!(exit, Exit::Crash { on_message: true, .. });
                if restarts(child) && !(on_message && up.contains(&(*child, *generation))) {
                    charged.push(step.now);
                }
            }
            Event::StartFailed { child, .. } if restarts(child) => charged.push(step.now),
            Event::Start
            | Event::StartFailed { .. }
            | Event::Timer(_)
            | Event::Stop(_)
            | Event::Add(_)
            | Event::Remove(_)
            | Event::Restart(_) => {}
        }
    }
    charged
}

proptest! {
    #[test]
    fn the_referee_agrees_with_every_step(scenario in scenario(any_strategy())) {
        Host::run(scenario);
    }

    #[test]
    fn the_same_events_give_the_same_actions(scenario in scenario(any_strategy())) {
        let (one, two) = (Host::run(scenario.clone()), Host::run(scenario));
        prop_assert!(one.actions().eq(two.actions()));
    }

    #[test]
    fn no_window_holds_more_restarts_than_the_intensity_allows(scenario in scenario(Just(Strategy::OneForOne))) {
        let intensity = scenario.spec.intensity;
        let restarts = charged_restarts(&Host::run(scenario.plain()));
        for (index, last) in restarts.iter().enumerate() {
            let within = restarts[..=index].iter().filter(|at| last.since(**at) <= intensity.period.0).count();
            prop_assert!(within <= intensity.crashes as usize, "{within} restarts up to {last}");
        }
    }

    #[test]
    fn one_for_one_touches_nobody_else(scenario in scenario(Just(Strategy::OneForOne))) {
        let run = Host::run(scenario.plain());
        for step in &run.steps {
            if step.stops() || emits(&step.actions, "escalated") {
                break;
            }
            prop_assert_eq!(ended(&step.actions), []);
            if let Event::Exited { child: ended, .. } = step.event {
                for action in &step.actions {
                    if let Action::Start { child, generation } = action {
                        prop_assert!(*child == ended || *generation == Generation(1), "{child:?} restarts with {ended:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn rest_for_one_restarts_exactly_the_later_siblings_in_order(
        spec in spec(Just(Strategy::RestForOne)),
        crashed in any::<prop::sample::Index>(),
        exit in exit(),
    ) {
        group_restart(spec, crashed, exit, |crashed, other| other >= crashed)?;
    }

    #[test]
    fn one_for_all_restarts_all_in_order(
        spec in spec(Just(Strategy::OneForAll)),
        crashed in any::<prop::sample::Index>(),
        exit in exit(),
    ) {
        group_restart(spec, crashed, exit, |_, _| true)?;
    }

    #[test]
    fn shutdown_is_the_reverse_of_the_start(spec in spec(any_strategy())) {
        let mut host = all_up(spec);
        let mut order = host.alive();
        host.tell(Event::Stop(StopReason::NodeShutdown));
        let run = host.finish();
        order.reverse();
        let actions = since_stop(&run).expect("it was stopped");
        prop_assert_eq!(ended(&actions), order);
        prop_assert_eq!(actions.last(), Some(&Action::Stopped));
    }

    #[test]
    fn a_stop_at_any_time_ends_in_reverse_order_and_is_answered_once(
        mut scenario in scenario(any_strategy()),
        at in any::<prop::sample::Index>(),
    ) {
        let at = at.index(scenario.script.len() + 1);
        scenario.script.insert(at, (0, Disturbance::Stop(StopReason::NodeShutdown)));
        let run = Host::run(scenario);
        let actions = since_stop(&run).expect("it was stopped");
        prop_assert_eq!(actions.iter().filter(|action| **action == Action::Stopped).count(), 1);
        prop_assert_eq!(actions.last(), Some(&Action::Stopped));
        prop_assert_eq!(started(&actions), []);
        // Who was asked to stop before may have to be killed at any time.
        let before: BTreeSet<ChildId> = run.steps.iter().take_while(|step| !step.stops()).flat_map(stopping).collect();
        let order = ended(&actions).into_iter().filter(|child| !before.contains(child));
        prop_assert!(order.is_sorted_by(|one, next| one > next));
        prop_assert!(run.supervisor.is_over() && !run.supervisor.is_running());
    }

    #[test]
    fn a_stop_cancels_every_back_off(mut scenario in scenario(any_strategy())) {
        scenario.script.push((0, Disturbance::Stop(StopReason::NodeShutdown)));
        let run = Host::run(scenario);
        let mut waits = Vec::new();
        for step in &run.steps {
            for pair in step.actions.windows(2) {
                if let [Action::Emit { event, .. }, Action::Arm { timer, .. }] = pair
                    && event.name() == "restart_scheduled"
                {
                    waits.push(*timer);
                }
            }
            waits.retain(|timer| step.event != Event::Timer(*timer) && !step.actions.contains(&Action::Cancel(*timer)));
            if step.stops() {
                prop_assert_eq!(waits, []);
                break;
            }
        }
    }

    #[test]
    fn after_the_disturbance_every_permanent_child_runs_or_the_supervisor_is_over(scenario in scenario(any_strategy())) {
        let first = scenario.spec.children.len();
        let stopped = scenario.script.iter().any(|(_, disturbance)| matches!(disturbance, Disturbance::Stop(_)));
        let run = Host::run(scenario);
        let gave_up = |action: &&Action| matches!(action, Action::Escalate { .. } | Action::Completed { .. });
        prop_assert_eq!(run.supervisor.is_over(), stopped || run.actions().filter(gave_up).count() == 1);
        let removed: BTreeSet<ChildId> = run.steps.iter().filter_map(removed).collect();
        for (child, spec) in run.supervisor.children().zip(&run.children) {
            let state = run.supervisor.state(child).expect("it is there");
            // Who was added may have failed to come up at all.
            let permanent = spec.restart == Restart::Permanent && (child.0 as usize) < first;
            if run.supervisor.is_over() || removed.contains(&child) {
                prop_assert_eq!(state, ChildState::Ended);
            } else if permanent {
                prop_assert_eq!(state, ChildState::Running);
            } else {
                prop_assert!(matches!(state, ChildState::Running | ChildState::Ended));
            }
        }
    }

    #[test]
    fn a_removed_child_never_starts_again(scenario in scenario(any_strategy())) {
        let run = Host::run(scenario);
        let mut gone = BTreeSet::new();
        for step in &run.steps {
            gone.extend(removed(step));
            prop_assert!(started(&step.actions).iter().all(|child| !gone.contains(child)));
        }
    }

    #[test]
    fn a_command_charges_nobody_and_touches_no_sibling(
        spec in spec(any_strategy()),
        commands in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..30),
    ) {
        let mut host = all_up(spec);
        let alive = host.alive();
        if alive.is_empty() {
            return Ok(());
        }
        for (child, remove) in commands {
            let child = *child.get(&alive);
            host.disturb(if remove { Disturbance::Remove(child) } else { Disturbance::Restart(child) });
            host.settle();
            let since = |step: &Step| matches!(step.event, Event::Remove(_) | Event::Restart(_));
            let from = host.steps().iter().rposition(since).expect("it was told");
            for action in host.steps()[from..].iter().flat_map(|step| &step.actions) {
                match action {
                    Action::Start { child: other, .. } | Action::Stop { child: other, .. } | Action::Kill { child: other, .. } => {
                        prop_assert_eq!(*other, child);
                    }
                    Action::Arm { .. } | Action::Cancel(_) => {}
                    Action::Emit { .. } | Action::Escalate { .. } | Action::Completed { .. } | Action::Stopped => {
                        prop_assert!(false, "{action:?}");
                    }
                }
            }
        }
    }
}

fn stopping(step: &Step) -> Vec<ChildId> {
    ended(&step.actions)
}

fn removed(step: &Step) -> Option<ChildId> {
    if let Event::Remove(child) = step.event { Some(child) } else { None }
}

/// All are up, one ends: those of its `group` stop in reverse order and start in order.
fn group_restart(
    mut spec: Spec,
    crashed: prop::sample::Index,
    exit: Exit,
    group: fn(ChildId, ChildId) -> bool,
) -> Result<(), TestCaseError> {
    spec.intensity.crashes = spec.intensity.crashes.max(1);
    spec.auto_shutdown = AutoShutdown::Never;
    let kinds: Vec<Restart> = spec.children.iter().map(|child| child.restart).collect();
    let kind = |child: ChildId| kinds[child.0 as usize];
    let mut host = all_up(spec);
    let alive = host.alive();
    if alive.is_empty() {
        return Ok(());
    }
    let crashed = *crashed.get(&alive);
    let restarts = match kind(crashed) {
        Restart::Permanent => true,
        Restart::Transient => !exit.is_normal(),
        Restart::Temporary => false,
    };
    let affected: Vec<ChildId> = alive.into_iter().filter(|other| restarts && group(crashed, *other)).collect();
    host.disturb(Disturbance::Exit { child: crashed, exit, early: false });
    let run = host.finish();
    let from = run.steps.iter().position(|step| matches!(step.event, Event::Exited { .. })).expect("one ended");
    let actions: Vec<Action> = run.steps[from..].iter().flat_map(|step| step.actions.clone()).collect();
    let stopped: Vec<ChildId> = affected.iter().rev().copied().filter(|child| *child != crashed).collect();
    let again: Vec<ChildId> = affected.into_iter().filter(|child| kind(*child) != Restart::Temporary).collect();
    prop_assert_eq!(ended(&actions), stopped);
    prop_assert_eq!(started(&actions), again);
    Ok(())
}

/// Properties are worth as much as the runs they see.
#[test]
fn the_runs_reach_every_situation() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    let scenarios = scenario(any_strategy());
    for _ in 0..4_000 {
        let run = Host::run(scenarios.new_tree(&mut runner).expect("nothing is rejected").current());
        for step in &run.steps {
            for situation in situations(step) {
                *seen.entry(situation).or_default() += 1;
            }
        }
    }
    for situation in SITUATIONS {
        assert!(seen.get(situation).is_some_and(|times| *times >= 10), "{situation}: {seen:?}");
    }
}

const SITUATIONS: [&str; 19] = [
    "back-off",
    "back-off over",
    "crash beyond the intensity",
    "first start failed",
    "later start failed",
    "grace over",
    "killed at once",
    "group restart",
    "stop of a child that starts",
    "stop during a back-off",
    "stop and escalation together",
    "significant end",
    "completed",
    "added",
    "added and failed",
    "removed while up",
    "removed while it starts",
    "removed during a back-off",
    "restarted by a command",
];

fn situations(step: &Step) -> Vec<&'static str> {
    let emits = |name| emits(&step.actions, name);
    let any = |test: fn(&Action) -> bool| step.actions.iter().any(test);
    let starts = any(|action| matches!(action, Action::Start { .. }));
    let stops = any(|action| matches!(action, Action::Stop { .. } | Action::Kill { .. }));
    let kills = any(|action| matches!(action, Action::Kill { .. }));
    let restarts_group = any(|action| matches!(action, Action::Stop { reason: StopReason::Restart, .. }));
    let fails = matches!(step.event, Event::StartFailed { .. });
    let first = matches!(step.event, Event::StartFailed { generation: Generation(1), .. });
    let (timer, stop) = (matches!(step.event, Event::Timer(_)), step.stops());
    let tells_command = any(|action| matches!(action, Action::Stop { reason: StopReason::Command, .. }));
    let exits = matches!(step.event, Event::Exited { .. });
    let commanded = removed(step).and_then(|child| step.before.get(child.0 as usize).copied());
    let child_starts = step.before.contains(&ChildState::Starting);
    let child_waits = step.before.contains(&ChildState::BackingOff);
    [
        (emits("restart_scheduled"), "back-off"),
        (timer && starts, "back-off over"),
        (emits("escalated") && !first, "crash beyond the intensity"),
        (emits("escalated") && first, "first start failed"),
        (fails && !first && (starts || stops || emits("restart_scheduled")), "later start failed"),
        (timer && kills, "grace over"),
        (!timer && kills, "killed at once"),
        (restarts_group && !emits("escalated"), "group restart"),
        (stop && stops && child_starts, "stop of a child that starts"),
        (stop && child_waits, "stop during a back-off"),
        (stop && step.escalating, "stop and escalation together"),
        (stops && tells_command && exits, "significant end"),
        (any(|action| matches!(action, Action::Completed { .. })), "completed"),
        (matches!(step.event, Event::Add(_)) && starts, "added"),
        (first && step.actions.is_empty(), "added and failed"),
        (commanded == Some(ChildState::Running) && tells_command, "removed while up"),
        (commanded == Some(ChildState::Starting) && tells_command, "removed while it starts"),
        (removed(step).is_some() && commanded == Some(ChildState::BackingOff), "removed during a back-off"),
        (matches!(step.event, Event::Restart(_)) && stops, "restarted by a command"),
    ]
    .into_iter()
    .filter_map(|(happened, situation)| happened.then_some(situation))
    .collect()
}
