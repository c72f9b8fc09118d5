//! Units that beat, as a server delivers their heartbeats.

use std::fmt::Write;
use std::time::Duration;

use nunect_core::protocol::header;
use nunect_core::{Body, Headers, Message, Now, Subject};

/// One unit.
#[derive(Debug)]
pub struct Unit {
    number: usize,
    interval: Duration,
    sequence: u64,
}

impl Unit {
    /// The unit of this number, which announces this interval, before its first heartbeat.
    #[must_use]
    pub const fn new(number: usize, interval: Duration) -> Self {
        Self { number, interval, sequence: 0 }
    }

    /// Where it beats.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("ops.heartbeat.relay-{:06}", self.number)
    }

    /// The headers and the payload of its next heartbeat: all that a node of ours sends.
    pub fn beat(&mut self) -> (String, String) {
        self.sequence += 1;
        let Self { number, interval, sequence } = self;
        // Any odd factor gives each its own session.
        let session = (*number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tx_ms = 1_767_225_600_000 + *sequence * 5_000;
        let mut headers = String::with_capacity(512);
        let mut header = |name: &str, value: std::fmt::Arguments<'_>| {
            writeln!(headers, "{name}: {value}\r").expect("a text takes everything");
        };
        header(header::UNIT_ID.name(), format_args!("relay-{number:06}"));
        header(header::SEQUENCE.name(), format_args!("{sequence}"));
        header(header::SESSION_ID.name(), format_args!("{session:016x}"));
        header(header::TX_TIMESTAMP.name(), format_args!("{tx_ms}000000"));
        header(header::CLOCK_SOURCE.name(), format_args!("ptp"));
        header(header::CLOCK_QUALITY.name(), format_args!("locked"));
        header(header::HEALTH_STATUS.name(), format_args!("OK"));
        header(header::HEARTBEAT_INTERVAL.name(), format_args!("{}", interval.as_millis()));
        header(header::ROLE.name(), format_args!("node"));
        header(header::UPTIME.name(), format_args!("{}", *sequence * 5));
        header(header::CPU_LOAD.name(), format_args!("37%"));
        header(header::MEMORY_USAGE.name(), format_args!("52%"));
        header(header::RTT_NATIVE.name(), format_args!("410"));
        header(header::RTT_APP.name(), format_args!("1240"));
        (headers, format!("{{\"status\":\"OK\",\"sequence\":{sequence},\"ts\":{tx_ms}}}"))
    }

    /// Its next heartbeat as a message that reached this node at `now`.
    pub fn message(&mut self, now: Now) -> Message {
        let (headers, payload) = self.beat();
        Message {
            subject: Subject::delivered(self.subject()),
            headers: Headers::from_raw(headers.into()),
            body: Body::Bytes(payload.into()),
            reply: None,
            received: now,
        }
    }
}
