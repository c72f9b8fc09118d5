//! One unit, as the monitor sees it.

use std::borrow::Cow;
use std::time::Duration;

use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::protocol::heartbeat::{self, Heartbeat, Received};
use nunect_core::protocol::units::UnitStatus;
use nunect_core::{Effects, Event, Health, Mono, Now, Role, SessionId, UnitId};

use super::hooks::Hooks;

/// What is known of one unit. There may be a million, so it is kept small.
#[derive(Debug)]
pub(super) struct Unit {
    session: Option<SessionId>,
    /// The session before: over, though its last heartbeats may still be under way.
    previous: Option<SessionId>,
    sequence: Option<u64>,
    rtt_app_us: Option<u64>,
    rtt_native_us: Option<u64>,
    received: Mono,
    /// When somebody looks after it; [`Mono::MAX`] when nobody does.
    pub(super) look: Mono,
    /// Since when it is OFFLINE, by both clocks of the monitor, or else in the state it is in.
    pub(super) since: Now,
    last_seen_ms: u64,
    interval_ms: u32,
    pub(super) health: Health,
    role: Role,
    clock: (Option<ClockSource>, Option<ClockQuality>),
    /// Whether its clock had a source in this session.
    was_synchronised: bool,
}

/// Why a well-formed heartbeat says nothing new.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stale {
    #[error("heartbeat {sequence} after {last} of the same session")]
    Sequence { sequence: u64, last: u64 },
    #[error("heartbeat of session {0}, which is over")]
    Session(SessionId),
}

/// What a unit says about its clock.
pub(super) type Clock = (Option<ClockSource>, Option<ClockQuality>);

impl Unit {
    /// A unit before its first heartbeat.
    pub(super) const fn unheard(now: Now) -> Self {
        Self {
            session: None,
            previous: None,
            sequence: None,
            rtt_app_us: None,
            rtt_native_us: None,
            received: Mono::ZERO,
            look: Mono::MAX,
            since: now,
            last_seen_ms: 0,
            interval_ms: 0,
            health: Health::Offline,
            role: Role::Node,
            clock: (None, None),
            was_synchronised: false,
        }
    }

    /// When it counts as OFFLINE unless it is heard before.
    pub(super) fn silent_at(&self, listening_since: Mono) -> Mono {
        self.received.max(listening_since) + self.silence()
    }

    fn silence(&self) -> Duration {
        heartbeat::offline_after(Duration::from_millis(self.interval_ms.into()))
    }

    /// It as a row of a directory.
    pub(super) fn status(&self, id: &UnitId) -> UnitStatus {
        UnitStatus {
            unit: id.clone(),
            role: self.role,
            state: self.health,
            since_ms: self.since.wall.unix_millis(),
            last_seen_ms: self.last_seen_ms,
            session: self.session.clone(),
            rtt_app_us: self.rtt_app_us,
            rtt_native_us: self.rtt_native_us,
            clock_source: self.clock.0,
            clock_quality: self.clock.1,
        }
    }

    /// Notes session and sequence unless the heartbeat is older than the last. Returns whether a new
    /// session took the place of another.
    ///
    /// Sessions are random and cannot be ordered. So a new one is believed, except that the session
    /// before stays over while the present one is heard, and that a session of which nothing else
    /// was heard cannot stop the present one. Sequences count within a session; a sender that names
    /// none restarts them unseen, so there they say nothing.
    pub(super) fn accept(&mut self, received: &Received) -> Result<bool, Stale> {
        let Some(session) = &received.session else { return Ok(false) };
        let restarted = match &self.session {
            Some(present) if present == session => {
                if let (Some(sequence), Some(last)) = (received.sequence, self.sequence)
                    && sequence <= last
                {
                    return Err(Stale::Sequence { sequence, last });
                }
                self.sequence = received.sequence.or(self.sequence);
                return Ok(false);
            }
            Some(_) => {
                let over = self.health != Health::Offline && self.previous.as_ref() == Some(session);
                if over || received.heartbeat.status == Health::Offline {
                    return Err(Stale::Session(session.clone()));
                }
                true
            }
            None => false,
        };
        self.previous = self.session.replace(session.clone());
        self.sequence = received.sequence;
        self.was_synchronised = false;
        Ok(restarted)
    }

