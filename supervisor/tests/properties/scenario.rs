//! What a property test draws: a supervisor, its children's temper, and what befalls them.

use nunect_core::{ActorName, Period, StopReason};
use nunect_supervisor::{
    AutoShutdown, Backoff, ChildId, ChildSpec, Exit, Intensity, Restart, Shutdown, Spec, Strategy,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

/// One run of the simulated host.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) spec: Spec,
    /// How the lives go, one after the other, over and over while the script lasts.
    pub(crate) fortunes: Vec<Fortune>,
    /// What befalls them, each so many milliseconds after the one before.
    pub(crate) script: Vec<(u64, Disturbance)>,
    /// Of the back-off jitter.
    pub(crate) seed: u64,
}

/// How one life goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fortune {
    /// How long it takes to come up, or to fail to.
    pub(crate) start_ms: u64,
    /// Whether it fails to, when it is the child's first life.
    pub(crate) fails_at_first: bool,
    /// Whether it fails to, when it is a later one.
    pub(crate) fails_again: bool,
    /// How long it takes to stop; `None`: only a kill ends it, unless its grace is infinite.
    pub(crate) stop_ms: Option<u64>,
    /// Whether it crashes instead of ending well when it is asked to stop.
    pub(crate) crashes_on_stop: bool,
}

impl Fortune {
    /// A life after the end of the script.
    pub(crate) const GOOD: Self =
        Self { start_ms: 1, fails_at_first: false, fails_again: false, stop_ms: Some(1), crashes_on_stop: false };
}

/// What befalls the host.
#[derive(Clone, Debug)]
pub(crate) enum Disturbance {
    /// A life ends that nobody asked to. One that is not up yet is spared unless `early`.
    Exit { child: ChildId, exit: Exit, early: bool },
    /// Answers of a life that is over arrive again.
    StaleAnswers(ChildId),
    /// A timer that fired or was cancelled fires.
    StaleTimer(u64),
    /// The host starts the supervisor that is started.
    StartAgain,
    /// The host stops the supervisor.
    Stop(StopReason),
    /// One more child.
    Add(ChildSpec),
    /// One child less.
    Remove(ChildId),
    /// A child is to begin anew.
    Restart(ChildId),
}

impl Scenario {
    /// The same without commands about single children, and without significant ones.
    pub(crate) fn plain(mut self) -> Self {
        self.spec.auto_shutdown = AutoShutdown::Never;
        self.script.retain(|(_, disturbance)| match disturbance {
            Disturbance::Add(_) | Disturbance::Remove(_) | Disturbance::Restart(_) => false,
            Disturbance::Exit { .. }
            | Disturbance::StaleAnswers(_)
            | Disturbance::StaleTimer(_)
            | Disturbance::StartAgain
            | Disturbance::Stop(_) => true,
        });
        self
    }
}

const CHILDREN_MAX: u32 = 6;

pub(crate) fn exit() -> impl Generator<Value = Exit> {
    let reason = || "test".to_owned();
    prop_oneof![
        6 => Just(Exit::Crash { reason: reason(), on_message: false }),
        2 => Just(Exit::Crash { reason: reason(), on_message: true }),
        2 => Just(Exit::Normal { reason: reason() }),
        2 => Just(Exit::Killed),
    ]
}

pub(crate) fn disturbance() -> impl Generator<Value = Disturbance> {
    let child = || (0..CHILDREN_MAX + 2).prop_map(ChildId);
    prop_oneof![
        30 => (child(), exit(), prop::bool::weighted(0.05))
            .prop_map(|(child, exit, early)| Disturbance::Exit { child, exit, early }),
        3 => child().prop_map(Disturbance::StaleAnswers),
        3 => (1..20_u64).prop_map(Disturbance::StaleTimer),
        1 => Just(Disturbance::StartAgain),
        2 => stop_reason().prop_map(Disturbance::Stop),
        2 => child_spec("added".to_owned()).prop_map(Disturbance::Add),
        5 => child().prop_map(Disturbance::Remove),
        4 => child().prop_map(Disturbance::Restart),
    ]
}

