//! The record of a run: what happened, in a canonical binary form, and its hash.
//!
//! A trace is the version byte followed by records, each with its length before it as four bytes,
//! little-endian. Two runs are the same exactly when their traces are, byte for byte; the hash is
//! XXH3 with 128 bits over all of it.

use std::borrow::Cow;
use std::fmt;

use nunect_core::codec::{self, CodecError};
use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::protocol::rtt::Delays;
use nunect_core::{Body, Event, Message, RequestError};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::draw::{key, mix};

/// The version of the format; changes whenever a record does.
pub const TRACE_VERSION: u8 = 3;

/// Bytes that are collected before they are hashed and handed on: few enough to stay in the cache.
const BLOCK_BYTES: usize = 8 << 10;

/// The longest record that [`records`] takes.
pub const RECORD_MAX_BYTES: usize = 1 << 20;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record<'a> {
    /// True time in nanoseconds since the run began.
    pub at: u64,
    /// The node that it happened to, as counted by [`What::Node`]; [`WORLD`] for what concerns all.
    pub node: u32,
    /// What it was.
    #[serde(borrow)]
    pub what: What<'a>,
}

/// The node of a record that concerns all nodes.
pub const WORLD: u32 = u32::MAX;

/// What may happen. An actor is its place in the node's configuration, a message its subject, its
/// `X-Sequence` (0 without one), the length of its payload, and the low half of the payload's hash. A
/// payload that never became bytes has the length [`TYPED`] and a hash of its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What<'a> {
    /// A run begins.
    Run {
        /// Its seed.
        seed: u64,
    },
    /// A node belongs to the run; the first is node 0. Comes again when it is to start with other actors.
    Node {
        /// Its unit ID.
        #[serde(borrow)]
        unit: Cow<'a, str>,
        /// What its actors are called, and then its groups of actors.
        actors: Vec<String>,
    },
    /// A node is down.
    Down {
        /// How that came.
        how: Down,
    },
    /// An actor takes a message.
    Message {
        /// Which actor.
        actor: u32,
        /// Where the message was sent to.
        #[serde(borrow)]
        subject: Cow<'a, str>,
        /// Its number.
        sequence: u64,
        /// Bytes of its payload.
        length: u32,
        /// Of its payload.
        hash: u64,
    },
    /// A message is lost on its way from or to this node, which is cut off or down.
    Lost {
        /// Where it was sent to.
        #[serde(borrow)]
        subject: Cow<'a, str>,
    },
    /// A deadline of an actor has come.
    Timeout {
        /// Which actor.
        actor: u32,
        /// What was due.
        #[serde(borrow)]
        why: Cow<'a, str>,
    },
    /// An actor learns the outcome of a request.
    Reply {
        /// Which actor.
        actor: u32,
        /// The number of the request within the life.
        number: u64,
        /// What went wrong, if anything did.
        error: Option<RequestError>,
        /// Bytes of the answer's payload.
        length: u32,
        /// Of the answer's payload.
        hash: u64,
    },
    /// Something observable.
    Event {
        /// The actor it happened to; none when it was the node. Groups of actors count on from the
        /// actors, in the order of their definition, depth first.
        actor: Option<u32>,
        /// What it was.
        event: Cow<'a, Event>,
    },
    /// A fault of the scenario begins or ends.
    Fault {
        /// Its place among all faults of the run, in the order of time.
        fault: u32,
        /// Whether it begins.
        begins: bool,
    },
    /// All faults have ended, and everything recovers that can.
    Healed,
    /// The clocks of a node take themselves for better or worse than before.
    Clock {
        /// What steers them, or did when holdover began.
        source: ClockSource,
        /// How well.
        quality: ClockQuality,
        /// By how much the wall clock is truly ahead, in nanoseconds.
        offset_ns: i64,
    },
    /// A connection of this node's server, or of its process where it has no server, came up or ended,
    /// as this end of it believes.
    Link {
        /// The node at the other end.
        peer: u32,
        /// What it was.
        change: LinkChange,
    },
}

/// What happens to a connection between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkChange {
    /// It is there.
    Up,
    /// It is no more.
    Closed(LinkEnd),
}

