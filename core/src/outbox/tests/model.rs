//! The outbox against plain lists, over any mix of messages, outages and clock changes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ClockStamp;
use crate::arbitrary;

/// Subjects numbered in a run of the model: fewer than there are, so that some are refused.
const MODEL_SUBJECTS_MAX: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Family {
    Heartbeat,
    Metric,
    Log,
    Voice,
    Data,
}

#[derive(Clone, Debug)]
enum Step {
    Publish(Family, u8),
    Logs {
        count: usize,
    },
    Request(Family, u8),
    Respond,
    Relay,
    Connected,
    Disconnected,
    /// For so many seconds.
    Clock(ClockStamp, u64),
    Pass {
        millis: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let family =
        proptest::sample::select(&[Family::Heartbeat, Family::Metric, Family::Log, Family::Voice, Family::Data]);
    prop_oneof![
        8 => (family.clone(), 0..3u8).prop_map(|(family, number)| Step::Publish(family, number)),
        1 => (0..700usize).prop_map(|count| Step::Logs { count }),
        2 => (family, 0..3u8).prop_map(|(family, number)| Step::Request(family, number)),
        1 => Just(Step::Respond),
        1 => Just(Step::Relay),
        3 => Just(Step::Connected),
        2 => Just(Step::Disconnected),
        1 => (arbitrary::clock(), 0..20u64).prop_map(|(clock, seconds)| Step::Clock(clock, seconds)),
        2 => (0..10_000u64).prop_map(|millis| Step::Pass { millis }),
    ]
}

impl Family {
    fn subject(self, number: u8) -> Subject {
        subject_of(&match self {
            Self::Heartbeat => format!("ops.heartbeat.unit{number}"),
            Self::Metric => format!("ops.metric.rtt.unit{number}"),
            Self::Log => format!("ops.log.INFO.unit{number}"),
            Self::Voice => format!("com.t.tetra.unit{number}.g.voice"),
            Self::Data => format!("com.t.tetra.unit{number}.g.data"),
        })
    }
}

/// What one message is to look like on the wire.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    id: u64,
    subject: Subject,
    sequence: Option<u64>,
}

/// What an outbox is to do, by the simplest means.
#[derive(Debug, Default)]
struct Reference {
    connected: bool,
    sequences: BTreeMap<Subject, u64>,
    queued: Vec<(u64, Subject)>,
    latest: Vec<(u64, Subject)>,
    told: Vec<Subject>,
    handed_in: u64,
    counters: Counters,
}

impl Reference {
    fn number(&mut self, id: u64, subject: Subject) -> Option<Sent> {
        if !self.sequences.contains_key(&subject) && self.sequences.len() == MODEL_SUBJECTS_MAX {
            self.counters.refused += 1;
            return None;
        }
        let sequence = self.sequences.entry(subject.clone()).or_default();
        *sequence += 1;
        self.counters.sent += 1;
        Some(Sent { id, subject, sequence: Some(*sequence) })
    }

    fn keep(&mut self, family: Family, id: u64, subject: Subject) {
        match family {
            Family::Log => {
                self.counters.kept += 1;
                self.queued.push((id, subject));
                if self.queued.len() > LOGS_KEPT_MAX {
                    self.queued.remove(0);
                    self.counters.dropped += 1;
                }
            }
            Family::Heartbeat | Family::Metric | Family::Data => {
                match self.latest.iter().position(|(_, kept)| *kept == subject) {
                    Some(index) => {
                        self.latest[index].0 = id;
                        self.counters.kept += 1;
                        self.counters.dropped += 1;
                    }
                    None if self.latest.len() < MODEL_SUBJECTS_MAX => {
                        self.latest.push((id, subject));
                        self.counters.kept += 1;
                    }
                    None => self.counters.dropped += 1,
                }
            }
            Family::Voice => self.counters.dropped += 1,
        }
    }

