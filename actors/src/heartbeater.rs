//! Says every few seconds that this unit lives, and how it does.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use nunect_core::config::period_within;
use nunect_core::protocol::heartbeat::{self, Heartbeat};
use nunect_core::protocol::rtt;
use nunect_core::time::nanos;
use nunect_core::{
    Actor, Birth, BusEvent, ConfigError, Contract, Deadline, Effects, Event, Fault, Health, HostReport, Input, Message,
    Mono, NodeCommand, NodeReport, Now, Pattern, Period, RequestId, Role, Sensor, SessionId, StopReason, Subscription,
    UnitId,
};

use crate::round_trips::RoundTrips;
use twins::{Own, Twins, Verdict};

pub mod twins;

/// A change of health is told at once, but extra heartbeats keep this distance: a flapping node
/// must not flood the operators that look for it.
pub const EXTRA_DISTANCE_MIN: Duration = Duration::from_secs(1);

/// Processor use is a difference of two samples, and closer ones measure mostly themselves: sysinfo
/// asks for 200 ms (`MINIMUM_CPU_UPDATE_INTERVAL`).
pub const HOST_SAMPLE_MIN: Duration = Duration::from_millis(250);

/// What may be configured of a heartbeater.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct HeartbeaterConfig {
    /// Time between two heartbeats, from 100ms to 60s. Readers take the unit for OFFLINE after 2.5
    /// of it.
    #[garde(custom(period_within(heartbeat::INTERVAL_MIN, heartbeat::INTERVAL_MAX)))]
    pub interval: Period,
    /// Whether processor, memory, uptime and round trips go with it.
    #[garde(skip)]
    pub report_metrics: bool,
}

impl Default for HeartbeaterConfig {
    fn default() -> Self {
        Self { interval: Period(heartbeat::INTERVAL_DEFAULT), report_metrics: true }
    }
}

/// Publishes `ops.heartbeat.{unit}`: at once when the bus is there, then every interval, and at once
/// when the node's health changes.
///
/// It also reads what goes out under this unit's name: what the prober measured, which goes with the
/// next heartbeats, and the heartbeats themselves. Those of another session tell of another node with
/// this ID; see [`twins`] for which of the two leaves.
#[derive(Debug)]
pub struct Heartbeater {
    unit: UnitId,
    role: Role,
    session: SessionId,
    unit_started: Mono,
    interval: Duration,
    report_metrics: bool,
    host: HostReport,
    health: Health,
    /// The health that the last heartbeat told.
    told: Health,
    /// When the next regular heartbeat is due; none while the bus is away.
    due: Option<Mono>,
    /// From when on a change of health may go out by itself.
    extra_from: Mono,
    round_trips: RoundTrips,
    twins: Twins,
    leave: Leave,
}

/// Whether this node ends for another of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// When there is a reason.
    May,
    /// It was asked to.
    Asked(RequestId),
    /// The host does not allow it.
    Refused,
}

impl Actor for Heartbeater {
    const KIND: &'static str = "heartbeater";
    type Config = HeartbeaterConfig;

