//! Environment variables as values: `NUNECT_HEALTH__HEARTBEAT_INTERVAL`, `NATS_URL`.

use serde_json::Value;

use super::layers::{Layer, nest};
use super::problem::{Origin, Problem};
use super::shape::{Shapes, nearest};
use super::{Kinds, SECTIONS, UNUSED_SECTIONS};

const PREFIX: &str = "NUNECT_";
const BETWEEN_LEVELS: &str = "__";

/// What NATS's own tools read: a list of servers, separated by commas.
const NATS_URL: &str = "NATS_URL";

/// Variables of this project that are no configuration of a node: the filter of the console's
/// log, and what tests and tools use.
const OTHERS: [&str; 5] = ["NUNECT_LOG", "NUNECT_NATS_SERVER", "NUNECT_PYTHON", "NUNECT_PYTHONPATH", "NUNECT_CACHE"];

/// The environment of this process. Bytes that are no UTF-8 become U+FFFD, which no value takes.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    let text = |bytes: std::ffi::OsString| bytes.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// The layers of the environment, one for each variable so that each value knows its own.
pub(super) fn layers(
    environment: &[(String, String)],
    shapes: &Shapes<'_>,
    kinds: &Kinds,
    problems: &mut Vec<Problem>,
) -> Vec<Layer> {
    let mut ours: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, value)| {
            let nats = *name == NATS_URL && !value.trim().is_empty();
            nats || (name.starts_with(PREFIX) && !OTHERS.contains(name))
        })
        .collect();
    // By name, so that the outcome never depends on the order; NATS_URL comes before NUNECT_…,
    // which is the more special and wins.
    ours.sort_unstable();
    let said = Said { variables: &ours, shapes, kinds };
    let mut layers = Vec::new();
    for (name, value) in &ours {
        match said.path(name) {
            Ok(path) => {
                let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                let kind = if let ["actors", name, ..] = steps.as_slice() { Some(said.kind(name)) } else { None };
                let shape = shapes.at(&steps, kind);
                let leaf = shape.map_or_else(|| Value::from(*value), |shape| shape.read(value));
                let origin = Origin::Variable((*name).to_owned());
                layers.push(Layer { origin, tree: nest(steps.into_iter(), leaf) });
            }
            Err((reason, help)) => problems.push(Problem {
                origin: Origin::Variable((*name).to_owned()),
                key: key(name),
                reason,
                help,
                place: None,
                text: None,
            }),
        }
    }
    layers
}

struct Said<'a> {
    variables: &'a [(&'a str, &'a str)],
    shapes: &'a Shapes<'a>,
    kinds: &'a Kinds,
}

impl Said<'_> {
    /// The key that a variable names, or what is wrong with it and what to do.
    fn path(&self, variable: &str) -> Result<Vec<String>, (String, String)> {
        if variable == NATS_URL {
            return Ok(vec!["connection".to_owned(), "urls".to_owned()]);
        }
        let steps: Vec<&str> = variable.strip_prefix(PREFIX).unwrap_or_default().split(BETWEEN_LEVELS).collect();
        let [section, rest @ ..] = steps.as_slice() else { return Err(self.unknown(variable)) };
        let section = section.to_ascii_lowercase();
        if UNUSED_SECTIONS.contains(&section.as_str()) {
            return Ok(vec![section]);
        }
        if !SECTIONS.contains(&section.as_str()) || rest.contains(&"") {
            return Err(self.unknown(variable));
        }
        match rest {
            [] | [_] if section == "actors" => Err((
                "names no option of an actor".to_owned(),
                format!("name one, such as {PREFIX}ACTORS__{}__ENABLED", rest.first().unwrap_or(&"NAME")),
            )),
            [] => Err((
                "names a whole section".to_owned(),
                format!("name one of its keys: {}", self.of_section(&section).collect::<Vec<_>>().join(", ")),
            )),
            [name, options @ ..] if section == "actors" => {
                let known = self.kinds.names().find(|known| spelled(known) == **name);
                let name = known.map_or_else(|| name.to_ascii_lowercase(), str::to_owned);
                let kind = self.kind(&name).to_owned();
                let mut path = vec![section, name];
                for option in options {
                    let here: Vec<&str> = path.iter().map(String::as_str).collect();
                    let keys = self.shapes.at(&here, Some(&kind)).map(|shape| shape.keys()).unwrap_or_default();
                    let known = keys.into_iter().find(|key| spelled(key) == **option);
                    path.push(known.map_or_else(|| option.to_ascii_lowercase(), str::to_owned));
                }
                Ok(path)
            }
            [key] => {
                let key = key.to_ascii_lowercase();
                let keys = self.shapes.at(&[&section], None).map(|shape| shape.keys()).unwrap_or_default();
                if keys.contains(&key.as_str()) { Ok(vec![section, key]) } else { Err(self.unknown(variable)) }
            }
            [_, _, ..] => Err(self.unknown(variable)),
        }
    }

    /// What an actor is, by the variables themselves or else by the layers below them.
    fn kind<'b>(&'b self, actor: &'b str) -> &'b str {
        let named = format!("{PREFIX}ACTORS{BETWEEN_LEVELS}{}{BETWEEN_LEVELS}KIND", spelled(actor));
        let said = self.variables.iter().find(|(name, _)| *name == named);
        said.map_or_else(|| self.kinds.of(actor), |(_, kind)| *kind)
    }

    fn unknown(&self, variable: &str) -> (String, String) {
        let known: Vec<String> = SECTIONS.iter().flat_map(|section| self.of_section(section)).collect();
        let rests = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
        let near = nearest(variable.strip_prefix(PREFIX).unwrap_or(variable), rests);
        let help = match near {
            Some(near) => format!("did you mean {PREFIX}{near}? Two underscores stand between levels"),
            None => {
                let sections = SECTIONS.iter().map(|section| format!("{PREFIX}{}{BETWEEN_LEVELS}…", spelled(section)));
                format!("known: {}", sections.collect::<Vec<_>>().join(", "))
            }
        };
        ("is no key of the configuration".to_owned(), help)
    }

    /// The variables of a section; those of actors depend on the actors.
    fn of_section(&self, section: &str) -> impl Iterator<Item = String> {
        let keys = if section == "actors" { None } else { self.shapes.at(&[section], None) };
        let keys = keys.map(|shape| shape.keys()).unwrap_or_default();
        let section = spelled(section);
        keys.into_iter().map(move |key| format!("{PREFIX}{section}{BETWEEN_LEVELS}{}", spelled(key)))
    }
}

/// The key that a variable seems to mean.
fn key(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).replace(BETWEEN_LEVELS, ".").to_ascii_lowercase()
}

/// A key as variables spell it.
fn spelled(key: &str) -> String {
    key.to_ascii_uppercase().replace('-', "_")
}
