//! Whole nodes in a layered world, and its configuration.

use nunect_core::ActorSpec;
use serde_json::json;

use super::bench::{plan, units};
use crate::{NodeSpec, Simulation};
use std::time::Duration;

fn problems(servers: serde_json::Value) -> Vec<String> {
    plan(3, servers, json!({})).1
}

#[test]
fn what_cannot_be_is_told_with_its_key() {
    assert_eq!(problems(json!({ "hubs": ["n0", "n7"] })), ["servers.hubs[1]: no node is called `n7`"]);
    assert_eq!(problems(json!({ "hubs": ["n0", "n1", "n0"] })), ["servers.hubs[2]: `n0` is a hub already"]);
    assert_eq!(
        problems(json!({ "ping": { "interval": "0s", "max": 2 }, "reconnect": "2h" })),
        ["servers.ping.interval: a time that is no time", "servers.reconnect: longer than 1h"]
    );
    assert_eq!(problems(json!({ "max_pending": 0 })), ["servers.max_pending: nothing could wait"]);
    let unknown = serde_json::from_value::<super::super::LayeredConfig>(json!({ "servers": { "hub": "n0" } }));
    assert!(unknown.expect_err("no such key").to_string().contains("hubs"));
}

#[test]
fn hubs_keep_the_order_in_which_they_are_named() {
    assert_eq!(plan(3, json!({ "hubs": ["n2", "n0"] }), json!({})).0.hubs, [2, 0]);
    assert_eq!(plan(3, json!({}), json!({})).0.hubs, [0]);
    assert_eq!(plan(3, json!({ "hubs": "*" }), json!({})).0.hubs, [0, 1, 2]);
}

fn simulation(count: u32, servers: serde_json::Value, seed: u64) -> Simulation {
    let units = units(count);
    let (plan, problems) = plan(count, servers, json!({}));
    assert_eq!(problems, Vec::<String>::new());
    let mut simulation = Simulation::empty_layered(plan, &units, nunect_actors::catalog(), seed);
    let next = |number: usize| units[(number + 1) % units.len()].as_str();
    for (number, unit) in units.iter().enumerate() {
        let actors: Vec<ActorSpec> = [
            ("heartbeater", json!({ "interval": "5s" })),
            ("echo", json!({})),
            ("prober", json!({ "peers": [next(number)], "interval": "1s" })),
        ]
        .into_iter()
        .filter_map(|(name, options)| ActorSpec::parse(name, &options).expect("options"))
        .collect();
        simulation.start_node(NodeSpec::new(unit.clone(), actors)).expect("starts");
    }
    simulation
}

#[test]
fn nodes_echo_through_leafs_and_hub() {
    let mut simulation = simulation(5, json!({}), 1);
    simulation.run_for(Duration::from_secs(30));
    let counters = simulation.counters();
    assert!(counters.replies > 5 * 25, "{counters:?}");
    assert_eq!(counters.lost, 0);
}
