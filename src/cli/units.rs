//! `nunect units`: who is there, as the monitors see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use nunect_core::protocol::units::{self, Question, UnitStatus};
use nunect_core::{Health, UnitId};
use serde::Serialize;

use super::client::{Client, Failure};
use super::console::{Console, Tone, count, time_of_day};
use super::exit;
use super::output::{age, bytes, is_watched, micros, table};
use super::reach::Reach;
use super::watching::{Watching, draw};
use super::wire::fail;

/// What `nunect units` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Go on: a table that is drawn anew every second, or on a pipe a line for each change.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Shows who is there.
pub(super) fn run(arguments: &Arguments, console: &Console) -> u8 {
    let session = match arguments.reach.open(console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let client = Arc::clone(&session.client);
    session.run(async move {
        let shown = if arguments.watch { watch(&client, console).await } else { once(&client, console).await };
        match shown {
            Ok(()) => exit::FINE,
            Err(Failure::NoResponders) => {
                let level = annotate_snippets::Level::ERROR;
                let reason = format!("no monitor answers ({})", client.describe());
                let help = "run a node with the actor `monitor`, which a node has by default";
                console.complain(&super::problem::render(console, level, &reason, None, help));
                exit::NOT_MET
            }
            Err(failure) => fail(console, "asking for the units", &failure),
        }
    })
}

/// Every unit, by its ID.
///
/// # Errors
/// When no monitor answers.
pub(super) async fn ask(client: &Client) -> Result<Vec<UnitStatus>, Failure> {
    let mut rows: BTreeMap<UnitId, UnitStatus> = BTreeMap::new();
    let mut question = Some(Question::default());
    while let Some(asked) = question {
        let answer = client.ask(asked.build()).await?;
        let part = units::parse(&answer).map_err(|error| Failure::Refused(error.to_string()))?;
        question = asked.next(&part);
        let before = rows.len();
        rows.extend(part.into_iter().map(|row| (row.unit.clone(), row)));
        // Whoever answers without going on would be asked for ever.
        if rows.len() == before {
            break;
        }
    }
    Ok(rows.into_values().collect())
}

async fn once(client: &Client, console: &Console) -> Result<(), Failure> {
    let rows = ask(client).await?;
    if console.is_json() {
        rows.iter().for_each(|row| console.object(row));
    } else {
        drawn(&rows, client, console).iter().for_each(|line| console.line(line));
    }
    Ok(())
}

const fn tone(health: Health) -> Tone {
    match health {
        Health::Ok => Tone::Good,
        Health::Degraded => Tone::Warn,
        Health::Critical => Tone::Bad,
        Health::Offline => Tone::Dim,
    }
}

/// The table, and a line that sums it up.
fn drawn(rows: &[UnitStatus], client: &Client, console: &Console) -> Vec<String> {
    let now = client.now().wall.unix_millis();
    let ago = |ms: u64| age(Duration::from_millis(now.saturating_sub(ms)));
    let cells = |row: &UnitStatus| {
        let clock = row.clock_source.map_or("–", |source| source.as_str());
        let quality = row.clock_quality.map(|quality| format!(" {quality}")).unwrap_or_default();
        vec![
            (Tone::Bold, row.unit.as_str().to_owned()),
            (Tone::Plain, row.role.as_str().to_owned()),
            (tone(row.state), row.state.as_str().to_owned()),
            (Tone::Plain, ago(row.since_ms)),
            (Tone::Plain, ago(row.last_seen_ms)),
            (Tone::Plain, format!("{} / {}", micros(row.rtt_app_us), micros(row.rtt_native_us))),
            (Tone::Plain, format!("{clock}{quality}")),
        ]
    };
    let names = ["UNIT", "ROLE", "STATE", "SINCE", "SEEN", "RTT APP / NATIVE", "CLOCK"];
    let mut lines = table(console, &names, &rows.iter().map(cells).collect::<Vec<_>>());
    let states = [Health::Ok, Health::Degraded, Health::Critical, Health::Offline];
    let number = |state| rows.iter().filter(|row| row.state == state).count();
    let counted = states.into_iter().map(|state| (state, number(state))).filter(|(_, number)| *number > 0);
    let states: Vec<String> =
        counted.map(|(state, number)| console.paint(tone(state), &format!("{number} {state}"))).collect();
    let end = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    lines.push(format!("{}{end}", count(rows.len() as u64, "unit")));
    lines
}

/// What is new about a unit.
#[derive(Serialize)]
struct Change<'a> {
    /// `seen`, `state`, `restarted` or `gone`.
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Health>,
    #[serde(flatten)]
    now: &'a UnitStatus,
}

