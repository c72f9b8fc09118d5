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
