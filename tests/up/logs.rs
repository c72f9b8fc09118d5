//! What a node writes down: on the bus and to its file, at its level, and never about itself for ever.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Heard, Listener};
use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::tools::{all_of, beat, eventually, figure, metrics_of, tool};
use crate::unit::{Unit, config, folder, program};
use crate::{PATIENCE, SOON};

/// A folder for log files; dropping it removes it.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        Self(folder())
    }

    /// What the present file of a unit holds, line by line.
    fn lines(&self, unit: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.current(unit)).unwrap_or_default();
        // The last may be half written.
        text.split_inclusive('\n').filter_map(|line| Some(line.strip_suffix('\n')?.to_owned())).collect()
    }

    fn current(&self, unit: &str) -> PathBuf {
        self.0.join(format!("{unit}.current.jsonl"))
    }

    /// `logging` with these files and `more`.
    fn logging(&self, more: &str) -> String {
        format!("logging: {{ file: {{ folder: \"{}\" }}, {more} }}\n", self.0.display())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What is left is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A node with this configuration, once it is up.
fn node(url: &str, id: &str, text: &str) -> Unit {
    let mut unit = Unit::on(url, id, &["-c", &config(text).display().to_string()]);
    all_of(&mut unit, &["nats actor_started", "monitor unit_online"], PATIENCE);
    unit
}

#[test]
fn the_file_the_bus_and_the_console_tell_the_same() {
    let server = NatsServer::start();
    let url = server.url();
    let files = Files::new();
    let bus = Listener::on(&url, "ops.log.>");
    let text = files.logging("include_fields: [X-Colour, X-Absent]");
    let mut unit = node(&url, "scribe", &text);
    let mut raw = Raw::on(&url);
    // Something about a message that says who sent it, and something that does not.
    let headers =
        b"X-Unit-ID: painter\r\nX-Session-ID: 0123456789abcdef\r\nX-Sequence: 42\r\nX-Colour: red \"wine\"\r\n\
        X-Heartbeat-Interval: soon\r\n";
    raw.publish("ops.heartbeat.painter", "", headers, b"{}");
    beat(&mut raw, "guest", "OK");
    unit.expect_about("guest", "unit_online", PATIENCE);
    let console = unit.all();
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");

    // Line for line, from the first to the last.
    let lines = files.lines("scribe");
    let heard: Vec<Heard> = lines.iter().map(|_| bus.next(PATIENCE)).collect();
    for (line, heard) in lines.iter().zip(&heard) {
        assert_eq!(line, heard.payload());
        let entry = parse(line);
        let keys: Vec<&String> = entry.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["ts", "lvl", "unit", "comp", "msg", "fields", "trace"]);
        assert_eq!(heard.subject, format!("ops.log.{}.scribe", entry["lvl"].as_str().expect("a level")));
    }
    assert!(bus.waiting().is_empty(), "nothing is on the bus alone");
    let link = std::fs::read_link(files.current("scribe")).expect("a link");
    let name = link.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(name.starts_with("scribe.2") && name.ends_with(".1.jsonl"), "{name}");

    // What the console shows is there as well, but for what the shipper says of itself.
    let entries: Vec<Value> = lines.iter().map(|line| parse(line)).collect();
    let mut seen = 0;
    for said in console.lines().map(parse).chain(ended.said.iter().map(|said| said.json.clone())) {
        let stopped = ["logs", "cluster", "commands", "time_guardian", "prober", "echo", "monitor", "heartbeater"];
        let later = said["kind"] == "actor_stopped" && stopped.iter().any(|actor| said["comp"] == *actor);
        if said["kind"].is_null() || said["comp"] == "logs" || later {
            continue;
        }
        seen += 1;
        let same = |entry: &&Value| {
            ["lvl", "unit", "comp", "msg"].iter().all(|key| entry[key] == said[key])
                && entry["fields"]["kind"] == said["kind"]
        };
        assert!(entries.iter().any(|entry| same(&entry)), "{said} is in no line of:\n{}", lines.join("\n"));
    }
    assert!(seen > 10, "{seen} events");

    let about = |unit: &str| {
        let is = |entry: &&Value| entry["fields"]["kind"] == "unit_online" && entry["fields"]["unit"] == unit;
        entries.iter().find(is).unwrap_or_else(|| panic!("nothing about {unit}: {}", lines.join("\n")))
    };
    let painter = about("painter");
    assert_eq!(
        (&painter["trace"], &painter["fields"]["X-Colour"]),
        (&json!("painter/0123456789abcdef/42"), &json!("red \"wine\""))
    );
    assert!(painter["fields"].get("X-Absent").is_none(), "{painter}");
    let malformed = entries.iter().find(|entry| entry["fields"]["kind"] == "malformed").expect("it says so");
    assert_eq!((&malformed["lvl"], &malformed["trace"]), (&json!("WARN"), &painter["trace"]), "{malformed}");
    assert_eq!(about("guest")["trace"], "", "nobody told");
}

