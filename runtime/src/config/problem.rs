//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A configuration file as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as the user gave it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// The same with `*` in place of passwords and tokens, every other byte where it is: what is
    /// shown of a mistake must not show these.
    pub(super) fn masked(&self) -> Self {
        let mut bytes = self.text.clone().into_bytes();
        for secret in secrets(&self.text) {
            if let Some(bytes) = bytes.get_mut(secret) {
                bytes.fill(b'*');
            }
        }
        Self { path: self.path.clone(), text: String::from_utf8_lossy(&bytes).into_owned() }
    }
}

/// Where a text that may be no YAML at all seems to hold secrets: before the `@` of an address, and
/// after the key of a token. What the environment is to say is none.
fn secrets(text: &str) -> Vec<Range<usize>> {
    const TOKEN: &str = "bootstrap_token";
    let up_to = |start: usize, ends: &dyn Fn(char) -> bool| {
        let rest = text.get(start..).unwrap_or_default();
        start..start + rest.find(ends).unwrap_or(rest.len())
    };
    let mut found = Vec::new();
    for (at, between) in text.match_indices("://") {
        let address = up_to(at + between.len(), &|c| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ']' | '}'));
        let user = text.get(address.clone()).and_then(|address| address.rfind('@'));
        found.extend(user.map(|length| address.start..address.start + length));
    }
    for (at, key) in text.match_indices(TOKEN) {
        let mut start = at + key.len();
        let skips = |c: char| matches!(c, '"' | '\'' | ':' | ' ' | '\t');
        start = up_to(start, &|c| !skips(c)).end;
        let quote = text.get(..start).and_then(|before| before.chars().next_back());
        let value = match quote {
            Some(quote @ ('"' | '\'')) => up_to(start, &|c| c == quote || c == '\n'),
            Some(_) | None => up_to(start, &|c| matches!(c, ',' | '}' | '#' | '\n')),
        };
        found.push(value);
    }
    found.retain(|range| !text.get(range.clone()).unwrap_or_default().contains("${"));
    found
}

/// A place in a [`SourceFile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes of the text that are meant.
    pub span: Range<usize>,
}

impl Place {
    /// The place of some bytes of `text`.
    pub(super) fn of(text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column, span }
    }

    /// The place of a character of `text`, by its line and column from 1.
    pub(super) fn at(text: &str, line: usize, column: usize) -> Option<Self> {
        let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
        let rest = text.get(start..)?;
        let start = start + rest.chars().take(column.checked_sub(1)?).map(char::len_utf8).sum::<usize>();
        let length = text.get(start..)?.chars().next().map_or(0, char::len_utf8);
        Some(Self { line, column, span: start..start + length })
    }
}

/// Where a value of the configuration came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Built in, by this crate or by the program.
    #[default]
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
    /// The name of this host.
    HostName,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in default"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::HostName => f.write_str("host name"),
        }
    }
}

/// Something to correct in a configuration: an error, or a warning when the node can start anyway.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where the value at fault came from.
    pub origin: Origin,
    /// The key at fault, dotted from the top; empty for the whole.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub help: String,
    /// Where in the file, when it came from there.
    pub place: Option<Place>,
    /// The file that `place` is in: for a snippet.
    pub text: Option<Arc<SourceFile>>,
}

impl Problem {
    /// The file at fault, when it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) => Some(path),
            Origin::Default | Origin::Variable(_) | Origin::Flag(_) | Origin::HostName => None,
        }
    }

    /// The line in the file, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for Problem {}

/// The shape of `--json`: `origin`, `line`, `column`, `key`, `reason`, `help`.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("origin", &self.origin.to_string())?;
        map.serialize_entry("line", &self.place.as_ref().map(|place| place.line))?;
        map.serialize_entry("column", &self.place.as_ref().map(|place| place.column))?;
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("help", &self.help)?;
        map.end()
    }
}
