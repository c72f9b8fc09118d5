use nunect_core::protocol::command::ChaosKind;
use nunect_core::protocol::header::{self, Value as Header};
use nunect_core::protocol::rtt::Rtt;
use nunect_core::testing::{Harness, UNIT, birth};
use nunect_core::{ActorName, Level};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn responder() -> Harness {
    Harness::new::<Commands>(json!({}))
}

fn unit() -> UnitId {
    UNIT.parse().expect("legal")
}

fn inbox() -> Subject {
    Subject::parse("_INBOX.operator.1").expect("legal")
}

/// Sends a command that names a reply.
fn send(harness: &mut Harness, command: Command) {
    let call = Call { command, id: Some("7".to_owned()) };
    harness.send(Message { reply: Some(inbox()), ..call.message(Role::Node, &unit()) });
}

/// The answer, which is the same in both places.
fn expect_answer(harness: &mut Harness) -> Answer {
    let public = Answer::parse(&harness.expect_publish(&format!("ops.status.node.{UNIT}"))).expect("an answer");
    let private = Answer::parse(&harness.expect_publish(inbox().as_str())).expect("an answer");
    assert_eq!(public, private);
    assert_eq!(public.id.as_deref(), Some("7"));
    public
}

fn leaf(kind: &str) -> ActorReport {
    ActorReport {
        name: "x".to_owned(),
        kind: kind.to_owned(),
        state: "running".to_owned(),
        restarts: 0,
        incarnation: 1,
        mailbox: None,
        last_crash: None,
        children: Vec::new(),
    }
}

fn description(kind: &str, units: u64) -> Result<NodeAnswer, NodeRefusal> {
    let tree = ActorReport { children: vec![leaf("echo"), leaf(kind)], ..leaf("supervisor") };
    Ok(NodeAnswer::Description { tree: Box::new(tree), units })
}

#[test]
fn it_reads_its_commands_under_any_role_and_refuses_what_it_cannot_take() {
    let life = Birth { role: Role::Gateway, ..birth("commands", Now::default()) };
    let contract = Actor::contract(&Commands::new(CommandsConfig {}, &life).expect("no options to get wrong"));
    let reads: Vec<_> = contract.reads.iter().map(|read| read.pattern.to_string()).collect();
    assert_eq!(reads, [format!("ops.cmd.*.{UNIT}"), format!("ops.metric.rtt.{UNIT}")]);
    assert_eq!(contract.publishes[0].as_str(), format!("ops.status.gateway.{UNIT}"));
    assert_eq!(contract.mailbox.overflow, Overflow::DropNewest);
}

#[test]
fn a_version_is_told_at_once() {
    let mut harness = responder();
    send(&mut harness, Command::Version);
    let answer = expect_answer(&mut harness);
    let version: Version = serde_json::from_value(answer.body).expect("a version");
    assert_eq!((answer.code, version.name.as_str(), version.protocol), (200, "nunect", 1));
    assert_eq!(version.version, env!("CARGO_PKG_VERSION"));
    assert!(version.rustc.starts_with("1.") && version.target.contains('-'), "{version:?}");
    harness.expect_silence();
}

#[test]
fn a_health_probe_tells_what_is_known_of_the_node_and_its_host() {
    let mut harness = responder();
    harness.input(Input::Node(&NodeReport::Health(Health::Degraded)));
    harness.host(HostReport { cpu_percent: Some(12.4), memory_percent: Some(f32::NAN) });
    let rtt = Rtt { unit: unit(), native_us: None, app_us: Some(438), peer: None, delays: None };
    let own = nunect_core::SessionId::from_random(1);
    harness.send(rtt.build().with(&header::SESSION_ID, Header::text(own.as_str())));
    harness.advance(Duration::from_millis(9_999));
    send(&mut harness, Command::HealthProbe);
    let (id, command) = harness.expect_command();
    assert_eq!(command, NodeCommand::Describe);
    harness.expect_silence();
    harness.node_answers(id, description(Monitor::KIND, 3));
    let expected = json!({
        "unit": UNIT, "status": "DEGRADED", "uptime_s": 9, "cpu_percent": 12, "memory_percent": null,
        "rtt_app_us": 438, "rtt_native_us": null, "clock_source": "unsynced", "clock_quality": "freerun", "units": 3,
    });
    assert_eq!(expect_answer(&mut harness).body, expected);
}

#[test]
fn without_a_monitor_or_a_tree_the_units_are_unknown() {
    for result in [description("echo", 0), Err(NodeRefusal { code: 500, reason: "no".to_owned() })] {
        let mut harness = responder();
        send(&mut harness, Command::HealthProbe);
        let (id, _) = harness.expect_command();
        harness.node_answers(id, result);
        let answer = expect_answer(&mut harness);
        assert_eq!((answer.code, &answer.body["units"], &answer.body["status"]), (200, &Value::Null, &json!("OK")));
    }
}

