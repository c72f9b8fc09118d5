//! Namespaces and the links between them, all of one relay process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Runs a program until the thread that started it ends, which a test's thread does by panicking, too. Comes after
/// whatever changes namespaces: that would undo it.
const MORTAL: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];

/// Who is not root becomes it in a namespace of users, where the relay may make networks.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where the scripts of this folder are.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fidelity").join(name)
}

/// The Python that `tools/test` chose.
pub(super) fn python() -> PathBuf {
    std::env::var_os("NUNECT_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from)
}

/// Nodes 0, 1, ... with the addresses 10.77.0.1, 10.77.0.2, ..., each in a network namespace of its own,
/// and a link between every two of them. All of it is gone when it is dropped, or when this process dies.
pub(crate) struct Mesh {
    relay: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    greeting: Greeting,
    /// An instant, and what the relay's clock showed then.
    clock: (Instant, u64),
}

#[derive(Deserialize)]
struct Greeting {
    namespaces: Vec<String>,
    users: String,
    kernel: Value,
}

#[derive(Deserialize)]
struct Answer {
    now: u64,
    #[serde(flatten)]
    stats: Option<Stats>,
}

/// What the relay did, and how late it was: a disturbed machine is known by it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Stats {
    /// Packets passed on.
    pub(crate) carried: u64,
    /// Packets lost.
    pub(crate) dropped: u64,
    /// By how much packets were passed on after they were due.
    pub(crate) late_us: Lateness,
}

/// Microseconds, over all packets.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Lateness {
    /// Half of them were at most this late.
    pub(crate) p50: u64,
    /// All but one in a hundred.
    pub(crate) p99: u64,
    /// The latest.
    pub(crate) max: u64,
}

impl Mesh {
    /// So many nodes, whose links take 10 ms one way and lose a share of the packets, drawn from `seed`.
    pub(crate) fn start(nodes: usize, loss: f64, seed: u64) -> Self {
        let become_root = ["unshare", "--user", "--map-root-user", "--"];
        let words = if is_root() { MORTAL.to_vec() } else { [&become_root[..], &MORTAL].concat() };
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(python()).arg(script("relay.py"));
        command.args(["--nodes", &nodes.to_string(), "--loss", &loss.to_string(), "--seed", &seed.to_string()]);
        let mut relay = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let commands = relay.stdin.take().expect("a pipe");
        let mut answers = BufReader::new(relay.stdout.take().expect("a pipe"));
        let greeting = read(&mut answers);
        let mut mesh = Self { relay, commands, answers, greeting, clock: (Instant::now(), 0) };
        let before = Instant::now();
        let now = mesh.tell("now").now;
        mesh.clock = (before + before.elapsed() / 2, now);
        mesh
    }

    /// The program that runs another on a node...
    pub(super) const ENTER: &str = "nsenter";

    /// ... with these arguments before it. It dies with the thread that starts it.
    pub(super) fn entry(&self, node: usize) -> Vec<String> {
        let mut words = vec![format!("--net={}", self.greeting.namespaces[node])];
        if !is_root() {
            words.extend([format!("--user={}", self.greeting.users), "--preserve-credentials".to_owned()]);
        }
        words.push("--".to_owned());
        words.extend(MORTAL.map(ToOwned::to_owned));
        words
    }

    /// What runs `program` on a node.
    pub(super) fn command(&self, node: usize, program: &Path) -> Command {
        let mut command = Command::new(Self::ENTER);
        command.args(self.entry(node)).arg(program);
        command
    }

    /// The address of a node.
    pub(crate) fn address(node: usize) -> String {
        format!("10.77.0.{}", node + 1)
    }

    /// From the returned instant on the link between two nodes carries nothing.
    pub(crate) fn cut(&mut self, one: usize, other: usize) -> Instant {
        let now = self.tell(&format!("cut {one} {other}")).now;
        self.instant(now)
    }

    /// From the returned instant on it carries again.
    pub(crate) fn heal(&mut self, one: usize, other: usize) -> Instant {
        let now = self.tell(&format!("heal {one} {other}")).now;
        self.instant(now)
    }

    /// What the relay did since it was asked last.
    pub(crate) fn stats(&mut self) -> Stats {
        self.tell("stats").stats.expect("what was asked for")
    }

    /// The kernel's settings that decide how TCP behaves here.
    pub(crate) fn kernel(&self) -> &Value {
        &self.greeting.kernel
    }

    /// When the monotonic clock, as the scripts read it, showed so many nanoseconds.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        let (instant, at) = self.clock;
        if nanos >= at {
            instant + Duration::from_nanos(nanos - at)
        } else {
            instant.checked_sub(Duration::from_nanos(at - nanos)).expect("later than the machine's start")
        }
    }

    fn tell(&mut self, command: &str) -> Answer {
        writeln!(self.commands, "{command}").expect("the relay listens");
        read(&mut self.answers)
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        // It fails only when there is nothing left to kill.
        let _ = self.relay.kill();
        let _ = self.relay.wait();
    }
}

fn read<T: for<'a> Deserialize<'a>>(answers: &mut BufReader<ChildStdout>) -> T {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the relay answers");
    let read = serde_json::from_str(&line);
    read.unwrap_or_else(|error| panic!("the relay says `{line}`, see its complaint above: {error}"))
}
