//! The time daemons of the host, and the tasks that ask them.

use std::sync::Arc;
use std::time::Duration;

use nunect_core::clock::{Obstacle, Unread};
use nunect_core::{ClockReport, Sensor, TimeDaemon};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Shared;
use crate::component::Control;
use crate::config::TimeSection;
use crate::sync::lock;
use crate::timesync::{self, ClockReader};

/// Who is asked at present.
#[derive(Debug, Default)]
pub(crate) struct Daemons {
    by: Option<TimeSection>,
    tasks: Vec<AbortHandle>,
}

impl Daemons {
    /// Ends the asking.
    pub(super) fn ask_nobody(&mut self) {
        self.by = None;
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

impl Shared {
    /// Asks those whom the configuration names from now on, as soon as an actor wants to know.
    pub(super) fn ask_daemons(self: &Arc<Self>, time: TimeSection) {
        let mut daemons = lock(&self.daemons);
        if daemons.by.as_ref() == Some(&time) {
            return;
        }
        daemons.ask_nobody();
        lock(&self.clocks).clear();
        for reader in timesync::readers(&time) {
            let task = tokio::spawn(clocking(Arc::clone(self), self.clock_every.subscribe(), reader));
            daemons.tasks.push(task.abort_handle());
        }
        daemons.by = Some(time);
    }
}

/// How many periods pass between two looks for a daemon that does not run, and between two at the kernel's
/// own state: neither changes often, and an idle node is to stay one.
const ABSENT_PERIODS: u32 = 5;

/// Asks one time daemon how it does, as often as an actor wants to know.
async fn clocking(node: Arc<Shared>, mut every: watch::Receiver<Option<Duration>>, mut reader: Box<dyn ClockReader>) {
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
        let asked = Instant::now();
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
