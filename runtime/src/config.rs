//! Configuration: built-in defaults, under a file, under the environment, under flags.
//!
//! [`load`] merges the four, reports everything that is wrong with them, each with where it came
//! from, and yields a [`Profile`]. Nothing here reads the world but [`read_file`] and
//! [`environment()`].

use std::collections::BTreeMap;
use std::sync::Arc;

use nunect_core::{Catalog, UnitId};
use serde_json::{Map, Value};

mod capabilities;
mod changes;
mod check;
mod environment;
mod file;
mod layers;
mod problem;
mod profile;
mod shape;
mod supervision;
#[cfg(test)]
mod tests;
mod time;
mod values;
mod yaml;

pub use changes::Changes;
pub use environment::environment;
pub use file::read_file;
pub use nunect_core::clock::TimeMode;
pub use problem::{Origin, Place, Problem, SourceFile};
pub use profile::{
    ChaosSection, ConnectionSection, ControlSection, HealthSection, Level, LogFileSection, LoggingSection,
    MetadataSection, MetricsSection, Profile, ProvisioningSection, ServerSection,
};
pub use shape::schema;
pub use supervision::{ChildSection, GroupSection, SupervisionSection};
pub use time::{Daemon, TimeSection};
pub use values::{BusUrl, HostPort, Secret};

use check::Check;
use layers::{Layer, Merged};
use shape::Shapes;
use yaml::{Content, Node, Part};

/// The sections of a profile.
const SECTIONS: &[&str] = &[
    "metadata",
    "connection",
    "provisioning",
    "health",
    "capabilities",
    "logging",
    "actors",
    "supervision",
    "time",
    "chaos",
    "control",
    "metrics",
];

/// Of these, the sections that nothing in this version uses yet. It says so.
const IDLE_SECTIONS: &[&str] = &["provisioning"];

/// Sections that profiles have and this version does not even read. It says so, too.
const UNUSED_SECTIONS: &[&str] = &["qos"];

/// The actors that a program starts by itself: `name: { kind: …, and options }`, in the order of
/// start.
///
/// They are asked for with the sections that apply, because some of their options follow from
/// these; an option that the user gives to an actor wins over that. Where the user gives a name
/// another kind, nothing of the default is left.
pub type ActorDefaults<'a> = &'a dyn Fn(&Basis) -> Value;

/// The sections from which options of actors follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Basis {
    /// What the node tells about itself.
    pub health: HealthSection,
    /// What it writes down.
    pub logging: LoggingSection,
    /// What tells it the time.
    pub time: TimeSection,
}

/// Everything that [`load`] reads, the later over the earlier.
pub struct Sources<'a> {
    /// The program's own actors.
    pub defaults: ActorDefaults<'a>,
    /// The file, see [`read_file`].
    pub file: Option<SourceFile>,
    /// The environment, see [`environment()`]: `NUNECT_…`, `NATS_URL`, and what `${…}` of the file
    /// names.
    pub environment: Vec<(String, String)>,
    /// Flags by their name, each a tree of values such as `{"connection": {"urls": […]}}`.
    pub flags: Vec<(String, Value)>,
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The environment holds secrets.
        f.debug_struct("Sources").field("file", &self.file).field("flags", &self.flags).finish_non_exhaustive()
    }
}

/// A profile, and what is worth knowing about where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The profile.
    pub profile: Profile,
    /// What should be looked at although the node can start.
    pub warnings: Vec<Problem>,
    merged: Merged,
}

impl Loaded {
    /// Where the value of a dotted key came from, and its place if that is the file.
    #[must_use]
    pub fn origin(&self, key: &str) -> (Origin, Option<Place>) {
        let steps: Vec<&str> = key.split('.').collect();
        let values = self.merged.values();
        let given = steps.iter().try_fold(&values, |value, step| value.get(step)).is_some_and(|value| !value.is_null());
        match (given, key) {
            (true, _) => self.merged.find(&steps, Part::Value),
            (false, "metadata.unit_id") => (Origin::HostName, None),
            (false, _) => (Origin::Default, None),
        }
    }

