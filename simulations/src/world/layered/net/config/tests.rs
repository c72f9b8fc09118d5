use nunect_core::UnitId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Net;
use super::super::plan::{CentrePlan, HearingPlan, JitterPlan, LossPlan, Metric, Walk};
use super::*;

fn units(count: u32) -> Vec<UnitId> {
    (0..count).map(|n| UnitId::new(&format!("n{n:02}")).expect("legal")).collect()
}

/// Names as they are, and `*` for all: patterns are the scenario's.
fn find(units: &[UnitId]) -> impl Fn(&Names) -> Result<Vec<u32>, (usize, String, String)> {
    let units = units.to_vec();
    move |names| {
        let mut found = Vec::new();
        for (position, name) in names.0.iter().enumerate() {
            let meant =
                (0..).zip(&units).filter(|(_, unit)| name == "*" || unit.as_str() == name).map(|(place, _)| place);
            let before = found.len();
            found.extend(meant);
            if found.len() == before {
                return Err((position, format!("no node is called `{name}`"), String::new()));
            }
        }
        Ok(found)
    }
}

fn read(config: Value) -> NetConfig {
    serde_json::from_value(config).expect("a mesh")
}

fn plan_of(config: &NetConfig, count: u32) -> (NetPlan, Vec<String>) {
    let (units, mut problems) = (units(count), Vec::new());
    let plan =
        config.plan(&units, &find(&units), &mut |key, reason, help| problems.push(format!("{key}: {reason}; {help}")));
    (plan, problems)
}

fn plan(config: Value, count: u32) -> NetPlan {
    let (plan, problems) = plan_of(&read(config), count);
    assert_eq!(problems, Vec::<String>::new());
    plan
}

const TESTED: &str = r#"{
    "topology": { "grid": { "columns": 4 } },
    "spacing": 50,
    "link": {
        "delay": "3ms", "jitter": { "exponential": "1ms" }, "rate": "2mbit", "queue": "16KiB", "retries": 3,
        "loss": { "gilbert_elliott": { "loss": "5%", "burst": "200ms" } }, "propagation_speed": 299792458.0
    },
    "links": [{ "between": ["n01", "n02"], "delay": "10ms" }, { "from": "n02", "to": "n01", "loss": "30%" }],
    "stations": [{ "nodes": ["n00"], "at": [7, -7] }],
    "mobility": {
        "groups": [{ "nodes": ["n04", "n05"], "radius": 30, "route": { "points": [[0, 0], [900, 0]], "speed": 5 } }],
        "waypoint": { "nodes": ["n06"], "speed": [2, 4], "pause": "30s" }
    },
    "routes": { "metric": "etx", "hop_limit": 8, "convergence": "5s" }
}"#;

#[test]
fn a_mesh_is_read_whole() {
    let plan = plan(serde_json::from_str(TESTED).expect("JSON"), 8);
    let HearingPlan::Pairs(pairs) = &plan.hearing else { panic!("{:?}", plan.hearing) };
    assert_eq!(pairs.len(), 2 * (3 + 3 + 4));
    assert!(pairs.contains(&(0, 4)) && pairs.contains(&(4, 0)) && !pairs.contains(&(3, 4)));
    assert_eq!(
        (plan.link.delay, plan.link.rate, plan.link.queue, plan.link.retries),
        (3_000_000, Some(2_000_000), 16_384, 3)
    );
    assert_eq!(plan.link.jitter, JitterPlan::Exponential(1_000_000));
    assert_eq!(plan.link.loss, Some(LossPlan::Fades { loss: 0.05, burst: 200_000_000 }));
    let single: Vec<_> =
        plan.links.iter().map(|(from, to, link)| (*from, *to, link.delay, link.loss, link.wired)).collect();
    let own = Some(LossPlan::Share(0.3));
    assert_eq!(single, [(1, 2, 10_000_000, plan.link.loss, false), (2, 1, 10_000_000, own, true)]);
    assert_eq!((plan.stations[0].at, plan.stations[5].at), (Some([7.0, -7.0]), Some([50.0, 50.0])));
    let walks: Vec<_> = plan.stations.iter().map(|station| station.walk).collect();
    assert_eq!(
        (walks[3], walks[4], walks[5], walks[6]),
        (Walk::Still, Walk::Member(0), Walk::Member(0), Walk::Waypoint)
    );
    assert!(matches!(&plan.mobility.groups[0].centre, CentrePlan::Route { speed, .. } if *speed == 5.0));
    let routes = plan.routes;
    assert_eq!((routes.metric, routes.hop_limit, routes.convergence), (Metric::Etx, 8, 5_000_000_000));
}

#[test]
fn an_empty_mesh_hears_everybody_and_the_plan_says_what_the_schema_says() {
    let plan = plan(json!({}), 5);
    assert_eq!((&plan.hearing, plan.radio, plan.mobility.waypoint), (&HearingPlan::All, None, None));
    let defaults = super::super::plan::LinkPlan { backoff: 1_000_000, ..Default::default() };
    assert_eq!((plan.link, plan.routes), (defaults, super::super::plan::RoutePlan::default()));
}

