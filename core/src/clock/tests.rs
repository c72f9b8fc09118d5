use proptest::prelude::*;

use super::*;
use crate::arbitrary::at_millis;
use crate::protocol::header::{ClockQuality, ClockSource};
use crate::time::Wall;

const IDENTITY: ClockIdentity = ClockIdentity([0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]);

fn status(correction_s: f64, root_delay_s: f64, root_dispersion_s: f64) -> NtpStatus {
    NtpStatus {
        server: Some("10.0.0.1".into()),
        reference_id: 0x0a00_0001,
        stratum: 2,
        leap: Leap::Normal,
        reference_time: at_millis(0).wall,
        correction_s,
        last_offset_s: 0.0,
        rms_offset_s: 0.0,
        frequency_ppm: 0.0,
        skew_ppm: 0.0,
        root_delay_s,
        root_dispersion_s,
        update_interval_s: 64.0,
        sources: None,
        via: NtpVia::Cmdmon,
    }
}

#[test]
fn a_claim_holds_until_it_ends_and_then_the_clock_is_unsynced() {
    let stamp = ClockStamp {
        source: ClockSource::Ptp,
        quality: ClockQuality::Locked,
        offset_ns: Some(-7),
        uncertainty_ns: Some(900),
    };
    let until = at_millis(3_000).mono;
    let claim = ClockClaim { stamp, until };
    assert_eq!(claim.at(at_millis(2_999).mono), stamp);
    assert_eq!(claim.at(until), ClockStamp::default());
    assert_eq!(ClockClaim::default().at(Mono::ZERO), ClockStamp::default());
}

#[test]
fn a_grandmaster_may_be_named_in_any_of_the_ways_that_people_write_one() {
    for text in [
        "001122.fffe.334455",
        "001122.FFFE.334455",
        "00:11:22:ff:fe:33:44:55",
        "00-11-22-ff-fe-33-44-55",
        "00:11:22:33:44:55",
        "00-11-22-33-44-55",
    ] {
        assert_eq!(text.parse(), Ok(Grandmaster::Identity(IDENTITY)), "{text}");
    }
    for text in ["10.0.0.1", "fe80::1", "::ffff:10.0.0.1"] {
        assert_eq!(text.parse(), Ok(Grandmaster::Address(text.parse().expect("an address"))), "{text}");
    }
}

#[test]
fn what_names_no_clock_is_an_error_that_shows_what_would() {
    for text in [
        "",
        "master",
        "10.0.0",
        "10.0.0.256",
        "001122.fffe.33445",
        "001122:fffe:334455",
        "001122.fffe-334455",
        "00:11:22:33:44",
        "00:11:22:33:44:5",
        "00:11:22:33:44:55:66",
        "00:11:22:33:44:gg",
        "+0:11:22:33:44:55",
        "00.11.22.33.44.55",
        "é0:11:22:33:44:55",
    ] {
        let error = text.parse::<Grandmaster>().expect_err(text).to_string();
        assert_eq!(
            error,
            format!("`{text}` names no clock; write its address, 10.0.0.1, or identity, 001122.fffe.334455")
        );
    }
}

#[test]
fn an_identity_is_written_as_linuxptp_does_and_made_of_a_mac_as_it_does() {
    assert_eq!(IDENTITY.to_string(), "001122.fffe.334455");
    assert_eq!(ClockIdentity::of_mac([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]), IDENTITY);
}

#[test]
fn scaled_nanoseconds_are_written_as_pmc_does() {
    for (scaled, text, nanos) in [
        (0, "0.0", 0),
        (1 << 16, "1.0", 1),
        (-(5 << 16), "-5.0", -5),
        (98_304, "1.5", 1),
        (-98_304, "-1.5", -2),
        (29_333 << 16, "29333.0", 29_333),
    ] {
        assert_eq!((ScaledNanos(scaled).to_string().as_str(), ScaledNanos(scaled).nanos()), (text, nanos));
    }
}

#[test]
fn a_positive_correction_means_that_the_local_clock_is_behind() {
    assert_eq!(status(0.005, 0.0, 0.0).offset_ns(), -5_000_000);
    assert_eq!(status(-0.5, 0.0, 0.0).offset_ns(), 500_000_000);
}

#[test]
fn the_error_is_bounded_by_correction_and_dispersion_and_half_the_delay() {
    assert_eq!(status(0.005, 0.002, 0.001).error_bound_ns(), 7_000_000);
    assert_eq!(status(-0.005, 0.002, 0.001).error_bound_ns(), 7_000_000);
    assert_eq!(status(0.0, 0.0, 0.0).error_bound_ns(), 0);
}

#[test]
fn what_is_no_number_may_be_as_wrong_as_can_be() {
    let worst = i64::MAX.unsigned_abs();
    for bad in [f64::NAN, f64::INFINITY] {
        for status in [status(bad, 0.0, 0.0), status(0.0, bad, 0.0), status(0.0, 0.0, bad)] {
            assert_eq!(status.error_bound_ns(), worst);
        }
    }
    assert_eq!(status(0.0, -1.0, 0.0).error_bound_ns(), u64::MAX, "a negative bound is none");
}

#[test]
fn a_pulse_shows_by_how_much_the_clock_is_ahead_however_far_that_is() {
    let pulse = |real, clock| GpsPulse {
        kind: PulseKind::Pps,
        real: Wall::from_unix_nanos(real),
        clock: Wall::from_unix_nanos(clock),
        error_ns: 0,
    };
    assert_eq!(pulse(1_000, 1_250).offset_ns(), 250);
    assert_eq!(pulse(1_250, 1_000).offset_ns(), -250);
    assert_eq!(pulse(0, u64::MAX).offset_ns(), i64::MAX);
    assert_eq!(pulse(u64::MAX, 0).offset_ns(), i64::MIN);
}

#[test]
fn words_are_those_that_people_use() {
    assert_eq!(TimeDaemon::Ptp4l.to_string(), "ptp4l");
    assert_eq!(serde_json::to_value(TimeDaemon::Chronyd).expect("a word"), "chronyd");
    assert_eq!(serde_json::to_value(PtpState::PreMaster).expect("a word"), PtpState::PreMaster.as_str());
    assert_eq!(serde_json::to_value(GpsFix::ThreeD).expect("a word"), "3D");
    assert_eq!(GpsFix::No.to_string(), "no fix");
    assert_eq!(Unread::new(Obstacle::Absent, "no ptp4l at /var/run/ptp4l").to_string(), "no ptp4l at /var/run/ptp4l");
}

proptest! {
    #[test]
    fn an_identity_reads_back_as_it_is_written(bytes: [u8; 8]) {
        let identity = ClockIdentity(bytes);
        prop_assert_eq!(identity.to_string().parse(), Ok(Grandmaster::Identity(identity)));
    }

    #[test]
    fn no_text_is_too_odd(text in ".{0,40}|[0-9a-f:.+-]{0,30}") {
        let _ = text.parse::<Grandmaster>();
    }
}
