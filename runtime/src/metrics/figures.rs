//! What a node counts and measures, in OpenMetrics' text.

use std::fmt;
use std::sync::Arc;

use nunect_core::Health;
use nunect_core::clock::ReaderCounters;
use nunect_core::protocol::units::UnitStatus;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::component::Look;
use crate::node::{Node, Shared};

/// Units are listed one by one up to this many: beyond it the text would grow without bound, and so
/// would Prometheus.
const UNITS_LISTED_MAX: usize = 1_000;

/// The node's figures as text.
pub(super) fn text(node: &Arc<Shared>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Figures(Arc::clone(node))));
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("a text takes everything");
    text
}

impl Node {
    /// Its figures in the text format of OpenMetrics, as Prometheus reads it.
    #[must_use]
    pub fn metrics(&self) -> String {
        text(&self.shared)
    }
}

/// A node, looked at anew for each text.
struct Figures(Arc<Shared>);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Figures").field(&self.0.unit).finish()
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.node(&mut page)?;
        self.clock(&mut page)?;
        self.actors(&mut page)?;
        self.units(&mut page)
    }
}

/// A figure of an actor that only grows.
type ActorCounter = (&'static str, &'static str, fn(&Look) -> u64);

/// Without `_total`, which the encoder adds.
const ACTOR_COUNTERS: [ActorCounter; 7] = [
    ("nunect_actor_restarts", "Lives of the actor that were not its first.", |look| look.restarts),
    ("nunect_actor_crashes", "Crashes of the actor, and starts that failed.", |look| look.crashes),
    ("nunect_actor_received", "Messages that arrived in the mailbox.", |look| look.counters.received),
    ("nunect_actor_settled", "Messages that the actor handled.", |look| look.counters.settled),
    ("nunect_actor_mailbox_dropped", "Messages lost because the mailbox was full.", |look| look.counters.dropped),
    ("nunect_actor_poisoned", "Messages set aside since the actor crashed on them.", |look| look.counters.poisoned),
    ("nunect_actor_malformed", "Messages that were not what their subject promises.", |look| look.malformed),
];

impl Figures {
    fn node(&self, page: &mut Page<'_>) -> fmt::Result {
        let Self(node) = self;
        let status = node.status();
        let labels = [
            ("unit", status.unit.as_str()),
            ("role", node.role.as_str()),
            ("version", env!("CARGO_PKG_VERSION")),
            ("session", status.session.as_str()),
        ];
        page.info("nunect", "The node and its run.", &labels)?;
        page.seconds("nunect_up", "Time since the node started.", [([], status.uptime.as_secs_f64())])?;
        let health = [([], severity(status.health))];
        page.gauge("nunect_health", "How the node does: 0 OK, 1 DEGRADED, 2 CRITICAL, 3 OFFLINE.", health)?;
        let connected = [([], u64::from(status.connected))];
        page.gauge("nunect_bus_connected", "Whether the node is connected to its bus.", connected)?;
        for (name, help, value) in [
            ("nunect_messages_sent", "Messages handed to the bus.", status.sent),
            ("nunect_messages_kept", "Messages kept for a bus that was away.", status.outbox.kept),
            ("nunect_messages_dropped", "Messages dropped because the bus was away.", status.outbox.dropped),
            ("nunect_messages_refused", "Messages refused by the node's own rules.", status.outbox.refused),
            ("nunect_messages_lost", "Messages handed to the bus that it did not take.", status.lost),
        ] {
            page.counter(name, help, [([], value)])?;
        }
        Ok(())
    }

    fn clock(&self, page: &mut Page<'_>) -> fmt::Result {
        let Self(node) = self;
        let stamp = node.clock_stamp();
        let labels = [("source", stamp.source.as_str()), ("quality", stamp.quality.as_str())];
        page.gauge("nunect_clock", "What steers the clock, and how well.", [(labels, 1_u64)])?;
        let seconds = |nanos: f64| ([], nanos / 1e9);
        #[allow(clippy::cast_precision_loss, reason = "exact up to 104 days")]
        let (offset, uncertainty) = (stamp.offset_ns.map(|ns| ns as f64), stamp.uncertainty_ns.map(|ns| ns as f64));
        let help = "By how much the clock is ahead of its source; absent while unknown.";
        page.seconds("nunect_clock_offset", help, offset.map(seconds))?;
        let help = "By how much the clock may be wrong; absent while unknown.";
        page.seconds("nunect_clock_uncertainty", help, uncertainty.map(seconds))?;
        let counters = node.reader_counters();
        let of = |figure: fn(&ReaderCounters) -> u64| {
            counters.iter().map(move |(daemon, counters)| ([("daemon", daemon.as_str())], figure(counters)))
        };
        let name = "nunect_time_daemon_asked";
        page.counter(name, "Questions to a time daemon.", of(|counters| counters.asked))?;
        let name = "nunect_time_daemon_timeouts";
        page.counter(name, "Questions to a time daemon without an answer in time.", of(|counters| counters.timeouts))?;
        let name = "nunect_time_daemon_strays";
        page.counter(name, "Datagrams that answered no question.", of(|counters| counters.strays))?;
        let name = "nunect_time_daemon_malformed";
        page.counter(name, "Answers of a time daemon that could not be read.", of(|counters| counters.malformed))
    }

