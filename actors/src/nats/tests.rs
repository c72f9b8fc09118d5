use nunect_core::protocol::command::{CrashReport, MailboxReport};
use nunect_core::testing::{Harness, UNIT, birth};
use serde_json::{Value, json};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SESSION: &str = "0000000000000001";

/// It with a bus, after its first question to the server.
fn nats() -> (Harness, RequestId) {
    let mut harness = Harness::new::<Nats>(json!({}));
    let (id, _) = expect_question(&mut harness);
    (harness, id)
}

fn unwatched() -> Harness {
    Harness::new::<Nats>(json!({ "watch": false }))
}

fn expect_question(harness: &mut Harness) -> (RequestId, Now) {
    let (id, message) = harness.expect_request();
    assert_eq!(message.subject, sys::varz());
    (id, harness.now())
}

fn subject(text: &str) -> Subject {
    Subject::parse(text.to_owned()).expect("legal")
}

/// Asks about the service, with a place for the answer.
fn ask(harness: &mut Harness, text: &str) {
    harness.send(Message { reply: Some(subject("_INBOX.tool")), ..Message::new(subject(text)) });
}

fn expect_answer(harness: &mut Harness) -> service::Answer {
    let answer = service::Answer::parse(&harness.expect_publish("_INBOX.tool")).expect("an answer");
    assert_eq!((answer.service().name(), answer.service().id()), ("nunect", SESSION));
    assert_eq!(answer.service().metadata()["unit"], UNIT);
    answer
}

fn actor(name: &str, kind: &str, children: Vec<ActorReport>) -> ActorReport {
    ActorReport {
        name: name.to_owned(),
        kind: kind.to_owned(),
        state: "running".to_owned(),
        restarts: 0,
        incarnation: 1,
        mailbox: None,
        last_crash: None,
        children,
    }
}

/// A node that has an echo, which lost three messages, and a monitor under a supervisor.
fn description() -> Result<NodeAnswer, NodeRefusal> {
    let echo = ActorReport {
        mailbox: Some(MailboxReport { depth: 0, capacity: 4_096, dropped: 1, poisoned: 2 }),
        last_crash: Some(CrashReport { at_ms: 0, reason: "out of range".to_owned() }),
        ..actor("echo", "echo", Vec::new())
    };
    let watchers = actor("watchers", "supervisor", vec![actor("monitor", "monitor", Vec::new())]);
    let tree = Box::new(actor("root", "supervisor", vec![echo, watchers, actor("mine", "link-probe", Vec::new())]));
    Ok(NodeAnswer::Description { tree, units: 0 })
}

/// What a server says about itself.
fn figures(server: &str, slow_consumers: u64) -> Message {
    let json = json!({ "server": { "name": server, "ver": "2.15.1" }, "data": { "slow_consumers": slow_consumers } });
    Message::new(subject("_INBOX.1")).body(json.to_string())
}

fn client(change: &str, name: &str, user: &str, reason: Option<&str>) -> Message {
    let client = json!({ "acc": "APP", "name": name, "user": user, "host": "10.0.0.7" });
    let json = json!({ "server": { "name": "a" }, "client": client, "reason": reason });
    Message::new(subject(&format!("$SYS.ACCOUNT.APP.{change}"))).body(json.to_string())
}

#[test]
fn it_is_asked_as_one_instance_of_a_service_and_watches_unless_told_not_to() {
    let contract = |watch| {
        Actor::contract(
            &Nats::new(NatsConfig { watch, ..NatsConfig::default() }, &birth("nats", Now::default())).expect("legal"),
        )
    };
    let words = |contract: &Contract| contract.reads.iter().map(|read| read.pattern.to_string()).collect::<Vec<_>>();
    let quiet = contract(false);
    assert_eq!(words(&quiet).len(), 9);
    assert_eq!(
        words(&quiet)[..3],
        ["$SRV.PING".to_owned(), "$SRV.PING.nunect".to_owned(), format!("$SRV.PING.nunect.{SESSION}")]
    );
    assert_eq!((quiet.publishes, quiet.sensors), (vec![], vec![]));
    let watching = contract(true);
    assert_eq!(words(&watching)[9..], ["$SYS.ACCOUNT.*.CONNECT", "$SYS.ACCOUNT.*.DISCONNECT"]);
    assert_eq!((watching.publishes, watching.sensors), (vec![Pattern::from(&sys::varz())], vec![Sensor::Bus]));
}

