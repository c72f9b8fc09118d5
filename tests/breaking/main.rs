//! The built program while somebody breaks it: its actors, its messages, its process, its name.
//!
//! Every test has servers and units of its own. What a process may take is three times what the
//! protocol allows, since the machine has other work to do; the simulator's tests know exact bounds.

mod actors;
#[path = "../support/client.rs"]
mod client;
mod hang;
mod harm;
#[path = "../support/jwt.rs"]
mod jwt;
mod lifecycle;
mod malformed;
#[path = "../support/nats.rs"]
mod nats;
mod poison;
mod proxy;
mod raw;
mod resources;
mod server;
mod twins;
#[path = "../support/unit.rs"]
mod unit;

use std::time::Duration;

/// An actor is back within a second, three times over.
const BACK: Duration = Duration::from_secs(3);
/// For what has no bound of its own.
const PATIENCE: Duration = Duration::from_secs(15);
