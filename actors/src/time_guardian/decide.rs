//! What the guardian makes of what it hears: what the clock goes by now, and what the node claims of it.

use std::borrow::Cow;
use std::time::Duration;

use nunect_core::clock::{ClockClaim, Obstacle};
use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::protocol::time::{NTP_LOCKED_UNCERTAINTY_NS, SYNC_LOG_LENGTH, SyncEvent};
use nunect_core::time::Span;
use nunect_core::{ClockReport, ClockStamp, Effects, Event, Mono, NodeCommand, Now, StopReason, TimeDaemon};

use super::bound::Bound;
use super::choice::{Candidate, Held, STEADY_REPORTS, STEADY_TIME, choose};
use super::holdover::Holdover;
use super::quality::FREQUENCY_UNKNOWN_PPB;
use super::source::{Estimate, Reason, Source};
use super::{Said, State, TimeGuardian, status, steps};

impl TimeGuardian {
    pub(super) fn source(&self, daemon: TimeDaemon) -> &Source {
        self.sources.get(daemon)
    }

    /// Hears a daemon, and of what it shows about the wall clock. Returns who it was.
    pub(super) fn hear(&mut self, report: &ClockReport, now: Now, out: &mut Effects) -> TimeDaemon {
        let at = Now { mono: report.at.mono.min(now.mono), wall: report.at.wall };
        if let Some(by_ns) = self.steps.see(at) {
            self.step(by_ns, out);
        }
        let rules = self.rules;
        let source = self.sources.get_mut(report.daemon);
        let (was_read, obstacle) = (source.reading().is_some(), source.obstacle());
        let news = source.hear(report, at, &rules);
        let is_useful = source.worth().is_some();
        let problem = match &report.answer {
            Ok(_) => obstacle.is_some().then_some(None),
            Err(unread) => {
                let is_new = was_read || obstacle != Some(unread.cause);
                let loud = match unread.cause {
                    Obstacle::Absent | Obstacle::Silent => was_read,
                    Obstacle::Denied | Obstacle::OtherDomain { .. } | Obstacle::Refused | Obstacle::Malformed => is_new,
                };
                loud.then(|| Some(unread.detail.clone().into_owned()))
            }
        };
        if let Some(problem) = problem {
            out.emit(Event::TimeDaemon { daemon: report.daemon, problem });
        }
        self.was_told |= is_useful && report.daemon != TimeDaemon::Kernel;
        self.metric.changed |= news;
        report.daemon
    }

    /// Sees to it that nothing is claimed of a clock that was set since its daemons were heard: in holdover, they
    /// may have nothing to say for long.
    pub(super) fn glance(&mut self, now: Now, out: &mut Effects) {
        if matches!(self.state, State::Holdover(_))
            && let Some(by_ns) = self.steps.glance(now)
        {
            self.step(by_ns, out);
        }
    }

    /// The wall clock stepped.
    fn step(&mut self, by_ns: i64, out: &mut Effects) {
        if let Some(by_ms) = steps::told(by_ns) {
            out.emit(Event::ClockStepped { by_ms });
        }
        self.sources.iter_mut().for_each(|source| source.step(by_ns));
        match &mut self.state {
            State::Holdover(holdover) => holdover.step(by_ns),
            // Nobody can tell whether that claim was made before the step or after it.
            State::Inherited(_) => self.settles_at = Some(Mono::ZERO),
            // The report that shows the step may be the one that shows the loss of the source.
            State::Following(_, estimate) => estimate.step(by_ns),
            State::Unsynced => {}
        }
        self.renew = true;
    }

    /// Takes over what the life before claimed: the first claim that it hears, before it makes one itself.
    pub(super) fn inherit(&mut self, claim: &ClockClaim, now: Mono) {
        if std::mem::replace(&mut self.was_born, true) || !matches!(self.state, State::Unsynced) {
            return;
        }
        let ClockStamp { source, quality, offset_ns, uncertainty_ns } = claim.stamp;
        if source == ClockSource::Unsynced || quality == ClockQuality::Freerun {
            return;
        }
        self.was_synchronised = true;
        self.claimed = (*claim, false);
        if now < claim.until && offset_ns.is_some() && uncertainty_ns.is_some() {
            self.settles_at = Some(claim.until.min(now + self.hold));
            self.said = Said { source, quality, holdover: false };
            self.state = State::Inherited(*claim);
        }
    }

