//! One time daemon, as it is judged: what it said last, whether that can be used, and how good it is.

use std::borrow::Cow;
use std::time::Duration;

use nunect_core::clock::{
    ClockIdentity, ClockReport, GpsStatus, Grandmaster, NtpStatus, Obstacle, PtpStatus, PulseKind, Reading, TimeDaemon,
    Unread,
};
use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::time::nanos;
use nunect_core::{Mono, Now};

use super::bound::Bound;
use super::quality::{self, Window};

pub mod gps;
pub mod kernel;
pub mod ntp;
pub mod ptp;

/// No clock that runs is off by more: ten years, in nanoseconds.
pub const OFFSET_MAX_NS: u64 = 10 * 365 * 86_400 * 1_000_000_000;

/// How far the frequency of a plain crystal moves within seconds, parts per billion: what the samples of a
/// source cannot show yet. 0.1 ppm is a tenth of a degree at 1 ppm per degree.
pub const WANDER_PPB: u64 = 100;

/// What a clock has to do with, as it was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) master: Option<Grandmaster>,
    pub(crate) domain: u8,
    pub(crate) interval: Duration,
    /// How long what a daemon said counts when it says nothing any more.
    pub(crate) hold: Duration,
    /// By how much a clock may drift that nothing steers, parts per billion.
    pub(crate) drift_ppb: u64,
}

/// Why a reading is of no use, in words that follow the daemon's name and a colon.
pub(crate) type Reason = Cow<'static, str>;

/// When the present sample was seen first: a daemon that repeats a sample has no new one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// What tells it from others.
    key: u64,
    since: Mono,
    /// Whether this daemon has shown no other yet: then nothing is known of its age by the monotonic clock.
    first: bool,
}

/// A sample that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// By how much the local clock is ahead, nanoseconds.
    offset_ns: i64,
    /// By how much that may be wrong beside the offset itself and the spread of the samples, nanoseconds.
    error_ns: u64,
    measured: Mono,
    /// From when on the error grows; before, whoever told it has reckoned with that.
    grows_from: Mono,
    /// By how much the frequency may be off, parts per billion; none: as the samples show.
    frequency_ppb: Option<u64>,
    at_most: ClockQuality,
    note: Option<Reason>,
}

/// How good a source is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) quality: ClockQuality,
    /// By how much the local clock is ahead, nanoseconds.
    pub(crate) offset_ns: i64,
    /// On |true − local|; never less than the offset.
    pub(crate) bound: Bound,
    /// How fast that grows once the source is lost, parts per billion.
    pub(crate) holdover_ppb: u64,
    pub(crate) measured: Mono,
    /// A pulse on a wire, and not a message.
    pub(crate) pulse: bool,
}

impl Estimate {
    /// The wall clock stepped.
    pub(crate) const fn step(&mut self, by_ns: i64) {
        self.offset_ns = self.offset_ns.saturating_add(by_ns);
        self.bound.ns = self.bound.ns.saturating_add(by_ns.unsigned_abs());
    }
}

/// What a step of the wall clock does to a source until it has measured again.
#[derive(Clone, Copy, Debug)]
struct Stepped {
    by_ns: i64,
    /// The sample from before; none until the source is heard again.
    key: Option<u64>,
}

/// One time daemon.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) daemon: TimeDaemon,
    /// When it was last heard, or could not be.
    heard: Option<Mono>,
    /// What it said, or why it could not be read; none before it was asked.
    answer: Option<Result<Reading, Unread>>,
    seen: Option<Seen>,
    window: Window,
    class: Option<ClockQuality>,
    /// The offset of the last sample as the daemon told it.
    raw_ns: Option<i64>,
    stepped: Option<Stepped>,
    verdict: Result<Estimate, Reason>,
    /// The grandmaster of the last sample that could be used.
    followed: Option<ClockIdentity>,
    note: Option<Reason>,
    /// Since when, and for how many reports in a row, it is what it is worth now.
    steady: Option<(Mono, u32)>,
}

impl Source {
    pub(crate) const fn new(daemon: TimeDaemon) -> Self {
        Self {
            daemon,
            heard: None,
            answer: None,
            seen: None,
            window: Window::new(),
            class: None,
            raw_ns: None,
            stepped: None,
            verdict: Err(Cow::Borrowed("not asked yet")),
            followed: None,
            note: None,
            steady: None,
        }
    }

