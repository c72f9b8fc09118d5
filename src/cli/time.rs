//! `nunect time`: what units know of their clocks.

mod ask;
mod sync;
mod table;
mod watch;

use std::sync::Arc;

use annotate_snippets::Level;
use clap::{Args, Subcommand};
use nunect_core::protocol::rtt::Delays;
use nunect_core::protocol::time::{TimeStatus, Told};
use nunect_core::time::nanos;
use nunect_core::{ClockStamp, Health, UnitId};
use serde::Serialize;

use super::client::{Client, Failure};
use super::console::Console;
use super::reach::Reach;
use super::wire::fail;
use super::{exit, problem, units};

use ask::{Answers, Asker, Silence};

/// What `nunect time` is told.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(
    after_help = "The word `sync` right after `time` is the command; a unit of that name is asked for with `nunect time -- sync`."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say how far this machine's clock is from a unit's, without setting any.
    Sync(sync::Arguments),
}

/// Whose clock is looked at, and how.
#[derive(Debug, Args)]
struct Look {
    /// The units; without any, all that the monitors know and that are not OFFLINE.
    #[arg(value_name = "UNIT")]
    units: Vec<UnitId>,
    /// Show every source of time that was asked, and why the clock does not go by it; for units that are
    /// named, that is shown anyway.
    #[arg(long)]
    sources: bool,
    /// Go on: a table that is drawn anew every second, or on a pipe a line for each change.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Shows clocks, or compares this machine's with one of them.
pub(super) fn run(arguments: &Arguments, console: &Console) -> u8 {
    match &arguments.command {
        Some(Command::Sync(arguments)) => sync::run(arguments, console),
        None => look(&arguments.look, console),
    }
}

fn look(look: &Look, console: &Console) -> u8 {
    let session = match look.reach.open(console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let (client, node) = (Arc::clone(&session.client), session.node.clone());
    session.run(async move {
        let mut asker = match Asker::open(&client, node).await {
            Ok(asker) => asker,
            Err(failure) => return fail(console, "listening for answers", &failure),
        };
        let shown = if look.watch {
            watch::run(look, &mut asker, console).await
        } else {
            once(look, &mut asker, console).await
        };
        match shown {
            Ok(code) => code,
            Err(Failure::NoResponders | Failure::Timeout(_)) => {
                let reason = format!("no monitor answers ({})", client.describe());
                let help = "name the units: `nunect time UNIT`; or run a node with the actor `monitor`";
                console.complain(&problem::render(console, Level::ERROR, &reason, None, help));
                exit::NOT_MET
            }
            Err(failure) => fail(console, "asking for the units", &failure),
        }
    })
}

/// Whom to ask: who is named, or is not OFFLINE, or else the node that is reached.
///
/// # Errors
/// When nobody is named, and nobody knows who is there.
async fn whom(look: &Look, client: &Client, node: Option<&UnitId>) -> Result<Vec<UnitId>, Failure> {
    if !look.units.is_empty() {
        let mut units = look.units.clone();
        units.sort();
        units.dedup();
        return Ok(units);
    }
    match (units::ask(client).await, node) {
        (Ok(rows), _) => Ok(rows.into_iter().filter(|row| row.state != Health::Offline).map(|row| row.unit).collect()),
        (Err(Failure::NoResponders | Failure::Timeout(_)), Some(node)) => Ok(vec![node.clone()]),
        (Err(failure), _) => Err(failure),
    }
}

async fn once(look: &Look, asker: &mut Asker<'_>, console: &Console) -> Result<u8, Failure> {
    let units = whom(look, asker.client(), asker.node()).await?;
    let answers = asker.ask(&units).await;
    if console.is_json() {
        let own = asker.own();
        answers.iter().for_each(|(unit, answer)| console.object(&Row::of(unit, answer.as_ref(), own.as_ref())));
    } else {
        drawn(look, &answers, console).iter().for_each(|line| console.line(line));
    }
    let unmet = !look.units.is_empty() && answers.values().any(Result::is_err);
    Ok(if unmet { exit::NOT_MET } else { exit::FINE })
}

fn drawn(look: &Look, answers: &Answers, console: &Console) -> Vec<String> {
    table::drawn(answers, look.sources || !look.units.is_empty(), console)
}

/// What a unit knows, for programs.
#[derive(Serialize)]
struct Row<'a> {
    unit: &'a UnitId,
    #[serde(flatten)]
    status: Option<&'a TimeStatus>,
    /// Why it tells nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    delay: Option<Delay>,
}

/// What the exchange with a unit says by itself.
#[derive(Serialize)]
struct Delay {
    /// Without the time at the unit's.
    round_trip_ns: u64,
    /// By how much this machine's clock is ahead of the unit's ...
    offset_ns: i64,
    /// ... and by how much that may be wrong.
    error_ns: u64,
    /// Each way by itself, when the clocks of both ends are known.
    #[serde(flatten)]
    ways: Option<Delays>,
}

impl<'a> Row<'a> {
    /// What came from `unit`; `own` is what is known of this machine's clock.
    fn of(unit: &'a UnitId, answer: Result<&'a Told, &Silence>, own: Option<&ClockStamp>) -> Self {
        let told = answer.ok();
        let delay = told.filter(|told| told.exchange.is_possible()).map(|told| Delay {
            round_trip_ns: nanos(told.exchange.round_trip()),
            offset_ns: told.exchange.offset_ns(),
            error_ns: told.exchange.error_ns(),
            ways: own.and_then(|own| Delays::of(&told.exchange, own, &told.clock)),
        });
        Self { unit, status: told.map(|told| &told.status), error: answer.err().map(ToString::to_string), delay }
    }
}
