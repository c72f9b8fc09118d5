//! Against a real server. What a call may take is three times its bound, since the machine has other work to do.

#[path = "../../../../tests/support/jwt.rs"]
mod jwt;
#[path = "../../../../tests/support/nats.rs"]
mod server;

mod refusals;

use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use nunect_core::protocol::header::{Key, Value};
use nunect_core::random::Entropy;
use nunect_core::{BusEvent, Mono, Pattern, Subject, Wall};

use super::*;
use crate::bus::Inbound;
use server::NatsServer;

/// For what has no bound of its own.
const PATIENCE: Duration = Duration::from_secs(15);

const NOW: Now = Now { mono: Mono::ZERO, wall: Wall::from_unix_nanos(0) };

fn random() -> ChaCha8Rng {
    Entropy::from(7).stream("reconnect", 0)
}

fn subject(text: &str) -> Subject {
    Subject::parse(text.to_owned()).expect("legal")
}

fn message(text: &str) -> Message {
    Message::new(subject(text))
}

fn options(url: &str) -> NatsOptions {
    NatsOptions {
        urls: vec![url.to_owned()],
        unit: UnitId::new("tester").expect("legal"),
        session: SessionId::from_random(1),
        reconnect_wait: Duration::from_secs(1),
        max_reconnects: None,
        credentials: None,
    }
}

/// A client that is connected, with what happens to its connection from then on.
async fn connected(server: &NatsServer) -> (NatsBus, Receiver<BusEvent>) {
    connected_as(options(&server.url())).await
}

async fn connected_as(options: NatsOptions) -> (NatsBus, Receiver<BusEvent>) {
    let bus = NatsBus::connect(options, Clock::new(), random()).await.expect("a legal URL");
    let (sender, events) = channel();
    // A test that has seen enough no longer listens.
    bus.watch(Box::new(move |event| sender.send(event).unwrap_or_default()));
    until(&events, BusEvent::Connected, PATIENCE).await;
    (bus, events)
}

