use nunect_core::Pattern;

use super::*;
use crate::bus::LocalBus;

const PATIENCE: Duration = Duration::from_secs(5);

fn subject(text: &str) -> Subject {
    Subject::parse(text.to_owned()).expect("legal")
}

fn inbox() -> Inbox {
    Inbox::new(UnitId::new("asker").expect("legal"), SessionId::from_random(1))
}

/// Answers everything on `question` with as many messages.
async fn answering(bus: &LocalBus, answers: usize) -> (impl Bus, Subscribed) {
    let (sender, mut questions) = mpsc::unbounded_channel();
    let (responder, voice) = (bus.client(), bus.client());
    let pattern = Subscription::from(Pattern::parse("question").expect("legal"));
    let sink = Arc::new(move |inbound| drop(sender.send(inbound)));
    let subscribed = responder.subscribe(&pattern, sink).await.expect("subscribed");
    tokio::spawn(async move {
        while let Some(Inbound::Message(question)) = questions.recv().await {
            for number in 0..answers {
                let reply = question.reply.clone().expect("a request");
                voice.publish(Clock::new().now(), Message::new(reply).body(vec![number as u8])).expect("open");
            }
        }
    });
    (responder, subscribed)
}

#[tokio::test]
async fn an_answer_comes_back_and_the_inbox_is_gone_afterwards() {
    let bus = LocalBus::new();
    let _responder = answering(&bus, 2).await;
    let (client, inbox) = (bus.client(), inbox());
    for _ in 0..3 {
        let answer = ask(&client, &inbox, &Clock::new(), Message::new(subject("question")), PATIENCE).await;
        assert_eq!(answer.expect("answered").payload(), vec![0]);
    }
    // What is sent there now reaches nobody, and whoever sends it with a reply subject is told.
    let (sender, mut told) = mpsc::unbounded_channel();
    let pattern = Subscription::from(Pattern::parse("told").expect("legal"));
    let sink = Arc::new(move |inbound| drop(sender.send(inbound)));
    let _subscribed = client.subscribe(&pattern, sink).await.expect("subscribed");
    let late = inbox::subject(&UnitId::new("asker").expect("legal"), &SessionId::from_random(1), 3);
    client
        .publish(Clock::new().now(), Message { reply: Some(subject("told")), ..Message::new(late) })
        .expect("it is taken");
    assert!(matches!(told.recv().await, Some(Inbound::NoResponders(_))));
}

#[tokio::test]
async fn many_answers_are_collected_until_they_are_enough_or_the_time_is_up() {
    let bus = LocalBus::new();
    let _responder = answering(&bus, 3).await;
    let (client, inbox, clock) = (bus.client(), inbox(), Clock::new());
    let question = || Message::new(subject("question"));
    let two = ask_many(&client, &inbox, &clock, question(), PATIENCE, 2).await.expect("answers");
    assert_eq!(two.len(), 2);
    let all = ask_many(&client, &inbox, &clock, question(), Duration::from_millis(100), 9).await.expect("answers");
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn nobody_silence_and_a_closed_bus_are_told_apart() {
    let bus = LocalBus::new();
    let (client, inbox, clock) = (bus.client(), inbox(), Clock::new());
    let question = || Message::new(subject("question"));
    let asked = ask(&client, &inbox, &clock, question(), PATIENCE).await;
    assert_eq!(asked.expect_err("nobody"), RequestError::NoResponders);
    let _silent = answering(&bus, 0).await;
    let limit = Duration::from_millis(50);
    assert_eq!(ask(&client, &inbox, &clock, question(), limit).await.expect_err("silence"), RequestError::Timeout);
    client.abandon();
    assert_eq!(ask(&client, &inbox, &clock, question(), PATIENCE).await.expect_err("closed"), RequestError::BusAway);
}
