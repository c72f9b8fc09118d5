//! `nunect new actor`: what it writes compiles, passes its test and runs.

use std::path::Path;
use std::process::Command;

use crate::said;
use crate::unit::{folder, program};

#[test]
fn an_actor_that_was_written_compiles_and_passes_its_test() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Always the same folder: what was compiled once need not be compiled again.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-actor");
    let _ = std::fs::remove_dir_all(&folder);
    let mut command = program();
    command.args(["new", "actor", "link-counter", "--dir"]).arg(&folder).arg("--path").arg(checkout);
    let written = said(&mut command);
    assert_eq!(written.code, Some(0), "{written:?}");
    assert!(written.out.contains("cargo test && cargo run -- up -c link-counter.yaml"), "{written:?}");

    // The versions and the settings of this workspace, so that its target folder serves both.
    std::fs::copy(checkout.join("Cargo.lock"), folder.join("Cargo.lock")).expect("copied");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline", "--config", "profile.dev.debug=\"line-tables-only\""]);
    for package in ["nunect", "nunect-core", "nunect-supervisor", "nunect-actors", "nunect-runtime"] {
        cargo.args(["--config", &format!("profile.dev.package.{package}.opt-level=0")]);
    }
    cargo.args(["--config", "profile.dev.package.nunect-simulations.opt-level=0"]);
    cargo.args(["--config", "profile.dev.package.\"*\".opt-level=1"]);
    let output = cargo.env("CARGO_TARGET_DIR", target).current_dir(&folder).output().expect("cargo runs");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{errors}");
    assert!(out.contains("what_arrives_is_counted_and_told_at_every_interval ... ok"), "{out}");
    assert!(!errors.contains("warning: unused"), "{errors}");
}

#[test]
fn nothing_is_overwritten_and_a_name_is_checked() {
    let folder = folder();
    let new = |name: &str| said(program().args(["new", "actor", name, "--dir"]).arg(&folder).current_dir(&folder));
    assert_eq!(new("link-counter").code, Some(0));
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("written");
    assert!(manifest.contains(&format!("nunect = \"{}\"", env!("CARGO_PKG_VERSION"))), "{manifest}");
    std::fs::remove_file(folder.join("link-counter.rs")).expect("written");
    let again = new("link-counter");
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.errors.contains("is there already") && again.errors.contains("nothing was written"), "{again:?}");
    assert!(!folder.join("link-counter.rs").exists(), "all or nothing");
    for (name, words) in [("LinkCounter", "is no name"), ("echo", "an actor of the kind `echo` already")] {
        let said = new(name);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.errors.contains(words), "{said:?}");
    }
}
