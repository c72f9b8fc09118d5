//! Command lines that run when a unit changes.

use super::super::hooks::PORT;
use super::*;

fn hooked() -> Harness {
    Harness::new::<Monitor>(
        json!({ "hooks": { "offline": ["page", "--now"], "degraded": ["warn"], "online": ["note"] } }),
    )
}

/// The command of the next hook, and what it is told: unit, state, the one before, and why.
fn expect_hook(monitor: &mut Harness) -> (Vec<String>, [String; 4]) {
    let json: Value = serde_json::from_slice(&monitor.expect_port(PORT)).expect("JSON");
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let command = json["command"].as_array().expect("words").iter().map(word).collect();
    let names = ["NUNECT_UNIT", "NUNECT_STATE", "NUNECT_FROM", "NUNECT_REASON"];
    assert_eq!(json["env"].as_object().map(serde_json::Map::len), Some(names.len()));
    (command, names.map(|name| word(&json["env"][name])))
}

fn expect(monitor: &mut Harness, command: &[&str], env: [&str; 4]) {
    let (given, told) = expect_hook(monitor);
    assert_eq!((given, told), (command.iter().map(ToString::to_string).collect(), env.map(str::to_owned)));
}

#[test]
fn each_change_runs_its_command_with_the_unit_in_the_environment() {
    let (mut monitor, mut alpha) = (hooked(), Sender::new("alpha"));
    monitor.send(alpha.beat());
    expect(&mut monitor, &["note"], ["alpha", "OK", "OFFLINE", "heard"]);
    monitor.send(alpha.beat());
    monitor.send(alpha.beat_as(Health::Critical));
    expect(&mut monitor, &["warn"], ["alpha", "CRITICAL", "OK", "as the unit reports"]);
    monitor.send(alpha.beat_as(Health::Ok));
    expect(&mut monitor, &["note"], ["alpha", "OK", "CRITICAL", "as the unit reports"]);
    monitor.send(alpha.restarted(2).beat());
    expect(&mut monitor, &["note"], ["alpha", "OK", "OK", "in a new session"]);
    monitor.events();
    monitor.advance(WINDOW);
    expect(&mut monitor, &["page", "--now"], ["alpha", "OFFLINE", "OK", "no heartbeat for 12.5s"]);
    monitor.events();
    monitor.expect_silence();
}

#[test]
fn a_clean_stop_runs_the_offline_command_too() {
    let (mut monitor, mut alpha) = (hooked(), Sender::new("alpha"));
    monitor.send(alpha.beat());
    expect_hook(&mut monitor);
    monitor.send(alpha.beat_as(Health::Offline));
    expect(&mut monitor, &["page", "--now"], ["alpha", "OFFLINE", "OK", "stopped cleanly"]);
}

#[test]
fn a_change_without_a_command_runs_nothing() {
    let mut monitor = Harness::new::<Monitor>(json!({ "hooks": { "offline": ["page"] } }));
    let mut alpha = Sender::new("alpha");
    monitor.send(alpha.beat_as(Health::Degraded));
    monitor.events();
    monitor.expect_silence();
}

#[test]
fn the_port_is_asked_for_when_there_is_a_hook() {
    let hooks = Hooks { degraded: Some(vec!["warn".to_owned()]), ..Hooks::default() };
    let config = MonitorConfig { hooks, ..MonitorConfig::default() };
    let contract = Actor::contract(&Monitor::new(config, &birth("monitor", Now::default())).expect("legal"));
    assert_eq!(contract.ports, [PORT]);
}

#[test]
fn a_hook_that_fails_is_reported_once_a_minute() {
    let mut monitor = hooked();
    let mut reports = Vec::new();
    for _ in 0..121 {
        monitor.input(Input::Port(PORT, &Bytes::from_static(br#"{"failed":"page: exit code 1"}"#)));
        monitor.input(Input::Port(PORT, &Bytes::from_static(b"garbage")));
        reports.extend(monitor.events());
        monitor.advance(Duration::from_secs(1));
    }
    let failed = Event::PortFailed { port: PORT.into(), reason: "page: exit code 1".to_owned() };
    assert_eq!(reports, vec![failed; 3]);
}

#[test]
fn a_hook_without_a_program_is_an_error_that_shows_one() {
    let catalog = Catalog::new().with::<Monitor>();
    let check = |hook: Value| (catalog.get("monitor").expect("known").check)(&json!({ "hooks": { "offline": hook } }));
    for hook in [json!([]), json!([""]), json!(vec!["x"; 65]), json!(["x".repeat(4_097)])] {
        let error = check(hook).expect_err("no command line").to_string();
        assert!(error.starts_with("hooks.offline: a program and its arguments"), "{error}");
    }
    assert!(check(json!("page")).is_err());
    assert_eq!(check(json!(null)), Ok(()));
}
