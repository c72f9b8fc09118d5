//! The control socket: how the command line tools of one machine reach a running node.
//!
//! A node listens on a UNIX socket that its own user alone can open. Over it a [`ControlBus`] is a
//! [`Bus`] like any other, so that a tool works alike on a node with the embedded bus, on a node with
//! a server, and on a server without a node. What it publishes leaves by the node's outbox, with the
//! node's name and numbers.

mod client;
mod error;
mod frame;
mod path;
mod queue;
mod server;

use std::sync::Arc;

use nunect_core::{Message, Role, SessionId, UnitId};

use crate::bus::Bus;

pub use client::ControlBus;
pub use error::ControlError;
pub use frame::{FRAME_MAX_BYTES, PROTOCOL};
pub use path::{SOCKET_PATH_MAX_BYTES, find_socket, living_sockets};
pub use queue::{WAITING_MAX, WAITING_MAX_BYTES};
pub use server::{CLIENTS_MAX, ControlServer, SUBSCRIPTIONS_MAX};

/// What clients reach of a node.
pub trait Switchboard: Send + Sync + 'static {
    /// Whom they have reached.
    fn identity(&self) -> Identity;

    /// Sends a message as the node's own: numbered and stamped, in the order of its others. Headers
    /// of the client are the message's raw ones. It must not block.
    ///
    /// # Errors
    /// When the node does not send it.
    fn publish(&self, message: Message) -> Result<(), Refusal>;

    /// Where the node reads.
    fn bus(&self) -> &Arc<dyn Bus>;
}

/// A node, as its clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub unit: UnitId,
    /// Its run.
    pub session: SessionId,
    /// What it is for.
    pub role: Role,
    /// What its bus is, for people.
    pub bus: String,
}

/// Why a node does not do what a client asks; the codes are HTTP's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({code})")]
pub struct Refusal {
    /// What sort of reason it is: 400 malformed, 403 not permitted, 429 too many, 503 not now.
    pub code: u16,
    /// The reason, for people.
    pub reason: String,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests;
