//! The simulator hosts actors as the contract says: lives, mailboxes, requests, poison, health.

use nunect_core::{Event, Health, Period};
use nunect_simulations::{Delay, StartError};
use serde_json::json;

use crate::support::{actor, first, millis, node, puppet, secs, send, told, unit, words, world, world_with};

#[test]
fn a_node_starts_its_actors_and_they_take_messages() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    send(&mut world, "to.a", "hello");
    world.run_for(secs(1));
    assert_eq!(words(&world, "a", Some("puppet")), ["started", "took what=hello"]);
    let node = words(&world, "a", None);
    assert!(node[0].starts_with("node started, session ") && node[1] == "bus connected", "{node:?}");
}

#[test]
fn an_actor_that_panics_starts_again_at_once_and_then_after_a_while() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a"), actor("echo", &json!({}))])).expect("a legal node");
    assert!(world.panic_actor(&unit("a"), "puppet"));
    assert!(world.panic_actor(&unit("a"), "puppet"));
    assert_eq!(world.units().next().expect("one node").health, Health::Degraded);
    world.run_for(secs(1));
    let seen = words(&world, "a", Some("puppet"));
    assert_eq!(seen[..4], ["started", "crashed: injected panic", "started again (life 2)", "crashed: injected panic"]);
    assert!(seen[4].starts_with("restarts in ") && seen[5] == "started again (life 3)" && seen.len() == 6, "{seen:?}");
    assert_eq!(words(&world, "a", Some("echo")), ["started"]);
    let health: Vec<_> = words(&world, "a", None).into_iter().filter(|words| words.starts_with("node is")).collect();
    assert_eq!(health, ["node is DEGRADED: puppet down", "node is OK"]);
    assert_eq!(world.units().next().expect("one node").restarts, 2);
}

#[test]
fn messages_wait_while_the_actor_is_down_and_are_then_taken_in_order() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    world.panic_actor(&unit("a"), "puppet");
    world.panic_actor(&unit("a"), "puppet");
    ["one", "two", "three"].into_iter().for_each(|body| send(&mut world, "to.a", body));
    world.run_for(millis(50));
    assert_eq!(world.counters().deliveries, 0);
    world.run_for(secs(1));
    let seen = words(&world, "a", Some("puppet"));
    assert_eq!(seen[5..], ["started again (life 3)", "took what=one", "took what=two", "took what=three"]);
}

#[test]
fn a_poison_message_is_set_aside_after_two_crashes_and_the_node_stays_up() {
    let mut world = world(1);
    let reader = actor("letters", &json!({ "kind": "puppet", "reads": ["ops.dead.*.*"] }));
    world.start_node(node("a", [puppet("to.a"), reader])).expect("a legal node");
    for body in ["before", "fault", "after"] {
        send(&mut world, "to.a", body);
    }
    world.run_for(secs(1));
    assert_eq!(
        words(&world, "a", Some("puppet")),
        [
            "started",
            "took what=before",
            "crashed on a message: as told (on message)",
            "started again (life 2)",
            "crashed on a message: as told (on message)",
            "message from to.a quarantined: as told (on message)",
            "started again (life 3)",
            "took what=after",
        ]
    );
    // The reader of dead letters gets the message as it was, and takes it as an order, too.
    assert_eq!(words(&world, "a", Some("letters"))[1], "crashed on a message: as told (on message)");
    assert!(world.units().next().expect("one node").up);
}

#[test]
fn too_many_bad_messages_pause_the_mailbox_and_degrade_the_node_but_do_not_take_it_down() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    (0..6).for_each(|_| send(&mut world, "to.a", "panic"));
    send(&mut world, "to.a", "after");
    world.run_for(millis(500));
    assert_eq!(world.units().next().expect("one node").health, Health::Degraded);
    let seen = words(&world, "a", Some("puppet"));
    assert_eq!(seen.iter().filter(|words| words.contains("quarantined")).count(), 5, "{seen:?}");
    let paused = first(&world, "a", Some("puppet"), "mailbox_paused").expect("paused");
    world.run_for(secs(5));
    let resumed = first(&world, "a", Some("puppet"), "mailbox_resumed").expect("resumed");
    assert_eq!(resumed - paused, secs(1));
    assert_eq!(words(&world, "a", Some("puppet")).last().expect("events"), "took what=after");
    let node = world.units().next().expect("one node");
    assert_eq!((node.up, node.health), (true, Health::Ok));
}

#[test]
fn crashes_beyond_the_intensity_take_the_node_down() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a"), actor("other", &json!({ "kind": "puppet" }))])).expect("a legal node");
    for _ in 0..6 {
        assert!(world.run_until(|world| world.units().all(|node| node.health == Health::Ok), secs(20)));
        assert!(world.panic_actor(&unit("a"), "puppet"));
    }
    assert!(!world.units().next().expect("one node").up);
    let seen = words(&world, "a", Some("puppet"));
    assert!(seen.last().expect("events").starts_with("gave up after 6 crashes in 30s"), "{seen:?}");
    let other = words(&world, "a", Some("other"));
    assert_eq!(other[1..], ["stopping what=NodeShutdown", "stopped: the node stops"]);
    world.run_for(secs(60));
    assert!(!world.units().next().expect("one node").up, "nobody restarts it");
}