    /// What is wrong with the value of a dotted key when that shows only as it is used: a file that
    /// is not there, a port that is taken.
    #[must_use]
    pub fn problem(&self, key: &str, reason: impl Into<String>, help: impl Into<String>) -> Problem {
        let (origin, place) = self.origin(key);
        let text = place.as_ref().and(self.merged.text()).cloned();
        Problem { origin, key: key.to_owned(), reason: reason.into(), help: help.into(), place, text }
    }

    /// The values that were given by anything, without the defaults of what nothing was said about.
    /// They hold the values of variables, and so perhaps secrets.
    #[must_use]
    pub fn values(&self) -> Value {
        self.merged.values()
    }

    /// The value of a dotted key as it is written in the file, if it counts and came from there.
    #[must_use]
    pub fn written(&self, key: &str) -> Option<&str> {
        let (origin, place) = self.origin(key);
        let Origin::File(_) = origin else { return None };
        self.merged.text()?.text.get(place?.span)
    }
}

/// Reads a profile. `host_name` names the unit when nothing else does.
///
/// # Errors
/// Everything that is wrong, in the order of the file's lines; mistakes in the syntax of the file
/// hide all others. The text of the file that they carry shows no password and no token.
pub fn load(sources: Sources<'_>, catalog: &Catalog, host_name: &str) -> Result<Loaded, Vec<Problem>> {
    let shown = sources.file.as_ref().map(|file| Arc::new(file.masked()));
    merge(sources, shown.clone(), catalog, host_name).map_err(|mut problems| {
        for (text, shown) in problems.iter_mut().filter_map(|problem| problem.text.as_mut()).zip(shown.iter().cycle()) {
            text.clone_from(shown);
        }
        problems
    })
}

/// As [`load`], but that the text of problems may be that of the file itself.
fn merge(
    sources: Sources<'_>,
    shown: Option<Arc<SourceFile>>,
    catalog: &Catalog,
    host_name: &str,
) -> Result<Loaded, Vec<Problem>> {
    let shapes = Shapes::new(catalog, sources.defaults);
    let mut problems = Vec::new();
    let presumed = (sources.defaults)(&Basis::default());
    let mut kinds = Kinds::default();
    for kind in catalog.kinds() {
        kinds.0.insert(kind.to_owned(), kind.to_owned());
    }
    kinds.learn(&presumed);
    let mut given = Vec::new();
    let mut file = None;
    if let Some(text) = sources.file.map(Arc::new) {
        let root = yaml::parse(&text)?;
        kinds.learn_from_file(&root);
        let mut reader = file::Reader {
            file: &text,
            environment: &sources.environment,
            shapes: &shapes,
            kinds: &kinds,
            problems: Vec::new(),
        };
        let tree = reader.sections(&root);
        problems.append(&mut reader.problems);
        given.push(Layer { origin: Origin::File(text.path.clone()), tree });
        file = shown.map(|shown| (shown, root));
    }
    given.extend(environment::layers(&sources.environment, &shapes, &kinds, &mut problems));
    given.extend(sources.flags.into_iter().map(|(name, tree)| Layer { origin: Origin::Flag(name), tree }));

    let defaults = default_layer(sources.defaults, &given);
    let order = order(std::iter::once(&defaults).chain(&given));
    let merged = Merged::of(std::iter::once(&defaults).chain(&given)).with_file(file);
    let values = merged.values();
    let (found, warnings) = (Vec::new(), Vec::new());
    let mut check = Check { catalog, shapes: &shapes, merged: &merged, values: &values, problems: found, warnings };
    check.sections();
    let metadata: MetadataSection = check.section("metadata");
    let connection = check.section("connection");
    let provisioning = check.section("provisioning");
    let health = check.section("health");
    let capabilities = check.capabilities();
    let logging = check.section("logging");
    let actors = check.actors(&order);
    let supervision = check.supervision(&order);
    let time = check.section("time");
    let chaos = check.section("chaos");
    let control = check.section("control");
    let metrics = check.optional("metrics");
    let Check { problems: mut found, warnings, .. } = check;
    // That a whole is not complete is no news where the value of a part of it could not be told.
    found.retain(|problem| !problems.iter().any(|part| part.key.starts_with(&format!("{}.", problem.key))));
    problems.append(&mut found);
    let unit = metadata.unit_id.clone().or_else(|| unit_of_host(host_name, &mut problems));
    match unit {
        Some(unit) if problems.is_empty() => {
            let profile = Profile {
                unit,
                metadata,
                connection,
                health,
                logging,
                actors,
                supervision,
                capabilities,
                chaos,
                control,
                metrics,
                time,
                provisioning,
            };
            Ok(Loaded { profile, warnings, merged })
        }
        Some(_) | None => {
            problems.sort_by_key(|problem| problem.place.as_ref().map_or(usize::MAX, |place| place.span.start));
            Err(problems)
        }
    }
}

