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
