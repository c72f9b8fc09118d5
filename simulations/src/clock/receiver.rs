//! What the GPS receiver of a node shows, in the words of gpsd.

use nunect_core::clock::{GpsFix, GpsPulse, GpsStatus, Obstacle, PulseKind, Unread};
use nunect_core::{ClockReport, Now, Reading, TimeDaemon, Wall};

use super::WALL_START;
use super::oscillator::Pulse;
use super::servo::PULSE_NS;

/// The deviations within which a pulse is right, as its daemon states it: 1 in 16,000 is not.
const COVERED: f64 = 4.0;

/// What it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiver {
    /// Whether it has GPS.
    pub(super) present: bool,
    /// The last pulse.
    pub(super) pulse: Option<Pulse>,
}

/// What a node is told of its clock: what the receiver shows, or that there is none.
pub(crate) fn report(now: Now, receiver: Option<Receiver>) -> ClockReport {
    let answer = match receiver {
        None => Err(Unread::new(Obstacle::Absent, "this node has no GPS receiver")),
        Some(Receiver { present, pulse }) => Ok(Reading::Gps(GpsStatus {
            device: Some("gps0".into()),
            fix: if present { GpsFix::ThreeD } else { GpsFix::No },
            satellites: None,
            pulse: pulse.map(|Pulse { at, offset_ns }| {
                let real = WALL_START.unix_nanos().saturating_add(at);
                GpsPulse {
                    kind: PulseKind::Pps,
                    real: Wall::from_unix_nanos(real),
                    clock: Wall::from_unix_nanos(real.saturating_add_signed(offset_ns)),
                    error_ns: (COVERED * PULSE_NS) as u64,
                }
            }),
        })),
    };
    ClockReport { at: now, daemon: TimeDaemon::Gpsd, answer }
}
