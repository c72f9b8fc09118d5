//! What the outside may observe of a node: one enum for actors, mailboxes, outboxes, supervisors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::identity::{Incarnation, SessionId, UnitId};
use crate::protocol::header::Health;
use crate::subject::Subject;

/// Something worth knowing that happened. Who it happened to (unit, actor) and when stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    // The node.
    /// The node started.
    NodeStarted {
        /// Its run.
        session: SessionId,
    },
    /// The node stops, as asked.
    NodeStopping,
    /// The node as a whole does better or worse.
    NodeHealth {
        /// How it does now.
        health: Health,
        /// Why, in words; empty when all is well.
        causes: Vec<String>,
    },
    /// Messages go out.
    BusConnected,
    /// They do not.
    BusDisconnected,

    // Supervision.
    /// An actor lives.
    ActorStarted {
        /// Which of its lives this is.
        incarnation: Incarnation,
    },
    /// An actor crashed.
    ActorCrashed {
        /// Which of its lives ended.
        incarnation: Incarnation,
        /// Why.
        reason: String,
        /// Whether a message is to blame: then its mailbox is charged, not the supervisor.
        on_message: bool,
    },
    /// An actor ended without a crash.
    ActorStopped {
        /// Which of its lives ended.
        incarnation: Incarnation,
        /// Why.
        reason: String,
    },
    /// An actor is to live again after a while.
    RestartScheduled {
        /// The while.
        delay: Duration,
    },
    /// Crashes beyond the intensity: the supervisor gives up.
    Escalated {
        /// How many crashes there were in the window.
        crashes: u32,
        /// The window.
        period: Duration,
        /// The reason of the last.
        reason: String,
    },

    // Mailbox.
    /// A message on which the actor crashed twice was set aside.
    Quarantined {
        /// Where it came from.
        #[serde(deserialize_with = "as_received")]
        subject: Subject,
        /// The reason of the second crash.
        reason: String,
    },
    /// Too many crashes on messages: the mailbox holds back for a while.
    MailboxPaused {
        /// How long.
        pause: Duration,
        /// Crashes within the last minute.
        crashes: u32,
    },
    /// The mailbox delivers again.
    MailboxResumed,
    /// The mailbox is full: a message was lost. Reported once until there was room again.
    MailboxOverflow {
        /// Messages lost since the mailbox was made.
        dropped: u64,
    },

    // Outbox.
    /// The outbox refused a message; reported once for a subject.
    PublishRefused {
        /// Where it was bound for.
        #[serde(deserialize_with = "as_received")]
        subject: Subject,
        /// Why.
        reason: Cow<'static, str>,
    },

    // Messages.
    /// A message is not what its subject promises; it was skipped.
    Malformed {
        /// Where it came from.
        #[serde(deserialize_with = "as_received")]
        subject: Subject,
        /// What is wrong.
        reason: String,
    },

    // The monitor's view of other units.
    /// A unit was heard for the first time, or again after it was OFFLINE, or in a new session.
    UnitOnline {
        /// Which.
        unit: UnitId,
        /// Its run, when it tells.
        session: Option<SessionId>,
        /// Whether it was known in an earlier session.
        restarted: bool,
    },
    /// A unit does better or worse.
    UnitHealth {
        /// Which.
        unit: UnitId,
        /// How it did.
        from: Health,
        /// How it does.
        to: Health,
        /// Why.
        reason: Cow<'static, str>,
    },
    /// A unit is gone.
    UnitOffline {
        /// Which.
        unit: UnitId,
        /// Why: it said so, or nothing was heard of it.
        reason: Cow<'static, str>,
    },
    /// As many units are tracked as may be; further ones are ignored. Reported once.
    UnitsFull {
        /// The bound.
        units_max: u64,
    },

    /// An event of an actor that is not ours.
    Custom {
        /// What happened, as one word.
        kind: Cow<'static, str>,
        /// With which details.
        fields: BTreeMap<String, String>,
    },
}

/// How urgent an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The course of things.
    Info,
    /// An anomaly the node copes with.
    Warn,
    /// A failure.
    Error,
}