    /// Why a source that could be used is not to be; none when it may.
    pub(super) fn unused(&self, daemon: TimeDaemon) -> Option<Reason> {
        if !self.mode.allows(daemon) {
            return Some(format!("not used: the mode is {}", self.mode.as_str()).into());
        }
        // What others told it, and tell no more, is no source beside them.
        let chronyd = self.source(TimeDaemon::Chronyd);
        let is_needed = !self.was_told && chronyd.was_asked() && chronyd.reading().is_none();
        (daemon == TimeDaemon::Kernel && !is_needed)
            .then_some(Cow::Borrowed("not used: it only knows what another daemon told it"))
    }

    fn candidates(&self, now: Mono) -> Vec<Candidate> {
        let usable = self.sources.iter().filter(|source| source.estimate(now, self.hold).is_ok());
        let allowed = usable.filter(|source| self.unused(source.daemon).is_none());
        let candidate = |source: &Source| {
            let steady = source.is_steady(now, STEADY_TIME, STEADY_REPORTS);
            Some(Candidate { daemon: source.daemon, worth: source.worth()?, steady })
        };
        allowed.filter_map(candidate).collect()
    }

    /// Decides what the clock goes by now, and tells when that, or how well, is another than before.
    pub(super) fn decide(&mut self, now: Now, out: &mut Effects) {
        let settled = self.settles_at.is_some_and(|at| at <= now.mono);
        let before = std::mem::replace(&mut self.state, State::Unsynced);
        let was = before.daemon();
        let held = match &before {
            State::Following(held, _) => Some(*held),
            State::Unsynced | State::Inherited(_) | State::Holdover(_) => None,
        };
        let chosen = choose(held, &self.candidates(now.mono));
        let chosen =
            chosen.and_then(|held| Some((held, *self.source(held.daemon).estimate(now.mono, self.hold).ok()?)));
        let reason = if let Some((held, estimate)) = chosen {
            self.settles_at = None;
            self.was_synchronised = true;
            self.state = State::Following(held, estimate);
            was.filter(|was| *was != held.daemon).and_then(|was| self.lost(was, now.mono))
        } else {
            self.go_on(before, settled, now.mono)
        };
        if settled {
            self.settles_at = None;
        }
        self.renew |= settled || was != self.state.daemon() || held.is_some() != chosen.is_some();
        let ClockStamp { source, quality, offset_ns, .. } = self.stamp(now.mono, Duration::ZERO);
        let said = Said { source, quality, holdover: matches!(self.state, State::Holdover(_)) };
        if self.said == said {
            return;
        }
        self.said = said;
        self.renew = true;
        self.metric.changed = true;
        if self.log.len() >= SYNC_LOG_LENGTH {
            self.log.pop_front();
        }
        let offset_ms = offset_ns.map(status::millis);
        self.log.push_back(SyncEvent { ts: now.wall.unix_millis(), offset_ms, source, quality });
        let reason = reason.unwrap_or_else(|| self.reason(now.mono));
        out.emit(Event::ClockChanged { source, quality, reason });
    }

    /// Goes on without a source, as long as what was known before holds. Returns why that is so.
    fn go_on(&mut self, before: State, settled: bool, now: Mono) -> Option<Reason> {
        if let Some(daemon) = before.daemon().filter(|daemon| self.source(*daemon).is_refuted(&self.rules)) {
            return self.lost(daemon, now);
        }
        let (holdover, lost) = match before {
            State::Following(held, estimate) => {
                let Estimate { offset_ns, bound, holdover_ppb, .. } = estimate;
                let (source, daemon) = (self.source(held.daemon).source(), Some(held.daemon));
                let bound = Bound { ppb: holdover_ppb, ..bound };
                let holdover = Holdover { source, daemon, offset_ns, bound, since: now };
                (holdover, self.lost(held.daemon, now))
            }
            State::Holdover(holdover) => (holdover, None),
            State::Inherited(claim) if !settled => {
                self.state = State::Inherited(claim);
                return None;
            }
            State::Inherited(claim) => {
                let (Some(offset_ns), Some(ns)) = (claim.stamp.offset_ns, claim.stamp.uncertainty_ns) else {
                    return None;
                };
                let since = claim.until - self.hold;
                let bound = Bound { ns, from: since, ppb: FREQUENCY_UNKNOWN_PPB.saturating_add(self.rules.drift_ppb) };
                let source = claim.stamp.source;
                (Holdover { source, daemon: None, offset_ns, bound, since }, None)
            }
            State::Unsynced => return None,
        };
        match holdover.quality(now, self.holdover_max) {
            Ok(_) => {
                self.state = State::Holdover(holdover);
                lost
            }
            Err(end) => Some(lost.map_or_else(|| end.clone(), |lost| format!("{lost}; {end}").into())),
        }
    }

