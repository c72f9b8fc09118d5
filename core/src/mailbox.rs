//! The mailbox: what waits for a component, across the lives of its actor.
//!
//! It belongs to the component and not to the running actor. It is bounded, it keeps order over
//! crashes, and it sets a message aside on which the actor crashed twice. Crashes on messages are
//! charged to its poison budget; beyond that it pauses, so that no sender can bring a node down.
//!
//! The bounds hold for what arrives. The one message that the actor had in hand comes back on top
//! of them: room that was given away meanwhile is not taken back.

use std::collections::VecDeque;
use std::time::Duration;

use crate::actor::{MailboxLimits, Overflow};
use crate::message::Message;
use crate::protocol::command::MailboxReport;
use crate::time::{Deadline, Mono};

/// Crashes on one message before it is set aside.
pub const POISON_CRASHES: u32 = 2;
/// Crashes on messages within [`POISON_WINDOW`] that a mailbox may cause (protocol, section 6).
pub const POISON_BUDGET: u32 = 10;
/// The window of [`POISON_BUDGET`].
pub const POISON_WINDOW: Duration = Duration::from_secs(60);
/// The first pause beyond the budget; each further one doubles, until [`POISON_WINDOW`] passed
/// without a crash and without a pause.
pub const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A message on its way through the actor, with what the mailbox must remember of it.
#[derive(Debug)]
pub struct Delivery {
    message: Box<Message>,
    weight: usize,
    crashes: u32,
}

impl Delivery {
    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }
}

/// What became of a message that arrived.
#[derive(Debug)]
#[must_use]
pub enum Push {
    /// It waits. `ring`: nothing else did, so the actor must be told.
    Accepted {
        /// Whether the actor must be told.
        ring: bool,
    },
    /// It waits, and the oldest gave way to it.
    DroppedOldest {
        /// What gave way.
        dropped: Box<Message>,
        /// Whether this is the first loss since there was room.
        first: bool,
    },
    /// It does not wait; a request is to be answered 503.
    Refused {
        /// The message itself.
        refused: Box<Message>,
        /// Whether this is the first loss since there was room.
        first: bool,
    },
}

/// What follows from a crash on a message.
#[derive(Debug)]
#[must_use]
pub struct Verdict {
    /// The message, when this was its second crash: it goes to the dead letters.
    pub quarantined: Option<Box<Message>>,
    /// How long the mailbox now pauses, when the budget is spent.
    pub paused: Option<Duration>,
    /// Crashes within the last [`POISON_WINDOW`].
    pub crashes: u32,
}

/// What a mailbox has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that arrived.
    pub received: u64,
    /// Messages that were handled.
    pub settled: u64,
    /// Messages that were lost because it was full.
    pub dropped: u64,
    /// Messages that were set aside.
    pub poisoned: u64,
}

/// The queue of one component.
#[derive(Debug)]
pub struct Mailbox {
    limits: MailboxLimits,
    queue: VecDeque<Delivery>,
    bytes: usize,
    attached: bool,
    full: bool,
    counters: Counters,
    /// When the actor crashed on messages within the last [`POISON_WINDOW`]: hardly more often than
    /// the budget allows, since it pauses after each crash beyond.
    crashes: VecDeque<Mono>,
    pause: Option<Pause>,
    next_pause: Duration,
    /// When it last crashed on a message, or when the pause for that is over: time in which it was
    /// held back says nothing about how well it does.
    calm_since: Mono,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Mono,
}

impl Mailbox {
    /// An empty mailbox without an actor.
    #[must_use]
    pub fn new(limits: MailboxLimits) -> Self {
        Self {
            limits,
            queue: VecDeque::new(),
            bytes: 0,
            attached: false,
            full: false,
            counters: Counters::default(),
            crashes: VecDeque::new(),
            pause: None,
            next_pause: PAUSE_FIRST,
            calm_since: Mono::ZERO,
        }
    }

    /// Takes a message that arrived.
    pub fn push(&mut self, message: Box<Message>) -> Push {
        self.counters.received += 1;
        let weight = message.weight();
        let delivery = Delivery { message, weight, crashes: 0 };
        if self.queue.len() < self.limits.capacity && self.bytes + weight <= self.limits.capacity_bytes {
            let ring = self.queue.is_empty() && self.attached && self.pause.is_none();
            self.full = false;
            self.push_back(delivery);
            return Push::Accepted { ring };
        }
        self.counters.dropped += 1;
        let first = !std::mem::replace(&mut self.full, true);
        // A single message beyond the byte limit gives way itself: dropping all others for it
        // would lose more, and might still not make room.
        match (self.limits.overflow, self.queue.front()) {
            (Overflow::DropOldest, Some(oldest))
                if self.bytes - oldest.weight + weight <= self.limits.capacity_bytes =>
            {
                let dropped = self.pop_front().expect("the queue has a front").message;
                self.push_back(delivery);
                Push::DroppedOldest { dropped, first }
            }
            (Overflow::DropOldest | Overflow::DropNewest, _) => Push::Refused { refused: delivery.message, first },
        }
    }

