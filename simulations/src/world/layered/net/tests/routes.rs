use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::plan::Metric;
use super::*;

#[test]
fn a_ring_is_walked_the_shorter_way() {
    let mut mesh = Mesh::new(ring(12), 12);
    assert_eq!((mesh.net.route(0, 3), mesh.net.route(1, 10)), (vec![1, 2, 3], vec![0, 11, 10]));
    assert_eq!((mesh.send(0, 3), mesh.net.next_hop(3, 0)), (Some(6 * MS), Some(2)));
}

#[test]
fn a_direction_that_loses_all_is_walked_around_and_the_other_is_not() {
    let mut plan = ring(6);
    plan.links = vec![(0, 1, LinkPlan { wired: true, ..lossy(1.0) })];
    let mut mesh = Mesh::new(plan.clone(), 6);
    assert_eq!((mesh.net.route(0, 1), mesh.net.route(1, 0)), (vec![5, 4, 3, 2, 1], vec![0]));
    plan.routes.metric = Metric::Etx;
    let mut mesh = Mesh::new(plan, 6);
    assert_eq!((mesh.net.route(0, 1), mesh.net.route(1, 0)), (vec![5, 4, 3, 2, 1], vec![2, 3, 4, 5, 0]));
}

#[test]
fn expected_transmissions_prefer_two_good_links_to_a_poor_one() {
    let mut plan = ring(3);
    plan.links = [(0, 1), (1, 0)].map(|(a, b)| (a, b, LinkPlan { wired: true, ..lossy(0.4) })).to_vec();
    assert_eq!(Mesh::new(plan.clone(), 3).net.route(0, 1), [1]);
    plan.routes.metric = Metric::Etx;
    assert_eq!(Mesh::new(plan.clone(), 3).net.route(0, 1), [2, 1], "1 / 0.36 is more than 2");
    plan.links.iter_mut().for_each(|link| link.2.loss = Some(LossPlan::Share(0.25)));
    assert_eq!(Mesh::new(plan, 3).net.route(0, 1), [1], "1 / 0.5625 is less than 2");
}

#[test]
fn packets_of_a_route_beyond_the_hop_limit_are_lost() {
    let mut plan = line(6, LinkPlan::default());
    plan.routes.hop_limit = 4;
    let mut mesh = Mesh::new(plan, 6);
    assert_eq!((mesh.send(0, 4), mesh.send(0, 5), mesh.net.unroutable()), (Some(8 * MS), None, 1));
}

#[test]
fn leaves_of_three_hubs_need_few_trees() {
    // 40 rows of 25.
    let right = (0..1_000).filter(|n| n % 25 != 24).map(|n| (n, n + 1));
    let below = (0..975).map(|n| (n, n + 25));
    let mut plan = NetPlan { hearing: both(right.chain(below)), area: [1.0; 2], ..NetPlan::default() };
    plan.routes.hop_limit = 100;
    let mut mesh = Mesh::new(plan, 1_000);
    let hubs = [0, 300, 700];
    for leaf in (0..1_000).filter(|leaf| !hubs.contains(leaf)) {
        for hub in hubs {
            assert!(mesh.send(leaf, hub).is_some() && mesh.send(hub, leaf).is_some());
        }
    }
    // Six of the hubs, and those of the first to talk.
    assert!(mesh.net.routes.trees() <= 12, "{}", mesh.net.routes.trees());
}

/// Sends as the layers above do, over four links: for profilers, and to see that state stays small.
#[test]
fn a_hundred_thousand_packets_leave_no_more_than_what_is_under_way() {
    let link = LinkPlan { rate: Some(10_000_000), jitter: plan::JitterPlan::Uniform(MS), ..lossy(0.01) };
    let mut mesh = Mesh::new(line(5, link), 5);
    let arrived = (0..100_000).filter(|n| mesh.net.send(n * MS, 0, 4, 200).is_some()).count();
    assert!((95_500..96_600).contains(&arrived), "{arrived}");
    assert!(mesh.net.links.iter().all(|link| link.under_way() <= 16));
}

/// Hops from one station to all by breadth-first search.
fn hops(pairs: &[(u32, u32)], stations: u32, from: u32) -> Vec<Option<usize>> {
    let mut found = vec![None; stations as usize];
    found[from as usize] = Some(0);
    let mut open = VecDeque::from([from]);
    while let Some(station) = open.pop_front() {
        for &(_, to) in pairs.iter().filter(|pair| pair.0 == station) {
            if found[to as usize].is_none() {
                found[to as usize] = found[station as usize].map(|n| n + 1);
                open.push_back(to);
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn routes_are_shortest_and_the_same_from_either_end_and_in_any_order(
        links in prop::collection::vec((0_u32..12, 0_u32..12), 0..30),
        asked in prop::collection::vec((0_u32..12, 0_u32..12), 1..40),
    ) {
        let links = links.into_iter().filter(|(a, b)| a != b);
        let plan = NetPlan { hearing: both(links), area: [1.0; 2], ..NetPlan::default() };
        let HearingPlan::Pairs(pairs) = plan.hearing.clone() else { unreachable!() };
        let mut mesh = Mesh::new(plan.clone(), 12);
        for (from, to) in asked {
            let route = mesh.net.route(from, to);
            prop_assert_eq!(hops(&pairs, 12, from)[to as usize].unwrap_or(0), route.len());
            let mut back = mesh.net.route(to, from);
            back.reverse();
            prop_assert_eq!(route.split_last().map_or(&[][..], |(_, via)| via), back.get(1..).unwrap_or_default());
            prop_assert_eq!(&route, &Mesh::new(plan.clone(), 12).net.route(from, to));
        }
    }
}
