use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::arbitrary::{self, HEALTHS, over_the_wire, subject_of, unit_named};
use crate::message::Headers;
use crate::protocol::header::{self, ClockQuality, ClockSource, Health};
use crate::protocol::unavailable;

const ROLES: [Role; 4] = [Role::Gateway, Role::Client, Role::Repeater, Role::Node];
const KINDS: [ChaosKind; 4] = [ChaosKind::Panic, ChaosKind::Stop, ChaosKind::Hang, ChaosKind::Pause];
const LEVELS: [Level; 5] = [Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::HealthProbe),
        Just(Command::Version),
        Just(Command::Actors),
        proptest::sample::select(&LEVELS).prop_map(|level| Command::LogLevel { level }),
        (arbitrary::actor(), proptest::sample::select(&KINDS)).prop_map(|(actor, what)| Command::Chaos { actor, what }),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    (command(), proptest::option::of("\\PC{0,32}")).prop_map(|(command, id)| Call { command, id })
}

fn parse(payload: impl Into<Bytes>) -> Result<Call, CommandError> {
    Call::parse(&Message::new(subject(Role::Node, &unit_named("alpha"))).body(payload))
}

/// The code and the words of the answer to a payload that is no call.
fn refusal(payload: &'static str) -> (u16, String) {
    let answer = Answer::from(&parse(payload).expect_err(payload));
    (answer.code, answer.error().expect("a refusal").to_owned())
}

fn inbox() -> Subject {
    subject_of("_INBOX.alpha.1.1")
}

