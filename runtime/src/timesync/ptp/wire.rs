//! PTP management messages as datagrams: questions to ptp4l, and what it answers.
//!
//! All numbers are big-endian. A message is a header of 48 bytes and one TLV (IEEE 1588-2019, clause 15); the data
//! sets with `_NP` are linuxptp's own (`tlv.h` of linuxptp). An answer carries the sequence number of its question
//! and the identity of who asked, so that the two are matched before anything else of it is read.
//!
//! The layout was checked against ptp4l 3.1.1 (`wire/tests.rs` holds its datagrams and says how they were recorded).

use std::fmt;

use nunect_core::clock::ClockIdentity;

mod data;
mod fields;

pub use data::{
    Answer, ClockDescription, CurrentDataSet, DelayMechanism, NetworkAddress, ParentDataSet, PortDataSet,
    PortProperties, TimeProperties, TimeStatus, Timestamping,
};
use fields::Fields;

/// The longest datagram that is read, bytes: what fits into one frame of Ethernet, which is all that ptp4l ever fills
/// (`msg.h` of linuxptp). A longer one is no management message.
pub const DATAGRAM_MAX_BYTES: usize = 1_500;
/// The length of a question, bytes.
pub const QUESTION_BYTES: usize = 54;
/// The most boundary clocks that a question is let through: as many as are plausible between a clock and its
/// grandmaster. ptp4l counts in a byte.
pub const BOUNDARY_HOPS_MAX: u8 = 15;

/// The message up to its TLV (IEEE 1588-2019, sections 13.3 and 15.4.1).
const HEADER_BYTES: usize = 48;
/// A TLV's type and length.
const TLV_HEADER_BYTES: usize = 4;
const MANAGEMENT: u8 = 0x0d;
const VERSION: u8 = 2;
/// What a management message has in `controlField` and `logMessageInterval`.
const CONTROL: u8 = 4;
const NO_INTERVAL: u8 = 0x7f;
const GET: u8 = 0;
const RESPONSE: u8 = 2;
const TLV_MANAGEMENT: u16 = 1;
const TLV_ERROR: u16 = 2;

/// The identity of a port: its clock's, and its number from 1; 0 is the clock itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortIdentity {
    /// The clock.
    pub clock: ClockIdentity,
    /// The port.
    pub port: u16,
}

impl PortIdentity {
    /// Every port of every clock that is reached.
    pub const ALL: Self = Self { clock: ClockIdentity([0xff; 8]), port: 0xffff };

    fn encode(self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.clock.0);
        bytes[8..].copy_from_slice(&self.port.to_be_bytes());
        bytes
    }
}

/// As linuxptp writes it: `001122.fffe.334455-1`.
impl fmt::Display for PortIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.clock, self.port)
    }
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataSet {
    /// `CLOCK_DESCRIPTION`: what a port is, and its addresses.
    ClockDescription,
    /// `CURRENT_DATA_SET`: steps removed, offset, delay.
    Current,
    /// `PARENT_DATA_SET`: the grandmaster and its quality.
    Parent,
    /// `TIME_PROPERTIES_DATA_SET`: UTC and the time scale.
    TimeProperties,
    /// `PORT_DATA_SET`: a port's state and intervals.
    Port,
    /// `TIME_STATUS_NP`: offset and age of the last sync message.
    TimeStatus,
    /// `PORT_PROPERTIES_NP`: a port's interface and who stamps its messages.
    PortProperties,
}

impl DataSet {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ClockDescription,
        Self::Current,
        Self::Parent,
        Self::TimeProperties,
        Self::Port,
        Self::TimeStatus,
        Self::PortProperties,
    ];

    /// Its managementId (IEEE 1588-2019, table 59; `tlv.h` of linuxptp).
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::ClockDescription => 0x0001,
            Self::Current => 0x2001,
            Self::Parent => 0x2002,
            Self::TimeProperties => 0x2003,
            Self::Port => 0x2004,
            Self::TimeStatus => 0xc000,
            Self::PortProperties => 0xc004,
        }
    }

    /// The data set with this managementId, if it is one of these.
    #[must_use]
    pub fn of_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.id() == id)
    }

    /// Its name, as `pmc` writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClockDescription => "CLOCK_DESCRIPTION",
            Self::Current => "CURRENT_DATA_SET",
            Self::Parent => "PARENT_DATA_SET",
            Self::TimeProperties => "TIME_PROPERTIES_DATA_SET",
            Self::Port => "PORT_DATA_SET",
            Self::TimeStatus => "TIME_STATUS_NP",
            Self::PortProperties => "PORT_PROPERTIES_NP",
        }
    }
}

