//! What stands on the wire, as an independent client reads it (protocol, sections 2 to 4).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::client::{Heard, Listener, request};
use crate::nats::NatsServer;
use crate::unit::{Unit, config};
use crate::{PATIENCE, STOP};

/// Long enough that the second heartbeat has a figure of the processor, which takes two samples.
const INTERVAL_MS: u64 = 500;

/// The headers of a heartbeat that was made before the processor was measured twice.
const FIRST: [&str; 11] = [
    "X-Clock-Quality",
    "X-Clock-Source",
    "X-Health-Status",
    "X-Heartbeat-Interval",
    "X-Memory-Usage",
    "X-Role",
    "X-Sequence",
    "X-Session-ID",
    "X-TX-Timestamp",
    "X-Unit-ID",
    "X-Uptime",
];

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_nanos()).expect("a clock before 2554")
}

fn seconds(number: u64) -> u64 {
    number * 1_000_000_000
}

/// Memory in use in percent, as the kernel counts it.
fn memory_percent() -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").expect("Linux");
    let field = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a known field");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let total = field("MemTotal:");
    (total - field("MemAvailable:")) / total * 100.0
}

/// Checks one heartbeat of `wire-1` while it runs, whatever its number.
fn check(heartbeat: &Heard, sequence: u64, session: &str, status: &str) {
    assert_eq!(heartbeat.subject, "ops.heartbeat.wire-1");
    assert_eq!(heartbeat.reply, None);
    let mut names = FIRST.to_vec();
    if sequence > 1 {
        names.push("X-CPU-Load");
        names.sort_unstable();
        heartbeat.percent("X-CPU-Load");
    }
    let mut said = heartbeat.names();
    // Round trips stand there once they are measured, and are never 0 for "unknown".
    said.retain(|name| {
        let is_round_trip = name.starts_with("X-RTT-");
        assert!(!is_round_trip || (1..2_000_000).contains(&heartbeat.number(name)), "{name} of {heartbeat:?}");
        !is_round_trip
    });
    assert_eq!(said, names, "heartbeat {sequence}");
    for (name, value) in [
        ("X-Unit-ID", "wire-1"),
        ("X-Session-ID", session),
        ("X-Clock-Source", "unsynced"),
        ("X-Clock-Quality", "freerun"),
        ("X-Health-Status", status),
        ("X-Role", "repeater"),
    ] {
        assert_eq!(heartbeat.header(name), value, "{name} of heartbeat {sequence}");
    }
    assert_eq!(heartbeat.number("X-Sequence"), sequence);
    assert_eq!(heartbeat.number("X-Heartbeat-Interval"), INTERVAL_MS);
    let tx = heartbeat.number("X-TX-Timestamp");
    assert!(tx.abs_diff(unix_ns()) < seconds(15), "X-TX-Timestamp is {tx}");
    assert!(heartbeat.number("X-Uptime") < 60);
    // Both are rounded, and others use the memory as well.
    let memory = f64::from(heartbeat.percent("X-Memory-Usage"));
    assert!((memory - memory_percent()).abs() <= 3.0, "{memory} % of memory in use, not {}", memory_percent());

    let payload: Value = serde_json::from_str(heartbeat.payload()).expect("JSON");
    let payload = payload.as_object().expect("an object");
    assert_eq!(payload.keys().collect::<Vec<_>>(), ["status", "sequence", "ts"]);
    assert_eq!(payload["status"], status);
    assert_eq!(payload["sequence"].as_u64(), Some(sequence));
    assert_eq!(payload["ts"].as_u64(), Some(tx / 1_000_000), "the time of hand-over in milliseconds");
}

#[test]
fn heartbeats_are_what_the_protocol_says() {
    let server = NatsServer::start();
    let listener = Listener::on(&server.url(), "ops.heartbeat.*");
    // The flag wins over the server that the file names, where nobody listens.
    let file = config(&format!(
        "metadata: {{ unit_id: wire-1, role: repeater }}\n\
         connection: {{ urls: [\"nats://127.0.0.1:1\"] }}\n\
         health: {{ heartbeat_interval: {INTERVAL_MS}ms }}\n"
    ));
    let up = || Unit::up(&["-c", &file.display().to_string(), "--nats", &server.url()]);

    let node = up();
    let first = listener.next(PATIENCE);
    let session = first.header("X-Session-ID").to_owned();
    check(&first, 1, &session, "OK");
    let mut tx = first.number("X-TX-Timestamp");
    for sequence in 2..=5 {
        let heartbeat = listener.next(PATIENCE);
        check(&heartbeat, sequence, &session, "OK");
        let next = heartbeat.number("X-TX-Timestamp");
        let distance = Duration::from_nanos(next - tx).as_millis();
        assert!((u128::from(INTERVAL_MS) / 3..u128::from(INTERVAL_MS) * 3).contains(&distance), "{distance} ms");
        tx = next;
    }

    // The last words are out before the process is.
    let ended = node.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.took < STOP, "ended after {:?}", ended.took);
    let rest = listener.until(PATIENCE, |heartbeat| heartbeat.header("X-Health-Status") == "OFFLINE");
    for (heartbeat, sequence) in rest.iter().zip(6..) {
        let status = if sequence < 5 + rest.len() as u64 { "OK" } else { "OFFLINE" };
        check(heartbeat, sequence, &session, status);
    }

    // The next run counts anew, in a session of its own.
    let _node = up();
    let first = listener.next(PATIENCE);
    assert_ne!(first.header("X-Session-ID"), session);
    check(&first, 1, first.header("X-Session-ID"), "OK");
}

#[test]
fn an_echo_is_the_request_with_the_time_it_spent_there() {
    let server = NatsServer::start();
    let mut node = Unit::on(&server.url(), "echo-1", &[]);
    node.expect("echo actor_started", PATIENCE);
    // Subscribed by now: it hears itself.
    let online = node.expect_about("echo-1", "unit_online", PATIENCE);

    for payload in ["are you there? ✓", ""] {
        let before = unix_ns();
        let answer = request(&server.url(), "ops.echo.echo-1", &["X-Unit-ID: prober", "X-Sequence: 7"], payload);
        let after = unix_ns();
        assert_eq!(answer.payload(), payload);
        assert_eq!(answer.reply, None);
        let names = [
            "X-Clock-Quality",
            "X-Clock-Source",
            "X-Server-Clock-Quality",
            "X-Server-Clock-Source",
            "X-Server-RX-Timestamp",
            "X-Server-TX-Timestamp",
            "X-Session-ID",
            "X-TX-Timestamp",
            "X-Unit-ID",
        ];
        assert_eq!(answer.names(), names, "and no X-Sequence: it goes to a reply subject");
        assert_eq!(answer.header("X-Unit-ID"), "echo-1");
        assert_eq!(answer.header("X-Session-ID"), online.text("/fields/session"));
        assert_eq!(answer.header("X-Server-Clock-Source"), "unsynced");
        assert_eq!(answer.header("X-Server-Clock-Quality"), "freerun");
        let [rx, tx] = ["X-Server-RX-Timestamp", "X-Server-TX-Timestamp"].map(|name| answer.number(name));
        assert!(before < rx && rx <= tx && tx < after, "{before} < {rx} <= {tx} < {after}");
        assert!(tx - rx < seconds(1), "{} ns inside", tx - rx);
    }
}
