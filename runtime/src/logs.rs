//! What waits to be written down by the actor that ships logs.
//!
//! Whoever has something to say is never made to wait for it: records go into a bounded ring, and
//! the oldest give way. The ring has a lock of its own that is never held while another is taken, so
//! that anybody may say something from anywhere.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use nunect_core::log::{NamedValues, Said, trace_of};
use nunect_core::{ActorName, Level, LogRecord, Message, Wall};
use tokio::sync::Notify;

use crate::sync::lock;

/// Records that may wait for the log shipper.
pub(crate) const LOGS_WAITING_MAX: usize = 1_024;

/// Nothing is as grave as this: nobody ships logs.
const NOTHING: u8 = u8::MAX;

/// The records of one node.
pub(crate) struct Logs {
    /// The least [`Level`] that anybody wants, as a number; [`NOTHING`] without a shipper.
    gate: AtomicU8,
    level: AtomicU8,
    shipper: OnceLock<ActorName>,
    ring: Mutex<Ring>,
    filled: Notify,
    /// The headers of a message that stand beside what was said about it.
    include_fields: Mutex<Arc<[String]>>,
}

#[derive(Default)]
struct Ring {
    queue: VecDeque<LogRecord>,
    lost: u64,
}

impl Logs {
    pub(crate) fn new(level: Level, include_fields: Vec<String>) -> Self {
        Self {
            // What is said before the shipper starts is kept for it.
            gate: AtomicU8::new(level as u8),
            level: AtomicU8::new(level as u8),
            shipper: OnceLock::new(),
            ring: Mutex::default(),
            filled: Notify::new(),
            include_fields: Mutex::new(include_fields.into()),
        }
    }

    /// From now on this actor ships what is said. Only the first is heard.
    pub(crate) fn ship_to(&self, actor: &ActorName) {
        if self.shipper.set(actor.clone()).is_ok() {
            self.gate.store(self.level.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// All actors have started: without a shipper nothing more is kept.
    pub(crate) fn started(&self) {
        if self.shipper.get().is_none() {
            self.gate.store(NOTHING, Ordering::Relaxed);
            *lock(&self.ring) = Ring::default();
        }
    }

    /// Who ships.
    pub(crate) fn shipper(&self) -> Option<&ActorName> {
        self.shipper.get()
    }

    /// From now on this is the least level.
    pub(crate) fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
        if self.shipper.get().is_some() {
            self.gate.store(level as u8, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_include_fields(&self, fields: Vec<String>) {
        *lock(&self.include_fields) = fields.into();
    }

    /// Whether a record of this level is wanted. This is all that one costs that is not.
    pub(crate) fn wants(&self, level: Level) -> bool {
        level as u8 >= self.gate.load(Ordering::Relaxed)
    }

    /// Keeps a record until it is shipped.
    pub(crate) fn push(&self, record: LogRecord) {
        let mut ring = lock(&self.ring);
        if ring.queue.len() >= LOGS_WAITING_MAX {
            ring.queue.pop_front();
            ring.lost += 1;
        }
        ring.queue.push_back(record);
        drop(ring);
        self.filled.notify_one();
    }

    /// The next record; before those that were left, how many were not.
    pub(crate) fn take(&self, now: Wall) -> Option<LogRecord> {
        let mut ring = lock(&self.ring);
        if ring.lost > 0 {
            let said = Said::Lost(std::mem::take(&mut ring.lost));
            return Some(LogRecord { ts: now, level: Level::Warn, said, trace: None, headers: Vec::new() });
        }
        ring.queue.pop_front()
    }

    /// Resolves when something was said.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// What a message says about itself beside what is said about it: who sent it and which it was,
    /// and the headers that the configuration wants.
    pub(crate) fn context(&self, message: &Message) -> (Option<Box<str>>, NamedValues) {
        let wanted = Arc::clone(&lock(&self.include_fields));
        let headers = wanted.iter().filter_map(|name| {
            let value = message.headers.get(name)?;
            Some((name.as_str().into(), value.into_owned().into()))
        });
        (trace_of(message), headers.collect())
    }
}
