//! A node whose actors are supervised in groups.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nunect_core::{
    Actor, ActorSpec, Birth, Catalog, ConfigError, Contract, Deadline, Effects, Event, Fault, Input, Message, Mono,
    Now, Pattern, Role, StopReason, Subject, UnitId,
};
use nunect_runtime::{Bus, Clock, End, LocalBus, Node, NodeSpec, Record};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);
const ACTORS: [&str; 6] = ["lone", "x", "y", "z", "p", "q"];

/// Crashes as soon as it is told to, but on no message.
struct Fragile {
    listens: Subject,
    crash_at: Option<Mono>,
}

#[derive(Default, serde::Deserialize, schemars::JsonSchema, garde::Validate)]
#[serde(deny_unknown_fields)]
struct Options {}

fn subject(actor: &str) -> Subject {
    Subject::parse(format!("test.crash.{actor}")).expect("legal")
}

impl Actor for Fragile {
    const KIND: &'static str = "fragile";
    type Config = Options;

    fn new(_: Options, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { listens: subject(birth.actor.as_str()), crash_at: None })
    }

    fn contract(&self) -> Contract {
        Contract { reads: vec![Pattern::from(&self.listens).into()], ..Contract::default() }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Message(_) => self.crash_at = Some(now.mono),
            Input::Timeout(_) => return Err(Fault::new("as told")),
            Input::Stopping(reason) => {
                out.emit(Event::Custom { kind: "told".into(), fields: [("why".into(), format!("{reason:?}"))].into() });
            }
            Input::Started
            | Input::Reply { .. }
            | Input::Host(_)
            | Input::Bus(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Clock(_) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        self.crash_at.map(|at| Deadline::new(at, "crash"))
    }
}

/// A node, what its actors are told by, and what happens to it.
struct Bench {
    node: Node,
    bus: LocalBus,
    clock: Clock,
    happened: Receiver<(String, Event)>,
    seen: Vec<(String, Event)>,
}

impl Bench {
    async fn start(supervision: Value) -> Self {
        let (bus, clock) = (LocalBus::new(), Clock::new());
        let (tell, happened) = channel();
        let observer = Box::new(move |record: &Record| {
            let who = record.actor.as_ref().map_or_else(|| "node".to_owned(), ToString::to_string);
            // The test may be over.
            let _ = tell.send((who, record.event.clone()));
        });
        let actor = |name: &str| ActorSpec::parse(name, &json!({ "kind": "fragile" })).expect("legal");
        let actors = ACTORS.into_iter().rev().filter_map(actor).collect();
        let spec = NodeSpec::new(UnitId::new("n").expect("legal"), Role::Node, actors).expect("randomness");
        let spec = NodeSpec { supervision: serde_json::from_value(supervision).expect("legal"), ..spec };
        let catalog = Catalog::new().with::<Fragile>();
        let node = Node::start(spec, &catalog, Arc::new(bus.client()), clock, observer).await.expect("it starts");
        Self { node, bus, clock, happened, seen: Vec::new() }
    }

    fn crash(&self, actor: &str) {
        self.bus.client().publish(self.clock.now(), Message::new(subject(actor)).body("now")).expect("taken");
    }

    /// Waits for an event of somebody.
    fn until(&mut self, who: &str, name: &str) {
        loop {
            let (whose, event) = self.happened.recv_timeout(PATIENCE).expect("it happens");
            let reached = whose == who && event.name() == name;
            self.seen.push((whose, event));
            if reached {
                return;
            }
        }
    }

    /// Who was started, in this order, since it was asked the last time.
    fn started(&mut self) -> Vec<String> {
        let seen = std::mem::take(&mut self.seen);
        seen.into_iter().filter(|(_, event)| event.name() == "actor_started").map(|(who, _)| who).collect()
    }
}

fn supervision() -> Value {
    json!({
        "groups": {
            "line": { "strategy": "rest_for_one", "children": ["x", "y", "z"] },
            "pair": { "strategy": "one_for_all", "intensity": { "crashes": 1 }, "children": ["p", "q"] },
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_a_rest_for_one_group_restarts_its_later_actors_and_nobody_else() {
    let mut bench = Bench::start(supervision()).await;
    bench.until("lone", "actor_started");
    assert_eq!(bench.started(), ["p", "q", "x", "y", "z", "lone"], "a group starts when the first of it would");
    bench.crash("y");
    bench.until("z", "actor_started");
    assert!(bench.seen.iter().any(|(who, event)| who == "z" && event.name() == "actor_stopped"));
    assert_eq!(bench.started(), ["y", "z"]);
    assert_eq!(bench.node.status().restarts, 2);
    bench.crash("z");
    bench.until("z", "actor_started");
    assert_eq!(bench.started(), ["z"]);
    assert_eq!(bench.node.stop().await, End::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_beyond_its_intensity_is_begun_anew_by_the_root_and_the_others_do_not_notice() {
    let mut bench = Bench::start(supervision()).await;
    bench.until("lone", "actor_started");
    bench.started();
    for restarts in ["by the group", "by the root", "by the group"] {
        bench.crash("p");
        bench.until("q", "actor_started");
        assert_eq!(bench.started(), ["p", "q"], "{restarts}");
    }
    bench.crash("q");
    bench.until("pair", "restart_scheduled");
    let escalations = bench.seen.iter().filter(|(who, event)| who == "q" && event.name() == "escalated");
    assert_eq!(escalations.count(), 1);
    bench.until("q", "actor_started");
    assert_eq!(bench.started(), ["p", "q"], "after a wait");
    bench.until("node", "node_health");
    assert_eq!(bench.node.stop().await, End::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_beyond_the_intensity_of_the_root_ends_the_node_and_all_are_told() {
    let mut supervision = supervision();
    supervision["intensity"] = json!({ "crashes": 0 });
    let mut bench = Bench::start(supervision).await;
    bench.until("lone", "actor_started");
    bench.crash("p");
    bench.until("q", "actor_started");
    bench.crash("q");
    let End::Escalated { actor, reason, .. } = bench.node.ended().await else { panic!("it gave up") };
    assert_eq!((actor.as_str(), reason.as_str()), ("pair", "q: as told (on timeout)"));
    bench.until("x", "actor_stopped");
    for name in ["lone", "x", "y", "z"] {
        let told = |(who, event): &(String, Event)| {
            who == name
                && matches!(event, Event::Custom { fields, .. } if fields["why"] == format!("{:?}", StopReason::NodeShutdown))
        };
        assert!(bench.seen.iter().any(told), "{name}: {:?}", bench.seen);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_significant_group_is_the_end_of_the_node() {
    let mut bench = Bench::start(json!({
        "auto_shutdown": "any_significant",
        "groups": { "pair": {
            "children": ["p", "q"],
            "intensity": { "crashes": 0 },
            "restart": "temporary",
            "significant": true,
        } },
    }))
    .await;
    bench.until("lone", "actor_started");
    bench.crash("p");
    assert_eq!(bench.node.ended().await, End::Stopped);
}
