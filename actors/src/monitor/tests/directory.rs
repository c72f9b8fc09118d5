//! The directory of units: written row by row, asked for in parts, and bounded.

use std::collections::BTreeMap;

use nunect_core::protocol::units::UnitStatus;
use nunect_core::{Effect, Incarnation, Role};

use super::super::tracked::Units;
use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn question(monitor: &mut Harness, question: &Question) -> Vec<UnitStatus> {
    let reply = Some(Subject::parse("_INBOX.1").expect("legal"));
    monitor.send(Message { reply, ..question.build() });
    units::parse(&monitor.expect_publish("_INBOX.1")).expect("an answer")
}

/// The directory that follows from its changes.
#[derive(Default)]
struct Directory(BTreeMap<UnitId, UnitStatus>);

impl Directory {
    fn apply(&mut self, change: DirectoryChange) {
        match change {
            DirectoryChange::Seen(status) => drop(self.0.insert(status.unit.clone(), status)),
            DirectoryChange::Forgotten(unit) => assert!(self.0.remove(&unit).is_some(), "{unit} was never seen"),
        }
    }
}

#[test]
fn every_heartbeat_writes_the_row_of_its_unit() {
    let (mut monitor, mut alpha) = (monitor(), Sender::new("alpha"));
    alpha.heartbeat.role = Role::Gateway;
    alpha.heartbeat.rtt_app_us = Some(438);
    alpha.heartbeat.rtt_native_us = Some(168);
    alpha.clock = Some((ClockSource::Ntp, ClockQuality::Tracking));
    let start = monitor.now().wall.unix_millis();
    monitor.send(alpha.beat());
    let mut row = UnitStatus {
        unit: alpha.heartbeat.unit.clone(),
        role: Role::Gateway,
        state: Health::Ok,
        since_ms: start,
        last_seen_ms: start,
        session: alpha.session.clone(),
        rtt_app_us: Some(438),
        rtt_native_us: Some(168),
        clock_source: Some(ClockSource::Ntp),
        clock_quality: Some(ClockQuality::Tracking),
    };
    assert_eq!(monitor.directory(), [DirectoryChange::Seen(row.clone())]);
    monitor.advance(Duration::from_secs(5));
    alpha.heartbeat.rtt_app_us = None;
    monitor.send(alpha.beat_as(Health::Degraded));
    (row.state, row.rtt_app_us) = (Health::Degraded, None);
    (row.since_ms, row.last_seen_ms) = (start + 5_000, start + 5_000);
    assert_eq!(monitor.directory(), [DirectoryChange::Seen(row.clone())]);
    monitor.advance(WINDOW);
    (row.state, row.since_ms) = (Health::Offline, start + 17_500);
    assert_eq!(monitor.directory(), [DirectoryChange::Seen(row)]);
}

#[test]
fn a_stale_heartbeat_writes_nothing() {
    let (mut monitor, mut alpha) = watched();
    let overtaken = alpha.beat();
    monitor.send(alpha.beat());
    monitor.directory();
    monitor.send(overtaken);
    assert_eq!(monitor.directory(), []);
}

#[test]
fn who_asks_is_told_the_units_in_the_order_of_their_names_and_part_by_part() {
    let mut monitor = monitor();
    assert_eq!(question(&mut monitor, &Question::default()), []);
    for name in ["delta", "alpha", "echo", "charlie", "bravo"] {
        monitor.send(Sender::new(name).beat());
    }
    let names = |rows: &[UnitStatus]| rows.iter().map(|row| row.unit.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&question(&mut monitor, &Question::default())), ["alpha", "bravo", "charlie", "delta", "echo"]);
    let mut parts = Vec::new();
    let mut next = Some(Question { after: None, limit: 2 });
    while let Some(question_now) = next {
        let rows = question(&mut monitor, &question_now);
        next = question_now.next(&rows);
        parts.push(names(&rows));
    }
    assert_eq!(parts, [vec!["alpha", "bravo"], vec!["charlie", "delta"], vec!["echo"]]);
}

#[test]
fn a_question_that_is_none_is_refused_and_counted() {
    let mut monitor = monitor();
    let reply = Some(Subject::parse("_INBOX.1").expect("legal"));
    monitor.send(Message { reply, ..Message::new(units::subject()).body("{") });
    assert!(units::parse(&monitor.expect_publish("_INBOX.1")).is_err());
    expect_malformed(&mut monitor);
    monitor.send(Question::default().build());
    assert_eq!(expect_malformed(&mut monitor), "a question for the units without a reply subject");
    monitor.expect_silence();
}

