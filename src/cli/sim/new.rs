//! `nunect sim new`: a scenario to begin with.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;
use nunect_simulations::scenario;
use serde_json::json;

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
    if text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err("a name is made of letters, digits, `-` and `_`, and begins with a letter or digit".to_owned())
}

impl New {
    pub(super) fn run(&self, console: &Console) -> u8 {
        let path = self.into.join(format!("{}.yaml", self.name));
        let text = TEMPLATE.replace("{name}", &self.name);
        let created = files::create_folders(&path).and_then(|()| File::create_new(&path));
        if let Err(error) = created.and_then(|mut file| file.write_all(text.as_bytes())) {
            if error.kind() == ErrorKind::AlreadyExists {
                console.complain(&format!("error: {} is there already; nothing was written", path.display()));
            } else {
                console.complain(&files::failed("write", &path, &error));
            }
            return exit::CONFIGURATION;
        }
        let word = scenario::quoted(&path);
        let next = [format!("nunect sim run {word}"), format!("nunect sim explore {word} --seeds 1..100")];
        let path = path.display();
        if console.is_json() {
            console.object(&json!({ "written": path.to_string(), "next": next }));
        } else {
            console.line(&format!("{path} written\n\n{}", next.join("\n")));
        }
        exit::FINE
    }
}