    /// What its time comes from.
    pub(crate) const fn source(&self) -> ClockSource {
        match self.daemon {
            TimeDaemon::Ptp4l => ClockSource::Ptp,
            TimeDaemon::Gpsd => ClockSource::Gps,
            TimeDaemon::Chronyd | TimeDaemon::Kernel => ClockSource::Ntp,
        }
    }

    pub(crate) const fn reading(&self) -> Option<&Reading> {
        match &self.answer {
            Some(Ok(reading)) => Some(reading),
            Some(Err(_)) | None => None,
        }
    }

    pub(crate) const fn ptp(&self) -> Option<&PtpStatus> {
        match self.reading() {
            Some(Reading::Ptp(status)) => Some(status),
            Some(Reading::Gps(_) | Reading::Ntp(_) | Reading::Kernel(_)) | None => None,
        }
    }

    pub(crate) const fn ntp(&self) -> Option<&NtpStatus> {
        match self.reading() {
            Some(Reading::Ntp(status)) => Some(status),
            Some(Reading::Gps(_) | Reading::Ptp(_) | Reading::Kernel(_)) | None => None,
        }
    }

    /// Whether the grandmaster that was followed turned out to be the wrong one: what it told counts no more.
    pub(crate) fn is_refuted(&self, rules: &Rules) -> bool {
        let followed = self.ptp().filter(|status| Some(status.grandmaster) == self.followed);
        followed.is_some_and(|status| ptp::expected(status, rules).is_err())
    }

    /// What keeps it from being read.
    pub(crate) const fn obstacle(&self) -> Option<Obstacle> {
        match &self.answer {
            Some(Err(unread)) => Some(unread.cause),
            Some(Ok(_)) | None => None,
        }
    }

    /// Whether it was asked, whatever came of it.
    pub(crate) const fn was_asked(&self) -> bool {
        self.answer.is_some()
    }

    /// How good it is at `now`, or why it is of no use. Who has not been heard for `overdue` is of none.
    pub(crate) fn estimate(&self, now: Mono, overdue: Duration) -> Result<&Estimate, Reason> {
        let estimate = self.verdict.as_ref().map_err(Clone::clone)?;
        match self.heard.map(|heard| now.since(heard)).filter(|silent| *silent < overdue) {
            Some(_) => Ok(estimate),
            None => Err(Cow::Borrowed("its reader tells nothing any more")),
        }
    }

    /// From when on what it said last does not count any more.
    pub(crate) fn overdue_at(&self, overdue: Duration) -> Option<Mono> {
        Some(self.heard? + overdue)
    }

    /// What there is to know about it although it can be used.
    pub(crate) fn note(&self) -> Option<Reason> {
        self.note.clone()
    }

    /// Whether it has been what it is worth now for so long and so many reports in a row.
    pub(crate) fn is_steady(&self, now: Mono, time: Duration, reports: u32) -> bool {
        self.steady.is_some_and(|(since, count)| count >= reports && now.since(since) >= time)
    }

    /// Its grandmaster, server or receiver.
    pub(crate) fn follows(&self) -> Option<String> {
        match self.reading()? {
            Reading::Ptp(status) => ptp::is_following(status).then(|| status.grandmaster.to_string()),
            Reading::Gps(GpsStatus { device, .. }) => device.as_deref().map(str::to_owned),
            Reading::Ntp(status) => status.server.as_deref().map(str::to_owned),
            Reading::Kernel(_) => Some("kernel".to_owned()),
        }
    }

    /// Whether `answer` changes what is told at once: the state of the port, the grandmaster, the server, or
    /// whether it answers at all.
    fn is_news(&self, answer: &Result<Reading, Unread>) -> bool {
        match (&self.answer, answer) {
            (Some(Ok(Reading::Ptp(before))), Ok(Reading::Ptp(now))) => {
                (before.port, before.grandmaster, ptp::is_following(before))
                    != (now.port, now.grandmaster, ptp::is_following(now))
            }
            (Some(Ok(Reading::Ntp(before))), Ok(Reading::Ntp(now))) => before.server != now.server,
            (Some(Ok(_)), Ok(_)) | (None, Err(_)) => false,
            (Some(Err(before)), Err(now)) => before.cause != now.cause,
            (Some(Ok(_)), Err(_)) | (Some(Err(_)) | None, Ok(_)) => true,
        }
    }

