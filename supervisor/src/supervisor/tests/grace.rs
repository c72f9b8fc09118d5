use super::*;

fn stopping(shutdown: Shutdown) -> (Bench, Vec<String>) {
    let mut bench = bench_with(Strategy::OneForOne, "p", shutdown);
    bench.start_all();
    let actions = bench.step(NODE_STOPS);
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
