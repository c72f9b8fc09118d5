//! Messages that are not what their subjects promise: nothing crashes, and each is counted.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::Listener;
use crate::harm::{self, restarts};
use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::unit::Unit;
use crate::{BACK, PATIENCE};

/// Messages, all of them malformed in one way or another.
const MESSAGES: usize = 10_000;
/// Of these, one in so many is as long as the server takes.
const LONG_EVERY: usize = 200;
/// `max_payload` of a server that is not configured, less what headers may take.
const LONG_BYTES: usize = (1 << 20) - (2 << 10);
/// Messages that are sent before somebody looks whether they were counted; fewer than the smallest
/// mailbox holds.
const AT_ONCE: usize = 200;

/// Draws the same numbers in every run.
struct Draw(u64);

impl Draw {
    /// A number below `limit`: splitmix64.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// Tokens that NATS carries and that are no unit's ID.
const NO_UNIT: [&str; 7] = ["units", "status", "recommendation", "a!b", "ünit", "{unit}", "\u{1}\u{7f}"];
/// Values that no header has that is read as a number, a percentage, a word or an identity.
const NO_VALUE: [&str; 9] =
    ["", "-", "+1", "1e9", "12.5", "99999999999999999999", "\u{1}\u{1b}[2J\u{7f}", "ünï√", "0x10"];
/// Headers of a heartbeat, none of which may have such a value.
const HEADERS: [&str; 12] = [
    "X-Unit-ID",
    "X-Sequence",
    "X-Health-Status",
    "X-Heartbeat-Interval",
    "X-Role",
    "X-Uptime",
    "X-CPU-Load",
    "X-Memory-Usage",
    "X-RTT-Native",
    "X-RTT-App",
    "X-Clock-Source",
    "X-Clock-Quality",
];
/// Headers of what a node says of its cluster.
const CLUSTER_HEADERS: [&str; 5] = ["X-Unit-ID", "X-Node-ID", "X-Cluster-State", "X-Peer-Count", "X-Stream-Lag"];
/// What is no command.
const NO_COMMAND: [&[u8]; 9] = [
    b"",
    b"FOO",
    b"{",
    b"{}",
    b"{\"command\":7}",
    b"{\"command\":\"LOG_LEVEL\"}",
    b"{\"command\":\"CHAOS\",\"args\":{\"actor\":\"*\",\"what\":\"panic\"}}",
    b"{\"command\":\"VERSION\",\"id\":[1]}",
    b"\xff\xfe\0",
];

/// One message, and the actors that count it.
struct Bad {
    subject: String,
    reply: &'static str,
    headers: String,
    payload: Vec<u8>,
    counted_by: &'static [&'static str],
}

/// Some headers, each with a value that it cannot have, and now and then a very long one.
fn headers(draw: &mut Draw, names: &[&'static str]) -> String {
    let mut lines = String::new();
    for _ in 0..=draw.below(3) {
        let value = if draw.below(50) == 0 { "9".repeat(60_000) } else { draw.one_of(&NO_VALUE).to_owned() };
        lines += &format!("{}: {value}\r\n", draw.one_of(names));
    }
    lines
}

/// A message to one of the patterns of the actors of the unit `target`.
fn bad(draw: &mut Draw) -> Bad {
    let length = draw.below(64);
    let noise = draw.bytes(length);
    let number = draw.below(8);
    let make = |subject: String, headers: String, payload: Vec<u8>, counted_by| Bad {
        subject,
        reply: "",
        headers,
        payload,
        counted_by,
    };
    match draw.below(12) {
        0 => make(format!("ops.heartbeat.{}", draw.one_of(&NO_UNIT)), String::new(), noise, &["monitor"]),
        1 => make(format!("ops.heartbeat.m{number}"), headers(draw, &HEADERS), noise, &["monitor"]),
        2 => make("ops.heartbeat.target".to_owned(), headers(draw, &HEADERS), noise, &["monitor"]),
        3 | 4 => {
            let role = draw.one_of(&["node", "client", "king", "ünit"]);
            make(format!("ops.cmd.{role}.target"), String::new(), draw.one_of(&NO_COMMAND).to_vec(), &["commands"])
        }
        5 => make("ops.echo.target".to_owned(), headers(draw, &HEADERS), noise, &["echo"]),
        6 => {
            make(format!("ops.health.cluster.{}", draw.one_of(&NO_UNIT)), String::new(), noise, &["prober", "cluster"])
        }
        7 => {
            let headers = headers(draw, &CLUSTER_HEADERS);
            make(format!("ops.health.cluster.c{number}"), headers, noise, &["prober", "cluster"])
        }
        8 => {
            // Without somewhere to answer to, or with a payload that is no question.
            let reply = draw.one_of(&["", "_INBOX.nobody"]);
            let payload = if reply.is_empty() { noise } else { b"[".to_vec() };
            Bad { reply, ..make("ops.status.units".to_owned(), String::new(), payload, &["monitor"]) }
        }
        // Whoever asks for the time without somewhere to answer to.
        9 => make("ops.time.sync.target".to_owned(), headers(draw, &HEADERS), noise, &["time_guardian"]),
        10 => {
            let verb = draw.one_of(&["PING", "INFO", "STATS"]);
            let name = draw.one_of(&["", ".nunect"]);
            make(format!("$SRV.{verb}{name}"), String::new(), noise, &["nats"])
        }
        _ => {
            let payload = draw.one_of(&[&b""[..], b"[]", b"{\"native_rtt_us\":-1}", b"{\"peer\":\"*\"}", b"NaN"]);
            make(
                "ops.metric.rtt.target".to_owned(),
                headers(draw, &HEADERS),
                payload.to_vec(),
                &["heartbeater", "commands"],
            )
        }
    }
}

/// The same with a payload that is as long as the server takes.
fn long(draw: &mut Draw) -> Bad {
    let mut bad = bad(draw);
    while bad.headers.len() > 1_000 {
        bad = self::bad(draw);
    }
    bad.payload = vec![b'x'; LONG_BYTES];
    bad
}

/// What a node says about itself to Prometheus: the figure of this name for each actor.
fn figure(address: &str, name: &str) -> BTreeMap<String, u64> {
    let mut stream = TcpStream::connect(address).expect("it serves its figures");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it is asked");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("it answers");
    let rows =
        page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix("_total{actor=\"")?.split_once("\"} "));
    let rows: BTreeMap<String, u64> =
        rows.map(|(actor, number)| (actor.to_owned(), number.parse().expect("a whole number"))).collect();
    assert_eq!(rows.len(), harm::ACTORS.len(), "{name} in {page}");
    rows
}

