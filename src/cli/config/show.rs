//! `nunect config show`: what a node is told in the end, and by whom.

use std::path::PathBuf;

use clap::Args;
use nunect_core::Catalog;
use nunect_runtime::config::{self, Loaded, Origin, Profile};
use serde_json::{Map, Value, json};

use super::super::console::{Console, Tone};
use super::super::{exit, problem};

/// The column from which on origins stand, where the values leave room for that.
const ORIGIN_COLUMN_MAX: usize = 48;
/// What stands in place of a secret.
const MASK: &str = "***";
/// How the keys of secrets end.
const SECRETS: [&str; 6] = ["password", "secret", "token", "seed", "nkey", "private_key"];

/// What `nunect config show` is told: the configuration as `nunect up` takes it.
#[derive(Debug, Args)]
pub(in super::super) struct Show {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A NATS server, as for `nunect up`.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    nats: Vec<String>,
    /// The node's name on the bus, as for `nunect up`.
    #[arg(long, value_name = "ID")]
    unit: Option<String>,
    /// Say behind each value where it came from.
    #[arg(long)]
    origin: bool,
}

/// One value, and where it came from.
struct Line {
    /// The dotted key.
    key: String,
    depth: usize,
    name: String,
    /// None: keys follow.
    value: Option<Value>,
}

/// Shows the profile.
pub(super) fn run(arguments: &Show, catalog: &Catalog, console: &Console) -> u8 {
    let mut flags = Vec::new();
    if !arguments.nats.is_empty() {
        flags.push(("--nats".to_owned(), json!({ "connection": { "urls": arguments.nats } })));
    }
    if let Some(unit) = &arguments.unit {
        flags.push(("--unit".to_owned(), json!({ "metadata": { "unit_id": unit } })));
    }
    let loaded = match problem::load(arguments.config.as_deref(), flags, catalog, console) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let schema = config::schema(catalog, &problem::default_actors);
    let profile = masked("", effective(&loaded, &schema), &loaded);
    let mut lines = Vec::new();
    list(&profile, "", 0, &mut lines);
    match (console.is_json(), arguments.origin) {
        (true, false) => console.object(&profile),
        (true, true) => {
            for line in lines.iter().filter(|line| line.value.is_some()) {
                let (origin, place) = loaded.origin(&line.key);
                let line_number = place.map(|place| place.line);
                let origin = origin.to_string();
                console.object(&json!({ "key": line.key, "value": line.value, "origin": origin, "line": line_number }));
            }
        }
        (false, false) => lines.iter().for_each(|line| console.line(&line.yaml())),
        (false, true) => with_origins(&lines, &loaded, console),
    }
    exit::FINE
}

fn with_origins(lines: &[Line], loaded: &Loaded, console: &Console) {
    let texts: Vec<String> = lines.iter().map(Line::yaml).collect();
    let widths = texts.iter().zip(lines).filter(|(_, line)| line.value.is_some()).map(|(text, _)| text.chars().count());
    let column = widths.filter(|width| *width < ORIGIN_COLUMN_MAX).max().unwrap_or_default();
    for (text, line) in texts.iter().zip(lines) {
        if line.value.is_none() {
            console.line(text);
            continue;
        }
        let origin = match loaded.origin(&line.key) {
            (Origin::File(path), Some(place)) => format!("{}:{}", path.display(), place.line),
            (Origin::File(path), None) => path.display().to_string(),
            (Origin::Default, _) => "default".to_owned(),
            (Origin::Variable(name), _) => format!("environment {name}"),
            (origin @ (Origin::Flag(_) | Origin::HostName), _) => origin.to_string(),
        };
        let gap = " ".repeat(column.saturating_sub(text.chars().count()));
        console.line(&format!("{text}{gap}  {}", console.paint(Tone::Dim, &format!("# {origin}"))));
    }
}

/// What was given, completed by the defaults that the schema knows.
fn effective(loaded: &Loaded, schema: &Value) -> Value {
    let Value::Object(mut given) = loaded.values() else { return Value::Null };
    let actors = given.remove("actors").unwrap_or_default();
    let mut whole = match complete(schema, schema, Value::Object(given)) {
        Value::Object(sections) => sections,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    if let Some(metadata) = whole.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("unit_id".to_owned(), loaded.profile.unit.as_str().into());
    }
    if loaded.profile.metrics.is_none() {
        whole.insert("metrics".to_owned(), Value::Null);
    }
    if loaded.profile.capabilities.is_none() {
        whole.insert("capabilities".to_owned(), Value::Null);
    }
    whole.insert("actors".to_owned(), all_actors(&loaded.profile, actors, schema));
    Value::Object(whole)
}

