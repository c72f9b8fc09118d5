//! `nunect sim`: nodes in the simulator.

mod diff;
mod explore;
mod files;
mod new;
mod run;
mod shrink;

use std::path::{Path, PathBuf};

use annotate_snippets::Level;
use clap::{Args, Subcommand};
use nunect_core::Catalog;
use nunect_simulations::{Scenario, ScenarioError, scenario};
use serde::Serialize;

use super::console::{Console, Tone, count};
use super::exit;
use super::problem::{self, Extract};

/// What can be done with the simulator.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a scenario and say which of its expectations were met.
    Run(run::Run),
    /// Run a scenario with many seeds and group what fails, each with the line that repeats it.
    Explore(explore::Explore),
    /// Make a failing run smaller while it fails alike, and write it down as a scenario.
    Shrink(shrink::Shrink),
    /// Show the first difference between two runs or traces.
    Diff(diff::Diff),
    /// Look for mistakes in scenarios without running them.
    Check(Check),
    /// Print the JSON schema of scenario files.
    Schema,
    /// Write a scenario to begin with.
    New(new::New),
}

/// What `nunect sim check` is told.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The scenario files.
    #[arg(value_name = "FILE", required = true)]
    scenarios: Vec<PathBuf>,
}

/// Runs the simulator.
pub(super) fn run(command: &Command, catalog: &Catalog, console: &Console) -> u8 {
    match command {
        Command::Run(arguments) => arguments.run(catalog, console),
        Command::Explore(arguments) => arguments.run(catalog, console),
        Command::Shrink(arguments) => arguments.run(catalog, console),
        Command::Diff(arguments) => arguments.run(catalog, console),
        Command::Check(arguments) => arguments.run(catalog, console),
        Command::Schema => {
            console.line(&format!("{:#}", scenario::schema().as_value()));
            exit::FINE
        }
        Command::New(arguments) => arguments.run(console),
    }
}

/// Reads a scenario and checks it; what is wrong with it is said here.
fn load(path: &Path, catalog: &Catalog, console: &Console) -> Result<Scenario, u8> {
    let scenario = Scenario::load(path).and_then(|scenario| scenario.check(catalog).map(|()| scenario));
    scenario.map_err(|error| refuse(&error, console))
}

impl Check {
    fn run(&self, catalog: &Catalog, console: &Console) -> u8 {
        let mut code = exit::FINE;
        for path in &self.scenarios {
            match load(path, catalog, console) {
                Ok(scenario) => describe(&scenario, console),
                Err(refused) => code = refused,
            }
        }
        code
    }
}

/// What a scenario would do, for programs.
#[derive(Serialize)]
struct Description<'a> {
    scenario: &'a str,
    about: &'a str,
    seed: u64,
    nodes: usize,
    duration_s: f64,
    faults: usize,
    expectations: usize,
}

fn describe(scenario: &Scenario, console: &Console) {
    let faults = scenario.faults(scenario.seed());
    let expectations = scenario.expectations();
    if console.is_json() {
        let (name, about, duration_s) = (scenario.name(), scenario.about(), scenario.duration().as_secs_f64());
        return console.object(&Description {
            scenario: name,
            about,
            seed: scenario.seed(),
            nodes: scenario.nodes(),
            duration_s,
            faults,
            expectations,
        });
    }
    let name = console.paint(Tone::Bold, scenario.name());
    console.line(&format!(
        "{name}  {}, {}, {} with seed {}, {}",
        count(scenario.nodes() as u64, "node"),
        run::short(scenario.duration()),
        count(faults as u64, "fault"),
        scenario.seed(),
        count(expectations as u64, "expectation"),
    ));
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