    fn connected(&mut self) -> Vec<Sent> {
        self.connected = true;
        let mut kept = std::mem::take(&mut self.queued);
        kept.append(&mut self.latest);
        kept.into_iter().filter_map(|(id, subject)| self.number(id, subject)).collect()
    }
}

/// Outbox and reference side by side.
struct Run {
    outbox: Outbox,
    requests: Requests,
    reference: Reference,
    clock: ClockStamp,
    /// Until when it holds.
    clock_until: Mono,
    now: Now,
    next: u64,
}

impl Run {
    fn new() -> Self {
        let mut outbox = outbox();
        outbox.subjects_max = MODEL_SUBJECTS_MAX;
        let (reference, clock) = (Reference::default(), ClockStamp::default());
        Self { outbox, requests: requests(), reference, clock, clock_until: Mono::ZERO, now: at_millis(0), next: 0 }
    }

    /// A message that nobody made before, with its number and late values.
    fn message(&mut self, subject: Subject, typed: bool) -> (u64, Message) {
        self.next += 1;
        self.reference.handed_in += 1;
        let mut message = Message::new(subject)
            .with(&header::UPTIME, Value::Unsigned(self.next))
            .with(&header::SEQUENCE, Value::Unsigned(77))
            .with(&header::SERVER_TX_TIMESTAMP, Value::AtHandOver(Late::WallSince(self.now)))
            .with(&header::SERVER_CLOCK_SOURCE, Value::AtHandOver(Late::ClockSource));
        if typed {
            message.body = Heartbeat::new(unit_named("alpha")).build().body;
        }
        (self.next, message)
    }

