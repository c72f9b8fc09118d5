//! The kernel's own view of the system clock: `adjtimex(2)`, as chrony, ntpd or phc2sys set it.

use crate::bindings::{
    STA_DEL, STA_INS, STA_NANO, STA_PPSSIGNAL, STA_UNSYNC, TIME_DEL, TIME_ERROR, TIME_INS, TIME_OOP, TIME_WAIT,
    adjtimex, timex,
};
use crate::refusal::refusal;
use std::ffi::c_int;
use std::io;

/// What the kernel says of an error that nobody bounds: 16 seconds (`NTP_PHASE_LIMIT` of `linux/timex.h`).
const ERROR_LIMIT_US: u64 = 16_000_000;

/// The state of the system clock, `CLOCK_REALTIME`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelClock {
    /// Whether a program keeps the clock synchronized, and the kernel agrees: neither `TIME_ERROR` nor `STA_UNSYNC`.
    /// A program that only measures, such as `chronyd -x`, leaves it false.
    pub synchronized: bool,
    /// What the kernel still has to add to the clock, in nanoseconds.
    pub offset_ns: i64,
    /// By how much the kernel corrects the clock's frequency, in parts per million: positive makes it faster.
    pub frequency_ppm: f64,
    /// The most by which the clock can be wrong, in microseconds; grows by 500 a second until a program sets it.
    pub max_error_us: u64,
    /// By how much the clock is expected to be wrong, in microseconds.
    pub est_error_us: u64,
    /// TAI minus UTC, in seconds. None when no program has told the kernel.
    pub tai_offset: Option<i32>,
    /// Whether the kernel receives pulses each second.
    pub pps: bool,
    /// The leap second at the end of this UTC day.
    pub leap: Leap,
    /// The bits `STA_*` of `sys/timex.h`.
    pub status: u32,
}

/// A leap second at the end of a UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leap {
    /// None is announced.
    None,
    /// One will be inserted.
    Insert,
    /// One will be left out.
    Delete,
    /// The inserted second is now (`TIME_OOP`).
    InProgress,
    /// It is over, and still announced (`TIME_WAIT`).
    Over,
}

/// The state of the system clock.
///
/// It only reads: no mode of `adjtimex` is set, so that it changes nothing and needs no privilege. An error is that of
/// a filter for system calls which forbids `adjtimex`, as `ProtectClock=yes` of systemd does.
pub fn kernel_clock() -> io::Result<KernelClock> {
    // All zeros: also the modes, which say what to change.
    let mut timex = timex::default();
    // SAFETY: adjtimex reads and writes one `timex`. This one is of numbers, so that any bytes are valid, and is not
    // used in any other way before the call is over.
    let state = unsafe { adjtimex(&raw mut timex) };
    if state < 0 {
        let error = io::Error::last_os_error();
        let what = if error.kind() == io::ErrorKind::PermissionDenied {
            ": a filter forbids it, as systemd's ProtectClock=yes does"
        } else {
            ""
        };
        return Err(refusal(format!("reading the state of the system clock (adjtimex){what}"), error));
    }
    Ok(KernelClock::from_timex(state, &timex))
}

impl KernelClock {
    /// From what adjtimex returns and writes. Fields and bits are explained in adjtimex(2).
    fn from_timex(state: c_int, timex: &timex) -> Self {
        let has = |bit| timex.status & bit != 0;
        let unit_ns = if has(STA_NANO) { 1 } else { 1_000 };
        Self {
            synchronized: state != TIME_ERROR && !has(STA_UNSYNC),
            // The kernel keeps it below half a second.
            offset_ns: wide(timex.offset).saturating_mul(unit_ns),
            // The unit is 2⁻¹⁶ parts per million, and the kernel's limit 500 of these.
            frequency_ppm: wide(timex.freq) as f64 / 65_536.0,
            max_error_us: error_us(timex.maxerror),
            est_error_us: error_us(timex.esterror),
            // The kernel starts with 0, and TAI has never been less than 10 seconds ahead since 1972.
            tai_offset: Some(timex.tai).filter(|&seconds| seconds != 0),
            pps: has(STA_PPSSIGNAL),
            leap: Leap::from_kernel(state, has(STA_INS), has(STA_DEL)),
            status: timex.status.cast_unsigned(),
        }
    }
}

impl Leap {
    /// Before the kernel acts on an announcement, and while the clock is not synchronized, only the two bits tell.
    fn from_kernel(state: c_int, insert: bool, delete: bool) -> Self {
        match state {
            TIME_INS => Self::Insert,
            TIME_DEL => Self::Delete,
            TIME_OOP => Self::InProgress,
            TIME_WAIT => Self::Over,
            _ if insert => Self::Insert,
            _ if delete => Self::Delete,
            _ => Self::None,
        }
    }
}

/// The fields are `long`: 32 bits on 32-bit machines.
fn wide(field: impl Into<i64>) -> i64 {
    field.into()
}

