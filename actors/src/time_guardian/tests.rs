use std::time::Duration;

use nunect_core::clock::{
    ClockIdentity, GpsFix, GpsPulse, GpsStatus, KernelStatus, Leap, NtpSource, NtpStatus, NtpVia, Obstacle, PtpState,
    PtpStatus, PulseKind, Reading, ScaledNanos, Unread,
};
use nunect_core::protocol::time::{Received, TimeStatus};
use nunect_core::testing::Harness;
use nunect_core::{Catalog, ClockReport, ClockStamp, Event, Message, Subject, TimeDaemon, Wall};
use serde_json::{Value, json};

use super::*;

mod choice;
mod claims;
mod events;
mod gps;
mod holdover;
mod metric;
mod ntp;
mod options;
mod properties;
mod ptp;

use ClockQuality::{Acquiring, Freerun, Locked, Tracking};

const SECOND: Duration = Duration::from_secs(1);
const MASTER: ClockIdentity = ClockIdentity([0, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]);

/// A guardian, its host's daemons and its host's wall clock.
struct World {
    harness: Harness,
    /// By how much the wall clock stepped.
    stepped_ns: i64,
}

impl World {
    fn new(config: Value) -> Self {
        Self { harness: Harness::new::<TimeGuardian>(config), stepped_ns: 0 }
    }

    fn auto() -> Self {
        Self::new(json!({}))
    }

    fn at(&self) -> Now {
        let Now { mono, wall } = self.harness.now();
        Now { mono, wall: Wall::from_unix_nanos(wall.unix_nanos().saturating_add_signed(self.stepped_ns)) }
    }

    fn hear(&mut self, daemon: TimeDaemon, answer: Result<Reading, Unread>) {
        let report = ClockReport { at: self.at(), daemon, answer };
        self.harness.input(Input::Clock(&report));
    }

    fn ptp(&mut self, status: PtpStatus) {
        self.hear(TimeDaemon::Ptp4l, Ok(Reading::Ptp(status)));
    }

    fn ntp(&mut self, status: NtpStatus) {
        self.hear(TimeDaemon::Chronyd, Ok(Reading::Ntp(status)));
    }

    fn gps(&mut self, status: GpsStatus) {
        self.hear(TimeDaemon::Gpsd, Ok(Reading::Gps(status)));
    }

    fn unread(&mut self, daemon: TimeDaemon, cause: Obstacle) {
        self.hear(daemon, Err(Unread::new(cause, format!("no {daemon} here"))));
    }

    fn pass(&mut self, duration: Duration) {
        self.harness.advance(duration);
    }

    /// A slave that has just heard its master, and is ahead by so much.
    fn slave(&self, offset_ns: i64) -> PtpStatus {
        PtpStatus {
            domain: 0,
            port: PtpState::Slave,
            grandmaster: MASTER,
            grandmaster_address: None,
            grandmaster_accuracy_ns: None,
            grandmaster_class: 6,
            grandmaster_present: true,
            steps_removed: 1,
            offset_ns,
            ingress_ns: i64::try_from(self.at().wall.unix_nanos()).unwrap_or(i64::MAX),
            path_delay: ScaledNanos(800 << 16),
            announce_timeout: Duration::from_secs(3),
            sync_interval: Duration::from_millis(125),
            utc_offset_s: None,
            ptp_timescale: false,
            hardware: Some(false),
            interface: Some("eth0".into()),
            card: None,
        }
    }

    /// A receiver whose pulse came just now, and showed the clock ahead by so much.
    fn pulse(&self, offset_ns: i64) -> GpsStatus {
        let clock = self.at().wall;
        let real = Wall::from_unix_nanos(clock.unix_nanos().saturating_add_signed(-offset_ns));
        let pulse = GpsPulse { kind: PulseKind::Pps, real, clock, error_ns: 120 };
        GpsStatus { device: Some("/dev/ttyACM0".into()), fix: GpsFix::ThreeD, satellites: Some(9), pulse: Some(pulse) }
    }

    /// A chronyd that corrected the clock just now, which is still ahead by so much. It may be wrong by 2 ms.
    fn chrony(&self, offset_ns: i32) -> NtpStatus {
        NtpStatus {
            server: Some("10.0.0.1".into()),
            reference_id: 0x0a00_0001,
            stratum: 2,
            leap: Leap::Normal,
            reference_time: self.at().wall,
            correction_s: -f64::from(offset_ns) / 1e9,
            last_offset_s: 0.0,
            rms_offset_s: 0.0,
            frequency_ppm: -3.0,
            skew_ppm: 0.5,
            root_delay_s: 0.002,
            root_dispersion_s: 0.001,
            update_interval_s: 64.0,
            sources: Some(vec![NtpSource {
                name: "10.0.0.1".into(),
                selected: true,
                stratum: 1,
                poll: Duration::from_secs(64),
                reach: 0o377,
                since: Some(SECOND),
            }]),
            via: NtpVia::Cmdmon,
        }
    }

    /// What the node says about its clock on a message that it sends now.
    fn stamp(&self) -> ClockStamp {
        self.harness.claim().map_or_else(ClockStamp::default, |(claim, _)| claim.at(self.harness.now().mono))
    }

    fn clock(&self) -> (ClockSource, ClockQuality) {
        (self.stamp().source, self.stamp().quality)
    }

    fn uncertainty_ns(&self) -> u64 {
        self.stamp().uncertainty_ns.expect("known")
    }

    fn is_lost(&self) -> bool {
        self.harness.claim().is_some_and(|(_, lost)| lost)
    }

    /// What it tells of a clock whenever it is asked.
    fn asked(&mut self) -> TimeStatus {
        drop(self.harness.published());
        let unit = nunect_core::testing::UNIT.parse().expect("legal");
        let question = Message {
            reply: Some(Subject::parse("_INBOX.1").expect("legal")),
            ..Message::new(time::sync_subject(&unit))
        };
        let sent = self.harness.now();
        self.harness.send(question);
        let mut answer = self.harness.expect_publish("_INBOX.1");
        answer.received = self.harness.now();
        time::told(sent, &answer).expect("an answer").status
    }

    /// Why a daemon is of no use, or what there is to know about it.
    fn note(&mut self, daemon: TimeDaemon) -> String {
        let row = self.asked().sources.into_iter().find(|row| row.daemon == daemon);
        row.expect("it was asked").note.expect("there is something to know")
    }

    /// Takes the changes of source and quality, as operators read them.
    fn changes(&mut self) -> Vec<String> {
        let events = self.harness.events().into_iter();
        events.filter(|event| matches!(event, Event::ClockChanged { .. })).map(|event| event.to_string()).collect()
    }
}

fn config_error(config: &Value) -> String {
    let catalog = Catalog::new().with::<TimeGuardian>();
    let entry = catalog.get("time_guardian").expect("it is in there");
    (entry.check)(config).expect_err("an illegal configuration").to_string()
}
