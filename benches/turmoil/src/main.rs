//! The load of nunect's simulator in turmoil, as near as it comes: hosts around one broker, each with a heartbeat
//! every five seconds that three monitors hear, and an echo request a second to the next host.
//!
//! ```text
//! tools/bench simulation                          builds it, and runs it beside nunect's simulator
//! in-turmoil [HOSTS] [SIMULATED SECONDS] [TICK IN MS]
//! ```
//!
//! The hosts are futures without any of nunect: no actors, mailboxes, supervisors and headers, and the broker knows
//! subjects by their whole name alone. All of that is left out in turmoil's favour.

mod broker;
mod frame;
mod node;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The allocator of nunect's programs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Hosts that hear the others' heartbeats.
const MONITORS: usize = 3;
/// In which the hosts begin, one after the other.
const STARTUP: Duration = Duration::from_secs(1);
/// How long they run before time is taken.
const SETTLED: Duration = Duration::from_secs(2);

/// What the hosts did, to see that they did it.
#[derive(Debug, Default)]
struct Counters {
    heartbeats: AtomicU64,
    answers: AtomicU64,
    unanswered: AtomicU64,
}

impl Counters {
    fn all(&self) -> [u64; 3] {
        [&self.heartbeats, &self.answers, &self.unanswered].map(|counter| counter.load(Ordering::Relaxed))
    }
}

fn main() -> turmoil::Result {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut number = |default| numbers.next().unwrap_or(Ok(default));
    let (hosts, seconds, tick) = (usize::try_from(number(100)?)?, number(10)?, number(1)?);

    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(1)
        .tick_duration(Duration::from_millis(tick))
        .simulation_duration(Duration::from_secs(1 << 30))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(5))
        .tcp_capacity(1 << 16);
    let mut sim = builder.build();
    let counters = Arc::new(Counters::default());
    sim.host("broker", broker::run);
    for number in 0..hosts {
        let counters = Arc::clone(&counters);
        let begin = STARTUP.mul_f64(number as f64 / hosts as f64);
        sim.host(node::name(number), move || node::run(number, hosts, begin, Arc::clone(&counters)));
    }

    run_until(&mut sim, STARTUP + SETTLED)?;
    let before = counters.all();
    let began = Instant::now();
    run_until(&mut sim, STARTUP + SETTLED + Duration::from_secs(seconds))?;
    let wall = began.elapsed().as_secs_f64();
    let after = counters.all();

    let [heartbeats, answers, unanswered] = [0, 1, 2].map(|which| after[which] - before[which]);
    // One more or less of each may fall on either side of the border.
    let (probes, beats) = (hosts as u64 * seconds, hosts as u64 * (seconds / 5) * MONITORS as u64);
    if unanswered > 0 || answers + hosts as u64 * 2 < probes || heartbeats + hosts as u64 * 4 < beats {
        return Err(format!("{answers} answers, {unanswered} missing, {heartbeats} heartbeats heard").into());
    }
    println!(
        "{hosts} hosts, {seconds} simulated s in {wall:.2} s: {:.2} simulated s per wall s",
        seconds as f64 / wall
    );
    println!("{answers} answers, {heartbeats} heartbeats heard, ticks of {tick} ms");
    Ok(())
}

fn run_until(sim: &mut turmoil::Sim<'_>, end: Duration) -> turmoil::Result {
    while sim.elapsed() < end {
        sim.step()?;
    }
    Ok(())
}
