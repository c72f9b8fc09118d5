//! What a trace costs: one run of the flat world without it, with its hash, or with every record written to a file.
//!
//! ```text
//! cargo run --release -p nunect-simulations --example trace_cost -- MODE [NODES] [SIMULATED SECONDS] [FILE]
//! ```
//!
//! The modes: `off`; `hash`, which is what every run does; `jsonl` also writes one JSON object a line to FILE, on a
//! second thread, as `nunect sim run --trace` does; `jsonl-here` does so on the thread of the run. It tells how long
//! the run took until the file was whole, and the processor time of all threads for it. The nodes are those of
//! `flat_speed` with `few-reports`.
#![expect(clippy::print_stdout, reason = "it is a program")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nunect_actors::{Cluster, Monitor, catalog, default_actors};
use nunect_core::{Actor, ActorSpec, UnitId};
use nunect_simulations::{FlatConfig, Jsonl, NodeSpec, Simulation};
use serde_json::{Map, Value, json};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nodes that monitor the others, and tell how the cluster is.
const MONITORS: usize = 3;
/// In which the nodes start, one after the other, so that nothing beats at the same instant.
const STARTUP: Duration = Duration::from_secs(5);
/// How long they run before time is taken.
const SETTLED: Duration = Duration::from_secs(30);
/// Blocks of a trace that may wait for the thread that writes them, as in the binary.
const BLOCKS_MAX: usize = 1_024;

/// Writes a trace to a file, a line for each record.
struct Writer {
    file: BufWriter<File>,
    jsonl: Jsonl,
    lines: Vec<u8>,
}

impl Writer {
    fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(1 << 20, file), jsonl: Jsonl::new(), lines: Vec::new() }
    }

    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.jsonl.translate(block, &mut self.lines).map_err(io::Error::other)?;
        self.file.write_all(&self.lines)?;
        self.lines.clear();
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.file.flush().expect("room for the trace");
    }
}

fn unit(number: usize) -> Result<UnitId, Box<dyn Error>> {
    Ok(UnitId::new(&format!("n{number:04}"))?)
}

/// The actors of a node whose configuration names none, with one probe and a fifth of a heartbeat a second.
fn actors(number: usize, nodes: usize) -> Result<Vec<ActorSpec>, Box<dyn Error>> {
    let mut actors: Map<String, Value> = serde_json::from_value(default_actors())?;
    actors.insert("heartbeater".to_owned(), json!({ "interval": "5s" }));
    actors.insert("prober".to_owned(), json!({ "peers": [unit((number + 1) % nodes)?] }));
    let rare = [Monitor::KIND, Cluster::KIND];
    let mut specs = Vec::new();
    for (kind, options) in actors {
        if number < MONITORS || !rare.contains(&kind.as_str()) {
            specs.extend(ActorSpec::parse(&kind, &options)?);
        }
    }
    Ok(specs)
}

/// The processor time of this process so far, of all its threads, in seconds.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Its name, in parentheses, comes before; ticks are hundredths of a second for every program.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "hash".to_owned());
    let nodes: usize = arguments.next().map_or(Ok(1_000), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(60), |text| text.parse())?;
    let mut file = || {
        let path = arguments.next().unwrap_or_else(|| "trace.jsonl".to_owned());
        File::create(&path).map_err(|error| format!("{path}: {error}"))
    };

    let mut simulation = Simulation::empty(FlatConfig::default(), catalog(), 1);
    let mut thread = None;
    match mode.as_str() {
        "off" => simulation.without_trace(),
        "hash" => {}
        "jsonl" => {
            let (mut writer, (blocks, received)) = (Writer::new(file()?), mpsc::sync_channel::<Vec<u8>>(BLOCKS_MAX));
            simulation.tap_trace(move |block| blocks.send(block.to_vec()).expect("a writer that lives"));
            thread = Some(std::thread::spawn(move || received.iter().try_for_each(|block| writer.write(&block))));
        }
        "jsonl-here" => {
            let mut writer = Writer::new(file()?);
            simulation.tap_trace(move |block| writer.write(block).expect("a file that takes it"));
        }
        other => return Err(format!("`{other}` is none of off, hash, jsonl and jsonl-here").into()),
    }
    for number in 0..nodes {
        simulation.start_node(NodeSpec::new(unit(number)?, actors(number, nodes)?))?;
        simulation.run_for(STARTUP / u32::try_from(nodes)?);
    }
    simulation.run_for(SETTLED);

    let (began, processor) = (Instant::now(), processor_time());
    simulation.run_for(Duration::from_secs(seconds));
    let outcome = simulation.outcome();
    if mode == "off" || mode == "hash" {
        // No file waits to be whole.
        report(&mode, nodes, seconds, began, processor);
    } else {
        drop(simulation);
        if let Some(thread) = thread {
            thread.join().map_err(|_| "the writer panicked")??;
        }
        report(&mode, nodes, seconds, began, processor);
    }
    println!("{} steps, {} records, hash {}", outcome.counters.steps, outcome.records, outcome.hash);
    Ok(())
}

fn report(mode: &str, nodes: usize, seconds: u64, began: Instant, processor: f64) {
    let (wall, processor) = (began.elapsed().as_secs_f64(), processor_time() - processor);
    println!("{nodes} nodes, {seconds} simulated s, trace {mode}");
    println!("wall {wall:.4}");
    println!("processor {processor:.2}");
}
