use super::*;

/// All up; the capitals among the children's kinds are significant.
fn significant(auto_shutdown: AutoShutdown, kinds: &str) -> Bench {
    let mut bench = bench(Strategy::OneForOne, &kinds.to_lowercase());
    bench.supervisor.auto_shutdown = auto_shutdown;
    for (slot, kind) in bench.supervisor.slots.iter_mut().zip(kinds.chars()) {
        slot.spec.significant = kind.is_uppercase();
    }
    bench.start_all();
    bench
}

#[test]
fn the_end_of_any_ends_all_in_reverse_order() {
    let mut bench = significant(AutoShutdown::AnySignificant, "pTTp");
    assert_eq!(bench.ends("b"), ["stop d1 Command", "arm 1"]);
    assert!(bench.supervisor.is_closing());
    assert_eq!(bench.ends("d"), ["cancel 1", "stop c1 Command", "arm 2"]);
    assert_eq!(bench.ends("c"), ["cancel 2", "stop a1 Command", "arm 3"]);
    assert_eq!(bench.ends("a"), ["cancel 3", "completed b"]);
    assert!(bench.supervisor.is_over());
    assert_eq!(bench.step(NODE_STOPS), ["stopped"], "a stop is answered all the same");
    assert_eq!(bench.step(NODE_STOPS), NOTHING);
}

#[test]
fn the_end_of_the_last_ends_all() {
    let mut bench = significant(AutoShutdown::AllSignificant, "TTp");
    assert_eq!(bench.ends("a"), NOTHING);
    assert_eq!(bench.ends("b"), ["stop c1 Command", "arm 1"]);
    assert_eq!(bench.ends("c"), ["cancel 1", "completed b"]);
}

#[test]
fn one_that_waits_for_its_restart_has_not_ended() {
    let mut bench = significant(AutoShutdown::AllSignificant, "TT");
    bench.crashes("a");
    bench.up("a");
    assert_eq!(bench.crashes("a"), ["restart_scheduled", "arm 1"]);
    assert_eq!(bench.ends("b"), NOTHING);
    assert_eq!(bench.fire(1), ["start a3"]);
    bench.up("a");
    assert_eq!(bench.ends("a"), ["completed a"]);
}

#[test]
fn a_crash_is_the_end_of_a_temporary_child_only() {
    let mut bench = significant(AutoShutdown::AnySignificant, "TEp");
    assert_eq!(bench.crashes("a"), ["start a2"]);
    assert_eq!(bench.crashes("b"), ["stop c1 Command", "arm 1"]);
}

#[test]
fn the_insignificant_and_those_who_were_asked_end_nothing() {
    let mut bench = significant(AutoShutdown::AnySignificant, "TTt");
    assert_eq!(bench.ends("c"), NOTHING);
    bench.remove("a");
    assert_eq!(bench.ends("a"), ["cancel 1"]);
    bench.restart("b");
    assert_eq!(bench.ends("b"), ["cancel 2", "start b2"]);
    let mut never = significant(AutoShutdown::Never, "T");
    assert_eq!(never.ends("a"), NOTHING);
}

#[test]
fn a_stop_on_the_way_has_the_last_word() {
    let mut bench = significant(AutoShutdown::AnySignificant, "ppT");
    assert_eq!(bench.ends("c"), ["stop b1 Command", "arm 1"]);
    assert_eq!(bench.step(NODE_STOPS), NOTHING);
    assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 NodeShutdown", "arm 2"]);
    assert_eq!(bench.ends("a"), ["cancel 2", "stopped"]);
}

#[test]
fn to_the_children_of_the_root_it_is_the_end_of_the_unit() {
    let mut bench = significant(AutoShutdown::AnySignificant, "pT");
    bench.supervisor.ends_unit = true;
    assert_eq!(bench.ends("b"), ["stop a1 NodeShutdown", "arm 1"]);
}
