//! `nunect sim`: nodes in the simulator.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use annotate_snippets::Level;
use clap::{Args, Subcommand};
use nunect_core::Catalog;
use nunect_simulations::{Judgement, Outcome, Scenario, ScenarioError, Simulation};
use serde::Serialize;

use super::console::{Console, Tone, count};
use super::exit;
use super::problem::{self, Extract};

/// How often the line that tells how far a run has come is drawn anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Simulated time between two looks at the real clock.
const SLICES: u32 = 1_000;

/// What can be done with the simulator.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a scenario and say which of its expectations were met.
    Run(Run),
}

/// What `nunect sim run` is told.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    scenario: PathBuf,
    /// What everything random grows from, in place of the scenario's own.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
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

/// Runs the simulator.
pub(super) fn run(command: &Command, catalog: &Catalog, console: &Console) -> u8 {
    let Command::Run(arguments) = command;
    let scenario = match Scenario::load(&arguments.scenario) {
        Ok(scenario) => scenario,
        Err(error) => return refuse(&error, console),
    };
    let seed = arguments.seed.unwrap_or_else(|| scenario.seed());
    let mut simulation = match Simulation::new(&scenario, catalog.clone(), seed) {
        Ok(simulation) => simulation,
        Err(error) => return refuse(&error, console),
    };
    let start = Instant::now();
    let mut drawn = start;
    let slice = (scenario.duration() / SLICES).max(Duration::from_millis(1));
    while simulation.now() < scenario.duration() {
        simulation.run_for(slice);
        if drawn.elapsed() >= PROGRESS_EVERY {
            drawn = Instant::now();
            console.status(progress(&scenario, simulation.now(), start.elapsed()));
        }
    }
    let outcome = simulation.outcome();
    let wall = start.elapsed();
    console.finish();
    if console.is_json() {
        let nodes = scenario.nodes();
        let wall_seconds = wall.as_secs_f64();
        console.object(&Report { passed: outcome.passed(), nodes, wall_seconds, outcome: &outcome });
    } else {
        tell(&scenario, &outcome, wall, console);
    }
    if outcome.passed() { exit::FINE } else { exit::NOT_MET }
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
fn short(duration: Duration) -> nunect_core::Period {
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
            Judgement::Broken { at, why, times } => (
                console.paint(Tone::Bad, "BROKEN "),
                format!("{}, first at {:.3} s: {why}", count(*times, "time"), at.as_secs_f64()),
            ),
        };
        let line = console.paint(Tone::Dim, &format!("line {}", verdict.line));
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

fn refuse(error: &ScenarioError, console: &Console) -> u8 {
    if error.problems().is_empty() {
        console.complain(&problem::chain(error));
    }
    for problem in error.problems() {
        if console.is_json() {
            console.object(&Mistake {
                origin: problem.source.path.display().to_string(),
                line: problem.place.line,
                column: problem.place.column,
                key: &problem.key,
                reason: &problem.reason,
                help: &problem.help,
            });
            continue;
        }
        let source = &problem.source;
        let at = Extract { path: &source.path, text: &source.text, span: problem.place.span.clone() };
        let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
        let title = format!("{key}{}", problem.reason);
        console.complain(&problem::render(console, Level::ERROR, &title, Some(&at), &problem.help));
    }
    exit::CONFIGURATION
}

/// A mistake in a scenario, for programs.
#[derive(Serialize)]
struct Mistake<'a> {
    origin: String,
    line: usize,
    column: usize,
    key: &'a str,
    reason: &'a str,
    help: &'a str,
}
