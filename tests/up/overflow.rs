//! What does not fit: a mailbox that is full says so at once to whoever asks, and a message that the
//! bus does not take is told of, but not a thousand times.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use nunect::runtime::bus::Inbound;
use nunect::runtime::{Bus, Clock, LocalBus, NatsBus, NatsOptions, Node, NodeSpec, Record};
use nunect::{
    Actor, ActorSpec, Birth, BusEvent, ConfigError, Contract, Effects, Event, Fault, Input, MailboxLimits, Message,
    Now, Overflow, Pattern, Program, Role, Sensor, Subject, Subscription, UnitId,
};
use serde_json::json;

use crate::PATIENCE;
use crate::nats::NatsServer;

/// Messages that may wait for the clerk.
const CAPACITY: usize = 3;

/// Where a clerk says that it is at work, and where it waits to be let go.
type Desk = (Sender<()>, Receiver<()>);

/// The desk of the next clerk.
static DESK: Mutex<Option<Desk>> = Mutex::new(None);

/// Works on one request at a time, for as long as the test wants.
struct Clerk {
    desk: Desk,
}

#[derive(Default, serde::Deserialize, schemars::JsonSchema, garde::Validate)]
#[serde(deny_unknown_fields)]
struct Options {}

impl Actor for Clerk {
    const KIND: &'static str = "clerk";
    type Config = Options;

    fn new(_: Options, _: &Birth) -> Result<Self, ConfigError> {
        let desk = DESK.lock().unwrap_or_else(PoisonError::into_inner).take();
        desk.map(|desk| Self { desk }).ok_or_else(|| ConfigError::new("", "there is no desk"))
    }

    fn contract(&self) -> Contract {
        Contract {
            reads: vec![Pattern::parse("test.clerk").expect("legal").into()],
            mailbox: MailboxLimits { capacity: CAPACITY, overflow: Overflow::DropNewest, ..MailboxLimits::default() },
            ..Contract::default()
        }
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        if let Input::Message(message) = input
            && let Some(reply) = &message.reply
        {
            let (working, go_on) = &self.desk;
            working.send(()).expect("the test watches");
            go_on.recv().expect("the test lets go");
            out.respond(Message::new(reply.clone()).body(message.payload()));
        }
        Ok(())
    }
}

/// What a shouter says as soon as somebody could hear it.
const SHOUTS: u64 = 100;

/// Says more at once than a server takes.
struct Shouter;

impl Actor for Shouter {
    const KIND: &'static str = "shouter";
    type Config = Options;

