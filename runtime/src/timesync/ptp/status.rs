//! What ptp4l's answers say together.

use std::time::Duration;

use nunect_core::clock::{PtpState, PtpStatus};

use super::exchange::Heard;
use super::wire::{CurrentDataSet, DelayMechanism, ParentDataSet, PortDataSet, TimeProperties, TimeStatus};

/// The longest interval, as the power of two of a second, that is taken at its word: 48 days. The shortest is its
/// inverse. IEEE 1588-2019, section 7.7.2, leaves the range to profiles, which stay far below.
const LOG_INTERVAL_MAX: u32 = 22;

/// The answers that make a report.
pub(super) struct Report {
    pub(super) port: PortDataSet,
    pub(super) current: CurrentDataSet,
    pub(super) parent: ParentDataSet,
    time: TimeStatus,
}

impl Report {
    /// None while one is missing.
    pub(super) fn of(heard: &Heard) -> Option<Self> {
        Some(Self {
            port: *followed(&heard.ports)?,
            current: heard.current?,
            parent: heard.parent?,
            time: heard.time_status?,
        })
    }

    /// What these answers say; what is known of the interface and of the grandmaster's address is left out.
    pub(super) fn status(&self, domain: u8, properties: &TimeProperties) -> PtpStatus {
        let announce_interval = interval(self.port.log_announce_interval);
        PtpStatus {
            domain,
            port: self.port.state,
            grandmaster: self.parent.grandmaster,
            grandmaster_address: None,
            grandmaster_accuracy_ns: accuracy_ns(self.parent.accuracy),
            grandmaster_class: self.parent.class,
            grandmaster_present: self.time.grandmaster_present,
            steps_removed: self.current.steps_removed,
            offset_ns: self.time.master_offset_ns,
            ingress_ns: self.time.ingress_ns,
            path_delay: match self.port.delay_mechanism {
                DelayMechanism::PeerToPeer => self.port.peer_delay,
                DelayMechanism::EndToEnd | DelayMechanism::Other(_) => self.current.mean_delay,
            },
            announce_timeout: announce_interval.saturating_mul(self.port.announce_receipt_timeout.into()),
            sync_interval: interval(self.port.log_sync_interval),
            utc_offset_s: properties.utc_offset_valid.then_some(properties.utc_offset_s),
            ptp_timescale: properties.ptp_timescale,
            hardware: None,
            interface: None,
            card: None,
        }
    }
}

/// The port that follows a master, or is about to; else the first one.
fn followed(ports: &[PortDataSet]) -> Option<&PortDataSet> {
    let rank = |port: &&PortDataSet| {
        let follows = match port.state {
            PtpState::Slave => 0,
            PtpState::Uncalibrated => 1,
            PtpState::Initializing
            | PtpState::Faulty
            | PtpState::Disabled
            | PtpState::Listening
            | PtpState::PreMaster
            | PtpState::Master
            | PtpState::Passive => 2,
        };
        (follows, port.port.port)
    };
    ports.iter().min_by_key(rank)
}

/// An interval from its power of two of a second.
fn interval(log: i8) -> Duration {
    let power = 1_u32 << u32::from(log.unsigned_abs()).min(LOG_INTERVAL_MAX);
    let second = Duration::from_secs(1);
    if log < 0 { second / power } else { second * power }
}

