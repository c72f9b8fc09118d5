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
