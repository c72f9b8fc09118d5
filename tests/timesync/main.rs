//! Nodes on hosts with time daemons: linuxptp, chrony and gpsd themselves.
//!
//! None of them touches the machine's clock: ptp4l is told `free_running 1`, chronyd `-x`. They talk to each other in
//! network namespaces of the test, or on loopback at ports and sockets of its own, and end with it. What takes time
//! may take three times what the protocol allows, since the machine has other work to do.

mod agreement;
mod both;
mod chrony;
mod daemons;
mod gps;
#[path = "../support/nats.rs"]
mod nats;
mod node;
mod program;
mod ptp;
mod silence;
#[path = "../support/unit.rs"]
mod unit;

use std::time::Duration;

/// How often a node asks its daemons here: as often as it may.
const POLL: Duration = Duration::from_millis(250);
/// For what has no bound of its own: a servo that is to settle on a busy machine.
const PATIENCE: Duration = Duration::from_secs(45);

/// Shows what was measured to whoever runs the tests with `--nocapture`, or when one fails.
#[expect(clippy::print_stdout, reason = "the harness keeps it until it is wanted")]
fn measured(what: &str, took: Duration) {
    println!("{what} after {took:.2?}");
}
