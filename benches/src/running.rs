//! A program that runs beside the measurement.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::Failure;

/// How long a program may say nothing: valgrind is slow, and a large simulation speaks only when it is over.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program, the lines it prints, and when it printed them. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<(Instant, String)>,
    shown: String,
}

impl Running {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn spawn(command: &mut Command) -> Result<Self, Failure> {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{shown} does not start: {error}"))?;
        let out = child.stdout.take().ok_or("a child without an output")?;
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if said.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines, shown })
    }

    /// Its process ID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that `read` makes something of, and when it came; others are passed over.
    ///
    /// # Errors
    /// When it ends, or says nothing for long, before there was one.
    pub fn hear<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<(Instant, T), Failure> {
        loop {
            let (at, line) = self
                .lines
                .recv_timeout(PATIENCE)
                .map_err(|error| format!("{} did not say what it should: {error}", self.shown))?;
            if let Some(heard) = read(&line) {
                return Ok((at, heard));
            }
        }
    }

    /// The number in its next line `word number`.
    ///
    /// # Errors
    /// As [`hear`](Self::hear).
    pub fn number(&self, word: &str) -> Result<u64, Failure> {
        let number = |line: &str| line.strip_prefix(word)?.trim().parse().ok();
        self.hear(number).map(|(_, number)| number)
    }

    /// Waits for its end; what it wrote to its error output.
    ///
    /// # Errors
    /// When it fails.
    pub fn finish(mut self) -> Result<String, Failure> {
        let mut errors = String::new();
        if let Some(mut output) = self.child.stderr.take() {
            output.read_to_string(&mut errors)?;
        }
        let status = self.child.wait()?;
        if status.success() { Ok(errors) } else { Err(format!("{} ended with {status}: {errors}", self.shown).into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