impl Event {
    /// Its name in logs, traces and scenario files: `unit_offline`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::NodeStarted { .. } => "node_started",
            Self::NodeStopping => "node_stopping",
            Self::NodeHealth { .. } => "node_health",
            Self::BusConnected => "bus_connected",
            Self::BusDisconnected => "bus_disconnected",
            Self::ActorStarted { .. } => "actor_started",
            Self::ActorCrashed { .. } => "actor_crashed",
            Self::ActorStopped { .. } => "actor_stopped",
            Self::RestartScheduled { .. } => "restart_scheduled",
            Self::Escalated { .. } => "escalated",
            Self::Quarantined { .. } => "quarantined",
            Self::MailboxPaused { .. } => "mailbox_paused",
            Self::MailboxResumed => "mailbox_resumed",
            Self::MailboxOverflow { .. } => "mailbox_overflow",
            Self::PublishRefused { .. } => "publish_refused",
            Self::Malformed { .. } => "malformed",
            Self::UnitOnline { .. } => "unit_online",
            Self::UnitHealth { .. } => "unit_health",
            Self::UnitOffline { .. } => "unit_offline",
            Self::UnitsFull { .. } => "units_full",
            Self::Custom { kind, .. } => kind,
        }
    }

    /// Every name but those of custom events.
    pub const NAMES: [&str; 20] = [
        "node_started",
        "node_stopping",
        "node_health",
        "bus_connected",
        "bus_disconnected",
        "actor_started",
        "actor_crashed",
        "actor_stopped",
        "restart_scheduled",
        "escalated",
        "quarantined",
        "mailbox_paused",
        "mailbox_resumed",
        "mailbox_overflow",
        "publish_refused",
        "malformed",
        "unit_online",
        "unit_health",
        "unit_offline",
        "units_full",
    ];

    /// How urgent it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::NodeStarted { .. }
            | Self::NodeStopping
            | Self::BusConnected
            | Self::ActorStarted { .. }
            | Self::ActorStopped { .. }
            | Self::RestartScheduled { .. }
            | Self::MailboxResumed
            | Self::UnitOnline { .. }
            | Self::Custom { .. } => Severity::Info,
            Self::NodeHealth { health, .. } | Self::UnitHealth { to: health, .. } => match health {
                Health::Ok => Severity::Info,
                Health::Degraded => Severity::Warn,
                Health::Critical | Health::Offline => Severity::Error,
            },
            Self::BusDisconnected
            | Self::ActorCrashed { .. }
            | Self::Quarantined { .. }
            | Self::MailboxPaused { .. }
            | Self::MailboxOverflow { .. }
            | Self::PublishRefused { .. }
            | Self::Malformed { .. }
            | Self::UnitsFull { .. }
            | Self::UnitOffline { .. } => Severity::Warn,
            Self::Escalated { .. } => Severity::Error,
        }
    }

    /// The other unit that it is about, when there is one.
    #[must_use]
    pub fn about(&self) -> Option<&UnitId> {
        match self {
            Self::UnitOnline { unit, .. } | Self::UnitHealth { unit, .. } | Self::UnitOffline { unit, .. } => {
                Some(unit)
            }
            Self::NodeStarted { .. }
            | Self::NodeStopping
            | Self::NodeHealth { .. }
            | Self::BusConnected
            | Self::BusDisconnected
            | Self::ActorStarted { .. }
            | Self::ActorCrashed { .. }
            | Self::ActorStopped { .. }
            | Self::RestartScheduled { .. }
            | Self::Escalated { .. }
            | Self::Quarantined { .. }
            | Self::MailboxPaused { .. }
            | Self::MailboxResumed
            | Self::MailboxOverflow { .. }
            | Self::PublishRefused { .. }
            | Self::Malformed { .. }
            | Self::UnitsFull { .. }
            | Self::Custom { .. } => None,
        }
    }
}

/// Reads a subject as a server delivered it. What arrives need not be legal, and whoever reads about
/// it later must not fail on that.
fn as_received<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
    String::deserialize(deserializer).map(Subject::delivered)
}

impl std::fmt::Display for Event {
    /// One line for people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NodeStarted { session } => write!(f, "node started, session {session}"),
            Self::NodeStopping => f.write_str("node stopping"),
            Self::NodeHealth { health, causes } if causes.is_empty() => write!(f, "node is {health}"),
            Self::NodeHealth { health, causes } => write!(f, "node is {health}: {}", causes.join(", ")),
            Self::BusConnected => f.write_str("bus connected"),
            Self::BusDisconnected => f.write_str("bus away"),
            Self::ActorStarted { incarnation } if incarnation.0 <= 1 => f.write_str("started"),
            Self::ActorStarted { incarnation } => write!(f, "started again (life {incarnation})"),
            Self::ActorCrashed { reason, on_message: true, .. } => write!(f, "crashed on a message: {reason}"),
            Self::ActorCrashed { reason, .. } => write!(f, "crashed: {reason}"),
            Self::ActorStopped { reason, .. } => write!(f, "stopped: {reason}"),
            Self::RestartScheduled { delay } => write!(f, "restarts in {delay:?}"),
            Self::Escalated { crashes, period, reason } => {
                write!(f, "gave up after {crashes} crashes in {period:?}, the last: {reason}")
            }
            Self::Quarantined { subject, reason } => write!(f, "message from {subject} quarantined: {reason}"),
            Self::MailboxPaused { pause, crashes } => {
                write!(f, "mailbox paused for {pause:?} after {crashes} crashes on messages")
            }
            Self::MailboxResumed => f.write_str("mailbox delivers again"),
            Self::MailboxOverflow { dropped } => write!(f, "mailbox full, {dropped} messages lost so far"),
            Self::PublishRefused { subject, reason } => write!(f, "not published to {subject}: {reason}"),
            Self::Malformed { subject, reason } => write!(f, "malformed message on {subject}: {reason}"),
            Self::UnitOnline { unit, restarted: true, .. } => write!(f, "{unit} is back in a new session"),
            Self::UnitOnline { unit, .. } => write!(f, "{unit} is online"),
            Self::UnitHealth { unit, from, to, reason } => write!(f, "{unit} {from} → {to}: {reason}"),
            Self::UnitsFull { units_max } => write!(f, "{units_max} units are tracked; further ones are ignored"),
            Self::UnitOffline { unit, reason } => write!(f, "{unit} is OFFLINE: {reason}"),
            Self::Custom { kind, fields } => {
                f.write_str(kind)?;
                fields.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
