//! The server goes, comes back, or comes late.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Heard, Listener};
use crate::nats::NatsServer;
use crate::unit::{ACTORS, Unit, config};
use crate::{PATIENCE, SOON, STOP};

const INTERVAL: Duration = Duration::from_millis(250);
/// How long the server is away.
const AWAY: Duration = Duration::from_secs(10);
/// Heartbeats resume within 2 s of its return, three times over.
const RESUME: Duration = Duration::from_secs(6);
/// What a thread takes from the system when it allocates for the first time is 2 MiB.
const GROWTH_MAX_KIB: u64 = 3 * 1_024;

fn file() -> String {
    config(&format!("health: {{ heartbeat_interval: {INTERVAL:?} }}\n")).display().to_string()
}

fn sequences(heartbeats: &[Heard]) -> Vec<u64> {
    heartbeats.iter().map(|heartbeat| heartbeat.number("X-Sequence")).collect()
}

#[test]
fn a_server_that_is_killed_and_returns_finds_the_node_as_it_was() {
    let mut server = NatsServer::start();
    let listener = Listener::on(&server.url(), "ops.heartbeat.survivor");
    let mut node = Unit::on(&server.url(), "survivor", &["-c", &file()]);
    // A short outage first: whatever is needed once in a life is then there.
    let mut before = listener.until(PATIENCE, |heartbeat| heartbeat.number("X-Sequence") >= 4);
    server.kill();
    server.launch();
    node.expect("node bus_disconnected", PATIENCE);
    node.expect("node bus_connected", PATIENCE);
    node.expect_health("OK", PATIENCE);
    before.extend((0..8).map(|_| listener.next(PATIENCE)));
    let session = before[0].header("X-Session-ID").to_owned();
    let footprint = node.footprint();

    server.kill();
    node.expect("node bus_disconnected", SOON);
    let degraded = node.expect_health("DEGRADED", SOON);
    assert_eq!(degraded.json.pointer("/fields/causes/0"), Some(&"bus away".into()));
    sleep(AWAY);
    before.extend(listener.waiting());

    server.launch();
    let returned = Instant::now();
    let first = listener.next(PATIENCE);
    let took = first.at.duration_since(returned);
    assert!(took < RESUME, "the first heartbeat comes {took:?} after the server");
    node.expect("node bus_connected", SOON);
    node.expect_health("OK", SOON);

    let after: Vec<Heard> = std::iter::once(first).chain((0..12).map(|_| listener.next(PATIENCE))).collect();
    assert!(after.iter().all(|heartbeat| heartbeat.header("X-Session-ID") == session), "it is the same run");
    assert!(after.iter().all(|heartbeat| heartbeat.header("X-Health-Status") == "OK"), "{after:?}");
    let sequences = sequences(&[before, after].concat());
    assert!(sequences.is_sorted_by(|a, b| a < b), "numbers only grow, none is used twice: {sequences:?}");

    let grown = node.footprint();
    assert_eq!((grown.threads, grown.files), (footprint.threads, footprint.files), "threads and open files");
    let limit = footprint.resident_kib + GROWTH_MAX_KIB;
    assert!(grown.resident_kib <= limit, "{} KiB of memory, {} before", grown.resident_kib, footprint.resident_kib);
    let ended = node.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_node_lives_without_its_server_and_connects_when_it_appears() {
    let mut server = NatsServer::absent();
    let mut node = Unit::on(&server.url(), "early", &["-c", &file()]);
    node.expect("node bus_disconnected", SOON);
    node.expect_health("DEGRADED", SOON);
    for actor in ACTORS {
        node.expect(&format!("{actor} actor_started"), SOON);
    }
    // Long enough for the waits between its tries to reach their cap.
    sleep(Duration::from_secs(3));
    let mut more = node.unexpected();
    // What that means for the cluster is for another actor to say.
    more.retain(|said| said.what() != "cluster cluster_changed");
    assert!(more.is_empty(), "that the bus is away is said once, and not: {more:?}");

    server.launch();
    let returned = Instant::now();
    node.expect("node bus_connected", RESUME);
    node.expect_health("OK", SOON);
    let online = node.expect_about("early", "unit_online", SOON);
    let took = online.at.duration_since(returned);
    assert!(took < RESUME, "its first heartbeat comes {took:?} after the server");
}

#[test]
fn a_node_that_may_not_try_for_ever_says_when_it_gives_up() {
    let absent = NatsServer::absent();
    let file = config("connection: { max_reconnects: 4 }\n").display().to_string();
    let mut node = Unit::on(&absent.url(), "patient", &["-c", &file]);
    node.expect("node bus_disconnected", SOON);
    let gave_up = node.expect("node bus_refused", PATIENCE);
    let reason = "no further try to connect: max_reconnects of 4 is reached";
    assert!(gave_up.text("/fields/reason").starts_with(reason), "{gave_up:?}");
}

#[test]
fn a_node_whose_server_is_away_or_stands_still_stops_in_time() {
    let absent = NatsServer::absent();
    let mut deaf = Unit::on(&absent.url(), "deaf", &[]);
    deaf.expect("echo actor_started", PATIENCE);
    let ended = deaf.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.took < STOP, "ended after {:?}", ended.took);

    let server = NatsServer::start();
    let mut node = Unit::on(&server.url(), "held", &[]);
    node.expect_about("held", "unit_online", PATIENCE);
    server.pause();
    let ended = node.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.took < STOP, "ended after {:?}", ended.took);
}

#[test]
fn a_node_that_is_told_to_stop_while_it_starts_does_so() {
    let absent = NatsServer::absent();
    let mut node = Unit::on(&absent.url(), "hasty", &[]);
    // It now waits half a second for its bus.
    node.expect("node node_started", PATIENCE);
    let ended = node.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said: Vec<String> = ended.said.iter().map(|said| said.what()).collect();
    assert!(said.contains(&"node node_stopping".to_owned()), "{said:?}");
}
