//! A node with every actor there is, and one more that does what it is told; and how to harm them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::PATIENCE;
use crate::unit::{Unit, build_example, clean, config, run};

/// Every actor of a node, and `brittle`, in the order in which they start.
pub(crate) const ACTORS: [&str; 10] =
    ["heartbeater", "monitor", "echo", "prober", "time_guardian", "commands", "cluster", "logs", "nats", "brittle"];

/// Between two heartbeats, so that tests need not wait long.
pub(crate) const INTERVAL_MS: u64 = 300;

/// What a tool said, and how it ended.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program with the actor `brittle`: `up` with `arguments`.
pub(crate) fn brittle(arguments: &[&str]) -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let mut command = clean(BUILT.get_or_init(|| build_example("brittle")));
    command.args(["up", "--json"]).args(arguments);
    command
}

/// The configuration of a node of all `actors`, with `more`.
pub(crate) fn full(actors: &[&str], more: &str) -> String {
    let actors: String = actors.iter().map(|actor| format!("  {actor}: {{}}\n")).collect();
    let text = format!("health: {{ heartbeat_interval: {INTERVAL_MS}ms }}\n{more}\nactors:\n{actors}");
    config(&text).display().to_string()
}

/// A node of all actors, harm being allowed, that has started.
pub(crate) fn start(url: &str, id: &str) -> Unit {
    start_with(url, id, "chaos: { enabled: true }")
}

/// The same with another configuration beside its actors.
pub(crate) fn start_with(url: &str, id: &str, more: &str) -> Unit {
    let mut unit = Unit::of(&mut brittle(&["--unit", id, "--nats", url, "-c", &full(&ACTORS, more)]));
    for actor in ACTORS {
        unit.expect(&format!("{actor} actor_started"), PATIENCE);
    }
    listens(url, id);
    unit
}

/// Waits until a unit that has started is heard by its server, subscriptions and all: they go before
/// its answer.
pub(crate) fn listens(url: &str, id: &str) {
    let restarts = restarts(url, id);
    assert!(restarts.values().all(|number| *number == 0), "{restarts:?}");
}

/// A node of the actors that every node has, which sees the others.
pub(crate) fn witness(url: &str) -> Unit {
    let mut witness = Unit::on(url, "witness", &["-c", &full(&["heartbeater", "monitor", "echo"], "")]);
    witness.expect_about("witness", "unit_online", PATIENCE);
    witness
}

/// Where the actor `brittle` of a unit is told what to do.
pub(crate) fn ear(id: &str) -> String {
    format!("test.brittle.{id}")
}

/// Runs a tool against a server.
pub(crate) fn tool(url: &str, arguments: &[&str]) -> Told {
    let output = run(&[arguments, &["--nats", url]].concat());
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Told { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// How often each actor of a unit was started again, as the unit answers.
pub(crate) fn restarts(url: &str, id: &str) -> BTreeMap<String, u64> {
    let tree = tree(url, id);
    let children = tree["children"].as_array().expect("a tree has children").iter();
    let row = |child: &Value| Some((child["name"].as_str()?.to_owned(), child["restarts"].as_u64()?));
    children.map(|child| row(child).expect("an actor's report")).collect()
}

/// The supervision tree of a unit, as the unit answers.
pub(crate) fn tree(url: &str, id: &str) -> Value {
    let told = tool(url, &["--json", "tree", id]);
    assert_eq!(told.code, Some(0), "{told:?}");
    serde_json::from_str(&told.stdout).expect("JSON")
}

/// The rows that a monitor has of a unit.
pub(crate) fn rows(url: &str, id: &str) -> Vec<Value> {
    let told = tool(url, &["--json", "units"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let rows = told.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    rows.filter(|row| row["unit"] == id).collect()
}
