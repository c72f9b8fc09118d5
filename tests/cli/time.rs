//! `nunect time`, and what the doctor says of the sources of time.

mod gpsd;

use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::nats::NatsServer;
use crate::unit::{Unit, config, folder, program};
use crate::{Node, PATIENCE, Said, both, said};
use gpsd::Gpsd;

/// The configuration of a node that has the time from this gpsd alone.
fn by(gpsd: &Gpsd) -> String {
    format!("time: {{ mode: gps, gpsd: \"127.0.0.1:{}\" }}\n", gpsd.port())
}

/// Asks until `is` so.
fn until(run: impl Fn() -> Said, is: impl Fn(&Said) -> bool) -> Said {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = run();
        if is(&said) {
            return said;
        }
        assert!(Instant::now() < deadline, "never as it should be: {said:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn locked(node: &Node, unit: &str) -> Value {
    let is_locked = |said: &Said| said.json().first().is_some_and(|row| row["clock_quality"] == "locked");
    until(|| node.run(&["time", unit, "--json"]), is_locked).json().remove(0)
}

#[test]
fn what_a_unit_knows_of_its_clock_is_a_row_or_an_object() {
    let gpsd = Gpsd::with_pulse();
    both("time-1", &by(&gpsd), |node| {
        let row = locked(node, "time-1");
        assert_eq!(
            (&row["unit"], &row["active_source"], &row["clock_offset_ns"]),
            (&"time-1".into(), &"gps".into(), &gpsd::AHEAD_NS.into())
        );
        assert!(row["delay"]["round_trip_ns"].is_u64() && row["delay"]["offset_ns"].is_i64(), "{row}");
        // Each way by itself takes two clocks that are known: ours is, where it is the node's.
        let by_socket = node.environment.0 == "XDG_RUNTIME_DIR";
        assert_eq!(row["delay"]["forward_us"].is_i64(), by_socket, "{row}");

        let table = node.run(&["time"]);
        assert_eq!(table.code, Some(0), "{table:?}");
        let lines: Vec<&str> = table.out.lines().collect();
        assert!(lines[0].starts_with("UNIT    SOURCE  QUALITY  OFFSET  UNCERTAINTY  FOLLOWS    AGE"), "{table:?}");
        assert!(lines[1].starts_with("time-1  gps     locked   300 ns  "), "{table:?}");
        assert!(lines[1].contains("  /dev/pps0  "), "{table:?}");
        assert_eq!(lines[2..], ["1 unit: 1 locked"], "{table:?}");
        assert!(!table.out.contains('\x1b'), "a pipe has no colours");
    });
}

#[test]
fn a_unit_that_does_not_answer_is_shown_and_is_an_expectation_that_is_not_met() {
    both("time-2", "time: { mode: gps, gpsd: \"127.0.0.1:9\" }", |node| {
        let said = node.run(&["time", "time-2", "absent", "--timeout", "1s"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        let lines: Vec<&str> = said.out.lines().collect();
        assert!(
            lines[1].starts_with("absent  –         no answer  ") && lines[1].contains("time_guardian"),
            "{said:?}"
        );
        assert!(lines[2].starts_with("time-2  unsynced  freerun    "), "{said:?}");
        assert_eq!(lines.last(), Some(&"2 units: 1 unsynced, 1 silent"), "{said:?}");

        let rows = node.run(&["time", "absent", "--json"]).json();
        assert_eq!(
            (&rows[0]["unit"], rows[0]["error"].is_string(), &rows[0]["delay"]),
            (&"absent".into(), true, &Value::Null)
        );
        // A unit may be called as the subcommand is.
        let said = node.run(&["time", "--json", "--", "sync"]);
        assert_eq!((said.code, &said.json()[0]["unit"]), (Some(1), &"sync".into()), "{said:?}");
    });
}

#[test]
fn many_are_asked_at_once_and_whoever_is_mute_holds_up_nobody() {
    let server = NatsServer::start();
    let url = server.url();
    let _mute = Unit::of(program().args(["sub", "ops.time.sync.*", "--nats", &url]));
    let ask = || said(program().args(["time", "mute", "--timeout", "300ms", "--nats", &url]));
    until(ask, |said| said.out.contains("no answer within 300ms"));
    // More than are under way at once, twice over.
    let units: Vec<String> = (0..150).map(|number| format!("mute-{number}")).collect();
    let begun = Instant::now();
    let said = said(program().args(["time", "--timeout", "300ms", "--nats", &url]).args(&units));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((said.code, said.out.lines().last()), (Some(1), Some("150 units: 150 silent")), "{said:?}");
}

#[test]
fn the_sources_that_the_clock_does_not_go_by_are_shown_with_the_reason() {
    let gpsd = Gpsd::with_fix_alone();
    let node = Node::alone("time-3", &by(&gpsd));
    let said = until(|| node.run(&["time", "--sources"]), |said| said.out.contains("no pulse"));
    assert!(said.out.contains("\n  gpsd  gps "), "{said:?}");
    assert!(!node.run(&["time"]).out.contains("gpsd"), "only where they are asked for");
    assert!(node.run(&["time", "time-3"]).out.contains("no pulse"), "or the unit is named");
}

#[test]
fn without_a_monitor_the_node_that_is_reached_is_asked_or_it_is_said_what_to_do() {
    let sockets = folder();
    let file = config("actors: { monitor: { enabled: false } }");
    let mut command = program();
    command.args(["up", "--json", "--unit", "time-4", "-c"]).arg(&file).env("XDG_RUNTIME_DIR", &sockets);
    let _unit = Unit::of(&mut command);
    let ask = || said(program().args(["time", "--timeout", "500ms"]).env("XDG_RUNTIME_DIR", &sockets));
    let table = until(ask, |said| said.code == Some(0));
    assert!(table.out.contains("\ntime-4  unsynced  freerun"), "{table:?}");

    let server = NatsServer::start();
    let said = said(program().args(["time", "--nats", &server.url()]));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.errors.contains("no monitor answers") && said.errors.contains("nunect time UNIT"), "{said:?}");
}

#[test]
fn changes_of_a_clock_are_told_while_it_is_watched() {
    let gpsd = Gpsd::with_pulse();
    let node = Node::on_nats("time-5", &by(&gpsd));
    locked(&node, "time-5");
    let url = node.environment.1.to_str().expect("a URL").to_owned();
    let mut words = Unit::of(program().args(["time", "time-5", "--watch", "--nats", &url]));
    let mut watch = Unit::of(program().args(["time", "--watch", "--json", "--nats", &url]));
    let seen = watch.expect_that("time-5 seen", PATIENCE, |said| said.json["change"] == "seen");
    assert_eq!((&seen.json["unit"], &seen.json["clock_quality"]), (&"time-5".into(), &"locked".into()));
    let line =
        |part: &'static str| move |said: &crate::unit::Said| said.json.as_str().is_some_and(|line| line.contains(part));
    words.expect_that("a line", PATIENCE, line("  time-5  gps locked"));
    drop(gpsd);
    let held = watch.expect_that("holdover", PATIENCE, |said| said.json["change"] == "clock");
    assert_eq!(held.json["from"], serde_json::json!({ "source": "gps", "quality": "locked", "holdover": false }));
    assert!(held.json["holdover_ms"].is_u64(), "{held:?}");
    let told = words.expect_that("a line of it", PATIENCE, line("  time-5  gps locked → gps "));
    assert!(told.json.as_str().is_some_and(|line| line.ends_with(", holdover")), "{told:?}");
    assert_eq!(watch.stop("INT").code, Some(0));
    assert_eq!(words.stop("INT").code, Some(0));
    let table = node.run(&["time"]);
    assert!(table.out.contains("\ntime-5  gps     ") && table.out.contains(", holdover "), "{table:?}");
}

#[test]
fn this_machines_clock_is_compared_with_a_units() {
    let gpsd = Gpsd::with_pulse();
    both("time-6", &by(&gpsd), |node| {
        locked(node, "time-6");
        let said = node.run(&["time", "sync", "--from", "time-6", "--count", "4", "--interval", "20ms"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let lines: Vec<&str> = said.out.lines().collect();
        assert!(lines[0].starts_with("this machine is ") && lines[0].ends_with("; time-6 is gps locked"), "{said:?}");
        assert!(
            lines[1].starts_with("4 answers of 4, round trip min ") && lines[1].contains("; of the ± the way"),
            "{said:?}"
        );
        assert!(lines[2].starts_with("no clock was set: "), "{said:?}");

        let row = node.run(&["time", "sync", "--from", "time-6", "--count", "3", "--json"]).json().remove(0);
        let number = |key: &str| row[key].as_i64().unwrap_or_else(|| panic!("{key} in {row}"));
        // It is the same clock.
        assert!(number("offset_ns").abs() <= number("error_ns"), "{row}");
        assert_eq!(number("error_ns"), number("way_error_ns") + number("uncertainty_ns"));
        assert_eq!((number("asked"), number("answered"), number("impossible")), (3, 3, 0));
        assert!(row["round_trip_ns"]["min"].as_u64() <= row["round_trip_ns"]["median"].as_u64(), "{row}");
    });
}

#[test]
fn a_unit_without_the_time_or_without_an_answer_is_no_reference() {
    let node = Node::alone("time-7", "time: { mode: gps, gpsd: \"127.0.0.1:9\" }");
    let said = node.run(&["time", "sync", "--from", "time-7", "--count", "1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("time-7 has no time itself (unsynced freerun)"), "{said:?}");
    let said = node.run(&["time", "sync", "--from", "absent"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.errors.contains("unit `absent` does not tell the time: nobody listens"), "{said:?}");
    for wrong in [["--count", "0"], ["--count", "65"], ["--interval", "soon"]] {
        let said = node.run(&["time", "sync", "--from", "time-7", wrong[0], wrong[1]]);
        assert_eq!(said.code, Some(2), "{said:?}");
    }
    assert_eq!(node.run(&["time", "sync"]).code, Some(2), "from whom?");
}

/// The doctor's lines on the sources of time, in a node that is configured so.
fn doctor(time: &str) -> Said {
    let file = config(&format!("time: {{ {time} }}\n"));
    let begun = Instant::now();
    let said = said(program().args(["doctor", "-c"]).arg(file));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    said
}

#[track_caller]
fn assert_finds(said: &Said, parts: &[&str]) {
    assert!(said.out.lines().any(|line| parts.iter().all(|part| line.contains(part))), "{parts:?} in {}", said.out);
}

#[test]
fn the_doctor_reads_a_receiver_as_a_node_would() {
    let gpsd = Gpsd::with_pulse();
    let said = doctor(&format!("mode: gps, required: true, gpsd: \"127.0.0.1:{}\"", gpsd.port()));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_finds(&said, &["ok       gpsd: /dev/pps0, 3D fix", "the clock is off by 300 ns ± "]);
    assert_finds(&said, &["ok       time source: gpsd can be gone by"]);

    let blind = Gpsd::with_fix_alone();
    let said = doctor(&format!("mode: gps, gpsd: \"127.0.0.1:{}\"", blind.port()));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_finds(&said, &["problem  gpsd: ", "a bare fix tells no time worth having", "gpsd -n"]);
}

#[test]
fn the_doctor_says_what_keeps_each_daemon_from_telling_the_time_and_how_it_is_mended() {
    let absent = folder().join("ptp4l");
    let said = doctor(&format!("mode: ptp, ptp_socket: \"{}\"", absent.display()));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_finds(&said, &["problem  ptp4l: ", "for PTP start ptp4l, or set time.ptp_socket"]);

    // A port that was free a moment ago.
    let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let said = doctor(&format!("mode: chrony, chrony: \"127.0.0.1:{port}\""));
    assert_finds(&said, &["  chronyd: ", &port.to_string(), "`cmdport 323` in chrony.conf"]);
    let said = doctor(&format!("mode: gps, gpsd: \"127.0.0.1:{port}\""));
    assert_finds(&said, &["problem  gpsd: ", "start `gpsd -n`"]);

    let mute = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let said = doctor(&format!("mode: gps, gpsd: \"{}\"", mute.local_addr().expect("bound")));
    assert_finds(&said, &["problem  gpsd: ", "set time.gpsd to the port of gpsd"]);
}

#[test]
fn no_source_of_time_is_a_problem_only_where_one_is_required() {
    let absent = "mode: gps, gpsd: \"127.0.0.1:9\"";
    assert_finds(&doctor(absent), &["info     time source: none: the unit will be unsynced"]);
    let said = doctor(&format!("{absent}, required: true"));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_finds(&said, &["problem  time source: none, and time.required is true", "set time.required: false"]);
}
