//! `ops.metric.time`, `ops.time.config` and `ops.time.sync`.

use nunect_core::protocol::time::TimeConfig;
use nunect_core::testing::UNIT;

use super::*;

fn metrics(world: &mut World) -> Vec<Received> {
    let published = world.harness.published();
    let metrics = published.iter().filter(|message| message.subject.as_str() == format!("ops.metric.time.{UNIT}"));
    metrics.map(|message| TimeStatus::parse(message).expect("a metric")).collect()
}

fn configs(world: &mut World) -> usize {
    world.harness.published().iter().filter(|message| message.subject == time::config_subject()).count()
}

/// A guardian and a chronyd that was polled, once a second, for so long.
fn synced(seconds: u32) -> World {
    let mut world = World::auto();
    for _ in 0..seconds {
        world.ntp(world.chrony(0));
        world.pass(SECOND);
    }
    world
}

#[test]
fn it_tells_of_the_clock_every_five_seconds_where_there_is_a_daemon() {
    let mut world = synced(10);
    drop(metrics(&mut world));
    for _ in 0..60 {
        world.ntp(world.chrony(0));
        world.pass(SECOND);
    }
    let sequences: Vec<_> = metrics(&mut world).iter().filter_map(|metric| metric.sequence).collect();
    assert_eq!(sequences.len(), 12);
}

#[test]
fn where_there_is_none_it_tells_every_minute() {
    let mut world = World::auto();
    for daemon in [TimeDaemon::Ptp4l, TimeDaemon::Gpsd, TimeDaemon::Chronyd] {
        world.unread(daemon, Obstacle::Absent);
    }
    assert_eq!(metrics(&mut world).len(), 1, "at the start");
    world.pass(600 * SECOND);
    let told = metrics(&mut world);
    assert_eq!(told.len(), 10);
    assert_eq!(told[0].status, TimeStatus::default());
}

#[test]
fn a_change_is_told_at_once_and_once_an_interval_at_most() {
    let mut world = synced(8);
    drop(metrics(&mut world));
    world.pass(Duration::from_millis(100));
    for offset_ns in [5_000_000, 0, 5_000_000, 0] {
        world.ntp(world.chrony(offset_ns));
    }
    let told: Vec<_> = metrics(&mut world).iter().map(|metric| metric.status.clock_quality).collect();
    assert_eq!(told, [Tracking]);
    world.pass(SECOND);
    let told: Vec<_> = metrics(&mut world).iter().map(|metric| metric.status.clock_quality).collect();
    assert_eq!(told, [Locked]);
}

#[test]
fn the_state_of_the_port_its_grandmaster_and_the_ntp_server_are_news_even_beside_the_active_source() {
    let mut world = synced(8);
    let mut is_news = |hear: fn(&mut World)| {
        world.pass(Duration::from_millis(1_500));
        world.ntp(world.chrony(0));
        drop(metrics(&mut world));
        hear(&mut world);
        !metrics(&mut world).is_empty()
    };
    assert!(is_news(|world| world.ptp(PtpStatus { port: PtpState::Listening, ..world.slave(0) })));
    assert!(!is_news(|world| world.ptp(PtpStatus { port: PtpState::Listening, ..world.slave(0) })));
    assert!(is_news(|world| world.ptp(PtpStatus { port: PtpState::Faulty, ..world.slave(0) })));
    assert!(is_news(|world| {
        world.ptp(PtpStatus { grandmaster: ClockIdentity([1; 8]), port: PtpState::Faulty, ..world.slave(0) });
    }));
    assert!(is_news(|world| world.ntp(NtpStatus { server: Some("10.0.0.2".into()), ..world.chrony(0) })));
}

#[test]
fn nothing_is_told_while_the_bus_is_away_and_all_at_once_when_it_is_back() {
    let mut world = synced(8);
    world.harness.input(Input::Bus(&BusEvent::Disconnected));
    drop(world.harness.published());
    world.pass(200 * SECOND);
    assert_eq!(world.harness.published().len(), 0);
    world.harness.input(Input::Bus(&BusEvent::Connected));
    let subjects: Vec<_> = world.harness.published().iter().map(|message| message.subject.to_string()).collect();
    assert_eq!(subjects, ["ops.time.config".to_owned(), format!("ops.metric.time.{UNIT}")]);
}

#[test]
fn clients_are_told_what_to_go_by_at_the_start_and_every_minute() {
    let mut world =
        World::new(json!({ "mode": "ptp", "ntp_servers": ["a", "b"], "ptp_master": "10.0.0.9", "ptp_domain": 4 }));
    let config = world.harness.expect_publish("ops.time.config");
    let expected = TimeConfig {
        mode: "ptp".to_owned(),
        ntp_servers: vec!["a".to_owned(), "b".to_owned()],
        ptp_master: Some("10.0.0.9".to_owned()),
        ptp_domain: 4,
    };
    assert_eq!(TimeConfig::parse(&config), Ok(expected));
    drop(world.harness.published());
    world.pass(600 * SECOND);
    assert_eq!(configs(&mut world), 10);
}

