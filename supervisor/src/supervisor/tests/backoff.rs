use super::*;

#[test]
fn the_second_restart_waits_and_says_how_long() {
    let mut bench = running(Strategy::OneForOne, "pp");
    bench.crashes("a");
    bench.up("a");
    let (child, generation) = bench.life("a");
    let exit = Exit::Crash { reason: "panic".to_owned(), on_message: false };
    let actions = bench.supervisor.step(bench.now, Event::Exited { child, generation, exit });
    let [Action::Emit { who, event }, Action::Arm { timer, at }] = actions.as_slice() else {
        panic!("expected a back-off, got {actions:?}")
    };
    let delay = at.since(bench.now);
    assert_eq!((who.as_str(), event), ("a", &nunect_core::Event::RestartScheduled { delay }));
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
