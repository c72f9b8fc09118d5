//! Clocks as a table.

use std::time::Duration;

use nunect_core::UnitId;
use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::protocol::time::{SourceStatus, TimeStatus, Told};
use nunect_core::time::Span;

use super::super::console::{Console, Tone, count};
use super::super::output::{age, plain, table};
use super::ask::{Answers, Silence};

/// What is not known.
const UNKNOWN: &str = "–";
const NAMES: [&str; 8] = ["UNIT", "SOURCE", "QUALITY", "OFFSET", "UNCERTAINTY", "FOLLOWS", "AGE", "NOTE"];
/// Below it an age has its fractions shown.
const MINUTE_MS: u64 = 60_000;

/// A row, in the order of [`NAMES`].
type Cells = Vec<(Tone, String)>;

/// What a clock is worth, in one word for a sum.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Quality(ClockQuality),
    Unsynced,
    Silent,
}

impl Worth {
    const ALL: [Self; 6] = [
        Self::Quality(ClockQuality::Locked),
        Self::Quality(ClockQuality::Tracking),
        Self::Quality(ClockQuality::Acquiring),
        Self::Quality(ClockQuality::Freerun),
        Self::Unsynced,
        Self::Silent,
    ];

    const fn of(answer: &Result<Told, Silence>) -> Self {
        match answer {
            Err(_) => Self::Silent,
            Ok(told) => match told.status.active_source {
                ClockSource::Unsynced => Self::Unsynced,
                ClockSource::Ptp | ClockSource::Gps | ClockSource::Ntp => Self::Quality(told.status.clock_quality),
            },
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Quality(quality) => quality.as_str(),
            Self::Unsynced => "unsynced",
            Self::Silent => "silent",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Quality(ClockQuality::Locked) => Tone::Good,
            Self::Quality(ClockQuality::Tracking) => Tone::Plain,
            Self::Quality(ClockQuality::Acquiring | ClockQuality::Freerun) => Tone::Warn,
            Self::Unsynced => Tone::Dim,
            Self::Silent => Tone::Bad,
        }
    }
}

/// The table, and a line that sums it up.
pub(super) fn drawn(answers: &Answers, with_sources: bool, console: &Console) -> Vec<String> {
    let mut rows: Vec<Cells> = Vec::new();
    for (unit, answer) in answers {
        rows.push(main_row(unit, answer));
        if let (true, Ok(told)) = (with_sources, answer) {
            rows.extend(told.status.sources.iter().filter(|source| !source.active).map(source_row));
        }
    }
    let is_noted = rows.iter().any(|row| row.last().is_some_and(|(_, note)| !note.is_empty()));
    let names = if is_noted { NAMES.as_slice() } else { &NAMES[..NAMES.len() - 1] };
    let mut lines = table(console, names, &rows);
    let number = |worth| answers.values().filter(|answer| Worth::of(answer) == worth).count();
    let counted = Worth::ALL.into_iter().map(|worth| (worth, number(worth))).filter(|(_, number)| *number > 0);
    let words: Vec<String> =
        counted.map(|(worth, number)| console.paint(worth.tone(), &format!("{number} {}", worth.word()))).collect();
    let end = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    lines.push(format!("{}{end}", count(answers.len() as u64, "unit")));
    lines
}

/// How well a clock goes, and for how long by itself: `tracking, holdover 12s`.
pub(super) fn quality(status: &TimeStatus) -> String {
    let held = status.holdover_ms.map(|ms| format!(", holdover {}", age(Duration::from_millis(ms))));
    format!("{}{}", status.clock_quality, held.unwrap_or_default())
}

fn main_row(unit: &UnitId, answer: &Result<Told, Silence>) -> Cells {
    let tone = Worth::of(answer).tone();
    let name = (Tone::Bold, unit.as_str().to_owned());
    let plainly = |text: String| (Tone::Plain, text);
    match answer {
        Err(silence) => {
            let rest = [UNKNOWN; 4].map(|unknown| plainly(unknown.to_owned()));
            let mut cells = vec![name, plainly(UNKNOWN.to_owned()), (tone, "no answer".to_owned())];
            cells.extend(rest);
            cells.push((tone, silence.to_string()));
            cells
        }
        Ok(Told { status, .. }) => {
            let active = status.sources.iter().find(|source| source.active);
            vec![
                name,
                plainly(status.active_source.to_string()),
                (tone, quality(status)),
                plainly(offset(status.clock_offset_ns)),
                plainly(bound(status.uncertainty_ns)),
                plainly(text(active.and_then(|source| source.follows.as_deref()), UNKNOWN)),
                plainly(since(active.and_then(|source| source.age_ms))),
                plainly(text(active.and_then(|source| source.note.as_deref()), "")),
            ]
        }
    }
}

fn source_row(source: &SourceStatus) -> Cells {
    let cells = [
        format!("  {}", source.daemon),
        source.source.to_string(),
        source.quality.map_or(UNKNOWN, ClockQuality::as_str).to_owned(),
        offset(source.offset_ns),
        bound(source.uncertainty_ns),
        text(source.follows.as_deref(), UNKNOWN),
        since(source.age_ms),
        text(source.note.as_deref(), ""),
    ];
    cells.into_iter().map(|cell| (Tone::Dim, cell)).collect()
}

/// A text of somebody else's.
fn text(text: Option<&str>, unknown: &str) -> String {
    text.map_or_else(|| unknown.to_owned(), plain)
}

fn offset(ns: Option<i64>) -> String {
    ns.map_or_else(|| UNKNOWN.to_owned(), |ns| Span(ns).to_string())
}

fn bound(ns: Option<u64>) -> String {
    offset(ns.map(|ns| i64::try_from(ns).unwrap_or(i64::MAX)))
}

/// How old something is: below a minute with its fractions.
fn since(ms: Option<u64>) -> String {
    match ms {
        Some(ms @ ..MINUTE_MS) => bound(Some(ms * 1_000_000)),
        Some(ms) => age(Duration::from_millis(ms)),
        None => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests;
