//! Other nodes of this unit's name, and which of two leaves.
//!
//! Both nodes hear each other and have to come to the same end, though neither sees the other's clock.
//! All they have is the whole seconds that the other announced. Let `d` be the own uptime minus these.
//! What was rounded off and what the heartbeat took on its way make `d` larger than it is, and never
//! smaller:
//!
//! - `d < 0`: the other was there before, for certain. This node leaves.
//! - `d ≥` [`CERTAIN`]: this node was there before. It stays and says so.
//! - Between the two, or when the other announces no uptime, nobody can tell. If the other is still
//!   there after 2.5 intervals and a round trip, when one that knew better would have left, the larger
//!   session leaves; if it is after twice that and another round trip, the other believes itself to be
//!   the first, and this node leaves.
//!
//! Whoever restarts may hear the last heartbeats of its own life before, which are certainly older. So
//! nobody leaves for less than two heartbeats of a session, the second sent later and heard at least
//! half an interval after the first: what waited somewhere on the way arrives together. A session that
//! said OFFLINE is over, and nothing of it counts.

use std::time::Duration;

use nunect_core::protocol::heartbeat::{Received, offline_after};
use nunect_core::table::Table;
use nunect_core::{Health, Mono, SessionId};

/// From which difference of uptimes on a node knows that it was there first: a second that was rounded
/// off and two that a heartbeat may have been on its way.
pub const CERTAIN: Duration = Duration::from_secs(3);
/// The longest round trip of heartbeats between two nodes for which exactly one of them leaves.
pub const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);
/// How often one session is reported at most while this node stays.
pub const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Sessions that are remembered; beyond that the one that was heard longest ago gives way.
pub const SESSIONS_MAX: usize = 16;

/// What this node knows of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    pub(super) session: &'a SessionId,
    pub(super) started: Mono,
    pub(super) interval: Duration,
}

/// What a heartbeat of another node of this name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet, or nothing new.
    Wait,
    /// To report the other.
    Stay,
    /// To end.
    Leave,
}

/// The other sessions of this unit.
#[derive(Debug, Default)]
pub(super) struct Twins {
    others: Table<SessionId, Twin>,
}

#[derive(Debug)]
struct Twin {
    first: Mono,
    first_sequence: Option<u64>,
    last: Mono,
    /// Whether it was heard twice.
    confirmed: bool,
    age: Age,
    told: Option<Mono>,
    /// Whether it said that it ends.
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Unclear,
    /// The other was there before.
    Older,
    /// This node was.
    Younger,
}

impl Twins {
    /// Takes a heartbeat of another `session` of this unit that arrived at `at`.
    pub(super) fn hear(&mut self, at: Mono, own: Own<'_>, session: &SessionId, received: &Received) -> Verdict {
        let interval = received.heartbeat.interval;
        let twin = self.twin(at, session, received);
        if twin.over {
            return Verdict::Wait;
        }
        if at.since(twin.last) > offline_after(interval) {
            (twin.first, twin.first_sequence, twin.confirmed) = (at, received.sequence, false);
        }
        twin.last = at;
        let age = age(at.since(own.started), received.heartbeat.uptime_s);
        if received.heartbeat.status == Health::Offline {
            twin.over = true;
            // It left in our place, unless it is our own life before.
            let another = twin.confirmed || age == Some(Age::Younger) || age == Some(Age::Unclear);
            return if another && twin.told.is_none() { Verdict::Stay } else { Verdict::Wait };
        }
        let age = age.unwrap_or(Age::Unclear);
        // Who could not tell at first keeps to that: the other may have decided on it.
        let settled = twin.confirmed && twin.age == Age::Unclear;
        if age == Age::Younger && twin.age != Age::Older || age == Age::Older && !settled {
            twin.age = age;
        }
        let heard_for = at.since(twin.first);
        twin.confirmed |= heard_for >= interval / 2 && received.sequence > twin.first_sequence;
        let patience = offline_after(own.interval.max(interval)) + ROUND_TRIP_MAX;
        let long = heard_for >= patience;
        let too_long = heard_for >= 2 * patience + ROUND_TRIP_MAX;
        let verdict = match twin.age {
            Age::Older => Verdict::Leave,
            Age::Younger => Verdict::Stay,
            Age::Unclear if too_long || long && own.session > session => Verdict::Leave,
            Age::Unclear if long => Verdict::Stay,
            Age::Unclear => Verdict::Wait,
        };
        match verdict {
            Verdict::Leave if !twin.confirmed => Verdict::Wait,
            Verdict::Stay => twin.stay(at),
            Verdict::Leave | Verdict::Wait => verdict,
        }
    }

    /// Reports a session in place of leaving for it.
    pub(super) fn stay(&mut self, at: Mono, session: &SessionId) -> Verdict {
        self.others.get_mut(session).map_or(Verdict::Wait, |twin| twin.stay(at))
    }

    fn twin(&mut self, at: Mono, session: &SessionId, received: &Received) -> &mut Twin {
        if !self.others.contains_key(session) && self.others.len() >= SESSIONS_MAX {
            let quiet = self.others.iter().min_by_key(|(_, twin)| twin.last).map(|(session, _)| session.clone());
            quiet.and_then(|session| self.others.swap_remove(&session));
        }
        self.others.entry(session.clone()).or_insert(Twin {
            first: at,
            first_sequence: received.sequence,
            last: at,
            confirmed: false,
            age: Age::Unclear,
            told: None,
            over: false,
        })
    }
}

impl Twin {
    fn stay(&mut self, at: Mono) -> Verdict {
        if self.told.is_some_and(|told| at.since(told) < TOLD_EVERY) {
            return Verdict::Wait;
        }
        self.told = Some(at);
        Verdict::Stay
    }
}

/// None when it announces nothing.
fn age(own: Duration, announced_s: Option<u64>) -> Option<Age> {
    let announced = Duration::from_secs(announced_s?);
    Some(match own.checked_sub(announced) {
        None => Age::Older,
        Some(ahead) if ahead >= CERTAIN => Age::Younger,
        Some(_) => Age::Unclear,
    })
}
