//! `ops.cmd.{role}.{unit}`: commands of operators, and their answers (protocol, sections 1 and 6).

use serde::{Deserialize, Serialize};

/// What harm may be done to an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChaosKind {
    /// It panics.
    Panic,
    /// It ends as if its work were done.
    Stop,
    /// It does not come back from its next input.
    Hang,
    /// Its mailbox holds back for a while.
    Pause,
}

/// One actor, or one supervisor, of a node's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorReport {
    /// Its name in the configuration.
    pub name: String,
    /// What it is; of a supervisor: `supervisor`.
    pub kind: String,
    /// How it does, in one word.
    pub state: String,
    /// How often it was started after its first start.
    pub restarts: u32,
    /// Which of its lives this is.
    pub incarnation: u32,
    /// What waits for it; a supervisor has none.
    pub mailbox: Option<MailboxReport>,
    /// Its last crash in this run.
    pub last_crash: Option<CrashReport>,
    /// What stands under a supervisor, in the order of start.
    pub children: Vec<ActorReport>,
}

/// A mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxReport {
    /// Messages that wait.
    pub depth: u64,
    /// Messages that may wait.
    pub capacity: u64,
    /// Messages lost because it was full.
    pub dropped: u64,
    /// Messages set aside.
    pub poisoned: u64,
}

/// A crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashReport {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Why.
    pub reason: String,
}

words!(ChaosKind { Panic => "panic", Stop => "stop", Hang => "hang", Pause => "pause" });
