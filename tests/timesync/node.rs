//! A node whose guardian judges the daemons of the test, and all that it says of its clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nunect::protocol::header::{ClockQuality, ClockSource};
use nunect::protocol::time::{self, TimeStatus};
use nunect::runtime::bus::Inbound;
use nunect::runtime::bus::ask::{Inbox, ask};
use nunect::runtime::config::TimeSection;
use nunect::runtime::{Bus, Clock, LocalBus, Node, NodeSpec, Record};
use nunect::{ActorSpec, Event, Message, Role, SessionId, Subscription, TimeDaemon, UnitId};
use serde_json::{Value, json};

use crate::POLL;

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// How long a node may take to say what it knows: an actor's turn, on a busy machine.
const ANSWER: Duration = Duration::from_secs(5);

/// A node with one actor, `time_guardian`, and a client on its bus.
pub(crate) struct Host {
    runtime: tokio::runtime::Runtime,
    /// Until it is dropped.
    _node: Node,
    client: Arc<dyn Bus>,
    inbox: Inbox,
    clock: Clock,
    unit: UnitId,
    heard: Arc<Mutex<Heard>>,
}

/// What it said by itself.
#[derive(Default)]
struct Heard {
    changes: Vec<Change>,
    problems: Vec<(TimeDaemon, Option<String>)>,
    metrics: Vec<TimeStatus>,
}

/// The event that another source steers the clock, or that one steers it better or worse.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) source: ClockSource,
    pub(crate) quality: ClockQuality,
    pub(crate) reason: String,
}

impl Host {
    /// A node that asks whom `time` names.
    pub(crate) fn new(time: &TimeSection) -> Self {
        Self::with(time, &json!({}))
    }

    /// The same, with further options of the guardian.
    pub(crate) fn with(time: &TimeSection, options: &Value) -> Self {
        let mut guardian = json!({
            "mode": time.mode,
            "ptp_master": time.ptp_master,
            "ptp_domain": time.ptp_domain,
            "holdover_max": time.holdover_max,
            "interval": format!("{}ms", POLL.as_millis()),
        });
        let all = guardian.as_object_mut().expect("an object");
        all.extend(options.as_object().expect("an object").clone());
        let actor = ActorSpec::parse("time_guardian", &guardian).expect("legal").expect("enabled");
        let unit: UnitId = "host".parse().expect("a unit ID");
        let mut spec = NodeSpec::new(unit.clone(), Role::Node, vec![actor]).expect("randomness");
        spec.time = time.clone();

        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = threads.expect("the system gives a thread");
        let (bus, clock, heard) = (LocalBus::new(), Clock::new(), Arc::new(Mutex::new(Heard::default())));
        let client: Arc<dyn Bus> = Arc::new(bus.client());
        let inbox = Inbox::new("test".parse().expect("a unit ID"), SessionId::from_random(1));

        let hears = Arc::clone(&heard);
        let sink = Arc::new(move |inbound| match inbound {
            Inbound::Message(message) => lock(&hears).metrics.push(metric(&message)),
            Inbound::NoResponders(_) => {}
        });
        let metrics = Subscription::from(time::pattern());
        runtime.block_on(client.subscribe(&metrics, sink)).expect("a bus of this process").forever();

        let hears = Arc::clone(&heard);
        let observer = Box::new(move |record: &Record| lock(&hears).hear(record));
        let catalog = nunect::actors::catalog();
        let node = runtime.block_on(Node::start(spec, &catalog, Arc::new(bus.client()), clock, observer));
        Self { _node: node.expect("a legal node"), runtime, client, inbox, clock, unit, heard }
    }

    /// What it knows of its clock now.
    pub(crate) fn status(&self) -> TimeStatus {
        let question = Message::new(time::sync_subject(&self.unit));
        let sent = self.clock.now();
        let asked = ask(self.client.as_ref(), &self.inbox, &self.clock, question, ANSWER);
        let answer = self.runtime.block_on(asked).expect("the guardian answers");
        time::told(sent, &answer).expect("an answer to a question for the time").status
    }

    /// Waits until what it knows is `so`.
    pub(crate) fn until(&self, what: &str, limit: Duration, mut so: impl FnMut(&TimeStatus) -> bool) -> TimeStatus {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.status();
            if so(&status) {
                return status;
            }
            let changes = || self.changes();
            assert!(Instant::now() < deadline, "not {what} within {limit:?}: {status:#?}\n{:#?}", changes());
            sleep(GLANCE);
        }
    }

    /// Everything that it says it knows for so long, as often as it is asked.
    pub(crate) fn during(&self, time: Duration) -> Vec<TimeStatus> {
        let end = Instant::now() + time;
        let mut all = Vec::new();
        while Instant::now() < end {
            all.push(self.status());
            sleep(GLANCE);
        }
        all
    }

    /// The changes so far.
    pub(crate) fn changes(&self) -> Vec<Change> {
        lock(&self.heard).changes.clone()
    }

    /// The daemons that could not be read, and why; or could be again.
    pub(crate) fn problems(&self) -> Vec<(TimeDaemon, Option<String>)> {
        lock(&self.heard).problems.clone()
    }

    /// What it published of its clock.
    pub(crate) fn metrics(&self) -> Vec<TimeStatus> {
        lock(&self.heard).metrics.clone()
    }
}

impl Heard {
    fn hear(&mut self, record: &Record) {
        if let Event::ClockChanged { source, quality, reason } = &record.event {
            self.changes.push(Change { source: *source, quality: *quality, reason: reason.to_string() });
        }
        if let Event::TimeDaemon { daemon, problem } = &record.event {
            self.problems.push((*daemon, problem.clone()));
        }
    }
}

fn metric(message: &Message) -> TimeStatus {
    TimeStatus::parse(message).expect("a metric").status
}

/// What is behind it is whole, whoever panicked.
fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What it says of one daemon that it asked.
pub(crate) fn row(status: &TimeStatus, daemon: TimeDaemon) -> &nunect::protocol::time::SourceStatus {
    let row = status.sources.iter().find(|row| row.daemon == daemon);
    row.unwrap_or_else(|| panic!("{daemon} is not among the sources of {status:#?}"))
}
