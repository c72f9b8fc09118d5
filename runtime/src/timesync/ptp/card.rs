//! The clock of a network card, against the system clock.
//!
//! Where the card stamps, ptp4l's offset is that of the card's clock from the grandmaster; the system clock's is the
//! sum of that and of its own offset from the card's.

use std::path::PathBuf;

use nunect_core::clock::CardOffset;
use nunect_timesync_sys::{PtpDevice, timestamping_caps};
use tracing::debug;

use super::wire::TimeProperties;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// The clock of the card of one network interface.
pub(super) struct Card {
    device: PtpDevice,
    interface: Box<str>,
}

impl Card {
    /// That of this interface; None if it has none, or this process does not get at it, which the log tells.
    pub(super) fn of(interface: &str) -> Option<Self> {
        let opened = timestamping_caps(interface).and_then(|caps| {
            let path = caps.phc_index.map(|index| PathBuf::from(format!("/dev/ptp{index}")));
            path.map(|path| PtpDevice::open(&path)).transpose()
        });
        match opened {
            Ok(device) => device.map(|device| Self { device, interface: interface.into() }),
            Err(error) => {
                debug!("the clock of the network card {interface} cannot be read: {error}");
                None
            }
        }
    }

    /// By how much the system clock is ahead of it now, both as UTC; None if it does not tell, or that is not known.
    pub(super) fn offset(&self, properties: &TimeProperties) -> Option<CardOffset> {
        match self.device.offset() {
            Ok(measured) => utc_offset(measured.offset_ns, measured.error_ns, properties),
            Err(error) => {
                debug!("the clock of the network card {} cannot be read: {error}", self.interface);
                None
            }
        }
    }
}

/// The offset of the system clock from the card's, both as UTC, where `raw_ns` is the difference as they count.
///
/// The card's clock counts as the domain does: in TAI, which is ahead of UTC by the offset that the grandmaster tells
/// (IEEE 1588-2019, section 7.2.4), or, off the PTP time scale, in what its master has, which is taken for UTC, as
/// phc2sys(8) does. None in TAI without an offset for which the grandmaster vouches: nobody knows UTC then.
fn utc_offset(raw_ns: i64, error_ns: u64, properties: &TimeProperties) -> Option<CardOffset> {
    let ahead_s = match (properties.ptp_timescale, properties.utc_offset_valid) {
        (false, _) => 0,
        (true, true) => i64::from(properties.utc_offset_s),
        (true, false) => return None,
    };
    // The system clock counts in UTC: as long as the offset is not added, it seems to be behind.
    Some(CardOffset { offset_ns: raw_ns.checked_add(ahead_s * NANOS_PER_SECOND)?, error_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ptp_timescale: bool, utc_offset_valid: bool) -> TimeProperties {
        TimeProperties { utc_offset_s: 37, utc_offset_valid, ptp_timescale, leap61: false, leap59: false, source: 0x20 }
    }

    fn offset(raw_ns: i64, properties: TimeProperties) -> Option<i64> {
        utc_offset(raw_ns, 40, &properties).map(|card| card.offset_ns)
    }

    // No machine of ours has a card with a clock: these are scripted values.
    #[test]
    fn on_the_ptp_time_scale_the_utc_offset_that_is_vouched_for_is_taken_off() {
        assert_eq!(offset(-36_999_999_500, told(true, true)), Some(500));
        assert_eq!(offset(-37_000_002_000, told(true, true)), Some(-2_000));
        assert_eq!(utc_offset(-37_000_000_000, 40, &told(true, true)), Some(CardOffset { offset_ns: 0, error_ns: 40 }));
    }

    #[test]
    fn off_the_ptp_time_scale_the_card_counts_as_its_master() {
        assert_eq!(offset(500, told(false, true)), Some(500));
        assert_eq!(offset(500, told(false, false)), Some(500));
    }

    #[test]
    fn nobody_knows_utc_on_the_ptp_time_scale_without_a_valid_offset() {
        assert_eq!(offset(-36_999_999_500, told(true, false)), None);
    }

    #[test]
    fn a_card_that_is_further_off_than_can_be_written_is_not_known() {
        assert_eq!(offset(i64::MAX, told(true, true)), None);
        assert_eq!(offset(i64::MAX, told(false, true)), Some(i64::MAX));
    }

    #[test]
    fn an_interface_without_a_clock_has_no_card() {
        assert!(Card::of("lo").is_none());
        assert!(Card::of("no-such-one").is_none());
    }
}
