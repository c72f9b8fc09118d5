use std::path::{Path, PathBuf};
use std::time::Duration;

use garde::Validate;
use nunect_core::config::period_within;
use nunect_core::{Actor, Birth, Catalog, ConfigError, Contract, Effects, Fault, Input, Now, Period, Role, UnitId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

mod changes;
mod sections;

use super::{Basis, HealthSection, Level, Loaded, Origin, Problem, SourceFile, Sources, load, read_file, schema};

/// An actor that takes part of the health section.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct PulseConfig {
    /// How often it beats.
    #[garde(custom(period_within(Duration::from_millis(100), Duration::from_secs(60))))]
    interval: Period,
    /// What it says with each beat.
    #[garde(length(max = 3))]
    words: Vec<String>,
    /// How it beats.
    #[garde(dive)]
    beat: Beat,
}

#[derive(Debug, Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct Beat {
    /// How hard.
    #[garde(range(max = 10))]
    force: u8,
}

impl Default for PulseConfig {
    fn default() -> Self {
        Self { interval: Period::from_secs(7), words: Vec::new(), beat: Beat::default() }
    }
}

/// An actor with an option that has no default.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct LinkProbeConfig {
    /// Whom it asks.
    #[garde(skip)]
    #[expect(dead_code, reason = "only its presence is tested")]
    peer: String,
    /// How often it asks in vain.
    #[serde(default)]
    #[garde(range(max = 100))]
    max_attempts: u16,
}

struct Stub<const PULSE: bool>;

macro_rules! stub {
    ($pulse:literal, $kind:literal, $config:ty) => {
        impl Actor for Stub<$pulse> {
            const KIND: &'static str = $kind;
            type Config = $config;
            fn new(_: Self::Config, _: &Birth) -> Result<Self, ConfigError> {
                Ok(Self)
            }
            fn contract(&self) -> Contract {
                Contract::default()
            }
            fn handle(&mut self, _: Now, _: Input<'_>, _: &mut Effects) -> Result<(), Fault> {
                Ok(())
            }
        }
    };
}
stub!(true, "pulse", PulseConfig);
stub!(false, "link-probe", LinkProbeConfig);

fn catalog() -> Catalog {
    Catalog::new().with::<Stub<true>>().with::<Stub<false>>()
}

fn defaults(basis: &Basis) -> Value {
    json!({ "pulse": { "interval": basis.health.heartbeat_interval }, "second": { "kind": "pulse" } })
}

struct Given {
    file: Option<String>,
    env: Vec<(String, String)>,
    flags: Vec<(String, Value)>,
    host: String,
}

impl Given {
    fn file(text: &str) -> Self {
        Self { file: Some(text.to_owned()), env: Vec::new(), flags: Vec::new(), host: "vm1.example".to_owned() }
    }

    fn nothing() -> Self {
        Self { file: None, ..Self::file("") }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, name: &str, tree: Value) -> Self {
        self.flags.push((name.to_owned(), tree));
        self
    }

    fn load(self) -> Result<Loaded, Vec<Problem>> {
        let sources = Sources {
            defaults: &defaults,
            file: self.file.map(|text| SourceFile { path: PathBuf::from("node.yaml"), text }),
            environment: self.env,
            flags: self.flags,
        };
        load(sources, &catalog(), &self.host)
    }

    #[track_caller]
    fn loaded(self) -> Loaded {
        self.load().unwrap_or_else(|problems| panic!("{}", lines(&problems)))
    }
}

fn lines(problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let place = problem.place.as_ref().map(|place| format!(":{}:{}", place.line, place.column));
        let Problem { origin, key, reason, help, .. } = problem;
        format!("{origin}{} | {key} | {reason} | {help}", place.unwrap_or_default())
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn actor<'a>(loaded: &'a Loaded, name: &str) -> &'a Value {
    &loaded.profile.actors.iter().find(|actor| actor.name.as_str() == name).expect("should run").config
}

