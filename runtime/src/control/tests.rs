use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nunect_core::protocol::header::{Key, Value};
use nunect_core::{BusEvent, Pattern, Subject, Subscription};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::frame::{ToClient, ToNode};
use super::*;
use crate::LocalBus;
use crate::bus::ask::{Inbox, ask};
use crate::bus::{BusError, Inbound, Pending, Refused, Sink, Subscribed, Watcher};
use crate::clock::Clock;
use crate::sync::lock;

const PATIENCE: Duration = Duration::from_secs(10);

/// A node that sends what it is given as it is, but not to `closed`.
struct Node {
    bus: Arc<dyn Bus>,
}

impl Switchboard for Node {
    fn identity(&self) -> Identity {
        Identity {
            unit: UnitId::new("u1").expect("legal"),
            session: SessionId::from_random(7),
            role: Role::Gateway,
            bus: self.bus.describe(),
        }
    }

    fn publish(&self, message: Message) -> Result<(), Refusal> {
        if message.subject.as_str() == "closed" {
            return Err(Refusal::new(403, "it is closed"));
        }
        self.bus.publish(Clock::new().now(), message).map_err(|error| Refusal::new(503, error.to_string()))
    }

    fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }
}

fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("nunect-{name}-{}.sock", std::process::id()))
}

async fn node(name: &str) -> (ControlServer, LocalBus) {
    let bus = LocalBus::new();
    let server = server(name, Arc::new(bus.client())).await;
    (server, bus)
}

async fn server(name: &str, bus: Arc<dyn Bus>) -> ControlServer {
    ControlServer::start(Arc::new(Node { bus }), Some(&socket(name))).await.expect("the socket is free")
}

async fn client(server: &ControlServer) -> ControlBus {
    ControlBus::connect(server.path(), Clock::new()).await.expect("a node listens")
}

fn subject(text: &str) -> Subject {
    Subject::parse(text.to_owned()).expect("legal")
}

fn message(text: &str) -> Message {
    Message::new(subject(text))
}

fn publish(bus: &dyn Bus, message: Message) {
    bus.publish(Clock::new().now(), message).expect("there is room");
}

async fn listen(bus: &dyn Bus, pattern: &str) -> (Receiver<Inbound>, Subscribed) {
    let (sender, heard) = channel();
    let subscription = Subscription::from(Pattern::parse(pattern.to_owned()).expect("legal"));
    let sink: Sink = Arc::new(move |inbound| drop(sender.send(inbound)));
    (heard, bus.subscribe(&subscription, sink).await.expect("subscribed"))
}

