//! The process of a node ends, is killed, stands still, or sees its clock jump.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::client::{Heard, Listener};
use crate::harm::{self, ACTORS, INTERVAL_MS, brittle, full, rows};
use crate::nats::{NatsServer, signal};
use crate::unit::{Unit, folder};
use crate::{BACK, PATIENCE};

/// 2.5 announced intervals.
const SILENCE: Duration = Duration::from_millis(INTERVAL_MS * 5 / 2);

#[test]
fn a_full_node_that_stops_is_offline_at_once() {
    let server = NatsServer::start();
    let url = server.url();
    let mut witness = harm::witness(&url);
    let unit = harm::start(&url, "leaver");
    witness.expect_about("leaver", "unit_online", PATIENCE);
    let told = Instant::now();
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let offline = witness.expect_about("leaver", "unit_offline", PATIENCE);
    assert_eq!(offline.text("/fields/reason"), "stopped cleanly");
    let took = offline.at.duration_since(told);
    assert!(took < BACK, "OFFLINE after {took:?}");
}

#[test]
fn a_full_node_that_is_killed_is_offline_after_two_and_a_half_intervals() {
    let server = NatsServer::start();
    let url = server.url();
    let heartbeats = Listener::on(&url, "ops.heartbeat.victim");
    let mut witness = harm::witness(&url);
    let mut unit = harm::start(&url, "victim");
    witness.expect_about("victim", "unit_online", PATIENCE);
    let earlier = heartbeats.next(PATIENCE);
    unit.kill();
    let offline = witness.expect_about("victim", "unit_offline", PATIENCE);
    assert_eq!(offline.text("/fields/reason"), "no heartbeat for 750ms");
    let last = heartbeats.waiting().pop().unwrap_or(earlier);
    let silence = silence(&last, offline.unix_ms());
    assert!((SILENCE..SILENCE * 3).contains(&silence), "OFFLINE {silence:?} after the last heartbeat");
}

/// From a heartbeat to an event, by the wall clock of the machine; an event's time is cut off to
/// milliseconds.
fn silence(last: &Heard, until_ms: i64) -> Duration {
    let sent_ms = i64::try_from(last.number("X-TX-Timestamp") / 1_000_000).expect("this century");
    Duration::from_millis(u64::try_from(until_ms + 1 - sent_ms).expect("an event after it"))
}

#[test]
fn a_node_that_stood_still_is_back_as_the_one_it_was() {
    let server = NatsServer::start();
    let url = server.url();
    let heartbeats = Listener::on(&url, "ops.heartbeat.sleeper");
    let mut witness = harm::witness(&url);
    let mut unit = harm::start(&url, "sleeper");
    let online = witness.expect_about("sleeper", "unit_online", PATIENCE);
    unit.expect_about("witness", "unit_online", PATIENCE);
    heartbeats.next(PATIENCE);

    signal(unit.id(), "STOP");
    let offline = witness.expect_about("sleeper", "unit_offline", PATIENCE);
    assert_eq!(offline.text("/fields/reason"), "no heartbeat for 750ms");
    let before = heartbeats.waiting();
    // Long after its own deadlines, too: by that it knows that it stood still itself.
    let others = Listener::on(&url, "ops.heartbeat.witness");
    for _ in 0..5 {
        others.next(PATIENCE);
    }
    signal(unit.id(), "CONT");
    let going_on = Instant::now();
    let back = witness.expect_about("sleeper", "unit_online", PATIENCE);
    let took = back.at.duration_since(going_on);
    assert!(took < BACK, "back after {took:?}");
    assert_eq!(back.json.pointer("/fields/restarted"), Some(&false.into()));
    assert_eq!(back.text("/fields/session"), online.text("/fields/session"));
    let rows = rows(&url, "sleeper");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["session"], &rows[0]["state"]), (&online.text("/fields/session").into(), &"OK".into()));

    // What it missed is not made up for, and what it numbered goes on.
    let after: Vec<Heard> = (0..5).map(|_| heartbeats.next(PATIENCE)).collect();
    let numbers: Vec<u64> = before.iter().chain(&after).map(|heartbeat| heartbeat.number("X-Sequence")).collect();
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");
    // It blames nobody for what it did not see itself: no actor hung, and no unit was OFFLINE.
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let wrong = ["monitor unit_offline", "node clock_stepped", "node node_health", "node bus_disconnected"];
    let blamed = ended.said.iter().find(|said| wrong.contains(&&*said.what()) || said.what().ends_with("actor_hung"));
    assert!(blamed.is_none(), "{blamed:?}");
}

