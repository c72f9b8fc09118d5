//! What is to happen, in the order in which it happens.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use crate::draw::mix;

/// Events by true time in nanoseconds since the run began.
///
/// Events of one instant come in an order that the seed draws, so that seeds explore orderings; but
/// those of one channel (a connection, or what a node does by itself) keep the order in which they
/// were pushed.
///
/// Most events are deadlines of nodes, seconds away, and most that are pushed and taken are messages,
/// milliseconds away. So what lies beyond the present window of time waits unsorted, and so do the slots
/// of the window that are still to come: only those of one slot are ever sorted, a handful.
#[derive(Debug)]
pub(crate) struct Heap<T> {
    seed: u64,
    pushed: u64,
    /// Those of the present slot that were there when it began, the next one last.
    near: Vec<Entry<T>>,
    /// What came to it since: hardly anything is so near.
    late: BinaryHeap<Entry<T>>,
    /// The present slot, counted from the beginning of the run.
    slot: u64,
    /// Further slots of the present window, and in a bit each which of them hold anything.
    slots: [Vec<Entry<T>>; SLOTS],
    filled: u64,
    /// Beyond the window, by window.
    far: BTreeMap<u64, Vec<Entry<T>>>,
}

/// The logarithm of the length of a slot in nanoseconds: 0.26 ms, shorter than most delays.
const SLOT_BITS: u32 = 18;
/// As many as a number has bits; a window is 17 ms, longer than most delays.
const SLOTS: usize = 64;

const fn window_of(slot: u64) -> u64 {
    slot / SLOTS as u64
}

#[expect(clippy::cast_possible_truncation, reason = "it is below 64")]
const fn place_of(slot: u64) -> usize {
    slot as usize % SLOTS
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
        let slots = [const { Vec::new() }; SLOTS];
        Self {
            seed,
            pushed: 0,
            near: Vec::new(),
            late: BinaryHeap::new(),
            slot: 0,
            slots,
            filled: 0,
            far: BTreeMap::new(),
        }
    }

    pub(crate) fn push(&mut self, at: u64, channel: u64, item: T) {
        let tie = mix(mix(self.seed ^ at) ^ channel);
        let entry = Entry { at, tie, sequence: self.pushed, item };
        self.pushed += 1;
        let slot = at >> SLOT_BITS;
        if slot <= self.slot {
            self.late.push(entry);
        } else if window_of(slot) == window_of(self.slot) {
            self.keep(slot, entry);
        } else {
            self.far.entry(window_of(slot)).or_default().push(entry);
        }
    }

    /// Keeps what lies in a further slot of the window.
    fn keep(&mut self, slot: u64, entry: Entry<T>) {
        let place = place_of(slot);
        self.slots[place].push(entry);
        self.filled |= 1 << place;
    }

    /// Goes on to the next slot that holds anything; false when none does.
    fn advance(&mut self) -> bool {
        if self.filled == 0 {
            let Some((window, entries)) = self.far.pop_first() else { return false };
            self.slot = window * SLOTS as u64;
            entries.into_iter().for_each(|entry| self.keep(entry.at >> SLOT_BITS, entry));
        }
        let place = self.filled.trailing_zeros();
        self.filled &= self.filled - 1;
        self.slot = window_of(self.slot) * SLOTS as u64 + u64::from(place);
        std::mem::swap(&mut self.near, &mut self.slots[place_of(self.slot)]);
        if self.near.len() > 1 {
            self.near.sort_unstable();
        }
        true
    }

    /// Takes the next event, unless it lies beyond `limit`.
    pub(crate) fn pop_until(&mut self, limit: u64) -> Option<(u64, T)> {
        if self.near.is_empty() && self.late.is_empty() && !self.advance() {
            return None;
        }
        let is_late = match (self.near.last(), self.late.peek()) {
            (_, None) => false,
            (near, Some(late)) => near.is_none_or(|near| late > near),
        };
        let next = if is_late { self.late.peek() } else { self.near.last() };
        if next?.at > limit {
            return None;
        }
        let entry = if is_late { self.late.pop() } else { self.near.pop() };
        entry.map(|entry| (entry.at, entry.item))
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
            grain in prop::sample::select(vec![1_u64, 7_000_000, 1_000_000_000]),
        ) {
            let pushes: Vec<_> = pushes.into_iter().map(|(at, channel)| (at * grain, channel)).collect();
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
                for at in (0..5).map(|at| at * grain) {
                    let orders: Vec<_> = popped.iter().filter(|(t, (c, _))| (*t, *c) == (at, channel)).collect();
                    prop_assert!(orders.windows(2).all(|pair| pair[0].1.1 < pair[1].1.1));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn it_gives_what_a_sorted_list_gives_however_pushes_and_pops_alternate(
            steps in prop::collection::vec(prop::option::of(0_u64..200_000_000), 0..200),
        ) {
            let (mut heap, mut list, mut now) = (Heap::new(1), Vec::new(), 0);
            for (order, step) in steps.into_iter().enumerate() {
                match step {
                    Some(ahead) => {
                        heap.push(now + ahead, 0, order);
                        list.push((now + ahead, order));
                    }
                    None => {
                        list.sort_unstable();
                        let first = (!list.is_empty()).then(|| list.remove(0));
                        now = first.map_or(now, |(at, _)| at);
                        prop_assert_eq!(heap.pop_until(u64::MAX), first);
                    }
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
