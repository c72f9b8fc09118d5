//! `$SYS.>`: what a NATS server tells about itself and its clients, to those who connect to its
//! system account. The names are those that nats-server 2.15.1 sends.

use serde::Deserialize;

use super::ProtocolError;
use crate::message::Message;
use crate::subject::{Pattern, Subject};
use crate::time::Wall;

const ACCOUNT: &str = "$SYS.ACCOUNT";
const CONNECT: &str = "CONNECT";
const DISCONNECT: &str = "DISCONNECT";
const PING: &str = "$SYS.REQ.SERVER.PING";
const FORM: &str = "$SYS.ACCOUNT.{account}.{CONNECT|DISCONNECT}";

/// The clients that connect, of every account.
#[must_use]
pub fn connects() -> Pattern {
    Pattern::join(&[ACCOUNT, "*", CONNECT])
}

/// The clients that go, of every account.
#[must_use]
pub fn disconnects() -> Pattern {
    Pattern::join(&[ACCOUNT, "*", DISCONNECT])
}

/// Where servers are asked for everything about themselves; each one of a cluster answers.
#[must_use]
pub fn varz() -> Subject {
    Subject::join(&[PING, "VARZ"])
}

/// Where servers are asked for their figures alone; each one of a cluster answers.
#[must_use]
pub fn statsz() -> Subject {
    Subject::join(&[PING, "STATSZ"])
}

/// What happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientChange {
    /// It connected.
    Connect,
    /// It is gone, or was sent away.
    Disconnect,
}

/// A client connected, or is gone. What the server leaves out is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEvent {
    /// What happened.
    pub change: ClientChange,
    /// When, by the server's clock.
    pub at: Option<Wall>,
    /// The server's name.
    pub server: String,
    /// The client's account: its name, or its public key where an operator signs accounts.
    pub account: String,
    /// The name that the client gives itself: of a node, its unit ID.
    pub name: String,
    /// As whom it connected.
    pub user: String,
    /// From where.
    pub host: String,
    /// What it is to the server: `Client`, `Leafnode`, `Router`, ….
    pub kind: String,
    /// Why it is gone: `Client Closed`, `Slow Consumer (Pending Bytes)`, ….
    pub reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerJson {
    name: String,
    ver: String,
}

impl ClientEvent {
    /// Reads an event.
    ///
    /// # Errors
    /// When the subject is not that of one, or the payload no JSON of one.
    pub fn parse(message: &Message) -> Result<Self, ProtocolError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Client {
            acc: String,
            user: String,
            name: String,
            host: String,
            kind: String,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Json {
            timestamp: String,
            server: ServerJson,
            client: Client,
            reason: Option<String>,
        }
        let subject = &message.subject;
        let tail = subject.as_str().strip_prefix(ACCOUNT).and_then(|rest| rest.strip_prefix('.'));
        let change = |word| match word {
            CONNECT => Some(ClientChange::Connect),
            DISCONNECT => Some(ClientChange::Disconnect),
            _ => None,
        };
        let read =
            tail.and_then(|tail| tail.split_once('.')).and_then(|(account, word)| Some((account, change(word)?)));
        let (account, change) =
            read.ok_or_else(|| ProtocolError::Subject { subject: subject.clone(), expected: FORM })?;
        let Json { timestamp, server, client, reason } = serde_json::from_slice(&message.payload()).map_err(|_| {
            ProtocolError::Payload { subject: subject.clone(), expected: "a server's JSON about a client" }
        })?;
        Ok(Self {
            change,
            at: Wall::from_rfc3339(&timestamp),
            server: server.name,
            account: if client.acc.is_empty() { account.to_owned() } else { client.acc },
            name: client.name,
            user: client.user,
            host: client.host,
            kind: client.kind,
            reason,
        })
    }
}

/// How a server does: its answer to [`varz`], and as far as it goes to [`statsz`].
#[derive(Clone, Debug, PartialEq)]
pub struct ServerReport {
    /// Its name.
    pub server_name: String,
    /// Its version.
    pub version: String,
    /// Clients that are connected.
    pub connections: u64,
    /// Clients that it sent away since its start, since they read too slowly.
    pub slow_consumers: u64,
    /// Bytes of memory.
    pub mem: u64,
    /// Processor use in percent of one core.
    pub cpu: f64,
    /// Time since its start, as it writes it: `3d4h5m6s`. Of [`varz`] only.
    pub uptime: Option<String>,
    /// The largest payload that it takes, in bytes. Of [`varz`] only.
    pub max_payload: Option<u64>,
}

impl ServerReport {
    /// Reads an answer.
    ///
    /// # Errors
    /// When the server refused the question, or the payload holds no report.
    pub fn parse(message: &Message) -> Result<Self, ProtocolError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Report {
            connections: u64,
            slow_consumers: u64,
            mem: u64,
            cpu: f64,
            uptime: Option<String>,
            max_payload: Option<u64>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Refusal {
            code: u16,
            description: String,
        }
        #[derive(Deserialize)]
        struct Json {
            #[serde(default)]
            server: ServerJson,
            #[serde(alias = "statsz")]
            data: Option<Report>,
            error: Option<Refusal>,
        }
        let wrong = || ProtocolError::Payload {
            subject: message.subject.clone(),
            expected: "a server's JSON about itself, in `data` or `statsz`",
        };
        let Json { server, data, error } = serde_json::from_slice(&message.payload()).map_err(|_| wrong())?;
        if let Some(Refusal { code, description }) = error {
            return Err(ProtocolError::Refused { code, reason: description });
        }
        let report = data.ok_or_else(wrong)?;
        Ok(Self {
            server_name: server.name,
            version: server.ver,
            connections: report.connections,
            slow_consumers: report.slow_consumers,
            mem: report.mem,
            cpu: report.cpu,
            uptime: report.uptime,
            max_payload: report.max_payload,
        })
    }
}

#[cfg(test)]
mod tests;
