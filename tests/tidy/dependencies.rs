//! Which packages may stand in the graph, and which crate may use which.

use super::finding::{Finding, Rule};
use super::graph::{Graph, Package};
use super::licence::is_satisfied;
use std::collections::{BTreeMap, BTreeSet};

/// Which of our crates each of them may use.
const DIRECTION: &[(&str, &[&str])] = &[
    ("nunect-core", &[]),
    ("nunect-supervisor", &["nunect-core"]),
    ("nunect-actors", &["nunect-core"]),
    ("nunect-timesync-sys", &[]),
    // Not nunect-actors: the runtime hosts whatever the catalog gives it.
    ("nunect-runtime", &["nunect-core", "nunect-supervisor", "nunect-timesync-sys"]),
    ("nunect-simulations", &["nunect-core", "nunect-supervisor", "nunect-actors"]),
];
/// The root package and the measurements use whatever they need, and nobody uses them.
const TOP: [&str; 2] = ["nunect", "nunect-benches"];

/// The two hosts, which do not know each other even in tests.
const HOSTS: [&str; 2] = ["nunect-runtime", "nunect-simulations"];

/// Crates that no pure crate's build may contain: runtimes, the network, the host, the machine's randomness.
const WORLDLY: &[&str] = &[
    "async-global-executor",
    "async-io",
    "async-nats",
    "async-std",
    "axum",
    "dashmap",
    "figment",
    "futures-executor",
    "getrandom",
    "hyper",
    "mio",
    "notify",
    "polling",
    "ractor",
    "ractor_cluster",
    "reqwest",
    "signal-hook",
    "smol",
    "socket2",
    "sysinfo",
    "tokio",
];

const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "MPL-2.0",
];

/// Crates that may not be used at all, and why.
const BANNED: &[(&str, &str)] = &[
    ("serde_yaml", "deprecated; serde-saphyr reads YAML"),
    ("openssl", "TLS is rustls with ring"),
    ("openssl-sys", "TLS is rustls with ring"),
    ("native-tls", "TLS is rustls with ring"),
    ("chrony-candm", "GPL-2.0"),
    ("ractor-supervisor", "does not compile with ractor's `cluster`, and is wrong on killed transient children"),
    ("turmoil", "millisecond grain: nunect-simulations is the simulator"),
    ("madsim", "one runtime per host: nunect-simulations is the simulator"),
    ("linkme", "entries can be dropped silently: register actors with `Program::with`"),
    ("inventory", "entries can be dropped silently: register actors with `Program::with`"),
];

/// Crates whose types cross our interfaces, so that two versions would not fit together.
const ONE_VERSION: &[&str] = &["async-nats", "bytes", "ractor", "serde", "tokio"];

const PURE: Rule = Rule {
    says: "the build of a pure crate contains no runtime, no network and no source of randomness",
    instead: "move what needs it into nunect-runtime, and hand its result in as an input",
};
const ONE_WAY: Rule = Rule {
    says: "dependencies point one way: core, then supervisor and actors, then runtime and simulations, then the root",
    instead: "move the shared part down into nunect-core, or hand it in from the root package; \
              a new crate gets its place in tests/tidy/dependencies.rs",
};
const LICENCE: Rule = Rule {
    says: "every package can be used under a licence from the list in tests/tidy/dependencies.rs",
    instead: "use another package",
};
const SOURCE: Rule = Rule {
    says: "packages come from the crates registry or this workspace",
    instead: "depend on a published version, or make it a member of the workspace",
};
const BAN: Rule = Rule { says: "some crates are not used, for a reason", instead: "do as the reason says" };
const TWICE: Rule = Rule {
    says: "a crate whose types cross our interfaces is there in one version",
    instead: "choose versions that agree: `cargo tree --duplicates` shows who wants which",
};

/// Packages that reach the world in the builds of the crates `pure`, with the way to each.
pub(crate) fn worldly_packages(graph: &Graph, pure: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in pure {
        let Some(ways) = graph.ways_from(name) else {
            findings.push(PURE.of(name, "there is no such package"));
            continue;
        };
        let worldly = ways.iter().filter(|way| way.last().is_some_and(|package| is_worldly(package)));
        findings.extend(worldly.map(|way| PURE.of(name, way.join(" → "))));
    }
    findings
}

