use std::sync::mpsc::{Receiver, channel};

use nunect_core::{Mono, Pattern, Subject, Wall};

use super::*;

const NOW: Now = Now { mono: Mono::from_nanos(7), wall: Wall::from_unix_nanos(11) };

fn message(subject: &str) -> Message {
    Message::new(Subject::parse(subject.to_owned()).expect("legal"))
}

fn asked(subject: &str, reply: &str) -> Message {
    Message { reply: Some(Subject::parse(reply.to_owned()).expect("legal")), ..message(subject) }
}

fn publish(client: &LocalClient, message: Message) {
    client.publish(NOW, message).expect("an open bus takes everything");
}

/// What one subscription of `client` hears.
async fn listen(client: &LocalClient, pattern: &str, queue: Option<&str>) -> Receiver<Inbound> {
    let (sender, heard) = channel();
    let pattern = Pattern::parse(pattern).expect("legal");
    let subscription = Subscription { pattern, queue: queue.map(ToOwned::to_owned) };
    // Who no longer listens has dropped the receiver.
    let sink = Arc::new(move |inbound| drop(sender.send(inbound)));
    client.subscribe(&subscription, sink).await.expect("an open bus takes every subscription").forever();
    heard
}

/// The subjects of everything heard until now; `!` before one to which nobody answers.
fn subjects(heard: &Receiver<Inbound>) -> Vec<String> {
    let subject = |inbound| match inbound {
        Inbound::Message(message) => message.subject.as_str().to_owned(),
        Inbound::NoResponders(subject) => format!("!{}", subject.as_str()),
    };
    heard.try_iter().map(subject).collect()
}

#[tokio::test]
async fn patterns_with_wildcards_hear_what_they_match() {
    let bus = LocalBus::new();
    let (speaker, hearer) = (bus.client(), bus.client());
    let exact = listen(&hearer, "a.b", None).await;
    let star = listen(&hearer, "a.*", None).await;
    let rest = listen(&hearer, "a.>", None).await;
    for subject in ["a", "a.b", "a.c", "a.b.c", "b.b"] {
        publish(&speaker, message(subject));
    }
    assert_eq!(subjects(&exact), ["a.b"]);
    assert_eq!(subjects(&star), ["a.b", "a.c"]);
    assert_eq!(subjects(&rest), ["a.b", "a.c", "a.b.c"]);
}

#[tokio::test]
async fn every_client_hears_a_message_with_the_time_of_its_hand_over_and_so_does_who_said_it() {
    let bus = LocalBus::new();
    let (speaker, hearer) = (bus.client(), bus.client());
    let ears = [listen(&speaker, "a", None).await, listen(&hearer, "a", None).await];
    publish(&speaker, message("a").body("words"));
    for heard in ears {
        let Ok(Inbound::Message(message)) = heard.try_recv() else { panic!("not heard") };
        assert_eq!(message.payload(), "words");
        assert_eq!(message.received, NOW);
        assert!(heard.try_recv().is_err(), "once");
    }
}

#[tokio::test]
async fn members_of_a_queue_group_share_and_others_hear_all() {
    let bus = LocalBus::new();
    let clients = [bus.client(), bus.client()];
    let members = [listen(&clients[0], "a", Some("group")).await, listen(&clients[1], "a", Some("group")).await];
    let other_members = [listen(&clients[0], "a", Some("other")).await, listen(&clients[1], "a", Some("other")).await];
    let alone = listen(&clients[0], "a", None).await;
    for _ in 0..100 {
        publish(&clients[0], message("a"));
    }
    for group in [members, other_members] {
        let shares = group.map(|member| subjects(&member).len());
        assert_eq!(shares.iter().sum::<usize>(), 100, "each message goes to one member");
        assert!(shares.iter().all(|share| *share > 30), "{shares:?}");
    }
    assert_eq!(subjects(&alone).len(), 100);
}