proptest! {
    #[test]
    fn a_call_reads_back(call in call(), role in proptest::sample::select(&ROLES), unit in arbitrary::unit()) {
        let message = over_the_wire(&call.message(role, &unit));
        prop_assert!(pattern(&unit).matches(&message.subject));
        prop_assert_eq!(parse_subject(&message.subject)?, (role, unit));
        prop_assert_eq!(Call::parse(&message)?, call);
    }

    #[test]
    fn an_answer_reads_back_from_both_places(
        call in call(),
        code in 200..600u16,
        words in any::<String>(),
        (role, unit) in (proptest::sample::select(&ROLES), arbitrary::unit()),
    ) {
        let fine = Answer::ok(&call, &json!({ "words": words, "more": { "id": 7 } }));
        for answer in [fine, Answer::refusal(&call, code, words)] {
            for message in [answer.on_status(role, &unit), answer.to_reply(inbox())] {
                prop_assert_eq!(&Answer::parse(&over_the_wire(&message))?, &answer);
            }
            let status = answer.on_status(role, &unit).subject;
            prop_assert!(pattern_of_answers().matches(&status));
            prop_assert_eq!(parse_subject_of_answer(&status)?, (role, unit.clone()));
        }
    }

    #[test]
    fn nothing_that_arrives_makes_the_parsers_panic(payload in any::<Vec<u8>>(), headers in arbitrary::raw_block()) {
        let quoted = [br#"{"command":"CHAOS","args":{"actor":""#, &payload[..], br#""},"id":"#, &payload, b"}"].concat();
        for payload in [payload, quoted] {
            let mut message = Message::new(subject_of("ops.cmd.node.alpha")).body(payload);
            message.headers = Headers::from_raw(headers.clone());
            let _ = Answer::parse(&message);
            if let Err(error) = Call::parse(&message) {
                let answer = Answer::from(&error);
                prop_assert!(matches!(answer.code, 400 | 404));
                prop_assert!(answer.to_reply(inbox()).payload().len() < 2_000, "an answer is short, whatever was asked");
            }
        }
    }
}

#[test]
fn a_command_without_arguments_is_a_bare_word() {
    for (word, command) in
        [("HEALTH_PROBE", Command::HealthProbe), ("VERSION", Command::Version), ("ACTORS", Command::Actors)]
    {
        let call = Call::new(command);
        assert_eq!(call.message(Role::Node, &unit_named("alpha")).payload(), word);
        assert_eq!(parse(word), Ok(call.clone()));
        assert_eq!(parse(format!(" {word}\r\n")), Ok(call.clone()));
        assert_eq!(parse(format!(r#"{{"command":"{word}","args":{{}},"id":null}}"#)), Ok(call));
    }
}

#[test]
fn a_command_with_arguments_is_the_json_of_the_protocol() {
    let actor = ActorName::new("echo").expect("a legal name");
    let chaos = Call { command: Command::Chaos { actor, what: ChaosKind::Panic }, id: Some("7".to_owned()) };
    let message = chaos.message(Role::Gateway, &unit_named("alpha"));
    assert_eq!(message.subject.as_str(), "ops.cmd.gateway.alpha");
    assert_eq!(message.payload(), r#"{"command":"CHAOS","args":{"actor":"echo","what":"panic"},"id":"7"}"#);
    let level = Call::new(Command::LogLevel { level: Level::Debug });
    let message = level.message(Role::Gateway, &unit_named("alpha"));
    assert_eq!(message.payload(), r#"{"command":"LOG_LEVEL","args":{"level":"DEBUG"}}"#);
}

#[test]
fn a_refusal_tells_an_operator_what_to_send() {
    let known = "HEALTH_PROBE, VERSION, ACTORS, LOG_LEVEL, CHAOS";
    assert_eq!(refusal(" \n"), (400, format!("no command; send one of {known}")));
    assert_eq!(refusal("version"), (404, format!("unknown command `version`; known are {known}")));
    assert_eq!(refusal("{}"), (400, format!("`command` is missing, or no text; send one of {known}")));
    let malformed = r#"neither the word of a command nor JSON `{"command":…,"args":{…},"id":…}`"#;
    assert_eq!(refusal("{command: VERSION}"), (400, malformed.to_owned()));
    let levels = "one of DEBUG, INFO, WARN, ERROR, FATAL";
    assert_eq!(refusal("LOG_LEVEL"), (400, format!("`args.level` is missing: {levels}")));
    let wrong = format!("`args.level` is \"loud\", not {levels}");
    assert_eq!(refusal(r#"{"command":"LOG_LEVEL","args":{"level":"loud"}}"#), (400, wrong));
    let wrong = "`args.actor` is 7, not the name of an actor".to_owned();
    assert_eq!(refusal(r#"{"command":"CHAOS","args":{"actor":7,"what":"panic"}}"#), (400, wrong));
    let missing = "`args.what` is missing: one of panic, stop, hang, pause".to_owned();
    assert_eq!(refusal(r#"{"command":"CHAOS","args":{"actor":"echo"}}"#), (400, missing));
    let id = "`id` is not a text of at most 128 bytes".to_owned();
    assert_eq!(refusal(r#"{"command":"VERSION","id":7}"#), (400, id.clone()));
    let long = format!(r#"{{"command":"VERSION","id":"{}"}}"#, "7".repeat(ID_MAX_BYTES + 1));
    assert_eq!(parse(long).expect_err("too long").to_string(), id);
    assert!(matches!(parse(&b"\xff"[..]), Err(CommandError { problem: CommandProblem::Malformed, .. })));
}

#[test]
fn even_a_refusal_says_what_it_answers() {
    let error = parse(r#"{"command":"SELF_DESTRUCT","id":"a1"}"#).expect_err("unknown");
    let message = Answer::from(&error).to_reply(inbox());
    let known = "HEALTH_PROBE, VERSION, ACTORS, LOG_LEVEL, CHAOS";
    let expected = format!(r#"{{"error":"unknown command `SELF_DESTRUCT`; known are {known}","id":"a1"}}"#);
    assert_eq!(message.payload(), expected);
    assert_eq!(header::RESPONSE_TO.read(&message.headers), Ok(Some("SELF_DESTRUCT".to_owned())));
    assert_eq!(header::RESPONSE_CODE.read(&message.headers), Ok(Some(404)));
    let error = parse(r#"{"command":"CHAOS","id":"a1"}"#).expect_err("no arguments");
    assert_eq!((error.to.as_deref(), error.id.as_deref()), (Some("CHAOS"), Some("a1")));
    let hostile = Answer::from(&parse("X\r\nX-Unit-ID: evil").expect_err("unknown")).to_reply(inbox());
    assert_eq!(over_the_wire(&hostile).headers.get("X-Unit-ID"), None);
}

#[test]
fn a_health_probe_has_its_status_in_a_header_too() {
    for status in HEALTHS {
        let probe = HealthProbe {
            unit: unit_named("alpha"),
            status,
            uptime_s: 60,
            cpu_percent: Some(12),
            memory_percent: None,
            rtt_app_us: Some(438),
            rtt_native_us: None,
            clock_source: ClockSource::Unsynced,
            clock_quality: ClockQuality::Freerun,
            units: Some(3),
        };
        let message = Answer::ok(&Call::new(Command::HealthProbe), &probe).on_status(Role::Node, &unit_named("alpha"));
        assert_eq!(message.subject.as_str(), "ops.status.node.alpha");
        assert_eq!(header::HEALTH_STATUS.read(&message.headers), Ok(Some(status)));
        let expected = format!(
            r#"{{"unit":"alpha","status":"{status}","uptime_s":60,"cpu_percent":12,"memory_percent":null,"rtt_app_us":438,"rtt_native_us":null,"clock_source":"unsynced","clock_quality":"freerun","units":3}}"#
        );
        assert_eq!(message.payload(), expected);
        let answer = Answer::parse(&message).expect("an answer");
        assert_eq!(answer.error(), None);
        assert_eq!(serde_json::from_value::<HealthProbe>(answer.body).ok(), Some(probe));
    }
    let version = Answer::ok(&Call::new(Command::Version), &json!({ "status": "OK" })).to_reply(inbox());
    assert_eq!(header::HEALTH_STATUS.read(&version.headers), Ok(None::<Health>));
}

#[test]
fn the_tree_and_the_version_have_the_names_of_the_protocol() {
    let echo = ActorReport {
        name: "echo".to_owned(),
        kind: "echo-responder".to_owned(),
        state: "running".to_owned(),
        restarts: 1,
        incarnation: 2,
        mailbox: Some(MailboxReport { depth: 0, capacity: 4_096, dropped: 1, poisoned: 2 }),
        last_crash: Some(CrashReport { at_ms: 1_707_772_800_000, reason: "panic: out of range".to_owned() }),
        children: Vec::new(),
    };
    let root = ActorReport {
        name: "root".to_owned(),
        kind: "supervisor".to_owned(),
        restarts: 0,
        incarnation: 1,
        mailbox: None,
        last_crash: None,
        children: vec![echo.clone()],
        ..echo
    };
    let expected = r#"{"name":"root","kind":"supervisor","state":"running","restarts":0,"incarnation":1,"mailbox":null,"last_crash":null,"children":[{"name":"echo","kind":"echo-responder","state":"running","restarts":1,"incarnation":2,"mailbox":{"depth":0,"capacity":4096,"dropped":1,"poisoned":2},"last_crash":{"at_ms":1707772800000,"reason":"panic: out of range"},"children":[]}]}"#;
    assert_eq!(serde_json::to_string(&root).expect("JSON"), expected);
    assert_eq!(serde_json::from_str::<ActorReport>(expected).ok(), Some(root));
    let version = Version {
        name: "nunect".to_owned(),
        version: "0.1.0".to_owned(),
        protocol: PROTOCOL_VERSION,
        rustc: "1.95.0".to_owned(),
        target: "x86_64-unknown-linux-gnu".to_owned(),
    };
    let expected =
        r#"{"name":"nunect","version":"0.1.0","protocol":1,"rustc":"1.95.0","target":"x86_64-unknown-linux-gnu"}"#;
    assert_eq!(serde_json::to_string(&version).expect("JSON"), expected);
}

#[test]
fn the_answer_of_a_full_mailbox_is_a_refusal_like_any_other() {
    let answer = Answer::parse(&over_the_wire(&unavailable(inbox()))).expect("an answer");
    assert_eq!((answer.code, answer.error(), answer.to.as_deref()), (503, Some("mailbox full"), None));
    assert!(Answer::parse(&Message::new(inbox())).is_err(), "nothing is no answer");
}

#[test]
fn a_command_or_an_answer_is_for_one_unit_of_one_role() {
    for text in ["ops.cmd.alpha", "ops.cmd.boss.alpha", "ops.cmd.node.alpha.bravo", "ops.cmd", "ops.status.node.alpha"]
    {
        let error = parse_subject(&subject_of(text)).expect_err(text);
        assert_eq!(error.to_string(), format!("subject `{text}` is not of the form `ops.cmd.{{role}}.{{unit}}`"));
    }
    assert!(matches!(parse_subject(&subject_of("ops.cmd.node.units")), Err(ProtocolError::Identity { .. })));
    assert!(!pattern_of_answers().matches(&crate::protocol::units::subject()));
}

#[test]
fn every_harm_has_one_spelling_that_also_json_uses() {
    for kind in KINDS {
        assert_eq!(serde_json::to_value(kind).expect("a word"), kind.as_str());
        assert_eq!(ChaosKind::parse(kind.as_str()), Some(kind));
    }
}
