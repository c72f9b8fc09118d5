//! What nunect costs, measured against the same work without it.
//!
//! `measured` holds the programs that are measured: each kind of work once through a node and once
//! bare, with the same allocator. `figures` runs them, under callgrind or against the clock, and
//! prints one table. `tools/bench` builds both and runs `figures`.

pub mod compare;
pub mod daemons;
pub mod feed;
pub mod load;
pub mod process;
pub mod running;
pub mod scratch;
pub mod server;
pub mod table;
pub mod units;
pub mod work;

/// Whatever goes wrong here ends the measurement, in words.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
