//! Messages that an actor crashes on, and crashes that no message is to blame for.

use crate::client::Listener;
use crate::harm::{self, ACTORS, INTERVAL_MS, ear, restarts, tool, tree};
use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::{BACK, PATIENCE};

/// Messages of one sender.
const POISON: u64 = 1_000;
/// Crashes on messages that a mailbox may cause in a minute (protocol, section 6), two each.
const BUDGET: u64 = 10;

#[test]
fn a_thousand_poison_messages_pause_one_mailbox_and_nothing_else() {
    let server = NatsServer::start();
    let url = server.url();
    let letters = Listener::on(&url, "ops.dead.*.*");
    let heartbeats = Listener::on(&url, "ops.heartbeat.poisoned");
    let mut unit = harm::start(&url, "poisoned");

    let mut sender = Raw::on(&url);
    for number in 0..POISON {
        let poison: &[u8] = if number % 2 == 0 { b"panic" } else { b"fault" };
        sender.publish(
            &ear("poisoned"),
            "",
            format!("X-Unit-ID: mallory\r\nX-Sequence: {number}\r\n").as_bytes(),
            poison,
        );
    }
    sender.flush();
    for _ in 0..BUDGET / 2 {
        let quarantined = unit.expect("brittle quarantined", PATIENCE);
        assert_eq!(quarantined.text("/fields/subject"), ear("poisoned"));
    }
    let mut pause_s = 1;
    // The first beyond the budget, and one after the first pause.
    for _ in 0..2 {
        let paused = unit.expect("brittle mailbox_paused", PATIENCE);
        assert!(
            paused.json.pointer("/fields/crashes").and_then(serde_json::Value::as_u64) > Some(BUDGET),
            "{paused:?}"
        );
        assert_eq!(paused.json.pointer("/fields/pause/secs"), Some(&pause_s.into()));
        let degraded = unit.expect_health("DEGRADED", PATIENCE);
        assert_eq!(degraded.json.pointer("/fields/causes/0"), Some(&"mailbox of brittle paused".into()));
        pause_s *= 2;
    }

    // While it holds back everything else goes on.
    for number in 0..BUDGET / 2 {
        let letter = letters.next(PATIENCE);
        assert_eq!(letter.subject, "ops.dead.poisoned.brittle");
        assert_eq!(letter.header("X-Original-Subject"), ear("poisoned"));
        let reason = if number % 2 == 0 { "told to panic (on message)" } else { "told to fault (on message)" };
        assert!(letter.header("X-Reason").ends_with(reason), "{letter:?}");
        assert_eq!((letter.header("X-Unit-ID"), letter.number("X-Sequence")), ("mallory", number));
    }
    heartbeats.until(PATIENCE, |heartbeat| heartbeat.header("X-Health-Status") == "DEGRADED");
    let mut last = heartbeats.next(PATIENCE);
    for _ in 0..5 {
        let next = heartbeats.next(PATIENCE);
        let distance = next.at.duration_since(last.at).as_millis();
        assert!(distance < u128::from(INTERVAL_MS) * 3, "{distance} ms between heartbeats");
        assert_eq!(next.number("X-Sequence"), last.number("X-Sequence") + 1);
        last = next;
    }
    let told = tool(&url, &["req", "ops.echo.poisoned", "still there?"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains("still there?"), "{told:?}");
    let report = tree(&url, "poisoned");
    let brittle = report["children"].as_array().and_then(|children| children.last()).expect("children");
    let [depth, poisoned, dropped] =
        ["depth", "poisoned", "dropped"].map(|name| brittle["mailbox"][name].as_u64().expect("a number"));
    assert_eq!((depth + poisoned, dropped), (POISON, 0), "{brittle}");
    assert!((BUDGET / 2..BUDGET).contains(&poisoned), "{brittle}");
    let restarts = restarts(&url, "poisoned");
    assert!(ACTORS.iter().all(|actor| *actor == "brittle" || restarts[*actor] == 0), "{restarts:?}");

    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.said.iter().all(|said| !said.what().ends_with("escalated")), "{ended:?}");
}

#[test]
fn crashes_beyond_the_intensity_end_the_node_with_70() {
    let server = NatsServer::start();
    let url = server.url();
    let mut witness = harm::witness(&url);
    let mut unit = harm::start(&url, "giving-up");
    witness.expect_about("giving-up", "unit_online", PATIENCE);
    let mut sender = Raw::on(&url);
    for crash in 1..=6 {
        sender.tell(&ear("giving-up"), "crash later");
        let crashed = unit.expect("brittle actor_crashed", PATIENCE);
        assert_eq!(crashed.json.pointer("/fields/on_message"), Some(&false.into()));
        if crash <= 5 {
            unit.expect("brittle actor_started", PATIENCE);
        }
    }
    let gave_up = unit.expect("brittle escalated", PATIENCE);
    assert_eq!(gave_up.json.pointer("/fields/crashes"), Some(&6.into()));
    let ended = unit.end(BACK);
    assert_eq!(ended.code, Some(70), "{ended:?}");
    let words = "gave up after 6 crashes of its actors within 30s, the last of brittle: told to crash later";
    assert!(ended.complaints.contains(words), "{ended:?}");
    let offline = witness.expect_about("giving-up", "unit_offline", PATIENCE);
    assert_eq!(offline.text("/fields/reason"), "stopped cleanly");
}
