//! Every sample in `configs/` loads, and the schema beside them is the program's own.

use std::path::{Path, PathBuf};

use nunect::Program;
use nunect::actors::default_actors;
use nunect::runtime::config::{self, Basis, Problem, Sources};
use serde_json::Value;

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
}

fn defaults(_: &Basis) -> Value {
    default_actors()
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_sample_loads_without_a_warning() {
    let catalog = Program::new().catalog().clone();
    let entries = std::fs::read_dir(configs()).expect("a folder").map(|entry| entry.expect("readable").path());
    let samples: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    assert!(!samples.is_empty());
    for sample in samples {
        let file = config::read_file(&sample).unwrap_or_else(|problems| panic!("{}", told(&problems)));
        let named = file.text.starts_with("# yaml-language-server: $schema=schema/profile.schema.json\n");
        assert!(named, "{}: the first line names the schema, for editors", sample.display());
        let sources = Sources { defaults: &defaults, file: Some(file), environment: Vec::new(), flags: Vec::new() };
        match config::load(sources, &catalog, "host") {
            Ok(loaded) => assert_eq!(loaded.warnings, []),
            Err(problems) => panic!("{}", told(&problems)),
        }
    }
}

#[test]
fn the_schema_is_that_of_the_program() {
    let path = configs().join("schema/profile.schema.json");
    let schema = config::schema(Program::new().catalog(), &defaults);
    let now = format!("{:#}\n", schema);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(now == kept, "{} is out of date: UPDATE_GOLDEN=1 cargo test --test configs", path.display());
}
