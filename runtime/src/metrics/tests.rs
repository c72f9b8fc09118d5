use std::collections::BTreeMap;

use garde::Validate;
use nunect_core::protocol::units::UnitStatus;
use nunect_core::{
    Actor, ActorName, ActorSpec, Birth, Catalog, ConfigError, Contract, DirectoryChange, Effects, Fault, Health, Input,
    Message, Now, Pattern, Role, Subject, UnitId,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{Bus, Clock, LocalBus, NodeSpec};

/// Sees as many units as it is asked to, and crashes when asked for none.
struct Watcher(usize);

#[derive(Deserialize, JsonSchema, Validate)]
struct Options {
    #[garde(skip)]
    units: usize,
}

impl Actor for Watcher {
    const KIND: &'static str = "watcher";
    type Config = Options;

    fn new(options: Options, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self(options.units))
    }

    fn contract(&self) -> Contract {
        let reads = vec![Pattern::parse("crash").expect("legal").into()];
        Contract { reads, ..Contract::default() }
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        if matches!(input, Input::Message(_)) {
            return Err(Fault::new("as asked"));
        }
        if matches!(input, Input::Started) {
            for number in 0..self.0 {
                out.directory(DirectoryChange::Seen(UnitStatus {
                    unit: format!("unit-{number:04}").parse().expect("a unit ID"),
                    role: Role::Node,
                    state: if number == 0 { Health::Critical } else { Health::Ok },
                    since_ms: 0,
                    last_seen_ms: 1_707_772_800_500,
                    session: None,
                    rtt_app_us: (number == 0).then_some(1_500),
                    rtt_native_us: None,
                    clock_source: None,
                    clock_quality: None,
                }));
            }
        }
        Ok(())
    }
}

async fn node(units: usize) -> (Node, Arc<dyn Bus>) {
    let name = ActorName::new("eyes-1").expect("legal");
    let config = serde_json::json!({ "units": units });
    let actors = vec![ActorSpec { name, kind: "watcher".into(), config }];
    let spec = NodeSpec::new(UnitId::new("alpha").expect("legal"), Role::Node, actors).expect("randomness");
    let bus: Arc<dyn Bus> = Arc::new(LocalBus::new().client());
    let catalog = Catalog::new().with::<Watcher>();
    let node = Node::start(spec, &catalog, Arc::clone(&bus), Clock::new(), Box::new(|_| {})).await.expect("a node");
    (node, bus)
}

fn serve(node: &Node) -> MetricsServer {
    MetricsServer::start("127.0.0.1:0".parse().expect("an address"), node).expect("a free port")
}

