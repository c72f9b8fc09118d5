//! PTP hardware clocks: `/dev/ptp0` and its like.
//!
//! The requests are those of `linux/ptp_clock.h`. Reading a clock needs no more than the permission to open its file
//! for reading (`drivers/ptp/ptp_chardev.c`).

use crate::bindings::{
    IOCTL_PTP_CLOCK_GETCAPS, IOCTL_PTP_SYS_OFFSET, IOCTL_PTP_SYS_OFFSET_EXTENDED, IOCTL_PTP_SYS_OFFSET_PRECISE,
    PTP_MAX_SAMPLES, ptp_clock_caps, ptp_clock_time, ptp_sys_offset, ptp_sys_offset_extended, ptp_sys_offset_precise,
};
use crate::refusal::refusal;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// How many samples one request can ask for.
pub const SAMPLES_MAX: u32 = PTP_MAX_SAMPLES as u32;

/// How many samples [`PtpDevice::offset`] chooses from: as many as phc2sys reads for one update (phc2sys(8), `-N`).
const SAMPLES: u32 = 5;

const NANOSECONDS: i128 = 1_000_000_000;

/// An open PTP hardware clock.
#[derive(Debug)]
pub struct PtpDevice {
    file: OwnedFd,
    path: PathBuf,
}

/// What a PTP hardware clock can do (`PTP_CLOCK_GETCAPS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtpCaps {
    /// By how much its frequency can be adjusted, in parts per billion.
    pub frequency_adjustment_max_ppb: u32,
    /// How many alarms it has.
    pub alarms: u32,
    /// How many channels can stamp external events.
    pub external_timestamps: u32,
    /// How many periodic signals it can send.
    pub periodic_outputs: u32,
    /// How many pins can be given a function.
    pub pins: u32,
    /// Whether it tells the kernel each second's start.
    pub pps: bool,
    /// Whether it is read together with the system clock by the hardware: [`PtpDevice::sys_offset_precise`].
    pub cross_timestamping: bool,
    /// Whether its phase can be adjusted.
    pub phase_adjustment: bool,
}

/// A reading of a PTP hardware clock between two of `CLOCK_REALTIME`. Each counts nanoseconds since its own epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// `CLOCK_REALTIME` before the reading.
    pub before_ns: i64,
    /// The reading.
    pub phc_ns: i64,
    /// `CLOCK_REALTIME` after the reading.
    pub after_ns: i64,
}

/// How a PTP hardware clock was compared with the system clock, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The hardware read both at once (`PTP_SYS_OFFSET_PRECISE`).
    Precise,
    /// The driver read the system clock just before and after the register (`PTP_SYS_OFFSET_EXTENDED`).
    Extended,
    /// The kernel read the system clock before and after calling the driver (`PTP_SYS_OFFSET`).
    Plain,
}

/// How far the system clock is from a PTP hardware clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhcOffset {
    /// `CLOCK_REALTIME` minus the hardware clock, in nanoseconds. A hardware clock that keeps TAI, as PTP's own time
    /// scale has it, is ahead of `CLOCK_REALTIME` by the offset of TAI from UTC: that is still in this number.
    pub offset_ns: i64,
    /// By how much `offset_ns` can be wrong: half the time between the two readings of the system clock, rounded up.
    /// 0 for [`Method::Precise`], where what remains is the hardware's.
    pub error_ns: u64,
    /// The hardware clock's reading, in nanoseconds since its epoch.
    pub phc_ns: i64,
    /// How the two were compared.
    pub method: Method,
}

impl PtpDevice {
    /// Opens the clock at `path`, such as `/dev/ptp0`, for reading.
    ///
    /// That the file is a clock at all shows at the first request. An error's source is that of open(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        // With NONBLOCK, a path that leads to a pipe by mistake is an error later, instead of a hang here.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| refusal(format!("opening the PTP hardware clock {}", path.display()), errno))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// What the clock can do. An error when the file is no PTP hardware clock, or the clock is gone.
    pub fn caps(&self) -> io::Result<PtpCaps> {
        let mut caps = ptp_clock_caps::default();
        // SAFETY: a `ptp_clock_caps` is numbers: any bytes are one.
        unsafe { self.exchange::<IOCTL_PTP_CLOCK_GETCAPS, _>("PTP_CLOCK_GETCAPS", &mut caps) }?;
        Ok(PtpCaps::from(&caps))
    }

