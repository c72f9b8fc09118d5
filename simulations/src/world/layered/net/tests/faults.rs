use super::super::plan::JitterPlan;
use super::*;

fn change(from: u32, to: u32, both_ways: bool, change: LinkChange) -> NetFault {
    NetFault::Link { from: vec![from], to: vec![to], both_ways, change }
}

fn down() -> LinkChange {
    LinkChange { down: true, ..LinkChange::default() }
}

#[test]
fn packets_die_at_a_broken_link_until_routes_have_converged() {
    let mut mesh = Mesh::new(ring(6), 6);
    assert_eq!(mesh.send(0, 2), Some(4 * MS));
    mesh.until(10 * SECOND);
    mesh.impose(0, change(1, 2, true, down()));
    mesh.until(12 * SECOND - 1);
    assert_eq!((mesh.send(0, 2), mesh.send(2, 0)), (None, None));
    assert_eq!((mesh.counters(0, 1).lost, mesh.counters(1, 2).lost), (0, 1), "it dies where it is cut");
    mesh.until(12 * SECOND);
    assert_eq!(mesh.net.route(0, 2), [5, 4, 3, 2]);
    assert_eq!(mesh.send(0, 2), Some(12 * SECOND + 8 * MS));
    mesh.lift(0);
    mesh.until(13 * SECOND);
    assert_eq!(mesh.net.route(0, 2), [5, 4, 3, 2]);
    mesh.until(14 * SECOND);
    assert_eq!(mesh.net.route(0, 2), [1, 2]);
}

#[test]
fn what_is_over_before_routes_learn_of_it_moves_no_route() {
    let mut mesh = Mesh::new(ring(6), 6);
    mesh.impose(0, change(0, 1, true, down()));
    mesh.until(SECOND);
    assert_eq!(mesh.send(0, 1), None);
    mesh.lift(0);
    mesh.until(5 * SECOND);
    assert_eq!((mesh.net.route(0, 1), mesh.send(0, 1)), (vec![1], Some(5 * SECOND + 2 * MS)));
}

#[test]
fn a_barrier_stops_what_crosses_it_and_nothing_else() {
    let mut mesh = Mesh::new(ring(6), 6);
    let side_of = vec![0, 0, 0, 1, 1, u8::MAX];
    mesh.impose(0, NetFault::Barrier { side_of, one_way: false });
    assert_eq!((mesh.send(2, 3), mesh.send(3, 2), mesh.send(1, 3)), (None, None, None));
    assert!(mesh.send(0, 2).is_some() && mesh.send(4, 3).is_some());
    assert!(mesh.send(4, 0).is_some() && mesh.send(0, 4).is_some(), "n05 hears both sides");
    mesh.until(2 * SECOND);
    assert_eq!(mesh.net.route(2, 3), [1, 0, 5, 4, 3]);
}

#[test]
fn a_one_way_barrier_lets_the_first_side_hear() {
    let mut mesh = Mesh::new(NetPlan::default(), 4);
    mesh.impose(0, NetFault::Barrier { side_of: vec![0, 0, 1, 1], one_way: true });
    for now in [0, 10 * SECOND] {
        mesh.until(now);
        assert_eq!((mesh.send(0, 2), mesh.send(1, 3)), (None, None));
        assert!(mesh.send(2, 0).is_some() && mesh.send(3, 1).is_some() && mesh.send(0, 1).is_some());
    }
}

#[test]
fn a_station_that_nobody_reaches_is_walked_around_and_still_talks_to_itself() {
    let mut mesh = Mesh::new(ring(5), 5);
    mesh.impose(7, NetFault::Barrier { side_of: vec![0, 1, 0, 0, 0], one_way: false });
    assert_eq!(mesh.send(0, 2), None);
    mesh.until(2 * SECOND);
    assert_eq!((mesh.net.route(0, 2), mesh.send(0, 1)), (vec![4, 3, 2], None));
    assert!(mesh.send(1, 1).is_some());
}

