//! The built program on a host with linuxptp, as its operator meets it.

use std::time::Instant;

use serde_json::Value;

use crate::daemons::Folder;
use crate::daemons::namespaces::Cable;
use crate::daemons::ptp4l::Ptp4l;
use crate::unit::{Said, Unit, finish, program};
use crate::{PATIENCE, measured};

const UNIT: &str = "on-ptp";

/// Whether it says that PTP makes the clock this good.
fn is_ptp(said: &Said, qualities: &[&str]) -> bool {
    let changed = said.what() == "time_guardian clock_changed" && said.text("/fields/source") == "ptp";
    changed && qualities.contains(&said.text("/fields/quality"))
}

/// A text within `json`, by JSON pointer.
fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn the_program_tells_what_ptp4l_makes_of_the_clock_and_that_it_is_gone() {
    let cable = Cable::new();
    let master = Ptp4l::master(&cable.ends[0]);
    let mut slave = Ptp4l::slave(&cable.ends[1], "slaveOnly 1");
    let folder = Folder::new();
    let control = folder.at("control").display().to_string();
    let lines = format!(
        "metadata: {{ unit_id: {UNIT} }}\ncontrol: {{ socket: {control} }}\n\
         time: {{ mode: ptp, ptp_socket: {}, ptp_master: '{}' }}\n",
        slave.socket().display(),
        master.identity(),
    );
    folder.write("node.yaml", &lines);
    let mut node = Unit::up(&["-c", &folder.at("node.yaml").display().to_string()]);
    let begun = Instant::now();
    node.expect_that("a good clock by PTP", PATIENCE, |said| is_ptp(said, &["locked", "tracking"]));
    measured("the program: tracking or locked", begun.elapsed());

    let shown = finish(program().args(["time", UNIT, "--json", "--socket", &control]));
    assert!(shown.status.success(), "{shown:?}");
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let is = |pointer: &str| text(&shown, pointer);
    assert_eq!([is("/unit"), is("/active_source"), is("/ptp_state")], [UNIT, "ptp", "SLAVE"], "{shown:#}");
    assert_eq!([is("/ptp_master"), is("/sources/0/daemon")], [master.identity().as_str(), "ptp4l"], "{shown:#}");
    for number in ["/ptp_offset_ns", "/ptp_path_delay_ns", "/clock_offset_ns", "/uncertainty_ns"] {
        assert!(shown.pointer(number).is_some_and(Value::is_i64), "{number}: {shown:#}");
    }

    slave.kill();
    let gone = node.expect("time_guardian time_daemon", PATIENCE);
    assert_eq!(gone.text("/fields/daemon"), "ptp4l");
    let socket = slave.socket().display().to_string();
    assert!(gone.text("/fields/problem").contains(&socket), "{gone:?}");
    let ended = node.stop("TERM");
    assert_eq!((ended.code, ended.complaints.as_str()), (Some(0), ""), "{:?}", ended.said);
}
