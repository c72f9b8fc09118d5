//! Thousands of nunect nodes in one process, in virtual time, to the bit.
//!
//! The nodes are the real ones: the same actors, mailboxes, outboxes, brokers and supervisors that
//! production runs, hosted on an event heap instead of threads and sockets. What happens follows
//! from scenario and seed alone, so a run can be repeated, and two runs can be compared by the hash
//! of their [`trace`].
//!
//! A [`Scenario`] says which nodes there are, what befalls them and what is expected of them; a
//! [`Simulation`] lets it happen and comes to an [`Outcome`]. A test can also begin with
//! [`Simulation::empty`] and start, kill and address nodes itself.
//!
//! ```
//! use nunect_simulations::{Scenario, Simulation};
//!
//! let scenario = Scenario::parse("lost.yaml", "
//! name: lost
//! duration: 1m
//! actors: { heartbeater: { interval: 2s } }
//! nodes:
//!   - { name: hub, actors: { monitor: {} } }
//!   - { prefix: n, count: 10 }
//! faults:
//!   - { at: 30s, name: gone, crash: { nodes: n03 } }
//! expect:
//!   - within: 5010ms
//!     after: { fault: gone }
//!     see: { event: unit_offline, about: n03, nodes: hub }
//!   - always: { without: { event: unit_offline, about: not n03 } }
//! ")?;
//! let outcome = Simulation::new(&scenario, nunect_actors::catalog(), 1)?.run();
//! assert!(outcome.passed(), "{:#?}", outcome.expectations);
//! # Ok::<(), nunect_simulations::ScenarioError>(())
//! ```

mod around;
mod checker;
mod clock;
mod component;
mod delay;
mod draw;
pub mod explore;
mod fault;
mod happening;
mod heap;
mod jsonl;
pub mod latency;
mod node;
mod outcome;
mod ports;
mod process;
mod report;
pub mod scenario;
mod sensor;
mod service;
pub mod shrink;
mod simulation;
mod tamper;
pub mod trace;
mod traffic;
mod witness;
mod world;

pub use checker::{FailureKey, Judgement, Verdict};
pub use clock::{Clock, ClockState, DRIFT_MAX_PPB, WALL_START};
pub use delay::Delay;
pub use jsonl::Jsonl;
pub use node::NodeSpec;
pub use outcome::{Outcome, UnitState};
pub use ports::Script;
pub use scenario::{Scenario, ScenarioError};
pub use simulation::{Simulation, StartError};
pub use trace::TraceHash;
pub use witness::{Claim, Counters};
pub use world::flat::{DELAY_MAX, FlatConfig, RECONNECT_CAP};
