//! Two nodes of one name.

use nunect_core::protocol::header::{self, Value as Header};
use nunect_core::{Event, NodeCommand, NodeRefusal, SessionId};

use super::super::twins::{CERTAIN, SESSIONS_MAX, TOLD_EVERY};
use super::*;

const OTHER: u64 = 2;

/// A heartbeat under this unit's name.
fn beat(session: u64, sequence: u64, uptime_s: Option<u64>, status: Health) -> Message {
    Heartbeat { uptime_s, status, ..Heartbeat::new(UNIT.parse().expect("legal")) }
        .build()
        .with(&header::SESSION_ID, Header::text(SessionId::from_random(session).as_str()))
        .with(&header::SEQUENCE, Header::Unsigned(sequence))
}

/// A heartbeater whose unit has been there for `uptime` seconds, and whose session is 1.
fn node(uptime: u64) -> Harness {
    node_with(uptime, 1)
}

fn node_with(uptime: u64, session: u64) -> Harness {
    let now = Now { mono: Mono::from_nanos(0) + seconds(1_000), wall: WALL_START };
    let started = Now { mono: now.mono - seconds(uptime), wall: WALL_START };
    let life = Birth { session: SessionId::from_random(session), ..birth("heartbeater", started) };
    let mut harness = Harness::unstarted::<Heartbeater>(json!({}), now, life);
    harness.input(Input::Started);
    bus(&mut harness, BusEvent::Connected);
    harness
}

fn told(harness: &mut Harness) -> Vec<Event> {
    harness.published();
    harness.events()
}

fn twice(session: u64, leaving: bool) -> Event {
    Event::DuplicateUnit { session: SessionId::from_random(session), leaving }
}

/// It leaves, and says to whom.
fn expect_leave(harness: &mut Harness, session: u64) {
    let (_, command) = harness.expect_command();
    assert_eq!(command, NodeCommand::Leave { session: SessionId::from_random(session) });
    assert_eq!(told(harness), [twice(session, true)]);
}

fn expect_nothing(harness: &mut Harness) {
    assert_eq!(told(harness), []);
    harness.expect_silence();
}

#[test]
fn who_came_later_leaves_at_the_second_heartbeat_of_the_other() {
    let mut harness = node(10);
    harness.send(beat(OTHER, 7, Some(500), Health::Ok));
    expect_nothing(&mut harness);
    harness.advance(seconds(5));
    harness.send(beat(OTHER, 8, Some(505), Health::Ok));
    expect_leave(&mut harness, OTHER);
    harness.advance(seconds(5));
    harness.send(beat(OTHER, 9, Some(510), Health::Ok));
    expect_nothing(&mut harness);
}

#[test]
fn who_was_there_before_stays_and_reports_it_once_a_minute() {
    let mut harness = node(500);
    let mut reports = 0;
    for n in 0..=24 {
        harness.send(beat(OTHER, n, Some(10 + 5 * n), Health::Ok));
        let events = told(&mut harness);
        assert!(events.iter().all(|event| *event == twice(OTHER, false)));
        reports += events.len();
        harness.advance(seconds(5));
    }
    assert_eq!(reports, 3);
    assert_eq!(harness.commanded(), []);
    assert_eq!(TOLD_EVERY, seconds(60));
}

#[test]
fn the_late_heartbeats_of_the_life_before_make_nobody_leave() {
    let late = [(1_200, 7), (1_205, 8), (1_210, 9)].map(|(uptime, sequence)| (sequence, uptime));
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut harness = node(1);
        for place in order {
            let (sequence, uptime) = late[place];
            harness.send(beat(OTHER, sequence, Some(uptime), Health::Ok));
            harness.advance(Duration::from_millis(800));
        }
        expect_nothing(&mut harness);
        harness.advance(seconds(60));
        harness.send(beat(OTHER, 10, Some(1_215), Health::Ok));
        expect_nothing(&mut harness);
    }
}

