//! Every file in `configs/` is as its reader wants it, and the schema is the program's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use nunect::Program;
use nunect::actors::default_actors;
use nunect::runtime::config::{self, Basis, Loaded, Problem, Sources};
use nunect::simulations::scenario;
use serde_json::Value;

#[path = "support/nats.rs"]
mod nats;

/// What the files expect of the environment.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("HUB_NAME", "hub1"),
    ("HUB_PASSWORD", "swordfish"),
    ("LEAF_HUB_1", "nats-leaf://leaf:perch@hub1.example:7422"),
    ("LEAF_HUB_2", "nats-leaf://leaf:perch@hub2.example:7422"),
    ("LEAF_NAME", "leaf-u1"),
    ("LEAF_PASSWORD", "perch"),
    ("SYS_PASSWORD", "pike"),
];

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
}

/// The files of a folder in `configs/` whose names end so, at least one.
fn ending(folder: &str, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(configs().join(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|own| own == end)).collect();
    assert!(!found.is_empty(), "no .{end} in configs/{folder}");
    found
}

fn text(name: &str) -> String {
    std::fs::read_to_string(configs().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn defaults(_: &Basis) -> Value {
    default_actors()
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn load(path: &Path, environment: &[(&str, &str)]) -> Result<Loaded, Vec<Problem>> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let file = Some(config::read_file(path)?);
    let sources = Sources { defaults: &defaults, file, environment, flags: Vec::new() };
    config::load(sources, Program::new().catalog(), "host")
}

#[test]
fn every_profile_loads_without_a_warning() {
    for sample in ending("", "yaml") {
        let text = std::fs::read_to_string(&sample).expect("readable");
        let named = text.starts_with("# yaml-language-server: $schema=schema/profile.schema.json\n");
        assert!(named, "{}: the first line names the schema, for editors", sample.display());
        match load(&sample, &ENVIRONMENT) {
            Ok(loaded) => assert_eq!(loaded.warnings, [], "{}", sample.display()),
            Err(problems) => panic!("{}", told(&problems)),
        }
    }
}

/// What stands behind `# ` in a line of its own and looks like configuration is one.
#[test]
fn what_is_commented_out_of_the_sample_loads_as_well() {
    let is_key = |line: &str| {
        let rest = line.trim_start().trim_start_matches("- ");
        rest.starts_with("{ subject")
            || rest
                .split_once(':')
                .is_some_and(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let text = text("node.yaml");
    let uncommented = |line: &str| {
        let (indent, comment) = line.split_at(line.len() - line.trim_start().len());
        let bare = comment.strip_prefix("# ").filter(|bare| is_key(bare) && !bare.trim_start().starts_with("name:"));
        bare.map_or_else(|| line.to_owned(), |bare| format!("{indent}{bare}"))
    };
    let whole: String = text.lines().skip(2).map(|line| uncommented(line) + "\n").collect();
    let file = std::env::temp_dir().join(format!("nunect-node-{}.yaml", std::process::id()));
    std::fs::write(&file, &whole).expect("writable");
    let loaded = load(&file, &[("BOOTSTRAP_TOKEN", "token")]);
    std::fs::remove_file(&file).expect("ours");
    let loaded = loaded.unwrap_or_else(|problems| panic!("{}\n{whole}", told(&problems)));
    let mut warned: Vec<&str> = loaded.warnings.iter().map(|warning| warning.key.as_str()).collect();
    warned.sort_unstable();
    assert_eq!(warned, ["provisioning"], "{whole}");
    let profile = loaded.profile;
    assert_eq!(profile.metadata.tenant.as_deref(), Some("bridge"));
    assert_eq!(profile.capabilities.map(|all| all.len()), Some(2));
    assert!(profile.metrics.is_some() && profile.logging.file.is_some() && profile.connection.server.is_some());
    assert_eq!(profile.time.ntp_servers.len(), 2);
}

#[test]
fn the_schemas_are_those_of_the_program() {
    let profile = config::schema(Program::new().catalog(), &defaults);
    kept("schema/profile.schema.json", &format!("{profile:#}\n"));
    kept("schema/scenario.schema.json", &format!("{:#}\n", scenario::schema().as_value()));
}

/// A file of ours that the program writes is as it would write it now.
fn kept(name: &str, now: &str) {
    let path = configs().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, now).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(now == kept, "{} is out of date: UPDATE_GOLDEN=1 cargo test --test configs", path.display());
}

#[test]
fn nats_server_takes_its_configurations() {
    for conf in ending("nats", "conf") {
        let check = |environment: &[(&str, &str)]| {
            let mut server = Command::new(nats::binary());
            server.env_clear().envs(environment.iter().copied()).arg("-t").arg("-c").arg(&conf);
            server.output().expect("nats-server runs")
        };
        let output = check(&ENVIRONMENT);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // What the text names is all that it needs, and it does need it.
        let written = std::fs::read_to_string(&conf).expect("readable");
        let code = written.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        for (name, _) in ENVIRONMENT.iter().filter(|(name, _)| code.contains(&format!("${name}"))) {
            let rest: Vec<_> = ENVIRONMENT.into_iter().filter(|(other, _)| other != name).collect();
            assert!(!check(&rest).status.success(), "{} starts without {name}", conf.display());
        }
    }
}

/// The keys of a unit file by their section, each with all of its values.
fn unit(text: &str) -> BTreeMap<(String, String), Vec<String>> {
    let mut section = String::new();
    let mut keys = BTreeMap::<_, Vec<String>>::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.strip_suffix(']').expect("a section in brackets").to_owned();
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("`{line}` is no `key=value`"));
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric()), "`{key}` is no key");
        keys.entry((section.clone(), key.to_owned())).or_default().push(value.to_owned());
    }
    keys
}

