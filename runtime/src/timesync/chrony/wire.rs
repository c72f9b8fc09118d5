//! chronyd's monitoring protocol, version 6: questions and answers as datagrams.
//!
//! All numbers are big-endian. A question is as long as its answer, padded with zeros: chronyd gives nobody
//! more bytes than it got. A reply carries the command and the sequence number of its question, so that the
//! two are matched before anything else of it is read.
//!
//! The layout was measured on chronyd 4.3 (`wire/tests.rs` holds its datagrams and says how they were recorded).

use std::time::Duration;

use nunect_core::Wall;
use nunect_core::clock::Leap;

use self::fields::Fields;

mod fields;

pub use self::fields::{Address, float_of, reference_name};

/// The version of the protocol that is spoken here: that of chrony 4.3.
pub const VERSION: u8 = 6;
/// The longest question, bytes.
pub const QUESTION_MAX_BYTES: usize = 104;
/// More than the longest answer to a question of ours, bytes. What is longer may be cut off.
pub const REPLY_MAX_BYTES: usize = 512;

const QUESTION_HEADER_BYTES: usize = 20;
const REPLY_HEADER_BYTES: usize = 28;
const QUESTION: u8 = 1;
const REPLY: u8 = 2;
/// The longest and shortest interval between two questions, as powers of two of a second (chrony.conf(5),
/// `minpoll` and `maxpoll`), with room to spare.
const POLL: std::ops::RangeInclusive<i16> = -10..=30;

/// What chronyd is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// How the clock is corrected, and by whom.
    Tracking,
    /// How many sources there are.
    SourceCount,
    /// One source, by its index from 0.
    Source(u32),
    /// The statistics of one source, by its index from 0.
    SourceStatistics(u32),
}

impl Question {
    /// The number of the command.
    #[must_use]
    pub const fn command(self) -> u16 {
        match self {
            Self::SourceCount => 14,
            Self::Source(_) => 15,
            Self::Tracking => 33,
            Self::SourceStatistics(_) => 34,
        }
    }

    /// The number by which a reply says what it holds.
    const fn reply(self) -> u16 {
        match self {
            Self::SourceCount => 2,
            Self::Source(_) => 3,
            Self::Tracking => 5,
            Self::SourceStatistics(_) => 6,
        }
    }

    /// The length of the question, and of the answer, in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::SourceCount => 32,
            Self::Source(_) => 76,
            Self::SourceStatistics(_) => 84,
            Self::Tracking => QUESTION_MAX_BYTES,
        }
    }

    /// The datagram that asks it under the number `sequence`.
    #[must_use]
    pub fn encode(self, sequence: u32) -> Encoded {
        let mut datagram = [0; QUESTION_MAX_BYTES];
        datagram[0] = VERSION;
        datagram[1] = QUESTION;
        datagram[4..6].copy_from_slice(&self.command().to_be_bytes());
        datagram[8..12].copy_from_slice(&sequence.to_be_bytes());
        match self {
            Self::Tracking | Self::SourceCount => {}
            Self::Source(index) | Self::SourceStatistics(index) => {
                datagram[QUESTION_HEADER_BYTES..][..4].copy_from_slice(&index.to_be_bytes());
            }
        }
        Encoded { datagram, bytes: self.bytes() }
    }
}

/// A question as a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    datagram: [u8; QUESTION_MAX_BYTES],
    bytes: usize,
}

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        &self.datagram[..self.bytes]
    }
}

/// Why a datagram is no reply that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends too early.
    #[error("an answer of {bytes} bytes, of at least {needed}")]
    Short {
        /// How long it is.
        bytes: usize,
        /// How long it has to be.
        needed: usize,
    },
    /// It is no reply.
    #[error("a datagram that is no reply (packet type {0})")]
    NoReply(u8),
    /// It is one of another version of the protocol.
    #[error("it speaks version {0} of chronyd's protocol, and version {VERSION} is understood here")]
    Version(u8),
    /// It holds something else than it was asked for.
    #[error("an answer of kind {got} where kind {wanted} was asked for")]
    Kind {
        /// Which it is.
        got: u16,
        /// Which was asked for.
        wanted: u16,
    },
    /// A field has a value that it cannot have.
    #[error("{field} cannot be {value}")]
    Field {
        /// Which.
        field: &'static str,
        /// Its value.
        value: i64,
    },
}

/// Why chronyd does not answer a question (its status codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 1.
    #[error("it failed")]
    Failed,
    /// 2: only its UNIX socket may ask that.
    #[error("not authorised")]
    Unauthorised,
    /// 3: it does not know the command.
    #[error("it does not know the command")]
    Invalid,
    /// 4: there is no source of this index, or no more.
    #[error("no such source")]
    NoSuchSource,
    /// 18.
    #[error("it does not speak version {VERSION} of its protocol, the only one that is understood here")]
    Version,
    /// 19.
    #[error("it takes a question for too short or too long")]
    Length,
    /// Another.
    #[error("status {0}")]
    Other(u16),
}

