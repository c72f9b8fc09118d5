use std::collections::BTreeMap;

use nunect_core::Period;
use nunect_core::random::SeedableRng;

use super::*;
use crate::spec::ChildSpec;

const SECOND: Duration = Duration::from_secs(1);

/// A supervisor whose events and actions are short texts: `start a1` is the first start of child `a`.
struct Bench {
    supervisor: Supervisor,
    now: Mono,
    timers: BTreeMap<TimerId, Mono>,
}

/// Children are named `a`, `b`, …; a letter says each one's kind: `p`ermanent, `t`ransient, t`e`mporary.
fn bench(strategy: Strategy, kinds: &str) -> Bench {
    bench_with(strategy, kinds, Shutdown::default())
}

fn bench_with(strategy: Strategy, kinds: &str, shutdown: Shutdown) -> Bench {
    let children = kinds.chars().zip('a'..).map(|(kind, name)| {
        let name = ActorName::new(&name.to_string()).expect("a letter is a legal name");
        let restart = match kind {
            'p' => Restart::Permanent,
            't' => Restart::Transient,
            _ => Restart::Temporary,
        };
        ChildSpec { name, restart, shutdown }
    });
    let supervisor = Supervisor::new(Spec::new(strategy, children.collect()), ChaCha8Rng::seed_from_u64(3));
    Bench { supervisor, now: Mono::ZERO, timers: BTreeMap::new() }
}

/// The same, with all children up.
fn running(strategy: Strategy, kinds: &str) -> Bench {
    let mut bench = bench(strategy, kinds);
    bench.start_all();
    bench
}

impl Bench {
    fn step(&mut self, event: Event) -> Vec<String> {
        let actions = self.supervisor.step(self.now, event);
        actions.into_iter().map(|action| self.word(action)).collect()
    }

    fn word(&mut self, action: Action) -> String {
        let life = |child, generation: Generation| {
            let name = self.supervisor.name(child).expect("an action names a child that is there");
            format!("{name}{}", generation.0)
        };
        match action {
            Action::Start { child, generation } => format!("start {}", life(child, generation)),
            Action::Stop { child, generation, reason } => format!("stop {} {reason:?}", life(child, generation)),
            Action::Kill { child, generation } => format!("kill {}", life(child, generation)),
            Action::Arm { timer, at } => {
                self.timers.insert(timer, at);
                format!("arm {}", timer.0)
            }
            Action::Cancel(timer) => format!("cancel {}", timer.0),
            Action::Emit { event, .. } => event.name().to_owned(),
            Action::Escalate { crashes, reason, .. } => format!("escalate {crashes} {reason}"),
            Action::Stopped => "stopped".to_owned(),
        }
    }

    fn life(&self, name: &str) -> (ChildId, Generation) {
        let child = self.supervisor.find(&ActorName::new(name).expect("legal")).expect("a child of the bench");
        (child, self.supervisor.generation(child).expect("it is there"))
    }

    fn up(&mut self, name: &str) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::Started { child, generation })
    }

    fn fails(&mut self, name: &str) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::StartFailed { child, generation, reason: "no device".to_owned() })
    }

    fn exits(&mut self, name: &str, exit: Exit) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::Exited { child, generation, exit })
    }

    fn ends(&mut self, name: &str) -> Vec<String> {
        self.exits(name, Exit::Normal { reason: "done".to_owned() })
    }

    fn crashes(&mut self, name: &str) -> Vec<String> {
        self.exits(name, Exit::Crash { reason: "panic".to_owned(), on_message: false })
    }

    fn crashes_on_message(&mut self, name: &str) -> Vec<String> {
        self.exits(name, Exit::Crash { reason: "panic".to_owned(), on_message: true })
    }

    /// The timer's time comes.
    fn fire(&mut self, timer: u64) -> Vec<String> {
        let timer = TimerId(timer);
        self.now = self.now.max(self.timers[&timer]);
        self.step(Event::Timer(timer))
    }

    fn start_all(&mut self) {
        self.step(Event::Start);
        for child in self.supervisor.children().collect::<Vec<_>>() {
            self.step(Event::Started { child, generation: Generation(1) });
        }
    }

    fn state(&self, name: &str) -> &'static str {
        self.supervisor.state(self.life(name).0).expect("it is there").as_str()
    }
}

