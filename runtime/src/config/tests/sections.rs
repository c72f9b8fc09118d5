//! The sections beside those that every node has.

use std::path::PathBuf;

use nunect_core::Period;
use nunect_core::config::Size;

use super::super::{Daemon, Origin, Profile, ServerSection, SourceFile, Sources, TimeMode, load};
use super::{Given, catalog, defaults, lines};

#[test]
fn a_secret_is_shown_by_nothing() {
    let secrets = ["hunter2", "hush-7", "s3cr3t", "tok-9"];
    let file = "provisioning: { bootstrap_token: 'hunter2', master_url: 'nats://u:hush-7@h', auto_provision: VALUE }\n\
                connection: { urls: ['nats://me:s3cr3t@vm1:4222', 'nats://tok-9@vm2'] }\n";
    let loaded = Given::file(&file.replace("VALUE", "true")).loaded();
    let mut shown = format!("{:?} {:?}", loaded.profile, loaded.warnings);
    let Profile { provisioning, connection, .. } = &loaded.profile;
    shown += &serde_json::to_string(&(provisioning, connection)).expect("serializes");
    let bad = [
        file.replace("VALUE", "maybe"),
        file.replace("VALUE", "["),
        file.replace("'hunter2'", "[hunter2]").replace("VALUE", "true"),
        file.replace(":4222", ":99999").replace("vm2", "vm2/x").replace("VALUE", "true"),
        "provisioning: { bootstrap_token: hunter2, bootstrap_token: hunter2 }\n".to_owned(),
        "provisioning: { bootstrap_token: true, bootstrap_tokn: 1 }\n".to_owned(),
    ];
    for file in &bad {
        let problems = Given::file(file).load().expect_err(file);
        for problem in &problems {
            let text = problem.text.as_ref().expect("a text");
            assert_eq!(text.text.len(), file.len());
            let place = problem.place.as_ref().expect("a place");
            let line = text.text.lines().nth(place.line - 1).unwrap_or_default();
            shown += &format!("{problem} {} {line}\n", problem.help);
        }
    }
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("bootstrap_token: '*******'") && shown.contains("nats://*********@vm1"), "{shown}");
    let kept = "connection: { credentials: '${CREDS}', urls: ['nats://${USER}:${PASSWORD}@h'] }\n";
    let problems = Given::file(kept).load().expect_err("no variables");
    assert_eq!(problems.first().and_then(|problem| problem.text.as_ref()).map(|text| text.text.as_str()), Some(kept));
}

#[test]
fn a_relative_path_of_a_file_starts_at_its_folder() {
    let file = "connection: { credentials: u.creds, server: { binary: nats-server, config: nats/leaf.conf } }\n\
                logging: { file: { folder: /var/log/nunect } }\n\
                control: { socket: run/n.sock }\n\
                time: { ptp_socket: ../ptp4l }\n";
    let loaded = |path: &str, text: &str| {
        let file = Some(SourceFile { path: PathBuf::from(path), text: text.to_owned() });
        let environment = vec![("NUNECT_CONNECTION__SERVER__BINARY".to_owned(), "bin/nats".to_owned())];
        let environment = if text.is_empty() { environment } else { Vec::new() };
        load(Sources { defaults: &defaults, file, environment, flags: Vec::new() }, &catalog(), "h").expect("legal")
    };
    let profile = loaded("/etc/nunect/node.yaml", file).profile;
    let path = |path: &str| Some(PathBuf::from(path));
    assert_eq!(profile.connection.credentials, path("/etc/nunect/u.creds"));
    let server = profile.connection.server.expect("one");
    assert_eq!(server.binary, path("nats-server"), "a name is looked for in PATH");
    assert_eq!(server.config, path("/etc/nunect/nats/leaf.conf"));
    assert_eq!(profile.logging.file.map(|file| file.folder), path("/var/log/nunect"));
    assert_eq!(profile.control.socket, path("/etc/nunect/run/n.sock"));
    assert_eq!(profile.time.ptp_socket, path("/etc/nunect/../ptp4l"));
    let here = loaded("node.yaml", file).profile;
    assert_eq!(here.connection.credentials, path("u.creds"));
    let server = loaded("/etc/nunect/node.yaml", "").profile.connection.server;
    assert_eq!(server.and_then(|server| server.binary), path("bin/nats"), "a variable has no folder");
}

