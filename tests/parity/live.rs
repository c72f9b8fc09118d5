//! The live arms: every node has a tokio runtime of its own, on the embedded bus or on a real server.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nunect::runtime::{Bus, Clock, LocalBus, NatsBus, NatsOptions, Node, NodeSpec};
use nunect::{ActorSpec, Catalog, Message, Program, Role, UnitId};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::brittle::Brittle;
use crate::nats::NatsServer;
use crate::world::{History, Seen, World};
use crate::{INTERVAL, OFFLINE_AFTER};

/// How often a predicate is asked.
const POLL: Duration = Duration::from_millis(2);

/// Where the nodes of an arm meet.
enum Meeting {
    Local(LocalBus),
    Server(NatsServer),
}

/// Nodes of this process on one bus.
pub(crate) struct Live {
    meeting: Meeting,
    catalog: Catalog,
    clock: Clock,
    nodes: BTreeMap<String, (Runtime, Node)>,
    outside: Option<(Runtime, Arc<dyn Bus>)>,
    history: Arc<Mutex<Vec<Seen>>>,
}

impl Live {
    /// On the embedded bus.
    pub(crate) fn local() -> Self {
        Self::new(Meeting::Local(LocalBus::new()))
    }

    /// On a nats-server of its own.
    pub(crate) fn server() -> Self {
        Self::new(Meeting::Server(NatsServer::start()))
    }

    fn new(meeting: Meeting) -> Self {
        let catalog = Program::new().with::<Brittle>().catalog().clone();
        let history = Arc::default();
        Self { meeting, catalog, clock: Clock::new(), nodes: BTreeMap::new(), outside: None, history }
    }

    fn bus(&self, runtime: &Runtime, spec: &NodeSpec) -> Arc<dyn Bus> {
        match &self.meeting {
            Meeting::Local(bus) => Arc::new(bus.client()),
            Meeting::Server(server) => {
                let options = NatsOptions {
                    urls: vec![server.url()],
                    unit: spec.unit.clone(),
                    session: spec.session.clone(),
                    reconnect_wait: Duration::from_secs(1),
                    max_reconnects: None,
                    credentials: None,
                };
                let bus = NatsBus::connect(options, self.clock, spec.entropy.stream("reconnect", 0));
                Arc::new(runtime.block_on(bus).expect("the server takes a connection"))
            }
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads")
}

fn spec(unit: &str, actors: Vec<ActorSpec>) -> NodeSpec {
    NodeSpec::new(UnitId::new(unit).expect("a legal unit ID"), Role::Node, actors).expect("randomness")
}

impl World for Live {
    fn name(&self) -> &'static str {
        match self.meeting {
            Meeting::Local(_) => "LocalBus",
            Meeting::Server(_) => "nats-server",
        }
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.mono().as_nanos())
    }

    fn offline_within(&self) -> RangeInclusive<Duration> {
        // A heartbeat may be late by an interval where two processors run many tests, and real
        // processes may take three times as long as the protocol allows.
        OFFLINE_AFTER - INTERVAL * 2..=OFFLINE_AFTER * 3
    }

    fn start(&mut self, unit: &str, actors: &Value) {
        let runtime = runtime();
        let actors = actors.as_object().expect("a map of actors").iter();
        let actors = actors.filter_map(|(name, options)| ActorSpec::parse(name, options).expect("legal")).collect();
        let spec = spec(unit, actors);
        let bus = self.bus(&runtime, &spec);
        let history = Arc::clone(&self.history);
        let observer = Box::new(move |record: &nunect::runtime::Record| {
            history.lock().unwrap_or_else(PoisonError::into_inner).push(Seen {
                unit: record.unit.as_str().to_owned(),
                actor: record.actor.as_ref().map_or("node", nunect::ActorName::as_str).to_owned(),
                at: Duration::from_nanos(record.now.mono.as_nanos()),
                event: record.event.clone(),
            });
        });
        let node = Node::start(spec, &self.catalog, bus, self.clock, observer);
        let node = runtime.block_on(node).expect("the node starts");
        assert!(self.nodes.insert(unit.to_owned(), (runtime, node)).is_none(), "{unit} runs already");
    }

    fn kill(&mut self, unit: &str) {
        let (runtime, node) = self.nodes.remove(unit).expect("the unit runs");
        drop(node);
        runtime.shutdown_background();
    }

    fn send(&mut self, message: Message) {
        if self.outside.is_none() {
            let runtime = runtime();
            let bus = self.bus(&runtime, &spec("outside", Vec::new()));
            let deadline = Instant::now() + Duration::from_secs(5);
            while runtime.block_on(bus.round_trip(Duration::from_secs(1))).is_err() {
                assert!(Instant::now() < deadline, "the outside reaches the bus");
                std::thread::sleep(POLL);
            }
            self.outside = Some((runtime, bus));
        }
        let (runtime, bus) = self.outside.as_ref().expect("just made");
        let _context = runtime.enter();
        bus.publish(self.clock.now(), message).expect("the bus takes a message");
    }

    fn run_until(&mut self, predicate: &dyn Fn(&History) -> bool, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if predicate(&self.history.lock().unwrap_or_else(PoisonError::into_inner)) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
    }

    fn history(&self) -> Vec<Seen> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for (runtime, node) in std::mem::take(&mut self.nodes).into_values() {
            drop(node);
            runtime.shutdown_background();
        }
        if let Some((runtime, bus)) = self.outside.take() {
            bus.abandon();
            runtime.shutdown_background();
        }
    }
}