    /// Why a source is of no use any more.
    fn lost(&self, daemon: TimeDaemon, now: Mono) -> Option<Reason> {
        let reason = self.source(daemon).estimate(now, self.hold).err()?;
        Some(format!("{daemon}: {reason}").into())
    }

    /// Why the clock is as good as it is.
    fn reason(&self, now: Mono) -> Reason {
        match &self.state {
            State::Following(held, estimate) => {
                let source = self.source(held.daemon);
                let follows = source.follows().unwrap_or_else(|| held.daemon.to_string());
                let mut reason = format!("offset from {follows} is {}", Span(estimate.offset_ns));
                let uncertainty_ns = estimate.bound.at(now);
                let by_ntp = source.source() == ClockSource::Ntp;
                if by_ntp && estimate.quality != ClockQuality::Locked && uncertainty_ns >= NTP_LOCKED_UNCERTAINTY_NS {
                    reason = format!("{reason}, uncertain by {}", Span::unsigned(uncertainty_ns));
                }
                source.note().map_or_else(|| reason.clone().into(), |note| format!("{reason}; {note}").into())
            }
            State::Holdover(holdover) => holdover.grown(now),
            State::Inherited(_) | State::Unsynced => Cow::Borrowed("there is no source"),
        }
    }

    /// What the node may say of its clock from `now` on for so long as `ahead`.
    pub(super) fn stamp(&self, now: Mono, ahead: Duration) -> ClockStamp {
        match &self.state {
            State::Unsynced => ClockStamp::default(),
            State::Inherited(claim) => claim.at(now),
            State::Following(held, estimate) => ClockStamp {
                source: self.source(held.daemon).source(),
                quality: estimate.quality,
                offset_ns: Some(estimate.offset_ns),
                uncertainty_ns: Some(estimate.bound.at(now + ahead)),
            },
            State::Holdover(holdover) => match holdover.quality(now, self.holdover_max) {
                Ok(quality) => holdover.stamp(now, ahead, quality),
                Err(_) => ClockStamp::default(),
            },
        }
    }

    /// Says what the clock is worth, if there is a reason to: its source was `heard`, it is worth more or
    /// less than before, or nobody would renew what was said.
    pub(super) fn claim(&mut self, now: Mono, heard: Option<TimeDaemon>, out: &mut Effects) {
        let due = match &self.state {
            State::Inherited(_) => return,
            State::Unsynced => false,
            State::Following(held, _) => heard == Some(held.daemon),
            State::Holdover(_) => self.looked_at + self.rules.interval <= now,
        };
        if !due && !self.renew {
            return;
        }
        (self.renew, self.looked_at) = (false, now);
        let stamp = self.stamp(now, self.rules.interval);
        let is_freerun = stamp.quality == ClockQuality::Freerun;
        let lost = is_freerun && (self.required || self.was_synchronised);
        let (before, was_lost) = self.claimed;
        let next = now + self.rules.interval + self.rules.interval / 2;
        if before.stamp == stamp && was_lost == lost && (is_freerun || before.until > next) {
            return;
        }
        let claim = ClockClaim { stamp, until: now + self.hold };
        self.claimed = (claim, lost);
        out.command(NodeCommand::SetClock { claim, lost });
    }

    /// Takes back what it claimed: nobody answers for it any more. A node that stops says to its last message
    /// what its clock is worth.
    pub(super) fn stop(&mut self, reason: StopReason, out: &mut Effects) {
        match reason {
            StopReason::NodeShutdown => {}
            StopReason::Restart | StopReason::Command => {
                let (claim, was_lost) = self.claimed;
                let lost = self.required || self.was_synchronised;
                if claim.stamp != ClockStamp::default() || was_lost != lost {
                    self.claimed = (ClockClaim::default(), lost);
                    out.command(NodeCommand::SetClock { claim: ClockClaim::default(), lost });
                }
            }
        }
    }
}

impl State {
    /// Whom the clock goes by, or did.
    pub(super) const fn daemon(&self) -> Option<TimeDaemon> {
        match self {
            Self::Following(Held { daemon, .. }, _) => Some(*daemon),
            Self::Holdover(holdover) => holdover.daemon,
            Self::Unsynced | Self::Inherited(_) => None,
        }
    }
}
