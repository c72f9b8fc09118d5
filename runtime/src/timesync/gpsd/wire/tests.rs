use proptest::prelude::*;

use super::*;

/// As gpsd 3.22 writes them (Debian 12), the pulse by the example of gpsd_json(5).
const VERSION: &str = r#"{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}"#;
const TPV: &str = r#"{"class":"TPV","device":"/dev/pts/1","status":2,"mode":3,"time":"2024-02-13T00:00:00.000Z","ept":0.005,"lat":46.5,"lon":7.6}"#;
const SKY: &str = r#"{"class":"SKY","device":"/dev/pts/1","hdop":1.2,"satellites":[{"PRN":1,"used":true},{"PRN":2,"used":false},{"PRN":3,"used":true}]}"#;
const PPS: &str = r#"{"class":"PPS","device":"/dev/pps0","real_sec":1707782400,"real_nsec":0,"clock_sec":1707782400,"clock_nsec":1250,"precision":-20}"#;
const TOFF: &str = r#"{"class":"TOFF","device":"/dev/pps0","real_sec":1707782400,"real_nsec":0,"clock_sec":1707782400,"clock_nsec":130000000}"#;

fn said(line: &str) -> Said {
    Said::parse(line.as_bytes()).expect("as gpsd writes it")
}

fn sky(lines: &[&str]) -> Sky {
    let mut sky = Sky::default();
    lines.iter().for_each(|line| sky.hear(said(line)));
    sky
}

#[test]
fn a_pulse_says_by_how_much_the_clock_is_ahead_and_how_sure_that_is() {
    let pulse = sky(&[PPS]).status().pulse.expect("a pulse");
    // 2^-20 s, rounded up to a nanosecond.
    assert_eq!((pulse.kind, pulse.offset_ns(), pulse.error_ns), (PulseKind::Pps, 1_250, 954));
    let behind =
        PPS.replace(r#""clock_sec":1707782400,"clock_nsec":1250"#, r#""clock_sec":1707782399,"clock_nsec":999999000"#);
    assert_eq!(sky(&[&behind]).status().pulse.expect("a pulse").offset_ns(), -1_000);
}

#[test]
fn the_arrival_of_a_message_is_worth_half_a_second_and_gives_way_to_a_pulse() {
    let arrival = sky(&[TOFF]).status().pulse.expect("a comparison");
    assert_eq!((arrival.kind, arrival.offset_ns(), arrival.error_ns), (PulseKind::Toff, 130_000_000, 500_000_000));
    for lines in [[PPS, TOFF], [TOFF, PPS]] {
        assert_eq!(sky(&lines).status().pulse.map(|pulse| pulse.kind), Some(PulseKind::Pps));
    }
}

#[test]
fn a_bare_fix_is_told_and_has_no_pulse() {
    let status = sky(&[VERSION, TPV, SKY]).status();
    assert_eq!(status.device.as_deref(), Some("/dev/pts/1"));
    assert_eq!((status.fix, status.satellites, status.pulse), (GpsFix::ThreeD, Some(2), None));
    assert_eq!(sky(&[VERSION]).release.as_deref(), Some("3.22"));
    for (mode, fix) in [("0", GpsFix::Unknown), ("1", GpsFix::No), ("2", GpsFix::TwoD), ("9", GpsFix::Unknown)] {
        let line = TPV.replace(r#""mode":3"#, &format!(r#""mode":{mode}"#));
        assert_eq!(sky(&[&line]).status().fix, fix, "{line}");
    }
}

#[test]
fn of_two_receivers_the_one_with_a_pulse_counts() {
    let status = sky(&[TPV, PPS]).status();
    assert_eq!((status.device.as_deref(), status.fix), (Some("/dev/pps0"), GpsFix::Unknown));
    assert!(status.pulse.is_some());
}

#[test]
fn receivers_beyond_the_bound_are_passed_over() {
    let mut sky = Sky::default();
    for number in 0..2 * DEVICES_MAX {
        sky.hear(said(&TPV.replace("/dev/pts/1", &format!("/dev/pts/{number}"))));
    }
    assert_eq!(sky.receivers.len(), DEVICES_MAX);
}

#[test]
fn what_is_no_line_of_gpsds_is_an_error() {
    let long = format!(r#"{{"class":"TPV","device":"{}"}}"#, "x".repeat(LINE_MAX));
    let broken = [
        "",
        "{",
        "[]",
        "{}",
        r#"{"class":7}"#,
        "$GPGGA,1",
        &long,
        r#"{"class":"PPS","device":"/dev/pps0"}"#,
        r#"{"class":"PPS","real_sec":-1,"real_nsec":0,"clock_sec":1,"clock_nsec":0}"#,
        r#"{"class":"PPS","real_sec":1,"real_nsec":1000000000,"clock_sec":1,"clock_nsec":0}"#,
        r#"{"class":"PPS","real_sec":9223372036854775807,"real_nsec":0,"clock_sec":1,"clock_nsec":0}"#,
    ];
    for line in broken {
        assert_eq!(Said::parse(line.as_bytes()), Err(NotGpsd), "{line}");
    }
    assert_eq!(said(r#"{"class":"DEVICES","devices":[]}"#), Said::Other);
}

#[test]
fn a_line_that_is_cut_short_anywhere_is_an_error() {
    for line in [VERSION, TPV, SKY, PPS, TOFF] {
        for end in 0..line.len() {
            assert_eq!(Said::parse(&line.as_bytes()[..end]), Err(NotGpsd), "{}", &line[..end]);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..512)) {
        fuzz(&data);
    }

    #[test]
    fn what_a_pulse_says_is_what_is_read(
        real in 0..9_000_000_000_u64, nanos in 0..1_000_000_000_u64, ahead in -1_000_000_000..1_000_000_000_i64,
    ) {
        let at = (real + 1) * 1_000_000_000 + nanos;
        let clock = at.saturating_add_signed(ahead);
        let second = 1_000_000_000;
        let line = format!(
            r#"{{"class":"PPS","real_sec":{},"real_nsec":{},"clock_sec":{},"clock_nsec":{}}}"#,
            at / second, at % second, clock / second, clock % second,
        );
        prop_assert_eq!(sky(&[&line]).status().pulse.map(|pulse| pulse.offset_ns()), Some(ahead));
    }
}
