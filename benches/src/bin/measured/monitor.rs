//! The monitor among many units: what one takes, and what a heartbeat costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use nunect_actors::Monitor;
use nunect_actors::monitor::MonitorConfig;
use nunect_benches::units::Unit;
use nunect_benches::work::{Threads, say};
use nunect_benches::{Failure, process};
use nunect_core::cell::Cell;
use nunect_core::testing::birth;
use nunect_core::{
    Actor, Birth, BusEvent, Catalog, ConfigError, Contract, Deadline, Effects, Entry, Fault, Input, Message, Mono, Now,
    Wall,
};
use nunect_runtime::bus::local::LocalClient;
use nunect_runtime::{Bus, Clock, LocalBus, Node};
use serde_json::json;
use tokio::sync::Notify;

use crate::hosting;

/// The interval of heartbeats.
const INTERVAL: Duration = Duration::from_secs(5);
/// The same where time is real: nobody falls silent meanwhile.
const INTERVAL_IN_REAL_TIME: Duration = Duration::from_secs(60);
/// Rounds until every unit is known and the clock has been seen to move.
const ROUNDS_BEFORE: usize = 3;
/// Heartbeats under way at most, within a node: none is lost.
const WINDOW: u64 = 512;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many units.
    units: usize,
    /// How many heartbeats, one unit after the other, after three of each.
    heartbeats: u64,
    /// Within a node that keeps a directory, and not the monitor alone.
    #[arg(long)]
    node: bool,
    #[command(flatten)]
    threads: Threads,
}

/// Says `bytes`, by which resident memory has grown with the units, and `nanos`, the processor time of
/// all heartbeats less that of making them.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.node {
        true => arguments.threads.runtime()?.block_on(in_a_node(&arguments)),
        false => alone(&arguments),
    }
}

// --- the monitor alone ---------------------------------------------------------------------------------------

/// A monitor in virtual time: units beat one after the other, evenly over the interval.
struct Alone {
    cell: Cell,
    now: Now,
    step: Duration,
}

impl Alone {
    fn new(units: usize) -> Result<Self, Failure> {
        let now = Now { mono: Mono::from_nanos(1_000_000_000), wall: Wall::from_unix_nanos(1_767_225_600_000_000_000) };
        let mut cell = Cell::new(&Entry::of::<Monitor>(), &json!({ "units_max": 1_000_000 }), &birth("monitor", now))?;
        cell.handle(now, Input::Started)?;
        cell.handle(now, Input::Bus(&BusEvent::Connected))?;
        Ok(Self { cell, now, step: INTERVAL / u32::try_from(units)? })
    }

    /// What a host does with a message: a timeout that is due goes first, and the effects are taken.
    fn take(&mut self, message: &Message) -> Result<(), Failure> {
        if let Some(effects) = self.cell.wake(self.now)? {
            effects.drain().for_each(drop);
        }
        self.cell.handle(self.now, Input::Message(message))?.drain().for_each(drop);
        Ok(())
    }

    fn pass(&mut self) {
        self.now = Now { mono: self.now.mono + self.step, wall: self.now.wall + self.step };
    }
}

fn alone(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { units, heartbeats, .. } = *arguments;
    let own = std::process::id();
    let mut senders: Vec<Unit> = (0..units).map(|number| Unit::new(number, INTERVAL)).collect();
    let mut monitor = Alone::new(units)?;
    drop(senders[0].message(monitor.now));
    let before = process::resident(own)?;
    for _ in 0..ROUNDS_BEFORE {
        for sender in &mut senders {
            monitor.pass();
            monitor.take(&sender.message(monitor.now))?;
        }
    }
    say_growth(before, process::resident(own)?);
    let mut round = |handle: bool| -> Result<Duration, Failure> {
        let start = process::ran(own)?;
        for number in 0..heartbeats {
            monitor.pass();
            let message = senders[place(number, units)].message(monitor.now);
            if handle {
                monitor.take(&message)?;
            }
            std::hint::black_box(message);
        }
        Ok(process::ran(own)?.saturating_sub(start))
    };
    // First those that are heard: nobody may have fallen silent when the others were made in vain.
    let (heard, made) = (round(true)?, round(false)?);
    say(&format!("nanos {}", heard.saturating_sub(made).as_nanos()));
    Ok(())
}