const NOTHING: [&str; 0] = [];

mod start {
    use super::*;

    #[test]
    fn each_child_starts_after_the_one_before_it_is_up() {
        for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
            let mut bench = bench(strategy, "pte");
            assert_eq!(bench.state("a"), "pending");
            assert_eq!(bench.step(Event::Start), ["start a1"]);
            assert_eq!((bench.state("a"), bench.state("b")), ("starting", "pending"));
            assert_eq!(bench.up("a"), ["start b1"]);
            assert_eq!(bench.up("b"), ["start c1"]);
            assert_eq!(bench.up("c"), NOTHING);
            assert_eq!(bench.state("c"), "running");
            assert_eq!(bench.step(Event::Start), NOTHING, "it starts once");
        }
    }

    #[test]
    fn a_failure_stops_what_runs_in_reverse_order_and_escalates() {
        let mut bench = bench(Strategy::OneForOne, "ppp");
        bench.step(Event::Start);
        bench.up("a");
        bench.up("b");
        assert_eq!(bench.fails("c"), ["escalated", "stop b1 Restart", "arm 1"]);
        assert!(bench.supervisor.is_closing());
        assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 Restart", "arm 2"]);
        assert_eq!(bench.ends("a"), ["cancel 2", "escalate 1 no device"]);
        assert!(bench.supervisor.is_over() && !bench.supervisor.is_running());
    }

    #[test]
    fn a_crash_before_the_child_was_up_is_a_failure_too_and_a_normal_end_is_not() {
        let mut first = bench(Strategy::OneForOne, "p");
        first.step(Event::Start);
        assert_eq!(first.crashes("a"), ["escalated", "escalate 1 panic"]);

        let mut second = bench(Strategy::OneForOne, "tp");
        second.step(Event::Start);
        assert_eq!(second.ends("a"), ["start b1"]);
    }

    #[test]
    fn a_child_that_crashes_while_later_ones_start_is_restarted_beside_them() {
        let mut bench = bench(Strategy::OneForOne, "ppp");
        bench.step(Event::Start);
        bench.up("a");
        assert_eq!(bench.crashes("a"), ["start a2"]);
        assert_eq!(bench.up("b"), ["start c1"], "c waits for the first start of a, which is done");
    }

    #[test]
    fn a_group_that_crashes_while_it_starts_begins_again() {
        let mut bench = bench(Strategy::RestForOne, "ppp");
        bench.step(Event::Start);
        bench.up("a");
        assert_eq!(bench.crashes("a"), ["stop b1 Restart", "arm 1"], "b is still starting");
        assert_eq!(bench.up("b"), NOTHING, "too late");
        assert_eq!(bench.ends("b"), ["cancel 1", "start a2"]);
        assert_eq!(bench.up("a"), ["start b2"]);
        assert_eq!(bench.up("b"), ["start c1"]);
    }
}

mod exit {
    use super::*;

    #[test]
    fn permanent_children_always_live_again() {
        let mut bench = running(Strategy::OneForOne, "ppp");
        assert_eq!(bench.crashes("a"), ["start a2"]);
        assert_eq!(bench.exits("b", Exit::Killed), ["start b2"]);
        assert_eq!(bench.ends("c"), ["start c2"]);
    }

    #[test]
    fn transient_children_live_again_after_a_crash_or_a_kill() {
        let mut bench = running(Strategy::OneForOne, "ttt");
        assert_eq!(bench.crashes("a"), ["start a2"]);
        assert_eq!(bench.exits("b", Exit::Killed), ["start b2"]);
        assert_eq!(bench.ends("c"), NOTHING);
        assert_eq!(bench.state("c"), "ended");
    }

    #[test]
    fn temporary_children_never_live_again_and_take_nobody_with_them() {
        let mut bench = running(Strategy::OneForAll, "epee");
        assert_eq!(bench.crashes("a"), NOTHING);
        assert_eq!(bench.exits("c", Exit::Killed), NOTHING);
        assert_eq!(bench.ends("d"), NOTHING);
        assert_eq!(bench.state("b"), "running");
    }

