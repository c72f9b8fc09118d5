//! A client of a bus: it asks, listens and speaks without being a node.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nunect_core::protocol::inbox;
use nunect_core::{BusAction, BusEvent, Message, Now, Pattern, RequestError, SessionId, Subject, Subscription, UnitId};
use nunect_runtime::bus::ask::{Inbox, ask, ask_many};
use nunect_runtime::bus::{BusError, Inbound, Subscribed};
use nunect_runtime::{Bus, Clock};
use tokio::sync::{mpsc, watch};

/// Messages that may wait to be printed; of more, the newest are lost and counted.
const WAITING_MAX: usize = 65_536;
/// How much later than the server's word for all that it took its word for what it did not take may
/// be read: they come in order, and are read by two tasks.
const REFUSAL_LATE: Duration = Duration::from_millis(20);
/// Patterns that may not be read, of which we are told: a client has no more subscriptions.
const UNREADABLE_MAX: usize = 1_024;

/// A connection to a node or to a server.
pub(super) struct Client {
    bus: Arc<dyn Bus>,
    clock: Clock,
    inbox: Inbox,
    /// Every answer to what [`send`](Self::send) asks.
    answers: Pattern,
    unit: UnitId,
    session: SessionId,
    timeout: Duration,
    heard: Arc<watch::Sender<Heard>>,
}

/// What the bus had to say.
#[derive(Clone, Debug, Default)]
struct Heard {
    connected: bool,
    /// Why it does not want us.
    refused: Option<String>,
    /// What we may not read.
    unreadable: Vec<String>,
}

/// Why something did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody listens on the subject.
    NoResponders,
    /// Nothing came in time.
    Timeout(Duration),
    /// The bus is away.
    Away,
    /// The bus does not let us, in its words.
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResponders => f.write_str("nobody listens"),
            Self::Timeout(time) => write!(f, "no answer within {time:?}"),
            Self::Away => f.write_str("the connection is lost"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
        }
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Timeout(time) => Self::Timeout(time),
            BusError::Closed => Self::Away,
            BusError::Refused(reason) => Self::Refused(reason),
            full @ BusError::Full(_) => Self::Refused(full.to_string()),
        }
    }
}

/// What arrives on patterns, until this is dropped.
pub(super) struct Stream {
    arrived: mpsc::Receiver<Inbound>,
    lost: Arc<AtomicU64>,
    _subscribed: Vec<Subscribed>,
}

impl Stream {
    /// What comes next; none when the connection is gone for good.
    pub(super) async fn next(&mut self) -> Option<Inbound> {
        self.arrived.recv().await
    }

    /// Messages that came faster than they were taken.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Client {
    /// A client that waits at most `timeout` for anything.
    pub(super) fn new(bus: Arc<dyn Bus>, clock: Clock, unit: UnitId, session: SessionId, timeout: Duration) -> Self {
        let heard = Arc::new(watch::Sender::new(Heard::default()));
        let told = Arc::clone(&heard);
        bus.watch(Box::new(move |event| told.send_modify(|heard| heard.take(event))));
        let (inbox, answers) = (Inbox::new(unit.clone(), session.clone()), inbox::pattern(&unit, &session));
        Self { bus, clock, inbox, answers, unit, session, timeout, heard }
    }

    /// How long anything may take.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What it is connected to, for people.
    pub(super) fn describe(&self) -> String {
        self.bus.describe()
    }

