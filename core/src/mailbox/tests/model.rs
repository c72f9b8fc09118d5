//! The mailbox against a plain list, under a host and an actor that sleeps whenever it is given
//! nothing and wakes only when it is told.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Push { bytes: usize },
    Attach,
    Detach,
    Take,
    Settle,
    Crash,
    GiveBack { detach_first: bool },
    Pass { millis: u64 },
    Resume,
}

/// Steps as they come, and the sequences without which a mailbox would hardly ever pause.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let push = || (0..3_000usize).prop_map(|bytes| Step::Push { bytes });
    let pass = prop_oneof![3 => 0..3_000u64, 1 => 3_000..70_000u64].prop_map(|millis| Step::Pass { millis });
    let one = prop_oneof![
        6 => push(),
        3 => Just(Step::Attach),
        1 => Just(Step::Detach),
        5 => Just(Step::Take),
        3 => Just(Step::Settle),
        2 => Just(Step::Crash),
        1 => any::<bool>().prop_map(|detach_first| Step::GiveBack { detach_first }),
        2 => pass.clone(),
        2 => Just(Step::Resume),
    ];
    let crash = push().prop_map(|push| vec![Step::Attach, push, Step::Take, Step::Crash]);
    let some = prop_oneof![
        3 => one.prop_map(|step| vec![step]),
        2 => crash,
        1 => pass.prop_map(|pass| vec![pass, Step::Resume]),
    ];
    proptest::collection::vec(some, 0..80).prop_map(|steps| steps.concat())
}

