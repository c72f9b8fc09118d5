//! The outbox: the one way out of a node, shared by its actors.
//!
//! It numbers, times and stamps each message in the same step that hands it to the bus, so that the
//! order on the wire is the order of the numbers. While the bus is away it keeps what each family's
//! rule says. What the node may not publish goes nowhere, whoever asks for it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::{RequestError, RequestId};
use crate::capability::Grants;
use crate::clock::ClockClaim;
use crate::identity::{SessionId, UnitId};
use crate::message::{Message, Stamp};
use crate::protocol::{AwayRule, away_rule};
use crate::requests::{Requests, Slot};
use crate::subject::Subject;
use crate::table::Table;
use crate::time::{Mono, Now};

/// Subjects that one run of a unit may number; beyond that new ones are refused and counted.
pub const SUBJECTS_MAX: usize = 16_384;
/// How often at most the outside is told that messages to one subject are refused.
pub const REFUSAL_TOLD_EVERY: Duration = Duration::from_secs(60);

/// What became of a message.
#[derive(Debug)]
#[must_use]
pub enum HandOver {
    /// It goes to the bus now.
    Send(Box<Message>),
    /// It is kept until the bus is back, or was dropped, as its family's rule says.
    Kept,
    /// It goes nowhere.
    Refused(Refusal),
}

/// A message that goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Where it was bound for.
    pub subject: Subject,
    /// Why.
    pub reason: Cow<'static, str>,
    /// Whether to tell the outside: no other message to this subject was refused within
    /// [`REFUSAL_TOLD_EVERY`].
    pub tell: bool,
}

/// Why a request does not go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What the actor is told.
    pub error: RequestError,
    /// What the outside is told.
    pub refusal: Option<Refusal>,
}

impl From<RequestError> for Failed {
    fn from(error: RequestError) -> Self {
        Self { error, refusal: None }
    }
}

/// Why a message is refused that the node may not send.
const NOT_PERMITTED: &str = "not among the capabilities of this unit";

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
    clock: ClockClaim,
    sequences: Table<Subject, Line>,
    subjects_max: usize,
    refused: Table<Subject, Mono>,
    grants: Option<Grants>,
    /// Counts the changes of the grants, from 1: what was permitted before is looked at anew.
    grants_epoch: u32,
    connected: bool,
    latest: Table<Subject, Message>,
    queued: VecDeque<Message>,
    counters: Counters,
}

/// What the outbox knows of one subject.
#[derive(Clone, Copy, Debug)]
struct Line {
    sequence: u64,
    /// The epoch of the grants that permitted it.
    permitted: u32,
}

