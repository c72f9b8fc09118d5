//! The server stands still, refuses the node, takes permissions away, lowers its limits, or was never one.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::PATIENCE;
use crate::client::{Heard, Listener, request};
use crate::harm::{ACTORS, full, tool};
use crate::jwt::Operator;
use crate::nats::NatsServer;
use crate::proxy::Proxy;
use crate::unit::{Said, Unit, folder, run};

/// Two unanswered pings, 2 s apart, three times over.
const NOTICED: Duration = Duration::from_secs(12);
/// A server that is there again, or lets the node in, is found within 2 s, three times over.
const RESUME: Duration = Duration::from_secs(6);
/// Until a node without a bus says so: half a second, and whatever its start takes, three times over.
const SAID: Duration = Duration::from_secs(3);
/// What a server permits again is known after a try of ours, 5 s later, three times over.
const PERMITTED: Duration = Duration::from_secs(15);

/// The configuration of a node of all actors, with `more`.
fn file(more: &str) -> String {
    full(&ACTORS[..8], more)
}

/// A node that the server has let in, as its own monitor sees.
fn connected(url: &str, id: &str, more: &str) -> Unit {
    let mut unit = Unit::on(url, id, &["-c", &file(more)]);
    unit.expect_about(id, "unit_online", PATIENCE);
    unit
}

/// A URL with a user and a password.
fn with_user(server: &NatsServer, user: &str) -> String {
    server.url().replace("://", &format!("://{user}@"))
}

/// As many connections as the protocol's back-off makes in a time, and some for the clients of the test.
fn no_storm(server: &NatsServer, before: u64, took: Duration) {
    let made = server.tells("/varz", "total_connections") - before;
    // The first at once, the others a quarter of a second or more after another.
    let limit = 1 + u64::try_from(took.as_millis()).expect("a short time") / 250;
    assert!(made <= limit, "{made} connections within {took:?}");
}

fn sequences(heartbeats: &[Heard]) -> Vec<u64> {
    heartbeats.iter().map(|heartbeat| heartbeat.number("X-Sequence")).collect()
}

#[test]
fn a_server_that_stands_still_for_half_a_minute_finds_the_node_as_it_was() {
    const STILL: Duration = Duration::from_secs(30);
    let server = NatsServer::start();
    let beats = Listener::on(&server.url(), "ops.heartbeat.held");
    let rtt = Listener::on(&server.url(), "ops.metric.rtt.held");
    let sockets = folder();
    let socket = sockets.join("held.sock").display().to_string();
    let mut node = connected(&server.url(), "held", &format!("control: {{ socket: \"{socket}\" }}"));
    let mut all = vec![beats.next(PATIENCE)];
    let session = all[0].header("X-Session-ID").to_owned();

    server.pause();
    let stopped = Instant::now();
    node.expect("node bus_disconnected", NOTICED);
    let degraded = node.expect_health("DEGRADED", SAID);
    assert_eq!(degraded.json.pointer("/fields/causes"), Some(&serde_json::json!(["bus away"])));
    let told = run(&["pub", "--socket", &socket, "com.t.x.held.g.data", "lost"]);
    let words = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.code() == Some(1) && words.contains("bus is away"), "{told:?}");
    sleep(STILL.saturating_sub(stopped.elapsed()));
    let crashed = node.unexpected().into_iter().find(|said| said.what().ends_with("actor_crashed"));
    assert!(crashed.is_none(), "{crashed:?}");

    let again = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    server.resume();
    let resumed = Instant::now();
    node.expect("node bus_connected", RESUME);
    node.expect_health("OK", SAID);
    let is_new = |message: &Heard| u128::from(message.number("X-TX-Timestamp")) > again;
    // What waited in the system's buffers comes late, and is not what we look for.
    all.extend(beats.until(PATIENCE, is_new));
    assert!(resumed.elapsed() < RESUME, "heartbeats come again {:?} after the server", resumed.elapsed());
    let first = all.last().expect("a heartbeat").number("X-TX-Timestamp");
    all.extend((0..5).map(|_| beats.next(PATIENCE)));
    // Of telemetry the latest was kept: that nothing is known of the way to the server.
    let measured: Vec<Heard> = (0..3).flat_map(|_| rtt.until(PATIENCE, is_new)).collect();
    // What was kept goes out in one step, a heartbeat among it perhaps, with one timestamp.
    let kept = measured.iter().filter(|metric| is_new(metric) && metric.number("X-TX-Timestamp") <= first);
    let kept: Vec<&Heard> = kept.collect();
    assert!(matches!(kept[..], [metric] if metric.payload().contains("\"native_rtt_us\":null")), "{kept:?}");
    let numbers = sequences(&all);
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "no number is used twice: {numbers:?}");
    let last = numbers.iter().max().expect("heartbeats") - numbers[0] + 1;
    assert_eq!(last, distinct.len() as u64, "and none is left out: {numbers:?}");
    assert!(all.iter().all(|beat| beat.header("X-Session-ID") == session), "it is the same run");
    assert_eq!(request(&server.url(), "ops.cmd.node.held", &[], "VERSION").header("X-Unit-ID"), "held");
    assert_eq!(node.stop("TERM").code, Some(0));
    std::fs::remove_dir_all(sockets).expect("a folder of this test");
}

