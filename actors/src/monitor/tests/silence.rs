//! When a unit counts as OFFLINE because nothing is heard of it, and when we are the deaf ones.

use super::*;

#[test]
fn a_unit_is_offline_2_5_intervals_after_its_last_heartbeat_and_not_a_nanosecond_earlier() {
    let (mut monitor, alpha) = watched();
    expect_after(&mut monitor, WINDOW, alpha.offline("no heartbeat for 12.5s"));
    monitor.advance(WINDOW * 10);
    monitor.expect_silence();
}

#[test]
fn every_heartbeat_begins_the_silence_anew() {
    let (mut monitor, mut alpha) = watched();
    for step in [1, 5_000, 12_499, 12_499] {
        monitor.advance(Duration::from_millis(step));
        monitor.send(alpha.beat());
    }
    expect_after(&mut monitor, WINDOW, alpha.offline("no heartbeat for 12.5s"));
}

#[test]
fn the_interval_that_counts_is_the_one_announced_last() {
    let (mut monitor, mut alpha) = watched();
    alpha.heartbeat.interval = Duration::from_millis(100);
    monitor.send(alpha.beat());
    expect_after(&mut monitor, Duration::from_millis(250), alpha.offline("no heartbeat for 250ms"));
    monitor.send(alpha.beat());
    assert_eq!(monitor.events(), [alpha.online(false)]);
    alpha.heartbeat.interval = Duration::from_secs(60);
    monitor.send(alpha.beat());
    expect_after(&mut monitor, Duration::from_secs(150), alpha.offline("no heartbeat for 150s"));
}

#[test]
fn silence_is_counted_from_when_the_heartbeat_reached_the_node_not_from_when_it_was_read() {
    let (mut monitor, mut alpha) = watched();
    monitor.advance(Duration::from_secs(5));
    let mut beat = alpha.beat();
    beat.received = monitor.now();
    monitor.advance(Duration::from_secs(2));
    monitor.input(Input::Message(&beat));
    expect_after(&mut monitor, WINDOW - Duration::from_secs(2), alpha.offline("no heartbeat for 12.5s"));
}

#[test]
fn units_fall_silent_each_in_their_own_time() {
    let (mut monitor, mut alpha) = watched();
    let mut beta = Sender::new("beta");
    monitor.advance(Duration::from_secs(1));
    monitor.send(beta.beat());
    monitor.advance(Duration::from_secs(1));
    monitor.send(alpha.beat());
    assert_eq!(monitor.events(), [beta.online(false)]);
    expect_after(&mut monitor, WINDOW - Duration::from_secs(1), beta.offline("no heartbeat for 12.5s"));
    expect_after(&mut monitor, Duration::from_secs(1), alpha.offline("no heartbeat for 12.5s"));
}

#[test]
fn a_unit_that_is_heard_again_is_online_again() {
    let (mut monitor, mut alpha) = watched();
    monitor.send(alpha.beat_as(Health::Critical));
    monitor.advance(WINDOW);
    monitor.events();
    monitor.send(alpha.beat_as(Health::Ok));
    assert_eq!(monitor.events(), [alpha.online(false)]);
    expect_after(&mut monitor, WINDOW, alpha.offline("no heartbeat for 12.5s"));
}

#[test]
fn while_the_bus_is_away_nobody_falls_silent() {
    let (mut monitor, _) = watched();
    bus(&mut monitor, BusEvent::Disconnected);
    assert_eq!(monitor.deadline(), None);
    monitor.advance(WINDOW * 100);
    monitor.expect_silence();
}

#[test]
fn when_the_bus_is_back_every_unit_has_the_full_time_to_be_heard() {
    let (mut monitor, mut alpha) = watched();
    let mut beta = Sender::new("beta");
    beta.heartbeat.interval = Duration::from_secs(10);
    monitor.send(beta.beat());
    monitor.advance(WINDOW - NANO);
    bus(&mut monitor, BusEvent::Disconnected);
    monitor.advance(Duration::from_secs(60));
    assert_eq!(monitor.events(), [beta.online(false)]);
    bus(&mut monitor, BusEvent::Connected);
    expect_after(&mut monitor, WINDOW, alpha.offline("no heartbeat for 12.5s"));
    expect_after(&mut monitor, WINDOW, beta.offline("no heartbeat for 25s"));
    monitor.send(alpha.beat());
    assert_eq!(monitor.events(), [alpha.online(false)]);
}

#[test]
fn a_clean_stop_that_waited_in_the_mailbox_counts_while_the_bus_is_away() {
    let (mut monitor, mut alpha) = watched();
    bus(&mut monitor, BusEvent::Disconnected);
    monitor.send(alpha.beat_as(Health::Offline));
    assert_eq!(monitor.events(), [alpha.offline("stopped cleanly")]);
}

#[test]
fn a_monitor_that_stood_still_was_deaf_too() {
    let (mut monitor, alpha) = watched();
    monitor.stand_still(WINDOW + STOOD_STILL + NANO);
    monitor.advance(Duration::ZERO);
    monitor.expect_silence();
    expect_after(&mut monitor, WINDOW, alpha.offline("no heartbeat for 12.5s"));
}

#[test]
fn a_timeout_that_is_only_a_little_late_still_counts() {
    let (mut monitor, alpha) = watched();
    monitor.stand_still(WINDOW + STOOD_STILL);
    monitor.advance(Duration::ZERO);
    assert_eq!(monitor.events(), [alpha.offline("no heartbeat for 12.5s")]);
}