/// A negative error, which older kernels let a program set, says nothing about the clock.
fn error_us(field: impl Into<i64>) -> u64 {
    u64::try_from(wide(field)).unwrap_or(ERROR_LIMIT_US)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::TIME_OK;

    /// Of a machine with chronyd.
    fn synchronized() -> timex {
        timex {
            status: STA_NANO | 0x1,
            offset: -1_234,
            freq: -1_245_184,
            maxerror: 5_500,
            esterror: 12,
            tai: 37,
            ..timex::default()
        }
    }

    #[test]
    fn a_synchronized_clock_is_read() {
        let expected = KernelClock {
            synchronized: true,
            offset_ns: -1_234,
            frequency_ppm: -19.0,
            max_error_us: 5_500,
            est_error_us: 12,
            tai_offset: Some(37),
            pps: false,
            leap: Leap::None,
            status: 0x2001,
        };
        assert_eq!(KernelClock::from_timex(TIME_OK, &synchronized()), expected);
    }

    #[test]
    fn the_state_and_the_bit_each_say_that_it_is_not_synchronized() {
        let unsynchronized = timex { status: STA_UNSYNC, ..synchronized() };
        assert!(!KernelClock::from_timex(TIME_ERROR, &synchronized()).synchronized);
        assert!(!KernelClock::from_timex(TIME_OK, &unsynchronized).synchronized);
        assert!(!KernelClock::from_timex(TIME_ERROR, &unsynchronized).synchronized);
        for state in [TIME_OK, TIME_INS, TIME_DEL, TIME_OOP, TIME_WAIT] {
            assert!(KernelClock::from_timex(state, &synchronized()).synchronized, "state {state}");
        }
    }

    #[test]
    fn the_offset_is_in_microseconds_unless_the_kernel_says_nanoseconds() {
        let offset =
            |status, offset| KernelClock::from_timex(TIME_OK, &timex { status, offset, ..timex::default() }).offset_ns;
        assert_eq!(offset(0, -250), -250_000);
        assert_eq!(offset(STA_NANO, -250), -250);
        assert_eq!(offset(0, std::ffi::c_long::MIN), i64::MIN);
    }

    #[test]
    fn the_frequency_is_in_parts_of_a_millionth() {
        let ppm = |freq| KernelClock::from_timex(TIME_OK, &timex { freq, ..timex::default() }).frequency_ppm;
        assert_eq!([ppm(0), ppm(65_536), ppm(-32_768), ppm(32_768_000)], [0.0, 1.0, -0.5, 500.0]);
    }

    #[test]
    fn no_tai_offset_is_unknown() {
        let tai = |tai| KernelClock::from_timex(TIME_OK, &timex { tai, ..timex::default() }).tai_offset;
        assert_eq!([tai(0), tai(37), tai(-1)], [None, Some(37), Some(-1)]);
    }

    #[test]
    fn a_negative_error_is_the_largest() {
        let clock = KernelClock::from_timex(TIME_OK, &timex { maxerror: -1, esterror: -5, ..timex::default() });
        assert_eq!((clock.max_error_us, clock.est_error_us), (ERROR_LIMIT_US, ERROR_LIMIT_US));
    }

    #[test]
    fn pulses_are_a_bit() {
        let pps = |status| KernelClock::from_timex(TIME_OK, &timex { status, ..timex::default() }).pps;
        assert_eq!([pps(0), pps(STA_PPSSIGNAL), pps(!STA_PPSSIGNAL)], [false, true, false]);
    }

    #[test]
    fn leap_seconds_are_read_from_the_state_and_else_from_the_bits() {
        let leap = |state, status| KernelClock::from_timex(state, &timex { status, ..timex::default() }).leap;
        assert_eq!(leap(TIME_OK, 0), Leap::None);
        assert_eq!(leap(TIME_INS, STA_INS), Leap::Insert);
        assert_eq!(leap(TIME_DEL, STA_DEL), Leap::Delete);
        assert_eq!(leap(TIME_OOP, STA_INS), Leap::InProgress);
        assert_eq!(leap(TIME_WAIT, STA_INS), Leap::Over);
        assert_eq!(leap(TIME_ERROR, STA_INS | STA_UNSYNC), Leap::Insert);
        assert_eq!(leap(TIME_ERROR, STA_DEL | STA_UNSYNC), Leap::Delete);
        assert_eq!(leap(TIME_ERROR, STA_UNSYNC), Leap::None);
        assert_eq!(leap(TIME_OK, STA_INS), Leap::Insert);
    }

    #[test]
    fn the_kernel_answers() {
        let clock = kernel_clock().expect("everyone may read the state of the system clock");
        assert!(clock.frequency_ppm.abs() <= 500.0, "{clock:?}");
        assert!(clock.offset_ns.abs() <= 500_000_000, "{clock:?}");
        assert!(clock.max_error_us <= ERROR_LIMIT_US && clock.est_error_us <= ERROR_LIMIT_US, "{clock:?}");
    }
}
