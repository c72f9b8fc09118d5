//! What the outside may observe of a node: one enum for actors, mailboxes, outboxes, supervisors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::actor::BusAction;
use crate::clock::TimeDaemon;
use crate::identity::{Incarnation, SessionId, UnitId};
use crate::protocol::command::ChaosKind;
use crate::protocol::header::{ClockQuality, ClockSource, Health};
use crate::protocol::log::Level;
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
    /// The server refuses what the node is not permitted to do.
    BusDenied {
        /// What it wanted to do.
        action: BusAction,
        /// With which subject or pattern.
        subject: String,
    },
    /// The node did not keep up with a subscription: the client lost messages before a mailbox saw
    /// them.
    BusSlow,
    /// The server refuses the node itself, or ended the connection.
    BusRefused {
        /// Why, in the server's words.
        reason: String,
    },
    /// The wall clock jumped: its time is not what it was a moment ago plus that moment.
    ClockStepped {
        /// By how many milliseconds; negative: back.
        by_ms: i64,
    },
    /// Another node of this name is there.
    DuplicateUnit {
        /// The other's run.
        session: SessionId,
        /// Whether this node ends, since the other was there before.
        leaving: bool,
    },
    /// The configuration was read again.
    Reloaded {
        /// What is now different, as dotted keys.
        changed: Vec<String>,
        /// What is different in the file and takes a restart of the node.
        restart_needed: Vec<String>,
    },
    /// From another level on the node writes down what happens.
    LogLevelSet {
        /// The level.
        level: Level,
    },

    // Commands.
    /// Somebody did harm to an actor, as the configuration allows.
    ChaosInjected {
        /// What.
        what: ChaosKind,
    },
    /// A command was refused.
    CommandRefused {
        /// Which.
        command: String,
        /// Why.
        reason: String,
    },

    // Supervision.
    /// An actor does not come back from an input.
    ActorHung {
        /// From which: a subject, or the kind of input.
        on: String,
        /// For how long already.
        running: Duration,
    },
    /// An actor that hung came back.
    ActorReturned {
        /// After how long.
        running: Duration,
    },
    /// The task behind a port of an actor failed at something.
    PortFailed {
        /// Which port.
        port: Cow<'static, str>,
        /// At what, and why.
        reason: String,
    },
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

    // The cluster, and the server behind it.
    /// The units in reach as a whole do better or worse.
    ClusterChanged {
        /// How they do: HEALTHY, DEGRADED or PARTITIONED.
        state: Cow<'static, str>,
        /// How many others are in reach.
        peers: u64,
    },
    /// A client connected to the server, or left it.
    ServerClient {
        /// Its name.
        client: String,
        /// Whether it came.
        connected: bool,
        /// Why it left; from where it came.
        detail: String,
    },
    /// The server cut off clients that did not keep up.
    ServerSlowConsumers {
        /// Which server.
        server: String,
        /// How many since it started.
        total: u64,
    },

    /// An event of an actor that is not ours.
    Custom {
        /// What happened, as one word.
        kind: Cow<'static, str>,
        /// With which details.
        fields: BTreeMap<String, String>,
    },

    // What came later stands at the end: traces tell events by their place in this list.
    /// Another source steers the clock, or it is steered better or worse.
    ClockChanged {
        /// What steers it.
        source: ClockSource,
        /// How well.
        quality: ClockQuality,
        /// Why.
        reason: Cow<'static, str>,
    },
    /// A time daemon can be read, or no longer.
    TimeDaemon {
        /// Which.
        daemon: TimeDaemon,
        /// Why it cannot; none when it can.
        problem: Option<String>,
    },
    /// A message takes longer one way than the other, by more than the clocks can be wrong; or a clock is
    /// not what it claims.
    DelayAsymmetry {
        /// The other unit.
        peer: UnitId,
        /// To it, microseconds.
        forward_us: i64,
        /// From it.
        backward_us: i64,
        /// By how much either may be wrong.
        uncertainty_us: u64,
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
            Self::BusDenied { .. } => "bus_denied",
            Self::BusSlow => "bus_slow",
            Self::BusRefused { .. } => "bus_refused",
            Self::ClockStepped { .. } => "clock_stepped",
            Self::ClockChanged { .. } => "clock_changed",
            Self::TimeDaemon { .. } => "time_daemon",
            Self::DelayAsymmetry { .. } => "delay_asymmetry",
            Self::DuplicateUnit { .. } => "duplicate_unit",
            Self::Reloaded { .. } => "reloaded",
            Self::LogLevelSet { .. } => "log_level_set",
            Self::ChaosInjected { .. } => "chaos_injected",
            Self::CommandRefused { .. } => "command_refused",
            Self::ActorHung { .. } => "actor_hung",
            Self::ActorReturned { .. } => "actor_returned",
            Self::PortFailed { .. } => "port_failed",
            Self::ClusterChanged { .. } => "cluster_changed",
            Self::ServerClient { .. } => "server_client",
            Self::ServerSlowConsumers { .. } => "server_slow_consumers",
            Self::Custom { kind, .. } => kind,
        }
    }

    /// Every name but those of custom events.
    pub const NAMES: [&str; 38] = [
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
        "bus_denied",
        "bus_slow",
        "bus_refused",
        "clock_stepped",
        "duplicate_unit",
        "reloaded",
        "log_level_set",
        "chaos_injected",
        "command_refused",
        "actor_hung",
        "actor_returned",
        "port_failed",
        "cluster_changed",
        "server_client",
        "server_slow_consumers",
        "clock_changed",
        "time_daemon",
        "delay_asymmetry",
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
            | Self::Reloaded { .. }
            | Self::LogLevelSet { .. }
            | Self::ActorReturned { .. }
            | Self::ServerClient { .. }
            | Self::Custom { .. } => Severity::Info,
            Self::ClusterChanged { state, .. } => {
                if state == "HEALTHY" {
                    Severity::Info
                } else {
                    Severity::Warn
                }
            }
            Self::ClockChanged { quality, .. } => match quality {
                ClockQuality::Locked | ClockQuality::Tracking | ClockQuality::Acquiring => Severity::Info,
                ClockQuality::Freerun => Severity::Warn,
            },
            Self::TimeDaemon { problem, .. } => {
                if problem.is_none() {
                    Severity::Info
                } else {
                    Severity::Warn
                }
            }
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
            | Self::UnitOffline { .. }
            | Self::BusDenied { .. }
            | Self::BusSlow
            | Self::ClockStepped { .. }
            | Self::DelayAsymmetry { .. }
            | Self::ChaosInjected { .. }
            | Self::CommandRefused { .. }
            | Self::PortFailed { .. }
            | Self::ServerSlowConsumers { .. } => Severity::Warn,
            Self::Escalated { .. } | Self::BusRefused { .. } | Self::DuplicateUnit { .. } | Self::ActorHung { .. } => {
                Severity::Error
            }
        }
    }

    /// The level under which it is written down.
    #[must_use]
    pub fn level(&self) -> Level {
        if matches!(self, Self::Escalated { .. }) {
            return Level::Fatal;
        }
        match self.severity() {
            Severity::Info => Level::Info,
            Severity::Warn => Level::Warn,
            Severity::Error => Level::Error,
        }
    }

    /// The other unit that it is about, when there is one.
    #[must_use]
    pub fn about(&self) -> Option<&UnitId> {
        match self {
            Self::UnitOnline { unit, .. } | Self::UnitHealth { unit, .. } | Self::UnitOffline { unit, .. } => {
                Some(unit)
            }
            Self::DelayAsymmetry { peer, .. } => Some(peer),
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
            | Self::BusDenied { .. }
            | Self::BusSlow
            | Self::BusRefused { .. }
            | Self::ClockStepped { .. }
            | Self::ClockChanged { .. }
            | Self::TimeDaemon { .. }
            | Self::DuplicateUnit { .. }
            | Self::Reloaded { .. }
            | Self::LogLevelSet { .. }
            | Self::ChaosInjected { .. }
            | Self::CommandRefused { .. }
            | Self::ActorHung { .. }
            | Self::ActorReturned { .. }
            | Self::PortFailed { .. }
            | Self::ClusterChanged { .. }
            | Self::ServerClient { .. }
            | Self::ServerSlowConsumers { .. }
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
            Self::RestartScheduled { delay } => write!(f, "restarts in {delay:.1?}"),
            Self::Escalated { crashes, period, reason } => {
                write!(f, "gave up after {crashes} crashes in {period:?}, the last: {reason}")
            }
            Self::Quarantined { subject, reason } => write!(f, "message from {subject} quarantined: {reason}"),
            Self::MailboxPaused { pause, crashes: 0 } => write!(f, "mailbox paused for {pause:?}, as asked"),
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
            Self::BusDenied { action, subject } => write!(f, "the server does not permit to {action} {subject}"),
            Self::BusSlow => f.write_str("messages lost before the mailbox: the node does not keep up with the bus"),
            Self::BusRefused { reason } => write!(f, "the server refuses this node: {reason}"),
            Self::ClockStepped { by_ms } => write!(f, "the wall clock stepped by {by_ms} ms"),
            Self::ClockChanged { source, quality, reason } => write!(f, "clock is {source} {quality}: {reason}"),
            Self::TimeDaemon { daemon, problem: None } => write!(f, "{daemon} tells the time"),
            Self::TimeDaemon { daemon, problem: Some(problem) } => write!(f, "{daemon} cannot be read: {problem}"),
            Self::DelayAsymmetry { peer, forward_us, backward_us, uncertainty_us } => write!(
                f,
                "{forward_us} µs to {peer} and {backward_us} µs back, each ± {uncertainty_us} µs: the ways differ, or a clock does"
            ),
            Self::DuplicateUnit { session, leaving: true } => {
                write!(f, "session {session} of this unit was there before: this node ends")
            }
            Self::DuplicateUnit { session, .. } => write!(f, "this unit runs twice: session {session} came later"),
            Self::Reloaded { changed, restart_needed } => {
                let told = |keys: &[String]| if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
                write!(f, "configuration read again: changed {}", told(changed))?;
                if restart_needed.is_empty() { Ok(()) } else { write!(f, "; restart for {}", told(restart_needed)) }
            }
            Self::LogLevelSet { level } => write!(f, "writes down from {level} on"),
            Self::ChaosInjected { what } => write!(f, "chaos: {what}"),
            Self::CommandRefused { command, reason } => write!(f, "{command} refused: {reason}"),
            Self::ActorHung { on, running } => write!(f, "hangs on {on} for {running:.1?}"),
            Self::ActorReturned { running } => write!(f, "came back after {running:.1?}"),
            Self::PortFailed { port, reason } => write!(f, "{port}: {reason}"),
            Self::ClusterChanged { state, peers } => write!(f, "cluster is {state}, {peers} peers"),
            Self::ServerClient { client, connected: true, detail } => write!(f, "{client} connected: {detail}"),
            Self::ServerClient { client, detail, .. } => write!(f, "{client} disconnected: {detail}"),
            Self::ServerSlowConsumers { server, total } => write!(f, "{server} cut off slow consumers, {total} so far"),
            Self::Custom { kind, fields } => {
                f.write_str(kind)?;
                fields.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
