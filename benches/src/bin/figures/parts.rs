//! Figures of parts of a node, each in a program of its own: with its work, and without.

use std::process::Command;

use nunect_benches::Failure;
use nunect_benches::compare::Sample;
use nunect_benches::running::Running;
use nunect_benches::scratch::Scratch;
use nunect_benches::table::{Reach, Row};

use crate::product::sibling;

/// Units of a small and of a large mesh.
const FEW: u64 = 1_000;
const MANY: u64 = 100_000;
/// Heartbeats of one run, and runs.
const HEARTBEATS: u64 = 500_000;
const RUNS: usize = 7;
/// Crashes, each on a node of its own.
const CRASHES: usize = 300;
/// Bursts of one run, and what is said in each: as many as `measured` has it.
const BURSTS: u64 = 4_000;
const BURST: u64 = 512;

fn measured(arguments: &[&str]) -> Result<Running, Failure> {
    Running::spawn(Command::new(sibling("measured")?).args(arguments))
}

fn row(what: String, reach: Reach, unit: &'static str, sample: &Sample, command: &'static str) -> Row {
    let spread = format!("{}, {} runs", sample.spread(), sample.count());
    Row { what, reach, figure: sample.median(), unit, spread, control: "–".to_owned(), command }
}

#[expect(clippy::cast_precision_loss)]
fn share(whole: u64, parts: u64) -> f64 {
    whole as f64 / parts as f64
}

// --- the monitor ---------------------------------------------------------------------------------------------

/// Bytes for each unit, and nanoseconds for each heartbeat.
fn heard(units: u64, node: bool) -> Result<(f64, f64), Failure> {
    let (units_text, heartbeats) = (units.to_string(), HEARTBEATS.to_string());
    let mut arguments = vec!["monitor", &units_text, &heartbeats];
    if node {
        arguments.push("--node");
    }
    let program = measured(&arguments)?;
    let (bytes, nanos) = (program.number("bytes ")?, program.number("nanos ")?);
    program.finish()?;
    Ok((share(bytes, units), share(nanos, HEARTBEATS)))
}

pub(crate) fn monitor() -> Result<Vec<Row>, Failure> {
    const COMMAND: &str = "tools/bench monitor";
    let mut rows = Vec::new();
    for (what, node) in [("monitor alone", false), ("monitor and directory of a node", true)] {
        let (mut bytes, mut few, mut many, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (_, nanos_few) = heard(FEW, node)?;
            let (bytes_many, nanos_many) = heard(MANY, node)?;
            bytes.push(bytes_many);
            few.push(nanos_few);
            many.push(nanos_many);
            ratios.push(nanos_many / nanos_few);
        }
        let [bytes, few, many, ratios] = [bytes, few, many, ratios].map(Sample::new);
        rows.push(row(format!("memory for each of {MANY} units, {what}"), Reach::Most(512.0), " B", &bytes, COMMAND));
        let growth = format!("processor time for each heartbeat at {MANY} units over that at {FEW}, {what}");
        let absolute = format!("{:.0} ns / {:.0} ns", many.median(), few.median());
        let row = row(growth, Reach::Most(1.5), "", &ratios, COMMAND);
        rows.push(Row { spread: format!("{}; {absolute}", row.spread), ..row });
    }
    Ok(rows)
}

// --- restarts ------------------------------------------------------------------------------------------------

pub(crate) fn restart() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (what, reach, panic) in [("fault", Reach::Most(20.0), false), ("panic", Reach::Told, true)] {
        let crashes = CRASHES.to_string();
        let mut arguments = vec!["restart", &crashes];
        if panic {
            arguments.push("--panic");
        }
        let program = measured(&arguments)?;
        let took: Result<Vec<f64>, Failure> =
            (0..CRASHES).map(|_| Ok(share(program.number("took ")?, 1_000_000))).collect();
        let took = Sample::new(took?);
        program.finish()?;
        rows.push(Row {
            what: format!("from a {what} to the first message of the next life, p99"),
            reach,
            figure: took.quantile(0.99),
            unit: " ms",
            spread: format!(
                "p50 {:.3} ms, longest {:.2} ms, {} crashes",
                took.median(),
                took.quantile(1.0),
                took.count()
            ),
            control: "–".to_owned(),
            command: "tools/bench restart",
        });
    }
    Ok(rows)
}

// --- logs ----------------------------------------------------------------------------------------------------

/// Nanoseconds of processor time for each thing that is said, or would be.
fn said(fate: &str, tracing: bool) -> Result<f64, Failure> {
    let (bursts, folder) = (BURSTS.to_string(), Scratch::make()?);
    let folder = folder.path().display().to_string();
    let mut arguments = vec!["logs", fate, &bursts, "--folder", &folder];
    if tracing {
        arguments.push("--tracing");
    }
    // Where nothing is shipped, what threads have to say to each other would cost more than all else.
    if !matches!(fate, "published" | "filed") {
        arguments.push("--one-thread");
    }
    let program = measured(&arguments)?;
    let nanos = program.number("nanos ")?;
    program.finish()?;
    Ok(share(nanos, BURSTS * BURST))
}

pub(crate) fn logs() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (what, tracing) in [("an event", false), ("a tracing record", true)] {
        let mut differences = [const { Vec::new() }; 4];
        for _ in 0..RUNS {
            let [unsaid, unheard, filtered, published, filed] =
                ["unsaid", "unheard", "filtered", "published", "filed"].map(|fate| said(fate, tracing));
            let (unsaid, unheard) = (unsaid?, unheard?);
            let figures = [unheard - unsaid, filtered? - unheard, published? - unheard, filed? - unheard];
            differences.iter_mut().zip(figures).for_each(|(all, figure)| all.push(figure));
        }
        let [unheard, filtered, published, filed] = differences.map(Sample::new);
        let row = |fate: &str, reach, sample| row(format!("{what} {fate}"), reach, " ns", sample, "tools/bench logs");
        rows.extend([
            row("that nobody ships, over none", Reach::Told, &unheard),
            row("that is filtered out, over one that nobody ships", Reach::Most(50.0), &filtered),
            row("that is published, over one that nobody ships", Reach::Most(5_000.0), &published),
            row("that is published and written to a file, over one that nobody ships", Reach::Most(5_000.0), &filed),
        ]);
    }
    Ok(rows)
}