    fn new(config: HeartbeaterConfig, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self {
            unit: birth.unit.clone(),
            role: birth.role,
            session: birth.session.clone(),
            unit_started: birth.unit_started.mono,
            interval: config.interval.0,
            report_metrics: config.report_metrics,
            host: HostReport::default(),
            health: Health::Ok,
            told: Health::Ok,
            due: None,
            extra_from: Mono::ZERO,
            round_trips: RoundTrips::new(birth),
            twins: Twins::default(),
            leave: Leave::May,
        })
    }

    fn contract(&self) -> Contract {
        let own = Pattern::from(&heartbeat::subject(&self.unit));
        let mut sensors = vec![Sensor::Bus, Sensor::Node];
        let mut reads = vec![Subscription::from(own.clone())];
        if self.report_metrics {
            sensors.push(Sensor::Host { every: self.interval.max(HOST_SAMPLE_MIN) });
            reads.push(Subscription::from(rtt::pattern_of(&self.unit)));
        }
        Contract { reads, publishes: vec![own], sensors, ..Contract::default() }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Host(report) => self.host = report,
            Input::Node(NodeReport::Health(health)) => self.health = *health,
            Input::Bus(BusEvent::Connected) => self.due = Some(now.mono),
            Input::Bus(BusEvent::Disconnected) => self.due = None,
            Input::Stopping(StopReason::NodeShutdown) => {
                if self.due.take().is_some() {
                    self.health = Health::Offline;
                    out.publish(self.heartbeat(now.mono).build());
                }
            }
            Input::Message(message) if self.round_trips.is_for(message) => self.round_trips.read(message, out),
            Input::Message(message) => self.hear(message, out),
            Input::Node(NodeReport::Done { id, result }) => {
                if self.leave == Leave::Asked(*id) && result.is_err() {
                    self.leave = Leave::Refused;
                }
            }
            Input::Bus(
                BusEvent::Denied { .. }
                | BusEvent::Permitted { .. }
                | BusEvent::SlowConsumer
                | BusEvent::Refused { .. },
            )
            | Input::Node(NodeReport::Clock(_))
            | Input::Started
            | Input::Reply { .. }
            | Input::Timeout(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(StopReason::Restart | StopReason::Command) => {}
        }
        if self.deadline().is_some_and(|deadline| deadline.at <= now.mono) {
            self.beat(now.mono, out);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        let regular = Deadline::new(self.due?, "heartbeat due");
        let change = (self.health != self.told).then_some(Deadline::new(self.extra_from, "health changed"));
        Some(change.map_or(regular, |change| change.min(regular)))
    }
}

impl Heartbeater {
    fn beat(&mut self, now: Mono, out: &mut Effects) {
        out.publish(self.heartbeat(now).build());
        self.told = self.health;
        match self.due {
            // Counted from when it was due, so that delays do not add up; what was missed while the
            // node stood still is not made up for.
            Some(due) if due <= now => {
                let late = Duration::from_nanos(nanos(now.since(due)) % nanos(self.interval));
                self.due = Some(now - late + self.interval);
            }
            Some(_) | None => self.extra_from = now + EXTRA_DISTANCE_MIN,
        }
    }

    /// Hears a heartbeat under this unit's name. What is wrong with it is for the monitor to count.
    fn hear(&mut self, message: &Message, out: &mut Effects) {
        let received = match Heartbeat::parse(message) {
            Ok(received) => received,
            Err(error) => return out.malformed(&message.subject, &error),
        };
        let Some(session) = received.session.as_ref().filter(|session| **session != self.session) else { return };
        let own = Own { session: &self.session, started: self.unit_started, interval: self.interval };
        let at = message.received.mono;
        let leaving = match (self.twins.hear(at, own, session, &received), self.leave) {
            (_, Leave::Asked(_)) | (Verdict::Wait, _) => return,
            (Verdict::Leave, Leave::May) => {
                self.leave = Leave::Asked(out.command(NodeCommand::Leave { session: session.clone() }));
                true
            }
            (Verdict::Leave, Leave::Refused) => {
                if self.twins.stay(at, session) != Verdict::Stay {
                    return;
                }
                false
            }
            (Verdict::Stay, Leave::May | Leave::Refused) => false,
        };
        out.emit(Event::DuplicateUnit { session: session.clone(), leaving });
    }

    fn heartbeat(&self, now: Mono) -> Heartbeat {
        let (rtt_native_us, rtt_app_us) = self.round_trips.at(now);
        Heartbeat {
            rtt_native_us,
            rtt_app_us,
            status: self.health,
            role: self.role,
            interval: self.interval,
            uptime_s: self.report_metrics.then(|| now.since(self.unit_started).as_secs()),
            cpu_percent: self.host.cpu_percent.and_then(whole_percent),
            memory_percent: self.host.memory_percent.and_then(whole_percent),
            ..Heartbeat::new(self.unit.clone())
        }
    }
}

/// A sensor's reading as a header carries it; none when it is no number.
pub(crate) fn whole_percent(percent: f32) -> Option<u8> {
    percent.is_finite().then(|| percent.round().clamp(0.0, 100.0) as u8)
}

#[cfg(test)]
mod tests;
