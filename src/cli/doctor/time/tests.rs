//! What is said of what daemons say, and of those that say nothing.

use std::time::Duration;

use nunect_core::Wall;
use nunect_core::clock::{
    CardOffset, ClockIdentity, GpsFix, GpsPulse, GpsStatus, KernelStatus, Leap, NtpSource, NtpStatus, NtpVia, PtpState,
    PtpStatus, PulseKind, ScaledNanos,
};

use super::*;

const MAC: [u8; 6] = [0, 0x11, 0x22, 0x33, 0x44, 0x55];

fn time(mode: TimeMode) -> TimeSection {
    TimeSection { mode, ..TimeSection::default() }
}

fn slave() -> PtpStatus {
    PtpStatus {
        domain: 0,
        port: PtpState::Slave,
        grandmaster: ClockIdentity::of_mac(MAC),
        grandmaster_address: None,
        grandmaster_accuracy_ns: None,
        grandmaster_class: 6,
        grandmaster_present: true,
        steps_removed: 1,
        offset_ns: -170,
        ingress_ns: 1,
        path_delay: ScaledNanos(5_300 << 16),
        announce_timeout: Duration::from_secs(3),
        sync_interval: Duration::from_secs(1),
        utc_offset_s: None,
        ptp_timescale: false,
        hardware: Some(false),
        interface: Some("eth0".into()),
        card: None,
    }
}

fn gps(kind: Option<PulseKind>) -> Reading {
    let real = Wall::from_unix_nanos(1_707_782_400_000_000_000);
    let clock = Wall::from_unix_nanos(1_707_782_400_000_000_700);
    let pulse = kind.map(|kind| GpsPulse { kind, real, clock, error_ns: 954 });
    Reading::Gps(GpsStatus { device: Some("/dev/pps0".into()), fix: GpsFix::ThreeD, satellites: Some(9), pulse })
}

fn ntp() -> NtpStatus {
    let source = NtpSource {
        name: "10.0.0.1".into(),
        selected: true,
        stratum: 1,
        poll: Duration::from_secs(64),
        reach: 0o377,
        since: Some(Duration::from_secs(5)),
    };
    NtpStatus {
        server: Some("10.0.0.1".into()),
        reference_id: 0x0a00_0001,
        stratum: 2,
        leap: Leap::Normal,
        reference_time: Wall::default(),
        correction_s: -0.005,
        last_offset_s: 0.0,
        rms_offset_s: 0.0,
        frequency_ppm: 0.0,
        skew_ppm: 0.1,
        root_delay_s: 0.001,
        root_dispersion_s: 0.001,
        update_interval_s: 64.0,
        sources: Some(vec![source]),
        via: NtpVia::Cmdmon,
    }
}

fn kernel(synchronized: bool) -> Asked {
    let status = KernelStatus {
        synchronized,
        offset_ns: 0,
        max_error_us: 16_000,
        estimated_error_us: 0,
        frequency_ppm: 0.0,
        tai_offset_s: None,
    };
    (TimeDaemon::Kernel, Ok(Reading::Kernel(status)))
}

fn unread(daemon: TimeDaemon, cause: Obstacle) -> Asked {
    (daemon, Err(Unread::new(cause, "so it is")))
}

/// The findings as a person sees them: verdict, check, what, help.
fn said(time: &TimeSection, asked: &[Asked], can_stamp: CanStamp) -> Vec<String> {
    let finding = |one: &Finding| format!("{:?} {}: {}; {}", one.verdict, one.check, one.what, one.help);
    judged(time, asked, can_stamp).iter().map(finding).collect()
}

#[track_caller]
fn assert_says(said: &[String], parts: &[&str]) {
    assert!(said.iter().any(|one| parts.iter().all(|part| one.contains(part))), "{parts:?} in {said:#?}");
}

fn unknown(_: &str) -> Option<bool> {
    None
}