/// The library that gives a process another wall clock; a missing one fails the test.
fn faketime() -> PathBuf {
    let folders = ["/usr/lib", "/usr/local/lib"].map(Path::new);
    let parts = folders.iter().flat_map(|folder| {
        let inside = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        inside.filter(|path| path.is_dir()).chain([folder.to_path_buf()])
    });
    let mut libraries = parts.map(|part| part.join("faketime/libfaketimeMT.so.1")).filter(|path| path.is_file());
    libraries
        .next()
        .expect("there is no libfaketime: run the tests by `bash tools/test`, or apt-get install libfaketime")
}

#[test]
fn a_wall_clock_that_is_set_back_an_hour_is_told_and_changes_no_duration() {
    const HOUR_MS: i64 = 3_600_000;
    let server = NatsServer::start();
    let url = server.url();
    let heartbeats = Listener::on(&url, "ops.heartbeat.timeless");
    let mut witness = harm::witness(&url);
    let clock = folder().join("clock");
    std::fs::write(&clock, "+0\n").expect("a writable folder");
    let file = full(&ACTORS, "");
    let mut command = brittle(&["--unit", "timeless", "--nats", &url, "-c", &file]);
    command.env("LD_PRELOAD", faketime()).env("FAKETIME_TIMESTAMP_FILE", &clock);
    // The monotonic clock is left alone, and the file is read anew at every look at the clock.
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_NO_CACHE", "1");
    let mut unit = Unit::of(&mut command);
    unit.expect_about("timeless", "unit_online", PATIENCE);
    witness.expect_about("timeless", "unit_online", PATIENCE);
    let before: Vec<Heard> = (0..5).map(|_| heartbeats.next(PATIENCE)).collect();

    // In one step: whoever reads it meanwhile sees the one or the other.
    let set = clock.with_extension("new");
    std::fs::write(&set, "-3600\n").and_then(|()| std::fs::rename(&set, &clock)).expect("a writable folder");
    let stepped = unit.expect("node clock_stepped", BACK);
    let by = stepped.json.pointer("/fields/by_ms").and_then(serde_json::Value::as_i64).expect("a number");
    assert!((by + HOUR_MS).abs() < 500, "stepped by {by} ms");
    let stamp =
        |heartbeat: &Heard| i64::try_from(heartbeat.number("X-TX-Timestamp") / 1_000_000).expect("this century");
    let past = stamp(&before[0]) - HOUR_MS / 2;
    let after = heartbeats.until(PATIENCE, |heartbeat| stamp(heartbeat) < past);
    let after: Vec<Heard> = after.into_iter().chain((0..10).map(|_| heartbeats.next(PATIENCE))).collect();

    // By the clock of whoever listens nothing happened.
    let all = [before, after].concat();
    for pair in all.windows(2) {
        let distance = pair[1].at.duration_since(pair[0].at).as_millis();
        assert!(distance < u128::from(INTERVAL_MS) * 3, "{distance} ms between heartbeats");
        assert_eq!(pair[1].number("X-Sequence"), pair[0].number("X-Sequence") + 1);
        let uptime = pair[1].number("X-Uptime") - pair[0].number("X-Uptime");
        assert!(uptime <= 1, "{uptime} s of uptime between two heartbeats");
    }
    let (first, last) = (&all[0], all.last().expect("heartbeats"));
    let took = last.at.duration_since(first.at).as_millis();
    let expected = u128::from(INTERVAL_MS) * (all.len() as u128 - 1);
    assert!(took.abs_diff(expected) < u128::from(INTERVAL_MS), "{} heartbeats in {took} ms", all.len());
    let ended = witness.stop("TERM");
    assert!(ended.said.iter().all(|said| said.text("/fields/unit") != "timeless"), "{ended:?}");
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let folder = clock.parent().expect("a folder");
    std::fs::remove_dir_all(folder).expect("it is there");
}
