//! The node as NATS sees it, and NATS as the node sees it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use nunect_core::config::period_within;
use nunect_core::protocol::command::{self, ActorReport};
use nunect_core::protocol::service::{self, Endpoint, EndpointStats, Question, Service, Verb};
use nunect_core::protocol::sys::{self, ClientChange, ClientEvent, ServerReport};
use nunect_core::protocol::{ProtocolError, echo, units};
use nunect_core::time::nanos;
use nunect_core::{
    Actor, Birth, BusAction, BusEvent, ConfigError, Contract, Deadline, Effects, Event, Fault, Input, Message, Mono,
    NodeAnswer, NodeCommand, NodeRefusal, NodeReport, Now, Pattern, Period, RequestError, RequestId, Sensor, Subject,
    Subscription, UnitId, Wall,
};

use crate::{Commands, Echo, Monitor};

/// What every node is called as a service of NATS.
pub const SERVICE: &str = "nunect";

/// The shortest time between two questions to the server.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// The longest.
pub const INTERVAL_MAX: Duration = Duration::from_secs(600);
/// A server that does not let this account ask is asked again after so long, or when the bus is back.
pub const QUIET: Duration = Duration::from_secs(600);
/// How long the server may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(2);
/// Servers whose figures are remembered; beyond that the one that answered longest ago gives way.
pub const SERVERS_MAX: usize = 64;
/// Questions about this service that wait for the node; further ones are not answered.
pub const PENDING_MAX: usize = 64;
/// A question that the node did not answer for so long is forgotten.
pub const PENDING_FOR: Duration = Duration::from_secs(10);

/// How much of what a client calls itself is told, in characters.
pub const TEXT_MAX_CHARS: usize = 128;

/// What may be configured of the side that faces NATS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct NatsConfig {
    /// Whether clients that come and go and slow consumers are told of, where the account allows it.
    #[garde(skip)]
    pub watch: bool,
    /// Time between two questions to the server, from 1s to 10m.
    #[garde(custom(period_within(INTERVAL_MIN, INTERVAL_MAX)))]
    pub interval: Period,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self { watch: true, interval: Period::from_secs(30) }
    }
}

/// Makes this node one service of NATS, `nunect`, whose instance is the session: NATS's own tools find
/// it (`nats micro ls`) and ask what it offers and how much it had to do. The endpoints are those of
/// the actors that the node has.
///
/// It also watches the server from its system account: who connects and goes, and how many consumers
/// were too slow. In another account nothing arrives of the one, and nobody answers about the other:
/// then it asks again when the bus is back, or after ten minutes. Of a cluster each question reaches
/// one server, whichever answers first.
#[derive(Debug)]
pub struct Nats {
    unit: UnitId,
    service: Service,
    started: Wall,
    /// None when it does not watch.
    interval: Option<Duration>,
    pending: BTreeMap<RequestId, Pending>,
    asked: Option<RequestId>,
    /// Slow consumers by server, the one that answered last at the end.
    servers: VecDeque<(String, u64)>,
    /// When the server is asked next; none while the bus is away.
    due: Option<Mono>,
}

/// A question about this service that waits for the node.
#[derive(Debug)]
struct Pending {
    verb: Verb,
    reply: Subject,
    since: Mono,
}

#[derive(Debug, thiserror::Error)]
#[error("a question about a service without a reply subject")]
struct NoReply;

impl Actor for Nats {
    const KIND: &'static str = "nats";
    type Config = NatsConfig;

    fn new(config: NatsConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let metadata = BTreeMap::from([
            ("unit".to_owned(), birth.unit.to_string()),
            ("role".to_owned(), birth.role.to_string()),
            ("protocol".to_owned(), command::PROTOCOL_VERSION.to_string()),
        ]);
        let service = Service::new(SERVICE, birth.session.as_str(), env!("CARGO_PKG_VERSION"), metadata);
        Ok(Self {
            unit: birth.unit.clone(),
            service: service.map_err(|error| ConfigError::new("", error.to_string()))?,
            started: birth.unit_started.wall,
            interval: config.watch.then_some(config.interval.0),
            pending: BTreeMap::new(),
            asked: None,
            servers: VecDeque::new(),
            due: None,
        })
    }