const OBSTACLES: [Obstacle; 6] = [
    Obstacle::Absent,
    Obstacle::Denied,
    Obstacle::Silent,
    Obstacle::OtherDomain { answers: 24, transport_specific: 1 },
    Obstacle::Refused,
    Obstacle::Malformed,
];
const DAEMONS: [TimeDaemon; 4] = [TimeDaemon::Ptp4l, TimeDaemon::Gpsd, TimeDaemon::Chronyd, TimeDaemon::Kernel];

#[test]
fn whoever_can_be_gone_by_is_named_with_what_it_follows() {
    let asked = [
        (TimeDaemon::Ptp4l, Ok(Reading::Ptp(slave()))),
        (TimeDaemon::Gpsd, Ok(gps(Some(PulseKind::Pps)))),
        (TimeDaemon::Chronyd, Ok(Reading::Ntp(ntp()))),
        kernel(true),
    ];
    let expected = [
        "Ok ptp4l: follows 001122.fffe.334455 in domain 0, offset -170 ns, path delay 5.3 µs, stamps in software; ",
        "Ok gpsd: /dev/pps0, 3D fix, 9 satellites, by its pulse the clock is off by 700 ns ± 954 ns; ",
        "Ok chronyd: follows 10.0.0.1, stratum 2, offset 5.0 ms, wrong by 6.5 ms at most; ",
        "Ok kernel: somebody told it that the clock is right, wrong by 16.0 ms at most; ",
        "Ok time source: ptp4l, gpsd, chronyd, kernel can be gone by; ",
    ];
    assert_eq!(said(&time(TimeMode::Auto), &asked, unknown), expected);
}

#[test]
fn every_obstacle_of_every_daemon_has_a_remedy_and_none_is_a_problem_beside_a_source() {
    for daemon in DAEMONS {
        for cause in OBSTACLES {
            let others = (TimeDaemon::Chronyd, Ok(Reading::Ntp(ntp())));
            for finding in judged(&time(TimeMode::Auto), &[unread(daemon, cause), others], unknown) {
                let is_ok = finding.verdict == Verdict::Ok;
                assert!(is_ok || (finding.help.len() > 20 && finding.verdict != Verdict::Problem), "{finding:?}");
            }
        }
    }
}

#[test]
fn the_one_that_is_configured_is_missed_more_than_others() {
    let cases = [
        (TimeMode::Ptp, TimeDaemon::Ptp4l),
        (TimeMode::Gps, TimeDaemon::Gpsd),
        (TimeMode::Chrony, TimeDaemon::Chronyd),
    ];
    for (mode, daemon) in cases {
        for cause in OBSTACLES {
            let said = said(&time(mode), &[unread(daemon, cause), kernel(false)], unknown);
            assert_says(&said, &[&format!("Problem {daemon}: so it is")]);
        }
    }
    let absent = [unread(TimeDaemon::Gpsd, Obstacle::Absent)];
    assert_says(&said(&time(TimeMode::Auto), &absent, unknown), &["Info gpsd: so it is; for GPS start `gpsd -n`"]);
    let told = [unread(TimeDaemon::Chronyd, Obstacle::Absent), kernel(true)];
    let said = said(&time(TimeMode::Chrony), &told, unknown);
    assert_says(&said, &["Info chronyd: so it is"]);
    assert_says(&said, &["Ok time source: kernel can be gone by"]);
}

#[test]
fn no_source_at_all_is_a_problem_where_one_is_required() {
    let asked = [unread(TimeDaemon::Chronyd, Obstacle::Absent), kernel(false)];
    assert_says(&said(&time(TimeMode::Auto), &asked, unknown), &["Info time source: none: the unit will be unsynced"]);
    let required = TimeSection { required: true, ..TimeSection::default() };
    assert_says(
        &said(&required, &asked, unknown),
        &["Problem time source: none", "time.required is true", "start one of"],
    );
    assert_says(&said(&required, &[], unknown), &["Problem time source: none"]);
    let kernel_only = [unread(TimeDaemon::Ptp4l, Obstacle::Absent), kernel(true)];
    let ptp = TimeSection { required: true, ..time(TimeMode::Ptp) };
    assert_says(&said(&ptp, &kernel_only, unknown), &["Problem time source: none"]);
}

