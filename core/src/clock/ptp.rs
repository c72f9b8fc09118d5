//! What ptp4l knows, and how PTP clocks are named.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The identity of a PTP clock: eight bytes, mostly made of a MAC address (IEEE 1588, section 7.5.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockIdentity(pub [u8; 8]);

impl ClockIdentity {
    /// That of a clock whose MAC address this is, as linuxptp makes it: `FF FE` in the middle.
    #[must_use]
    pub const fn of_mac([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self([a, b, c, 0xff, 0xfe, d, e, f])
    }
}

/// As linuxptp writes it: `001122.fffe.334455`.
impl fmt::Display for ClockIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i] = self.0;
        write!(f, "{a:02x}{b:02x}{c:02x}.{d:02x}{e:02x}.{g:02x}{h:02x}{i:02x}")
    }
}

/// Which grandmaster is to be followed, as an operator names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grandmaster {
    /// By its identity, or by the MAC address that the identity is made of.
    Identity(ClockIdentity),
    /// By its network address, which only the grandmaster itself can tell.
    Address(IpAddr),
}

/// A text that names no PTP clock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no clock; write its address, 10.0.0.1, or identity, 001122.fffe.334455")]
pub struct NoClock(pub String);

/// Reads an address (`10.0.0.1`), a MAC address (`00:11:22:33:44:55`), or an identity of eight bytes as
/// linuxptp (`001122.fffe.334455`) or as others write it (`00:11:22:ff:fe:33:44:55`).
impl FromStr for Grandmaster {
    type Err = NoClock;
    fn from_str(text: &str) -> Result<Self, NoClock> {
        // Eight pairs would also be an IPv6 address that nobody has.
        let is_pairs = text.split(':').all(|pair| pair.len() == 2);
        if let Some(address) = text.parse().ok().filter(|_| !is_pairs) {
            return Ok(Self::Address(address));
        }
        let error = || NoClock(text.to_owned());
        let mut digits = String::with_capacity(16);
        let groups: Vec<&str> = text.split([':', '-', '.']).collect();
        let shaped = match groups.as_slice() {
            [head, middle, tail] => {
                text.matches('.').count() == 2 && (head.len(), middle.len(), tail.len()) == (6, 4, 6)
            }
            pairs => matches!(pairs.len(), 6 | 8) && pairs.iter().all(|pair| pair.len() == 2) && !text.contains('.'),
        };
        if !shaped {
            return Err(error());
        }
        groups.iter().for_each(|group| digits.push_str(group));
        let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
        let bytes = bytes.filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit())).ok_or_else(error)?;
        if let Ok(identity) = <[u8; 8]>::try_from(bytes.as_slice()) {
            return Ok(Self::Identity(ClockIdentity(identity)));
        }
        <[u8; 6]>::try_from(bytes.as_slice()).map(|mac| Self::Identity(ClockIdentity::of_mac(mac))).map_err(|_| error())
    }
}

/// A duration or offset in 2⁻¹⁶ nanoseconds, as IEEE 1588 writes a time interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScaledNanos(pub i64);

impl ScaledNanos {
    /// Whole nanoseconds, rounded down.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0 >> 16
    }
}

/// As `pmc` writes it: nanoseconds with one decimal.
impl fmt::Display for ScaledNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "pmc shows it so, too")]
        let nanos = self.0 as f64 / 65_536.0;
        write!(f, "{nanos:.1}")
    }
}

/// What ptp4l knows (IEEE 1588 management, and linuxptp's TIME_STATUS_NP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PtpStatus {
    /// The domain in which it was asked.
    pub domain: u8,
    /// The state of the port that follows a master, or else of the first one.
    pub port: PtpState,
    /// The grandmaster.
    pub grandmaster: ClockIdentity,
    /// The grandmaster's network address, when somebody asked for it and it answered.
    pub grandmaster_address: Option<IpAddr>,
    /// The grandmaster's own accuracy in nanoseconds, when it claims one (IEEE 1588, clockAccuracy).
    pub grandmaster_accuracy_ns: Option<u64>,
    /// The grandmaster's clockClass: 6 is locked to a primary reference, 7 in holdover from one.
    pub grandmaster_class: u8,
    /// Whether ptp4l has a grandmaster (`gmPresent`); it goes on saying so after the grandmaster died.
    pub grandmaster_present: bool,
    /// Clocks between it and the grandmaster; 0 on the grandmaster itself.
    pub steps_removed: u16,
    /// The last offset from the master, nanoseconds (`master_offset`).
    pub offset_ns: i64,
    /// When the last sync message arrived, by the clock that ptp4l compares, in nanoseconds
    /// (`ingress_time`); 0: none counts.
    pub ingress_ns: i64,
    /// The mean path delay (`meanPathDelay`, or the peer delay where that is measured).
    pub path_delay: ScaledNanos,
    /// How long the port waits for an announce message before it gives its master up.
    pub announce_timeout: Duration,
    /// The time between two sync messages.
    pub sync_interval: Duration,
    /// TAI − UTC in seconds, when the grandmaster vouches for it.
    pub utc_offset_s: Option<i16>,
    /// Whether the domain runs on TAI; else its epoch is arbitrary, mostly UTC.
    pub ptp_timescale: bool,
    /// Whether the network card stamps, and not the kernel.
    pub hardware: Option<bool>,
    /// The network interface of the port.
    pub interface: Option<Box<str>>,
    /// The system clock against the card's, where the card's is what ptp4l steers or compares.
    pub card: Option<CardOffset>,
}

/// A port's state (IEEE 1588, table 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum PtpState {
    Initializing,
    Faulty,
    Disabled,
    Listening,
    PreMaster,
    Master,
    Passive,
    Uncalibrated,
    Slave,
}

impl PtpState {
    /// The standard's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Faulty => "FAULTY",
            Self::Disabled => "DISABLED",
            Self::Listening => "LISTENING",
            Self::PreMaster => "PRE_MASTER",
            Self::Master => "MASTER",
            Self::Passive => "PASSIVE",
            Self::Uncalibrated => "UNCALIBRATED",
            Self::Slave => "SLAVE",
        }
    }
}

impl fmt::Display for PtpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The system clock against the clock of a network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardOffset {
    /// System clock minus card's clock, nanoseconds, both as UTC.
    pub offset_ns: i64,
    /// By how much that may be wrong: half the time that the reading took.
    pub error_ns: u64,
}