#[test]
fn an_actor_that_cannot_be_built_takes_its_node_down_at_once() {
    let mut world = world(1);
    world.start_node(node("a", [actor("puppet", &json!({ "unborn": true }))])).expect("a legal node");
    assert!(!world.units().next().expect("one node").up);
    let seen = words(&world, "a", Some("puppet"));
    assert!(seen[0].contains("unborn") && seen[1].starts_with("gave up after 1 crashes"), "{seen:?}");
}

#[test]
fn an_actor_that_panics_at_every_start_does_so_as_often_as_the_intensity_allows() {
    let mut world = world(1);
    world.start_node(node("a", [actor("puppet", &json!({ "stillborn": true }))])).expect("a legal node");
    assert!(world.run_until(|world| !world.units().any(|node| node.up), secs(30)));
    let seen = words(&world, "a", Some("puppet"));
    assert_eq!(seen.iter().filter(|words| words.starts_with("crashed: ")).count(), 6, "{seen:?}");
    assert!(seen.last().expect("events").starts_with("gave up after 6 crashes"), "{seen:?}");
}

#[test]
fn an_actor_that_does_not_move_its_deadline_crashes_instead_of_spinning() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    send(&mut world, "to.a", "stuck");
    world.run_for(secs(1));
    let seen = words(&world, "a", Some("puppet"));
    assert!(seen[1].contains("deadline `beat` is still in the past"), "{seen:?}");
    assert_eq!(seen[2], "started again (life 2)");
}

#[test]
fn an_actor_may_end_its_life_itself() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    send(&mut world, "to.a", "stop");
    world.run_for(secs(1));
    assert_eq!(words(&world, "a", Some("puppet")), ["started", "stopped: as told", "started again (life 2)"]);
}

#[test]
fn a_request_is_answered_or_says_why_not() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    let dumb = actor("puppet", &json!({ "reads": ["to.b"], "capacity": 1 }));
    world.start_node(node("b", [dumb])).expect("a legal node");
    send(&mut world, "to.a", "ask to.b");
    send(&mut world, "to.a", "ask to.nobody");
    world.run_for(millis(20));
    let sent = millis(2);
    let seen: Vec<_> =
        world.events(&unit("a"), Some("puppet")).skip(1).map(|(at, event)| (at, event.clone())).collect();
    assert!(seen.contains(&(sent + millis(4), told("answer", "answer"))), "{seen:?}");
    assert!(seen.contains(&(sent + millis(2), told("failed", "nobody listens"))), "{seen:?}");

    // Nobody is left to answer while it waits for its restart; its mailbox takes one.
    world.panic_actor(&unit("b"), "puppet");
    world.panic_actor(&unit("b"), "puppet");
    send(&mut world, "to.a", "ask to.b");
    send(&mut world, "to.a", "ask to.b");
    world.run_for(millis(20));
    assert_eq!(words(&world, "a", Some("puppet")).last().expect("events"), "code what=503");
    assert_eq!(words(&world, "b", Some("puppet")).last().expect("events"), "mailbox full, 1 messages lost so far");
}

#[test]
fn a_request_whose_answer_is_lost_times_out_and_one_without_a_bus_fails_at_once() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    world.start_node(node("b", [puppet("to.b")])).expect("a legal node");
    send(&mut world, "to.a", "ask to.b");
    world.run_for(millis(3));
    world.cut_node(&unit("b"), true);
    world.run_for(secs(3));
    let (at, event) = world.events(&unit("a"), Some("puppet")).last().expect("events");
    assert_eq!((at, event), (millis(2) + secs(2), &told("failed", "no answer in time")));

    let asker = actor("puppet", &json!({ "asks": "to.b" }));
    world.start_node(node("c", [asker])).expect("a legal node");
    world.cut_node(&unit("c"), true);
    world.run_for(secs(5));
    world.panic_actor(&unit("c"), "puppet");
    let seen = words(&world, "c", Some("puppet"));
    assert_eq!(seen[seen.len() - 2..], ["started again (life 2)", "failed what=the bus is away"]);
}

#[test]
fn an_answer_to_an_earlier_life_is_dropped() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    world.start_node(node("b", [puppet("to.b")])).expect("a legal node");
    send(&mut world, "to.a", "ask to.b");
    world.run_for(millis(3));
    world.panic_actor(&unit("a"), "puppet");
    world.run_for(secs(5));
    assert_eq!(world.counters().replies, 0);
    assert_eq!(words(&world, "b", Some("puppet")), ["started", "took what=question"]);
}

