//! What holds in every run, whatever its scenario expects.
//!
//! The laws are looked at in every step of every run and therefore cost next to nothing: for each of the
//! first nodes a small table of what it published last and of what reached its mailboxes last, and a
//! comparison.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nunect_core::mailbox::Counters;
use nunect_core::table::Table;
use nunect_core::{Message, Mono, Subscription, UnitId, protocol};
use nunect_supervisor::TreeSpec;

use super::errors::Errors;
use super::intensity::Intensities;
use super::recent::{Recent, fingerprint};
use super::verdict::{Judgement, Verdict};
use super::{Filter, Sighting, index, name};
use crate::fault::Fault;

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Law {
    SequenceReused,
    OutOfOrder,
    DeliveredTwice,
    SettledTwice,
    IntensityExceeded,
    ClockBackwards,
    UnexpectedError,
}

impl Law {
    /// What is so when it is kept.
    const fn name(self) -> &'static str {
        match self {
            Self::SequenceReused => "no sequence number is used twice",
            Self::OutOfOrder => "messages of one sender on one subject stay in order",
            Self::DeliveredTwice => "a message is delivered a second time only after a crash on it",
            Self::SettledTwice => "each message that a mailbox took is settled once",
            Self::IntensityExceeded => "no supervisor restarts more often than its intensity allows",
            Self::ClockBackwards => "monotonic clocks are monotonic",
            Self::UnexpectedError => "no error that the scenario does not expect",
        }
    }
}

/// The nodes whose messages are watched, from the first on. The code that numbers and delivers is the same
/// for all nodes, and tables for thousands of them would not stay in the cache.
const NODES_WATCHED: usize = 256;
/// Of how many subjects a node's latest numbers are kept.
const PUBLISHED: usize = 16;
/// Of how many senders' subjects the latest numbers are kept that reached a node's mailboxes.
const TAKEN: usize = 32;

/// Set beside the number of a message on which the actor crashed: it may come once more.
const CRASHED: u64 = 1 << 63;

#[derive(Debug, Default)]
struct Watched {
    published: Recent<PUBLISHED>,
    taken: Recent<TAKEN>,
}

#[derive(Debug)]
struct Breach {
    at: u64,
    why: String,
    times: u64,
}

/// Watches over all laws.
#[derive(Debug, Default)]
pub(crate) struct Laws {
    /// Whether messages of one sender may be out of order or come twice: faults of the scenario make
    /// them, or they travel as datagrams.
    pub(crate) order_excused: bool,
    nodes: Vec<Watched>,
    intensities: Intensities,
    errors: Option<Errors>,
    breaches: BTreeMap<(Law, String), Breach>,
}

impl Laws {
    /// Errors are breaches from now on, but for those that the scenario expects and those that its
    /// faults explain.
    pub(crate) fn expect_errors(&mut self, expected: Vec<Filter>, faults: &[Fault]) {
        self.errors = Some(Errors::new(expected, faults));
    }

    /// One more node belongs to the run.
    pub(crate) fn add(&mut self) {
        if self.nodes.len() < NODES_WATCHED {
            self.nodes.push(Watched::default());
        }
    }

    /// A node starts with its actors in this tree; without one, nobody restarts with anybody else.
    pub(crate) fn started(&mut self, node: u32, tree: Option<&Arc<TreeSpec>>) {
        self.intensities.started(node, tree);
    }

    /// A node hands a message to the bus.
    #[inline]
    pub(crate) fn published(&mut self, at: u64, node: u32, message: &Message) {
        let Some(watched) = self.nodes.get_mut(index(node)) else { return };
        let Some((session, sequence)) = numbered(message) else { return };
        let key = fingerprint(0, &[session, message.subject.as_str()]);
        if let Some(before) = watched.published.replace(key, sequence)
            && sequence <= before
            && !is_relayed(message)
        {
            let why = || format!("{} has the number {sequence} after {before}", message.subject.as_str());
            self.breach(at, Law::SequenceReused, protocol::family(message.subject.as_str()), why);
        }
    }

    /// A mailbox gives a message to its actor. `reads` is what the mailbox subscribes to.
    #[inline]
    pub(crate) fn taken(
        &mut self,
        at: u64,
        node: u32,
        slot: u32,
        message: &Message,
        // Not a slice: where the list begins is looked up only when it is needed.
        reads: &(impl AsRef<[Subscription]> + ?Sized),
    ) {
        let Some(watched) = self.nodes.get_mut(index(node)) else { return };
        let Some((session, sequence)) = numbered(message) else { return };
        let key = fingerprint(slot.into(), &[session, message.subject.as_str()]);
        match watched.taken.replace(key, sequence) {
            Some(before) if sequence <= before & !CRASHED && before != sequence | CRASHED => {
                self.taken_again(at, before & !CRASHED, sequence, message, reads.as_ref());
            }
            Some(_) | None => {}
        }
    }

