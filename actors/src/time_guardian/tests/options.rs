use super::*;
use nunect_core::testing::{UNIT, birth};

#[test]
fn an_option_that_cannot_be_is_an_error_that_names_it() {
    for (config, expected) in [
        (json!({ "interval": "100ms" }), "interval: 100ms is outside 250ms to 1m"),
        (json!({ "holdover_max": "2days" }), "holdover_max: 2days is outside 1s to 1day"),
        (json!({ "ptp_master": "the big one" }), "ptp_master: `the big one` names no clock"),
        (json!({ "ptp_domain": 128 }), "ptp_domain: "),
        (json!({ "holdover_drift_ppm": 0.0 }), "holdover_drift_ppm: "),
        (json!({ "ntp_servers": vec!["a"; 17] }), "ntp_servers: "),
        (json!({ "mode": "best" }), "mode: "),
    ] {
        let error = config_error(&config);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn its_options_are_those_of_the_section_time() {
    let options = json!({
        "mode": "chrony", "ptp_master": "10.0.0.9", "ptp_domain": 3, "ntp_servers": ["pool.ntp.org"],
        "required": true, "holdover_max": "1m", "interval": "2s", "holdover_drift_ppm": 0.5,
    });
    drop(World::new(options));
}

#[test]
fn it_senses_the_daemons_as_often_as_configured_and_answers_for_its_own_unit() {
    let config = TimeGuardianConfig { interval: Period::from_secs(2), ..TimeGuardianConfig::default() };
    let guardian = TimeGuardian::new(config, &birth("time_guardian", Now::default())).expect("legal");
    let contract = Actor::contract(&guardian);
    let unit = UNIT.parse().expect("legal");
    assert_eq!(contract.reads, [Subscription::from(time::sync_pattern(&unit))]);
    assert_eq!(contract.publishes, [time::pattern_of(&unit), time::config_pattern()]);
    assert_eq!(contract.sensors, [Sensor::Bus, Sensor::Claim, Sensor::Clock { every: 2 * SECOND }]);
    assert_eq!(contract.mailbox.overflow, Overflow::DropNewest);
}