#[test]
fn a_node_with_wrong_credentials_lives_and_is_let_in_once_they_are_right() {
    let users = |users: &str| format!("authorization {{ users: [ {{ user: other, password: x }}{users} ] }}\n");
    let mut server = NatsServer::watched(&users(""));
    let before = server.tells("/varz", "total_connections");
    let began = Instant::now();
    let mut node = Unit::on(&with_user(&server, "node:s3cret-word"), "stranger", &["-c", &file("")]);
    let refused = node.expect("node bus_refused", PATIENCE);
    assert_eq!(refused.text("/fields/reason").to_lowercase(), "authorization violation");
    let degraded = node.expect_health("DEGRADED", SAID);
    assert!(degraded.text("/msg").contains("authorization violation"), "{degraded:?}");
    node.expect("nats actor_started", PATIENCE);
    // Long enough for the waits between its tries to reach their cap.
    sleep(Duration::from_secs(3));
    no_storm(&server, before, began.elapsed());
    let again = node.unexpected().into_iter().find(|said| said.what() == "node bus_refused");
    assert!(again.is_none(), "that it is refused is said once: {again:?}");

    server.reload(&users(", { user: node, password: \"s3cret-word\" }"));
    node.expect("node bus_connected", RESUME);
    node.expect_health("OK", SAID);
    let said = node.all();
    let ended = node.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!format!("{said}{ended:?}").contains("s3cret"), "the password is told to nobody");
}

#[test]
fn a_server_that_refuses_the_node_does_not_keep_it_from_the_next() {
    let strict = NatsServer::configured("authorization { users: [ { user: other, password: x } ] }\n");
    let mut open = NatsServer::start();
    let urls = format!("{},{}", with_user(&strict, "node:s3cret-word"), open.url());
    let mut node = connected(&urls, "twofold", "");
    open.kill();
    node.expect("node bus_disconnected", SAID);
    let refused = node.expect("node bus_refused", PATIENCE);
    let words = format!("authorization violation ({})", strict.url());
    assert_eq!(refused.text("/fields/reason").to_lowercase(), words, "which of them, and not the password");
    open.launch();
    node.expect("node bus_connected", RESUME);
    node.expect_health("OK", SAID);
    assert_eq!(node.stop("TERM").code, Some(0));
}

#[test]
fn a_node_whose_credentials_expire_is_back_once_their_file_is_renewed() {
    let operator = Operator::new();
    let server = NatsServer::watched(&operator.server_config());
    let folder = folder();
    let creds = folder.join("node.creds");
    operator.write_credentials(&creds, Some(Duration::from_secs(3)));
    let more = format!("connection: {{ credentials: \"{}\" }}", creds.display());
    let mut node = connected(&server.url(), "guest", &more);

    let before = server.tells("/varz", "total_connections");
    let expired = node.expect("node bus_refused", PATIENCE);
    let began = Instant::now();
    assert_eq!(expired.text("/fields/reason"), "User Authentication Expired");
    node.expect("node bus_disconnected", SAID);
    let degraded = node.expect_health("DEGRADED", SAID);
    assert!(degraded.text("/msg").contains("User Authentication Expired"), "{degraded:?}");
    // Credentials are good to the end of the second in which they expire: the server lets it in, and
    // ends the connection at once.
    let refused =
        |said: &Said| said.what() == "node bus_refused" && said.text("/fields/reason") != "User Authentication Expired";
    let refused = node.expect_that("another refusal", PATIENCE, refused);
    assert_eq!(refused.text("/fields/reason").to_lowercase(), "authorization violation");
    sleep(Duration::from_secs(2));
    let said = node.unexpected();
    assert!(said.iter().all(|said| said.what() != "node bus_connected"), "it is not let in: {said:#?}");
    no_storm(&server, before, began.elapsed());

    operator.write_credentials(&creds, None);
    node.expect("node bus_connected", RESUME);
    node.expect_health("OK", SAID);
    assert_eq!(node.stop("TERM").code, Some(0));
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}

