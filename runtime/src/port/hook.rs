//! The port `hook`: programs that an actor wants run when something happens.
//!
//! A hook may do what it likes, and so it is bounded from all sides: how many run, how many wait, how
//! long each takes and how much of its words is kept.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::Port;

/// How many run at once at most.
const RUNNING_MAX: usize = 4;
/// How many wait at most; beyond it the oldest gives way.
const WAITING_MAX: usize = 64;
/// How much is kept of what each says on each of its two outputs, in bytes.
const OUTPUT_MAX: usize = 4 << 10;
/// How long each may take.
const TIME_MAX: Duration = Duration::from_secs(30);
/// How long the outputs of one that ended are waited for: a child of its own may hold them open.
const OUTPUT_GRACE: Duration = Duration::from_millis(100);
/// How much of its words stands in the report of a failure, in bytes.
const QUOTED_MAX: usize = 500;

/// What is to be run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The program and its arguments.
    command: Vec<String>,
    /// Added to the environment of this process.
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// Why a hook did not do what it was to.
#[derive(Debug)]
enum Failure {
    Empty,
    NotStarted(std::io::Error),
    Timeout(Duration),
    Ended(ExitStatus, Output),
    Lost(std::io::Error),
}

/// The beginnings of what it said.
#[derive(Debug, Default)]
struct Output {
    out: Vec<u8>,
    err: Vec<u8>,
}

/// The task behind a port that runs programs: `Ports::default().with("hook", hook)`.
///
/// The actor says `{"command":["program","argument"],"env":{"NAME":"value"}}` for each. There is no
/// shell in between, nothing to read for the program, and no answer when it does well; otherwise the
/// actor is told `{"failed":"…"}`. At most 4 run at once and 64 wait, beyond which the oldest gives
/// way. One that takes more than 30 s is killed together with what it started, and so are those that
/// still run when the node's process ends in order. A life that is over leaves its hooks to their end.
///
/// # Errors
/// Never: a hook that fails is told of.
pub async fn hook(port: Port) -> Result<(), String> {
    run(port, TIME_MAX).await;
    Ok(())
}

async fn run(mut port: Port, time_max: Duration) {
    let mut running = JoinSet::<Option<String>>::new();
    let mut waiting = VecDeque::<Order>::new();
    let mut over = false;
    while !over || !running.is_empty() {
        tokio::select! {
            order = port.next(), if !over => match order {
                None => over = true,
                Some(order) => match serde_json::from_slice::<Order>(&order) {
                    Ok(order) => waiting.push_back(order),
                    Err(error) => fail(&port, &format!("what is to be run is no command: {error}")),
                },
            },
            Some(ended) = running.join_next() => match ended {
                Ok(None) => {}
                Ok(Some(words)) => fail(&port, &words),
                Err(error) => fail(&port, &format!("a hook could not be watched: {error}")),
            },
        }
        while running.len() < RUNNING_MAX
            && let Some(order) = waiting.pop_front()
        {
            running.spawn(async move {
                let failure = carry_out(&order, time_max).await.err()?;
                Some(format!("{order}: {failure}"))
            });
        }
        if waiting.len() > WAITING_MAX
            && let Some(order) = waiting.pop_front()
        {
            let words = format!(
                "{order}: not run, since {RUNNING_MAX} others run and {WAITING_MAX} wait; \
                 make the command quicker, or have it run less often"
            );
            fail(&port, &words);
        }
    }
}

fn fail(port: &Port, words: &str) {
    port.say(json!({ "failed": words }).to_string());
}

async fn carry_out(order: &Order, time_max: Duration) -> Result<(), Failure> {
    let [program, arguments @ ..] = &order.command[..] else { return Err(Failure::Empty) };
    let mut command = Command::new(program);
    command.args(arguments).envs(&order.env).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group(command.spawn().map_err(Failure::NotStarted)?);
    match tokio::time::timeout(time_max, group.finish()).await {
        Ok(Ok((status, output))) if status.success() => {
            tracing::debug!("{order}: done{output}");
            Ok(())
        }
        Ok(Ok((status, output))) => Err(Failure::Ended(status, output)),
        Ok(Err(error)) => Err(Failure::Lost(error)),
        Err(_) => {
            group.kill();
            // It cannot refuse, and leaves no zombie.
            let _ = group.0.wait().await;
            Err(Failure::Timeout(time_max))
        }
    }
}

/// A program and what it starts, killed together when nobody waits for it any more.
struct Group(Child);

impl Group {
    async fn finish(&mut self) -> std::io::Result<(ExitStatus, Output)> {
        let mut output = Output::default();
        let (out, err) = (self.0.stdout.take(), self.0.stderr.take());
        let status = {
            let words = async { tokio::join!(listen(out, &mut output.out), listen(err, &mut output.err)) };
            tokio::pin!(words);
            let mut heard = false;
            let status = loop {
                tokio::select! {
                    status = self.0.wait() => break status?,
                    _ = &mut words, if !heard => heard = true,
                }
            };
            if !heard {
                // What it said until then is enough.
                let _ = tokio::time::timeout(OUTPUT_GRACE, words).await;
            }
            status
        };
        Ok((status, output))
    }

    fn kill(&self) {
        // It has an ID until it was waited for; nobody else can have its number before that.
        let group = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            // It may have ended this very moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Keeps the beginning of what is said, and reads the rest so that nobody has to wait for it.
async fn listen(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0; 1_024];
    while let Ok(more @ 1..) = pipe.read(&mut buffer).await {
        let room = OUTPUT_MAX - kept.len();
        kept.extend_from_slice(&buffer[..more.min(room)]);
    }
}

impl fmt::Display for Order {
    /// The program and nothing else: arguments may be long, and secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the hook `{}`", self.command.first().map_or("", String::as_str))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the command is empty; name a program"),
            Self::NotStarted(error) => {
                write!(f, "cannot be started: {error}; see that the program is there and may be run by this user")
            }
            Self::Timeout(time) => {
                write!(f, "killed after {time:?}, with what it started; let it leave long work to others")
            }
            Self::Ended(status, output) => write!(f, "ended with {status}{output}"),
            Self::Lost(error) => write!(f, "cannot be waited for: {error}"),
        }
    }
}

impl fmt::Display for Output {
    /// The end of its complaints, or else of what it said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = if self.err.is_empty() { &self.out } else { &self.err };
        let said = String::from_utf8_lossy(&said[said.len().saturating_sub(QUOTED_MAX)..]);
        let said = said.trim();
        if said.is_empty() { Ok(()) } else { write!(f, ": {said}") }
    }
}

#[cfg(test)]
mod tests;