#[test]
fn what_is_written_is_read_again_alike() {
    let config = read(serde_json::from_str(TESTED).expect("JSON"));
    let again = read(serde_json::to_value(&config).expect("JSON"));
    assert_eq!(plan_of(&config, 8), plan_of(&again, 8));
    assert_eq!(serde_json::to_value(&config).expect("JSON"), serde_json::to_value(&again).expect("JSON"));
}

/// How many links each of six nodes has, to whom it sends.
fn degrees(topology: Value) -> Vec<usize> {
    let plan = plan(json!({ "topology": topology, "links": [] }), 6);
    let HearingPlan::Pairs(pairs) = plan.hearing else { panic!("{:?}", plan.hearing) };
    assert!(pairs.iter().all(|&(a, b)| pairs.binary_search(&(b, a)).is_ok()));
    (0..6).map(|node| pairs.iter().filter(|(from, _)| *from == node).count()).collect()
}

#[test]
fn topologies_are_what_they_are_called() {
    assert_eq!(degrees(json!("ring")), [2; 6]);
    assert_eq!(degrees(json!("line")), [1, 2, 2, 2, 2, 1]);
    assert_eq!(degrees(json!({ "grid": { "columns": 3 } })), [2, 3, 2, 2, 3, 2]);
    assert_eq!(degrees(json!({ "star": { "center": "n02" } })), [1, 1, 5, 1, 1, 1]);
    assert_eq!(degrees(json!("explicit")), [0; 6]);
    assert_eq!(
        plan(json!({ "topology": { "random": { "area": [10, 20], "range": 7 } } }), 6).hearing,
        HearingPlan::Range(7.0)
    );
    for config in [
        json!({ "radio": {} }),
        json!({ "topology": "radio" }),
        json!({ "topology": { "random": { "area": [9, 9] } } }),
    ] {
        let plan = plan(config, 6);
        assert_eq!((&plan.hearing, plan.radio.is_some()), (&HearingPlan::Radio, true));
    }
}

#[test]
fn all_walk_but_who_has_a_place_of_its_own() {
    let plan = plan(
        json!({ "topology": "ring", "stations": [{ "nodes": "n02", "at": [0, 0] }], "mobility": { "waypoint": {} } }),
        4,
    );
    let walks: Vec<_> = plan.stations.iter().map(|station| station.walk).collect();
    assert_eq!(walks, [Walk::Waypoint, Walk::Waypoint, Walk::Still, Walk::Waypoint]);
}

#[test]
fn neighbours_of_a_ring_are_as_far_apart_as_asked_for() {
    let net = Net::new(plan(json!({ "topology": "ring", "spacing": 250 }), 12), &[0; 12], 1);
    for n in 0..12 {
        let [a, b] = [net.positions()[n], net.positions()[(n + 1) % 12]];
        assert!(((a[0] - b[0]).hypot(a[1] - b[1]) - 250.0).abs() < 1e-6);
    }
}

#[track_caller]
fn check(config: Value, key: &str, words: &[&str]) {
    let (_, problems) = plan_of(&read(config), 4);
    let [problem] = problems.as_slice() else { panic!("one problem expected: {problems:#?}") };
    assert!(problem.starts_with(&format!("{key}: ")), "{problem}");
    words.iter().for_each(|word| assert!(problem.contains(word), "`{word}` is not in: {problem}"));
}

