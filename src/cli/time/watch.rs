//! `nunect time --watch`: a table that is drawn anew, or a line for each change.

use std::collections::BTreeMap;

use nunect_core::UnitId;
use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::protocol::time::{TimeStatus, Told};
use serde::Serialize;

use super::super::client::{Client, Failure};
use super::super::console::{Console, time_of_day};
use super::super::exit;
use super::super::output::{bytes, is_watched};
use super::super::watching::{Watching, draw};
use super::ask::{Answers, Asker, Silence};
use super::{Look, drawn, whom};

/// What is watched of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct State {
    source: ClockSource,
    quality: ClockQuality,
    /// Whether the source is lost.
    holdover: bool,
}

impl State {
    const fn of(status: &TimeStatus) -> Self {
        let TimeStatus { active_source, clock_quality, holdover_ms, .. } = status;
        Self { source: *active_source, quality: *clock_quality, holdover: holdover_ms.is_some() }
    }

    fn words(self) -> String {
        format!("{} {}{}", self.source, self.quality, if self.holdover { ", holdover" } else { "" })
    }
}

/// What each unit's clock was at the last look; none when it did not answer.
type Known = BTreeMap<UnitId, Option<State>>;

/// What is new about a unit's clock.
#[derive(Serialize)]
struct Change<'a> {
    /// `seen`, `clock`, `silent` or `gone`.
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<State>,
    unit: &'a UnitId,
    #[serde(flatten)]
    status: Option<&'a TimeStatus>,
    /// Why it is silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Looks every second until it is interrupted, or nobody reads any more.
///
/// # Errors
/// When there is nobody to look at.
pub(super) async fn run(look: &Look, asker: &mut Asker<'_>, console: &Console) -> Result<u8, Failure> {
    tokio::select! {
        watched = watch(look, asker, console) => watched,
        _ = tokio::signal::ctrl_c() => Ok(exit::FINE),
    }
}

async fn watch(look: &Look, asker: &mut Asker<'_>, console: &Console) -> Result<u8, Failure> {
    let mut watching = Watching::new(console);
    let mut known: Option<Known> = None;
    loop {
        watching.next().await;
        let units = whom(look, asker.client(), asker.node()).await;
        let Some(units) = watching.answered(units)? else { continue };
        let answers = asker.ask(&units).await;
        let open = if is_watched(console) {
            draw(&drawn(look, &answers, console))
        } else {
            let before = known.take().unwrap_or_default();
            let changes = changes(&before, &answers);
            let text: String = changes.iter().map(|change| line(change, asker.client(), console)).collect();
            text.is_empty() || bytes(text.as_bytes())
        };
        if !open {
            return Ok(exit::FINE);
        }
        known = Some(answers.iter().map(|(unit, answer)| (unit.clone(), state(answer))).collect());
    }
}

fn state(answer: &Result<Told, Silence>) -> Option<State> {
    answer.as_ref().ok().map(|told| State::of(&told.status))
}

/// What differs between two looks, in the order of unit IDs.
fn changes<'a>(before: &'a Known, now: &'a Answers) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for (unit, answer) in now {
        let (change, from) = match (before.get(unit), state(answer)) {
            (Some(None) | None, Some(_)) => ("seen", None),
            (Some(Some(old)), Some(new)) if *old != new => ("clock", Some(*old)),
            (Some(None), None) => continue,
            (Some(Some(_)), Some(_)) => continue,
            (Some(Some(old)), None) => ("silent", Some(*old)),
            (None, None) => ("silent", None),
        };
        let (status, error) = match answer {
            Ok(told) => (Some(&told.status), None),
            Err(silence) => (None, Some(silence.to_string())),
        };
        changes.push(Change { change, from, unit, status, error });
    }
    let gone = before.iter().filter(|(unit, _)| !now.contains_key(unit));
    changes.extend(gone.map(|(unit, from)| Change { change: "gone", from: *from, unit, status: None, error: None }));
    changes.sort_by(|a, b| a.unit.cmp(b.unit));
    changes
}

fn line(change: &Change<'_>, client: &Client, console: &Console) -> String {
    if console.is_json() {
        return serde_json::to_string(change).map(|line| line + "\n").unwrap_or_default();
    }
    let now = match (change.status.map(State::of), &change.error) {
        (Some(state), _) => state.words(),
        (None, Some(error)) => format!("no answer: {error}"),
        (None, None) => "is OFFLINE, or not known any more".to_owned(),
    };
    let from = change.from.map(|from| format!("{} → ", from.words())).unwrap_or_default();
    format!("{}  {}  {from}{now}\n", time_of_day(client.now().wall), change.unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::time::table::tests::{silent, told};

    fn unit(name: &str) -> UnitId {
        UnitId::new(name).expect("legal")
    }

    #[test]
    fn a_clock_that_is_seen_changes_falls_silent_or_goes_is_told_and_no_other() {
        let state = |source, quality, holdover| Some(State { source, quality, holdover });
        let locked = state(ClockSource::Gps, ClockQuality::Locked, false);
        let before = Known::from([
            (unit("same"), locked),
            (unit("worse"), locked),
            (unit("held"), locked),
            (unit("mute"), locked),
            (unit("still-mute"), None),
            (unit("back"), None),
            (unit("left"), locked),
        ]);
        let status = |quality, holdover_ms| TimeStatus {
            active_source: ClockSource::Gps,
            clock_quality: quality,
            holdover_ms,
            ..TimeStatus::default()
        };
        let gps = |name: &str, quality, holdover_ms| (unit(name), Ok(told(status(quality, holdover_ms))));
        let now = Answers::from([
            gps("same", ClockQuality::Locked, None),
            gps("worse", ClockQuality::Tracking, None),
            gps("held", ClockQuality::Locked, Some(1)),
            (unit("mute"), Err(silent())),
            (unit("still-mute"), Err(silent())),
            gps("back", ClockQuality::Locked, None),
            gps("new", ClockQuality::Locked, None),
            (unit("new-mute"), Err(silent())),
        ]);
        let told: Vec<_> = changes(&before, &now).iter().map(|one| format!("{} {}", one.unit, one.change)).collect();
        let expected =
            ["back seen", "held clock", "left gone", "mute silent", "new seen", "new-mute silent", "worse clock"];
        assert_eq!(told, expected);
    }
}
