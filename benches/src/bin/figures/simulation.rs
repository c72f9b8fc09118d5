//! Figures of the simulator: how fast it is, how it grows, what a trace costs, and what a second core brings.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use nunect_benches::Failure;
use nunect_benches::compare::Sample;
use nunect_benches::running::Running;
use nunect_benches::scratch::Scratch;
use nunect_benches::table::{Reach, Row};
use serde_json::Value;

use crate::product::{exists, sibling};

/// Runs of each figure, and rounds of each ratio.
const RUNS: usize = 5;
const ROUNDS: usize = 5;
const ROUNDS_LONG: usize = 3;
/// Of turmoil, which takes half a minute for eight simulated seconds.
const ROUNDS_TURMOIL: usize = 2;
/// Nodes, and simulated seconds with about as many steps in both.
const FEW: [&str; 2] = ["100", "3000"];
const MANY: [&str; 2] = ["5000", "60"];
/// Seeds of one run of `explore`: even, so that two cores can share them.
const SEEDS: u64 = 640;
const SCENARIO: &str = "simulations/scenarios/worst-day.yaml";

fn row(what: &str, reach: Reach, unit: &'static str, sample: &Sample) -> Row {
    Row {
        what: what.to_owned(),
        reach,
        figure: sample.median(),
        unit,
        spread: format!("{}, {} run{}", sample.spread(), sample.count(), if sample.count() == 1 { "" } else { "s" }),
        control: "–".to_owned(),
        command: "tools/bench simulation",
    }
}

/// A row with more to tell.
fn told(row: Row, more: &str) -> Row {
    Row { spread: format!("{}; {more}", row.spread), ..row }
}

pub(crate) fn simulation() -> Result<Vec<Row>, Failure> {
    let mut rows = speed()?;
    rows.push(growth()?);
    rows.extend(trace()?);
    rows.push(cores()?);
    rows.push(turmoil()?);
    Ok(rows)
}

fn example(name: &str) -> Result<PathBuf, Failure> {
    exists(sibling("examples")?.join(name), name)
}

// --- speed ---------------------------------------------------------------------------------------------------

/// What a run of `flat_speed` says of itself.
struct Speed {
    /// Simulated seconds in a second.
    seconds: f64,
    /// Nanoseconds for each event of the heap.
    step: f64,
    /// Kilobytes (1,000 bytes) for each node.
    memory: f64,
}

fn flat_speed(arguments: &[&str]) -> Result<Speed, Failure> {
    let program = Running::spawn(Command::new(example("flat_speed")?).args(arguments))?;
    let number_before =
        |ends: &'static str| move |line: &str| line.split_once(ends)?.0.rsplit(' ').next()?.parse::<f64>().ok();
    let (_, seconds) = program.hear(number_before(" simulated s per wall s"))?;
    let (_, step) = program.hear(number_before(" ns a step"))?;
    let (_, memory) = program.hear(number_before(" KiB a node"))?;
    program.finish()?;
    Ok(Speed { seconds, step, memory: memory * 1.024 })
}

fn speeds(runs: usize, arguments: &[&str]) -> Result<(Sample, Sample), Failure> {
    let (mut seconds, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let speed = flat_speed(arguments)?;
        seconds.push(speed.seconds);
        memory.push(speed.memory);
    }
    Ok((Sample::new(seconds), Sample::new(memory)))
}

/// How fast both worlds are, and how large a node is in them.
fn speed() -> Result<Vec<Row>, Failure> {
    let (few, few_memory) = speeds(RUNS, &["1000", "300", "few-reports"])?;
    // Most of such a run is until it has settled; fifteen seconds see one report of each node.
    let (all, all_memory) = speeds(1, &["1000", "15"])?;
    let (layered, layered_memory) = speeds(ROUNDS_LONG, &["1000", "30", "layered", "few-reports"])?;
    let full = "`flat`, 1,000 full nodes, monitors and cluster reports on three, one core";
    let layers = "`layered`, a leaf server on each node, tcp and routes, the same load";
    let memory = |what: &str, reach, sample| row(&format!("memory for each node, {what}"), reach, " KB", sample);
    Ok(vec![
        row(full, Reach::Least(300.0), " s/s", &few),
        row("the same, cluster reports from every node to every node", Reach::Told, " s/s", &all),
        row(layers, Reach::Least(40.0), " s/s", &layered),
        memory("`flat`, cluster reports from three", Reach::Most(32.0), &few_memory),
        memory("`flat`, cluster reports from all", Reach::Told, &all_memory),
        memory("`layered`", Reach::Told, &layered_memory),
    ])
}

/// What an event costs among many nodes against among few.
fn growth() -> Result<Row, Failure> {
    let (mut ratios, mut few, mut many) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let step = |size: [&str; 2]| flat_speed(&[size[0], size[1], "few-reports"]).map(|speed| speed.step);
        let (among_few, among_many) = (step(FEW)?, step(MANY)?);
        ratios.push(among_many / among_few);
        few.push(among_few);
        many.push(among_many);
    }
    let absolute = format!("{:.0} / {:.0} ns", Sample::new(many).median(), Sample::new(few).median());
    let what = "time for each event, 5,000 nodes over 100";
    Ok(told(row(what, Reach::Most(3.0), "", &Sample::new(ratios)), &absolute))
}

// --- traces --------------------------------------------------------------------------------------------------

