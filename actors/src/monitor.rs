//! Watches the heartbeats of all units and tells when one comes, goes, or does better or worse.

use std::time::Duration;

use bytes::Bytes;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use nunect_core::config::period_within;
use nunect_core::protocol::header;
use nunect_core::protocol::heartbeat::{self, Heartbeat};
use nunect_core::protocol::refused;
use nunect_core::protocol::units::{self, Question};
use nunect_core::{
    Actor, Birth, BusEvent, ConfigError, Contract, Deadline, DirectoryChange, Effects, Event, Fault, Health, Input,
    Message, Mono, Now, Pattern, Period, Sensor, Subject, Subscription,
};

use crate::logs::failure;
use hooks::Hooks;
use tracked::{Place, Units};
use unit::Clock;

pub mod hooks;
mod tracked;
mod unit;

/// A timeout that comes later than this says that the monitor itself stood still, and that the
/// heartbeats it missed may wait in its mailbox: half a second is a hang by the host's own measure.
pub const STOOD_STILL: Duration = Duration::from_millis(500);
/// How often it is reported at most that there is no room for another unit, or that a hook failed.
pub const TOLD_EVERY: Duration = Duration::from_secs(60);
/// The shortest time after which a unit that is OFFLINE may be forgotten.
pub const FORGET_AFTER_MIN: Duration = Duration::from_secs(60);
/// The longest.
pub const FORGET_AFTER_MAX: Duration = Duration::from_secs(365 * 86_400);

/// What may be configured of a monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorConfig {
    /// Units that are tracked, up to a million; when there are more, those that are OFFLINE for the
    /// longest give way, and heartbeats of further ones are ignored.
    #[garde(range(min = 1, max = 1_000_000))]
    pub units_max: usize,
    /// A unit that is OFFLINE for so long is forgotten, from 1m to 365days.
    #[garde(custom(period_within(FORGET_AFTER_MIN, FORGET_AFTER_MAX)))]
    pub forget_after: Period,
    /// What to run when a unit changes.
    #[garde(dive)]
    pub hooks: Hooks,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self { units_max: 100_000, forget_after: Period::from_secs(86_400), hooks: Hooks::default() }
    }
}

/// Reads `ops.heartbeat.*` and emits [`Event::UnitOnline`], [`Event::UnitHealth`] and
/// [`Event::UnitOffline`]; keeps the node's directory of units, and answers `ops.status.units` from it.
///
/// A unit that comes online is OK until the next `UnitHealth` about it, so the state of every unit
/// follows from the events alone. OFFLINE is the last state of a unit: it is forgotten in it, after a
/// day or when another needs its place, and a forgotten one that is heard again comes online as a new
/// one.
#[derive(Debug)]
pub struct Monitor {
    question: Subject,
    units_max: usize,
    forget_after: Duration,
    hooks: Hooks,
    units: Units,
    /// Since when units can be heard; none while the bus is away. Silence is counted from here at
    /// the earliest: when we were deaf, everybody gets the full time again.
    listening_since: Option<Mono>,
    full_told: Option<Mono>,
    hook_failure_told: Option<Mono>,
}

#[derive(Debug, thiserror::Error)]
#[error("a question for the units without a reply subject")]
struct NoReply;

impl Actor for Monitor {
    const KIND: &'static str = "monitor";
    type Config = MonitorConfig;

    fn new(config: MonitorConfig, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self {
            question: units::subject(),
            units_max: config.units_max,
            forget_after: config.forget_after.0,
            hooks: config.hooks,
            units: Units::new(config.units_max),
            listening_since: None,
            full_told: None,
            hook_failure_told: None,
        })
    }

    fn contract(&self) -> Contract {
        let questions =
            Subscription { pattern: Pattern::from(&self.question), queue: Some(units::QUEUE_GROUP.to_owned()) };
        Contract {
            reads: vec![Subscription::from(heartbeat::pattern()), questions],
            sensors: vec![Sensor::Bus],
            ports: if self.hooks.is_empty() { Vec::new() } else { vec![hooks::PORT] },
            ..Contract::default()
        }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Message(message) if message.subject == self.question => self.answer(message, out),
            Input::Message(message) => self.read(now, message, out),
            Input::Timeout(_) => self.look_around(now, out),
            Input::Bus(BusEvent::Connected) => self.listening_since = Some(now.mono),
            Input::Bus(BusEvent::Disconnected) => self.listening_since = None,
            Input::Port(_, said) => self.hook_said(now.mono, said, out),
            Input::Bus(
                BusEvent::Denied { .. }
                | BusEvent::Permitted { .. }
                | BusEvent::SlowConsumer
                | BusEvent::Refused { .. },
            )
            | Input::Started
            | Input::Reply { .. }
            | Input::Host(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        self.listening_since?;
        let silent = self.units.next_look().map(|at| Deadline::new(at, "unit silent"));
        let forgotten =
            self.units.longest_gone().map(|since| Deadline::new(since + self.forget_after, "unit forgotten"));
        silent.into_iter().chain(forgotten).min()
    }
}