    fn contract(&self) -> Contract {
        let questions = service::patterns(SERVICE, self.service.id()).expect("a session ID is a token");
        let mut contract = Contract { reads: questions.map(Subscription::from).to_vec(), ..Contract::default() };
        if self.interval.is_some() {
            contract.reads.extend([sys::connects(), sys::disconnects()].map(Subscription::from));
            contract.publishes = vec![Pattern::from(&sys::varz())];
            contract.sensors = vec![Sensor::Bus];
        }
        contract
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        let now = now.mono;
        match input {
            Input::Message(message) => match Question::parse(&message.subject) {
                Ok(question) => self.read(now, &question, message, out),
                Err(_) => self.client(message, out),
            },
            Input::Reply { id, result, .. } if self.asked == Some(id) => {
                self.asked = None;
                self.server(now, result, out);
            }
            Input::Node(NodeReport::Done { id, result }) => self.described(*id, result, out),
            Input::Bus(BusEvent::Connected) => self.due = self.interval.map(|_| now),
            Input::Bus(BusEvent::Disconnected) => self.due = None,
            // It may not ask, which the host has reported: there is no sense in going on.
            Input::Bus(BusEvent::Denied { action: BusAction::Publish, subject })
                if *subject == *sys::varz().as_str() =>
            {
                self.be_quiet(now);
            }
            Input::Bus(
                BusEvent::Denied { .. }
                | BusEvent::Permitted { .. }
                | BusEvent::SlowConsumer
                | BusEvent::Refused { .. },
            )
            | Input::Node(NodeReport::Health(_) | NodeReport::Clock(_))
            | Input::Started
            | Input::Reply { .. }
            | Input::Timeout(_)
            | Input::Host(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        if let (Some(due), Some(interval)) = (self.due.filter(|due| *due <= now), self.interval) {
            self.asked = Some(out.request(Message::new(sys::varz()), TIMEOUT));
            let late = Duration::from_nanos(nanos(now.since(due)) % nanos(interval));
            self.due = Some(now - late + interval);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        Some(Deadline::new(self.due?, "server to be asked"))
    }
}

impl Nats {
    /// Answers a question about this service, or asks the node first.
    fn read(&mut self, now: Mono, question: &Question, message: &Message, out: &mut Effects) {
        if !question.is_for(&self.service) {
            return;
        }
        let Some(reply) = message.reply.clone() else { return out.malformed(&message.subject, &NoReply) };
        let verb = question.verb;
        match verb {
            Verb::Ping => out.respond(service::Answer::Ping(self.service.clone()).build(reply)),
            Verb::Info | Verb::Stats => {
                self.pending.retain(|_, pending| now.since(pending.since) < PENDING_FOR);
                if self.pending.len() < PENDING_MAX {
                    let id = out.command(NodeCommand::Describe);
                    self.pending.insert(id, Pending { verb, reply, since: now });
                }
            }
        }
    }

    /// Answers with what the node said about itself; a node that does not tell offers nothing.
    fn described(&mut self, id: RequestId, result: &Result<NodeAnswer, NodeRefusal>, out: &mut Effects) {
        let Some(Pending { verb, reply, .. }) = self.pending.remove(&id) else { return };
        let endpoints = match result {
            Ok(NodeAnswer::Description { tree, .. }) => self.endpoints(tree),
            Ok(NodeAnswer::Done) | Err(_) => Vec::new(),
        };
        let service = self.service.clone();
        let answer = match verb {
            Verb::Ping => service::Answer::Ping(service),
            Verb::Info => service::Answer::Info {
                service,
                description: format!("the nunect node {}", self.unit),
                endpoints: endpoints.into_iter().map(|(endpoint, _)| endpoint).collect(),
            },
            Verb::Stats => service::Answer::Stats {
                service,
                started: self.started,
                endpoints: endpoints.iter().map(|(endpoint, actor)| stats(endpoint, actor)).collect(),
            },
        };
        out.respond(answer.build(reply));
    }

    /// Where the actors of `tree` take requests.
    fn endpoints<'a>(&self, tree: &'a ActorReport) -> Vec<(Endpoint, &'a ActorReport)> {
        let own = |actor: &'a ActorReport| {
            let (name, subject, queue_group) = match actor.kind.as_str() {
                Echo::KIND => ("echo", echo::pattern(&self.unit), ""),
                Commands::KIND => ("commands", command::pattern(&self.unit), ""),
                Monitor::KIND => ("units", Pattern::from(&units::subject()), units::QUEUE_GROUP),
                _ => return None,
            };
            let (name, queue_group) = (name.to_owned(), queue_group.to_owned());
            Some((Endpoint { name, subject, queue_group, metadata: BTreeMap::new() }, actor))
        };
        let below = tree.children.iter().flat_map(|child| self.endpoints(child));
        own(tree).into_iter().chain(below).collect()
    }

    /// Tells of another client that came or went.
    fn client(&self, message: &Message, out: &mut Effects) {
        let ClientEvent { change, account, name, user, host, reason, .. } = match ClientEvent::parse(message) {
            Ok(event) => event,
            Err(error) => return out.malformed(&message.subject, &error),
        };
        if name == self.unit.as_str() {
            return;
        }
        let client = [name, user, "a client without a name".to_owned()].into_iter().find(|name| !name.is_empty());
        let connected = change == ClientChange::Connect;
        let from = format!("from {host}, account {account}");
        let detail = if connected { from } else { reason.unwrap_or(from) };
        // Clients name themselves, and some at length.
        let short = |text: &str| text.chars().take(TEXT_MAX_CHARS).collect();
        let client = short(&client.unwrap_or_default());
        out.emit(Event::ServerClient { client, connected, detail: short(&detail) });
    }

    /// Compares what a server tells with what it told before.
    fn server(&mut self, now: Mono, result: Result<&Message, RequestError>, out: &mut Effects) {
        let answer = match result {
            Ok(answer) => answer,
            Err(RequestError::NoResponders | RequestError::Refused) => return self.be_quiet(now),
            Err(RequestError::Timeout | RequestError::BusAway) => return,
        };
        match ServerReport::parse(answer) {
            Ok(report) => self.compare(report, out),
            Err(ProtocolError::Refused { .. }) => self.be_quiet(now),
            Err(
                error @ (ProtocolError::Subject { .. }
                | ProtocolError::Identity { .. }
                | ProtocolError::Header(_)
                | ProtocolError::Payload { .. }),
            ) => out.malformed(&answer.subject, &error),
        }
    }

    fn compare(&mut self, report: ServerReport, out: &mut Effects) {
        let ServerReport { server_name: server, slow_consumers: total, .. } = report;
        let known = self.servers.iter().position(|(name, _)| *name == server);
        let before = known.and_then(|place| self.servers.remove(place)).map(|(_, total)| total);
        if self.servers.len() >= SERVERS_MAX {
            self.servers.pop_front();
        }
        self.servers.push_back((server.clone(), total));
        // What there was before this node looked is no news, and a server that restarted counts anew.
        if before.is_some_and(|before| total > before) {
            out.emit(Event::ServerSlowConsumers { server, total });
        }
    }

    fn be_quiet(&mut self, now: Mono) {
        self.due = self.due.map(|_| now + QUIET);
    }
}

/// What an actor had to do, as far as its mailbox tells: it counts what went wrong, and no others.
fn stats(endpoint: &Endpoint, actor: &ActorReport) -> EndpointStats {
    let lost = actor.mailbox.map_or(0, |mailbox| mailbox.dropped.saturating_add(mailbox.poisoned));
    EndpointStats {
        num_requests: lost,
        num_errors: lost,
        last_error: actor.last_crash.as_ref().map(|crash| crash.reason.clone()).unwrap_or_default(),
        ..EndpointStats::new(endpoint)
    }
}

#[cfg(test)]
mod tests;