impl Outbox {
    /// The outbox of one run of `unit`; the bus is away at first.
    #[must_use]
    pub fn new(unit: UnitId, session: SessionId) -> Self {
        Self {
            unit,
            session,
            clock: ClockClaim::default(),
            sequences: Table::default(),
            subjects_max: SUBJECTS_MAX,
            refused: Table::default(),
            grants: None,
            grants_epoch: 1,
            connected: false,
            latest: Table::default(),
            queued: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Sends a message of an actor.
    pub fn publish(&mut self, now: Now, message: impl Into<Box<Message>>) -> HandOver {
        self.publish_boxed(now, message.into())
    }

    fn publish_boxed(&mut self, now: Now, message: Box<Message>) -> HandOver {
        if self.connected {
            return match self.number(&message.subject) {
                Ok(sequence) => HandOver::Send(self.stamped(now, message, Some(sequence))),
                Err(reason) => HandOver::Refused(self.refuse(now.mono, message.subject, reason)),
            };
        }
        if !self.permits(&message.subject) {
            return HandOver::Refused(self.refuse(now.mono, message.subject, NOT_PERMITTED.into()));
        }
        let subject = &message.subject;
        match away_rule(subject) {
            AwayRule::KeepLatest if self.latest.len() < self.subjects_max || self.latest.contains_key(subject) => {
                self.counters.kept += 1;
                if self.latest.insert(subject.clone(), *message).is_some() {
                    self.counters.dropped += 1;
                }
            }
            AwayRule::Queue { max } => {
                self.counters.kept += 1;
                if self.queued.len() >= max {
                    self.queued.pop_front();
                    self.counters.dropped += 1;
                }
                self.queued.push_back(*message);
            }
            AwayRule::KeepLatest | AwayRule::Drop => self.counters.dropped += 1,
        }
        HandOver::Kept
    }

    /// Sends an answer to a request: without a sequence, and never kept.
    pub fn respond(&mut self, now: Now, answer: impl Into<Box<Message>>) -> HandOver {
        if !self.connected {
            self.counters.dropped += 1;
            return HandOver::Kept;
        }
        HandOver::Send(self.stamped(now, answer.into(), None))
    }

    /// Sends a message as it is, with the headers of whoever made it: dead letters.
    pub fn relay(&mut self, message: impl Into<Box<Message>>) -> HandOver {
        if !self.connected {
            self.counters.dropped += 1;
            return HandOver::Kept;
        }
        self.counters.sent += 1;
        HandOver::Send(message.into())
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
        message: impl Into<Box<Message>>,
        timeout: Duration,
    ) -> Result<Box<Message>, Failed> {
        let mut message = message.into();
        if !self.connected {
            self.counters.dropped += 1;
            return Err(RequestError::BusAway.into());
        }
        if requests.is_full() {
            self.counters.refused += 1;
            return Err(RequestError::Refused.into());
        }
        let sequence = match self.number(&message.subject) {
            Ok(sequence) => sequence,
            Err(reason) => {
                let refusal = Some(self.refuse(now.mono, message.subject, reason));
                return Err(Failed { error: RequestError::Refused, refusal });
            }
        };
        message.reply = requests.open(now, slot, id, timeout);
        Ok(self.stamped(now, message, Some(sequence)))
    }

    /// The bus came: returns what was kept for it, numbered and stamped now, in the order to send.
    pub fn connected(&mut self, now: Now) -> Vec<Message> {
        self.connected = true;
        let kept = std::mem::take(&mut self.queued).into_iter().chain(std::mem::take(&mut self.latest).into_values());
        kept.filter_map(|mut message| {
            let Ok(sequence) = self.number(&message.subject) else {
                self.counters.refused += 1;
                return None;
            };
            self.stamp(now, &mut message, Some(sequence));
            Some(message)
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

    /// What the node may publish from now on; `None`: everything.
    pub fn grant(&mut self, grants: Option<Grants>) {
        self.grants = grants;
        self.grants_epoch += 1;
    }

    /// What it may publish, when that is restricted: an actor that came later extends it.
    pub const fn grants_mut(&mut self) -> Option<&mut Grants> {
        self.grants.as_mut()
    }

    /// What the node says about its clock from now on, as long as that holds.
    pub const fn set_clock(&mut self, clock: ClockClaim) {
        self.clock = clock;
    }

    /// What the node says about its clock.
    #[must_use]
    pub const fn clock(&self) -> ClockClaim {
        self.clock
    }

    /// What it has seen.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The next sequence on `subject`, or why it has none: it may not be published to, or is new and
    /// there is no room for it.
    fn number(&mut self, subject: &Subject) -> Result<u64, Cow<'static, str>> {
        if let Some(line) = self.sequences.get_mut(subject)
            && line.permitted == self.grants_epoch
        {
            line.sequence += 1;
            return Ok(line.sequence);
        }
        if !self.permits(subject) {
            return Err(NOT_PERMITTED.into());
        }
        let permitted = self.grants_epoch;
        if let Some(line) = self.sequences.get_mut(subject) {
            *line = Line { sequence: line.sequence + 1, permitted };
            return Ok(line.sequence);
        }
        if self.sequences.len() >= self.subjects_max {
            return Err(format!("more than {} subjects in one run", self.subjects_max).into());
        }
        self.sequences.insert(subject.clone(), Line { sequence: 1, permitted });
        Ok(1)
    }

    fn permits(&self, subject: &Subject) -> bool {
        self.grants.as_ref().is_none_or(|grants| grants.permit(subject))
    }

    fn refuse(&mut self, now: Mono, subject: Subject, reason: Cow<'static, str>) -> Refusal {
        self.counters.refused += 1;
        let room = self.refused.len() < self.subjects_max;
        let tell = match self.refused.get_mut(&subject) {
            Some(told) if now.since(*told) < REFUSAL_TOLD_EVERY => false,
            Some(told) => {
                *told = now;
                true
            }
            None if room => {
                self.refused.insert(subject.clone(), now);
                true
            }
            None => false,
        };
        Refusal { subject, reason, tell }
    }

    fn stamped(&mut self, now: Now, mut message: Box<Message>, sequence: Option<u64>) -> Box<Message> {
        self.stamp(now, &mut message, sequence);
        message
    }

    fn stamp(&mut self, now: Now, message: &mut Message, sequence: Option<u64>) {
        self.counters.sent += 1;
        let stamp = Stamp {
            unit: self.unit.clone(),
            session: self.session.clone(),
            sequence,
            tx: now.wall,
            clock: self.clock.at(now.mono),
        };
        message.headers.complete(Arc::new(stamp), now);
    }
}

#[cfg(test)]
mod tests;