#[test]
fn a_ping_is_answered_at_once_whoever_is_meant_by_it() {
    for text in ["$SRV.PING".to_owned(), "$SRV.PING.nunect".to_owned(), format!("$SRV.PING.nunect.{SESSION}")] {
        let mut harness = unwatched();
        ask(&mut harness, &text);
        assert!(matches!(expect_answer(&mut harness), service::Answer::Ping(_)));
        ask(&mut harness, "$SRV.PING.another");
        ask(&mut harness, "$SRV.INFO.nunect.0000000000000002");
        harness.expect_silence();
    }
}

#[test]
fn its_endpoints_are_those_of_the_actors_that_the_node_has() {
    let mut harness = unwatched();
    ask(&mut harness, "$SRV.INFO");
    let (id, command) = harness.expect_command();
    assert_eq!(command, NodeCommand::Describe);
    harness.node_answers(id, description());
    let service::Answer::Info { endpoints, description, .. } = expect_answer(&mut harness) else { panic!("another") };
    let words: Vec<_> =
        endpoints.iter().map(|e| [e.name.as_str(), e.subject.as_str(), e.queue_group.as_str()]).collect();
    assert_eq!(words, [["echo", &format!("ops.echo.{UNIT}"), ""], ["units", "ops.status.units", "monitor"]]);
    assert_eq!(description, format!("the nunect node {UNIT}"));
}

#[test]
fn its_figures_are_those_of_the_mailboxes() {
    let mut harness = unwatched();
    harness.advance(SECOND);
    ask(&mut harness, "$SRV.STATS.nunect");
    let (id, _) = harness.expect_command();
    harness.node_answers(id, description());
    let service::Answer::Stats { endpoints, started, .. } = expect_answer(&mut harness) else { panic!("another") };
    assert_eq!(started, nunect_core::testing::WALL_START);
    assert_eq!((endpoints[0].num_errors, endpoints[0].last_error.as_str()), (3, "out of range"));
    assert_eq!((endpoints[1].num_requests, endpoints[1].num_errors), (0, 0));
}

#[test]
fn a_node_that_does_not_describe_itself_offers_nothing() {
    let mut harness = unwatched();
    ask(&mut harness, "$SRV.INFO");
    let (id, _) = harness.expect_command();
    harness.node_answers(id, Err(NodeRefusal { code: 500, reason: "no".to_owned() }));
    let service::Answer::Info { endpoints, .. } = expect_answer(&mut harness) else { panic!("another") };
    assert_eq!(endpoints, []);
}

#[test]
fn questions_that_wait_for_the_node_are_bounded() {
    let mut harness = unwatched();
    for _ in 0..2 * PENDING_MAX {
        ask(&mut harness, "$SRV.STATS");
    }
    assert_eq!(harness.commanded().len(), PENDING_MAX);
    harness.advance(PENDING_FOR);
    ask(&mut harness, "$SRV.STATS");
    assert_eq!(harness.commanded().len(), 1);
}

#[test]
fn what_cannot_be_answered_or_read_is_counted() {
    let (mut harness, _) = nats();
    for message in [
        Message::new(subject("$SRV.PING")),
        Message::new(subject("$SRV.BREW")),
        Message::new(subject("$SYS.ACCOUNT.APP.CONNECT")).body("garbage"),
    ] {
        harness.send(message);
        assert!(matches!(harness.expect_event(), Event::Malformed { .. }));
        harness.expect_silence();
    }
}

