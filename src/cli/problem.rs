//! What is wrong with a file, shown where it is wrong.

use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use nunect_actors::{Heartbeater, Logs};
use nunect_core::{Actor, Catalog};
use nunect_runtime::config::{self, Basis, Loaded, Problem, Sources};
use serde_json::{Value, json};

use super::console::Console;
use super::exit;

/// A part of a text that is meant.
pub(super) struct Extract<'a> {
    /// The file, as the user gave it.
    pub(super) path: &'a Path,
    /// Its whole text.
    pub(super) text: &'a str,
    /// The bytes that are meant.
    pub(super) span: std::ops::Range<usize>,
}

/// Puts one problem into words and, where it has a place, into its file.
pub(super) fn render(console: &Console, level: Level<'_>, title: &str, at: Option<&Extract<'_>>, help: &str) -> String {
    let mut group = level.primary_title(title).elements(at.map(|at| {
        let path = at.path.display().to_string();
        Snippet::source(at.text).path(path).annotation(AnnotationKind::Primary.span(at.span.clone()))
    }));
    if !help.is_empty() {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if console.is_coloured() { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]).to_string()
}

/// Shows what is wrong with a configuration.
pub(super) fn show(console: &Console, level: Level<'_>, problem: &Problem) {
    if console.is_json() {
        return console.object(problem);
    }
    let at = problem.place.as_ref().zip(problem.text.as_ref());
    let at = at.map(|(place, file)| Extract { path: &file.path, text: &file.text, span: place.span.clone() });
    let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
    let title = match &at {
        Some(_) => format!("{key}{}", problem.reason),
        None => format!("{}: {key}{}", problem.origin, problem.reason),
    };
    console.complain(&render(console, level, &title, at.as_ref(), &problem.help));
}

/// An error with everything that caused it, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    format!("error: {}", causes(error))
}

/// The same, as a part of other words.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The actors of a node whose configuration names none, with what its sections say to them.
pub(super) fn default_actors(basis: &Basis) -> Value {
    let Basis { health, logging, time } = basis;
    let mut actors = nunect_actors::default_actors();
    actors[Heartbeater::KIND] =
        json!({ "interval": health.heartbeat_interval, "report_metrics": health.report_metrics });
    if let Some(logs) = actors.get_mut(Logs::KIND).and_then(Value::as_object_mut) {
        // What is not said keeps the actor's own default.
        logs.extend(logging.file.as_ref().map(|file| ("file".to_owned(), json!(file))));
        logs.extend(logging.publish_level.map(|level| ("publish_level".to_owned(), json!(level))));
    }
    if let Some(guardian) = actors.get_mut("time_guardian") {
        *guardian = json!({
            "mode": time.mode,
            "ptp_master": time.ptp_master,
            "ptp_domain": time.ptp_domain,
            "ntp_servers": time.ntp_servers,
            "required": time.required,
            "holdover_max": time.holdover_max,
        });
    }
    actors
}

/// Reads the configuration of a node.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(
    path: Option<&Path>,
    flags: Vec<(String, Value)>,
    catalog: &Catalog,
) -> Result<Loaded, Vec<Problem>> {
    let file = path.map(config::read_file).transpose()?;
    let sources = Sources { defaults: &default_actors, file, environment: config::environment(), flags };
    config::load(sources, catalog, &host_name())
}

/// Reads the configuration of a node, and shows whatever is wrong with it.
///
/// # Errors
/// The exit code, when the node cannot start with it.
pub(super) fn load(
    path: Option<&Path>,
    flags: Vec<(String, Value)>,
    catalog: &Catalog,
    console: &Console,
) -> Result<Loaded, u8> {
    match read(path, flags, catalog) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                show(console, Level::WARNING, warning);
            }
            Ok(loaded)
        }
        Err(problems) => {
            for problem in &problems {
                show(console, Level::ERROR, problem);
            }
            Err(exit::CONFIGURATION)
        }
    }
}

fn host_name() -> String {
    nunect_runtime::sensor::host_name().unwrap_or_default()
}
