//! The built program as its users meet it: real processes, real servers, an independent client.
//!
//! Every test has a server, a port and units of its own. What a process may take is three times
//! what the protocol allows, since the machine has other work to do.

mod capabilities;
#[path = "../support/client.rs"]
mod client;
mod discovery;
mod embedded;
mod hooks;
mod logs;
#[path = "../support/nats.rs"]
mod nats;
mod outage;
mod overflow;
mod peers;
#[path = "../breaking/raw.rs"]
mod raw;
mod reload;
mod service;
mod tools;
#[path = "../support/unit.rs"]
mod unit;
mod usage;
mod wire;
mod with_nats;

use std::time::Duration;

/// First heartbeat: within a second, three times over.
const SOON: Duration = Duration::from_secs(3);
/// For what has no bound of its own.
const PATIENCE: Duration = Duration::from_secs(15);
/// A clean stop: within 5 s, three times over.
const STOP: Duration = Duration::from_secs(15);
