//! Scenarios: YAML files that say which nodes there are, what befalls them and what is expected.
//!
//! A file is read into a tree that knows its places, the tree into types, and the types into a plan
//! in which every name is resolved. Each step reports mistakes with file, line, column and key;
//! nothing runs before all have passed.

mod error;
mod expect;
mod faults;
pub(crate) mod file;
mod names;
mod plan;
mod swarm;
mod traffic;
mod tree;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nunect_core::{Catalog, ConfigError};
use schemars::Schema;
use serde_path_to_error::Segment;

pub use error::{Place, Problem, ScenarioError, Source};
pub(crate) use plan::{Plan, PlannedNode};

use error::{Problems, UNKNOWN_FIELD, did_you_mean};
use file::ScenarioFile;
use tree::{Part, Tree};

/// A scenario that can be run once its actors are known.
#[derive(Clone, Debug)]
pub struct Scenario {
    source: Arc<Source>,
    tree: Tree,
    pub(crate) plan: Plan,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// When it cannot be read, or says what cannot be run.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ScenarioError> {
        let path = path.as_ref();
        let text = file::read(path).map_err(|error| ScenarioError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(path, text)
    }

    /// Reads a scenario from its text; `path` is what errors call it.
    ///
    /// # Errors
    /// When it says what cannot be run.
    pub fn parse(path: impl AsRef<Path>, text: impl Into<String>) -> Result<Self, ScenarioError> {
        let source = Arc::new(Source { path: path.as_ref().to_owned(), text: text.into() });
        let tree = Tree::parse(&source.text).map_err(|(place, reason)| {
            let source = Arc::clone(&source);
            ScenarioError::Invalid(vec![Problem { source, place, key: String::new(), reason, help: String::new() }])
        })?;
        let mut problems = Problems::new(Arc::clone(&source), tree.clone());
        let plan = match serde_path_to_error::deserialize::<_, ScenarioFile>(tree.value()) {
            Ok(file) => Plan::new(&file, &mut problems),
            Err(error) => {
                misread(&mut problems, error);
                Plan::default()
            }
        };
        let tree = problems.into_result()?;
        Ok(Self { source, tree, plan })
    }

    /// Checks the actors of all nodes: their kinds and their options.
    ///
    /// # Errors
    /// Every actor whose kind is unknown or whose options are wrong.
    pub fn check(&self, catalog: &Catalog) -> Result<(), ScenarioError> {
        let mut problems = Problems::new(Arc::clone(&self.source), self.tree.clone());
        for (prefix, actor) in &self.plan.actors {
            if let Err(ConfigError { key, reason }) = catalog.check(actor) {
                let help =
                    if key.ends_with(".kind") { did_you_mean(&actor.kind, catalog.kinds()) } else { String::new() };
                let part = if reason.starts_with(UNKNOWN_FIELD) { Part::Key } else { Part::Value };
                problems.add_at(part, format!("{prefix}.{key}"), reason, help);
            }
        }
        problems.into_result().map(drop)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// What it is about, in a sentence; may be empty.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.plan.about
    }

    /// The seed that the file gives.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.plan.seed
    }

    /// How much time it simulates.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        Duration::from_nanos(self.plan.duration)
    }

    /// How many nodes it has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.plan.nodes.len()
    }

    /// The names of what runs of it should show `sometimes`.
    pub fn sometimes(&self) -> impl Iterator<Item = &str> {
        let wanted = self.plan.expectations.iter().filter(|expectation| expectation.rule.is_sometimes());
        wanted.map(|expectation| expectation.name.as_str())
    }

    /// How many expectations it has.
    #[must_use]
    pub fn expectations(&self) -> usize {
        self.plan.expectations.len()
    }

    /// The command that runs it with this seed.
    #[must_use]
    pub fn replay(&self, seed: u64) -> String {
        format!("nunect sim run {} --seed {seed}", quoted(&self.source.path))
    }

    /// The file that it came from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// A path as a word of a command for a shell.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The JSON schema of scenario files.
#[must_use]
pub fn schema() -> Schema {
    schemars::schema_for!(ScenarioFile)
}

/// Reports that the tree is not of the shape of a scenario.
fn misread(problems: &mut Problems, error: serde_path_to_error::Error<serde_json::Error>) {
    let mut key = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => key += &format!("[{index}]"),
            Segment::Map { key: name } | Segment::Enum { variant: name } => join(&mut key, name),
            Segment::Unknown => {}
        }
    }
    let reason = error.into_inner().to_string();
    // The words are serde's own: `unknown field `x`, expected one of `a`, `b``.
    let quoted: Vec<&str> = reason.split('`').skip(1).step_by(2).collect();
    let (part, help) = match quoted.split_first() {
        Some((wrong, known)) if reason.starts_with(UNKNOWN_FIELD) => {
            (Part::Key, did_you_mean(wrong, known.iter().copied()))
        }
        // A variant is a key when it has a value, and a value otherwise.
        Some((wrong, known)) if reason.starts_with("unknown variant") => {
            let entry = format!("{key}.{wrong}");
            let part = if problems.has(&entry) { Part::Key } else { Part::Value };
            if part == Part::Key {
                key = entry;
            }
            (part, did_you_mean(wrong, known.iter().copied()))
        }
        Some((missing, _)) if reason.starts_with("missing field") => {
            join(&mut key, missing);
            (Part::Value, String::new())
        }
        Some(_) | None => (Part::Value, String::new()),
    };
    problems.add_at(part, key, reason, help);
}

fn join(key: &mut String, name: &str) {
    if !key.is_empty() {
        key.push('.');
    }
    key.push_str(name);
}

#[cfg(test)]
mod tests;
