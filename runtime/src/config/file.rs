//! The file: its values, with `${VARIABLE}` replaced.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Kinds;
use super::UNUSED_SECTIONS;
use super::problem::{Origin, Place, Problem, SourceFile};
use super::shape::Shapes;
use super::yaml::{Content, Node};

/// No profile of a person is larger; what is, is some other file.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Keys that hold paths: a relative one starts at the folder of the file that says it.
const PATHS: [&str; 5] = [
    "/connection/credentials",
    "/connection/server/config",
    "/logging/file/folder",
    "/control/socket",
    "/time/ptp_socket",
];
/// As [`PATHS`], but that a name without a `/` is one of a program in PATH.
const PROGRAMS: [&str; 1] = ["/connection/server/binary"];

/// Reads a configuration file from the disk.
///
/// # Errors
/// When it cannot be read, is longer than 1 MiB or is no UTF-8.
pub fn read_file(path: &Path) -> Result<SourceFile, Vec<Problem>> {
    let problem = |reason: String, help: &str| {
        let origin = Origin::File(path.to_owned());
        vec![Problem { origin, key: String::new(), reason, help: help.to_owned(), place: None, text: None }]
    };
    let metadata = std::fs::metadata(path).map_err(|error| {
        problem(format!("cannot be read: {error}"), "give the path of a profile, or none to start with the defaults")
    })?;
    if !metadata.is_file() {
        return Err(problem("cannot be read: it is no file".to_owned(), "give the path of the profile itself"));
    }
    if metadata.len() > FILE_MAX_BYTES {
        let reason = format!("is {} bytes long; a profile has at most {FILE_MAX_BYTES}", metadata.len());
        return Err(problem(reason, "give the path of a profile"));
    }
    let bytes = std::fs::read(path)
        .map_err(|error| problem(format!("cannot be read: {error}"), "let the user of the node read it"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        problem(format!("is no UTF-8 text: line {line} holds other bytes"), "save it as UTF-8")
    })?;
    Ok(SourceFile { path: path.to_owned(), text })
}

