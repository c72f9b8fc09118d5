//! Where the program speaks: lines for people with a status line below, or JSON, one object a line.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nunect_core::Wall;
use serde::Serialize;

mod outlet;

use outlet::{Item, Outlet};

/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The terminal, a pipe, or a file.
#[derive(Clone)]
pub(super) struct Console {
    json: bool,
    colour: bool,
    status: ProgressBar,
    outlet: Option<Arc<Outlet>>,
}

/// Colours of the terminal, by what they mean.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Plain,
    Dim,
    Bold,
    Good,
    Warn,
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
        }
    }
}

impl Console {
    pub(super) fn new(json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        // https://no-color.org: any value that is not empty.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let status = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        status.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        if terminal && !json {
            status.set_draw_target(ProgressDrawTarget::stdout());
        }
        Self { json, colour: terminal && !refused, status, outlet: None }
    }

    /// Lets a thread of its own write from now on: nobody waits for whoever reads. Without a thread
    /// for it everybody still does.
    pub(super) fn detach(&mut self) {
        let outlet = Arc::new(Outlet::default());
        let (writer, direct) = (Arc::clone(&outlet), self.clone());
        let write = move |item| match item {
            Item::Line(text) => direct.line(&text),
            Item::Complaint(text) => direct.complain(&text),
            Item::Status(text) => direct.status(text),
        };
        let thread = std::thread::Builder::new().name("nunect-console".to_owned());
        if thread.spawn(move || writer.run(write)).is_ok() {
            self.outlet = Some(outlet);
        }
    }

    /// Waits for what is to be written, for half a second at most.
    pub(super) fn flush(&self) {
        if let Some(outlet) = &self.outlet {
            outlet.flush(LAST_WORDS);
        }
    }

    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    pub(super) const fn is_coloured(&self) -> bool {
        self.colour
    }

    /// `text` in a colour, where colours are shown.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            _ if !self.colour => text.to_owned(),
            Tone::Dim | Tone::Bold | Tone::Good | Tone::Warn | Tone::Bad => {
                format!("\x1b[{}m{text}\x1b[0m", tone.code())
            }
        }
    }

    /// One line above the status line.
    pub(super) fn line(&self, text: &str) {
        if let Some(outlet) = &self.outlet {
            return outlet.push(Item::Line(text.to_owned()));
        }
        self.status.suspend(|| {
            // A reader that has gone away (`| head`) is no reason to complain.
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        });
    }

    /// One object a line, for programs.
    pub(super) fn object(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(&text),
            Err(error) => self.complain(&error.to_string()),
        }
    }

    /// What went wrong, on the standard error.
    pub(super) fn complain(&self, text: &str) {
        if let Some(outlet) = &self.outlet {
            outlet.push(Item::Complaint(text.to_owned()));
            return outlet.flush(LAST_WORDS);
        }
        self.status.suspend(|| {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }

    /// Whether there is a line below all others.
    pub(super) fn has_status(&self) -> bool {
        !self.status.is_hidden()
    }

    /// The line below all others, on a terminal.
    pub(super) fn status(&self, text: String) {
        if let Some(outlet) = &self.outlet {
            return outlet.push(Item::Status(text));
        }
        self.status.set_message(text);
        self.status.tick();
    }

    /// Takes the status line away.
    pub(super) fn finish(&self) {
        self.flush();
        self.status.finish_and_clear();
    }
}

fn timestamp(wall: Wall) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(wall.unix_nanos())).unwrap_or_default()
}

/// `2026-02-13T10:00:00.123Z`.
pub(super) fn rfc3339(wall: Wall) -> String {
    timestamp(wall).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `10:00:00.123`, where the machine stands.
pub(super) fn time_of_day(wall: Wall) -> String {
    timestamp(wall).to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string()
}

/// `3 d 04:05:06`, `04:05:06`.
pub(super) fn clock_face(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let face = format!("{:02}:{:02}:{:02}", seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match seconds / 86_400 {
        0 => face,
        days => format!("{days} d {face}"),
    }
}

/// `1 unit`, `2 units`.
pub(super) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
