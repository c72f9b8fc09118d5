//! Rules that hold for every file: no unsafe code, nothing unfinished, nothing skipped, nothing from one machine.

use super::finding::{Finding, Rule};
use super::lexer::occurrences;
use super::tree::{File, Tree};

/// The only crate that may contain `unsafe`.
const UNSAFE_CRATE: &str = "timesync-sys/";

/// About 500 is the habit; this is where it ends.
const LINES_MAX: usize = 700;

const UNSAFE: Rule = Rule {
    says: "no crate but timesync-sys contains `unsafe`",
    instead: "find a safe interface; for a Linux clock interface, write it in timesync-sys",
};
const FORBID: Rule = Rule {
    says: "the workspace forbids unsafe code, and every package but timesync-sys inherits its lints",
    instead: "write `[lints]` with `workspace = true` into the package's Cargo.toml, \
              and keep `unsafe_code = \"forbid\"` under `[workspace.lints.rust]`",
};
const SAME: Rule = Rule {
    says: "timesync-sys keeps the workspace's lints, and says of each unsafe block why it is sound",
    instead: "write the lint into timesync-sys/Cargo.toml as well",
};
const ABORT: Rule = Rule {
    says: "panics unwind everywhere: supervision needs it",
    instead: "remove the setting; a process that has to end does so by its exit code",
};
const LONG: Rule = Rule { says: "a file is one noun", instead: "split it: it usually has two subjects" };
const UNFINISHED: Rule =
    Rule { says: "what lands is finished", instead: "write it, or return an error that says what is not supported" };
const SKIPPED: Rule = Rule {
    says: "no test is skipped",
    instead: "make it pass, let tools/test fetch what it needs, or remove it; a doc block that is no test is `text`",
};
const MACHINE: Rule = Rule {
    says: "no file names a path of one machine",
    instead: "write it relative to the repository, or take it from the caller",
};

/// `unsafe` in code.
pub(crate) fn unsafe_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.rust().into_iter().filter(|source| !source.path.starts_with(UNSAFE_CRATE)) {
        for at in occurrences(&source.tokens, "unsafe") {
            findings.push(UNSAFE.at(&source.path, source.tokens[at].line, "`unsafe`"));
        }
    }
    findings
}

/// Packages that do not inherit the workspace's lints, and a workspace that allows unsafe code.
pub(crate) fn missing_lints(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_manifest = |file: &&File| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml");
    for file in tree.files.iter().filter(is_manifest) {
        let settings = settings(&file.text);
        let is = |key: &str, value: &str| settings.iter().any(|(k, v)| k == key && v == value);
        let is_package = settings.iter().any(|(key, _)| key.starts_with("package."));
        if is_package && !file.path.starts_with(UNSAFE_CRATE) && !is("lints.workspace", "true") {
            findings.push(FORBID.of(&file.path, "the package does not inherit the workspace's lints"));
        }
        if file.path == "Cargo.toml" && !is("workspace.lints.rust.unsafe_code", "\"forbid\"") {
            findings.push(FORBID.of(&file.path, "`unsafe_code` is not forbidden"));
        }
    }
    findings
}

/// Lints that the crate with unsafe code lacks: the workspace's but the one on unsafe code, and one more for that.
pub(crate) fn lints_of_unsafe_crate(tree: &Tree) -> Vec<Finding> {
    let manifest = format!("{UNSAFE_CRATE}Cargo.toml");
    let (Some(workspace), Some(crate_)) = (tree.file("Cargo.toml"), tree.file(&manifest)) else {
        return vec![SAME.of(manifest, "there is no such file")];
    };
    let own = settings(&crate_.text);
    let mut lints: Vec<_> = settings(&workspace.text)
        .into_iter()
        .filter_map(|(key, level)| Some((key.strip_prefix("workspace.")?.to_string(), level)))
        .filter(|(key, _)| key.starts_with("lints.") && key != "lints.rust.unsafe_code")
        .collect();
    lints.push(("lints.clippy.undocumented_unsafe_blocks".to_string(), "\"deny\"".to_string()));
    let missing = lints.iter().filter(|lint| !own.contains(lint));
    missing.map(|(key, level)| SAME.of(&manifest, format!("lacks `{key} = {level}`"))).collect()
}

