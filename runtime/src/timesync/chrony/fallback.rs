//! Asking an NTP daemon through its own tool, where its sockets are closed to this process.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nunect_core::clock::{NtpStatus, ReaderCounters, Unread};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

use super::tools::{self, ToolError};
use crate::config::Daemon;

/// How long all tools together may take. `ntpq` of ntpsec is a Python program.
const PATIENCE: Duration = Duration::from_millis(600);
/// How often a tool is run: a process costs a thousand times as much as a question.
const EVERY: Duration = Duration::from_secs(10);
/// How much of a tool's output is read; a line is of some 100 bytes.
const OUTPUT_MAX_BYTES: u64 = 64 * 1024;

/// The tools, and what the one that knew something said last.
#[derive(Debug)]
pub(super) struct Fallback {
    /// Where tools are looked for, as `PATH` has it.
    path: OsString,
    every: Duration,
    /// The arguments by which `chronyc` finds the daemon; empty: by itself.
    chronyc: Vec<OsString>,
    /// Whether ntpd is asked too: not where chronyd is configured.
    ntpd: bool,
    ran: Option<Instant>,
    /// What came of it, and when.
    last: Option<(Instant, Result<NtpStatus, String>)>,
    counters: ReaderCounters,
}

impl Fallback {
    pub(super) fn new(configured: Option<&Daemon>) -> Self {
        Self::within(configured, env::var_os("PATH").unwrap_or_default(), EVERY)
    }

    /// With another `PATH`, and at most once in `every`.
    pub(super) fn within(configured: Option<&Daemon>, path: OsString, every: Duration) -> Self {
        let chronyc = match configured {
            None => Vec::new(),
            Some(Daemon::Socket(socket)) => vec!["-h".into(), socket.into()],
            Some(Daemon::Port(at)) => {
                vec!["-h".into(), at.host.clone().into(), "-p".into(), at.port.to_string().into()]
            }
        };
        let counters = ReaderCounters::default();
        Self { path, every, chronyc, ntpd: configured.is_none(), ran: None, last: None, counters }
    }

    pub(super) fn counters(&self) -> ReaderCounters {
        self.counters
    }

    /// What a tool says, or said within the last ten seconds; its sources' ages have grown since.
    ///
    /// # Errors
    /// `unread`, the reason for which the daemon itself could not be asked, and why no tool helps.
    pub(super) async fn ask(&mut self, unread: Unread) -> Result<NtpStatus, Unread> {
        let now = Instant::now();
        if self.ran.is_none_or(|ran| now.duration_since(ran) >= self.every) {
            // Before the process runs: whoever drops this and asks again starts no second one.
            self.ran = Some(now);
            self.last = None;
            self.last = self.run(now + PATIENCE).await.map(|said| (Instant::now(), said));
        }
        match &self.last {
            None => Err(unread),
            Some((_, Err(why))) => Err(Unread::new(unread.cause, format!("{unread}; {why}"))),
            Some((at, Ok(status))) => {
                let mut status = status.clone();
                for source in status.sources.iter_mut().flatten() {
                    source.since = source.since.map(|since| since.saturating_add(at.elapsed()));
                }
                Ok(status)
            }
        }
    }

    /// Runs the tools that are installed until one knows something.
    async fn run(&mut self, deadline: Instant) -> Option<Result<NtpStatus, String>> {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        // -c: for programs; -n: without asking for names; -m: more than one command.
        let mut chronyc = words(&["-n", "-c"]);
        chronyc.extend(self.chronyc.iter().cloned());
        chronyc.extend(words(&["-m", "tracking", "sources"]));
        let mut said = self.try_tool("chronyc", &chronyc, tools::chronyc, deadline).await;
        if self.ntpd && !matches!(said, Some(Ok(_))) {
            let arguments = words(&["-n", "-w", "-c", "rv", "-c", "peers"]);
            let ntpq = self.try_tool("ntpq", &arguments, tools::ntpq, deadline).await;
            said = match (said, ntpq) {
                (Some(Err(first)), Some(Err(second))) => Some(Err(format!("{first}; {second}"))),
                (first, None) => first,
                (_, ntpq) => ntpq,
            };
        }
        said
    }

    /// Runs one tool; `None` if it is not installed.
    async fn try_tool(
        &mut self,
        name: &str,
        arguments: &[OsString],
        read: fn(&str) -> Result<NtpStatus, ToolError>,
        deadline: Instant,
    ) -> Option<Result<NtpStatus, String>> {
        let tool = self.find(name)?;
        self.counters.asked += 1;
        let text = match timeout_at(deadline, output(&tool, arguments)).await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return Some(Err(format!("{} cannot be run: {error}", tool.display()))),
            Err(_) => {
                self.counters.timeouts += 1;
                return Some(Err(format!("{name} does not answer in time")));
            }
        };
        Some(read(&text).map_err(|error| match error {
            ToolError::NoDaemon(_) | ToolError::Said(_) => format!("{name} says: {error}"),
            ToolError::Missing(_) | ToolError::Field { .. } => {
                self.counters.malformed += 1;
                format!("{name} cannot be understood: {error}")
            }
        }))
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        let runs = |file: &PathBuf| {
            file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        env::split_paths(&self.path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(runs)
    }
}

/// What a tool writes, its errors last: `chronyc` writes them where its answers go, `ntpq` does not. Its exit
/// code says no more than that. One that goes on writing finds its pipe
/// closed.
async fn output(tool: &Path, arguments: &[OsString]) -> Result<String, std::io::Error> {
    let mut command = Command::new(tool);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::try_join!(bounded(out), bounded(err))?;
    child.wait().await?;
    let mut text = String::from_utf8_lossy(&out).into_owned();
    if text.trim().is_empty() {
        text = String::from_utf8_lossy(&err).into_owned();
    }
    Ok(text)
}

async fn bounded(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, std::io::Error> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(OUTPUT_MAX_BYTES).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
