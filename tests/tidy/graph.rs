//! The packages that a build on one platform uses, from `cargo metadata`.

use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::process::Command;

/// The platforms that nunect is built for.
pub(crate) const PLATFORMS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// A package of the graph, with the indices of those it depends on.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    /// The registry or repository it comes from; none for a folder.
    pub(crate) source: Option<String>,
    /// Whether it is one of the workspace's own.
    pub(crate) is_ours: bool,
    /// For the build: normal and build dependencies.
    pub(crate) uses: Vec<usize>,
    /// For its tests, examples and benches alone.
    pub(crate) uses_in_tests: Vec<usize>,
}

/// All packages of the workspace's build, tests included.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) packages: Vec<Package>,
}

impl Graph {
    /// The graph for `platform`, exactly as `Cargo.lock` has it.
    pub(crate) fn of_this_workspace(platform: &str) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", platform])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap_or_else(|error| panic!("starting cargo: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo metadata for {platform} failed: {said}");
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("reading what cargo metadata says: {error}"));
        Self::read(&metadata)
    }

    pub(crate) fn read(metadata: &Value) -> Self {
        let ours: Vec<&str> = list(&metadata["workspace_members"]).iter().map(text).collect();
        let mut index = BTreeMap::new();
        let mut packages = Vec::new();
        for package in list(&metadata["packages"]) {
            index.insert(text(&package["id"]), packages.len());
            packages.push(Package {
                name: text(&package["name"]).to_string(),
                version: text(&package["version"]).to_string(),
                licence: package["license"].as_str().map(str::to_string),
                source: package["source"].as_str().map(str::to_string),
                is_ours: ours.contains(&text(&package["id"])),
                ..Package::default()
            });
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let user = &mut packages[index[text(&node["id"])]];
            for dependency in list(&node["deps"]) {
                let used = index[text(&dependency["pkg"])];
                // A normal dependency's kind is null, a build dependency's "build".
                let in_tests = |kind: &Value| kind["kind"].as_str() == Some("dev");
                if list(&dependency["dep_kinds"]).iter().all(in_tests) {
                    user.uses_in_tests.push(used);
                } else {
                    user.uses.push(used);
                }
            }
        }
        Self { packages }
    }

    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_ours)
    }

    /// The names of those of the packages `used` that are the workspace's own.
    pub(crate) fn ours_among<'a>(&'a self, used: &'a [usize]) -> impl Iterator<Item = &'a str> {
        let ours = used.iter().map(|&at| &self.packages[at]).filter(|package| package.is_ours);
        ours.map(|package| package.name.as_str())
    }

    /// Every package that the build of `name` uses, each with a shortest way to it: `["nunect-core", "serde"]`.
    /// None when there is no such package.
    pub(crate) fn ways_from(&self, name: &str) -> Option<Vec<Vec<&str>>> {
        let start = self.packages.iter().position(|package| package.is_ours && package.name == name)?;
        let mut came_from: Vec<Option<usize>> = vec![None; self.packages.len()];
        came_from[start] = Some(start);
        let mut ways = Vec::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(at) = waiting.pop_front() {
            let mut way = vec![self.packages[at].name.as_str()];
            let mut step = at;
            while let Some(before) = came_from[step].filter(|&before| before != step) {
                way.insert(0, &self.packages[before].name);
                step = before;
            }
            ways.push(way);
            for &next in &self.packages[at].uses {
                if came_from[next].is_none() {
                    came_from[next] = Some(at);
                    waiting.push_back(next);
                }
            }
        }
        Some(ways)
    }
}

#[track_caller]
fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("cargo metadata has {value} where a list should stand"))
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("cargo metadata has {value} where a text should stand"))
}
