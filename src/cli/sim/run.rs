//! `nunect sim run`: one run of a scenario.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use nunect_core::Catalog;
use nunect_simulations::{Judgement, Outcome, Scenario, Simulation};
use serde::Serialize;

use super::files::{self, TraceFile};
use super::{load, refuse};
use crate::cli::console::{Console, Tone, count};
use crate::cli::exit;

/// How often the line that tells how far a run has come is drawn anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Simulated time between two looks at the real clock.
const SLICES: u32 = 1_000;

/// What `nunect sim run` is told.
#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    scenario: PathBuf,
    /// What everything random grows from, in place of the scenario's own.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write a report of the run: one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write down everything that happens: one JSON object a line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write down the run with everything random as it fell: a scenario without chance.
    #[arg(long, value_name = "FILE")]
    concrete: Option<PathBuf>,
}

/// What a run came to, for programs.
#[derive(Serialize)]
struct Report<'a> {
    passed: bool,
    nodes: usize,
    wall_seconds: f64,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

impl Run {
    pub(super) fn run(&self, catalog: &Catalog, console: &Console) -> u8 {
        match self.carry_out(catalog, console) {
            Ok(true) => exit::FINE,
            Ok(false) => exit::NOT_MET,
            Err(code) => code,
        }
    }

    /// Runs the scenario. Returns whether it passed, or the exit code of what kept it from running.
    fn carry_out(&self, catalog: &Catalog, console: &Console) -> Result<bool, u8> {
        let complain = |words: String| {
            console.complain(&words);
            exit::CONFIGURATION
        };
        let scenario = load(&self.scenario, catalog, console)?;
        let seed = self.seed.unwrap_or_else(|| scenario.seed());
        if let Some(path) = &self.concrete {
            let written = files::write(path, &scenario.concrete_text(seed));
            written.map_err(|error| complain(files::failed("write", path, &error)))?;
        }
        let trace = self.trace.as_deref().map(|path| {
            TraceFile::begin(path).map_err(|error| complain(files::failed("write the trace", path, &error)))
        });
        let trace = trace.transpose()?;
        let simulation = Simulation::new(&scenario, catalog.clone(), seed);
        let mut simulation = simulation.map_err(|error| refuse(&error, console))?;
        if let Some(trace) = &trace {
            trace.tap(&mut simulation);
        }
        if self.report.is_some() {
            simulation.keep_report();
        }
        let start = Instant::now();
        run_all(&mut simulation, &scenario, start, console);
        let outcome = simulation.outcome();
        let wall = start.elapsed();
        console.finish();
        let report = self.report.as_ref().map(|path| (path, simulation.report(&scenario)));
        drop(simulation);
        trace.map_or(Ok(()), TraceFile::finish).map_err(complain)?;
        if let Some((path, html)) = report {
            files::write(path, &html).map_err(|error| complain(files::failed("write the report", path, &error)))?;
        }
        if console.is_json() {
            let nodes = scenario.nodes();
            let wall_seconds = wall.as_secs_f64();
            console.object(&Report { passed: outcome.passed(), nodes, wall_seconds, outcome: &outcome });
        } else {
            tell(&scenario, &outcome, wall, console);
        }
        Ok(outcome.passed())
    }
}

/// Runs to the end, with a word now and then on how far it is.
fn run_all(simulation: &mut Simulation, scenario: &Scenario, start: Instant, console: &Console) {
    let mut drawn = start;
    let slice = (scenario.duration() / SLICES).max(Duration::from_millis(1));
    while simulation.now() < scenario.duration() {
        simulation.run_for(slice);
        if drawn.elapsed() >= PROGRESS_EVERY {
            drawn = Instant::now();
            console.status(progress(scenario, simulation.now(), start.elapsed()));
        }
    }
}

fn progress(scenario: &Scenario, now: Duration, wall: Duration) -> String {
    let done = now.as_secs_f64() / scenario.duration().as_secs_f64() * 100.0;
    let speed = now.as_secs_f64() / wall.as_secs_f64();
    format!(
        "{}  {done:.0} %  {} of {}  {speed:.0} × real time",
        scenario.name(),
        short(now),
        short(scenario.duration())
    )
}

/// A duration for people: tenths of a second are enough.
pub(super) fn short(duration: Duration) -> nunect_core::Period {
    nunect_core::Period(Duration::from_millis(u64::try_from(duration.as_millis() / 100 * 100).unwrap_or(u64::MAX)))
}

fn tell(scenario: &Scenario, outcome: &Outcome, wall: Duration, console: &Console) {
    let name = console.paint(Tone::Bold, &outcome.scenario);
    let nodes = count(scenario.nodes() as u64, "node");
    console.line(&format!("{name}  {nodes}, {} simulated, seed {}", short(outcome.simulated), outcome.seed));
    if !scenario.about().is_empty() {
        console.line(&console.paint(Tone::Dim, scenario.about()));
    }
    console.line("");
    for verdict in &outcome.expectations {
        let (mark, words) = match &verdict.judgement {
            Judgement::Met { tests: 0 | 1 } => (console.paint(Tone::Good, "met    "), String::new()),
            Judgement::Met { tests } => (console.paint(Tone::Good, "met    "), format!("each of {tests} times")),
            Judgement::Untried { why } => (console.paint(Tone::Warn, "untried"), why.clone()),
            Judgement::Unmet { why } => (console.paint(Tone::Warn, "unseen "), why.clone()),
            Judgement::Broken { at, why, times } => (
                console.paint(Tone::Bad, "BROKEN "),
                format!("{}, first at {:.3} s: {why}", count(*times, "time"), at.as_secs_f64()),
            ),
        };
        let line = if verdict.is_built_in() { "built in".to_owned() } else { format!("line {}", verdict.line) };
        let line = console.paint(Tone::Dim, &line);
        console.line(&format!("  {mark}  {}  {line}", verdict.name));
        if !words.is_empty() {
            console.line(&console.paint(Tone::Dim, &format!("           {words}")));
        }
    }
    if !outcome.expectations.is_empty() {
        console.line("");
    }
    let seen = outcome.counters;
    console.line(&format!(
        "  {} delivered, {} lost, {}, {}",
        count(seen.deliveries, "message"),
        seen.lost,
        count(seen.replies, "answer"),
        count(seen.events, "event"),
    ));
    if seen.clock_claims > 0 {
        let wrong = if seen.clock_claims_wrong == 0 { "none".to_owned() } else { seen.clock_claims_wrong.to_string() };
        console.line(&format!("  {} about clocks, {wrong} of them wrong", count(seen.clock_claims, "claim")));
    }
    let down = outcome.units.iter().filter(|unit| !unit.up).count() as u64;
    let restarts = outcome.units.iter().map(|unit| u64::from(unit.restarts)).sum();
    console.line(&format!("  {} down at the end, {} of actors", count(down, "node"), count(restarts, "restart")));
    console.line(&format!("  trace hash {}  {}", outcome.hash, count(outcome.records, "record")));
    let speed = outcome.simulated.as_secs_f64() / wall.as_secs_f64().max(1e-9);
    console.line(&console.paint(Tone::Dim, &format!("  in {:.2} s, {speed:.0} × real time", wall.as_secs_f64())));
    let verdict =
        if outcome.passed() { console.paint(Tone::Good, "passed") } else { console.paint(Tone::Bad, "failed") };
    console.line(&format!("\n{verdict}  again: {}", outcome.replay));
}
