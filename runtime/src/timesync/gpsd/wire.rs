//! What gpsd says: one JSON object a line (gpsd_json(5)).

use nunect_core::Wall;
use nunect_core::clock::{GpsFix, GpsPulse, GpsStatus, PulseKind};
use nunect_core::table::Table;
use serde::Deserialize;

/// What begins a watch.
pub const WATCH: &[u8] = b"?WATCH={\"enable\":true,\"json\":true,\"pps\":true};\n";
/// The longest line that gpsd writes (gpsd.h, GPS_JSON_RESPONSE_MAX).
pub const LINE_MAX: usize = 10_240;
/// Receivers that are told apart.
pub const DEVICES_MAX: usize = 16;
/// The longest name of a receiver that is kept, bytes.
const NAME_MAX: usize = 128;

/// The precision of a pulse when gpsd does not say it, as a power of two of a second: what gpsd itself tells
/// ntpd for a pulse on a serial line (ntpshmwrite.c).
const PPS_PRECISION: i8 = -20;
/// The same for the arrival of the receiver's message.
const TOFF_PRECISION: i8 = -1;

/// A line that is no object of gpsd's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotGpsd;

/// What one line says, as far as it is about time.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Which gpsd it is.
    Version {
        /// Its release.
        release: Box<str>,
    },
    /// A receiver's fix.
    Fix {
        /// Which receiver.
        device: Option<Box<str>>,
        /// What it has.
        fix: GpsFix,
    },
    /// The satellites that a receiver uses.
    Satellites {
        /// Which receiver.
        device: Option<Box<str>>,
        /// How many.
        used: u8,
    },
    /// A comparison of the clocks.
    Pulse {
        /// Which receiver.
        device: Option<Box<str>>,
        /// The comparison.
        pulse: GpsPulse,
    },
    /// Something else.
    Other,
}

/// The fields of all objects together; each has some.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    class: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    release: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    device: Option<std::borrow::Cow<'a, str>>,
    mode: Option<u8>,
    #[serde(rename = "uSat")]
    used: Option<u8>,
    satellites: Option<Vec<Satellite>>,
    real_sec: Option<i64>,
    real_nsec: Option<i64>,
    clock_sec: Option<i64>,
    clock_nsec: Option<i64>,
    precision: Option<i8>,
}

#[derive(Deserialize)]
struct Satellite {
    #[serde(default)]
    used: bool,
}

impl Said {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is too long, or no JSON object with a class.
    pub fn parse(line: &[u8]) -> Result<Self, NotGpsd> {
        if line.len() > LINE_MAX {
            return Err(NotGpsd);
        }
        let line: Line<'_> = serde_json::from_slice(line).map_err(|_| NotGpsd)?;
        let name = |text: &str| text.chars().take(NAME_MAX / 4).collect::<String>().into_boxed_str();
        let device = line.device.as_deref().map(name);
        Ok(match line.class.as_ref() {
            "VERSION" => Self::Version { release: name(line.release.as_deref().unwrap_or("unknown")) },
            "TPV" => {
                let fix = match line.mode {
                    Some(1) => GpsFix::No,
                    Some(2) => GpsFix::TwoD,
                    Some(3) => GpsFix::ThreeD,
                    Some(_) | None => GpsFix::Unknown,
                };
                Self::Fix { device, fix }
            }
            "SKY" => {
                let counted = line.satellites.map(|all| all.iter().filter(|satellite| satellite.used).count());
                let counted = counted.map(|count| u8::try_from(count).unwrap_or(u8::MAX));
                line.used.or(counted).map_or(Self::Other, |used| Self::Satellites { device, used })
            }
            "PPS" => Self::pulse(PulseKind::Pps, &line, device, PPS_PRECISION)?,
            "TOFF" => Self::pulse(PulseKind::Toff, &line, device, TOFF_PRECISION)?,
            _ => Self::Other,
        })
    }

    fn pulse(kind: PulseKind, line: &Line<'_>, device: Option<Box<str>>, precision: i8) -> Result<Self, NotGpsd> {
        let real = instant(line.real_sec, line.real_nsec).ok_or(NotGpsd)?;
        let clock = instant(line.clock_sec, line.clock_nsec).ok_or(NotGpsd)?;
        let precision = f64::from(line.precision.unwrap_or(precision).clamp(-30, 10));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 ns to 1,024 s")]
        let error_ns = (precision.exp2() * 1e9).ceil() as u64;
        Ok(Self::Pulse { device, pulse: GpsPulse { kind, real, clock, error_ns } })
    }
}

/// An instant of seconds and nanoseconds, which gpsd normalizes.
fn instant(seconds: Option<i64>, nanos: Option<i64>) -> Option<Wall> {
    let nanos = u64::try_from(nanos?).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let seconds = u64::try_from(seconds?).ok()?;
    Some(Wall::from_unix_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

/// What is known of all receivers.
#[derive(Clone, Debug, Default)]
pub struct Sky {
    /// Which gpsd tells, once it has said so.
    pub release: Option<Box<str>>,
    receivers: Table<Box<str>, Receiver>,
}

#[derive(Clone, Debug, Default)]
struct Receiver {
    fix: GpsFix,
    satellites: Option<u8>,
    pulse: Option<GpsPulse>,
}

impl Sky {
    /// Takes in what was said.
    pub fn hear(&mut self, said: Said) {
        match said {
            Said::Version { release } => self.release = Some(release),
            Said::Fix { device, fix } => self.of(device, |receiver| receiver.fix = fix),
            Said::Satellites { device, used } => self.of(device, |receiver| receiver.satellites = Some(used)),
            Said::Pulse { device, pulse } => self.of(device, |receiver| {
                // A message's arrival tells nothing beside a pulse.
                let pulses = receiver.pulse.is_some_and(|last| last.kind == PulseKind::Pps);
                if pulse.kind == PulseKind::Pps || !pulses {
                    receiver.pulse = Some(pulse);
                }
            }),
            Said::Other => {}
        }
    }

    fn of(&mut self, device: Option<Box<str>>, change: impl FnOnce(&mut Receiver)) {
        let device = device.unwrap_or_default();
        if self.receivers.len() < DEVICES_MAX || self.receivers.contains_key(&device) {
            change(self.receivers.entry(device).or_default());
        }
    }

    /// The receiver that tells the time best: by a pulse, by its messages, or not at all; of those alike, the
    /// one that told last.
    #[must_use]
    pub fn status(&self) -> GpsStatus {
        let rank = |receiver: &Receiver| receiver.pulse.map(|pulse| (pulse.kind == PulseKind::Pps, pulse.clock));
        let best = self.receivers.iter().max_by_key(|(_, receiver)| (rank(receiver), receiver.fix));
        let Some((device, Receiver { fix, satellites, pulse })) = best else {
            return GpsStatus { device: None, fix: GpsFix::Unknown, satellites: None, pulse: None };
        };
        let device = Some(device.clone()).filter(|device| !device.is_empty());
        GpsStatus { device, fix: *fix, satellites: *satellites, pulse: *pulse }
    }
}

/// For fuzzing: reads lines of any bytes, and does with them what a reader does.
pub fn fuzz(data: &[u8]) {
    let mut sky = Sky::default();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(said) = Said::parse(line) {
            sky.hear(said);
        }
    }
    let status = sky.status();
    assert!(status.device.is_none_or(|device| device.len() <= NAME_MAX));
}

#[cfg(test)]
mod tests;
