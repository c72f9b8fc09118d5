//! The pure crates take time, randomness and the world as inputs.

use super::finding::{Finding, Rule};
use super::lexer::{Token, occurrences};
use super::tree::Tree;

/// The folders of the crates whose code both hosts run, and of the simulator.
pub(crate) const PURE: &[&str] = &["core", "actors", "supervisor", "simulations"];

/// The one place where the simulator reads files: its scenarios.
const READS_FILES: &str = "simulations/src/scenario/file.rs";

/// Words and phrases that pure code has no use for, and why.
const IMPURE: &[(&str, Rule)] = &[
    ("Instant", CLOCK),
    ("SystemTime", CLOCK),
    ("Timestamp::now", CLOCK),
    ("Zoned::now", CLOCK),
    ("thread::sleep", CLOCK),
    ("thread_rng", RANDOM),
    ("ThreadRng", RANDOM),
    ("rand::rng", RANDOM),
    ("rand::random", RANDOM),
    ("OsRng", RANDOM),
    ("SysRng", RANDOM),
    ("StdRng", RANDOM),
    ("SmallRng", RANDOM),
    ("from_entropy", RANDOM),
    ("from_os_rng", RANDOM),
    ("getrandom", RANDOM),
    ("HashMap", ORDER),
    ("HashSet", ORDER),
    ("DashMap", ORDER),
    ("DashSet", ORDER),
];

/// Modules of `std` that reach the world.
const WORLD: &[&str] = &["env", "fs", "net", "os", "process"];

const CLOCK: Rule = Rule {
    says: "a pure crate reads no clock",
    instead: "take the time as an input: `core::time::Now`, which both hosts hand in",
};
const RANDOM: Rule = Rule {
    says: "a pure crate draws no randomness of its own, and none from a stream that changes with a library's version",
    instead: "take it from `Birth`, or from a `rand_chacha` stream seeded by the caller",
};
const ORDER: Rule = Rule {
    says: "a pure crate uses no container whose order differs from run to run",
    instead: "use `BTreeMap`, `BTreeSet`, or the insertion-ordered table of `core::table`",
};
const REACH: Rule = Rule {
    says: "a pure crate does not reach the file system, the network, the environment or other processes",
    instead: "let `nunect-runtime` read it and hand it in, as an input or an effect",
};
const CLIPPY: Rule = Rule {
    says: "each pure crate has a clippy.toml that disallows clocks and unordered containers, tests included",
    instead: "copy the `disallowed-methods` and `disallowed-types` of another pure crate's clippy.toml",
};

/// What each pure crate's `clippy.toml` has to disallow.
const DISALLOWED: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::collections::HashMap",
    "std::collections::HashSet",
];

/// Clocks, randomness, unordered containers and the world in the production code of pure crates.
pub(crate) fn impure_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.production() {
        if !PURE.iter().any(|folder| source.path.starts_with(&format!("{folder}/"))) {
            continue;
        }
        for (phrase, rule) in IMPURE {
            for at in occurrences(&source.tokens, phrase) {
                findings.push(rule.at(&source.path, source.tokens[at].line, format!("`{phrase}`")));
            }
        }
        for (module, line) in std_modules(&source.tokens) {
            if WORLD.contains(&module) && !(source.path == READS_FILES && module == "fs") {
                findings.push(REACH.at(&source.path, line, format!("`std::{module}`")));
            }
        }
    }
    findings
}

/// The modules of `std` that are named: by `std::fs`, and by `std::{fs, net::TcpStream}`.
fn std_modules(tokens: &[Token]) -> Vec<(&str, usize)> {
    let mut modules = Vec::new();
    for at in occurrences(tokens, "std::") {
        let Some(next) = tokens.get(at + 3) else { continue };
        if !next.reads("{") {
            modules.push((next.text.as_str(), next.line));
            continue;
        }
        let mut depth = 0_usize;
        for pair in tokens[at + 3..].windows(2) {
            let [token, following] = pair else { continue };
            if token.reads("{") {
                depth += 1;
            } else if token.reads("}") {
                depth -= 1;
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && (token.reads("{") || token.reads(",")) {
                modules.push((following.text.as_str(), following.line));
            }
        }
    }
    modules
}

/// Pure crates that clippy is not told about.
pub(crate) fn missing_clippy_rules(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in PURE {
        let path = format!("{folder}/clippy.toml");
        let Some(file) = tree.file(&path) else {
            findings.push(CLIPPY.of(&path, "there is no such file"));
            continue;
        };
        let code = |line: &str| line.split('#').next().unwrap_or_default().to_string();
        let text: Vec<String> = file.text.lines().map(code).collect();
        for path in DISALLOWED.iter().filter(|path| !text.iter().any(|line| line.contains(&format!("\"{path}\"")))) {
            findings.push(CLIPPY.of(&file.path, format!("does not disallow `{path}`")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::told;

    fn impure(path: &str, text: &str) -> Vec<String> {
        told(&impure_code(&Tree::of(&[(path, text)])))
    }

    #[test]
    fn each_impure_word_is_found() {
        for (phrase, _) in IMPURE {
            let source = format!("fn f() {{\n    let x = {phrase}();\n}}");
            assert_eq!(impure("core/src/a.rs", &source), [format!("core/src/a.rs:2: `{phrase}`")]);
        }
    }

    #[test]
    fn each_module_that_reaches_the_world_is_found() {
        for module in WORLD {
            let expected = format!("actors/src/a.rs:1: `std::{module}`");
            for source in [
                format!("use std::{module}::X;"),
                format!("fn f() {{ ::std::{module}::g() }}"),
                format!("use std::{{{module}}};"),
                format!("use std::{{fmt::{{self, Write}}, {module}::{{A, B}}, mem}};"),
            ] {
                assert_eq!(impure("actors/src/a.rs", &source), [expected.as_str()], "{source}");
            }
        }
    }

    #[test]
    fn what_only_looks_impure_is_left_alone() {
        let source =
            "// HashMap\nuse std::{fmt, collections::{BTreeMap, fs}};\nlet a = \"Instant\"; my::fs::f(); std\n";
        assert_eq!(impure("core/src/a.rs", source), [""; 0]);
        assert_eq!(impure("core/src/a.rs", "#[cfg(test)] mod tests { use std::fs; HashMap::new(); }"), [""; 0]);
    }

    #[test]
    fn the_rule_binds_the_pure_crates_and_lets_the_simulator_read_scenarios() {
        assert_eq!(impure("runtime/src/a.rs", "std::fs::read(); Instant::now()"), [""; 0]);
        assert_eq!(impure(READS_FILES, "std::fs::read()"), [""; 0]);
        assert_eq!(impure(READS_FILES, "std::net::f()").len(), 1);
        assert_eq!(impure("simulations/src/a.rs", "std::fs::read()").len(), 1);
    }

    #[test]
    fn a_pure_crate_without_clippy_rules_is_found() {
        let whole: String = DISALLOWED.iter().map(|path| format!("{{ path = \"{path}\" }},\n")).collect();
        let partial =
            whole.replace("{ path = \"std::collections::HashSet\"", "# { path = \"std::collections::HashSet\"");
        let tree = Tree::of(&[
            ("core/clippy.toml", &whole),
            ("supervisor/clippy.toml", &partial),
            ("simulations/clippy.toml", &whole),
        ]);
        assert_eq!(
            told(&missing_clippy_rules(&tree)),
            [
                "actors/clippy.toml: there is no such file",
                "supervisor/clippy.toml: does not disallow `std::collections::HashSet`",
            ]
        );
    }
}
