//! Values over values: which one counts, and where it came from.

use std::sync::Arc;

use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Provider, Source};
use serde_json::Value;

use super::problem::{Origin, Place, SourceFile};
use super::yaml::{Node, Part};

/// The name under which figment keeps variables; what else has a custom source is a flag.
const VARIABLE: &str = "environment variable";

/// A tree of values of one origin.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) origin: Origin,
    pub(super) tree: Value,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        match &self.origin {
            Origin::Default | Origin::HostName => Metadata::named("default"),
            Origin::File(path) => Metadata::from("file", path.as_path()),
            Origin::Variable(name) => Metadata::from(VARIABLE, Source::Custom(name.clone())),
            Origin::Flag(name) => Metadata::from("flag", Source::Custom(name.clone())),
        }
    }

    fn data(&self) -> figment::Result<Map<figment::Profile, Dict>> {
        let tree = figment::value::Value::serialize(&self.tree)?;
        Ok(figment::Profile::Default.collect(tree.into_dict().unwrap_or_default()))
    }
}

fn origin_of(metadata: &Metadata) -> Origin {
    let Some(source) = &metadata.source else { return Origin::Default };
    match (source.file_path(), source.custom()) {
        (Some(path), _) => Origin::File(path.to_owned()),
        (None, Some(name)) if metadata.name == VARIABLE => Origin::Variable(name.to_owned()),
        (None, Some(name)) => Origin::Flag(name.to_owned()),
        (None, None) => Origin::Default,
    }
}

/// Layers merged, the later over the earlier; every value still knows its layer.
#[derive(Debug)]
pub(super) struct Merged {
    figment: Figment,
    root: figment::value::Value,
    file: Option<(Arc<SourceFile>, Node)>,
}

impl Merged {
    pub(super) fn of<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Self {
        let figment = layers.into_iter().fold(Figment::new(), |figment, layer| figment.merge(layer));
        let root = figment.find_value("").unwrap_or_else(|_| Dict::new().into());
        Self { figment, root, file: None }
    }

    /// With the file that one of the layers was read from: places can then be told.
    pub(super) fn with_file(self, file: Option<(Arc<SourceFile>, Node)>) -> Self {
        Self { file, ..self }
    }

    /// The values as they count.
    pub(super) fn values(&self) -> Value {
        serde_json::to_value(&self.root).unwrap_or_default()
    }

    /// The text of the file.
    pub(super) fn text(&self) -> Option<&Arc<SourceFile>> {
        self.file.as_ref().map(|(text, _)| text)
    }

    /// Where the value at `path` came from, or where the last key on the way to it did.
    pub(super) fn find(&self, path: &[&str], part: Part) -> (Origin, Option<Place>) {
        let (mut value, mut depth) = (&self.root, 0);
        while let Some(next) = path.get(depth).and_then(|step| step_into(value, step)) {
            (value, depth) = (next, depth + 1);
        }
        let origin = self.figment.get_metadata(value.tag()).map(origin_of).unwrap_or_default();
        let Some((file, node)) = &self.file else { return (origin, None) };
        let (reached, place) = node.locate(path, part);
        // Layers share a map: what is wrong with the whole of it is best corrected in the file.
        let shared = value.as_dict().is_some() && reached >= depth;
        if shared || matches!(origin, Origin::File(_)) {
            (Origin::File(file.path.clone()), place.cloned())
        } else {
            (origin, None)
        }
    }
}

fn step_into<'a>(value: &'a figment::value::Value, step: &str) -> Option<&'a figment::value::Value> {
    match step.parse::<usize>() {
        Ok(at) if value.as_array().is_some() => value.as_array()?.get(at),
        Ok(_) | Err(_) => value.as_dict()?.get(step),
    }
}

/// Puts a value under a path of keys.
pub(super) fn nest<'a>(path: impl DoubleEndedIterator<Item = &'a str>, leaf: Value) -> Value {
    path.rev().fold(leaf, |inner, key| Value::Object(serde_json::Map::from_iter([(key.to_owned(), inner)])))
}
