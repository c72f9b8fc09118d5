use proptest::prelude::*;

use super::*;
use crate::arbitrary::{pattern_of, subject_of};

#[derive(Clone, Debug)]
enum Step {
    Subscribe {
        client: u32,
        pattern: String,
        queue: Option<&'static str>,
    },
    /// Ends one of all subscriptions there ever were, whether it is over or not.
    Unsubscribe(prop::sample::Index),
    Disconnect {
        client: u32,
    },
    Route {
        subject: String,
        pick: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let queue = proptest::sample::select(&[None, None, Some("red"), Some("blue")]);
    prop_oneof![
        4 => (0..3u32, "[ab*](\\.[ab*]){0,3}(\\.>)?|>|_INBOX\\.[ab*]", queue)
            .prop_map(|(client, pattern, queue)| Step::Subscribe { client, pattern, queue }),
        2 => any::<prop::sample::Index>().prop_map(Step::Unsubscribe),
        1 => (0..3u32).prop_map(|client| Step::Disconnect { client }),
        6 => ("[ab](\\.[ab]){0,3}|_INBOX\\.[ab]", 0..5usize).prop_map(|(subject, pick)| Step::Route { subject, pick }),
    ]
}

/// A subscription as a plain list would note it.
#[derive(Clone, Debug)]
struct Note {
    target: Target,
    pattern: Pattern,
    queue: Option<&'static str>,
    over: bool,
}

/// Where a message goes when everybody in a plain list is asked.
fn reference(notes: &[Note], subject: &Subject, pick: usize) -> Vec<Target> {
    let wanted: Vec<_> = notes.iter().filter(|note| !note.over && note.pattern.matches(subject)).collect();
    let mut targets: Vec<_> = wanted.iter().filter(|note| note.queue.is_none()).map(|note| note.target).collect();
    let mut groups: Vec<&str> = Vec::new();
    for queue in wanted.iter().filter_map(|note| note.queue) {
        if !groups.contains(&queue) {
            groups.push(queue);
        }
    }
    for group in groups {
        let members: Vec<_> = wanted.iter().filter(|note| note.queue == Some(group)).collect();
        targets.push(members[pick % members.len()].target);
    }
    targets
}

fn route(broker: &mut Broker, subject: &str, pick: usize) -> Vec<Target> {
    let mut targets = Vec::new();
    let count = broker.route(&subject_of(subject), |_| pick, |target| targets.push(target));
    assert_eq!(count, targets.len());
    targets
}

fn tags(broker: &mut Broker, subject: &str) -> Vec<u32> {
    route(broker, subject, 0).into_iter().map(|target| target.tag).collect()
}

proptest! {
    #[test]
    fn a_message_reaches_whom_a_plain_list_would_name_in_the_order_they_subscribed(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let (mut broker, mut notes) = (Broker::new(), Vec::<Note>::new());
        for step in steps {
            match step {
                Step::Subscribe { client, pattern, queue } => {
                    let (client, tag, pattern) = (ClientId(client), notes.len() as u32, pattern_of(&pattern));
                    let subscription = broker.subscribe(client, tag, pattern.clone(), queue);
                    prop_assert!(notes.iter().all(|note| note.target.subscription < subscription));
                    let target = Target { subscription, client, tag };
                    notes.push(Note { target, pattern, queue, over: false });
                }
                Step::Unsubscribe(_) if notes.is_empty() => broker.unsubscribe(SubscriptionId(1)),
                Step::Unsubscribe(index) => {
                    let index = index.index(notes.len());
                    broker.unsubscribe(notes[index].target.subscription);
                    notes[index].over = true;
                }
                Step::Disconnect { client } => {
                    broker.disconnect(ClientId(client));
                    notes.iter_mut().filter(|note| note.target.client.0 == client).for_each(|note| note.over = true);
                }
                Step::Route { subject, pick } => {
                    let expected = reference(&notes, &subject_of(&subject), pick);
                    prop_assert_eq!(&route(&mut broker, &subject, pick), &expected);
                    prop_assert_eq!(&route(&mut broker, &subject, pick), &expected, "from memory");
                    let mut visited = Vec::new();
                    broker.visit(&subject_of(&subject), |wanted| match wanted {
                        Wanted::By(target) => visited.push(target),
                        Wanted::ByOneOf(_, members) => visited.push(members[pick % members.len()]),
                    });
                    prop_assert_eq!(&visited, &expected, "visited");
                }
            }
            let left = notes.iter().filter(|note| !note.over).count();
            prop_assert_eq!((broker.len(), broker.is_empty()), (left, left == 0));
        }
        for note in &notes {
            broker.unsubscribe(note.target.subscription);
        }
        prop_assert!(broker.root.is_empty(), "levels that nobody needs are left: {:?}", broker.root);
    }

    #[test]
    fn whoever_picks_may_pick_any_number_and_every_member_can_be_picked(picks in any::<Vec<usize>>()) {
        let mut broker = Broker::new();
        for tag in 0..3 {
            broker.subscribe(ClientId(tag), tag, pattern_of("a.*"), Some("red"));
        }
        for pick in picks {
            let [target] = route(&mut broker, "a.b", pick)[..] else { panic!("exactly one member") };
            prop_assert_eq!(target.tag as usize, pick % 3);
        }
    }
}

#[test]
fn a_message_to_nobody_is_counted_as_such() {
    let mut broker = Broker::new();
    broker.subscribe(ClientId(1), 0, pattern_of("a.*"), None);
    for subject in ["b.c", "a", "a.b.c"] {
        assert!(tags(&mut broker, subject).is_empty());
    }
}

#[test]
fn one_client_that_subscribes_twice_is_served_twice() {
    let mut broker = Broker::new();
    for (tag, pattern) in [(7, "a.b"), (8, "a.>"), (9, "a.b")] {
        broker.subscribe(ClientId(1), tag, pattern_of(pattern), None);
    }
    assert_eq!(tags(&mut broker, "a.b"), [7, 8, 9]);
}

#[test]
fn members_of_a_group_need_not_subscribe_to_the_same_pattern() {
    let mut broker = Broker::new();
    broker.subscribe(ClientId(1), 1, pattern_of("a.*"), Some("red"));
    broker.subscribe(ClientId(2), 2, pattern_of("a.b"), Some("red"));
    assert_eq!(tags(&mut broker, "a.b").len(), 1);
}

#[test]
fn groups_come_after_those_who_listen_alone() {
    let mut broker = Broker::new();
    broker.subscribe(ClientId(1), 1, pattern_of("a"), Some("red"));
    broker.subscribe(ClientId(2), 2, pattern_of("a"), None);
    assert_eq!(tags(&mut broker, "a"), [2, 1]);
}

#[test]
fn what_is_remembered_is_bounded_and_the_inboxes_of_a_client_are_remembered_as_one() {
    let mut broker = Broker::new();
    broker.subscribe(ClientId(1), 1, pattern_of(">"), None);
    for number in 0..CACHE_MAX + 10 {
        assert_eq!(tags(&mut broker, &format!("a.{number}")), [1]);
        assert!(broker.cache.len() <= CACHE_MAX);
    }
    let remembered = broker.cache.len();
    for number in 0..10 {
        assert_eq!(tags(&mut broker, &format!("_INBOX.alpha.1.{number}")), [1]);
    }
    assert_eq!(broker.cache.len(), remembered + 1);
}

#[test]
fn whoever_listens_on_a_single_inbox_gets_that_one_alone() {
    let mut broker = Broker::new();
    broker.subscribe(ClientId(1), 1, pattern_of("_INBOX.alpha.1.*"), None);
    broker.subscribe(ClientId(2), 2, pattern_of("_INBOX.alpha.1.7"), None);
    for _ in 0..2 {
        assert_eq!(tags(&mut broker, "_INBOX.alpha.1.6"), [1]);
        assert_eq!(tags(&mut broker, "_INBOX.alpha.1.7"), [1, 2]);
        assert_eq!(tags(&mut broker, "_INBOX.alpha.1"), Vec::<u32>::new());
        assert_eq!(tags(&mut broker, "_INBOX.alpha"), Vec::<u32>::new());
        assert_eq!(tags(&mut broker, "_INBOX"), Vec::<u32>::new());
    }
}

#[test]
fn a_literal_wildcard_in_a_subject_widens_nothing() {
    let mut broker = Broker::new();
    broker.subscribe(ClientId(1), 1, pattern_of("a.b"), None);
    broker.subscribe(ClientId(1), 2, pattern_of("a.*"), None);
    let subject = Subject::from_wire(bytes::Bytes::from_static(b"a.*")).expect("UTF-8");
    let mut reached = Vec::new();
    broker.route(&subject, |_| 0, |target| reached.push(target.tag));
    assert_eq!(reached, [2]);
}
