//! What commands print beside lines: tables, figures, bytes.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::console::{Console, Tone};

/// Writes to the standard output as it is; false when whoever read has gone away (`| head`), and
/// nothing more needs to be said.
pub(super) fn bytes(bytes: &[u8]) -> bool {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    !written.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Whether a person looks at what is printed: it may then be drawn anew.
pub(super) fn is_watched(console: &Console) -> bool {
    !console.is_json() && std::io::stdout().is_terminal()
}

/// How long ago something was, for people: `3s`, `5m`, `2h`, `4d`.
pub(super) fn age(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// A round trip for people: `438 µs`, `1.2 ms`; `–` when it is not known.
pub(super) fn micros(micros: Option<u64>) -> String {
    match micros {
        None => "–".to_owned(),
        Some(micros @ ..1_000) => format!("{micros} µs"),
        #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
        Some(micros) => format!("{:.1} ms", micros as f64 / 1_000.0),
    }
}

/// A text as one line that a terminal can be trusted with: what would move the cursor is escaped.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

/// Rows under the names of their columns, each as wide as its widest cell; the last is not padded.
pub(super) fn table(console: &Console, names: &[&str], rows: &[Vec<(Tone, String)>]) -> Vec<String> {
    let wide = |text: &str| text.chars().count();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|(_, text)| wide(text));
        cells.chain(names.get(at).map(|name| wide(name))).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: Vec<(Tone, &str)>| {
        let last = cells.len().saturating_sub(1);
        let cell = |(at, (tone, text)): (usize, (Tone, &str))| {
            let gap = if at == last { 0 } else { widths.get(at).map_or(0, |width| width + 2 - wide(text)) };
            format!("{}{}", console.paint(tone, text), " ".repeat(gap))
        };
        cells.into_iter().enumerate().map(cell).collect::<String>().trim_end().to_owned()
    };
    let head = line(names.iter().map(|name| (Tone::Dim, *name)).collect());
    let body = rows.iter().map(|row| line(row.iter().map(|(tone, text)| (*tone, text.as_str())).collect()));
    std::iter::once(head).chain(body).collect()
}
