//! Watches the heartbeats of all units and tells when one comes, goes, or does better or worse.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use nunect_core::protocol::header::{self, ClockQuality, ClockSource};
use nunect_core::protocol::heartbeat::{self, Heartbeat, Received};
use nunect_core::table::Table;
use nunect_core::{
    Actor, Birth, BusEvent, ConfigError, Contract, Deadline, Effects, Event, Fault, Health, Input, Message, Mono, Now,
    Sensor, SessionId, Subscription, UnitId,
};

/// A timeout that comes later than this says that the monitor itself stood still, and that the
/// heartbeats it missed may wait in its mailbox: half a second is a hang by the host's own measure.
pub const STOOD_STILL: Duration = Duration::from_millis(500);

/// What may be configured of a monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorConfig {
    /// Units that are tracked, up to a million; heartbeats of further ones are ignored.
    #[garde(range(min = 1, max = 1_000_000))]
    pub units_max: usize,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self { units_max: 100_000 }
    }
}

/// Reads `ops.heartbeat.*` and emits [`Event::UnitOnline`], [`Event::UnitHealth`] and
/// [`Event::UnitOffline`].
///
/// A unit that comes online is OK until the next `UnitHealth` about it, so the state of every unit
/// follows from the events alone. A unit is never forgotten: OFFLINE is its last state.
#[derive(Debug)]
pub struct Monitor {
    units_max: usize,
    units_max_reported: bool,
    /// Units keep their index for ever.
    units: Table<UnitId, Unit>,
    /// When to look whether a unit has fallen silent: at most one entry for each, at or before that
    /// instant. A heartbeat leaves the entry alone, and whoever looks too early moves it; so a
    /// heartbeat costs the same among a thousand units and among a hundred thousand.
    looks: BTreeSet<(Mono, usize)>,
    /// Since when units can be heard; none while the bus is away. Silence is counted from here at
    /// the earliest: when we were deaf, everybody gets the full time again.
    listening_since: Option<Mono>,
}

/// What is known of one unit.
#[derive(Debug)]
struct Unit {
    session: Option<SessionId>,
    /// The session before: over, though its last heartbeats may still be under way.
    previous: Option<SessionId>,
    sequence: Option<u64>,
    interval: Duration,
    received: Mono,
    /// Its entry in [`Monitor::looks`]; [`Mono::MAX`] when it has none.
    look: Mono,
    health: Health,
    /// Whether its clock had a source in this session.
    was_synchronised: bool,
}

/// Why a well-formed heartbeat says nothing new.
#[derive(Debug, thiserror::Error)]
enum Stale {
    #[error("heartbeat {sequence} after {last} of the same session")]
    Sequence { sequence: u64, last: u64 },
    #[error("heartbeat of session {0}, which is over")]
    Session(SessionId),
}

impl Actor for Monitor {
    const KIND: &'static str = "monitor";
    type Config = MonitorConfig;

    fn new(config: MonitorConfig, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self {
            units_max: config.units_max,
            units_max_reported: false,
            units: Table::default(),
            looks: BTreeSet::new(),
            listening_since: None,
        })
    }

    fn contract(&self) -> Contract {
        Contract {
            reads: vec![Subscription::from(heartbeat::pattern())],
            sensors: vec![Sensor::Bus],
            ..Contract::default()
        }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Message(message) => self.read(message, out),
            Input::Timeout(_) => self.look_for_silence(now.mono, out),
            Input::Bus(BusEvent::Connected) => self.listening_since = Some(now.mono),
            Input::Bus(BusEvent::Disconnected) => self.listening_since = None,
            Input::Bus(BusEvent::Denied { .. } | BusEvent::SlowConsumer | BusEvent::Refused { .. })
            | Input::Started
            | Input::Reply { .. }
            | Input::Host(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        self.listening_since?;
        self.looks.first().map(|&(at, _)| Deadline::new(at, "unit silent"))
    }
}

impl Monitor {
    fn read(&mut self, message: &Message, out: &mut Effects) {
        let received = match Heartbeat::parse(message) {
            Ok(received) => received,
            Err(error) => return out.malformed(&message.subject, &error),
        };
        for problem in &received.problems {
            out.malformed(&message.subject, problem);
        }
        let synchronised = synchronised(message, out);
        let Some(index) = self.index(&received.heartbeat, out) else { return };
        let (id, unit) = self.units.get_index_mut(index).expect("units keep their index");
        let restarted = match unit.accept(&received) {
            Ok(restarted) => restarted,
            Err(stale) => return out.malformed(&message.subject, &stale),
        };
        unit.received = message.received.mono;
        unit.interval = received.heartbeat.interval;
        unit.tell(id, &received.heartbeat, restarted, synchronised, out);
        self.watch(index);
    }