    /// Notes what an accepted heartbeat says that arrived at `at`.
    pub(super) fn note(&mut self, heartbeat: &Heartbeat, clock: Clock, at: Now) {
        self.received = at.mono;
        self.last_seen_ms = at.wall.unix_millis();
        self.interval_ms = u32::try_from(heartbeat.interval.as_millis()).unwrap_or(u32::MAX);
        self.role = heartbeat.role;
        (self.rtt_app_us, self.rtt_native_us) = (heartbeat.rtt_app_us, heartbeat.rtt_native_us);
        self.clock = clock;
    }

    /// Tells what an accepted heartbeat changes.
    pub(super) fn tell(
        &mut self,
        id: &UnitId,
        heartbeat: &Heartbeat,
        restarted: bool,
        now: Now,
        hooks: &Hooks,
        out: &mut Effects,
    ) {
        if heartbeat.status == Health::Offline {
            if self.health != Health::Offline {
                self.go_offline(id, "stopped cleanly".into(), now, hooks, out);
            }
            return;
        }
        if restarted || self.health == Health::Offline {
            let from = self.enter(Health::Ok, now);
            let reason = if restarted { "in a new session" } else { "heard" };
            hooks.run(id, from, Health::Ok, reason, out);
            out.emit(Event::UnitOnline { unit: id.clone(), session: self.session.clone(), restarted });
        }
        let synchronised = synchronised(self.clock);
        self.was_synchronised |= synchronised == Some(true);
        let clock_lost = self.was_synchronised && synchronised == Some(false);
        let (to, reason) = verdict(heartbeat, clock_lost);
        if to != self.health {
            let from = self.enter(to, now);
            hooks.run(id, from, to, &reason, out);
            out.emit(Event::UnitHealth { unit: id.clone(), from, to, reason });
        }
    }

    /// Tells that nothing was heard of it for too long.
    pub(super) fn fall_silent(&mut self, id: &UnitId, now: Now, hooks: &Hooks, out: &mut Effects) {
        let reason = format!("no heartbeat for {:?}", self.silence());
        self.go_offline(id, reason.into(), now, hooks, out);
    }

    fn go_offline(&mut self, id: &UnitId, reason: Cow<'static, str>, now: Now, hooks: &Hooks, out: &mut Effects) {
        let from = self.enter(Health::Offline, now);
        hooks.run(id, from, Health::Offline, &reason, out);
        out.emit(Event::UnitOffline { unit: id.clone(), reason });
    }

    #[cfg(test)]
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.session.iter().chain(&self.previous).map(SessionId::as_str)
    }

    /// Returns the state it was in.
    fn enter(&mut self, to: Health, now: Now) -> Health {
        self.since = now;
        std::mem::replace(&mut self.health, to)
    }
}

/// How a unit does, and why: what it says itself, or what its round trip and its clock show
/// (protocol, section 4).
fn verdict(heartbeat: &Heartbeat, clock_lost: bool) -> (Health, Cow<'static, str>) {
    let slow = heartbeat.rtt_app_us.filter(|&micros| u128::from(micros) > heartbeat::RTT_APP_MAX.as_micros());
    match (heartbeat.status, slow) {
        (Health::Ok, Some(micros)) => (Health::Degraded, format!("app RTT {} ms", micros.div_ceil(1_000)).into()),
        (Health::Ok, None) if clock_lost => (Health::Degraded, "clock lost its source".into()),
        (status, _) => (status, "as the unit reports".into()),
    }
}

/// Whether a unit's clock has a source: it follows one closely, or has none. Between the two, and
/// when it does not tell, nothing is concluded.
const fn synchronised(clock: Clock) -> Option<bool> {
    match clock {
        (Some(ClockSource::Unsynced), _) | (_, Some(ClockQuality::Freerun)) => Some(false),
        (_, Some(ClockQuality::Locked | ClockQuality::Tracking)) => Some(true),
        (_, Some(ClockQuality::Acquiring) | None) => None,
    }
}
