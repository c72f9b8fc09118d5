use proptest::prelude::*;

use super::*;
use crate::arbitrary::{over_the_wire, pattern_of, subject_of};

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,12}"
}

fn service() -> impl Strategy<Value = Service> {
    (token(), token(), any::<String>(), any::<BTreeMap<String, String>>())
        .prop_map(|(name, id, version, metadata)| Service { name, id, version, metadata })
}

fn answer() -> impl Strategy<Value = Answer> {
    let endpoint = (any::<String>(), token(), any::<String>(), any::<BTreeMap<String, String>>()).prop_map(
        |(name, subject, queue_group, metadata)| Endpoint {
            name,
            subject: pattern_of(&subject),
            queue_group,
            metadata,
        },
    );
    let endpoints = proptest::collection::vec(endpoint, 0..3);
    (service(), any::<String>(), endpoints, any::<(u8, u32, String)>(), any::<u64>()).prop_map(
        |(service, description, endpoints, (which, took, error), started)| match which % 3 {
            0 => Answer::Ping(service),
            1 => Answer::Info { service, description, endpoints },
            _ => {
                let counted = |endpoint| {
                    let mut stats = EndpointStats::new(endpoint);
                    stats.count(Duration::from_nanos(took.into()), Some(&error));
                    stats
                };
                let started = Wall::from_unix_nanos(started / 1_000 * 1_000);
                Answer::Stats { service, started, endpoints: endpoints.iter().map(counted).collect() }
            }
        },
    )
}

fn nunect() -> Service {
    let metadata = BTreeMap::from([("role".to_owned(), "node".to_owned())]);
    Service::new("nunect", "alpha", "0.1.0", metadata).expect("tokens")
}

fn echo() -> Endpoint {
    Endpoint {
        name: "echo".to_owned(),
        subject: pattern_of("ops.echo.alpha"),
        queue_group: QUEUE_GROUP.to_owned(),
        metadata: BTreeMap::new(),
    }
}

fn payload(answer: &Answer) -> Bytes {
    answer.build(subject_of("_INBOX.alpha.1.1")).payload()
}

fn read(json: &str) -> Result<Answer, ProtocolError> {
    Answer::parse(&Message::new(subject_of("_INBOX.alpha.1.1")).body(json.to_owned()))
}

proptest! {
    #[test]
    fn an_answer_reads_back(answer in answer()) {
        let message = over_the_wire(&answer.build(subject_of("_INBOX.alpha.1.1")));
        prop_assert_eq!(&Answer::parse(&message)?, &answer);
    }

    #[test]
    fn every_question_to_a_service_reaches_it_once(
        service in service(),
        verb in proptest::sample::select(&Verb::ALL),
        (named, alone) in any::<(bool, bool)>(),
    ) {
        let question = Question {
            verb,
            name: named.then(|| service.name.clone()),
            id: (named && alone).then(|| service.id.clone()),
        };
        let subject = question.subject()?;
        let heard = patterns(&service.name, &service.id)?.iter().filter(|pattern| pattern.matches(&subject)).count();
        prop_assert_eq!(heard, 1);
        let arrived = Question::parse(&subject)?;
        prop_assert!(arrived.is_for(&service));
        prop_assert_eq!(arrived, question);
    }

    #[test]
    fn nothing_that_arrives_makes_the_parsers_panic(tail in any::<Vec<u8>>()) {
        if let Ok(subject) = Subject::from_wire(Bytes::from([b"$SRV.PING.", &tail[..]].concat())) {
            let _ = Question::parse(&subject);
        }
        let _ = Answer::parse(&Message::new(subject_of("a")).body(tail));
    }
}

#[test]
fn the_subjects_are_those_of_adr_32() {
    let patterns = patterns("nunect", "alpha").expect("tokens");
    let texts: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
    let expected = [
        "$SRV.PING",
        "$SRV.PING.nunect",
        "$SRV.PING.nunect.alpha",
        "$SRV.INFO",
        "$SRV.INFO.nunect",
        "$SRV.INFO.nunect.alpha",
        "$SRV.STATS",
        "$SRV.STATS.nunect",
        "$SRV.STATS.nunect.alpha",
    ];
    assert_eq!(texts, expected);
    for text in expected {
        assert_eq!(Pattern::parse(text).map(|pattern| pattern.as_str().to_owned()), Ok(text.to_owned()));
    }
}

