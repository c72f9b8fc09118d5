//! A process on a node of a mesh, and what it says.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// Killed when it is dropped.
pub(super) struct Process {
    child: Child,
    commands: Option<ChildStdin>,
    lines: Receiver<Line>,
    said: Vec<Line>,
}

/// A line that a process wrote.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// When it was read.
    pub(super) at: Instant,
    pub(super) text: String,
}

/// Where a process says what matters.
pub(super) enum Says {
    Output,
    Error,
}

impl Process {
    pub(super) fn start(command: &mut Command, says: &Says) -> Self {
        command.stdin(Stdio::piped());
        match says {
            Says::Output => command.stdout(Stdio::piped()),
            Says::Error => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        let mut child = command.spawn().expect("util-linux is installed");
        let source: Box<dyn Read + Send> = match says {
            Says::Output => Box::new(child.stdout.take().expect("a pipe")),
            Says::Error => Box::new(child.stderr.take().expect("a pipe")),
        };
        let commands = child.stdin.take();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for text in BufReader::new(source).lines().map_while(Result::ok) {
                if sender.send(Line { at: Instant::now(), text }).is_err() {
                    return;
                }
            }
        });
        Self { child, commands, lines, said: Vec::new() }
    }

    /// Writes a line to its standard input.
    pub(super) fn tell(&mut self, line: &str) {
        writeln!(self.commands.as_mut().expect("a pipe"), "{line}").expect("it listens");
    }

    /// Its first line with all these words, said at or after `since`.
    pub(super) fn expect(&mut self, words: &[&str], since: Instant, limit: Duration) -> Line {
        let is = |line: &Line| line.at >= since && words.iter().all(|word| line.text.contains(word));
        if let Some(line) = self.said.iter().find(|line| is(line)) {
            return line.clone();
        }
        let deadline = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if is(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {words:?} within {limit:?}; said:\n{}", self.all()),
                Err(RecvTimeoutError::Disconnected) => panic!("no {words:?}, it ended; said:\n{}", self.all()),
            }
        }
    }

    /// What it says next, as JSON.
    pub(super) fn answer<T: for<'a> Deserialize<'a>>(&mut self, limit: Duration) -> T {
        let text = match self.lines.recv_timeout(limit) {
            Ok(line) => line.text,
            Err(error) => panic!("no answer within {limit:?}: {error}"),
        };
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{text}`: {error}"))
    }

    /// All that it has said so far.
    pub(super) fn said(&mut self) -> &[Line] {
        self.said.extend(self.lines.try_iter());
        &self.said
    }

    /// Ends it as a power cut would: SIGKILL.
    pub(super) fn kill(&mut self) {
        // It fails only when there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn all(&self) -> String {
        self.said.iter().map(|line| format!("{}\n", line.text)).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
