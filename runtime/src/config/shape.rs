//! What a profile may hold, as a JSON schema; and what the schema knows for messages.

use std::cell::OnceCell;

use nunect_core::Catalog;
use nunect_core::identity::IDENTITY_MAX_BYTES;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::capabilities::{CAPABILITIES_MAX, Entry};
use super::profile::{
    ChaosSection, ConnectionSection, ControlSection, HealthSection, LoggingSection, MetadataSection, MetricsSection,
    ProvisioningSection,
};
use super::supervision::SupervisionSection;
use super::time::TimeSection;
use super::{ActorDefaults, Basis, IDLE_SECTIONS, UNUSED_SECTIONS};

/// The pattern of names, see [`nunect_core::subject::check_token`].
const TOKEN: &str = "^[A-Za-z0-9_-]+$";

/// The JSON schema of a whole file: its sections, and the options of every kind of actor.
///
/// `defaults` are the actors that the program starts by itself: their names need no `kind`.
#[must_use]
pub fn schema(catalog: &Catalog, defaults: ActorDefaults<'_>) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut sections = Map::new();
    section::<MetadataSection>(&mut sections, &mut generator, "metadata");
    section::<ConnectionSection>(&mut sections, &mut generator, "connection");
    section::<ProvisioningSection>(&mut sections, &mut generator, "provisioning");
    section::<HealthSection>(&mut sections, &mut generator, "health");
    sections.insert("capabilities".to_owned(), capabilities(&mut generator));
    section::<LoggingSection>(&mut sections, &mut generator, "logging");
    section::<SupervisionSection>(&mut sections, &mut generator, "supervision");
    section::<TimeSection>(&mut sections, &mut generator, "time");
    section::<ChaosSection>(&mut sections, &mut generator, "chaos");
    section::<ControlSection>(&mut sections, &mut generator, "control");
    section::<MetricsSection>(&mut sections, &mut generator, "metrics");
    let kinds: Vec<(&str, Value)> =
        catalog.entries().map(|entry| (entry.kind, (entry.schema)(&mut generator).to_value())).collect();
    let mut definitions = generator.take_definitions(true);
    let kinds: Vec<&str> = kinds
        .into_iter()
        .map(|(kind, options)| {
            definitions.insert(definition(kind), actor_of_kind(kind, &options, &definitions));
            kind
        })
        .collect();
    definitions.insert("Actor".to_owned(), any_actor(&kinds));
    sections.insert("actors".to_owned(), actors(catalog, &defaults(&Basis::default())));
    for unused in UNUSED_SECTIONS {
        let note = "Not used by this version: read by nothing, reported by a warning.";
        sections.insert((*unused).to_owned(), json!({ "description": note }));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The profile of a nunect node",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": sections,
        "$defs": definitions,
    })
}

/// An empty section is as good as none.
fn section<T: JsonSchema>(sections: &mut Map<String, Value>, generator: &mut SchemaGenerator, name: &str) {
    let schema = generator.subschema_for::<T>().to_value();
    let mut section = json!({ "anyOf": [schema, { "type": "null" }] });
    if IDLE_SECTIONS.contains(&name) {
        section["description"] = json!("Not used by this version: only checked, and reported by a warning.");
    }
    sections.insert(name.to_owned(), section);
}

/// A list, and not keys as the other sections.
fn capabilities(generator: &mut SchemaGenerator) -> Value {
    let list = json!({
        "type": "array",
        "maxItems": CAPABILITIES_MAX,
        "items": generator.subschema_for::<Entry>().to_value(),
    });
    let about = "What the node may publish to and subscribe to in `com.` and `nav.`, besides what keeps the mesh \
                 going. Absent or empty: everything; `[]`: nothing.";
    json!({ "description": about, "anyOf": [list, { "type": "null" }] })
}

fn definition(kind: &str) -> String {
    format!("actor.{kind}")
}

/// The options of a kind, and beside them what every actor may say.
fn actor_of_kind(kind: &str, options: &Value, definitions: &Map<String, Value>) -> Value {
    let mut schema = follow(options, definitions).unwrap_or(options).clone();
    if let Some(schema) = schema.as_object_mut() {
        let mut properties = Map::new();
        properties.insert("kind".to_owned(), json!({ "const": kind, "description": "What the actor is." }));
        properties.insert("enabled".to_owned(), enabled());
        if let Some(Value::Object(own)) = schema.remove("properties") {
            properties.extend(own);
        }
        schema.insert("properties".to_owned(), Value::Object(properties));
    }
    schema
}

fn enabled() -> Value {
    json!({ "type": "boolean", "default": true, "description": "Whether it runs at all." })
}

