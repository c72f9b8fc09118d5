//! Figures of telling the time: what a report of a real daemon takes, and what the guardian takes of a core.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nunect_benches::Failure;
use nunect_benches::compare::Sample;
use nunect_benches::daemons::{Chronyd, DATA_SETS, Ptp4l, SOURCES};
use nunect_benches::process::threads;
use nunect_benches::running::Running;
use nunect_benches::table::{Reach, Row};
use serde_json::{Value, json};

use crate::product::{FullNode, sibling};

const COMMAND: &str = "tools/bench time";
/// Rounds of reports: each has some back to back, some with pauses, and some by the daemon's own tool.
const ROUNDS: usize = 7;
const REPORTS: usize = 1_000;
const REPORTS_WITH_PAUSES: usize = 100;
const TOOL_RUNS: usize = 30;
/// From one report to the next, where there are pauses: the machine goes to sleep in between, as in a second.
const PAUSE_MS: u64 = 20;
/// What a report may take, in microseconds.
const REPORT_MOST_US: f64 = 150.0;
/// Rounds of nodes, and how long each is watched.
const NODE_ROUNDS: usize = 5;
const WATCHED: Duration = Duration::from_secs(60);
/// What the guardian may take of a core, in percent.
const GUARDIAN_MOST_PERCENT: f64 = 0.05;

pub(crate) fn time() -> Result<Vec<Row>, Failure> {
    let (ptp4l, chronyd) = (Ptp4l::start()?, Chronyd::start()?);
    let mut rows = Vec::new();
    let pmc = || ptp4l.pmc(&DATA_SETS);
    rows.extend(reports(&["PTP report of ptp4l", "ptp4l", "pmc"], &ptp4l.socket(), &pmc)?);
    let name = format!("report of chronyd with {SOURCES} sources");
    let chronyc = || chronyd.chronyc(&["-m", "tracking", "sources"]);
    rows.extend(reports(&[&name, "chronyd", "chronyc"], &chronyd.socket(), &chronyc)?);
    rows.extend(guardian(&ptp4l.socket(), &chronyd.socket())?);
    Ok(rows)
}

// --- reports -------------------------------------------------------------------------------------------------

/// What reports take, by its name; that of the daemon, and that of its tool.
fn reports([name, daemon, tool]: &[&str; 3], socket: &Path, ask: &dyn Fn() -> Command) -> Result<[Row; 3], Failure> {
    let (mut close, mut apart, mut by_tool) = (Runs::default(), Runs::default(), Runs::default());
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let fast = close.add(run(daemon, socket, REPORTS, 0)?);
        apart.add(run(daemon, socket, REPORTS_WITH_PAUSES, PAUSE_MS)?);
        let slow = by_tool.add((0..TOOL_RUNS).map(|_| tool_run(ask())).collect::<Result<_, _>>()?);
        ratios.push(slow / fast);
    }
    let row = |what: String, reach, figure, unit, spread| Row {
        what,
        reach,
        figure,
        unit,
        spread,
        control: "–".to_owned(),
        command: COMMAND,
    };
    let reach = Reach::Most(REPORT_MOST_US);
    let ratio = Sample::new(ratios);
    let pauses = format!("the same, one each {PAUSE_MS} ms");
    let (close_us, apart_us) = (close.median(), apart.median());
    Ok([
        row(format!("a full {name}, one after the other, p50"), reach, close_us, " µs", close.spread()),
        row(pauses, reach, apart_us, " µs", apart.spread()),
        row(
            format!("the time of a run of `{tool}` for the same, over that of a report"),
            Reach::Told,
            ratio.median(),
            "",
            format!("{}, {ROUNDS} rounds; a run, in µs: {}", ratio.spread(), by_tool.spread()),
        ),
    ])
}

/// Times in microseconds, of several runs.
#[derive(Default)]
struct Runs {
    all: Vec<f64>,
    medians: Vec<f64>,
}

impl Runs {
    /// Adds a run; its median.
    fn add(&mut self, run: Vec<f64>) -> f64 {
        self.all.extend(&run);
        let median = Sample::new(run).median();
        self.medians.push(median);
        median
    }

    fn median(&self) -> f64 {
        Sample::new(self.all.clone()).median()
    }

    fn spread(&self) -> String {
        let (all, medians) = (Sample::new(self.all.clone()), Sample::new(self.medians.clone()));
        let [p95, p99, last] = [0.95, 0.99, 1.0].map(|share| all.quantile(share));
        let [low, high] = [0.0, 1.0].map(|share| medians.quantile(share));
        let (count, runs) = (all.count(), medians.count());
        format!(
            "p95 {p95:.0}, p99 {p99:.0}, longest {last:.0}; {count} in {runs} runs with p50 from {low:.0} to {high:.0}"
        )
    }
}