/// How accurate a clock says that it is, in nanoseconds, rounded up (IEEE 1588-2019, table 5). None where it does not
/// know (0xFE), or says what the table does not have; "more than 10 s" has no bound, and is the largest number.
fn accuracy_ns(clock_accuracy: u8) -> Option<u64> {
    Some(match clock_accuracy {
        // 1, 2.5, 10, 25, 100 and 250 ps, and 1 ns.
        0x17..=0x1d => 1,
        // 2.5 ns.
        0x1e => 3,
        0x1f => 10,
        0x20 => 25,
        0x21 => 100,
        0x22 => 250,
        0x23 => 1_000,
        0x24 => 2_500,
        0x25 => 10_000,
        0x26 => 25_000,
        0x27 => 100_000,
        0x28 => 250_000,
        0x29 => 1_000_000,
        0x2a => 2_500_000,
        0x2b => 10_000_000,
        0x2c => 25_000_000,
        0x2d => 100_000_000,
        0x2e => 250_000_000,
        0x2f => 1_000_000_000,
        0x30 => 10_000_000_000,
        0x31 => u64::MAX,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::wire::PortIdentity;
    use super::*;
    use nunect_core::clock::{ClockIdentity, ScaledNanos};

    fn port(port: u16, state: PtpState) -> PortDataSet {
        PortDataSet {
            port: PortIdentity { clock: ClockIdentity([1; 8]), port },
            state,
            peer_delay: ScaledNanos(7 << 16),
            log_announce_interval: 1,
            announce_receipt_timeout: 3,
            log_sync_interval: -3,
            delay_mechanism: DelayMechanism::EndToEnd,
        }
    }

    fn heard(ports: Vec<PortDataSet>) -> Heard {
        let grandmaster = ClockIdentity([2; 8]);
        let mut heard = Heard::default();
        heard.ports = ports;
        heard.time_status = Some(TimeStatus {
            master_offset_ns: -53,
            ingress_ns: 1_795_000_000_000_000_000,
            rate_offset: 0,
            grandmaster_present: true,
            grandmaster,
        });
        heard.current = Some(CurrentDataSet {
            steps_removed: 1,
            offset: ScaledNanos(-53 << 16),
            mean_delay: ScaledNanos(2_530 << 16),
        });
        heard.parent = Some(ParentDataSet {
            parent: PortIdentity { clock: grandmaster, port: 1 },
            priority1: 10,
            class: 6,
            accuracy: 0x21,
            grandmaster,
        });
        heard
    }

    const PROPERTIES: TimeProperties = TimeProperties {
        utc_offset_s: 37,
        utc_offset_valid: false,
        ptp_timescale: true,
        leap61: false,
        leap59: false,
        source: 0x20,
    };

    #[test]
    fn the_port_that_follows_counts_then_the_one_that_is_about_to_then_the_first() {
        use PtpState::{Faulty, Master, Passive, Slave, Uncalibrated};
        for (states, counts) in [
            (&[Master, Uncalibrated, Slave][..], 3),
            (&[Master, Uncalibrated, Faulty], 2),
            (&[Master, Passive], 1),
            (&[Slave, Slave], 1),
        ] {
            let mut ports: Vec<_> = (1..).zip(states).map(|(number, state)| port(number, *state)).collect();
            ports.reverse();
            assert_eq!(followed(&ports).map(|port| port.port.port), Some(counts), "{states:?}");
        }
        assert_eq!(followed(&[]), None);
    }

    #[test]
    fn a_report_says_what_the_answers_say() {
        let heard = heard(vec![port(1, PtpState::Slave)]);
        let status = Report::of(&heard).expect("all answers").status(24, &PROPERTIES);
        assert_eq!((status.domain, status.port, status.steps_removed), (24, PtpState::Slave, 1));
        assert_eq!((status.offset_ns, status.path_delay), (-53, ScaledNanos(2_530 << 16)));
        assert_eq!((status.grandmaster_class, status.grandmaster_accuracy_ns), (6, Some(100)));
        assert_eq!(
            (status.announce_timeout, status.sync_interval),
            (Duration::from_secs(6), Duration::from_millis(125))
        );
        assert_eq!((status.utc_offset_s, status.ptp_timescale), (None, true), "nobody vouches for the offset");
        let valid = TimeProperties { utc_offset_valid: true, ..PROPERTIES };
        let report = Report::of(&heard).expect("all answers");
        assert_eq!(report.status(24, &valid).utc_offset_s, Some(37));
    }

    #[test]
    fn where_links_are_measured_one_by_one_the_delay_is_that_of_the_link() {
        let peers = PortDataSet { delay_mechanism: DelayMechanism::PeerToPeer, ..port(1, PtpState::Slave) };
        let status = Report::of(&heard(vec![peers])).expect("all answers").status(0, &PROPERTIES);
        assert_eq!(status.path_delay, ScaledNanos(7 << 16));
    }

    #[test]
    fn a_report_lacks_nothing() {
        assert!(Report::of(&heard(Vec::new())).is_none());
        let mut heard = heard(vec![port(1, PtpState::Slave)]);
        assert!(Report::of(&heard).is_some());
        heard.parent = None;
        assert!(Report::of(&heard).is_none());
    }

    #[test]
    fn intervals_are_powers_of_two_and_absurd_ones_are_bounded() {
        assert_eq!(interval(0), Duration::from_secs(1));
        assert_eq!(interval(-2), Duration::from_millis(250));
        assert_eq!(interval(4), Duration::from_secs(16));
        assert_eq!(interval(i8::MAX), interval(22));
        assert!(interval(i8::MIN) > Duration::ZERO);
    }

    #[test]
    fn accuracy_follows_the_standards_table() {
        for (value, nanos) in [
            (0x16, None),
            (0x17, Some(1)),
            (0x1e, Some(3)),
            (0x20, Some(25)),
            (0x23, Some(1_000)),
            (0x29, Some(1_000_000)),
            (0x30, Some(10_000_000_000)),
            (0x31, Some(u64::MAX)),
            (0x32, None),
            (0xfe, None),
        ] {
            assert_eq!(accuracy_ns(value), nanos, "{value:#x}");
        }
    }
}
