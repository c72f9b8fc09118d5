//! Who watches a connection, and whether it is there.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use nunect_core::BusEvent;

use crate::sync::lock;

use super::Watcher;

/// Those who watch one connection.
#[derive(Default)]
pub(crate) struct Watchers {
    connected: AtomicBool,
    all: Mutex<Vec<Watcher>>,
}

impl Watchers {
    /// Whether the last of [`BusEvent::Connected`] and [`BusEvent::Disconnected`] was the former.
    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Tells `watcher` the present state, with `more` that it should know, and from then on all.
    pub(crate) fn add(&self, watcher: Watcher, more: impl IntoIterator<Item = BusEvent>) {
        // Under the lock: between the present state and the next event there must be no gap.
        let mut all = lock(&self.all);
        watcher(if self.connected() { BusEvent::Connected } else { BusEvent::Disconnected });
        more.into_iter().for_each(&watcher);
        all.push(watcher);
    }

    /// Tells everybody; but not what they know, that it is there or away.
    pub(crate) fn tell(&self, event: &BusEvent) {
        let all = lock(&self.all);
        let changed = match event {
            BusEvent::Connected => !self.connected.swap(true, Ordering::AcqRel),
            BusEvent::Disconnected => self.connected.swap(false, Ordering::AcqRel),
            BusEvent::Denied { .. }
            | BusEvent::Permitted { .. }
            | BusEvent::SlowConsumer
            | BusEvent::Refused { .. } => true,
        };
        if changed {
            all.iter().for_each(|watcher| watcher(event.clone()));
        }
    }

    pub(crate) fn forget(&self) {
        lock(&self.all).clear();
    }
}