    /// What is handed to the bus now is what was expected, completed.
    fn check_sent(&self, message: &Message, expected: &Sent) -> Result<(), TestCaseError> {
        let headers = &message.headers;
        let id = header::UPTIME.read(headers)?.expect("the model's number");
        prop_assert_eq!(&Sent { id, subject: message.subject.clone(), sequence: sequence(message) }, expected);
        let stamp = headers.stamp().expect("it is stamped");
        let clock = if self.now.mono < self.clock_until { self.clock } else { ClockStamp::default() };
        prop_assert_eq!((stamp.tx, stamp.clock), (self.now.wall, clock));
        prop_assert_eq!(header::SERVER_TX_TIMESTAMP.read(headers)?, Some(self.now.wall));
        prop_assert_eq!(header::SERVER_CLOCK_SOURCE.read(headers)?, Some(clock.source));
        if message.subject.as_str().starts_with("ops.heartbeat") {
            let (sequence, ts) = (expected.sequence.unwrap_or(0), self.now.wall.unix_millis());
            let json = format!(r#"{{"status":"OK","sequence":{sequence},"ts":{ts}}}"#);
            prop_assert_eq!(message.payload(), json);
        }
        Ok(())
    }

    fn publish(&mut self, family: Family, number: u8) -> Result<(), TestCaseError> {
        let subject = family.subject(number);
        let (id, message) = self.message(subject.clone(), matches!(family, Family::Heartbeat));
        let handed = self.outbox.publish(self.now, message);
        if !self.reference.connected {
            prop_assert!(matches!(handed, HandOver::Kept));
            self.reference.keep(family, id, subject);
            return Ok(());
        }
        match (handed, self.reference.number(id, subject.clone())) {
            (HandOver::Send(message), Some(expected)) => self.check_sent(&message, &expected)?,
            (HandOver::Refused(refusal), None) => self.check_refused(&refusal, &subject)?,
            (handed, expected) => prop_assert!(false, "{handed:?} in place of {expected:?}"),
        }
        Ok(())
    }

    fn check_refused(&mut self, refusal: &Refusal, subject: &Subject) -> Result<(), TestCaseError> {
        prop_assert_eq!(&refusal.subject, subject);
        let told = &mut self.reference.told;
        prop_assert_eq!(refusal.tell, !told.contains(subject) && told.len() < MODEL_SUBJECTS_MAX);
        if refusal.tell {
            told.push(subject.clone());
        }
        Ok(())
    }

    fn request(&mut self, family: Family, number: u8) -> Result<(), TestCaseError> {
        let under_way = self.requests.len();
        let subject = family.subject(number);
        let (id, message) = self.message(subject.clone(), matches!(family, Family::Heartbeat));
        let handed = self.outbox.request(self.now, &mut self.requests, Slot(0), ID, message, SECOND);
        let expected = if self.reference.connected {
            self.reference.number(id, subject.clone()).ok_or(RequestError::Refused)
        } else {
            self.reference.counters.dropped += 1;
            Err(RequestError::BusAway)
        };
        match (handed, expected) {
            (Ok(message), Ok(expected)) => {
                self.check_sent(&message, &expected)?;
                prop_assert!(self.requests.close(message.reply.as_ref().expect("an inbox")).is_some());
            }
            (Err(failed), Err(expected)) => {
                prop_assert_eq!(failed.error, expected);
                if let Some(refusal) = failed.refusal {
                    self.check_refused(&refusal, &subject)?;
                }
            }
            (handed, expected) => prop_assert!(false, "{handed:?} in place of {expected:?}"),
        }
        prop_assert_eq!(self.requests.len(), under_way, "only what was sent is waited for");
        Ok(())
    }

    fn unnumbered(&mut self, relay: bool) -> Result<(), TestCaseError> {
        let subject = subject_of("_INBOX.bravo.1.1");
        let (id, message) = self.message(subject.clone(), false);
        let before = message.headers.encode();
        let handed = if relay { self.outbox.relay(message) } else { self.outbox.respond(self.now, message) };
        if !self.reference.connected {
            self.reference.counters.dropped += 1;
            prop_assert!(matches!(handed, HandOver::Kept));
            return Ok(());
        }
        self.reference.counters.sent += 1;
        let message = sent(handed);
        if relay {
            prop_assert_eq!(message.headers.encode(), before);
            return Ok(());
        }
        self.check_sent(&message, &Sent { id, subject, sequence: None })
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Publish(family, number) => self.publish(family, number)?,
            Step::Logs { count } => {
                for _ in 0..count {
                    self.publish(Family::Log, 0)?;
                }
            }
            Step::Request(family, number) => self.request(family, number)?,
            Step::Respond => self.unnumbered(false)?,
            Step::Relay => self.unnumbered(true)?,
            Step::Connected => {
                let (kept, expected) = (self.outbox.connected(self.now), self.reference.connected());
                prop_assert_eq!(kept.len(), expected.len());
                for (message, expected) in kept.iter().zip(&expected) {
                    self.check_sent(message, expected)?;
                }
            }
            Step::Disconnected => {
                self.outbox.disconnected();
                self.reference.connected = false;
            }
            Step::Clock(clock, seconds) => {
                let until = self.now.mono + Duration::from_secs(seconds);
                self.outbox.set_clock(ClockClaim { stamp: clock, until });
                (self.clock, self.clock_until) = (clock, until);
            }
            Step::Pass { millis } => {
                let passed = Duration::from_millis(millis);
                self.now = Now { mono: self.now.mono + passed, wall: self.now.wall + passed };
            }
        }
        let Reference { counters, queued, latest, handed_in, .. } = &self.reference;
        prop_assert_eq!(self.outbox.counters(), *counters);
        prop_assert_eq!(self.outbox.is_connected(), self.reference.connected);
        let waiting = (queued.len() + latest.len()) as u64;
        prop_assert_eq!(*handed_in, counters.sent + counters.dropped + counters.refused + waiting);
        prop_assert!(self.outbox.sequences.len() <= MODEL_SUBJECTS_MAX);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_outbox_numbers_keeps_drops_and_refuses_as_plain_lists_would(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut run = Run::new();
        for step in steps {
            run.step(step)?;
        }
    }
}
