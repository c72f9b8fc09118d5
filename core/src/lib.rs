//! The contract of nunect and the pure machines that both of its hosts share.
//!
//! Nothing here reads a clock, draws randomness, opens a file or a socket: time, randomness and
//! input are arguments, and everything that is to happen comes back as a value.

pub mod actor;
#[cfg(test)]
mod arbitrary;
pub mod broker;
pub mod capability;
pub mod catalog;
pub mod cell;
pub mod clock;
pub mod codec;
pub mod config;
pub mod crash;
pub mod event;
pub mod health;
pub mod identity;
pub mod log;
pub mod mailbox;
pub mod message;
pub mod outbox;
pub mod protocol;
pub mod random;
pub mod requests;
pub mod subject;
pub mod table;
pub mod testing;
pub mod time;

pub use actor::{
    Actor, Birth, BusAction, BusEvent, Contract, DirectoryChange, Effect, Effects, Fault, HostReport, Hosted, Input,
    LinkReport, MailboxLimits, NodeAnswer, NodeCommand, NodeRefusal, NodeReport, Overflow, PortName, RequestError,
    RequestId, Sensor, StopReason, Subscription,
};
pub use catalog::{ActorSpec, Catalog, Entry};
pub use clock::{ClockReport, Reading, TimeDaemon};
pub use config::{ConfigError, Period};
pub use event::Event;
pub use identity::{ActorName, Incarnation, Role, SessionId, UnitId};
pub use log::LogRecord;
pub use message::{Body, ClockStamp, Headers, Message, Stamp};
pub use protocol::header::Health;
pub use protocol::log::Level;
pub use subject::{Pattern, Subject};
pub use time::{Deadline, Mono, Now, Wall};
