//! Messages that suffer on their way, whatever world they travel through: they come late, twice, out
//! of order or damaged.
//!
//! A message suffers where it would arrive, once, and what it suffers is a function of the seed, the
//! fault, and the message: its sender, receiver, subject, number and time.

use std::collections::BTreeMap;

use nunect_core::{Body, Message};

use crate::delay::Delay;
use crate::draw::{between, key, link, mix};

/// What a share is a share of.
const WHOLE: u64 = 1_000_000;

/// A fault that messages suffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tampering {
    /// What its draws begin with.
    pub(crate) number: u64,
    /// Whose messages, in order.
    pub(crate) nodes: Vec<u32>,
    /// How many of them, in millionths.
    pub(crate) share: u32,
    /// Those that are sent to the nodes.
    pub(crate) to: bool,
    /// Those that the nodes send.
    pub(crate) from: bool,
    pub(crate) how: How,
}

/// What messages suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// They come later; in order, those that follow from the same sender wait behind them.
    Late { delay: Delay, in_order: bool },
    /// They come again after this.
    Duplicate { delay: Delay },
    /// A bit of their payload is wrong.
    Corrupt,
}

impl How {
    /// Whether messages of one sender may then come out of order, or twice.
    pub(crate) const fn disorders(self) -> bool {
        match self {
            Self::Late { in_order, .. } => !in_order,
            Self::Duplicate { .. } => true,
            Self::Corrupt => false,
        }
    }
}

/// The way of a message that is about to arrive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// The node that sent it, if it was one, and the key of its name.
    pub(crate) from: (Option<u32>, u64),
    /// The node that it is for, and the key of its name.
    pub(crate) to: (u32, u64),
    /// What the subscription is called.
    pub(crate) tag: u32,
    /// When it was published.
    pub(crate) sent: u64,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// When it arrives, if not now.
    pub(crate) later: Option<u64>,
    /// When it arrives again.
    pub(crate) again: Option<u64>,
}

/// The faults that messages suffer at present.
#[derive(Debug, Default)]
pub(crate) struct Tamper {
    /// With the number of the fault.
    active: Vec<(u32, Tampering)>,
    /// When the latest of the messages from one name to a node arrives, so that none overtakes it.
    queues: BTreeMap<(u64, u32), u64>,
    /// The latest of them all.
    queued_until: u64,
}

impl Tamper {
    /// Whether a message that arrives now does so unharmed.
    pub(crate) const fn is_idle(&self, now: u64) -> bool {
        self.active.is_empty() && (self.queued_until < now || self.queued_until == 0)
    }

    pub(crate) fn begin(&mut self, fault: u32, tampering: Tampering) {
        self.active.push((fault, tampering));
    }

    /// What is late already stays so.
    pub(crate) fn end(&mut self, fault: u32) {
        self.active.retain(|(other, _)| *other != fault);
    }

    /// What becomes of a message that is about to arrive; its payload may suffer here and now.
    pub(crate) fn judge(&mut self, now: u64, way: &Way, message: &mut Message) -> Verdict {
        if self.queued_until < now {
            self.queues.clear();
        }
        let (mut late, mut in_order, mut again) = (0_u64, true, None);
        let Self { active, .. } = self;
        for (_, tampering) in &*active {
            for bits in tampering.hits(way, message) {
                match tampering.how {
                    How::Late { delay, in_order: orderly } => {
                        late = late.saturating_add(delay.draw(mix(bits)));
                        in_order &= orderly;
                    }
                    How::Duplicate { delay } => again = Some(now.saturating_add(delay.draw(mix(bits)))),
                    How::Corrupt => corrupt(message, mix(bits)),
                }
            }
        }
        Verdict { later: self.queue(now, way, late, in_order), again }
    }

    /// When a message arrives that is late by so much, if not now.
    fn queue(&mut self, now: u64, way: &Way, late: u64, in_order: bool) -> Option<u64> {
        let place = (way.from.1, way.to.0);
        let at = now.saturating_add(late);
        if !in_order {
            return (late > 0).then_some(at);
        }
        match self.queues.get_mut(&place) {
            // Of two of one instant the one that was put off comes first.
            Some(last) if *last >= now => *last = at.max(*last),
            Some(_) | None if late > 0 => drop(self.queues.insert(place, at)),
            Some(_) | None => return None,
        }
        let at = self.queues.get(&place).copied()?;
        self.queued_until = self.queued_until.max(at);
        Some(at)
    }
}

impl Tampering {
    /// Random bits for each time that the message suffers: where it is sent, and where it is taken.
    fn hits(&self, way: &Way, message: &Message) -> impl Iterator<Item = u64> + use<> {
        let has = |node: u32| self.nodes.binary_search(&node).is_ok();
        let sent = self.from && way.from.0.is_some_and(has);
        let taken = self.to && has(way.to.0);
        let number = if sent || taken { self.message(way, message) } else { 0 };
        // What a node sends late is late for everybody.
        let sent = sent.then(|| mix(number));
        let taken = taken.then(|| mix(number ^ link(way.to.1, u64::from(way.tag))));
        let share = u64::from(self.share);
        sent.into_iter().chain(taken).filter(move |bits| between(*bits, 0, WHOLE - 1) < share)
    }