/// The next that is heard, while the runtime goes on.
async fn next<T>(heard: &Receiver<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(inbound) = heard.try_recv() {
            return inbound;
        }
        assert!(Instant::now() < deadline, "nothing comes");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn next_message(heard: &Receiver<Inbound>) -> Message {
    match next(heard).await {
        Inbound::Message(message) => *message,
        Inbound::NoResponders(subject) => panic!("nobody answers {subject}"),
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether anybody of the bus listens to `text`.
async fn has_listeners(bus: &LocalBus, text: &str) -> bool {
    let probe = bus.client();
    let (heard, _subscribed) = listen(&probe, "probe.answer").await;
    publish(&probe, Message { reply: Some(subject("probe.answer")), ..message(text) });
    heard.try_recv().is_err()
}

#[tokio::test]
async fn two_clients_of_a_node_hear_each_other_and_the_nodes_bus() {
    let (server, bus) = node("two").await;
    let (one, two) = (client(&server).await, client(&server).await);
    assert_eq!(one.identity().unit.as_str(), "u1");
    assert_eq!((one.identity().session.clone(), one.identity().role), (SessionId::from_random(7), Role::Gateway));
    assert_eq!(one.identity().bus, "embedded");
    let (heard, _subscribed) = listen(&two, "a.*").await;
    let key = Key::<String>::new("X-Word", "a text", |text| Some(text.to_owned()));
    let sent = message("a.b").body("words").with(&key, Value::Word("naïve: yes"));
    publish(&one, Message { reply: Some(subject("a.reply")), ..sent });
    let seen = next_message(&heard).await;
    assert_eq!((seen.subject.as_str(), seen.payload(), seen.reply), ("a.b", "words".into(), Some(subject("a.reply"))));
    assert_eq!(seen.headers.get("X-Word").as_deref(), Some("naïve: yes"));
    assert!(seen.received.mono > nunect_core::Mono::ZERO);

    publish(&bus.client(), message("a.c"));
    assert_eq!(next_message(&heard).await.subject.as_str(), "a.c");
    assert!(one.round_trip(PATIENCE).await.expect("the node answers") < PATIENCE);
    assert_eq!(one.flush(PATIENCE).await, Ok(()));
}

#[tokio::test]
async fn members_of_a_queue_group_share_over_the_socket_too() {
    let (server, bus) = node("group").await;
    let (one, two) = (client(&server).await, client(&server).await);
    let (sender, heard) = channel();
    let group = Subscription { queue: Some("g".to_owned()), ..Pattern::parse("a").expect("legal").into() };
    let mut subscribed = Vec::new();
    for client in [&one, &two] {
        let sender = sender.clone();
        subscribed.push(client.subscribe(&group, Arc::new(move |inbound| drop(sender.send(inbound)))).await);
    }
    let voice = bus.client();
    (0..10).for_each(|_| publish(&voice, message("a")));
    for _ in 0..10 {
        next(&heard).await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(heard.try_recv().is_err(), "each went to one");
}

#[tokio::test]
async fn requests_are_answered_and_nobody_is_told_at_once() {
    let (server, bus) = node("ask").await;
    let client = client(&server).await;
    let inbox = Inbox::new(client.identity().unit.clone(), SessionId::from_random(9));
    let asked = ask(&client, &inbox, &Clock::new(), message("question"), PATIENCE).await;
    assert_eq!(asked.expect_err("nobody listens"), nunect_core::RequestError::NoResponders);
    let responder = bus.client();
    let (heard, _subscribed) = listen(&responder, "question").await;
    let answering = async {
        let reply = next_message(&heard).await.reply.expect("a request");
        publish(&responder, Message::new(reply).body("answer"));
    };
    let clock = Clock::new();
    let (answer, ()) = tokio::join!(ask(&client, &inbox, &clock, message("question"), PATIENCE), answering);
    assert_eq!(answer.expect("answered").payload(), "answer");
    // What the node does not send has no answer, and that is known at once.
    let refused = ask(&client, &inbox, &Clock::new(), message("closed"), PATIENCE).await;
    assert_eq!(refused.expect_err("refused"), nunect_core::RequestError::Refused);
}

#[tokio::test]
async fn what_the_node_does_not_send_is_reported_by_the_flush_of_who_wanted_it() {
    let (server, _) = node("refused").await;
    let (one, two) = (client(&server).await, client(&server).await);
    publish(&one, message("closed"));
    assert_eq!(two.flush(PATIENCE).await, Ok(()));
    assert_eq!(one.flush(PATIENCE).await, Err(BusError::Refused("it is closed (403)".to_owned())));
    assert_eq!(one.flush(PATIENCE).await, Ok(()));
    let giant = message("a").body(vec![0; FRAME_MAX_BYTES]);
    let error = one.publish(Clock::new().now(), giant).expect_err("too long for a frame");
    assert!(matches!(&error, BusError::Refused(reason) if reason.contains("8388608")), "{error}");
}

/// A bus that refuses what it has taken, as a server with permissions does, and tells what it is told to.
#[derive(Default)]
struct Strict {
    refused: crate::bus::Refusals,
    watchers: crate::bus::Watchers,
    subscribed: Mutex<Vec<String>>,
}

impl Bus for Strict {
    fn describe(&self) -> String {
        "strict".to_owned()
    }
    fn publish(&self, _: nunect_core::Now, message: Message) -> Result<(), BusError> {
        self.refused.note(message.subject.as_str().to_owned(), format!("no {}", message.subject));
        Ok(())
    }
    fn subscribe<'a>(&'a self, subscription: &'a Subscription, _: Sink) -> Pending<'a, Result<Subscribed, BusError>> {
        lock(&self.subscribed).push(subscription.pattern.as_str().to_owned());
        Box::pin(std::future::ready(Err(BusError::Timeout(PATIENCE))))
    }
    fn watch(&self, watcher: Watcher) {
        self.watchers.add(watcher, None);
    }
    fn round_trip(&self, _: Duration) -> Pending<'_, Result<Duration, nunect_core::RequestError>> {
        Box::pin(std::future::ready(Ok(Duration::ZERO)))
    }
    fn flush(&self, _: Duration) -> Pending<'_, Result<(), BusError>> {
        Box::pin(std::future::ready(self.refused.flushed()))
    }
    fn refusals(&self, after: u64) -> Vec<Refused> {
        self.refused.after(after)
    }
    fn close(&self, _: Duration) -> Pending<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    fn abandon(&self) {}
}

#[tokio::test]
async fn a_refusal_of_the_bus_reaches_the_client_whose_message_it_was_whoever_flushes_first() {
    let bus = Arc::new(Strict::default());
    let server = server("strict", Arc::clone(&bus) as Arc<dyn Bus>).await;
    let (one, two) = (client(&server).await, client(&server).await);
    publish(&one, message("a"));
    one.round_trip(PATIENCE).await.expect_err("the node's bus is away");
    until("it is sent", || !bus.refusals(0).is_empty()).await;
    assert_eq!(two.flush(PATIENCE).await, Ok(()));
    assert_eq!(one.flush(PATIENCE).await, Err(BusError::Refused("no a (403)".to_owned())));
    // A client that came later is not told of what was before it.
    assert_eq!(client(&server).await.flush(PATIENCE).await, Ok(()));

    let subscription = Subscription::from(Pattern::parse("a").expect("legal"));
    let error = one.subscribe(&subscription, Arc::new(drop)).await.expect_err("the bus does not answer");
    assert!(matches!(error, BusError::Timeout(_)), "{error}");
}

#[tokio::test]
async fn what_happens_to_the_nodes_connection_is_told_to_every_client() {
    let bus = Arc::new(Strict::default());
    let server = server("events", Arc::clone(&bus) as Arc<dyn Bus>).await;
    let client = client(&server).await;
    let (sender, events) = channel();
    client.watch(Box::new(move |event| drop(sender.send(event))));
    let denied = BusEvent::Denied { action: nunect_core::BusAction::Publish, subject: "a".to_owned() };
    for event in [BusEvent::Connected, denied.clone()] {
        bus.watchers.tell(&event);
    }
    for expected in [BusEvent::Disconnected, BusEvent::Connected, denied] {
        assert_eq!(next(&events).await, expected);
    }
    assert!(client.round_trip(PATIENCE).await.is_ok());
    drop(server);
    assert_eq!(next(&events).await, BusEvent::Disconnected);
    let BusEvent::Refused { reason } = next(&events).await else { panic!("no reason") };
    assert!(reason.contains("`u1`") && reason.contains("has ended"), "{reason}");
    assert_eq!(client.publish(Clock::new().now(), message("a")), Err(BusError::Closed));
    assert_eq!(client.flush(PATIENCE).await, Err(BusError::Closed));
}

#[tokio::test]
async fn subscriptions_end_when_they_are_dropped_and_when_their_client_goes() {
    let (server, bus) = node("ends").await;
    let client = client(&server).await;
    let (_heard, subscribed) = listen(&client, "a").await;
    let (_other, _stays) = listen(&client, "b").await;
    assert!(has_listeners(&bus, "a").await);
    drop(subscribed);
    client.flush(PATIENCE).await.expect("the node has read it");
    assert!(!has_listeners(&bus, "a").await && has_listeners(&bus, "b").await);
    // As a process that is killed.
    client.abandon();
    let deadline = Instant::now() + PATIENCE;
    while has_listeners(&bus, "b").await {
        assert!(Instant::now() < deadline, "its subscriptions end");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A connection that speaks frames by hand.
struct Raw(UnixStream);

impl Raw {
    async fn connect(server: &ControlServer) -> Self {
        let mut raw = Self(UnixStream::connect(server.path()).await.expect("somebody listens"));
        raw.say(&ToNode::Hello { protocol: PROTOCOL }).await;
        assert!(matches!(raw.hear().await, Some(ToClient::Welcome { .. })));
        assert_eq!(raw.hear().await, Some(ToClient::Bus(BusEvent::Connected)));
        raw
    }

    async fn say(&mut self, frame: &ToNode) {
        let mut bytes = Vec::new();
        frame::put(&mut bytes, frame).expect("short");
        self.0.write_all(&bytes).await.expect("it is read");
    }

    async fn hear(&mut self) -> Option<ToClient> {
        let mut scratch = Vec::new();
        let frame = frame::take(&mut self.0, &mut scratch);
        tokio::time::timeout(PATIENCE, frame).await.expect("in time").expect("a frame")
    }
}

#[tokio::test]
async fn a_broken_client_costs_its_own_connection_and_is_told_why() {
    let (server, _) = node("broken").await;
    let well = client(&server).await;
    let (heard, _subscribed) = listen(&well, "a").await;
    let long = (FRAME_MAX_BYTES as u32 + 1).to_le_bytes();
    let garbage = [&9u32.to_le_bytes()[..], b"\x01garbage!"].concat();
    for (bytes, why) in [(&long[..], "of at most"), (&u32::MAX.to_le_bytes()[..], "of at most"), (&garbage, "none")] {
        let mut raw = Raw::connect(&server).await;
        raw.0.write_all(bytes).await.expect("taken");
        let Some(ToClient::Refused { id: 0, code: 400, reason }) = raw.hear().await else { panic!("no reason") };
        assert!(reason.contains(why), "{reason}");
        assert_eq!(raw.hear().await, None);
    }
    // One that ends within a frame, one that says nothing at all, and one that begins with something else.
    Raw::connect(&server).await.0.write_all(&[7]).await.expect("taken");
    drop(UnixStream::connect(server.path()).await.expect("somebody listens"));
    let mut rude = Raw(UnixStream::connect(server.path()).await.expect("somebody listens"));
    rude.say(&ToNode::Ping { id: 1 }).await;
    assert!(matches!(rude.hear().await, Some(ToClient::Refused { code: 400, .. })));

    let mut raw = Raw::connect(&server).await;
    let bad = |header: &str, subject: &str| {
        let headers = vec![(header.to_owned(), "x".to_owned())];
        ToNode::Publish(super::frame::Carried { subject: subject.to_owned(), headers, payload: "".into(), reply: None })
    };
    for frame in [bad("X-A\r\nX-B", "a"), bad("", "a"), bad("X-A", "a.*"), bad("X-A", "a..b")] {
        raw.say(&frame).await;
        assert!(matches!(raw.hear().await, Some(ToClient::NotPublished { code: 400, .. })));
    }
    for (id, pattern, queue, code) in
        [(1, "a.>.b", None, 400), (1, "a", Some("two words"), 400), (1, "a", None, 0), (1, "a", None, 409)]
    {
        let queue = queue.map(ToOwned::to_owned);
        raw.say(&ToNode::Subscribe { id, pattern: pattern.to_owned(), queue }).await;
        match raw.hear().await {
            Some(ToClient::Done { id: 1 }) => assert_eq!(code, 0),
            Some(ToClient::Refused { id: 1, code: said, .. }) => assert_eq!(said, code),
            other => panic!("{other:?}"),
        }
    }
    publish(&well, message("a"));
    next_message(&heard).await;
}

#[tokio::test]
async fn a_slow_reader_loses_the_oldest_messages_is_told_how_many_and_holds_up_nobody() {
    let (server, bus) = node("slow").await;
    let mut slow = Raw::connect(&server).await;
    slow.say(&ToNode::Subscribe { id: 1, pattern: "flood".to_owned(), queue: None }).await;
    assert_eq!(slow.hear().await, Some(ToClient::Done { id: 1 }));
    let well = client(&server).await;
    let (heard, _subscribed) = listen(&well, "flood").await;
    let voice = bus.client();
    let (flood, burst) = (WAITING_MAX * 3, 512);
    for number in 0..flood {
        publish(&voice, message("flood").body(vec![number as u8; 1_000]));
        // Who reads now and then hears it all.
        if (number + 1) % burst == 0 {
            for _ in 0..burst {
                next_message(&heard).await;
            }
        }
    }
    let (mut arrived, mut lost) = (0, 0);
    let last = (flood - 1) as u8;
    loop {
        match slow.hear().await {
            Some(ToClient::Message { message, .. }) => {
                arrived += 1;
                if arrived as u64 + lost == flood as u64 {
                    assert_eq!(message.payload[0], last, "the newest");
                    break;
                }
            }
            Some(ToClient::Dropped(messages)) => lost += messages,
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 0 && arrived >= WAITING_MAX, "{arrived} arrived, {lost} lost");
}

#[tokio::test]
async fn a_client_of_another_version_and_one_too_many_are_told_so() {
    let (server, _) = node("many").await;
    let mut old = Raw(UnixStream::connect(server.path()).await.expect("somebody listens"));
    old.say(&ToNode::Hello { protocol: PROTOCOL + 1 }).await;
    assert!(matches!(old.hear().await, Some(ToClient::Welcome { protocol: PROTOCOL, .. })));
    drop(old);
    let mut all = Vec::new();
    let refused = loop {
        match ControlBus::connect(server.path(), Clock::new()).await {
            Ok(client) => all.push(client),
            Err(error) => break error,
        }
    };
    assert!(all.len() >= CLIENTS_MAX - 1, "{}", all.len());
    assert!(matches!(&refused, ControlError::Refused { refusal: Refusal { code: 429, .. }, .. }), "{refused}");
}

#[tokio::test]
async fn a_second_node_on_the_same_socket_learns_whose_it_is_and_a_third_takes_over_from_the_dead() {
    let (server, _) = node("taken").await;
    let bus: Arc<dyn Bus> = Arc::new(LocalBus::new().client());
    let again = || ControlServer::start(Arc::new(Node { bus: Arc::clone(&bus) }), Some(server.path()));
    let error = again().await.expect_err("a node listens").to_string();
    assert!(error.contains("node `u1`") && error.contains("--socket"), "{error}");
    let path = server.path().to_owned();
    drop(server);
    assert!(!path.exists());
    let error = ControlBus::connect(&path, Clock::new()).await.expect_err("nobody").to_string();
    assert!(error.contains("no node listens") && error.contains(&path.display().to_string()), "{error}");

    // What a killed process leaves.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("free"));
    let third = ControlServer::start(Arc::new(Node { bus }), Some(&path)).await.expect("a leftover");
    client(&third).await.flush(PATIENCE).await.expect("it answers");
}

#[tokio::test]
async fn who_listens_without_being_a_node_is_not_taken_for_one() {
    let path = socket("mute");
    let listener = tokio::net::UnixListener::bind(&path).expect("free");
    let error = ControlBus::connect(&path, Clock::new()).await.expect_err("mute");
    assert!(matches!(error, ControlError::NoAnswer(_)), "{error}");
    let speaking = tokio::spawn(async move {
        let (_mute, _) = listener.accept().await.expect("a client");
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("taken");
        let _ = stream.read_u8().await;
    });
    let error = ControlBus::connect(&path, Clock::new()).await.expect_err("another language");
    assert!(matches!(error, ControlError::NoAnswer(_)), "{error}");
    speaking.await.expect("it spoke");
    std::fs::remove_file(path).expect("just made");
}

/// How many ends of connections there are to the one listening socket in `folder`.
fn ends(folder: &Path) -> usize {
    // It goes by the name that it was made with.
    let name = format!("{}/.{}", folder.display(), std::process::id());
    let all = std::fs::read_to_string("/proc/net/unix").expect("Linux");
    all.lines().filter(|line| line.ends_with(&name)).count() - 1
}

#[tokio::test]
async fn no_descriptor_is_left_of_clients_that_went_whichever_way() {
    let folder = std::env::temp_dir().join(format!("nunect-leak-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let bus = LocalBus::new();
    let node = Arc::new(Node { bus: Arc::new(bus.client()) });
    let server = ControlServer::start(node, Some(&folder.join("u1.sock"))).await.expect("free");
    for round in 0..30 {
        let client = client(&server).await;
        let (_heard, _subscribed) = listen(&client, "a").await;
        assert!(ends(&folder) >= 1);
        match round % 3 {
            0 => client.close(PATIENCE).await,
            1 => client.abandon(),
            _ => drop(client),
        }
        let mut raw = Raw::connect(&server).await;
        raw.0.write_all(&u32::MAX.to_le_bytes()).await.expect("taken");
    }
    until("their sockets are closed", || ends(&folder) == 0).await;
    drop(server);
    std::fs::remove_dir(&folder).expect("empty, and ours");
}