#[test]
fn several_faults_add_up_and_lifting_all_restores_every_fate() {
    let link = LinkPlan { rate: Some(1_000_000), jitter: JitterPlan::Uniform(MS), ..lossy(0.1) };
    let (mut harmed, mut other) = (Mesh::new(line(2, link), 2), Mesh::new(line(2, link), 2));
    let harm = LinkChange { delay: 30 * MS, rate: Some(100_000), ..LinkChange::default() };
    harmed.impose(1, change(0, 1, true, harm));
    harmed.impose(2, change(1, 0, true, LinkChange { delay: 5 * MS, ..harm }));
    harmed.impose(3, change(1, 0, false, LinkChange { loss: 1.0, ..LinkChange::default() }));
    for n in 0..100 {
        let now = n * SECOND;
        let (slow, fast) = (harmed.net.send(now, 0, 1, 1_000), other.net.send(now, 0, 1, 1_000));
        assert_eq!(slow, fast.map(|at| at + 35 * MS + 72 * MS), "and what is lost otherwise is lost");
        assert_eq!(harmed.net.send(now, 1, 0, 1_000), None);
        other.net.send(now, 1, 0, 1_000);
    }
    [2, 1, 3].into_iter().for_each(|id| harmed.lift(id));
    for n in 100..200 {
        for (from, to) in [(0, 1), (1, 0)] {
            let now = n * SECOND;
            assert_eq!(harmed.net.send(now, from, to, 500), other.net.send(now, from, to, 500));
        }
    }
}

#[test]
fn additional_loss_is_a_share_of_what_gets_through() {
    let mut mesh = Mesh::new(line(2, lossy(0.2)), 2);
    mesh.impose(0, change(0, 1, false, LinkChange { loss: 0.5, ..LinkChange::default() }));
    let arrived = (0..20_000).filter(|_| mesh.send(0, 1).is_some()).count() as f64 / 20_000.0;
    assert!((arrived - 0.4).abs() < 0.015, "{arrived}");
    let report = mesh.net.links().into_iter().find(|link| link.from == 0).expect("used");
    assert!((report.delivery - 0.4).abs() < 1e-6);
}

#[test]
fn a_clogged_link_keeps_what_its_queue_holds_and_passes_it_on_when_that_is_over() {
    for rate in [None, Some(8_000_000)] {
        let mut mesh = Mesh::new(line(2, LinkPlan { rate, queue: 1_000, ..LinkPlan::default() }), 2);
        mesh.impose(0, change(0, 1, true, LinkChange { clog: Some(SECOND), ..LinkChange::default() }));
        let arrivals: Vec<_> = (0..12).map(|n| mesh.net.send(n * MS, 0, 1, 100)).collect();
        let each = if rate.is_some() { MS / 10 } else { 0 };
        let expected = |n: u64| (n <= 10).then_some(SECOND + 2 * MS + n * each);
        assert_eq!(arrivals, (1..=12).map(expected).collect::<Vec<_>>());
        mesh.until(SECOND);
        mesh.lift(0);
        assert_eq!(mesh.net.send(SECOND, 0, 1, 100), rate.map_or(Some(SECOND + 2 * MS), |_| None), "the queue is full");
        assert_eq!(mesh.net.send(2 * SECOND, 0, 1, 100), Some(2 * SECOND + 2 * MS + each));
    }
}

#[test]
fn a_link_that_is_clogged_for_ever_lets_nothing_through() {
    let mut mesh = Mesh::new(line(2, LinkPlan::default()), 2);
    mesh.impose(0, change(0, 1, true, LinkChange { clog: Some(u64::MAX), ..LinkChange::default() }));
    assert_eq!((mesh.send(0, 1), mesh.send(1, 0)), (None, None));
    mesh.lift(0);
    assert_eq!(mesh.send(0, 1), Some(2 * MS));
}
