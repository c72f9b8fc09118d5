//! `nunect tree`, `chaos` and `log-level`: what a node is asked for by command.

use std::sync::Arc;
use std::time::Duration;

use annotate_snippets::Level as Severity;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use nunect_core::protocol::command::{ActorReport, Answer, Call, ChaosKind, Command};
use nunect_core::{ActorName, Level, Role, UnitId};

use super::client::{Client, Failure};
use super::console::{Console, Tone, count};
use super::output::{age, plain};
use super::reach::Reach;
use super::{exit, problem};

/// What `nunect tree` is told.
#[derive(Debug, Args)]
pub(super) struct Tree {
    /// The unit.
    #[arg(value_name = "UNIT")]
    unit: UnitId,
    #[command(flatten)]
    reach: Reach,
}

/// What `nunect chaos` is told.
#[derive(Debug, Args)]
pub(super) struct Chaos {
    /// What is to happen: a panic, the end of the life, an input that never returns, or a mailbox
    /// that holds back.
    #[arg(value_name = "WHAT", value_parser = PossibleValuesParser::new(["panic", "stop", "hang", "pause"])
        .try_map(|word| ChaosKind::parse(&word).ok_or("no such harm")))]
    what: ChaosKind,
    /// The actor.
    #[arg(value_name = "UNIT/ACTOR", value_parser = unit_and_actor)]
    actor: (UnitId, ActorName),
    #[command(flatten)]
    reach: Reach,
}

/// What `nunect log-level` is told.
#[derive(Debug, Args)]
pub(super) struct LogLevel {
    /// The unit.
    #[arg(value_name = "UNIT")]
    unit: UnitId,
    /// The least level that it is to write down.
    #[arg(value_name = "LEVEL", ignore_case = true,
        value_parser = PossibleValuesParser::new(["DEBUG", "INFO", "WARN", "ERROR", "FATAL"])
        .try_map(|word| Level::parse(&word.to_ascii_uppercase()).ok_or("no such level")))]
    level: Level,
    #[command(flatten)]
    reach: Reach,
}

fn unit_and_actor(text: &str) -> Result<(UnitId, ActorName), String> {
    let (unit, actor) = text.split_once('/').ok_or("write UNIT/ACTOR, such as alpha/echo")?;
    let unit = UnitId::new(unit).map_err(|error| error.to_string())?;
    Ok((unit, ActorName::new(actor).map_err(|error| error.to_string())?))
}

/// Shows a node's supervision tree.
pub(super) fn tree(arguments: &Tree, console: &Console) -> u8 {
    command(&arguments.unit, Command::Actors, &arguments.reach, console, |answer, client| {
        let Ok(root) = serde_json::from_value::<ActorReport>(answer.body.clone()) else {
            console.complain(&format!("error: {} answered with no tree: {}", arguments.unit, answer.body));
            return exit::NOT_MET;
        };
        if console.is_json() {
            console.object(&root);
        } else {
            let now = client.now().wall.unix_millis();
            draw(&root, "", "", now, console);
        }
        exit::FINE
    })
}

/// Does harm to an actor.
pub(super) fn chaos(arguments: &Chaos, console: &Console) -> u8 {
    let (unit, actor) = &arguments.actor;
    let what = arguments.what;
    let wanted = Command::Chaos { actor: actor.clone(), what };
    command(unit, wanted, &arguments.reach, console, |answer, _| {
        done(answer, &format!("{what} of {unit}/{actor}"), console)
    })
}

/// Changes what a node writes down.
pub(super) fn log_level(arguments: &LogLevel, console: &Console) -> u8 {
    let (unit, level) = (&arguments.unit, arguments.level);
    command(unit, Command::LogLevel { level }, &arguments.reach, console, |answer, _| {
        done(answer, &format!("{unit} writes down {level} and above"), console)
    })
}