#[test]
fn a_unit_is_forgotten_a_day_after_it_went_offline_to_the_nanosecond() {
    let (mut monitor, mut alpha) = watched();
    monitor.advance(WINDOW);
    monitor.events();
    monitor.directory();
    monitor.advance(DAY - NANO);
    assert_eq!(monitor.directory(), []);
    monitor.advance(NANO);
    assert_eq!(monitor.directory(), [DirectoryChange::Forgotten(alpha.heartbeat.unit.clone())]);
    assert_eq!(monitor.deadline(), None);
    monitor.send(alpha.beat());
    assert_eq!(monitor.events(), [alpha.online(false)]);
}

#[test]
fn a_unit_that_comes_back_is_not_forgotten() {
    let mut monitor = Harness::new::<Monitor>(json!({ "forget_after": "1m" }));
    let mut alpha = Sender::new("alpha");
    for _ in 0..5 {
        monitor.send(alpha.beat());
        monitor.advance(WINDOW + Duration::from_secs(59));
    }
    assert!(monitor.directory().iter().all(|change| matches!(change, DirectoryChange::Seen(_))));
}

#[test]
fn when_all_places_are_taken_whoever_is_offline_for_the_longest_gives_way() {
    let mut monitor = Harness::new::<Monitor>(json!({ "units_max": 3 }));
    let mut senders = ["alpha", "bravo", "charlie"].map(Sender::new);
    for sender in &mut senders {
        monitor.send(sender.beat());
    }
    for place in [1, 0] {
        monitor.send(senders[place].beat_as(Health::Offline));
        monitor.advance(Duration::from_secs(1));
    }
    monitor.directory();
    let forgotten = |monitor: &mut Harness| {
        let changes = monitor.directory().into_iter();
        let gone = |change| if let DirectoryChange::Forgotten(unit) = change { Some(unit.to_string()) } else { None };
        changes.filter_map(gone).collect::<Vec<_>>()
    };
    for (newcomer, gives_way) in [("delta", vec!["bravo"]), ("echo", vec!["alpha"]), ("foxtrot", vec![])] {
        monitor.send(Sender::new(newcomer).beat());
        assert_eq!(forgotten(&mut monitor), gives_way);
    }
    assert!(monitor.events().contains(&Event::UnitsFull { units_max: 3 }));
}

#[test]
fn forgetting_is_bounded() {
    let catalog = Catalog::new().with::<Monitor>();
    let check = |period: &str| (catalog.get("monitor").expect("known").check)(&json!({ "forget_after": period }));
    assert!(check("59s").is_err() && check("366days").is_err());
    assert_eq!((check("1m"), check("365days")), (Ok(()), Ok(())));
}

fn track(config: MonitorConfig) -> Monitor {
    let mut monitor = Monitor::new(config, &birth("monitor", Now::default())).expect("legal");
    monitor
        .handle(Now::default(), Input::Bus(&BusEvent::Connected), &mut Effects::new(Incarnation(1)))
        .expect("no fault");
    monitor
}

#[test]
fn a_million_spoofed_units_fill_no_memory() {
    const UNITS_MAX: usize = 500;
    let mut monitor = track(MonitorConfig { units_max: UNITS_MAX, ..MonitorConfig::default() });
    let mut out = Effects::new(Incarnation(1));
    let mut now = Now::default();
    let mut rows = 0_i64;
    let mut message = Sender::new("alpha").beat();
    for spoofed in 0..1_000_000_u32 {
        // A hundred thousand a second, which is ten seconds: then the first ones fall silent.
        now.mono = now.mono + Duration::from_micros(25);
        message.subject = Subject::delivered(format!("ops.heartbeat.x{spoofed}"));
        message.received = now;
        monitor.handle(now, Input::Message(&message), &mut out).expect("no fault");
        if monitor.deadline().is_some_and(|deadline| deadline.at <= now.mono) {
            monitor.handle(now, Input::Timeout("due"), &mut out).expect("no fault");
        }
        for effect in out.drain() {
            rows -= i64::from(matches!(effect, Effect::Directory(DirectoryChange::Forgotten(_))));
            rows += i64::from(matches!(effect, Effect::Emit(Event::UnitOnline { .. })));
        }
    }
    assert_eq!((monitor.units.len(), rows), (UNITS_MAX, UNITS_MAX as i64));
    monitor.units.check();
}