/// What differs between two looks, in the order of unit IDs.
fn changes<'a>(before: &'a BTreeMap<UnitId, UnitStatus>, now: &'a BTreeMap<UnitId, UnitStatus>) -> Vec<Change<'a>> {
    let mut changes: Vec<Change<'a>> = Vec::new();
    for row in now.values() {
        let change = match before.get(&row.unit) {
            None => Some(("seen", None)),
            Some(old) if old.state != row.state => Some(("state", Some(old.state))),
            Some(old) if old.session != row.session => Some(("restarted", None)),
            Some(_) => None,
        };
        changes.extend(change.map(|(change, from)| Change { change, from, now: row }));
    }
    let gone = before.values().filter(|row| !now.contains_key(&row.unit));
    changes.extend(gone.map(|row| Change { change: "gone", from: None, now: row }));
    changes.sort_by(|a, b| a.now.unit.cmp(&b.now.unit));
    changes
}

async fn watch(client: &Client, console: &Console) -> Result<(), Failure> {
    let mut watching = Watching::new(console);
    let mut known: Option<BTreeMap<UnitId, UnitStatus>> = None;
    loop {
        tokio::select! {
            () = watching.next() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let Some(rows) = watching.answered(ask(client).await)? else { continue };
        let rows: BTreeMap<UnitId, UnitStatus> = rows.into_iter().map(|row| (row.unit.clone(), row)).collect();
        let open = if is_watched(console) {
            draw(&drawn(&rows.values().cloned().collect::<Vec<_>>(), client, console))
        } else {
            let empty = BTreeMap::new();
            let text: String =
                changes(known.as_ref().unwrap_or(&empty), &rows).iter().map(|one| told(one, client, console)).collect();
            text.is_empty() || bytes(text.as_bytes())
        };
        if !open {
            return Ok(());
        }
        known = Some(rows);
    }
}

fn told(change: &Change<'_>, client: &Client, console: &Console) -> String {
    if console.is_json() {
        return serde_json::to_string(change).map(|line| line + "\n").unwrap_or_default();
    }
    let row = change.now;
    let state = console.paint(tone(row.state), row.state.as_str());
    let what = match (change.change, change.from) {
        ("gone", _) => "is not known any more".to_owned(),
        ("restarted", _) => format!("{state}, restarted"),
        (_, Some(from)) => format!("{from} → {state}"),
        (_, None) => state,
    };
    format!("{}  {}  {what}\n", time_of_day(client.now().wall), row.unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunect_core::{Role, SessionId};

    fn row(unit: &str, state: Health, session: u64) -> (UnitId, UnitStatus) {
        let unit = UnitId::new(unit).expect("legal");
        let session = Some(SessionId::from_random(session));
        let (since_ms, last_seen_ms) = (1, 2);
        let (rtt_app_us, rtt_native_us, clock_source, clock_quality) = (None, None, None, None);
        let role = Role::Node;
        let row = UnitStatus {
            unit: unit.clone(),
            role,
            state,
            since_ms,
            last_seen_ms,
            session,
            rtt_app_us,
            rtt_native_us,
            clock_source,
            clock_quality,
        };
        (unit, row)
    }

    #[test]
    fn a_unit_that_comes_changes_restarts_or_goes_is_told_and_no_other() {
        let before = BTreeMap::from([
            row("a", Health::Ok, 1),
            row("b", Health::Ok, 1),
            row("c", Health::Ok, 1),
            row("e", Health::Ok, 1),
        ]);
        let now = BTreeMap::from([
            row("a", Health::Ok, 1),
            row("b", Health::Degraded, 1),
            row("c", Health::Ok, 2),
            row("d", Health::Ok, 1),
        ]);
        let told: Vec<_> = changes(&before, &now).iter().map(|one| (one.now.unit.to_string(), one.change)).collect();
        let expected = [("b", "state"), ("c", "restarted"), ("d", "seen"), ("e", "gone")];
        assert_eq!(told, expected.map(|(unit, change)| (unit.to_owned(), change)));
    }
}