    /// Compares the clock `samples` times, at most [`SAMPLES_MAX`], with the system clock, by the way that every driver
    /// has: [`Method::Plain`].
    ///
    /// Neighbours share a reading of the system clock: the one after the first is the one before the second.
    pub fn sys_offset(&self, samples: u32) -> io::Result<Vec<Sample>> {
        let wanted = checked(samples)?;
        let mut request = ptp_sys_offset { n_samples: samples, ..ptp_sys_offset::default() };
        // SAFETY: a `ptp_sys_offset` is numbers: any bytes are one.
        unsafe { self.exchange::<IOCTL_PTP_SYS_OFFSET, _>("PTP_SYS_OFFSET", &mut request) }?;
        plain(&request, wanted).map(|times| self.sample(times)).collect()
    }

    /// Compares the clock `samples` times, at most [`SAMPLES_MAX`], with the system clock: [`Method::Extended`].
    ///
    /// An error with `EOPNOTSUPP` when its driver cannot, and `ENOTTY` before Linux 5.0.
    pub fn sys_offset_extended(&self, samples: u32) -> io::Result<Vec<Sample>> {
        let wanted = checked(samples)?;
        // Zeros also choose CLOCK_REALTIME, where a newer kernel lets one choose.
        let mut request = ptp_sys_offset_extended { n_samples: samples, ..ptp_sys_offset_extended::default() };
        // SAFETY: a `ptp_sys_offset_extended` is numbers: any bytes are one.
        unsafe { self.exchange::<IOCTL_PTP_SYS_OFFSET_EXTENDED, _>("PTP_SYS_OFFSET_EXTENDED", &mut request) }?;
        extended(&request, wanted).map(|times| self.sample(times)).collect()
    }

    /// Reads the clock and the system clock at once: [`Method::Precise`]. The sample's two system times are one.
    ///
    /// An error with `EOPNOTSUPP` when its hardware cannot, and others while the system clock runs from a source that
    /// the hardware does not see.
    pub fn sys_offset_precise(&self) -> io::Result<Sample> {
        let mut answer = ptp_sys_offset_precise::default();
        // SAFETY: a `ptp_sys_offset_precise` is numbers: any bytes are one.
        unsafe { self.exchange::<IOCTL_PTP_SYS_OFFSET_PRECISE, _>("PTP_SYS_OFFSET_PRECISE", &mut answer) }?;
        self.sample(precise(&answer))
    }

    /// How far the system clock is from this clock, by the best method that works here.
    ///
    /// An error is that of [`PtpDevice::sys_offset`], which every clock answers, or says that no sample could be used.
    pub fn offset(&self) -> io::Result<PhcOffset> {
        // Any error leads to the next method: a driver may have a method that does not work on this machine.
        let (method, samples) = self
            .sys_offset_precise()
            .map(|sample| (Method::Precise, vec![sample]))
            .or_else(|_| self.sys_offset_extended(SAMPLES).map(|samples| (Method::Extended, samples)))
            .or_else(|_| self.sys_offset(SAMPLES).map(|samples| (Method::Plain, samples)))?;
        PhcOffset::from_samples(method, &samples).ok_or_else(|| {
            let path = self.path.display();
            let found = format!("no sample of {path} could be used, of {samples:?}: was the system clock being set?");
            io::Error::new(io::ErrorKind::InvalidData, found)
        })
    }

    fn sample(&self, times: Times<'_>) -> io::Result<Sample> {
        match times.map(nanoseconds) {
            [Some(before_ns), Some(phc_ns), Some(after_ns)] => Ok(Sample { before_ns, phc_ns, after_ns }),
            times => {
                let path = self.path.display();
                let found = format!("{path} is at a time that is no 64 bits of nanoseconds: {times:?}, set it");
                Err(io::Error::new(io::ErrorKind::InvalidData, found))
            }
        }
    }

