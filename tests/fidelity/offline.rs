//! Who is OFFLINE, as the monitor of one unit sees it.

use std::time::Duration;

use crate::alike::CLOSE_S;
use crate::form::{calmly, keep, keep_table, runs, undisturbing};
use crate::measured::Decisions;
use crate::real;
use crate::simulated;
use crate::stored::{RealRuns, Unit, units};

const INTERVAL: Duration = Duration::from_secs(1);
const CUT: Duration = Duration::from_secs(10);
const HEAD: [&str; 4] =
    ["unit", "last heard before the cut s", "OFFLINE s, real / simulated", "back after heal s, real / simulated"];

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

/// The same units beat as long before the cut as in a real run.
fn simulate(run: &[Unit]) -> Vec<Unit> {
    let _alone = undisturbing();
    let last_heard = run.iter().map(|unit| (unit.unit.clone(), Duration::from_secs_f64(unit.last_heard_s))).collect();
    let real = Decisions { interval: INTERVAL, cut: CUT, last_heard, offline: Vec::new(), online: Vec::new() };
    units(&simulated::offline_decisions(&real, 1))
}

fn rows(real: &[Unit], simulated: &[Unit]) -> Vec<Vec<String>> {
    let pair = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (None, None) => "–".to_owned(),
        (one, other) => {
            let text = |time: Option<f64>| time.map_or_else(|| "–".to_owned(), |time| format!("{time:.2}"));
            format!("{} / {}", text(one), text(other))
        }
    };
    let row = |(real, simulated): (&Unit, &Unit)| {
        let heard = format!("{:.2}", real.last_heard_s);
        vec![real.unit.clone(), heard, pair(real.offline_s, simulated.offline_s), pair(real.back_s, simulated.back_s)]
    };
    real.iter().zip(simulated).map(row).collect()
}

fn assert_alike(real: &[Unit], simulated: &[Unit]) {
    for (one, other) in real.iter().zip(simulated) {
        let are_alike = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (None, None) => true,
            (Some(one), Some(other)) => (one - other).abs() <= CLOSE_S,
            (None, Some(_)) | (Some(_), None) => false,
        };
        let is_same = one.unit == other.unit;
        assert!(is_same && are_alike(one.offline_s, other.offline_s), "OFFLINE\nreal {one:?}\nsimulated {other:?}");
        assert!(are_alike(one.back_s, other.back_s), "back\nreal {one:?}\nsimulated {other:?}");
    }
}

pub(crate) fn compare_at_length() {
    let stored = RealRuns::read();
    let found: Vec<_> = stored.offline.iter().map(|run| (run, simulate(run))).collect();
    let all: Vec<_> = found.iter().flat_map(|(real, simulated)| rows(real, simulated)).collect();
    keep_table("offline-simulated", &HEAD, &all);
    found.iter().for_each(|(real, simulated)| assert_alike(real, simulated));
}

#[test]
fn who_is_cut_off_or_killed_is_offline_after_two_and_a_half_intervals() {
    let measure = || real::offline_decisions(INTERVAL, CUT);
    let (found, conditions): (Vec<_>, Vec<_>) = (0..runs()).map(|_| calmly(|_| true, measure)).unzip();
    keep("offline", &(&found, conditions));
    let runs: Vec<Vec<Unit>> = found.iter().map(units).collect();
    keep("stored-offline", &runs);
    let simulated: Vec<Vec<Unit>> = runs.iter().map(|run| simulate(run)).collect();
    let all: Vec<_> = runs.iter().zip(&simulated).flat_map(|(real, simulated)| rows(real, simulated)).collect();
    keep_table("offline", &HEAD, &all);
    found.iter().for_each(check_offline);
    runs.iter().zip(&simulated).for_each(|(real, simulated)| assert_alike(real, simulated));
}