/// The actors in the order of their start, and behind them those that are switched off.
fn all_actors(profile: &Profile, given: Value, schema: &Value) -> Value {
    let Value::Object(mut given) = given else { return json!({}) };
    let running: Vec<String> = profile.actors.iter().map(|actor| actor.name.as_str().to_owned()).collect();
    let off: Vec<String> = given.keys().filter(|name| !running.contains(name)).cloned().collect();
    let mut actors = Map::new();
    for name in running.into_iter().chain(off) {
        let options = given.remove(&name).filter(Value::is_object).unwrap_or_else(|| json!({}));
        let kind = options.get("kind").and_then(Value::as_str).unwrap_or(&name).to_owned();
        let own = schema.pointer(&format!("/$defs/actor.{kind}")).unwrap_or(&Value::Null);
        let mut options = complete(schema, own, options);
        if let Some(options) = options.as_object_mut().filter(|_| kind == name) {
            // What the name says already.
            options.shift_remove("kind");
        }
        actors.insert(name, options);
    }
    Value::Object(actors)
}

/// `value` with the defaults of the keys that it lacks.
fn complete(root: &Value, schema: &Value, value: Value) -> Value {
    let schema = solid(root, schema);
    let Some(Value::Object(properties)) = schema.get("properties") else { return value };
    let mut given = match value {
        Value::Object(given) => given,
        // Said or left out: there is none of it.
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => return other,
    };
    let mut whole = Map::new();
    for (name, property) in properties {
        let has_keys = solid(root, property).get("properties").is_some();
        let default = property.get("default").or_else(|| property.get("const")).cloned();
        let default = default.or_else(|| has_keys.then(|| json!({})));
        if let Some(value) = given.remove(name).or(default) {
            whole.insert(name.clone(), complete(root, property, value));
        }
    }
    whole.extend(given);
    Value::Object(whole)
}

/// A schema behind its references and beside the choice of nothing.
fn solid<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    // A definition that is only another reference is rare, a chain of five is none of ours.
    for _ in 0..5 {
        let choices = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        let mut some = choices.filter(|one| one.get("type").and_then(Value::as_str) != Some("null"));
        if let (Some(one), None) = (some.next(), some.next()) {
            schema = one;
        }
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        schema = target.and_then(|path| root.pointer(path)).unwrap_or(schema);
    }
    schema
}

/// The same without secrets: passwords in addresses, keys that name one, and what variables in the
/// file stand for.
fn masked(key: &str, value: Value, loaded: &Loaded) -> Value {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Object(map) => {
            map.into_iter().map(|(name, value)| (name.clone(), masked(&below(&name), value, loaded))).collect()
        }
        Value::Array(list) => {
            list.into_iter().enumerate().map(|(at, value)| masked(&below(&at.to_string()), value, loaded)).collect()
        }
        Value::Null | Value::Bool(_) => value,
        Value::Number(_) | Value::String(_) => {
            let written = loaded.written(key).map(|text| text.trim_matches(['"', '\'']));
            let variable = written.filter(|text| text.contains("${") && !text.contains("$${"));
            let secret = key.rsplit('.').find(|step| step.parse::<usize>().is_err());
            let secret = secret.is_some_and(|name| SECRETS.iter().any(|secret| name.ends_with(secret)));
            match (variable, value) {
                (Some(written), _) => without_password(written).into(),
                (None, _) if secret => MASK.into(),
                (None, Value::String(text)) => without_password(&text).into(),
                (None, other) => other,
            }
        }
    }
}

/// `nats://user:password@host` without the two.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{MASK}@{host}"),
        None => text.to_owned(),
    }
}

fn list(value: &Value, key: &str, depth: usize, lines: &mut Vec<Line>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        let keys = value.as_object().is_some_and(|keys| !keys.is_empty());
        let shown = (!keys).then(|| value.clone());
        lines.push(Line { key: key.clone(), depth, name: name.clone(), value: shown });
        list(value, &key, depth + 1, lines);
    }
}

impl Line {
    fn yaml(&self) -> String {
        let name = format!("{}{}:", "  ".repeat(self.depth), scalar(&self.name));
        match &self.value {
            None => name,
            Some(value) => format!("{name} {}", yaml(value)),
        }
    }
}

/// A value on one line: JSON is YAML, but plain words and plain lists read better.
fn yaml(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(yaml).collect::<Vec<_>>().join(", ")),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text, in quotes where it could be read as something else.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let mut inner = text.replace("://", "");
    if inner.len() < text.len() {
        // The port of an address.
        inner = inner.replace(':', "");
    }
    let period = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let period = period.len() < text.len() && matches!(period, "ms" | "s" | "m" | "h" | "us");
    let plain = starts && inner.chars().all(word) && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain || period { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_be_read_as_something_else_is_in_quotes() {
        for text in ["alpha", "nats://127.0.0.1:4222", "5s", "250ms", "tls://a.b/", "a-b_c"] {
            assert_eq!(scalar(text), text);
        }
        for text in ["", "true", "No", "5", "1e5", "a: b", "#a", "a b", "${A}", "*", "1s 2ms", "a:b", "~"] {
            assert_eq!(scalar(text), format!("\"{text}\""));
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(without_password("nats://me:p@ss@host:4222"), "nats://***@host:4222");
        assert_eq!(without_password("nats://token@host"), "nats://***@host");
        assert_eq!(without_password("nats://host"), "nats://host");
        assert_eq!(without_password("me@host"), "me@host");
    }
}