#[test]
fn the_tree_is_that_of_the_node() {
    let mut harness = responder();
    send(&mut harness, Command::Actors);
    let (id, command) = harness.expect_command();
    assert_eq!(command, NodeCommand::Describe);
    harness.node_answers(id, description("monitor", 3));
    let tree: ActorReport = serde_json::from_value(expect_answer(&mut harness).body).expect("a tree");
    assert_eq!(tree.children.len(), 2);
}

#[test]
fn a_log_level_and_harm_are_passed_on_and_confirmed() {
    let echo = ActorName::new("echo").expect("legal");
    for (command, passed_on, body) in [
        (Command::LogLevel { level: Level::Debug }, NodeCommand::LogLevel(Level::Debug), json!({ "level": "DEBUG" })),
        (
            Command::Chaos { actor: echo.clone(), what: ChaosKind::Panic },
            NodeCommand::Chaos { actor: echo, what: ChaosKind::Panic },
            json!({ "actor": "echo", "what": "panic" }),
        ),
    ] {
        let mut harness = responder();
        send(&mut harness, command);
        let (id, given) = harness.expect_command();
        assert_eq!(given, passed_on);
        harness.node_answers(id, Ok(NodeAnswer::Done));
        assert_eq!(expect_answer(&mut harness).body, body);
        harness.expect_silence();
    }
}

#[test]
fn what_the_node_refuses_is_answered_and_reported() {
    let mut harness = responder();
    send(&mut harness, Command::Chaos { actor: ActorName::new("echo").expect("legal"), what: ChaosKind::Hang });
    let (id, _) = harness.expect_command();
    let reason = "`chaos: true` is not configured".to_owned();
    harness.node_answers(id, Err(NodeRefusal { code: 403, reason: reason.clone() }));
    let answer = expect_answer(&mut harness);
    assert_eq!((answer.code, answer.error()), (403, Some(reason.as_str())));
    assert_eq!(harness.events(), [Event::CommandRefused { command: "CHAOS".to_owned(), reason }]);
}

#[test]
fn what_is_no_command_is_answered_in_words_and_counted() {
    for (payload, code) in [("", 400), ("SELF_DESTRUCT", 404), ("{", 400), (r#"{"command":"CHAOS"}"#, 400)] {
        let mut harness = responder();
        harness.send(Message {
            reply: Some(inbox()),
            ..Message::new(command::subject(Role::Node, &unit())).body(payload)
        });
        for pattern in ["ops.status.node.*", "_INBOX.operator.1"] {
            let answer = Answer::parse(&harness.expect_publish(pattern)).expect("an answer");
            assert_eq!((answer.code, answer.error().is_some()), (code, true));
        }
        assert!(matches!(harness.expect_event(), Event::Malformed { .. }));
        harness.expect_silence();
    }
}

#[test]
fn a_command_to_another_role_is_answered_under_the_own_one() {
    for role in ["gateway", "node", "boss"] {
        let mut harness = responder();
        let subject = Subject::parse(format!("ops.cmd.{role}.{UNIT}")).expect("legal");
        harness.send(Message::new(subject).body("VERSION"));
        assert_eq!(harness.expect_publish("ops.status.*.*").subject.as_str(), format!("ops.status.node.{UNIT}"));
        harness.expect_silence();
    }
}

#[test]
fn commands_may_be_answered_out_of_order() {
    let mut harness = responder();
    send(&mut harness, Command::Actors);
    send(&mut harness, Command::LogLevel { level: Level::Warn });
    let [(first, _), (second, _)] = harness.commanded().try_into().expect("two commands");
    harness.node_answers(second, Ok(NodeAnswer::Done));
    assert_eq!(expect_answer(&mut harness).to.as_deref(), Some("LOG_LEVEL"));
    harness.node_answers(first, description("echo", 0));
    assert_eq!(expect_answer(&mut harness).to.as_deref(), Some("ACTORS"));
    harness.node_answers(first, description("echo", 0));
    harness.expect_silence();
}

#[test]
fn commands_beyond_the_bound_are_refused_until_the_node_answers_or_time_is_up() {
    let mut harness = responder();
    for _ in 0..PENDING_MAX {
        send(&mut harness, Command::Actors);
    }
    assert_eq!(harness.commanded().len(), PENDING_MAX);
    send(&mut harness, Command::Actors);
    assert_eq!(expect_answer(&mut harness).code, 503);
    harness.expect_silence();
    harness.advance(PENDING_FOR);
    send(&mut harness, Command::Actors);
    assert_eq!(harness.commanded().len(), 1);
    for _ in 0..PENDING_MAX {
        assert_eq!(expect_answer(&mut harness).error(), Some("the node did not answer in time"));
    }
    harness.expect_silence();
}

proptest! {
    #[test]
    fn whatever_arrives_is_answered_once_or_given_to_the_node(payload in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        "\\{\"command\":\"(VERSION|ACTORS|CHAOS|LOG_LEVEL)\",\"args\":\\{\"level\":\"[A-Z]{4}\"\\}\\}".prop_map(String::into_bytes),
    ]) {
        let mut harness = responder();
        harness.send(Message::new(command::subject(Role::Node, &unit())).body(payload));
        prop_assert_eq!(harness.published().len() + harness.commanded().len(), 1);
    }
}