#[test]
fn a_heartbeat_that_was_sent_before_the_first_is_no_second_one() {
    let mut harness = node(1);
    harness.send(beat(OTHER, 9, Some(1_210), Health::Ok));
    for sequence in [7, 8, 9] {
        harness.advance(seconds(3));
        harness.send(beat(OTHER, sequence, Some(1_200), Health::Ok));
    }
    expect_nothing(&mut harness);
}

#[test]
fn a_session_that_ended_is_over_whatever_still_arrives_of_it() {
    for first in [None, Some(7)] {
        let mut harness = node(1);
        if let Some(sequence) = first {
            harness.send(beat(OTHER, sequence, Some(1_200), Health::Ok));
        }
        harness.send(beat(OTHER, 9, Some(1_210), Health::Offline));
        for sequence in [8, 10, 11] {
            harness.advance(seconds(5));
            harness.send(beat(OTHER, sequence, Some(1_215), Health::Ok));
        }
        expect_nothing(&mut harness);
    }
}

#[test]
fn if_nobody_can_tell_the_larger_session_leaves_after_three_intervals() {
    for uptime in [None, Some(10)] {
        let mut harness = node_with(10, 3);
        for n in 0..3 {
            harness.send(beat(OTHER, n, uptime.map(|uptime| uptime + 5 * n), Health::Ok));
            harness.advance(seconds(5));
        }
        expect_nothing(&mut harness);
        harness.send(beat(OTHER, 3, uptime.map(|uptime| uptime + 15), Health::Ok));
        expect_leave(&mut harness, OTHER);
    }
}

#[test]
fn the_smaller_session_leaves_after_six_as_the_other_must_know_better() {
    let mut harness = node(10);
    let mut events = Vec::new();
    for n in 0..6 {
        harness.send(beat(OTHER, n, None, Health::Ok));
        events.extend(told(&mut harness));
        assert_eq!(harness.commanded(), []);
        harness.advance(seconds(5));
    }
    assert_eq!(events, [twice(OTHER, false)]);
    harness.send(beat(OTHER, 6, None, Health::Ok));
    expect_leave(&mut harness, OTHER);
}

#[test]
fn who_sees_the_other_leave_before_it_could_tell_reports_it_all_the_same() {
    let mut harness = node(10);
    harness.send(beat(OTHER, 1, Some(10), Health::Ok));
    harness.advance(seconds(5));
    harness.send(beat(OTHER, 2, Some(15), Health::Ok));
    harness.send(beat(OTHER, 3, Some(15), Health::Offline));
    assert_eq!(told(&mut harness), [twice(OTHER, false)]);
    assert_eq!(harness.commanded(), []);
}

#[test]
fn a_node_that_may_not_leave_stays_and_reports_it() {
    let mut harness = node(10);
    harness.send(beat(OTHER, 1, Some(500), Health::Ok));
    harness.advance(seconds(5));
    harness.send(beat(OTHER, 2, Some(505), Health::Ok));
    let (id, _) = harness.expect_command();
    harness.node_answers(id, Err(NodeRefusal { code: 403, reason: "started with --force".to_owned() }));
    told(&mut harness);
    for (sequence, reports) in [(3, 1), (4, 0)] {
        harness.advance(seconds(5));
        harness.send(beat(OTHER, sequence, Some(500 + 5 * sequence), Health::Ok));
        assert_eq!(told(&mut harness), vec![twice(OTHER, false); reports]);
        assert_eq!(harness.commanded(), []);
    }
}

#[test]
fn its_own_heartbeats_and_those_without_a_session_are_nobody_elses() {
    let mut harness = node(10);
    for sequence in 1..5 {
        harness.send(beat(1, sequence, Some(900), Health::Ok));
        harness.send(Heartbeat::new(UNIT.parse().expect("legal")).build());
        harness.advance(seconds(5));
    }
    expect_nothing(&mut harness);
}

