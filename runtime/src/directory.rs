//! The units that a node sees: its actors write, everybody reads.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::{DashMap, Entry};
use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::protocol::units::UnitStatus;
use nunect_core::{DirectoryChange, Health, Role, SessionId, UnitId};

/// A node's directory of units. Reading one row never waits for another to be written.
#[derive(Debug, Default)]
pub struct Directory {
    units: DashMap<UnitId, Row, foldhash::fast::RandomState>,
    /// How many units are in each state, so that a status line costs the same among a hundred
    /// thousand: OK, DEGRADED, CRITICAL, OFFLINE.
    states: [AtomicU64; 4],
}

/// A row without the name that it stands under, and as small as it can be: there may be a hundred
/// thousand.
#[derive(Clone, Debug)]
struct Row {
    session: Option<SessionId>,
    since_ms: u64,
    last_seen_ms: u64,
    /// In microseconds: more than an hour is as good as an hour.
    rtt_app_us: Option<u32>,
    rtt_native_us: Option<u32>,
    role: Role,
    state: Health,
    clock_source: Option<ClockSource>,
    clock_quality: Option<ClockQuality>,
}

impl From<UnitStatus> for Row {
    fn from(status: UnitStatus) -> Self {
        let micros = |micros: Option<u64>| micros.map(|micros| u32::try_from(micros).unwrap_or(u32::MAX));
        Self {
            session: status.session,
            since_ms: status.since_ms,
            last_seen_ms: status.last_seen_ms,
            rtt_app_us: micros(status.rtt_app_us),
            rtt_native_us: micros(status.rtt_native_us),
            role: status.role,
            state: status.state,
            clock_source: status.clock_source,
            clock_quality: status.clock_quality,
        }
    }
}

impl Row {
    fn status(&self, unit: &UnitId) -> UnitStatus {
        UnitStatus {
            unit: unit.clone(),
            role: self.role,
            state: self.state,
            since_ms: self.since_ms,
            last_seen_ms: self.last_seen_ms,
            session: self.session.clone(),
            rtt_app_us: self.rtt_app_us.map(u64::from),
            rtt_native_us: self.rtt_native_us.map(u64::from),
            clock_source: self.clock_source,
            clock_quality: self.clock_quality,
        }
    }
}

impl Directory {
    /// How many units there are that do so.
    #[must_use]
    pub fn count(&self, health: Health) -> u64 {
        self.states[place(health)].load(Ordering::Relaxed)
    }

    /// How many units there are that are not OFFLINE.
    #[must_use]
    pub fn online(&self) -> u64 {
        [Health::Ok, Health::Degraded, Health::Critical].into_iter().map(|health| self.count(health)).sum()
    }

    /// How many units it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// One unit.
    #[must_use]
    pub fn get(&self, unit: &UnitId) -> Option<UnitStatus> {
        self.units.get(unit).map(|row| row.status(unit))
    }

    /// Every unit, in the order of their IDs.
    #[must_use]
    pub fn rows(&self) -> Vec<UnitStatus> {
        let mut rows: Vec<_> = self.units.iter().map(|row| row.status(row.key())).collect();
        rows.sort_unstable_by(|a, b| a.unit.cmp(&b.unit));
        rows
    }

    /// Forgets every unit.
    pub(crate) fn clear(&self) {
        let units: Vec<UnitId> = self.units.iter().map(|row| row.key().clone()).collect();
        units.into_iter().for_each(|unit| self.apply(DirectoryChange::Forgotten(unit)));
    }

    pub(crate) fn apply(&self, change: DirectoryChange) {
        let (before, after) = match change {
            DirectoryChange::Seen(status) => {
                let (unit, state) = (status.unit.clone(), status.state);
                let before = match self.units.entry(unit) {
                    Entry::Occupied(mut row) => Some(row.insert(status.into()).state),
                    Entry::Vacant(place) => {
                        place.insert(status.into());
                        None
                    }
                };
                (before, Some(state))
            }
            DirectoryChange::Forgotten(unit) => (self.units.remove(&unit).map(|(_, row)| row.state), None),
        };
        if before != after {
            if let Some(before) = before {
                self.states[place(before)].fetch_sub(1, Ordering::Relaxed);
            }
            if let Some(after) = after {
                self.states[place(after)].fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

const fn place(health: Health) -> usize {
    match health {
        Health::Ok => 0,
        Health::Degraded => 1,
        Health::Critical => 2,
        Health::Offline => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunect_core::Role;

    fn seen(unit: &str, state: Health) -> DirectoryChange {
        DirectoryChange::Seen(UnitStatus {
            unit: unit.parse().expect("a unit ID"),
            role: Role::Node,
            state,
            since_ms: 0,
            last_seen_ms: 0,
            session: None,
            rtt_app_us: None,
            rtt_native_us: None,
            clock_source: None,
            clock_quality: None,
        })
    }

    #[test]
    fn the_counts_are_those_of_the_rows_whatever_happens() {
        let directory = Directory::default();
        for (unit, state) in [("a", Health::Ok), ("b", Health::Ok), ("a", Health::Offline), ("a", Health::Offline)] {
            directory.apply(seen(unit, state));
        }
        assert_eq!((directory.count(Health::Ok), directory.count(Health::Offline)), (1, 1));
        directory.apply(DirectoryChange::Forgotten("a".parse().expect("a unit ID")));
        directory.apply(DirectoryChange::Forgotten("a".parse().expect("a unit ID")));
        assert_eq!((directory.online(), directory.count(Health::Offline), directory.len()), (1, 0, 1));
        assert_eq!(directory.rows()[0].unit.as_str(), "b");
    }
}