#[test]
fn what_cannot_be_is_reported_where_it_stands() {
    let bursts =
        |loss: &str, burst: f64| json!({ "link": { "loss": { "gilbert_elliott": { "loss": loss, "burst": burst } } } });
    check(json!({ "links": [{ "between": ["n01", "n01"] }] }), "links[0]", &["itself"]);
    check(json!({ "links": [{ "between": ["n01", "x"] }] }), "links[0].between[1]", &["`x`"]);
    check(json!({ "links": [{ "from": "n01" }] }), "links[0]", &["between"]);
    check(json!({ "links": [{ "between": ["n01", "n02"], "loss": "101%" }] }), "links[0].loss", &["101%"]);
    check(json!({ "link": { "rate": "0bit" } }), "link.rate", &["pass"]);
    check(json!({ "link": { "queue": 0 } }), "link.queue", &["wait"]);
    check(json!({ "link": { "loss": "-1%" } }), "link.loss", &["0%"]);
    check(json!({ "link": { "loss": "1%" }, "radio": {} }), "link.loss", &["radio"]);
    check(json!({ "link": { "propagation_speed": 0 } }), "link.propagation_speed", &["speed"]);
    check(bursts("60%", 1.0), "link.loss.gilbert_elliott.burst", &["at least 2"]);
    check(bursts("100%", 4.0), "link.loss.gilbert_elliott.loss", &["loss: 100%"]);
    check(json!({ "topology": { "star": { "center": "hub" } } }), "topology.star.center", &["hub"]);
    check(json!({ "topology": { "star": { "center": "*" } } }), "topology.star.center", &["one node"]);
    check(json!({ "topology": { "grid": { "columns": 0 } } }), "topology.grid.columns", &["columns"]);
    check(json!({ "topology": { "random": { "area": [0, 5], "range": 9 } } }), "topology.random.area[0]", &["0 m"]);
    check(json!({ "area": [5, -1] }), "area[1]", &["-1 m"]);
    check(json!({ "radio": { "exponent": 0.5 } }), "radio.exponent", &["0.5"]);
    check(json!({ "radio": { "shadowing": "-1dB" } }), "radio.shadowing", &["-1dB"]);
    check(json!({ "stations": [{ "nodes": "n00", "power": "10dBm" }] }), "stations[0].power", &["no radio"]);
    check(json!({ "routes": { "hop_limit": 0 } }), "routes.hop_limit", &["1 to 255"]);
    check(json!({ "routes": { "usable": "0%" } }), "routes.usable", &["1%"]);
    check(json!({ "mobility": { "step": "0s" } }), "mobility.step", &["1s"]);
    check(json!({ "mobility": { "waypoint": { "speed": [3, 1] } } }), "mobility.waypoint.speed", &["lower"]);
    check(json!({ "mobility": { "waypoint": { "speed": [0, 1] } } }), "mobility.waypoint.speed[0]", &["arrives"]);
    let group = |extra: Value| {
        let mut group = json!({ "nodes": "n01", "radius": 5 });
        group.as_object_mut().expect("a map").extend(extra.as_object().expect("a map").clone());
        json!({ "mobility": { "groups": [group] } })
    };
    check(group(json!({})), "mobility.groups[0]", &["waypoint", "route"]);
    check(group(json!({ "route": { "points": [], "speed": 1 } })), "mobility.groups[0].route.points", &["points"]);
    check(group(json!({ "radius": 0, "waypoint": {} })), "mobility.groups[0].radius", &["0 m"]);
}

#[test]
fn quantities_are_read_with_their_units_and_written_again() {
    for (text, rate, written) in
        [("2mbit", 2_000_000, "2mbit"), ("0.5 Mbit/s", 500_000, "500kbit"), ("9600bit", 9_600, "9600bit")]
    {
        let read: Rate = text.parse().expect(text);
        assert_eq!((read, read.to_string().as_str()), (Rate(rate), written));
    }
    assert_eq!(
        ("1%".parse(), "0.5 %".parse(), "12".parse::<Percent>().is_err()),
        (Ok(Percent(1.0)), Ok(Percent(0.5)), true)
    );
    assert_eq!(
        ("-95dBm".parse(), "4 dB".parse(), "2dBi".parse()),
        (Ok(Dbm(-95.0)), Ok(Decibels(4.0)), Ok(Decibels(2.0)))
    );
    for wrong in ["2", "mbit", "-1kbit", "0.0001bit", "2mb", "infbit", "é"] {
        let error = wrong.parse::<Rate>().expect_err(wrong);
        assert!(error.contains(wrong) && error.contains("2mbit"), "{error}");
    }
    assert!(
        "4dBm".parse::<Decibels>().is_err() && "20dB".parse::<Dbm>().is_err() && "nan%".parse::<Percent>().is_err()
    );
}

#[test]
fn a_wrong_shape_says_what_is_expected() {
    let error = |config: Value| serde_json::from_value::<NetConfig>(config).expect_err("wrong").to_string();
    assert!(error(json!({ "link": { "rate": 5 } })).contains("2mbit"));
    assert!(error(json!({ "link": { "loss": 1 } })).contains("gilbert_elliott"));
    assert!(error(json!({ "link": { "jitter": true } })).contains("exponential"));
    assert!(error(json!({ "topology": "circle" })).contains("`ring`"));
    assert!(error(json!({ "link": { "los": "1%" } })).contains("`loss`"));
}

#[test]
fn the_schema_describes_every_key() {
    let schema = schemars::schema_for!(NetConfig).to_value();
    let keys = schema["properties"].as_object().expect("a map");
    assert!(keys.len() >= 9 && keys.values().all(|key| key.get("description").is_some()), "{schema:#}");
}

proptest! {
    #[test]
    fn no_text_makes_the_units_panic(text in ".{0,12}") {
        let _ = (text.parse::<Rate>(), text.parse::<Percent>(), text.parse::<Decibels>(), text.parse::<Dbm>());
    }

    #[test]
    fn a_rate_survives_being_written(rate in 0_u64..9_000_000_000_000_000) {
        prop_assert_eq!(Rate(rate).to_string().parse(), Ok(Rate(rate)));
    }
}
