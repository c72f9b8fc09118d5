//! `nunect sim explore`: many seeds of a scenario.

use std::num::NonZeroUsize;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

use clap::Args;
use nunect_core::{Catalog, Period};
use nunect_simulations::explore::{Exploration, Tried, explore};

use super::{load, refuse};
use crate::cli::console::{Console, Tone, count};
use crate::cli::exit;

/// How many seeds of a failure are listed.
const SEEDS_SHOWN: usize = 8;

/// What `nunect sim explore` is told.
#[derive(Debug, Args)]
pub(in crate::cli) struct Explore {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    scenario: PathBuf,
    /// The seeds, the first and the last.
    #[arg(long, value_name = "FIRST..LAST", default_value = "1..100")]
    seeds: Seeds,
    /// How many runs go on at once; as many as there are processors if not given.
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<NonZeroUsize>,
    /// Begin no further run after this time.
    #[arg(long = "for", value_name = "TIME")]
    limit: Option<Period>,
}

/// From the first to the last, both included.
#[derive(Clone, Debug)]
struct Seeds(RangeInclusive<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str| {
            let digits = text.trim_start_matches('=').replace('_', "");
            digits.parse::<u64>().map_err(|_| format!("`{text}` is no seed; write 1..1000, or 7 for one"))
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("{first} is greater than {last}; write the smaller seed first"));
        }
        Ok(Self(first..=last))
    }
}

impl Explore {
    pub(super) fn run(&self, catalog: &Catalog, console: &Console) -> u8 {
        let scenario = match load(&self.scenario, catalog, console) {
            Ok(scenario) => scenario,
            Err(code) => return code,
        };
        let processors = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let jobs = self.jobs.unwrap_or_else(processors);
        let start = Instant::now();
        let (mut tried, mut failed) = (0_u64, 0_u64);
        let total = self.seeds.0.end() - self.seeds.0.start();
        let tell = |one: &Tried| {
            tried += 1;
            if console.is_json() {
                console.object(one);
            }
            failed += u64::from(one.failure.is_some());
            let rate = tried as f64 / start.elapsed().as_secs_f64().max(1e-9);
            let of = total.saturating_add(1);
            console.status(format!("{}  {tried} of {of} seeds, {failed} failed, {rate:.1} runs/s", scenario.name()));
            if self.limit.is_some_and(|limit| start.elapsed() >= limit.0) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let explored = explore(&scenario, catalog, self.seeds.0.clone(), jobs, tell);
        console.finish();
        let explored = match explored {
            Ok(explored) => explored,
            Err(error) => return refuse(&error, console),
        };
        if console.is_json() {
            console.object(&explored);
        } else {
            show(scenario.name(), &explored, start, console);
        }
        if explored.failed == 0 { exit::FINE } else { exit::NOT_MET }
    }
}

fn show(name: &str, explored: &Exploration, start: Instant, console: &Console) {
    let wall = start.elapsed().as_secs_f64();
    let rate = explored.tried as f64 / wall.max(1e-9);
    let name = console.paint(Tone::Bold, name);
    console.line(&format!("{name}  {} in {wall:.1} s, {rate:.1} runs/s", count(explored.tried, "seed")));
    for group in &explored.groups {
        let times = count(group.seeds.len() as u64, "seed");
        console.line(&format!("\n  {}  {times}: {}", console.paint(Tone::Bad, "FAILED "), group.failure));
        console.line(&console.paint(Tone::Dim, &format!("           {}", group.why)));
        let mut seeds: Vec<_> = group.seeds.iter().take(SEEDS_SHOWN).map(ToString::to_string).collect();
        if group.seeds.len() > SEEDS_SHOWN {
            seeds.push("…".to_owned());
        }
        console.line(&console.paint(Tone::Dim, &format!("           seeds {}", seeds.join(", "))));
        console.line(&format!("           again: {}", group.replay));
        console.line(&format!(
            "           smaller: {} -o smaller.yaml",
            group.replay.replacen("sim run", "sim shrink", 1)
        ));
    }
    for unseen in &explored.never_seen {
        let mark = console.paint(Tone::Warn, "weak   ");
        console.line(&format!("\n  {mark}  no seed ever saw: {unseen}"));
    }
    let verdict = match explored.failed {
        0 => console.paint(Tone::Good, "passed"),
        failed => console.paint(Tone::Bad, &format!("{failed} of {} failed", count(explored.tried, "seed"))),
    };
    console.line(&format!("\n{verdict}"));
}
