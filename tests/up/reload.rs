//! SIGHUP: the configuration is read again while the node runs.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Heard, Listener};
use crate::nats::{NatsServer, signal};
use crate::raw::Raw;
use crate::tools::{all_of, beat, eventually, reload, tool};
use crate::unit::{Said, Unit, clean, config};
use crate::{PATIENCE, SOON};

fn list(said: &Said, name: &str) -> Value {
    said.json.pointer(&format!("/fields/{name}")).cloned().unwrap_or_default()
}

/// Starts a node with this configuration, and returns it with the path of its file.
fn node(text: &str) -> (Unit, String) {
    let file = config(text).display().to_string();
    let mut unit = Unit::up(&["-c", &file]);
    all_of(&mut unit, &["nats actor_started", "monitor unit_online"], PATIENCE);
    (unit, file)
}

#[test]
fn another_heartbeat_interval_is_another_life_of_the_heartbeater_and_nothing_else() {
    let server = NatsServer::start();
    let url = server.url();
    let text = |interval: &str| {
        format!(
            "metadata: {{ unit_id: paced }}\nconnection: {{ urls: [\"{url}\"] }}\n\
             health: {{ heartbeat_interval: {interval} }}\n"
        )
    };
    let heartbeats = Listener::on(&url, "ops.heartbeat.paced");
    let mut witness = Unit::on(&url, "witness", &[]);
    let (mut unit, file) = node(&text("600ms"));
    witness.expect_about("paced", "unit_online", PATIENCE);
    let before = heartbeats.next(PATIENCE);
    assert_eq!(before.number("X-Heartbeat-Interval"), 600);
    unit.unexpected();

    reload(&unit, &file, &text("200ms"));
    let said = all_of(&mut unit, &["node reloaded", "heartbeater actor_stopped", "heartbeater actor_started"], SOON);
    assert_eq!(list(&said[0], "changed"), json!(["health.heartbeat_interval", "actors.heartbeater"]));
    assert_eq!(list(&said[0], "restart_needed"), json!([]));
    assert_eq!(said[2].json.pointer("/fields/incarnation"), Some(&2.into()));

    let is_new = |number| move |heartbeat: &Heard| heartbeat.number("X-Heartbeat-Interval") == number;
    let mut all = heartbeats.until(SOON, is_new(200));
    let first = all.last().expect("the first of the new pace").at;
    all.extend((0..10).map(|_| heartbeats.next(PATIENCE)));
    let took = all.last().expect("heartbeats").at.duration_since(first);
    let expected = Duration::from_millis(200) * 10;
    assert!((expected / 2..expected * 3 / 2).contains(&took), "ten intervals of 200 ms took {took:?}");
    assert!(all.iter().all(|beat| beat.header("X-Session-ID") == before.header("X-Session-ID")), "the same run");
    assert!(all.iter().all(|beat| beat.header("X-Health-Status") != "OFFLINE"), "it does not say goodbye");
    let numbers: Vec<u64> = all.iter().map(|beat| beat.number("X-Sequence")).collect();
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");

    // No other actor was touched, and nobody missed the unit.
    let rest: Vec<String> = unit.unexpected().iter().map(Said::what).collect();
    assert!(rest.iter().all(|what| !what.contains("actor_") && !what.contains("unit_offline")), "{rest:?}");
    let missed = witness.unexpected().into_iter().find(|said| said.what() == "monitor unit_offline");
    assert!(missed.is_none(), "{missed:?}");
}

