//! What tells the host the time, as a node would read it.

mod read;
mod remedy;

use std::time::Duration;

use nunect_actors::TimeGuardian;
use nunect_core::Actor;
use nunect_core::clock::{Obstacle, Reading, TimeDaemon, Unread};
use nunect_runtime::Clock;
use nunect_runtime::config::{TimeMode, TimeSection};
use nunect_runtime::timesync::{ClockReader, readers};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Context, Finding, Verdict};

/// How long a daemon may take to answer. Readers give up sooner by themselves; the first question may be
/// followed by a search for the reason of a silence.
const PATIENCE: Duration = Duration::from_secs(3);
/// A receiver tells its pulse once a second, to whoever watches by then.
const PULSE_PATIENCE: Duration = Duration::from_millis(1_500);
/// How often is looked for it.
const PULSE_EVERY: Duration = Duration::from_millis(100);

/// A daemon, and what came of asking it.
type Asked = (TimeDaemon, Result<Reading, Unread>);

/// Whether a network interface can stamp in hardware; none when that is not to be known.
type CanStamp = fn(&str) -> Option<bool>;

/// Every daemon that a node of this configuration asks, and whether one of them has the time.
pub(super) fn sources(context: &Context<'_>) -> Vec<Finding> {
    let Some(profile) = context.profile() else { return Vec::new() };
    let is_read = profile.actors.iter().any(|actor| actor.kind == TimeGuardian::KIND);
    if !is_read {
        return vec![unread_at_all(&profile.time)];
    }
    match ask(&profile.time) {
        Ok(asked) => judged(&profile.time, &asked, can_stamp),
        Err(error) => {
            let what = format!("time daemons cannot be asked: {error}");
            vec![Finding::warning("time source", what, "end some of this machine's processes, and look again")]
        }
    }
}

/// Nobody in the node wants to know.
fn unread_at_all(time: &TimeSection) -> Finding {
    let what = "no actor `time_guardian`: nobody asks the time daemons, and the unit is unsynced";
    let help = "name it among the actors: `time_guardian: {}`";
    let finding = Finding::advice("time source", what, help);
    if time.required { Finding { verdict: Verdict::Problem, ..finding } } else { finding }
}

fn can_stamp(interface: &str) -> Option<bool> {
    let caps = nunect_timesync_sys::timestamping_caps(interface).ok()?;
    Some(caps.hardware_transmit && caps.hardware_receive && caps.hardware_raw)
}

/// Asks all of them, at once.
fn ask(time: &TimeSection) -> std::io::Result<Vec<Asked>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock = Clock::new();
    let mut asked = runtime.block_on(async {
        let mut asking: JoinSet<Asked> = JoinSet::new();
        for reader in readers(time) {
            asking.spawn(ask_one(reader, clock));
        }
        asking.join_all().await
    });
    runtime.shutdown_background();
    asked.sort_by_key(|(daemon, _)| *daemon);
    Ok(asked)
}

async fn ask_one(mut reader: Box<dyn ClockReader>, clock: Clock) -> Asked {
    let daemon = reader.daemon();
    let mut answer = read(&mut *reader, &clock).await;
    let by = Instant::now() + PULSE_PATIENCE;
    while matches!(&answer, Ok(Reading::Gps(status)) if status.pulse.is_none()) && Instant::now() < by {
        sleep(PULSE_EVERY).await;
        answer = read(&mut *reader, &clock).await;
    }
    (daemon, answer)
}

async fn read(reader: &mut dyn ClockReader, clock: &Clock) -> Result<Reading, Unread> {
    let daemon = reader.daemon();
    let late = || Unread::new(Obstacle::Silent, format!("{daemon} does not answer within {PATIENCE:?}"));
    timeout(PATIENCE, reader.read(clock)).await.unwrap_or_else(|_| Err(late()))
}

/// Whether the configuration wants this one and no other.
const fn is_named(time: &TimeSection, daemon: TimeDaemon) -> bool {
    match (time.mode, daemon) {
        (TimeMode::Ptp, TimeDaemon::Ptp4l)
        | (TimeMode::Gps, TimeDaemon::Gpsd)
        | (TimeMode::Chrony, TimeDaemon::Chronyd) => true,
        (TimeMode::Auto, _)
        | (TimeMode::Ptp, TimeDaemon::Gpsd | TimeDaemon::Chronyd | TimeDaemon::Kernel)
        | (TimeMode::Gps, TimeDaemon::Ptp4l | TimeDaemon::Chronyd | TimeDaemon::Kernel)
        | (TimeMode::Chrony, TimeDaemon::Ptp4l | TimeDaemon::Gpsd | TimeDaemon::Kernel) => false,
    }
}

/// Whether the clock may go by this one; in the mode `chrony` also by whoever told the kernel.
const fn may_count(time: &TimeSection, daemon: TimeDaemon) -> bool {
    match time.mode {
        TimeMode::Auto => true,
        TimeMode::Chrony => matches!(daemon, TimeDaemon::Chronyd | TimeDaemon::Kernel),
        TimeMode::Ptp | TimeMode::Gps => is_named(time, daemon),
    }
}

/// What there is to say of each, and of all together.
fn judged(time: &TimeSection, asked: &[Asked], can_stamp: CanStamp) -> Vec<Finding> {
    let (mut found, mut telling) = (Vec::new(), Vec::new());
    for (daemon, answer) in asked {
        let (findings, tells) = match answer {
            Ok(reading) => read::judged(time, reading),
            Err(unread) => (vec![obstacle(time, *daemon, unread)], false),
        };
        if tells && may_count(time, *daemon) {
            telling.push(daemon.as_str());
        }
        found.extend(findings);
    }
    // Where another one serves as well, what the named one lacks keeps nobody from anything.
    if telling.is_empty() {
        let is_missed = |finding: &Finding| {
            let daemon = asked.iter().map(|(daemon, _)| *daemon).find(|daemon| daemon.as_str() == finding.check);
            finding.verdict != Verdict::Ok && daemon.is_some_and(|daemon| is_named(time, daemon))
        };
        found.iter_mut().filter(|finding| is_missed(finding)).for_each(|one| one.verdict = Verdict::Problem);
    }
    let readings = asked.iter().filter_map(|(_, answer)| answer.as_ref().ok());
    found.extend(readings.flat_map(|reading| read::remarks(time, reading, can_stamp)));
    found.push(summed_up(time, &telling));
    found
}

fn summed_up(time: &TimeSection, telling: &[&str]) -> Finding {
    let check = "time source";
    if !telling.is_empty() {
        return Finding::ok(check, format!("{} can be gone by", telling.join(", ")));
    }
    let help = "start one of ptp4l, gpsd and chronyd, or mend what is said of them above";
    if time.required {
        let what = "none, and time.required is true: the node will be DEGRADED";
        return Finding::problem(check, what, format!("{help}; or set time.required: false"));
    }
    Finding::advice(check, "none: the unit will be unsynced, and nobody goes by its clock", help)
}

/// What keeps a daemon from being read.
fn obstacle(time: &TimeSection, daemon: TimeDaemon, unread: &Unread) -> Finding {
    let (what, help) = (unread.to_string(), remedy::of(time, daemon, unread.cause));
    match unread.cause {
        Obstacle::Absent => Finding::advice(daemon.as_str(), what, help),
        Obstacle::Denied
        | Obstacle::Silent
        | Obstacle::OtherDomain { .. }
        | Obstacle::Refused
        | Obstacle::Malformed => Finding::warning(daemon.as_str(), what, help),
    }
}

#[cfg(test)]
mod tests;