fn done(answer: &Answer, words: &str, console: &Console) -> u8 {
    if console.is_json() {
        console.object(&answer.body);
    } else {
        console.line(&format!("{} {words}", console.paint(Tone::Good, "done:")));
    }
    exit::FINE
}

/// Sends a command, and shows why it was not carried out.
fn command(
    unit: &UnitId,
    command: Command,
    reach: &Reach,
    console: &Console,
    show: impl FnOnce(&Answer, &Client) -> u8,
) -> u8 {
    let session = match reach.open(console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let client = Arc::clone(&session.client);
    let name = command.name();
    session.run(async move {
        // A node listens for commands to whatever role it may have.
        let answer = client.ask(Call::new(command).message(Role::Node, unit)).await;
        let refused = match answer.map(|answer| Answer::parse(&answer)) {
            Ok(Ok(answer)) => match answer.error() {
                None => return show(&answer, &client),
                Some(words) => {
                    (format!("{unit} refuses {name} with code {}: {}", answer.code, plain(words)), answer.code)
                }
            },
            Ok(Err(error)) => (format!("{unit} answered {name} with something else: {error}"), 0),
            Err(Failure::NoResponders) => (format!("nobody takes commands for {unit} ({})", client.describe()), 404),
            Err(failure) => (format!("{name} to {unit}: {failure}"), 0),
        };
        console.complain(&problem::render(console, Severity::ERROR, &refused.0, None, remedy(name, refused.1)));
        exit::NOT_MET
    })
}

fn remedy(command: &str, code: u16) -> &'static str {
    match (command, code) {
        ("CHAOS", 403) => "where harm is wanted, set `chaos.enabled: true` in the node's configuration",
        ("CHAOS", 404) => "`nunect tree UNIT` names its actors, `nunect units` the units",
        (_, 404) => "`nunect units` names the units; a node takes commands by its actor `commands`",
        (_, _) => "",
    }
}

/// Draws an actor and what stands under it.
fn draw(actor: &ActorReport, before: &str, below: &str, now: u64, console: &Console) {
    let tone = match actor.state.as_str() {
        "running" => Tone::Good,
        "stopped" | "completed" => Tone::Dim,
        _ => Tone::Warn,
    };
    let kind = if actor.kind == actor.name { String::new() } else { format!(" ({})", actor.kind) };
    let mut words = vec![console.paint(tone, &actor.state)];
    if actor.restarts > 0 {
        words.push(console.paint(Tone::Warn, &count(u64::from(actor.restarts), "restart")));
    }
    if let Some(mailbox) = &actor.mailbox {
        words.push(format!("mailbox {}/{}", mailbox.depth, mailbox.capacity));
        for (number, what) in [(mailbox.dropped, "dropped"), (mailbox.poisoned, "poisoned")] {
            if number > 0 {
                words.push(console.paint(Tone::Warn, &format!("{number} {what}")));
            }
        }
    }
    if let Some(crash) = &actor.last_crash {
        let ago = age(Duration::from_millis(now.saturating_sub(crash.at_ms)));
        words.push(console.paint(Tone::Bad, &format!("crashed {ago} ago: {}", plain(&crash.reason))));
    }
    let name = console.paint(Tone::Bold, &plain(&actor.name));
    console.line(&format!("{before}{name}{}  {}", plain(&kind), words.join(", ")));
    let last = actor.children.len().saturating_sub(1);
    for (at, child) in actor.children.iter().enumerate() {
        let (branch, trunk) = if at == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(child, &format!("{below}{branch}"), &format!("{below}{trunk}"), now, console);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_named_by_its_unit_and_its_own_name() {
        let (unit, actor) = unit_and_actor("alpha/echo").expect("legal");
        assert_eq!((unit.as_str(), actor.as_str()), ("alpha", "echo"));
        for wrong in ["alpha", "alpha/", "/echo", "al*/echo", "alpha/echo/x"] {
            assert!(unit_and_actor(wrong).is_err(), "{wrong}");
        }
    }
}