/// Where the unit serves its figures.
fn figures_of(unit: &mut Unit) -> String {
    let said = unit.expect("nunect::metrics", PATIENCE);
    let url = said.text("/msg");
    url.strip_prefix("http://").and_then(|url| url.strip_suffix("/metrics")).expect("a URL").to_owned()
}

#[test]
fn ten_thousand_malformed_messages_crash_nothing_and_each_is_counted() {
    let server = NatsServer::start();
    let url = server.url();
    let mut unit = harm::start_with(&url, "target", "metrics: { listen: 0 }");
    let address = figures_of(&mut unit);
    let mut expected = figure(&address, "nunect_actor_malformed");
    assert!(expected.values().all(|number| *number == 0), "{expected:?}");

    let mut sender = Raw::on(&url);
    let mut draw = Draw(3);
    for number in 1..=MESSAGES {
        let bad = if number % LONG_EVERY == 0 { long(&mut draw) } else { bad(&mut draw) };
        sender.publish(&bad.subject, bad.reply, bad.headers.as_bytes(), &bad.payload);
        for actor in bad.counted_by {
            *expected.get_mut(*actor).expect("known") += 1;
        }
        if number % AT_ONCE == 0 {
            sender.flush();
            let deadline = Instant::now() + PATIENCE;
            loop {
                let counted = figure(&address, "nunect_actor_malformed");
                if counted == expected {
                    break;
                }
                let late = Instant::now() >= deadline;
                assert!(!late, "after {number} messages {counted:?} and not {expected:?}\n{}", unit.all());
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    let dropped = figure(&address, "nunect_actor_mailbox_dropped");
    assert!(dropped.values().all(|number| *number == 0), "{dropped:?}");
    let restarts = restarts(&url, "target");
    assert!(restarts.values().all(|number| *number == 0), "{restarts:?}");
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.said.iter().all(|said| said.what() != "node bus_disconnected"), "it was connected all the time");
}

#[test]
fn what_is_no_message_of_nats_costs_a_connection_and_no_more() {
    let server = NatsServer::start();
    let url = server.url();
    let heartbeats = Listener::on(&url, "ops.heartbeat.target");
    let mut unit = harm::start(&url, "target");
    let mut sender = Raw::on(&url);
    // The server passes these on, and the node's client of NATS reads none of them: it connects anew.
    let blocks: [&[u8]; 4] = [b"X-Uptime: \xff\xfe\r\n", b"no colon\r\n", b"a b: c\r\n", b"X-Uptime: 1\n2\r\n"];
    for (number, headers) in blocks.into_iter().enumerate() {
        sender.publish("ops.heartbeat.stranger", "", headers, b"");
        sender.flush();
        unit.expect("node bus_disconnected", PATIENCE);
        heartbeats.waiting();
        unit.expect("node bus_connected", BACK);
        // Its subscriptions go before its heartbeat: it hears what is said from then on.
        heartbeats.next(BACK);
        sender.tell(&format!("ops.heartbeat.friend-{number}"), "");
        unit.expect_about(&format!("friend-{number}"), "unit_online", BACK);
    }
    let restarts = restarts(&url, "target");
    assert!(restarts.values().all(|number| *number == 0), "{restarts:?}");
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