#[test]
fn the_service_watches_the_node_and_starts_it_with_flags_that_it_has() {
    let keys = unit(&text("systemd/nunect.service"));
    let one = |section: &str, key: &str| match keys.get(&(section.to_owned(), key.to_owned())).map(Vec::as_slice) {
        Some([value]) => value.as_str(),
        other => panic!("[{section}] {key}: {other:?}"),
    };
    let known = ["Unit", "Service", "Install"];
    assert!(keys.keys().all(|(section, _)| known.contains(&section.as_str())), "{keys:?}");
    for (key, value) in [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("WatchdogSec", "10s"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "2 3"),
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
    ] {
        assert_eq!(one("Service", key), value, "{key}");
    }
    assert_eq!(one("Install", "WantedBy"), "multi-user.target");
    // What the samples write to is what the service may write to.
    for (key, folder) in
        [("RuntimeDirectory", "/run/"), ("LogsDirectory", "/var/log/"), ("StateDirectory", "/var/lib/")]
    {
        assert_eq!(one("Service", key), "nunect");
        let folder = format!("{folder}nunect");
        let used = ["hub.yaml", "mesh-node.yaml", "node.yaml", "nats/leaf.conf"]
            .iter()
            .any(|name| text(name).contains(&folder));
        assert!(used, "{key}: no sample uses {folder}");
    }
    let mut words = one("Service", "ExecStart").split(' ');
    assert_eq!(words.next(), Some("/usr/bin/nunect"));
    starts(&words.collect::<Vec<_>>());
}

/// Whether the program takes this command line: it says that the file is missing, and of a flag that
/// it has not that it is unknown.
fn starts(words: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_nunect")).env_clear().args(words).output().expect("nunect runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let missing = said.contains("/etc/nunect/node.yaml") && said.contains("cannot be read");
    assert!(missing && output.status.code() == Some(2), "{words:?}: {said}");
}

#[test]
fn systemd_takes_the_service_where_it_is_installed() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else { return };
    assert!(version.status.success());
    let folder = std::env::temp_dir().join(format!("nunect-unit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    // The program is not installed here; one that is stands for it.
    let installed = text("systemd/nunect.service").replace("/usr/bin/nunect", "/bin/true");
    let path = folder.join("nunect.service");
    std::fs::write(&path, installed).expect("writable");
    let output = Command::new("systemd-analyze").arg("verify").arg(&path).output();
    std::fs::remove_dir_all(&folder).expect("ours");
    let said = String::from_utf8_lossy(&output.expect("it runs").stderr).into_owned();
    // It looks at all units that this one names, and those may be mistaken on their own.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("nunect")).collect();
    assert_eq!(ours, Vec::<&str>::new());
}

/// The instructions of a Dockerfile, with their continuation lines.
fn instructions(text: &str) -> Vec<(String, String)> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = code.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (name, rest) = line.split_once(' ').unwrap_or_else(|| panic!("`{line}` is no instruction"));
            (name.to_owned(), rest.trim().to_owned())
        })
        .collect()
}

#[test]
fn the_image_runs_the_node_as_a_user_of_its_own() {
    let all = instructions(&text("Dockerfile"));
    let of = |name: &str| all.iter().filter(|(own, _)| own == name).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>();
    let known = ["FROM", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"];
    assert!(all.iter().all(|(name, _)| known.contains(&name.as_str())), "{all:?}");
    let stages: Vec<Vec<&str>> = of("FROM").into_iter().map(|from| from.split(' ').collect()).collect();
    let [[builder, "AS", build], [base, "AS", _]] = stages.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] else {
        panic!("two stages with names: {stages:?}")
    };
    for image in [builder, base] {
        assert!(image.contains(':') && !image.ends_with(":latest"), "`{image}` names no version");
    }
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(builder.starts_with(&format!("rust:{rust}-")), "`{builder}` is not the Rust of Cargo.toml, {rust}");
    assert_eq!(of("USER"), ["10001:10001"], "numbers: an orchestrator can tell that it is not root");
    let copied: Vec<&str> = of("COPY").into_iter().filter(|copy| copy.starts_with("--from")).collect();
    assert_eq!(copied, [format!("--from={build} /src/target/release/nunect /usr/bin/nunect")]);
    let exec = |name: &str| match of(name)[..] {
        [form] => serde_json::from_str::<Vec<String>>(form).expect("the form with brackets: signals reach the node"),
        _ => panic!("{name} stands there once"),
    };
    assert_eq!(exec("ENTRYPOINT"), ["/usr/bin/nunect"]);
    starts(&exec("CMD").iter().map(String::as_str).collect::<Vec<_>>());
    for copy in of("COPY").into_iter().filter(|copy| !copy.starts_with("--from")) {
        let source = copy.split(' ').next().expect("a source");
        assert!(configs().join("..").join(source).exists(), "COPY {copy}");
    }
}
