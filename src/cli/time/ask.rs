//! Asking many units for the time, at once.

use std::collections::BTreeMap;
use std::fmt;

use nunect_core::protocol::ProtocolError;
use nunect_core::protocol::time::{Told, sync_subject, told};
use nunect_core::{ClockStamp, Message, Now, UnitId};
use nunect_runtime::bus::Inbound;
use tokio::time::{Instant, timeout_at};

use super::super::client::{Client, Failure, Stream};
use super::super::output::plain;

/// Questions that are on their way at once: a mesh of thousands is asked, and no answer waits long enough for
/// its reading to lengthen what is measured.
const UNDER_WAY_MAX: usize = 64;
/// The numbers of these questions are far from those that the client gives to others.
const NUMBERS_FROM: u64 = 1 << 32;

/// What came from each unit.
pub(super) type Answers = BTreeMap<UnitId, Result<Told, Silence>>;

/// Why a unit tells nothing of its clock.
#[derive(Debug)]
pub(super) enum Silence {
    /// Nothing came.
    Failed(Failure),
    /// What came is something else.
    Malformed(ProtocolError),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(Failure::NoResponders) => {
                f.write_str("nobody listens: a node tells by its actor `time_guardian`")
            }
            Self::Failed(failure @ (Failure::Timeout(_) | Failure::Away | Failure::Refused(_))) => failure.fmt(f),
            Self::Malformed(error) => f.write_str(&plain(&error.to_string())),
        }
    }
}

impl From<Failure> for Silence {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Asks units for the time.
pub(super) struct Asker<'a> {
    client: &'a Client,
    answers: Stream,
    next: u64,
    /// The node of this machine, when it is what we are connected to: it has the same clock as we.
    node: Option<UnitId>,
    own: Option<ClockStamp>,
}

/// A question that is under way.
struct Asked {
    unit: UnitId,
    sent: Now,
    by: Instant,
}

impl<'a> Asker<'a> {
    /// One that asks through `client`, which is connected to `node` if it knows.
    ///
    /// # Errors
    /// When the bus does not let us listen for answers.
    pub(super) async fn open(client: &'a Client, node: Option<UnitId>) -> Result<Self, Failure> {
        let answers = client.answers().await?;
        Ok(Self { client, answers, next: NUMBERS_FROM, node, own: None })
    }

    pub(super) const fn client(&self) -> &'a Client {
        self.client
    }

    pub(super) const fn node(&self) -> Option<&UnitId> {
        self.node.as_ref()
    }

    /// What is known of this machine's clock: what its node said when it was asked last.
    pub(super) const fn own(&self) -> Option<ClockStamp> {
        self.own
    }

    /// Asks each of `units`. Who does not answer in time is among the answers, too.
    pub(super) async fn ask(&mut self, units: &[UnitId]) -> Answers {
        let also = self.node.clone().filter(|node| !units.contains(node));
        let mut answers = self.exchange(units.iter().chain(&also)).await;
        self.own = self.node.as_ref().and_then(|node| answers.get(node)?.as_ref().ok()).map(|told| told.clock);
        if let Some(also) = also {
            answers.remove(&also);
        }
        answers
    }

    /// Asks one unit, and nobody else.
    pub(super) async fn ask_one(&mut self, unit: &UnitId) -> Result<Told, Silence> {
        let answer = self.exchange([unit]).await.remove(unit);
        answer.unwrap_or(Err(Silence::Failed(Failure::Away)))
    }

    async fn exchange<'u>(&mut self, units: impl IntoIterator<Item = &'u UnitId>) -> Answers {
        let mut answers = Answers::new();
        let mut units = units.into_iter();
        // By number, and so by deadline, too.
        let mut under_way: BTreeMap<u64, Asked> = BTreeMap::new();
        loop {
            while under_way.len() < UNDER_WAY_MAX
                && let Some(unit) = units.next()
            {
                let number = self.next;
                self.next += 1;
                let by = Instant::now() + self.client.timeout();
                match self.client.send(number, Message::new(sync_subject(unit))) {
                    Ok(sent) => drop(under_way.insert(number, Asked { unit: unit.clone(), sent, by })),
                    Err(failure) => drop(answers.insert(unit.clone(), Err(failure.into()))),
                }
            }
            let Some(earliest) = under_way.first_entry() else { return answers };
            let inbound = match timeout_at(earliest.get().by, self.answers.next()).await {
                Ok(Some(inbound)) => inbound,
                Ok(None) => {
                    let lost = under_way.into_values().map(|asked| (asked.unit, Err(Failure::Away.into())));
                    answers.extend(lost);
                    answers.extend(units.map(|unit| (unit.clone(), Err(Failure::Away.into()))));
                    return answers;
                }
                Err(_) => {
                    let unit = earliest.remove().unit;
                    let failure = self.client.unanswered(&sync_subject(&unit));
                    answers.insert(unit, Err(failure.into()));
                    continue;
                }
            };
            let (subject, message) = match inbound {
                Inbound::Message(answer) => (answer.subject.clone(), Some(answer)),
                Inbound::NoResponders(subject) => (subject, None),
            };
            // What comes to an earlier question is too late.
            let Some(asked) = self.client.number(&subject).and_then(|number| under_way.remove(&number)) else {
                continue;
            };
            let answer = match message {
                Some(answer) => told(asked.sent, &answer).map_err(Silence::Malformed),
                None => Err(Silence::Failed(Failure::NoResponders)),
            };
            answers.insert(asked.unit, answer);
        }
    }
}
