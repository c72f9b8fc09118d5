//! What a reload takes over, and what it does not.

use super::Given;

/// What a reload from the first file to the second changes: what lives on, and what does not.
#[track_caller]
fn check_changes(was: &str, is: &str, live: &[&str], restart: &[&str]) {
    let (was, is) = (Given::file(was).loaded().profile, Given::file(is).loaded().profile);
    let changes = was.diff(&is);
    assert_eq!((changes.live.as_slice(), changes.restart.as_slice()), (&owned(live)[..], &owned(restart)[..]));
    assert_eq!(changes.is_empty(), live.is_empty() && restart.is_empty());
    let back = is.diff(&was);
    assert_eq!((back.live.len(), back.restart.len()), (live.len(), restart.len()), "the same keys the other way");
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn a_reload_of_the_same_changes_nothing() {
    check_changes("", "", &[], &[]);
    check_changes("", "health: { heartbeat_interval: 5s }\nmetadata: { unit_id: vm1-example }\n", &[], &[]);
    let named = "connection: { urls: ['nats://u:p@h:1'] }\nactors: { pulse: { words: [a] } }\n";
    check_changes(named, named, &[], &[]);
}

#[test]
fn a_reload_takes_over_what_needs_no_new_start() {
    check_changes(
        "chaos: { enabled: true }\nlogging: { include_fields: [a] }\n",
        "capabilities: []\nlogging: { min_level: WARN, publish_level: ERROR }\n",
        &["logging.min_level", "logging.include_fields", "logging.publish_level", "capabilities", "chaos.enabled"],
        &[],
    );
    check_changes(
        "logging: { file: { folder: a } }\n",
        "logging: { file: { folder: a, max_files: 3 } }\n",
        &["logging.file.max_files"],
        &[],
    );
    check_changes("", "time: { ptp_domain: 1, required: true }\n", &["time.ptp_domain", "time.required"], &[]);
    // An option of the actor that follows from the section changes with it.
    check_changes("", "health: { heartbeat_interval: 2s }\n", &["health.heartbeat_interval", "actors.pulse"], &[]);
}

#[test]
fn a_reload_names_the_actors_that_come_go_or_change() {
    check_changes(
        "actors: { gone: { kind: pulse }, same: { kind: pulse }, far: { kind: link-probe, peer: a } }\n",
        "actors: { same: { kind: pulse }, far: { kind: link-probe, peer: b }, come: { kind: pulse } }\n",
        &["actors.far", "actors.come", "actors.gone"],
        &[],
    );
    check_changes("", "actors: { pulse: { enabled: false } }\n", &["actors.pulse"], &[]);
    let (as_pulse, as_probe) = ("actors: { a: { kind: pulse } }", "actors: { a: { kind: link-probe, peer: x } }");
    check_changes(as_pulse, as_probe, &["actors.a"], &[]);
}

#[test]
fn a_reload_names_what_a_new_start_is_needed_for() {
    check_changes(
        "",
        "metadata: { unit_id: other, role: gateway, tenant: t }\n\
         connection: { urls: [nats://h], server: {} }\n\
         control: { enabled: false }\n\
         metrics: { listen: 0 }\n\
         provisioning: { auto_provision: true }\n",
        &[],
        &[
            "metadata.tenant",
            "metadata.role",
            "connection.urls",
            "connection.server",
            "control.enabled",
            "metrics",
            "provisioning.auto_provision",
            "metadata.unit_id",
        ],
    );
}

#[test]
fn a_reload_notices_what_it_does_not_show() {
    check_changes(
        "connection: { urls: ['nats://u:one@h'] }\nprovisioning: { bootstrap_token: one }\n",
        "connection: { urls: ['nats://u:two@h'] }\nprovisioning: { bootstrap_token: two }\n",
        &[],
        &["connection.urls", "provisioning.bootstrap_token"],
    );
}
