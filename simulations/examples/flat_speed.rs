//! How much time the flat world simulates in a second: full nodes that beat every five seconds, echo
//! once a second, and are monitored by three.
//!
//! ```text
//! cargo run --release -p nunect-simulations --example flat_speed -- [NODES] [SIMULATED SECONDS]
//! ```
#![expect(clippy::print_stdout, reason = "it is a program")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::time::{Duration, Instant};

use garde::Validate;
use nunect_core::protocol::echo;
use nunect_core::{
    Actor, ActorSpec, Birth, ConfigError, Contract, Deadline, Effects, Fault, Input, Message, Mono, Now, UnitId,
};
use nunect_simulations::{FlatConfig, NodeSpec, Simulation};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Asks one peer for an echo once a second.
struct Prober {
    request: Message,
    due: Mono,
    answers: u64,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct ProberConfig {
    peer: UnitId,
}

const EVERY: Duration = Duration::from_secs(1);

impl Actor for Prober {
    const KIND: &'static str = "prober";
    type Config = ProberConfig;

    fn new(config: ProberConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let request = Message::new(echo::subject(&config.peer)).body("are you there?");
        Ok(Self { request, due: birth.unit_started.mono, answers: 0 })
    }

    fn contract(&self) -> Contract {
        Contract::default()
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Timeout(_) => {
                out.request(self.request.clone(), echo::TIMEOUT);
                self.due = self.due + EVERY;
            }
            Input::Reply { result: Ok(_), .. } => self.answers += 1,
            Input::Reply { result: Err(_), .. }
            | Input::Started
            | Input::Message(_)
            | Input::Host(_)
            | Input::Bus(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        Some(Deadline::new(self.due, "probe due"))
    }
}

fn unit(number: usize) -> UnitId {
    UnitId::new(&format!("n{number:04}")).expect("a legal name")
}

fn actor(name: &str, options: &serde_json::Value) -> ActorSpec {
    ActorSpec::parse(name, options).expect("legal options").expect("an enabled actor")
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a whole number"));
    let nodes = usize::try_from(arguments.next().unwrap_or(1_000)).expect("fits");
    let seconds = arguments.next().unwrap_or(600);

    let catalog = nunect_actors::catalog().with::<Prober>();
    let mut simulation = Simulation::empty(FlatConfig::default(), catalog, 1);
    for number in 0..nodes {
        let mut actors = vec![
            actor("heartbeater", &json!({ "interval": "5s" })),
            actor("echo", &json!({})),
            actor("prober", &json!({ "peer": unit((number + 1) % nodes) })),
        ];
        if number < 3 {
            actors.push(actor("monitor", &json!({})));
        }
        simulation.start_node(NodeSpec::new(unit(number), actors)).expect("a legal node");
        // Five seconds in all, so that nothing beats at the same instant.
        simulation.run_for(Duration::from_nanos(5_000_000_000 / nodes as u64));
    }
    let before = simulation.counters();

    let began = Instant::now();
    simulation.run_for(Duration::from_secs(seconds));
    let wall = began.elapsed().as_secs_f64();

    let outcome = simulation.outcome();
    let counters = outcome.counters;
    assert_eq!(simulation.units().filter(|unit| unit.health != nunect_core::Health::Ok).count(), 0);
    let steps = (counters.steps - before.steps) as f64;
    println!(
        "{nodes} nodes, {seconds} simulated s in {wall:.2} s: {:.0} simulated s per wall s",
        seconds as f64 / wall
    );
    println!("{:.2} M steps/s, {:.0} ns a step, {steps} steps", steps / wall / 1e6, wall / steps * 1e9);
    println!(
        "{} messages, {} replies, {} timeouts, {} events, {} records, hash {}",
        counters.deliveries, counters.replies, counters.timeouts, counters.events, outcome.records, outcome.hash
    );
}
