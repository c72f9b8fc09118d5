//! The simulated network against a real one: kernels, nats-servers and units in network namespaces.
//!
//! `tools/test --test fidelity` runs the short form; with NUNECT_FIDELITY=full, as `tools/fidelity` sets it, samples are
//! as large and rows as often repeated as docs/fidelity.md says. What was measured is left in `target/fidelity`.

mod measured;
#[path = "../support/nats.rs"]
mod nats;
mod real;
#[path = "../support/unit.rs"]
mod unit;

use std::path::Path;
use std::thread::scope;
use std::time::Duration;

use measured::{Cut, Failover, How, LeafSettings, Pings, Rtts};
use real::Conditions;
use serde::Serialize;

/// What `echo.py` sends a connection, in a minute.
const A_MINUTE: usize = 3_000;

/// How the links of a short measurement lose, with so many connections each.
const FIRST: [(f64, usize); 2] = [(0.05, 7), (0.10, 7)];
const SECOND: [(f64, usize); 2] = [(0.01, 5), (0.02, 5)];
/// A relay that was later than this for a packet in a hundred waited for other work of the machine.
const LATE_MAX: Duration = Duration::from_millis(2);
/// How often a measurement is made until the machine leaves it alone.
const TRIES: usize = 3;

/// Whether everything is to be measured as for docs/fidelity.md.
fn full() -> bool {
    std::env::var_os("NUNECT_FIDELITY").is_some_and(|form| form == "full")
}

/// Leaves what was measured for whoever looks closer.
fn keep(name: &str, measured: &impl Serialize) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("fidelity");
    std::fs::create_dir_all(&folder).expect("a writable folder");
    let text = serde_json::to_string(measured).expect("numbers and texts");
    std::fs::write(folder.join(name).with_extension("json"), text).expect("a writable folder");
}

/// Measures until the machine leaves it alone.
fn calmly<T>(what: &str, measure: impl Fn() -> (T, Conditions)) -> (T, Conditions) {
    let mut measured = measure();
    for _ in 1..TRIES {
        let late = Duration::from_micros(measured.1.relay.late_us.p99);
        if late <= LATE_MAX {
            break;
        }
        println!("{what}: again, the relay was {late:?} late");
        measured = measure();
    }
    measured
}

/// The links side by side, each of the given loss with so many connections, and one that loses nothing beside them.
fn links(losses: &[(f64, usize)], messages: usize, seed: u64) -> Vec<Rtts> {
    let control = [(0.0, 1)];
    let all = control.iter().chain(losses);
    let mut measured: Vec<(Rtts, Conditions)> = scope(|threads| {
        let one = |&(loss, connections): &(f64, usize)| {
            threads.spawn(move || real::lossy_link(loss, connections, messages, seed))
        };
        let running: Vec<_> = all.map(one).collect();
        running.into_iter().map(|thread| thread.join().expect("a measurement")).collect()
    });
    let (control, conditions) = measured.remove(0);
    let (p50, p99) = (control.quantile(0.5), control.quantile(0.99));
    println!("control: p50 {p50:.1} p99 {p99:.1} ms, relay {:?}", conditions.relay);
    assert!((20.0..25.0).contains(&p50), "without loss a round trip takes the delay of the link: {p50} ms");
    let mut found = Vec::new();
    for (rtts, conditions) in measured {
        report(&rtts);
        keep(&format!("rtt-{:.0}", rtts.loss * 100.0), &(&rtts, conditions));
        found.push(rtts);
    }
    found.push(control);
    found
}

fn report(rtts: &Rtts) {
    println!(
        "| {:.0} % | {} | {:.1} | {:.1} | {:.1} | {:.1?} | {:.4} | {} |",
        rtts.loss * 100.0,
        rtts.sent(),
        rtts.quantile(0.5),
        rtts.quantile(0.95),
        rtts.quantile(0.99),
        rtts.quantile_range(0.99),
        rtts.share_above(60.0),
        rtts.lost()
    );
}

#[test]
fn loss_is_delay() {
    let mut shares = Vec::new();
    for losses in [FIRST, SECOND] {
        for rtts in links(&losses, A_MINUTE, 1) {
            assert_eq!(rtts.lost(), 0, "no message is lost at a loss of {}", rtts.loss);
            shares.push((rtts.loss, rtts.share_above(60.0)));
        }
    }
    shares.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(shares.is_sorted_by(|a, b| a.1 <= b.1 || a.0 == b.0), "the more is lost, the later it comes: {shares:?}");
}