impl fmt::Display for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What cannot be read of a datagram.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It is longer than a management message can be.
    #[error("{0} bytes are more than the {DATAGRAM_MAX_BYTES} of a management message")]
    TooLong(usize),
    /// It ends within a field.
    #[error("it ends before its {0}")]
    Ends(&'static str),
    /// It says that it is longer than it is, or shorter than its header.
    #[error("it says that it has {stated} bytes, and {got} came")]
    Length {
        /// What it says.
        stated: u16,
        /// What came.
        got: usize,
    },
    /// It is of another type than management, or of another version than 2.
    #[error("it is no management message of PTP version 2 (type {kind:#x}, version {version})")]
    OtherMessage {
        /// Its type.
        kind: u8,
        /// Its version.
        version: u8,
    },
    /// It is a management message that neither asks nor answers.
    #[error("action {0} is not the one that is awaited")]
    OtherAction(u8),
    /// What it carries is not management data.
    #[error("TLV type {0} carries no management data")]
    OtherTlv(u16),
    /// A data set that nobody asks for here.
    #[error("managementId {0:#06x} is none that is asked for")]
    OtherDataSet(u16),
    /// A value that the standard does not have.
    #[error("{value} is no {field}")]
    Value {
        /// Where.
        field: &'static str,
        /// Which.
        value: u16,
    },
    /// A text that is not UTF-8.
    #[error("the {0} is no text")]
    Text(&'static str),
}

/// The refusal of a question (a MANAGEMENT_ERROR_STATUS TLV, IEEE 1588-2019, section 15.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The managementErrorId.
    pub code: u16,
    /// The managementId that is refused.
    pub id: u16,
}

/// In the standard's words.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.code {
            1 => "the response is too big",
            2 => "there is no such id",
            3 => "wrong length",
            4 => "wrong value",
            5 => "not setable",
            6 => "not supported",
            0xfffe => "general error",
            other => return write!(f, "error {other:#06x}"),
        };
        f.write_str(why)
    }
}

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The PTP domain. In another one than its own ptp4l is silent.
    pub domain: u8,
    /// transportSpecific, the majorSdoId of IEEE 1588-2019: 0 to 15. With another one ptp4l is silent, too.
    pub transport_specific: u8,
    /// Who asks.
    pub source: PortIdentity,
    /// Who is asked.
    pub target: PortIdentity,
    /// Through how many boundary clocks it may go; 0 stays on the host.
    pub hops: u8,
    /// What comes back with the answer.
    pub sequence: u16,
    /// What is asked for.
    pub data_set: DataSet,
}

impl Question {
    /// The datagram.
    #[must_use]
    pub fn encode(&self) -> [u8; QUESTION_BYTES] {
        let mut bytes = [0; QUESTION_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &[MANAGEMENT | self.transport_specific << 4, VERSION]);
        put(2, &(QUESTION_BYTES as u16).to_be_bytes());
        put(4, &[self.domain]);
        put(20, &self.source.encode());
        put(30, &self.sequence.to_be_bytes());
        put(32, &[CONTROL, NO_INTERVAL]);
        put(34, &self.target.encode());
        // How many there were at the start, and how many are left.
        put(44, &[self.hops, self.hops, GET]);
        put(48, &TLV_MANAGEMENT.to_be_bytes());
        put(50, &2_u16.to_be_bytes());
        put(52, &self.data_set.id().to_be_bytes());
        bytes
    }

    /// Reads a question, as a daemon does.
    ///
    /// # Errors
    /// [`WireError`] where it is none.
    pub fn decode(datagram: &[u8]) -> Result<Self, WireError> {
        let Message { header, content } = Message::decode(datagram, GET)?;
        let Content::Data { id, .. } = content else { return Err(WireError::OtherTlv(TLV_ERROR)) };
        Ok(Self {
            domain: header.domain,
            transport_specific: header.transport_specific,
            source: header.source,
            target: header.target,
            hops: header.hops,
            sequence: header.sequence,
            data_set: DataSet::of_id(id).ok_or(WireError::OtherDataSet(id))?,
        })
    }
}

/// An answer, of which so much is read as says whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// What stands before the TLV.
    pub header: Header,
    content: Content<'a>,
}

