//! What a kernel is set to.

use nunect_core::Period;
use nunect_core::time::nanos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the hosts' kernels are set. The defaults are those of Linux 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TcpConfig {
    /// The payload of a full segment in bytes: 1,500 less the headers of IPv4 and TCP and a timestamp.
    pub mss: u32,
    /// Segments that may be under way before anything is known of the path (RFC 6928).
    pub initial_window: u32,
    /// The least that the retransmission time-out adds to the smoothed round trip (`tcp_rto_min_us`).
    pub min_rto: Period,
    /// The longest retransmission time-out (RFC 6298, 2.5).
    pub max_rto: Period,
    /// How long a receiver waits for an answer to send the acknowledgement with (`TCP_DELACK_MIN`).
    pub delayed_ack: Period,
    /// The grain of the kernel's timers, 1/`CONFIG_HZ`; with 0s they fire when they are due.
    pub jiffy: Period,
    /// Bytes up to which a send buffer grows (the third figure of `tcp_wmem`).
    pub send_buffer_max: u32,
    /// How often a handshake is tried again (`tcp_syn_retries`).
    pub syn_retries: u32,
    /// How many of these tries come one second apart before the time between them doubles
    /// (`tcp_syn_linear_timeouts`; 4 since Linux 6.5, none before).
    pub syn_linear_timeouts: u32,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            mss: 1_448,
            initial_window: 10,
            min_rto: Period::from_millis(200),
            max_rto: Period::from_secs(120),
            delayed_ack: Period::from_millis(40),
            jiffy: Period::from_millis(4),
            send_buffer_max: 4 * 1_024 * 1_024,
            syn_retries: 6,
            syn_linear_timeouts: 0,
        }
    }
}

/// The same in the units that the model computes with: microseconds, as the kernel does.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(super) mss: u32,
    pub(super) initial_window: u32,
    pub(super) min_rto: u32,
    pub(super) max_rto: u32,
    pub(super) delayed_ack: u32,
    /// In nanoseconds.
    pub(super) jiffy: u64,
    pub(super) send_buffer_max: u32,
    pub(super) syn_retries: u32,
    pub(super) syn_linear_timeouts: u32,
}

impl Kernel {
    pub(crate) fn new(config: &TcpConfig) -> Self {
        let micros = |period: Period| u32::try_from(period.0.as_micros()).unwrap_or(u32::MAX);
        Self {
            mss: config.mss.max(1),
            initial_window: config.initial_window.max(1),
            min_rto: micros(config.min_rto),
            max_rto: micros(config.max_rto).max(1),
            delayed_ack: micros(config.delayed_ack),
            jiffy: nanos(config.jiffy.0),
            send_buffer_max: config.send_buffer_max,
            syn_retries: config.syn_retries,
            syn_linear_timeouts: config.syn_linear_timeouts,
        }
    }

    /// When a timer fires that is set now to so many microseconds ahead.
    ///
    /// The kernel's timer wheel (`kernel/time/timer.c`) never fires early: it counts whole jiffies,
    /// adds one for the jiffy that has begun, and beyond 63 of them looks only every 8th, beyond 504
    /// only every 64th, and so on.
    pub(super) fn fires(&self, now: u64, after: u32) -> u64 {
        let after = u64::from(after) * 1_000;
        if self.jiffy == 0 {
            return now.saturating_add(after);
        }
        let ahead = after.div_ceil(self.jiffy).max(1);
        let mut shift = 0;
        while ahead >= 63 << shift && shift < 24 {
            shift += 3;
        }
        let tick = (((now / self.jiffy + ahead) >> shift) + 1) << shift;
        tick.saturating_mul(self.jiffy)
    }
}
