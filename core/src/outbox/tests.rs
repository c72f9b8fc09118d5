use super::*;
use crate::arbitrary::{at_millis, subject_of, unit_named};
use crate::identity::Incarnation;
use crate::message::ClockStamp;
use crate::protocol::LOGS_KEPT_MAX;
use crate::protocol::header::{self, ClockQuality, ClockSource, Late, Value};
use crate::protocol::heartbeat::Heartbeat;

mod model;

fn outbox() -> Outbox {
    Outbox::new(unit_named("alpha"), SessionId::from_random(1))
}

fn connected() -> Outbox {
    let mut outbox = outbox();
    assert!(outbox.connected(at_millis(0)).is_empty());
    outbox
}

fn requests() -> Requests {
    Requests::new(unit_named("alpha"), SessionId::from_random(1))
}

fn to(subject: &str) -> Message {
    Message::new(subject_of(subject))
}

fn sent(hand_over: HandOver) -> Message {
    match hand_over {
        HandOver::Send(message) => *message,
        HandOver::Kept | HandOver::Refused(_) => panic!("not sent: {hand_over:?}"),
    }
}

fn refused(hand_over: HandOver) -> Refusal {
    match hand_over {
        HandOver::Refused(refusal) => refusal,
        HandOver::Kept | HandOver::Send(_) => panic!("not refused: {hand_over:?}"),
    }
}

fn grants(patterns: &[&str]) -> Grants {
    let contracts = patterns.iter().map(|pattern| crate::Pattern::parse((*pattern).to_owned()).expect("legal"));
    Grants::new(unit_named("alpha"), &[], contracts)
}

#[test]
fn what_is_not_granted_is_refused_counted_and_told_once_a_minute_for_each_subject() {
    let mut outbox = connected();
    outbox.grant(Some(grants(&["ops.echo.*"])));
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("ops.echo.bravo")))), Some(1));
    let told = |outbox: &mut Outbox, millis, subject| refused(outbox.publish(at_millis(millis), to(subject))).tell;
    assert!(told(&mut outbox, 0, "com.t.vhf.s.g.voice"));
    assert!(!told(&mut outbox, 59_999, "com.t.vhf.s.g.voice"));
    assert!(told(&mut outbox, 59_999, "com.t.vhf.s.g.data"));
    assert!(told(&mut outbox, 60_000, "com.t.vhf.s.g.voice"));
    assert_eq!(outbox.counters().refused, 4);
    assert!(matches!(outbox.respond(at_millis(0), to("com.t.vhf.s.g.voice")), HandOver::Send(_)), "an answer");
}

#[test]
fn changed_grants_hold_for_subjects_that_were_used_before_and_numbers_go_on() {
    let mut outbox = connected();
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("probe.x")))), Some(1));
    outbox.grant(Some(grants(&[])));
    assert_eq!(refused(outbox.publish(at_millis(0), to("probe.x"))).reason, NOT_PERMITTED);
    outbox.disconnected();
    assert_eq!(refused(outbox.publish(at_millis(0), to("probe.x"))).reason, NOT_PERMITTED, "nor is it kept");
    assert!(outbox.connected(at_millis(0)).is_empty());
    outbox.grant(None);
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("probe.x")))), Some(2));
}

fn sequence(message: &Message) -> Option<u64> {
    header::SEQUENCE.read(&message.headers).expect("a number")
}

const ID: RequestId = RequestId { incarnation: Incarnation(1), number: 1 };
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_message_carries_who_sent_it_when_and_by_which_clock() {
    let mut outbox = connected();
    let clock = ClockStamp {
        source: ClockSource::Ptp,
        quality: ClockQuality::Locked,
        offset_ns: Some(-5),
        uncertainty_ns: Some(9),
    };
    outbox.set_clock(ClockClaim { stamp: clock, until: at_millis(9).mono });
    let message = sent(outbox.publish(at_millis(7), to("a")));
    let stamp = message.headers.stamp().expect("it is stamped");
    assert_eq!((stamp.unit.as_str(), stamp.session.as_str()), ("alpha", "0000000000000001"));
    assert_eq!((stamp.sequence, stamp.tx, stamp.clock), (Some(1), at_millis(7).wall, clock));
}

