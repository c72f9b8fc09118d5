//! `nunect new`: the beginning of something of one's own.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nunect_core::Catalog;
use serde_json::json;

use super::console::{Console, Tone};
use super::exit;

const ACTOR: &str = include_str!("new/actor.rs.txt");
const MANIFEST: &str = include_str!("new/Cargo.toml.txt");
const PROFILE: &str = include_str!("new/profile.yaml.txt");

/// Names of types and crates that the written files use, or that mean something else already.
const TAKEN: &[&str] = &[
    "actor",
    "birth",
    "config",
    "config-error",
    "contract",
    "core",
    "deadline",
    "duration",
    "effects",
    "err",
    "fault",
    "garde",
    "input",
    "main",
    "message",
    "mono",
    "none",
    "now",
    "nunect",
    "ok",
    "option",
    "pattern",
    "period",
    "program",
    "result",
    "schemars",
    "self",
    "serde",
    "some",
    "std",
    "string",
    "subject",
    "test",
];

/// What can be begun.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write an actor as one file, with a test, a Cargo.toml and a sample configuration.
    Actor(Actor),
}

/// What `nunect new actor` is told.
#[derive(Debug, Args)]
pub(super) struct Actor {
    /// Its kind, in small letters: link-probe.
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder to write to; without it, one of the actor's name.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A checkout of nunect to build with; without it, the one around the present folder, else the
    /// published version.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// Begins it.
pub(super) fn run(command: &Command, catalog: &Catalog, console: &Console) -> u8 {
    let Command::Actor(arguments) = command;
    let written = check(&arguments.name, catalog).and_then(|()| write(arguments));
    match written {
        Err((reason, help)) => {
            let level = annotate_snippets::Level::ERROR;
            console.complain(&super::problem::render(console, level, &reason, None, &help));
            exit::CONFIGURATION
        }
        Ok(files) => {
            let folder = folder(arguments);
            if console.is_json() {
                console.object(&json!({ "kind": arguments.name, "files": files }));
            } else {
                for file in &files {
                    console.line(&format!("{} {}", console.paint(Tone::Good, "wrote"), file.display()));
                }
                let name = &arguments.name;
                console
                    .line(&format!("\nNow: cd {} && cargo test && cargo run -- up -c {name}.yaml", folder.display()));
            }
            exit::FINE
        }
    }
}

type Wrong = (String, String);

fn check(name: &str, catalog: &Catalog) -> Result<(), Wrong> {
    let wrong = |reason: String, help: &str| Err((reason, help.to_owned()));
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !name.split('-').all(word) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return wrong(format!("`{name}` is no name of an actor"), "write small letters and digits, such as link-probe");
    }
    if name.len() > nunect_core::identity::IDENTITY_MAX_BYTES {
        return wrong(format!("`{name}` is longer than 64 bytes"), "choose a shorter one");
    }
    if catalog.get(name).is_ok() {
        return wrong(format!("there is an actor of the kind `{name}` already"), "choose another name");
    }
    if TAKEN.contains(&name) {
        return wrong(format!("`{name}` means something else to the compiler"), "choose another, such as link-probe");
    }
    Ok(())
}

fn folder(arguments: &Actor) -> PathBuf {
    arguments.dir.clone().unwrap_or_else(|| PathBuf::from(&arguments.name))
}

fn write(arguments: &Actor) -> Result<Vec<PathBuf>, Wrong> {
    let (name, folder) = (&arguments.name, folder(arguments));
    let nunect = dependency(arguments.path.as_deref())?;
    let fill = |text: &str| {
        text.replace("__kind__", name).replace("__Type__", &type_name(name)).replace("__nunect__", &nunect)
    };
    let files = [
        (folder.join(format!("{name}.rs")), fill(ACTOR)),
        (folder.join("Cargo.toml"), fill(MANIFEST)),
        (folder.join(format!("{name}.yaml")), fill(PROFILE)),
    ];
    if let Some((taken, _)) = files.iter().find(|(path, _)| path.exists()) {
        let help = "nothing was written; choose another folder with `--dir`, or move the file away";
        return Err((format!("{} is there already", taken.display()), help.to_owned()));
    }
    let failed = |path: &Path, error: std::io::Error| {
        (format!("writing {}: {error}", path.display()), "choose a folder that can be written to".to_owned())
    };
    std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
    for (path, text) in &files {
        // Whoever was faster with a file of this name keeps it.
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(path, error))?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// `link-probe` as Rust calls a type: `LinkProbe`.
fn type_name(kind: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_ascii_uppercase())
    };
    kind.split('-').map(capital).collect()
}

/// How the manifest names nunect.
fn dependency(path: Option<&Path>) -> Result<String, Wrong> {
    let around = || {
        let here = std::env::current_dir().ok()?;
        here.ancestors().find(|folder| is_checkout(folder)).map(Path::to_owned)
    };
    let checkout = match path {
        Some(path) if is_checkout(path) => Some(path.to_owned()),
        Some(path) => {
            let help = "give the folder that holds nunect's own Cargo.toml";
            return Err((format!("{} is no checkout of nunect", path.display()), help.to_owned()));
        }
        None => around(),
    };
    Ok(match checkout.map(|path| path.canonicalize().unwrap_or(path)) {
        Some(path) => format!("{{ path = {:?} }}", path.display().to_string()),
        None => format!("\"{}\"", env!("CARGO_PKG_VERSION")),
    })
}

fn is_checkout(folder: &Path) -> bool {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let has = |wanted: &str| manifest.lines().any(|line| line.trim() == wanted);
    has("[workspace]") && has("name = \"nunect\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_small_words_that_nothing_else_has() {
        let catalog = nunect_actors::catalog();
        for name in ["link-probe", "a", "x2-y3"] {
            assert_eq!(check(name, &catalog), Ok(()));
        }
        for name in ["", "Link", "link_probe", "2x", "-a", "a-", "a--b", "a b", "../a", "echo", "message"] {
            assert!(check(name, &catalog).is_err(), "{name}");
        }
    }

    #[test]
    fn a_kind_gives_its_type_a_name() {
        assert_eq!(type_name("link-probe"), "LinkProbe");
        assert_eq!(type_name("x2-y3"), "X2Y3");
    }
}