#[test]
fn what_is_absent_is_there_with_its_default_or_not_at_all() {
    let profile = Given::nothing().loaded().profile;
    assert_eq!(profile.capabilities, None);
    assert_eq!(profile.metrics, None);
    assert!(profile.control.enabled && !profile.chaos.enabled);
    assert_eq!((profile.connection.server, profile.logging.file), (None, None));
    assert_eq!(profile.time.holdover_max, Period::from_secs(600));
    let file = "capabilities: []\nmetrics: {}\nconnection: { server: {} }\nlogging: { file: { folder: log } }\n";
    let profile = Given::file(file).loaded().profile;
    assert_eq!(profile.capabilities, Some(Vec::new()), "nothing is allowed");
    assert_eq!(profile.metrics.map(|metrics| metrics.listen.to_string()).as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(profile.connection.server, Some(ServerSection::default()));
    let file = profile.logging.file.expect("one");
    assert_eq!((file.max_size, file.max_files), (Size(16 << 20), 14));
}

#[test]
fn an_address_is_a_host_and_a_port_or_a_port_of_this_host() {
    let listen = |written: &str| {
        let loaded = Given::file(&format!("metrics: {{ listen: {written} }}\n")).loaded();
        loaded.profile.metrics.expect("one").listen
    };
    assert_eq!(listen("9464").to_string(), "127.0.0.1:9464");
    assert_eq!(listen("'0'").to_string(), "127.0.0.1:0");
    assert_eq!(listen("'0.0.0.0:80'").host, "0.0.0.0");
    assert_eq!(listen("'[::1]:80'").host, "::1");
    assert_eq!(listen("'[::1]:80'").to_string(), "[::1]:80");
    assert_eq!(listen("node-1.local:80").host, "node-1.local");
    let variable = Given::nothing().env("NUNECT_METRICS__LISTEN", "9000").loaded().profile.metrics;
    assert_eq!(variable.map(|metrics| metrics.listen.port), Some(9000));
}

#[test]
fn the_variables_of_the_specification_say_what_tells_the_time() {
    let given = || {
        Given::file("time: { ptp_domain: 3, chrony: /run/chrony/chronyd.sock, gpsd: 2947 }\n")
            .env("TIME_SYNC_MODE", "auto")
            .env("PTP_MASTER_ADDRESS", "10.0.0.1")
            .env("PTP_DOMAIN", "0")
            .env("NTP_SERVERS", "pool.ntp.org,time.google.com")
            .env("PTP_HW_TIMESTAMP", "true")
    };
    let loaded = given().loaded();
    let time = &loaded.profile.time;
    assert_eq!((time.mode, time.ptp_domain, time.ptp_hw_timestamp), (TimeMode::Auto, 0, Some(true)));
    assert_eq!(time.ptp_master.as_deref(), Some("10.0.0.1"));
    assert_eq!(time.ntp_servers, ["pool.ntp.org", "time.google.com"]);
    assert_eq!(time.chrony, Some(Daemon::Socket("/run/chrony/chronyd.sock".into())));
    assert_eq!(time.gpsd.as_ref().map(ToString::to_string).as_deref(), Some("127.0.0.1:2947"));
    assert_eq!(loaded.origin("time.ptp_domain").0, Origin::Variable("PTP_DOMAIN".to_owned()));
    assert_eq!(loaded.warnings, []);
    let loaded = given().env("NUNECT_TIME__MODE", "gps").env("NUNECT_TIME__PTP_DOMAIN", "9").loaded();
    assert_eq!((loaded.profile.time.mode, loaded.profile.time.ptp_domain), (TimeMode::Gps, 9), "the special one wins");
    let unset = Given::nothing().env("TIME_SYNC_MODE", "").env("NTP_SERVERS", " ").loaded();
    assert_eq!(unset.warnings, []);
}

#[test]
fn a_clock_is_named_by_its_address_or_its_identity() {
    for name in ["10.0.0.1", "fe80::1", "00:11:22:33:44:55", "00:11:22:ff:fe:33:44:55", "001122.fffe.334455"] {
        let loaded = Given::file(&format!("time: {{ ptp_master: '{name}' }}\n")).loaded();
        assert_eq!(loaded.profile.time.ptp_master.as_deref(), Some(name));
    }
}

#[test]
fn a_section_without_keys_of_its_own_yet_takes_any() {
    let unused = "qos | not used by this version | the node starts without it; nothing in it was read";
    let loaded = Given::file("qos: { window: '${UNSET}', any: [1] }\n").loaded();
    assert_eq!(lines(&loaded.warnings), format!("node.yaml:1:1 | {unused}"));
    let loaded = Given::nothing().env("NUNECT_QOS__MODE", "x").loaded();
    assert_eq!(lines(&loaded.warnings), format!("environment variable NUNECT_QOS__MODE | {unused}"));
}

#[test]
fn what_shows_only_in_use_is_told_with_its_place_too() {
    let loaded = Given::file("connection:\n  credentials: u.creds\n").loaded();
    let problem = loaded.problem("connection.credentials", "no such file", "make it");
    assert_eq!(problem.to_string(), "node.yaml:2:16: connection.credentials: no such file");
    let problem = loaded.problem("metrics.listen", "taken", "take another");
    assert_eq!(problem.to_string(), "built-in default: metrics.listen: taken");
}
