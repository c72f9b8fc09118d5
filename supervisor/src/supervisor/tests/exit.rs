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

#[test]
fn the_end_of_a_life_counts_once() {
    let mut bench = running(Strategy::OneForOne, "pe");
    bench.supervisor.window.intensity.crashes = 2;
    bench.crashes("a");
    bench.up("a");
    bench.crashes("a");
    assert_eq!(bench.state("a"), "backing_off");
    assert_eq!(bench.crashes("a"), NOTHING);
    assert_eq!(bench.fails("a"), NOTHING);
    bench.ends("b");
    assert_eq!(bench.ends("b"), NOTHING);
    assert_eq!(bench.fire(1), ["start a3"]);
}
