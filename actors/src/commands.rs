//! Answers what operators ask of this node, and carries out what they command.

use std::collections::BTreeMap;
use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use nunect_core::clock::ClockClaim;
use nunect_core::protocol::command::{
    self, ActorReport, Answer, Call, Command, HealthProbe, PROTOCOL_VERSION, Version,
};
use nunect_core::protocol::rtt;
use nunect_core::{
    Actor, Birth, ConfigError, Contract, Effects, Event, Fault, Health, HostReport, Input, MailboxLimits, Message,
    Mono, NodeAnswer, NodeCommand, NodeRefusal, NodeReport, Now, Overflow, Pattern, RequestId, Role, Sensor, Subject,
    Subscription, UnitId,
};

use crate::Monitor;
use crate::heartbeater::whole_percent;
use crate::round_trips::RoundTrips;

/// Commands that the node may be busy with at once; further ones are answered 503.
pub const PENDING_MAX: usize = 64;
/// A command that the node did not answer for so long is over.
pub const PENDING_FOR: Duration = Duration::from_secs(10);
/// How often the host is sampled.
pub const HOST_EVERY: Duration = Duration::from_secs(5);
/// Commands that may wait; whoever sends more is told so at once.
pub const MAILBOX_CAPACITY: usize = 256;

/// A command responder has no options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct CommandsConfig {}

/// Reads `ops.cmd.*.{unit}`, whatever role the operator thought this node to have, and answers each
/// command on `ops.status.{role}.{unit}`, for everybody to see, and to the subject that it names.
///
/// What it does not know itself it asks its node: so a command may be answered after the next one.
#[derive(Debug)]
pub struct Commands {
    unit: UnitId,
    role: Role,
    unit_started: Mono,
    health: Health,
    clock: ClockClaim,
    host: HostReport,
    round_trips: RoundTrips,
    pending: BTreeMap<RequestId, Pending>,
}

/// A command that the node is busy with.
#[derive(Debug)]
struct Pending {
    call: Call,
    reply: Option<Subject>,
    since: Mono,
}

impl Actor for Commands {
    const KIND: &'static str = "commands";
    type Config = CommandsConfig;

    fn new(_: CommandsConfig, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self {
            unit: birth.unit.clone(),
            role: birth.role,
            unit_started: birth.unit_started.mono,
            health: Health::Ok,
            clock: ClockClaim::default(),
            host: HostReport::default(),
            round_trips: RoundTrips::new(birth),
            pending: BTreeMap::new(),
        })
    }

    fn contract(&self) -> Contract {
        Contract {
            reads: [command::pattern(&self.unit), rtt::pattern_of(&self.unit)].map(Subscription::from).to_vec(),
            publishes: vec![Pattern::from(&command::subject_of_answer(self.role, &self.unit))],
            sensors: vec![Sensor::Node, Sensor::Claim, Sensor::Host { every: HOST_EVERY }],
            mailbox: MailboxLimits {
                capacity: MAILBOX_CAPACITY,
                overflow: Overflow::DropNewest,
                ..MailboxLimits::default()
            },
            ..Contract::default()
        }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Message(message) if self.round_trips.is_for(message) => self.round_trips.read(message, out),
            Input::Message(message) => self.read(now.mono, message, out),
            Input::Node(NodeReport::Health(health)) => self.health = *health,
            Input::Node(NodeReport::Clock(claim)) => self.clock = *claim,
            Input::Node(NodeReport::Done { id, result }) => self.done(now.mono, *id, result, out),
            Input::Host(report) => self.host = report,
            Input::Started
            | Input::Reply { .. }
            | Input::Timeout(_)
            | Input::Bus(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }
}