#[test]
fn clients_that_come_and_go_are_told_of_by_the_best_name_there_is() {
    let (mut harness, _) = nats();
    for (message, words) in [
        (client("CONNECT", "alpha", "app", None), "alpha connected: from 10.0.0.7, account APP"),
        (client("DISCONNECT", "", "app", Some("Client Closed")), "app disconnected: Client Closed"),
        (client("CONNECT", "", "", None), "a client without a name connected: from 10.0.0.7, account APP"),
        (client("DISCONNECT", "alpha", "", None), "alpha disconnected: from 10.0.0.7, account APP"),
    ] {
        harness.send(message);
        assert_eq!(harness.expect_event().to_string(), words);
    }
    harness.send(client("CONNECT", UNIT, "app", None));
    harness.expect_silence();
    harness.send(client("CONNECT", &"x".repeat(10_000), "", None));
    assert!(harness.expect_event().to_string().len() < 300);
}

#[test]
fn slow_consumers_are_told_of_when_there_are_more_than_before() {
    let (mut harness, mut id) = nats();
    let mut told = Vec::new();
    for (server, total) in [("a", 5), ("a", 5), ("a", 7), ("b", 9), ("b", 9), ("a", 8), ("a", 0), ("a", 1)] {
        harness.answer(id, harness.now(), Ok(figures(server, total)));
        told.extend(harness.events());
        harness.advance(30 * SECOND);
        (id, _) = expect_question(&mut harness);
    }
    let slow = |total| Event::ServerSlowConsumers { server: "a".to_owned(), total };
    assert_eq!(told, [slow(7), slow(8), slow(1)]);
}

#[test]
fn the_servers_that_are_remembered_are_bounded() {
    let mut actor = Nats::new(NatsConfig::default(), &birth("nats", Now::default())).expect("legal");
    let mut out = Effects::new(nunect_core::Incarnation(1));
    for server in 0..2 * SERVERS_MAX {
        actor.compare(ServerReport::parse(&figures(&server.to_string(), 1)).expect("figures"), &mut out);
    }
    assert_eq!(actor.servers.len(), SERVERS_MAX);
    assert!(out.is_empty());
}

#[test]
fn a_server_that_does_not_let_it_ask_is_left_alone_for_ten_minutes_or_until_the_bus_is_back() {
    let refused: Value = json!({ "server": { "name": "a" }, "error": { "code": 403, "description": "no" } });
    let refused = Message::new(subject("_INBOX.1")).body(refused.to_string());
    for result in [Err(RequestError::NoResponders), Err(RequestError::Refused), Ok(refused)] {
        let (mut harness, id) = nats();
        harness.answer(id, harness.now(), result);
        harness.advance(QUIET - Duration::from_nanos(1));
        harness.expect_silence();
        harness.advance(Duration::from_nanos(1));
        let (id, sent) = expect_question(&mut harness);
        harness.answer(id, sent, Err(RequestError::NoResponders));
        harness.input(Input::Bus(&BusEvent::Disconnected));
        harness.advance(2 * QUIET);
        harness.expect_silence();
        harness.input(Input::Bus(&BusEvent::Connected));
        expect_question(&mut harness);
    }
}

#[test]
fn a_question_that_is_not_permitted_is_not_repeated_either() {
    let (mut harness, id) = nats();
    let denied = |subject: Subject| BusEvent::Denied { action: BusAction::Publish, subject: subject.to_string() };
    harness.input(Input::Bus(&denied(sys::statsz())));
    harness.advance(30 * SECOND);
    expect_question(&mut harness);
    harness.input(Input::Bus(&denied(sys::varz())));
    harness.answer(id, harness.now(), Err(RequestError::Timeout));
    harness.advance(QUIET - SECOND);
    harness.expect_silence();
}

#[test]
fn an_answer_that_does_not_come_or_cannot_be_read_changes_nothing() {
    let garbage = Message::new(subject("_INBOX.1")).body("garbage");
    for (result, events) in [(Err(RequestError::Timeout), 0), (Err(RequestError::BusAway), 0), (Ok(garbage), 1)] {
        let (mut harness, id) = nats();
        harness.answer(id, harness.now(), result);
        assert_eq!(harness.events().len(), events);
        harness.advance(30 * SECOND);
        expect_question(&mut harness);
    }
}

#[test]
fn without_watching_the_server_is_never_asked() {
    let mut harness = unwatched();
    harness.advance(10 * QUIET);
    harness.expect_silence();
    assert_eq!(harness.deadline(), None);
}