/// The unit's name when nothing that could be read gives it one.
fn unit_of_host(host_name: &str, problems: &mut Vec<Problem>) -> Option<UnitId> {
    let key = "metadata.unit_id";
    UnitId::from_host_name(host_name)
        .map_err(|error| {
            // One that could not be read is reported already, and is what to correct.
            if !problems.iter().any(|problem| problem.key == key) {
                problems.push(Problem {
                    origin: Origin::HostName,
                    key: key.to_owned(),
                    reason: format!("the name of this host cannot name the unit: {error}"),
                    help: format!("set {key} in the file, or NUNECT_METADATA__UNIT_ID"),
                    place: None,
                    text: None,
                });
            }
        })
        .ok()
}

/// The program's actors for the sections that apply, but for those that the user makes into
/// something else.
fn default_layer(defaults: ActorDefaults<'_>, given: &[Layer]) -> Layer {
    let values = Merged::of(given).values();
    // What is wrong with it is reported later.
    let basis = Basis {
        health: values.get("health").and_then(|health| check::read(health).ok()).unwrap_or_default(),
        logging: values.get("logging").and_then(|logging| check::read(logging).ok()).unwrap_or_default(),
        time: values.get("time").and_then(|time| check::read(time).ok()).unwrap_or_default(),
    };
    let mut actors = defaults(&basis);
    if let Some(actors) = actors.as_object_mut() {
        actors.retain(|name, options| {
            let own = options.get("kind").and_then(Value::as_str).unwrap_or(name);
            let said = values.get("actors").and_then(|actors| actors.get(name)?.get("kind"));
            said.is_none_or(|kind| kind == own)
        });
    }
    Layer { origin: Origin::Default, tree: layers::nest(["actors"].into_iter(), actors) }
}

/// The names of all actors, in the order in which layers first name them.
fn order<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for actors in layers.into_iter().filter_map(|layer| layer.tree.get("actors")?.as_object()) {
        for name in actors.keys() {
            if !order.contains(name) {
                order.push(name.clone());
            }
        }
    }
    order
}

/// What actors are, as far as names and lower layers say: environment variables and `${…}` are
/// read by it.
#[derive(Debug, Default)]
struct Kinds(BTreeMap<String, String>);

impl Kinds {
    fn learn(&mut self, actors: &Value) {
        for (name, options) in actors.as_object().unwrap_or(&Map::new()) {
            let kind = options.get("kind").and_then(Value::as_str).unwrap_or(name);
            self.0.insert(name.clone(), kind.to_owned());
        }
    }

    fn learn_from_file(&mut self, root: &Node) {
        for (name, node) in root.get("actors").into_iter().flat_map(Node::entries) {
            let said = node.get("kind").and_then(|node| match &node.content {
                Content::Scalar(Value::String(kind)) => Some(kind.clone()),
                Content::Scalar(_) | Content::List(_) | Content::Map(_) => None,
            });
            let kind = said.or_else(|| self.0.get(name).cloned()).unwrap_or_else(|| name.to_owned());
            self.0.insert(name.to_owned(), kind);
        }
    }

    fn of<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, String::as_str)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// A path as people write it: `connection.urls[0]`.
fn dotted(path: &[&str]) -> String {
    let mut dotted = String::new();
    for step in path {
        match (step.parse::<usize>(), dotted.is_empty()) {
            (Ok(at), false) => dotted.push_str(&format!("[{at}]")),
            (_, true) => dotted.push_str(step),
            (Err(_), false) => {
                dotted.push('.');
                dotted.push_str(step);
            }
        }
    }
    dotted
}
