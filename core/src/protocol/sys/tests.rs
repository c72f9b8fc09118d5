use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::subject_of;

// As nats-server 2.15.1 sent them, without the parts that nobody reads.
const GONE: &str = r#"{"type":"io.nats.server.advisory.v1.client_disconnect","id":"vpLfQ1LRaZChL6NfWgEeya","timestamp":"2026-11-23T03:52:53.822624493Z","server":{"name":"probe1","host":"127.0.0.1","id":"NAZSLERYSKT55TRY6PMRS7KBWG7XCBHRBHYZ6GNXXYWE7TUBHG24GD5C","ver":"2.15.1","jetstream":false,"flags":0,"seq":20,"time":"2026-11-23T03:52:53.822654222Z"},"client":{"start":"2026-11-23T03:52:53.51855755Z","host":"127.0.0.1","id":7,"acc":"APP","user":"app","name":"alpha","lang":"python3","ver":"2.16.0","rtt":258000,"stop":"2026-11-23T03:52:53.822624493Z","name_tag":"APP","kind":"Client","client_type":"nats"},"sent":{"msgs":0,"bytes":0},"received":{"msgs":0,"bytes":0},"reason":"Client Closed"}"#;
const CAME: &str = r#"{"type":"io.nats.server.advisory.v1.client_connect","id":"vpLfQ1LRaZChL6NfWgEeo4","timestamp":"2026-11-23T03:52:53.518854192Z","server":{"name":"probe1","host":"127.0.0.1","id":"NAZSLERYSKT55TRY6PMRS7KBWG7XCBHRBHYZ6GNXXYWE7TUBHG24GD5C","ver":"2.15.1","jetstream":false,"flags":0,"seq":14,"time":"2026-11-23T03:52:53.518902719Z"},"client":{"start":"2026-11-23T03:52:53.51855755Z","host":"127.0.0.1","id":7,"acc":"APP","user":"app","name":"alpha","lang":"python3","ver":"2.16.0","name_tag":"APP","kind":"Client","client_type":"nats"}}"#;
const VARZ: &str = r#"{"server":{"name":"probe1","host":"127.0.0.1","ver":"2.15.1","jetstream":false,"flags":0,"seq":15,"time":"2026-11-23T03:52:53.820837396Z"},"data":{"server_name":"probe1","version":"2.15.1","proto":1,"go":"go1.27.2","host":"127.0.0.1","port":45897,"max_connections":65536,"max_payload":1048576,"cluster":{},"uptime":"1s","mem":14958592,"cores":2,"gomaxprocs":2,"cpu":1,"connections":2,"total_connections":2,"slow_consumers":0,"subscriptions":67,"slow_consumer_stats":{"clients":0,"routes":0,"gateways":0,"leafs":0}}}"#;
const STATSZ: &str = r#"{"server":{"name":"probe1","host":"127.0.0.1","ver":"2.15.1","jetstream":false,"flags":0,"seq":16,"time":"2026-11-23T03:52:53.82192101Z"},"statsz":{"start":"2026-11-23T03:52:52.221162838Z","mem":15089664,"cores":2,"cpu":1.5,"connections":2,"total_connections":2,"active_accounts":2,"subscriptions":67,"sent":{"msgs":2,"bytes":2500},"received":{"msgs":2,"bytes":0},"slow_consumers":3,"active_servers":1,"gomaxprocs":2}}"#;
const REFUSED: &str = r#"{"server":{"name":"probe1","host":"127.0.0.1","ver":"2.15.1"},"error":{"code":400,"description":"invalid character 'b' looking for beginning of object key string"}}"#;

fn event(subject: &str, payload: &str) -> Result<ClientEvent, ProtocolError> {
    ClientEvent::parse(&Message::new(subject_of(subject)).body(payload.to_owned()))
}

fn report(payload: &str) -> Result<ServerReport, ProtocolError> {
    ServerReport::parse(&Message::new(subject_of("_INBOX.alpha.1.1")).body(payload.to_owned()))
}

