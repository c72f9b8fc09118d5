//! What is wrong with a scenario, and where.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::tree::{Part, Tree};

/// A scenario file as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path, as the user gave it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A place in a [`Source`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The line, from 1; 0 when only the file is known.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes of the text that are meant.
    pub span: Range<usize>,
}

/// One mistake in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub source: Arc<Source>,
    /// Where in it.
    pub place: Place,
    /// The key at fault, from the top: `faults[0].crash.nodes`; empty for the whole.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What to do about it; empty where that is plain.
    pub help: String,
}

impl fmt::Display for Problem {
    /// One line: file, line, column, key, reason, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source.path.display())?;
        if self.place.line > 0 {
            write!(f, ":{}:{}", self.place.line, self.place.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.reason)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Its file cannot be read.
    #[error("cannot read scenario {path}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// It does not say what can be run: all mistakes that were found, at least one.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

impl ScenarioError {
    /// The mistakes in the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Invalid(problems) => problems,
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// How serde words a key that should not be there.
pub(crate) const UNKNOWN_FIELD: &str = "unknown field";

/// Collects mistakes.
#[derive(Debug)]
pub(crate) struct Problems {
    source: Arc<Source>,
    tree: Tree,
    found: Vec<Problem>,
}

impl Problems {
    pub(crate) const fn new(source: Arc<Source>, tree: Tree) -> Self {
        Self { source, tree, found: Vec::new() }
    }

    /// Notes that what stands at `key` cannot be used.
    pub(crate) fn add(&mut self, key: impl Into<String>, reason: impl Into<String>, help: impl Into<String>) {
        self.add_at(Part::Value, key.into(), reason.into(), help.into());
    }

    /// Notes that the key itself, or its value, cannot be used.
    pub(crate) fn add_at(&mut self, part: Part, key: String, reason: String, help: String) {
        let place = self.tree.locate(&key, part);
        self.found.push(Problem { source: Arc::clone(&self.source), place, key, reason, help });
    }

    /// Whether something stands at `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.tree.has(key)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The line on which `key` stands.
    pub(crate) fn line(&self, key: &str) -> usize {
        self.tree.locate(key, Part::Value).line
    }

    /// What was found.
    ///
    /// # Errors
    /// When that is anything.
    pub(crate) fn into_result(self) -> Result<Tree, ScenarioError> {
        if self.found.is_empty() { Ok(self.tree) } else { Err(ScenarioError::Invalid(self.found)) }
    }
}

/// The one of `known` that `wrong` was probably meant to be.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &&str| strsim::damerau_levenshtein(wrong, name);
    let near = |name: &&str| distance(name) <= wrong.len().max(name.len()).div_ceil(3);
    known.into_iter().filter(near).min_by_key(distance)
}

/// `did you mean `x`?`, when there is something near.
pub(crate) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |near| format!("did you mean `{near}`?"))
}
