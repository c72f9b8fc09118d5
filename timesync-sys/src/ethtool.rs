//! Which time stamps a network interface can take: `ETHTOOL_GET_TS_INFO` of `linux/ethtool.h`, as `ethtool -T` shows.

use crate::bindings::{
    ETHTOOL_GET_TS_INFO, IFNAMSIZ, IOCTL_SIOCETHTOOL, STAMPING_RAW_HARDWARE, STAMPING_RX_HARDWARE,
    STAMPING_RX_SOFTWARE, STAMPING_SOFTWARE, STAMPING_TX_HARDWARE, STAMPING_TX_SOFTWARE, ethtool_request,
    ethtool_ts_info,
};
use crate::refusal::refusal;
use rustix::ioctl::{Updater, ioctl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::ffi::c_char;
use std::io;

/// The time stamps that a network interface can take (`Documentation/networking/timestamping.rst`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampingCaps {
    /// The driver can stamp packets that are sent (`SOF_TIMESTAMPING_TX_SOFTWARE`).
    pub software_transmit: bool,
    /// The kernel can stamp packets that are received (`SOF_TIMESTAMPING_RX_SOFTWARE`).
    pub software_receive: bool,
    /// Software's time stamps are reported to programs (`SOF_TIMESTAMPING_SOFTWARE`).
    pub software: bool,
    /// The hardware can stamp packets that are sent (`SOF_TIMESTAMPING_TX_HARDWARE`).
    pub hardware_transmit: bool,
    /// The hardware can stamp packets that are received (`SOF_TIMESTAMPING_RX_HARDWARE`).
    pub hardware_receive: bool,
    /// The hardware's time stamps are reported to programs (`SOF_TIMESTAMPING_RAW_HARDWARE`).
    pub hardware_raw: bool,
    /// The hardware clock that stamps: the 0 of `/dev/ptp0`. None when there is none.
    pub phc_index: Option<u32>,
    /// How the hardware can stamp what is sent: bit *n* is value *n* of `enum hwtstamp_tx_types` in
    /// `linux/net_tstamp.h`, such as 1 for `HWTSTAMP_TX_ON`.
    pub tx_types: u32,
    /// Which received packets the hardware can stamp: bit *n* is value *n* of `enum hwtstamp_rx_filters` in
    /// `linux/net_tstamp.h`, such as 1 for `HWTSTAMP_FILTER_ALL` and 12 for `HWTSTAMP_FILTER_PTP_V2_EVENT`.
    pub rx_filters: u32,
}

/// Which time stamps the network interface `interface`, such as `eth0`, can take.
///
/// It is looked up in this process's network namespace, and needs no privilege. An error of the kind `InvalidInput`
/// says what no interface can be called; the source of others is `ENODEV` when there is no such interface, or
/// `EOPNOTSUPP` when its driver does not tell.
pub fn timestamping_caps(interface: &str) -> io::Result<TimestampingCaps> {
    let asked = || format!("asking the network interface `{interface}` for its time stamps (ETHTOOL_GET_TS_INFO)");
    let name = name(interface)?;
    // SIOCETHTOOL is the same on every socket: it goes to the interface that the request names.
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .map_err(|errno| refusal(asked(), errno))?;
    let mut info = ethtool_ts_info { cmd: ETHTOOL_GET_TS_INFO.cast_unsigned(), ..ethtool_ts_info::default() };
    let mut request = ethtool_request { name, data: (&raw mut info).cast(), ..ethtool_request::default() };
    // SAFETY: the kernel reads and writes an `ifreq`, of which `ethtool_request` has the size and layout. By its `cmd`,
    // it takes what `data` points to for an `ethtool_ts_info`. It is one, of numbers, so that any bytes are valid; it
    // is not used in any other way before the call is over.
    unsafe { ioctl(&socket, Updater::<IOCTL_SIOCETHTOOL, ethtool_request>::new(&mut request)) }
        .map_err(|errno| refusal(asked(), errno))?;
    Ok(TimestampingCaps::from(&info))
}

type Name = [c_char; IFNAMSIZ as usize];

