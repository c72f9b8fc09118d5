//! One timer task for a whole node, whatever its actors, mailboxes and requests wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use nunect_core::Mono;
use nunect_core::requests::Slot;
use nunect_supervisor::TimerId;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::sync::lock;

/// What waits for an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Waiting {
    /// The deadline of an actor.
    Actor(Slot),
    /// The pause of a mailbox.
    Mailbox(Slot),
    /// The earliest request under way.
    Requests,
    /// A back-off or a grace period.
    Supervisor(TimerId),
    /// A sign of life.
    Pulse,
}

#[derive(Default)]
struct Armed {
    order: BTreeSet<(Mono, Waiting)>,
    at: BTreeMap<Waiting, Mono>,
}

/// The instants that a node waits for; each thing that waits has one at most.
#[derive(Default)]
pub(crate) struct Timers {
    armed: Mutex<Armed>,
    earlier: Notify,
}

impl Timers {
    /// Arms, moves or cancels the instant of `waiting`.
    pub(crate) fn set(&self, waiting: Waiting, at: Option<Mono>) {
        let mut armed = lock(&self.armed);
        let first = armed.order.first().copied();
        let before = match at {
            Some(at) => armed.at.insert(waiting, at),
            None => armed.at.remove(&waiting),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            armed.order.remove(&(before, waiting));
        }
        if let Some(at) = at {
            armed.order.insert((at, waiting));
            if first.is_none_or(|(first, _)| at < first) {
                self.earlier.notify_one();
            }
        }
    }

    /// Calls `fire` for everything whose instant has come, for ever.
    pub(crate) async fn run(&self, clock: Clock, fire: impl Fn(Waiting)) {
        loop {
            let now = clock.mono();
            while let Some(due) = self.take(now) {
                fire(due);
            }
            let next = lock(&self.armed).order.first().map(|(at, _)| *at);
            match next {
                None => self.earlier.notified().await,
                Some(at) => {
                    let sleep = tokio::time::sleep_until(clock.instant(at).into());
                    tokio::select! {
                        () = sleep => {}
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }

    fn take(&self, now: Mono) -> Option<Waiting> {
        let mut armed = lock(&self.armed);
        let &(at, waiting) = armed.order.first().filter(|(at, _)| *at <= now)?;
        armed.order.remove(&(at, waiting));
        armed.at.remove(&waiting);
        Some(waiting)
    }
}
