//! The units that a monitor tracks: bounded, and found by name, by time and in order.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use nunect_core::protocol::units::UnitStatus;
use nunect_core::table::Table;
use nunect_core::{Health, Mono, Now, UnitId};

use super::unit::Unit;

/// All units. A heartbeat of a known one costs one search in a hash table, however many there are.
#[derive(Debug)]
pub(super) struct Units {
    units_max: usize,
    table: Table<UnitId, Unit>,
    /// The same in the order of their IDs, for whoever asks for a part of them.
    order: BTreeSet<UnitId>,
    /// When to look whether a unit has fallen silent: at most one entry for each, at or before that
    /// instant. A heartbeat leaves the entry alone, and whoever looks too early moves it; so a
    /// heartbeat costs the same among a thousand units and among a hundred thousand.
    looks: BTreeSet<(Mono, UnitId)>,
    /// Those that are OFFLINE, by when they went.
    gone: BTreeSet<(Mono, UnitId)>,
}

/// Where a unit is found until another is forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(usize);

/// A unit that was in a state since an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before(Health, Mono);

impl Units {
    pub(super) fn new(units_max: usize) -> Self {
        Self {
            units_max,
            table: Table::default(),
            order: BTreeSet::new(),
            looks: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    pub(super) fn find(&self, id: &UnitId) -> Option<Place> {
        self.table.get_index_of(id).map(Place)
    }

    pub(super) fn is_full(&self) -> bool {
        self.table.len() >= self.units_max
    }

    pub(super) fn insert(&mut self, id: UnitId, now: Now) -> Place {
        self.order.insert(id.clone());
        Place(self.table.insert_full(id, Unit::unheard(now)).0)
    }

    pub(super) fn at(&mut self, place: Place) -> (&UnitId, &mut Unit, Before) {
        let (id, unit) = self.table.get_index_mut(place.0).expect("nobody was forgotten since it was found");
        let before = Before(unit.health, unit.since.mono);
        (id, unit, before)
    }

    /// Notes that a unit was heard, or fell silent: sees to it that nobody looks at it later than it
    /// would fall silent, and where it stands among those that are OFFLINE.
    pub(super) fn settle(&mut self, place: Place, before: Before, listening_since: Mono) {
        let (id, unit) = self.table.get_index_mut(place.0).expect("nobody was forgotten since it was found");
        match (before, unit.health) {
            (Before(Health::Offline, _), Health::Offline) => {}
            (Before(_, _), Health::Offline) => {
                self.gone.insert((unit.since.mono, id.clone()));
            }
            (Before(Health::Offline, since), _) => {
                self.gone.remove(&(since, id.clone()));
            }
            (_, _) => {}
        }
        let silent = unit.silent_at(listening_since);
        if unit.health != Health::Offline && silent < unit.look {
            if unit.look != Mono::MAX {
                self.looks.remove(&(unit.look, id.clone()));
            }
            self.looks.insert((silent, id.clone()));
            unit.look = silent;
        }
    }

    /// When somebody has to look after a unit next.
    pub(super) fn next_look(&self) -> Option<Mono> {
        self.looks.first().map(|(at, _)| *at)
    }

    /// One unit that is to be looked at by now.
    pub(super) fn look(&mut self, now: Mono) -> Option<Place> {
        self.looks.first().filter(|(at, _)| *at <= now)?;
        let (_, id) = self.looks.pop_first()?;
        let place = self.find(&id)?;
        self.table[place.0].look = Mono::MAX;
        Some(place)
    }

    /// Since when the unit is OFFLINE that is so for the longest.
    pub(super) fn longest_gone(&self) -> Option<Mono> {
        self.gone.first().map(|(since, _)| *since)
    }

    /// Forgets the unit that is OFFLINE for the longest, if that is `after` or more.
    pub(super) fn forget_longest_gone(&mut self, now: Mono, after: Duration) -> Option<UnitId> {
        self.gone.first().filter(|(since, _)| *since + after <= now)?;
        let (_, id) = self.gone.pop_first()?;
        let unit = self.table.swap_remove(&id)?;
        self.order.remove(&id);
        self.looks.remove(&(unit.look, id.clone()));
        Some(id)
    }

    /// At most `limit` units whose IDs come after `after`, in their order.
    pub(super) fn part(&self, after: Option<&UnitId>, limit: usize) -> impl Iterator<Item = UnitStatus> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = self.order.range::<UnitId, _>((from, Bound::Unbounded)).take(limit);
        ids.filter_map(|id| self.table.get(id).map(|unit| unit.status(id)))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The bytes that all this takes: exact for the table, and an upper bound for the sets, whose
    /// nodes are at least half full.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &str| text.len() + 2 * size_of::<usize>() + MALLOC_OVERHEAD;
        let names: usize =
            self.table.iter().map(|(id, unit)| text(id.as_str()) + unit.texts().map(text).sum::<usize>()).sum();
        let slots = self.table.capacity();
        // An entry has its hash beside it; the table of indices has a byte of control for each.
        let table = slots * size_of::<(usize, UnitId, Unit)>() + slots * 8 / 7 * (size_of::<usize>() + 1);
        let sets = 2 * (self.looks.len() + self.gone.len()) * size_of::<(Mono, UnitId)>();
        names + table + sets + 2 * self.order.len() * size_of::<UnitId>()
    }

    /// Every structure holds the same units.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.table.len() <= self.units_max);
        assert!(self.order.len() == self.table.len() && self.order.iter().all(|id| self.table.contains_key(id)));
        for (at, id) in &self.looks {
            assert_eq!(self.table[id].look, *at);
        }
        for (since, id) in &self.gone {
            assert_eq!((self.table[id].since.mono, self.table[id].health), (*since, Health::Offline));
        }
        for (id, unit) in &self.table {
            assert_eq!(self.gone.contains(&(unit.since.mono, id.clone())), unit.health == Health::Offline);
            assert!(unit.look == Mono::MAX || self.looks.contains(&(unit.look, id.clone())));
            assert!(unit.look != Mono::MAX || unit.health == Health::Offline);
        }
    }
}

/// What an allocator adds to each piece of memory.
#[cfg(test)]
const MALLOC_OVERHEAD: usize = 8;