#[test]
fn levels_decide_what_goes_where() {
    let server = NatsServer::start();
    let url = server.url();
    let files = Files::new();
    let bus = Listener::on(&url, "ops.log.>");
    // The hook gives a record of DEBUG whenever a unit comes.
    let text = format!(
        "{}actors: {{ monitor: {{ hooks: {{ online: [\"true\"] }} }} }}\n",
        files.logging("min_level: INFO, publish_level: WARN")
    );
    let mut unit = node(&url, "sieve", &text);
    let mut raw = Raw::on(&url);
    let mut number = 0;
    let mut guest = || {
        number += 1;
        let guest = format!("guest-{number}");
        beat(&mut raw, &guest, "OK");
        beat(&mut raw, &guest, "OFFLINE");
        guest
    };
    let is_at = |level: &'static str, words: String| {
        move |line: &String| {
            let entry = parse(line);
            entry["lvl"] == level && entry["msg"].as_str().is_some_and(|msg| msg.contains(&words))
        }
    };
    let first = guest();
    eventually("INFO and WARN in the file", PATIENCE, || {
        let lines = files.lines("sieve");
        lines.iter().any(is_at("INFO", format!("{first} is online")))
            && lines.iter().any(is_at("WARN", format!("{first} is OFFLINE")))
    });
    let heard = bus.until(PATIENCE, |log| log.payload().contains(&format!("{first} is OFFLINE")));
    assert!(heard.iter().all(|log| log.subject == "ops.log.WARN.sieve"), "{heard:?}");

    // A command changes it for the console, the file and the bus; what is published at least stays.
    let level = |level: &str| {
        let told = tool(&["log-level", "sieve", level, "--nats", &url]);
        assert_eq!(told.code, Some(0), "{told:?}");
    };
    assert!(!files.lines("sieve").iter().any(is_at("DEBUG", String::new())), "not yet");
    level("debug");
    guest();
    eventually("DEBUG in the file", PATIENCE, || {
        files.lines("sieve").iter().any(is_at("DEBUG", "the hook `true`: done".to_owned()))
    });
    unit.expect_that("DEBUG on the console", SOON, |said| said.text("/lvl") == "DEBUG");
    level("error");
    unit.unexpected();
    let lines = files.lines("sieve").len();
    // A denied command is WARN, and the answer to it comes after it was told.
    let last = guest();
    eventually("it is known", PATIENCE, || {
        let units = tool(&["--json", "units", "--nats", &url]).json();
        units.iter().any(|row| row["unit"] == *last && row["state"] == "OFFLINE")
    });
    let rest: Vec<String> = unit.unexpected().iter().map(|said| said.json.to_string()).collect();
    assert!(!rest.iter().any(|said| said.contains(&last)), "{rest:?}");
    assert!(!files.lines("sieve")[lines..].iter().any(|line| line.contains(&last)), "it is below ERROR");
    assert!(bus.waiting().iter().all(|log| !log.subject.contains("DEBUG") && !log.payload().contains(&last)));
    level("info");
    let told = guest();
    bus.until(PATIENCE, |log| log.payload().contains(&format!("{told} is OFFLINE")));
    eventually("INFO again", PATIENCE, || files.lines("sieve").iter().any(is_at("INFO", format!("{told} is online"))));
}

#[test]
fn what_libraries_say_is_there() {
    let mut server = NatsServer::start();
    let url = server.url();
    let files = Files::new();
    let bus = Listener::on(&url, "ops.log.>");
    let text = format!("{}metrics: {{ listen: \"127.0.0.1:0\" }}\n", files.logging("min_level: INFO"));
    let mut command = program();
    command.args(["up", "--json", "--unit", "reader", "--nats", &url, "-c"]).arg(config(&text));
    let mut unit = Unit::of(command.env("NUNECT_LOG", "async_nats=info"));
    let address = metrics_of(&mut unit);
    // Of the program itself.
    let words = format!("http://{address}/metrics");
    let heard = bus.until(PATIENCE, |log| log.payload().contains(&words));
    let line = heard.last().expect("one").payload();
    let entry = parse(line);
    assert_eq!((&entry["lvl"], &entry["comp"]), (&json!("INFO"), &json!("nunect::metrics")));
    assert_eq!(entry["fields"].get("kind"), None, "it is no event");
    eventually(&words, PATIENCE, || files.lines("reader").iter().any(|written| written == line));
    // Of the client of NATS, which has something to say about an outage.
    server.kill();
    server.launch();
    unit.expect_health("OK", PATIENCE);
    let is_known = |line: &String| {
        let entry = parse(line);
        entry["comp"] == "async_nats" && entry["msg"] == "event: disconnected" && entry["lvl"] == "INFO"
    };
    eventually("its word of it", PATIENCE, || files.lines("reader").iter().any(is_known));
}

