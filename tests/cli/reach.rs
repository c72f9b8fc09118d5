//! How commands reach a node, and what they say when they do not.

use std::time::{Duration, Instant};

use crate::nats::NatsServer;
use crate::said;
use crate::unit::{Unit, folder, program};

#[test]
fn a_server_that_is_not_there_is_named_at_once() {
    let url = NatsServer::absent().url();
    let start = Instant::now();
    for arguments in [["units"].as_slice(), &["pub", "a.b", "c"], &["sub", "a.b"], &["probe", "alpha"]] {
        let said = said(program().args(arguments).args(["--nats", &url]));
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.errors.contains(&format!("{url}: no connection to ")), "{said:?}");
        assert!(said.errors.contains("help: start a nats-server there"), "{said:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn something_else_on_the_port_is_no_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("nats://{}", listener.local_addr().expect("an address"));
    let said = said(program().args(["units", "--timeout", "300ms"]).env("NATS_URL", &url));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.errors.contains(&url) && said.errors.contains("takes connections and says nothing"), "{said:?}");
}

#[test]
fn a_machine_without_nodes_is_told_what_to_start() {
    let said = said(program().args(["units"]).env("XDG_RUNTIME_DIR", folder()).env("TMPDIR", folder()));
    // Other nodes of this machine may have their sockets where every user finds them.
    if said.code == Some(1) && said.errors.contains("no node runs here") {
        assert!(said.errors.contains("`nunect up`") && said.errors.contains("`--nats`"), "{said:?}");
    }
    let missing = folder().join("none.sock");
    let said = crate::said(program().args(["units", "--socket"]).arg(&missing));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.errors.contains("no node listens on"), "{said:?}");
}

#[test]
fn of_several_nodes_one_is_to_be_chosen() {
    let sockets = folder();
    let start = |id: &str| {
        let mut unit = Unit::of(program().args(["up", "--json", "--unit", id]).env("XDG_RUNTIME_DIR", &sockets));
        unit.expect_about(id, "unit_online", crate::PATIENCE);
        unit
    };
    let _units = [start("two-1"), start("two-2")];
    let socket = |id: &str| sockets.join("nunect").join(format!("{id}.sock"));
    let deadline = Instant::now() + crate::PATIENCE;
    while !(socket("two-1").exists() && socket("two-2").exists()) {
        assert!(Instant::now() < deadline, "no control sockets");
        std::thread::sleep(Duration::from_millis(5));
    }
    let command = || {
        let mut command = program();
        command.args(["units", "--json"]).env("XDG_RUNTIME_DIR", &sockets);
        command
    };
    let confused = said(&mut command());
    assert_eq!(confused.code, Some(2), "{confused:?}");
    for id in ["two-1", "two-2"] {
        assert!(confused.errors.contains(&socket(id).display().to_string()), "{confused:?}");
        let chosen = said(command().arg("--socket").arg(socket(id)));
        assert_eq!(chosen.json()[0]["unit"], id, "{chosen:?}");
    }
}
