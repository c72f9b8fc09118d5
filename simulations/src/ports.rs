//! What stands behind the ports of simulated actors: scripts, in place of tasks that do I/O.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use nunect_core::{Now, PortName, UnitId};

/// What a script says in answer to something that an actor of a unit gave to its port.
pub type Script = Box<dyn FnMut(&UnitId, Now, &Bytes) -> Vec<Bytes> + Send>;

/// The scripts of a simulation. A port without one swallows what it is given: a disk that never
/// fills, a program that always succeeds.
#[derive(Default)]
pub(crate) struct Ports(BTreeMap<String, Script>);

impl Ports {
    pub(crate) fn set(&mut self, port: &str, script: Script) {
        self.0.insert(port.to_owned(), script);
    }

    pub(crate) fn give(&mut self, port: PortName, unit: &UnitId, now: Now, bytes: &Bytes) -> Vec<Bytes> {
        self.0.get_mut(port).map(|script| script(unit, now, bytes)).unwrap_or_default()
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
