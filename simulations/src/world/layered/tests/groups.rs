//! Queue groups: one member of all, wherever it is.

use serde_json::json;

use super::bench::{Bench, S};

fn takers(bench: &Bench) -> Vec<u32> {
    bench.heard.iter().map(|heard| heard.to).collect()
}

#[test]
fn one_member_of_a_group_takes_a_message_over_all_servers() {
    let mut bench = Bench::new(7, json!({ "hubs": ["n0", "n1", "n2"] }));
    for node in [0, 1, 4, 5] {
        bench.subscribe(node, "work", Some("team"));
    }
    bench.run(3 * S);
    for from in [3, 6, 2].into_iter().cycle().take(300) {
        bench.publish(from, "work");
    }
    bench.run(5 * S);
    assert_eq!(bench.heard.len(), 300);
}

#[test]
fn a_member_on_the_publishers_machine_is_preferred() {
    let mut bench = Bench::new(4, json!({}));
    for node in [0, 1, 2] {
        bench.subscribe(node, "work", Some("team"));
    }
    bench.run(3 * S);
    for _ in 0..20 {
        bench.publish(1, "work");
    }
    bench.run(4 * S);
    assert_eq!(takers(&bench), vec![1; 20]);
}

#[test]
fn a_hub_prefers_its_own_clients_to_leafs() {
    let mut bench = Bench::new(4, json!({}));
    for node in [0, 1, 2] {
        bench.subscribe(node, "work", Some("team"));
    }
    bench.run(3 * S);
    for _ in 0..20 {
        bench.publish(3, "work");
    }
    bench.run(4 * S);
    assert_eq!(takers(&bench), vec![0; 20]);
}

#[test]
fn leafs_share_the_work_when_nobody_else_does_it() {
    let mut bench = Bench::new(4, json!({}));
    for node in [1, 2] {
        bench.subscribe(node, "work", Some("team"));
    }
    bench.subscribe(2, "work", None);
    bench.run(3 * S);
    for _ in 0..100 {
        bench.publish(3, "work");
    }
    bench.run(4 * S);
    let plain = bench.heard.iter().filter(|heard| (heard.to, heard.tag) == (2, 1)).count();
    let by = |node| bench.heard.iter().filter(|heard| (heard.to, heard.tag) == (node, 0)).count();
    assert_eq!((plain, by(1) + by(2)), (100, 100));
    assert!(by(1) > 25 && by(2) > 25, "{} {}", by(1), by(2));
}

#[test]
fn clients_of_hubs_count_as_many_as_they_are() {
    let mut bench = Bench::new(5, json!({ "hubs": ["n0", "n1"], "nodes": "client" }));
    bench.subscribe(0, "work", Some("team"));
    bench.subscribe(1, "work", Some("team"));
    bench.subscribe(2, "work", Some("team"));
    bench.run(3 * S);
    for _ in 0..300 {
        bench.publish(4, "work");
    }
    bench.run(5 * S);
    let takers = takers(&bench);
    assert_eq!(takers.len(), 300);
    for node in 0..3 {
        let share = takers.iter().filter(|&&taker| taker == node).count();
        assert!((70..130).contains(&share), "{node}: {share}");
    }
}