/// The name as the kernel wants it: with a zero at its end.
fn name(interface: &str) -> io::Result<Name> {
    let mut name: Name = Default::default();
    let wrong = |found: String| {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("no network interface is called {interface:?}: {found}"),
        ))
    };
    if interface.is_empty() {
        return wrong("the name is empty".to_string());
    }
    if interface.len() >= name.len() {
        return wrong(format!("the name has {} bytes, of at most {}", interface.len(), name.len() - 1));
    }
    if interface.contains('\0') {
        return wrong("the name contains a zero byte".to_string());
    }
    for (to, from) in name.iter_mut().zip(interface.bytes()) {
        *to = from as c_char;
    }
    Ok(name)
}

impl From<&ethtool_ts_info> for TimestampingCaps {
    fn from(info: &ethtool_ts_info) -> Self {
        let has = |flag| info.so_timestamping & flag != 0;
        Self {
            software_transmit: has(STAMPING_TX_SOFTWARE),
            software_receive: has(STAMPING_RX_SOFTWARE),
            software: has(STAMPING_SOFTWARE),
            hardware_transmit: has(STAMPING_TX_HARDWARE),
            hardware_receive: has(STAMPING_RX_HARDWARE),
            hardware_raw: has(STAMPING_RAW_HARDWARE),
            phc_index: u32::try_from(info.phc_index).ok(),
            tx_types: info.tx_types,
            rx_filters: info.rx_filters,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::errno;

    #[test]
    fn each_flag_is_read_from_its_own_bit() {
        let flags = |so_timestamping| {
            let caps = TimestampingCaps::from(&ethtool_ts_info { so_timestamping, ..ethtool_ts_info::default() });
            [
                caps.hardware_transmit,
                caps.software_transmit,
                caps.hardware_receive,
                caps.software_receive,
                caps.software,
                caps.hardware_raw,
            ]
        };
        // The bits of `SOF_TIMESTAMPING_*`; 5 is obsolete.
        for (at, bit) in [0, 1, 2, 3, 4, 6].into_iter().enumerate() {
            let expected: [bool; 6] = std::array::from_fn(|flag| flag == at);
            assert_eq!(flags(1 << bit), expected, "bit {bit}");
        }
        assert_eq!(flags(0x5f), [true; 6]);
        assert_eq!(flags(!0x5f), [false; 6]);
    }

    #[test]
    fn a_hardware_clock_has_an_index_or_is_not_there() {
        let index =
            |phc_index| TimestampingCaps::from(&ethtool_ts_info { phc_index, ..ethtool_ts_info::default() }).phc_index;
        assert_eq!([index(-1), index(0), index(3)], [None, Some(0), Some(3)]);
    }

    #[test]
    fn types_and_filters_are_handed_on() {
        let info = ethtool_ts_info { tx_types: 3, rx_filters: 0x1001, ..ethtool_ts_info::default() };
        let caps = TimestampingCaps::from(&info);
        assert_eq!((caps.tx_types, caps.rx_filters), (3, 0x1001));
    }

    #[test]
    fn the_loopback_interface_stamps_in_software() {
        let caps = timestamping_caps("lo").expect("every machine has lo");
        assert_eq!(caps.phc_index, None);
        assert!(caps.software && caps.software_receive, "{caps:?}");
        assert!(!caps.hardware_transmit && !caps.hardware_receive && !caps.hardware_raw, "{caps:?}");
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error_with_its_name() {
        // As long as a name can be.
        let error = timestamping_caps("nunect-not-here").expect_err("there is no such interface");
        assert_eq!(errno(&error), Some(19), "ENODEV");
        assert_eq!(
            error.to_string(),
            "asking the network interface `nunect-not-here` for its time stamps (ETHTOOL_GET_TS_INFO)"
        );
    }

    #[test]
    fn a_name_that_no_interface_has_is_an_error_that_says_why() {
        for (name, reason) in [
            ("", "the name is empty"),
            ("nunect-not-there", "the name has 16 bytes, of at most 15"),
            ("lo\0", "the name contains a zero byte"),
        ] {
            let error = timestamping_caps(name).expect_err("no interface has this name");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), format!("no network interface is called {name:?}: {reason}"));
        }
    }
}