impl<'a> Response<'a> {
    /// Reads the outer part of an answer.
    ///
    /// # Errors
    /// [`WireError`] where the datagram is no answer, or is not whole.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, WireError> {
        let Message { header, content } = Message::decode(datagram, RESPONSE)?;
        Ok(Self { header, content })
    }

    /// The managementId of what is answered or refused.
    #[must_use]
    pub fn id(&self) -> u16 {
        match self.content {
            Content::Data { id, .. } => id,
            Content::Refused(refusal) => refusal.id,
        }
    }

    /// What it says; `Ok(Err(_))` is a refusal.
    ///
    /// # Errors
    /// [`WireError`] where the data set is unknown, is not whole, or holds what the standard does not have.
    pub fn answer(&self) -> Result<Result<Answer<'a>, Refusal>, WireError> {
        match self.content {
            Content::Data { id, data } => {
                let set = DataSet::of_id(id).ok_or(WireError::OtherDataSet(id))?;
                Answer::decode(set, Fields::new(data)).map(Ok)
            }
            Content::Refused(refusal) => Ok(Err(refusal)),
        }
    }
}

/// What stands in every management message before its TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The PTP domain.
    pub domain: u8,
    /// transportSpecific.
    pub transport_specific: u8,
    /// The port that sent it.
    pub source: PortIdentity,
    /// Whom it is for: in an answer, who asked.
    pub target: PortIdentity,
    /// How many boundary clocks it may still go through.
    pub hops: u8,
    /// The sequence number: an answer has its question's.
    pub sequence: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content<'a> {
    Data { id: u16, data: &'a [u8] },
    Refused(Refusal),
}

struct Message<'a> {
    header: Header,
    content: Content<'a>,
}

impl<'a> Message<'a> {
    /// Reads a message with this action.
    fn decode(datagram: &'a [u8], awaited: u8) -> Result<Self, WireError> {
        if datagram.len() > DATAGRAM_MAX_BYTES {
            return Err(WireError::TooLong(datagram.len()));
        }
        let mut fields = Fields::new(datagram);
        let first = fields.u8("message type")?;
        let version = fields.u8("version")? & 0x0f;
        if first & 0x0f != MANAGEMENT || version != VERSION {
            return Err(WireError::OtherMessage { kind: first & 0x0f, version });
        }
        let stated = fields.u16("length")?;
        let message = datagram.get(..usize::from(stated)).filter(|message| message.len() >= HEADER_BYTES);
        let message = message.ok_or(WireError::Length { stated, got: datagram.len() })?;

        let mut fields = Fields::new(message);
        fields.skip(4, "domain")?;
        let domain = fields.u8("domain")?;
        fields.skip(15, "source")?;
        let source = fields.port_identity("source")?;
        let sequence = fields.u16("sequence number")?;
        fields.skip(2, "target")?;
        let target = fields.port_identity("target")?;
        fields.skip(1, "boundary hops")?;
        let hops = fields.u8("boundary hops")?;
        let action = fields.u8("action")? & 0x0f;
        if action != awaited {
            return Err(WireError::OtherAction(action));
        }
        fields.skip(1, "TLV")?;
        let header = Header { domain, transport_specific: first >> 4, source, target, hops, sequence };

        let (kind, length) = (fields.u16("TLV type")?, fields.u16("TLV length")?);
        let mut tlv = Fields::new(fields.bytes(usize::from(length), "TLV's end")?);
        let content = match kind {
            TLV_MANAGEMENT => Content::Data { id: tlv.u16("managementId")?, data: tlv.rest() },
            TLV_ERROR => {
                let (code, id) = (tlv.u16("managementErrorId")?, tlv.u16("managementId")?);
                Content::Refused(Refusal { code, id })
            }
            other => return Err(WireError::OtherTlv(other)),
        };
        Ok(Self { header, content })
    }
}

/// Reads `data` in every way in which a datagram is read, and looks at all that comes of it.
pub fn fuzz(data: &[u8]) {
    if let Ok(question) = Question::decode(data) {
        let again = Question::decode(&question.encode());
        assert_eq!(again.as_ref(), Ok(&question), "what was read is what is written");
    }
    match Response::decode(data) {
        Ok(response) => {
            let told = format!("{} {} {:?}", response.header.source, response.id(), response.answer());
            assert!(!told.is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    for set in DataSet::ALL {
        if let Err(error) = Answer::decode(set, Fields::new(data)) {
            assert!(!error.to_string().is_empty());
        }
    }
}

const _: () = assert!(HEADER_BYTES + TLV_HEADER_BYTES + 2 == QUESTION_BYTES);

#[cfg(test)]
mod tests;
