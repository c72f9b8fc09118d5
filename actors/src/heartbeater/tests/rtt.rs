//! The round trips that go with a heartbeat.

use nunect_core::protocol::header::{self, Value as Header};
use nunect_core::protocol::rtt::Rtt;
use nunect_core::{Event, SessionId};

use super::*;

/// What the prober of a session of this unit measured.
fn measured(session: u64, native_us: Option<u64>, app_us: Option<u64>) -> Message {
    let rtt = Rtt { unit: UNIT.parse().expect("legal"), native_us, app_us, peer: None, delays: None };
    rtt.build().with(&header::SESSION_ID, Header::text(SessionId::from_random(session).as_str()))
}

/// The round trips, native and app, of the next regular heartbeat.
fn next(harness: &mut Harness) -> (Option<u64>, Option<u64>) {
    harness.advance(INTERVAL);
    let beat = expect_beat(harness);
    (beat.rtt_native_us, beat.rtt_app_us)
}

#[test]
fn what_the_prober_of_this_session_measured_goes_with_the_next_heartbeat() {
    let mut harness = heartbeater(json!({}));
    assert_eq!(next(&mut harness), (None, None));
    harness.send(measured(1, Some(168), Some(438)));
    harness.send(measured(2, Some(1), Some(2)));
    assert_eq!(next(&mut harness), (Some(168), Some(438)));
    harness.send(measured(1, None, Some(500)));
    assert_eq!(next(&mut harness), (None, Some(500)));
    harness.send(measured(1, None, None));
    assert_eq!(next(&mut harness), (None, None));
}

#[test]
fn a_measurement_is_not_told_for_longer_than_ten_seconds_or_three_of_its_intervals() {
    let mut harness = heartbeater(json!({}));
    harness.send(measured(1, Some(168), None));
    for expected in [Some(168), Some(168), None] {
        assert_eq!(next(&mut harness), (expected, None));
    }
    harness.send(measured(1, Some(168), None));
    for expected in [Some(168); 9] {
        assert_eq!(next(&mut harness), (expected, None), "15 s lay between the last two");
    }
    assert_eq!(next(&mut harness), (None, None));
}

#[test]
fn a_measurement_that_is_none_is_counted() {
    let mut harness = heartbeater(json!({}));
    harness.send(measured(1, None, None).body("garbage"));
    assert!(matches!(harness.expect_event(), Event::Malformed { .. }));
    assert_eq!(next(&mut harness), (None, None));
}

#[test]
fn without_metrics_round_trips_are_not_even_read() {
    let config = HeartbeaterConfig { report_metrics: false, ..HeartbeaterConfig::default() };
    let actor = Heartbeater::new(config, &birth("heartbeater", Now::default())).expect("legal");
    let reads = Actor::contract(&actor).reads;
    assert_eq!(reads, [Subscription::from(Pattern::parse(format!("ops.heartbeat.{UNIT}")).expect("legal"))]);
}