impl Commands {
    fn read(&mut self, now: Mono, message: &Message, out: &mut Effects) {
        let reply = message.reply.clone();
        let call = match Call::parse(message) {
            Ok(call) => call,
            Err(error) => {
                out.malformed(&message.subject, &error);
                return self.answer(&Answer::from(&error), reply, out);
            }
        };
        let command = match &call.command {
            Command::Version => return self.answer(&Answer::ok(&call, &version()), reply, out),
            Command::HealthProbe | Command::Actors => NodeCommand::Describe,
            Command::LogLevel { level } => NodeCommand::LogLevel(*level),
            Command::Chaos { actor, what } => NodeCommand::Chaos { actor: actor.clone(), what: *what },
        };
        self.give_up(now, out);
        if self.pending.len() >= PENDING_MAX {
            let reason = format!("busy with {PENDING_MAX} commands; try again");
            return self.answer(&Answer::refusal(&call, 503, reason), reply, out);
        }
        self.pending.insert(out.command(command), Pending { call, reply, since: now });
    }

    /// Answers what the node takes too long for.
    fn give_up(&mut self, now: Mono, out: &mut Effects) {
        while let Some(oldest) = self.pending.first_entry()
            && now.since(oldest.get().since) >= PENDING_FOR
        {
            let Pending { call, reply, .. } = oldest.remove();
            self.answer(&Answer::refusal(&call, 503, "the node did not answer in time"), reply, out);
        }
    }

    /// Answers what the node is done with.
    fn done(&mut self, now: Mono, id: RequestId, result: &Result<NodeAnswer, NodeRefusal>, out: &mut Effects) {
        let Some(Pending { call, reply, .. }) = self.pending.remove(&id) else { return };
        let answer = match (&call.command, result) {
            (Command::HealthProbe, Ok(NodeAnswer::Description { tree, units })) => {
                Answer::ok(&call, &self.probe(now, has_monitor(tree).then_some(*units)))
            }
            // How it does is worth telling even if its tree is not to be had.
            (Command::HealthProbe, Ok(NodeAnswer::Done) | Err(_)) => Answer::ok(&call, &self.probe(now, None)),
            (Command::Actors, Ok(NodeAnswer::Description { tree, .. })) => Answer::ok(&call, tree),
            (Command::LogLevel { level }, Ok(_)) => Answer::ok(&call, &json!({ "level": level })),
            (Command::Chaos { actor, what }, Ok(_)) => Answer::ok(&call, &json!({ "actor": actor, "what": what })),
            (Command::Actors | Command::Version, Ok(_)) => Answer::ok(&call, &json!({})),
            (command, Err(NodeRefusal { code, reason })) => {
                out.emit(Event::CommandRefused { command: command.name().to_owned(), reason: reason.clone() });
                Answer::refusal(&call, *code, reason.as_str())
            }
        };
        self.answer(&answer, reply, out);
    }

    fn probe(&self, now: Mono, units: Option<u64>) -> HealthProbe {
        let (rtt_native_us, rtt_app_us) = self.round_trips.at(now);
        let clock = self.clock.at(now);
        HealthProbe {
            unit: self.unit.clone(),
            status: self.health,
            uptime_s: now.since(self.unit_started).as_secs(),
            cpu_percent: self.host.cpu_percent.and_then(whole_percent),
            memory_percent: self.host.memory_percent.and_then(whole_percent),
            rtt_app_us,
            rtt_native_us,
            clock_source: clock.source,
            clock_quality: clock.quality,
            units,
        }
    }

    fn answer(&self, answer: &Answer, reply: Option<Subject>, out: &mut Effects) {
        out.publish(answer.on_status(self.role, &self.unit));
        if let Some(reply) = reply {
            out.respond(answer.to_reply(reply));
        }
    }
}

fn has_monitor(report: &ActorReport) -> bool {
    report.kind == Monitor::KIND || report.children.iter().any(has_monitor)
}

fn version() -> Version {
    Version {
        name: "nunect".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL_VERSION,
        rustc: env!("NUNECT_RUSTC").to_owned(),
        target: env!("NUNECT_TARGET").to_owned(),
    }
}

#[cfg(test)]
mod tests;
