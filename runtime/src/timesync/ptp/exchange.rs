//! Questions that are sent together, and the answers to them.

use std::path::{Path, PathBuf};
use std::process;

use nunect_core::clock::{ClockIdentity, Obstacle, ReaderCounters, Unread};
use tokio::time::Instant;

use super::super::datagrams::Datagrams;
use super::wire::{
    Answer, CurrentDataSet, DATAGRAM_MAX_BYTES, DataSet, NetworkAddress, ParentDataSet, PortDataSet, PortIdentity,
    Question, Refusal, Response, TimeProperties, TimeStatus, Timestamping, WireError,
};

/// The most ports of one clock that are told apart; more are strays. As many as the largest switches have.
const PORTS_MAX: usize = 128;

/// The file name of our socket, up to its number.
pub(super) const NAME: &str = "nunect-ptp";

/// A conversation with the ptp4l at one path.
pub(super) struct Conversation {
    datagrams: Datagrams,
    path: PathBuf,
}

impl Conversation {
    pub(super) fn open(path: &Path) -> Result<Self, Unread> {
        Datagrams::unix(path, NAME).map(|datagrams| Self { datagrams, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }
}

/// Something that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    data_set: DataSet,
    target: PortIdentity,
    hops: u8,
}

impl Wanted {
    /// Asked of ptp4l itself, all of its ports.
    pub(super) const fn here(data_set: DataSet) -> Self {
        Self::of(data_set, PortIdentity::ALL, 0)
    }

    /// Asked of one port, this many boundary clocks away.
    pub(super) const fn of(data_set: DataSet, target: PortIdentity, hops: u8) -> Self {
        Self { data_set, target, hops }
    }
}

/// A question without an answer as yet.
struct Open {
    sequence: u16,
    wanted: Wanted,
    done: bool,
}

/// What was heard in answer to some questions.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) ports: Vec<PortDataSet>,
    pub(super) time_status: Option<TimeStatus>,
    pub(super) current: Option<CurrentDataSet>,
    pub(super) parent: Option<ParentDataSet>,
    pub(super) time_properties: Option<TimeProperties>,
    pub(super) port_properties: Option<(Timestamping, Box<str>)>,
    /// From a clock's description.
    pub(super) address: Option<std::net::IpAddr>,
    /// The first that was not answered.
    unanswered: Option<DataSet>,
    /// The first that was refused.
    refused: Option<(DataSet, Refusal)>,
    /// The first that could not be read, and what it was to be, if that much is known.
    malformed: Option<(Option<DataSet>, WireError)>,
    /// Whether an answer came, or what might be one.
    something: bool,
}

impl Heard {
    /// Whether nothing came that was for us.
    pub(super) const fn is_silence(&self) -> bool {
        !self.something
    }

    /// Why something is missing that was asked of the ptp4l at `path`.
    pub(super) fn missing(&self, path: &Path) -> Unread {
        let path = path.display();
        if let Some((set, error)) = &self.malformed {
            let what = set.map_or("answer", DataSet::as_str);
            return Unread::new(Obstacle::Malformed, format!("ptp4l at {path}: its {what} cannot be read: {error}"));
        }
        if let Some((set, refusal)) = &self.refused {
            return Unread::new(Obstacle::Refused, format!("ptp4l at {path} refuses {set}: {refusal}"));
        }
        let what = self.unanswered.map_or("what it is asked", DataSet::as_str);
        Unread::new(Obstacle::Silent, format!("ptp4l at {path} does not answer {what} in time"))
    }

    /// Takes an answer; false when it says again what was said.
    fn take(&mut self, answer: Answer<'_>) -> bool {
        match answer {
            Answer::Port(port) => {
                if self.ports.len() >= PORTS_MAX || self.ports.iter().any(|known| known.port == port.port) {
                    return false;
                }
                self.ports.push(port);
            }
            Answer::TimeStatus(status) => self.time_status = Some(status),
            Answer::Current(current) => self.current = Some(current),
            Answer::Parent(parent) => self.parent = Some(parent),
            Answer::TimeProperties(properties) => self.time_properties = Some(properties),
            Answer::PortProperties(port) => self.port_properties = Some((port.timestamping, port.interface.into())),
            Answer::ClockDescription(description) => {
                self.address = match description.address {
                    NetworkAddress::Ip(address) => Some(address),
                    NetworkAddress::Ethernet(_) | NetworkAddress::Other(_) => None,
                };
            }
        }
        true
    }
}

/// Asks, in one domain.
pub(super) struct Asker {
    domain: u8,
    transport_specific: u8,
    /// Ours. Answers of other hosts' clocks are sent to all of a network: this tells those to us from others.
    identity: PortIdentity,
    sequence: u16,
    counters: ReaderCounters,
    /// One byte more than any message has, so that a longer one is noticed.
    buffer: Box<[u8; DATAGRAM_MAX_BYTES + 1]>,
}

