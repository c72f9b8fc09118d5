use std::collections::BTreeSet;

use super::super::plan::{CentrePlan, GroupPlan, Modulation, RadioPlan, StationPlan, Walk, WaypointPlan};
use super::*;

fn station(at: [f64; 2]) -> StationPlan {
    StationPlan { at: Some(at), ..StationPlan::default() }
}

/// n02 walks away from n00, past n01, at 10 m/s; nobody hears farther than 150 m.
fn leaving() -> NetPlan {
    let mut plan = NetPlan { hearing: HearingPlan::Range(150.0), area: [1_000.0; 2], ..NetPlan::default() };
    let centre = CentrePlan::Route { points: vec![[45.0, 0.0], [545.0, 0.0]], speed: 10.0 };
    plan.mobility.groups = vec![GroupPlan { key: 1, centre, radius: 1e-9, wander: 0 }];
    plan.stations = vec![station([0.0, 0.0]), station([100.0, 0.0]), station([0.0, 0.0])];
    plan.stations[2].walk = Walk::Member(0);
    plan
}

#[test]
fn who_walks_out_of_range_is_reached_through_others_once_routes_know() {
    let mut mesh = Mesh::new(leaving(), 3);
    mesh.until(9 * SECOND);
    assert_eq!((mesh.net.route(0, 2), mesh.send(0, 2).is_some()), (vec![2], true));
    mesh.until(12 * SECOND);
    assert_eq!((mesh.net.route(0, 2), mesh.send(0, 2)), (vec![2], None), "gone, and routes do not know");
    mesh.until(14 * SECOND);
    assert_eq!(mesh.net.route(0, 2), [1, 2]);
    assert!(mesh.send(0, 2).is_some());
    mesh.until(40 * SECOND);
    assert_eq!((mesh.net.route(0, 2), mesh.send(0, 2)), (vec![], None));
    assert_eq!(mesh.net.positions()[2][0].round(), 445.0);
}

fn walking(hearing: HearingPlan, radio: Option<RadioPlan>) -> NetPlan {
    let walk = WaypointPlan { area: [600.0, 400.0], speed: [5.0, 15.0], pause: SECOND };
    let mut plan = NetPlan { hearing, radio, area: walk.area, ..NetPlan::default() };
    plan.mobility.waypoint = Some(walk);
    // Every fourth stays where it is.
    let walk = |n: u32| if n.is_multiple_of(4) { Walk::Still } else { Walk::Waypoint };
    plan.stations = (0..40).map(|n| StationPlan { walk: walk(n), ..StationPlan::default() }).collect();
    plan
}

const RADIO: RadioPlan = RadioPlan {
    power: 20.0,
    gain: 0.0,
    exponent: 3.0,
    reference: 40.0,
    shadowing: 4.0,
    decorrelation: 25.0,
    noise: -95.0,
    modulation: Modulation::Qpsk,
    coding_gain: 0.0,
};

#[test]
fn whom_one_finds_by_squares_are_all_that_are_in_range() {
    for (hearing, radio) in [(HearingPlan::Range(90.0), None), (HearingPlan::Radio, Some(RADIO))] {
        let mut mesh = Mesh::new(walking(hearing, radio), 40);
        for second in 0..60 {
            mesh.until(second * SECOND);
            let found: BTreeSet<_> =
                mesh.net.links().iter().filter(|link| link.delivery > 0.0).map(|link| (link.from, link.to)).collect();
            let all = (0..40).flat_map(|a| (0..40).map(move |b| (a, b))).filter(|(a, b)| a != b);
            let expected: BTreeSet<_> = all.filter(|&(a, b)| mesh.net.air.delivery(a, b) > 0.0).collect();
            assert_eq!(found, expected, "after {second} s");
            assert!((100..1_561).contains(&found.len()), "{}", found.len());
        }
    }
}

#[test]
fn a_mesh_that_moves_moves_again_in_the_same_way() {
    let run = |seed| {
        let mut mesh = Mesh::seeded(walking(HearingPlan::Radio, Some(RADIO)), 40, seed);
        let fates = (0..40_u64).map(|second| {
            mesh.until(second * SECOND);
            (0..40).map(|n| mesh.send(n, (n + 17) % 40)).collect::<Vec<_>>()
        });
        fates.collect::<Vec<_>>()
    };
    let (first, other) = (run(1), run(2));
    assert_eq!(first, run(1));
    assert_ne!(first, other);
    let arrived = first.iter().flatten().filter(|fate| fate.is_some()).count();
    assert!((500..1_600).contains(&arrived), "{arrived}");
}

#[test]
fn links_lose_as_much_as_the_radio_says() {
    let mut plan = NetPlan { hearing: HearingPlan::Radio, radio: Some(RADIO), area: [1.0; 2], ..NetPlan::default() };
    plan.radio.as_mut().expect("given").shadowing = 0.0;
    plan.stations = vec![station([0.0, 0.0]), station([140.0, 0.0]), station([10.0, 0.0])];
    let mut mesh = Mesh::new(plan, 3);
    let report = mesh.net.links().into_iter().find(|link| (link.from, link.to) == (0, 1)).expect("heard");
    assert!((0.2..0.9).contains(&report.delivery), "{report:?}");
    let sends = 20_000;
    let arrived = (0..sends).filter(|_| mesh.net.send(0, 0, 1, 134).is_some()).count();
    let share = arrived as f64 / f64::from(sends);
    assert!((share - report.delivery).abs() < 0.015, "{share} {report:?}");
    let long = (0..sends).filter(|_| mesh.net.send(0, 0, 1, 268).is_some()).count() as f64 / f64::from(sends);
    assert!((long - share * share).abs() < 0.02, "twice as long: {long}, and not the square of {share}");
}

#[test]
fn a_link_whose_loss_is_given_needs_no_radio() {
    let mut plan = NetPlan { hearing: HearingPlan::Radio, radio: Some(RADIO), area: [1.0; 2], ..NetPlan::default() };
    plan.stations = vec![station([0.0, 0.0]), station([9_000.0, 0.0]), station([10.0, 0.0])];
    let wire = LinkPlan { wired: true, ..lossy(0.0) };
    plan.links = vec![(1, 2, wire), (2, 1, wire)];
    let mut mesh = Mesh::new(plan, 3);
    assert_eq!(mesh.net.route(0, 1), [2, 1]);
    assert!(mesh.send(2, 1).is_some());
}
