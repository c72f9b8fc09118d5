//! `nunect config`: looks at a configuration without starting anything.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nunect_core::Catalog;
use serde_json::json;

mod show;

use super::console::{Console, Tone, count};
use super::{exit, problem};

/// What can be done with a configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say whether a node would start with it, and what is wrong otherwise.
    Check(Check),
    /// Show what a node is told in the end: file, environment, flags and defaults together.
    Show(show::Show),
    /// Print the JSON schema of the file, for editors.
    Schema,
}

/// What `nunect config check` is told.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file; without one, the environment alone is looked at.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Looks at a configuration.
pub(super) fn run(command: &Command, catalog: &Catalog, console: &Console) -> u8 {
    match command {
        Command::Check(Check { file }) => check(file.as_deref(), catalog, console),
        Command::Show(arguments) => show::run(arguments, catalog, console),
        Command::Schema => {
            console.line(&format!("{:#}", nunect_runtime::config::schema(catalog, &problem::default_actors)));
            exit::FINE
        }
    }
}

fn check(file: Option<&Path>, catalog: &Catalog, console: &Console) -> u8 {
    let loaded = match problem::load(file, Vec::new(), catalog, console) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let profile = loaded.profile;
    let bus = if profile.connection.urls.is_empty() {
        "embedded bus".to_owned()
    } else {
        profile.connection.urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let actors: Vec<&str> = profile.actors.iter().map(|actor| actor.name.as_str()).collect();
    if console.is_json() {
        console.object(&json!({
            "ok": true, "unit": profile.unit, "role": profile.metadata.role, "bus": bus, "actors": actors,
            "warnings": loaded.warnings.len(),
        }));
    } else {
        let name = file.map_or_else(|| "the environment".to_owned(), |file| file.display().to_string());
        console.line(&format!(
            "{} {name}: unit {}, role {}, {bus}, {} ({})",
            console.paint(Tone::Good, "ok"),
            console.paint(Tone::Bold, profile.unit.as_str()),
            profile.metadata.role,
            count(actors.len() as u64, "actor"),
            actors.join(", "),
        ));
    }
    exit::FINE
}