#[test]
fn the_bus_is_away_at_first() {
    let mut outbox = outbox();
    assert!(!outbox.is_connected());
    assert!(matches!(outbox.publish(at_millis(0), to("ops.heartbeat.alpha")), HandOver::Kept));
    assert_eq!(outbox.connected(at_millis(0)).len(), 1);
    assert!(outbox.is_connected());
}

#[test]
fn telemetry_of_an_outage_arrives_as_its_newest_with_the_time_of_the_reconnect() {
    let mut outbox = connected();
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), Heartbeat::new(unit_named("alpha")).build()))), Some(1));
    outbox.disconnected();
    for millis in [5_000, 10_000] {
        let beat = Heartbeat { uptime_s: Some(millis / 1_000), ..Heartbeat::new(unit_named("alpha")) };
        assert!(matches!(outbox.publish(at_millis(millis), beat.build()), HandOver::Kept));
    }
    let [message] = &outbox.connected(at_millis(12_000))[..] else { panic!("one heartbeat") };
    assert_eq!(header::UPTIME.read(&message.headers), Ok(Some(10)));
    assert_eq!(header::TX_TIMESTAMP.read(&message.headers), Ok(Some(at_millis(12_000).wall)));
    assert_eq!(message.payload(), r#"{"status":"OK","sequence":2,"ts":1707772812000}"#);
}

#[test]
fn logs_of_an_outage_arrive_in_order_and_beyond_the_bound_the_oldest_are_lost() {
    let mut outbox = outbox();
    for number in 0..LOGS_KEPT_MAX + 3 {
        let log = to("ops.log.INFO.alpha").body(number.to_string());
        assert!(matches!(outbox.publish(at_millis(0), log), HandOver::Kept));
    }
    let kept = outbox.connected(at_millis(0));
    let numbers: Vec<usize> = kept
        .iter()
        .map(|log| std::str::from_utf8(&log.payload()).expect("digits").parse().expect("a number"))
        .collect();
    assert_eq!(numbers, (3..LOGS_KEPT_MAX + 3).collect::<Vec<_>>());
    assert!(kept.iter().map(sequence).eq((1..=LOGS_KEPT_MAX as u64).map(Some)));
    assert_eq!((outbox.counters().dropped, outbox.counters().sent), (3, LOGS_KEPT_MAX as u64));
}

#[test]
fn an_outage_keeps_no_more_subjects_than_there_is_room_for() {
    let mut outbox = outbox();
    outbox.subjects_max = 2;
    for subject in ["ops.metric.net.a", "ops.metric.net.b", "ops.metric.net.c", "ops.metric.net.a"] {
        assert!(matches!(outbox.publish(at_millis(0), to(subject)), HandOver::Kept));
    }
    assert_eq!(outbox.counters(), Counters { kept: 3, dropped: 2, ..Counters::default() });
    let kept: Vec<_> = outbox.connected(at_millis(0)).into_iter().map(|message| message.subject).collect();
    assert_eq!(kept, [subject_of("ops.metric.net.a"), subject_of("ops.metric.net.b")]);
}

#[test]
fn voice_requests_answers_and_dead_letters_do_not_outlive_an_outage() {
    let (mut outbox, mut requests) = (outbox(), requests());
    for subject in ["com.t.tetra.s.g.voice", "com.t.tetra.s.g.ptt"] {
        assert!(matches!(outbox.publish(at_millis(0), to(subject)), HandOver::Kept));
    }
    assert!(matches!(outbox.respond(at_millis(0), to("_INBOX.bravo.1.1")), HandOver::Kept));
    assert!(matches!(outbox.relay(to("ops.dead.alpha.echo")), HandOver::Kept));
    let request = outbox.request(at_millis(0), &mut requests, Slot(0), ID, to("ops.echo.bravo"), SECOND);
    assert_eq!(request.expect_err("the bus is away"), RequestError::BusAway.into());
    assert!(requests.is_empty() && outbox.connected(at_millis(0)).is_empty());
    assert_eq!(outbox.counters(), Counters { dropped: 5, ..Counters::default() });
}

