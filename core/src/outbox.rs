//! The outbox: the one way out of a node, shared by its actors.
//!
//! It numbers, times and stamps each message in the same step that hands it to the bus, so that the
//! order on the wire is the order of the numbers. While the bus is away it keeps what each family's
//! rule says.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::{RequestError, RequestId};
use crate::identity::{SessionId, UnitId};
use crate::message::{Body, ClockStamp, Message, Stamp};
use crate::protocol::{AwayRule, away_rule};
use crate::requests::{Requests, Slot};
use crate::subject::Subject;
use crate::table::Table;
use crate::time::Now;

/// Subjects that one run of a unit may number; beyond that new ones are refused and counted.
pub const SUBJECTS_MAX: usize = 16_384;

/// What became of a message.
#[derive(Debug)]
#[must_use]
pub enum HandOver {
    /// It goes to the bus now.
    Send(Message),
    /// It is kept until the bus is back, or was dropped, as its family's rule says.
    Kept,
    /// It goes nowhere. `first`: no other message to this subject was refused before.
    Refused {
        /// Where it was bound for.
        subject: Subject,
        /// Why.
        reason: Cow<'static, str>,
        /// Whether to tell the outside.
        first: bool,
    },
}

/// What an outbox has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages handed to the bus.
    pub sent: u64,
    /// Messages kept for a bus that was away.
    pub kept: u64,
    /// Messages dropped because the bus was away; also those that a newer one took the place of.
    pub dropped: u64,
    /// Messages refused.
    pub refused: u64,
}

/// The outbound counterpart of all mailboxes of one node.
#[derive(Debug)]
pub struct Outbox {
    unit: UnitId,
    session: SessionId,
    clock: ClockStamp,
    sequences: Table<Subject, u64>,
    subjects_max: usize,
    refused: Table<Subject, ()>,
    connected: bool,
    latest: Table<Subject, Message>,
    queued: VecDeque<Message>,
    counters: Counters,
}

impl Outbox {
    /// The outbox of one run of `unit`; the bus is away at first.
    #[must_use]
    pub fn new(unit: UnitId, session: SessionId) -> Self {
        Self {
            unit,
            session,
            clock: ClockStamp::default(),
            sequences: Table::default(),
            subjects_max: SUBJECTS_MAX,
            refused: Table::default(),
            connected: false,
            latest: Table::default(),
            queued: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Sends a message of an actor.
    pub fn publish(&mut self, now: Now, message: Message) -> HandOver {
        if self.connected {
            return match self.number(&message.subject) {
                Some(sequence) => HandOver::Send(self.stamp(now, message, Some(sequence))),
                None => self.refuse(message.subject),
            };
        }
        let subject = &message.subject;
        match away_rule(subject) {
            AwayRule::KeepLatest if self.latest.len() < self.subjects_max || self.latest.contains_key(subject) => {
                self.counters.kept += 1;
                if self.latest.insert(subject.clone(), message).is_some() {
                    self.counters.dropped += 1;
                }
            }
            AwayRule::Queue { max } => {
                self.counters.kept += 1;
                if self.queued.len() >= max {
                    self.queued.pop_front();
                    self.counters.dropped += 1;
                }
                self.queued.push_back(message);
            }
            AwayRule::KeepLatest | AwayRule::Drop => self.counters.dropped += 1,
        }
        HandOver::Kept
    }

    /// Sends an answer to a request: without a sequence, and never kept.
    pub fn respond(&mut self, now: Now, answer: Message) -> HandOver {
        if !self.connected {
            self.counters.dropped += 1;
            return HandOver::Kept;
        }
        HandOver::Send(self.stamp(now, answer, None))
    }

    /// Sends a message as it is, with the headers of whoever made it: dead letters.
    pub fn relay(&mut self, message: Message) -> HandOver {
        if !self.connected {
            self.counters.dropped += 1;
            return HandOver::Kept;
        }
        self.counters.sent += 1;
        HandOver::Send(message)
    }

    /// Sends a request of an actor's present life, and notes it among those under way.
    ///
    /// These are kept apart from the outbox because answers arrive on other threads: who holds one
    /// outbox and waits for another must not meet somebody doing the reverse.
    ///
    /// # Errors
    /// When the bus is away or a bound is reached: requests fail at once rather than wait.
    pub fn request(
        &mut self,
        now: Now,
        requests: &mut Requests,
        slot: Slot,
        id: RequestId,
        mut message: Message,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        if !self.connected {
            self.counters.dropped += 1;
            return Err(RequestError::BusAway);
        }
        if requests.is_full() {
            self.counters.refused += 1;
            return Err(RequestError::Refused);
        }
        let Some(sequence) = self.number(&message.subject) else { return Err(RequestError::Refused) };
        message.reply = requests.open(now, slot, id, timeout);
        Ok(self.stamp(now, message, Some(sequence)))
    }

    /// The bus came: returns what was kept for it, numbered and stamped now, in the order to send.
    pub fn connected(&mut self, now: Now) -> Vec<Message> {
        self.connected = true;
        let kept = std::mem::take(&mut self.queued).into_iter().chain(std::mem::take(&mut self.latest).into_values());
        kept.filter_map(|message| {
            let sequence = self.number(&message.subject)?;
            Some(self.stamp(now, message, Some(sequence)))
        })
        .collect()
    }

    /// The bus went.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// Whether the bus is there.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// What the node says about its clock from now on.
    pub const fn set_clock(&mut self, clock: ClockStamp) {
        self.clock = clock;
    }

    /// What it has seen.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The next sequence on `subject`; `None`, and counted, when it is new and there is no room for it.
    fn number(&mut self, subject: &Subject) -> Option<u64> {
        if let Some(sequence) = self.sequences.get_mut(subject) {
            *sequence += 1;
            return Some(*sequence);
        }
        if self.sequences.len() >= self.subjects_max {
            self.counters.refused += 1;
            return None;
        }
        self.sequences.insert(subject.clone(), 1);
        Some(1)
    }

    fn refuse(&mut self, subject: Subject) -> HandOver {
        let first = self.refused.len() < self.subjects_max && self.refused.insert(subject.clone(), ()).is_none();
        let reason = format!("more than {} subjects in one run", self.subjects_max).into();
        HandOver::Refused { subject, reason, first }
    }

    fn stamp(&mut self, now: Now, mut message: Message, sequence: Option<u64>) -> Message {
        self.counters.sent += 1;
        if !matches!(message.body, Body::Bytes(_)) {
            message.body = Body::Bytes(message.body.encode(sequence.unwrap_or(0), now.wall));
        }
        let stamp =
            Stamp { unit: self.unit.clone(), session: self.session.clone(), sequence, tx: now.wall, clock: self.clock };
        message.headers.complete(Arc::new(stamp), now);
        message
    }
}

#[cfg(test)]
mod tests;
