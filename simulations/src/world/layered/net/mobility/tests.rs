use proptest::prelude::*;

use super::super::plan::StationPlan;
use super::*;

const PLAN: WaypointPlan = WaypointPlan { area: [1_000.0, 600.0], speed: [1.0, 9.0], pause: 60_000_000_000 };

fn second(n: u64) -> u64 {
    n * 1_000_000_000
}

/// Mean position, and the shares that pause and that are in the middle quarter, of many walkers.
fn census(now: u64) -> (f64, f64, f64) {
    const WALKERS: u64 = 5_000;
    let (mut x, mut paused, mut middle) = (0.0, 0.0, 0.0);
    for n in 0..WALKERS {
        let mut walker = Walker::new(mix(n), PLAN);
        let [east, north] = walker.at(now);
        x += east;
        paused += f64::from(u8::from(now as f64 >= walker.arrives));
        let central = (250.0..750.0).contains(&east) && (150.0..450.0).contains(&north);
        middle += f64::from(u8::from(central));
    }
    (x / WALKERS as f64, paused / WALKERS as f64, middle / WALKERS as f64)
}

#[test]
fn walkers_begin_as_they_go_on() {
    let slowness = libm::log(9.0) / 8.0;
    let paused = 60.0 / (60.0 + mean_distance(PLAN.area) * slowness);
    let (_, _, settled) = census(second(20_000));
    for now in [0, 30, 300, 2_000].map(second) {
        let (x, pausing, middle) = census(now);
        assert!((x - 500.0).abs() < 15.0, "{x} at {now}");
        assert!((pausing - paused).abs() < 0.025, "{pausing} pause at {now}, and not {paused}");
        assert!((middle - settled).abs() < 0.025 && middle > 0.3, "{middle} in the middle at {now}, later {settled}");
    }
}

#[test]
fn the_mean_distance_in_a_square_is_known() {
    assert!((mean_distance([1.0, 1.0]) - 0.521_405).abs() < 1e-6);
    assert!((mean_distance([7.0, 7.0]) - 7.0 * 0.521_405).abs() < 1e-5);
    let drawn = (0..50_000).map(|n| distance(anywhere(mix(n), PLAN.area), anywhere(mix(n ^ 1 << 40), PLAN.area)));
    let mean = drawn.sum::<f64>() / 50_000.0;
    assert!((mean / mean_distance(PLAN.area) - 1.0).abs() < 0.01, "{mean}");
}

proptest! {
    #[test]
    fn a_walker_stays_in_its_area_and_never_exceeds_its_speed(key: u64, steps in prop::collection::vec(1_u64..100, 1..50)) {
        let (mut walker, mut now) = (Walker::new(key, PLAN), 0);
        let mut before = walker.at(0);
        for step in steps {
            now += second(step);
            let at = walker.at(now);
            prop_assert!((0.0..=1_000.0).contains(&at[0]) && (0.0..=600.0).contains(&at[1]), "{:?}", at);
            prop_assert!(distance(before, at) <= 9.0 * step as f64 + 1e-6);
            before = at;
        }
    }
}

#[test]
fn a_route_is_followed_to_its_end() {
    let points = [[0.0, 0.0], [100.0, 0.0], [100.0, 50.0]];
    let at = |seconds| along(&points, 10.0, second(seconds));
    assert_eq!([at(0), at(5), at(12), at(15), at(99)], [[0.0, 0.0], [50.0, 0.0], [100.0, 20.0], points[2], points[2]]);
}

fn convoy(wander: u64) -> NetPlan {
    let centre = CentrePlan::Route { points: vec![[0.0, 0.0], [10_000.0, 0.0]], speed: 20.0 };
    let mut plan = NetPlan { area: [100.0, 100.0], ..NetPlan::default() };
    plan.mobility.groups = vec![GroupPlan { key: 1, centre, radius: 30.0, wander }];
    plan.stations = vec![StationPlan { walk: Walk::Member(0), ..StationPlan::default() }; 20];
    plan.stations.push(StationPlan::default());
    plan
}

#[test]
fn a_group_stays_together() {
    let keys: Vec<u64> = (0..21).map(mix).collect();
    for wander in [0, second(40)] {
        let mut field = Field::new(&convoy(wander), &keys, 1);
        let lone = field.positions[20];
        for now in 0..400 {
            field.step(second(now));
            let centre = [20.0 * now as f64, 0.0];
            assert!(field.positions[..20].iter().all(|&at| distance(at, centre) <= 30.0 + 1e-6));
        }
        assert_eq!((field.positions[20], field.moved[20], field.moved[3]), (lone, false, true));
    }
}

#[test]
fn where_a_station_is_depends_on_its_name_and_not_on_the_others() {
    let keys: Vec<u64> = (0..21).map(mix).collect();
    let mut more = keys.clone();
    more.insert(20, 99);
    let (few, many) = (Field::new(&convoy(0), &keys, 1), Field::new(&convoy(0), &more, 1));
    assert_eq!(few.positions[20], many.positions[21]);
    assert_ne!(few.positions[20], Field::new(&convoy(0), &keys, 2).positions[20]);
}