#[test]
fn nothing_given_is_all_defaults() {
    for given in [Given::nothing(), Given::file(""), Given::file("# nothing\n"), Given::file("health:\nactors:\n")] {
        let profile = given.loaded().profile;
        assert_eq!(profile.unit, UnitId::new("vm1-example").expect("legal"));
        assert_eq!(profile.metadata.role, Role::Node);
        assert!(profile.connection.urls.is_empty());
        assert_eq!(profile.connection.reconnect_wait, Period::from_secs(1));
        assert_eq!(profile.connection.max_reconnects, None);
        assert_eq!(profile.health, HealthSection::default());
        assert_eq!(profile.logging.min_level, Level::Info);
        let names: Vec<&str> = profile.actors.iter().map(|actor| actor.name.as_str()).collect();
        assert_eq!(names, ["pulse", "second"]);
    }
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let file = "connection: { urls: [nats://file:1], reconnect_wait: 2s, max_reconnects: 3 }\n";
    let urls = |loaded: &Loaded| loaded.profile.connection.urls.iter().map(ToString::to_string).collect::<Vec<_>>();
    let loaded = Given::file(file).loaded();
    assert_eq!(urls(&loaded), ["nats://file:1"]);
    let given =
        || Given::file(file).env("NATS_URL", "nats://a:1, tls://b:2").env("NUNECT_CONNECTION__MAX_RECONNECTS", "7");
    let loaded = given().loaded();
    assert_eq!(urls(&loaded), ["nats://a:1", "tls://b:2"]);
    assert_eq!(loaded.profile.connection.max_reconnects, Some(7));
    let loaded = given().env("NUNECT_CONNECTION__URLS", "nats://c:3").loaded();
    assert_eq!(urls(&loaded), ["nats://c:3"]);
    let loaded = given().flag("--nats", json!({ "connection": { "urls": ["nats://d:4"] } })).loaded();
    assert_eq!(urls(&loaded), ["nats://d:4"]);

    let at = |line| loaded.origin(line).1.map(|place| place.line);
    assert_eq!(loaded.origin("connection.urls").0, Origin::Flag("--nats".to_owned()));
    let variable = Origin::Variable("NUNECT_CONNECTION__MAX_RECONNECTS".to_owned());
    assert_eq!(loaded.origin("connection.max_reconnects").0, variable);
    assert_eq!(loaded.origin("connection.reconnect_wait").0, Origin::File("node.yaml".into()));
    assert_eq!(at("connection.reconnect_wait"), Some(1));
    assert_eq!(loaded.origin("health.report_metrics").0, Origin::Default);
    assert_eq!(loaded.origin("metadata.unit_id").0, Origin::HostName);
    assert_eq!(loaded.origin("actors.pulse.interval").0, Origin::Default);
}

#[test]
fn variables_become_what_their_keys_take() {
    let loaded = Given::nothing()
        .env("NUNECT_METADATA__UNIT_ID", "007")
        .env("NUNECT_METADATA__VERSION", "1.20")
        .env("NUNECT_METADATA__ROLE", "gateway")
        .env("NUNECT_HEALTH__REPORT_METRICS", "FALSE")
        .env("NUNECT_LOGGING__INCLUDE_FIELDS", "X-Origin-ID,X-Link-Quality")
        .env("NUNECT_ACTORS__PULSE__WORDS", "1,true")
        .env("NUNECT_ACTORS__PULSE__BEAT__FORCE", "9")
        .env("NUNECT_ACTORS__SECOND__ENABLED", "false")
        .env("NUNECT_ACTORS__LINK_PROBE__PEER", "12")
        .env("NUNECT_LOG", "debug")
        .env("NATS_URL", "")
        .loaded();
    let profile = &loaded.profile;
    assert_eq!(profile.unit.as_str(), "007");
    assert_eq!(profile.metadata.version.as_deref(), Some("1.20"));
    assert_eq!(profile.metadata.role, Role::Gateway);
    assert!(!profile.health.report_metrics);
    assert_eq!(profile.logging.include_fields, ["X-Origin-ID", "X-Link-Quality"]);
    assert!(profile.connection.urls.is_empty());
    assert_eq!(actor(&loaded, "pulse"), &json!({ "interval": "5s", "words": ["1", "true"], "beat": { "force": 9 } }));
    assert_eq!(actor(&loaded, "link-probe"), &json!({ "peer": "12" }));
    assert_eq!(profile.actors.len(), 2);
}

