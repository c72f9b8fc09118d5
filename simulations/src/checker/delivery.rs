//! What becomes of messages on their way: how many arrive, and how soon.

use nunect_core::table::Table;
use nunect_core::{Message, Pattern, Stamp};

use super::compare::{Compare, Count, Share, Span};
use super::condition::Look;
use super::recent::fingerprint;
use crate::latency::Histogram;

/// What is demanded of messages.
#[derive(Clone, Debug)]
pub(crate) struct Demands {
    /// Of those that were to arrive, so many do.
    pub(crate) share: Option<Compare<Share>>,
    /// So many do not.
    pub(crate) lost: Option<Compare<Count>>,
    /// In thousandths: that part of those that arrive takes so long.
    pub(crate) latency: Vec<(u64, Compare<Span>)>,
}

/// Counts the messages that a condition is about.
///
/// Each message that a node hands to the bus is expected once at every other node of `to`. It counts as
/// delivered when it is first let into a process; what comes a second time is not counted again.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) subject: Pattern,
    /// Who publishes; everybody, if not given.
    pub(crate) of: Option<Vec<u32>>,
    /// Who is to receive; whoever does, if not given.
    pub(crate) to: Option<Vec<u32>>,
    /// Only what was published within this time counts.
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) demands: Demands,
    expected: u64,
    delivered: u64,
    /// By publisher, subject and receiver.
    ways: Table<u64, Way>,
    latency: Histogram,
}

/// The latest number that came, and which of the 64 up to it did.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    latest: u64,
    came: u64,
}

impl Way {
    /// Returns whether this number comes for the first time; one from too long ago does not.
    fn take(&mut self, sequence: u64) -> bool {
        if sequence > self.latest {
            let ahead = sequence - self.latest;
            self.came = if ahead < 64 { self.came << ahead | 1 } else { 1 };
            self.latest = sequence;
            return true;
        }
        let bit = 1_u64.checked_shl(u32::try_from(self.latest - sequence).unwrap_or(u32::MAX)).unwrap_or(0);
        let first = self.came & bit == 0 && bit != 0;
        self.came |= bit;
        first
    }
}

impl Tally {
    pub(crate) fn new(
        subject: Pattern,
        (of, to): (Option<Vec<u32>>, Option<Vec<u32>>),
        (from, until): (u64, u64),
        demands: Demands,
    ) -> Self {
        let (expected, delivered, ways, latency) = (0, 0, Table::default(), Histogram::default());
        Self { subject, of, to, from, until, demands, expected, delivered, ways, latency }
    }

    /// The stamp and number of a message that counts.
    fn stamp<'m>(&self, sent: u64, message: &'m Message) -> Option<(&'m Stamp, u64)> {
        let counts = (self.from..=self.until).contains(&sent) && self.subject.matches(&message.subject);
        let stamp = message.headers.stamp().filter(|_| counts)?;
        Some((stamp, stamp.sequence?))
    }

    /// A node hands a message to the bus.
    pub(crate) fn published(&mut self, at: u64, from: u32, message: &Message) {
        if self.stamp(at, message).is_some() && is_among(self.of.as_deref(), from) {
            let receivers = self.to.as_deref().unwrap_or_default();
            let own = usize::from(receivers.binary_search(&from).is_ok());
            self.expected += (receivers.len() - own) as u64;
        }
    }

    /// A message reaches a node; `from` published it.
    pub(crate) fn arrived(&mut self, at: u64, sent: u64, from: u32, to: u32, message: &Message) {
        let Some((stamp, sequence)) = self.stamp(sent, message) else { return };
        if from == to || !is_among(self.of.as_deref(), from) || !is_among(self.to.as_deref(), to) {
            return;
        }
        let way = fingerprint(to.into(), &[stamp.session.as_str(), message.subject.as_str()]);
        if self.ways.entry(way).or_default().take(sequence) {
            self.delivered += 1;
            self.latency.record(at.saturating_sub(sent));
        }
    }

    /// Whether what is demanded is so, of the messages that were counted up to now.
    pub(crate) fn look(&self) -> Look {
        let Demands { share, lost, latency } = &self.demands;
        if self.expected == 0 && self.delivered == 0 {
            return Look::Nothing;
        }
        let missing = self.expected.saturating_sub(self.delivered);
        let counted = format!("{} of {} messages arrived", self.delivered, self.expected);
        let reached = Share::of(self.delivered, self.expected);
        if let Some(share) = share.filter(|share| !share.holds(reached)) {
            return Look::Fails(format!("{counted}, {reached} and not {share}"));
        }
        if let Some(lost) = lost.filter(|lost| !lost.holds(Count(missing))) {
            return Look::Fails(format!("{counted}, {missing} lost and not {lost}"));
        }
        for (per_mille, compare) in latency {
            if self.latency.count() == 0 {
                return Look::Fails("no message arrived".to_owned());
            }
            let took = Span(if *per_mille == 1_000 { self.latency.max() } else { self.latency.quantile(*per_mille) });
            if !compare.holds(took) {
                let name = quantile_name(*per_mille);
                return Look::Fails(format!("{name} is {took} and not {compare}, of {} messages", self.delivered));
            }
        }
        Look::Holds
    }
}

pub(crate) fn quantile_name(per_mille: u64) -> String {
    if per_mille == 1_000 { "the longest".to_owned() } else { format!("p{}", per_mille / 10) }
}

fn is_among(nodes: Option<&[u32]>, node: u32) -> bool {
    nodes.is_none_or(|nodes| nodes.binary_search(&node).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_once_however_late_it_comes() {
        let mut way = Way::default();
        let firsts: Vec<bool> = [1, 2, 2, 5, 4, 4, 3, 100, 99, 36, 37, 5].map(|number| way.take(number)).into();
        let wanted = [true, true, false, true, true, false, true, true, true, false, true, false];
        assert_eq!(firsts, wanted, "36 and 5 are too long ago to be told apart");
    }
}
