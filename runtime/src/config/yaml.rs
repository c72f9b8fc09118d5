//! A YAML text as a tree in which every key and value knows its place.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::problem::{Origin, Place, Problem, SourceFile};

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Option<Place>,
    pub(super) content: Content,
}

/// What a [`Node`] holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Null, a truth value, a number or a string.
    Scalar(Value),
    List(Vec<Node>),
    /// Keys with their own places, in the order of the text.
    Map(Vec<(Key, Node)>),
}

/// A key of a map and its place.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) place: Option<Place>,
}

/// Which part of an entry a place is wanted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

impl Node {
    /// How far `path` leads, and where to.
    pub(super) fn locate(&self, path: &[&str], part: Part) -> (usize, Option<&Place>) {
        let (mut node, mut key) = (self, None);
        for (depth, step) in path.iter().enumerate() {
            let next = match &node.content {
                Content::Scalar(_) => None,
                Content::List(items) => {
                    step.parse::<usize>().ok().and_then(|at| items.get(at)).map(|item| (item.place.as_ref(), item))
                }
                Content::Map(entries) => {
                    // The last of duplicates: that is the one that counts.
                    let entry = entries.iter().rev().find(|(key, _)| key.name == *step);
                    entry.map(|(key, value)| (key.place.as_ref(), value))
                }
            };
            match next {
                Some((place, value)) => (key, node) = (place, value),
                None => return (depth, node.place_of(key, part)),
            }
        }
        (path.len(), node.place_of(key, part))
    }

    /// The entries of the map that it is, if it is one.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        let entries = match &self.content {
            Content::Map(entries) => entries.as_slice(),
            Content::Scalar(_) | Content::List(_) => &[],
        };
        entries.iter().map(|(key, node)| (key.name.as_str(), node))
    }

    /// The value of a key, if it is a map with that key.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().find(|(key, _)| *key == name).map(|(_, node)| node)
    }

    /// A scalar is at fault itself; for what may span lines, its key stands.
    fn place_of<'a>(&'a self, key: Option<&'a Place>, part: Part) -> Option<&'a Place> {
        let own = match (&self.content, part) {
            (Content::Scalar(Value::Null) | Content::List(_) | Content::Map(_), _) | (_, Part::Key) => None,
            (Content::Scalar(_), Part::Value) => self.place.as_ref(),
        };
        own.or(key).or(self.place.as_ref())
    }

    /// Reports every key that a map holds twice.
    fn duplicates(&self, path: &str, file: &Arc<SourceFile>, problems: &mut Vec<Problem>) {
        match &self.content {
            Content::Scalar(_) => {}
            Content::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    item.duplicates(&format!("{path}[{at}]"), file, problems);
                }
            }
            Content::Map(entries) => {
                for (at, (key, value)) in entries.iter().enumerate() {
                    let path = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
                    if let Some((first, _)) = entries.iter().take(at).find(|(other, _)| other.name == key.name) {
                        let line = first.place.as_ref().map_or(0, |place| place.line);
                        problems.push(Problem {
                            origin: Origin::File(file.path.clone()),
                            key: path.clone(),
                            reason: format!("duplicate key `{}`: it stands on line {line} already", key.name),
                            help: "keep one of the two".to_owned(),
                            place: key.place.clone(),
                            text: Some(Arc::clone(file)),
                        });
                    }
                    value.duplicates(&path, file, problems);
                }
            }
        }
    }
}

/// Reads a file; an empty one is an empty map.
///
/// # Errors
/// Its first mistake in syntax, or all duplicate keys.
pub(super) fn parse(file: &Arc<SourceFile>) -> Result<Node, Vec<Problem>> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // What looks like a word or a name stays one: `yes`, `007`, `1_000`.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    let root: Node = match serde_saphyr::from_str_with_options(&file.text, options) {
        Ok(root) => root,
        Err(error) => return Err(vec![syntax(file, &error)]),
    };
    let mut problems = Vec::new();
    root.duplicates("", file, &mut problems);
    if problems.is_empty() { Ok(root) } else { Err(problems) }
}

fn syntax(file: &Arc<SourceFile>, error: &serde_saphyr::Error) -> Problem {
    let help = if matches!(error, serde_saphyr::Error::MultipleDocuments { .. }) {
        "keep one document: remove the line `---` and what follows it"
    } else {
        "write `key: value`, indented by spaces under its section, and close brackets and quotes"
    };
    let place = error.location().and_then(|location| {
        let exact = place(&location);
        let (line, column) = (usize::try_from(location.line()).ok()?, usize::try_from(location.column()).ok()?);
        exact.or_else(|| Place::at(&file.text, line, column))
    });
    Problem {
        origin: Origin::File(file.path.clone()),
        key: String::new(),
        reason: format!("no valid YAML: {}", UserMessageFormatter.format_message(error)),
        help: help.to_owned(),
        place,
        text: Some(Arc::clone(file)),
    }
}

fn place(location: &Location) -> Option<Place> {
    let number = |number: u64| usize::try_from(number).ok();
    if *location == Location::UNKNOWN {
        return None;
    }
    let start = number(location.span().byte_offset()?)?;
    let length = number(location.span().byte_len().unwrap_or(0))?;
    Some(Place { line: number(location.line())?, column: number(location.column())?, span: start..start + length })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let content = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { place: place(&content.referenced), content: content.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(Value::from(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(Value::from(value)))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Scalar(Value::from(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(Value::from(value)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Node>()? {
            map.push((Key { name: key.value, place: place(&key.referenced) }, value));
        }
        Ok(Content::Map(map))
    }
}
