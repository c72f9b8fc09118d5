//! Each actor of a node is harmed in turn: it is back at once, and no other notices.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::client::Listener;
use crate::harm::{self, ACTORS, ear, restarts, tool};
use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::unit::Unit;
use crate::{BACK, PATIENCE};

/// Harms each of `actors` through the command line and then does `more`, and sees what becomes of them.
fn suffers(what: &str, actors: &[&str], more: impl FnOnce(&str, &mut Unit, &mut BTreeMap<String, u64>)) {
    let server = NatsServer::start();
    let url = server.url();
    let mut witness = harm::witness(&url);
    let mut unit = harm::start(&url, "harmed");
    let online = witness.expect_about("harmed", "unit_online", PATIENCE);
    let mut expected: BTreeMap<String, u64> = ACTORS.map(|actor| (actor.to_owned(), 0)).into();

    for actor in actors {
        let told = tool(&url, &["chaos", what, &format!("harmed/{actor}")]);
        assert_eq!(told.code, Some(0), "{told:?}");
        assert_eq!(told.stdout, format!("done: {what} of harmed/{actor}\n"));
        let suffered = unit.expect(&format!("{actor} chaos_injected"), PATIENCE);
        let ended = if what == "stop" { "actor_stopped" } else { "actor_crashed" };
        unit.expect(&format!("{actor} {ended}"), BACK);
        let back = unit.expect(&format!("{actor} actor_started"), BACK);
        let took = back.at.duration_since(suffered.at);
        assert!(took < BACK, "{actor} is back after {took:?}");
        *expected.get_mut(*actor).expect("known") += 1;
        assert_eq!(restarts(&url, "harmed"), expected, "after the {what} of {actor}");
    }
    more(&url, &mut unit, &mut expected);
    assert_eq!(restarts(&url, "harmed"), expected);

    // Whoever looks from outside has seen nothing of it.
    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let offline = witness.expect_about("harmed", "unit_offline", PATIENCE);
    assert_eq!(offline.text("/fields/reason"), "stopped cleanly");
    let ended = witness.stop("TERM");
    let again = ended.said.iter().filter(|said| said.text("/fields/unit") == "harmed").count();
    assert_eq!(again, 0, "after {}: {:?}", online.json, ended.said);
}

fn nothing_more(_: &str, _: &mut Unit, _: &mut BTreeMap<String, u64>) {}

// Five within 30 s are what a supervisor copes with, so two nodes share them.

#[test]
fn the_first_five_actors_panic_in_turn_and_are_back_at_once() {
    suffers("panic", &ACTORS[..5], nothing_more);
}

#[test]
fn the_other_actors_panic_in_turn_and_are_back_at_once_also_when_a_message_is_to_blame() {
    suffers("panic", &ACTORS[5..], |url, unit, expected| {
        let mut sender = Raw::on(url);
        for (poison, reason) in [("fault", "told to fault (on message)"), ("panic", "told to panic (on message)")] {
            let told = Instant::now();
            sender.tell(&ear("harmed"), poison);
            sender.tell(&ear("harmed"), "after");
            // Once, and a second time to be sure that it was the message.
            for _ in 0..2 {
                let crashed = unit.expect("brittle actor_crashed", BACK);
                // A panic also names its place.
                assert!(crashed.text("/fields/reason").ends_with(reason), "{crashed:?}");
                assert_eq!(crashed.json.pointer("/fields/on_message"), Some(&true.into()));
                unit.expect("brittle actor_started", BACK);
            }
            let counted = unit.expect("brittle counted", BACK);
            let took = counted.at.duration_since(told);
            assert!(took < BACK, "the next message is handled after {took:?}");
            *expected.get_mut("brittle").expect("known") += 2;
        }
    });
}

#[test]
fn the_first_five_actors_stop_in_turn_and_are_back_at_once() {
    suffers("stop", &ACTORS[..5], nothing_more);
}

#[test]
fn the_other_actors_stop_in_turn_and_are_back_at_once() {
    suffers("stop", &ACTORS[5..], nothing_more);
}

#[test]
fn harm_that_is_not_allowed_or_has_no_aim_is_refused_and_logged() {
    let server = NatsServer::start();
    let url = server.url();
    let logs = Listener::on(&url, "ops.log.WARN.*");
    for (id, more, aim, code, words) in [
        ("closed", "", "echo", 403, "chaos is not allowed on this node"),
        ("open", "chaos: { enabled: true }", "nobody", 404, "no actor is called `nobody` here"),
    ] {
        let mut unit = harm::start_with(&url, id, more);
        let told = tool(&url, &["chaos", "panic", &format!("{id}/{aim}")]);
        assert_eq!(told.code, Some(1), "{told:?}");
        assert!(told.stderr.contains(&format!("{id} refuses CHAOS with code {code}: {words}")), "{told:?}");
        let refused = unit.expect("commands command_refused", PATIENCE);
        assert_eq!(refused.text("/fields/command"), "CHAOS");
        assert!(refused.text("/fields/reason").starts_with(words), "{refused:?}");
        logs.until(PATIENCE, |log| {
            log.subject == format!("ops.log.WARN.{id}")
                && log.payload().contains("command_refused")
                && log.payload().contains(words)
        });
        let ended = unit.stop("TERM");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.said.iter().all(|said| !said.what().ends_with("actor_crashed")), "{ended:?}");
    }
}
