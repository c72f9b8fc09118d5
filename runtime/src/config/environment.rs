//! Environment variables as values: `NUNECT_HEALTH__HEARTBEAT_INTERVAL`, `NATS_URL`.

use serde_json::Value;

use super::layers::{Layer, nest};
use super::problem::{Origin, Problem};
use super::shape::{Shapes, nearest};
use super::{Kinds, SECTIONS, UNUSED_SECTIONS, time};

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
            let ours = name.starts_with(PREFIX) && !OTHERS.contains(name);
            ours || (shared(name).is_some() && !value.trim().is_empty())
        })
        .collect();
    // By name, so that the outcome never depends on the order; what others read as well comes
    // before NUNECT_…, which is the more special and wins.
    ours.sort_unstable_by_key(|(name, value)| (name.starts_with(PREFIX), *name, *value));
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

/// The key of a variable that not only this program reads.
fn shared(variable: &str) -> Option<[&'static str; 2]> {
    if variable == NATS_URL {
        return Some(["connection", "urls"]);
    }
    let of_time = time::VARIABLES.iter().find(|(name, _)| *name == variable);
    of_time.map(|(_, key)| ["time", key])
}

struct Said<'a> {
    variables: &'a [(&'a str, &'a str)],
    shapes: &'a Shapes<'a>,
    kinds: &'a Kinds,
}

impl Said<'_> {
    /// The key that a variable names, or what is wrong with it and what to do.
    fn path(&self, variable: &str) -> Result<Vec<String>, (String, String)> {
        if let Some(path) = shared(variable) {
            return Ok(path.map(str::to_owned).to_vec());
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
            [] => {
                let keys: Vec<String> = self.of_section(&section).collect();
                let help = match keys.as_slice() {
                    [] => "it holds a list: write that in the file".to_owned(),
                    keys => format!("name one of its keys: {}", keys.join(", ")),
                };
                Err(("names a whole section".to_owned(), help))
            }
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
            [_, ..] => {
                let steps = variable.to_ascii_uppercase();
                let known = self.leaves(&section).into_iter().find(|path| named(path) == steps);
                known.ok_or_else(|| self.unknown(variable))
            }
        }
    }

    /// What an actor is, by the variables themselves or else by the layers below them.
    fn kind<'b>(&'b self, actor: &'b str) -> &'b str {
        let named = format!("{PREFIX}ACTORS{BETWEEN_LEVELS}{}{BETWEEN_LEVELS}KIND", spelled(actor));
        let said = self.variables.iter().find(|(name, _)| *name == named);
        said.map_or_else(|| self.kinds.of(actor), |(_, kind)| *kind)
    }

    fn unknown(&self, variable: &str) -> (String, String) {
        let known: Vec<(&str, Vec<String>)> =
            SECTIONS.iter().map(|section| (*section, self.of_section(section).collect())).collect();
        let rests = known.iter().flat_map(|(_, keys)| keys).filter_map(|known| known.strip_prefix(PREFIX));
        let near = nearest(variable.strip_prefix(PREFIX).unwrap_or(variable), rests);
        let help = match near {
            Some(near) => format!("did you mean {PREFIX}{near}? Two underscores stand between levels"),
            None => {
                let with_keys = known.iter().filter(|(section, keys)| *section == "actors" || !keys.is_empty());
                let sections = with_keys.map(|(section, _)| format!("{PREFIX}{}{BETWEEN_LEVELS}…", spelled(section)));
                format!("known: {}", sections.collect::<Vec<_>>().join(", "))
            }
        };
        ("is no key of the configuration".to_owned(), help)
    }

    /// The variables of a section; those of actors depend on the actors.
    fn of_section(&self, section: &str) -> impl Iterator<Item = String> {
        self.leaves(section).into_iter().map(|path| named(&path))
    }

    /// The keys of a section that hold values and no further keys, each with those that lead to it.
    fn leaves(&self, section: &str) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        let mut open = if section == "actors" { Vec::new() } else { vec![vec![section.to_owned()]] };
        while let Some(path) = open.pop() {
            let steps: Vec<&str> = path.iter().map(String::as_str).collect();
            let keys = self.shapes.at(&steps, None).map(|shape| shape.keys()).unwrap_or_default();
            if keys.is_empty() && path.len() > 1 {
                found.push(path);
                continue;
            }
            // The last one in is the next one out: the order is that of the schema.
            open.extend(keys.into_iter().rev().map(|key| {
                let mut path = path.clone();
                path.push(key.to_owned());
                path
            }));
        }
        found
    }
}

/// The variable of a key.
fn named(path: &[String]) -> String {
    let steps: Vec<String> = path.iter().map(|step| spelled(step)).collect();
    format!("{PREFIX}{}", steps.join(BETWEEN_LEVELS))
}

/// The key that a variable seems to mean.
fn key(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).replace(BETWEEN_LEVELS, ".").to_ascii_lowercase()
}

/// A key as variables spell it.
fn spelled(key: &str) -> String {
    key.to_ascii_uppercase().replace('-', "_")
}