/// An actor that says its kind.
fn any_actor(kinds: &[&str]) -> Value {
    let cases: Vec<Value> = kinds
        .iter()
        .map(|kind| {
            json!({
                "if": { "properties": { "kind": { "const": kind } } },
                "then": { "$ref": format!("#/$defs/{}", definition(kind)) },
            })
        })
        .collect();
    let kind = json!({ "enum": kinds, "description": "What the actor is; its name, unless given." });
    json!({
        "type": "object",
        "required": ["kind"],
        "properties": { "kind": kind, "enabled": enabled() },
        "allOf": cases,
    })
}

/// The list of actors: a name that is a kind, or that the program gives one, need not repeat it.
fn actors(catalog: &Catalog, defaults: &Value) -> Value {
    let mut names: Vec<(String, String)> = Vec::new();
    for (name, options) in defaults.as_object().into_iter().flatten() {
        let kind = options.get("kind").and_then(Value::as_str).unwrap_or(name);
        if catalog.get(kind).is_ok() {
            names.push((name.clone(), kind.to_owned()));
        }
    }
    for kind in catalog.kinds() {
        if !names.iter().any(|(name, _)| name == kind) {
            names.push((kind.to_owned(), kind.to_owned()));
        }
    }
    let known: Map<String, Value> = names
        .into_iter()
        .map(|(name, kind)| {
            let own = json!({ "anyOf": [{ "$ref": format!("#/$defs/{}", definition(&kind)) }, { "type": "null" }] });
            let schema = json!({
                "if": { "type": "object", "required": ["kind"] },
                "then": { "$ref": "#/$defs/Actor" },
                "else": own,
            });
            (name, schema)
        })
        .collect();
    json!({
        "type": ["object", "null"],
        "description": "What runs on the node: `name: { kind: …, enabled: …, and its own options }`.",
        "propertyNames": { "pattern": TOKEN, "maxLength": IDENTITY_MAX_BYTES },
        "properties": known,
        "additionalProperties": { "$ref": "#/$defs/Actor" },
    })
}

/// What a reference leads to.
fn follow<'a>(schema: &Value, definitions: &'a Map<String, Value>) -> Option<&'a Value> {
    definitions.get(schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?)
}

/// The schema, asked about single keys; made when it is first asked, which a start without
/// variables and mistakes never does.
pub(super) struct Shapes<'a> {
    catalog: &'a Catalog,
    defaults: ActorDefaults<'a>,
    schema: OnceCell<Value>,
}

/// One place in the schema, as it is written there: perhaps a reference, perhaps with a choice of
/// nothing at all.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    whole: &'a Value,
    schema: &'a Value,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(catalog: &'a Catalog, defaults: ActorDefaults<'a>) -> Self {
        Self { catalog, defaults, schema: OnceCell::new() }
    }

    /// The shape at `path`, where the actor that it leads into, if any, is of this kind.
    pub(super) fn at(&self, path: &[&str], kind: Option<&str>) -> Option<Shape<'_>> {
        let whole = self.schema.get_or_init(|| schema(self.catalog, self.defaults));
        let (schema, rest) = match path {
            ["actors", _, rest @ ..] => {
                let definitions = whole.get("$defs")?;
                let own = kind.and_then(|kind| definitions.get(definition(kind)));
                // What every actor may say is known without its kind; its kind may be any.
                let any = if rest.first() == Some(&"kind") { None } else { own };
                (any.or_else(|| definitions.get("Actor"))?, rest)
            }
            [section, rest @ ..] => (whole.get("properties")?.get(section)?, rest),
            [] => return None,
        };
        rest.iter().try_fold(Shape { whole, schema }, |shape, step| shape.step(step))
    }
}

