//! The kinds of actor that a program knows.

use garde::Validate;

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use crate::actor::{Actor, Birth, Hosted};
use crate::config::ConfigError;
use crate::identity::ActorName;
use crate::subject::check_token;
use crate::table::Table;

/// Begins a life of an actor with this configuration.
pub type Build = fn(&Value, &Birth) -> Result<Box<dyn Hosted>, ConfigError>;

/// How one kind of actor is described and built.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name in configuration.
    pub kind: &'static str,
    /// The schema of its configuration.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Checks a configuration without building anything.
    pub check: fn(&Value) -> Result<(), ConfigError>,
    /// Begins a life. Errors name the key at fault, relative to the configuration value.
    pub build: Build,
}

impl Entry {
    /// The entry of `A`.
    #[must_use]
    pub const fn of<A: Actor>() -> Self {
        Self {
            kind: A::KIND,
            schema: |generator| generator.subschema_for::<A::Config>(),
            check: |value| read::<A>(value).map(drop),
            build: |value, birth| Ok(Box::new(A::new(read::<A>(value)?, birth)?)),
        }
    }
}

fn read<A: Actor>(value: &Value) -> Result<A::Config, ConfigError> {
    // An actor without options may be written `{ kind: echo }`: nothing is as good as `{}`.
    let empty = Value::Object(serde_json::Map::new());
    let value = if value.is_null() { &empty } else { value };
    let config: A::Config = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        ConfigError::new(if path == "." { String::new() } else { path }, error.into_inner().to_string())
    })?;
    config.validate().map_err(|report| match report.iter().next() {
        Some((path, error)) => ConfigError::new(path.to_string(), error.message()),
        None => ConfigError::new("", report.to_string()),
    })?;
    Ok(config)
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Entry").field(&self.kind).finish()
    }
}

/// One actor of a node, as a configuration names it.
#[derive(Clone, Debug, PartialEq)]
pub struct ActorSpec {
    /// Its name within the node.
    pub name: ActorName,
    /// Its kind in the catalog.
    pub kind: String,
    /// Its own options.
    pub config: Value,
}

impl ActorSpec {
    /// Reads `name: { kind: …, enabled: …, and its own options }`. The kind is the name unless
    /// given; an actor that is not enabled is none.
    ///
    /// # Errors
    /// When the name, `kind` or `enabled` is malformed; the key is relative to the list of actors.
    pub fn parse(name: &str, value: &Value) -> Result<Option<Self>, ConfigError> {
        let actor = ActorName::new(name).map_err(|error| ConfigError::new(name, error.to_string()))?;
        let mut options = match value {
            Value::Null => serde_json::Map::new(),
            Value::Object(options) => options.clone(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let reason = "write its options under it, such as `{ kind: echo }`";
                return Err(ConfigError::new(name, reason));
            }
        };
        let enabled = match options.shift_remove("enabled") {
            None => true,
            Some(Value::Bool(enabled)) => enabled,
            Some(other) => {
                return Err(ConfigError::new("enabled", format!("`{other}` is neither true nor false")).under(name));
            }
        };
        let kind = match options.shift_remove("kind") {
            None => name.to_owned(),
            Some(Value::String(kind)) => kind,
            Some(other) => {
                return Err(ConfigError::new("kind", format!("`{other}` is no kind of actor")).under(name));
            }
        };
        Ok(enabled.then_some(Self { name: actor, kind, config: Value::Object(options) }))
    }
}

/// All kinds, by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    entries: Table<&'static str, Entry>,
}

impl Catalog {
    /// No kinds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the kind of `A`, in place of another of the same name.
    ///
    /// # Panics
    /// When [`Actor::KIND`] is not one subject token: a mistake in the program.
    #[must_use]
    pub fn with<A: Actor>(mut self) -> Self {
        assert!(check_token(A::KIND).is_ok(), "Actor::KIND `{}` must match [A-Za-z0-9_-]+", A::KIND);
        self.entries.insert(A::KIND, Entry::of::<A>());
        self
    }

    /// The entry of `kind`.
    ///
    /// # Errors
    /// When there is none; the error lists those there are.
    pub fn get(&self, kind: &str) -> Result<&Entry, ConfigError> {
        self.entries.get(kind).ok_or_else(|| {
            let known = self.kinds().collect::<Vec<_>>().join(", ");
            ConfigError::new("kind", format!("no kind of actor is called `{kind}`; known: {known}"))
        })
    }

    /// Checks an actor's kind and options without building it.
    ///
    /// # Errors
    /// When the kind is unknown or an option is wrong; the key starts with the actor's name.
    pub fn check(&self, spec: &ActorSpec) -> Result<(), ConfigError> {
        let checked = self.get(&spec.kind).and_then(|entry| (entry.check)(&spec.config));
        checked.map_err(|error| error.under(spec.name.as_str()))
    }

    /// The names of all kinds, in the order they were added.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.entries.keys().copied()
    }

    /// All entries, in the order they were added.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

#[cfg(test)]
mod tests;
