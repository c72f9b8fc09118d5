//! `nunect up` with nothing: a node on the bus within its own process.

use crate::unit::{ACTORS, Said, Unit};
use crate::{PATIENCE, SOON, STOP};

/// The name that a unit without one gets: the host's, illegal characters as `-`.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host has a name");
    name.trim().replace(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'), "-")
}

fn whats(said: &[Said]) -> Vec<String> {
    said.iter().map(Said::what).collect()
}

/// A node of defaults lives from its start to `signal`.
fn lives_until(signal: &str) {
    let mut node = Unit::up(&[]);
    let started = node.expect("node node_started", PATIENCE);
    assert_eq!(started.text("/unit"), host_name());
    node.expect("node bus_connected", PATIENCE);
    for actor in ACTORS {
        let said = node.expect(&format!("{actor} actor_started"), PATIENCE);
        assert_eq!(said.json.pointer("/fields/incarnation"), Some(&1.into()), "{actor}");
    }
    let online = node.expect_about(&host_name(), "unit_online", PATIENCE);
    assert_eq!(online.text("/fields/session"), started.text("/fields/session"));
    let took = online.at.duration_since(node.started());
    assert!(took < SOON, "online after {took:?}");

    let ended = node.stop(signal);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.took < STOP, "ended after {:?}", ended.took);
    let reverse = ACTORS.iter().rev().map(|actor| format!("{actor} actor_stopped"));
    let expected: Vec<String> = std::iter::once("node node_stopping".to_owned()).chain(reverse).collect();
    assert_eq!(whats(&ended.said), expected);
    assert_eq!(ended.complaints, "");
}

#[test]
fn a_node_of_defaults_is_online_at_once_and_stops_in_order_on_sigterm() {
    lives_until("TERM");
}

#[test]
fn a_node_of_defaults_is_online_at_once_and_stops_in_order_on_sigint() {
    lives_until("INT");
}
