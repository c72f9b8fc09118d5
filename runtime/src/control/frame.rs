//! What goes over a control socket: frames, each with its length before it as four bytes, little end first.

use bytes::Bytes;
use nunect_core::codec::{self, CodecError};
use nunect_core::{BusEvent, Headers, Message, Now, Subject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Refusal;

/// What both sides speak; another number is another language.
pub const PROTOCOL: u32 = 1;
/// The longest frame.
pub const FRAME_MAX_BYTES: usize = 8 << 20;
/// The version byte of the codec.
const VERSION: u8 = 1;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ToNode {
    /// The first.
    Hello { protocol: u32 },
    /// Answered only when it goes nowhere, and then perhaps no sooner than a flush.
    Publish(Carried),
    /// Begins a subscription, which is called so from then on.
    Subscribe { id: u64, pattern: String, queue: Option<String> },
    /// Ends one.
    Unsubscribe { id: u64 },
    /// Asks to be answered when everything before was taken.
    Flush { id: u64, timeout_ms: u32 },
    /// Asks to be answered at once.
    Ping { id: u64 },
}

/// What a node says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ToClient {
    /// The answer to `Hello`.
    Welcome { protocol: u32, unit: String, session: String, role: String, bus: String },
    /// A subscription has heard a message.
    Message { subscription: u64, message: Carried },
    /// A subscription has heard that nobody listens to what was asked.
    NoResponders { subscription: u64, subject: String },
    /// What was asked is done.
    Done { id: u64 },
    /// It is not; number 0 is the connection itself, which ends.
    Refused { id: u64, code: u16, reason: String },
    /// A message goes nowhere.
    NotPublished { subject: String, code: u16, reason: String },
    /// Something happened to the node's own connection.
    Bus(BusEvent),
    /// The client was too slow: so many messages were lost before the next.
    Dropped(u64),
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Carried {
    pub(super) subject: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) payload: Bytes,
    pub(super) reply: Option<String>,
}

impl From<&Message> for Carried {
    fn from(message: &Message) -> Self {
        let mut headers = Vec::new();
        message.headers.for_each(|name, value| headers.push((name.to_owned(), value.to_owned())));
        Self {
            subject: message.subject.as_str().to_owned(),
            headers,
            payload: message.payload(),
            reply: message.reply.as_ref().map(|reply| reply.as_str().to_owned()),
        }
    }
}

impl Carried {
    /// The message of a client, of which nothing is taken on trust.
    pub(super) fn check(self) -> Result<Message, Refusal> {
        let malformed = |what: &str, error: &dyn std::error::Error| Refusal::new(400, format!("{what} {error}"));
        if let Some((name, _)) = self.headers.iter().find(|(name, value)| !is_header(name, value)) {
            return Err(Refusal::new(400, format!("header {name:?} has a line break, or a name that is none")));
        }
        let subject = Subject::parse(self.subject).map_err(|error| malformed("subject", &error))?;
        let reply = self.reply.map(Subject::parse).transpose().map_err(|error| malformed("reply subject", &error))?;
        let message = Message { headers: block(&self.headers), reply, ..Message::new(subject) };
        Ok(message.body(self.payload))
    }

    /// The message that a node passes on, as its bus delivered it at `now`.
    pub(super) fn deliver(mut self, now: Now) -> Message {
        self.headers.retain(|(name, value)| is_header(name, value));
        Message {
            headers: block(&self.headers),
            reply: self.reply.map(Subject::delivered),
            received: now,
            ..Message::new(Subject::delivered(self.subject)).body(self.payload)
        }
    }
}

/// Whether it stays one header when it is written as a line.
fn is_header(name: &str, value: &str) -> bool {
    let is_break = |c: char| matches!(c, '\r' | '\n');
    let is_name = !name.is_empty() && !name.chars().any(|c| c == ':' || c.is_whitespace() || c.is_control());
    is_name && !value.contains(is_break)
}

fn block(headers: &[(String, String)]) -> Headers {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Headers::from_raw(Bytes::from(lines))
}

/// Appends a frame to `bytes`; nothing of one that is too long.
pub(super) fn put<T: Serialize>(bytes: &mut Vec<u8>, frame: &T) -> Result<(), CodecError> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    bytes.push(VERSION);
    let written = codec::append(bytes, frame).and_then(|()| {
        let length = bytes.len() - start - 4;
        let prefix = u32::try_from(length).ok().filter(|_| length <= FRAME_MAX_BYTES);
        prefix.ok_or(CodecError::TooLong { length, limit: FRAME_MAX_BYTES })
    });
    match written {
        Ok(length) => bytes[start..start + 4].copy_from_slice(&length.to_le_bytes()),
        Err(_) => bytes.truncate(start),
    }
    written.map(drop)
}

/// Why no further frame comes.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame of {0} bytes, of at most {FRAME_MAX_BYTES}")]
    TooLong(u32),
    #[error("a frame that is none: {0}")]
    Malformed(#[from] CodecError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The next frame; `None` when the other side has ended, be it within one.
pub(super) async fn take<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    scratch: &mut Vec<u8>,
) -> Result<Option<T>, FrameError> {
    let mut prefix = [0; 4];
    match from.read_exact(&mut prefix).await {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = u32::from_le_bytes(prefix);
    let wanted = usize::try_from(length).ok().filter(|length| *length <= FRAME_MAX_BYTES);
    let wanted = wanted.ok_or(FrameError::TooLong(length))?;
    // It grows with what comes, whatever the prefix promises.
    scratch.clear();
    if from.take(u64::from(length)).read_to_end(scratch).await? < wanted {
        return Ok(None);
    }
    let frame = codec::decode(VERSION, scratch, FRAME_MAX_BYTES)?;
    // What one giant took is not kept for all that follow.
    if scratch.capacity() > SCRATCH_BYTES {
        *scratch = Vec::new();
    }
    Ok(Some(frame))
}

const SCRATCH_BYTES: usize = 64 << 10;
