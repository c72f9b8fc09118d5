//! `capabilities`: what a node lets out, of its tools and of its actors.

use std::collections::BTreeSet;

use crate::client::{Listener, request};
use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::tools::{Told, all_of, figure, metrics_of, reload, tool};
use crate::unit::{ACTORS, Said, Unit, config, folder};
use crate::{PATIENCE, SOON};

const VOICE: &str = "capabilities: [{ subject: \"com.bridge.vhf.*.*.voice\", allow: [pub, sub] }]\n";
const REFUSED: &str = "nunect_messages_refused_total";

/// A node with all actors, a control socket and its figures.
struct Node {
    unit: Unit,
    file: String,
    socket: String,
    metrics: String,
}

impl Node {
    fn text(url: &str, more: &str) -> String {
        format!(
            "connection: {{ urls: [\"{url}\"] }}\nhealth: {{ heartbeat_interval: 200ms }}\n\
             metrics: {{ listen: \"127.0.0.1:0\" }}\nlogging: {{ min_level: DEBUG, publish_level: DEBUG }}\n\
             actors: {{ prober: {{ interval: 1s }}, nats: {{ interval: 1s }}, cluster: {{ interval: 1s }} }}\n{more}"
        )
    }

    fn start(url: &str, id: &str, more: &str) -> Self {
        let file = config(&Self::text(url, more)).display().to_string();
        let socket = folder().join("control").display().to_string();
        let mut unit = Unit::up(&["--unit", id, "-c", &file, "--socket", &socket]);
        let started: Vec<String> = ACTORS.iter().map(|actor| format!("{actor} actor_started")).collect();
        all_of(&mut unit, &Vec::from_iter(started.iter().map(String::as_str)), PATIENCE);
        let metrics = metrics_of(&mut unit);
        Self { unit, file, socket, metrics }
    }

    /// A tool that reaches it by its control socket.
    fn tool(&self, arguments: &[&str]) -> Told {
        tool(&[arguments, &["--socket", &self.socket]].concat())
    }

