//! The programs that are measured: each through a node, and bare; or a part of a node with its work and
//! without.

mod echo;
mod hosting;
mod local;
mod logs;
mod monitor;
mod receive;
mod reports;
mod restart;

use clap::Parser;
use nunect_benches::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One program to measure.
#[derive(Debug, Parser)]
enum Program {
    /// Count what a NATS server delivers.
    Receive(receive::Arguments),
    /// Answer echo requests.
    Echo(echo::Arguments),
    /// Send messages within the process, 64 at a time.
    Burst(local::Arguments),
    /// Send one message to and fro within the process.
    PingPong(local::Arguments),
    /// Hear the heartbeats of many units.
    Monitor(monitor::Arguments),
    /// Crash, and live again.
    Restart(restart::Arguments),
    /// Say something, and have it written down.
    Logs(logs::Arguments),
    /// Ask a time daemon.
    Reports(reports::Arguments),
}

fn main() -> Result<(), Failure> {
    match Program::parse() {
        Program::Receive(arguments) => receive::run(arguments),
        Program::Echo(arguments) => echo::run(arguments),
        Program::Burst(arguments) => local::burst(arguments),
        Program::PingPong(arguments) => local::ping_pong(arguments),
        Program::Monitor(arguments) => monitor::run(arguments),
        Program::Restart(arguments) => restart::run(arguments),
        Program::Logs(arguments) => logs::run(arguments),
        Program::Reports(arguments) => reports::run(arguments),
    }
}