    /// Hears what it said at `at`. Returns whether that is to be told at once.
    pub(crate) fn hear(&mut self, report: &ClockReport, at: Now, rules: &Rules) -> bool {
        let news = self.is_news(&report.answer);
        if let (Some(before), Some(status)) = (self.ptp(), ptp::of(&report.answer))
            && before.grandmaster != status.grandmaster
        {
            self.window.clear();
        }
        if self.heard.is_some_and(|heard| at.mono.since(heard) >= rules.hold) {
            self.forget("its reader told nothing for a while");
        }
        let worth = self.worth();
        self.heard = Some(at.mono);
        self.verdict = match &report.answer {
            Ok(reading) => self.judge(reading, at, rules),
            Err(unread) => Err(unread.detail.clone()),
        };
        self.answer = Some(report.answer.clone());
        if self.verdict.is_ok() {
            self.followed = self.ptp().map(|status| status.grandmaster);
        }
        if let Err(reason) = &self.verdict {
            self.forget(reason.clone());
        }
        self.steady = match (self.steady, self.worth()) {
            (Some((since, count)), Some(now)) if Some(now) == worth => Some((since, count.saturating_add(1))),
            (_, Some(_)) => Some((at.mono, 1)),
            (_, None) => None,
        };
        news
    }

    /// It is of no use: what it measured before will tell nothing of what it measures then.
    fn forget(&mut self, reason: impl Into<Reason>) {
        self.window.clear();
        self.verdict = Err(reason.into());
        (self.class, self.raw_ns, self.note) = (None, None, None);
    }

    /// Its place among the sources, the best first (protocol, section 4, "source choice"); none when it is of
    /// no use.
    pub(crate) fn worth(&self) -> Option<Worth> {
        let estimate = self.verdict.as_ref().ok()?;
        Some(match (self.daemon, estimate.quality) {
            (TimeDaemon::Ptp4l, ClockQuality::Locked | ClockQuality::Tracking) => Worth::Ptp,
            (TimeDaemon::Ptp4l, ClockQuality::Acquiring | ClockQuality::Freerun) => Worth::PtpAcquiring,
            (TimeDaemon::Gpsd, _) if estimate.pulse => Worth::Pulse,
            (TimeDaemon::Gpsd, _) => Worth::GpsMessage,
            (TimeDaemon::Chronyd, _) => Worth::Ntp,
            (TimeDaemon::Kernel, _) => Worth::Kernel,
        })
    }

    fn judge(&mut self, reading: &Reading, at: Now, rules: &Rules) -> Result<Estimate, Reason> {
        let key = match (self.daemon, reading) {
            (TimeDaemon::Ptp4l, Reading::Ptp(status)) => ptp::key(status),
            (TimeDaemon::Gpsd, Reading::Gps(status)) => gps::key(status),
            (TimeDaemon::Chronyd, Reading::Ntp(status)) => status.reference_time.unix_nanos(),
            // It tells how things are now.
            (TimeDaemon::Kernel, Reading::Kernel(_)) => at.mono.as_nanos(),
            (TimeDaemon::Ptp4l | TimeDaemon::Gpsd | TimeDaemon::Chronyd | TimeDaemon::Kernel, _) => {
                return Err(Cow::Borrowed("says what another daemon would"));
            }
        };
        let fresh = self.seen.is_none_or(|seen| seen.key != key);
        let seen = match self.seen {
            Some(seen) if !fresh => seen,
            before => Seen { key, since: at.mono, first: before.is_none() },
        };
        self.seen = Some(seen);
        let sample = match reading {
            Reading::Ptp(status) => ptp::judge(status, seen, at, rules),
            Reading::Gps(status) => gps::judge(status, seen, at, rules),
            Reading::Ntp(status) => ntp::judge(status, at),
            Reading::Kernel(status) => kernel::judge(status, at),
        }?;
        if sample.offset_ns.unsigned_abs() > OFFSET_MAX_NS {
            return Err(Cow::Borrowed("says that the clock is off by more than ten years"));
        }
        let pulse = matches!(reading, Reading::Gps(status) if status.pulse.is_some_and(|p| p.kind == PulseKind::Pps));
        Ok(self.estimate_from(sample, key, fresh, pulse, rules))
    }

