//! Three servers, and the link between two of them cut and healed.

use std::time::Duration;

use crate::alike::{are_close, are_in_range, are_within};
use crate::form::{both, calmly, keep, keep_table, range, runs, undisturbing};
use crate::measured::{Cut, Pings};
use crate::real;
use crate::simulated;
use crate::stored::{CutRun, Cuts, RealRuns};

/// Seeds of a simulated row.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
/// By how much the range of the messages that real runs lost is widened.
const LOST_SHARE: f64 = 0.15;

/// The rows of the table.
const ROWS: [(Pings, u64); 4] =
    [(Pings::Default, 5), (Pings::EverySecond, 5), (Pings::EverySecond, 20), (Pings::Default, 40)];
const HEAD: [&str; 5] = ["pings, cut", "detected s", "lost one way / the other", "first after heal s", "latest s"];

/// A row of the table, measured as often as the form says.
fn cut((pings, cut_s): (Pings, u64)) -> Vec<Cut> {
    let measure = || real::cluster_cut(pings, Duration::from_secs(cut_s));
    let (cuts, conditions): (Vec<_>, Vec<_>) = (0..runs()).map(|_| calmly(|_| true, measure)).unzip();
    keep(&format!("cut-{pings:?}-{cut_s}"), &(&cuts, conditions));
    cuts
}

fn cut_row((pings, cut_s): (Pings, u64), what: &str, cuts: &[CutRun]) -> Vec<String> {
    let lost = |way: usize| range(cuts.iter().map(|cut| cut.lost[way] as f64), 0);
    let first = |way: usize| range(cuts.iter().filter_map(|cut| cut.first_after_heal_s[way]), 2);
    vec![
        format!("{pings:?}, {cut_s} s, {what}"),
        range(cuts.iter().filter_map(|cut| cut.detected_s), 2),
        format!("{} / {}", lost(0), lost(1)),
        format!("{} / {}", first(0), first(1)),
        range(cuts.iter().map(|cut| cut.latest_s), 2),
    ]
}

fn simulate((pings, cut_s): (Pings, u64)) -> Vec<CutRun> {
    let _alone = undisturbing();
    SEEDS.map(|seed| CutRun::from(&simulated::cluster_cut(pings, Duration::from_secs(cut_s), seed))).collect()
}

/// All figures of all runs, both ways where there are two.
struct Figures {
    detected: Vec<f64>,
    lost: Vec<f64>,
    first: Vec<f64>,
}

fn figures(cuts: &[CutRun]) -> Figures {
    Figures {
        detected: cuts.iter().filter_map(|cut| cut.detected_s).collect(),
        lost: cuts.iter().flat_map(|cut| cut.lost).map(|lost| lost as f64).collect(),
        first: cuts.iter().flat_map(|cut| cut.first_after_heal_s).flatten().collect(),
    }
}

fn assert_alike(row: (Pings, u64), simulated: &[CutRun], real: &[CutRun]) {
    let text = format!("{row:?}\nsimulated {simulated:?}\nreal {real:?}");
    let (found, wanted) = (figures(simulated), figures(real));
    assert_eq!(found.first.len(), simulated.len() * 2, "it goes on after heal: {text}");
    if wanted.detected.is_empty() {
        assert!(found.detected.is_empty(), "nobody notices: {text}");
    } else {
        assert_eq!(found.detected.len(), simulated.len(), "each time it is noticed: {text}");
        assert!(are_close(&found.detected, &wanted.detected), "when it is noticed: {text}");
    }
    assert!(are_in_range(&found.first, &wanted.first), "the first message after heal: {text}");
    assert!(are_within(&found.lost, &wanted.lost, LOST_SHARE), "the messages that are lost: {text}");
}

pub(crate) fn compare_at_length() {
    let stored = RealRuns::read();
    let found = ROWS.map(|row| (row, simulate(row)));
    let mut rows = Vec::new();
    for (row, simulated) in &found {
        rows.push(cut_row(*row, "real", stored.cuts(row.0, row.1)));
        rows.push(cut_row(*row, "simulated", simulated));
    }
    keep_table("cuts-simulated", &HEAD, &rows);
    for (row, simulated) in &found {
        assert_alike(*row, simulated, stored.cuts(row.0, row.1));
    }
}

#[test]
fn a_cluster_notices_a_cut_by_its_pings_or_by_its_writes() {
    let stored = RealRuns::read();
    let [survived, noticed, pings, writes] = ROWS;
    let (short, long) = both(|| both(|| cut(survived), || cut(noticed)), || both(|| cut(pings), || cut(writes)));
    let measured = [short.0, short.1, long.0, long.1];
    let cuts: Vec<Cuts> = ROWS
        .iter()
        .zip(&measured)
        .map(|(&(pings, cut_s), cuts)| Cuts { pings, cut_s, runs: cuts.iter().map(CutRun::from).collect() })
        .collect();
    keep("stored-cuts", &cuts);
    let rows: Vec<_> = cuts.iter().map(|row| cut_row((row.pings, row.cut_s), "real", &row.runs)).collect();
    keep_table("cuts", &HEAD, &rows);

    let [survived, noticed, pings, writes] = measured;
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
    for row in &cuts {
        let (pings, cut_s) = (row.pings, row.cut_s);
        let real = [stored.cuts(pings, cut_s), &row.runs].concat();
        assert_alike((pings, cut_s), &simulate((pings, cut_s)), &real);
    }
}