#[tokio::test]
async fn a_request_that_nobody_hears_is_answered_so() {
    let bus = LocalBus::new();
    let (prober, responder) = (bus.client(), bus.client());
    let answers = listen(&prober, "answer.*", None).await;
    publish(&prober, asked("question", "answer.1"));
    assert_eq!(subjects(&answers), ["!answer.1"]);
    // Without a reply subject there is nobody to tell.
    publish(&prober, message("question"));
    assert_eq!(subjects(&answers), [""; 0]);

    let questions = listen(&responder, "question", None).await;
    publish(&prober, asked("question", "answer.2"));
    assert_eq!(subjects(&questions), ["question"]);
    assert_eq!(subjects(&answers), [""; 0]);
}

#[tokio::test]
async fn a_client_that_is_dropped_takes_its_interest_with_it() {
    let bus = LocalBus::new();
    let (prober, leaver, stayer) = (bus.client(), bus.client(), bus.client());
    let answers = listen(&prober, "answer", None).await;
    let left = listen(&leaver, "question", None).await;
    let member_left = listen(&leaver, "shared", Some("group")).await;
    let member_stayed = listen(&stayer, "shared", Some("group")).await;
    drop(leaver);
    publish(&prober, asked("question", "answer"));
    assert_eq!(subjects(&answers), ["!answer"]);
    for _ in 0..4 {
        publish(&prober, message("shared"));
    }
    assert_eq!(subjects(&member_stayed).len(), 4);
    for heard in [left, member_left] {
        // The sink is gone, and with it whatever it held.
        assert_eq!(heard.try_recv().err(), Some(std::sync::mpsc::TryRecvError::Disconnected));
    }
    // Its places are given anew, and nothing of it is left in them.
    let stayed = listen(&stayer, "question", None).await;
    publish(&prober, message("question"));
    publish(&prober, message("shared"));
    assert_eq!(subjects(&stayed), ["question"]);
}

#[tokio::test]
async fn an_abandoned_client_says_and_hears_nothing_more() {
    let bus = LocalBus::new();
    let (dead, alive) = (bus.client(), bus.client());
    let heard = listen(&alive, "a", None).await;
    dead.abandon();
    assert_eq!(dead.publish(NOW, message("a")), Err(BusError::Closed));
    assert_eq!(subjects(&heard), [""; 0]);
    let late = Subscription::from(Pattern::parse("a").expect("legal"));
    assert_eq!(dead.subscribe(&late, Arc::new(drop)).await.err(), Some(BusError::Closed));
    publish(&alive, message("a"));
    assert_eq!(subjects(&heard), ["a"]);
}

#[tokio::test]
async fn the_bus_is_always_there_and_near() {
    let client = LocalBus::new().client();
    let (sender, events) = channel();
    client.watch(Box::new(move |event| sender.send(event).expect("the test listens")));
    assert_eq!(events.try_recv(), Ok(BusEvent::Connected));
    let round_trip = client.round_trip(Duration::from_secs(1)).await.expect("no server to go to");
    assert!(round_trip < Duration::from_secs(1), "{round_trip:?}");
}

#[tokio::test]
async fn a_subscription_that_is_dropped_hears_nothing_more_and_takes_nothing_with_it() {
    let bus = LocalBus::new();
    let client = bus.client();
    let (sender, first) = channel();
    let pattern = Subscription::from(Pattern::parse("a").expect("legal"));
    let sink = Arc::new(move |inbound| drop(sender.send(inbound)));
    let subscribed = client.subscribe(&pattern, sink).await.expect("an open bus takes every subscription");
    client.abandon();
    // Its place is given to another before it ends.
    let other = bus.client();
    let second = listen(&other, "a", None).await;
    drop(subscribed);
    publish(&other, message("a"));
    assert_eq!((subjects(&first), subjects(&second)), (vec![], vec!["a".to_owned()]));

    let (sender, third) = channel();
    let sink = Arc::new(move |inbound| drop(sender.send(inbound)));
    let subscribed = other.subscribe(&pattern, sink).await.expect("an open bus takes every subscription");
    publish(&other, message("a"));
    drop(subscribed);
    publish(&other, message("a"));
    assert_eq!(subjects(&third), ["a"]);
    assert_eq!(third.try_recv().err(), Some(std::sync::mpsc::TryRecvError::Disconnected), "the sink is gone");
    assert_eq!(subjects(&second), ["a", "a"]);
    assert_eq!(other.flush(Duration::ZERO).await, Ok(()));
}
