//! Who is OFFLINE, as the monitor of one unit sees it.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::flow::Ear;
use super::mesh::Mesh;
use super::server::{HERE, Server, url};
use crate::measured::Decisions;
use crate::real::Conditions;
use crate::unit::{Unit, clean, config};

const PATIENCE: Duration = Duration::from_secs(30);
/// Several heartbeats of each unit. Not whole intervals, which would put the cut beside the heartbeat of the last to join.
const STAND: Duration = Duration::from_millis(4_400);
/// A heartbeat that was on the link when it was cut still arrives.
const UNDER_WAY: Duration = Duration::from_millis(50);
/// From heal until all is settled.
const RECOVERY: Duration = Duration::from_secs(8);

/// Who watches, beside the server on node 0.
pub(crate) const WATCHER: &str = "watcher";
/// Who is killed, beside it.
pub(crate) const VICTIM: &str = "victim";
/// Who lives on beside it.
pub(crate) const NEAR: &str = "near";
/// Who reaches the server by the link alone, from node 1.
pub(crate) const FAR: [&str; 2] = ["far-1", "far-2"];

/// Five units on one server, of which one is killed at the moment that two are cut off, for a while.
pub(crate) fn offline_decisions(interval: Duration, cut: Duration) -> (Decisions, Conditions) {
    let mut mesh = Mesh::start(2, 0.0, 0);
    let _server = Server::start(&mesh, 0, "hub", "");
    let ear = Ear::start(&mesh, 0, "ops.heartbeat.*");
    let file = config(&format!("health: {{ heartbeat_interval: {interval:?} }}\n")).display().to_string();
    let mut watcher = up(&mesh, 0, HERE, WATCHER, &file);
    watcher.expect_about(WATCHER, "unit_online", PATIENCE);
    let mut join = |node: usize, url: &str, id: &str| {
        let unit = up(&mesh, node, url, id, &file);
        watcher.expect_about(id, "unit_online", PATIENCE);
        unit
    };
    let mut victim = join(0, HERE, VICTIM);
    let _near = join(0, HERE, NEAR);
    let _far = FAR.map(|id| join(1, &url(0), id));
    sleep(STAND);

    let cut_at = mesh.cut(0, 1);
    victim.kill();
    sleep(cut.saturating_sub(cut_at.elapsed()));
    let healed = mesh.heal(0, 1);
    sleep(RECOVERY.saturating_sub(healed.elapsed()));

    let heartbeats = ear.end(&mesh);
    let last_heard = |id: &&str| {
        let subject = format!("ops.heartbeat.{id}");
        let before = heartbeats.iter().filter(|(of, at)| *of == subject && *at < cut_at + UNDER_WAY).map(|(_, at)| *at);
        ((*id).to_owned(), cut_at.saturating_duration_since(before.max().expect("heard before the cut")))
    };
    let last_heard = [WATCHER, VICTIM, NEAR, FAR[0], FAR[1]].iter().map(last_heard).collect();
    let said = watcher.unexpected();
    let decided = |kind: &str, since: Instant| {
        let about = said.iter().filter(|said| said.what() == format!("monitor {kind}"));
        let about = about.map(|said| (said.text("/fields/unit").to_owned(), said.at));
        about.filter_map(|(unit, at)| Some((unit, at.checked_duration_since(since)?))).collect()
    };
    let offline = decided("unit_offline", cut_at);
    let online = decided("unit_online", healed);
    (Decisions { interval, cut, last_heard, offline, online }, Conditions::of(&mut mesh))
}

fn up(mesh: &Mesh, node: usize, url: &str, id: &str, file: &str) -> Unit {
    let mut command = clean(Path::new(Mesh::ENTER));
    command.args(mesh.entry(node)).arg(env!("CARGO_BIN_EXE_nunect"));
    Unit::of(command.args(["up", "--json", "--unit", id, "--nats", url, "-c", file]))
}
