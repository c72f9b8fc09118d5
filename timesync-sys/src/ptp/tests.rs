use super::*;
use crate::refusal::errno;

fn sample(before_ns: i64, phc_ns: i64, after_ns: i64) -> Sample {
    Sample { before_ns, phc_ns, after_ns }
}

/// The offset, its error and the hardware clock's reading, in nanoseconds.
#[track_caller]
fn check(samples: &[Sample], expected: Option<(i64, u64, i64)>) {
    let offset = PhcOffset::from_samples(Method::Extended, samples);
    assert!(offset.is_none_or(|offset| offset.method == Method::Extended));
    assert_eq!(offset.map(|offset| (offset.offset_ns, offset.error_ns, offset.phc_ns)), expected, "{samples:?}");
}

#[test]
fn the_offset_is_the_middle_of_the_system_times_minus_the_hardware_clock() {
    check(&[sample(1_000, 900, 1_100)], Some((150, 50, 900)));
    check(&[sample(1_000, 5_000, 1_100)], Some((-3_950, 50, 5_000)));
    check(&[sample(-1_100, -50, -1_000)], Some((-1_000, 50, -50)));
}

#[test]
fn half_a_nanosecond_is_rounded_into_the_error() {
    // In truth the middle is 1000.5: 1000 is at most 1 from any moment of the gap.
    check(&[sample(1_000, 0, 1_001)], Some((1_000, 1, 0)));
    check(&[sample(1_000, 0, 1_003)], Some((1_001, 2, 0)));
    check(&[sample(1_000, 0, 1_000)], Some((1_000, 0, 0)));
}

#[test]
fn the_sample_with_the_smallest_gap_counts_and_the_first_of_several() {
    let wide = sample(10_000, 0, 90_000);
    check(&[wide, sample(20_000, 1, 20_200), wide], Some((20_099, 100, 1)));
    check(&[sample(20_000, 1, 20_200), sample(30_000, 2, 30_200)], Some((20_099, 100, 1)));
    // Of the same error, but not of the same gap.
    check(&[sample(100, 1, 102), sample(200, 2, 201)], Some((198, 1, 2)));
}

#[test]
fn a_sample_that_goes_backwards_is_left_out() {
    check(&[sample(1_001, 0, 1_000)], None);
    check(&[sample(9_000, 0, 1_000), sample(2_000, 0, 4_000)], Some((3_000, 1_000, 0)));
    check(&[sample(i64::MAX, 0, i64::MIN)], None);
}

#[test]
fn without_samples_there_is_no_offset() {
    check(&[], None);
}

#[test]
fn what_no_number_holds_is_left_out_and_does_not_panic() {
    check(&[sample(i64::MAX, -1, i64::MAX)], None);
    check(&[sample(i64::MIN, 1, i64::MIN)], None);
    check(&[sample(i64::MAX, -1, i64::MAX), sample(0, 0, 10)], Some((5, 5, 0)));
    check(&[sample(i64::MIN, 0, i64::MAX)], Some((-1, 1 << 63, 0)));
    check(&[sample(i64::MAX, i64::MAX, i64::MAX)], Some((0, 0, i64::MAX)));
    check(&[sample(i64::MIN, i64::MIN, i64::MIN)], Some((0, 0, i64::MIN)));
}

#[test]
fn the_kernels_times_are_nanoseconds_until_they_do_not_fit() {
    let time = |sec, nsec| ptp_clock_time { sec, nsec, reserved: 0 };
    assert_eq!(nanoseconds(&time(1_700_000_037, 5)), Some(1_700_000_037_000_000_005));
    // As in a timespec: the nanoseconds count forwards from seconds before the epoch, too.
    assert_eq!(nanoseconds(&time(-1, 999_999_999)), Some(-1));
    assert_eq!(nanoseconds(&time(9_223_372_036, 854_775_807)), Some(i64::MAX));
    assert_eq!(nanoseconds(&time(9_223_372_036, 854_775_808)), None);
    assert_eq!(nanoseconds(&time(-9_223_372_037, 145_224_192)), Some(i64::MIN));
    assert_eq!(nanoseconds(&time(i64::MAX, u32::MAX)), None);
    assert_eq!(nanoseconds(&time(i64::MIN, 0)), None);
}

/// The answer's times, each by its second.
fn seconds<'a>(times: impl Iterator<Item = Times<'a>>) -> Vec<[i64; 3]> {
    times.map(|times| times.map(|time| time.sec)).collect()
}

fn at(sec: i64) -> ptp_clock_time {
    ptp_clock_time { sec, nsec: 0, reserved: 0 }
}

