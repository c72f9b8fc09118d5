//! Judges what the host's time daemons say, chooses one of them, and says for the node how far its clock
//! can be trusted.
//!
//! Each daemon's report is judged by itself ([`source`]): a usable sample, or the reason why it is none. Of
//! those that can be used one is chosen ([`choice`]), classed ([`quality`]), and claimed on every message
//! that the node sends, as long as it is known. When it is lost and no other can be used, the clock runs on
//! in [`holdover`].

use std::collections::VecDeque;
use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use nunect_core::clock::{ClockClaim, Grandmaster, NoClock, TimeMode};
use nunect_core::config::period_within;
use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::protocol::time::{self, SyncEvent, TimeConfig};
use nunect_core::{
    Actor, Birth, BusEvent, ConfigError, Contract, Deadline, Effects, Fault, Input, MailboxLimits, Mono, NodeReport,
    Now, Overflow, Period, Sensor, Subscription, UnitId,
};

use bound::ppb;
use choice::Held;
use holdover::Holdover;
use source::{Estimate, Rules};
use sources::Sources;
use steps::Steps;
use telling::Metric;

mod bound;
pub mod choice;
mod decide;
pub mod holdover;
pub mod quality;
pub mod source;
mod sources;
mod status;
pub mod steps;
mod telling;

/// The time between two questions to the daemons unless configured.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);
/// The shortest.
pub const INTERVAL_MIN: Duration = Duration::from_millis(250);
/// The longest.
pub const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// How long a lost source counts at least, when so configured.
pub const HOLDOVER_MIN: Duration = Duration::from_secs(1);
/// How long it does at most.
pub const HOLDOVER_MAX: Duration = Duration::from_secs(86_400);
/// NTP servers that may be configured.
pub const NTP_SERVERS_MAX: usize = 16;
/// So many intervals a claim lasts, and so many without a report make a source a lost one ...
pub const HOLD_INTERVALS: u32 = 3;
/// ... but never less time than this: daemons may take a while to answer.
pub const HOLD_MIN: Duration = Duration::from_secs(3);
/// How often a unit without any time daemon tells that it has none.
///
/// The protocol (section 1) says every five seconds. Those are kept wherever there is a daemon; an idle node
/// on a host without one has better things to do.
pub const METRIC_ALONE_EVERY: Duration = Duration::from_secs(60);

/// What may be configured of a time guardian.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct TimeGuardianConfig {
    /// The source that counts.
    #[garde(skip)]
    pub mode: TimeMode,
    /// The grandmaster that is to be followed; another one is of no use. Absent: any.
    #[garde(inner(custom(grandmaster)))]
    pub ptp_master: Option<String>,
    /// The PTP domain (IEEE 1588), 0 to 127.
    #[garde(range(max = 127))]
    pub ptp_domain: u8,
    /// The NTP servers that clients are told, at most 16.
    #[garde(length(max = NTP_SERVERS_MAX))]
    pub ntp_servers: Vec<String>,
    /// Whether a node without a source is DEGRADED.
    #[garde(skip)]
    pub required: bool,
    /// How long the time of a source that is lost still counts, 1s to 1day.
    #[garde(custom(period_within(HOLDOVER_MIN, HOLDOVER_MAX)))]
    pub holdover_max: Period,
    /// How often the daemons are asked, 250ms to 60s.
    #[garde(custom(period_within(INTERVAL_MIN, INTERVAL_MAX)))]
    pub interval: Period,
    /// By how much the clock may drift when nothing steers it, parts per million, 0.001 to 1000. 15 is what
    /// NTP assumes of any clock (RFC 5905, PHI); less for an oscillator with temperature compensation.
    #[garde(range(min = 0.001, max = 1_000.0))]
    pub holdover_drift_ppm: f64,
}

impl Default for TimeGuardianConfig {
    fn default() -> Self {
        Self {
            mode: TimeMode::Auto,
            ptp_master: None,
            ptp_domain: 0,
            ntp_servers: Vec::new(),
            required: false,
            holdover_max: Period::from_secs(600),
            interval: Period(INTERVAL_DEFAULT),
            holdover_drift_ppm: 15.0,
        }
    }
}

/// A `garde` rule: what names a PTP clock.
fn grandmaster(text: &str, (): &()) -> garde::Result {
    text.parse::<Grandmaster>().map(drop).map_err(garde::Error::new)
}

/// Claims for its node what its clock is worth, each time the source that the clock goes by is heard; a claim
/// ends by itself when nobody renews it. Publishes `ops.metric.time.{unit}` every five seconds and at once on
/// a change, `ops.time.config` every minute, and answers `ops.time.sync.{unit}` with what it knows.
///
/// The `uncertainty` of a claim bounds |true − local| until the next one is due. A unit that never had a
/// source claims nothing.
#[derive(Debug)]
pub struct TimeGuardian {
    unit: UnitId,
    mode: TimeMode,
    rules: Rules,
    required: bool,
    holdover_max: Duration,
    /// How long a claim lasts, and a source without a report.
    hold: Duration,
    config: TimeConfig,
    /// By preference.
    sources: Sources,
    steps: Steps,
    state: State,
    /// Until when a new life waits for its first sources before it says that there is none.
    settles_at: Option<Mono>,
    /// Whether the unit had a source in this run.
    was_synchronised: bool,
    /// Whether a daemon other than the kernel ever told the time: then the kernel has it from that one.
    was_told: bool,
    /// What the last event said.
    said: Said,
    /// The last claim, and whether that stood against the node.
    claimed: (ClockClaim, bool),
    /// When it last looked whether another one is due, and whether one is for another reason.
    looked_at: Mono,
    renew: bool,
    /// Whether it knows what the life before claimed.
    was_born: bool,
    /// The last synchronisations, the latest last.
    log: VecDeque<SyncEvent>,
    metric: Metric,
    /// When clients are told next what to go by; none while the bus is away.
    config_due: Option<Mono>,
}