async fn until(events: &Receiver<BusEvent>, wanted: BusEvent, limit: Duration) {
    let deadline = Instant::now() + limit;
    while !events.try_iter().any(|event| event == wanted) {
        assert!(Instant::now() < deadline, "not {wanted:?} within {limit:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What a subscription of `bus` hears once the server has taken it.
async fn listen(bus: &NatsBus, pattern: &str) -> Receiver<Inbound> {
    let (sender, heard) = channel();
    let subscription = Subscription::from(Pattern::parse(pattern).expect("legal"));
    let sink = Arc::new(move |inbound| drop(sender.send(inbound)));
    bus.subscribe(&subscription, sink).await.expect("it is taken").forever();
    bus.round_trip(PATIENCE).await.expect("the server answers, and has read what came before");
    heard
}

fn next(heard: &Receiver<Inbound>) -> Box<Message> {
    match heard.recv_timeout(PATIENCE) {
        Ok(Inbound::Message(message)) => message,
        other => panic!("no message but {other:?}"),
    }
}

/// Fills everything that stands between this process and a server that does not read.
async fn fill(bus: &NatsBus) {
    // So much in each that what the system still takes now and then, when it seemed full, is none of them.
    let ballast = Bytes::from(vec![0; 1_000_000]);
    let mut still = 0;
    while still < 3 {
        let send = |_: &usize| bus.publish(NOW, message("ballast").body(ballast.clone())).is_ok();
        let taken = (0..200_000).take_while(send).count();
        still = if taken == 0 { still + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_round_trip_to_the_server_takes_no_listener_and_is_short() {
    let mut server = NatsServer::start();
    let (bus, events) = connected(&server).await;
    let mut shortest = PATIENCE;
    for _ in 0..20 {
        shortest = shortest.min(bus.round_trip(PATIENCE).await.expect("the server answers"));
    }
    // Some hundred microseconds on an idle machine.
    assert!(shortest > Duration::ZERO && shortest < Duration::from_millis(20), "{shortest:?}");

    server.kill();
    until(&events, BusEvent::Disconnected, PATIENCE).await;
    let start = Instant::now();
    assert_eq!(bus.round_trip(PATIENCE).await, Err(RequestError::BusAway));
    assert!(start.elapsed() < Duration::from_secs(1), "known at once, not after {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn subscriptions_outlive_the_server() {
    let mut server = NatsServer::start();
    let (bus, events) = connected(&server).await;
    let heard = listen(&bus, "a.*").await;
    server.kill();
    until(&events, BusEvent::Disconnected, PATIENCE).await;
    server.launch();
    // 1 s of waiting, a quarter more, and as much again.
    until(&events, BusEvent::Connected, Duration::from_secs(6)).await;
    bus.publish(NOW, message("a.b").body("again")).expect("it is taken");
    assert_eq!(next(&heard).payload(), "again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_stands_still_is_away_after_some_seconds() {
    let server = NatsServer::start();
    let (bus, events) = connected(&server).await;
    server.pause();
    // The third unanswered ping, after 6 s, three times over.
    until(&events, BusEvent::Disconnected, Duration::from_secs(18)).await;
    let start = Instant::now();
    assert_eq!(bus.round_trip(PATIENCE).await, Err(RequestError::BusAway));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    server.resume();
    until(&events, BusEvent::Connected, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_call_waits_longer_than_its_bound_for_a_server_that_stands_still() {
    let server = NatsServer::start();
    let (bus, _events) = connected(&server).await;
    server.pause();
    let asked = Instant::now();
    let limit = Duration::from_millis(200);
    assert_eq!(bus.round_trip(limit).await, Err(RequestError::Timeout));
    assert!(asked.elapsed() < limit * 3, "a round trip of {:?}", asked.elapsed());

    fill(&bus).await;
    let refused = Instant::now();
    assert_eq!(bus.publish(NOW, message("one.more")), Err(BusError::Full(SPILL_MAX)));
    assert!(refused.elapsed() < Duration::from_millis(100), "{:?} to refuse a message", refused.elapsed());

    let late = Subscription::from(Pattern::parse("late").expect("legal"));
    let mut outcome = Ok(());
    // Now and then the system takes one message more after all, and a subscription finds room.
    for _ in 0..3 {
        let asked = Instant::now();
        outcome = outcome.and(bus.subscribe(&late, Arc::new(drop)).await.map(Subscribed::forever));
        assert!(asked.elapsed() < CALL_TIMEOUT * 3, "a subscription of {:?}", asked.elapsed());
        if outcome.is_err() {
            break;
        }
    }
    assert_eq!(outcome, Err(BusError::Timeout(CALL_TIMEOUT)));

    let closing = Instant::now();
    bus.close(limit).await;
    assert!(closing.elapsed() < limit * 3, "{:?} to close", closing.elapsed());
    assert_eq!(bus.publish(NOW, message("too.late")), Err(BusError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn messages_beyond_a_full_queue_come_in_order_or_are_refused() {
    const MESSAGES: u32 = 20_000;
    let server = NatsServer::start();
    let (hearer, _) = connected(&server).await;
    let (speaker, _) = connected(&server).await;
    let heard = listen(&hearer, "count").await;
    let mut taken = Vec::new();
    let mut slowest = Duration::ZERO;
    let mut payload = vec![0; 4 * 1024];
    let mut say = |number: u32| {
        payload[..4].copy_from_slice(&number.to_be_bytes());
        let count = message("count").body(payload.clone());
        let start = Instant::now();
        match speaker.publish(NOW, count) {
            Ok(()) => taken.push(number),
            Err(error) => assert_eq!(error, BusError::Full(SPILL_MAX)),
        }
        slowest = slowest.max(start.elapsed());
    };
    server.pause();
    (0..MESSAGES).for_each(&mut say);
    server.resume();
    // Whoever speaks while the queue empties comes after those that wait.
    let deadline = Instant::now() + PATIENCE;
    let mut number = MESSAGES;
    while !lock(&speaker.spill.queue).is_empty() {
        assert!(Instant::now() < deadline, "the spill empties");
        say(number);
        number += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    say(number);
    assert_eq!(taken.last(), Some(&number), "there is room again");
    assert!(slowest < Duration::from_millis(300), "a message took {slowest:?} to hand over");
    let refused = number as usize + 1 - taken.len();
    assert!(taken.len() > SPILL_MAX && refused > 0, "{} taken, {refused} refused", taken.len());
    let arrived: Vec<u32> = taken
        .iter()
        .map(|_| next(&heard).payload().first_chunk().map(|number| u32::from_be_bytes(*number)).expect("a number"))
        .collect();
    let wrong = arrived.iter().zip(&taken).find(|(arrived, taken)| arrived != taken);
    assert_eq!(wrong, None, "what was taken comes, in order and once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_published_is_with_the_server_when_the_bus_is_closed() {
    let server = NatsServer::start();
    let (hearer, _) = connected(&server).await;
    let heard = listen(&hearer, "last.words").await;
    let speak = || {
        // Nothing of this runtime goes on after the closing, as at the end of a process.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (speaker, _) = connected(&server).await;
            let words = Bytes::from(vec![7; 500 * 1024]);
            speaker.publish(NOW, message("last.words").body(words)).expect("it is taken");
            speaker.close(PATIENCE).await;
        });
    };
    std::thread::scope(|scope| scope.spawn(speak).join().expect("it speaks"));
    assert_eq!(next(&heard).payload().len(), 500 * 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn headers_arrive_but_for_those_that_could_forge_others() {
    let server = NatsServer::start();
    let (bus, _) = connected(&server).await;
    let heard = listen(&bus, "a").await;
    let key = |name| Key::<String>::new(name, "a text", |text| Some(text.to_owned()));
    let sent = message("a")
        .with(&key("X-First"), Value::Integer(-1))
        .with(&key("X-Colon: forged"), Value::Word("1"))
        .with(&key("X-Break\r\nX-Forged"), Value::Word("2"))
        .with(&key("X-Broken"), Value::Word("3\r\nX-Forged: 3"))
        .with(&key("X-Ünicode"), Value::Word("4"))
        .with(&key("X-Last"), Value::Word("naïve"));
    bus.publish(NOW, sent).expect("it is taken");
    let mut headers = Vec::new();
    next(&heard).headers.for_each(|name, value| headers.push(format!("{name}={value}")));
    headers.sort_unstable();
    assert_eq!(headers, ["X-First=-1", "X-Last=naïve"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_without_headers_arrives_without() {
    let server = NatsServer::start();
    let (bus, _) = connected(&server).await;
    let heard = listen(&bus, "a").await;
    let before = bus.clock.now();
    bus.publish(NOW, message("a").body("bare")).expect("it is taken");
    let arrived = next(&heard);
    assert!(arrived.headers.is_empty(), "{:?}", arrived.headers);
    assert_eq!((arrived.payload(), arrived.reply), (Bytes::from("bare"), None));
    let after = bus.clock.now();
    assert!(before.mono <= arrived.received.mono && arrived.received.mono <= after.mono, "when it came here");
    assert!(before.wall <= arrived.received.wall && arrived.received.wall <= after.wall, "by both clocks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_listens_to_everything_holds_up_no_round_trip_and_no_flush() {
    let server = NatsServer::start();
    let (other, _) = connected(&server).await;
    let heard = listen(&other, ">").await;
    let (bus, _) = connected(&server).await;
    bus.round_trip(PATIENCE).await.expect("it comes back");
    bus.publish(NOW, message("a").body("b")).expect("it is taken");
    assert_eq!(bus.flush(PATIENCE).await, Ok(()));
    let is_that = |inbound| matches!(inbound, Inbound::Message(message) if message.subject.as_str() == "a");
    while !is_that(heard.recv_timeout(PATIENCE).expect("it comes")) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_that_nobody_hears_is_answered_so() {
    let server = NatsServer::start();
    let (bus, _) = connected(&server).await;
    let heard = listen(&bus, "answer.*").await;
    let question = Message { reply: Some(subject("answer.7")), ..message("question") };
    bus.publish(NOW, question).expect("it is taken");
    match heard.recv_timeout(PATIENCE) {
        Ok(Inbound::NoResponders(reply)) => assert_eq!(reply.as_str(), "answer.7"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_that_the_server_would_refuse_goes_nowhere() {
    let server = NatsServer::start();
    let (bus, events) = connected(&server).await;
    let heard = listen(&bus, "a").await;
    let giant = message("a").body(vec![0; 2 * 1024 * 1024]);
    let error = bus.publish(NOW, giant).expect_err("1 MiB is the server's limit");
    assert!(matches!(&error, BusError::Refused(why) if why.contains("payload")), "{error}");
    bus.publish(NOW, message("a").body("small")).expect("it is taken");
    assert_eq!(next(&heard).payload(), "small");
    assert!(events.try_recv().is_err(), "and the connection stays");
}

/// The waits before the tries of one outage, when a connection of this age was lost.
fn waits(backoff: &mut Backoff, age: Option<Duration>, tries: usize) -> Vec<u128> {
    let connected = age.map(|age| Instant::now().checked_sub(age).expect("the machine runs for longer"));
    let wait = |attempt| backoff.delay(attempt, connected.filter(|_| attempt == 1)).as_millis();
    (1..=tries).map(wait).collect()
}

#[test]
fn the_first_try_is_made_at_once_and_further_ones_double_from_the_floor_to_the_cap() {
    let proven = Some(CONNECTION_PROVEN + Duration::from_millis(1));
    let mut seen = std::collections::BTreeSet::new();
    let mut backoff = Backoff::new(Duration::from_secs(2), random());
    for age in [proven, None].into_iter().cycle().take(200) {
        let waits = waits(&mut backoff, age, 7);
        assert_eq!(waits[0], 0);
        for (wait, floor) in waits[1..].iter().zip([250, 500, 1_000, 2_000, 2_000, 2_000]) {
            assert!((floor..=floor * 5 / 4).contains(wait), "{waits:?}");
        }
        seen.insert(waits[6]);
    }
    let (least, most) = (seen.first().expect("many"), seen.last().expect("many"));
    assert!(*least < 2_050 && *most > 2_450, "jitter uses the whole quarter: {least} to {most} ms");
}

#[test]
fn a_connection_that_was_lost_at_once_counts_as_a_failed_try() {
    let mut backoff = Backoff::new(Duration::from_secs(2), random());
    let waits = waits(&mut backoff, Some(Duration::from_millis(100)), 3);
    for (wait, floor) in waits.iter().zip([250, 500, 1_000]) {
        assert!((floor..=floor * 5 / 4).contains(wait), "{waits:?}");
    }
    // A server that takes a connection and drops it, again and again, is tried ever more seldom.
    let mut again = || super::tests::waits(&mut backoff, Some(Duration::from_millis(100)), 1)[0];
    for wait in [again(), again()] {
        assert!((2_000..=2_500).contains(&wait), "{wait}");
    }
    assert_eq!(super::tests::waits(&mut backoff, Some(CONNECTION_PROVEN), 1), [0]);
}

#[test]
fn the_cap_is_never_below_the_floor_and_no_number_of_tries_overflows() {
    let mut backoff = Backoff::new(Duration::ZERO, random());
    for attempt in [2, 3, 100, usize::MAX] {
        let wait = backoff.delay(attempt, None).as_millis();
        assert!((250..=313).contains(&wait), "{wait} ms before try {attempt}");
    }
}

#[test]
fn units_do_not_come_back_in_one_instant() {
    let wait =
        |unit: u64| Backoff::new(Duration::from_secs(1), Entropy::from(unit).stream("reconnect", 0)).delay(9, None);
    let waits: std::collections::BTreeSet<Duration> = (0..100).map(wait).collect();
    assert_eq!(waits.len(), 100);
}