impl Refusal {
    /// What a status code says; `None` for success.
    #[must_use]
    pub const fn of_status(status: u16) -> Option<Self> {
        match status {
            0 => None,
            1 => Some(Self::Failed),
            2 => Some(Self::Unauthorised),
            3 => Some(Self::Invalid),
            4 => Some(Self::NoSuchSource),
            18 => Some(Self::Version),
            19 => Some(Self::Length),
            other => Some(Self::Other(other)),
        }
    }
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Question::Tracking`].
    Tracking(Tracking),
    /// To [`Question::SourceCount`].
    SourceCount(u32),
    /// To [`Question::Source`].
    Source(Source),
    /// To [`Question::SourceStatistics`].
    SourceStatistics(SourceStatistics),
}

/// A reply of which only the header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    datagram: &'a [u8],
    /// The command that it answers.
    pub command: u16,
    /// The number under which that was asked.
    pub sequence: u32,
    /// The status code.
    status: u16,
    kind: u16,
}

impl<'a> Reply<'a> {
    /// Reads the header of a datagram.
    ///
    /// # Errors
    /// If it is too short, no reply, or one of another version of the protocol.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let fields = Fields::of(datagram, REPLY_HEADER_BYTES)?;
        let [version, kind, ..] = fields.bytes::<4>(0)?;
        if kind != REPLY {
            return Err(Malformed::NoReply(kind));
        }
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        Ok(Self {
            datagram,
            command: fields.u16(4)?,
            kind: fields.u16(6)?,
            status: fields.u16(8)?,
            sequence: fields.u32(16)?,
        })
    }

    /// Reads what it says to `question`; the inner result is chronyd's own.
    ///
    /// # Errors
    /// If it is too short, holds the answer to something else, or a value that cannot be.
    pub fn answer(&self, question: Question) -> Result<Result<Answer, Refusal>, Malformed> {
        if let Some(refusal) = Refusal::of_status(self.status) {
            return Ok(Err(refusal));
        }
        if self.kind != question.reply() {
            return Err(Malformed::Kind { got: self.kind, wanted: question.reply() });
        }
        let fields = Fields::of(self.datagram, question.bytes())?;
        Ok(Ok(match question {
            Question::Tracking => Answer::Tracking(Tracking::decode(&fields)?),
            Question::SourceCount => Answer::SourceCount(fields.u32(REPLY_HEADER_BYTES)?),
            Question::Source(_) => Answer::Source(Source::decode(&fields)?),
            Question::SourceStatistics(_) => Answer::SourceStatistics(SourceStatistics::decode(&fields)?),
        }))
    }
}

/// How the clock is corrected (`chronyc tracking`).
#[derive(Clone, Debug, PartialEq)]
pub struct Tracking {
    /// The reference ID.
    pub reference_id: u32,
    /// The source; none before there is one, and for a reference clock.
    pub address: Address,
    /// 0 before there is a source.
    pub stratum: u8,
    /// The leap indicator.
    pub leap: Leap,
    /// When the clock was last corrected; 1970 before it ever was.
    pub reference_time: Wall,
    /// What is to be added to the clock, seconds: positive = the clock is slow.
    pub correction_s: f64,
    /// The last measured offset, seconds.
    pub last_offset_s: f64,
    /// The long-term average of the offsets, seconds.
    pub rms_offset_s: f64,
    /// By how much the clock would be fast without correction, parts per million.
    pub frequency_ppm: f64,
    /// What the source's frequency differs from that, parts per million.
    pub residual_ppm: f64,
    /// By how much the frequency may be wrong, parts per million.
    pub skew_ppm: f64,
    /// The delay to the primary reference and back, seconds.
    pub root_delay_s: f64,
    /// The dispersion to the primary reference, seconds.
    pub root_dispersion_s: f64,
    /// The time between the last two corrections, seconds.
    pub update_interval_s: f64,
}

impl Tracking {
    fn decode(fields: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            reference_id: fields.u32(28)?,
            address: fields.address(32)?,
            stratum: fields.small("the stratum", 52)?,
            leap: match fields.u16(54)? {
                0 => Leap::Normal,
                1 => Leap::Insert,
                2 => Leap::Delete,
                3 => Leap::Unsynchronised,
                other => return Err(Malformed::Field { field: "the leap indicator", value: other.into() }),
            },
            reference_time: fields.wall(56)?,
            correction_s: fields.float(68)?,
            last_offset_s: fields.float(72)?,
            rms_offset_s: fields.float(76)?,
            frequency_ppm: fields.float(80)?,
            residual_ppm: fields.float(84)?,
            skew_ppm: fields.float(88)?,
            root_delay_s: fields.float(92)?,
            root_dispersion_s: fields.float(96)?,
            update_interval_s: fields.float(100)?,
        })
    }
}

/// One source (`chronyc sources`).
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Who it is.
    pub peer: SourcePeer,
    /// The time between two questions.
    pub poll: Duration,
    /// Its stratum; 0 before it answered, and for a reference clock.
    pub stratum: u8,
    /// What chronyd makes of it.
    pub state: SourceState,
    /// The last eight questions, the latest in the lowest bit: 1 = answered.
    pub reach: u8,
    /// How long ago the last answer came; `None` before the first.
    pub since: Option<Duration>,
}

/// Who a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourcePeer {
    /// A host.
    Host(Address),
    /// A reference clock, by its reference ID.
    Clock(u32),
}

/// What chronyd makes of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It follows it.
    Selected,
    /// It cannot be selected: it does not answer, or is not synchronised.
    NonSelectable,
    /// The others disagree with it.
    Falseticker,
    /// It varies too much.
    Jittery,
    /// It could be followed, and is not combined with the selected one.
    Unselected,
    /// It is combined with the selected one.
    Selectable,
}

impl Source {
    /// A source that chronyd never heard of: its age in seconds.
    const NEVER: u32 = u32::MAX;

    fn decode(fields: &Fields<'_>) -> Result<Self, Malformed> {
        let poll = fields.i16(48)?;
        if !POLL.contains(&poll) {
            return Err(Malformed::Field { field: "the polling interval", value: poll.into() });
        }
        let state = match fields.u16(52)? {
            0 => SourceState::Selected,
            1 => SourceState::NonSelectable,
            2 => SourceState::Falseticker,
            3 => SourceState::Jittery,
            4 => SourceState::Unselected,
            5 => SourceState::Selectable,
            other => return Err(Malformed::Field { field: "the state of a source", value: other.into() }),
        };
        let peer = match fields.u16(54)? {
            // Client of a server, or symmetric peer.
            0 | 1 => SourcePeer::Host(fields.address(28)?),
            2 => SourcePeer::Clock(fields.u32(28)?),
            other => return Err(Malformed::Field { field: "the mode of a source", value: other.into() }),
        };
        Ok(Self {
            peer,
            poll: power_of_two_s(poll),
            stratum: fields.small("the stratum of a source", 50)?,
            state,
            reach: fields.small("the reach of a source", 58)?,
            since: Some(fields.u32(60)?).filter(|&since| since != Self::NEVER).map(|s| Duration::from_secs(s.into())),
        })
    }
}

/// 2^`exponent` seconds, to the nanosecond; `exponent` is within [`POLL`].
pub(super) fn power_of_two_s(exponent: i16) -> Duration {
    Duration::from_secs_f64(2.0_f64.powi(exponent.clamp(*POLL.start(), *POLL.end()).into()))
}

/// What chronyd computes of one source (`chronyc sourcestats`).
#[derive(Clone, Debug, PartialEq)]
pub struct SourceStatistics {
    /// The reference ID of a reference clock, or of a host.
    pub reference_id: u32,
    /// The host.
    pub address: Address,
    /// Measurements that are held.
    pub samples: u32,
    /// Runs of residuals of the same sign.
    pub runs: u32,
    /// The time between the oldest and the latest measurement.
    pub span: Duration,
    /// The standard deviation of the measurements, seconds.
    pub deviation_s: f64,
    /// The frequency that remains, parts per million.
    pub residual_ppm: f64,
    /// By how much that may be wrong, parts per million.
    pub skew_ppm: f64,
    /// The estimated offset, seconds.
    pub offset_s: f64,
    /// By how much that may be wrong, seconds.
    pub offset_error_s: f64,
}

impl SourceStatistics {
    fn decode(fields: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            reference_id: fields.u32(28)?,
            address: fields.address(32)?,
            samples: fields.u32(52)?,
            runs: fields.u32(56)?,
            span: Duration::from_secs(fields.u32(60)?.into()),
            deviation_s: fields.float(64)?,
            residual_ppm: fields.float(68)?,
            skew_ppm: fields.float(72)?,
            offset_s: fields.float(76)?,
            offset_error_s: fields.float(80)?,
        })
    }
}

/// Reads `datagram` as a reply to everything that could have been asked. For fuzzing: it must not panic.
pub fn fuzz(datagram: &[u8]) {
    let Ok(reply) = Reply::decode(datagram) else { return };
    let questions = [Question::Tracking, Question::SourceCount, Question::Source(0), Question::SourceStatistics(0)];
    for question in questions {
        let _ = reply.answer(question);
    }
}

#[cfg(test)]
pub(super) mod tests;