    #[test]
    fn answers_of_an_older_life_given_twice_or_about_nobody_are_ignored() {
        let mut bench = running(Strategy::OneForOne, "p");
        let old = bench.life("a");
        bench.crashes("a");
        let crash = |(child, generation)| Event::Exited { child, generation, exit: Exit::Killed };
        assert_eq!(bench.step(crash(old)), NOTHING);
        bench.up("a");
        assert_eq!(bench.up("a"), NOTHING);
        assert_eq!(bench.step(crash(old)), NOTHING);
        assert_eq!(bench.step(crash((ChildId(9), Generation(1)))), NOTHING);
        assert_eq!(bench.step(Event::Timer(TimerId(99))), NOTHING);
        assert_eq!(bench.state("a"), "running");
        let (child, _) = old;
        assert_eq!(bench.supervisor.restarts(child), Some(1));
        assert_eq!(bench.supervisor.state(ChildId(9)), None);
    }
}

mod backoff {
    use super::*;

    #[test]
    fn the_second_restart_waits_and_says_how_long() {
        let mut bench = running(Strategy::OneForOne, "pp");
        bench.crashes("a");
        bench.up("a");
        let (child, generation) = bench.life("a");
        let exit = Exit::Crash { reason: "panic".to_owned(), on_message: false };
        let actions = bench.supervisor.step(bench.now, Event::Exited { child, generation, exit });
        let [Action::Emit { child: Some(told), event }, Action::Arm { timer, at }] = actions.as_slice() else {
            panic!("expected a back-off, got {actions:?}")
        };
        let delay = at.since(bench.now);
        assert_eq!((*told, event), (child, &nunect_core::Event::RestartScheduled { delay }));
        assert!((Duration::from_millis(80)..=Duration::from_millis(120)).contains(&delay), "{delay:?}");
        assert_eq!(bench.state("a"), "backing_off");
        bench.now = *at;
        assert_eq!(bench.step(Event::Timer(*timer)), ["start a3"]);
    }

    #[test]
    fn a_start_that_fails_is_a_crash_and_is_tried_again() {
        let mut bench = running(Strategy::OneForOne, "p");
        assert_eq!(bench.crashes("a"), ["start a2"]);
        assert_eq!(bench.fails("a"), ["restart_scheduled", "arm 1"]);
        assert_eq!(bench.fire(1), ["start a3"]);
        assert_eq!(bench.fails("a"), ["restart_scheduled", "arm 2"]);
        assert_eq!(bench.fire(2), ["start a4"]);
        assert_eq!(bench.up("a"), NOTHING);
    }

    #[test]
    fn crashes_on_messages_neither_wait_nor_count() {
        let mut bench = running(Strategy::OneForOne, "p");
        for life in 2..100 {
            assert_eq!(bench.crashes_on_message("a"), [format!("start a{life}")]);
            bench.up("a");
        }
    }

    #[test]
    fn the_others_are_neither_delayed_nor_touched() {
        let mut bench = running(Strategy::OneForOne, "ppp");
        bench.crashes("a");
        bench.up("a");
        assert_eq!(bench.crashes("a"), ["restart_scheduled", "arm 1"]);
        assert_eq!(bench.crashes("b"), ["start b2"]);
        assert_eq!(bench.state("c"), "running");
    }

    #[test]
    fn in_a_group_the_first_to_start_waits_and_the_rest_wait_for_it() {
        let mut bench = running(Strategy::OneForAll, "epp");
        bench.crashes("c");
        assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 Restart", "arm 2"]);
        assert_eq!(bench.ends("a"), ["cancel 2", "start b2"]);
        bench.up("b");
        bench.up("c");
        assert_eq!(bench.crashes("c"), ["restart_scheduled", "arm 3", "stop b2 Restart", "arm 4"]);
        assert_eq!(bench.ends("b"), ["cancel 4"]);
        assert_eq!((bench.state("b"), bench.state("c")), ("backing_off", "pending"));
        assert_eq!(bench.fire(3), ["start b3"]);
        assert_eq!(bench.up("b"), ["start c3"]);
    }