#[test]
fn a_thousand_sessions_fill_no_memory_and_hide_no_other() {
    let mut harness = node(10);
    for n in 0..4 {
        harness.send(beat(OTHER, n, Some(500 + 5 * n), Health::Ok));
        for spoofed in 0..SESSIONS_MAX as u64 - 1 {
            harness.send(beat(1_000 * (n + 1) + spoofed, 1, None, Health::Ok));
        }
        harness.advance(seconds(5));
    }
    assert_eq!(harness.expect_command().1, NodeCommand::Leave { session: SessionId::from_random(OTHER) });
}

/// One of two nodes that hear each other.
struct Side {
    harness: Harness,
    here: bool,
    left: bool,
    reported: bool,
}

impl Side {
    fn run(&mut self) -> Vec<Message> {
        if !self.here {
            return Vec::new();
        }
        self.reported |= self.harness.events().iter().any(|event| event.name() == "duplicate_unit");
        if !self.harness.commanded().is_empty() {
            (self.here, self.left) = (false, true);
            self.harness.stop(StopReason::NodeShutdown);
        }
        self.harness.published()
    }
}

fn interval() -> impl Strategy<Value = u64> {
    prop_oneof![prop::sample::select(vec![250, 700, 1_000, 1_100, 5_000]), 200..3_000u64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever their start, their intervals, their sessions, the time between them and whoever hears
    /// the other first: one leaves, one stays, both report it, and if one was there a good while
    /// before it is that one that stays.
    #[test]
    fn of_two_nodes_that_hear_each_other_exactly_one_leaves(
        apart_ms in prop_oneof![0..1_500u64, 0..6_000u64],
        meet_ms in 0..12_000u64,
        intervals_ms in [interval(), interval()],
        delays_ms in [0..450u64, 0..450u64],
        larger_first in any::<bool>(),
        metrics in [prop::bool::weighted(0.9), prop::bool::weighted(0.9)],
    ) {
        const STEP: Duration = Duration::from_millis(5);
        let start = |place: usize| {
            let now = Now { mono: Mono::from_nanos(1_000_000_000), wall: WALL_START };
            let session = SessionId::from_random(u64::from(larger_first == (place == 0)) + 1);
            let life = Birth { session, ..birth("heartbeater", now) };
            let config = json!({ "interval": format!("{}ms", intervals_ms[place]), "report_metrics": metrics[place] });
            let mut harness = Harness::unstarted::<Heartbeater>(config, now, life);
            harness.input(Input::Started);
            bus(&mut harness, BusEvent::Connected);
            Side { harness, here: true, left: false, reported: false }
        };
        let mut sides = [start(0), start(1)];
        let begin = [Duration::ZERO, Duration::from_millis(apart_ms)];
        let meet = Duration::from_millis(apart_ms + meet_ms);
        let mut under_way: Vec<(Duration, usize, Message)> = Vec::new();
        let patience = Duration::from_millis(8 * intervals_ms[0].max(intervals_ms[1])) + seconds(4);
        let mut time = Duration::ZERO;
        while time < meet + patience + seconds(2) {
            time += STEP;
            for place in 0..2 {
                if time <= begin[place] {
                    continue;
                }
                let due: Vec<_> = under_way.extract_if(.., |(at, to, _)| *to == place && *at <= time).collect();
                if sides[place].here {
                    sides[place].harness.advance(STEP);
                    for (_, _, message) in due {
                        sides[place].harness.send(message);
                    }
                }
                for message in sides[place].run() {
                    if time >= meet {
                        under_way.push((time + Duration::from_millis(delays_ms[place]), 1 - place, message));
                    }
                }
            }
        }
        prop_assert!(sides[0].left != sides[1].left, "left: {} and {}", sides[0].left, sides[1].left);
        if metrics == [true; 2] {
            prop_assert!(sides[0].reported && sides[1].reported);
            prop_assert!(sides[1].left || Duration::from_millis(apart_ms) < CERTAIN, "the later one leaves");
        }
    }
}