    /// The refusals that it has told of and nobody looked at.
    fn refusals(&mut self) -> Vec<Said> {
        let mut said = self.unit.unexpected();
        said.retain(|said| said.what().ends_with("publish_refused"));
        said
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let folder = std::path::Path::new(&self.socket).parent().expect("a folder");
        // What is left is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[test]
fn a_tool_publishes_what_the_profile_allows_and_nothing_else() {
    let server = NatsServer::start();
    let url = server.url();
    let mut node = Node::start(&url, "gated", VOICE);
    let heard = Listener::on(&url, "com.>");
    let before = figure(&node.metrics, REFUSED);
    let allowed = "com.bridge.vhf.sdr01.ch16.voice";
    let told = node.tool(&["pub", allowed, "mayday", "-H", "Colour: red", "-H", "X-Origin-ID: sdr01"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let message = heard.next(PATIENCE);
    assert_eq!((message.subject.as_str(), message.payload()), (allowed, "mayday"));
    assert_eq!((message.header("Colour"), message.header("X-Origin-ID")), ("red", "sdr01"));
    assert_eq!((message.header("X-Unit-ID"), message.number("X-Sequence")), ("gated", 1));

    // Told once a minute for each subject, and counted each time.
    let others = ["com.bridge.vhf.sdr01.ch16.data", "nav.bridge.gps.gated.all.data", "ops.cmd.node.other"];
    for other in others {
        for _ in 0..3 {
            let told = node.tool(&["pub", other, "x"]);
            assert_eq!(told.code, Some(1), "{told:?}");
            let words = format!("{other}: not among the capabilities of this unit");
            assert!(told.stderr.contains("403") && told.stderr.contains(&words), "{told:?}");
        }
        let refused = node.unit.expect("node publish_refused", SOON);
        assert_eq!(refused.text("/fields/subject"), other);
        assert!(refused.text("/fields/reason").contains("capabilities"), "{refused:?}");
    }
    assert_eq!(figure(&node.metrics, REFUSED) - before, 9);
    let told = node.tool(&["pub", allowed, "still there?"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(heard.next(PATIENCE).number("X-Sequence"), 2, "what was refused has no number, and went nowhere");
    let again = node.refusals();
    assert!(again.is_empty(), "{again:?}");

    // Read again without the section, everything is allowed.
    reload(&node.unit, &node.file, &Node::text(&url, ""));
    let said = node.unit.expect("node reloaded", SOON);
    assert_eq!(said.json.pointer("/fields/changed/0"), Some(&"capabilities".into()), "{said:?}");
    assert_eq!(node.tool(&["pub", others[0], "free"]).code, Some(0));
    assert_eq!(heard.next(PATIENCE).payload(), "free");
    // And with another, that counts, for what was allowed before as well.
    let other = "capabilities: [{ subject: \"com.bridge.vhf.*.*.data\", allow: [pub] }]\n";
    reload(&node.unit, &node.file, &Node::text(&url, other));
    node.unit.expect("node reloaded", SOON);
    assert_eq!(node.tool(&["pub", others[0], "data"]).code, Some(0));
    assert_eq!(node.tool(&["pub", allowed, "voice"]).code, Some(1));
    assert_eq!(heard.next(PATIENCE).payload(), "data");
}

#[test]
fn a_node_without_the_section_lets_its_tools_publish_anything() {
    let server = NatsServer::start();
    let url = server.url();
    let mut node = Node::start(&url, "open", "");
    let heard = Listener::on(&url, ">");
    for subject in ["com.bridge.vhf.sdr01.ch16.data", "nav.bridge.gps.x.all.data", "ops.dead.open.echo", "elsewhere"] {
        let told = node.tool(&["pub", subject, "anything"]);
        assert_eq!(told.code, Some(0), "{told:?}");
        heard.until(PATIENCE, |message| message.subject == subject);
    }
    assert!(node.refusals().is_empty() && figure(&node.metrics, REFUSED) == 0);
}

#[test]
fn what_keeps_the_mesh_going_needs_no_capability() {
    let server = NatsServer::start();
    let url = server.url();
    // Its only capability is one that none of its actors has a use for.
    let mut node = Node::start(&url, "quiet", VOICE);
    let mut peer = Node::start(&url, "peer", "");
    peer.unit.expect_about("quiet", "unit_online", PATIENCE);
    let all = Listener::on(&url, ">");
    let mut raw = Raw::on(&url);
    // Everything that an actor answers, and something to write down.
    for (subject, payload) in [
        ("ops.cmd.node.quiet", "VERSION"),
        ("ops.cmd.node.quiet", "HEALTH_PROBE"),
        ("ops.cmd.node.quiet", "ACTORS"),
        ("ops.cmd.node.quiet", "NONSENSE"),
        ("ops.cmd.node.quiet", r#"{"command":"LOG_LEVEL","args":{"level":"DEBUG"}}"#),
        ("ops.heartbeat.quiet.not", ""),
    ] {
        raw.publish(subject, "", b"", payload.as_bytes());
    }
    for (subject, reply) in [
        ("ops.echo.quiet", "test.answer.echo"),
        ("ops.status.units", "elsewhere.units"),
        ("ops.cmd.node.quiet", "com.answer.command"),
        ("$SRV.PING", "nav.answer.ping"),
        ("$SRV.INFO", "test.answer.info"),
        ("$SRV.STATS", "test.answer.stats"),
    ] {
        raw.publish(subject, reply, b"", b"VERSION");
    }
    raw.publish("ops.heartbeat.guest", "", b"X-Heartbeat-Interval: soon\r\n", b"");
    raw.flush();
    assert_eq!(request(&url, "ops.echo.quiet", &[], "there?").payload(), "there?");

    // Until each of them has said what it has to say, several times over.
    let expected = [
        "ops.heartbeat.quiet",
        "ops.echo.peer",
        "ops.metric.rtt.quiet",
        "ops.status.node.quiet",
        "ops.health.cluster.quiet",
        "ops.log.INFO.quiet",
        "ops.log.WARN.quiet",
        "test.answer.echo",
        "com.answer.command",
        "nav.answer.ping",
        "test.answer.info",
        "test.answer.stats",
    ];
    let (mut missing, mut beats) = (BTreeSet::from(expected), 0);
    while !missing.is_empty() || beats < 15 {
        let message = all.next(PATIENCE);
        missing.remove(message.subject.as_str());
        beats += usize::from(message.subject == "ops.heartbeat.quiet");
        assert!(beats < 100, "nobody heard {missing:?}");
    }
    drop(peer);
    let refused = node.refusals();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(figure(&node.metrics, REFUSED), 0);
}