/// Why an end of a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEnd {
    /// Too many pings were not answered.
    Stale,
    /// It could not be written to for too long.
    WriteDeadline,
    /// More waited to be written than is allowed.
    SlowConsumer,
    /// The other end was closed.
    Reset,
    /// A newer connection took its place.
    Replaced,
    /// There was one already.
    Duplicate,
    /// The server went down.
    Down,
    /// The process went down.
    Left,
    /// It was not there in time.
    TimedOut,
    /// Nobody listened.
    Refused,
}

/// How a node came to be down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Down {
    /// Like a process that was killed.
    Crashed,
    /// As asked.
    Stopped,
    /// Its supervisor gave up.
    Escalated,
    /// An actor of it hung.
    Hung,
    /// Another node of its name was there before.
    Duplicate,
}

/// Identifies a run: equal for equal runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash(pub u128);

/// As 32 hexadecimal digits.
impl Serialize for TraceHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Whoever wants the bytes of a trace.
pub(crate) type Tap = Box<dyn FnMut(&[u8]) + Send>;

/// Writes records down and hashes them.
pub(crate) struct Recorder {
    hasher: XxHash3_128,
    block: Vec<u8>,
    tap: Option<Tap>,
    records: u64,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("records", &self.records).finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let mut block = Vec::with_capacity(BLOCK_BYTES + 1024);
        block.push(TRACE_VERSION);
        Self { hasher: XxHash3_128::new(), block, tap: None, records: 0 }
    }

    /// Gives the bytes from here on to `tap`, too.
    pub(crate) fn tap(&mut self, tap: Tap) {
        self.tap = Some(tap);
    }

    pub(crate) fn write(&mut self, record: &Record<'_>) {
        if !append_often(&mut self.block, record) {
            append(&mut self.block, record);
        }
        self.records += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.flush();
        }
    }

    /// The hash of all records so far.
    pub(crate) fn hash(&mut self) -> TraceHash {
        self.flush();
        TraceHash(self.hasher.finish_128())
    }

    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    fn flush(&mut self) {
        self.hasher.write(&self.block);
        if let Some(tap) = &mut self.tap {
            tap(&self.block);
        }
        self.block.clear();
    }
}

