//! The monitor against a model of it that is slow and plain: it keeps the units in a list, works
//! out from each unit's own words when that one falls silent, and looks at all of them every time.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Beat(Beat),
    Pass(Duration),
    Bus(bool),
}

#[derive(Clone, Debug)]
struct Beat {
    unit: usize,
    session: Option<u64>,
    sequence: Option<u64>,
    interval_ms: u64,
    status: Health,
    rtt_app_us: Option<u64>,
    clock: Option<(ClockSource, ClockQuality)>,
}

impl Beat {
    fn message(&self) -> Message {
        let mut sender = Sender::new(UNITS[self.unit]);
        sender.session = self.session.map(SessionId::from_random);
        sender.sequence = self.sequence;
        sender.clock = self.clock;
        sender.heartbeat.status = self.status;
        sender.heartbeat.interval = Duration::from_millis(self.interval_ms);
        sender.heartbeat.rtt_app_us = self.rtt_app_us;
        sender.beat()
    }
}

const UNITS: [&str; 3] = ["alpha", "beta", "gamma"];

#[derive(Debug, Default)]
struct Model {
    away: bool,
    /// When the bus came last.
    connected: Mono,
    units: [Option<Known>; UNITS.len()],
}

#[derive(Debug, Default)]
struct Known {
    /// Every session heard, the present one last.
    sessions: Vec<u64>,
    sequence: Option<u64>,
    window: Duration,
    heard: Mono,
    health: Health,
    /// The clock qualities of the present session.
    clocks: Vec<(ClockSource, ClockQuality)>,
}

impl Known {
    fn silent_at(&self, connected: Mono) -> Mono {
        self.heard.max(connected) + self.window
    }
}

impl Model {
    /// When the next unit falls silent.
    fn next(&self) -> Option<Mono> {
        let heard = self.units.iter().flatten().filter(|unit| !self.away && unit.health != Health::Offline);
        heard.map(|unit| unit.silent_at(self.connected)).min()
    }

    /// Whom the present instant makes silent.
    fn silent(&mut self, now: Mono) -> Vec<String> {
        let mut told = Vec::new();
        for (name, unit) in UNITS.iter().zip(&mut self.units) {
            if let Some(unit) = unit
                && !self.away
                && unit.health != Health::Offline
                && unit.silent_at(self.connected) <= now
            {
                unit.health = Health::Offline;
                told.push(format!("{name} is OFFLINE: no heartbeat for {:?}", unit.window));
            }
        }
        told
    }

    fn beat(&mut self, now: Mono, beat: &Beat) -> Vec<String> {
        let name = UNITS[beat.unit];
        let sequence = beat.sequence.map(|sequence| sequence + 1);
        if self.units[beat.unit].is_none() && beat.status == Health::Offline {
            return Vec::new();
        }
        let unit = self.units[beat.unit].get_or_insert_with(|| Known { health: Health::Offline, ..Known::default() });
        let was_offline = unit.health == Health::Offline;
        let mut restarted = false;
        if let Some(session) = beat.session {
            let over = unit.sessions.iter().rev().nth(1) == Some(&session);
            match unit.sessions.last() {
                Some(&present) if present == session => {
                    if sequence.is_some() && sequence <= unit.sequence {
                        return vec!["stale".to_owned()];
                    }
                    unit.sequence = sequence.or(unit.sequence);
                }
                Some(_) if beat.status == Health::Offline || (over && !was_offline) => {
                    return vec!["stale".to_owned()];
                }
                before => {
                    restarted = before.is_some();
                    unit.sessions.push(session);
                    unit.sequence = sequence;
                    unit.clocks.clear();
                }
            }
        }
        unit.heard = now;
        unit.window = Duration::from_micros(beat.interval_ms * 2_500);
        if beat.status == Health::Offline {
            unit.health = Health::Offline;
            return if was_offline { Vec::new() } else { vec![format!("{name} is OFFLINE: stopped cleanly")] };
        }
        unit.clocks.extend(beat.clock);
        let mut told = Vec::new();
        if restarted || was_offline {
            unit.health = Health::Ok;
            told.push(format!("{name} is {}", if restarted { "back in a new session" } else { "online" }));
        }
        let followed = |(_, quality): &(_, _)| matches!(quality, ClockQuality::Locked | ClockQuality::Tracking);
        let lost = matches!(beat.clock, Some((_, ClockQuality::Freerun))) && unit.clocks.iter().any(followed);
        let slow = beat.rtt_app_us.is_some_and(|micros| micros > 300_000);
        let to = if slow || lost { beat.status.max(Health::Degraded) } else { beat.status };
        if to != unit.health {
            let reason = match (to == beat.status, slow) {
                (true, _) => "as the unit reports",
                (false, true) => "app RTT 412 ms",
                (false, false) => "clock lost its source",
            };
            told.push(format!("{name} {} → {to}: {reason}", unit.health));
            unit.health = to;
        }
        told
    }
}

