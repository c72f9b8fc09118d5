//! Figures of the program as it is shipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nunect_benches::Failure;
use nunect_benches::compare::Sample;
use nunect_benches::running::Running;
use nunect_benches::server::Server;
use nunect_benches::table::{Reach, Row};
use serde_json::Value;

const STARTS: usize = 30;
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
        let node = Running::spawn(Command::new(&program).args(["up", "--json", "--unit", "bench"]))?;
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
    let text = |value: &Value, key: &str, wanted: &str| value.get(key).and_then(Value::as_str) == Some(wanted);
    serde_json::from_str::<Value>(line).is_ok_and(|event| line.contains("unit_online") && text(&event, "unit", "bench"))
}

pub(crate) fn memory() -> Result<Vec<Row>, Failure> {
    let server = Server::start()?;
    let node = Running::spawn(Command::new(sibling("nunect")?).args(["up", "--json", "--nats", &server.url()]))?;
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
    Err("not yet".into())
}
