//! `$SRV.>`: how NATS's own tools find and watch services (NATS, ADR-32 "Service API").

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ProtocolError;
use crate::message::Message;
use crate::subject::{Pattern, Subject, TokenError, check_token};
use crate::time::{Wall, nanos};

/// The queue group of an endpoint that names none.
pub const QUEUE_GROUP: &str = "q";

const PREFIX: &str = "$SRV";
const FORM: &str = "$SRV.{PING|INFO|STATS}[.{name}[.{id}]]";

/// What a service may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Whether it is there: answered by [`Answer::Ping`].
    Ping,
    /// What it offers: answered by [`Answer::Info`].
    Info,
    /// How much it had to do: answered by [`Answer::Stats`].
    Stats,
}

words!(Verb { Ping => "PING", Info => "INFO", Stats => "STATS" });

impl Verb {
    const ALL: [Self; 3] = [Self::Ping, Self::Info, Self::Stats];
}

/// A question to one instance of a service, to all of them, or to all services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub verb: Verb,
    /// The service; `None`: all.
    pub name: Option<String>,
    /// The instance of that service; `None`: all.
    pub id: Option<String>,
}

impl Question {
    /// Where it is asked.
    ///
    /// # Errors
    /// When name or ID are no tokens.
    pub fn subject(&self) -> Result<Subject, TokenError> {
        let mut tokens = vec![PREFIX, self.verb.as_str()];
        let names = self.name.iter().chain(self.id.iter().filter(|_| self.name.is_some()));
        for token in names {
            check_token(token)?;
            tokens.push(token);
        }
        Ok(Subject::join(&tokens))
    }

    /// The question that was asked on `subject`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(subject: &Subject) -> Result<Self, ProtocolError> {
        let mut tokens = subject.tokens();
        let read = match (tokens.next(), tokens.next().and_then(Verb::parse)) {
            (Some(PREFIX), Some(verb)) => {
                let [name, id] = [(); 2].map(|()| tokens.next().map(str::to_owned));
                tokens.next().is_none().then_some(Self { verb, name, id })
            }
            (_, _) => None,
        };
        read.ok_or_else(|| ProtocolError::Subject { subject: subject.clone(), expected: FORM })
    }

    /// Whether `service` is among those who are asked.
    #[must_use]
    pub fn is_for(&self, service: &Service) -> bool {
        self.name.as_ref().is_none_or(|name| *name == service.name)
            && self.id.as_ref().is_none_or(|id| *id == service.id)
    }
}

/// One instance of a service: what every answer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    name: String,
    id: String,
    version: String,
    #[serde(default, deserialize_with = "null_is_empty")]
    metadata: BTreeMap<String, String>,
}

impl Service {
    /// The instance `id` of the service `name`; `version` is to be a semantic one (`1.2.3`), or
    /// tools leave the service out.
    ///
    /// # Errors
    /// When name or ID are no tokens.
    pub fn new(name: &str, id: &str, version: &str, metadata: BTreeMap<String, String>) -> Result<Self, TokenError> {
        check_token(name)?;
        check_token(id)?;
        Ok(Self { name: name.to_owned(), id: id.to_owned(), version: version.to_owned(), metadata })
    }

    /// What the service is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which instance of it this is.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its semantic version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What else there is to say about this instance.
    #[must_use]
    pub const fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }
}

/// Where the instance `id` of the service `name` is asked: each verb for all services, for all
/// instances of this one, and for this one alone. Each instance answers, so there is no queue group.
///
/// # Errors
/// When name or ID are no tokens.
pub fn patterns(name: &str, id: &str) -> Result<[Pattern; 9], TokenError> {
    check_token(name)?;
    check_token(id)?;
    let [ping, info, stats] = Verb::ALL.map(|verb| {
        let verb = verb.as_str();
        [&[PREFIX, verb][..], &[PREFIX, verb, name], &[PREFIX, verb, name, id]].map(Pattern::join)
    });
    let ([a, b, c], [d, e, f], [g, h, i]) = (ping, info, stats);
    Ok([a, b, c, d, e, f, g, h, i])
}

