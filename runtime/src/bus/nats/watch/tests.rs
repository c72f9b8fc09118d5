use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::bus::nats::denials::{DENIED_MAX, DENIED_TOLD_EVERY};

fn watch() -> (Watch, Receiver<BusEvent>) {
    let watch = Watch::new("mirror".to_owned(), Some(3));
    let (tell, told) = channel();
    watch.add(Box::new(move |event| tell.send(event).expect("the test listens")));
    assert_eq!(told.try_recv(), Ok(BusEvent::Disconnected));
    (watch, told)
}

fn says(watch: &Watch, error: &str) {
    watch.hear(&Event::ServerError(ServerError::Other(error.to_owned())));
}

fn denied(action: BusAction, subject: &str) -> BusEvent {
    BusEvent::Denied { action, subject: subject.to_owned() }
}

fn refused(reason: &str) -> BusEvent {
    BusEvent::Refused { reason: reason.to_owned() }
}

fn told(events: &Receiver<BusEvent>) -> Vec<BusEvent> {
    events.try_iter().collect()
}

#[test]
fn what_is_denied_is_told_once_a_minute_with_its_subject_in_its_own_letters() {
    let (watch, events) = watch();
    for _ in 0..3 {
        says(&watch, "Permissions Violation for Publish to \"Ops.X\"");
        says(&watch, "Permissions Violation for Subscription to \"ops.>\"");
        says(&watch, "Permissions Violation for Subscription to \"ops.>\" using queue \"q\"");
        says(&watch, "Permissions Violation for Publish with Reply of \"_INBOX.a\"");
    }
    let publish = |subject| denied(BusAction::Publish, subject);
    assert_eq!(told(&events), [publish("Ops.X"), denied(BusAction::Subscribe, "ops.>"), publish("_INBOX.a")]);
    // A flush wants to know each.
    assert_eq!(watch.refusals.after(0).len(), 6);
    watch.denials.age(DENIED_TOLD_EVERY);
    says(&watch, "Permissions Violation for Publish to \"Ops.X\"");
    assert_eq!(told(&events), [publish("Ops.X")]);
    // With another connection it may be another server, and other permissions.
    watch.hear(&Event::Connected);
    says(&watch, "Permissions Violation for Publish to \"Ops.X\"");
    assert_eq!(told(&events), [BusEvent::Connected, publish("Ops.X")]);
}

#[test]
fn no_number_of_denied_subjects_takes_more_memory_than_its_bound() {
    let (watch, events) = watch();
    for number in 0..DENIED_MAX * 2 {
        says(&watch, &format!("Permissions Violation for Publish to \"a.{number}\""));
    }
    assert_eq!((told(&events).len(), watch.denials.len()), (DENIED_MAX, DENIED_MAX));
    assert_eq!(watch.refusals.after(0).len(), crate::bus::REFUSALS_KEPT);
}

#[test]
fn a_refusal_of_the_node_is_told_once_until_it_is_connected_again() {
    let (watch, events) = watch();
    for error in ["User Authentication Expired", "User Authentication Expired", "maximum connections exceeded"] {
        says(&watch, error);
    }
    watch.hear(&Event::ServerError(ServerError::AuthorizationViolation));
    assert_eq!(
        told(&events),
        ["User Authentication Expired", "maximum connections exceeded", "authorization violation"].map(refused)
    );
    watch.hear(&Event::Connected);
    says(&watch, "User Authentication Expired");
    assert_eq!(told(&events), [BusEvent::Connected, refused("User Authentication Expired")]);
}

#[test]
fn whoever_comes_late_is_told_what_stands() {
    let (watch, _events) = watch();
    watch.refused("User Authentication Expired".to_owned());
    watch.refused("user authentication expired".to_owned());
    says(&watch, "Permissions Violation for Publish to \"a\"");
    let (tell, told_late) = channel();
    watch.add(Box::new(move |event| tell.send(event).expect("the test listens")));
    let stands = [BusEvent::Disconnected, refused("User Authentication Expired"), denied(BusAction::Publish, "a")];
    assert_eq!(told(&told_late), stands);
}

#[test]
fn every_reason_that_a_server_has_to_end_a_connection_is_known() {
    let known = [
        "Authorization Violation",
        "Authentication Timeout",
        "User Authentication Expired",
        "User Authentication Revoked",
        "Account Authentication Expired",
        "maximum connections exceeded",
        "maximum account active connections exceeded",
        "maximum subscriptions exceeded",
        "Maximum Payload Violation",
        "Secure Connection - TLS Required",
    ];
    for error in known {
        assert_eq!(Meaning::of(error), Meaning::Refused, "{error}");
    }
    for error in ["Stale Connection", "Unknown Protocol Operation", "Parser Error", ""] {
        assert_eq!(Meaning::of(error), Meaning::Other, "{error}");
    }
    assert_eq!(Meaning::of("Slow Consumer"), Meaning::SlowConsumer);
}

#[test]
fn lost_messages_are_told_now_and_then_and_the_end_of_all_tries_with_what_to_do() {
    let (watch, events) = watch();
    (0..1_000).for_each(|_| watch.hear(&Event::SlowConsumer(1)));
    says(&watch, "Slow Consumer");
    assert_eq!(told(&events), [BusEvent::SlowConsumer]);
    lock(&watch.told).slow = Instant::now().checked_sub(SLOW_TOLD_EVERY);
    watch.hear(&Event::SlowConsumer(1));
    assert_eq!(told(&events), [BusEvent::SlowConsumer]);

    watch.hear(&Event::ClientError(ClientError::MaxReconnects));
    let [BusEvent::Refused { reason }] = &told(&events)[..] else { panic!("not told") };
    assert!(reason.contains("max_reconnects of 3") && reason.contains("start again"), "{reason}");
}

#[test]
fn what_is_sent_to_oneself_is_answered_by_its_refusal_and_no_news() {
    let (watch, events) = watch();
    let mut answered = asked(watch.mirror_denied.notified());
    says(&watch, "Permissions Violation for Publish to \"mirror.1\"");
    assert!(answered());
    let mut answered = asked(watch.mirror_denied.notified());
    says(&watch, "Permissions Violation for Subscription to \"mirror.2\"");
    assert!(answered());
    assert_eq!((told(&events), watch.refusals.after(0)), (vec![], vec![]));
}

/// Whether the future is ready when asked.
fn asked<'a>(future: impl Future<Output = ()> + 'a) -> impl FnMut() -> bool + 'a {
    let mut future = Box::pin(future);
    move || future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

#[test]
fn a_change_that_was_not_heard_is_caught_up_with() {
    let (watch, events) = watch();
    let statistics = Arc::new(Statistics::default());
    watch.statistics.set(Arc::clone(&statistics)).expect("set once");
    let connects = |number| statistics.connects.store(number, Ordering::Relaxed);
    connects(1);
    watch.hear(&Event::Connected);
    assert!(!watch.missed());

    // The outage fell into a flood: neither its beginning nor its end was heard.
    connects(2);
    assert!(watch.missed());
    watch.catch_up(true);
    assert_eq!(told(&events), [BusEvent::Connected, BusEvent::Disconnected, BusEvent::Connected]);
    // Now it comes after all.
    watch.hear(&Event::Connected);
    assert_eq!(told(&events), []);
    // Of another, only the end was not heard.
    connects(3);
    watch.hear(&Event::Connected);
    assert_eq!(told(&events), [BusEvent::Disconnected, BusEvent::Connected]);
    connects(4);
    assert!(watch.missed());
    watch.catch_up(false);
    watch.catch_up(false);
    assert_eq!(told(&events), [BusEvent::Disconnected]);
}
