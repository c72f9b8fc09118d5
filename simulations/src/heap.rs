//! What is to happen, in the order in which it happens.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::draw::mix;

/// Events by true time in nanoseconds since the run began.
///
/// Events of one instant come in an order that the seed draws, so that seeds explore orderings; but
/// those of one channel (a connection, or what a node does by itself) keep the order in which they
/// were pushed.
#[derive(Debug)]
pub(crate) struct Heap<T> {
    seed: u64,
    pushed: u64,
    entries: BinaryHeap<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    at: u64,
    tie: u64,
    sequence: u64,
    item: T,
}

impl<T> Heap<T> {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, pushed: 0, entries: BinaryHeap::new() }
    }

    pub(crate) fn push(&mut self, at: u64, channel: u64, item: T) {
        let tie = mix(mix(self.seed ^ at) ^ channel);
        self.entries.push(Entry { at, tie, sequence: self.pushed, item });
        self.pushed += 1;
    }

    /// Takes the next event, unless it lies beyond `limit`.
    pub(crate) fn pop_until(&mut self, limit: u64) -> Option<(u64, T)> {
        if self.entries.peek()?.at > limit {
            return None;
        }
        self.entries.pop().map(|entry| (entry.at, entry.item))
    }
}

impl<T> Entry<T> {
    const fn key(&self) -> (u64, u64, u64) {
        (self.at, self.tie, self.sequence)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    /// The earliest is the greatest: the standard heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain<T>(heap: &mut Heap<T>) -> Vec<(u64, T)> {
        std::iter::from_fn(|| heap.pop_until(u64::MAX)).collect()
    }

    proptest! {
        #[test]
        fn time_never_runs_back_and_a_channel_keeps_its_order(
            seed: u64,
            pushes in prop::collection::vec((0_u64..5, 0_u64..4), 0..200),
        ) {
            let mut heap = Heap::new(seed);
            for (order, &(at, channel)) in pushes.iter().enumerate() {
                heap.push(at, channel, (channel, order));
            }
            let popped = drain(&mut heap);
            prop_assert_eq!(popped.len(), pushes.len());
            for pair in popped.windows(2) {
                prop_assert!(pair[0].0 <= pair[1].0);
            }
            for channel in 0..4 {
                for at in 0..5 {
                    let orders: Vec<_> = popped.iter().filter(|(t, (c, _))| (*t, *c) == (at, channel)).collect();
                    prop_assert!(orders.windows(2).all(|pair| pair[0].1.1 < pair[1].1.1));
                }
            }
        }
    }

    #[test]
    fn seeds_order_simultaneous_events_of_different_channels_differently() {
        let order = |seed| {
            let mut heap = Heap::new(seed);
            (0..8).for_each(|channel| heap.push(7, channel, channel));
            drain(&mut heap)
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn nothing_beyond_the_limit_is_taken() {
        let mut heap = Heap::new(1);
        heap.push(10, 0, "later");
        assert_eq!(heap.pop_until(9), None);
        assert_eq!(heap.pop_until(10), Some((10, "later")));
    }
}
