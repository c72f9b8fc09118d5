//! A YAML text as a tree in which every key and value knows its place.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned, UserMessageFormatter};

use super::error::Place;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    place: Place,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Scalar(Value),
    List(Vec<Tree>),
    /// Keys with their own places, in the order of the text.
    Map(Vec<(String, Place, Tree)>),
}

/// Which part of an entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

impl Tree {
    /// Reads a text.
    ///
    /// # Errors
    /// Where it is no YAML, and why not.
    pub(crate) fn parse(text: &str) -> Result<Self, (Place, String)> {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map(place).unwrap_or_default();
            (place, error.render_with_formatter(&UserMessageFormatter))
        })
    }

    /// The same without places.
    pub(crate) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Map(entries) => {
                Value::Object(entries.iter().map(|(key, _, value)| (key.clone(), value.value())).collect())
            }
        }
    }

    /// Whether something stands at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.walk(path).2
    }

    /// The place of what stands at `path`, such as `nodes[0].count`, or of the nearest to it that
    /// there is. Of a map or a missing value the key is meant.
    pub(crate) fn locate(&self, path: &str, part: Part) -> Place {
        let (tree, key, _) = self.walk(path);
        match (&tree.content, part, key) {
            (Content::Map(_) | Content::Scalar(Value::Null), Part::Value, Some(key)) | (_, Part::Key, Some(key)) => {
                key.clone()
            }
            (Content::Map(_) | Content::List(_) | Content::Scalar(_), _, _) => tree.place.clone(),
        }
    }

    /// What stands at `path` or is the nearest to it, its key, and whether the whole path leads there.
    fn walk(&self, path: &str) -> (&Self, Option<&Place>, bool) {
        let (mut tree, mut key) = (self, None);
        for step in path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty()) {
            let next = match &tree.content {
                Content::Scalar(_) => None,
                Content::List(items) => {
                    step.parse::<usize>().ok().and_then(|at| items.get(at)).map(|item| (None, item))
                }
                Content::Map(entries) => {
                    entries.iter().find(|(name, ..)| name == step).map(|(_, place, value)| (Some(place), value))
                }
            };
            match next {
                Some((place, value)) => (key, tree) = (place, value),
                None => return (tree, key, false),
            }
        }
        (tree, key, true)
    }
}

fn place(location: Location) -> Place {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let start = number(location.span().byte_offset().unwrap_or(0));
    let length = number(location.span().byte_len().unwrap_or(0));
    Place {
        line: number(location.line()),
        column: number(location.column()),
        span: start..start.saturating_add(length),
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let content = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { place: place(content.referenced), content: content.value })
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
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
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
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Tree>()? {
            map.push((key.value, place(key.referenced), value));
        }
        Ok(Content::Map(map))
    }
}
