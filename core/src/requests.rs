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
    /// What the subjects of answers begin with.
    start: Box<str>,
    next: u64,
    /// Nearly always all of them: as many as are found faster by looking at each than in a tree.
    few: Vec<(u64, Pending)>,
    /// What there was no room for among the few.
    many: Many,
    /// The one whose time is up next, and when: asked for far more often than it changes.
    first: Option<(Mono, u64)>,
}

/// The most that [`Requests::few`] holds.
const FEW_MAX: usize = 16;

#[derive(Debug, Default)]
struct Many {
    pending: BTreeMap<u64, Pending>,
    due: BTreeSet<(Mono, u64)>,
}

impl Many {
    fn remove(&mut self, number: u64) -> Option<Pending> {
        let pending = self.pending.remove(&number)?;
        self.due.remove(&(pending.due, number));
        Some(pending)
    }
}

impl Requests {
    /// None under way, for one run of `unit`.
    #[must_use]
    pub fn new(unit: UnitId, session: SessionId) -> Self {
        let start = inbox::start(&unit, &session);
        Self { unit, session, start, next: 0, few: Vec::new(), many: Many::default(), first: None }
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
        let pending = Pending { slot, id, sent: now, due };
        if self.few.len() < FEW_MAX {
            self.few.push((self.next, pending));
        } else {
            self.many.pending.insert(self.next, pending);
            self.many.due.insert((due, self.next));
        }
        if self.first.is_none_or(|(first, _)| due < first) {
            self.first = Some((due, self.next));
        }
        Some(inbox::numbered(&self.start, self.next))
    }

    /// Closes the request that `subject` answers; `None` when it is over, or never was.
    pub fn close(&mut self, subject: &Subject) -> Option<Pending> {
        let number = inbox::number_after(&self.start, subject)?;
        self.remove(number)
    }

    fn remove(&mut self, number: u64) -> Option<Pending> {
        let pending = match self.few.iter().position(|(other, _)| *other == number) {
            Some(place) => Some(self.few.swap_remove(place).1),
            None => self.many.remove(number),
        };
        if self.first.is_some_and(|(_, first)| first == number) {
            self.first = self.find_first();
        }
        pending
    }

    /// Closes one request whose time is up at `now`.
    pub fn expire(&mut self, now: Mono) -> Option<Pending> {
        let (_, number) = self.first.filter(|(due, _)| *due <= now)?;
        self.remove(number)
    }

    /// When the next request's time is up.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.first.map(|(due, _)| Deadline::new(due, "request timeout"))
    }

    fn find_first(&self) -> Option<(Mono, u64)> {
        let few = self.few.iter().map(|(number, pending)| (pending.due, *number)).min();
        few.into_iter().chain(self.many.due.first().copied()).min()
    }

    /// Forgets the requests of a life that is over.
    pub fn forget(&mut self, slot: Slot, incarnation: Incarnation) {
        let over = |pending: &Pending| pending.slot == slot && pending.id.incarnation <= incarnation;
        self.few.retain(|(_, pending)| !over(pending));
        let Many { pending, due } = &mut self.many;
        pending.retain(|number, pending| {
            let over = over(pending);
            if over {
                due.remove(&(pending.due, *number));
            }
            !over
        });
        self.first = self.find_first();
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.few.len() + self.many.pending.len()
    }

    /// Whether no more can be opened.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= REQUESTS_MAX
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
