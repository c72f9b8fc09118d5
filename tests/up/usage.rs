//! What a user gets wrong, and what the program says to it.

use std::path::Path;

use crate::unit::{config, finish, program, run};

/// The exit code for configuration and usage (protocol, section 6).
const WRONG: Option<i32> = Some(2);

/// Runs the program, which is to end with `code`, and returns what it says on its standard error.
#[track_caller]
fn says(code: Option<i32>, arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), code, "nunect {arguments:?}: {errors}");
    errors
}

#[test]
fn an_unknown_flag_is_named_with_the_usage() {
    let errors = says(WRONG, &["up", "--frobnicate"]);
    assert!(errors.contains("unexpected argument '--frobnicate'"), "{errors}");
    assert!(errors.contains("Usage: nunect up"), "{errors}");
    assert!(says(WRONG, &[]).contains("Usage: nunect"));
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_reason_and_a_remedy() {
    for arguments in [["up", "-c", "no/such/file.yaml"], ["config", "check", "no/such/file.yaml"]] {
        let errors = says(WRONG, &arguments);
        assert!(errors.contains("no/such/file.yaml: cannot be read: No such file or directory"), "{errors}");
        assert!(errors.contains("help: give the path of a profile"), "{errors}");
    }
}

#[test]
fn every_mistake_in_a_file_is_shown_at_its_place() {
    let file = config(
        "health:\n  \
           heartbeat_interval: 5 parsecs\n\
         actors:\n  \
           echo: { colour: red }\n",
    );
    let path = file.display().to_string();
    for arguments in [["up", "-c", &path], ["config", "check", &path]] {
        let errors = says(WRONG, &arguments);
        for (place, what) in [("2:23", "health.heartbeat_interval: `5 parsecs` is no duration"), ("4:11", "`colour`")] {
            assert!(errors.contains(&format!("--> {path}:{place}\n")), "{errors}");
            assert!(errors.contains(what), "{errors}");
        }
        assert!(errors.contains("help: write a duration with its unit, such as 5s"), "{errors}");
    }

    let output = run(&["--json", "config", "check", &path]);
    assert_eq!(output.status.code(), WRONG);
    let lines = String::from_utf8(output.stdout).expect("text");
    let problems: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    let places: Vec<_> = problems.iter().map(|problem| (&problem["line"], &problem["column"])).collect();
    assert_eq!(places, [(&2.into(), &23.into()), (&4.into(), &11.into())]);
    assert!(problems.iter().all(|problem| problem["origin"] == path.as_str()), "{problems:?}");
}

#[test]
fn text_that_is_no_yaml_is_shown_at_its_place() {
    let file = config("health:\n  heartbeat_interval: 5s\nactors: [\n").display().to_string();
    let errors = says(WRONG, &["up", "-c", &file]);
    assert!(errors.contains("no valid YAML"), "{errors}");
    assert!(errors.contains(&format!("--> {file}:")), "{errors}");
}

#[test]
fn flags_and_variables_are_named_when_they_are_wrong() {
    let errors = says(WRONG, &["up", "--nats", "http://localhost"]);
    assert!(errors.contains("flag --nats") && errors.contains("write nats:// or tls://"), "{errors}");
    let errors = says(WRONG, &["up", "--unit", "*"]);
    assert!(errors.contains("flag --unit") && errors.contains("'*' is not allowed"), "{errors}");
    let output = finish(program().args(["config", "check"]).env("NUNECT_HEALTH__HEARTBEAT_INTERVALL", "1s"));
    assert_eq!(output.status.code(), WRONG);
    let errors = String::from_utf8(output.stderr).expect("text");
    assert!(errors.contains("NUNECT_HEALTH__HEARTBEAT_INTERVALL"), "{errors}");
}

#[test]
fn what_the_tests_put_into_the_environment_is_no_configuration() {
    let mut command = program();
    for name in ["NUNECT_NATS_SERVER", "NUNECT_PYTHON", "NUNECT_PYTHONPATH", "NUNECT_CACHE"] {
        command.env(name, "anything");
    }
    let output = finish(command.args(["config", "check"]));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_sample_configuration_is_fine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
    let samples: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    assert!(!samples.is_empty());
    for sample in samples {
        let path = sample.display().to_string();
        let mut command = program();
        command.env("HUB_PASSWORD", "swordfish").args(["config", "check", &path]);
        let output = finish(&mut command);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stderr, b"", "without a warning");
        assert!(output.stdout.starts_with(format!("ok {path}: unit ").as_bytes()), "{output:?}");
    }
}
