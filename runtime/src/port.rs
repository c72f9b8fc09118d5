//! Tasks beside an actor that do I/O of its own, one for each port of its contract and each life.

mod hook;
mod log_file;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use nunect_core::{ActorName, Incarnation, PortName, UnitId};
use tokio::sync::mpsc;

use crate::bus::Pending;
use crate::component::{Component, Control};

pub use hook::hook;
pub use log_file::log_file;

/// What may wait for the task behind a port; what the actor says beyond that is lost, and told.
pub const PORT_WAITING_MAX: usize = 1_024;

/// What makes the task behind a port of one life of an actor.
///
/// The task ends when [`Port::next`] says that the life is over. If it ends before, or fails, the
/// actor crashes with it and is restarted.
pub type PortTask = Arc<dyn Fn(Port) -> Pending<'static, Result<(), String>> + Send + Sync>;

/// The tasks that a host has to offer, by the name of the port.
#[derive(Clone, Default)]
pub struct Ports(BTreeMap<PortName, PortTask>);

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Ports {
    /// The same with this task; another under the name gives way to it.
    #[must_use]
    pub fn with<F>(mut self, name: PortName, task: impl Fn(Port) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.0.insert(name, Arc::new(move |port| Box::pin(task(port))));
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&PortTask> {
        self.0.get(name)
    }
}

/// The task's end of a port.
pub struct Port {
    /// Whose actor.
    pub unit: UnitId,
    /// Which actor.
    pub actor: ActorName,
    name: PortName,
    inbox: mpsc::Receiver<Bytes>,
    /// Takes what the task says to the actor.
    voice: Box<dyn Fn(Bytes) + Send + Sync>,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").field("actor", &self.actor).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Port {
    pub(crate) fn open(
        unit: UnitId,
        component: &Arc<Component>,
        incarnation: Incarnation,
        name: PortName,
    ) -> (mpsc::Sender<Bytes>, Self) {
        let (sender, inbox) = mpsc::channel(PORT_WAITING_MAX);
        let (actor, component) = (component.name.clone(), Arc::downgrade(component));
        let voice = Box::new(move |bytes| {
            if let Some(component) = component.upgrade() {
                component.control_life(incarnation, Control::Port(name, bytes));
            }
        });
        (sender, Self { unit, actor, name, inbox, voice })
    }

    /// A port whose actor is a test: it says by the sender, and hears by the receiver.
    #[cfg(test)]
    pub(crate) fn of_test(name: PortName) -> (mpsc::Sender<Bytes>, mpsc::UnboundedReceiver<Bytes>, Self) {
        let (sender, inbox) = mpsc::channel(PORT_WAITING_MAX);
        let (said, heard) = mpsc::unbounded_channel();
        let unit = UnitId::new("alpha").expect("a legal unit ID");
        let actor = ActorName::new("tested").expect("a legal name");
        let voice = Box::new(move |bytes| drop(said.send(bytes)));
        (sender, heard, Self { unit, actor, name, inbox, voice })
    }

    /// What the actor says next; `None` when its life is over and everything was taken.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.inbox.recv().await
    }

    /// What the actor says next if it has said it already.
    pub fn try_next(&mut self) -> Option<Bytes> {
        self.inbox.try_recv().ok()
    }

    /// Says something to the actor; to a life that is over, nothing.
    pub fn say(&self, bytes: impl Into<Bytes>) {
        (self.voice)(bytes.into());
    }
}
