//! Figures of the program as it is shipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nunect_benches::Failure;
use nunect_benches::compare::Sample;
use nunect_benches::running::Running;
use nunect_benches::server::Server;
use nunect_benches::table::{Reach, Row};
use nunect_benches::work::UNIT;
use serde_json::Value;

const STARTS: usize = 30;
const SIMULATIONS: usize = 5;
/// When an idle node has settled.
const SETTLED: Duration = Duration::from_secs(10);

/// The program `name` that was built beside this one.
pub(crate) fn sibling(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name(name);
    exists(path, name)
}

fn exists(path: PathBuf, name: &str) -> Result<PathBuf, Failure> {
    match path.exists() {
        true => Ok(path),
        false => {
            Err(format!("{} is not there: build `{name}` in release first, as tools/bench does", path.display()).into())
        }
    }
}

/// From the start of the process until the node's own monitor has heard its first heartbeat.
pub(crate) fn startup() -> Result<Vec<Row>, Failure> {
    let program = sibling("nunect")?;
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let node = Running::spawn(Command::new(&program).args(["up", "--json", "--unit", UNIT]))?;
        let (heard, ()) = node.hear(|line| says_online(line).then_some(()))?;
        took.push(heard.duration_since(start).as_secs_f64() * 1e3);
    }
    let took = Sample::new(took);
    Ok(vec![Row {
        what: "first heartbeat after process start, embedded bus".to_owned(),
        reach: Reach::Most(25.0),
        figure: took.median(),
        unit: " ms",
        spread: format!("{}, {} starts", took.spread(), took.count()),
        control: "–".to_owned(),
        command: "tools/bench startup",
    }])
}

/// Whether a line of `nunect up --json` says that the unit itself was heard of.
fn says_online(line: &str) -> bool {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    event["kind"] == "unit_online" && event["fields"]["unit"] == UNIT
}

pub(crate) fn memory() -> Result<Vec<Row>, Failure> {
    let server = Server::start()?;
    let program = sibling("nunect")?;
    let node = Running::spawn(Command::new(program).args(["up", "--json", "--unit", UNIT, "--nats", &server.url()]))?;
    std::thread::sleep(SETTLED);
    let folder = Path::new("/proc").join(node.pid().to_string());
    let resident = kibibytes(&folder.join("status"), "VmRSS:")?;
    let shared_out = kibibytes(&folder.join("smaps_rollup"), "Pss:")?;
    Ok(vec![Row {
        what: "resident memory of an idle node on NATS, after 10 s".to_owned(),
        reach: Reach::Most(12.0),
        figure: resident / 1024.0,
        unit: " MiB",
        spread: format!("one run; proportional share {:.2} MiB", shared_out / 1024.0),
        control: "–".to_owned(),
        command: "tools/bench memory",
    }])
}

fn kibibytes(file: &Path, key: &str) -> Result<f64, Failure> {
    let text = std::fs::read_to_string(file)?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)).ok_or("the kernel does not say")?;
    Ok(value.trim().trim_end_matches("kB").trim().parse()?)
}

pub(crate) fn simulation() -> Result<Vec<Row>, Failure> {
    let program = sibling("examples")?.join("flat_speed");
    let mut speeds = Vec::new();
    for _ in 0..SIMULATIONS {
        let simulation = Running::spawn(Command::new(exists(program.clone(), "flat_speed")?).args(["1000", "600"]))?;
        let (_, speed) = simulation
            .hear(|line| line.strip_suffix(" simulated s per wall s")?.rsplit(' ').next()?.parse::<f64>().ok())?;
        simulation.finish()?;
        speeds.push(speed);
    }
    let speeds = Sample::new(speeds);
    Ok(vec![Row {
        what: "`flat` simulation of 1,000 nodes, one core".to_owned(),
        reach: Reach::Least(300.0),
        figure: speeds.median(),
        unit: " s/s",
        spread: format!("{}, {} runs", speeds.spread(), speeds.count()),
        control: "–".to_owned(),
        command: "tools/bench simulation",
    }])
}
