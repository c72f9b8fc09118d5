use nunect_core::outbox::{HandOver, Outbox};
use nunect_core::protocol::command::ChaosKind;
use nunect_core::protocol::dead;
use nunect_core::{ActorName, Event, Incarnation, Now, Pattern, SessionId, Subject};
use nunect_supervisor::{ChildSpec, Intensity, NodeSpec, Strategy};

use super::*;
use crate::fault::Kind;

const SECOND: u64 = 1_000_000_000;

fn unit(name: &str) -> UnitId {
    name.parse().expect("legal")
}

fn actor(name: &str) -> ActorName {
    name.parse().expect("legal")
}

fn units() -> Table<UnitId, ()> {
    ["n0", "n1"].into_iter().map(|name| (unit(name), ())).collect()
}

fn laws() -> Laws {
    let mut laws = Laws::default();
    [0, 1].into_iter().for_each(|node| {
        laws.add();
        laws.started(node, None);
    });
    laws
}

/// A sender whose messages are numbered as production numbers them.
struct Sender(Outbox);

impl Sender {
    fn new(session: u64) -> Self {
        let mut outbox = Outbox::new(unit("n0"), SessionId::from_random(session));
        assert!(outbox.connected(Now::default()).is_empty());
        Self(outbox)
    }

    fn send(&mut self, subject: &str) -> Message {
        let message = Message::new(Subject::parse(subject.to_owned()).expect("legal"));
        match self.0.publish(Now::default(), message) {
            HandOver::Send(message) => *message,
            HandOver::Kept | HandOver::Refused(_) => panic!("the bus is there"),
        }
    }
}

fn broken(laws: &Laws) -> Vec<(String, String)> {
    laws.verdicts().map(|verdict| (verdict.name, verdict.about)).collect()
}

fn names(laws: &Laws) -> Vec<&'static str> {
    laws.breaches.keys().map(|(law, _)| law.name()).collect()
}

#[test]
fn a_number_that_is_used_again_is_noticed_at_the_publisher() {
    let mut laws = laws();
    let (mut sender, mut reborn, mut forgetful) = (Sender::new(1), Sender::new(2), Sender::new(1));
    for message in [sender.send("a.b"), sender.send("a.c"), sender.send("a.b"), reborn.send("a.b")] {
        laws.published(1, 0, &message);
    }
    assert!(broken(&laws).is_empty(), "{:?}", laws.breaches);
    laws.published(9, 0, &forgetful.send("a.b"));
    let [verdict] = laws.verdicts().collect::<Vec<_>>().try_into().expect("one law");
    assert_eq!(verdict.failure().expect("broken").to_string(), "no sequence number is used twice (a)");
    assert!(verdict.is_built_in());
    let Judgement::Broken { at, why, times: 1 } = verdict.judgement else { panic!("{verdict:?}") };
    assert_eq!((at, why.as_str()), (Duration::from_nanos(9), "a.b has the number 1 after 2"));
}

#[test]
fn a_dead_letter_goes_by_a_foreign_number() {
    let mut laws = laws();
    let mut sender = Sender::new(1);
    let poison = [sender.send("a.b"), sender.send("a.b"), sender.send("a.c")];
    for poison in &poison {
        let letter = dead::letter(&unit("n1"), &actor("echo"), poison, "it crashes");
        laws.published(1, 1, &letter);
        laws.taken(2, 0, 0, &letter, &[]);
    }
    assert!(broken(&laws).is_empty(), "{:?}", laws.breaches);
}

#[test]
fn messages_of_one_sender_on_one_subject_come_in_order() {
    let mut laws = laws();
    let (mut sender, mut reborn) = (Sender::new(1), Sender::new(2));
    let (first, second, other) = (sender.send("a.b"), sender.send("a.b"), sender.send("a.c"));
    for message in [&second, &other, &reborn.send("a.b")] {
        laws.taken(1, 1, 0, message, &[]);
    }
    // Another mailbox, and another node.
    laws.taken(1, 1, 1, &first, &[]);
    laws.taken(1, 0, 0, &first, &[]);
    assert!(broken(&laws).is_empty(), "{:?}", laws.breaches);
    laws.taken(2, 1, 0, &first, &[]);
    assert_eq!(names(&laws), [Law::OutOfOrder.name()]);
}

#[test]
fn what_faults_and_datagrams_do_to_the_order_is_excused() {
    let mut laws = laws();
    laws.order_excused = true;
    let mut sender = Sender::new(1);
    let (first, second) = (sender.send("a.b"), sender.send("a.b"));
    [&second, &first, &first].into_iter().for_each(|message| laws.taken(1, 1, 0, message, &[]));
    assert!(broken(&laws).is_empty(), "{:?}", laws.breaches);
}

