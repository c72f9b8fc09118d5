use super::*;

#[test]
fn children_stop_in_the_reverse_of_their_start() {
    let mut bench = running(Strategy::OneForOne, "ppp");
    assert_eq!(bench.step(NODE_STOPS), ["stop c1 NodeShutdown", "arm 1"]);
    assert_eq!(bench.ends("c"), ["cancel 1", "stop b1 NodeShutdown", "arm 2"]);
    assert_eq!(bench.crashes("a"), NOTHING, "a crash on the way down is just an end");
    assert_eq!(bench.step(NODE_STOPS), NOTHING);
    assert_eq!(bench.ends("b"), ["cancel 2", "stopped"]);
    assert_eq!(bench.step(NODE_STOPS), NOTHING);
}

#[test]
fn before_the_start_there_is_nothing_to_stop() {
    let mut bench = bench(Strategy::OneForOne, "p");
    assert_eq!(bench.step(NODE_STOPS), ["stopped"]);
    assert_eq!(bench.step(Event::Start), NOTHING);
}

#[test]
fn in_the_middle_of_the_start_the_rest_is_not_started() {
    let mut bench = bench(Strategy::OneForOne, "ppp");
    bench.step(Event::Start);
    bench.up("a");
    assert_eq!(bench.step(NODE_STOPS), ["stop b1 NodeShutdown", "arm 1"]);
    assert_eq!(bench.up("b"), NOTHING);
    assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 NodeShutdown", "arm 2"]);
    assert_eq!(bench.ends("a"), ["cancel 2", "stopped"]);
}

#[test]
fn a_start_that_fails_during_the_stop_is_just_an_end() {
    let mut bench = bench(Strategy::OneForOne, "p");
    bench.step(Event::Start);
    bench.step(NODE_STOPS);
    assert_eq!(bench.fails("a"), ["cancel 1", "stopped"]);
}

#[test]
fn in_the_middle_of_a_group_restart_what_stops_goes_on_stopping() {
    let mut bench = running(Strategy::OneForAll, "ppp");
    bench.crashes("a");
    assert_eq!(bench.step(NODE_STOPS), NOTHING, "c is stopping already");
    assert_eq!(bench.ends("c"), ["cancel 1", "stop b1 NodeShutdown", "arm 2"]);
    assert_eq!(bench.ends("b"), ["cancel 2", "stopped"]);
}

#[test]
fn during_a_back_off_the_wait_is_cancelled() {
    let mut bench = running(Strategy::OneForOne, "pp");
    bench.crashes("a");
    bench.up("a");
    bench.crashes("a");
    assert_eq!(bench.step(NODE_STOPS), ["cancel 1", "stop b1 NodeShutdown", "arm 2"]);
    assert_eq!(bench.fire(1), NOTHING, "fired all the same");
    assert_eq!(bench.ends("b"), ["cancel 2", "stopped"]);
    assert_eq!(bench.state("a"), "ended");
}

#[test]
fn during_an_escalation_it_ends_as_a_stop() {
    let mut bench = running(Strategy::OneForOne, "ppp");
    bench.supervisor.window.intensity.crashes = 0;
    assert_eq!(bench.crashes("c"), ["escalated", "stop b1 Restart", "arm 1"]);
    assert_eq!(bench.step(NODE_STOPS), NOTHING);
    assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 NodeShutdown", "arm 2"]);
    assert_eq!(bench.ends("a"), ["cancel 2", "stopped"]);
}

#[test]
fn after_an_escalation_it_is_answered_once() {
    let mut bench = running(Strategy::OneForOne, "p");
    bench.supervisor.window.intensity.crashes = 0;
    assert_eq!(bench.crashes("a"), ["escalated", "escalate 1 panic"]);
    assert_eq!(bench.step(NODE_STOPS), ["stopped"]);
    assert_eq!(bench.step(NODE_STOPS), NOTHING);
}

#[test]
fn the_children_are_told_why() {
    let mut bench = running(Strategy::OneForOne, "pp");
    assert_eq!(bench.step(Event::Stop(StopReason::Restart)), ["stop b1 Restart", "arm 1"]);
    assert_eq!(bench.step(Event::Stop(StopReason::Command)), NOTHING);
    assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 Restart", "arm 2"]);
    assert_eq!(bench.ends("a"), ["cancel 2", "stopped"]);
}

#[test]
fn that_the_node_stops_is_told_to_all_who_were_not_asked_yet_and_not_taken_back() {
    let mut bench = running(Strategy::OneForOne, "ppp");
    assert_eq!(bench.step(Event::Stop(StopReason::Restart)), ["stop c1 Restart", "arm 1"]);
    assert_eq!(bench.step(NODE_STOPS), NOTHING);
    assert_eq!(bench.step(Event::Stop(StopReason::Restart)), NOTHING);
    assert_eq!(bench.ends("c"), ["cancel 1", "stop b1 NodeShutdown", "arm 2"]);
}

#[test]
fn the_root_tells_its_children_that_its_escalation_is_the_end() {
    let mut bench = running(Strategy::OneForOne, "pp");
    bench.supervisor.ends_unit = true;
    bench.supervisor.window.intensity.crashes = 0;
    assert_eq!(bench.crashes("b"), ["escalated", "stop a1 NodeShutdown", "arm 1"]);
    assert_eq!(bench.ends("a"), ["cancel 1", "escalate 1 panic"]);
}