/// The status line, the headers and the body of the answer to `question`.
async fn ask(server: &MetricsServer, question: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(server.local_addr()).await.expect("it listens");
    stream.write_all(question.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    let (status, headers) = head.split_once("\r\n").unwrap_or_else(|| panic!("{answer}"));
    (status.to_owned(), headers.to_lowercase(), body.to_owned())
}

async fn get(server: &MetricsServer, path: &str) -> (String, String, String) {
    ask(server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

/// The samples of a text, each of a family that has a type and help and stands in one piece.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut families: Vec<String> = Vec::new();
    let text = text.strip_suffix("# EOF\n").expect("a whole text");
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("# HELP ") {
            let (name, help) = words.split_once(' ').expect("help");
            assert!(help.ends_with('.') && !families.contains(&name.to_owned()), "{line}");
            families.push(name.to_owned());
        } else if let Some(words) = line.strip_prefix("# TYPE ").or_else(|| line.strip_prefix("# UNIT ")) {
            assert_eq!(words.split(' ').next(), families.last().map(String::as_str), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let family = families.last().expect("a family");
            assert!(name.starts_with(family.as_str()), "{line} is not of {family}");
            assert!(samples.insert(name.to_owned(), value.parse().expect("a number")).is_none(), "{line} twice");
        }
    }
    samples
}

#[tokio::test]
async fn prometheus_reads_what_a_node_counts_and_sees() {
    let (node, bus) = node(2).await;
    let subject = Subject::parse("crash".to_owned()).expect("legal");
    bus.publish(Clock::new().now(), Message::new(subject)).expect("an open bus");
    // The first life, its restart, and the one after the second crash on the message.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !node.metrics().contains("nunect_actor_restarts_total{actor=\"eyes-1\"} 2") {
        assert!(tokio::time::Instant::now() < deadline, "{}", node.metrics());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let server = serve(&node);
    let (status, headers, body) = get(&server, "/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(headers.contains("content-type: application/openmetrics-text; version=1.0.0"), "{headers}");
    let samples = samples(&body);
    let version = env!("CARGO_PKG_VERSION");
    let session = node.status().session;
    let info = format!("nunect_info{{unit=\"alpha\",role=\"node\",version=\"{version}\",session=\"{session}\"}}");
    for (name, value) in [
        (info.as_str(), 1.0),
        ("nunect_health", 0.0),
        ("nunect_bus_connected", 1.0),
        ("nunect_messages_kept_total", 0.0),
        ("nunect_messages_dropped_total", 0.0),
        ("nunect_messages_refused_total", 0.0),
        ("nunect_messages_lost_total", 0.0),
        ("nunect_actor_restarts_total{actor=\"eyes-1\"}", 2.0),
        ("nunect_actor_crashes_total{actor=\"eyes-1\"}", 2.0),
        ("nunect_actor_mailbox_depth{actor=\"eyes-1\"}", 0.0),
        ("nunect_actor_mailbox_capacity{actor=\"eyes-1\"}", 4_096.0),
        ("nunect_actor_received_total{actor=\"eyes-1\"}", 1.0),
        ("nunect_actor_settled_total{actor=\"eyes-1\"}", 0.0),
        ("nunect_actor_mailbox_dropped_total{actor=\"eyes-1\"}", 0.0),
        ("nunect_actor_poisoned_total{actor=\"eyes-1\"}", 1.0),
        ("nunect_actor_malformed_total{actor=\"eyes-1\"}", 0.0),
        ("nunect_units{state=\"OK\"}", 1.0),
        ("nunect_units{state=\"CRITICAL\"}", 1.0),
        ("nunect_units{state=\"OFFLINE\"}", 0.0),
        ("nunect_unit_state{unit=\"unit-0000\"}", 2.0),
        ("nunect_unit_state{unit=\"unit-0001\"}", 0.0),
        ("nunect_unit_rtt_app_seconds{unit=\"unit-0000\"}", 0.0015),
        ("nunect_unit_last_seen_timestamp_seconds{unit=\"unit-0001\"}", 1_707_772_800.5),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name} in\n{body}");
    }
    assert!(samples["nunect_up_seconds"] > 0.0 && samples["nunect_messages_sent_total"] >= 1.0, "{body}");
    assert!(!body.contains("nunect_unit_rtt_app_seconds{unit=\"unit-0001\"}"), "what is unknown is absent");
    assert_eq!(samples, self::samples(&node.metrics()).into_iter().chain([up(&samples)]).collect());
}

/// The one sample that changes all the time.
fn up(samples: &BTreeMap<String, f64>) -> (String, f64) {
    ("nunect_up_seconds".to_owned(), samples["nunect_up_seconds"])
}

#[tokio::test]
async fn many_units_are_counted_and_no_longer_listed() {
    for (units, listed) in [(1_000, true), (1_001, false)] {
        let (node, _) = node(units).await;
        // What an actor does at its start may come a moment after the node's.
        while node.directory().len() < units {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let text = node.metrics();
        assert_eq!(text.contains("nunect_unit_state"), listed);
        assert_eq!(samples(&text)["nunect_units{state=\"OK\"}"], (units - 1) as f64);
    }
}

#[tokio::test]
async fn other_questions_are_answered_in_few_words() {
    let (node, _) = node(0).await;
    let server = serve(&node);
    let (status, _, body) = get(&server, "/").await;
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", HINT));
    assert_eq!(get(&server, "/metrics/").await.0, "HTTP/1.1 404 Not Found");
    let (status, headers, _) = ask(&server, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(status, "HTTP/1.1 405 Method Not Allowed");
    assert!(headers.contains("allow: get, head"), "{headers}");
    let (status, headers, body) = ask(&server, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", ""));
    assert!(headers.contains("connection: close"), "{headers}");
    let (status, _, _) = ask(&server, &format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(9_000))).await;
    assert_eq!(status, "HTTP/1.1 431 Request Header Fields Too Large");
}

#[tokio::test]
async fn readers_who_dawdle_keep_nobody_out() {
    let (node, _) = node(0).await;
    let server = serve(&node);
    let mut dawdlers = Vec::new();
    for _ in 0..3 * CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(server.local_addr()).await.expect("it listens");
        stream.write_all(b"GET /metrics HTTP/1.1\r\n").await.expect("it reads");
        dawdlers.push(stream);
    }
    assert_eq!(get(&server, "/metrics").await.0, "HTTP/1.1 200 OK");
    let mut nothing = [0];
    let oldest = tokio::time::timeout(Duration::from_secs(4), dawdlers[0].read(&mut nothing)).await;
    assert!(matches!(oldest, Ok(Ok(0) | Err(_))), "the oldest gave way before its time was up");
}

#[tokio::test]
async fn a_taken_port_is_told_with_what_to_do_and_a_dropped_server_leaves_it() {
    let (node, _) = node(0).await;
    let server = serve(&node);
    let address = server.local_addr();
    let error = MetricsServer::start(address, &node).expect_err("it is taken");
    assert!(matches!(error, MetricsError::Taken { .. }));
    let words = error.to_string();
    assert!(words.contains(&address.to_string()) && words.contains("`metrics.listen`"), "{words}");
    let elsewhere = MetricsServer::start("192.0.2.1:9100".parse().expect("an address"), &node).expect_err("not ours");
    assert!(elsewhere.to_string().contains("192.0.2.1:9100"), "{elsewhere}");
    drop(server);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while let Err(error) = MetricsServer::start(address, &node) {
        assert!(tokio::time::Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_node_that_ended_is_told_so() {
    let (node, _) = node(0).await;
    let server = serve(&node);
    node.stop().await;
    assert!(matches!(
        get(&server, "/metrics").await.0.as_str(),
        "HTTP/1.1 503 Service Unavailable" | "HTTP/1.1 200 OK"
    ));
    assert_eq!(get(&server, "/").await.0, "HTTP/1.1 200 OK");
}
