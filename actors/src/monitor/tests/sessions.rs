//! Clean stops, restarts, and heartbeats that come twice, late, or from the life before.

use super::*;

#[test]
fn a_clean_stop_is_offline_at_once_and_only_once() {
    let (mut monitor, mut alpha) = watched();
    monitor.send(alpha.beat_as(Health::Offline));
    assert_eq!(monitor.events(), [alpha.offline("stopped cleanly")]);
    monitor.send(alpha.beat_as(Health::Offline));
    monitor.advance(WINDOW * 2);
    monitor.expect_silence();
}

#[test]
fn the_stop_of_a_unit_never_seen_is_no_event() {
    let (mut monitor, mut alpha) = (monitor(), Sender::new("alpha"));
    monitor.send(alpha.beat_as(Health::Offline));
    monitor.expect_silence();
    assert_eq!(monitor.deadline(), None);
}

#[test]
fn a_new_session_is_one_event_whatever_the_unit_was_before() {
    for before in [Health::Ok, Health::Degraded, Health::Critical, Health::Offline] {
        let (mut monitor, mut alpha) = watched();
        monitor.send(alpha.beat_as(before));
        monitor.events();
        let mut again = alpha.restarted(2);
        monitor.send(again.beat_as(Health::Ok));
        assert_eq!(monitor.events(), [again.online(true)], "{before}");
        monitor.send(again.beat());
        monitor.expect_silence();
    }
}

#[test]
fn a_late_heartbeat_or_stop_of_the_session_before_changes_nothing_and_is_counted() {
    let (mut monitor, mut alpha) = watched();
    let mut again = alpha.restarted(2);
    monitor.send(again.beat());
    assert_eq!(monitor.events(), [again.online(true)]);
    for late in [alpha.beat(), alpha.beat_as(Health::Offline)] {
        monitor.advance(Duration::from_secs(1));
        monitor.send(late);
        assert_eq!(expect_malformed(&mut monitor), "heartbeat of session 0000000000000001, which is over");
    }
    monitor.expect_silence();
    expect_after(&mut monitor, WINDOW - Duration::from_secs(2), again.offline("no heartbeat for 12.5s"));
}

#[test]
fn a_session_that_was_never_heard_cannot_stop_the_present_one() {
    let (mut monitor, alpha) = watched();
    monitor.send(alpha.restarted(2).beat_as(Health::Offline));
    assert_eq!(expect_malformed(&mut monitor), "heartbeat of session 0000000000000002, which is over");
    monitor.expect_silence();
}

#[test]
fn of_two_nodes_with_one_name_the_other_is_heard_when_the_first_is_gone() {
    let (mut monitor, mut first) = watched();
    let mut second = first.restarted(2);
    monitor.send(second.beat());
    monitor.send(second.beat_as(Health::Offline));
    assert_eq!(monitor.events(), [second.online(true), second.offline("stopped cleanly")]);
    monitor.send(first.beat());
    assert_eq!(monitor.events(), [first.online(true)]);
}

#[test]
fn a_repeated_or_overtaken_heartbeat_changes_nothing_and_is_counted() {
    let (mut monitor, mut alpha) = watched();
    let overtaken = alpha.beat_as(Health::Critical);
    let newest = alpha.beat_as(Health::Ok);
    monitor.send(newest.clone());
    monitor.advance(Duration::from_secs(1));
    for (stale, sequence) in [(overtaken, 2), (newest, 3)] {
        monitor.send(stale);
        assert_eq!(expect_malformed(&mut monitor), format!("heartbeat {sequence} after 3 of the same session"));
    }
    expect_after(&mut monitor, WINDOW - Duration::from_secs(1), alpha.offline("no heartbeat for 12.5s"));
}

#[test]
fn an_overtaken_heartbeat_does_not_bring_a_stopped_unit_back() {
    let (mut monitor, mut alpha) = watched();
    let overtaken = alpha.beat();
    monitor.send(alpha.beat_as(Health::Offline));
    monitor.send(overtaken);
    assert_eq!(monitor.expect_event(), alpha.offline("stopped cleanly"));
    expect_malformed(&mut monitor);
    monitor.expect_silence();
}

#[test]
fn a_sender_that_knows_no_sessions_may_begin_its_sequence_again() {
    let (mut monitor, mut alpha) = (monitor(), Sender { session: None, ..Sender::new("alpha") });
    for sequence in [500, 0] {
        alpha.sequence = Some(sequence);
        monitor.send(alpha.beat());
    }
    assert_eq!(monitor.events(), [alpha.online(false)]);
    monitor.send(alpha.beat_as(Health::Offline));
    assert_eq!(monitor.events(), [alpha.offline("stopped cleanly")]);
}

#[test]
fn a_session_that_is_told_late_or_left_out_is_no_restart() {
    let mut alpha = Sender::new("alpha");
    let mut silent = Sender { session: None, ..alpha.clone() };
    let mut monitor = monitor();
    for beat in [silent.beat(), alpha.beat(), silent.beat(), alpha.beat()] {
        monitor.send(beat);
    }
    assert_eq!(monitor.events(), [silent.online(false)]);
}