#[test]
fn a_unit_takes_no_more_than_512_bytes_even_when_it_is_offline() {
    // The table is emptiest just after it has grown, at 57,345 units.
    for count in [1_000, 57_345, 100_000] {
        let mut units = Units::new(count);
        for number in 0..count {
            let mut sender = Sender::new(&format!("unit-number-{number:06}"));
            let (heartbeat, session) = (sender.heartbeat.clone(), sender.session.take());
            let received = heartbeat::Received { heartbeat, session, sequence: Some(1), problems: Vec::new() };
            let place = units.insert(received.heartbeat.unit.clone(), Now::default());
            let (id, unit, before) = units.at(place);
            unit.accept(&received).expect("the first is never stale");
            let mut out = Effects::new(Incarnation(1));
            unit.note(&received.heartbeat, (None, None), Now::default());
            unit.tell(id, &received.heartbeat, false, Now::default(), &Hooks::default(), &mut out);
            units.settle(place, before, Mono::ZERO);
        }
        while let Some(place) = units.look(Mono::MAX - NANO) {
            let (id, unit, before) = units.at(place);
            unit.fall_silent(id, Now::default(), &Hooks::default(), &mut Effects::new(Incarnation(1)));
            units.settle(place, before, Mono::ZERO);
        }
        units.check();
        let each = units.bytes() / count;
        assert!(each <= 512, "{each} bytes for each of {count} units");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Beat { unit: u8, session: u64, offline: bool },
    Pass(u64),
    Bus(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let beat = (0..12u8, 1..3u64, prop::bool::weighted(0.2));
    prop_oneof![
        8 => beat.prop_map(|(unit, session, offline)| Step::Beat { unit, session, offline }),
        2 => (0..20_000u64).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Bus),
    ]
}

proptest! {
    /// Whatever happens: what is kept stays together and within its bound, the changes add up to
    /// what is answered, and a row that is forgotten was OFFLINE.
    #[test]
    fn the_changes_add_up_to_the_directory(units_max in 1..8usize, steps in prop::collection::vec(step(), 0..200)) {
        let config = MonitorConfig { units_max, forget_after: Period::from_secs(60), ..MonitorConfig::default() };
        let mut monitor = track(config);
        let mut out = Effects::new(Incarnation(1));
        let mut directory = Directory::default();
        let mut now = Now::default();
        let mut sequence = 0;
        for step in steps {
            let end = now.mono + if let Step::Pass(millis) = &step { Duration::from_millis(*millis) } else { Duration::ZERO };
            match step {
                Step::Beat { unit, session, offline } => {
                    sequence += 1;
                    let mut sender = Sender::new(&format!("u{unit}")).restarted(session);
                    sender.sequence = Some(sequence);
                    let mut message = sender.beat_as(if offline { Health::Offline } else { Health::Ok });
                    message.received = now;
                    monitor.handle(now, Input::Message(&message), &mut out).expect("no fault");
                }
                Step::Bus(connected) => {
                    let event = if connected { BusEvent::Connected } else { BusEvent::Disconnected };
                    monitor.handle(now, Input::Bus(&event), &mut out).expect("no fault");
                }
                Step::Pass(_) => {}
            }
            while let Some(due) = monitor.deadline().filter(|due| due.at <= end) {
                now.mono = due.at.max(now.mono);
                monitor.handle(now, Input::Timeout(due.why), &mut out).expect("no fault");
                prop_assert!(monitor.deadline().is_none_or(|next| next.at > now.mono));
            }
            now.mono = end;
            for effect in out.drain() {
                if let Effect::Directory(change) = effect {
                    if let DirectoryChange::Forgotten(unit) = &change {
                        prop_assert_eq!(directory.0[unit].state, Health::Offline);
                    }
                    directory.apply(change);
                }
            }
            monitor.units.check();
            let answered: Vec<_> = monitor.units.part(None, usize::MAX).collect();
            prop_assert_eq!(answered, directory.0.values().cloned().collect::<Vec<_>>());
        }
    }
}
