use std::time::Duration;

use nunect_core::testing::{Harness, birth};
use serde_json::json;

use super::*;

#[test]
fn a_spurt_is_frames_at_even_distances_and_then_silence() {
    let mut radio = Harness::new::<Talk>(json!({
        "group": "alpha", "talks": true, "listens": true, "frame": "20ms", "payload": 160,
        "spurt": { "fixed": "100ms" }, "silence": { "fixed": "1s" },
    }));
    radio.advance(Duration::from_millis(999));
    radio.expect_silence();
    radio.advance(Duration::from_millis(1));
    for _ in 0..5 {
        assert_eq!(radio.expect_publish("com.sim.radio.*.alpha.voice").payload().len(), 160);
        radio.expect_silence();
        radio.advance(Duration::from_millis(20));
    }
    // The last frame began at 80 ms of the spurt, and the silence with it.
    radio.advance(Duration::from_millis(979));
    radio.expect_silence();
    radio.advance(Duration::from_millis(1));
    radio.expect_publish("com.sim.radio.*.alpha.voice");
}

#[test]
fn a_group_that_is_no_token_is_refused() {
    let config = TelemetryConfig {
        group: "a.b".to_owned(),
        sends: true,
        receives: false,
        every: Delay::Fixed(Period::from_secs(1)),
        payload: 1,
    };
    let birth = birth("device", Now::default());
    assert_eq!(Telemetry::new(config, &birth).expect_err("no token").key, "group");
}
