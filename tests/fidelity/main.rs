//! The simulated network against a real one: kernels, nats-servers and units in network namespaces.
//!
//! `tools/fidelity` measures as often as docs/fidelity.md says and prints its tables. What was measured is left in
//! `target/fidelity`.

mod form;
mod measured;
#[path = "../support/nats.rs"]
mod nats;
mod real;
#[path = "../support/unit.rs"]
mod unit;

use std::thread::scope;
use std::time::Duration;

use form::{both, calmly, full, keep, keep_table, range, runs, seconds};
use measured::{Cut, Decisions, Failover, How, LeafSettings, Pings, Rtts};
use real::Conditions;

/// Messages of a connection: a minute of one every 20 ms.
const MESSAGES: usize = 3_000;
/// Links that are measured side by side, each with so many connections, so that at 5 and 10 % more than 20,000 messages
/// are pooled; beside them goes one connection over a link that loses nothing.
const SIDE_BY_SIDE: [[(f64, usize); 2]; 2] = [[(0.05, 7), (0.10, 7)], [(0.01, 5), (0.02, 5)]];
/// Round trips without loss: the delay of the link twice, and what machines take besides.
const CONTROL_MS: std::ops::Range<f64> = 20.0..25.0;
/// Beyond this a round trip without loss met something else.
const CONTROL_P99_MAX_MS: f64 = 35.0;

/// One round of measurements side by side, with what was measured without loss.
fn links(losses: &[(f64, usize)], seed: u64) -> (Vec<Rtts>, Conditions) {
    let control = [(0.0, 1)];
    scope(|threads| {
        let one = |&(loss, connections): &(f64, usize)| {
            threads.spawn(move || real::lossy_link(loss, connections, MESSAGES, seed))
        };
        let running: Vec<_> = control.iter().chain(losses).map(one).collect();
        let measured: Vec<(Rtts, Conditions)> =
            running.into_iter().map(|thread| thread.join().expect("a measurement")).collect();
        let conditions = measured[0].1.clone();
        (measured.into_iter().map(|(rtts, _)| rtts).collect(), conditions)
    })
}

/// All losses, each pooled over all rounds, the lowest first.
fn all_links() -> Vec<Rtts> {
    let mut pooled: Vec<Rtts> = Vec::new();
    let rounds = if full() { 3 } else { 1 };
    for seed in 1..=rounds {
        for losses in SIDE_BY_SIDE {
            let is_calm = |found: &Vec<Rtts>| found[0].quantile(0.99) <= CONTROL_P99_MAX_MS;
            let (found, conditions) = calmly(is_calm, || links(&losses, seed));
            for rtts in found {
                match pooled.iter_mut().find(|known| known.loss.total_cmp(&rtts.loss).is_eq()) {
                    Some(known) => known.pool(rtts),
                    None => pooled.push(rtts),
                }
            }
            keep("conditions", &conditions);
        }
    }
    pooled.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    pooled
}

