//! What has to stay absent for the architecture to hold, checked on the sources and on the dependency graph.
//!
//! Each rule is a function from files or packages to findings, in a module of `tests/tidy/`, and is shown there to
//! find what it is for. A finding says where it is, which rule it breaks and what to do instead.

mod tidy {
    pub(crate) mod dependencies;
    pub(crate) mod finding;
    pub(crate) mod graph;
    pub(crate) mod hygiene;
    pub(crate) mod lexer;
    pub(crate) mod licence;
    pub(crate) mod purity;
    pub(crate) mod tree;
    pub(crate) mod wire;
}

use tidy::finding::{Finding, assert_none};
use tidy::graph::{Graph, PLATFORMS};
use tidy::tree::Tree;
use tidy::{dependencies, hygiene, purity, wire};

#[track_caller]
fn check_sources(rule: fn(&Tree) -> Vec<Finding>) {
    assert_none(&rule(&Tree::of_this_repository()));
}

#[track_caller]
fn check_graph(rule: impl Fn(&Graph) -> Vec<Finding>) {
    for platform in PLATFORMS {
        let graph = Graph::of_this_workspace(platform);
        assert!(graph.ours().count() >= 6, "cargo metadata shows fewer packages than the workspace has");
        assert_none(&rule(&graph));
    }
}

#[test]
fn pure_crates_are_built_without_runtimes_network_and_randomness() {
    let pure: Vec<String> = purity::PURE.iter().map(|folder| format!("nunect-{folder}")).collect();
    check_graph(|graph| dependencies::worldly_packages(graph, &pure));
}

#[test]
fn dependencies_point_one_way() {
    check_graph(dependencies::wrong_directions);
}

#[test]
fn every_package_has_an_allowed_licence() {
    check_graph(dependencies::licences);
}

#[test]
fn every_package_comes_from_the_registry_or_the_workspace() {
    check_graph(dependencies::sources);
}

#[test]
fn no_banned_package_is_used() {
    check_graph(dependencies::banned);
}

#[test]
fn crates_that_cross_interfaces_are_there_in_one_version() {
    check_graph(dependencies::duplicates);
}

#[test]
fn pure_crates_take_time_randomness_and_the_world_as_inputs() {
    check_sources(purity::impure_code);
}

#[test]
fn clippy_guards_every_pure_crate() {
    check_sources(purity::missing_clippy_rules);
}

#[test]
fn subjects_and_headers_are_spelled_only_in_the_protocol() {
    check_sources(wire::wire_literals);
}

#[test]
fn the_runtime_names_no_component() {
    let kinds = wire::kinds(&Tree::of_this_repository());
    assert!(
        !kinds.is_empty(),
        "no `const KIND: &'static str = …` was found in actors/src: the rule would check nothing"
    );
    check_sources(wire::components_in_runtime);
}

#[test]
fn only_the_crate_for_it_is_unsafe() {
    check_sources(hygiene::unsafe_code);
}

#[test]
fn every_package_inherits_the_lints_that_forbid_unsafe_code() {
    check_sources(hygiene::missing_lints);
}

#[test]
fn the_crate_with_unsafe_code_has_the_other_lints() {
    check_sources(hygiene::lints_of_unsafe_crate);
}

#[test]
fn panics_unwind_everywhere() {
    check_sources(hygiene::panic_abort);
}

#[test]
fn no_file_is_too_long() {
    check_sources(hygiene::long_files);
}

#[test]
fn nothing_is_unfinished_and_no_test_is_skipped() {
    check_sources(hygiene::unfinished_code);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    check_sources(hygiene::machine_paths);
}
