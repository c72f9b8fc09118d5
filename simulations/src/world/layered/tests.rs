//! Servers, and what a mesh does to the connections between them.

mod bench;
mod failures;
mod groups;
mod nodes;

use serde_json::json;

use self::bench::{Bench, MS, S};
use crate::trace::{LinkChange, LinkEnd};

#[test]
fn a_message_goes_from_leaf_to_hub_to_leaf() {
    let mut bench = Bench::new(3, json!({}));
    bench.subscribe(2, "a.*", None);
    bench.run(2 * S);
    bench.publish(1, "a.b");
    bench.run(3 * S);
    let [heard] = &bench.heard[..] else { panic!("once: {:?}", bench.heard) };
    assert_eq!((heard.to, heard.sent, heard.subject.as_str()), (2, 2 * S, "a.b"));
    // Two links of 2 ms, and two loopbacks of 30 µs.
    assert_eq!(heard.at - heard.sent, 4 * MS + 60_000);
}

#[test]
fn what_nobody_beyond_wants_does_not_leave_the_machine() {
    let mut bench = Bench::new(3, json!({}));
    bench.subscribe(1, "a", None);
    bench.run(2 * S);
    let before = bench.segments();
    bench.publish(1, "a");
    bench.publish(1, "b");
    bench.run(2 * S + 100 * MS);
    assert_eq!(bench.heard.len(), 1);
    assert_eq!(bench.heard[0].at - bench.heard[0].sent, 60_000);
    assert_eq!(bench.segments(), before);
}

#[test]
fn nobody_hears_a_message_twice_that_matches_twice_over_a_connection() {
    let mut bench = Bench::new(3, json!({ "hubs": ["n0", "n1"] }));
    bench.subscribe(2, "a.*", None);
    bench.subscribe(2, "a.>", None);
    bench.subscribe(1, "a.b", None);
    bench.run(2 * S);
    for from in 0..3 {
        bench.publish(from, "a.b");
    }
    bench.run(3 * S);
    let tags = |to| bench.heard.iter().filter(|heard| heard.to == to).map(|heard| heard.tag).collect::<Vec<_>>();
    assert_eq!(tags(1), [0, 0, 0]);
    let mut two = tags(2);
    two.sort_unstable();
    assert_eq!(two, [0, 0, 0, 1, 1, 1], "each subscription once");
}

#[test]
fn a_request_to_nobody_is_answered_by_the_server_that_was_asked() {
    let mut bench = Bench::new(3, json!({}));
    bench.subscribe(2, "taken", None);
    bench.run(2 * S);
    bench.ask(1, "nobody", "r.1");
    bench.ask(1, "taken", "r.2");
    bench.run(3 * S);
    assert_eq!(bench.unanswered, [(2 * S + 60_000, 1, "r.1".to_owned())]);
}

#[test]
fn a_client_without_a_server_is_told_by_its_hub() {
    let mut bench = Bench::new(3, json!({ "nodes": "client" }));
    bench.subscribe(2, "taken", None);
    bench.run(2 * S);
    bench.ask(1, "nobody", "r.1");
    bench.publish(1, "taken");
    bench.run(3 * S);
    assert_eq!(bench.unanswered, [(2 * S + 4 * MS, 1, "r.1".to_owned())]);
    assert_eq!(bench.heard.len(), 1);
    assert_eq!(bench.heard[0].at - bench.heard[0].sent, 4 * MS);
}

#[test]
fn interest_is_known_when_its_line_has_arrived() {
    let mut bench = Bench::new(3, json!({}));
    bench.run(2 * S);
    bench.subscribe(2, "late", None);
    bench.publish(1, "late");
    bench.run(2 * S + 3 * MS);
    bench.publish(1, "late");
    bench.run(3 * S);
    let sent: Vec<_> = bench.heard.iter().map(|heard| heard.sent).collect();
    assert_eq!(sent, [2 * S + 3 * MS]);
}

#[test]
fn a_publishers_messages_stay_in_order() {
    let mut bench =
        Bench::with(4, json!({ "hubs": ["n0", "n1"] }), json!({ "link": { "loss": "10%", "delay": "5ms" } }));
    bench.subscribe(3, "a.*", None);
    bench.run(10 * S);
    for number in 0..500 {
        bench.publish(2, &format!("a.{number}"));
        bench.run(10 * S + (number + 1) * 20 * MS);
    }
    bench.run(60 * S);
    let numbers: Vec<_> = bench.heard.iter().map(|heard| heard.subject.clone()).collect();
    assert_eq!(numbers, (0..500).map(|number| format!("a.{number}")).collect::<Vec<_>>());
}

#[test]
fn one_seed_is_one_run() {
    let run = |seed| {
        let mut bench = Bench::seeded(5, json!({ "hubs": ["n0", "n1"] }), json!({ "link": { "loss": "20%" } }), seed);
        (0..5).for_each(|node| bench.subscribe(node, "a.*", None));
        for second in 1..20 {
            bench.publish(3, "a.b");
            if second == 5 {
                bench.server(0, false);
            }
            if second == 9 {
                bench.server(0, true);
            }
            bench.run(second * S);
        }
        (bench.heard.clone(), bench.witness.recorder.hash())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).1, run(2).1);
}

#[test]
fn a_mesh_whose_hub_comes_last_finds_together() {
    let mut bench = Bench::new(10, json!({ "hubs": ["n9"] }));
    bench.server(9, false);
    (0..10).for_each(|node| bench.subscribe(node, "a", None));
    bench.run(20 * S);
    bench.publish(3, "a");
    bench.run(21 * S);
    assert_eq!(bench.heard.len(), 1, "only its own");
    bench.server(9, true);
    bench.run(23 * S);
    bench.publish(3, "a");
    bench.run(24 * S);
    assert_eq!(bench.heard.len(), 11);
    let ups = bench.links(|change| change == LinkChange::Up).filter(|up| up.1 != 9);
    assert!(ups.map(|up| up.0).all(|at| (21 * S..23 * S).contains(&at)));
    assert!(bench.links(|change| matches!(change, LinkChange::Closed(LinkEnd::Refused))).next().is_none());
}