impl Monitor {
    fn read(&mut self, now: Now, message: &Message, out: &mut Effects) {
        let received = match Heartbeat::parse(message) {
            Ok(received) => received,
            Err(error) => return out.malformed(&message.subject, &error),
        };
        for problem in &received.problems {
            out.malformed(&message.subject, problem);
        }
        let clock = clock(message, out);
        let Some(place) = self.place(&received.heartbeat, now, out) else { return };
        let (id, unit, before) = self.units.at(place);
        let restarted = match unit.accept(&received) {
            Ok(restarted) => restarted,
            Err(stale) => return out.malformed(&message.subject, &stale),
        };
        unit.note(&received.heartbeat, clock, message.received);
        unit.tell(id, &received.heartbeat, restarted, now, &self.hooks, out);
        out.directory(DirectoryChange::Seen(unit.status(id)));
        self.units.settle(place, before, self.listening_since.unwrap_or_default());
    }

    /// The place of a heartbeat's unit, made when it is new; none when it is not tracked.
    fn place(&mut self, heartbeat: &Heartbeat, now: Now, out: &mut Effects) -> Option<Place> {
        if let Some(place) = self.units.find(&heartbeat.unit) {
            return Some(place);
        }
        if heartbeat.status == Health::Offline {
            return None;
        }
        if self.units.is_full() && !self.forget(now.mono, Duration::ZERO, out) {
            if self.full_told.is_none_or(|told| now.mono.since(told) >= TOLD_EVERY) {
                self.full_told = Some(now.mono);
                out.emit(Event::UnitsFull { units_max: self.units_max as u64 });
            }
            return None;
        }
        Some(self.units.insert(heartbeat.unit.clone(), now))
    }

    /// Forgets a unit that is OFFLINE for `after` or longer; false when there is none.
    fn forget(&mut self, now: Mono, after: Duration, out: &mut Effects) -> bool {
        let forgotten = self.units.forget_longest_gone(now, after);
        let found = forgotten.is_some();
        forgotten.into_iter().for_each(|id| out.directory(DirectoryChange::Forgotten(id)));
        found
    }

    fn look_around(&mut self, now: Now, out: &mut Effects) {
        let Some(mut since) = self.listening_since else { return };
        if self.units.next_look().is_some_and(|due| now.mono.since(due) > STOOD_STILL) {
            since = now.mono;
            self.listening_since = Some(since);
        }
        while let Some(place) = self.units.look(now.mono) {
            let (id, unit, before) = self.units.at(place);
            if unit.health != Health::Offline && unit.silent_at(since) <= now.mono {
                unit.fall_silent(id, now, &self.hooks, out);
                out.directory(DirectoryChange::Seen(unit.status(id)));
            }
            self.units.settle(place, before, since);
        }
        while self.forget(now.mono, self.forget_after, out) {}
    }

    /// Answers who is there.
    fn answer(&self, message: &Message, out: &mut Effects) {
        let Some(reply) = message.reply.clone() else { return out.malformed(&message.subject, &NoReply) };
        match Question::parse(message) {
            Ok(question) => {
                let rows = self.units.part(question.after.as_ref(), question.limit);
                out.respond(question.answer(reply, rows));
            }
            Err(error) => {
                out.malformed(&message.subject, &error);
                out.respond(refused(reply, 400, &error.to_string()));
            }
        }
    }

    fn hook_said(&mut self, now: Mono, said: &Bytes, out: &mut Effects) {
        if let Some(reason) = failure(said)
            && self.hook_failure_told.is_none_or(|told| now.since(told) >= TOLD_EVERY)
        {
            self.hook_failure_told = Some(now);
            out.emit(Event::PortFailed { port: hooks::PORT.into(), reason });
        }
    }
}

/// What a unit says about its clock.
fn clock(message: &Message, out: &mut Effects) -> Clock {
    let source = header::CLOCK_SOURCE.read(&message.headers).unwrap_or_else(|error| {
        out.malformed(&message.subject, &error);
        None
    });
    let quality = header::CLOCK_QUALITY.read(&message.headers).unwrap_or_else(|error| {
        out.malformed(&message.subject, &error);
        None
    });
    (source, quality)
}

#[cfg(test)]
mod tests;