    fn actors(&self, page: &mut Page<'_>) -> fmt::Result {
        let components = self.0.components();
        let looks: Vec<_> = components.iter().map(|component| (component.name.as_str(), component.look())).collect();
        let of = |figure: fn(&Look) -> u64| looks.iter().map(move |(name, look)| ([("actor", *name)], figure(look)));
        for (name, help, figure) in ACTOR_COUNTERS {
            page.counter(name, help, of(figure))?;
        }
        page.gauge("nunect_actor_mailbox_depth", "Messages that wait in the mailbox.", of(|look| look.report.depth))?;
        let capacity = of(|look| look.report.capacity);
        page.gauge("nunect_actor_mailbox_capacity", "Messages that the mailbox holds at most.", capacity)
    }

    fn units(&self, page: &mut Page<'_>) -> fmt::Result {
        let directory = &self.0.directory;
        let counts = [Health::Ok, Health::Degraded, Health::Critical, Health::Offline]
            .map(|state| ([("state", state.as_str())], directory.count(state)));
        page.gauge("nunect_units", "Units that this node sees, by their state.", counts)?;
        if directory.len() > UNITS_LISTED_MAX {
            return Ok(());
        }
        let rows = directory.rows();
        let states = rows.iter().map(|row| (label(row), severity(row.state)));
        page.gauge("nunect_unit_state", "How a unit does: 0 OK, 1 DEGRADED, 2 CRITICAL, 3 OFFLINE.", states)?;
        let measured = |micros: fn(&UnitStatus) -> Option<u64>| {
            rows.iter().filter_map(move |row| Some((label(row), micros(row)? as f64 / 1e6)))
        };
        let help = "Round trip of a unit through a peer's echo; absent while unknown.";
        page.seconds("nunect_unit_rtt_app", help, measured(|row| row.rtt_app_us))?;
        let help = "Round trip of a unit to its server; absent while unknown.";
        page.seconds("nunect_unit_rtt_native", help, measured(|row| row.rtt_native_us))?;
        let seen = rows.iter().map(|row| (label(row), row.last_seen_ms as f64 / 1e3));
        page.seconds("nunect_unit_last_seen_timestamp", "When a unit was heard last, in Unix time.", seen)
    }
}

fn label(row: &UnitStatus) -> [(&'static str, &str); 1] {
    [("unit", row.unit.as_str())]
}

const fn severity(health: Health) -> u64 {
    match health {
        Health::Ok => 0,
        Health::Degraded => 1,
        Health::Critical => 2,
        Health::Offline => 3,
    }
}

/// Labels with their values.
type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// The text that is written, one family of figures after another.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn info<const N: usize>(&mut self, name: &str, help: &str, labels: &Labels<'_, N>) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }

    fn counter<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'l, N>, impl EncodeCounterValue)>,
    ) -> fmt::Result {
        let rows = rows.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(name, help, None, MetricType::Counter, rows)
    }

    fn gauge<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'l, N>, impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        let rows = rows.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(name, help, None, MetricType::Gauge, rows)
    }

    /// A gauge whose name gets `_seconds`.
    fn seconds<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'l, N>, f64)>,
    ) -> fmt::Result {
        let rows = rows.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(name, help, Some(&Unit::Seconds), MetricType::Gauge, rows)
    }

    fn family<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        kind: MetricType,
        rows: impl Iterator<Item = (Labels<'l, N>, impl EncodeMetric)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, unit, kind)?;
        for (labels, metric) in rows {
            if N == 0 {
                return metric.encode(family);
            }
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Odd;

    impl fmt::Debug for Odd {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Odd")
        }
    }

    impl Collector for Odd {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            Page(encoder).gauge("odd", "Odd.", [([("name", "a\"b\\c\nd}é")], 1_u64)])
        }
    }

    #[test]
    fn odd_characters_stay_within_their_label() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Odd));
        let mut text = String::new();
        text::encode(&mut text, &registry).expect("a text");
        assert_eq!(text, "# HELP odd Odd.\n# TYPE odd gauge\nodd{name=\"a\\\"b\\\\c\\nd}é\"} 1\n# EOF\n");
    }
}
