//! The port `log-file`: lines into files that rotate, on a disk that may fail.
//!
//! The disk is never waited for by the actor. While it takes nothing, lines are counted and lost, and
//! the first line after that says how many.

mod journal;
#[cfg(test)]
mod tests;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use nunect_core::protocol::log::{Entry, Fields};
use nunect_core::{Level, UnitId, Wall};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use self::journal::{Failure, Journal};
use super::Port;
use crate::clock::Clock;

/// How many lines are written at once at most.
const BATCH_MAX: usize = 1_024;
/// How soon a disk that failed is tried again, at first and at last; the time doubles.
const RETRY: Retry = Retry { first: Duration::from_secs(1), last: Duration::from_secs(60) };

#[derive(Clone, Copy)]
struct Retry {
    first: Duration,
    last: Duration,
}

/// What the actor says first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    open: Open,
}

/// Where and how much.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    /// Where the files are; made if it is not there.
    folder: PathBuf,
    /// The bytes of one file.
    max_size: NonZeroU64,
    /// The files of this unit that are kept, the present one among them.
    max_files: NonZeroUsize,
    /// Whose files.
    unit: UnitId,
}

/// A disk that takes nothing.
struct Outage {
    lost: u64,
    wait: Duration,
    again: Instant,
}

/// The task behind a port that writes lines to files: `Ports::default().with("log-file", log_file)`.
///
/// The actor first says `{"open":{"folder":"…","max_size":BYTES,"max_files":N,"unit":"…"}}`, then one
/// line after another, each with its `\n`. They go to `folder/UNIT.YYYY-MM-DD.N.jsonl`, by the UTC day
/// and from N = 1 on; `folder/UNIT.current.jsonl` is a link to the present file. A restart goes on
/// where the run before ended.
///
/// What the disk does not take is told as `{"failed":"…"}` once, and lines are lost from then on until
/// it is tried again with success: then one line says how many were lost, and the actor is told
/// `{"recovered":true}`.
///
/// # Errors
/// When the actor's first words are not that. Never because of the disk.
pub async fn log_file(port: Port) -> Result<(), String> {
    let clock = Clock::new();
    run(port, RETRY, move || clock.now().wall).await
}

async fn run(mut port: Port, retry: Retry, wall: impl Fn() -> Wall) -> Result<(), String> {
    let Some(first) = port.next().await else { return Ok(()) };
    let First { open } = serde_json::from_slice(&first)
        .map_err(|error| format!("the first words to a log file are not {{\"open\":{{…}}}}: {error}"))?;
    let mut journal = Journal::new(open.folder, open.unit, open.max_size.get(), open.max_files.get());
    let mut outage: Option<Outage> = None;
    // No lines yet: a folder that cannot be used is told before there is anything to lose.
    let mut lines = Vec::new();
    loop {
        let count = lines.len() as u64;
        let result;
        (journal, result) = write(journal, wall(), std::mem::take(&mut lines)).await?;
        outage = match (result, outage) {
            (Ok(()), None) => None,
            (Ok(()), Some(_)) => {
                port.say(json!({ "recovered": true }).to_string());
                None
            }
            (Err(Failure { written, words }), None) => {
                port.say(json!({ "failed": words }).to_string());
                let again = Instant::now() + retry.first;
                Some(Outage { lost: count.saturating_sub(written), wait: retry.first, again })
            }
            (Err(_), Some(outage)) => {
                let wait = (outage.wait * 2).min(retry.last);
                Some(Outage { wait, again: Instant::now() + wait, ..outage })
            }
        };
        match &mut outage {
            None => {
                let Some(line) = port.next().await else { return Ok(()) };
                lines.push(line);
                while lines.len() < BATCH_MAX
                    && let Some(line) = port.try_next()
                {
                    lines.push(line);
                }
            }
            Some(outage) => {
                let lasts = outage.pass(&mut port).await;
                lines.extend(outage.line(wall(), &port));
                if !lasts {
                    // Nobody is left to be told what came of it.
                    return write(journal, wall(), lines).await.map(drop);
                }
            }
        }
    }
}

impl Outage {
    /// Counts what is lost until it is time to try again. Returns whether the actor still lives.
    async fn pass(&mut self, port: &mut Port) -> bool {
        loop {
            tokio::select! {
                line = port.next() => match line {
                    Some(_) => self.lost += 1,
                    None => return false,
                },
                () = tokio::time::sleep_until(self.again) => return true,
            }
        }
    }

    /// What stands in place of the lines that were lost, if any were.
    fn line(&self, now: Wall, port: &Port) -> Option<Bytes> {
        let entry = Entry {
            ts: now,
            level: Level::Warn,
            unit: port.unit.clone(),
            comp: port.actor.to_string(),
            msg: format!("{} lines are not in this file: it could not be written", self.lost),
            fields: Fields::default().with("lost", &self.lost),
            trace: None,
        };
        (self.lost > 0).then(|| entry.encode().into())
    }
}

/// Writes where waiting for the disk keeps nobody.
async fn write(mut journal: Journal, now: Wall, lines: Vec<Bytes>) -> Result<(Journal, Result<(), Failure>), String> {
    let work = move || {
        let result = journal.write(now, &lines);
        (journal, result)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("writing a log file: {error}"))
}
