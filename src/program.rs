//! A program: the kinds of actor that it knows, and its command line.

use std::process::ExitCode;

use nunect_actors::logs;
use nunect_actors::monitor::hooks;
use nunect_core::{Actor, Catalog, PortName};
use nunect_runtime::port::{self, Port, Ports};

/// The nunect program, to which kinds of actor can be added.
#[derive(Clone, Debug)]
pub struct Program {
    catalog: Catalog,
    ports: Ports,
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}

impl Program {
    /// The program with the actors that come with nunect.
    #[must_use]
    pub fn new() -> Self {
        let ports = Ports::default().with(logs::PORT, port::log_file).with(hooks::PORT, port::hook);
        Self { catalog: nunect_actors::catalog(), ports }
    }

    /// Adds a kind of actor: it can then be named in configurations and scenarios.
    #[must_use]
    pub fn with<A: Actor>(mut self) -> Self {
        self.catalog = self.catalog.with::<A>();
        self
    }

    /// Adds the task behind a port of actors: it does the I/O that an actor must not do itself, for one
    /// life of one actor, until [`Port::next`] says that this life is over.
    #[must_use]
    pub fn with_port<F>(mut self, name: PortName, task: impl Fn(Port) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.ports = self.ports.with(name, task);
        self
    }

    /// The kinds of actor it knows.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Reads the command line, does what it says, and returns the exit code: 0 fine, 1 an expectation
    /// was not met, 2 configuration or usage, 3 another node of this name runs, 70 a node gave up, 71 an
    /// actor hung.
    #[must_use]
    pub fn main(self) -> ExitCode {
        crate::cli::main(&self.catalog, &self.ports)
    }
}
