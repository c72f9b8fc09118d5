//! The files of this repository, and which of its Rust is production code.

use super::lexer::{Token, lex, occurrences};
use std::path::Path;

/// A text file, by its path from the top of the repository, with `/`.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// A Rust file as tokens.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) tokens: Vec<Token>,
}

/// All text files.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// This repository's, without folders that hold what can be made again (those with a `CACHEDIR.TAG`).
    pub(crate) fn of_this_repository() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        read_folder(root, "", &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// A small one, for the rules' own tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File { path: path.to_string(), text: text.to_string() };
        Self { files: files.iter().map(file).collect() }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Every Rust file, whole.
    pub(crate) fn rust(&self) -> Vec<Source> {
        let sources = self.files.iter().filter(|file| file.is_rust());
        sources.map(|file| Source { path: file.path.clone(), tokens: lex(&file.text) }).collect()
    }

    /// The Rust files in the `src` folders of all packages but the measurements, without what only tests see: items
    /// under `#[cfg(test)]`, and the files of modules declared so.
    pub(crate) fn production(&self) -> Vec<Source> {
        let in_src = |path: &str| (path.starts_with("src/") || path.contains("/src/")) && !path.starts_with("benches/");
        let mut sources: Vec<Source> = self.rust().into_iter().filter(|source| in_src(&source.path)).collect();
        let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
        let is_test = |path: &str| {
            tests.iter().any(|module| path.strip_prefix(module).is_some_and(|r| r == ".rs" || r.starts_with('/')))
        };
        sources.retain(|source| !is_test(&source.path));
        for source in &mut sources {
            source.tokens = without_tests(&source.tokens);
        }
        sources
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
        let name = entry.file_name().into_string().unwrap_or_else(|name| panic!("{} is no UTF-8", name.display()));
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().unwrap_or_else(|error| panic!("reading {path}: {error}"));
        if kind.is_dir() {
            if name != ".git" && !entry.path().join("CACHEDIR.TAG").exists() {
                read_folder(&entry.path(), &format!("{path}/"), files);
            }
        } else if kind.is_file()
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            files.push(File { path, text });
        }
    }
}

/// Where the modules lie that `source` declares for tests only: `core/src/mailbox/tests` for
/// `#[cfg(test)] mod tests;` in `core/src/mailbox.rs`.
fn test_modules(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let own = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_string(),
        file => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    let mut modules = Vec::new();
    for at in occurrences(&source.tokens, CFG_TEST) {
        let end = item_end(&source.tokens, at);
        if let Some(at) = source.tokens[at..end].iter().position(|token| token.reads("mod")).map(|index| at + index)
            && let Some([_, name, semicolon]) = source.tokens.get(at..at + 3)
            && semicolon.reads(";")
        {
            modules.push(format!("{own}/{}", name.text));
        }
    }
    modules
}

const CFG_TEST: &str = "#[cfg(test)]";

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    if !occurrences(tokens, "#![cfg(test)]").is_empty() {
        return Vec::new();
    }
    let mut kept = Vec::new();
    let mut from = 0;
    for at in occurrences(tokens, CFG_TEST) {
        if at >= from {
            kept.extend_from_slice(&tokens[from..at]);
            from = item_end(tokens, at);
        }
    }
    kept.extend_from_slice(&tokens[from..]);
    kept
}

/// One past the item whose first attribute starts at `at`: after its `;`, or after the `}` of its body.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut in_attribute = false;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        if token.reads("(") || token.reads("[") || token.reads("{") {
            in_attribute |= depth == 0 && token.reads("[") && tokens[index - 1].reads("#");
            depth += 1;
        } else if token.reads(")") || token.reads("]") || token.reads("}") {
            // The end of what encloses the item, for one without an end of its own: a field, an arm.
            let Some(left) = depth.checked_sub(1) else { return index };
            depth = left;
            if depth == 0 && token.reads("}") && !in_attribute {
                return index + 1;
            }
            in_attribute &= depth > 0;
        } else if depth == 0 && token.reads(";") {
            return index + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn production(files: &[(&str, &str)]) -> Vec<String> {
        let shown = |source: Source| {
            let words: Vec<_> = source.tokens.iter().map(|token| token.text.as_str()).collect();
            format!("{}: {}", source.path, words.join(" "))
        };
        Tree::of(files).production().into_iter().map(shown).collect()
    }

    #[test]
    fn items_for_tests_are_no_production_code() {
        let source = "fn a() {}\n#[cfg(test)]\n#[allow(x = [1])]\nmod tests { fn b() { c[1]; } }\nfn d() {}\n\
                      #[cfg(test)] use e::{f, g};\n#[cfg(test)] const H: [u8; 2] = [0; 2];\nfn i() {}";
        assert_eq!(
            production(&[("core/src/a.rs", source)]),
            ["core/src/a.rs: fn a ( ) { } fn d ( ) { } ; fn i ( ) { }"]
        );
    }

    #[test]
    fn files_of_test_modules_are_no_production_code() {
        let files = [
            ("core/src/lib.rs", "mod a; #[cfg(test)] mod model;"),
            ("core/src/a.rs", "#[cfg(test)] mod tests; mod b;"),
            ("core/src/a/tests.rs", "bad"),
            ("core/src/a/tests/deep.rs", "bad"),
            ("core/src/a/b.rs", "good"),
            ("core/src/model.rs", "bad"),
            ("core/src/models.rs", "good"),
            ("core/tests/x.rs", "bad"),
            ("benches/src/main.rs", "bad"),
            ("src/whole.rs", "#![cfg(test)] bad"),
        ];
        let kept = ["core/src/lib.rs: mod a ;", "core/src/a.rs: mod b ;", "core/src/a/b.rs: good"];
        assert_eq!(production(&files)[..3], kept);
        assert_eq!(production(&files)[3..], ["core/src/models.rs: good", "src/whole.rs: "]);
    }

    #[test]
    fn the_repository_is_read() {
        let tree = Tree::of_this_repository();
        for path in ["Cargo.toml", "tests/tidy.rs", ".ci/run", "core/src/lib.rs"] {
            assert!(tree.file(path).is_some(), "{path} is missing");
        }
        assert!(tree.files.iter().all(|file| !file.path.starts_with("target/") && !file.path.starts_with(".git/")));
        for package in ["core", "actors", "supervisor", "timesync-sys", "runtime", "simulations"] {
            let inside = format!("{package}/src/");
            assert!(tree.production().iter().any(|source| source.path.starts_with(&inside)), "no source in {inside}");
        }
    }
}