fn cut(pings: Pings, seconds: u64) -> Cut {
    let length = Duration::from_secs(seconds);
    let (cut, conditions) = calmly("a cut", || real::cluster_cut(pings, length));
    println!("{cut:?}");
    keep(&format!("cut-{pings:?}-{seconds}"), &(&cut, conditions));
    cut
}

/// Two measurements side by side.
fn both<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    scope(|threads| {
        let one = threads.spawn(one);
        let other = other();
        (one.join().expect("a measurement"), other)
    })
}

#[test]
fn a_cluster_notices_a_cut_by_its_pings_or_by_its_writes() {
    let (survived, noticed) = both(|| cut(Pings::Default, 5), || cut(Pings::EverySecond, 5));
    assert_eq!(survived.detected, None, "{survived:?}");
    assert_eq!(survived.lost, [0, 0], "TCP survives: {survived:?}");
    let at_pings = |cut: &Cut| cut.detected.is_some_and(|at| (2_000..3_500).contains(&at.as_millis()));
    assert!(at_pings(&noticed), "{noticed:?}");

    let (pings, writes) = both(|| cut(Pings::EverySecond, 20), || cut(Pings::Default, 40));
    assert!(at_pings(&pings), "{pings:?}");
    let at_write = writes.detected.is_some_and(|at| (9_500..16_000).contains(&at.as_millis()));
    assert!(at_write, "the write deadline of 10 s: {writes:?}");
    for cut in [noticed, pings, writes] {
        let lost = cut.lost.iter().all(|lost| *lost > 100);
        let back = cut.first_after_heal.iter().all(|back| back.is_some_and(|back| back < Duration::from_secs(4)));
        assert!(lost && back, "what was sent meanwhile is lost, and it goes on afterwards: {cut:?}");
    }
}

/// As in configs/nats/leaf.conf.
const LEAF: LeafSettings = LeafSettings {
    reconnect: Duration::from_secs(1),
    ping_interval: Duration::from_secs(5),
    ping_max: 2,
    write_deadline: Duration::from_secs(5),
};

fn failover(how: How) -> Failover {
    let (failover, conditions) = calmly("a fail-over", || real::leaf_failover(how, LEAF));
    println!("{failover:?}");
    keep(&format!("failover-{how:?}"), &(&failover, conditions));
    failover
}

#[test]
fn a_leaf_goes_to_its_second_hub() {
    let (killed, silent) = both(|| failover(How::HubKilled), || failover(How::LinkSilent));
    assert!(killed.detected < Duration::from_millis(500), "{killed:?}");
    assert!(killed.after < Duration::from_secs(3), "{killed:?}");
    assert!((3..18).contains(&silent.detected.as_secs()), "{silent:?}");
    assert!(silent.after < Duration::from_secs(20), "{silent:?}");
}

#[test]
fn who_is_cut_off_or_killed_is_offline_after_two_and_a_half_intervals() {
    let interval = Duration::from_secs(1);
    let measure = || real::offline_decisions(interval, Duration::from_secs(10));
    let (decisions, conditions) = calmly("decisions", measure);
    println!("{decisions:?}");
    keep("offline", &(&decisions, conditions));
    let mut units: Vec<&str> = decisions.offline.iter().map(|(unit, _)| unit.as_str()).collect();
    units.sort_unstable();
    assert_eq!(units, [real::FAR[0], real::FAR[1], real::VICTIM], "{decisions:?}");
    for (unit, after) in &decisions.offline {
        let (_, last) = decisions.last_heard.iter().find(|(id, _)| id == unit).expect("a unit that was heard");
        let silence = (*after + *last).as_secs_f64();
        assert!((2.4..3.0).contains(&silence), "{unit} is OFFLINE {silence} s after its last heartbeat");
    }
    let back = real::FAR.iter().all(|far| decisions.online.iter().any(|(unit, _)| unit == far));
    assert!(back, "who was cut off is back: {decisions:?}");
    assert!(!full() || decisions.offline.len() == 3);
}