    fn message(&self, way: &Way, message: &Message) -> u64 {
        let sequence = message.headers.stamp().and_then(|stamp| stamp.sequence).unwrap_or(0);
        let number = link(self.number ^ way.sent, way.from.1);
        mix(number ^ link(key(message.subject.as_str()), sequence))
    }
}

/// Flips a bit of the payload, if there is one.
fn corrupt(message: &mut Message, bits: u64) {
    let mut payload = message.payload().to_vec();
    let Some(last) = payload.len().checked_mul(8).and_then(|bits| bits.checked_sub(1)) else { return };
    let place = usize::try_from(between(bits, 0, u64::try_from(last).unwrap_or(0))).unwrap_or(0);
    if let Some(byte) = payload.get_mut(place / 8) {
        *byte ^= 1 << (place % 8);
    }
    message.body = Body::Bytes(payload.into());
}

#[cfg(test)]
mod tests {
    use nunect_core::{Period, Subject};

    use super::*;

    const MS: u64 = 1_000_000;

    fn fault(share: u32, how: How) -> Tampering {
        Tampering { number: 7, nodes: vec![1], share, to: true, from: true, how }
    }

    fn way(from: u32, to: u32, sent: u64) -> Way {
        Way { from: (Some(from), u64::from(from)), to: (to, u64::from(to)), tag: 0, sent }
    }

    fn message() -> Message {
        Message::new(Subject::parse("a.b").expect("legal")).body("payload")
    }

    fn late(millis: u64, in_order: bool) -> How {
        How::Late { delay: Delay::Fixed(Period::from_millis(millis)), in_order }
    }

    #[test]
    fn about_the_share_of_the_messages_suffers_and_no_others_do() {
        let mut tamper = Tamper::default();
        tamper.begin(0, fault(50_000, late(1, false)));
        let mut count = |from, to| {
            let hit = |sent: &u64| tamper.judge(0, &way(from, to, sent * 17), &mut message()).later.is_some();
            (0..100_000).filter(hit).count()
        };
        let (taken, sent, others) = (count(0, 1), count(1, 0), count(0, 2));
        assert!((4_800..5_200).contains(&taken) && (4_800..5_200).contains(&sent), "{taken} {sent}");
        assert_eq!(others, 0);
    }

    #[test]
    fn a_late_message_holds_up_those_behind_it_and_nobody_else() {
        let mut tamper = Tamper::default();
        tamper.begin(3, fault(1_000_000, late(10, true)));
        assert_eq!(tamper.judge(MS, &way(0, 1, 0), &mut message()).later, Some(11 * MS));
        tamper.end(3);
        assert!(!tamper.is_idle(2 * MS));
        assert_eq!(tamper.judge(2 * MS, &way(0, 1, 1), &mut message()).later, Some(11 * MS));
        assert_eq!(tamper.judge(2 * MS, &way(2, 1, 1), &mut message()).later, None);
        assert_eq!(tamper.judge(11 * MS, &way(0, 1, 1), &mut message()).later, Some(11 * MS), "behind, not beside");
        assert!(tamper.is_idle(11 * MS + 1));
    }

    #[test]
    fn what_may_be_overtaken_holds_up_nobody() {
        let mut tamper = Tamper::default();
        tamper.begin(3, fault(1_000_000, late(10, false)));
        assert_eq!(tamper.judge(MS, &way(0, 1, 0), &mut message()).later, Some(11 * MS));
        tamper.end(3);
        assert!(tamper.is_idle(2 * MS));
    }

    #[test]
    fn what_a_node_sends_late_is_late_for_all() {
        let mut tamper = Tamper::default();
        let delay = Delay::Uniform(Period::from_millis(1), Period::from_secs(1));
        tamper.begin(0, fault(300_000, How::Late { delay, in_order: false }));
        for sent in 0..1_000 {
            let mut to = |node| tamper.judge(5, &way(1, node, sent), &mut message());
            assert_eq!(to(2), to(3));
        }
    }

    #[test]
    fn one_bit_of_a_corrupt_message_is_wrong() {
        let mut tamper = Tamper::default();
        tamper.begin(0, Tampering { from: false, ..fault(1_000_000, How::Corrupt) });
        let mut message = message();
        tamper.judge(0, &way(0, 1, 9), &mut message);
        let wrong = message.payload().iter().zip(b"payload").map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
        assert_eq!((message.payload().len(), wrong), (7, 1));
        let mut empty = Message::new(Subject::parse("a").expect("legal"));
        tamper.judge(0, &way(0, 1, 9), &mut empty);
        assert!(empty.payload().is_empty());
    }
}
