//! What a server writes, as tracing records.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::sync::lock;

/// The target of the records.
pub(super) const TARGET: &str = "nunect::nats_server";
/// How much of a line is kept, in bytes.
const LINE_MAX: usize = 4 << 10;
/// How many lines are kept for the report of a failure.
const LINES_KEPT: usize = 10;
/// How far into a line its level stands: after the process and the time.
const LEVEL_WITHIN: usize = 64;

/// The last lines of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(Arc<Mutex<VecDeque<String>>>);

/// What a line says, and how grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Error(&'a str),
    Warning(&'a str),
    Info(&'a str),
    Debug(&'a str),
    /// About a single message.
    Trace,
    /// In no form of the server's log: a panic, or what it says before there is a log.
    Other(&'a str),
}

impl Words {
    /// Reads lines until there are no more.
    pub(super) async fn listen(self, pipe: impl AsyncRead + Unpin) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(Some(())) = read_line(&mut pipe, &mut line).await {
            self.hear(&String::from_utf8_lossy(&line));
        }
    }

    fn hear(&self, text: &str) {
        let line = Line::parse(text);
        if line == Line::Trace || text.is_empty() {
            return;
        }
        line.record();
        let mut lines = lock(&self.0);
        if lines.len() >= LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(text.to_owned());
    }

    /// The last lines.
    pub(super) fn last(&self) -> String {
        let lines = lock(&self.0);
        if lines.is_empty() {
            "nothing".to_owned()
        } else {
            Vec::from_iter(lines.iter().map(String::as_str)).join("\n")
        }
    }
}

impl<'a> Line<'a> {
    /// `[123] 2026/11/23 04:36:48.003102 [INF] Server is ready`, with or without what stands first.
    fn parse(text: &'a str) -> Self {
        let marks = text.match_indices('[').map(|(at, _)| at).take_while(|at| *at < LEVEL_WITHIN);
        for at in marks {
            let Some((mark, words)) = text[at..].split_once("] ") else { break };
            let words = words.trim();
            match mark {
                "[INF" => return Self::Info(words),
                "[WRN" => return Self::Warning(words),
                "[ERR" | "[FTL" => return Self::Error(words),
                "[DBG" => return Self::Debug(words),
                "[TRC" => return Self::Trace,
                _ => {}
            }
        }
        Self::Other(text.trim_end())
    }

    fn record(self) {
        match self {
            Self::Error(words) => tracing::error!(target: TARGET, "{words}"),
            Self::Warning(words) | Self::Other(words) => tracing::warn!(target: TARGET, "{words}"),
            Self::Info(words) => tracing::info!(target: TARGET, "{words}"),
            Self::Debug(words) => tracing::debug!(target: TARGET, "{words}"),
            Self::Trace => {}
        }
    }
}

/// The next line, without its end and no longer than it may be; `None` when there is none.
async fn read_line(pipe: &mut (impl AsyncBufReadExt + Unpin), line: &mut Vec<u8>) -> std::io::Result<Option<()>> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = pipe.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(any.then_some(()));
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        line.extend_from_slice(&part[..part.len().min(LINE_MAX - line.len())]);
        let read = part.len() + usize::from(end.is_some());
        pipe.consume(read);
        if end.is_some() {
            return Ok(Some(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_grave_as_the_server_says() {
        for (text, line) in [
            ("[1] 2026/11/23 04:36:48.003102 [INF] Server is ready", Line::Info("Server is ready")),
            ("[1] [WRN] slow", Line::Warning("slow")),
            ("[ERR] bad [INF] not this", Line::Error("bad [INF] not this")),
            ("[1] [FTL] can't bind", Line::Error("can't bind")),
            ("[1] [DBG] detail", Line::Debug("detail")),
            ("[1] [TRC] <<- [PUB a 1]", Line::Trace),
            ("nats-server: a.conf:2:1: unknown field", Line::Other("nats-server: a.conf:2:1: unknown field")),
        ] {
            assert_eq!(Line::parse(text), line, "{text}");
        }
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_and_long_ones_cut_and_traces_left_out() {
        let words = Words::default();
        assert_eq!(words.last(), "nothing");
        let mut said = format!("[INF] {}\n", "x".repeat(3 * LINE_MAX));
        for number in 0..LINES_KEPT - 1 {
            said += &format!("[TRC] message\n[INF] {number}\n");
        }
        said += "the end";
        words.clone().listen(said.as_bytes()).await;
        let last = words.last();
        let lines: Vec<_> = last.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[LINES_KEPT - 1]), (LINES_KEPT, "[INF] 0", "the end"));
        let words = Words::default();
        words.clone().listen(said.as_bytes().split_at(2 * LINE_MAX).0).await;
        assert_eq!(words.last().len(), LINE_MAX);
    }
}