/// The one-line settings of a TOML file, by their full key: `lints.workspace` for `workspace` under `[lints]`.
fn settings(text: &str) -> Vec<(String, String)> {
    let mut table = String::new();
    let mut settings = Vec::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = format!("{}.", name.trim());
        } else if let Some((key, value)) = line.split_once('=') {
            let table = if table == "." { "" } else { &table };
            settings.push((format!("{table}{}", key.trim()), value.trim().to_string()));
        }
    }
    settings
}

/// `panic = "abort"` in a profile, or as a compiler flag in a configuration or a script.
pub(crate) fn panic_abort(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.is_rust() && !file.path.ends_with(".md")) {
        for (number, line) in file.text.lines().enumerate() {
            let code = line.split('#').next().unwrap_or_default();
            let bare: String = code.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect();
            if bare.contains("panic=abort") {
                findings.push(ABORT.at(&file.path, number + 1, code.trim()));
            }
        }
    }
    findings
}

/// Files longer than a file should be.
pub(crate) fn long_files(tree: &Tree) -> Vec<Finding> {
    let lines = |file: &File| file.text.lines().count();
    let long = tree.files.iter().filter(|file| file.is_rust() && lines(file) > LINES_MAX);
    long.map(|file| LONG.of(&file.path, format!("{} lines, of at most {LINES_MAX}", lines(file)))).collect()
}

/// Code that stands for code to come, and tests that do not run.
pub(crate) fn unfinished_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.rust() {
        for (phrase, rule) in
            [("todo!", UNFINISHED), ("unimplemented!", UNFINISHED), ("dbg!", UNFINISHED), ("#[ignore", SKIPPED)]
        {
            for at in occurrences(&source.tokens, phrase) {
                findings.push(rule.at(&source.path, source.tokens[at].line, format!("`{phrase}`")));
            }
        }
    }
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        for (number, line) in file.text.lines().enumerate() {
            if is_ignored_block(line) {
                findings.push(SKIPPED.at(&file.path, number + 1, format!("`{}`", line.trim())));
            }
        }
    }
    findings
}

/// Whether a doc comment's line opens a block of code that rustdoc is told to ignore.
fn is_ignored_block(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
    let fence = comment.and_then(|text| text.trim_start().strip_prefix("```"));
    fence.is_some_and(|words| words.split([',', ' ']).any(|word| word.starts_with("ignore")))
}

/// Absolute paths under a home or work folder.
pub(crate) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(path) = machine_path(line) {
                findings.push(MACHINE.at(&file.path, number + 1, format!("`{path}`")));
            }
        }
    }
    findings
}