/// What a service answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Answer {
    /// It is there.
    #[serde(rename = "io.nats.micro.v1.ping_response")]
    Ping(Service),
    /// This is what it offers.
    #[serde(rename = "io.nats.micro.v1.info_response")]
    Info {
        /// Who answers.
        #[serde(flatten)]
        service: Service,
        /// What it is for, in words.
        #[serde(default)]
        description: String,
        /// Where it takes requests.
        endpoints: Vec<Endpoint>,
    },
    /// This is how much it had to do.
    #[serde(rename = "io.nats.micro.v1.stats_response")]
    Stats {
        /// Who answers.
        #[serde(flatten)]
        service: Service,
        /// Since when it counts.
        #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
        started: Wall,
        /// What each endpoint had to do.
        endpoints: Vec<EndpointStats>,
    },
}

impl Answer {
    /// The message for whoever asked.
    #[must_use]
    pub fn build(&self, reply: Subject) -> Message {
        Message::new(reply).body(Bytes::from(serde_json::to_vec(self).expect("texts and numbers are JSON")))
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// When it is none of a service.
    pub fn parse(message: &Message) -> Result<Self, ProtocolError> {
        serde_json::from_slice(&message.payload()).map_err(|_| ProtocolError::Payload {
            subject: message.subject.clone(),
            expected: "what a service of NATS answers",
        })
    }

    /// Who answers.
    #[must_use]
    pub const fn service(&self) -> &Service {
        match self {
            Self::Ping(service) | Self::Info { service, .. } | Self::Stats { service, .. } => service,
        }
    }
}

/// Where a service takes requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// What it is called.
    pub name: String,
    /// The subject that it subscribes to, wildcards included.
    pub subject: Pattern,
    /// With whom it shares requests; empty: with nobody.
    #[serde(default)]
    pub queue_group: String,
    /// What else there is to say about it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What one endpoint had to do since its service started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStats {
    /// What it is called.
    pub name: String,
    /// The subject that it subscribes to.
    pub subject: Pattern,
    /// With whom it shares requests; empty: with nobody.
    #[serde(default)]
    pub queue_group: String,
    /// Requests.
    pub num_requests: u64,
    /// Those that it refused.
    pub num_errors: u64,
    /// Why it refused the last of these; empty: there is none.
    #[serde(default)]
    pub last_error: String,
    /// Nanoseconds that it worked on requests.
    pub processing_time: u64,
    /// Nanoseconds for each, rounded down.
    pub average_processing_time: u64,
}

impl EndpointStats {
    /// `endpoint` had nothing to do yet.
    #[must_use]
    pub fn new(endpoint: &Endpoint) -> Self {
        Self {
            name: endpoint.name.clone(),
            subject: endpoint.subject.clone(),
            queue_group: endpoint.queue_group.clone(),
            num_requests: 0,
            num_errors: 0,
            last_error: String::new(),
            processing_time: 0,
            average_processing_time: 0,
        }
    }

    /// It worked for `took` on a request, and refused it because of `error`, if there is one.
    pub fn count(&mut self, took: Duration, error: Option<&str>) {
        self.num_requests = self.num_requests.saturating_add(1);
        self.processing_time = self.processing_time.saturating_add(nanos(took));
        self.average_processing_time = self.processing_time / self.num_requests;
        if let Some(error) = error {
            self.num_errors = self.num_errors.saturating_add(1);
            error.clone_into(&mut self.last_error);
        }
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn rfc3339<S: Serializer>(wall: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&wall.rfc3339())
}

fn from_rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
    let text = String::deserialize(deserializer)?;
    Wall::from_rfc3339(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no instant of RFC 3339")))
}

#[cfg(test)]
mod tests;