#[test]
fn a_message_comes_again_only_after_a_crash_on_it() {
    let mut laws = laws();
    let mut sender = Sender::new(1);
    let (first, second) = (sender.send("a.b"), sender.send("a.b"));
    laws.taken(1, 0, 0, &first, &[]);
    laws.crashed(0, 0, &first);
    laws.taken(2, 0, 0, &first, &[]);
    laws.crashed(0, 0, &first);
    laws.taken(3, 0, 0, &second, &[]);
    assert!(broken(&laws).is_empty(), "{:?}", laws.breaches);
    laws.taken(4, 0, 0, &second, &[]);
    assert_eq!(names(&laws), [Law::DeliveredTwice.name()]);
}

#[test]
fn subscriptions_that_overlap_bring_a_message_twice() {
    let mut laws = laws();
    let reads = ["a.*", "a.b"].map(|pattern| Pattern::parse(pattern).expect("legal").into());
    let message = Sender::new(1).send("a.b");
    laws.taken(1, 0, 0, &message, &reads);
    laws.taken(1, 0, 0, &message, &reads);
    assert!(broken(&laws).is_empty());
    laws.taken(1, 0, 0, &message, &reads[..1]);
    assert_eq!(names(&laws), [Law::DeliveredTwice.name()]);
}

#[test]
fn a_mailbox_accounts_for_every_message() {
    let check = |settled, depth, kept: bool| {
        let mut laws = laws();
        let counters = Counters { received: 10, settled, dropped: 2, poisoned: 1 };
        laws.counted(5, || "n0 echo".to_owned(), counters, depth);
        assert_eq!(broken(&laws).is_empty(), kept, "{settled} {depth}");
    };
    check(7, 0, true);
    check(4, 3, true);
    check(6, 0, true);
    check(8, 0, false);
    check(5, 0, false);
}

#[test]
fn a_clock_that_runs_backwards_is_noticed() {
    let mut laws = laws();
    laws.clock_backwards(7, "n1", Mono::from_nanos(9), Mono::from_nanos(8));
    assert_eq!(names(&laws), [Law::ClockBackwards.name()]);
}

struct Crashes {
    laws: Laws,
    at: u64,
}

impl Crashes {
    fn of(tree: Option<TreeSpec>) -> Self {
        let mut laws = laws();
        laws.started(0, tree.map(Arc::new).as_ref());
        Self { laws, at: SECOND }
    }

    fn event(&mut self, name: &str, event: &Event) -> &mut Self {
        self.laws.event(&Sighting { at: self.at, node: 0, actor: Some(&actor(name)), event }, &units());
        self
    }

    fn crash(&mut self, name: &str) -> &mut Self {
        let event = Event::ActorCrashed { incarnation: Incarnation(1), reason: "told".into(), on_message: false };
        self.event(name, &event)
    }

    fn start(&mut self, name: &str) -> &mut Self {
        self.event(name, &Event::ActorStarted { incarnation: Incarnation(2) })
    }

    fn escalate(&mut self, name: &str) -> &mut Self {
        self.event(name, &Event::Escalated { crashes: 2, period: Duration::from_secs(9), reason: "told".into() })
    }

    fn wait(&mut self, seconds: u64) -> &mut Self {
        self.at += seconds * SECOND;
        self
    }

    fn is_kept(&self) -> bool {
        self.laws.breaches.is_empty()
    }
}

fn tree(strategy: Strategy, crashes: u32, children: Vec<NodeSpec>) -> TreeSpec {
    let intensity = Intensity { crashes, ..Intensity::default() };
    TreeSpec { intensity, ..TreeSpec::new(strategy, children) }
}

fn child(name: &str) -> NodeSpec {
    NodeSpec::Actor(ChildSpec::new(actor(name)))
}

#[test]
fn a_supervisor_that_goes_on_beyond_its_intensity_is_noticed() {
    // Five crashes in 30 s are allowed without another word.
    let mut crashes = Crashes::of(None);
    for _ in 0..5 {
        crashes.crash("echo").wait(1).start("echo");
    }
    assert!(crashes.is_kept());
    assert!(crashes.crash("echo").is_kept(), "it may still give up");
    assert!(!crashes.wait(1).start("echo").is_kept());
    assert_eq!(names(&crashes.laws), [Law::IntensityExceeded.name()]);
}

#[test]
fn a_supervisor_that_gives_up_or_waits_keeps_its_intensity() {
    let mut slow = Crashes::of(None);
    for _ in 0..50 {
        slow.crash("echo").wait(7).start("echo");
    }
    assert!(slow.is_kept());
    let mut over = Crashes::of(None);
    for _ in 0..6 {
        over.crash("echo");
    }
    over.escalate("echo").wait(1);
    over.laws.started(0, None);
    assert!(over.crash("echo").wait(1).start("echo").is_kept());
}

