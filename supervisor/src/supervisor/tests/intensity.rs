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