    /// Both clocks.
    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Waits until the bus is there.
    ///
    /// # Errors
    /// When it is not in time, or refuses the client.
    pub(super) async fn connected(&self) -> Result<(), Failure> {
        let mut heard = self.heard.subscribe();
        let answered = heard.wait_for(|heard| heard.connected || heard.refused.is_some());
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(Ok(heard)) if heard.connected => Ok(()),
            Ok(Ok(heard)) => Err(Failure::Refused(heard.refused.clone().unwrap_or_default())),
            Ok(Err(_)) | Err(_) => Err(Failure::Timeout(self.timeout)),
        }
    }

    /// Sends a message, and comes back when the bus has taken it.
    ///
    /// # Errors
    /// When it refuses it.
    pub(super) async fn publish(&self, message: Message) -> Result<(), Failure> {
        self.bus.publish(self.clock.now(), message)?;
        Ok(self.bus.flush(self.timeout).await?)
    }

    /// Sends a question whose answer arrives on [`answers`](Self::answers), and says when it went.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub(super) fn send(&self, number: u64, question: Message) -> Result<Now, Failure> {
        let sent = self.clock.now();
        let reply = Some(inbox::subject(&self.unit, &self.session, number));
        self.bus.publish(sent, Message { reply, ..question })?;
        Ok(sent)
    }

    /// Listens for the answers to what is sent.
    ///
    /// # Errors
    /// When the bus does not allow it.
    pub(super) async fn answers(&self) -> Result<Stream, Failure> {
        self.listen(std::slice::from_ref(&self.answers)).await
    }

    /// The number of the question that `subject` answers.
    pub(super) fn number(&self, subject: &Subject) -> Option<u64> {
        inbox::own_number(subject, &self.unit, &self.session)
    }

    /// The time to the server and back.
    pub(super) async fn round_trip(&self) -> Option<Duration> {
        self.bus.round_trip(self.timeout).await.ok()
    }

    /// Listens on all of `patterns`; when it is done, what others publish from then on is delivered.
    ///
    /// # Errors
    /// When the bus refuses one of them.
    pub(super) async fn listen(&self, patterns: &[Pattern]) -> Result<Stream, Failure> {
        let (sender, arrived) = mpsc::channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let mut subscribed = Vec::new();
        for pattern in patterns {
            let (sender, lost) = (sender.clone(), Arc::clone(&lost));
            let sink = move |inbound| {
                if sender.try_send(inbound).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            };
            subscribed.push(self.bus.subscribe(&Subscription::from(pattern.clone()), Arc::new(sink)).await?);
        }
        self.bus.flush(self.timeout).await?;
        if let Some(pattern) = self.unreadable(patterns).await {
            return Err(Failure::Refused(format!("the server does not permit to read `{pattern}`")));
        }
        Ok(Stream { arrived, lost, _subscribed: subscribed })
    }

    /// The first of `patterns` that the server said we may not read.
    async fn unreadable(&self, patterns: &[Pattern]) -> Option<Pattern> {
        let mut heard = self.heard.subscribe();
        let found = |heard: &Heard| {
            patterns.iter().find(|pattern| heard.unreadable.iter().any(|one| one == pattern.as_str())).cloned()
        };
        let refused = heard.wait_for(|heard| found(heard).is_some());
        let refused = tokio::time::timeout(REFUSAL_LATE, refused).await;
        refused.ok().and_then(Result::ok).and_then(|heard| found(&heard))
    }

    /// Asks and returns the answer.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn ask(&self, question: Message) -> Result<Message, Failure> {
        let subject = question.subject.clone();
        let answer = ask(&*self.bus, &self.inbox, &self.clock, question, self.timeout).await;
        answer.map_err(|error| self.failure(&subject, error))
    }

    /// Asks and returns the answers that come in time, at most as many as that.
    ///
    /// # Errors
    /// When nobody listens, or the bus refuses the question.
    pub(super) async fn ask_many(&self, question: Message, most: usize) -> Result<Vec<Message>, Failure> {
        let subject = question.subject.clone();
        let answers = ask_many(&*self.bus, &self.inbox, &self.clock, question, self.timeout, most).await;
        answers.map_err(|error| self.failure(&subject, error))
    }

    /// Why nothing came in time to what was [sent](Self::send) on `subject`.
    pub(super) fn unanswered(&self, subject: &Subject) -> Failure {
        let refused = self.bus.refusals(0).iter().any(|refused| refused.subject == subject.as_str());
        self.failure(subject, if refused { RequestError::Refused } else { RequestError::Timeout })
    }

    fn failure(&self, subject: &Subject, error: RequestError) -> Failure {
        match error {
            RequestError::Timeout => Failure::Timeout(self.timeout),
            RequestError::NoResponders => Failure::NoResponders,
            RequestError::BusAway => Failure::Away,
            RequestError::Refused => {
                let refusals = self.bus.refusals(0);
                let own = refusals.into_iter().rev().find(|refused| refused.subject == subject.as_str());
                Failure::Refused(own.map_or_else(|| "the bus does not take it".to_owned(), |refused| refused.reason))
            }
        }
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        self.bus.abandon();
    }
}

impl Heard {
    fn take(&mut self, event: BusEvent) {
        match event {
            BusEvent::Connected => (self.connected, self.refused) = (true, None),
            BusEvent::Disconnected => self.connected = false,
            BusEvent::Refused { reason } => self.refused = Some(reason),
            BusEvent::Denied { action: BusAction::Subscribe, subject } => {
                self.unreadable.push(subject);
                self.unreadable.truncate(UNREADABLE_MAX);
            }
            BusEvent::Denied { action: BusAction::Publish, .. }
            | BusEvent::Permitted { .. }
            | BusEvent::SlowConsumer => {}
        }
    }
}

/// A subject as it was given on the command line.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(super) fn subject(text: &str) -> Result<Subject, String> {
    Subject::parse(text.to_owned()).map_err(|error| format!("{error}; {}", remedy(&error)))
}

/// A pattern as it was given on the command line.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text.to_owned()).map_err(|error| format!("{error}; {}", remedy(&error)))
}

fn remedy(error: &nunect_core::subject::SubjectError) -> &'static str {
    use nunect_core::subject::SubjectProblem::{Blank, EmptyToken, NotUtf8, RestNotLast, TooLong, Wildcard};
    match error.problem {
        EmptyToken => "write a name between every two dots",
        Blank => "write it without blanks, or quote it for the shell",
        Wildcard => "name one subject in full; patterns are for `nunect sub`",
        RestNotLast => "write `*` for one token; `>` stands for all the rest",
        TooLong => "choose a shorter one",
        NotUtf8 => "write it in UTF-8",
    }
}