impl<'a> Shape<'a> {
    /// Behind references and beside the choice of nothing.
    fn solid(self) -> &'a Value {
        let mut schema = self.schema;
        // A definition that is only another reference is rare, a chain of five is none of ours.
        for _ in 0..5 {
            let choices = schema.get("anyOf").and_then(Value::as_array);
            let choice = choices.and_then(|all| {
                let mut some = all.iter().filter(|one| one.get("type").and_then(Value::as_str) != Some("null"));
                some.next().filter(|_| some.next().is_none())
            });
            schema = choice.unwrap_or(schema);
            schema = self.whole.get("$defs").and_then(|all| follow(schema, all.as_object()?)).unwrap_or(schema);
        }
        schema
    }

    fn step(self, step: &str) -> Option<Self> {
        let schema = self.solid();
        let next = match step.parse::<usize>() {
            Ok(_) if schema.get("items").is_some() => schema.get("items"),
            Ok(_) | Err(_) => {
                let property = schema.get("properties").and_then(|all| all.get(step));
                // Names that the user chooses follow one pattern.
                let named = || schema.get("patternProperties")?.as_object()?.values().next();
                let any = || schema.get("additionalProperties").filter(|rest| rest.is_object());
                property.or_else(named).or_else(any)
            }
        };
        next.map(|schema| Self { schema, ..self })
    }

    /// The keys it takes, when no others are allowed.
    pub(super) fn closed_keys(self) -> Option<Vec<&'a str>> {
        let schema = self.solid();
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let keys = schema.get("properties").and_then(Value::as_object)?.keys();
        closed.then(|| keys.map(String::as_str).collect())
    }

    /// The keys it is known to take.
    pub(super) fn keys(self) -> Vec<&'a str> {
        let keys = self.solid().get("properties").and_then(Value::as_object);
        keys.into_iter().flat_map(Map::keys).map(String::as_str).collect()
    }

    /// What its own documentation says.
    pub(super) fn about(self) -> Option<String> {
        let said = self.schema.get("description").and_then(Value::as_str)?;
        Some(said.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The words it takes, when it takes only some.
    pub(super) fn words(self) -> Vec<&'a str> {
        let schema = self.solid();
        let choices = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let documented = choices.filter_map(|choice| choice.get("const").and_then(Value::as_str));
        let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        documented.chain(schema.get("const").and_then(Value::as_str)).chain(listed).collect()
    }

    fn takes(self, name: &str) -> bool {
        match self.solid().get("type") {
            Some(Value::String(one)) => one == name,
            Some(Value::Array(some)) => some.iter().any(|one| one == name),
            Some(_) | None => false,
        }
    }

    /// What to write there.
    pub(super) fn describe(self) -> String {
        let schema = self.solid();
        let words = self.words();
        let widest = match schema.get("format").and_then(Value::as_str) {
            Some("uint8") => Some(Value::from(u8::MAX)),
            Some("uint16") => Some(Value::from(u16::MAX)),
            Some("uint32") => Some(Value::from(u32::MAX)),
            Some(_) | None => None,
        };
        let bound = |key: &str| schema.get(key).map(ToString::to_string);
        if !words.is_empty() {
            return format!("one of {}", words.join(", "));
        }
        if schema.get("pattern").and_then(Value::as_str) == Some(TOKEN) {
            return format!("a name of letters, digits, `-` and `_`, at most {IDENTITY_MAX_BYTES} long");
        }
        if let (Some(said), true) = (schema.get("description"), schema.get("pattern").is_some()) {
            return said.as_str().unwrap_or("text").to_owned();
        }
        let plain = if self.takes("boolean") {
            "true or false"
        } else if self.takes("integer") {
            "a whole number"
        } else if self.takes("number") {
            "a number"
        } else if self.takes("array") {
            let item = self.step("0").map_or_else(|| "values".to_owned(), Self::describe);
            return format!("a list `[ … ]`, each item {item}");
        } else if self.takes("object") {
            "keys of its own, such as `{ key: value }`"
        } else if schema.get("format").and_then(Value::as_str) == Some("path") {
            "a path"
        } else if self.takes("string") {
            "text; put a number in quotes"
        } else {
            "another value"
        };
        match (bound("minimum"), bound("maximum").or(widest.map(|max| max.to_string()))) {
            (Some(min), Some(max)) => format!("{plain} from {min} to {max}"),
            (Some(min), None) => format!("{plain}, at least {min}"),
            (None, Some(max)) => format!("{plain}, at most {max}"),
            (None, None) => plain.to_owned(),
        }
    }

    /// The value that a text without types stands for: what the shape takes, else the text.
    pub(super) fn read(self, text: &str) -> Value {
        let text = text.trim();
        let fitting = if self.takes("boolean") {
            text.to_ascii_lowercase().parse::<bool>().ok().map(Value::Bool)
        } else if self.takes("integer") || self.takes("number") {
            serde_json::from_str(text).ok().filter(Value::is_number)
        } else if self.takes("array") {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let read = |item| self.step("0").map_or_else(|| Value::from(item), |shape| shape.read(item));
            Some(Value::Array(items.map(read).collect()))
        } else if self.takes("object") {
            serde_json::from_str(text).ok().filter(Value::is_object)
        } else {
            None
        };
        fitting.unwrap_or_else(|| Value::from(text))
    }
}

/// The one of `known` that is nearest to `word`, if any is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let rated = known.into_iter().map(|one| (strsim::jaro_winkler(&word, &one.to_lowercase()), one));
    rated.filter(|(near, _)| *near > 0.8).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, one)| one)
}