    fn new(_: Options, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn contract(&self) -> Contract {
        Contract { sensors: vec![Sensor::Bus], ..Contract::default() }
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        if let Input::Bus(BusEvent::Connected) = input {
            for _ in 0..SHOUTS {
                out.publish(Message::new(subject("test.shout")).body(vec![b'a'; 2 << 20]));
            }
        }
        Ok(())
    }
}

/// A node of one actor with nothing to configure.
fn node(kind: &str) -> NodeSpec {
    let actor = ActorSpec::parse(kind, &json!({})).expect("legal").expect("enabled");
    NodeSpec::new(UnitId::new("office").expect("legal"), Role::Node, vec![actor]).expect("randomness")
}

fn subject(text: &str) -> Subject {
    Subject::parse(text.to_owned()).expect("legal")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_a_full_mailbox_is_answered_503_at_once() {
    let ((working, at_work), (let_go, go_on)) = (channel(), channel());
    *DESK.lock().unwrap_or_else(PoisonError::into_inner) = Some((working, go_on));
    let bus = LocalBus::new();
    let clock = Clock::new();
    let (tell, events) = channel();
    let observer = Box::new(move |record: &Record| drop(tell.send(record.event.clone())));
    let happens = |is: &dyn Fn(&Event) -> bool| {
        while !is(&events.recv_timeout(PATIENCE).expect("it happens")) {}
    };
    let program = Program::new().with::<Clerk>();
    let spec = node("clerk");
    let node = Node::start(spec, program.catalog(), Arc::new(bus.client()), clock, observer).await.expect("it starts");
    happens(&|event| matches!(event, Event::ActorStarted { .. }));

    let outside = bus.client();
    let (answer, answers) = channel();
    let inbox = Subscription::from(Pattern::parse("test.answer.*").expect("legal"));
    let sink = Arc::new(move |inbound| drop(answer.send(inbound)));
    outside.subscribe(&inbox, sink).await.expect("subscribed").forever();
    let ask = |number: usize| {
        let mut request = Message::new(subject("test.clerk")).body(format!("request {number}"));
        request.reply = Some(subject(&format!("test.answer.{number}")));
        outside.publish(clock.now(), request).expect("the bus takes it");
    };
    let answer_to = |number: usize| match answers.recv_timeout(PATIENCE) {
        Ok(Inbound::Message(answer)) => {
            assert_eq!(answer.subject.as_str(), format!("test.answer.{number}"));
            answer
        }
        other => panic!("no answer but {other:?}"),
    };

    // One is in hand and the others wait; two more find the mailbox full.
    ask(0);
    at_work.recv_timeout(PATIENCE).expect("the clerk works");
    (1..=CAPACITY + 2).for_each(ask);
    for refused in [CAPACITY + 1, CAPACITY + 2] {
        let answer = answer_to(refused);
        assert_eq!(answer.headers.get("X-Response-Code").as_deref(), Some("503"));
        assert_eq!(answer.headers.get("X-Reason").as_deref(), Some("mailbox full"));
        assert_eq!(answer.headers.get("X-Unit-ID").as_deref(), Some("office"));
        assert_eq!(answer.headers.get("X-Sequence"), None);
        assert_eq!(answer.payload(), "");
    }
    // It is told once, until there is room again.
    happens(&|event| matches!(event, Event::MailboxOverflow { dropped: 1 }));
    assert!(events.try_recv().is_err(), "and nothing else happened");

    for number in 0..=CAPACITY {
        let_go.send(()).expect("the clerk waits");
        let answer = answer_to(number);
        assert_eq!(answer.payload(), format!("request {number}"));
        assert_eq!(answer.headers.get("X-Response-Code"), None);
    }
    drop(let_go);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_the_bus_does_not_take_are_counted_and_told_at_every_doubling() {
    let server = NatsServer::start();
    let clock = Clock::new();
    let spec = node("shouter");
    let options = NatsOptions {
        urls: vec![server.url()],
        unit: spec.unit.clone(),
        session: spec.session.clone(),
        reconnect_wait: PATIENCE,
        max_reconnects: None,
        credentials: None,
    };
    let bus = NatsBus::connect(options, clock, spec.entropy.stream("reconnect", 0)).await.expect("a legal URL");
    let (tell, events) = channel();
    let observer = Box::new(move |record: &Record| {
        if let Event::PublishRefused { subject, reason } = &record.event {
            tell.send(format!("{}: {reason}", subject.as_str())).unwrap_or_default();
        }
    });
    let program = Program::new().with::<Shouter>();
    let node = Node::start(spec, program.catalog(), Arc::new(bus), clock, observer).await.expect("it starts");

    let mut told = Vec::new();
    for _ in 0..7 {
        told.push(events.recv_timeout(PATIENCE).expect("it is told"));
    }
    assert!(told[0].starts_with("test.shout: the bus refused it: ") && told[0].contains("payload"), "{told:?}");
    for (told, lost) in told.iter().zip([1, 2, 4, 8, 16, 32, 64]) {
        assert!(told.ends_with(&format!("; {lost} lost so far")), "{told}");
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    while node.status().lost < SHOUTS {
        assert!(std::time::Instant::now() < deadline, "{:?}", node.status());
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!((node.status().sent, node.status().lost), (SHOUTS, SHOUTS));
    node.stop().await;
    assert_eq!(events.try_iter().count(), 0);
}
