//! From merged values to a profile, with everything that is wrong with them.

use garde::Validate;
use nunect_core::capability::Capability;
use nunect_core::{ActorName, ActorSpec, Catalog, ConfigError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::capabilities::{CAPABILITIES_MAX, Entry};
use super::layers::Merged;
use super::problem::Problem;
use super::shape::{Shapes, nearest};
use super::supervision::{Mistake, SupervisionSection};
use super::yaml::Part;
use super::{IDLE_SECTIONS, SECTIONS, UNUSED_SECTIONS, dotted};

/// What reads merged values, and what it found wrong.
pub(super) struct Check<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) shapes: &'a Shapes<'a>,
    pub(super) merged: &'a Merged,
    pub(super) values: &'a Value,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Check<'_> {
    /// Looks for sections that do not exist, or not yet.
    pub(super) fn sections(&mut self) {
        for name in self.values.as_object().into_iter().flat_map(Map::keys) {
            let known = SECTIONS.contains(&name.as_str());
            let done = match (UNUSED_SECTIONS.contains(&name.as_str()), IDLE_SECTIONS.contains(&name.as_str())) {
                (true, _) => "nothing in it was read",
                (false, true) => "what is in it was only checked",
                (false, false) if known => continue,
                (false, false) => {
                    self.unknown(&[name], SECTIONS);
                    continue;
                }
            };
            let help = format!("the node starts without it; {done}");
            let warning = self.problem(&[name], Part::Key, "not used by this version".to_owned(), help);
            self.warnings.push(warning);
        }
    }

    /// Reads a section; what is wrong with it leaves its default.
    pub(super) fn section<T>(&mut self, name: &str) -> T
    where
        T: DeserializeOwned + Default + Validate<Context = ()>,
    {
        self.optional(name).unwrap_or_default()
    }

    /// Reads a section without which something is not there at all.
    pub(super) fn optional<T>(&mut self, name: &str) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()>,
    {
        let keys = self.keys(&[name], self.values.get(name)?)?;
        let (section, errors) = salvage(keys, read::<T>);
        for error in errors {
            self.error(&[name], None, &error);
        }
        section
    }

    /// Reads the capabilities; none are given when there is no such section.
    pub(super) fn capabilities(&mut self) -> Option<Vec<Capability>> {
        const SECTION: &str = "capabilities";
        const EXAMPLE: &str = "write `capabilities: [{ subject: com.bridge.>, allow: [pub, sub] }]`";
        let value = self.values.get(SECTION)?;
        let reason = match value.as_array() {
            None => format!("holds {} where a list belongs", what(value)),
            Some(lines) if lines.len() > CAPABILITIES_MAX => {
                format!("holds {} lines; at most {CAPABILITIES_MAX} are read", lines.len())
            }
            Some(lines) => return Some(self.lines(SECTION, lines)),
        };
        let problem = self.problem(&[SECTION], Part::Value, reason, EXAMPLE.to_owned());
        self.problems.push(problem);
        None
    }

    fn lines(&mut self, section: &str, lines: &[Value]) -> Vec<Capability> {
        let mut capabilities = Vec::with_capacity(lines.len());
        for (at, line) in lines.iter().enumerate() {
            let at = at.to_string();
            let Some(keys) = self.keys(&[section, &at], line) else { continue };
            let (entry, errors) = salvage(keys, read::<Entry>);
            for error in errors {
                self.error(&[section, &at], None, &error);
            }
            let Some((capability, other)) = entry.map(Entry::read) else { continue };
            if let Some((written, pattern)) = other {
                let reason = format!("`{written}` is read as `{pattern}`: NATS takes `>` only at the end");
                let path = [section, &at, "subject"];
                let warning = self.problem(&path, Part::Value, reason, format!("write {pattern}"));
                self.warnings.push(warning);
            }
            capabilities.push(capability);
        }
        capabilities
    }

    /// Reads the actors, in this order.
    pub(super) fn actors(&mut self, order: &[String]) -> Vec<ActorSpec> {
        let Some(value) = self.values.get("actors") else { return Vec::new() };
        let Some(actors) = self.keys(&["actors"], value) else { return Vec::new() };
        let last = order.len();
        let mut named: Vec<(&String, &Value)> = actors.iter().collect();
        named.sort_by_key(|(name, _)| order.iter().position(|one| one == *name).unwrap_or(last));
        named.into_iter().filter_map(|(name, options)| self.actor(name, options)).collect()
    }

    /// Reads who restarts with whom among the actors of these names, those that are switched off too.
    pub(super) fn supervision(&mut self, actors: &[String]) -> SupervisionSection {
        const SECTION: &str = "supervision";
        let before = self.problems.len();
        let section: SupervisionSection = self.section(SECTION);
        // Of what could not be read, nothing more can be said.
        if self.problems.len() == before {
            let actors: Vec<&str> = actors.iter().map(String::as_str).collect();
            for Mistake { path, is_key, reason, help } in section.mistakes(&actors) {
                let path: Vec<&str> = [SECTION].into_iter().chain(path.iter().map(String::as_str)).collect();
                let part = if is_key { Part::Key } else { Part::Value };
                let problem = self.problem(&path, part, reason, help);
                self.problems.push(problem);
            }
        }
        section
    }

    fn actor(&mut self, name: &str, options: &Value) -> Option<ActorSpec> {
        if let Err(error) = ActorName::new(name) {
            let problem = self.problem(&["actors", name], Part::Key, error.to_string(), "rename it".to_owned());
            self.problems.push(problem);
            return None;
        }
        let mut options = self.keys(&["actors", name], options)?.clone();
        let parsed = loop {
            match ActorSpec::parse(name, &Value::Object(options.clone())) {
                Ok(parsed) => break parsed,
                Err(error) => {
                    let error = relative(error, name);
                    let kind = options.get("kind").and_then(Value::as_str).unwrap_or(name);
                    self.error(&["actors", name], Some(kind), &error);
                    // Go on without the key at fault; without its kind, nothing can be said.
                    if error.key != "enabled" || options.shift_remove("enabled").is_none() {
                        return None;
                    }
                }
            }
        };
        // What is switched off is checked all the same: a mistake shows before the day it runs.
        let enabled = parsed.is_some();
        options.shift_remove("enabled");
        let spec = parsed.or_else(|| ActorSpec::parse(name, &Value::Object(options)).ok().flatten())?;
        if self.catalog.get(&spec.kind).is_err() {
            self.unknown_kind(&spec);
            return None;
        }
        let checked = salvage(spec.config.as_object().unwrap_or(&Map::new()), |config| {
            let spec = ActorSpec { config: config.clone(), ..spec.clone() };
            self.catalog.check(&spec).map_err(|error| vec![relative(error, name)])
        });
        for error in checked.1 {
            self.error(&["actors", name], Some(&spec.kind), &error);
        }
        enabled.then_some(spec)
    }

    /// The keys under `path`, when there are keys.
    fn keys<'b>(&mut self, path: &[&str], value: &'b Value) -> Option<&'b Map<String, Value>> {
        if let Value::Object(keys) = value {
            return Some(keys);
        }
        let found = what(value);
        let last = path.last().copied().unwrap_or_default();
        let example = match path {
            ["actors"] => {
                format!("`actors: {{ {}: {{ enabled: true }} }}`", self.catalog.kinds().next().unwrap_or("name"))
            }
            ["actors", ..] => format!("`{last}: {{ enabled: true }}`"),
            ["capabilities", ..] => "`{ subject: com.bridge.>, allow: [pub, sub] }`".to_owned(),
            _ => format!("`{last}: {{ key: value }}`"),
        };
        let problem =
            self.problem(path, Part::Value, format!("holds {found} where keys belong"), format!("write {example}"));
        self.problems.push(problem);
        None
    }

    fn unknown_kind(&mut self, spec: &ActorSpec) {
        let kinds: Vec<&str> = self.catalog.kinds().collect();
        let near = nearest(&spec.kind, kinds.iter().copied());
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help =
            format!("{near}an actor is what its name says unless it has a `kind`; known kinds: {}", kinds.join(", "));
        let reason = format!("no kind of actor is called `{}`", spec.kind);
        let path = ["actors", spec.name.as_str(), "kind"];
        let problem = self.problem(&path, Part::Value, reason, help);
        self.problems.push(problem);
    }

    fn unknown(&mut self, path: &[&str], known: &[&str]) {
        let word = path.last().copied().unwrap_or_default();
        let near = nearest(word, known.iter().copied());
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = if known.is_empty() {
            "remove it: no keys are known here".to_owned()
        } else {
            format!("{near}known here: {}", known.join(", "))
        };
        let problem = self.problem(path, Part::Key, format!("unknown key `{word}`"), help);
        self.problems.push(problem);
    }

    /// Reports an error of a key under `above`, where an actor of this kind may be.
    fn error(&mut self, above: &[&str], kind: Option<&str>, error: &ConfigError) {
        let steps = steps(&error.key);
        let path: Vec<&str> = above.iter().copied().chain(steps.iter().copied()).collect();
        if let Some((word, parents)) = path.split_last().filter(|_| !steps.is_empty()) {
            let known = self.shapes.at(parents, kind).and_then(|shape| shape.closed_keys());
            if let Some(known) = known.filter(|known| !known.contains(word)) {
                self.unknown(&path, &known);
                return;
            }
        }
        let help = self.help(&path, kind, &error.reason);
        let problem = self.problem(&path, Part::Value, plain(&error.reason), help);
        self.problems.push(problem);
    }

    fn help(&self, path: &[&str], kind: Option<&str>, reason: &str) -> String {
        if reason.starts_with("missing field") {
            return format!("add it under `{}`", dotted(path));
        }
        let Some(shape) = self.shapes.at(path, kind) else { return "correct it, or remove it".to_owned() };
        let said = path.iter().try_fold(self.values, |value, step| match step.parse::<usize>() {
            Ok(at) if value.is_array() => value.get(at),
            Ok(_) | Err(_) => value.get(step),
        });
        let near = said.and_then(Value::as_str).and_then(|word| nearest(word, shape.words()));
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        // An item has nothing to say for itself; its list has.
        let list = path.split_last().and_then(|(_, list)| self.shapes.at(list, kind));
        let about = shape.about().or_else(|| list?.about().filter(|_| said.is_some()));
        let about = about.map(|about| format!(". {about}")).unwrap_or_default();
        format!("{near}write {}{about}", shape.describe())
    }

    fn problem(&self, path: &[&str], part: Part, reason: String, help: String) -> Problem {
        let (origin, place) = self.merged.find(path, part);
        let text = place.as_ref().and(self.merged.text()).cloned();
        Problem { origin, key: dotted(path), reason, help, place, text }
    }
}

