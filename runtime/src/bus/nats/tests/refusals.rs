//! What a server refuses: messages, subscriptions, and the node itself.

use nunect_core::BusAction;

use super::*;
use jwt::Operator;

/// Whatever `events` holds until `wanted` comes, and that.
async fn told(events: &Receiver<BusEvent>, wanted: impl Fn(&BusEvent) -> bool) -> Vec<BusEvent> {
    let deadline = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    while !all.iter().any(&wanted) {
        all.extend(events.try_iter());
        assert!(Instant::now() < deadline, "only {all:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    all
}

fn with_user(server: &NatsServer, user: &str) -> NatsOptions {
    options(&server.url().replace("://", &format!("://{user}@")))
}

/// A user who may publish to `open.>` and to inboxes, and read `open.>` and its inboxes.
const PERMISSIONS: &str = r#"
    authorization { users [ { user: "u ser", password: "p@ss:word", permissions {
        publish { allow: ["open.>"] }
        subscribe { allow: ["open.>", "_INBOX.tester.>"] }
    } } ] }"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_user_may_not_do_is_told_and_a_flush_reports_it() {
    let server = NatsServer::configured(PERMISSIONS);
    let (bus, events) = connected_as(with_user(&server, "u%20ser:p%40ss%3aword")).await;
    assert_eq!(bus.describe(), server.url(), "without the secrets");
    bus.publish(NOW, message("open.a")).expect("taken");
    assert_eq!(bus.flush(PATIENCE).await, Ok(()), "though it may not send itself anything");

    for subject in ["Closed.a", "Closed.a", "closed.b"] {
        bus.publish(NOW, message(subject)).expect("taken");
    }
    let refused = BusError::Refused("Permissions Violation for Publish to \"Closed.a\"".to_owned());
    assert_eq!(bus.flush(PATIENCE).await, Err(refused));
    assert_eq!(bus.flush(PATIENCE).await, Ok(()), "since the last flush");
    let subjects: Vec<_> = bus.refusals(0).into_iter().map(|refused| refused.subject).collect();
    assert_eq!(subjects, ["Closed.a", "Closed.a", "closed.b"]);

    let group = Subscription { queue: Some("group".to_owned()), ..Pattern::parse("closed.>").expect("legal").into() };
    bus.subscribe(&group, Arc::new(drop)).await.expect("taken").forever();
    let denied = |action, subject: &str| BusEvent::Denied { action, subject: subject.to_owned() };
    let read = denied(BusAction::Subscribe, "closed.>");
    let write = |subject| denied(BusAction::Publish, subject);
    assert_eq!(told(&events, |event| *event == read).await, [write("Closed.a"), write("closed.b"), read.clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flush_waits_for_a_server_that_is_away_and_no_longer_than_it_may() {
    let mut server = NatsServer::start();
    let (bus, events) = connected(&server).await;
    server.kill();
    until(&events, BusEvent::Disconnected, PATIENCE).await;
    bus.publish(NOW, message("a")).expect("taken");
    let limit = Duration::from_millis(100);
    assert_eq!(bus.flush(limit).await, Err(BusError::Timeout(limit)));
    server.launch();
    assert_eq!(bus.flush(PATIENCE).await, Ok(()));
    bus.abandon();
    assert_eq!(bus.flush(PATIENCE).await, Err(BusError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_subscription_that_is_dropped_is_taken_back_from_the_server() {
    let server = NatsServer::start();
    let (bus, _) = connected(&server).await;
    let heard = listen(&bus, "answer").await;
    let subscription = Subscription::from(Pattern::parse("question").expect("legal"));
    let subscribed = bus.subscribe(&subscription, Arc::new(drop)).await.expect("taken");
    let ask = || bus.publish(NOW, Message { reply: Some(subject("answer")), ..message("question") });
    ask().expect("taken");
    bus.flush(PATIENCE).await.expect("answered");
    assert!(heard.try_recv().is_err(), "somebody listens");
    drop(subscribed);
    let deadline = Instant::now() + PATIENCE;
    while heard.try_recv().is_err() {
        assert!(Instant::now() < deadline, "nobody listens any more, and the server knows");
        ask().expect("taken");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_node_that_is_not_let_in_says_why_once() {
    let server = NatsServer::configured(PERMISSIONS);
    let bus = NatsBus::connect(options(&server.url()), Clock::new(), random()).await.expect("a legal URL");
    let (sender, events) = channel();
    bus.watch(Box::new(move |event| sender.send(event).unwrap_or_default()));
    let refused = BusEvent::Refused { reason: "authorization violation".to_owned() };
    assert_eq!(told(&events, |event| *event == refused).await, [BusEvent::Disconnected, refused]);
    // The second try comes after a quarter of a second, the third after half a second.
    tokio::time::sleep(RECONNECT_FLOOR * 4).await;
    assert_eq!(events.try_iter().collect::<Vec<_>>(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_server_and_the_end_of_all_tries_are_told() {
    let server = NatsServer::configured("max_connections: 1");
    let (_first, _) = connected(&server).await;
    let options = NatsOptions { max_reconnects: Some(3), ..options(&server.url()) };
    let second = NatsBus::connect(options, Clock::new(), random()).await.expect("a legal URL");
    let (sender, events) = channel();
    second.watch(Box::new(move |event| sender.send(event).unwrap_or_default()));
    let is_end =
        |event: &BusEvent| matches!(event, BusEvent::Refused { reason } if reason.contains("max_reconnects of 3"));
    let full = BusEvent::Refused { reason: "maximum connections exceeded".to_owned() };
    let all = told(&events, is_end).await;
    assert!(matches!(&all[..], [BusEvent::Disconnected, reason, _] if *reason == full), "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flood_of_refusals_does_not_hide_that_the_connection_went_and_came() {
    let mut server = NatsServer::configured(PERMISSIONS);
    let (bus, events) = connected_as(with_user(&server, "u%20ser:p%40ss%3aword")).await;
    server.pause();
    for number in 0..400 {
        bus.publish(NOW, message(&format!("closed.{number}"))).expect("taken");
    }
    bus.client.flush().await.expect("written");
    // While nothing of the client runs, the server says all that it has to say, and ends: the client
    // then reads it in one go, and its queue of events is full before it comes to the end.
    let (release, held) = channel::<()>();
    let (hold, holds) = channel();
    tokio::spawn(async move {
        hold.send(()).expect("the test waits");
        let _ = held.recv();
    });
    holds.recv_timeout(PATIENCE).expect("the client stands still");
    server.resume();
    std::thread::sleep(Duration::from_millis(500));
    server.kill();
    server.launch();
    drop(release);
    let all = told(&events, |event| *event == BusEvent::Connected).await;
    assert!(all.contains(&BusEvent::Disconnected), "{all:?}");
    assert!(all.len() < 200, "the flood did fill the queue");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn credentials_that_expire_are_told_and_renewed_ones_taken_up() {
    let operator = Operator::new();
    let server = NatsServer::configured(&operator.server_config());
    let path = std::env::temp_dir().join(format!("nunect-{}.creds", std::process::id()));
    let options = NatsOptions { credentials: Some(path.clone()), ..options(&server.url()) };
    let connect = || NatsBus::connect(options.clone(), Clock::new(), random());
    let error = connect().await.err().expect("no such file");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");

    operator.write_credentials(&path, Some(Duration::from_secs(3)));
    let (bus, events) = connected_as(options.clone()).await;
    bus.flush(PATIENCE).await.expect("let in");
    let expired = BusEvent::Refused { reason: "User Authentication Expired".to_owned() };
    let all = told(&events, |event| *event == BusEvent::Disconnected).await;
    // Until the second has passed in which they expire, the server lets the node in for a moment.
    assert!(all.starts_with(&[expired, BusEvent::Disconnected]), "{all:?}");

    std::fs::remove_file(&path).expect("just written");
    let is_file = |event: &BusEvent| matches!(event, BusEvent::Refused { reason } if reason.contains(".creds"));
    told(&events, is_file).await;
    operator.write_credentials(&path, None);
    until(&events, BusEvent::Connected, PATIENCE).await;
    bus.flush(PATIENCE).await.expect("let in again, without a restart");
    std::fs::remove_file(&path).expect("just written");
}
