//! The tasks beside the actors of a node.

use std::sync::Arc;
use std::time::Duration;

use nunect_core::clock::{Obstacle, Unread};
use nunect_core::outbox::HandOver;
use nunect_core::{ClockReport, LinkReport, Message, RequestError, Sensor, TimeDaemon};
use ractor::ActorRef;
use tokio::sync::{mpsc, watch};

use super::Shared;
use crate::component::Control;
use crate::sync::lock;
use crate::timesync::ClockReader;
use crate::tree::Told;

/// The shortest wait between two measurements of the host.
const SENSE_MIN: Duration = Duration::from_millis(250);
/// How long before the end of the first period the host is measured, a quarter of it at most: who
/// asked for the period then tells the figure with its next message, and not with the one after.
const SENSE_AHEAD: Duration = Duration::from_millis(250);
/// How long the round trip to the server may take before it counts as unknown.
const LINK_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn timing(node: Arc<Shared>, tree: ActorRef<Told>) {
    node.timers.run(node.clock, |waiting| node.fire(waiting, &tree)).await;
}

pub(super) async fn responding(node: Arc<Shared>, mut waiting: mpsc::Receiver<Message>) {
    while let Some(answer) = waiting.recv().await {
        let mut outbox = lock(&node.outbox);
        let now = node.clock.now();
        if let HandOver::Send(answer) = outbox.respond(now, answer) {
            node.hand_to_bus(now, *answer);
        }
    }
}

/// Measures the round trip to the server.
pub(super) async fn linking(node: Arc<Shared>, mut every: watch::Receiver<Option<Duration>>) {
    loop {
        let period = *every.borrow_and_update();
        match period {
            None => {
                if every.changed().await.is_err() {
                    return;
                }
            }
            Some(period) => {
                tokio::time::sleep(period).await;
                let round_trip = match node.bus.round_trip(LINK_TIMEOUT).await {
                    Ok(round_trip) => Some(round_trip),
                    Err(RequestError::BusAway) => continue,
                    Err(RequestError::Timeout | RequestError::NoResponders | RequestError::Refused) => None,
                };
                node.tell(|| Control::Link(LinkReport { round_trip }), |sensor| matches!(sensor, Sensor::Link { .. }));
            }
        }
    }
}

/// How many periods pass between two looks for a daemon that does not run, and between two at the kernel's
/// own state: neither changes often, and an idle node is to stay one.
const ABSENT_PERIODS: u32 = 5;

/// Asks one time daemon how it does, as often as an actor wants to know.
pub(super) async fn clocking(
    node: Arc<Shared>,
    mut every: watch::Receiver<Option<Duration>>,
    mut reader: Box<dyn ClockReader>,
) {
    let daemon = reader.daemon();
    let mut told: Option<Unread> = None;
    loop {
        let period = *every.borrow_and_update();
        let Some(period) = period else {
            if every.changed().await.is_err() {
                return;
            }
            continue;
        };
        let asked = tokio::time::Instant::now();
        let answer = reader.read(&node.clock).await;
        lock(&node.readers).insert(daemon, reader.counters());
        let wait = match (&answer, daemon) {
            (Err(Unread { cause: Obstacle::Absent, .. }), _) | (_, TimeDaemon::Kernel) => period * ABSENT_PERIODS,
            (Ok(_) | Err(_), _) => period,
        };
        // The same obstacle again is no news.
        if answer.as_ref().err() != told.as_ref() || answer.is_ok() {
            told = answer.as_ref().err().cloned();
            let report = Arc::new(ClockReport { at: node.clock.together(), daemon, answer });
            lock(&node.clocks).insert(daemon, Arc::clone(&report));
            let wants = |sensor: &Sensor| matches!(sensor, Sensor::Clock { .. });
            node.tell(|| Control::Clock(Arc::clone(&report)), wants);
        }
        tokio::time::sleep_until(asked + wait).await;
    }
}

/// Tells the actor that ships logs when something was said.
pub(super) async fn shipping(node: Arc<Shared>) {
    loop {
        node.logs.filled().await;
        let shipper = node.components().into_iter().find(|component| Some(&component.name) == node.logs.shipper());
        if let Some(shipper) = shipper {
            shipper.ring();
        }
    }
}

pub(super) async fn sensing(node: Arc<Shared>, mut every: watch::Receiver<Option<Duration>>) {
    let mut ahead = SENSE_AHEAD;
    loop {
        let period = *every.borrow_and_update();
        let wait = period.map(|period| period.saturating_sub(ahead.min(period / 4)).max(SENSE_MIN));
        let changed = match wait {
            None => every.changed().await.is_ok(),
            Some(wait) => match tokio::time::timeout(wait, every.changed()).await {
                Ok(changed) => changed.is_ok(),
                Err(_) => {
                    ahead = Duration::ZERO;
                    let mut sensor = lock(&node.sensor);
                    let report = sensor.0.sample();
                    sensor.1 = report;
                    drop(sensor);
                    node.tell(|| Control::Host(report), |sensor| matches!(sensor, Sensor::Host { .. }));
                    true
                }
            },
        };
        if !changed {
            return;
        }
    }
}