/// What an event says of the clock. That the source is lost is worth telling even where the clock is, for now, as
/// good as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said {
    source: ClockSource,
    quality: ClockQuality,
    holdover: bool,
}

/// What the clock goes by.
#[derive(Debug)]
enum State {
    /// Nothing.
    Unsynced,
    /// What the life before claimed, as long as that holds.
    Inherited(ClockClaim),
    /// A source.
    Following(Held, Estimate),
    /// A source that is lost.
    Holdover(Holdover),
}

impl Actor for TimeGuardian {
    const KIND: &'static str = "time_guardian";
    type Config = TimeGuardianConfig;

    fn new(config: TimeGuardianConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let master = config.ptp_master.as_deref().map(str::parse).transpose();
        let master = master.map_err(|error: NoClock| ConfigError::new("ptp_master", error.to_string()))?;
        let interval = config.interval.0;
        let hold = interval.saturating_mul(HOLD_INTERVALS).max(HOLD_MIN);
        let drift_ppb = ppb(config.holdover_drift_ppm);
        let rules = Rules { master, domain: config.ptp_domain, interval, hold, drift_ppb };
        Ok(Self {
            unit: birth.unit.clone(),
            mode: config.mode,
            rules,
            required: config.required,
            holdover_max: config.holdover_max.0,
            hold,
            config: TimeConfig {
                mode: config.mode.as_str().to_owned(),
                ntp_servers: config.ntp_servers,
                ptp_master: config.ptp_master,
                ptp_domain: config.ptp_domain,
            },
            sources: Sources::default(),
            steps: Steps::default(),
            state: State::Unsynced,
            settles_at: None,
            was_synchronised: false,
            was_told: false,
            said: Said::default(),
            claimed: (ClockClaim::default(), false),
            looked_at: Mono::ZERO,
            renew: false,
            was_born: false,
            log: VecDeque::new(),
            metric: Metric::default(),
            config_due: None,
        })
    }

    fn contract(&self) -> Contract {
        Contract {
            reads: vec![Subscription::from(time::sync_pattern(&self.unit))],
            publishes: vec![time::pattern_of(&self.unit), time::config_pattern()],
            sensors: vec![Sensor::Bus, Sensor::Claim, Sensor::Clock { every: self.rules.interval }],
            // Whoever asks for the time is better told at once to come back later.
            mailbox: MailboxLimits { overflow: Overflow::DropNewest, ..MailboxLimits::default() },
            ..Contract::default()
        }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        let mut heard = None;
        match input {
            Input::Started => self.settles_at = Some(now.mono + self.hold),
            Input::Clock(report) => heard = Some(self.hear(report, now, out)),
            Input::Message(question) => self.answer(question, now.mono, out),
            Input::Node(NodeReport::Clock(claim)) => self.inherit(claim, now.mono),
            Input::Bus(BusEvent::Connected) => {
                self.metric.connect(true);
                self.config_due = Some(now.mono);
            }
            Input::Bus(BusEvent::Disconnected) => {
                self.metric.connect(false);
                self.config_due = None;
            }
            Input::Stopping(reason) => {
                self.stop(reason, out);
                return Ok(());
            }
            Input::Bus(
                BusEvent::Denied { .. }
                | BusEvent::Permitted { .. }
                | BusEvent::SlowConsumer
                | BusEvent::Refused { .. },
            )
            | Input::Node(NodeReport::Health(_) | NodeReport::Done { .. })
            | Input::Reply { .. }
            | Input::Timeout(_)
            | Input::Host(_)
            | Input::Link(_)
            | Input::Log(_)
            | Input::Port(..) => {}
        }
        if heard.is_none() {
            self.glance(now, out);
        }
        self.decide(now, out);
        self.claim(now.mono, heard, out);
        self.publish(now.mono, out);
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        let state = match &self.state {
            State::Unsynced | State::Inherited(_) => None,
            State::Following(held, _) => {
                let overdue = self.source(held.daemon).overdue_at(self.hold);
                overdue.map(|at| Deadline::new(at, "clock report overdue"))
            }
            State::Holdover(holdover) => {
                let changes = holdover.changes_at(self.looked_at, self.holdover_max);
                Some(Deadline::new(changes.min(self.looked_at + self.rules.interval), "holdover grows"))
            }
        };
        let settles = self.settles_at.map(|at| Deadline::new(at, "clock report overdue"));
        let config = self.config_due.map(|at| Deadline::new(at, "time config due"));
        let metric = self.metric_due().map(|at| Deadline::new(at, "metric due"));
        [state, settles, config, metric].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
