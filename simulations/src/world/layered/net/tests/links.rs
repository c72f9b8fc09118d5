use proptest::prelude::*;

use super::super::plan::JitterPlan;
use super::*;

#[test]
fn everybody_hears_everybody_after_two_milliseconds_unless_told_otherwise() {
    let mut mesh = Mesh::new(NetPlan::default(), 50);
    mesh.now = 7;
    assert_eq!(
        (mesh.send(3, 41), mesh.send(41, 3), mesh.send(5, 5)),
        (Some(2 * MS + 7), Some(2 * MS + 7), Some(20_007))
    );
    assert_eq!((mesh.send(3, 50), mesh.net.routes.trees()), (None, 0));
}

#[test]
fn loss_multiplies_along_a_route_and_is_counted_where_it_happens() {
    let mut mesh = Mesh::new(line(3, lossy(0.2)), 3);
    let arrived = (0..20_000).filter(|_| mesh.send(0, 2).is_some()).count() as f64 / 20_000.0;
    assert!((arrived - 0.64).abs() < 0.015, "{arrived}");
    let (first, second) = (mesh.counters(0, 1), mesh.counters(1, 2));
    assert_eq!((first.sent, first.bytes), (20_000, 2_000_000));
    assert_eq!(second.sent, first.sent - first.lost);
    assert_eq!(mesh.counters(1, 0), LinkCounters::default());
}

#[test]
fn retries_turn_loss_into_airtime() {
    let link = LinkPlan { retries: 2, backoff: MS, rate: Some(800_000), ..lossy(0.5) };
    let mut mesh = Mesh::new(line(2, link), 2);
    let mut delays = [0_u32; 4];
    for n in 0..8_000 {
        mesh.now = n * SECOND;
        // 100 bytes take a millisecond; each retry costs another, and one to wait.
        let took = mesh.send(0, 1).map_or(3, |at| (at - mesh.now - 3 * MS) / (2 * MS));
        delays[took as usize] += 1;
    }
    for (count, expected) in delays.into_iter().zip([4_000_u32, 2_000, 1_000, 1_000]) {
        assert!(count.abs_diff(expected) < 150, "{delays:?}");
    }
    let retried = mesh.counters(0, 1).retried;
    assert!(retried.abs_diff(6_000) < 200, "{retried}");
}

#[test]
fn a_queue_drops_what_it_has_no_room_for() {
    let link = LinkPlan { rate: Some(1_000_000), queue: 10_000, ..LinkPlan::default() };
    let mut mesh = Mesh::new(line(2, link), 2);
    let arrivals: Vec<_> = (0..15).map(|_| mesh.net.send(0, 0, 1, 1_000)).collect();
    let expected = (1..=15).map(|n| (n <= 10).then_some(n * 8 * MS + 2 * MS)).collect::<Vec<_>>();
    assert_eq!((arrivals, mesh.counters(0, 1).dropped), (expected, 5));
    assert_eq!(mesh.net.send(16 * MS, 0, 1, 1_000), Some(90 * MS));
}

#[test]
fn a_packet_that_is_yet_to_come_does_not_hold_up_who_comes_before_it() {
    let link = LinkPlan { delay: 50 * MS, rate: Some(1_000_000), ..LinkPlan::default() };
    let mut mesh = Mesh::new(line(4, link), 4);
    let through = mesh.net.send(0, 0, 3, 1_000);
    assert_eq!((through, mesh.net.send(0, 2, 3, 1_000)), (Some(3 * 58 * MS), Some(58 * MS)));
    // That one is on the air when the first gets there, and this would be: it must wait behind both.
    let mut mesh = Mesh::new(line(4, link), 4);
    mesh.net.send(0, 0, 3, 1_000);
    assert_eq!(mesh.net.send(110 * MS, 2, 3, 1_000), Some((116 + 8 + 8 + 50) * MS));
}

#[test]
fn distance_adds_to_the_delay_where_it_matters() {
    let link = LinkPlan { delay: 0, propagation: Some(1_500.0), ..LinkPlan::default() };
    let mut plan = line(2, link);
    let station = |at| plan::StationPlan { at: Some(at), ..plan::StationPlan::default() };
    plan.stations = vec![station([0.0, 0.0]), station([300.0, 400.0])];
    assert_eq!(Mesh::new(plan, 2).send(0, 1), Some(333_333_333));
}

fn jitters() -> impl Strategy<Value = JitterPlan> {
    prop_oneof![
        Just(JitterPlan::None),
        (1..20 * MS).prop_map(JitterPlan::Uniform),
        (1..20 * MS).prop_map(JitterPlan::Exponential),
    ]
}

proptest! {
    #[test]
    fn packets_of_a_pair_arrive_in_order_and_no_faster_than_the_rate(
        jitter in jitters(),
        rate in prop::option::of(100_000_u64..10_000_000),
        retries in 0_u8..3,
        sends in prop::collection::vec((0..3 * MS, 0_u32..4, 0_u32..4, 40_u32..1_500), 1..200),
    ) {
        let link = LinkPlan { jitter, rate, retries, backoff: MS, queue: 1 << 40, ..lossy(0.2) };
        let mut mesh = Mesh::new(line(4, link), 4);
        let mut last = [[0_u64; 4]; 4];
        let (mut into_last, mut end) = (0_u64, 0);
        for (wait, from, to, bytes) in sends {
            mesh.now += wait;
            let Some(at) = mesh.net.send(mesh.now, from, to, bytes) else { continue };
            prop_assert!(at >= mesh.now);
            if from == to { continue }
            let before = &mut last[from as usize][to as usize];
            prop_assert!(at >= *before, "{from} to {to}: {at} after {before}");
            *before = at;
            if to == 3 {
                into_last += u64::from(bytes);
                end = end.max(at);
            }
        }
        if let Some(rate) = rate {
            prop_assert!(u128::from(into_last) * 8 * u128::from(SECOND) <= u128::from(end) * u128::from(rate));
        }
    }
}

/// The fates of what n01 sends to n03 and back, in a mesh in which there may be others.
fn fates(plan: NetPlan, names: &[&str], seed: u64) -> Vec<Option<u64>> {
    let keys: Vec<u64> = names.iter().map(|name| key(name)).collect();
    let place = |name| u32::try_from(names.iter().position(|n| *n == name).expect("there")).expect("few");
    let mut net = Net::new(plan, &keys, seed);
    let (a, b) = (place("n01"), place("n03"));
    (0..400).flat_map(|n| [net.send(n * MS, a, b, 100), net.send(n * MS, b, a, 100)]).collect()
}

#[test]
fn fates_follow_from_the_seed_and_from_names_alone() {
    let jitter = JitterPlan::Exponential(5 * MS);
    let plan = || NetPlan { link: LinkPlan { jitter, ..lossy(0.3) }, ..NetPlan::default() };
    let few = fates(plan(), &["n01", "n03"], 1);
    assert_eq!(few, fates(plan(), &["n01", "n03"], 1));
    assert_eq!(few, fates(plan(), &["n00", "n01", "n02", "n03", "n04"], 1));
    assert_eq!(few, fates(plan(), &["n03", "n01"], 1));
    assert_ne!(few, fates(plan(), &["n01", "n03"], 2));
    let other = NetPlan { links: vec![(0, 2, lossy(0.9))], ..plan() };
    assert_eq!(few, fates(other, &["n00", "n01", "n02", "n03"], 1));
    assert_ne!(few.iter().step_by(2).collect::<Vec<_>>(), few.iter().skip(1).step_by(2).collect::<Vec<_>>());
}
