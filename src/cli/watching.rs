//! What all commands do that look again and again.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::client::Failure;
use super::console::Console;
use super::output::bytes;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// A terminal's word for an empty screen.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// A look each second, over the times when nobody answers.
pub(super) struct Watching<'a> {
    console: &'a Console,
    tick: Interval,
    /// Whether anybody ever answered, and whether that nobody does any more was told.
    heard: bool,
    silent: bool,
}

impl<'a> Watching<'a> {
    pub(super) fn new(console: &'a Console) -> Self {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { console, tick, heard: false, silent: false }
    }

    /// Waits until the next look is due.
    pub(super) async fn next(&mut self) {
        self.tick.tick().await;
    }

    /// What a look brought; nothing while nobody answers.
    ///
    /// # Errors
    /// What was never there is an error; what went away may come back.
    pub(super) fn answered<T>(&mut self, answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match answer {
            Ok(answer) => {
                (self.heard, self.silent) = (true, false);
                Ok(Some(answer))
            }
            Err(failure) if !self.heard => Err(failure),
            Err(failure) => {
                if !std::mem::replace(&mut self.silent, true) {
                    self.console.complain(&format!("no monitor answers any more: {failure}"));
                }
                Ok(None)
            }
        }
    }
}

/// Draws a table anew; whether somebody still looks at it.
pub(super) fn draw(lines: &[String]) -> bool {
    bytes(format!("{CLEAR}{}\n", lines.join("\n")).as_bytes())
}