#[test]
fn the_remedies_name_what_is_to_be_set() {
    let help = |daemon, cause| remedy::of(&TimeSection::default(), daemon, cause);
    let other =
        |answers, transport_specific| help(TimeDaemon::Ptp4l, Obstacle::OtherDomain { answers, transport_specific });
    assert_eq!(other(24, 0), "set time.ptp_domain: 24");
    assert_eq!(other(0, 1), "set time.ptp_transport_specific: 1");
    assert_eq!(other(24, 1), "set time.ptp_domain: 24 and time.ptp_transport_specific: 1");
    let denied = help(TimeDaemon::Ptp4l, Obstacle::Denied);
    assert!(denied.contains("uds_file_mode 0666") && denied.contains("uds_ro_address"), "{denied}");
    let denied = help(TimeDaemon::Chronyd, Obstacle::Denied);
    assert!(denied.contains("_chrony") && denied.contains("cmdport 323"), "{denied}");
    let refused = help(TimeDaemon::Chronyd, Obstacle::Refused);
    assert!(refused.contains("cmdallow 127.0.0.1") && refused.contains("cmdport 0"), "{refused}");
}

#[test]
fn a_ptp_port_that_follows_nobody_is_told_with_its_state() {
    let said = |status: PtpStatus| {
        let asked = [(TimeDaemon::Ptp4l, Ok(Reading::Ptp(status)))];
        said(&time(TimeMode::Auto), &asked, unknown)
    };
    let states = [
        (PtpState::Master, "clientOnly 1"),
        (PtpState::Listening, "a grandmaster announces itself"),
        (PtpState::Uncalibrated, "wait"),
        (PtpState::Faulty, "the interface is up"),
    ];
    for (port, help) in states {
        let said = said(PtpStatus { port, ..slave() });
        assert_says(&said, &["Warning ptp4l: the port on eth0 is", port.as_str(), help]);
        assert_says(&said, &["Info time source: none"]);
    }
    assert_says(&said(PtpStatus { ingress_ns: 0, ..slave() }), &["no sync message of its master counts"]);
    assert_says(
        &said(PtpStatus { path_delay: ScaledNanos(-1 << 16), ..slave() }),
        &["the path delay is negative: -1.0 ns"],
    );
}

#[test]
fn another_grandmaster_than_the_configured_one_is_not_gone_by() {
    let said = |master: &str, status: PtpStatus| {
        let time = TimeSection { ptp_master: Some(master.to_owned()), ..time(TimeMode::Ptp) };
        said(&time, &[(TimeDaemon::Ptp4l, Ok(Reading::Ptp(status)))], unknown)
    };
    let wrong = said("001122.fffe.334456", slave());
    assert_says(&wrong, &["Problem ptp4l: follows 001122.fffe.334455, and time.ptp_master is 001122.fffe.334456"]);
    assert_says(&wrong, &["Info time source: none"]);
    assert_eq!(said("00:11:22:33:44:55", slave()).len(), 2, "the MAC address of its grandmaster");
    let at = |address: &str| PtpStatus { grandmaster_address: address.parse().ok(), ..slave() };
    assert_eq!(said("10.0.0.1", at("10.0.0.1")).len(), 2);
    assert_says(&said("10.0.0.1", at("10.0.0.2")), &["Problem ptp4l", "at 10.0.0.2, and time.ptp_master is 10.0.0.1"]);
    let mute = said("10.0.0.1", slave());
    assert_says(&mute, &["Info ptp4l", "does not tell whether its address is 10.0.0.1"]);
    assert_says(&mute, &["Ok time source: ptp4l can be gone by"]);
}