    #[test]
    fn a_wait_that_is_over_before_the_group_is_down_delays_nothing() {
        let mut bench = running(Strategy::OneForAll, "pp");
        bench.crashes("a");
        bench.ends("b");
        bench.up("a");
        bench.up("b");
        assert_eq!(bench.crashes("a"), ["restart_scheduled", "arm 2", "stop b2 Restart", "arm 3"]);
        assert_eq!(bench.fire(2), NOTHING);
        assert_eq!(bench.ends("b"), ["cancel 3", "start a3"]);
    }

    #[test]
    fn a_group_restart_from_further_up_keeps_the_wait_of_a_later_child() {
        let mut bench = running(Strategy::RestForOne, "pp");
        bench.crashes("b");
        bench.up("b");
        assert_eq!(bench.crashes("b"), ["restart_scheduled", "arm 1"]);
        assert_eq!(bench.crashes_on_message("a"), ["start a2"]);
        assert_eq!(bench.up("a"), NOTHING);
        assert_eq!(bench.fire(1), ["start b3"]);
    }
}

mod intensity {
    use super::*;

    #[test]
    fn five_crashes_in_thirty_seconds_are_restarts_and_the_sixth_escalates() {
        let mut bench = running(Strategy::OneForOne, "ppp");
        for name in ["a", "b", "a", "b", "c"] {
            assert!(!bench.crashes(name).contains(&"escalated".to_owned()));
            if let Some((timer, _)) = bench.timers.pop_last() {
                bench.now = bench.now + SECOND;
                assert_eq!(bench.step(Event::Timer(timer)).len(), 1);
            }
            bench.up(name);
        }
        assert_eq!(bench.crashes("b"), ["escalated", "stop c2 Restart", "arm 3"]);
        assert_eq!(bench.ends("c"), ["cancel 3", "stop a3 Restart", "arm 4"]);
        assert_eq!(bench.ends("a"), ["cancel 4", "escalate 6 panic"]);
    }

    #[test]
    fn crashes_further_apart_than_the_window_allows_never_escalate() {
        let mut bench = running(Strategy::OneForOne, "p");
        bench.supervisor.backoff.first = Period::default();
        for _ in 0..50 {
            // Six crashes span five gaps: just more than 30 s.
            bench.now = bench.now + Duration::from_millis(6_001);
            assert_eq!(bench.crashes("a").len(), 1);
            bench.up("a");
        }
    }

    #[test]
    fn the_window_includes_both_of_its_ends() {
        let mut bench = running(Strategy::OneForOne, "p");
        bench.supervisor.backoff.first = Period::default();
        for _ in 0..5 {
            bench.crashes("a");
            bench.up("a");
            bench.now = bench.now + 6 * SECOND;
        }
        assert_eq!(bench.now, Mono::ZERO + 30 * SECOND);
        assert_eq!(bench.crashes("a"), ["escalated", "escalate 6 panic"]);
    }

    #[test]
    fn normal_ends_and_kills_of_permanent_children_count() {
        let mut bench = running(Strategy::OneForOne, "p");
        bench.supervisor.window.intensity.crashes = 2;
        bench.supervisor.backoff.first = Period::default();
        bench.ends("a");
        bench.up("a");
        bench.exits("a", Exit::Killed);
        bench.up("a");
        assert_eq!(bench.ends("a"), ["escalated", "escalate 3 done"]);
    }
}

mod group {
    use super::*;

    #[test]
    fn one_for_all_stops_the_siblings_in_reverse_order_and_starts_all_in_order() {
        let mut bench = running(Strategy::OneForAll, "ppp");
        assert_eq!(bench.crashes("b"), ["stop c1 Restart", "arm 1"]);
        assert_eq!((bench.state("a"), bench.state("b"), bench.state("c")), ("running", "pending", "stopping"));
        assert_eq!(bench.ends("c"), ["cancel 1", "stop a1 Restart", "arm 2"]);
        assert_eq!(bench.ends("a"), ["cancel 2", "start a2"]);
        assert_eq!(bench.up("a"), ["start b2"]);
        assert_eq!(bench.up("b"), ["start c2"]);
        assert_eq!(bench.up("c"), NOTHING);
    }