#[test]
fn the_metric_as_it_goes_over_the_wire() {
    let mut world = World::auto();
    world.unread(TimeDaemon::Gpsd, Obstacle::Absent);
    world.ptp(world.slave(-250));
    for _ in 0..4 {
        world.pass(SECOND);
        world.ntp(world.chrony(1_500_000));
        world.ptp(PtpStatus { port: PtpState::Listening, ..world.slave(9) });
    }
    drop(world.harness.published());
    world.pass(SECOND);
    let message = world.harness.expect_publish("ops.metric.time.*");
    let json: Value = serde_json::from_slice(&message.payload()).expect("JSON");
    let (started, second) = (1_707_782_400_000_u64, 1_000);
    assert_eq!(
        json,
        json!({
            "ts": started + 5 * second,
            "unit_id": UNIT,
            "seq": 5,
            "ptp_enabled": true,
            "ptp_master": null,
            "ptp_offset_ns": null,
            "ntp_enabled": true,
            "ntp_offset_ms": 1.5,
            "active_source": "ntp",
            "clock_quality": "tracking",
            "ptp_path_delay_ns": null,
            "ptp_state": "LISTENING",
            "ntp_server": "10.0.0.1",
            "ntp_stratum": 2,
            "sync_log": [
                { "ts": started, "offset_ms": -0.00025, "source": "ptp", "quality": "locked" },
                { "ts": started + second, "offset_ms": 1.5, "source": "ntp", "quality": "tracking" },
            ],
            "clock_offset_ns": 1_500_000,
            "uncertainty_ns": 3_500_600,
            "holdover_ms": null,
            "sources": [
            {
                "daemon": "chronyd", "source": "ntp", "active": true, "quality": "tracking",
                "offset_ns": 1_500_000, "uncertainty_ns": 3_500_600, "follows": "10.0.0.1", "age_ms": 1_000,
                "note": null,
            },
            {
                "daemon": "ptp4l", "source": "ptp", "active": false, "quality": null, "offset_ns": null,
                "uncertainty_ns": null, "follows": null, "age_ms": null, "note": "port is LISTENING",
            },
        ],
        })
    );
}

#[test]
fn a_question_for_the_time_is_answered_with_all_that_is_known() {
    let mut world = World::auto();
    world.ptp(world.slave(-250));
    let status = world.asked();
    assert_eq!((status.active_source, status.clock_quality), (ClockSource::Ptp, Locked));
    assert_eq!((status.ptp_offset_ns, status.ptp_path_delay_ns), (Some(-250), Some(800)));
    assert_eq!(status.ptp_master.as_deref(), Some("001122.fffe.334455"));
    let row = &status.sources[0];
    assert_eq!((row.active, row.offset_ns, row.follows.clone()), (true, Some(-250), status.ptp_master.clone()));
}

#[test]
fn a_question_that_names_no_reply_is_counted_and_not_answered() {
    let mut world = World::auto();
    drop(world.harness.published());
    world.harness.send(Message::new(time::sync_subject(&UNIT.parse().expect("legal"))));
    let Event::Malformed { reason, .. } = world.harness.expect_event() else { panic!("another event") };
    assert_eq!(reason, "a question for the time without a reply subject");
    world.harness.expect_silence();
}

#[test]
fn the_active_source_comes_first_and_who_is_not_there_only_if_the_mode_names_it() {
    let mut world = World::auto();
    world.unread(TimeDaemon::Ptp4l, Obstacle::Denied);
    world.unread(TimeDaemon::Gpsd, Obstacle::Absent);
    world.ntp(world.chrony(0));
    let daemons: Vec<_> = world.asked().sources.iter().map(|row| row.daemon).collect();
    assert_eq!(daemons, [TimeDaemon::Chronyd, TimeDaemon::Ptp4l]);
    let mut world = World::new(json!({ "mode": "gps" }));
    world.unread(TimeDaemon::Gpsd, Obstacle::Absent);
    assert_eq!(world.note(TimeDaemon::Gpsd), "no gpsd here");
}

#[test]
fn the_log_keeps_the_last_three_changes() {
    let mut world = World::auto();
    for offset_ns in [0, 5_000_000, 0, 50_000_000] {
        world.ntp(world.chrony(offset_ns));
    }
    let qualities: Vec<_> = world.asked().sync_log.iter().map(|event| event.quality).collect();
    assert_eq!(qualities, [Tracking, Locked, Acquiring]);
}
