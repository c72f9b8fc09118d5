//! What both sides do with a message, so that they differ in nothing but how it reached them.

use std::hint::black_box;
use std::io::{Write, stdout};
use std::time::Instant;

use clap::{Args, ValueEnum};
use nunect_core::UnitId;
use nunect_core::protocol::{echo, header};

/// Where the feed publishes.
pub const SUBJECT: &str = "bench.in";
/// The node that is measured.
pub const UNIT: &str = "bench";
/// The size of the feed's payloads.
pub const PAYLOAD_BYTES: usize = 128;
/// The headers of a message that has any: a telemetry message of the protocol.
pub const HEADERS: [(&str, &str); 8] = [
    (header::UNIT_ID.name(), "relay-07"),
    (header::SESSION_ID.name(), "9f86d081884c7d65"),
    (header::SEQUENCE.name(), "184467"),
    (header::TX_TIMESTAMP.name(), "1767225600123456789"),
    (header::CLOCK_SOURCE.name(), "ptp"),
    (header::CLOCK_QUALITY.name(), "locked"),
    (header::HEALTH_STATUS.name(), "OK"),
    (header::CPU_LOAD.name(), "37%"),
];
/// Messages after which a receiver says how far it is, so that nothing is ever dropped on the way.
pub const ACKNOWLEDGE_EVERY: u64 = 512;

/// Where the measured node echoes.
///
/// # Panics
/// When [`UNIT`] is no unit ID.
#[must_use]
pub fn echo_subject() -> String {
    let unit: UnitId = UNIT.parse().expect("a unit ID");
    echo::subject(&unit).as_str().to_owned()
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// An actor of a node.
    Node,
    /// The same on async-nats or ractor alone.
    Bare,
}

impl Side {
    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Bare => "bare",
        }
    }
}

/// On which runtime.
#[derive(Clone, Copy, Debug, Args)]
pub struct Threads {
    /// Run on tokio's current-thread runtime: instruction counts then repeat.
    #[arg(long)]
    pub one_thread: bool,
}

impl Threads {
    /// The runtime, otherwise as tokio makes it by default.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn runtime(self) -> std::io::Result<tokio::runtime::Runtime> {
        let mut builder = match self.one_thread {
            true => tokio::runtime::Builder::new_current_thread(),
            false => tokio::runtime::Builder::new_multi_thread(),
        };
        builder.enable_all().build()
    }
}

/// Counts messages, and ends the process with the time that they took.
#[derive(Debug)]
pub struct Tally {
    seen: u64,
    until: u64,
    acknowledge: bool,
    started: Instant,
}

impl Tally {
    /// Counts to `until`; `acknowledge`: says every [`ACKNOWLEDGE_EVERY`] messages how far it is.
    #[must_use]
    pub fn new(until: u64, acknowledge: bool) -> Self {
        Self { seen: 0, until, acknowledge, started: Instant::now() }
    }

    /// Takes one message; time runs from the first.
    pub fn one(&mut self, payload: &[u8]) {
        black_box(payload);
        self.seen += 1;
        if self.seen == 1 {
            self.started = Instant::now();
        } else if self.seen == self.until {
            say(&format!("done {}", self.started.elapsed().as_nanos()));
            std::process::exit(0);
        } else if self.acknowledge && self.seen.is_multiple_of(ACKNOWLEDGE_EVERY) {
            say(&format!("acknowledge {}", self.seen));
        }
    }
}

/// Tells whoever measures.
///
/// # Panics
/// When nobody listens any more.
pub fn say(line: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("whoever measures listens");
}
