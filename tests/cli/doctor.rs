//! `nunect doctor`.

use std::collections::BTreeMap;

use crate::nats::NatsServer;
use crate::unit::{config, program};
use crate::{Node, Said, said};

/// The worst verdict of each check.
fn verdicts(said: &Said) -> BTreeMap<String, String> {
    let grave = |verdict: &str| ["ok", "info", "warning", "problem"].iter().position(|word| *word == verdict);
    let mut worst: BTreeMap<String, String> = BTreeMap::new();
    for finding in said.json() {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let entry = worst.entry(text("check")).or_default();
        if grave(&text("verdict")) >= grave(entry) {
            *entry = text("verdict");
        }
    }
    worst
}

#[test]
fn a_healthy_place_has_no_problem() {
    let server = NatsServer::start();
    let mut command = program();
    command.args(["doctor", "--json"]).env("NATS_URL", server.url()).env("NUNECT_METADATA__UNIT_ID", "fresh");
    let said = said(&mut command);
    assert_eq!(said.code, Some(0), "{said:?}");
    let verdicts = verdicts(&said);
    let checks = ["configuration", "unit ID", "server", "credentials", "round trip", "subscribe", "publish", "same ID"];
    for check in checks {
        assert_eq!(verdicts.get(check).map(String::as_str), Some("ok"), "{check}: {said:?}");
    }
}

#[test]
fn a_unit_of_the_same_name_is_found() {
    let node = Node::on_nats("twin-1", "");
    let said = said(node.command(&["doctor", "--json"]).env("NUNECT_METADATA__UNIT_ID", "twin-1"));
    assert_eq!(said.code, Some(0), "it may be this very node: {said:?}");
    assert_eq!(verdicts(&said)["same ID"], "warning", "{said:?}");
}

#[test]
fn what_would_keep_a_node_from_starting_is_a_problem_with_a_remedy() {
    let said = said(program().args(["doctor", "--nonsense"]));
    assert_eq!(said.code, Some(2));

    let file = config("health: { heartbeat_interval: never }").display().to_string();
    let said = crate::said(program().args(["doctor", "-c", &file]));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.out.contains("problem  configuration: ") && said.out.contains("health.heartbeat_interval"),
        "{said:?}"
    );

    let mut command = program();
    let said = crate::said(command.args(["doctor", "--json"]).env("NATS_URL", NatsServer::absent().url()));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(verdicts(&said)["server"], "problem", "{said:?}");
}
