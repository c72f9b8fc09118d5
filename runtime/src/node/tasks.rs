//! The tasks beside the actors of a node.

use std::sync::Arc;
use std::time::Duration;

use nunect_core::outbox::HandOver;
use nunect_core::{LinkReport, Message, RequestError, Sensor};
use ractor::ActorRef;
use tokio::sync::{mpsc, watch};

use super::Shared;
use crate::component::Control;
use crate::sync::lock;
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
