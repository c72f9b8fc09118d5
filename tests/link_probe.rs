//! The actor of `examples/link-probe.rs`, on a node and in the simulator.

#[path = "../examples/link-probe.rs"]
#[allow(dead_code, unreachable_pub, reason = "an example is a program, of which only the actor is of interest here")]
mod example;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use example::LinkProbe;
use nunect::runtime::{Clock, LocalBus, Node, NodeSpec, Observer};
use nunect::simulations::{Judgement, Scenario, Simulation};
use nunect::{ActorSpec, Catalog, Event, Role};
use serde_json::json;

fn catalog() -> Catalog {
    nunect::actors::catalog().with::<LinkProbe>()
}

fn actor(name: &str, options: &serde_json::Value) -> ActorSpec {
    ActorSpec::parse(name, options).expect("legal").expect("enabled")
}

fn node(unit: &str, actors: Vec<ActorSpec>) -> NodeSpec {
    NodeSpec::new(unit.parse().expect("a unit ID"), Role::Node, actors).expect("randomness")
}

#[test]
fn on_a_node_it_finds_that_nobody_is_there_and_that_somebody_came() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let (tell, told) = channel();
    let seen = move |record: &nunect::runtime::Record| {
        if let Event::Custom { kind, .. } = &record.event {
            // The test may be over.
            let _ = tell.send(kind.to_string());
        }
    };
    let observer: Observer = Box::new(seen);
    let bus = LocalBus::new();
    let options =
        json!({ "kind": "link-probe", "peer": "bravo", "every": "50ms", "window": 4, "poor_from_percent": 50 });
    let alpha = node("alpha", vec![actor("to-bravo", &options)]);
    let bravo = node("bravo", vec![actor("echo", &json!({}))]);
    let (clock, catalog) = (Clock::new(), catalog());
    let start = |spec, observer| {
        runtime.block_on(Node::start(spec, &catalog, Arc::new(bus.client()), clock, observer)).expect("a legal node")
    };
    let alpha = start(alpha, observer);
    assert_eq!(told.recv_timeout(Duration::from_secs(10)).as_deref(), Ok("link_poor"));
    let bravo = start(bravo, Box::new(|_| {}));
    assert_eq!(told.recv_timeout(Duration::from_secs(10)).as_deref(), Ok("link_good"));
    runtime.block_on(alpha.stop());
    runtime.block_on(bravo.stop());
}

#[test]
fn in_the_simulator_its_scenario_comes_out_as_expected() {
    let scenario = Scenario::load("examples/link-probe-mesh.yaml").expect("legal");
    let outcome = Simulation::new(&scenario, catalog(), 1).expect("legal").run();
    assert!(outcome.passed(), "{:#?}", outcome.expectations);
    let met = outcome.expectations.iter().all(|verdict| matches!(verdict.judgement, Judgement::Met { .. }));
    assert!(met, "each is put to the test: {:#?}", outcome.expectations);
}
