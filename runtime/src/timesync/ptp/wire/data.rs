//! The data sets that are asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nunect_core::clock::{ClockIdentity, PtpState, ScaledNanos};

use super::fields::Fields;
use super::{DataSet, PortIdentity, WireError};

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// `CLOCK_DESCRIPTION`.
    ClockDescription(ClockDescription<'a>),
    /// `CURRENT_DATA_SET`.
    Current(CurrentDataSet),
    /// `PARENT_DATA_SET`.
    Parent(ParentDataSet),
    /// `TIME_PROPERTIES_DATA_SET`.
    TimeProperties(TimeProperties),
    /// `PORT_DATA_SET`.
    Port(PortDataSet),
    /// `TIME_STATUS_NP`.
    TimeStatus(TimeStatus),
    /// `PORT_PROPERTIES_NP`.
    PortProperties(PortProperties<'a>),
}

/// What a port is, and its addresses (IEEE 1588-2019, section 15.5.3.1.2), as far as they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDescription<'a> {
    /// Which kinds of clock it is: 0x8000 ordinary, 0x4000 boundary, 0x2000 and 0x1000 transparent.
    pub clock_type: u16,
    /// The physical layer, such as `IEEE 802.3`.
    pub physical_layer: &'a str,
    /// The port's address in it, such as a MAC address.
    pub physical_address: &'a [u8],
    /// The port's address in the network.
    pub address: NetworkAddress,
}

/// An address, by the network protocols of IEEE 1588-2019, table 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkAddress {
    /// Of UDP over IP.
    Ip(IpAddr),
    /// Of Ethernet.
    Ethernet([u8; 6]),
    /// Of a protocol that is not read here, by its number.
    Other(u16),
}

/// How far the clock is from its master and from the grandmaster (IEEE 1588-2019, section 15.5.3.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentDataSet {
    /// Clocks between this one and the grandmaster.
    pub steps_removed: u16,
    /// By how much the clock is ahead of its master.
    pub offset: ScaledNanos,
    /// The delay of the path between them.
    pub mean_delay: ScaledNanos,
}

/// Who is followed (IEEE 1588-2019, section 15.5.3.5.1), as far as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentDataSet {
    /// The port that is followed.
    pub parent: PortIdentity,
    /// The grandmaster's priority1.
    pub priority1: u8,
    /// The grandmaster's clockClass.
    pub class: u8,
    /// The grandmaster's clockAccuracy.
    pub accuracy: u8,
    /// The grandmaster.
    pub grandmaster: ClockIdentity,
}

/// UTC and the time scale (IEEE 1588-2019, section 15.5.3.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeProperties {
    /// currentUtcOffset: TAI − UTC in seconds.
    pub utc_offset_s: i16,
    /// Whether that is known to be right (currentUtcOffsetValid).
    pub utc_offset_valid: bool,
    /// Whether the time scale is TAI (ptpTimescale).
    pub ptp_timescale: bool,
    /// Whether the last minute of the day has 61 seconds.
    pub leap61: bool,
    /// Whether it has 59.
    pub leap59: bool,
    /// timeSource: what the grandmaster has its time from.
    pub source: u8,
}

/// A port's state and intervals (IEEE 1588-2019, section 15.5.3.7.1). Intervals are powers of two of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortDataSet {
    /// The port.
    pub port: PortIdentity,
    /// Its state.
    pub state: PtpState,
    /// The delay of the link to its peer, where that is measured.
    pub peer_delay: ScaledNanos,
    /// The interval of announce messages.
    pub log_announce_interval: i8,
    /// After how many of these without a message the master is given up.
    pub announce_receipt_timeout: u8,
    /// The interval of sync messages.
    pub log_sync_interval: i8,
    /// How delays are measured.
    pub delay_mechanism: DelayMechanism,
}

/// How delays are measured (IEEE 1588-2019, table 21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayMechanism {
    /// Between a clock and its master.
    EndToEnd,
    /// Of each link by itself.
    PeerToPeer,
    /// In a way that is not known here, by its number.
    Other(u8),
}

