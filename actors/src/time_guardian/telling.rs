//! When the guardian tells what it knows, and to whom.

use std::time::Duration;

use nunect_core::protocol::time::{CONFIG_EVERY, METRIC_EVERY};
use nunect_core::time::nanos;
use nunect_core::{Effects, Message, Mono, TimeDaemon};

use super::{METRIC_ALONE_EVERY, TimeGuardian};

/// When to tell of the clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Metric {
    connected: bool,
    /// From when the next regular one is counted; none before the first one on this connection.
    regular: Option<Mono>,
    /// Whether there is something to tell beside the regular ones.
    pub(super) changed: bool,
    /// From when on that may be told.
    extra_from: Mono,
}

impl Metric {
    /// The bus came, or went.
    pub(super) const fn connect(&mut self, connected: bool) {
        self.connected = connected;
        self.regular = None;
    }

    fn due(&self, every: Duration) -> Option<Mono> {
        let regular = self.regular.map_or(Mono::ZERO, |from| from + every);
        self.connected.then(|| if self.changed { regular.min(self.extra_from) } else { regular })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a question for the time without a reply subject")]
struct NoReply;

impl TimeGuardian {
    /// How often it tells of the clock when nothing changes. The kernel alone is nobody unless somebody told
    /// it the time.
    fn metric_every(&self) -> Duration {
        let mut daemons = self.sources.iter().filter(|source| source.daemon != TimeDaemon::Kernel);
        let somebody = daemons.any(|source| source.reading().is_some());
        let told = self.source(TimeDaemon::Kernel).worth().is_some();
        if somebody || told { METRIC_EVERY } else { METRIC_ALONE_EVERY }
    }

    pub(super) fn metric_due(&self) -> Option<Mono> {
        self.metric.due(self.metric_every())
    }

    /// Publishes what is due.
    pub(super) fn publish(&mut self, now: Mono, out: &mut Effects) {
        if let Some(due) = self.config_due.filter(|due| *due <= now) {
            out.publish(self.config.build());
            self.config_due = Some(next(due, CONFIG_EVERY, now));
        }
        let every = self.metric_every();
        if self.metric.due(every).is_none_or(|due| due > now) {
            return;
        }
        out.publish(self.status(now).build(&self.unit));
        self.metric.changed = false;
        match self.metric.regular.map(|from| from + every) {
            None => self.metric.regular = Some(now),
            Some(due) if due <= now => self.metric.regular = Some(next(due, every, now) - every),
            Some(_) => self.metric.extra_from = now + self.rules.interval,
        }
    }

    /// Answers a question for the time.
    pub(super) fn answer(&self, question: &Message, now: Mono, out: &mut Effects) {
        match &question.reply {
            Some(reply) => out.respond(self.status(now).answer(&self.unit, question, reply.clone())),
            None => out.malformed(&question.subject, &NoReply),
        }
    }
}

/// The next instant after `now` on the grid of `due`: delays do not add up, and what was missed is not made
/// up for. A bus that came back begins a new grid.
fn next(due: Mono, every: Duration, now: Mono) -> Mono {
    let late = Duration::from_nanos(nanos(now.since(due)) % nanos(every));
    now - late + every
}