    /// Takes a message that arrived and gives it on at once, when nothing waits before it, somebody lives and the
    /// mailbox does not pause; otherwise it comes back, to be [pushed](Self::push).
    ///
    /// It is what [`push`](Self::push) and [`take`](Self::take) do, without a queue in between.
    ///
    /// # Errors
    /// When the message has to wait, or is too large.
    pub fn pass(&mut self, message: Box<Message>) -> Result<Delivery, Box<Message>> {
        if !self.attached || self.pause.is_some() || !self.queue.is_empty() || self.limits.capacity == 0 {
            return Err(message);
        }
        let weight = message.weight();
        if weight > self.limits.capacity_bytes {
            return Err(message);
        }
        self.counters.received += 1;
        self.full = false;
        Ok(Delivery { message, weight, crashes: 0 })
    }

    /// An actor lives. Returns whether something waits for it.
    pub fn attach(&mut self) -> bool {
        self.attached = true;
        self.has_work()
    }

    /// No actor lives: messages wait.
    pub fn detach(&mut self) {
        self.attached = false;
    }

    /// The next message for the actor; `None` when nothing waits, nobody lives, or it pauses.
    ///
    /// The host gives it back by [`settle`](Self::settle), [`crashed`](Self::crashed) or
    /// [`give_back`](Self::give_back).
    pub fn take(&mut self) -> Option<Delivery> {
        if self.has_work() { self.pop_front() } else { None }
    }

    /// The actor has handled it.
    pub fn settle(&mut self, delivery: Delivery) {
        self.counters.settled += 1;
        drop(delivery);
    }

    /// The actor ended before it saw it: it is the next again.
    pub fn give_back(&mut self, delivery: Delivery) {
        self.push_front(delivery);
    }

    /// The actor crashed on it. On its first crash it is the next again; on its second it is set aside.
    pub fn crashed(&mut self, now: Mono, mut delivery: Delivery) -> Verdict {
        self.detach();
        delivery.crashes += 1;
        let quarantined = if delivery.crashes >= POISON_CRASHES {
            self.counters.poisoned += 1;
            Some(delivery.message)
        } else {
            self.push_front(delivery);
            None
        };
        while self.crashes.front().is_some_and(|&crash| now.since(crash) >= POISON_WINDOW) {
            self.crashes.pop_front();
        }
        if now.since(self.calm_since) >= POISON_WINDOW {
            self.next_pause = PAUSE_FIRST;
        }
        self.crashes.push_back(now);
        let crashes = u32::try_from(self.crashes.len()).unwrap_or(u32::MAX);
        let paused = (crashes > POISON_BUDGET).then(|| {
            let pause = self.next_pause;
            self.next_pause = (pause * 2).min(PAUSE_MAX);
            self.pause = Some(Pause { until: now + pause });
            pause
        });
        self.calm_since = now + paused.unwrap_or_default();
        Verdict { quarantined, paused, crashes }
    }

    /// Holds back until `until`, as somebody asked; a longer pause stands.
    pub fn hold(&mut self, until: Mono) {
        if self.pause.is_none_or(|pause| pause.until < until) {
            self.pause = Some(Pause { until });
        }
    }

    /// When it delivers again, while it pauses.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.pause.map(|pause| Deadline::new(pause.until, "mailbox pause over"))
    }

    /// Ends a pause that is over. Returns whether it did, and the actor must then be told.
    pub fn resume(&mut self, now: Mono) -> bool {
        let over = self.pause.is_some_and(|pause| pause.until <= now);
        if over {
            self.pause = None;
        }
        over
    }

    /// Whether [`take`](Self::take) would give a message.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.attached && self.pause.is_none() && !self.queue.is_empty()
    }

    /// Messages that wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.queue.len()
    }

    /// How much may wait.
    #[must_use]
    pub const fn limits(&self) -> MailboxLimits {
        self.limits
    }

    /// What an operator is told of it.
    #[must_use]
    pub fn report(&self) -> MailboxReport {
        MailboxReport {
            depth: self.queue.len() as u64,
            capacity: self.limits.capacity as u64,
            dropped: self.counters.dropped,
            poisoned: self.counters.poisoned,
        }
    }

    /// What it has seen.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn push_back(&mut self, delivery: Delivery) {
        self.bytes += delivery.weight;
        self.queue.push_back(delivery);
    }

    fn push_front(&mut self, delivery: Delivery) {
        self.bytes += delivery.weight;
        self.queue.push_front(delivery);
    }

    fn pop_front(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        self.bytes -= delivery.weight;
        Some(delivery)
    }
}

#[cfg(test)]
mod tests;