#[test]
fn a_crash_that_a_message_is_to_blame_for_is_not_charged() {
    let mut crashes = Crashes::of(None);
    let event = Event::ActorCrashed { incarnation: Incarnation(1), reason: "told".into(), on_message: true };
    for _ in 0..50 {
        crashes.event("echo", &event).wait(1).start("echo");
    }
    assert!(crashes.is_kept());
}

#[test]
fn groups_are_charged_for_their_own_and_their_escalations_to_who_is_above() {
    let group = || NodeSpec::group(actor("media"), tree(Strategy::OneForAll, 1, vec![child("jitter"), child("codec")]));
    let both = || Crashes::of(Some(tree(Strategy::OneForOne, 1, vec![child("echo"), group()])));
    // One crash of each is allowed, and what crashes while its group restarts is not charged.
    let mut apart = both();
    apart.crash("echo").crash("jitter").crash("codec").wait(1).start("jitter").start("codec").start("echo");
    assert!(apart.is_kept(), "{:?}", apart.laws.breaches);
    assert!(!apart.crash("codec").wait(1).start("codec").is_kept());
    // The second time that the group gives up, so must the root.
    let mut nested = both();
    for _ in 0..2 {
        assert!(nested.is_kept());
        nested.crash("jitter").wait(1).start("jitter").crash("jitter").escalate("jitter").wait(1);
        nested.start("jitter").start("codec");
    }
    assert!(!nested.is_kept());
}

fn crash_at(laws: &mut Laws, at: u64, node: u32) {
    let event = Event::ActorCrashed { incarnation: Incarnation(1), reason: "told".into(), on_message: false };
    laws.event(&Sighting { at, node, actor: Some(&actor("echo")), event: &event }, &units());
}

fn fault(end: Option<u64>, kind: Kind) -> Fault {
    Fault { at: 100, end, entry: 0, kind }
}

fn filter(event: &str) -> Filter {
    Filter { event: event.to_owned(), nodes: None, actor: None, about: None, words: String::new() }
}

#[test]
fn an_error_must_be_expected_or_explained_by_a_fault() {
    let check = |expected: &[&str], faults: &[Fault], node, at, kept: bool| {
        let mut laws = laws();
        laws.expect_errors(expected.iter().map(|event| filter(event)).collect(), faults);
        crash_at(&mut laws, at, node);
        assert_eq!(broken(&laws).is_empty(), kept, "{expected:?} {faults:?} {node} {at}");
    };
    check(&[], &[], 0, 5, false);
    check(&["actor_crashed"], &[], 0, 5, true);
    check(&["escalated"], &[], 0, 5, false);
    let panic = [fault(None, Kind::Actor { what: ChaosKind::Panic, actors: vec![(1, 0)] })];
    check(&[], &panic, 1, 100, true);
    check(&[], &panic, 1, 100 + 60 * SECOND, true);
    check(&[], &panic, 1, 101 + 60 * SECOND, false);
    check(&[], &panic, 1, 99, false);
    check(&[], &panic, 0, 100, false);
    let cut = [fault(Some(200), Kind::World(crate::world::Harm::Cut(vec![1])))];
    check(&[], &cut, 1, 150, false);
}

#[test]
fn without_a_scenario_nobody_says_which_errors_are_expected() {
    let mut laws = laws();
    crash_at(&mut laws, 5, 0);
    assert!(broken(&laws).is_empty());
}

#[test]
fn harm_that_a_command_did_explains_what_follows_from_it() {
    let mut laws = laws();
    laws.expect_errors(Vec::new(), &[]);
    let event = Event::ChaosInjected { what: ChaosKind::Panic };
    laws.event(&Sighting { at: 5, node: 0, actor: Some(&actor("echo")), event: &event }, &units());
    crash_at(&mut laws, 6, 0);
    assert!(broken(&laws).is_empty());
    crash_at(&mut laws, 6, 1);
    assert_eq!(broken(&laws), [(Law::UnexpectedError.name().to_owned(), "actor_crashed".to_owned())]);
}

#[test]
fn every_event_that_can_be_an_error_is_named() {
    use crate::checker::errors::{ERRORS, is_error};
    use nunect_core::Health;
    let errors = [
        Event::ActorHung { on: String::new(), running: Duration::ZERO },
        Event::BusRefused { reason: String::new() },
        Event::DuplicateUnit { session: SessionId::from_random(1), leaving: true },
        Event::Escalated { crashes: 1, period: Duration::ZERO, reason: String::new() },
        Event::NodeHealth { health: Health::Critical, causes: Vec::new() },
        Event::UnitHealth { unit: unit("n0"), from: Health::Ok, to: Health::Critical, reason: "".into() },
    ];
    assert!(errors.iter().all(|event| is_error(event) && ERRORS.contains(&event.name())));
    assert!(!is_error(&Event::BusDisconnected) && !is_error(&Event::NodeStopping));
}