fn is_worldly(package: &str) -> bool {
    package.starts_with("tokio-") || WORLDLY.contains(&package)
}

/// Our crates that use one of ours they should not.
pub(crate) fn wrong_directions(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in graph.ours().filter(|package| !TOP.contains(&package.name.as_str())) {
        let name = package.name.as_str();
        let Some((_, allowed)) = DIRECTION.iter().find(|(crate_, _)| *crate_ == name) else {
            findings.push(ONE_WAY.of(name, "the crate has no place yet"));
            continue;
        };
        let wrong = graph.ours_among(&package.uses).filter(|used| !allowed.contains(used));
        findings.extend(wrong.map(|used| ONE_WAY.of(name, format!("uses {used}"))));
        let other_host = |used: &&str| HOSTS.contains(&name) && HOSTS.contains(used);
        let wrong = graph.ours_among(&package.uses_in_tests).filter(other_host);
        findings.extend(wrong.map(|used| ONE_WAY.of(name, format!("uses {used} in tests"))));
    }
    findings
}

/// Packages whose licence is missing, unreadable or not on the list.
pub(crate) fn licences(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &graph.packages {
        let found = match package.licence.as_deref().map(|licence| (licence, is_satisfied(licence, LICENCES))) {
            Some((_, Ok(true))) => continue,
            Some((licence, Ok(false))) => format!("is under `{licence}`"),
            Some((licence, Err(error))) => format!("has the licence `{licence}`: {error}"),
            None => "states no licence".to_string(),
        };
        findings.push(LICENCE.of(named(package), found));
    }
    findings
}

/// Packages from a repository, another registry, or a folder outside the workspace.
pub(crate) fn sources(graph: &Graph) -> Vec<Finding> {
    let is_registry = |source: &str| source.starts_with("registry+") && source.ends_with("/crates.io-index");
    let is_right = |package: &&Package| package.source.as_deref().map_or(package.is_ours, is_registry);
    let wrong = graph.packages.iter().filter(|package| !is_right(package));
    let from = |package: &Package| package.source.clone().unwrap_or_else(|| "a folder outside the workspace".into());
    wrong.map(|package| SOURCE.of(named(package), format!("comes from {}", from(package)))).collect()
}

/// Packages that are not to be used.
pub(crate) fn banned(graph: &Graph) -> Vec<Finding> {
    let reason = |package: &Package| BANNED.iter().find(|(name, _)| *name == package.name).map(|(_, reason)| *reason);
    graph.packages.iter().filter_map(|package| Some(BAN.of(named(package), reason(package)?))).collect()
}

/// Two versions of a crate whose types cross our interfaces.
pub(crate) fn duplicates(graph: &Graph) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in graph.packages.iter().filter(|package| ONE_VERSION.contains(&package.name.as_str())) {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let list = |versions: BTreeSet<&str>| versions.into_iter().collect::<Vec<_>>().join(" and ");
    versions.into_iter().map(|(name, versions)| TWICE.of(name, list(versions))).collect()
}

