//! Measures, and prints one table. Load is bounded in count and time, and stays on this machine.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is the product of this program")]

mod against_bare;
mod parts;
mod product;
mod simulation;
mod time;

use clap::{Parser, ValueEnum};
use nunect_benches::Failure;
use nunect_benches::table::{HEADING, Row};

/// Measures nunect, and prints one table.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything unless given.
    figures: Vec<Figure>,
    /// Rounds of each comparison against the clock.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Keep the profiles of callgrind in this folder, for callgrind_annotate.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<std::path::PathBuf>,
    /// Messages after which the memory of a node is looked at, and after a tenth of them.
    #[arg(long, default_value_t = 10_000_000)]
    messages: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Instructions for each message, from NATS and within the process.
    Instructions,
    /// Messages a second from a server.
    Throughput,
    /// An echo's round trip.
    Echo,
    /// Messages within the process.
    Local,
    /// From the start of `nunect up` to its first heartbeat.
    Startup,
    /// Processor time of an idle node.
    Idle,
    /// Memory of a node: idle, after many messages, among many units.
    Memory,
    /// Size of the program.
    Binary,
    /// What a unit and a heartbeat cost the monitor, in a small and in a large mesh.
    Monitor,
    /// From a crash to the next life.
    Restart,
    /// What an event costs that is filtered out, or shipped.
    Logs,
    /// A report of ptp4l and of chronyd, and what the guardian of the time takes.
    Time,
    /// The simulator: speed, memory, traces, two cores, and the same work in turmoil.
    Simulation,
}

fn main() -> Result<(), Failure> {
    let Arguments { figures, rounds, profiles, messages } = Arguments::parse();
    let figures = if figures.is_empty() { Figure::value_variants().to_vec() } else { figures };
    let mut rows: Vec<Row> = Vec::new();
    for figure in figures {
        let more = match figure {
            Figure::Instructions => against_bare::instructions(profiles.as_deref())?,
            Figure::Throughput => against_bare::throughput(rounds)?,
            Figure::Echo => against_bare::echo(rounds)?,
            Figure::Local => against_bare::local(rounds)?,
            Figure::Startup => product::startup()?,
            Figure::Idle => product::idle()?,
            Figure::Memory => product::memory(messages)?,
            Figure::Binary => product::binary()?,
            Figure::Monitor => parts::monitor()?,
            Figure::Restart => parts::restart()?,
            Figure::Logs => parts::logs()?,
            Figure::Time => time::time()?,
            Figure::Simulation => simulation::simulation()?,
        };
        for row in &more {
            eprintln!("{row}");
        }
        rows.extend(more);
    }
    println!("{HEADING}");
    for row in &rows {
        println!("{row}");
    }
    Ok(())
}