#[test]
fn variables_find_actors_of_the_file_by_name() {
    let file = "actors:\n  Far-End: { kind: link-probe, peer: x }\n";
    let loaded = Given::file(file).env("NUNECT_ACTORS__FAR_END__MAX_ATTEMPTS", "4").loaded();
    assert_eq!(actor(&loaded, "Far-End"), &json!({ "max_attempts": 4, "peer": "x" }));
}

#[test]
fn an_option_follows_the_health_section_unless_it_is_given() {
    let loaded = Given::file("health: { heartbeat_interval: 2s }\n").loaded();
    assert_eq!(actor(&loaded, "pulse"), &json!({ "interval": "2s" }));
    let loaded =
        Given::file("health: { heartbeat_interval: 2s }\n").env("NUNECT_HEALTH__HEARTBEAT_INTERVAL", "3s").loaded();
    assert_eq!(actor(&loaded, "pulse"), &json!({ "interval": "3s" }));
    let loaded = Given::file("health: { heartbeat_interval: 2s }\nactors: { pulse: { interval: 9s } }\n").loaded();
    assert_eq!(actor(&loaded, "pulse"), &json!({ "interval": "9s" }));
}

#[test]
fn a_name_with_another_kind_keeps_nothing_of_the_default() {
    let loaded = Given::file("actors: { pulse: { kind: link-probe, peer: far } }\n").loaded();
    assert_eq!(actor(&loaded, "pulse"), &json!({ "peer": "far" }));
}

#[test]
fn actors_start_in_the_order_of_the_program_then_of_the_file() {
    let file = "actors:\n  z: { kind: pulse }\n  pulse:\n  a: { kind: pulse }\n  second: { enabled: false }\n";
    let profile = Given::file(file).loaded().profile;
    let names: Vec<&str> = profile.actors.iter().map(|actor| actor.name.as_str()).collect();
    assert_eq!(names, ["pulse", "z", "a"]);
}

#[test]
fn variables_in_the_file_are_replaced_by_the_environment() {
    let file = "metadata: { unit_id: 'sdr-${SITE}', version: \"${MAJOR}.${MAJOR} $${x}\" }\n\
                connection: { max_reconnects: \"${TIMES}\", urls: ['nats://u:${PASSWORD}@h:4222'] }\n\
                actors: { pulse: { beat: { force: \"${TIMES}\" } } }\n";
    let loaded =
        Given::file(file).env("SITE", "07").env("MAJOR", "1").env("TIMES", "5").env("PASSWORD", "secret").loaded();
    let profile = &loaded.profile;
    assert_eq!(profile.unit.as_str(), "sdr-07");
    assert_eq!(profile.metadata.version.as_deref(), Some("1.1 ${x}"));
    assert_eq!(profile.connection.max_reconnects, Some(5));
    assert_eq!(profile.connection.urls.first().map(super::BusUrl::expose), Some("nats://u:secret@h:4222"));
    assert!(!format!("{profile:?}").contains("secret"));
    assert!(!serde_json::to_string(&profile.connection).expect("serializes").contains("secret"));
    assert_eq!(actor(&loaded, "pulse").pointer("/beat/force"), Some(&json!(5)));
}

/// The connector profile of the specification, as it stands there.
const SAMPLE: &str = include_str!("seed-profile.yaml");