#[test]
fn a_lossy_link_delays_messages_and_loses_none() {
    let found = all_links();
    let row = |rtts: &Rtts| {
        keep(&format!("rtt-{:.0}", rtts.loss * 100.0), rtts);
        let p99s = rtts.quantile_range(0.99);
        vec![
            format!("{:.0} %", rtts.loss * 100.0),
            rtts.sent().to_string(),
            format!("{:.1}/{:.1}/{:.1}", rtts.quantile(0.5), rtts.quantile(0.95), rtts.quantile(0.99)),
            format!("{:.0} to {:.0}", p99s.start(), p99s.end()),
            format!("{:.4}", rtts.share_above(60.0)),
            rtts.lost().to_string(),
        ]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    let head = ["packet loss", "messages", "p50/p95/p99 ms", "p99 by connection", "share > 60 ms", "messages lost"];
    keep_table("links", &head, &rows);

    let control = &found[0];
    assert!(CONTROL_MS.contains(&control.quantile(0.5)), "without loss a round trip takes the delay: {rows:?}");
    assert!(control.share_above(60.0) < 0.005, "the machine was left alone: {rows:?}");
    assert!(found.iter().all(|rtts| rtts.lost() == 0), "no message is lost: {rows:?}");
    let worse = found.is_sorted_by(|a, b| a.share_above(60.0) < b.share_above(60.0));
    assert!(worse, "the more packets are lost, the more messages are late: {rows:?}");
}

/// A row of the table, measured as often as the form says.
fn cut(pings: Pings, cut_s: u64) -> Vec<Cut> {
    let measure = || real::cluster_cut(pings, Duration::from_secs(cut_s));
    let (cuts, conditions): (Vec<_>, Vec<_>) = (0..runs()).map(|_| calmly(|_| true, measure)).unzip();
    keep(&format!("cut-{pings:?}-{cut_s}"), &(&cuts, conditions));
    cuts
}

fn cut_row(cuts: &[Cut]) -> Vec<String> {
    let of = |time: fn(&Cut) -> Option<Duration>| range(cuts.iter().filter_map(time).map(|time| time.as_secs_f64()), 2);
    let lost = |way: usize| range(cuts.iter().map(|cut| cut.lost[way] as f64), 0);
    vec![
        format!("{:?}, {} s", cuts[0].pings, cuts[0].cut.as_secs()),
        of(|cut| cut.detected),
        format!("{} / {}", lost(0), lost(1)),
        format!("{} / {}", of(|cut| cut.first_after_heal[0]), of(|cut| cut.first_after_heal[1])),
        of(|cut| cut.latest.iter().max().copied()),
    ]
}

#[test]
fn a_cluster_notices_a_cut_by_its_pings_or_by_its_writes() {
    let (survived, noticed) = both(|| cut(Pings::Default, 5), || cut(Pings::EverySecond, 5));
    let (pings, writes) = both(|| cut(Pings::EverySecond, 20), || cut(Pings::Default, 40));
    let rows = [&survived, &noticed, &pings, &writes].map(|cuts| cut_row(cuts));
    let head = ["pings, cut", "detected s", "lost one way / the other", "first after heal s", "latest s"];
    keep_table("cuts", &head, &rows);

    for cut in &survived {
        assert_eq!((cut.detected, cut.lost), (None, [0, 0]), "TCP survives: {cut:?}");
    }
    let detected = |cut: &Cut, within_ms: std::ops::Range<u128>| {
        assert!(cut.detected.is_some_and(|at| within_ms.contains(&at.as_millis())), "within {within_ms:?}: {cut:?}");
    };
    // The third ping has no answer.
    noticed.iter().chain(&pings).for_each(|cut| detected(cut, 2_000..3_500));
    // The socket's buffer is full after a few seconds, and the write deadline is 10 s.
    writes.iter().for_each(|cut| detected(cut, 10_000..16_000));
    for cut in noticed.iter().chain(&pings).chain(&writes) {
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

fn failover(how: How) -> Vec<Failover> {
    let measure = || real::leaf_failover(how, LEAF);
    let (failovers, conditions): (Vec<_>, Vec<_>) = (0..runs()).map(|_| calmly(|_| true, measure)).unzip();
    keep(&format!("failover-{how:?}"), &(&failovers, conditions));
    failovers
}

fn failover_row(failovers: &[Failover]) -> Vec<String> {
    let of = |value: fn(&Failover) -> f64, digits| range(failovers.iter().map(value), digits);
    vec![
        format!("{:?}", failovers[0].how),
        of(|failover| failover.detected.as_secs_f64(), 2),
        of(|failover| failover.after.as_secs_f64(), 2),
        format!("{} / {}", of(|failover| failover.lost[0] as f64, 0), of(|failover| failover.lost[1] as f64, 0)),
    ]
}

#[test]
fn a_leaf_goes_to_its_second_hub() {
    let (killed, silent) = both(|| failover(How::HubKilled), || failover(How::LinkSilent));
    let rows = [failover_row(&killed), failover_row(&silent)];
    keep_table("failovers", &["what", "detected s", "at the second hub s", "lost up / down"], &rows);
    for failover in &killed {
        let Failover { detected, after, .. } = failover;
        assert!(*detected < Duration::from_millis(500) && *after < Duration::from_secs(3), "{failover:?}");
    }
    for failover in &silent {
        let Failover { detected, after, .. } = failover;
        assert!((3..18).contains(&detected.as_secs()) && *after < Duration::from_secs(20), "{failover:?}");
    }
}

fn check_offline(decisions: &Decisions) {
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
}

#[test]
fn who_is_cut_off_or_killed_is_offline_after_two_and_a_half_intervals() {
    let measure = || real::offline_decisions(Duration::from_secs(1), Duration::from_secs(10));
    let (found, conditions): (Vec<_>, Vec<_>) = (0..runs()).map(|_| calmly(|_| true, measure)).unzip();
    keep("offline", &(&found, conditions));
    let mut rows = Vec::new();
    for decisions in &found {
        for (unit, after) in &decisions.offline {
            let heard = decisions
                .last_heard
                .iter()
                .find(|(id, _)| id == unit)
                .map_or_else(String::new, |(_, last)| seconds(*last));
            let back =
                decisions.online.iter().find(|(id, _)| id == unit).map_or_else(String::new, |(_, back)| seconds(*back));
            rows.push(vec![unit.clone(), heard, seconds(*after), back]);
        }
    }
    keep_table("offline", &["unit", "last heard before the cut s", "OFFLINE s", "back after heal s"], &rows);
    found.iter().for_each(check_offline);
}