/// The first such path in `line`: it starts with its slash, so that `docs/work/x` and an address are none.
fn machine_path(line: &str) -> Option<&str> {
    let folders = ["home", "root", "work"];
    let starts = line.match_indices('/').map(|(index, _)| index);
    let mut starts = starts.filter(|&index| {
        let before = line[..index].chars().next_back();
        let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '}' | ')');
        !before.is_some_and(inside)
            && folders.iter().any(|folder| line[index + 1..].strip_prefix(folder).is_some_and(|r| r.starts_with('/')))
    });
    let rest = &line[starts.next()?..];
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ')' | ',')).unwrap_or(rest.len());
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::told;

    #[test]
    fn unsafe_code_is_found_but_in_the_crate_for_it() {
        let code = "// unsafe\n#![forbid(unsafe_code)]\nfn f() { unsafe { g() } }\nlet a = \"unsafe\";";
        let tree = Tree::of(&[("core/src/a.rs", code), ("tests/b.rs", code), ("timesync-sys/src/c.rs", code)]);
        assert_eq!(told(&unsafe_code(&tree)), ["core/src/a.rs:3: `unsafe`", "tests/b.rs:3: `unsafe`"]);
    }

    #[test]
    fn a_package_outside_the_workspace_lints_is_found() {
        let tree = Tree::of(&[
            (
                "Cargo.toml",
                "[workspace.lints.rust]\nunsafe_code = \"deny\"\n[package]\nname = \"a\"\n[lints]\nworkspace=true",
            ),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n[lints] # all\n workspace = true # yes"),
            ("b/Cargo.toml", "lints.workspace = true\n[package]\nname = \"b\""),
            ("c/Cargo.toml", "[package]\nname = \"c\"\n# [lints]\nworkspace = true"),
            ("timesync-sys/Cargo.toml", "[package]\nname = \"d\""),
        ]);
        assert_eq!(
            told(&missing_lints(&tree)),
            [
                "Cargo.toml: `unsafe_code` is not forbidden",
                "c/Cargo.toml: the package does not inherit the workspace's lints",
            ]
        );
    }

    #[test]
    fn lints_that_the_crate_with_unsafe_code_lacks_are_found() {
        let workspace =
            "[workspace.lints.rust]\na = \"deny\"\nunsafe_code = \"forbid\"\n[workspace.lints.clippy]\nb = \"deny\"";
        let whole = "[lints.rust]\na = \"deny\"\n[lints.clippy]\nb = \"deny\"\nundocumented_unsafe_blocks = \"deny\"";
        let lacking = |own: &str| {
            told(&lints_of_unsafe_crate(&Tree::of(&[("Cargo.toml", workspace), ("timesync-sys/Cargo.toml", own)])))
        };
        assert_eq!(lacking(whole), [""; 0]);
        assert_eq!(
            lacking("[lints.rust]\na = \"deny\"\n[lints.clippy]\nb = \"warn\""),
            [
                "timesync-sys/Cargo.toml: lacks `lints.clippy.b = \"deny\"`",
                "timesync-sys/Cargo.toml: lacks `lints.clippy.undocumented_unsafe_blocks = \"deny\"`",
            ]
        );
        let none = lints_of_unsafe_crate(&Tree::of(&[("Cargo.toml", workspace)]));
        assert_eq!(told(&none), ["timesync-sys/Cargo.toml: there is no such file"]);
    }

    #[test]
    fn aborting_panics_are_found_in_profiles_configurations_and_scripts() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[profile.release]\npanic = 'abort'\n# panic = \"abort\"\npanic = \"unwind\""),
            (".cargo/config.toml", "rustflags = [\"-C\", \"panic=abort\"]"),
            (".ci/run", "RUSTFLAGS='-C panic=abort' cargo build"),
            ("docs/a.md", "never panic = \"abort\""),
        ]);
        let places: Vec<_> = panic_abort(&tree).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["Cargo.toml:2", ".cargo/config.toml:1", ".ci/run:1"]);
    }

    #[test]
    fn long_files_are_found() {
        let (long, right) = ("x\n".repeat(LINES_MAX + 1), "x\n".repeat(LINES_MAX));
        let tree = Tree::of(&[("a.rs", &long), ("b.rs", &right), ("Cargo.lock", &long)]);
        assert_eq!(told(&long_files(&tree)), ["a.rs: 701 lines, of at most 700"]);
    }

    #[test]
    fn unfinished_code_and_skipped_tests_are_found() {
        let code = [
            "todo!();",
            "unimplemented!(\"x\");",
            "dbg!(a);",
            "#[test]",
            "#[ignore = \"slow\"] fn f() {}",
            "/// ```ignore",
            "    //! ```rust,ignore-windows",
            "/// ```text",
            "// todo!",
            "let a = \"todo!\"; ignore(todo);",
        ];
        assert_eq!(
            told(&unfinished_code(&Tree::of(&[("tests/a.rs", &code.join("\n"))]))),
            [
                "tests/a.rs:1: `todo!`",
                "tests/a.rs:2: `unimplemented!`",
                "tests/a.rs:3: `dbg!`",
                "tests/a.rs:5: `#[ignore`",
                "tests/a.rs:6: `/// ```ignore`",
                "tests/a.rs:7: `//! ```rust,ignore-windows`",
            ]
        );
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for folder in ["home", "root", "work"] {
            let text = format!("one\nsee `/{folder}/me/x` and more\nfile:///{folder}/me");
            let expected = [format!("a.md:2: `/{folder}/me/x`"), format!("a.md:3: `/{folder}/me`")];
            assert_eq!(told(&machine_paths(&Tree::of(&[("a.md", &text)]))), expected);
            let fine =
                format!("docs/{folder}/x example.org/{folder}/y $x}}/{folder}/ {folder}/ /{folder}s/ ./{folder}/");
            assert_eq!(told(&machine_paths(&Tree::of(&[("a.md", &fine)]))), [""; 0]);
        }
    }
}