fn place(number: u64, units: usize) -> usize {
    usize::try_from(number % units as u64).unwrap_or_default()
}

fn say_growth(before: f64, after: f64) {
    say(&format!("bytes {}", ((after - before).max(0.0) * 1_048_576.0).round()));
}

// --- within a node -------------------------------------------------------------------------------------------

/// How far the monitor is.
struct Progress {
    handled: AtomicU64,
    wanted: AtomicU64,
    reached: Notify,
}

static PROGRESS: Progress =
    Progress { handled: AtomicU64::new(0), wanted: AtomicU64::new(u64::MAX), reached: Notify::const_new() };

/// A monitor that says how far it is.
struct Told(Monitor);

impl Actor for Told {
    const KIND: &'static str = Monitor::KIND;
    type Config = MonitorConfig;

    fn new(config: MonitorConfig, birth: &Birth) -> Result<Self, ConfigError> {
        Monitor::new(config, birth).map(Self)
    }

    fn contract(&self) -> Contract {
        Actor::contract(&self.0)
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        self.0.handle(now, input, out)?;
        if matches!(input, Input::Message(_))
            && PROGRESS.handled.fetch_add(1, Ordering::AcqRel) + 1 == PROGRESS.wanted.load(Ordering::Acquire)
        {
            PROGRESS.reached.notify_one();
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        Actor::deadline(&self.0)
    }
}

/// Waits until `count` heartbeats were handled.
async fn handled(count: u64) {
    PROGRESS.wanted.store(count, Ordering::Release);
    while PROGRESS.handled.load(Ordering::Acquire) < count {
        PROGRESS.reached.notified().await;
    }
}

async fn in_a_node(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { units, heartbeats, .. } = *arguments;
    let own = std::process::id();
    let bus = LocalBus::new();
    let clock = Clock::new();
    let spec = hosting::spec(&[("monitor", json!({ "units_max": 1_000_000 }))])?;
    let catalog = Catalog::new().with::<Told>();
    let mut node = Some(Node::start(spec, &catalog, Arc::new(bus.client()), clock, Box::new(|_| {})).await?);
    let client = bus.client();
    let mut senders: Vec<Unit> = (0..units).map(|number| Unit::new(number, INTERVAL_IN_REAL_TIME)).collect();
    let before = process::resident(own)?;
    let rounds = (ROUNDS_BEFORE * units) as u64;
    send(&client, clock, &mut senders, rounds, Some(0)).await?;
    say_growth(before, process::resident(own)?);
    let known = node.as_ref().map_or(0, |node| node.directory().len());
    if known != units {
        return Err(format!("the directory holds {known} units of {units}").into());
    }
    let start = process::ran(own)?;
    send(&client, clock, &mut senders, heartbeats, Some(rounds)).await?;
    let heard = process::ran(own)?.saturating_sub(start);
    drop(node.take());
    // What the node leaves behind ends within a moment.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let deaf = LocalBus::new().client();
    let start = process::ran(own)?;
    send(&deaf, clock, &mut senders, heartbeats, None).await?;
    let made = process::ran(own)?.saturating_sub(start);
    say(&format!("nanos {}", heard.saturating_sub(made).as_nanos()));
    Ok(())
}

/// Sends heartbeats of one unit after the other; `handled_before`: waits for the monitor, which has
/// handled so many before.
async fn send(
    client: &LocalClient,
    clock: Clock,
    senders: &mut [Unit],
    count: u64,
    handled_before: Option<u64>,
) -> Result<(), Failure> {
    let units = senders.len();
    for number in 0..count {
        let now = clock.now();
        client.publish(now, senders[place(number, units)].message(now))?;
        if let Some(before) = handled_before
            && ((number + 1).is_multiple_of(WINDOW) || number + 1 == count)
        {
            handled(before + number + 1).await;
        }
    }
    Ok(())
}
