//! The only crate that touches the world: ractor shells, buses, clocks, sensors, configuration files.
//!
//! It names no component: it hosts whatever the catalog gives it.

pub mod bus;
pub mod clock;
mod component;
pub mod config;
pub mod control;
pub mod directory;
mod logs;
pub mod metrics;
pub mod nats_server;
pub mod node;
pub mod port;
#[cfg(test)]
mod scratch;
pub mod sensor;
mod shell;
mod sync;
pub mod telemetry;
mod timers;
pub mod timesync;
mod tree;
pub mod watchdog;

pub use bus::{Bus, LocalBus, NatsBus, NatsOptions};
pub use clock::Clock;
pub use control::{ControlBus, ControlError, ControlServer, Switchboard};
pub use directory::Directory;
pub use metrics::{MetricsError, MetricsServer};
pub use nats_server::{NatsServer, NatsServerError, NatsServerOptions};
pub use node::{End, Node, NodeSpec, Observer, Pulse, Record, Reload, StartError, Status};
pub use port::{Port, Ports};
pub use sensor::HostSensor;
pub use watchdog::HangLimits;
