//! `nunect sim shrink`: a failing run becomes smaller.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use nunect_core::{Catalog, Period};
use nunect_simulations::scenario;
use nunect_simulations::shrink::{ShrinkError, Size, shrink};
use serde_json::json;

use super::run::short;
use super::{files, load, refuse};
use crate::cli::console::{Console, Tone, count};
use crate::cli::{exit, problem};

/// What `nunect sim shrink` is told.
#[derive(Debug, Args)]
pub(in crate::cli) struct Shrink {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    scenario: PathBuf,
    /// The seed that fails, if it is not the scenario's own.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Where the smaller scenario is written to.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// How many runs it may take.
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    runs: u32,
    /// Be content with what was reached after this time.
    #[arg(long = "for", value_name = "TIME")]
    limit: Option<Period>,
}

impl Shrink {
    pub(super) fn run(&self, catalog: &Catalog, console: &Console) -> u8 {
        let scenario = match load(&self.scenario, catalog, console) {
            Ok(scenario) => scenario,
            Err(code) => return code,
        };
        let seed = self.seed.unwrap_or_else(|| scenario.seed());
        let start = Instant::now();
        let tell = |size: Size, runs: u32| {
            console.status(format!("{}  {}, {runs} runs", scenario.name(), words(size)));
            if self.limit.is_some_and(|limit| start.elapsed() >= limit.0) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let shrunk = shrink(&scenario, catalog, seed, self.runs, tell);
        console.finish();
        let shrunk = match shrunk {
            Ok(shrunk) => shrunk,
            Err(ShrinkError::Scenario(error)) => return refuse(&error, console),
            Err(error @ (ShrinkError::Passes(_) | ShrinkError::NotConcrete { .. })) => {
                console.complain(&problem::chain(&error));
                return exit::CONFIGURATION;
            }
        };
        if let Err(error) = files::write(&self.output, &shrunk.text) {
            console.complain(&files::failed("write", &self.output, &error));
            return exit::CONFIGURATION;
        }
        let (output, replay) = (self.output.display(), format!("nunect sim run {}", scenario::quoted(&self.output)));
        if console.is_json() {
            let size = |size: Size| json!({ "faults": size.faults, "nodes": size.nodes, "duration_s": size.duration.as_secs_f64() });
            let (before, after) = (size(shrunk.before), size(shrunk.after));
            let output = output.to_string();
            console.object(&json!({
                "failure": shrunk.failure, "runs": shrunk.runs, "before": before, "after": after,
                "output": output, "replay": replay,
            }));
        } else {
            console.line(&format!("{}  {}", console.paint(Tone::Bold, scenario.name()), shrunk.failure));
            console.line(&format!("  before  {}", words(shrunk.before)));
            console.line(&format!("  after   {}", words(shrunk.after)));
            console.line(&format!("  {} written in {}", output, count(u64::from(shrunk.runs), "run")));
            console.line(&format!("\nagain: {replay}"));
        }
        exit::FINE
    }
}

fn words(size: Size) -> String {
    let (faults, nodes) = (count(size.faults as u64, "fault"), count(size.nodes as u64, "node"));
    format!("{faults}, {nodes}, {}", short(size.duration))
}
