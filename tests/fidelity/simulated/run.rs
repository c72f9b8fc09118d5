//! A scenario that runs, and what came of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nunect::simulations::trace::{LinkChange, Record as Entry, TraceError, What, records};
use nunect::simulations::{Scenario, Script, Simulation, WALL_START};
use nunect::time::nanos;
use nunect::{Catalog, Event, UnitId};

use super::actors::{Answerer, Flow, RECORD};

/// True time in nanoseconds.
pub(super) type At = u64;

/// What a [`Flow`] sent and heard, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) sent: BTreeMap<u64, At>,
    pub(super) heard: BTreeMap<u64, At>,
}

/// A change of a connection, as the server of the first node believes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) at: At,
    pub(super) node: u32,
    pub(super) peer: u32,
    pub(super) change: LinkChange,
}

/// What came of a run.
pub(super) struct Run {
    pub(super) records: BTreeMap<String, Record>,
    pub(super) links: Vec<Link>,
    /// Of the actor that was asked for: when, what, about whom.
    pub(super) decisions: Vec<(At, String, String)>,
}

/// Whether the trace is read, too: a long run without is faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traced {
    No,
    Yes,
}

fn catalog() -> Catalog {
    nunect::actors::catalog().with::<Flow>().with::<Answerer>()
}

/// Lets a scenario happen to its end. Clocks are right unless it says otherwise.
pub(super) fn run(text: &str, seed: u64, traced: Traced, watcher: Option<&str>) -> Run {
    let scenario = Scenario::parse("fidelity.yaml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut simulation = Simulation::new(&scenario, catalog(), seed).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let records_of = Arc::<Mutex<BTreeMap<String, Record>>>::default();
    let sink = Arc::clone(&records_of);
    let script: Script = Box::new(move |unit, now, bytes| {
        let text = std::str::from_utf8(bytes).expect("words");
        let (what, number) = text.split_once(' ').expect("two words");
        let number = number.parse().expect("a number");
        let mut all = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let record = all.entry(unit.to_string()).or_default();
        let list = if what == "sent" { &mut record.sent } else { &mut record.heard };
        assert!(list.insert(number, now.wall.unix_nanos() - WALL_START.unix_nanos()).is_none(), "{unit}: {text} twice");
        Vec::new()
    });
    simulation.set_port(RECORD, script);
    let trace = Arc::<Mutex<Vec<u8>>>::default();
    match traced {
        Traced::No => simulation.without_trace(),
        Traced::Yes => {
            let sink = Arc::clone(&trace);
            simulation.tap_trace(move |block| {
                sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(block);
            });
        }
    }
    if watcher.is_some() {
        simulation.keep_events();
    }
    simulation.run_for(scenario.duration());
    simulation.hash();
    let mut decisions = Vec::new();
    if let Some(unit) = watcher.map(|unit| UnitId::new(unit).expect("a legal name")) {
        for (at, event) in simulation.events(&unit, Some("monitor")) {
            if let Event::UnitOnline { unit, .. } | Event::UnitOffline { unit, .. } = event {
                decisions.push((nanos(at), event.name().to_owned(), unit.to_string()));
            }
        }
    }
    let bytes = trace.lock().unwrap_or_else(PoisonError::into_inner);
    let links = if traced == Traced::Yes { links(&bytes) } else { Vec::new() };
    let records = std::mem::take(&mut *records_of.lock().unwrap_or_else(PoisonError::into_inner));
    Run { records, links, decisions }
}

fn links(trace: &[u8]) -> Vec<Link> {
    let link = |record: Result<Entry<'_>, TraceError>| {
        let record = record.expect("a trace of this version");
        if let What::Link { peer, change } = record.what {
            Some(Link { at: record.at, node: record.node, peer, change })
        } else {
            None
        }
    };
    records(trace).filter_map(link).collect()
}

impl Run {
    /// What one unit sent to another: when, and when it arrived.
    pub(super) fn way(&self, from: &str, to: &str) -> Vec<(At, Option<At>)> {
        let (Some(from), Some(to)) = (self.records.get(from), self.records.get(to)) else { return Vec::new() };
        from.sent.iter().map(|(number, at)| (*at, to.heard.get(number).copied())).collect()
    }

    /// When a connection between these two first came up.
    pub(super) fn first_up(&self, one: u32, other: u32) -> At {
        let mut ups = self.links.iter().filter(|link| link.change == LinkChange::Up && is_between(link, one, other));
        ups.next().expect("a connection").at
    }
}

/// Whether a connection is between these two.
pub(super) fn is_between(link: &Link, one: u32, other: u32) -> bool {
    (link.node, link.peer) == (one, other) || (link.node, link.peer) == (other, one)
}

/// As scenarios write it.
pub(super) fn period(time: Duration) -> String {
    format!("{}us", time.as_micros())
}