    fn estimate_from(&mut self, sample: Sample, key: u64, fresh: bool, pulse: bool, rules: &Rules) -> Estimate {
        self.heed_step(sample.offset_ns, key);
        self.raw_ns = Some(sample.offset_ns);
        let step_ns = self.stepped.map_or(0, |stepped| stepped.by_ns);
        let offset_ns = sample.offset_ns.saturating_add(step_ns);
        let error_ns = sample.error_ns.saturating_add(step_ns.unsigned_abs());
        if fresh || self.window.is_empty() {
            self.window.push(sample.measured, offset_ns);
        }
        let size = offset_ns.unsigned_abs();
        let (class, spread_ns) = match self.source() {
            ClockSource::Ptp | ClockSource::Gps => {
                (quality::fine(self.class, self.window.median_ns()), self.window.spread_ns())
            }
            ClockSource::Ntp | ClockSource::Unsynced => (quality::coarse(size, size.saturating_add(error_ns)), 0),
        };
        self.class = Some(class);
        self.note = sample.note;
        let frequency_ppb = sample.frequency_ppb.unwrap_or_else(|| self.window.frequency_ppb());
        let ns = size.saturating_add(spread_ns.saturating_mul(4)).saturating_add(error_ns);
        let holdover_ppb = frequency_ppb.saturating_add(rules.drift_ppb);
        let steered_ppb = frequency_ppb.saturating_add(WANDER_PPB);
        Estimate {
            quality: class.max(sample.at_most),
            offset_ns,
            bound: Bound { ns, from: sample.grows_from, ppb: steered_ppb },
            holdover_ppb,
            measured: sample.measured,
            pulse,
        }
    }

    /// The wall clock stepped: what was measured before is off by that, until it is measured again.
    pub(crate) fn step(&mut self, by_ns: i64) {
        self.window.clear();
        let before = self.stepped.map_or(0, |stepped| stepped.by_ns);
        self.stepped = Some(Stepped { by_ns: before.saturating_add(by_ns), key: None });
        if let Ok(estimate) = &mut self.verdict {
            estimate.step(by_ns);
        }
    }

    /// Whether a sample is from after the step. The first one after it may not be, even if it is a new one:
    /// it is when its offset has moved by about as much, since then the daemon has seen the step, or made it.
    fn heed_step(&mut self, offset_ns: i64, key: u64) {
        let Some(stepped) = &mut self.stepped else { return };
        let heeded = match stepped.key {
            Some(before) => before != key,
            None => self.raw_ns.is_none_or(|raw| {
                let moved = i128::from(offset_ns) - i128::from(raw);
                (moved - i128::from(stepped.by_ns)).abs() < moved.abs()
            }),
        };
        if heeded {
            self.stepped = None;
            self.window.clear();
        } else {
            stepped.key = Some(key);
        }
    }
}

/// What a source is worth where any of them will do, the best first (protocol, section 4, "source choice").
///
/// The kernel knows no more than who told it. PTP that only acquires, and a receiver without a pulse, are
/// used rather than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    Ptp,
    Pulse,
    Ntp,
    Kernel,
    PtpAcquiring,
    GpsMessage,
}

/// How long `earlier` is before `later` on a wall clock, nanoseconds; negative when it is not.
fn age_ns(later: Now, earlier_ns: u64) -> i64 {
    let age = i128::from(later.wall.unix_nanos()) - i128::from(earlier_ns);
    i64::try_from(age).unwrap_or(if age < 0 { i64::MIN } else { i64::MAX })
}

/// The instant so many nanoseconds before `at`; `at` itself when that is none.
fn before(at: Now, ns: i64, at_most: Duration) -> Mono {
    at.mono - Duration::from_nanos(u64::try_from(ns).unwrap_or(0).min(nanos(at_most)))
}