/// The last comparison with the master (linuxptp, `struct time_status_np`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeStatus {
    /// By how much the clock is ahead of its master, nanoseconds.
    pub master_offset_ns: i64,
    /// When the last sync message arrived, nanoseconds of the clock that is compared; 0: none counts.
    pub ingress_ns: i64,
    /// The grandmaster's rate against this clock's, in 2⁻⁴¹.
    pub rate_offset: i32,
    /// Whether there is a grandmaster other than this clock.
    pub grandmaster_present: bool,
    /// The grandmaster.
    pub grandmaster: ClockIdentity,
}

/// A port's interface (linuxptp, `struct port_properties_np`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortProperties<'a> {
    /// The port.
    pub port: PortIdentity,
    /// Its state.
    pub state: PtpState,
    /// Who stamps its messages.
    pub timestamping: Timestamping,
    /// The name of the network interface.
    pub interface: &'a str,
}

/// Who stamps messages (linuxptp, `enum timestamp_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamping {
    /// The kernel.
    Software,
    /// The network card.
    Hardware,
    /// The network card, by an interface of the kernel that is gone.
    LegacyHardware,
    /// The network card, within the message itself.
    OneStep,
    /// As before, also in the messages between peers.
    PeerToPeerOneStep,
}

impl Timestamping {
    /// Whether it is the network card.
    #[must_use]
    pub const fn is_hardware(self) -> bool {
        match self {
            Self::Software => false,
            Self::Hardware | Self::LegacyHardware | Self::OneStep | Self::PeerToPeerOneStep => true,
        }
    }

    fn of_byte(byte: u8) -> Result<Self, WireError> {
        Ok(match byte {
            0 => Self::Software,
            1 => Self::Hardware,
            2 => Self::LegacyHardware,
            3 => Self::OneStep,
            4 => Self::PeerToPeerOneStep,
            other => return Err(WireError::Value { field: "kind of time stamps", value: other.into() }),
        })
    }
}

/// The flags of `TIME_PROPERTIES_DATA_SET`.
const LEAP61: u8 = 1;
const LEAP59: u8 = 2;
const UTC_OFFSET_VALID: u8 = 4;
const PTP_TIMESCALE: u8 = 8;

impl<'a> Answer<'a> {
    /// Reads the data of `set`. What follows the fields that are known, such as the byte that makes a length even, is
    /// not looked at.
    pub(super) fn decode(set: DataSet, mut data: Fields<'a>) -> Result<Self, WireError> {
        let data = &mut data;
        Ok(match set {
            DataSet::ClockDescription => Self::ClockDescription(ClockDescription {
                clock_type: data.u16("clockType")?,
                physical_layer: data.text("physicalLayerProtocol")?,
                physical_address: {
                    let length = data.u16("physicalAddressLength")?;
                    data.bytes(length.into(), "physicalAddress")?
                },
                address: address(data)?,
            }),
            DataSet::Current => Self::Current(CurrentDataSet {
                steps_removed: data.u16("stepsRemoved")?,
                offset: ScaledNanos(data.i64("offsetFromMaster")?),
                mean_delay: ScaledNanos(data.i64("meanDelay")?),
            }),
            DataSet::Parent => Self::Parent(parent(data)?),
            DataSet::TimeProperties => {
                let utc_offset_s = data.i16("currentUtcOffset")?;
                let flags = data.u8("flags")?;
                let has = |flag| flags & flag != 0;
                Self::TimeProperties(TimeProperties {
                    utc_offset_s,
                    utc_offset_valid: has(UTC_OFFSET_VALID),
                    ptp_timescale: has(PTP_TIMESCALE),
                    leap61: has(LEAP61),
                    leap59: has(LEAP59),
                    source: data.u8("timeSource")?,
                })
            }
            DataSet::Port => Self::Port(port(data)?),
            DataSet::TimeStatus => Self::TimeStatus(time_status(data)?),
            DataSet::PortProperties => Self::PortProperties(PortProperties {
                port: data.port_identity("portIdentity")?,
                state: state(data.u8("portState")?)?,
                timestamping: Timestamping::of_byte(data.u8("timestamping")?)?,
                interface: data.text("interface")?,
            }),
        })
    }