#[test]
fn what_changes_as_it_runs_does_and_the_rest_is_named() {
    let server = NatsServer::start();
    let url = server.url();
    let heartbeats = Listener::on(&url, "ops.heartbeat.before");
    let (mut unit, file) = node(&format!(
        "metadata: {{ unit_id: before }}\nconnection: {{ urls: [\"{url}\"] }}\n\
         health: {{ heartbeat_interval: 200ms }}\nactors: {{ prober: {{ enabled: false }} }}\n"
    ));
    let session = heartbeats.next(PATIENCE).header("X-Session-ID").to_owned();
    let told = tool(&["chaos", "panic", "before/echo", "--nats", &url]);
    assert!(told.code == Some(1) && told.stderr.contains("code 403"), "{told:?}");

    let after = format!(
        "metadata: {{ unit_id: after }}\nconnection: {{ urls: [\"{url}\", \"nats://127.0.0.1:1\"] }}\n\
         health: {{ heartbeat_interval: 200ms }}\nmetrics: {{ listen: \"127.0.0.1:0\" }}\n\
         chaos: {{ enabled: true }}\nactors: {{ cluster: {{ enabled: false }} }}\n"
    );
    reload(&unit, &file, &after);
    let said = all_of(&mut unit, &["node reloaded", "prober actor_started", "cluster actor_stopped"], SOON);
    assert_eq!(list(&said[0], "changed"), json!(["chaos.enabled", "actors.prober", "actors.cluster"]));
    let restart_needed = json!(["connection.urls", "metrics", "metadata.unit_id"]);
    let sorted = |value: &Value| {
        let mut keys: Vec<String> = serde_json::from_value(value.clone()).expect("keys");
        keys.sort();
        keys
    };
    assert_eq!(sorted(&list(&said[0], "restart_needed")), sorted(&restart_needed));

    // It goes by its name as before, in the same run; harm is allowed now, and done.
    heartbeats.waiting();
    assert_eq!(heartbeats.next(PATIENCE).header("X-Session-ID"), session);
    let tree = tool(&["--json", "tree", "before", "--nats", &url]).json();
    let names: Vec<&str> =
        tree[0]["children"].as_array().expect("children").iter().filter_map(|child| child["name"].as_str()).collect();
    assert_eq!(names, ["heartbeater", "monitor", "echo", "time_guardian", "commands", "logs", "nats", "prober"]);
    let told = tool(&["chaos", "panic", "before/echo", "--nats", &url]);
    assert_eq!(told.code, Some(0), "{told:?}");
    all_of(&mut unit, &["echo actor_crashed", "echo actor_started"], PATIENCE);

    // What takes a restart is told again, what was taken over is not; a node that comes and goes
    // by the file is there again.
    reload(&unit, &file, &after.replace("cluster: { enabled: false }", "cluster: {}"));
    let said = all_of(&mut unit, &["node reloaded", "cluster actor_started"], SOON);
    assert_eq!(list(&said[0], "changed"), json!(["actors.cluster"]));
    assert_eq!(sorted(&list(&said[0], "restart_needed")), sorted(&restart_needed));
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn another_level_is_what_is_written_from_then_on() {
    let server = NatsServer::start();
    let url = server.url();
    let text = |level| {
        format!(
            "metadata: {{ unit_id: terse }}\nconnection: {{ urls: [\"{url}\"] }}\nlogging: {{ min_level: {level} }}\n"
        )
    };
    let (mut unit, file) = node(&text("INFO"));
    let logs = Listener::on(&url, "ops.log.*.terse");
    let mut raw = Raw::on(&url);
    reload(&unit, &file, &text("WARN"));
    let reloaded = unit.expect("node reloaded", SOON);
    assert_eq!(list(&reloaded, "changed"), json!(["logging.min_level"]));
    // That it comes is INFO, that it goes is WARN. The new level is in force a moment after it is told.
    let mut guests = (0..20).map(|number| {
        let guest = format!("guest-{number}");
        beat(&mut raw, &guest, "OK");
        beat(&mut raw, &guest, "OFFLINE");
        unit.expect_about(&guest, "unit_offline", PATIENCE);
        let came = format!("{guest} is online");
        let shipped = logs.until(PATIENCE, |log| log.payload().contains(&format!("{guest} is OFFLINE")));
        unit.all().contains(&came) || shipped.iter().any(|log| log.payload().contains(&came))
    });
    assert!(guests.any(|told| !told) && guests.next() == Some(false), "it goes on with INFO");
    drop(guests);

    reload(&unit, &file, &text("INFO"));
    // At the new level already.
    unit.expect("node reloaded", SOON);
    logs.until(SOON, |log| log.payload().contains("\"reloaded\""));
    beat(&mut raw, "friend", "OK");
    unit.expect_about("friend", "unit_online", PATIENCE);
    logs.until(PATIENCE, |log| log.payload().contains("unit_online"));
}

#[test]
fn a_mistake_is_shown_at_its_place_and_changes_nothing() {
    let good = "health: { heartbeat_interval: 250ms }\n";
    let (mut unit, file) = node(good);
    let bad = "health:\n  heartbeat_interval: 1s\nchaos: { enabled: true }\nactors:\n  echo: { colour: red }\n";
    reload(&unit, &file, bad);
    let shown = unit.expect_that("the mistake", SOON, |said| !said.text("/reason").is_empty());
    assert_eq!((&shown.json["line"], &shown.json["origin"]), (&5.into(), &file.as_str().into()), "{shown:?}");
    assert!(shown.text("/reason").contains("colour"), "{shown:?}");
    std::fs::remove_file(&file).expect("it is there");
    signal(unit.id(), "HUP");
    unit.expect_that("that it is gone", SOON, |said| said.text("/reason").contains("cannot be read"));
    std::fs::write(&file, good).expect("a writable folder");

    // Had a part of it been taken over, this would be a change.
    signal(unit.id(), "HUP");
    let said = unit.expect("node reloaded", SOON);
    assert_eq!((list(&said, "changed"), list(&said, "restart_needed")), (json!([]), json!([])));
    let ended = unit.stop("TERM");
    let started = ended.said.iter().find(|said| said.what().ends_with("actor_started"));
    assert!(ended.code == Some(0) && started.is_none(), "{ended:?}");
    let words = "the configuration was not read again; the node goes on as it was";
    assert_eq!(ended.complaints.matches(words).count(), 2, "{ended:?}");

    // People see the same in words, with the line of the file.
    let file = config(good).display().to_string();
    let errors = format!("{file}.errors");
    let mut command = clean(Path::new("sh"));
    command.args(["-c", "exec \"$0\" up -c \"$1\" 2> \"$2\"", env!("CARGO_BIN_EXE_nunect"), &file, &errors]);
    let mut unit = Unit::of(&mut command);
    unit.expect_that("its first words", PATIENCE, |said| said.json.to_string().contains("is online"));
    reload(&unit, &file, "health:\n  heartbeat_interval: soon\n");
    let shown = || std::fs::read_to_string(&errors).unwrap_or_default();
    eventually("the mistake", SOON, || shown().contains(words));
    assert!(shown().contains(&format!("--> {file}:2:23\n")), "{}", shown());
    assert!(shown().contains("health.heartbeat_interval: `soon` is no duration"), "{}", shown());
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn messages_that_wait_outlive_other_options() {
    let server = NatsServer::start();
    let url = server.url();
    let text = |units: u32| {
        format!(
            "metadata: {{ unit_id: patient }}\nconnection: {{ urls: [\"{url}\"] }}\nchaos: {{ enabled: true }}\n\
             health: {{ heartbeat_interval: 30s }}\nactors: {{ monitor: {{ units_max: {units} }} }}\n"
        )
    };
    let (mut unit, file) = node(&text(100));
    let told = tool(&["chaos", "pause", "patient/monitor", "--nats", &url]);
    assert_eq!(told.code, Some(0), "{told:?}");
    unit.expect("monitor mailbox_paused", PATIENCE);
    let mut raw = Raw::on(&url);
    for number in 0..5 {
        beat(&mut raw, &format!("ghost-{number}"), "OK");
    }
    let monitor = || {
        let tree = tool(&["--json", "tree", "patient", "--nats", &url]).json();
        tree[0]["children"].as_array().expect("children").iter().find(|one| one["name"] == "monitor").cloned()
    };
    // Its own heartbeats wait there, too.
    let depth = |report: Option<Value>| report.and_then(|report| report.pointer("/mailbox/depth")?.as_u64());
    eventually("five messages wait", PATIENCE, || depth(monitor()) >= Some(5));

    reload(&unit, &file, &text(200));
    let started = unit.expect("monitor actor_started", SOON);
    assert_eq!(started.json.pointer("/fields/incarnation"), Some(&2.into()));
    // By the new life, each once and in their order.
    for number in 0..5 {
        let online = |said: &Said| said.what() == "monitor unit_online" && said.text("/fields/unit") != "patient";
        let online = unit.expect_that("a ghost", PATIENCE, online);
        assert_eq!(online.text("/fields/unit"), format!("ghost-{number}"));
    }
}
