//! Two units on one server: each sees the other come and go.

use std::time::Duration;

use crate::client::Listener;
use crate::nats::NatsServer;
use crate::unit::{Unit, config};
use crate::{PATIENCE, SOON};

const INTERVAL_MS: i64 = 400;
/// 2.5 announced intervals.
const OFFLINE_AFTER_MS: i64 = INTERVAL_MS * 5 / 2;

#[test]
fn a_killed_unit_is_offline_after_two_and_a_half_intervals_and_comes_back_in_a_new_session() {
    let server = NatsServer::start();
    let url = server.url();
    let listener = Listener::on(&url, "ops.heartbeat.victim");
    let file = config(&format!("health: {{ heartbeat_interval: {INTERVAL_MS}ms }}\n")).display().to_string();
    let mut witness = Unit::on(&url, "witness", &[]);
    witness.expect_about("witness", "unit_online", PATIENCE);

    let mut victim = Unit::on(&url, "victim", &["-c", &file]);
    let online = witness.expect_about("victim", "unit_online", PATIENCE);
    assert_eq!(online.json.pointer("/fields/restarted"), Some(&false.into()));
    let took = online.at.duration_since(victim.started());
    assert!(took < SOON, "seen by the other after {took:?}");
    // The witness beats every 5 s, and was online before: the victim hears its next heartbeat.
    victim.expect_about("witness", "unit_online", PATIENCE);

    victim.kill();
    let offline = witness.expect_about("victim", "unit_offline", PATIENCE);
    assert_eq!(offline.text("/fields/reason"), "no heartbeat for 1s");
    let last = listener.waiting().pop().expect("the victim was heard");
    // All on the wall clock of one machine; a timestamp is cut off to milliseconds.
    let silence = offline.unix_ms() - i64::try_from(last.number("X-TX-Timestamp") / 1_000_000).expect("this century");
    let expected = OFFLINE_AFTER_MS - 1..=OFFLINE_AFTER_MS * 3;
    assert!(expected.contains(&silence), "OFFLINE {silence} ms after the last heartbeat");

    let _victim = Unit::on(&url, "victim", &["-c", &file]);
    let back = witness.expect_about("victim", "unit_online", PATIENCE);
    assert_eq!(back.json.pointer("/fields/restarted"), Some(&true.into()));
    assert_ne!(back.text("/fields/session"), online.text("/fields/session"));

    // Nothing else happened meanwhile.
    std::thread::sleep(Duration::from_millis(200));
    let rest: Vec<String> = witness.unexpected().iter().map(|said| said.json.to_string()).collect();
    assert_eq!(rest, [""; 0]);
}

#[test]
fn a_unit_that_stops_is_offline_at_once() {
    let server = NatsServer::start();
    let mut witness = Unit::on(&server.url(), "witness", &[]);
    witness.expect_about("witness", "unit_online", PATIENCE);
    let mut leaver = Unit::on(&server.url(), "leaver", &[]);
    leaver.expect_about("leaver", "unit_online", PATIENCE);
    witness.expect_about("leaver", "unit_online", PATIENCE);
    let ended = leaver.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // By silence it would take 12.5 s.
    let offline = witness.expect_about("leaver", "unit_offline", Duration::from_secs(5));
    assert_eq!(offline.text("/fields/reason"), "stopped cleanly");
}
