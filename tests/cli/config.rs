//! `nunect config show` and `schema`.

use std::path::Path;

use crate::said;
use crate::unit::{config, program};

#[test]
fn every_value_says_where_it_came_from() {
    let file = config("metadata: { role: gateway }\nhealth:\n  heartbeat_interval: ${PACE}\nactors: { echo: null }\n");
    let path = file.display().to_string();
    let mut command = program();
    command.args(["config", "show", "--origin", "--unit", "alpha", "-c", &path]);
    let said = said(command.env("PACE", "2s").env("NUNECT_LOGGING__MIN_LEVEL", "WARN"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let origin = |key: &str| {
        let line = said.out.lines().find(|line| line.trim_start().starts_with(key)).unwrap_or_else(|| panic!("{key}"));
        line.split_once("# ").unwrap_or_else(|| panic!("{line}")).1.to_owned()
    };
    assert_eq!(origin("unit_id: alpha"), "flag --unit");
    assert_eq!(origin("role: gateway"), format!("{path}:1"));
    assert_eq!(origin("heartbeat_interval: \"${PACE}\""), format!("{path}:3"));
    assert_eq!(origin("min_level: WARN"), "environment NUNECT_LOGGING__MIN_LEVEL");
    assert_eq!(origin("reconnect_wait: 1s"), "default");
}

#[test]
fn what_is_shown_can_be_read_again_and_comes_to_the_same() {
    let show = |arguments: &[&str]| {
        let said = said(program().args(["config", "show", "--unit", "alpha"]).args(arguments));
        assert_eq!(said.code, Some(0), "{said:?}");
        said.out
    };
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/node.yaml").display().to_string();
    let shown = show(&["-c", &sample]);
    let again = config(&shown);
    assert_eq!(show(&["-c", &again.display().to_string()]), shown);
}

#[test]
fn no_secret_is_shown() {
    let file = config("connection: { urls: [\"nats://me:${PASSWORD}@localhost:4222\"] }\n").display().to_string();
    for arguments in [["config", "show", "-c", &file].as_slice(), &["config", "show", "--json", "-c", &file]] {
        let said = said(program().args(arguments).env("PASSWORD", "hunter2"));
        assert!(said.code == Some(0) && !said.out.contains("hunter2"), "{said:?}");
    }
    let said = said(program().args(["config", "show"]).env("NATS_URL", "nats://me:hunter2@localhost:4222"));
    assert!(said.out.contains("nats://***@localhost:4222") && !said.out.contains("hunter2"), "{said:?}");
}

#[test]
fn the_schema_is_the_one_beside_the_samples() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/schema/profile.schema.json");
    let kept = std::fs::read_to_string(kept).expect("readable");
    assert!(said(program().args(["config", "schema"])).out == kept, "UPDATE_GOLDEN=1 cargo test --test configs");
}
