use serde_json::{Value, json};

use super::*;

fn section(said: Value) -> SupervisionSection {
    serde_json::from_value(said).expect("legal")
}

fn names(names: &str) -> Vec<ActorName> {
    names.split_whitespace().map(|name| ActorName::new(name).expect("legal")).collect()
}

/// `a g(b c)`: an actor, and a group of two.
fn shown(tree: &TreeSpec) -> String {
    let node = |node: &NodeSpec| match node {
        NodeSpec::Actor(actor) => actor.name.to_string(),
        NodeSpec::Group { name, spec, .. } => format!("{name}({})", shown(spec)),
    };
    tree.children.iter().map(node).collect::<Vec<_>>().join(" ")
}

#[test]
fn nothing_said_is_the_flat_tree_of_defaults() {
    let tree = SupervisionSection::default().tree(&names("a b c"));
    assert_eq!(tree, TreeSpec::flat(names("a b c")));
}

#[test]
fn a_group_stands_where_the_first_of_its_actors_would() {
    let said = section(json!({ "groups": {
        "late": { "children": ["d", "inner"] },
        "inner": { "children": ["e", "c"] },
        "early": { "children": ["f", "a"] },
    }}));
    let tree = said.tree(&names("a b c d e f g"));
    assert_eq!(shown(&tree), "early(f a) b late(d inner(e c)) g");
    assert_eq!(tree.check(), Ok(()));
}

#[test]
fn who_does_not_run_is_left_out_and_so_are_groups_of_which_nobody_runs() {
    let said = section(json!({ "groups": {
        "outer": { "children": ["inner", "a"] },
        "inner": { "children": ["b", "c"] },
    }}));
    assert_eq!(shown(&said.tree(&names("b d"))), "outer(inner(b)) d");
    assert_eq!(shown(&said.tree(&names("a d"))), "outer(a) d");
    assert_eq!(shown(&said.tree(&names("d"))), "d");
}

#[test]
fn what_is_wrong_still_gives_a_tree_of_all_actors() {
    let said = section(json!({ "groups": {
        "a": { "children": ["b"] },
        "b": { "children": ["a", "x"] },
        "one": { "children": ["y", "y"] },
        "two": { "children": ["y", "z"] },
    }}));
    assert_eq!(shown(&said.tree(&names("x y z"))), "x one(y) two(z)");
}

#[test]
fn every_setting_has_its_place() {
    let said = section(json!({
        "strategy": "rest_for_one",
        "intensity": { "crashes": 9 },
        "auto_shutdown": "any_significant",
        "groups": { "g": {
            "strategy": "one_for_all",
            "backoff": { "cap": "2s" },
            "auto_shutdown": "all_significant",
            "restart": "transient",
            "significant": true,
            "children": ["a"],
        }},
        "children": { "a": { "restart": "temporary", "shutdown": { "timeout": "250ms" }, "significant": true } },
    }));
    let tree = said.tree(&names("a"));
    assert_eq!((tree.strategy, tree.intensity.crashes), (Strategy::RestForOne, 9));
    assert_eq!(tree.auto_shutdown, AutoShutdown::AnySignificant);
    let [NodeSpec::Group { restart: Restart::Transient, significant: true, spec, .. }] = tree.children.as_slice()
    else {
        panic!("{tree:?}")
    };
    assert_eq!((spec.strategy, spec.auto_shutdown), (Strategy::OneForAll, AutoShutdown::AllSignificant));
    assert_eq!(spec.backoff, Backoff { cap: nunect_core::Period::from_secs(2), ..Backoff::default() });
    let shutdown = Shutdown::Timeout(nunect_core::Period::from_millis(250));
    let a = ChildSpec { restart: Restart::Temporary, shutdown, significant: true, name: names("a")[0].clone() };
    assert_eq!(spec.children, [NodeSpec::Actor(a)]);
    assert_eq!(said.mistakes(&["a"]), []);
}