/// Writes a record, and its length before it.
fn append(block: &mut Vec<u8>, record: &Record<'_>) {
    let start = block.len();
    block.extend_from_slice(&[0; 4]);
    codec::append(block, record).expect("a record has no shape that the codec cannot write");
    let length = u32::try_from(block.len() - start - 4).expect("a record is far below 4 GiB");
    block[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Writes a record of the kinds that nearly all are of, as [`append`] would: in one piece, since a call
/// for each number would cost more than the step that is recorded. Returns whether it is of those.
fn append_often(block: &mut Vec<u8>, record: &Record<'_>) -> bool {
    // In the order of the codec: the fields, and before those of a kind its place in the list of kinds.
    let mut write = |kind: u32, actor: u32, text: Option<&str>, end: &[u8]| {
        let (used, text) = text.map_or((24, ""), |text| (32, text));
        let length = u32::try_from(used - 4 + text.len() + end.len()).expect("a record is far below 4 GiB");
        let mut start = [0; 32];
        start[..4].copy_from_slice(&length.to_le_bytes());
        start[4..12].copy_from_slice(&record.at.to_le_bytes());
        start[12..16].copy_from_slice(&record.node.to_le_bytes());
        start[16..20].copy_from_slice(&kind.to_le_bytes());
        start[20..24].copy_from_slice(&actor.to_le_bytes());
        start[24..].copy_from_slice(&(text.len() as u64).to_le_bytes());
        block.extend_from_slice(&start[..used]);
        block.extend_from_slice(text.as_bytes());
        block.extend_from_slice(end);
    };
    match &record.what {
        What::Message { actor, subject, sequence, length, hash } => {
            let mut end = [0; 20];
            end[..8].copy_from_slice(&sequence.to_le_bytes());
            end[8..12].copy_from_slice(&length.to_le_bytes());
            end[12..].copy_from_slice(&hash.to_le_bytes());
            write(3, *actor, Some(subject), &end);
        }
        What::Timeout { actor, why } => write(5, *actor, Some(why), &[]),
        What::Reply { actor, number, error: None, length, hash } => {
            let mut end = [0; 21];
            end[..8].copy_from_slice(&number.to_le_bytes());
            end[9..13].copy_from_slice(&length.to_le_bytes());
            end[13..].copy_from_slice(&hash.to_le_bytes());
            write(6, *actor, None, &end);
        }
        What::Reply { error: Some(_), .. }
        | What::Run { .. }
        | What::Node { .. }
        | What::Down { .. }
        | What::Lost { .. }
        | What::Event { .. }
        | What::Link { .. }
        | What::Fault { .. }
        | What::Healed
        | What::Clock { .. } => return false,
    }
    true
}

/// The length and hash of a message's payload, as records carry them. A typed payload is a function
/// of its fields and of the stamp, and it is these that are hashed: its JSON is made for nobody else.
pub(crate) fn digest(message: &Message) -> (u32, u64) {
    let stamp = || {
        let stamp = message.headers.stamp();
        (stamp.and_then(|stamp| stamp.sequence).unwrap_or(0), stamp.map_or(0, |stamp| stamp.tx.unix_millis()))
    };
    let fold = |fields: &[u64]| fields.iter().fold(0, |hash, field| mix(hash ^ field));
    match &message.body {
        Body::Bytes(payload) => digest_bytes(payload),
        Body::Heartbeat(payload) => {
            let (sequence, ts) = stamp();
            (TYPED, fold(&[sequence, ts, payload.status as u64]))
        }
        Body::Rtt(rtt) => {
            let (sequence, ts) = stamp();
            // No round trip takes 0 µs.
            let micros = [rtt.native_us, rtt.app_us].map(Option::unwrap_or_default);
            let peer = rtt.peer.as_ref().map_or(0, |peer| key(peer.as_str()));
            let known = [sequence, ts, key(rtt.unit.as_str()), micros[0], micros[1], peer];
            match rtt.delays {
                None => (TYPED, fold(&known)),
                Some(Delays { forward_us, backward_us, uncertainty_us }) => {
                    let delays = [forward_us.cast_unsigned(), backward_us.cast_unsigned(), uncertainty_us];
                    (TYPED, mix(fold(&known) ^ fold(&delays)))
                }
            }
        }
        // Seldom sent, and of many fields: its JSON is what is hashed.
        Body::Time(_) => digest_bytes(&message.payload()),
    }
}

/// In the place of a length when the payload is typed and has none yet.
pub const TYPED: u32 = u32::MAX;

/// The hash of no bytes: many messages have no payload.
const HASH_OF_NOTHING: u64 = 0x6001_c324_468d_497f;

fn digest_bytes(payload: &[u8]) -> (u32, u64) {
    if payload.is_empty() {
        return (0, HASH_OF_NOTHING);
    }
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
    let hash = XxHash3_128::oneshot(payload) as u64;
    (length, hash)
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It is empty, or of another version.
    #[error("not a trace of version {TRACE_VERSION}")]
    Version,
    /// It ends within a record.
    #[error("the trace ends within the record at byte {0}")]
    Truncated(usize),
    /// A record makes no sense.
    #[error("the record at byte {at}")]
    Record {
        /// Where it begins.
        at: usize,
        /// What is wrong with it.
        #[source]
        error: CodecError,
    },
}

/// Reads a whole trace.
///
/// # Errors
/// Each record may be malformed; reading ends there.
pub fn records(trace: &[u8]) -> impl Iterator<Item = Result<Record<'_>, TraceError>> {
    let mut at = 1;
    let mut over = false;
    std::iter::from_fn(move || {
        if over || (trace.first() == Some(&TRACE_VERSION) && at == trace.len()) {
            return None;
        }
        let record = check_version(trace).and_then(|()| record_at(trace, at));
        over = record.is_err();
        Some(record.map(|(record, next)| {
            at = next;
            record
        }))
    })
}

/// Whether it begins like a trace.
pub(crate) fn check_version(trace: &[u8]) -> Result<(), TraceError> {
    if trace.first() == Some(&TRACE_VERSION) { Ok(()) } else { Err(TraceError::Version) }
}

/// The record that begins at byte `at`, and where the next one begins.
pub(crate) fn record_at(trace: &[u8], at: usize) -> Result<(Record<'_>, usize), TraceError> {
    let truncated = || TraceError::Truncated(at);
    let (length, rest) = trace.get(at..).and_then(|rest| rest.split_first_chunk::<4>()).ok_or_else(truncated)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let bytes = rest.get(..length).ok_or_else(truncated)?;
    let record = match length {
        ..=RECORD_MAX_BYTES => codec::parse(bytes),
        _ => Err(CodecError::TooLong { length, limit: RECORD_MAX_BYTES }),
    };
    Ok((record.map_err(|error| TraceError::Record { at, error })?, at + 4 + length))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// The bytes and the hash of a trace of these records.
    pub(crate) fn written(records: &[Record<'_>]) -> (Vec<u8>, TraceHash) {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let mut recorder = Recorder::new();
        recorder.tap(Box::new(move |block| sink.lock().expect("no poison").extend_from_slice(block)));
        records.iter().for_each(|record| recorder.write(record));
        let hash = recorder.hash();
        let bytes = bytes.lock().expect("no poison").clone();
        (bytes, hash)
    }

    fn some() -> Vec<Record<'static>> {
        let event = Event::Custom { kind: "echo_lost".into(), fields: [("a".to_owned(), "b".to_owned())].into() };
        vec![
            Record { at: 0, node: WORLD, what: What::Run { seed: 7 } },
            Record {
                at: 0,
                node: 0,
                what: What::Node { unit: "hub0".into(), actors: vec!["echo".to_owned(), "heart".to_owned()] },
            },
            Record {
                at: 9,
                node: 0,
                what: What::Message { actor: 1, subject: "a.b".into(), sequence: 3, length: 2, hash: 5 },
            },
            Record {
                at: 9,
                node: 0,
                what: What::Reply { actor: 1, number: 2, error: Some(RequestError::Timeout), length: 0, hash: 0 },
            },
            Record { at: 9, node: 0, what: What::Reply { actor: 1, number: 2, error: None, length: 7, hash: 8 } },
            Record { at: 9, node: 0, what: What::Timeout { actor: 1, why: "echo timeout".into() } },
            Record { at: 10, node: 0, what: What::Event { actor: Some(1), event: Cow::Owned(event) } },
        ]
    }

    #[test]
    fn a_trace_reads_back_as_it_was_written() {
        let (bytes, _) = written(&some());
        let read: Vec<_> = records(&bytes).collect::<Result<_, _>>().expect("a trace of ours");
        assert_eq!(read, some());
    }

    #[test]
    fn what_is_written_in_one_piece_is_what_the_codec_writes() {
        for record in some() {
            let (mut piece, mut codec) = (Vec::new(), Vec::new());
            append(&mut codec, &record);
            assert!(!append_often(&mut piece, &record) || piece == codec, "{record:?}");
        }
    }

    #[test]
    fn no_payload_has_the_hash_of_no_bytes() {
        assert_eq!(u128::from(HASH_OF_NOTHING), XxHash3_128::oneshot(&[]) & u128::from(u64::MAX));
    }

    #[test]
    fn the_hash_is_that_of_the_bytes_and_does_not_depend_on_blocks() {
        let many: Vec<_> = (0..10_000).flat_map(|_| some()).collect();
        let (bytes, hash) = written(&many);
        assert!(bytes.len() > 4 * BLOCK_BYTES);
        assert_eq!(hash, TraceHash(XxHash3_128::oneshot(&bytes)));
        assert_eq!(TraceHash(0xab).to_string(), "000000000000000000000000000000ab");
    }

    #[test]
    fn what_is_no_trace_is_an_error_and_not_a_panic() {
        let (bytes, _) = written(&some());
        fn last(bytes: &[u8]) -> Result<Record<'_>, TraceError> {
            records(bytes).last().expect("an error at least")
        }
        assert!(matches!(last(&[]), Err(TraceError::Version)));
        assert!(matches!(last(&[0, 1, 2]), Err(TraceError::Version)));
        for cut in 2..bytes.len() {
            let read = records(&bytes[..cut]).take(20).collect::<Vec<_>>();
            assert!(read.len() <= some().len());
        }
        assert!(matches!(last(&bytes[..bytes.len() - 1]), Err(TraceError::Truncated(_))));
    }
}