#[test]
fn what_a_node_may_not_do_any_more_is_named_and_what_it_may_again_is_done_again() {
    let users = |permissions: &str| {
        let node = format!("{{ user: node, password: x, permissions: {{ {permissions} }} }}");
        format!("authorization {{ users: [ {node}, {{ user: other, password: x }} ] }}\n")
    };
    let mut server = NatsServer::watched(&users(""));
    let other = with_user(&server, "other:x");
    let mut node = connected(&with_user(&server, "node:x"), "bound", "");
    let beats = Listener::on(&other, "ops.heartbeat.bound");
    beats.next(PATIENCE);
    let told = tool(&other, &["--json", "req", "ops.cmd.node.bound", "VERSION"]);
    assert_eq!(told.code, Some(0), "{told:?}");

    server.reload(&users("publish: { deny: [ops.heartbeat.>] }, subscribe: { deny: [ops.cmd.>] }"));
    let denials = [node.expect("node bus_denied", PATIENCE), node.expect("node bus_denied", PATIENCE)];
    let denials = denials.map(|said| format!("{} {}", said.text("/fields/action"), said.text("/fields/subject")));
    assert_eq!(
        BTreeSet::from(denials),
        BTreeSet::from(["publish ops.heartbeat.bound", "subscribe ops.cmd.*.bound"].map(String::from))
    );
    let degraded = node.expect_health("DEGRADED", SAID);
    assert!(degraded.text("/msg").contains("not permitted: publish ops.heartbeat.bound"), "{degraded:?}");
    assert!(degraded.text("/msg").contains("not permitted: subscribe ops.cmd.*.bound"), "{degraded:?}");
    let told = tool(&other, &["--json", "req", "ops.cmd.node.bound", "VERSION"]);
    assert_eq!(told.code, Some(1), "nobody listens: {told:?}");
    beats.waiting();
    // Everything else goes on: it answers echoes, and tells how it does.
    for _ in 0..3 {
        assert_eq!(request(&other, "ops.echo.bound", &[], "hi").payload(), "hi");
    }
    Listener::on(&other, "ops.metric.rtt.bound").next(PATIENCE);
    assert!(beats.waiting().is_empty(), "its heartbeats are not permitted");
    // It is not asked for every second heartbeat: what is known is not said again.
    assert!(node.unexpected().iter().all(|said| said.what() != "node bus_denied"), "each is said once a minute");

    server.reload(&users(""));
    beats.next(SAID);
    node.expect_health("OK", PERMITTED);
    let told = tool(&other, &["--json", "req", "ops.cmd.node.bound", "VERSION"]);
    assert_eq!(told.code, Some(0), "the command responder hears again: {told:?}");
    assert!(node.unexpected().iter().all(|said| said.what() != "node bus_disconnected"), "the connection stayed");
    assert_eq!(node.stop("TERM").code, Some(0));
}

#[test]
fn a_message_beyond_a_lowered_limit_is_lost_alone() {
    let mut server = NatsServer::watched("max_payload: 1048576\n");
    let mut node = connected(&server.url(), "wordy", "");
    let actors = || tool(&server.url(), &["--json", "req", "--timeout", "1s", "ops.cmd.node.wordy", "ACTORS"]);
    let told = actors();
    assert_eq!(told.code, Some(0), "{told:?}");

    // A heartbeat is half as long, and the answer with all actors much longer.
    server.reload("max_payload: 1200\n");
    let actors = || tool(&server.url(), &["--json", "req", "--timeout", "1s", "ops.cmd.node.wordy", "ACTORS"]);
    // A server does not tell those who are connected that it takes less from now on, and ends the
    // connection of whoever sends more.
    assert_eq!(actors().code, Some(1), "the answer is too long");
    let refused = node.expect("node bus_refused", PATIENCE);
    assert_eq!(refused.text("/fields/reason"), "Maximum Payload Violation");
    node.expect("node bus_connected", RESUME);
    node.expect_health("OK", SAID);

    let before = server.tells("/varz", "total_connections");
    let beats = Listener::on(&server.url(), "ops.heartbeat.wordy");
    assert_eq!(actors().code, Some(1), "the answer is too long");
    let refused = node.expect("node publish_refused", PATIENCE);
    assert_eq!(refused.text("/fields/subject"), "ops.status.node.wordy");
    assert!(refused.text("/fields/reason").contains("limit of 1200"), "{refused:?}");
    beats.next(PATIENCE);
    beats.next(PATIENCE);
    let told = tool(&server.url(), &["--json", "req", "ops.cmd.node.wordy", "VERSION"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    // The listener, and for each question a look at the server and a client.
    assert_eq!(server.tells("/varz", "total_connections") - before, 1 + 2 * 2, "the connection survives");
    assert_eq!(node.stop("TERM").code, Some(0));
}

#[test]
fn a_port_that_takes_connections_and_says_nothing_holds_up_nobody() {
    let server = NatsServer::start();
    let proxy = Proxy::start();
    let mut node = Unit::on(&proxy.url(), "waiting", &["-c", &file("")]);
    node.expect("node bus_disconnected", SAID);
    let degraded = node.expect_health("DEGRADED", SAID);
    assert!(degraded.text("/msg").contains("bus away"), "{degraded:?}");
    node.expect("nats actor_started", SAID);

    let asked = Instant::now();
    let told = tool(&proxy.url(), &["units", "--timeout", "1s"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?} with a timeout of 1 s", asked.elapsed());
    let address = proxy.url();
    assert!(told.stderr.contains(&address) && told.stderr.contains("says nothing"), "{}", told.stderr);
    assert!(told.stderr.contains("help: ") && !told.stderr.contains("os error"), "{}", told.stderr);
    assert!(proxy.taken() < 12, "{} connections", proxy.taken());

    proxy.pass_on_to(&server.url());
    node.expect("node bus_connected", RESUME);
    node.expect_health("OK", SAID);
    node.expect_about("waiting", "unit_online", SAID);
    assert_eq!(node.stop("TERM").code, Some(0));
}
