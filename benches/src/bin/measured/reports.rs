//! Asking a time daemon for one report after the other, as a node does: on a worker of tokio's.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use nunect_benches::daemons::SOURCES;
use nunect_benches::work::{Threads, say};
use nunect_benches::{Failure, process};
use nunect_core::clock::{PtpState, Reading};
use nunect_runtime::Clock;
use nunect_runtime::config::{Daemon, TimeMode, TimeSection};
use nunect_runtime::timesync::{ChronyReader, ClockReader, PtpReader};

/// Reports before those that count: the first opens a socket, and asks for what changes rarely.
const BEFORE: usize = 10;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A ptp4l that is a slave.
    Ptp4l,
    /// A chronyd with four sources.
    Chronyd,
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Whom to ask.
    daemon: Kind,
    /// Its socket.
    socket: PathBuf,
    /// How many reports.
    reports: usize,
    /// The milliseconds from one report to the next; 0: back to back.
    #[arg(long, default_value_t = 0)]
    every_ms: u64,
    #[command(flatten)]
    threads: Threads,
}

/// Says `took` and the nanoseconds of each report, and `ran` and the processor time of all in nanoseconds.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = arguments.threads.runtime()?;
    let own = std::process::id();
    let reader: Box<dyn ClockReader> = match arguments.daemon {
        Kind::Ptp4l => Box::new(PtpReader::new(&TimeSection {
            mode: TimeMode::Ptp,
            ptp_socket: Some(arguments.socket),
            ..TimeSection::default()
        })),
        Kind::Chronyd => Box::new(ChronyReader::new(&TimeSection {
            mode: TimeMode::Chrony,
            chrony: Some(Daemon::Socket(arguments.socket)),
            ..TimeSection::default()
        })),
    };
    let every = Duration::from_millis(arguments.every_ms);
    let (reader, _) = runtime.block_on(runtime.spawn(ask(reader, BEFORE, every)))??;
    let ran = process::ran(own)?;
    let (_, took) = runtime.block_on(runtime.spawn(ask(reader, arguments.reports, every)))??;
    let ran = process::ran(own)?.saturating_sub(ran);
    for took in took {
        say(&format!("took {}", took.as_nanos()));
    }
    say(&format!("ran {}", ran.as_nanos()));
    Ok(())
}

/// The reader once more, and how long each of its reports took.
async fn ask(
    mut reader: Box<dyn ClockReader>,
    reports: usize,
    every: Duration,
) -> Result<(Box<dyn ClockReader>, Vec<Duration>), Failure> {
    let clock = Clock::new();
    let mut took = Vec::with_capacity(reports);
    for _ in 0..reports {
        let start = Instant::now();
        let reading = reader.read(&clock).await;
        took.push(start.elapsed());
        whole(&reading?)?;
        if !every.is_zero() {
            tokio::time::sleep_until((start + every).into()).await;
        }
    }
    Ok((reader, took))
}

/// Whether a report has all that it should have.
fn whole(reading: &Reading) -> Result<(), Failure> {
    let whole = match reading {
        Reading::Ptp(ptp) => ptp.port == PtpState::Slave && ptp.ingress_ns != 0 && ptp.grandmaster_present,
        Reading::Ntp(ntp) => ntp.sources.as_ref().is_some_and(|sources| sources.len() == SOURCES),
        Reading::Gps(_) | Reading::Kernel(_) => false,
    };
    if whole { Ok(()) } else { Err(format!("the report is not what it should be: {reading:?}").into()) }
}
