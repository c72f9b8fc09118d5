//! Messages that go both ways between two clients, by `flow.py`.

use std::collections::HashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::mesh::{Mesh, python, script};
use super::process::{Process, Says};
use super::server::HERE;

/// For a process to start, and for a list of some thousand messages.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long servers may take to tell each other who hears what.
const SPREAD: Duration = Duration::from_millis(500);
/// How long messages may still be under way after the last was sent.
const DRAIN: Duration = Duration::from_secs(3);

/// One client, beside the server of its node.
pub(super) struct End {
    process: Process,
    sends: String,
}

/// What a client sent and heard.
#[derive(Deserialize)]
pub(super) struct Record {
    sent: Vec<u64>,
    heard: Vec<(String, Option<usize>, u64)>,
    #[serde(default)]
    subject: String,
}

/// Messages from a client on one node to one on another, and back.
pub(super) fn start(mesh: &Mesh, nodes: [usize; 2]) -> [End; 2] {
    let [first, second] = nodes;
    let mut ends = [End::start(mesh, first, "up", "down"), End::start(mesh, second, "down", "up")];
    sleep(SPREAD);
    for end in &mut ends {
        end.process.tell("send");
    }
    ends
}

impl End {
    /// Will send to `flow.{sends}`, and hears `flow.{hears}`.
    fn start(mesh: &Mesh, node: usize, sends: &str, hears: &str) -> Self {
        let (sends, hears) = (format!("flow.{sends}"), format!("flow.{hears}"));
        Self { process: client(mesh, node, &["--sends", &sends, "--hears", &hears]), sends }
    }

    fn end(&mut self) -> Record {
        self.process.tell("hear no more");
        Record { subject: self.sends.clone(), ..self.process.answer(PATIENCE) }
    }
}

/// Who only hears, beside the server of its node.
pub(super) struct Ear(Process);

impl Ear {
    pub(super) fn start(mesh: &Mesh, node: usize, subject: &str) -> Self {
        Self(client(mesh, node, &["--hears", subject]))
    }

    /// The subjects of all messages, and when they arrived.
    pub(super) fn end(mut self, mesh: &Mesh) -> Vec<(String, Instant)> {
        for line in ["send nothing", "send no more", "hear no more"] {
            self.0.tell(line);
        }
        let Record { heard, .. } = self.0.answer(PATIENCE);
        heard.into_iter().map(|(subject, _, at)| (subject, mesh.instant(at))).collect()
    }
}

fn client(mesh: &Mesh, node: usize, arguments: &[&str]) -> Process {
    #[derive(Deserialize)]
    struct Ready {
        #[allow(dead_code, reason = "its presence says it")]
        ready: bool,
    }
    let mut command = mesh.command(node, &python());
    command.arg(script("flow.py")).args(["--url", HERE]).args(arguments);
    let mut process = Process::start(&mut command, &Says::Output);
    let Ready { .. } = process.answer(PATIENCE);
    process
}

/// Stops both, and tells what went from the first to the second, and back.
pub(super) fn finish(mesh: &Mesh, mut ends: [End; 2]) -> [Way; 2] {
    for end in &mut ends {
        end.process.tell("send no more");
    }
    sleep(DRAIN);
    let [first, second] = &mut ends;
    let (first, second) = (first.end(), second.end());
    [Way::of(mesh, &first, &second), Way::of(mesh, &second, &first)]
}

/// All messages of one direction, in the order of sending: when each was sent, and when it arrived.
pub(super) struct Way(Vec<(Instant, Option<Instant>)>);

impl Way {
    fn of(mesh: &Mesh, from: &Record, to: &Record) -> Self {
        let mut arrived = HashMap::new();
        for (subject, number, at) in &to.heard {
            assert_eq!(subject, &from.subject, "a client hears what the other sends");
            let number = number.expect("a numbered message");
            assert!(arrived.insert(number, mesh.instant(*at)).is_none(), "message {number} on {subject} came twice");
        }
        let sent = from.sent.iter().enumerate();
        Self(sent.map(|(number, at)| (mesh.instant(*at), arrived.get(&number).copied())).collect())
    }

    pub(super) fn sent(&self) -> usize {
        self.0.len()
    }

    pub(super) fn lost(&self) -> usize {
        self.0.iter().filter(|(_, arrived)| arrived.is_none()).count()
    }

    /// How long after `since` the first message arrived.
    pub(super) fn first_after(&self, since: Instant) -> Option<Duration> {
        let arrivals = self.0.iter().filter_map(|(_, arrived)| arrived.as_ref()?.checked_duration_since(since));
        arrivals.min()
    }

    /// How long the message took that took longest.
    pub(super) fn latest(&self) -> Duration {
        let took = self.0.iter().filter_map(|(sent, arrived)| arrived.as_ref().map(|at| at.duration_since(*sent)));
        took.max().unwrap_or_default()
    }

    /// The longest time between two arrivals.
    pub(super) fn silence(&self) -> Duration {
        let mut arrivals: Vec<Instant> = self.0.iter().filter_map(|(_, arrived)| *arrived).collect();
        arrivals.sort_unstable();
        arrivals.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
}
