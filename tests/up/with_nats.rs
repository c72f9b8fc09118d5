//! `nunect up --with-nats`: a server beside the node, kept up as long as that lives and no longer.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::client::request;
use crate::nats::{binary, free_port, signal};
use crate::tools::{all_of, eventually};
use crate::unit::{Ended, Unit, config, folder, program};
use crate::{PATIENCE, SOON, STOP};

/// A server whose node was killed is gone within a second, three times over.
const GONE: Duration = Duration::from_secs(3);

/// The configuration of a node whose server listens on `port`.
fn file(port: u16, server: &Path) -> String {
    let server = server.canonicalize().expect("a server");
    let text = format!(
        "connection: {{ urls: [\"nats://127.0.0.1:{port}\"], server: {{ binary: \"{}\" }} }}\n",
        server.display()
    );
    config(&text).display().to_string()
}

/// The server that a node has started.
fn server_of(node: u32) -> Option<u32> {
    let threads = std::fs::read_dir(format!("/proc/{node}/task")).ok()?;
    let children = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.into_iter().find(|id| {
        std::fs::read_to_string(format!("/proc/{id}/cmdline"))
            .is_ok_and(|line| line.contains("nats-server") && !line.contains("pdeathsig"))
    })
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Whether a process runs: one that nobody waited for yet has ended all the same.
fn runs(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// A node with a server that is up.
fn node(id: &str, port: u16) -> (Unit, u32) {
    let mut unit = Unit::up(&["--with-nats", "--unit", id, "-c", &file(port, &binary())]);
    all_of(&mut unit, &["node bus_connected", "echo actor_started", "monitor unit_online"], PATIENCE);
    let server = server_of(unit.id()).expect("a server");
    (unit, server)
}

#[test]
fn a_server_runs_beside_the_node_comes_back_when_it_dies_and_goes_with_it() {
    let port = free_port();
    let url = format!("nats://127.0.0.1:{port}");
    let (mut unit, server) = node("host", port);
    assert_eq!(request(&url, "ops.echo.host", &[], "others reach it").payload(), "others reach it");
    assert!(!unit.all().contains("bus_disconnected"), "the node waits for its server: {}", unit.all());

    signal(server, "KILL");
    let died = unit.expect_that("that it died", SOON, |said| {
        said.what() == "nunect::nats_server" && said.text("/msg").contains("nats-server died")
    });
    assert_eq!(died.text("/lvl"), "WARN");
    unit.expect("node bus_connected", PATIENCE);
    unit.expect_health("OK", PATIENCE);
    let successor = server_of(unit.id()).expect("another server");
    assert_ne!(successor, server);
    assert_eq!(request(&url, "ops.echo.host", &[], "again").payload(), "again");

    let ended = unit.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.took < STOP, "ended after {:?}", ended.took);
    assert!(!runs(successor) && !listens(port), "the server has ended before the node");
}

#[test]
fn a_node_that_is_killed_takes_its_server_with_it() {
    let port = free_port();
    let (mut unit, server) = node("mortal", port);
    unit.kill();
    eventually("the server is gone", GONE, || !runs(server) && !listens(port));
}

#[test]
fn an_interrupt_from_the_terminal_ends_the_node_in_order() {
    let port = free_port();
    let (unit, server) = node("typed", port);
    // It is sent to all processes of the terminal's group, and the server is not among them.
    let ended = unit.stop("INT");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lost = ended.said.iter().find(|said| said.what() == "node bus_disconnected");
    assert!(lost.is_none(), "{lost:?}");
    assert!(!runs(server), "it has ended");
}

/// A node that does not start, for want of a server.
fn fails(arguments: &[&str]) -> Ended {
    let mut command = program();
    let unit = Unit::of(command.args(["up", "--json", "--with-nats", "--unit", "bereft"]).args(arguments));
    let ended = unit.end(PATIENCE);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.said.iter().all(|said| said.what() != "node node_started"), "{ended:?}");
    ended
}

#[test]
fn a_port_that_is_taken_is_named_with_remedies() {
    let port = free_port();
    let _taken = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    let ended = fails(&["-c", &file(port, &binary())]);
    for words in [&format!("127.0.0.1:{port}"), "where somebody else does", "`--nats` instead", "another port"] {
        assert!(ended.complaints.contains(words), "{words}: {}", ended.complaints);
    }
}

#[test]
fn a_server_is_run_for_this_machine_alone() {
    let file = config("connection: { urls: [\"nats://192.0.2.1:4222\"] }\n").display().to_string();
    let ended = fails(&["-c", &file]);
    assert!(ended.complaints.contains("connection.urls names none of it"), "{}", ended.complaints);
    assert!(ended.complaints.contains("Add nats://127.0.0.1:4222 to connection.urls"), "{}", ended.complaints);
}

#[test]
fn a_binary_that_will_not_do_is_named_with_what_is_needed() {
    let folder = folder();
    for (name, text, words) in [
        ("old", "echo 'nats-server: v2.9.0'", "is nats-server 2.9.0, but 2.10.0 or later is needed"),
        ("other", "echo 'hello'", "is no nats-server that runs here"),
        (
            "dead",
            "echo 'nats-server: v2.12.0'; echo '[FTL] no memory' >&2; exit 9",
            "ended at its start with exit status: ",
        ),
    ] {
        let script = folder.join(name);
        // Only as a server does the last one fail.
        let exit =
            if name == "dead" { "[ \"$1\" = --version ] && { echo 'nats-server: v2.12.0'; exit 0; }\n" } else { "" };
        std::fs::write(&script, format!("#!/bin/sh\n{exit}{text}\n")).expect("a writable folder");
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("ours");
        let ended = fails(&["-c", &file(free_port(), &script)]);
        let path = script.display().to_string();
        assert!(ended.complaints.contains(words) && ended.complaints.contains(&path), "{}", ended.complaints);
        if name == "old" {
            assert!(ended.complaints.contains("connection.server.binary"), "{}", ended.complaints);
        }
        if name == "dead" {
            assert!(ended.complaints.contains("no memory"), "{}", ended.complaints);
        }
    }
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}
