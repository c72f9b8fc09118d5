//! The node as a micro service of NATS (ADR-32): found and asked as NATS's own tools do.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::client::{Listener, request};
use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::tools::{all_of, tool};
use crate::unit::{Unit, finish};

/// Where answers go.
const INBOX: &str = "test.inbox";

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn unix_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("this century")
}

/// Whether nats-py's own classes for services read these answers. Of all clients it alone insists on the
/// `data` of an endpoint, which is optional.
fn nats_py_reads(answers: &[Value]) {
    let script = "import json, sys\n\
        from nats.micro.service import ServiceInfo, ServicePing, ServiceStats\n\
        for answer in json.loads(sys.argv[1]):\n\
        \x20   for endpoint in answer.get('endpoints', []): endpoint.setdefault('data', None)\n\
        \x20   kind = answer['type'].split('.')[-1]\n\
        \x20   read = {'ping_response': ServicePing, 'info_response': ServiceInfo, 'stats_response': ServiceStats}[kind]\n\
        \x20   wrote = read.from_dict(answer).to_dict()\n\
        \x20   assert all(answer[name] == wrote[name] for name in ('name', 'id', 'version', 'type')), (answer, wrote)\n\
        \x20   assert len(wrote.get('endpoints', [])) == len(answer.get('endpoints', [])), (answer, wrote)\n";
    let mut python = Command::new(std::env::var_os("NUNECT_PYTHON").expect("bash tools/test sets it"));
    python.env("PYTHONPATH", std::env::var_os("NUNECT_PYTHONPATH").unwrap_or_default());
    let output = finish(python.args(["-c", script, &json!(answers).to_string()]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_node_answers_once_in_the_form_that_tools_of_nats_read() {
    let server = NatsServer::start();
    let url = server.url();
    let mut nodes = ["left", "right"].map(|id| Unit::on(&url, id, &[]));
    let sessions = nodes.each_mut().map(|node| {
        let said = all_of(node, &["node node_started", "nats actor_started", "monitor unit_online"], PATIENCE);
        said[0].text("/fields/session").to_owned()
    });
    let inbox = Listener::on(&url, INBOX);
    let mut raw = Raw::on(&url);
    let mut asked = |subject: &str, count: usize| -> Vec<Value> {
        raw.publish(subject, INBOX, b"", b"");
        raw.flush();
        let heard = (0..count).map(|_| inbox.next(PATIENCE));
        let mut answers: Vec<(String, Value)> = heard
            .map(|heard| {
                assert!(heard.names().iter().all(|name| !name.starts_with("Nats-Service-Error")), "{heard:?}");
                let json: Value = serde_json::from_str(heard.payload()).expect("JSON");
                assert_eq!(json["metadata"]["unit"], heard.header("X-Unit-ID"), "{json}");
                (heard.header("X-Unit-ID").to_owned(), json)
            })
            .collect();
        answers.sort_by(|one, other| one.0.cmp(&other.0));
        answers.into_iter().map(|(_, json)| json).collect()
    };

    let pings = asked("$SRV.PING", 2);
    let infos = asked("$SRV.INFO.nunect", 2);
    let stats = asked("$SRV.STATS", 2);
    let base = ["type", "name", "id", "version", "metadata"];
    for (index, (unit, session)) in ["left", "right"].iter().zip(&sessions).enumerate() {
        let (ping, info, stats) = (&pings[index], &infos[index], &stats[index]);
        for (answer, kind) in [(ping, "ping"), (info, "info"), (stats, "stats")] {
            assert_eq!(answer["type"], format!("io.nats.micro.v1.{kind}_response"));
            assert_eq!((&answer["name"], &answer["id"]), (&json!("nunect"), &json!(session)), "{answer}");
            assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
            assert_eq!((&answer["metadata"]["unit"], &answer["metadata"]["role"]), (&json!(unit), &json!("node")));
        }
        assert_eq!(keys(ping), BTreeSet::from(base));
        assert_eq!(keys(info), BTreeSet::from_iter(base.into_iter().chain(["description", "endpoints"])));
        assert_eq!(keys(stats), BTreeSet::from_iter(base.into_iter().chain(["started", "endpoints"])));
        let of = |answer: &Value, name: &str| -> Vec<Value> {
            answer["endpoints"].as_array().expect("a list").iter().map(|endpoint| endpoint[name].clone()).collect()
        };
        let subjects =
            [json!("ops.status.units"), json!(format!("ops.echo.{unit}")), json!(format!("ops.cmd.*.{unit}"))];
        for answer in [info, stats] {
            let mut found = of(answer, "subject");
            found.sort_by_key(Value::to_string);
            let mut subjects = subjects.to_vec();
            subjects.sort_by_key(Value::to_string);
            assert_eq!(found, subjects);
        }
        for endpoint in info["endpoints"].as_array().expect("a list") {
            assert_eq!(keys(endpoint), BTreeSet::from(["name", "subject", "queue_group", "metadata"]));
        }
        for endpoint in stats["endpoints"].as_array().expect("a list") {
            let numbers = ["num_requests", "num_errors", "processing_time", "average_processing_time"];
            let names = ["name", "subject", "queue_group", "last_error"];
            assert_eq!(keys(endpoint), names.into_iter().chain(numbers).collect());
            assert!(numbers.iter().all(|name| endpoint[name].is_u64()), "{endpoint}");
        }
        let started: jiff::Timestamp = stats["started"].as_str().and_then(|text| text.parse().ok()).expect("RFC 3339");
        assert!(started.as_second().abs_diff(unix_s()) < 120, "{stats}");
    }
    nats_py_reads(&[pings, infos, stats].concat());

    // Each by its ID alone; the next answers show that nobody else answered.
    for (unit, session) in ["left", "right"].iter().zip(&sessions) {
        for verb in ["PING", "INFO", "STATS"] {
            let answers = asked(&format!("$SRV.{verb}.nunect.{session}"), 1);
            assert_eq!(answers[0]["metadata"]["unit"], *unit);
        }
    }
    let answer = request(&url, &format!("$SRV.PING.nunect.{}", sessions[0]), &[], "");
    assert_eq!(answer.header("X-Unit-ID"), "left");
    let told = tool(&["req", "$SRV.PING.somebody-else", "--nats", &url]);
    assert!(told.code == Some(1) && told.stderr.contains("nobody listens"), "{told:?}");
    assert!(inbox.waiting().is_empty(), "nobody answers twice");
}