    /// The number of a message that was taken is not above the one before it.
    #[cold]
    fn taken_again(&mut self, at: u64, before: u64, sequence: u64, message: &Message, reads: &[Subscription]) {
        // Subscriptions that overlap bring each message twice, as on NATS.
        let overlap = reads.iter().filter(|read| read.pattern.matches(&message.subject)).count() > 1;
        if self.order_excused || overlap || is_relayed(message) {
            return;
        }
        let (law, subject) = (law_of(before, sequence), message.subject.as_str());
        let from = message.headers.stamp().map_or("?", |stamp| stamp.unit.as_str());
        let why = || format!("{subject} number {sequence} of {from} after number {before}");
        self.breach(at, law, protocol::family(message.subject.as_str()), why);
    }

    /// The actor crashed on a message that it was given.
    pub(crate) fn crashed(&mut self, node: u32, slot: u32, message: &Message) {
        let Some(watched) = self.nodes.get_mut(index(node)) else { return };
        let Some((session, sequence)) = numbered(message) else { return };
        let key = fingerprint(slot.into(), &[session, message.subject.as_str()]);
        watched.taken.replace(key, sequence | CRASHED);
    }

    /// What a mailbox has seen in all, and how much waits in it. One message may be in the actor's hands.
    pub(crate) fn counted(&mut self, at: u64, place: impl FnOnce() -> String, counters: Counters, depth: u64) {
        let Counters { received, settled, dropped, poisoned } = counters;
        let known = settled + dropped + poisoned + depth;
        if known > received || received - known > 1 {
            let why = || {
                let place = place();
                format!(
                    "{place}: of {received} messages {settled} are settled, {dropped} dropped, {poisoned} set aside \
                     and {depth} wait"
                )
            };
            self.breach(at, Law::SettledTwice, "", why);
        }
    }

    /// A node's monotonic clock showed `before`, and now something earlier.
    #[cold]
    pub(crate) fn clock_backwards(&mut self, at: u64, unit: &str, before: Mono, now: Mono) {
        let why = || format!("{unit}: {} ns after {} ns", now.as_nanos(), before.as_nanos());
        self.breach(at, Law::ClockBackwards, "", why);
    }

    /// Something observable happened.
    pub(crate) fn event(&mut self, seen: &Sighting<'_>, units: &Table<UnitId, ()>) {
        let unit = name(units, seen.node);
        if let Some(why) = self.intensities.event(seen) {
            self.breach(seen.at, Law::IntensityExceeded, "", || format!("{unit}: {why}"));
        }
        if self.errors.as_mut().is_some_and(|errors| errors.is_unexpected(seen)) {
            let actor = seen.actor.map_or_else(String::new, |actor| format!(" {actor}"));
            self.breach(seen.at, Law::UnexpectedError, seen.event.name(), || format!("{unit}{actor}: {}", seen.event));
        }
    }

    fn breach(&mut self, at: u64, law: Law, about: &str, why: impl FnOnce() -> String) {
        let new = || Breach { at, why: why(), times: 0 };
        self.breaches.entry((law, about.to_owned())).or_insert_with(new).times += 1;
    }

    /// The laws that were broken.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.breaches.iter().map(|((law, about), breach)| Verdict {
            name: law.name().to_owned(),
            line: 0,
            about: about.clone(),
            sometimes: false,
            judgement: Judgement::Broken {
                at: Duration::from_nanos(breach.at),
                why: breach.why.clone(),
                times: breach.times,
            },
        })
    }
}

const fn law_of(before: u64, sequence: u64) -> Law {
    if before == sequence { Law::DeliveredTwice } else { Law::OutOfOrder }
}

/// The session and the number of a message that has one.
#[inline]
fn numbered(message: &Message) -> Option<(&str, u64)> {
    let stamp = message.headers.stamp()?;
    Some((stamp.session.as_str(), stamp.sequence?))
}

/// Whether it goes by the number that it had on another subject: a dead letter.
#[cold]
fn is_relayed(message: &Message) -> bool {
    protocol::dead::pattern().matches(&message.subject)
}

#[cfg(test)]
mod tests;
