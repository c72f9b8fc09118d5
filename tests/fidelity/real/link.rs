//! Round trips through a nats-server behind a lossy link.

use std::time::Duration;

use serde::Deserialize;

use super::mesh::{Mesh, python, script};
use super::process::{Process, Says};
use super::server::{HERE, Server, url};
use crate::measured::Rtts;
use crate::real::Conditions;

/// What `echo.py` sends a connection, and how long it waits for the last answers.
const INTERVAL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(120);

/// 160-byte messages, one every 20 ms on each connection, from node 0 to a server on node 1, whose answers come from a
/// client beside it: request and answer cross the link in the same TCP connection.
pub(crate) fn lossy_link(loss: f64, connections: usize, messages: usize, seed: u64) -> (Rtts, Conditions) {
    #[derive(Deserialize)]
    struct Ready {}
    #[derive(Deserialize)]
    struct Answers {
        rtt_ms: Vec<Vec<Option<f64>>>,
    }

    let mut mesh = Mesh::start(2, loss, seed);
    let _server = Server::start(&mesh, 1, "far", "");
    let echo = |node: usize, mode: &str, url: &str, arguments: &[&str]| {
        let mut command = mesh.command(node, &python());
        command.arg(script("echo.py")).args([mode, "--url", url]).args(arguments);
        Process::start(&mut command, &Says::Output)
    };
    let mut answerer = echo(1, "answer", HERE, &[]);
    let Ready {} = answerer.answer(PATIENCE);
    let arguments = ["--connections", &connections.to_string(), "--messages", &messages.to_string()];
    let mut asker = echo(0, "ask", &url(1), &arguments);
    let sending = INTERVAL * u32::try_from(messages).expect("a run of hours");
    let Answers { rtt_ms } = asker.answer(sending + PATIENCE);
    (Rtts { loss, runs: rtt_ms }, Conditions::of(&mut mesh))
}