#[test]
fn a_question_to_others_is_not_answered() {
    for (text, ours) in [
        ("$SRV.PING", true),
        ("$SRV.PING.nunect", true),
        ("$SRV.PING.nunect.alpha", true),
        ("$SRV.PING.nunect.bravo", false),
        ("$SRV.PING.other", false),
    ] {
        let question = Question::parse(&subject_of(text)).expect(text);
        assert_eq!(question.is_for(&nunect()), ours, "{text}");
    }
    for text in ["$SRV", "$SRV.ping", "$SRV.SCHEMA", "$SRV.PING.a.b.c", "SRV.PING"] {
        let words = Question::parse(&subject_of(text)).expect_err(text).to_string();
        assert_eq!(
            words,
            format!("subject `{text}` is not of the form `$SRV.{{PING|INFO|STATS}}[.{{name}}[.{{id}}]]`")
        );
    }
}

#[test]
fn a_name_that_would_widen_a_subscription_is_refused() {
    for token in ["*", ">", "a.b", ""] {
        assert!(patterns(token, "alpha").is_err() && patterns("nunect", token).is_err(), "{token}");
        assert!(Service::new(token, "alpha", "0.1.0", BTreeMap::new()).is_err(), "{token}");
        let question = Question { verb: Verb::Ping, name: Some(token.to_owned()), id: None };
        assert!(question.subject().is_err(), "{token}");
    }
}

#[test]
fn the_answers_are_byte_for_byte_those_of_adr_32() {
    let standard = r#""name":"nunect","id":"alpha","version":"0.1.0","metadata":{"role":"node"}"#;
    let expected = format!(r#"{{"type":"io.nats.micro.v1.ping_response",{standard}}}"#);
    assert_eq!(payload(&Answer::Ping(nunect())), expected);

    let info = Answer::Info { service: nunect(), description: "a node".to_owned(), endpoints: vec![echo()] };
    let expected = format!(
        r#"{{"type":"io.nats.micro.v1.info_response",{standard},"description":"a node","endpoints":[{{"name":"echo","subject":"ops.echo.alpha","queue_group":"q","metadata":{{}}}}]}}"#
    );
    assert_eq!(payload(&info), expected);

    let mut endpoint = EndpointStats::new(&echo());
    endpoint.count(Duration::from_nanos(3), None);
    endpoint.count(Duration::from_nanos(4), Some("no such actor"));
    let started = Wall::from_unix_nanos(1_707_772_800_000_000_000);
    let stats = Answer::Stats { service: nunect(), started, endpoints: vec![endpoint] };
    let expected = format!(
        r#"{{"type":"io.nats.micro.v1.stats_response",{standard},"started":"2024-02-12T21:20:00.000000Z","endpoints":[{{"name":"echo","subject":"ops.echo.alpha","queue_group":"q","num_requests":2,"num_errors":1,"last_error":"no such actor","processing_time":7,"average_processing_time":3}}]}}"#
    );
    assert_eq!(payload(&stats), expected);
}

#[test]
fn the_answers_of_a_service_in_python_are_read() {
    // As nats-py 2.16.0 sent them through nats-server 2.15.1.
    let ping = r#"{"type": "io.nats.micro.v1.ping_response", "id": "KF6RCjdUHTcWP91pHIKF0n", "name": "nunect", "version": "0.1.0", "metadata": {"role": "node"}}"#;
    assert_eq!(read(ping).map(|answer| answer.service().id().to_owned()), Ok("KF6RCjdUHTcWP91pHIKF0n".to_owned()));
    let info = r#"{"type": "io.nats.micro.v1.info_response", "id": "KF6RCjdUHTcWP91pHIKF0n", "name": "nunect", "version": "0.1.0", "description": "a node", "endpoints": [{"name": "echo", "subject": "ops.echo.alpha", "queue_group": "q", "metadata": null}], "metadata": null}"#;
    let Ok(Answer::Info { service, endpoints, .. }) = read(info) else { panic!("no answer to INFO") };
    assert_eq!((endpoints, service.metadata().len()), (vec![echo()], 0));
    let stats = r#"{"type": "io.nats.micro.v1.stats_response", "name": "nunect", "id": "KF6RCjdUHTcWP91pHIKF0n", "version": "0.1.0", "started": "2026-11-23T03:54:04.861Z", "endpoints": [{"name": "echo", "subject": "ops.echo.alpha", "queue_group": "q", "num_requests": 2, "num_errors": 0, "last_error": "", "processing_time": 48172, "average_processing_time": 24086, "data": null}], "metadata": {"role": "node"}}"#;
    let Ok(Answer::Stats { started, endpoints, .. }) = read(stats) else { panic!("no answer to STATS") };
    assert_eq!(started.rfc3339(), "2026-11-23T03:54:04.861000Z");
    assert_eq!((endpoints[0].num_requests, endpoints[0].average_processing_time), (2, 24_086));
    let error = read("{}").expect_err("no answer").to_string();
    assert_eq!(error, "payload of `_INBOX.alpha.1.1` is not what a service of NATS answers");
}
