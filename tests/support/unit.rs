//! The built program as a process: what it says, how it ends, and what it occupies.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::nats::signal;

/// How long a process may take for what no bound is given for.
const PATIENCE: Duration = Duration::from_secs(15);

/// A node that runs in a process of its own; dropping it kills it.
pub(crate) struct Unit {
    child: Child,
    started: Instant,
    lines: Receiver<Said>,
    said: Vec<Said>,
    looked_at: usize,
    complaints: Option<JoinHandle<String>>,
    sockets: Option<PathBuf>,
}

/// A line of its standard output.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// When it was read.
    pub(crate) at: Instant,
    /// What it says.
    pub(crate) json: Value,
}

/// The actors that every node has, in the order in which they start.
pub(crate) const ACTORS: [&str; 9] =
    ["heartbeater", "monitor", "echo", "prober", "time_guardian", "commands", "cluster", "logs", "nats"];

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// How long it took after it was told, or after somebody began to wait for it.
    pub(crate) took: Duration,
    /// What it said that nobody waited for.
    pub(crate) said: Vec<Said>,
    /// What it wrote on its standard error.
    pub(crate) complaints: String,
}

/// What a process occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// Resident memory.
    pub(crate) resident_kib: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Open files and sockets.
    pub(crate) files: usize,
}

impl Said {
    /// Who it is about, and what happened when it is an event: `monitor unit_online`.
    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.text("/comp"), self.text("/kind")).trim_end().to_owned()
    }

    /// A text within it, by JSON pointer; empty when there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// When it happened, by the process's wall clock.
    pub(crate) fn unix_ms(&self) -> i64 {
        self.text("/ts").parse::<jiff::Timestamp>().expect("an RFC 3339 timestamp").as_millisecond()
    }
}

impl Unit {
    /// `nunect up --json` with `arguments`.
    pub(crate) fn up(arguments: &[&str]) -> Self {
        Self::of(program().args(["up", "--json"]).args(arguments))
    }

    /// Whatever says what it does as `nunect up --json` does.
    pub(crate) fn of(command: &mut Command) -> Self {
        // Control sockets are where no other test, and no node of this machine, has its own.
        let sockets = command.get_envs().all(|(name, _)| name != "XDG_RUNTIME_DIR").then(folder);
        if let Some(sockets) = &sockets {
            command.env("XDG_RUNTIME_DIR", sockets);
        }
        let started = Instant::now();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("nunect starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut stderr = child.stderr.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let json = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(Said { at: Instant::now(), json }).is_err() {
                    return;
                }
            }
        });
        let complaints = Some(std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).expect("readable");
            String::from_utf8_lossy(&text).into_owned()
        }));
        Self { child, started, lines, said: Vec::new(), looked_at: 0, complaints, sockets }
    }

    /// `nunect up --json --unit ID --nats URL` with `arguments`.
    pub(crate) fn on(url: &str, id: &str, arguments: &[&str]) -> Self {
        Self::up(&[&["--unit", id, "--nats", url], arguments].concat())
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// When the process was started.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// Waits until it says `what`, as [`Said::what`] puts it, after everything waited for before.
    pub(crate) fn expect(&mut self, what: &str, limit: Duration) -> Said {
        self.expect_that(what, limit, |said| said.what() == what)
    }

    /// Waits until it says that its health is `health`, or becomes so.
    pub(crate) fn expect_health(&mut self, health: &str, limit: Duration) -> Said {
        let is = |said: &Said| said.what() == "node node_health" && said.text("/fields/health") == health;
        self.expect_that(&format!("node_health {health}"), limit, is)
    }

    /// Waits until its monitor says `kind` about `unit`.
    pub(crate) fn expect_about(&mut self, unit: &str, kind: &str, limit: Duration) -> Said {
        let is = |said: &Said| said.what() == format!("monitor {kind}") && said.text("/fields/unit") == unit;
        self.expect_that(&format!("{kind} about {unit}"), limit, is)
    }

    /// Waits until it says something that `is` so; `what` names it when it does not.
    pub(crate) fn expect_that(&mut self, what: &str, limit: Duration, is: impl Fn(&Said) -> bool) -> Said {
        let deadline = Instant::now() + limit;
        loop {
            while let Some(said) = self.said.get(self.looked_at) {
                self.looked_at += 1;
                if is(said) {
                    return said.clone();
                }
            }
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(said) => self.said.push(said),
                Err(RecvTimeoutError::Timeout) => panic!("no `{what}` within {limit:?}; said:\n{}", self.all()),
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = self.child.wait();
                    let complaints = self.complaints();
                    panic!("no `{what}`, it ended ({ended:?}); said:\n{}{complaints}", self.all())
                }
            }
        }
    }

    /// What it has said so far and nobody waited for.
    pub(crate) fn unexpected(&mut self) -> Vec<Said> {
        self.said.extend(self.lines.try_iter());
        let rest = self.said[self.looked_at..].to_vec();
        self.looked_at = self.said.len();
        rest
    }

    /// Sends it a signal and waits until it has ended.
    pub(crate) fn stop(self, name: &str) -> Ended {
        signal(self.child.id(), name);
        self.end(PATIENCE)
    }

    /// Waits until it has ended.
    pub(crate) fn end(mut self, limit: Duration) -> Ended {
        let asked = Instant::now();
        let deadline = asked + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "still there after {limit:?}; said:\n{}", self.all());
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = asked.elapsed();
        self.said.extend(self.lines.iter());
        Ended { code: status.code(), took, said: self.said.split_off(self.looked_at), complaints: self.complaints() }
    }

    /// Ends it as a power cut would: SIGKILL.
    pub(crate) fn kill(&mut self) {
        // It fails only when there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it occupies now.
    pub(crate) fn footprint(&self) -> Footprint {
        let folder = Path::new("/proc").join(self.child.id().to_string());
        let status = std::fs::read_to_string(folder.join("status")).expect("a process that lives");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a known field");
            line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
        };
        Footprint {
            resident_kib: field("VmRSS:"),
            threads: field("Threads:"),
            files: std::fs::read_dir(folder.join("fd")).expect("a folder").count(),
        }
    }

    fn complaints(&mut self) -> String {
        self.complaints.take().map_or_else(String::new, |thread| thread.join().expect("a reader"))
    }

    pub(crate) fn all(&self) -> String {
        self.said.iter().map(|said| format!("{}\n", said.json)).collect()
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.kill();
        if let Some(sockets) = &self.sockets {
            // What is left is in the system's folder for such things.
            let _ = std::fs::remove_dir_all(sockets);
        }
    }
}

