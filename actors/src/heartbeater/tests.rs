use nunect_core::protocol::heartbeat::Received;
use nunect_core::testing::{Harness, UNIT, WALL_START, birth};
use nunect_core::{Catalog, Message, Wall};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod rtt;
mod twins;

const NANO: Duration = Duration::from_nanos(1);
const INTERVAL: Duration = heartbeat::INTERVAL_DEFAULT;

/// A heartbeater on a bus, after the heartbeat that says so.
fn heartbeater(config: Value) -> Harness {
    let mut harness = Harness::new::<Heartbeater>(config);
    expect_beat(&mut harness);
    harness
}

fn expect_beat(harness: &mut Harness) -> Heartbeat {
    read(&harness.expect_publish(&format!("ops.heartbeat.{UNIT}"))).heartbeat
}

fn read(message: &Message) -> Received {
    let received = Heartbeat::parse(message).expect("a heartbeat");
    assert_eq!(received.problems, []);
    received
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn bus(harness: &mut Harness, event: BusEvent) {
    harness.input(Input::Bus(&event));
}

fn health(harness: &mut Harness, health: Health) {
    harness.input(Input::Node(&NodeReport::Health(health)));
}

fn config_error(config: Value) -> String {
    let catalog = Catalog::new().with::<Heartbeater>();
    let entry = catalog.get("heartbeater").expect("it is in there");
    (entry.check)(&config).expect_err("an illegal configuration").to_string()
}

#[test]
fn the_interval_is_bounded_and_an_error_says_how() {
    assert_eq!(config_error(json!({ "interval": "50ms" })), "interval: 50ms is outside 100ms to 1m");
    assert_eq!(config_error(json!({ "interval": "61s" })), "interval: 1m 1s is outside 100ms to 1m");
    let unitless = config_error(json!({ "interval": 5 }));
    assert!(unitless.starts_with("interval: ") && unitless.contains("such as 5s or 250ms"), "{unitless}");
    for interval in ["100ms", "60s"] {
        drop(heartbeater(json!({ "interval": interval })));
    }
}

#[test]
fn without_metrics_it_says_how_the_unit_does_and_nothing_of_its_host() {
    let mut harness = Harness::new::<Heartbeater>(json!({ "report_metrics": false }));
    harness.advance(INTERVAL);
    for _ in 0..2 {
        let beat = expect_beat(&mut harness);
        assert_eq!((beat.cpu_percent, beat.memory_percent, beat.uptime_s), (None, None, None));
        assert_eq!(beat.status, Health::Ok);
    }
}

#[test]
fn it_publishes_one_subject_and_samples_the_host_as_often_as_it_beats_but_not_more_often_than_the_sensor_can() {
    for (interval, every) in [("100ms", HOST_SAMPLE_MIN), ("5s", seconds(5))] {
        let config =
            HeartbeaterConfig { interval: interval.parse().expect("a period"), ..HeartbeaterConfig::default() };
        let actor = Heartbeater::new(config, &birth("heartbeater", Now::default())).expect("legal");
        let contract = Actor::contract(&actor);
        assert_eq!(contract.publishes, [Pattern::parse(format!("ops.heartbeat.{UNIT}")).expect("legal")]);
        assert_eq!(contract.sensors, [Sensor::Bus, Sensor::Node, Sensor::Host { every }]);
        let reads = contract.reads.iter().map(|read| read.pattern.to_string());
        assert!(reads.eq([format!("ops.heartbeat.{UNIT}"), format!("ops.metric.rtt.{UNIT}")]));
    }
}

#[test]
fn the_first_heartbeat_goes_out_when_the_bus_is_there_and_knows_the_host_and_the_node_already() {
    let now = Now { mono: Mono::from_nanos(1), wall: WALL_START };
    let mut harness = Harness::unstarted::<Heartbeater>(json!({}), now, birth("heartbeater", now));
    harness.input(Input::Started);
    harness.host(HostReport { cpu_percent: None, memory_percent: Some(44.5) });
    health(&mut harness, Health::Degraded);
    harness.advance(seconds(60));
    harness.expect_silence();
    bus(&mut harness, BusEvent::Connected);
    let beat = expect_beat(&mut harness);
    assert_eq!((beat.status, beat.cpu_percent, beat.memory_percent), (Health::Degraded, None, Some(45)));
    harness.expect_silence();
}

#[test]
fn a_heartbeat_says_who_how_and_when_the_next_is_due() {
    let now = Now { mono: Mono::from_nanos(90_000_000_000), wall: WALL_START };
    let started = Now { mono: Mono::from_nanos(500_000_000), wall: Wall::from_unix_nanos(0) };
    let life = Birth { role: Role::Gateway, ..birth("heartbeater", started) };
    let mut harness = Harness::unstarted::<Heartbeater>(json!({ "interval": "250ms" }), now, life);
    harness.input(Input::Started);
    harness.host(HostReport { cpu_percent: Some(12.4), memory_percent: Some(99.6) });
    bus(&mut harness, BusEvent::Connected);
    let message = harness.expect_publish(&format!("ops.heartbeat.{UNIT}"));
    assert_eq!(message.payload(), format!(r#"{{"status":"OK","sequence":1,"ts":{}}}"#, now.wall.unix_millis()));
    let expected = Heartbeat {
        role: Role::Gateway,
        interval: Duration::from_millis(250),
        uptime_s: Some(89),
        cpu_percent: Some(12),
        memory_percent: Some(100),
        ..Heartbeat::new(UNIT.parse().expect("legal"))
    };
    assert_eq!(read(&message).heartbeat, expected);
}

#[test]
fn a_reading_that_is_no_percentage_is_left_out_or_bounded() {
    let mut harness = heartbeater(json!({}));
    for (cpu, read) in [(f32::NAN, None), (f32::INFINITY, None), (-0.1, Some(0)), (100.7, Some(100)), (0.5, Some(1))] {
        harness.host(HostReport { cpu_percent: Some(cpu), memory_percent: None });
        harness.advance(INTERVAL);
        assert_eq!(expect_beat(&mut harness).cpu_percent, read, "{cpu}");
    }
}

#[test]
fn it_beats_every_interval_to_the_nanosecond() {
    let mut harness = heartbeater(json!({}));
    for _ in 0..3 {
        harness.advance(INTERVAL - NANO);
        harness.expect_silence();
        harness.advance(NANO);
        expect_beat(&mut harness);
        harness.expect_silence();
    }
}

#[test]
fn a_late_wake_up_does_not_move_the_following_heartbeats() {
    let mut harness = heartbeater(json!({}));
    harness.stand_still(INTERVAL + Duration::from_millis(300));
    harness.advance(Duration::ZERO);
    expect_beat(&mut harness);
    harness.advance(INTERVAL - Duration::from_millis(300) - NANO);
    harness.expect_silence();
    harness.advance(NANO);
    expect_beat(&mut harness);
}

#[test]
fn heartbeats_missed_while_the_host_stood_still_are_not_made_up_for() {
    let mut harness = heartbeater(json!({}));
    harness.stand_still(seconds(17));
    harness.advance(Duration::ZERO);
    expect_beat(&mut harness);
    harness.expect_silence();
    harness.advance(seconds(3) - NANO);
    harness.expect_silence();
    harness.advance(NANO);
    expect_beat(&mut harness);
    harness.expect_silence();
}

#[test]
fn it_is_silent_while_the_bus_is_away_and_beats_at_once_when_it_is_back() {
    let mut harness = heartbeater(json!({}));
    harness.advance(seconds(3));
    bus(&mut harness, BusEvent::Disconnected);
    health(&mut harness, Health::Degraded);
    harness.advance(seconds(31));
    harness.expect_silence();
    health(&mut harness, Health::Ok);
    bus(&mut harness, BusEvent::Connected);
    assert_eq!(expect_beat(&mut harness).status, Health::Ok);
    harness.advance(INTERVAL - NANO);
    harness.expect_silence();
    harness.advance(NANO);
    expect_beat(&mut harness);
}

#[test]
fn a_change_of_health_goes_out_at_once_and_leaves_the_rhythm_alone() {
    let mut harness = heartbeater(json!({}));
    harness.advance(seconds(2));
    health(&mut harness, Health::Degraded);
    assert_eq!(expect_beat(&mut harness).status, Health::Degraded);
    health(&mut harness, Health::Degraded);
    harness.advance(seconds(3) - NANO);
    harness.expect_silence();
    harness.advance(NANO);
    assert_eq!(expect_beat(&mut harness).status, Health::Degraded);
}

#[test]
fn a_second_change_within_a_second_waits_until_the_second_is_over() {
    let mut harness = heartbeater(json!({}));
    health(&mut harness, Health::Degraded);
    expect_beat(&mut harness);
    harness.advance(Duration::from_millis(10));
    health(&mut harness, Health::Ok);
    assert_eq!(harness.deadline().expect("a deadline").why, "health changed");
    harness.advance(EXTRA_DISTANCE_MIN - Duration::from_millis(10) - NANO);
    harness.expect_silence();
    harness.advance(NANO);
    assert_eq!(expect_beat(&mut harness).status, Health::Ok);
    harness.expect_silence();
}

#[test]
fn a_change_that_is_over_before_it_could_be_told_is_not_told() {
    let mut harness = heartbeater(json!({}));
    health(&mut harness, Health::Degraded);
    expect_beat(&mut harness);
    health(&mut harness, Health::Ok);
    health(&mut harness, Health::Degraded);
    harness.advance(INTERVAL - NANO);
    harness.expect_silence();
}

#[test]
fn the_regular_heartbeat_tells_a_change_that_waits() {
    let mut harness = heartbeater(json!({ "interval": "100ms" }));
    health(&mut harness, Health::Degraded);
    expect_beat(&mut harness);
    health(&mut harness, Health::Ok);
    harness.advance(Duration::from_millis(100));
    assert_eq!(expect_beat(&mut harness).status, Health::Ok);
    harness.expect_silence();
}

#[test]
fn the_end_of_the_unit_is_told_and_is_the_last_heartbeat() {
    let mut harness = heartbeater(json!({}));
    harness.stop(StopReason::NodeShutdown);
    assert_eq!(expect_beat(&mut harness).status, Health::Offline);
    harness.advance(seconds(60));
    harness.expect_silence();
}

#[test]
fn the_end_of_a_life_or_of_a_unit_that_nobody_can_hear_is_not_told() {
    for reason in [StopReason::Restart, StopReason::Command] {
        let mut harness = heartbeater(json!({}));
        harness.stop(reason);
        harness.expect_silence();
    }
    let mut harness = heartbeater(json!({}));
    bus(&mut harness, BusEvent::Disconnected);
    harness.stop(StopReason::NodeShutdown);
    harness.expect_silence();
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    StandStill(u64),
    Bus(bool),
    Health(Health),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_000u64).prop_map(Step::Pass),
        1 => (0..3_000u64).prop_map(Step::StandStill),
        1 => any::<bool>().prop_map(Step::Bus),
        3 => prop::sample::select(vec![Health::Ok, Health::Degraded, Health::Critical]).prop_map(Step::Health),
    ]
}

proptest! {
    /// Whatever happens: nothing while the bus is away, no change untold for longer than a second,
    /// no silence longer than the interval, and no more heartbeats than the rules give.
    #[test]
    fn heartbeats_keep_to_the_rules(millis in 100..2_000u64, steps in prop::collection::vec(step(), 0..40)) {
        let interval = Duration::from_millis(millis);
        let mut harness = heartbeater(json!({ "interval": format!("{millis}ms") }));
        let (mut connected, mut status) = (true, Health::Ok);
        let (mut last, mut told, mut connects, mut count) = (harness.now().mono, Health::Ok, 1u64, 1u64);
        let started = harness.now().mono;
        for step in steps {
            match step {
                Step::Pass(millis) => harness.advance(Duration::from_millis(millis)),
                Step::StandStill(millis) => {
                    harness.stand_still(Duration::from_millis(millis));
                    harness.advance(Duration::ZERO);
                }
                Step::Bus(true) => {
                    bus(&mut harness, BusEvent::Connected);
                    (connected, connects) = (true, connects + 1);
                }
                Step::Bus(false) => {
                    bus(&mut harness, BusEvent::Disconnected);
                    connected = false;
                }
                Step::Health(to) => {
                    health(&mut harness, to);
                    status = to;
                }
            }
            let now = harness.now();
            for message in harness.published() {
                prop_assert!(connected);
                let tx = message.headers.stamp().expect("stamped").tx;
                last = now.mono - Duration::from_nanos(now.wall.unix_nanos() - tx.unix_nanos());
                told = read(&message).heartbeat.status;
                count += 1;
            }
            let silence = now.mono.since(last);
            prop_assert!(!connected || silence < interval, "silent for {silence:?}");
            prop_assert!(!connected || told == status || silence < EXTRA_DISTANCE_MIN);
            let passed = now.mono.since(started);
            let regular = passed.as_millis() as u64 / millis + connects;
            let extra = passed.as_secs() + 1;
            prop_assert!(count <= regular + extra, "{count} heartbeats in {passed:?}");
        }
    }
}
