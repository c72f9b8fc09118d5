//! Hooks of the monitor: programs that run when a unit changes.

use std::path::Path;
use std::time::Duration;

use crate::client::request;
use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::tools::{all_of, beat, eventually};
use crate::unit::{Unit, config, folder};
use crate::{PATIENCE, STOP};

/// A node with these hooks, as YAML, that sees itself.
fn node(url: &str, id: &str, hooks: &str) -> Unit {
    let file = config(&format!("actors: {{ monitor: {{ hooks: {{ {hooks} }} }} }}\n")).display().to_string();
    let mut unit = Unit::on(url, id, &["-c", &file]);
    all_of(&mut unit, &["echo actor_started", "monitor unit_online"], PATIENCE);
    unit
}

#[test]
fn a_hook_finds_what_happened_in_its_environment() {
    let server = NatsServer::start();
    let url = server.url();
    let folder = folder();
    let (script, seen) = (folder.join("hook.sh"), folder.join("seen"));
    // One write for each line: two hooks may run at once.
    let words = "printf '%s\\n' \"$1|$NUNECT_UNIT|$NUNECT_FROM|$NUNECT_STATE|$NUNECT_REASON\" >> \"$2\"\n";
    std::fs::write(&script, words).expect("a writable folder");
    let hook = |name: &str| format!("{name}: [sh, \"{}\", {name}, \"{}\"]", script.display(), seen.display());
    let hooks = ["online", "degraded", "offline"].map(hook).join(", ");
    let mut unit = node(&url, "warden", &hooks);
    let lines = || std::fs::read_to_string(&seen).unwrap_or_default();
    eventually("its own coming", PATIENCE, || lines().starts_with("online|warden|OFFLINE|OK|"));

    let mut raw = Raw::on(&url);
    let mut last = lines();
    // What each is told: what it was, what it is, and which hook that is.
    for (status, from, hook) in [
        ("OK", "OFFLINE", "online"),
        ("DEGRADED", "OK", "degraded"),
        ("CRITICAL", "DEGRADED", "degraded"),
        ("OK", "CRITICAL", "online"),
        ("OFFLINE", "OK", "offline"),
    ] {
        beat(&mut raw, "guest", status);
        let line = format!("{hook}|guest|{from}|{status}|");
        eventually(&line, PATIENCE, || lines().lines().count() > last.lines().count() && lines().ends_with('\n'));
        let now = lines();
        assert!(now.lines().last().is_some_and(|last| last.starts_with(&line)), "{line}: {now}");
        last = now;
    }
    let reason = last.lines().last().and_then(|line| line.rsplit('|').next());
    assert_eq!(reason, Some("stopped cleanly"));
    assert_eq!(last.lines().count(), 6, "one for each change: {last}");
    let failed = unit.unexpected().into_iter().find(|said| said.what() == "monitor port_failed");
    assert!(failed.is_none(), "{failed:?}");
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}

#[test]
fn a_hook_that_fails_is_told_and_the_node_goes_on() {
    let server = NatsServer::start();
    let url = server.url();
    for (id, hook, words) in [
        ("absent", "[/no/such/program, x]", "the hook `/no/such/program`: cannot be started: No such file"),
        ("failing", "[sh, -c, \"echo no paper >&2; exit 3\"]", "ended with exit status: 3: no paper"),
        ("silent", "[\"false\"]", "the hook `false`: ended with exit status: 1"),
    ] {
        let mut unit = node(&url, id, &format!("degraded: {hook}"));
        let mut raw = Raw::on(&url);
        beat(&mut raw, &format!("{id}-guest"), "DEGRADED");
        let failed = unit.expect("monitor port_failed", PATIENCE);
        assert_eq!(failed.text("/fields/port"), "hook");
        assert!(failed.text("/fields/reason").contains(words), "{failed:?}");

        // It is told once a minute, and the monitor goes on with its work.
        beat(&mut raw, &format!("{id}-friend"), "DEGRADED");
        unit.expect_about(&format!("{id}-friend"), "unit_health", PATIENCE);
        assert_eq!(request(&url, &format!("ops.echo.{id}"), &[], "there?").payload(), "there?");
        let ended = unit.stop("TERM");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let crashed =
            ended.said.iter().find(|said| ["monitor actor_crashed", "monitor port_failed"].contains(&&*said.what()));
        assert!(crashed.is_none(), "{crashed:?}");
    }
}

#[test]
fn a_hook_that_takes_its_time_holds_up_nobody_and_ends_with_the_node() {
    let server = NatsServer::start();
    let url = server.url();
    let folder = folder();
    let pid = folder.join("pid");
    let hook = format!("degraded: [sh, -c, \"echo $$ > {0}.new; mv {0}.new {0}; sleep 60; true\"]", pid.display());
    let mut unit = node(&url, "steady", &hook);
    let mut raw = Raw::on(&url);
    beat(&mut raw, "guest", "DEGRADED");
    eventually("the hook runs", PATIENCE, || pid.exists());
    let process = std::fs::read_to_string(&pid).expect("a number");
    let process = Path::new("/proc").join(process.trim());
    beat(&mut raw, "guest", "OK");
    unit.expect_that("that it is OK again", Duration::from_secs(3), |said| {
        said.what() == "monitor unit_health" && said.text("/fields/to") == "OK"
    });
    assert!(process.exists(), "it still runs");
    let ended = unit.stop("TERM");
    assert!(ended.code == Some(0) && ended.took < STOP, "{ended:?}");
    // A process that nobody waits for any more still has an entry, and no command line.
    let lives = || std::fs::read_to_string(process.join("cmdline")).is_ok_and(|line| !line.is_empty());
    eventually("the hook has ended", PATIENCE, || !lives());
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}