#[test]
fn a_plain_answer_shares_the_systems_times_among_neighbours() {
    let mut answer = ptp_sys_offset::default();
    for (time, sec) in answer.ts.iter_mut().zip(0..) {
        *time = at(sec);
    }
    assert_eq!(seconds(plain(&answer, 1)), [[0, 1, 2]]);
    assert_eq!(seconds(plain(&answer, 3)), [[0, 1, 2], [2, 3, 4], [4, 5, 6]]);
    let all = seconds(plain(&answer, SAMPLES_MAX as usize));
    assert_eq!((all.len(), all.last()), (25, Some(&[48, 49, 50])));
}

#[test]
fn an_extended_answer_has_three_times_for_each_sample() {
    let mut answer = ptp_sys_offset_extended::default();
    for (time, sec) in answer.ts.iter_mut().flatten().zip(0..) {
        *time = at(sec);
    }
    assert_eq!(seconds(extended(&answer, 2)), [[0, 1, 2], [3, 4, 5]]);
    let all = seconds(extended(&answer, SAMPLES_MAX as usize));
    assert_eq!((all.len(), all.last()), (25, Some(&[72, 73, 74])));
}

#[test]
fn a_precise_answer_has_one_time_of_the_system() {
    let answer = ptp_sys_offset_precise {
        device: at(1),
        sys_realtime: at(2),
        sys_monoraw: at(3),
        ..ptp_sys_offset_precise::default()
    };
    assert_eq!(seconds([precise(&answer)].into_iter()), [[2, 1, 2]]);
}

#[test]
fn capabilities_are_read_field_by_field() {
    let caps = ptp_clock_caps {
        max_adj: 62_499_999,
        n_alarm: 1,
        n_ext_ts: 2,
        n_per_out: 3,
        pps: 1,
        n_pins: 4,
        cross_timestamping: 1,
        adjust_phase: 0,
        ..ptp_clock_caps::default()
    };
    let expected = PtpCaps {
        frequency_adjustment_max_ppb: 62_499_999,
        alarms: 1,
        external_timestamps: 2,
        periodic_outputs: 3,
        pins: 4,
        pps: true,
        cross_timestamping: true,
        phase_adjustment: false,
    };
    assert_eq!(PtpCaps::from(&caps), expected);
    assert!(PtpCaps::from(&ptp_clock_caps { adjust_phase: 1, ..caps }).phase_adjustment);
}

/// An open file that is no PTP hardware clock.
fn null() -> PtpDevice {
    PtpDevice::open(Path::new("/dev/null")).expect("everyone may read /dev/null")
}

const ENOTTY: i32 = 25;

#[test]
fn a_file_that_is_no_clock_is_an_error_that_says_so() {
    let error = null().caps().expect_err("/dev/null is no clock");
    assert_eq!(errno(&error), Some(ENOTTY));
    assert_eq!(
        error.to_string(),
        "asking PTP_CLOCK_GETCAPS of /dev/null, which is no PTP hardware clock, or whose driver does not know this request"
    );
    for (error, request) in [
        (null().sys_offset(1).err(), "PTP_SYS_OFFSET "),
        (null().sys_offset_extended(SAMPLES_MAX).err(), "PTP_SYS_OFFSET_EXTENDED "),
        (null().sys_offset_precise().err(), "PTP_SYS_OFFSET_PRECISE "),
        // The last method's: every clock has that one.
        (null().offset().err(), "PTP_SYS_OFFSET "),
    ] {
        let error = error.expect("/dev/null is no clock");
        assert_eq!(errno(&error), Some(ENOTTY), "{error}");
        assert!(error.to_string().contains(request), "{error}");
    }
}

#[test]
fn a_clock_that_is_not_there_is_an_error_with_its_path() {
    let error = PtpDevice::open(Path::new("/dev/ptp-that-is-not-there")).expect_err("there is no such file");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.to_string(), "opening the PTP hardware clock /dev/ptp-that-is-not-there");
}

#[test]
fn a_number_of_samples_that_no_request_holds_is_an_error() {
    for samples in [0, SAMPLES_MAX + 1, u32::MAX] {
        for error in [null().sys_offset(samples).err(), null().sys_offset_extended(samples).err()] {
            let error = error.expect("too few or too many samples");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), format!("{samples} samples of a PTP hardware clock: ask for 1 to 25"));
        }
    }
}

#[test]
fn times_out_of_range_are_an_error_with_the_clocks_path() {
    let (right, wrong) = (ptp_clock_time::default(), ptp_clock_time { sec: i64::MAX, nsec: 0, reserved: 0 });
    let error = null().sample([&right, &wrong, &right]).expect_err("the time does not fit");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().starts_with("/dev/null is at a time"), "{error}");
    assert_eq!(null().sample([&right; 3]).expect("the time fits"), sample(0, 0, 0));
}
