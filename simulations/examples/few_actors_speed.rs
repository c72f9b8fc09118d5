//! How fast the flat world is with nodes of few actors: a heartbeat every five seconds, a probe of the next node every
//! second, its answer, and a monitor on three. The same work as `benches/turmoil` does in turmoil.
//!
//! ```text
//! cargo run --release -p nunect-simulations --example few_actors_speed -- [NODES] [SIMULATED SECONDS]
//! ```
#![expect(clippy::print_stdout, reason = "it is a program")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::error::Error;
use std::time::{Duration, Instant};

use nunect_actors::catalog;
use nunect_core::{ActorSpec, UnitId};
use nunect_simulations::{FlatConfig, NodeSpec, Simulation};
use serde_json::json;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nodes that monitor the others.
const MONITORS: usize = 3;
/// In which the nodes start, one after the other, so that nothing beats at the same instant.
const STARTUP: Duration = Duration::from_secs(5);
/// How long they run before time is taken.
const SETTLED: Duration = Duration::from_secs(10);

fn unit(number: usize) -> Result<UnitId, Box<dyn Error>> {
    Ok(UnitId::new(&format!("n{number:04}"))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let nodes: usize = arguments.next().map_or(Ok(100), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(600), |text| text.parse())?;
    // A delay of 1 to 5 ms, unless told otherwise.
    let mut simulation = Simulation::empty(FlatConfig::default(), catalog(), 1);
    for number in 0..nodes {
        let next = unit((number + 1) % nodes)?;
        let mut actors = vec![
            ("heartbeater", json!({ "interval": "5s" })),
            ("echo", json!({})),
            ("prober", json!({ "peers": [next] })),
        ];
        if number < MONITORS {
            actors.push(("monitor", json!({})));
        }
        let mut specs = Vec::new();
        for (kind, options) in actors {
            specs.extend(ActorSpec::parse(kind, &options)?);
        }
        simulation.start_node(NodeSpec::new(unit(number)?, specs))?;
        simulation.run_for(STARTUP / u32::try_from(nodes)?);
    }
    simulation.run_for(SETTLED);

    let before = simulation.counters();
    let began = Instant::now();
    simulation.run_for(Duration::from_secs(seconds));
    let wall = began.elapsed().as_secs_f64();
    let counters = simulation.outcome().counters;

    let answers = counters.replies - before.replies;
    // One more or less may fall on either side of the border.
    if answers + (nodes as u64) < nodes as u64 * seconds {
        return Err(format!("{answers} answers of {}", nodes as u64 * seconds).into());
    }
    println!(
        "{nodes} nodes, {seconds} simulated s in {wall:.2} s: {:.1} simulated s per wall s",
        seconds as f64 / wall
    );
    println!("{answers} answers, {} messages", counters.deliveries - before.deliveries);
    Ok(())
}