#[test]
fn a_request_is_numbered_like_any_message_and_names_its_inbox() {
    let (mut outbox, mut requests) = (connected(), requests());
    let request = outbox.request(at_millis(3), &mut requests, Slot(4), ID, to("ops.echo.bravo"), SECOND);
    let request = request.expect("the bus is there");
    assert_eq!(sequence(&request), Some(1));
    let reply = request.reply.expect("an inbox");
    assert!(requests.pattern().matches(&reply));
    let pending = requests.close(&reply).expect("it waits");
    assert_eq!((pending.slot, pending.id, pending.sent), (Slot(4), ID, at_millis(3)));
}

#[test]
fn answers_carry_no_sequence_even_if_they_are_given_one_and_use_none_up() {
    let mut outbox = connected();
    let answer = to("_INBOX.bravo.1.1").with(&header::SEQUENCE, Value::Unsigned(9));
    let answer = sent(outbox.respond(at_millis(0), answer));
    assert_eq!(sequence(&answer), None);
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("_INBOX.bravo.1.1")))), Some(1));
}

#[test]
fn a_dead_letter_goes_out_exactly_as_it_is() {
    let mut outbox = connected();
    let letter = to("ops.dead.alpha.echo").with(&header::UNIT_ID, Value::text("mallory")).body("poison");
    let before = (letter.headers.encode(), letter.payload());
    let letter = sent(outbox.relay(letter));
    assert_eq!((letter.headers.encode(), letter.payload()), before);
    assert!(letter.headers.stamp().is_none());
}

#[test]
fn beyond_the_bound_of_subjects_new_ones_are_refused_told_once_and_known_ones_go_on() {
    let mut outbox = connected();
    outbox.subjects_max = 2;
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("a")))), Some(1));
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("b")))), Some(1));
    for expected in [true, false] {
        let refusal = refused(outbox.publish(at_millis(0), to("c")));
        assert_eq!((refusal.subject.as_str(), refusal.tell), ("c", expected));
        assert_eq!(refusal.reason, "more than 2 subjects in one run");
    }
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("a")))), Some(2));
    assert_eq!(outbox.counters().refused, 2);
}

#[test]
fn a_refusal_that_nobody_could_be_told_of_is_told_at_the_next() {
    let (mut outbox, mut requests) = (outbox(), requests());
    outbox.subjects_max = 1;
    assert!(matches!(outbox.publish(at_millis(0), to("ops.log.INFO.alpha")), HandOver::Kept));
    assert!(matches!(outbox.publish(at_millis(0), to("ops.heartbeat.alpha")), HandOver::Kept));
    assert_eq!(outbox.connected(at_millis(0)).len(), 1, "there is room for one subject");
    let request = outbox.request(at_millis(0), &mut requests, Slot(0), ID, to("ops.echo.bravo"), SECOND);
    let failed = request.expect_err("no room");
    assert_eq!(failed.error, RequestError::Refused);
    assert!(failed.refusal.is_some_and(|refusal| refusal.tell));
    assert!(requests.is_empty(), "what was not sent is not waited for");
    outbox.subjects_max = 2;
    assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("a")))), Some(1));
    assert!(refused(outbox.publish(at_millis(0), to("ops.heartbeat.alpha"))).tell);
    assert!(!refused(outbox.publish(at_millis(0), to("ops.echo.bravo"))).tell, "the request told it");
}

#[test]
fn sequences_go_on_when_the_bus_comes_back() {
    let mut outbox = connected();
    for expected in 1..=3 {
        assert_eq!(sequence(&sent(outbox.publish(at_millis(0), to("a")))), Some(expected));
        outbox.disconnected();
        assert!(outbox.connected(at_millis(0)).is_empty());
    }
}

#[test]
fn late_values_are_filled_in_when_a_kept_message_goes_out() {
    let mut outbox = outbox();
    let message = to("a").with(&header::SERVER_TX_TIMESTAMP, Value::AtHandOver(Late::WallSince(at_millis(100))));
    assert!(matches!(outbox.publish(at_millis(100), message), HandOver::Kept));
    let kept = outbox.connected(at_millis(350));
    assert_eq!(header::SERVER_TX_TIMESTAMP.read(&kept[0].headers), Ok(Some(at_millis(350).wall)));
}