#[test]
fn a_queue_group_shares_its_messages() {
    let mut world = world(3);
    for name in ["a", "b", "c"] {
        let member = actor("puppet", &json!({ "reads": ["work"], "queue": "workers" }));
        world.start_node(node(name, [member])).expect("a legal node");
    }
    for _ in 0..60 {
        world.run_for(millis(10));
        send(&mut world, "work", "job");
    }
    world.run_for(secs(1));
    let shares = ["a", "b", "c"].map(|name| words(&world, name, Some("puppet")).len() - 1);
    assert_eq!(shares.iter().sum::<usize>(), 60);
    assert!(shares.iter().all(|share| (10..30).contains(share)), "{shares:?}");
}

#[test]
fn what_one_node_sends_to_another_stays_in_order_however_delays_are_drawn() {
    for seed in 0..5 {
        let mut world = world_with(Delay::Uniform(Period::from_millis(1), Period::from_millis(500)), seed);
        world.start_node(node("a", [puppet("to.*")])).expect("a legal node");
        let mut sent = Vec::new();
        for number in 0..200 {
            send(&mut world, ["to.x", "to.y"][number % 2], &number.to_string());
            sent.push(format!("took what={number}"));
            world.run_for(millis(number as u64 % 3));
        }
        world.run_for(secs(1));
        assert_eq!(words(&world, "a", Some("puppet"))[1..], sent);
    }
}

#[test]
fn messages_of_two_publishers_do_overtake_each_other() {
    let mut world = world_with(Delay::Uniform(Period::from_millis(1), Period::from_millis(100)), 1);
    let beats = |name: &str| actor("puppet", &json!({ "beat": [format!("to.{name}"), 10] }));
    for name in ["a", "b", "c", "d"] {
        world.start_node(node(name, [beats(name)])).expect("a legal node");
    }
    let reader = |name: &str| actor(name, &json!({ "kind": "puppet", "reads": ["to.>"] }));
    world.start_node(node("reader", [reader("one")])).expect("a legal node");
    world.start_node(node("other", [reader("two")])).expect("a legal node");
    world.run_for(secs(2));
    let times = |name, actor| world.events(&unit(name), Some(actor)).map(|(at, _)| at).collect::<Vec<_>>();
    assert_ne!(times("reader", "one"), times("other", "two"), "each subscriber has delays of its own");
}

#[test]
fn a_node_runs_once_and_only_with_actors_that_can_be() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    assert_eq!(world.start_node(node("a", [])), Err(StartError::Duplicate(unit("a"))));
    let unknown = actor("x", &json!({ "kind": "puppett" }));
    assert!(matches!(world.start_node(node("b", [unknown])), Err(StartError::Config { .. })));
    assert!(!world.kill_node(&unit("b")) && !world.stop_node(&unit("b")) && !world.cut_node(&unit("b"), true));
    assert!(!world.panic_actor(&unit("a"), "nobody") && !world.panic_actor(&unit("b"), "x"));
    assert_eq!(world.events(&unit("a"), Some("nobody")).count() + world.events(&unit("b"), None).count(), 0);
    assert!(world.clocks(&unit("a")).is_some());
    world.kill_node(&unit("a"));
    assert!(world.clocks(&unit("a")).is_none());
}

#[test]
fn stopping_a_node_says_goodbye_in_reverse_order_and_killing_it_does_not() {
    let two = || [puppet("to.a"), actor("second", &json!({ "kind": "puppet" }))];
    let mut stopped = world(1);
    stopped.start_node(node("a", two())).expect("a legal node");
    stopped.stop_node(&unit("a"));
    for actor in ["puppet", "second"] {
        assert_eq!(
            words(&stopped, "a", Some(actor)),
            ["started", "stopping what=NodeShutdown", "stopped: the node stops"]
        );
    }
    assert_eq!(words(&stopped, "a", None).last().expect("events"), "node stopping");
    let mut killed = world(1);
    killed.start_node(node("a", two())).expect("a legal node");
    killed.kill_node(&unit("a"));
    assert_eq!(words(&killed, "a", Some("puppet")), ["started"]);
}

#[test]
fn what_travels_to_a_node_that_went_down_never_arrives_even_if_it_is_back_by_then() {
    let mut world = world(1);
    world.start_node(node("a", [puppet("to.a")])).expect("a legal node");
    send(&mut world, "to.a", "late");
    world.run_for(millis(1));
    world.kill_node(&unit("a"));
    world.start_node(node("a", [puppet("to.a")])).expect("it is down");
    world.run_for(secs(1));
    assert_eq!(words(&world, "a", Some("puppet")), ["started", "started"]);
    assert_eq!(world.counters().lost, 1);
    let sessions: Vec<_> = world
        .events(&unit("a"), None)
        .filter_map(|(_, event)| if let Event::NodeStarted { session } = event { Some(session) } else { None })
        .collect();
    assert!(sessions.len() == 2 && sessions[0] != sessions[1], "{sessions:?}");
}