/// Turns a file into values.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Arc<SourceFile>,
    pub(super) environment: &'a [(String, String)],
    pub(super) shapes: &'a Shapes<'a>,
    pub(super) kinds: &'a Kinds,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The sections of the file, without those that are empty or lack a variable. What no part of
    /// this version reads is not read here either.
    pub(super) fn sections(&mut self, root: &Node) -> Value {
        let entries = match &root.content {
            Content::Map(entries) => entries,
            Content::Scalar(Value::Null) => return Value::Object(Map::new()),
            Content::Scalar(_) | Content::List(_) => {
                let place = root.place.clone();
                let help = "write sections, such as `health: { heartbeat_interval: 5s }`";
                self.problem(String::new(), "holds no sections".to_owned(), help, place);
                return Value::Object(Map::new());
            }
        };
        let mut sections = Map::new();
        for (key, node) in entries {
            let value = if UNUSED_SECTIONS.contains(&key.name.as_str()) {
                Some(Value::Bool(true))
            } else {
                self.value(node, &mut vec![key.name.clone()])
            };
            if let Some(value) = value.filter(|value| !value.is_null()) {
                sections.insert(key.name.clone(), value);
            }
        }
        if let Some(Value::Object(actors)) = sections.get_mut("actors") {
            // Nothing said about an actor changes nothing about it.
            for options in actors.values_mut().filter(|options| options.is_null()) {
                *options = Value::Object(Map::new());
            }
        }
        let mut sections = Value::Object(sections);
        for pointer in PATHS.iter().chain(&PROGRAMS) {
            if let Some(Value::String(path)) = sections.pointer_mut(pointer) {
                let named = PROGRAMS.contains(pointer) && !path.contains('/');
                if let Some(whole) = self.in_folder(path).filter(|_| !named) {
                    *path = whole;
                }
            }
        }
        sections
    }

    /// A path from the folder of the file; none where that says nothing new.
    fn in_folder(&self, path: &str) -> Option<String> {
        let folder = self.file.path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
        folder.join(path).to_str().filter(|_| !path.is_empty()).map(str::to_owned)
    }

    /// The value of a node; none when a variable of it is not set, which is then reported.
    fn value(&mut self, node: &Node, path: &mut Vec<String>) -> Option<Value> {
        match &node.content {
            Content::Scalar(Value::String(text)) if text.contains("${") => self.expanded(text, node, path),
            Content::Scalar(value) => Some(value.clone()),
            Content::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    path.push(at.to_string());
                    list.push(self.value(item, path));
                    path.pop();
                }
                list.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
            }
            Content::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    path.push(key.name.clone());
                    map.extend(self.value(value, path).map(|value| (key.name.clone(), value)));
                    path.pop();
                }
                Some(Value::Object(map))
            }
        }
    }

    /// A text with variables in it, as whatever its key takes.
    fn expanded(&mut self, text: &str, node: &Node, path: &[String]) -> Option<Value> {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let (mut whole, mut failed) = (String::new(), false);
        for part in parts(text) {
            match part {
                Part::Text(text) => whole.push_str(text),
                Part::Variable(name) => match self.environment.iter().find(|(known, _)| known == name) {
                    Some((_, value)) => whole.push_str(value),
                    None => {
                        failed = true;
                        let reason = format!("environment variable `{name}` is not set");
                        let help = "set it before the start, or write `$${` for a literal `${`";
                        self.unexpanded(&steps, reason, help, node, &format!("${{{name}}}"));
                    }
                },
                Part::Malformed(rest) => {
                    failed = true;
                    let reason = format!("`{rest}` names no variable");
                    let help = "write `${NAME}`, or `$${` for a literal `${`";
                    self.unexpanded(&steps, reason, help, node, rest);
                }
            }
        }
        if failed {
            return None;
        }
        let kind = if let ["actors", name, ..] = steps.as_slice() { Some(self.kinds.of(name)) } else { None };
        let shape = self.shapes.at(&steps, kind);
        Some(shape.map_or_else(|| Value::from(whole.as_str()), |shape| shape.read(&whole)))
    }

    fn unexpanded(&mut self, steps: &[&str], reason: String, help: &str, node: &Node, needle: &str) {
        let exact = node.place.as_ref().and_then(|place| {
            let written = self.file.text.get(place.span.clone())?;
            let start = place.span.start + written.find(needle)?;
            Some(Place::of(&self.file.text, Range { start, end: start + needle.len() }))
        });
        self.problem(super::dotted(steps), reason, help, exact.or_else(|| node.place.clone()));
    }

    fn problem(&mut self, key: String, reason: String, help: &str, place: Option<Place>) {
        self.problems.push(Problem {
            origin: Origin::File(self.file.path.clone()),
            key,
            reason,
            help: help.to_owned(),
            place,
            text: Some(Arc::clone(self.file)),
        });
    }
}

#[derive(Debug, PartialEq)]
enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
    Malformed(&'a str),
}

/// `a ${B} $${c}` is a text, a variable, and a text with a literal `${c}`.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            let (literal, after) = from.split_at("${".len());
            parts.extend([Part::Text(before), Part::Text(literal)]);
            rest = after;
            continue;
        }
        parts.push(Part::Text(before));
        let named = from.strip_prefix("${").and_then(|from| from.split_once('}'));
        match named.filter(|(name, _)| is_variable(name)) {
            Some((name, after)) => {
                parts.push(Part::Variable(name));
                rest = after;
            }
            None => {
                parts.push(Part::Malformed(from.split_inclusive('}').next().unwrap_or(from)));
                rest = named.map_or("", |(_, after)| after);
            }
        }
    }
    parts.push(Part::Text(rest));
    parts
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