/// A server that lets nobody write down anything.
fn mute() -> NatsServer {
    let node = "{ user: node, password: x, permissions: { publish: { deny: [\"ops.log.>\"] } } }";
    NatsServer::watched(&format!("authorization {{ users: [ {node}, {{ user: other, password: x }} ] }}\n"))
}

/// Logs are denied, and the client of NATS says so each time when it is asked to (`NUNECT_LOG`).
fn denied(id: &str, libraries: &str) {
    const BEATS: usize = 15;
    let server = mute();
    let [url, other] = ["node", "other"].map(|user| server.url().replace("://", &format!("://{user}:x@")));
    let files = Files::new();
    let beats = Listener::on(&other, &format!("ops.heartbeat.{id}"));
    let text = format!(
        "{}metrics: {{ listen: \"127.0.0.1:0\" }}\nhealth: {{ heartbeat_interval: 200ms }}\n",
        files.logging("min_level: DEBUG, publish_level: DEBUG")
    );
    let mut command = program();
    command.args(["up", "--json", "--unit", id, "--nats", &url, "-c"]).arg(config(&text));
    let mut unit = Unit::of(command.env("NUNECT_LOG", libraries));
    let address = metrics_of(&mut unit);
    let denied = unit.expect("node bus_denied", PATIENCE);
    assert!(denied.text("/fields/subject").starts_with("ops.log."), "{denied:?}");
    unit.expect_health("DEGRADED", PATIENCE);
    beats.next(PATIENCE);
    let (sent, received) = (figure(&address, "nunect_messages_sent_total"), server.tells("/varz", "in_msgs"));
    for _ in 0..BEATS {
        beats.next(PATIENCE);
    }
    // Three seconds later: heartbeats, probes and reports, and not a log about each log.
    let sent = figure(&address, "nunect_messages_sent_total") - sent;
    assert!(sent < 150, "{sent} messages within {BEATS} heartbeats");
    assert!(server.tells("/varz", "in_msgs") - received < 200, "nor is the server asked again and again");
    let waiting = figure(&address, "nunect_actor_mailbox_depth{actor=\"logs\"}");
    assert_eq!((waiting, figure(&address, "nunect_messages_lost_total")), (0, 0));
    let lines = files.lines(id);
    assert!(lines.len() < 200, "{} lines in the file:\n{}", lines.len(), lines[..200].join("\n"));
    let said = unit.all();
    let mut denials: Vec<&str> = said.lines().filter(|line| line.contains("\"bus_denied\"")).collect();
    denials.retain(|line| line.contains("ops.log."));
    for level in ["DEBUG", "INFO", "WARN", "ERROR"] {
        let subject = format!("ops.log.{level}.{id}\"");
        let told = denials.iter().filter(|line| line.contains(&format!("\"subject\":\"{subject}"))).count();
        assert!(told <= 1, "{subject} is told once a minute: {denials:#?}");
    }
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_node_that_may_not_ship_says_so_once_and_nothing_piles_up() {
    denied("muted", "nunect=debug");
}

#[test]
fn a_client_that_says_so_each_time_makes_no_loop() {
    denied("babbler", "async_nats=info,nunect=debug");
}

#[test]
fn a_folder_that_cannot_be_used_is_told_and_the_bus_still_hears() {
    let server = NatsServer::start();
    let url = server.url();
    let files = Files::new();
    let blocked = files.0.join("file");
    std::fs::write(&blocked, "").expect("a writable folder");
    let bus = Listener::on(&url, "ops.log.>");
    let text = format!("logging: {{ file: {{ folder: \"{}\" }} }}\n", Path::new(&blocked).join("sub").display());
    let mut unit = Unit::on(&url, "diskless", &["-c", &config(&text).display().to_string()]);
    let failed = unit.expect("logs port_failed", PATIENCE);
    assert!(failed.text("/fields/reason").contains("file"), "{failed:?}");
    bus.until(Duration::from_secs(3), |log| log.payload().contains("\"unit_online\""));
}
