use super::*;

fn place(bench: &Bench, child: u32) -> &'static str {
    bench.supervisor.state(ChildId(child)).expect("it has a place").as_str()
}

#[test]
fn an_added_child_takes_the_next_place_and_starts() {
    let mut bench = running(Strategy::OneForAll, "pp");
    assert_eq!(bench.add("c"), ["start c1"]);
    assert_eq!(bench.life("c").0, ChildId(2));
    assert_eq!(bench.add("d"), NOTHING, "after c");
    assert_eq!(bench.up("c"), ["start d1"]);
    bench.up("d");
    assert_eq!(bench.crashes("d"), ["stop c1 Restart", "arm 1"], "from then on it is one of them");
}

#[test]
fn a_child_added_before_the_start_is_as_one_that_was_always_there() {
    let mut bench = bench(Strategy::OneForOne, "p");
    assert_eq!(bench.add("b"), NOTHING);
    bench.step(Event::Start);
    assert!(!bench.supervisor.is_up());
    assert_eq!(bench.up("a"), ["start b1"]);
    assert_eq!(bench.fails("b"), ["escalated", "stop a1 Restart", "arm 1"]);
}

#[test]
fn an_added_child_that_does_not_come_up_stays_down_and_harms_nobody() {
    let mut bench = running(Strategy::OneForAll, "p");
    bench.supervisor.window.intensity.crashes = 0;
    bench.add("b");
    assert_eq!(bench.fails("b"), NOTHING);
    assert_eq!((bench.state("b"), bench.supervisor.is_up()), ("ended", true));
    assert_eq!(bench.restart("b"), ["start b2"], "its configuration may be right now");
    assert_eq!(bench.fails("b"), NOTHING);
    assert_eq!(bench.restart("b"), ["start b3"]);
    bench.up("b");
    assert_eq!(bench.crashes("b")[0], "escalated", "it was up: this is a crash");
}

#[test]
fn who_is_added_while_the_others_go_down_is_gone_and_keeps_its_place() {
    let mut bench = running(Strategy::OneForOne, "p");
    bench.step(NODE_STOPS);
    assert_eq!(bench.add("b"), NOTHING);
    assert_eq!(bench.ends("a"), ["cancel 1", "stopped"]);
    assert_eq!(bench.add("c"), NOTHING);
    assert_eq!((place(&bench, 1), place(&bench, 2)), ("ended", "ended"));
}

#[test]
fn a_removed_child_is_stopped_and_its_place_stays_empty() {
    let mut bench = running(Strategy::OneForOne, "ppp");
    assert_eq!(bench.remove("b"), ["stop b1 Command", "arm 1"]);
    assert_eq!(bench.ends("b"), ["cancel 1"]);
    assert_eq!(bench.supervisor.find(&ActorName::new("b").expect("legal")), None);
    assert_eq!((place(&bench, 1), place(&bench, 2)), ("ended", "running"));
    assert_eq!(bench.step(Event::Restart(ChildId(1))), NOTHING);
    assert_eq!(bench.add("b"), ["start b1"], "its name is free");
    assert_eq!(bench.life("b").0, ChildId(3));
}

#[test]
fn removed_children_of_a_group_restart_stay_away() {
    let mut bench = running(Strategy::OneForAll, "ppp");
    bench.crashes("a");
    assert_eq!(bench.remove("b"), NOTHING, "c stops first");
    assert_eq!(bench.ends("c"), ["cancel 1", "stop b1 Command", "arm 2"]);
    assert_eq!(bench.ends("b"), ["cancel 2", "start a2"]);
    assert_eq!(bench.up("a"), ["start c2"]);
}

#[test]
fn who_is_removed_before_its_start_never_starts_and_is_not_waited_for() {
    let mut bench = bench(Strategy::OneForOne, "ppp");
    bench.remove("a");
    assert_eq!(bench.step(Event::Start), ["start b1"]);
    assert_eq!(bench.remove("b"), ["stop b1 Command", "arm 1", "start c1"]);
    assert_eq!(bench.fails("b"), ["cancel 1"], "its start failed too late to matter");
    bench.up("c");
    assert!(bench.supervisor.is_up());
}

#[test]
fn a_removal_ends_the_wait_and_those_behind_it_go_on() {
    let mut bench = running(Strategy::OneForAll, "pp");
    bench.crashes("a");
    bench.ends("b");
    bench.up("a");
    assert_eq!(bench.crashes("a"), ["restart_scheduled", "arm 2", "stop b2 Restart", "arm 3"]);
    assert_eq!(bench.ends("b"), ["cancel 3"]);
    assert_eq!(bench.remove("a"), ["cancel 2", "start b3"]);
}

#[test]
fn a_restart_by_command_is_free_and_concerns_one_child() {
    let mut bench = running(Strategy::OneForAll, "pp");
    bench.supervisor.window.intensity.crashes = 0;
    for life in 1..20 {
        assert_eq!(bench.restart("a")[0], format!("stop a{life} Restart"));
        assert_eq!(bench.ends("a")[1], format!("start a{}", life + 1));
        bench.up("a");
    }
    assert_eq!((bench.state("b"), bench.life("b").1), ("running", Generation(1)));
}

#[test]
fn a_restart_by_command_also_begins_what_has_ended_or_waits() {
    let mut bench = running(Strategy::OneForOne, "tep");
    bench.ends("a");
    assert_eq!(bench.restart("a"), ["start a2"]);
    assert_eq!(bench.restart("a"), ["stop a2 Restart", "arm 1"], "it starts");
    assert_eq!(bench.restart("a"), NOTHING, "it stops");
    bench.ends("b");
    assert_eq!(bench.restart("b"), ["start b2"]);
    bench.crashes("c");
    bench.up("c");
    assert_eq!(bench.crashes("c"), ["restart_scheduled", "arm 2"]);
    assert_eq!(bench.restart("c"), ["cancel 2", "start c3"]);
}

#[test]
fn a_temporary_child_that_a_command_restarts_comes_back_from_a_group_restart_too() {
    let mut bench = running(Strategy::OneForAll, "pe");
    bench.restart("b");
    bench.crashes("a");
    assert_eq!(bench.ends("b"), ["cancel 1", "start a2"]);
    assert_eq!(bench.up("a"), ["start b2"]);
}

#[test]
fn nobody_waits_for_a_sibling_that_a_command_ends() {
    let mut bench = running(Strategy::OneForOne, "ppp");
    assert_eq!(bench.remove("a"), ["stop a1 Command", "arm 1"]);
    assert_eq!(bench.restart("b"), ["stop b1 Restart", "arm 2"]);
    assert_eq!(bench.crashes("c"), ["start c2"]);
}

#[test]
fn a_restart_by_command_does_not_excuse_a_first_start() {
    let mut bench = bench(Strategy::OneForOne, "pp");
    bench.step(Event::Start);
    bench.restart("a");
    assert_eq!(bench.ends("a"), ["cancel 1", "start a2"]);
    assert_eq!(bench.fails("a"), ["escalated", "escalate 1 no device"]);
}

#[test]
fn commands_change_nothing_once_it_goes_down() {
    let mut bench = running(Strategy::OneForOne, "pp");
    bench.step(NODE_STOPS);
    assert_eq!(bench.restart("a"), NOTHING);
    assert_eq!(bench.remove("a"), NOTHING);
    assert_eq!(bench.step(Event::Remove(ChildId(7))), NOTHING);
    assert_eq!(bench.ends("b"), ["cancel 1", "stop a1 NodeShutdown", "arm 2"]);
    assert_eq!(bench.ends("a"), ["cancel 2", "stopped"]);
}
