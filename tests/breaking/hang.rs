//! An actor that does not come back: it is told, the process ends, and another takes its place.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Listener;
use crate::harm::{self, ACTORS, INTERVAL_MS, brittle, ear, full, rows};
use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::unit::Unit;
use crate::{BACK, PATIENCE};

/// `hang_after` and `hang_limit` (protocol, section 6).
const HANG_AFTER: Duration = Duration::from_millis(500);
const HANG_LIMIT: Duration = Duration::from_secs(2);

/// Tells `brittle` of `id` to hang, and sees that this is told; returns when it was told to.
fn hangs(url: &str, id: &str, unit: &mut Unit) -> Instant {
    let told = Instant::now();
    Raw::on(url).tell(&ear(id), "hang");
    let hung = unit.expect("brittle actor_hung", HANG_AFTER * 3);
    let took = hung.at.duration_since(told);
    assert!((HANG_AFTER..HANG_AFTER * 3).contains(&took), "told after {took:?}");
    assert_eq!(hung.text("/fields/on"), ear(id));
    let degraded = unit.expect_health("DEGRADED", PATIENCE);
    assert_eq!(degraded.json.pointer("/fields/causes/0"), Some(&"brittle hangs".into()));
    told
}

#[test]
fn a_hang_is_told_and_then_ends_the_process_with_71() {
    let server = NatsServer::start();
    let url = server.url();
    let heartbeats = Listener::on(&url, "ops.heartbeat.hanging");
    let mut unit = harm::start(&url, "hanging");
    let mut last = heartbeats.next(PATIENCE);

    let told = hangs(&url, "hanging", &mut unit);
    // The others go on meanwhile: 2.5 intervals of silence would be OFFLINE.
    while last.header("X-Health-Status") == "OK" || last.at < told + HANG_LIMIT * 3 / 4 {
        let next = heartbeats.next(PATIENCE);
        let distance = next.at.duration_since(last.at);
        assert!(distance < Duration::from_millis(INTERVAL_MS) * 5 / 2, "{distance:?} between heartbeats");
        last = next;
    }
    let ended = unit.end(HANG_LIMIT * 3);
    let took = told.elapsed();
    assert!((HANG_LIMIT..HANG_LIMIT * 3).contains(&took), "ended after {took:?}");
    assert_eq!(ended.code, Some(71), "{ended:?}");
    assert!(ended.complaints.contains("brittle has not come back from test.brittle.hanging"), "{ended:?}");
}

/// A process with all that it started; dropping it kills them.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        // It fails only when there is nothing left to kill.
        let kill = format!("kill -s KILL -- -{}", self.0);
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    }
}

/// The process that another has started.
fn child_of(process: u32) -> PathBuf {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).expect("it lives");
    Path::new("/proc").join(children.trim())
}

#[test]
fn a_respawned_node_is_back_within_a_second_as_the_same_unit_in_a_new_session() {
    let server = NatsServer::start();
    let url = server.url();
    let heartbeats = Listener::on(&url, "ops.heartbeat.phoenix");
    let mut witness = harm::witness(&url);
    let file = full(&ACTORS, "");
    let mut command = brittle(&["--respawn", "--unit", "phoenix", "--nats", &url, "-c", &file]);
    let mut unit = Unit::of(command.process_group(0));
    let _group = Group(unit.id());
    unit.expect("brittle actor_started", PATIENCE);
    harm::listens(&url, "phoenix");
    let online = witness.expect_about("phoenix", "unit_online", PATIENCE);
    let process = child_of(unit.id());

    let told = hangs(&url, "phoenix", &mut unit);
    let started = unit.expect("node node_started", HANG_LIMIT * 3 + BACK);
    let took = unit.expect_about("phoenix", "unit_online", BACK).at.duration_since(told);
    assert!((HANG_LIMIT..HANG_LIMIT * 3 + BACK).contains(&took), "back {took:?} after it began to hang");
    let back = witness.expect_about("phoenix", "unit_online", BACK);
    assert_eq!(back.json.pointer("/fields/restarted"), Some(&true.into()), "{}", witness.all());
    let session = back.text("/fields/session");
    assert_ne!(session, online.text("/fields/session"));
    assert_eq!(session, started.text("/fields/session"));
    let successor = child_of(unit.id());
    assert!(successor != process && successor.exists() && !process.exists(), "{process:?} and {successor:?}");
    // One unit, that was never two.
    let rows = rows(&url, "phoenix");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["session"], &rows[0]["state"]), (&session.into(), &"OK".into()));
    assert!(witness.unexpected().iter().all(|said| !said.what().ends_with("duplicate_unit")));

    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.complaints.contains("it is started again at once"), "{ended:?}");
    assert!(!successor.exists(), "both have ended");
    let last = heartbeats.until(PATIENCE, |heartbeat| heartbeat.header("X-Health-Status") == "OFFLINE");
    assert_eq!(last.last().expect("one at least").header("X-Session-ID"), session);
}