/// How long each report took, in microseconds.
fn run(daemon: &str, socket: &Path, reports: usize, every_ms: u64) -> Result<Vec<f64>, Failure> {
    let mut command = Command::new(sibling("measured")?);
    command.args(["reports", daemon]).arg(socket).arg(reports.to_string());
    command.args(["--every-ms", &every_ms.to_string()]);
    let program = Running::spawn(&mut command)?;
    let took = (0..reports).map(|_| program.number("took ").map(microseconds)).collect();
    program.finish()?;
    took
}

#[expect(clippy::cast_precision_loss)]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

/// From before the process is started until it has ended, in microseconds.
fn tool_run(mut command: Command) -> Result<f64, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("{command:?} does not start: {error}"))?;
    let took = start.elapsed().as_secs_f64() * 1e6;
    if status.success() { Ok(took) } else { Err(format!("{command:?} ended with {status}").into()) }
}

// --- the guardian --------------------------------------------------------------------------------------------

/// What a node takes with its guardian, less what it takes without; and as a control without it once more.
///
/// All four run at the same time, each on a server of its own, so that whatever else the machine does is the same to
/// all of them.
fn guardian(ptp4l: &Path, chronyd: &Path) -> Result<[Row; 2], Failure> {
    let ptp = json!({ "mode": "ptp", "ptp_socket": ptp4l });
    let ntp = json!({ "mode": "chrony", "chrony": chronyd });
    let (on, off) = (json!({}), json!({ "enabled": false }));
    let kinds: [(&Value, &Value); 4] = [(&ptp, &on), (&ntp, &on), (&ptp, &off), (&ntp, &off)];
    let (mut by_ptp, mut by_ntp, mut control, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..NODE_ROUNDS {
        let mut nodes = Vec::new();
        for place in 0..kinds.len() {
            // Another one is the first each time.
            let kind = (place + round) % kinds.len();
            let (time, guardian) = kinds[kind];
            nodes.push((kind, FullNode::start_with(&json!({ "time_guardian": guardian }), time)?));
        }
        nodes.sort_by_key(|(kind, _)| *kind);
        std::thread::sleep(FullNode::SETTLED);
        let before = nodes.iter().map(|(_, node)| ran(node.pid())).collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        std::thread::sleep(WATCHED);
        let after = nodes.iter().map(|(_, node)| ran(node.pid())).collect::<Result<Vec<_>, _>>()?;
        let passed = start.elapsed().as_secs_f64();
        let share = |kind: usize| -> f64 { (after[kind].0 - before[kind].0) / passed * 100.0 };
        #[expect(clippy::cast_precision_loss)]
        let sleeps = |kind: usize| (after[kind].1 - before[kind].1) as f64 / passed;
        let (shares, wakeups) = ([0, 1, 2, 3].map(share), [0, 1, 2, 3].map(sleeps));
        eprintln!("  ptp4l, chronyd, neither, neither: {shares:.4?} %, {wakeups:.1?} wakeups a second");
        let without = f64::midpoint(shares[2], shares[3]);
        by_ptp.push(shares[0] - without);
        by_ntp.push(shares[1] - without);
        control.push(shares[3] - shares[2]);
        bare.push(without);
    }
    let [by_ptp, by_ntp, control, bare] = [by_ptp, by_ntp, control, bare].map(Sample::new);
    let row = |what: &str, sample: &Sample| Row {
        what: format!(
            "processor time of the time guardian and its questions to {what}, one report a second, of one core"
        ),
        reach: Reach::Most(GUARDIAN_MOST_PERCENT),
        figure: sample.median(),
        unit: " %",
        spread: format!(
            "{}, {NODE_ROUNDS} rounds of {} s; a node without it takes {:.4} %",
            small(sample),
            WATCHED.as_secs(),
            bare.median()
        ),
        control: small(&control),
        command: COMMAND,
    };
    Ok([row("ptp4l", &by_ptp), row("chronyd", &by_ntp)])
}

/// The spread of what is small.
fn small(sample: &Sample) -> String {
    let [low, high] = [0.0, 1.0].map(|share| sample.quantile(share));
    format!("{low:.4} to {high:.4}")
}

/// The seconds for which a process has run, and how often it went to sleep.
fn ran(process: u32) -> Result<(f64, u64), Failure> {
    let threads = threads(process)?;
    Ok((threads.iter().map(|thread| thread.ran.as_secs_f64()).sum(), threads.iter().map(|thread| thread.sleeps).sum()))
}