    /// Which data set it is.
    #[must_use]
    pub const fn data_set(&self) -> DataSet {
        match self {
            Self::ClockDescription(_) => DataSet::ClockDescription,
            Self::Current(_) => DataSet::Current,
            Self::Parent(_) => DataSet::Parent,
            Self::TimeProperties(_) => DataSet::TimeProperties,
            Self::Port(_) => DataSet::Port,
            Self::TimeStatus(_) => DataSet::TimeStatus,
            Self::PortProperties(_) => DataSet::PortProperties,
        }
    }
}

fn address(data: &mut Fields<'_>) -> Result<NetworkAddress, WireError> {
    let field = "protocolAddress";
    let (protocol, length) = (data.u16(field)?, data.u16(field)?);
    let bytes = data.bytes(length.into(), field)?;
    let wrong = |_| WireError::Value { field: "length of a protocolAddress", value: length };
    Ok(match protocol {
        1 => NetworkAddress::Ip(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).map_err(wrong)?).into()),
        2 => NetworkAddress::Ip(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).map_err(wrong)?).into()),
        3 => NetworkAddress::Ethernet(bytes.try_into().map_err(wrong)?),
        other => NetworkAddress::Other(other),
    })
}

fn parent(data: &mut Fields<'_>) -> Result<ParentDataSet, WireError> {
    let parent = data.port_identity("parentPortIdentity")?;
    // parentStats, a reserved byte, and the statistics themselves.
    data.skip(8, "grandmasterPriority1")?;
    let priority1 = data.u8("grandmasterPriority1")?;
    let (class, accuracy) = (data.u8("clockClass")?, data.u8("clockAccuracy")?);
    // offsetScaledLogVariance and grandmasterPriority2.
    data.skip(3, "grandmasterIdentity")?;
    let grandmaster = data.clock_identity("grandmasterIdentity")?;
    Ok(ParentDataSet { parent, priority1, class, accuracy, grandmaster })
}

fn port(data: &mut Fields<'_>) -> Result<PortDataSet, WireError> {
    let port = data.port_identity("portIdentity")?;
    let state = state(data.u8("portState")?)?;
    data.skip(1, "logMinDelayReqInterval")?;
    Ok(PortDataSet {
        port,
        state,
        peer_delay: ScaledNanos(data.i64("meanLinkDelay")?),
        log_announce_interval: data.i8("logAnnounceInterval")?,
        announce_receipt_timeout: data.u8("announceReceiptTimeout")?,
        log_sync_interval: data.i8("logSyncInterval")?,
        delay_mechanism: match data.u8("delayMechanism")? {
            1 => DelayMechanism::EndToEnd,
            2 => DelayMechanism::PeerToPeer,
            other => DelayMechanism::Other(other),
        },
    })
}

fn time_status(data: &mut Fields<'_>) -> Result<TimeStatus, WireError> {
    let (master_offset_ns, ingress_ns) = (data.i64("master_offset")?, data.i64("ingress_time")?);
    let rate_offset = data.i32("cumulativeScaledRateOffset")?;
    // scaledLastGmPhaseChange, gmTimeBaseIndicator and lastGmPhaseChange.
    data.skip(18, "gmPresent")?;
    let grandmaster_present = data.i32("gmPresent")? != 0;
    let grandmaster = data.clock_identity("gmIdentity")?;
    Ok(TimeStatus { master_offset_ns, ingress_ns, rate_offset, grandmaster_present, grandmaster })
}

fn state(byte: u8) -> Result<PtpState, WireError> {
    Ok(match byte {
        1 => PtpState::Initializing,
        2 => PtpState::Faulty,
        3 => PtpState::Disabled,
        4 => PtpState::Listening,
        5 => PtpState::PreMaster,
        6 => PtpState::Master,
        7 => PtpState::Passive,
        8 => PtpState::Uncalibrated,
        9 => PtpState::Slave,
        other => return Err(WireError::Value { field: "state of a port", value: other.into() }),
    })
}