pub(crate) fn stop_reason() -> impl Generator<Value = StopReason> {
    prop_oneof![3 => Just(StopReason::NodeShutdown), 1 => Just(StopReason::Restart), 1 => Just(StopReason::Command)]
}

pub(crate) fn gap_ms() -> impl Generator<Value = u64> {
    // Whole seconds meet the ends of periods, which are whole seconds often.
    let seconds = (1..10_u64).prop_map(|seconds| seconds * 1_000);
    prop_oneof![3 => Just(0), 6 => 1..200_u64, 2 => 200..5_000_u64, 3 => seconds, 1 => 5_000..60_000_u64]
}

pub(crate) fn fortune() -> impl Generator<Value = Fortune> {
    (
        0..50_u64,
        prop::bool::weighted(0.01),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.8, 0..1_500_u64),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(start_ms, fails_at_first, fails_again, stop_ms, crashes_on_stop)| Fortune {
            start_ms,
            fails_at_first,
            fails_again,
            stop_ms,
            crashes_on_stop,
        })
}

fn child_spec(name: String) -> impl Generator<Value = ChildSpec> {
    let restart =
        prop_oneof![4 => Just(Restart::Permanent), 2 => Just(Restart::Transient), 1 => Just(Restart::Temporary)];
    let shutdown = prop_oneof![
        1 => Just(Shutdown::Brutal),
        4 => (0..1_200_u64).prop_map(|ms| Shutdown::Timeout(Period::from_millis(ms))),
        1 => Just(Shutdown::Infinite),
    ];
    (restart, shutdown, prop::bool::weighted(0.3)).prop_map(move |(restart, shutdown, significant)| ChildSpec {
        name: ActorName::new(&name).expect("a legal name"),
        restart,
        shutdown,
        significant,
    })
}

/// Any supervisor of that strategy, with any children.
pub(crate) fn spec(strategy: impl Generator<Value = Strategy>) -> impl Generator<Value = Spec> {
    let children = prop::collection::vec(child_spec("child".to_owned()), 0..CHILDREN_MAX as usize);
    let auto_shutdown = prop_oneof![
        3 => Just(AutoShutdown::Never),
        1 => Just(AutoShutdown::AnySignificant),
        1 => Just(AutoShutdown::AllSignificant),
    ];
    let millis = |range: std::ops::Range<u64>| range.prop_map(Period::from_millis);
    let period = prop_oneof![millis(0..40_000), (0..20_u64).prop_map(Period::from_secs)];
    let intensity = (0..8_u32, period).prop_map(|(crashes, period)| Intensity { crashes, period });
    let backoff = (millis(0..300), millis(50..5_000), millis(500..30_000))
        .prop_map(|(first, cap, reset_after)| Backoff { first, cap, reset_after });
    (strategy, intensity, backoff, auto_shutdown, children).prop_map(
        |(strategy, intensity, backoff, auto_shutdown, mut children)| {
            for (index, child) in children.iter_mut().enumerate() {
                child.name = ActorName::new(&format!("child-{index}")).expect("a legal name");
            }
            Spec { strategy, intensity, backoff, auto_shutdown, children }
        },
    )
}

pub(crate) fn any_strategy() -> impl Generator<Value = Strategy> {
    prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)]
}

/// Any run of a supervisor of that strategy.
pub(crate) fn scenario(strategy: impl Generator<Value = Strategy>) -> impl Generator<Value = Scenario> {
    let fortunes = prop::collection::vec(fortune(), 1..20);
    let script = prop::collection::vec((gap_ms(), disturbance()), 0..40);
    (spec(strategy), fortunes, script, any::<u64>()).prop_map(|(spec, fortunes, script, seed)| Scenario {
        spec,
        fortunes,
        script,
        seed,
    })
}
