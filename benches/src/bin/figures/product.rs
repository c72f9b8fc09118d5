//! Figures of the program as it is shipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nunect_benches::Failure;
use nunect_benches::compare::Sample;
use nunect_benches::load::Load;
use nunect_benches::process::{resident, share, threads, ticks};
use nunect_benches::running::Running;
use nunect_benches::scratch::Scratch;
use nunect_benches::server::Server;
use nunect_benches::table::{Reach, Row};
use nunect_benches::work::UNIT;
use serde_json::{Value, json};

const STARTS: usize = 30;
/// For how long it is then watched.
const IDLE_FOR: Duration = Duration::from_secs(60);
/// How long a node is left alone after much work, before its memory is looked at.
const QUIET: Duration = Duration::from_secs(3);
/// Units that a node hears of while it works.
const OTHER_UNITS: usize = 64;

/// The program `name` that was built beside this one.
pub(crate) fn sibling(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name(name);
    exists(path, name)
}

/// `path`, if there is something.
pub(crate) fn exists(path: PathBuf, name: &str) -> Result<PathBuf, Failure> {
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

/// A node of every actor there is, on a server of its own.
pub(crate) struct FullNode {
    node: Running,
    server: Server,
    _folder: Scratch,
}

impl FullNode {
    /// When it has settled.
    pub(crate) const SETTLED: Duration = Duration::from_secs(10);

    /// Starts it, and lets it settle.
    fn start() -> Result<Self, Failure> {
        let node = Self::start_with(&json!({}), &json!({}))?;
        std::thread::sleep(Self::SETTLED);
        Ok(node)
    }

    /// Starts it, with options of actors, and with what it is to know of the time.
    pub(crate) fn start_with(options: &Value, time: &Value) -> Result<Self, Failure> {
        let server = Server::start()?;
        let folder = Scratch::make()?;
        let mut actors: serde_json::Map<_, _> =
            nunect_actors::catalog().kinds().map(|kind| (kind.to_owned(), json!({}))).collect();
        actors.extend(options.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        let profile = json!({
            "metadata": { "unit_id": UNIT },
            "connection": { "urls": [server.url()] },
            "health": { "heartbeat_interval": "5s" },
            "control": { "socket": folder.path().join("node.sock") },
            "time": time,
            "actors": actors,
        });
        let file = folder.path().join("node.yaml");
        // JSON is YAML.
        std::fs::write(&file, profile.to_string())?;
        let node = Running::spawn(Command::new(sibling("nunect")?).args(["up", "--json", "-c"]).arg(&file))?;
        node.hear(|line| says_online(line).then_some(()))?;
        Ok(Self { node, server, _folder: folder })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.node.pid()
    }
}

/// What an idle node costs, and which of its threads.
pub(crate) fn idle() -> Result<Vec<Row>, Failure> {
    let node = FullNode::start()?;
    let (before, ticks_before, start) = (threads(node.pid())?, ticks(node.pid())?, Instant::now());
    std::thread::sleep(IDLE_FOR);
    let (after, ticks_after, passed) = (threads(node.pid())?, ticks(node.pid())?, start.elapsed().as_secs_f64());
    let percent = |time: Duration| time.as_secs_f64() / passed * 100.0;
    let (mut ran, mut sleeps) = (Duration::ZERO, 0);
    for thread in &after {
        let earlier = before.iter().find(|earlier| earlier.id == thread.id);
        let its_run = thread.ran.saturating_sub(earlier.map_or(Duration::ZERO, |earlier| earlier.ran));
        let its_sleeps = thread.sleeps - earlier.map_or(0, |earlier| earlier.sleeps);
        #[expect(clippy::cast_precision_loss)]
        let each_second = its_sleeps as f64 / passed;
        eprintln!("  {}: {:.4} %, {each_second:.1} wakeups a second", thread.name, percent(its_run));
        ran += its_run;
        sleeps += its_sleeps;
    }
    #[expect(clippy::cast_precision_loss)]
    let each_second = sleeps as f64 / passed;
    let by_ticks = percent(ticks_after.saturating_sub(ticks_before));
    Ok(vec![Row {
        what: "processor time of an idle full node on NATS, of one core".to_owned(),
        reach: Reach::Most(0.05),
        figure: percent(ran),
        unit: " %",
        spread: format!(
            "one run of {passed:.0} s; in ticks of 10 ms {by_ticks:.3} %; {each_second:.1} wakeups a second"
        ),
        control: "–".to_owned(),
        command: "tools/bench idle",
    }])
}

/// Memory of a node before and after many messages.
pub(crate) fn memory(messages: u64) -> Result<Vec<Row>, Failure> {
    let node = FullNode::start()?;
    let row = |what: String, reach, figure, spread| Row {
        what,
        reach,
        figure,
        unit: " MiB",
        spread,
        control: "–".to_owned(),
        command: "tools/bench memory",
    };
    let (idle, its_share) = (resident(node.pid())?, share(node.pid())?);
    let mut load = Load::connect(&node.server.address(), OTHER_UNITS)?;
    let start = Instant::now();
    let mut after = |messages: u64| -> Result<f64, Failure> {
        load.run(messages)?;
        std::thread::sleep(QUIET);
        resident(node.pid())
    };
    let some = messages / 10;
    let after_some = after(some)?;
    let after_all = after(messages - some)?;
    let took = start.elapsed().as_secs_f64();
    let grown = format!("{after_some:.2} MiB after {some} messages, {after_all:.2} MiB after {messages}; {took:.0} s");
    Ok(vec![
        row(
            "resident memory of an idle full node on NATS, after 10 s".to_owned(),
            Reach::Most(16.0),
            idle,
            format!("one run; proportional share {its_share:.2} MiB"),
        ),
        row(format!("the same after {messages} messages"), Reach::Told, after_all, String::from("one run")),
        row(format!("its growth from {some} messages on"), Reach::Most(0.5), after_all - after_some, grown),
    ])
}

/// What is shipped.
pub(crate) fn binary() -> Result<Vec<Row>, Failure> {
    let program = sibling("nunect")?;
    let folder = Scratch::make()?;
    let stripped = folder.path().join("nunect");
    Running::spawn(Command::new("strip").arg("-o").args([&stripped, &program]))?.finish()?;
    #[expect(clippy::cast_precision_loss)]
    let megabytes = |path: &Path| -> Result<f64, Failure> { Ok(std::fs::metadata(path)?.len() as f64 / 1e6) };
    Ok(vec![Row {
        what: "release binary, stripped".to_owned(),
        reach: Reach::Most(12.0),
        figure: megabytes(&stripped)?,
        unit: " MB",
        spread: format!("{:.1} MB with its line tables and symbols", megabytes(&program)?),
        control: "–".to_owned(),
        command: "tools/bench binary",
    }])
}