#[test]
fn software_stamps_where_hardware_is_wanted_are_told_with_what_the_card_can() {
    let time = TimeSection { ptp_hw_timestamp: Some(true), ..time(TimeMode::Auto) };
    let said = |status: PtpStatus, can_stamp: CanStamp| {
        said(&time, &[(TimeDaemon::Ptp4l, Ok(Reading::Ptp(status)))], can_stamp)
    };
    let software = "Warning ptp4l: stamps in software";
    assert_says(&said(slave(), |_| Some(true)), &[software, "`time_stamping hardware`", "eth0 can"]);
    assert_says(&said(slave(), |_| Some(false)), &[software, "eth0 cannot stamp"]);
    assert_says(&said(slave(), unknown), &[software, "`ethtool -T`"]);
    let listening = PtpStatus { port: PtpState::Listening, ..slave() };
    let ptp = TimeSection { mode: TimeMode::Ptp, ..time.clone() };
    let named = self::said(&ptp, &[(TimeDaemon::Ptp4l, Ok(Reading::Ptp(listening)))], unknown);
    assert_says(&named, &["Problem ptp4l: the port on eth0 is LISTENING"]);
    assert_says(&named, &[software]);
    let hardware = PtpStatus { hardware: Some(true), ..slave() };
    assert_says(&said(hardware.clone(), unknown), &["Warning ptp4l: stamps in hardware, and the system clock cannot"]);
    let card = Some(CardOffset { offset_ns: 0, error_ns: 1 });
    assert_eq!(said(PtpStatus { card, ..hardware }, unknown).len(), 2);
}

#[test]
fn a_receiver_without_a_pulse_tells_no_time_worth_having() {
    let said = |kind| said(&time(TimeMode::Auto), &[(TimeDaemon::Gpsd, Ok(gps(kind)))], unknown);
    assert_says(
        &said(None),
        &["Warning gpsd: /dev/pps0, 3D fix", "a bare fix tells no time worth having", "/dev/pps0"],
    );
    assert_says(&said(None), &["Info time source: none"]);
    assert_says(&said(Some(PulseKind::Toff)), &["Info gpsd", "no pulse; by its messages the clock is off by 700 ns"]);
    assert_says(&said(Some(PulseKind::Toff)), &["Ok time source: gpsd"]);
    let Reading::Gps(mut blind) = gps(Some(PulseKind::Pps)) else { panic!("a receiver") };
    blind.fix = GpsFix::No;
    let said = self::said(&time(TimeMode::Auto), &[(TimeDaemon::Gpsd, Ok(Reading::Gps(blind)))], unknown);
    assert_says(&said, &["Warning gpsd: /dev/pps0, no fix", "its pulse is worth nothing yet; give its antenna"]);
}

#[test]
fn an_ntp_daemon_that_follows_nobody_says_why() {
    let said =
        |status: NtpStatus| said(&time(TimeMode::Auto), &[(TimeDaemon::Chronyd, Ok(Reading::Ntp(status)))], unknown);
    let local = NtpStatus { reference_id: NtpStatus::LOCAL_REFERENCE, ..ntp() };
    assert_says(&said(local), &["Warning chronyd: follows its own clock", "server HOST iburst"]);
    let early = NtpStatus { leap: Leap::Unsynchronised, reference_id: 0, ..ntp() };
    assert_says(&said(early.clone()), &["Warning chronyd: follows nobody yet", "chronyc sources"]);
    assert_says(&said(NtpStatus { sources: Some(Vec::new()), ..early }), &["has no server to follow"]);
    let mut dead = ntp();
    dead.sources.iter_mut().flatten().for_each(|source| source.reach = 0);
    assert_says(&said(dead), &["still says that it follows 10.0.0.1, which does not answer any more"]);
    assert_says(&said(NtpStatus { sources: None, ..ntp() }), &["Ok chronyd: follows 10.0.0.1"]);
}

#[test]
fn a_kernel_that_nobody_synchronises_is_worth_knowing() {
    let said = said(&time(TimeMode::Auto), &[kernel(false)], unknown);
    assert_says(&said, &["Info kernel: nobody told it that the clock is right; run chronyd"]);
}
