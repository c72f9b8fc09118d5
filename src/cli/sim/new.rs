//! `nunect sim new`: a scenario to begin with.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::files;
use crate::cli::console::Console;
use crate::cli::exit;

const TEMPLATE: &str = include_str!("scenario.yaml.txt");

/// What `nunect sim new` is told.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The scenario's name; the file is called NAME.yaml.
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// The folder that the file is written to.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    into: PathBuf,
}

fn name(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !text.is_empty() && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err("a name is made of letters, digits, `-` and `_`".to_owned())
}

impl New {
    pub(super) fn run(&self, console: &Console) -> u8 {
        let path = self.into.join(format!("{}.yaml", self.name));
        let text = TEMPLATE.replace("{name}", &self.name);
        let created = OpenOptions::new().write(true).create_new(true).open(&path);
        if let Err(error) = created.and_then(|mut file| file.write_all(text.as_bytes())) {
            console.complain(&files::failed("write", &path, &error));
            return exit::CONFIGURATION;
        }
        let path = path.display();
        console.line(&format!("{path} written"));
        console.line(&format!("\nnunect sim run {path}\nnunect sim explore {path} --seeds 1..100"));
        exit::FINE
    }
}
