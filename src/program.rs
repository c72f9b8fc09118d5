//! A program: the kinds of actor that it knows, and its command line.

use std::process::ExitCode;

use nunect_core::{Actor, Catalog};

/// The nunect program, to which kinds of actor can be added.
#[derive(Clone, Debug)]
pub struct Program {
    catalog: Catalog,
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
        Self { catalog: nunect_actors::catalog() }
    }

    /// Adds a kind of actor: it can then be named in configurations and scenarios.
    #[must_use]
    pub fn with<A: Actor>(mut self) -> Self {
        self.catalog = self.catalog.with::<A>();
        self
    }

    /// The kinds of actor it knows.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Reads the command line, does what it says, and returns the exit code: 0 fine, 1 an expectation
    /// was not met, 2 configuration or usage, 70 a node gave up.
    #[must_use]
    pub fn main(self) -> ExitCode {
        crate::cli::main(&self.catalog)
    }
}