/// Runs `nunect` with `arguments` to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    finish(program().args(arguments))
}

/// Runs a command to its end, which comes soon.
pub(crate) fn finish(command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    // Read as it comes: a program that nobody listens to stands still once a pipe is full.
    let stdout = reader(child.stdout.take().expect("a pipe"));
    let stderr = reader(child.stderr.take().expect("a pipe"));
    let deadline = Instant::now() + PATIENCE;
    let (status, in_time) = loop {
        match child.try_wait().expect("a child") {
            Some(status) => break (status, true),
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            None => {
                child.kill().expect("it can be killed");
                break (child.wait().expect("a child"), false);
            }
        }
    };
    let [stdout, stderr] = [stdout, stderr].map(|thread| thread.join().expect("a reader"));
    let output = Output { status, stdout, stderr };
    assert!(in_time, "{command:?} does not end; it said {output:?}");
    output
}

fn reader(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a readable pipe");
        bytes
    })
}

/// The program, with nothing of the environment that could configure it.
pub(crate) fn program() -> Command {
    clean(Path::new(env!("CARGO_BIN_EXE_nunect")))
}

/// Builds `examples/{name}.rs` beside the program, unless it is there: `cargo test` builds examples, too,
/// but not when it is to run one test program.
pub(crate) fn build_example(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_nunect")).with_file_name("examples").join(name);
    if !is_up_to_date(&built) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--offline", "--example", name]);
        assert!(cargo.status().expect("cargo starts").success(), "examples/{name}.rs can be built");
    }
    built
}

/// Whether a program is newer than every file that it was built from, which stand beside it.
fn is_up_to_date(program: &Path) -> bool {
    let written = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let (Some(built), Ok(sources)) = (written(program), std::fs::read_to_string(program.with_extension("d"))) else {
        return false;
    };
    sources.split_whitespace().skip(1).all(|source| written(Path::new(source)).is_some_and(|source| source <= built))
}

/// A program with nothing of the environment that could configure it.
pub(crate) fn clean(path: &Path) -> Command {
    let mut command = Command::new(path);
    let configures = |name: &std::ffi::OsStr| name == "NATS_URL" || name.to_string_lossy().starts_with("NUNECT_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| configures(name)) {
        command.env_remove(name);
    }
    command
}

/// A configuration file with this text.
pub(crate) fn config(text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(scratch("up")).with_extension("yaml");
    std::fs::write(&path, text).expect("a writable folder");
    path
}

/// A folder for a test to put things into; its path is short enough for a socket.
pub(crate) fn folder() -> PathBuf {
    let path = std::env::temp_dir().join(scratch("nunect-test"));
    std::fs::create_dir_all(&path).expect("a temporary folder");
    path
}

/// A name that nothing else of these tests has.
fn scratch(what: &str) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{number}", std::process::id())
}
