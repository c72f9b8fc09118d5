//! What people and devices would send: actors of the simulator's own, beside those of the scenario.
//!
//! They are actors like any other, so what they send goes through mailboxes, outboxes, servers and
//! links as real traffic would, and checkers see it.

use bytes::Bytes;
use garde::Validate;
use nunect_core::protocol::media::Group;
use nunect_core::random::{ChaCha8Rng, Rng};
use nunect_core::table::Table;
use nunect_core::{
    Actor, Birth, Catalog, ConfigError, Contract, Deadline, Effects, Event, Fault, Input, Message, Mono, Now, Pattern,
    Period, Subject, Subscription, UnitId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::delay::Delay;

/// Of whom the simulator's own traffic is, and by which technology.
const TENANT: &str = "sim";
const TECH: &str = "radio";

/// What a gap in a talker's frames is called.
pub(crate) const VOICE_GAP: &str = "voice_gap";

/// The catalog with the actors of this module.
pub(crate) fn extend(catalog: Catalog) -> Catalog {
    catalog.with::<Talk>().with::<Telemetry>()
}

/// People who talk now and then, and listen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct TalkConfig {
    pub(crate) group: String,
    pub(crate) talks: bool,
    pub(crate) listens: bool,
    pub(crate) frame: Period,
    pub(crate) payload: u32,
    pub(crate) spurt: Delay,
    pub(crate) silence: Delay,
}

/// A radio of a talk group: sends frames while its user talks, and listens to the others.
#[derive(Debug)]
pub(crate) struct Talk {
    config: TalkConfig,
    unit: UnitId,
    subject: Subject,
    reads: Pattern,
    frame: Bytes,
    random: ChaCha8Rng,
    due: Option<Mono>,
    /// When the present spurt ends.
    until: Option<Mono>,
    /// The last number of each talker, and the session that it belongs to.
    heard: Table<UnitId, (nunect_core::SessionId, u64)>,
}

impl Actor for Talk {
    const KIND: &'static str = "sim-talk";
    type Config = TalkConfig;

    fn new(config: TalkConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let wrong = |error: nunect_core::subject::TokenError| ConfigError::new("group", error.to_string());
        let group = Group::new(TENANT, TECH, &config.group).map_err(wrong)?;
        let subject = group.voice_of(birth.unit.as_str()).map_err(wrong)?;
        let frame = vec![0; usize::try_from(config.payload).unwrap_or(usize::MAX)].into();
        Ok(Self {
            unit: birth.unit.clone(),
            subject,
            reads: group.voice(),
            frame,
            random: birth.random("talk"),
            due: None,
            until: None,
            heard: Table::default(),
            config,
        })
    }

    fn contract(&self) -> Contract {
        let reads = if self.config.listens { vec![Subscription::from(self.reads.clone())] } else { Vec::new() };
        Contract { reads, publishes: vec![Pattern::from(&self.subject)], ..Contract::default() }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Started if self.config.talks => self.due = Some(now.mono + self.draw(self.config.silence)),
            Input::Timeout(_) => self.talk(now, out),
            Input::Message(message) => self.hear(message, out),
            Input::Started
            | Input::Reply { .. }
            | Input::Host(_)
            | Input::Bus(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        self.due.map(|due| Deadline::new(due, "frame due"))
    }
}

impl Talk {
    fn draw(&mut self, delay: Delay) -> std::time::Duration {
        std::time::Duration::from_nanos(delay.draw(self.random.next_u64()))
    }

    /// Sends a frame; the first begins a spurt, and after the last comes silence.
    fn talk(&mut self, now: Now, out: &mut Effects) {
        let until = match self.until {
            Some(until) => until,
            None => now.mono + self.draw(self.config.spurt),
        };
        out.publish(Message::new(self.subject.clone()).body(self.frame.clone()));
        // From the last frame on, not from now: a late frame delays no other.
        let next = self.due.unwrap_or(now.mono) + self.config.frame.0;
        if next < until {
            (self.until, self.due) = (Some(until), Some(next.max(now.mono)));
        } else {
            (self.until, self.due) = (None, Some(now.mono + self.draw(self.config.silence)));
        }
    }

    /// Notes a frame of somebody else, and tells when some before it are missing.
    fn hear(&mut self, message: &Message, out: &mut Effects) {
        let Some(stamp) = message.headers.stamp().filter(|stamp| stamp.unit != self.unit) else { return };
        let Some(sequence) = stamp.sequence else { return };
        let last = self.heard.insert(stamp.unit.clone(), (stamp.session.clone(), sequence));
        let Some((session, last)) = last else { return };
        let missing = sequence.saturating_sub(last + 1);
        if session == stamp.session && missing > 0 {
            let fields = [("from", stamp.unit.to_string()), ("missing", missing.to_string())];
            let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            out.emit(Event::Custom { kind: VOICE_GAP.into(), fields });
        }
    }
}

/// Devices that measure something again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct TelemetryConfig {
    pub(crate) group: String,
    pub(crate) sends: bool,
    pub(crate) receives: bool,
    pub(crate) every: Delay,
    pub(crate) payload: u32,
}

/// A device that sends measurements to a group, or hears them.
#[derive(Debug)]
pub(crate) struct Telemetry {
    config: TelemetryConfig,
    subject: Subject,
    reads: Pattern,
    body: Bytes,
    random: ChaCha8Rng,
    due: Option<Mono>,
}

impl Actor for Telemetry {
    const KIND: &'static str = "sim-telemetry";
    type Config = TelemetryConfig;

    fn new(config: TelemetryConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let wrong = |error: nunect_core::subject::TokenError| ConfigError::new("group", error.to_string());
        let group = Group::new(TENANT, TECH, &config.group).map_err(wrong)?;
        let subject = group.data_of(birth.unit.as_str()).map_err(wrong)?;
        let body = vec![0; usize::try_from(config.payload).unwrap_or(usize::MAX)].into();
        Ok(Self { subject, reads: group.data(), body, random: birth.random("telemetry"), due: None, config })
    }

    fn contract(&self) -> Contract {
        let reads = if self.config.receives { vec![Subscription::from(self.reads.clone())] } else { Vec::new() };
        Contract { reads, publishes: vec![Pattern::from(&self.subject)], ..Contract::default() }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Started if self.config.sends => self.due = Some(now.mono + self.pause()),
            Input::Timeout(_) => {
                out.publish(Message::new(self.subject.clone()).body(self.body.clone()));
                self.due = Some(now.mono + self.pause());
            }
            Input::Started
            | Input::Message(_)
            | Input::Reply { .. }
            | Input::Host(_)
            | Input::Bus(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        self.due.map(|due| Deadline::new(due, "measurement due"))
    }
}

impl Telemetry {
    fn pause(&mut self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.config.every.draw(self.random.next_u64()))
    }
}

#[cfg(test)]
mod tests;
