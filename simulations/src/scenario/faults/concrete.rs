//! A scenario with every fault that a seed draws written down.

use serde_json::Value;

use super::expand;
use super::shown;
use crate::scenario::Scenario;
use crate::scenario::file::faults::FaultEntry;

impl Scenario {
    /// How often faults strike in a run with `seed`.
    #[must_use]
    pub fn faults(&self, seed: u64) -> usize {
        expand::strikes(&self.plan, seed).len()
    }

    /// [`concrete`](Self::concrete) as the text of a file.
    #[must_use]
    pub fn concrete_text(&self, seed: u64) -> String {
        let yaml = serde_saphyr::to_string(&self.concrete(seed)).expect("JSON is YAML");
        format!("# {} with seed {seed}: everything random as it fell.\n{yaml}", self.source.path.display())
    }

    /// What each fault of a run with this seed is called, what it does in words, and whether it lasts.
    pub(crate) fn describe_faults(&self, seed: u64) -> Vec<(String, String, bool)> {
        let describe = |mut strike: super::Strike| {
            let lasts = strike.mishap.lasting_mut().is_some();
            let kind = strike.mishap.kind().as_str().to_owned();
            let entry = FaultEntry::once(shown(strike.at), None, strike.mishap);
            let value = serde_json::to_value(entry).expect("an entry is a map with text keys");
            let words = format!("{kind}: {}", value.get(&kind).map(Value::to_string).unwrap_or_default());
            (strike.name.unwrap_or(kind), words.replace('"', ""), lasts)
        };
        expand::strikes(&self.plan, seed).into_iter().map(describe).collect()
    }

    /// The same scenario with the faults that `seed` draws in place of those that are still to be drawn,
    /// each with its time, nodes, duration and name, and with this seed. A run of it is the same run.
    #[must_use]
    pub fn concrete(&self, seed: u64) -> Value {
        let mut tree = self.tree.value();
        let strikes = expand::strikes(&self.plan, seed);
        let faults: Vec<Value> = strikes
            .into_iter()
            .map(|strike| FaultEntry::once(shown(strike.at), strike.name, strike.mishap))
            .map(|entry| serde_json::to_value(entry).expect("an entry is a map with text keys"))
            .collect();
        if let Value::Object(scenario) = &mut tree {
            scenario.insert("seed".to_owned(), seed.into());
            let place = scenario.keys().position(|key| key == "swarm");
            scenario.shift_remove("swarm");
            if !scenario.contains_key("faults") {
                scenario.shift_insert(place.unwrap_or(scenario.len()), "faults".to_owned(), Value::Null);
            }
            scenario.insert("faults".to_owned(), faults.into());
        }
        tree
    }
}
