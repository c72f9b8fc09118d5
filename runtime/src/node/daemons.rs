//! The time daemons of the host, and the tasks that ask them.

use std::sync::Arc;
use std::time::Duration;

use nunect_core::clock::{KernelStatus, Obstacle, Reading, Unread};
use nunect_core::{ClockReport, Sensor};
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

/// How many periods pass between two looks for a daemon that does not run, and between two at a kernel that nobody
/// told the time: neither changes often, and an idle node is to stay one.
const ABSENT_PERIODS: u32 = 5;

/// How long to wait from one question to the next. Whoever tells the time is asked in each period: an actor goes by
/// nobody of whom it hears more rarely.
fn wait(answer: &Result<Reading, Unread>, period: Duration) -> Duration {
    match answer {
        Err(Unread { cause: Obstacle::Absent, .. }) | Ok(Reading::Kernel(KernelStatus { synchronized: false, .. })) => {
            period * ABSENT_PERIODS
        }
        Ok(_) | Err(_) => period,
    }
}

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
        let next = asked + wait(&answer, period);
        // The same obstacle again is no news.
        if answer.as_ref().err() != told.as_ref() || answer.is_ok() {
            told = answer.as_ref().err().cloned();
            let report = Arc::new(ClockReport { at: node.clock.together(), daemon, answer });
            lock(&node.clocks).insert(daemon, Arc::clone(&report));
            let wants = |sensor: &Sensor| matches!(sensor, Sensor::Clock { .. });
            node.tell(|| Control::Clock(Arc::clone(&report)), wants);
        }
        tokio::time::sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(synchronized: bool) -> Result<Reading, Unread> {
        Ok(Reading::Kernel(KernelStatus {
            synchronized,
            offset_ns: 0,
            max_error_us: 900,
            estimated_error_us: 10,
            frequency_ppm: 0.0,
            tai_offset_s: None,
        }))
    }

    #[test]
    fn whoever_tells_the_time_is_asked_in_each_period_and_nobody_else() {
        let second = Duration::from_secs(1);
        assert_eq!(wait(&kernel(true), second), second, "the time may come from it alone");
        assert_eq!(wait(&kernel(false), second), 5 * second);
        let unread = |cause| Err(Unread::new(cause, "no word"));
        assert_eq!(wait(&unread(Obstacle::Absent), second), 5 * second);
        for cause in [Obstacle::Silent, Obstacle::Denied, Obstacle::Refused, Obstacle::Malformed] {
            assert_eq!(wait(&unread(cause), second), second);
        }
    }
}