    /// The place of a heartbeat's unit, made when it is new; none when it is not tracked.
    fn index(&mut self, heartbeat: &Heartbeat, out: &mut Effects) -> Option<usize> {
        if let Some(index) = self.units.get_index_of(&heartbeat.unit) {
            return Some(index);
        }
        if heartbeat.status == Health::Offline {
            return None;
        }
        if self.units.len() >= self.units_max {
            if !std::mem::replace(&mut self.units_max_reported, true) {
                out.emit(Event::UnitsFull { units_max: self.units_max as u64 });
            }
            return None;
        }
        Some(self.units.insert_full(heartbeat.unit.clone(), Unit::unheard()).0)
    }

    /// Sees to it that nobody looks at this unit later than it would fall silent.
    fn watch(&mut self, index: usize) {
        let unit = &mut self.units[index];
        let silent = unit.silent_at(self.listening_since.unwrap_or_default());
        if unit.health != Health::Offline && silent < unit.look {
            self.looks.remove(&(unit.look, index));
            self.looks.insert((silent, index));
            unit.look = silent;
        }
    }

    fn look_for_silence(&mut self, now: Mono, out: &mut Effects) {
        let (Some(mut since), Some(&(due, _))) = (self.listening_since, self.looks.first()) else { return };
        if now.since(due) > STOOD_STILL {
            since = now;
            self.listening_since = Some(since);
        }
        while let Some(&(look, index)) = self.looks.first()
            && look <= now
        {
            self.looks.pop_first();
            let (id, unit) = self.units.get_index_mut(index).expect("units keep their index");
            unit.look = Mono::MAX;
            if unit.health != Health::Offline && unit.silent_at(since) <= now {
                unit.health = Health::Offline;
                let reason = format!("no heartbeat for {:?}", heartbeat::offline_after(unit.interval));
                out.emit(Event::UnitOffline { unit: id.clone(), reason: reason.into() });
            }
            self.watch(index);
        }
    }
}

impl Unit {
    /// A unit before its first heartbeat.
    const fn unheard() -> Self {
        Self {
            session: None,
            previous: None,
            sequence: None,
            interval: heartbeat::INTERVAL_DEFAULT,
            received: Mono::ZERO,
            look: Mono::MAX,
            health: Health::Offline,
            was_synchronised: false,
        }
    }

    /// When it counts as OFFLINE unless it is heard before.
    fn silent_at(&self, listening_since: Mono) -> Mono {
        self.received.max(listening_since) + heartbeat::offline_after(self.interval)
    }

    /// Notes session and sequence unless the heartbeat is older than the last. Returns whether a new
    /// session took the place of another.
    ///
    /// Sessions are random and cannot be ordered. So a new one is believed, except that the session
    /// before stays over while the present one is heard, and that a session of which nothing else
    /// was heard cannot stop the present one. Sequences count within a session; a sender that names
    /// none restarts them unseen, so there they say nothing.
    fn accept(&mut self, received: &Received) -> Result<bool, Stale> {
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

    /// Emits what a heartbeat changes.
    fn tell(
        &mut self,
        id: &UnitId,
        heartbeat: &Heartbeat,
        restarted: bool,
        synchronised: Option<bool>,
        out: &mut Effects,
    ) {
        if heartbeat.status == Health::Offline {
            if self.health != Health::Offline {
                self.health = Health::Offline;
                out.emit(Event::UnitOffline { unit: id.clone(), reason: "stopped cleanly".into() });
            }
            return;
        }
        if restarted || self.health == Health::Offline {
            self.health = Health::Ok;
            out.emit(Event::UnitOnline { unit: id.clone(), session: self.session.clone(), restarted });
        }
        self.was_synchronised |= synchronised == Some(true);
        let clock_lost = self.was_synchronised && synchronised == Some(false);
        let (to, reason) = verdict(heartbeat, clock_lost);
        if to != self.health {
            let from = std::mem::replace(&mut self.health, to);
            out.emit(Event::UnitHealth { unit: id.clone(), from, to, reason });
        }
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
fn synchronised(message: &Message, out: &mut Effects) -> Option<bool> {
    let source = header::CLOCK_SOURCE.read(&message.headers).unwrap_or_else(|error| {
        out.malformed(&message.subject, &error);
        None
    });
    let quality = header::CLOCK_QUALITY.read(&message.headers).unwrap_or_else(|error| {
        out.malformed(&message.subject, &error);
        None
    });
    match (source, quality) {
        (Some(ClockSource::Unsynced), _) | (_, Some(ClockQuality::Freerun)) => Some(false),
        (_, Some(ClockQuality::Locked | ClockQuality::Tracking)) => Some(true),
        (_, Some(ClockQuality::Acquiring) | None) => None,
    }
}

#[cfg(test)]
mod tests;