#[test]
fn the_sample_of_the_specification_loads_with_warnings() {
    let loaded = Given::file(SAMPLE).env("BOOTSTRAP_TOKEN", "tok-1").loaded();
    let profile = &loaded.profile;
    assert_eq!(profile.metadata.tenant.as_deref(), Some("bridge"));
    assert_eq!(profile.connection.urls.len(), 3);
    let capabilities = profile.capabilities.as_deref().expect("some");
    let subjects: Vec<&str> = capabilities.iter().map(|capability| capability.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "com.bridge.vhf.*.*.voice",
            "nav.bridge.vhf.*.*.data",
            "ops.heartbeat.sdr-bridge-01",
            "ops.cmd.gateway.sdr-bridge-01",
            "ops.log.INFO.sdr-bridge-01",
        ]
    );
    let token = profile.provisioning.bootstrap_token.as_ref();
    assert_eq!(token.map(super::Secret::expose), Some("tok-1"));
    let mut warnings: Vec<String> = loaded.warnings.iter().map(|one| lines(std::slice::from_ref(one))).collect();
    warnings.sort();
    assert_eq!(
        warnings,
        [
            "node.yaml:14:1 | provisioning | not used by this version | the node starts without it; what is in it was \
             only checked",
            "node.yaml:22:14 | capabilities[0].subject | `com.bridge.vhf.>.voice` is read as \
             `com.bridge.vhf.*.*.voice`: NATS takes `>` only at the end | write com.bridge.vhf.*.*.voice",
            "node.yaml:24:14 | capabilities[1].subject | `nav.bridge.vhf.>.data` is read as \
             `nav.bridge.vhf.*.*.data`: NATS takes `>` only at the end | write nav.bridge.vhf.*.*.data",
        ]
    );
}

#[test]
fn the_sample_of_the_specification_wants_its_token_in_the_environment() {
    let problems = Given::file(SAMPLE).load().expect_err("no token");
    assert_eq!(
        lines(&problems),
        "node.yaml:15:21 | provisioning.bootstrap_token | environment variable `BOOTSTRAP_TOKEN` is not set | set it \
         before the start, or write `$${` for a literal `${`"
    );
}

#[test]
fn a_problem_shows_where_it_is_and_serializes_for_programs() {
    let problems = Given::file("health:\n  report_metrics: yes\n").load().expect_err("no truth value");
    let [problem] = problems.as_slice() else { panic!("{}", lines(&problems)) };
    assert_eq!(problem.to_string(), "node.yaml:2:19: health.report_metrics: wrong type: text \"yes\"");
    let (place, text) = (problem.place.as_ref().expect("a place"), problem.text.as_ref().expect("a text"));
    assert_eq!(text.text.get(place.span.clone()), Some("yes"));
    let json = serde_json::to_value(problem).expect("serializes");
    assert_eq!(json.get("line"), Some(&json!(2)));
    assert_eq!(json.get("origin"), Some(&json!("node.yaml")));
}

/// Every case of `mistakes.txt`: variables and flags after `$`, a file, and what is then said.
#[test]
fn every_mistake_is_told_with_its_place_its_key_and_a_remedy() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/mistakes.txt");
    let golden = std::fs::read_to_string(&path).expect("readable");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut now = String::new();
    for case in golden.split("=== ").filter(|case| !case.is_empty()) {
        let (input, expected) = case.split_once("--- problems\n").expect("what is said");
        let mut said = String::new();
        let problems = mistake(input).load().expect_err(input);
        assert!(problems.iter().all(|problem| !problem.reason.is_empty() && !problem.help.is_empty()), "{input}");
        for Problem { origin, place, key, reason, help, .. } in &problems {
            let place = place.as_ref().map(|place| format!(":{}:{}", place.line, place.column)).unwrap_or_default();
            said.push_str(&format!("{origin}{place}: {key}\n    {reason}\n    help: {help}\n"));
        }
        if !update {
            let again = "if that is better: UPDATE_GOLDEN=1 cargo test -p nunect-runtime mistake";
            assert_eq!(said.trim_end(), expected.trim_end(), "{input}\nnow says\n{said}\n{again}");
        }
        now.push_str(&format!("=== {input}--- problems\n{said}\n"));
    }
    if update {
        std::fs::write(&path, now.trim_end().to_owned() + "\n").expect("writable");
    }
}

