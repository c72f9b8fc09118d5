//! Two units of one name: one of them leaves.

use crate::client::Listener;
use crate::harm::{self, full};
use crate::nats::{NatsServer, free_port};
use crate::unit::Unit;
use crate::{BACK, PATIENCE};

/// The actors that a unit needs to find its twin and to be found.
const ACTORS: [&str; 3] = ["heartbeater", "monitor", "echo"];
/// From this difference of uptimes on, in seconds, both know for certain who was first.
const CERTAIN_S: u64 = 4;

fn up(url: &str, flags: &[&str]) -> Unit {
    Unit::on(url, "twin", &[flags, &["-c", &full(&ACTORS, "")]].concat())
}

/// A unit that has been up for long, and its session.
fn first(url: &str) -> (Unit, String) {
    let heartbeats = Listener::on(url, "ops.heartbeat.twin");
    let mut first = up(url, &[]);
    let session = first.expect("node node_started", PATIENCE).text("/fields/session").to_owned();
    first.expect_about("twin", "unit_online", PATIENCE);
    heartbeats.until(PATIENCE, |heartbeat| heartbeat.number("X-Uptime") >= CERTAIN_S);
    (first, session)
}

/// The later of two that hear each other ends with 3, and the earlier stays; both say so.
fn the_later_leaves(mut first: Unit, first_session: &str, mut second: Unit, second_session: &str) {
    let leaving = second.expect("heartbeater duplicate_unit", PATIENCE);
    assert_eq!(leaving.text("/fields/session"), first_session);
    assert_eq!(leaving.json.pointer("/fields/leaving"), Some(&true.into()));
    let ended = second.end(BACK);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.complaints.contains(&format!("in session {first_session}")), "{ended:?}");
    let staying = first.expect("heartbeater duplicate_unit", PATIENCE);
    assert_eq!(staying.text("/fields/session"), second_session);
    assert_eq!(staying.json.pointer("/fields/leaving"), Some(&false.into()));
    let ended = first.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn the_second_of_a_name_finds_the_first_before_it_starts() {
    let server = NatsServer::start();
    let url = server.url();
    let mut first = harm::witness(&url);
    let second = Unit::on(&url, "witness", &[]);
    let ended = second.end(PATIENCE);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.said.is_empty(), "it did not start: {ended:?}");
    assert!(ended.complaints.contains("a unit `witness` is there already, in session "), "{ended:?}");
    assert!(ended.complaints.contains("--force"), "{ended:?}");
    let heard = harm::rows(&url, "witness");
    let session = heard[0]["session"].as_str().expect("a session");
    assert!(ended.complaints.contains(&format!("in session {session}")), "{ended:?}");
    let mut noticed = first.unexpected();
    // The last of its own starts may come after its first heartbeat was heard.
    noticed.retain(|said| !said.what().ends_with(" actor_started") || said.json["fields"]["incarnation"] != 1);
    assert!(noticed.is_empty(), "the second never spoke as a unit: {noticed:?}");
}

#[test]
fn a_second_that_is_forced_to_start_meets_the_first_and_leaves() {
    let server = NatsServer::start();
    let url = server.url();
    let (first, first_session) = first(&url);
    let mut second = up(&url, &["--force"]);
    let second_session = second.expect("node node_started", PATIENCE).text("/fields/session").to_owned();
    the_later_leaves(first, &first_session, second, &second_session);
}

#[test]
fn two_that_meet_when_their_servers_are_joined_are_one_again() {
    let ports = [free_port(), free_port()];
    let cluster = |own: usize, routes: &str| {
        format!(
            "server_name: s{own}\ncluster {{ name: joined, listen: \"127.0.0.1:{}\", routes: [{routes}] }}\n",
            ports[own]
        )
    };
    let [one, mut other] = [0, 1].map(|own| NatsServer::watched(&cluster(own, "")));
    let (first, first_session) = first(&one.url());
    let mut second = up(&other.url(), &[]);
    let second_session = second.expect("node node_started", PATIENCE).text("/fields/session").to_owned();
    second.expect_about("twin", "unit_online", PATIENCE);
    other.reload(&cluster(1, &format!("\"nats-route://127.0.0.1:{}\"", ports[0])));
    the_later_leaves(first, &first_session, second, &second_session);
}
