//! `nunect units`.

use crate::nats::NatsServer;
use crate::unit::{Unit, program};
use crate::{Node, PATIENCE, both, said};

#[test]
fn who_is_there_is_a_table_or_an_object_a_line() {
    both("units-1", "", |node| {
        let table = node.run(&["units"]);
        assert_eq!(table.code, Some(0), "{table:?}");
        let lines: Vec<&str> = table.out.lines().collect();
        assert!(lines[0].starts_with("UNIT     ROLE  STATE"), "{table:?}");
        assert!(lines[1].starts_with("units-1  node  OK     "), "{table:?}");
        assert_eq!(lines[2..], ["1 unit: 1 OK"], "{table:?}");
        assert!(!table.out.contains('\x1b'), "a pipe has no colours");

        let rows = node.run(&["units", "--json"]).json();
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((&rows[0]["unit"], &rows[0]["state"]), (&"units-1".into(), &"OK".into()));
    });
}

#[test]
fn changes_are_told_while_they_are_watched() {
    let node = Node::on_nats("watch-1", "");
    let url = node.environment.1.to_str().expect("a URL").to_owned();
    let mut watch = Unit::of(program().args(["units", "--watch", "--json", "--nats", &url]));
    let change = |unit: &'static str, change: &'static str| {
        move |said: &crate::unit::Said| said.json["unit"] == unit && said.json["change"] == change
    };
    watch.expect_that("watch-1", PATIENCE, change("watch-1", "seen"));
    let second = Unit::on(&url, "watch-2", &[]);
    watch.expect_that("watch-2", PATIENCE, change("watch-2", "seen"));
    second.stop("TERM");
    let gone = watch.expect_that("watch-2 gone", PATIENCE, change("watch-2", "state"));
    assert_eq!((&gone.json["from"], &gone.json["state"]), (&"OK".into(), &"OFFLINE".into()));
    assert_eq!(watch.stop("INT").code, Some(0));
}

#[test]
fn no_monitor_is_said_with_a_remedy() {
    let server = NatsServer::start();
    let said = said(program().args(["units", "--nats", &server.url()]));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.errors.contains("no monitor answers (nats://127.0.0.1:"), "{said:?}");
    assert!(said.errors.contains("help: run a node with the actor `monitor`"), "{said:?}");
}