impl Asker {
    pub(super) fn new(domain: u8, transport_specific: u8) -> Self {
        // Without entropy the number of the process must do, as it does for pmc.
        let clock = ClockIdentity(getrandom::u64().unwrap_or_default().to_be_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "the lower half, as pmc has it")]
        let port = process::id() as u16;
        Self {
            domain,
            transport_specific,
            identity: PortIdentity { clock, port },
            sequence: 0,
            counters: ReaderCounters::default(),
            buffer: Box::new([0; DATAGRAM_MAX_BYTES + 1]),
        }
    }

    pub(super) const fn domain(&self) -> u8 {
        self.domain
    }

    pub(super) const fn transport_specific(&self) -> u8 {
        self.transport_specific
    }

    pub(super) const fn counters(&self) -> ReaderCounters {
        self.counters
    }

    /// Sends all questions, and notes in `heard` what is answered until `deadline`.
    ///
    /// # Errors
    /// When the daemon went away. That an answer is missing is no error here.
    pub(super) async fn ask(
        &mut self,
        conversation: &Conversation,
        wanted: &[Wanted],
        deadline: Instant,
        heard: &mut Heard,
    ) -> Result<(), Unread> {
        let mut open = Vec::with_capacity(wanted.len());
        for &wanted in wanted {
            self.sequence = self.sequence.wrapping_add(1);
            open.push(Open { sequence: self.sequence, wanted, done: false });
            self.counters.asked += 1;
        }
        let asked = self.exchange(conversation, &mut open, deadline, heard).await;
        for question in open.iter().filter(|question| !question.done) {
            self.counters.timeouts += u64::from(asked.is_ok());
            heard.unanswered.get_or_insert(question.wanted.data_set);
        }
        asked
    }

    async fn exchange(
        &mut self,
        conversation: &Conversation,
        open: &mut [Open],
        deadline: Instant,
        heard: &mut Heard,
    ) -> Result<(), Unread> {
        let or_silence = |unread: Unread| if unread.cause == Obstacle::Silent { Ok(()) } else { Err(unread) };
        for question in open.iter() {
            let datagram = self.question(question).encode();
            if let Err(unread) = conversation.datagrams.send(&datagram, deadline).await {
                return or_silence(unread);
            }
        }
        // A daemon that never stops to talk is not listened to for longer than a silent one.
        while open.iter().any(|question| !question.done) && Instant::now() < deadline {
            match conversation.datagrams.receive(self.buffer.as_mut_slice(), deadline).await {
                Ok(length) => self.hear(length, open, heard),
                Err(unread) => return or_silence(unread),
            }
        }
        Ok(())
    }

    fn question(&self, open: &Open) -> Question {
        Question {
            domain: self.domain,
            transport_specific: self.transport_specific,
            source: self.identity,
            target: open.wanted.target,
            hops: open.wanted.hops,
            sequence: open.sequence,
            data_set: open.wanted.data_set,
        }
    }

    /// Hears the datagram that fills the buffer up to `length`.
    fn hear(&mut self, length: usize, open: &mut [Open], heard: &mut Heard) {
        let response = match Response::decode(&self.buffer[..length]) {
            Ok(response) => response,
            Err(WireError::OtherMessage { .. } | WireError::OtherAction(_)) => {
                self.counters.strays += 1;
                return;
            }
            Err(
                error @ (WireError::TooLong(_)
                | WireError::Ends(_)
                | WireError::Length { .. }
                | WireError::OtherTlv(_)
                | WireError::OtherDataSet(_)
                | WireError::Value { .. }
                | WireError::Text(_)),
            ) => {
                self.counters.malformed += 1;
                heard.something = true;
                heard.malformed.get_or_insert((None, error));
                return;
            }
        };
        let header = response.header;
        let ours = (header.domain, header.transport_specific, header.target)
            == (self.domain, self.transport_specific, self.identity);
        let question = open.iter_mut().find(|question| {
            let target = question.wanted.target;
            let source = target == PortIdentity::ALL || target.clock == header.source.clock;
            ours && source && question.sequence == header.sequence && question.wanted.data_set.id() == response.id()
        });
        let Some(question) = question else {
            self.counters.strays += 1;
            return;
        };
        let set = question.wanted.data_set;
        // Each port answers for itself; all else has one answer.
        if question.done && set != DataSet::Port {
            self.counters.strays += 1;
            return;
        }
        question.done = true;
        heard.something = true;
        match response.answer() {
            Ok(Ok(answer)) => self.counters.strays += u64::from(!heard.take(answer)),
            Ok(Err(refusal)) => {
                heard.refused.get_or_insert((set, refusal));
            }
            Err(error) => {
                self.counters.malformed += 1;
                heard.malformed.get_or_insert((Some(set), error));
            }
        }
    }
}