    #[test]
    fn rest_for_one_leaves_the_earlier_siblings_alone() {
        let mut bench = running(Strategy::RestForOne, "pppp");
        assert_eq!(bench.crashes("b"), ["stop d1 Restart", "arm 1"]);
        assert_eq!(bench.ends("d"), ["cancel 1", "stop c1 Restart", "arm 2"]);
        assert_eq!(bench.ends("c"), ["cancel 2", "start b2"]);
        assert_eq!(bench.up("b"), ["start c2"]);
        assert_eq!(bench.up("c"), ["start d2"]);
        assert_eq!(bench.state("a"), "running");
    }

    #[test]
    fn a_sibling_that_crashes_before_its_turn_to_stop_is_just_down() {
        let mut bench = running(Strategy::OneForAll, "ppp");
        bench.supervisor.window.intensity.crashes = 1;
        bench.crashes("a");
        assert_eq!(bench.crashes("b"), NOTHING);
        assert_eq!(bench.crashes("c"), ["cancel 1", "start a2"]);
    }

    #[test]
    fn a_crash_while_the_group_starts_again_is_charged_and_begins_it_anew() {
        let mut bench = running(Strategy::OneForAll, "ppp");
        bench.crashes("a");
        bench.ends("c");
        bench.ends("b");
        bench.up("a");
        assert_eq!(bench.crashes("a"), ["restart_scheduled", "arm 3", "stop b2 Restart", "arm 4"]);
        assert_eq!(bench.ends("b"), ["cancel 4"]);
        assert_eq!(bench.fire(3), ["start a3"]);
        assert_eq!(bench.up("a"), ["start b3"]);
        assert_eq!(bench.up("b"), ["start c2"]);
    }

    #[test]
    fn a_start_that_fails_while_the_group_starts_again_takes_the_group_with_it() {
        let mut bench = running(Strategy::OneForAll, "ppp");
        bench.crashes("a");
        bench.ends("c");
        bench.ends("b");
        bench.up("a");
        assert_eq!(bench.fails("b"), ["stop a2 Restart", "arm 3"]);
        assert_eq!(bench.ends("a"), ["cancel 3", "start a3"]);
        assert_eq!(bench.up("a"), ["start b3"]);
    }

    #[test]
    fn temporary_siblings_are_stopped_and_not_started_again() {
        let mut bench = running(Strategy::RestForOne, "pep");
        assert_eq!(bench.crashes("a"), ["stop c1 Restart", "arm 1"]);
        assert_eq!(bench.ends("c"), ["cancel 1", "stop b1 Restart", "arm 2"]);
        assert_eq!(bench.ends("b"), ["cancel 2", "start a2"]);
        assert_eq!(bench.up("a"), ["start c2"]);
        assert_eq!(bench.state("b"), "ended");
    }

    #[test]
    fn transient_siblings_that_were_done_begin_again_as_in_otp() {
        let mut bench = running(Strategy::OneForAll, "pt");
        bench.ends("b");
        assert_eq!(bench.crashes("a"), ["start a2"]);
        assert_eq!(bench.up("a"), ["start b2"]);
    }
}

mod grace {
    use super::*;

    fn stopping(shutdown: Shutdown) -> (Bench, Vec<String>) {
        let mut bench = bench_with(Strategy::OneForOne, "p", shutdown);
        bench.start_all();
        let actions = bench.step(Event::Stop);
        (bench, actions)
    }

    #[test]
    fn brutal_kills_without_asking() {
        let (mut bench, actions) = stopping(Shutdown::Brutal);
        assert_eq!(actions, ["kill a1"]);
        assert_eq!(bench.exits("a", Exit::Killed), ["stopped"]);
    }

    #[test]
    fn a_timeout_asks_and_kills_when_it_has_passed() {
        let (mut bench, actions) = stopping(Shutdown::Timeout(Period::from_millis(1_500)));
        assert_eq!(actions, ["stop a1 NodeShutdown", "arm 1"]);
        assert_eq!(bench.timers[&TimerId(1)], Mono::ZERO + Duration::from_millis(1_500));
        assert_eq!(bench.fire(1), ["kill a1"]);
        assert_eq!(bench.fire(1), NOTHING);
        assert_eq!(bench.exits("a", Exit::Killed), ["stopped"]);
    }

