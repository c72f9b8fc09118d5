//! A leaf that loses its first hub.

use std::time::Duration;

use crate::alike::are_close;
use crate::form::{both, calmly, keep, keep_table, range, runs, undisturbing};
use crate::measured::{Failover, How, LeafSettings};
use crate::real;
use crate::simulated;
use crate::stored::{FailoverRun, Failovers, RealRuns};

/// As in configs/nats/leaf.conf.
const LEAF: LeafSettings = LeafSettings {
    reconnect: Duration::from_secs(1),
    ping_interval: Duration::from_secs(5),
    ping_max: 2,
    write_deadline: Duration::from_secs(5),
};
/// Seeds of a simulated row.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
const HEAD: [&str; 3] = ["what", "detected s", "at the second hub s"];

fn failover(how: How) -> Vec<Failover> {
    let measure = || real::leaf_failover(how, LEAF);
    let (failovers, conditions): (Vec<_>, Vec<_>) = (0..runs()).map(|_| calmly(|_| true, measure)).unzip();
    keep(&format!("failover-{how:?}"), &(&failovers, conditions));
    failovers
}

fn simulate(how: How) -> Vec<FailoverRun> {
    let _alone = undisturbing();
    SEEDS.map(|seed| FailoverRun::from(&simulated::leaf_failover(how, LEAF, seed))).collect()
}

fn row(how: How, what: &str, runs: &[FailoverRun]) -> Vec<String> {
    let of = |value: fn(&FailoverRun) -> f64| range(runs.iter().map(value), 2);
    vec![format!("{how:?}, {what}"), of(|run| run.detected_s), of(|run| run.after_s)]
}

fn assert_alike(how: How, simulated: &[FailoverRun], real: &[FailoverRun]) {
    let each = |runs: &[FailoverRun], of: fn(&FailoverRun) -> f64| runs.iter().map(of).collect::<Vec<_>>();
    for (what, of) in [
        ("gives up its first hub", (|run| run.detected_s) as fn(&FailoverRun) -> f64),
        ("is at its second", |run| run.after_s),
    ] {
        let (found, wanted) = (each(simulated, of), each(real, of));
        assert!(are_close(&found, &wanted), "{how:?}: the leaf {what}\nsimulated {found:?}\nreal {wanted:?}");
    }
}

pub(crate) fn compare_at_length() {
    let stored = RealRuns::read();
    let found = [How::HubKilled, How::LinkSilent].map(|how| (how, simulate(how)));
    let mut rows = Vec::new();
    for (how, simulated) in &found {
        rows.push(row(*how, "real", stored.failovers(*how)));
        rows.push(row(*how, "simulated", simulated));
    }
    keep_table("failovers-simulated", &HEAD, &rows);
    found.iter().for_each(|(how, simulated)| assert_alike(*how, simulated, stored.failovers(*how)));
}

#[test]
fn a_leaf_goes_to_its_second_hub() {
    let stored = RealRuns::read();
    let (killed, silent) = both(|| failover(How::HubKilled), || failover(How::LinkSilent));
    let failovers = [&killed, &silent]
        .map(|runs| Failovers { how: runs[0].how, runs: runs.iter().map(FailoverRun::from).collect() });
    keep("stored-failovers", &failovers);
    let rows = failovers.each_ref().map(|row_of| row(row_of.how, "real", &row_of.runs));
    keep_table("failovers", &HEAD, &rows);
    for failover in &killed {
        let Failover { detected, after, .. } = failover;
        assert!(*detected < Duration::from_millis(500) && *after < Duration::from_secs(3), "{failover:?}");
    }
    for failover in &silent {
        let Failover { detected, after, .. } = failover;
        assert!((3..18).contains(&detected.as_secs()) && *after < Duration::from_secs(20), "{failover:?}");
    }
    for Failovers { how, runs } in &failovers {
        assert_alike(*how, &simulate(*how), &[stored.failovers(*how), runs].concat());
    }
}
