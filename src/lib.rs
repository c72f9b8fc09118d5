//! nunect: supervised actors whose mailboxes are NATS subjects, and a simulator that runs the very
//! same actors, thousands of nodes at a time.
//!
//! A program of your own is the nunect program with one more kind of actor:
//!
//! ```no_run
//! # use nunect::{Actor, Birth, ConfigError, Contract, Effects, Fault, Input, Now, Program};
//! # #[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate, Default)]
//! # struct Options {}
//! struct LinkProbe;
//!
//! impl Actor for LinkProbe {
//!     const KIND: &'static str = "link-probe";
//!     // …
//! #   type Config = Options;
//! #   fn new(_: Options, _: &Birth) -> Result<Self, ConfigError> { Ok(Self) }
//! #   fn contract(&self) -> Contract { Contract::default() }
//! #   fn handle(&mut self, _: Now, _: Input<'_>, _: &mut Effects) -> Result<(), Fault> { Ok(()) }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Program::new().with::<LinkProbe>().main()
//! }
//! ```

mod cli;
mod program;

pub use nunect_core::*;
pub use program::Program;

pub use nunect_actors as actors;
pub use nunect_runtime as runtime;
pub use nunect_simulations as simulations;
pub use nunect_supervisor as supervisor;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
