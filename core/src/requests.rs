//! Requests under way: which life of which actor waits for which answer, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::actor::RequestId;
use crate::identity::{Incarnation, SessionId, UnitId};
use crate::protocol::inbox;
use crate::subject::{Pattern, Subject};
use crate::time::{Deadline, Mono, Now};

/// Requests of one node that may be under way at once; more are refused.
pub const REQUESTS_MAX: usize = 65_536;

/// A component of a node, by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Whose.
    pub slot: Slot,
    /// Which of its.
    pub id: RequestId,
    /// When it was handed to the bus.
    pub sent: Now,
    due: Mono,
}

/// All requests of one node that are under way.
#[derive(Debug)]
pub struct Requests {
    unit: UnitId,
    session: SessionId,
    next: u64,
    pending: BTreeMap<u64, Pending>,
    due: BTreeSet<(Mono, u64)>,
}

impl Requests {
    /// None under way, for one run of `unit`.
    #[must_use]
    pub const fn new(unit: UnitId, session: SessionId) -> Self {
        Self { unit, session, next: 0, pending: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// What the node must subscribe to, so that answers reach it.
    #[must_use]
    pub fn pattern(&self) -> Pattern {
        inbox::pattern(&self.unit, &self.session)
    }

    /// Opens a request and returns the subject of its answer; `None` beyond [`REQUESTS_MAX`].
    pub(crate) fn open(&mut self, now: Now, slot: Slot, id: RequestId, timeout: Duration) -> Option<Subject> {
        if self.is_full() {
            return None;
        }
        self.next += 1;
        let due = now.mono + timeout;
        self.pending.insert(self.next, Pending { slot, id, sent: now, due });
        self.due.insert((due, self.next));
        Some(inbox::subject(&self.unit, &self.session, self.next))
    }

    /// Closes the request that `subject` answers; `None` when it is over, or never was.
    pub fn close(&mut self, subject: &Subject) -> Option<Pending> {
        let number = inbox::own_number(subject, &self.unit, &self.session)?;
        let pending = self.pending.remove(&number)?;
        self.due.remove(&(pending.due, number));
        Some(pending)
    }

    /// Closes one request whose time is up at `now`.
    pub fn expire(&mut self, now: Mono) -> Option<Pending> {
        let &(due, number) = self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(due, number));
        self.pending.remove(&number)
    }

    /// When the next request's time is up.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.due.first().map(|&(due, _)| Deadline::new(due, "request timeout"))
    }

    /// Forgets the requests of a life that is over.
    pub fn forget(&mut self, slot: Slot, incarnation: Incarnation) {
        let due = &mut self.due;
        self.pending.retain(|number, pending| {
            let over = pending.slot == slot && pending.id.incarnation <= incarnation;
            if over {
                due.remove(&(pending.due, *number));
            }
            !over
        });
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether no more can be opened.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending.len() >= REQUESTS_MAX
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests;
