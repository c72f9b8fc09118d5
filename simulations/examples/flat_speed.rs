//! How much time is simulated in a second: nodes of every actor there is, as `nunect up` runs them, that
//! beat every five seconds and probe one peer a second; three of them monitor the rest.
//!
//! ```text
//! cargo run --release -p nunect-simulations --example flat_speed -- [NODES] [SIMULATED SECONDS] [WORD]..
//! ```
//!
//! The words: `layered` puts a NATS server on each node and a mesh between them, with hubs where the monitors
//! are, instead of the flat world; `untraced` records nothing; `tapped` also takes the trace's bytes; `few-reports` has the
//! cluster reporter on the nodes with a monitor alone, as the protocol's section 1 has it. On every node
//! its reports are N² deliveries every 15 s: of 1,000 nodes 67,000 a second, eleven times all the rest.
#![expect(clippy::print_stdout, reason = "it is a program")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::time::{Duration, Instant};

use nunect_actors::{Cluster, Monitor, catalog, default_actors};
use nunect_core::{Actor, ActorSpec, Health, UnitId};
use nunect_simulations::{FlatConfig, NodeSpec, Scenario, Simulation};
use serde_json::{Map, Value, json};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nodes that monitor the others.
const MONITORS: usize = 3;
/// In which the nodes start, one after the other, so that nothing beats at the same instant.
const STARTUP: Duration = Duration::from_secs(5);
/// How long a report takes to reach everybody, and every table to have its size.
const SETTLED: Duration = Duration::from_secs(30);

fn unit(number: usize) -> UnitId {
    UnitId::new(&format!("n{number:04}")).expect("a legal name")
}

/// The actors of a node with their options: those of a node whose configuration names none.
fn actors(number: usize, nodes: usize, few_reports: bool) -> Map<String, Value> {
    let defaults = default_actors();
    let kinds = defaults.as_object().expect("a map of actors");
    let rare = |kind: &str| kind == Monitor::KIND || (few_reports && kind == Cluster::KIND);
    let here = |kind: &str| number < MONITORS || !rare(kind);
    let configured = |(kind, options): (&String, &Value)| {
        let options = match kind.as_str() {
            "heartbeater" => json!({ "interval": "5s" }),
            // Whom it finds by itself depends on reports; this is one probe a second from the start.
            "prober" => json!({ "peers": [unit((number + 1) % nodes)] }),
            _ => options.clone(),
        };
        (kind.clone(), options)
    };
    kinds.iter().filter(|(kind, _)| here(kind)).map(configured).collect()
}

/// The nodes in the flat world.
fn flat(nodes: usize, few_reports: bool, set: impl FnOnce(&mut Simulation)) -> Simulation {
    let mut simulation = Simulation::empty(FlatConfig::default(), catalog(), 1);
    set(&mut simulation);
    let spec = |(kind, options): (String, Value)| {
        ActorSpec::parse(&kind, &options).expect("legal options").expect("an enabled actor")
    };
    for number in 0..nodes {
        let actors: Vec<_> = actors(number, nodes, few_reports).into_iter().map(spec).collect();
        simulation.start_node(NodeSpec::new(unit(number), actors)).expect("a legal node");
        simulation.run_for(STARTUP / u32::try_from(nodes).expect("fits"));
    }
    simulation
}

/// The nodes in the layered world: on a field where each hears some 28 others, as in `thousand-nodes.yaml`.
fn layered(nodes: usize, few_reports: bool, set: impl FnOnce(&mut Simulation)) -> Simulation {
    let side = (3_200.0 * (nodes as f64 / 1_000.0).sqrt()).round();
    let hubs: Vec<_> = (0..MONITORS).map(unit).collect();
    let group = |number| json!({ "name": unit(number), "actors": actors(number, nodes, few_reports) });
    let scenario = json!({
        "name": "speed",
        "duration": "1day",
        "nodes": (0..nodes).map(group).collect::<Vec<_>>(),
        "boot": { "spread": "5s" },
        "world": { "layered": {
            "mesh": {
                "topology": { "random": { "area": [side, side], "range": 300 } },
                "link": { "delay": "3ms", "jitter": "1ms", "rate": "20mbit", "loss": "1%", "retries": 3 },
                "routes": { "metric": "hops", "hop_limit": 32 },
            },
            "servers": { "hubs": hubs },
        } },
    });
    let scenario = Scenario::parse("speed.yaml", scenario.to_string()).expect("a legal scenario");
    let mut simulation = Simulation::new(&scenario, catalog(), 1).expect("actors that exist");
    set(&mut simulation);
    simulation.run_for(STARTUP);
    simulation
}

/// The memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

fn main() {
    let (numbers, words): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|text| text.parse::<u64>().is_ok());
    let mut numbers = numbers.iter().filter_map(|text| text.parse::<u64>().ok());
    let nodes = usize::try_from(numbers.next().unwrap_or(1_000)).expect("fits");
    let seconds = numbers.next().unwrap_or(60);
    let is = |word: &str| words.iter().any(|given| given == word);

    let at_first = resident();
    let set = |simulation: &mut Simulation| {
        if is("untraced") {
            simulation.without_trace();
        }
        if is("tapped") {
            simulation.tap_trace(|block| assert!(!block.is_empty()));
        }
    };
    let build = if is("layered") { layered } else { flat };
    let mut simulation = build(nodes, is("few-reports"), set);
    simulation.run_for(SETTLED);
    let before = simulation.counters();

    let began = Instant::now();
    simulation.run_for(Duration::from_secs(seconds));
    let wall = began.elapsed().as_secs_f64();

    let bytes = (resident() - at_first) as f64 / nodes as f64;
    let outcome = simulation.outcome();
    let counters = outcome.counters;
    let unwell = simulation.units().filter(|unit| unit.health != Health::Ok).count();
    // Some corner of a field may be out of everybody's reach.
    assert!(unwell <= if is("layered") { nodes / 20 } else { 0 }, "{unwell} nodes");
    let steps = (counters.steps - before.steps) as f64;
    println!(
        "{nodes} nodes, {seconds} simulated s in {wall:.2} s: {:.0} simulated s per wall s",
        seconds as f64 / wall
    );
    println!("{:.2} M steps/s, {:.0} ns a step, {steps} steps", steps / wall / 1e6, wall / steps * 1e9);
    println!("{:.1} KiB a node", bytes / 1024.0);
    println!(
        "{} messages, {} replies, {} timeouts, {} events, {} records, hash {}",
        counters.deliveries, counters.replies, counters.timeouts, counters.events, outcome.records, outcome.hash
    );
}