    #[test]
    fn infinite_asks_and_waits() {
        let (mut bench, actions) = stopping(Shutdown::Infinite);
        assert_eq!(actions, ["stop a1 NodeShutdown"]);
        bench.now = bench.now + 3_600 * SECOND;
        assert_eq!(bench.ends("a"), ["stopped"]);
    }
}

mod stop {
    use super::*;

    #[test]
    fn children_stop_in_the_reverse_of_their_start() {
        let mut bench = running(Strategy::OneForOne, "ppp");
        assert_eq!(bench.step(Event::Stop), ["stop c1 NodeShutdown", "arm 1"]);
        assert_eq!(bench.ends("c"), ["cancel 1", "stop b1 NodeShutdown", "arm 2"]);
        assert_eq!(bench.crashes("a"), NOTHING, "a crash on the way down is just an end");
        assert_eq!(bench.step(Event::Stop), NOTHING);
        assert_eq!(bench.ends("b"), ["cancel 2", "stopped"]);
        assert_eq!(bench.step(Event::Stop), NOTHING);
    }

    #[test]
    fn before_the_start_there_is_nothing_to_stop() {
        let mut bench = bench(Strategy::OneForOne, "p");
        assert_eq!(bench.step(Event::Stop), ["stopped"]);
        assert_eq!(bench.step(Event::Start), NOTHING);
    }

    #[test]
    fn in_the_middle_of_the_start_the_rest_is_not_started() {
        let mut bench = bench(Strategy::OneForOne, "ppp");
        bench.step(Event::Start);
        bench.up("a");
        assert_eq!(bench.step(Event::Stop), ["stop b1 NodeShutdown", "arm 1"]);
        assert_eq!(bench.up("b"), NOTHING);
        assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 NodeShutdown", "arm 2"]);
        assert_eq!(bench.ends("a"), ["cancel 2", "stopped"]);
    }

    #[test]
    fn a_start_that_fails_during_the_stop_is_just_an_end() {
        let mut bench = bench(Strategy::OneForOne, "p");
        bench.step(Event::Start);
        bench.step(Event::Stop);
        assert_eq!(bench.fails("a"), ["cancel 1", "stopped"]);
    }

    #[test]
    fn in_the_middle_of_a_group_restart_what_stops_goes_on_stopping() {
        let mut bench = running(Strategy::OneForAll, "ppp");
        bench.crashes("a");
        assert_eq!(bench.step(Event::Stop), NOTHING, "c is stopping already");
        assert_eq!(bench.ends("c"), ["cancel 1", "stop b1 NodeShutdown", "arm 2"]);
        assert_eq!(bench.ends("b"), ["cancel 2", "stopped"]);
    }

    #[test]
    fn during_a_back_off_the_wait_is_cancelled() {
        let mut bench = running(Strategy::OneForOne, "pp");
        bench.crashes("a");
        bench.up("a");
        bench.crashes("a");
        assert_eq!(bench.step(Event::Stop), ["cancel 1", "stop b1 NodeShutdown", "arm 2"]);
        assert_eq!(bench.fire(1), NOTHING, "fired all the same");
        assert_eq!(bench.ends("b"), ["cancel 2", "stopped"]);
        assert_eq!(bench.state("a"), "ended");
    }

    #[test]
    fn during_an_escalation_it_ends_as_a_stop() {
        let mut bench = running(Strategy::OneForOne, "ppp");
        bench.supervisor.window.intensity.crashes = 0;
        assert_eq!(bench.crashes("c"), ["escalated", "stop b1 Restart", "arm 1"]);
        assert_eq!(bench.step(Event::Stop), NOTHING);
        assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 NodeShutdown", "arm 2"]);
        assert_eq!(bench.ends("a"), ["cancel 2", "stopped"]);
    }

    #[test]
    fn after_an_escalation_it_is_answered_once() {
        let mut bench = running(Strategy::OneForOne, "p");
        bench.supervisor.window.intensity.crashes = 0;
        assert_eq!(bench.crashes("a"), ["escalated", "escalate 1 panic"]);
        assert_eq!(bench.step(Event::Stop), ["stopped"]);
        assert_eq!(bench.step(Event::Stop), NOTHING);
    }
}