    /// Hands `message` to the kernel, which may write all of it.
    ///
    /// # Safety
    ///
    /// Any bytes that the kernel answers to the request `NUMBER` have to be a valid `T`.
    unsafe fn exchange<const NUMBER: Opcode, T>(&self, name: &str, message: &mut T) -> io::Result<()> {
        // `_IOC_SIZE` of linux/ioctl.h, with the 13 bits that every architecture has.
        const { assert!(size_of::<T>() == (NUMBER >> 16 & 0x1fff) as usize, "another structure than the number's") }
        // SAFETY: the number carries the size of what the kernel reads and writes, which is that of `T`, and type `=`,
        // which is PTP's alone (ioctl-number.rst): another sort of file refuses it. `message` is borrowed alone until
        // the call is over, and remains a `T`, as the caller says.
        let answered = unsafe { ioctl(&self.file, Updater::<NUMBER, T>::new(message)) };
        answered.map_err(|errno| {
            let what = if errno == Errno::NOTTY {
                ", which is no PTP hardware clock, or whose driver does not know this request"
            } else {
                ""
            };
            refusal(format!("asking {name} of {}{what}", self.path.display()), errno)
        })
    }
}

/// The system's time before, the hardware clock's, and the system's after.
type Times<'a> = [&'a ptp_clock_time; 3];

/// The times of an answer are those of system, clock, system, clock, system and so on.
fn plain(answer: &ptp_sys_offset, wanted: usize) -> impl Iterator<Item = Times<'_>> {
    answer.ts.windows(3).step_by(2).take(wanted).map(|times| [&times[0], &times[1], &times[2]])
}

fn extended(answer: &ptp_sys_offset_extended, wanted: usize) -> impl Iterator<Item = Times<'_>> {
    answer.ts.iter().take(wanted).map(<[ptp_clock_time; 3]>::each_ref)
}

fn precise(answer: &ptp_sys_offset_precise) -> Times<'_> {
    [&answer.sys_realtime, &answer.device, &answer.sys_realtime]
}

/// The number of samples as an index, when a request can ask for so many.
fn checked(samples: u32) -> io::Result<usize> {
    if (1..=SAMPLES_MAX).contains(&samples) {
        return Ok(samples as usize);
    }
    let found = format!("{samples} samples of a PTP hardware clock: ask for 1 to {SAMPLES_MAX}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, found))
}

/// None when `time` is further from the epoch than an `i64` of nanoseconds reaches, which is until the year 2262.
fn nanoseconds(time: &ptp_clock_time) -> Option<i64> {
    i64::try_from(i128::from(time.sec) * NANOSECONDS + i128::from(time.nsec)).ok()
}

impl From<&ptp_clock_caps> for PtpCaps {
    fn from(caps: &ptp_clock_caps) -> Self {
        // The kernel's counts are signed, and none is negative.
        let count = |count| u32::try_from(count).unwrap_or(0);
        Self {
            frequency_adjustment_max_ppb: count(caps.max_adj),
            alarms: count(caps.n_alarm),
            external_timestamps: count(caps.n_ext_ts),
            periodic_outputs: count(caps.n_per_out),
            pins: count(caps.n_pins),
            pps: caps.pps != 0,
            cross_timestamping: caps.cross_timestamping != 0,
            phase_adjustment: caps.adjust_phase != 0,
        }
    }
}

impl PhcOffset {
    /// The offset by the sample with the smallest gap, the first of several.
    ///
    /// The hardware clock is taken to have been read in the middle of the gap. Samples between which the system clock
    /// was set back, and offsets beyond an `i64` of nanoseconds, are left out; none when no other is there.
    pub fn from_samples(method: Method, samples: &[Sample]) -> Option<Self> {
        let usable = samples.iter().filter_map(|sample| {
            let gap_ns = (sample.before_ns <= sample.after_ns).then(|| sample.before_ns.abs_diff(sample.after_ns))?;
            let middle_ns = sample.before_ns.checked_add_unsigned(gap_ns / 2)?;
            let offset_ns = middle_ns.checked_sub(sample.phc_ns)?;
            Some((gap_ns, Self { offset_ns, error_ns: gap_ns.div_ceil(2), phc_ns: sample.phc_ns, method }))
        });
        usable.min_by_key(|(gap_ns, _)| *gap_ns).map(|(_, offset)| offset)
    }
}

#[cfg(test)]
mod tests;
