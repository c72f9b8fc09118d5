//! Round trips over a lossy link.

use std::thread::scope;
use std::time::Duration;

use crate::form::{calmly, full, keep, keep_table, undisturbing};
use crate::measured::Rtts;
use crate::real::{self, Conditions};
use crate::simulated;
use crate::stored::{Link, RealRuns, Summary};

/// Messages of a connection: a minute of one every 20 ms.
const MESSAGES: usize = 3_000;
/// Links that are measured side by side, each with so many connections, so that at 5 and 10 % more than 20,000 messages
/// are pooled; beside them goes one connection over a link that loses nothing.
const SIDE_BY_SIDE: [[(f64, usize); 2]; 2] = [[(0.05, 7), (0.10, 7)], [(0.01, 5), (0.02, 5)]];
/// Round trips without loss: the delay of the link twice, and what machines take besides.
const CONTROL_MS: std::ops::Range<f64> = 20.0..25.0;
/// Beyond this a round trip without loss met something else.
const CONTROL_P99_MAX_MS: f64 = 35.0;
/// Connections of a simulated link: held against those measured at length, and against fewer.
const SIMULATED: usize = 42;
const SIMULATED_SHORT: usize = 21;

/// How far a simulated link may be from a real one: the share above 60 ms, in points, and quantiles, in their share.
const SHARE_MAX: f64 = 0.015;
/// Where a tenth is lost the simulated link is late too often, by 2 points over very many messages.
const SHARE_MAX_OF_A_TENTH: f64 = 0.025;
const QUANTILE_MAX: f64 = 0.15;
const P99_MAX: f64 = 0.25;
/// A quantile may lie on a step: of 1 % loss 5 % of the messages come an interval late. It is alike, too, if that of a
/// share so close to its own is.
const STEP: f64 = 0.005;
/// Standard errors of what was measured that come on top where it was measured in short.
const ERRORS: f64 = 3.0;

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

/// How many connections of a loss are measured side by side.
fn connections(loss: f64) -> usize {
    SIDE_BY_SIDE.iter().flatten().find(|side| side.0.total_cmp(&loss).is_eq()).map_or(1, |side| side.1)
}

/// The same simulated. What a round trip takes besides the link is what makes the median without loss that of `control`.
fn simulate(control: &Summary, loss: f64, connections: usize) -> Rtts {
    let _alone = undisturbing();
    let bare = simulated::lossy_link(0.0, 1, 100, Duration::ZERO).quantile(0.5);
    let processing = Duration::from_secs_f64((control.p50 - bare).max(0.0) / 1e3);
    simulated::lossy_link(loss, if loss > 0.0 { connections } else { 1 }, MESSAGES, processing)
}

fn row(what: &str, summary: &Summary) -> Vec<String> {
    let Summary { messages, lost, above_60, p50, p95, p99 } = summary;
    let quantiles = format!("{p50:.1} / {p95:.1} / {p99:.1}");
    vec![what.to_owned(), messages.to_string(), quantiles, format!("{above_60:.4}"), lost.to_string()]
}

const HEAD: [&str; 5] = ["packet loss", "messages", "p50 / p95 / p99 ms", "share > 60 ms", "messages lost"];

/// A figure.
type Of = fn(&Summary) -> f64;

/// Asks the same of the simulated link whatever real one it is held against; what that was measured less often than at
/// length is allowed for by `errors` of its standard errors, as the connections measured at length differ.
fn assert_alike(rtts: &Rtts, real: &Summary, (long, connections, errors): (&Link, usize, f64)) {
    let simulated = &Summary::of(rtts);
    let slack = |of: fn(&Summary) -> f64| errors * long.error(of, connections);
    let both = format!("\nsimulated {simulated:?}\nreal      {real:?}");
    let off = (simulated.above_60 - real.above_60).abs();
    let bound = if long.loss < 0.1 { SHARE_MAX } else { SHARE_MAX_OF_A_TENTH };
    let bound = bound + slack(|link| link.above_60);
    assert!(off <= bound, "{} % lose: the share above 60 ms is {off:.4} off, of {bound:.4}{both}", long.loss * 100.0);
    let quantiles: [(&str, f64, Of, f64); 3] = [
        ("p50", 0.5, |link| link.p50, QUANTILE_MAX),
        ("p95", 0.95, |link| link.p95, QUANTILE_MAX),
        ("p99", 0.99, |link| link.p99, P99_MAX),
    ];
    for (name, quantile, of, share) in quantiles {
        // Below, p99 lies where the machine's own delays are.
        if name == "p99" && long.loss < 0.05 {
            continue;
        }
        let (found, wanted) = (of(simulated), of(real));
        let bound = share * wanted + slack(of);
        let mut rounds: Vec<f64> = long.rounds.iter().map(of).collect();
        rounds.sort_by(f64::total_cmp);
        let is_of_a_run = name == "p99" && (rounds[0]..=rounds[rounds.len() - 1]).contains(&found);
        let off = (found - wanted).abs();
        let step = rtts.quantile(quantile - STEP)..=rtts.quantile(quantile + STEP);
        assert!(
            off <= bound || is_of_a_run || (name != "p99" && step.contains(&wanted)),
            "{} % lose: {name} is {off:.1} ms off, of {bound:.1}{both}",
            long.loss * 100.0
        );
    }
}

pub(crate) fn compare_at_length() {
    let stored = RealRuns::read();
    let control = stored.link(0.0);
    let mut rows = Vec::new();
    let mut found = Vec::new();
    for long in &stored.links {
        let rtts = simulate(&control.pooled, long.loss, SIMULATED);
        rows.push(row(&format!("{:.0} %, {stored}", long.loss * 100.0), &long.pooled));
        rows.push(row("simulated", &Summary::of(&rtts)));
        found.push(rtts);
    }
    keep_table("links-simulated", &HEAD, &rows);
    for (rtts, long) in found.iter().zip(&stored.links) {
        assert_eq!((rtts.lost(), long.pooled.lost), (0, 0), "no message is lost: {rows:?}");
        assert_alike(rtts, &long.pooled, (long, long.connections.len(), 0.0));
    }
}

#[test]
fn a_lossy_link_delays_messages_and_loses_none() {
    let stored = RealRuns::read();
    let found = all_links();
    let links: Vec<Link> = found.iter().map(|rtts| Link::of(rtts, connections(rtts.loss))).collect();
    keep("stored-links", &links);
    let mut rows = Vec::new();
    for (rtts, link) in found.iter().zip(&links) {
        keep(&format!("rtt-{:.0}", rtts.loss * 100.0), rtts);
        rows.push(row(&format!("{:.0} %", rtts.loss * 100.0), &link.pooled));
    }
    keep_table("links", &HEAD, &rows);

    let control = &links[0].pooled;
    assert!(CONTROL_MS.contains(&control.p50), "without loss a round trip takes the delay: {rows:?}");
    assert!(control.above_60 < 0.005, "the machine was left alone: {rows:?}");
    assert!(links.iter().all(|link| link.pooled.lost == 0), "no message is lost: {rows:?}");
    let worse = links.is_sorted_by(|a, b| a.pooled.above_60 < b.pooled.above_60);
    assert!(worse, "the more packets are lost, the more messages are late: {rows:?}");
    for link in &links {
        let (long, measured) = (stored.link(link.loss), link.connections.len());
        let simulated = simulate(control, link.loss, SIMULATED_SHORT);
        assert_eq!(simulated.lost(), 0, "no message is lost");
        assert_alike(&simulated, &link.pooled, (long, measured, ERRORS));
    }
}
