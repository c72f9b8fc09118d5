//! `nunect completions` and `nunect man`: what other programs want to know of the command line.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::console::Console;
use super::exit;
use super::output::bytes;

/// What `nunect completions` is told.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell that is to complete.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// What `nunect man` is told.
#[derive(Debug, Args)]
pub(super) struct Manual {
    /// A folder for one page per command; without one, the main page is printed.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn command() -> clap::Command {
    super::Arguments::command()
}

/// Prints a shell's completions.
pub(super) fn complete(arguments: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "nunect", &mut script);
    bytes(&script);
    exit::FINE
}

/// Prints the manual, or writes it.
pub(super) fn manual(arguments: &Manual, console: &Console) -> u8 {
    let written = match &arguments.out {
        Some(folder) => write(folder),
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command()).render(&mut page);
            bytes(&page);
            rendered
        }
    };
    match (written, &arguments.out) {
        (Ok(()), _) => exit::FINE,
        (Err(error), folder) => {
            let folder = folder.as_deref().unwrap_or(Path::new("-")).display();
            console.complain(&format!("error: writing the manual to {folder}: {error}"));
            exit::NOT_MET
        }
    }
}

fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command(), folder)
}
