//! What a host knows of its clock, as the sensors of its node deliver it (protocol, section 4).
//!
//! A [`ClockReport`] is what one time daemon said when it was asked, in the daemon's own terms: nothing
//! of it is judged here. Whether it may be believed, and how far, is for the actor that reads it.
//!
//! Everywhere a positive offset means that the local clock is ahead.

use core::net::IpAddr;
use std::borrow::Cow;
use std::fmt;

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::message::ClockStamp;
use crate::time::{Mono, Now, Wall};

pub mod delay;
pub mod sync;

/// What a node says about its clock, and for how long that holds.
///
/// Whoever says it says it again in time. If nobody does, since who knew is gone, the clock counts as
/// unsynced: a claim does not outlive those who can answer for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockClaim {
    /// What it says.
    pub stamp: ClockStamp,
    /// Until when that holds.
    pub until: Mono,
}

impl ClockClaim {
    /// What holds at `now`.
    #[must_use]
    pub fn at(&self, now: Mono) -> ClockStamp {
        if now < self.until { self.stamp } else { ClockStamp::default() }
    }
}

/// What one time daemon said, or why it said nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockReport {
    /// When it was read. Both clocks were read together, without a pause between them: who compares two
    /// reports sees a step of the wall clock.
    pub at: Now,
    /// Who was asked.
    pub daemon: TimeDaemon,
    /// The answer.
    pub answer: Result<Reading, Unread>,
}

/// Who knows about the clock of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeDaemon {
    /// linuxptp's ptp4l.
    Ptp4l,
    /// gpsd.
    Gpsd,
    /// chronyd, or another NTP daemon through its own tool.
    Chronyd,
    /// The kernel itself.
    Kernel,
}

impl TimeDaemon {
    /// Its name, as its users write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ptp4l => "ptp4l",
            Self::Gpsd => "gpsd",
            Self::Chronyd => "chronyd",
            Self::Kernel => "kernel",
        }
    }
}

impl fmt::Display for TimeDaemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a daemon said.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// ptp4l.
    Ptp(PtpStatus),
    /// gpsd.
    Gps(GpsStatus),
    /// chronyd, or another NTP daemon.
    Ntp(NtpStatus),
    /// The kernel.
    Kernel(KernelStatus),
}

/// Why a daemon said nothing that could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Unread {
    /// Which kind of obstacle it is.
    pub cause: Obstacle,
    /// In words, with the address that was tried.
    pub detail: Cow<'static, str>,
}

impl Unread {
    /// This obstacle, in these words.
    #[must_use]
    pub fn new(cause: Obstacle, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { cause, detail: detail.into() }
    }
}

/// What keeps a daemon from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It does not run here: there is no such socket, or nobody listens.
    Absent,
    /// This process may not talk to it.
    Denied,
    /// It does not answer in time.
    Silent,
    /// It answers in another PTP domain than the one that is configured.
    OtherDomain {
        /// In which.
        answers: u8,
        /// With which value of transportSpecific (the majorSdoId of IEEE 1588-2019).
        transport_specific: u8,
    },
    /// It answers, and refuses what it is asked.
    Refused,
    /// What it says cannot be read.
    Malformed,
}

/// How many of each thing went wrong while a reader asked a daemon; since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderCounters {
    /// Questions.
    pub asked: u64,
    /// Questions without an answer in time.
    pub timeouts: u64,
    /// Datagrams that are no answer to the question: another sequence number, another sender, a second copy.
    pub strays: u64,
    /// Answers that could not be read.
    pub malformed: u64,
}

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

/// What an NTP daemon knows, in seconds and in its own signs (chrony, `chronyc tracking`).
#[derive(Clone, Debug, PartialEq)]
pub struct NtpStatus {
    /// Whom it follows: an address, or the name of a reference clock. None before it follows anybody.
    pub server: Option<Box<str>>,
    /// The reference ID: 0 before it follows anybody, [`LOCAL_REFERENCE`](Self::LOCAL_REFERENCE) for itself.
    pub reference_id: u32,
    /// 1 to 15; 0 or 16: not synchronised.
    pub stratum: u8,
    /// The leap indicator.
    pub leap: Leap,
    /// When the clock was last corrected, by the daemon's own time.
    pub reference_time: Wall,
    /// What is to be added to the local clock: positive = the local clock is slow.
    pub correction_s: f64,
    /// The last measured offset, as `chronyc` signs it.
    pub last_offset_s: f64,
    /// The long-term average of the offsets.
    pub rms_offset_s: f64,
    /// By how much the clock would be fast without correction, parts per million.
    pub frequency_ppm: f64,
    /// By how much that may be wrong.
    pub skew_ppm: f64,
    /// The delay to the primary reference and back.
    pub root_delay_s: f64,
    /// The dispersion to the primary reference, grown until now.
    pub root_dispersion_s: f64,
    /// The time between the last two corrections.
    pub update_interval_s: f64,
    /// Its sources; `None` when they could not be asked for.
    pub sources: Option<Vec<NtpSource>>,
    /// Through what it was asked.
    pub via: NtpVia,
}