#[test]
fn what_a_server_says_of_a_client_is_read() {
    let gone = event("$SYS.ACCOUNT.APP.DISCONNECT", GONE).expect("an event");
    let expected = ClientEvent {
        change: ClientChange::Disconnect,
        at: Some(Wall::from_unix_nanos(1_795_405_973_822_624_493)),
        server: "probe1".to_owned(),
        account: "APP".to_owned(),
        name: "alpha".to_owned(),
        user: "app".to_owned(),
        host: "127.0.0.1".to_owned(),
        kind: "Client".to_owned(),
        reason: Some("Client Closed".to_owned()),
    };
    assert_eq!(gone, expected);
    let came = event("$SYS.ACCOUNT.APP.CONNECT", CAME).expect("an event");
    let at = Some(Wall::from_unix_nanos(1_795_405_973_518_854_192));
    assert_eq!(came, ClientEvent { change: ClientChange::Connect, at, reason: None, ..expected });
}

#[test]
fn what_a_server_leaves_out_is_empty_but_for_the_account_of_the_subject() {
    let bare = event("$SYS.ACCOUNT.APP.CONNECT", "{}").expect("an event");
    assert_eq!((bare.account.as_str(), bare.name.as_str(), bare.at, bare.reason), ("APP", "", None, None));
}

#[test]
fn what_a_server_says_of_itself_is_read() {
    let expected = ServerReport {
        server_name: "probe1".to_owned(),
        version: "2.15.1".to_owned(),
        connections: 2,
        slow_consumers: 0,
        mem: 14_958_592,
        cpu: 1.0,
        uptime: Some("1s".to_owned()),
        max_payload: Some(1 << 20),
    };
    assert_eq!(report(VARZ), Ok(expected.clone()));
    let (mem, cpu) = (15_089_664, 1.5);
    let short = ServerReport { slow_consumers: 3, mem, cpu, uptime: None, max_payload: None, ..expected };
    assert_eq!(report(STATSZ), Ok(short));
}

#[test]
fn a_server_that_refuses_says_why() {
    let words = report(REFUSED).expect_err("refused").to_string();
    assert_eq!(words, "refused with code 400: invalid character 'b' looking for beginning of object key string");
    for payload in ["", "{}", "[]", r#"{"data":{"mem":"much"}}"#] {
        let words = report(payload).expect_err(payload).to_string();
        let expected = "payload of `_INBOX.alpha.1.1` is not a server's JSON about itself, in `data` or `statsz`";
        assert_eq!(words, expected);
    }
}

#[test]
fn the_subjects_are_those_of_the_server() {
    assert_eq!(varz().as_str(), "$SYS.REQ.SERVER.PING.VARZ");
    assert_eq!(statsz().as_str(), "$SYS.REQ.SERVER.PING.STATSZ");
    assert!(connects().matches(&subject_of("$SYS.ACCOUNT.APP.CONNECT")));
    assert!(disconnects().matches(&subject_of("$SYS.ACCOUNT.APP.DISCONNECT")));
    assert_eq!(Pattern::parse("$SYS.ACCOUNT.*.CONNECT"), Ok(connects()));
    assert_eq!(Subject::parse("$SYS.REQ.SERVER.PING.VARZ"), Ok(varz()));
    for text in ["$SYS.ACCOUNT.APP", "$SYS.ACCOUNT.APP.LEAFNODE.CONNECT", "$SYS.ACCOUNT.APP.SERVER.CONNS", "a.b"] {
        assert!(matches!(event(text, CAME), Err(ProtocolError::Subject { .. })), "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_that_arrives_makes_the_parsers_panic(tail in any::<Vec<u8>>(), payload in any::<Vec<u8>>()) {
        let _ = ServerReport::parse(&Message::new(subject_of("a")).body(payload.clone()));
        if let Ok(subject) = Subject::from_wire(Bytes::from([b"$SYS.ACCOUNT.", &tail[..]].concat())) {
            let _ = ClientEvent::parse(&Message::new(subject).body(payload));
        }
    }
}