fn beat() -> impl Strategy<Value = Beat> {
    let session = prop_oneof![1 => Just(None), 9 => (0..4u64).prop_map(Some)];
    let sequence = prop_oneof![1 => Just(None), 9 => (0..12u64).prop_map(Some)];
    let status = prop::sample::select(vec![
        Health::Ok,
        Health::Ok,
        Health::Ok,
        Health::Ok,
        Health::Degraded,
        Health::Critical,
        Health::Offline,
    ]);
    let rtt = prop::sample::select(vec![None, Some(0), Some(300_000), Some(412_000)]);
    let clock = prop::sample::select(vec![
        None,
        Some((ClockSource::Unsynced, ClockQuality::Freerun)),
        Some((ClockSource::Ntp, ClockQuality::Freerun)),
        Some((ClockSource::Gps, ClockQuality::Acquiring)),
        Some((ClockSource::Ptp, ClockQuality::Locked)),
    ]);
    let interval = prop::sample::select(vec![100, 101, 400, 1_000, 5_000]);
    (0..UNITS.len(), session, sequence, interval, status, rtt, clock).prop_map(
        |(unit, session, sequence, interval_ms, status, rtt_app_us, clock)| Beat {
            unit,
            session,
            sequence,
            interval_ms,
            status,
            rtt_app_us,
            clock,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => beat().prop_map(Step::Beat),
        3 => (0..1_000u64).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        1 => (0..20_000u64).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        1 => Just(Step::Bus(true)),
        1 => Just(Step::Bus(false)),
    ]
}

/// What the monitor told, in words.
fn told(monitor: &mut Harness) -> Vec<String> {
    let words = |event: &Event| if event.name() == "malformed" { "stale".to_owned() } else { event.to_string() };
    monitor.events().iter().map(words).collect()
}

/// Units that fall silent in the same instant may be told of in any order.
fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn the_monitor_tells_what_a_naive_model_tells_at_the_same_nanosecond(steps in prop::collection::vec(step(), 1..80)) {
        let mut monitor = monitor();
        let mut model = Model { connected: monitor.now().mono, ..Model::default() };
        for step in steps {
            match step {
                Step::Beat(beat) => {
                    monitor.send(beat.message());
                    prop_assert_eq!(told(&mut monitor), model.beat(monitor.now().mono, &beat));
                }
                Step::Bus(true) => {
                    bus(&mut monitor, BusEvent::Connected);
                    (model.away, model.connected) = (false, monitor.now().mono);
                }
                Step::Bus(false) => {
                    bus(&mut monitor, BusEvent::Disconnected);
                    model.away = true;
                }
                Step::Pass(duration) => {
                    let end = monitor.now().mono + duration;
                    while let Some(due) = model.next().filter(|&due| due <= end) {
                        monitor.advance((due - NANO).since(monitor.now().mono));
                        prop_assert_eq!(told(&mut monitor), Vec::<String>::new());
                        monitor.advance(due.since(monitor.now().mono));
                        prop_assert_eq!(sorted(told(&mut monitor)), model.silent(due));
                    }
                    monitor.advance(end.since(monitor.now().mono));
                    prop_assert_eq!(told(&mut monitor), Vec::<String>::new());
                }
            }
        }
    }
}
