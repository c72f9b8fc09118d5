//! A node as small as a measurement needs.

use nunect_benches::Failure;
use nunect_benches::work::UNIT;
use nunect_core::{ActorSpec, Role};
use nunect_runtime::{Clock, NatsBus, NatsOptions, NodeSpec};
use serde_json::Value;

/// A node of these actors, by name and options.
pub(crate) fn spec(actors: &[(&str, Value)]) -> Result<NodeSpec, Failure> {
    let actors = actors.iter().filter_map(|(name, options)| ActorSpec::parse(name, options).transpose());
    Ok(NodeSpec::new(UNIT.parse()?, Role::Node, actors.collect::<Result<_, _>>()?)?)
}

/// The node's connection to a server.
pub(crate) async fn nats(spec: &NodeSpec, url: &str, clock: Clock) -> Result<NatsBus, Failure> {
    let options = NatsOptions {
        urls: vec![url.to_owned()],
        unit: spec.unit.clone(),
        session: spec.session.clone(),
        reconnect_wait: std::time::Duration::from_secs(4),
        max_reconnects: None,
        credentials: None,
    };
    Ok(NatsBus::connect(options, clock, spec.entropy.stream("reconnect", 0)).await?)
}
