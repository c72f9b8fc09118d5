//! The commands that talk to a running node, as their users meet them: the built program, on the
//! control socket of a node and on a real server alike; and those that need none.

mod completions;
mod config;
mod doctor;
#[path = "../support/nats.rs"]
mod nats;
mod new;
mod operate;
mod probe;
mod reach;
mod sim;
mod time;
#[path = "../support/unit.rs"]
mod unit;
mod units;
mod wire;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::nats::NatsServer;
use crate::unit::{Unit, finish, folder, program};

/// For what has no bound of its own.
const PATIENCE: Duration = Duration::from_secs(15);

/// A node that runs, and how commands reach it.
struct Node {
    _unit: Unit,
    environment: (&'static str, OsString),
    _server: Option<NatsServer>,
}

/// What a command said before it ended.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl Said {
    /// Its standard output as objects, one a line.
    fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        self.out.lines().map(parse).collect()
    }
}

impl Node {
    /// A node on a server of its own, which commands reach, too.
    fn on_nats(id: &str, config: &str) -> Self {
        let server = NatsServer::start();
        let url = server.url();
        let mut command = program();
        command.args(["up", "--json", "--unit", id, "--nats", &url, "-c"]).arg(unit::config(config));
        Self::of(id, &mut command, ("NATS_URL", url.into()), Some(server))
    }

    /// A node with the bus inside its process, which commands reach by its control socket.
    fn alone(id: &str, config: &str) -> Self {
        let sockets = folder();
        let mut command = program();
        command.args(["up", "--json", "--unit", id, "-c"]).arg(unit::config(config));
        command.env("XDG_RUNTIME_DIR", &sockets);
        Self::of(id, &mut command, ("XDG_RUNTIME_DIR", sockets.into()), None)
    }

    fn of(id: &str, command: &mut Command, environment: (&'static str, OsString), server: Option<NatsServer>) -> Self {
        let mut unit = Unit::of(command);
        unit.expect_about(id, "unit_online", PATIENCE);
        let node = Self { _unit: unit, environment, _server: server };
        if node.environment.0 == "XDG_RUNTIME_DIR" {
            let socket = Path::new(&node.environment.1).join("nunect").join(format!("{id}.sock"));
            let deadline = std::time::Instant::now() + PATIENCE;
            while !socket.exists() {
                assert!(std::time::Instant::now() < deadline, "no control socket at {}", socket.display());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        node
    }

    /// `nunect` with `arguments`, as it reaches this node.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).env(self.environment.0, &self.environment.1);
        command
    }

    /// Runs it to its end.
    fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }
}

/// Runs a command to its end.
fn said(command: &mut Command) -> Said {
    let output = finish(command);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
}

/// Does the same by the control socket and by a server.
fn both(id: &str, config: &str, test: impl Fn(&Node)) {
    test(&Node::alone(id, config));
    test(&Node::on_nats(id, config));
}