fn mistake(input: &str) -> Given {
    let (settings, file) = input.split_once("--- node.yaml\n").map_or((input, None), |(all, file)| (all, Some(file)));
    let mut given = Given { file: file.map(str::to_owned), ..Given::nothing() };
    for setting in settings.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let (name, value) = setting.split_once('=').expect("name=value");
        given = match name {
            "HOST" => Given { host: value.to_owned(), ..given },
            flag if flag.starts_with("--") => given.flag(flag, serde_json::from_str(value).expect("JSON")),
            variable => given.env(variable, value),
        };
    }
    given
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = std::env::temp_dir().join(format!("nunect-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    let path = folder.join("node.yaml");
    let why = |path: &Path| read_file(path).expect_err("should fail").remove(0);
    assert!(why(&path).reason.starts_with("cannot be read: No such file"), "{}", why(&path));
    assert_eq!(why(&folder).reason, "cannot be read: it is no file");
    std::fs::write(&path, b"health: {}\n# \xff\n").expect("writable");
    assert_eq!(why(&path).reason, "is no UTF-8 text: line 2 holds other bytes");
    assert_eq!(why(&path).file(), Some(path.as_path()));
    std::fs::write(&path, vec![b'#'; 2 << 20]).expect("writable");
    assert!(why(&path).reason.contains("a profile has at most 1048576"), "{}", why(&path));
    std::fs::write(&path, "health: {}\n").expect("writable");
    assert_eq!(read_file(&path).expect("legal").text, "health: {}\n");
    std::fs::remove_dir_all(&folder).expect("ours");
}

#[test]
fn the_schema_knows_every_section_and_the_options_of_every_kind() {
    let schema = schema(&catalog(), &defaults);
    let at = |pointer: &str| schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {schema:#}"));
    for section in super::SECTIONS.iter().chain(super::UNUSED_SECTIONS) {
        at(&format!("/properties/{section}"));
    }
    assert_eq!(at("/additionalProperties"), false);
    assert_eq!(at("/$defs/HealthSection/properties/heartbeat_interval/default"), "5s");
    assert_eq!(at("/$defs/actor.pulse/properties/interval/$ref"), "#/$defs/Period");
    assert_eq!(at("/$defs/actor.pulse/properties/kind/const"), "pulse");
    assert_eq!(at("/$defs/actor.link-probe/required"), &json!(["peer"]));
    assert_eq!(at("/$defs/Actor/properties/kind/enum"), &json!(["pulse", "link-probe"]));
    // The program calls it so: no kind need be said.
    assert_eq!(at("/properties/actors/properties/second/else/anyOf/0/$ref"), "#/$defs/actor.pulse");
}

#[test]
fn a_damaged_file_is_an_error_with_a_place_in_it_and_never_a_panic() {
    let mut failed = 0;
    for (at, _) in SAMPLE.char_indices().step_by(3) {
        let (head, tail) = SAMPLE.split_at(at);
        let damaged = ["", "\t", "é", ":", "- ", "${", "}", "\"", "{", "[", "&a ", "*a ", "<<: ", "\u{0}", "---\n"];
        for text in damaged.map(|damage| format!("{head}{damage}{tail}")).into_iter().chain([head.to_owned()]) {
            for problem in Given::file(&text).env("BOOTSTRAP_TOKEN", "t").load().err().into_iter().flatten() {
                failed += 1;
                let place = problem.place.as_ref().unwrap_or_else(|| panic!("{problem} has no place in\n{text}"));
                let file = problem.text.as_ref().expect("a text");
                assert!(file.text.get(place.span.clone()).is_some(), "{place:?} is no part of\n{text}");
                assert!(place.line >= 1 && place.line <= text.split('\n').count(), "{place:?} of\n{text}");
            }
        }
    }
    assert!(failed > 1_000, "{failed}");
}
