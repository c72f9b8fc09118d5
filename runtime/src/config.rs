//! Configuration.
mod problem;
pub use problem::*;
mod yaml;