impl NtpStatus {
    /// 127.127.1.1: the daemon follows its own clock (`local stratum`).
    pub const LOCAL_REFERENCE: u32 = 0x7f7f_0101;

    /// By how much the local clock is ahead, nanoseconds.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        nanos_of(-self.correction_s)
    }

    /// By how much it may be wrong at most: |correction| + root dispersion + root delay / 2, nanoseconds
    /// (RFC 5905, section 11.2, root distance; chrony's "maximum error").
    #[must_use]
    pub fn error_bound_ns(&self) -> u64 {
        let bound = self.correction_s.abs() + self.root_dispersion_s + self.root_delay_s / 2.0;
        u64::try_from(nanos_of(bound)).unwrap_or(u64::MAX)
    }
}

/// Seconds as whole nanoseconds; what is no number is as large as can be.
fn nanos_of(seconds: f64) -> i64 {
    if seconds.is_nan() {
        return i64::MAX;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let nanos = (seconds * 1e9).round() as i64;
    nanos
}

/// Through what an NTP daemon was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NtpVia {
    /// chronyd's own protocol.
    Cmdmon,
    /// The tool `chronyc`.
    Chronyc,
    /// The tool `ntpq`.
    Ntpq,
}

/// The leap indicator of NTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leap {
    /// None is due.
    Normal,
    /// The last minute of the day has 61 seconds.
    Insert,
    /// It has 59.
    Delete,
    /// Not synchronised.
    Unsynchronised,
}

/// One of the sources of an NTP daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NtpSource {
    /// Its address, or the name of a reference clock.
    pub name: Box<str>,
    /// Whether the daemon follows it.
    pub selected: bool,
    /// Its stratum.
    pub stratum: u8,
    /// The time between two questions.
    pub poll: Duration,
    /// The last eight questions, the latest in the lowest bit: 1 = answered.
    pub reach: u8,
    /// How long ago the last answer came.
    pub since: Option<Duration>,
}

/// What gpsd knows of one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpsStatus {
    /// The receiver.
    pub device: Option<Box<str>>,
    /// What it has.
    pub fix: GpsFix,
    /// Satellites in use.
    pub satellites: Option<u8>,
    /// The latest comparison of the system clock with the receiver's, if there was any. A bare fix has none.
    pub pulse: Option<GpsPulse>,
}

/// A receiver's fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GpsFix {
    /// Not known.
    #[default]
    Unknown,
    /// None.
    No,
    /// Position.
    #[serde(rename = "2D")]
    TwoD,
    /// Position and altitude.
    #[serde(rename = "3D")]
    ThreeD,
}

impl fmt::Display for GpsFix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::No => "no fix",
            Self::TwoD => "2D fix",
            Self::ThreeD => "3D fix",
        })
    }
}

/// The system clock, as it was when the receiver's showed a whole second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpsPulse {
    /// How the second was told.
    pub kind: PulseKind,
    /// The receiver's time.
    pub real: Wall,
    /// The system clock's.
    pub clock: Wall,
    /// By how much the comparison may be wrong, nanoseconds: what the daemon says of it, or is known of its kind.
    pub error_ns: u64,
}

impl GpsPulse {
    /// By how much the local clock is ahead, nanoseconds.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        let wide = i128::from(self.clock.unix_nanos()) - i128::from(self.real.unix_nanos());
        i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
    }
}

/// How a receiver tells that a second begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PulseKind {
    /// By a pulse on a wire.
    Pps,
    /// By the arrival of its message.
    Toff,
}

/// What the kernel knows (`adjtimex`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelStatus {
    /// Whether somebody told the kernel that the clock is right: neither TIME_ERROR nor STA_UNSYNC.
    pub synchronized: bool,
    /// What is left to correct: positive = the local clock is ahead. Nanoseconds.
    pub offset_ns: i64,
    /// The bound on the error that was told, grown by 500 ppm since. Microseconds.
    pub max_error_us: u64,
    /// The error that was estimated. Microseconds.
    pub estimated_error_us: u64,
    /// The correction of the frequency, parts per million.
    pub frequency_ppm: f64,
    /// TAI − UTC in seconds, when somebody told.
    pub tai_offset_s: Option<i32>,
}

#[cfg(test)]
mod tests;