/// Seconds that a run took: by the clock, and of processors.
fn traced(mode: &str) -> Result<[f64; 2], Failure> {
    let folder = Scratch::make()?;
    let mut command = Command::new(example("trace_cost")?);
    command.args([mode, "1000", "150"]).arg(folder.path().join("trace.jsonl"));
    let program = Running::spawn(&mut command)?;
    let number = |word: &'static str| move |line: &str| line.strip_prefix(word)?.parse::<f64>().ok();
    let (_, wall) = program.hear(number("wall "))?;
    let (_, processor) = program.hear(number("processor "))?;
    program.finish()?;
    Ok([wall, processor])
}

/// What a hash and a file cost, over a run without a trace.
fn trace() -> Result<Vec<Row>, Failure> {
    let modes = [
        ("hash", "time of a run with the hash of its trace, over one without a trace", Reach::Most(1.1)),
        ("jsonl", "the same with a JSONL file, written on a second thread as `sim run --trace` does", Reach::Most(3.0)),
        ("jsonl-here", "the same with a JSONL file, all on one thread", Reach::Told),
    ];
    let mut ratios = [const { Vec::new() }; 3];
    let mut processor = [const { Vec::new() }; 3];
    let mut control = Vec::new();
    for _ in 0..ROUNDS {
        let off = traced("off")?;
        for (place, (mode, ..)) in modes.iter().enumerate() {
            let took = traced(mode)?;
            ratios[place].push(took[0] / off[0]);
            processor[place].push(took[1] / off[1]);
        }
        control.push(traced("off")?[0] / off[0]);
    }
    let control = Sample::new(control);
    let rows =
        modes.into_iter().zip(ratios.into_iter().zip(processor)).map(|((_, what, reach), (ratios, processor))| {
            let processor = format!("processor time of all threads {:.2}", Sample::new(processor).median());
            let row = told(row(what, reach, "", &Sample::new(ratios)), &processor);
            Row { control: format!("{control}, {}", control.spread()), ..row }
        });
    Ok(rows.collect())
}

// --- two cores -----------------------------------------------------------------------------------------------

/// Many seeds of a scenario with so many jobs.
fn exploring(jobs: &str) -> Result<Running, Failure> {
    let mut command = Command::new(sibling("nunect")?);
    command.args(["--json", "sim", "explore", SCENARIO, "--seeds", &format!("1..{SEEDS}"), "--jobs", jobs]);
    Running::spawn(&mut command)
}

/// Waits until all seeds were tried, whatever became of them.
fn explored(program: &Running) -> Result<(), Failure> {
    let tried = |line: &str| serde_json::from_str::<Value>(line).ok()?["tried"].as_u64();
    match program.hear(tried)? {
        (_, SEEDS) => Ok(()),
        (_, other) => Err(format!("{other} seeds of {SEEDS} were tried").into()),
    }
}

/// How much faster two cores explore than one. The control is what the machine itself gives: two programs with one
/// job each beside each other, against one after the other.
fn cores() -> Result<Row, Failure> {
    let (mut ratios, mut control, mut ones) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS_LONG {
        let timed = |jobs: &[&str]| -> Result<f64, Failure> {
            let start = Instant::now();
            let programs: Result<Vec<_>, _> = jobs.iter().map(|jobs| exploring(jobs)).collect();
            programs?.iter().try_for_each(explored)?;
            Ok(start.elapsed().as_secs_f64())
        };
        let (one, two, beside) = (timed(&["1"])?, timed(&["2"])?, timed(&["1", "1"])?);
        ratios.push(one / two);
        control.push(2.0 * one / beside);
        ones.push(one);
    }
    let (control, one) = (Sample::new(control), Sample::new(ones).median());
    let what = "`sim explore --jobs 2`, runs a second over `--jobs 1`";
    let row = row(what, Reach::Least(1.8), "", &Sample::new(ratios));
    let row = told(row, &format!("{SEEDS} seeds of `worst-day`, {one:.1} s on one core"));
    Ok(Row { control: format!("two processes {control}, {}", control.spread()), ..row })
}

// --- turmoil -------------------------------------------------------------------------------------------------

/// The same work in turmoil and here. tools/bench builds the former in a folder of its own.
fn turmoil() -> Result<Row, Failure> {
    let folder = sibling("turmoil")?;
    let theirs = exists(folder.join("release").join("in-turmoil"), "benches/turmoil")?;
    let ours = example("few_actors_speed")?;
    let speed = |program: &PathBuf, arguments: &[&str]| -> Result<f64, Failure> {
        let program = Running::spawn(Command::new(program).args(arguments))?;
        let speed = |line: &str| line.strip_suffix(" simulated s per wall s")?.rsplit(' ').next()?.parse::<f64>().ok();
        let (_, speed) = program.hear(speed)?;
        program.finish()?;
        Ok(speed)
    };
    let (mut ratios, mut fast, mut slow, mut coarse) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS_TURMOIL {
        let (here, there) = (speed(&ours, &["100", "3000"])?, speed(&theirs, &["100", "5", "1"])?);
        coarse.push(speed(&theirs, &["100", "10", "5"])?);
        ratios.push(here / there);
        fast.push(here);
        slow.push(there);
    }
    let [fast, slow, coarse] = [fast, slow, coarse].map(|speeds| Sample::new(speeds).median());
    let absolute = format!("{fast:.0} / {slow:.1} s/s; turmoil in ticks of 5 ms {coarse:.1} s/s");
    let what = "speed over that of turmoil 0.7 in ticks of 1 ms, the same work on 100 nodes of few actors";
    Ok(told(row(what, Reach::Told, "", &Sample::new(ratios)), &absolute))
}
