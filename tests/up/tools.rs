//! What several of these tests need: the tools that reach a node, a configuration that changes, units
//! that somebody else speaks for, and the page with a node's figures.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::PATIENCE;
use crate::nats::signal;
use crate::raw::Raw;
use crate::unit::{Said, Unit, run};

/// What a tool said, and how it ended.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Told {
    /// Its standard output as objects, one a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// Runs the program to its end.
pub(crate) fn tool(arguments: &[&str]) -> Told {
    let output = run(arguments);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Told { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Has a node read another configuration.
pub(crate) fn reload(unit: &Unit, file: &str, text: &str) {
    // In one step: nobody reads half of it.
    let new = Path::new(file).with_extension("new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, file)).expect("a writable folder");
    signal(unit.id(), "HUP");
}

/// Waits until a node said all of `what`, in whatever order, and returns that in the order of `what`.
pub(crate) fn all_of(unit: &mut Unit, what: &[&str], limit: Duration) -> Vec<Said> {
    let found = RefCell::new(vec![None; what.len()]);
    unit.expect_that(&what.join(", "), limit, |said| {
        let mut found = found.borrow_mut();
        if let Some(place) = what.iter().position(|what| said.what() == *what) {
            found[place].get_or_insert_with(|| said.clone());
        }
        found.iter().all(Option::is_some)
    });
    found.into_inner().into_iter().flatten().collect()
}

/// A heartbeat of a unit that is not there; the next is due in a minute.
pub(crate) fn beat(raw: &mut Raw, unit: &str, status: &str) {
    let headers = format!("X-Heartbeat-Interval: 60000\r\nX-Health-Status: {status}\r\n");
    raw.publish(&format!("ops.heartbeat.{unit}"), "", headers.as_bytes(), b"{}");
    raw.flush();
}

/// Where a node that was told to serve its figures does so.
pub(crate) fn metrics_of(unit: &mut Unit) -> String {
    let said = unit.expect("nunect::metrics", PATIENCE);
    let url = said.text("/msg").strip_prefix("http://").and_then(|rest| rest.strip_suffix("/metrics"));
    url.unwrap_or_else(|| panic!("no address in {said:?}")).to_owned()
}

/// The present value of a figure.
pub(crate) fn figure(address: &str, name: &str) -> u64 {
    let mut stream = TcpStream::connect(address).expect("the figures are served");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("it is asked");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("it answers");
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}:\n{page}"))
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, limit: Duration, is: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !is() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