fn named(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::told;
    use serde_json::{Value, json};

    /// A graph as `cargo metadata` tells it: `a -> b` is a normal dependency, `=>` one for building, `~>` for tests.
    /// Names that begin with `nunect` are ours.
    fn graph(arrows: &[&str]) -> Graph {
        let mut names = BTreeSet::new();
        let mut nodes: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for arrow in arrows {
            let [user, arrow, used] = arrow.split(' ').collect::<Vec<_>>()[..] else { panic!("{arrow} is no arrow") };
            let kind = match arrow {
                "->" => json!({ "kind": null }),
                "=>" => json!({ "kind": "build" }),
                _ => json!({ "kind": "dev" }),
            };
            names.extend([user, used]);
            nodes.entry(user).or_default().push(json!({ "pkg": used, "dep_kinds": [kind, { "kind": "dev" }] }));
        }
        let ours: Vec<_> = names.iter().filter(|name| name.starts_with("nunect")).collect();
        let packages: Vec<_> =
            names.iter().map(|name| json!({ "id": name, "name": name, "version": "1.0.0" })).collect();
        let nodes: Vec<_> = nodes.iter().map(|(user, deps)| json!({ "id": user, "deps": deps })).collect();
        Graph::read(&json!({ "workspace_members": ours, "packages": packages, "resolve": { "nodes": nodes } }))
    }

    fn package(name: &str, version: &str, licence: Option<&str>, source: Option<&str>) -> Package {
        Package {
            name: name.to_string(),
            version: version.to_string(),
            licence: licence.map(str::to_string),
            source: source.map(str::to_string),
            ..Package::default()
        }
    }

    #[test]
    fn a_worldly_package_is_found_however_deep_and_by_its_way() {
        let graph = graph(&[
            "nunect-core -> a",
            "a -> b",
            "a => tokio-util",
            "b -> getrandom",
            "getrandom -> a",
            "nunect-core ~> proptest",
            "proptest -> tokio",
        ]);
        let found = worldly_packages(&graph, &["nunect-core".to_string(), "nunect-lost".to_string()]);
        assert_eq!(
            told(&found),
            [
                "nunect-core: nunect-core → a → tokio-util",
                "nunect-core: nunect-core → a → b → getrandom",
                "nunect-lost: there is no such package",
            ]
        );
        for name in WORLDLY {
            assert!(is_worldly(name));
        }
    }

    #[test]
    fn a_dependency_that_points_the_other_way_is_found() {
        let graph = graph(&[
            "nunect-core -> nunect-actors",
            "nunect-runtime -> nunect-actors",
            "nunect-runtime -> nunect-supervisor",
            "nunect-runtime ~> nunect-simulations",
            "nunect-simulations ~> nunect-actors",
            "nunect-supervisor => nunect-runtime",
            "nunect-supervisor -> serde",
            "nunect-web -> nunect-core",
            "nunect-actors -> nunect",
            "nunect -> nunect-web",
            "nunect-benches -> nunect-runtime",
        ]);
        assert_eq!(
            told(&wrong_directions(&graph)),
            [
                "nunect-actors: uses nunect",
                "nunect-core: uses nunect-actors",
                "nunect-runtime: uses nunect-actors",
                "nunect-runtime: uses nunect-simulations in tests",
                "nunect-supervisor: uses nunect-runtime",
                "nunect-web: the crate has no place yet",
            ]
        );
    }

    #[test]
    fn licences_off_the_list_are_found() {
        let packages = vec![
            package("a", "1.0.0", Some("MIT OR GPL-2.0"), None),
            package("b", "1.0.0", Some("GPL-2.0"), None),
            package("c", "1.0.0", None, None),
            package("d", "1.0.0", Some("MIT OR"), None),
        ];
        assert_eq!(
            told(&licences(&Graph { packages })),
            [
                "b 1.0.0: is under `GPL-2.0`",
                "c 1.0.0: states no licence",
                "d 1.0.0: has the licence `MIT OR`: it ends where a licence should stand",
            ]
        );
    }

    #[test]
    fn packages_from_elsewhere_are_found() {
        let ours = Package { is_ours: true, ..package("nunect", "0.1.0", None, None) };
        let packages = vec![
            ours,
            package("a", "1.0.0", None, Some("registry+https://index.example/crates.io-index")),
            package("b", "1.0.0", None, Some("registry+https://index.example/other")),
            package("c", "1.0.0", None, Some("git+https://git.example/c")),
            package("d", "1.0.0", None, None),
        ];
        assert_eq!(
            told(&sources(&Graph { packages })),
            [
                "b 1.0.0: comes from registry+https://index.example/other",
                "c 1.0.0: comes from git+https://git.example/c",
                "d 1.0.0: comes from a folder outside the workspace",
            ]
        );
    }

    #[test]
    fn each_banned_package_is_found_with_the_reason() {
        for (name, reason) in BANNED {
            let packages = vec![package(name, "1.0.0", None, None), package("fine", "1.0.0", None, None)];
            assert_eq!(told(&banned(&Graph { packages })), [format!("{name} 1.0.0: {reason}")]);
        }
    }

    #[test]
    fn two_versions_of_a_shared_crate_are_found() {
        let two = |name: &str| vec![package(name, "1.0.0", None, None), package(name, "2.0.0", None, None)];
        for name in ONE_VERSION {
            assert_eq!(told(&duplicates(&Graph { packages: two(name) })), [format!("{name}: 1.0.0 and 2.0.0")]);
        }
        assert_eq!(told(&duplicates(&Graph { packages: two("syn") })), [""; 0]);
    }
}