/// A value in the words of a person.
fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "keys",
    }
}

/// What serde says of types, without the words of a programmer: what belongs there is told by the
/// schema.
fn plain(reason: &str) -> String {
    let parts = [
        ("invalid type: ", "wrong type: "),
        ("invalid value: ", "impossible: "),
        ("unknown variant ", "unknown word "),
    ];
    let told = parts.iter().find_map(|(serde, ours)| Some((reason.strip_prefix(serde)?, ours)));
    let told = told.and_then(|(rest, ours)| Some((rest.rsplit_once(", expected ")?.0, ours)));
    match told {
        // It may be an address with a password in it.
        Some((found, ours)) if found.contains("://") => format!("{ours}text"),
        Some((found, ours)) => {
            let found = found.replacen("sequence", "list", 1).replacen("map", "keys", 1);
            format!("{ours}{}", found.replacen("string ", "text ", 1).replacen("floating point", "number", 1))
        }
        None => reason.to_owned(),
    }
}

/// Reads a section.
///
/// # Errors
/// The first mistake of types, or everything out of range; keys are relative to the section.
pub(super) fn read<T: DeserializeOwned + Validate<Context = ()>>(value: &Value) -> Result<T, Vec<ConfigError>> {
    let section: T = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let key = if path == "." { String::new() } else { path };
        vec![ConfigError::new(key, error.into_inner().to_string())]
    })?;
    match section.validate() {
        Ok(()) => Ok(section),
        Err(report) => {
            Err(report.iter().map(|(path, error)| ConfigError::new(path.to_string(), error.message())).collect())
        }
    }
}