fn limits() -> impl Strategy<Value = MailboxLimits> {
    let overflow = proptest::sample::select(&[Overflow::DropOldest, Overflow::DropNewest]);
    (0..6usize, 0..8_000usize, overflow).prop_map(|(capacity, capacity_bytes, overflow)| MailboxLimits {
        capacity,
        capacity_bytes,
        overflow,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    Dead,
    Awake,
    Asleep,
}

#[derive(Clone, Copy, Debug)]
struct Letter {
    number: u64,
    weight: usize,
    crashes: u32,
    returned: bool,
}

/// What a mailbox is to do, by the simplest means.
#[derive(Debug)]
struct Reference {
    limits: MailboxLimits,
    waiting: Vec<Letter>,
    in_hand: Option<Letter>,
    counters: Counters,
    crashes: Vec<Mono>,
    /// The last crash, or the end of the pause that it caused.
    calm_since: Mono,
    pauses: u32,
    paused_until: Option<Mono>,
}

impl Reference {
    /// Puts it in, or says who is lost: the number, and whether it is the newcomer.
    fn push(&mut self, letter: Letter) -> Option<(u64, bool)> {
        self.counters.received += 1;
        let bytes: usize = self.waiting.iter().map(|letter| letter.weight).sum();
        let fits = |bytes: usize| bytes + letter.weight <= self.limits.capacity_bytes;
        if self.waiting.len() < self.limits.capacity && fits(bytes) {
            self.waiting.push(letter);
            return None;
        }
        self.counters.dropped += 1;
        match self.waiting.first() {
            Some(oldest) if self.limits.overflow == Overflow::DropOldest && fits(bytes - oldest.weight) => {
                let oldest = self.waiting.remove(0);
                self.waiting.push(letter);
                Some((oldest.number, false))
            }
            Some(_) | None => Some((letter.number, true)),
        }
    }

    /// Whether the message is set aside, and how long the pause is.
    fn crash(&mut self, now: Mono) -> (bool, Option<Duration>) {
        let mut letter = self.in_hand.take().expect("it crashes on something");
        letter.crashes += 1;
        let poison = letter.crashes == 2;
        if poison {
            self.counters.poisoned += 1;
        } else {
            self.waiting.insert(0, Letter { returned: true, ..letter });
        }
        if now.since(self.calm_since) >= POISON_WINDOW {
            self.pauses = 0;
        }
        self.crashes.push(now);
        let pause = (self.recent(now) > 10).then(|| Duration::from_secs(60.min(1 << self.pauses)));
        self.calm_since = now;
        if let Some(pause) = pause {
            self.pauses += 1;
            self.calm_since = now + pause;
            self.paused_until = Some(now + pause);
        }
        (poison, pause)
    }

    fn recent(&self, now: Mono) -> usize {
        self.crashes.iter().filter(|&&crash| now.since(crash) < Duration::from_secs(60)).count()
    }
}

/// Mailbox and reference side by side, with the host and the actor between them.
struct Run {
    mailbox: Mailbox,
    reference: Reference,
    actor: Actor,
    delivery: Option<Delivery>,
    lost_before: bool,
    next: u64,
    now: Mono,
}

impl Run {
    fn new(limits: MailboxLimits) -> Self {
        let reference = Reference {
            limits,
            waiting: Vec::new(),
            in_hand: None,
            counters: Counters::default(),
            crashes: Vec::new(),
            calm_since: Mono::ZERO,
            pauses: 0,
            paused_until: None,
        };
        Self {
            mailbox: Mailbox::new(limits),
            reference,
            actor: Actor::Dead,
            delivery: None,
            lost_before: false,
            next: 0,
            now: Mono::ZERO,
        }
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Push { bytes } => self.push(bytes)?,
            Step::Attach if self.actor == Actor::Dead => {
                self.actor = if self.mailbox.attach() { Actor::Awake } else { Actor::Asleep };
            }
            Step::Detach if self.delivery.is_none() => {
                self.mailbox.detach();
                self.actor = Actor::Dead;
            }
            Step::Take if self.delivery.is_none() => self.take()?,
            Step::Settle => {
                if let Some(delivery) = self.delivery.take() {
                    self.mailbox.settle(delivery);
                    self.reference.in_hand = None;
                    self.reference.counters.settled += 1;
                }
            }
            Step::Crash => self.crash()?,
            Step::GiveBack { detach_first } => {
                if let Some(delivery) = self.delivery.take() {
                    if detach_first {
                        self.mailbox.detach();
                    }
                    self.mailbox.give_back(delivery);
                    self.mailbox.detach();
                    let letter = self.reference.in_hand.take().expect("it is in hand");
                    self.reference.waiting.insert(0, Letter { returned: true, ..letter });
                    self.actor = Actor::Dead;
                }
            }
            Step::Pass { millis } => self.now = self.now + Duration::from_millis(millis),
            Step::Resume => {
                let over = self.reference.paused_until.take_if(|until| *until <= self.now).is_some();
                prop_assert_eq!(self.mailbox.resume(self.now), over);
                if over && self.actor == Actor::Asleep {
                    self.actor = Actor::Awake;
                }
            }
            Step::Attach | Step::Detach | Step::Take => {}
        }
        self.check()
    }

    fn push(&mut self, bytes: usize) -> Result<(), TestCaseError> {
        self.next += 1;
        let number = self.next;
        let message = message(&format!("{number:0bytes$}"));
        let letter = Letter { number, weight: message.weight(), crashes: 0, returned: false };
        // Whoever is alive, not held back, and has nothing to do may sleep, and must be told.
        let to_be_told =
            self.actor != Actor::Dead && self.reference.paused_until.is_none() && self.reference.waiting.is_empty();
        let expected = self.reference.push(letter);
        let (lost, first) = match self.mailbox.push(message) {
            Push::Accepted { ring } => {
                prop_assert_eq!(ring, to_be_told);
                if ring {
                    self.actor = Actor::Awake;
                }
                (None, None)
            }
            Push::DroppedOldest { dropped, first } => (Some((number_of(&dropped), false)), Some(first)),
            Push::Refused { refused, first } => (Some((number_of(&refused), true)), Some(first)),
        };
        prop_assert_eq!(lost, expected);
        prop_assert_eq!(first, lost.map(|_| !self.lost_before), "the first loss since there was room");
        self.lost_before = lost.is_some();
        Ok(())
    }

    fn take(&mut self) -> Result<(), TestCaseError> {
        let may = self.actor != Actor::Dead && self.reference.paused_until.is_none();
        let expected = (may && !self.reference.waiting.is_empty()).then(|| self.reference.waiting.remove(0));
        self.delivery = self.mailbox.take();
        let number = self.delivery.as_ref().map(|delivery| number_of(delivery.message()));
        prop_assert_eq!(number, expected.map(|letter| letter.number));
        self.reference.in_hand = expected;
        if self.actor == Actor::Awake && self.delivery.is_none() {
            self.actor = Actor::Asleep;
        }
        Ok(())
    }

    fn crash(&mut self) -> Result<(), TestCaseError> {
        let Some(delivery) = self.delivery.take() else { return Ok(()) };
        let number = number_of(delivery.message());
        let verdict = self.mailbox.crashed(self.now, delivery);
        let (poison, paused) = self.reference.crash(self.now);
        self.actor = Actor::Dead;
        prop_assert_eq!(verdict.quarantined.map(|message| number_of(&message)), poison.then_some(number));
        prop_assert_eq!(verdict.paused, paused);
        prop_assert_eq!(verdict.crashes as usize, self.reference.recent(self.now));
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let Self { mailbox, reference, actor, .. } = self;
        let Reference { waiting, limits, counters, .. } = reference;
        prop_assert!(*actor != Actor::Asleep || !mailbox.has_work(), "the actor sleeps while work waits");
        let may = *actor != Actor::Dead && reference.paused_until.is_none();
        prop_assert_eq!(mailbox.has_work(), may && !waiting.is_empty());
        prop_assert_eq!(mailbox.depth(), waiting.len());
        prop_assert_eq!(mailbox.deadline().map(|due| due.at), reference.paused_until);
        prop_assert_eq!(mailbox.counters(), *counters);
        let in_mailbox = (waiting.len() + usize::from(self.delivery.is_some())) as u64;
        prop_assert_eq!(counters.received, counters.settled + counters.dropped + counters.poisoned + in_mailbox);
        // The bounds hold for what arrives; what the actor had in hand comes back on top of them.
        prop_assert!(in_mailbox <= limits.capacity as u64 + 1);
        let bytes = waiting.iter().skip_while(|letter| letter.returned).map(|letter| letter.weight);
        prop_assert!(bytes.sum::<usize>() <= limits.capacity_bytes);
        prop_assert!(waiting.iter().filter(|letter| letter.returned).count() <= 1);
        Ok(())
    }
}

fn number_of(message: &Message) -> u64 {
    let payload = message.payload();
    std::str::from_utf8(&payload).expect("digits").parse().expect("a number")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_mailbox_does_what_a_plain_list_would_and_never_lets_its_actor_sleep_while_work_waits(
        limits in limits(),
        steps in steps(),
    ) {
        let mut run = Run::new(limits);
        for step in steps {
            run.step(step)?;
        }
    }
}
