//! `nunect up` with nothing: a node on the bus within its own process.

use crate::tools::all_of;
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
    let mut what = ACTORS.map(|actor| format!("{actor} actor_started")).to_vec();
    what.push("monitor unit_online".to_owned());
    let mut said = all_of(&mut node, &Vec::from_iter(what.iter().map(String::as_str)), PATIENCE);
    let online = said.pop().expect("the last");
    assert_eq!(online.text("/fields/unit"), host_name());
    assert!(said.is_sorted_by_key(|said| said.at), "in their order: {said:?}");
    for started in said {
        assert_eq!(started.json.pointer("/fields/incarnation"), Some(&1.into()), "{started:?}");
    }
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
