//! `nunect sub`, `pub` and `req`.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::nats::{NatsServer, signal};
use crate::unit::program;
use crate::{Node, both, said};

/// Starts a subscription, and comes back when it listens.
fn listening(command: &mut Command) -> (Child, std::io::BufReader<std::process::ChildStderr>) {
    use std::io::BufRead;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("nunect starts");
    let mut errors = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    errors.read_line(&mut line).expect("readable");
    assert!(line.starts_with("listening on "), "{line}");
    (child, errors)
}

#[test]
fn what_is_published_is_printed_with_its_headers_by_whoever_listens() {
    both("wire-1", "", |node| {
        let (child, _) = listening(&mut node.command(&["--json", "sub", "test.>", "--count", "2"]));
        let said = node.run(&["pub", "test.a", "words", "-H", "Colour: red", "--reply", "test.answer"]);
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""));
        let mut bytes = node.command(&["pub", "test.b", "-"]);
        let mut bytes = bytes.stdin(Stdio::piped()).spawn().expect("nunect starts");
        bytes.stdin.take().expect("a pipe").write_all(b"\xff\x00\xfe").expect("writable");
        assert!(bytes.wait().expect("a child").success());

        let heard = child.wait_with_output().expect("a child");
        assert!(heard.status.success());
        let heard = String::from_utf8(heard.stdout).expect("JSON");
        let heard: Vec<serde_json::Value> =
            heard.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((&heard[0]["subject"], &heard[0]["payload"]), (&"test.a".into(), &"words".into()));
        assert_eq!((&heard[0]["headers"]["Colour"], &heard[0]["reply"]), (&json!(["red"]), &"test.answer".into()));
        assert_eq!((&heard[1]["encoding"], &heard[1]["payload"]), (&"base64".into(), &"/wD+".into()));
    });
}

#[test]
fn an_interrupt_ends_a_subscription_with_a_count_and_a_closed_pipe_without_a_word() {
    use std::io::Read;
    let server = NatsServer::start();
    let (mut child, mut errors) = listening(program().args(["sub", "test.>", "--nats", &server.url()]));
    signal(child.id(), "INT");
    assert!(child.wait().expect("a child").success());
    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("readable");
    assert_eq!(rest, "0 messages\n");

    let (mut child, mut errors) = listening(program().args(["sub", "test.>", "--nats", &server.url()]));
    drop(child.stdout.take());
    assert_eq!(said(program().args(["pub", "test.a", "x", "--nats", &server.url()])).code, Some(0));
    assert!(child.wait().expect("a child").success());
    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("readable");
    assert_eq!(rest, "");
}

#[test]
fn an_answer_is_printed_as_it_is() {
    both("wire-2", "", |node| {
        let said = node.run(&["req", "ops.echo.wire-2", "hello"]);
        assert_eq!((said.code, said.out.as_str(), said.errors.as_str()), (Some(0), "hello\n", ""));
        let said = node.run(&["req", "test.nobody", "hello"]);
        assert_eq!(said.code, Some(1));
        assert_eq!(said.errors, "error: asking `test.nobody`: nobody listens\n");
    });
}

#[test]
fn a_subject_that_is_none_is_shown_with_the_place_and_a_remedy() {
    for (arguments, words) in [
        (["pub", "a..b"], "`a..b`: empty token at token 2; write a name between every two dots"),
        (["pub", "a.*"], "`a.*`: wildcard in a subject that is published to at token 2; name one subject in full"),
        (["req", "a b"], "`a b`: white space or control character at token 1"),
        (["sub", "a.>.b"], "`a.>.b`: `>` before the end at token 2; write `*` for one token"),
    ] {
        let said = said(program().args(arguments));
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.errors.contains(words), "{said:?}");
    }
}

#[test]
fn what_the_capabilities_do_not_allow_is_refused_with_the_reason() {
    let capabilities = "capabilities: [{ subject: com.bridge.vhf.*.*.voice, allow: [pub, sub] }]";
    let node = Node::alone("wire-3", capabilities);
    assert_eq!(node.run(&["pub", "com.bridge.vhf.a.b.voice", "x"]).code, Some(0));
    let said = node.run(&["pub", "com.bridge.vhf.a.b.data", "x"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.errors.starts_with("error: publishing to `com.bridge.vhf.a.b.data`: refused: "), "{said:?}");
}
