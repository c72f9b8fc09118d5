//! What one profile changes of another.

use nunect_core::ActorSpec;
use serde::Serialize;
use serde_json::Value;

use super::profile::Profile;

/// What a new profile changes, as dotted keys in the order of the sections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// What a node takes over as it runs; `actors.NAME` for one that comes, goes, or has other
    /// options.
    pub live: Vec<String>,
    /// What it has to be started anew for.
    pub restart: Vec<String>,
}

impl Changes {
    /// Whether nothing changes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    fn add(&mut self, key: String) {
        let list = if is_live(&key) { &mut self.live } else { &mut self.restart };
        if !list.contains(&key) {
            list.push(key);
        }
    }
}

/// Whether a node takes a key over as it runs: by itself, or, since it is an option of an actor as
/// well, by a new life of that actor.
fn is_live(key: &str) -> bool {
    let section = key.split('.').next().unwrap_or(key);
    matches!(section, "health" | "logging" | "capabilities" | "chaos" | "actors" | "time")
}

impl Profile {
    /// What changes when `new` follows this profile.
    #[must_use]
    pub fn diff(&self, new: &Self) -> Changes {
        let mut changes = Changes::default();
        for ((section, was), (_, is)) in self.sections().into_iter().zip(new.sections()) {
            walk(section, &was, &is, &mut |key| {
                // The name is what counts, not whether it was said or is the host's.
                if key != "metadata.unit_id" {
                    changes.add(key);
                }
            });
        }
        // What hides part of itself when it is shown looks alike when it is not.
        let hidden = [
            (self.unit == new.unit, "metadata.unit_id"),
            (self.connection.urls == new.connection.urls, "connection.urls"),
            (self.provisioning.bootstrap_token == new.provisioning.bootstrap_token, "provisioning.bootstrap_token"),
        ];
        for (_, key) in hidden.into_iter().filter(|(same, _)| !same) {
            changes.add(key.to_owned());
        }
        let of = |actors: &[ActorSpec], name: &ActorSpec| actors.iter().find(|one| one.name == name.name).cloned();
        let came = new.actors.iter().filter(|actor| of(&self.actors, actor).as_ref() != Some(*actor));
        let went = self.actors.iter().filter(|actor| of(&new.actors, actor).is_none());
        for actor in came.chain(went) {
            changes.add(format!("actors.{}", actor.name));
        }
        changes
    }

    /// All sections but the actors, as they are shown.
    fn sections(&self) -> Vec<(&'static str, Value)> {
        let Self {
            unit: _,
            metadata,
            connection,
            health,
            logging,
            actors: _,
            supervision,
            capabilities,
            chaos,
            control,
            metrics,
            time,
            provisioning,
        } = self;
        vec![
            ("metadata", shown(metadata)),
            ("connection", shown(connection)),
            ("health", shown(health)),
            ("logging", shown(logging)),
            ("capabilities", shown(capabilities)),
            ("supervision", shown(supervision)),
            ("chaos", shown(chaos)),
            ("control", shown(control)),
            ("metrics", shown(metrics)),
            ("time", shown(time)),
            ("provisioning", shown(provisioning)),
        ]
    }
}

fn shown(section: &impl Serialize) -> Value {
    serde_json::to_value(section).unwrap_or_default()
}

/// Calls `differs` for every key under `key` that two values differ in; a list is one value.
fn walk(key: &str, was: &Value, is: &Value, differs: &mut impl FnMut(String)) {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            let nothing = Value::Null;
            let gone = was.keys().filter(|key| !is.contains_key(*key));
            for name in is.keys().chain(gone) {
                let (was, is) = (was.get(name).unwrap_or(&nothing), is.get(name).unwrap_or(&nothing));
                walk(&format!("{key}.{name}"), was, is, differs);
            }
        }
        (was, is) if was == is => {}
        (_, _) => differs(key.to_owned()),
    }
}