/// Reads `keys`, and again without every key that was at fault: all that is wrong, not only the
/// first.
fn salvage<T>(
    keys: &Map<String, Value>,
    read: impl Fn(&Value) -> Result<T, Vec<ConfigError>>,
) -> (Option<T>, Vec<ConfigError>) {
    let mut keys = keys.clone();
    let mut errors = Vec::new();
    loop {
        let found = match read(&Value::Object(keys.clone())) {
            Ok(value) => return (Some(value), errors),
            Err(found) => found,
        };
        let first = errors.is_empty();
        let whole = keys.clone();
        for error in found {
            let key = steps(&error.key).first().map(|key| (*key).to_owned()).unwrap_or_default();
            keys.shift_remove(&key);
            // What concerns no key that is there may be our own doing, by an earlier removal.
            if first || whole.contains_key(&key) {
                errors.push(error);
            }
        }
        if keys.len() == whole.len() {
            return (None, errors);
        }
    }
}

/// An error of the catalog, relative to the actor.
fn relative(error: ConfigError, name: &str) -> ConfigError {
    let key = error.key.strip_prefix(name).map(|key| key.strip_prefix('.').unwrap_or(key).to_owned());
    ConfigError { key: key.unwrap_or(error.key), reason: error.reason }
}

/// `urls[0].port` as steps.
fn steps(key: &str) -> Vec<&str> {
    key.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty()).collect()
}
