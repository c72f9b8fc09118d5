//! A publisher that costs next to nothing: messages encoded once and written as blocks, so that the
//! receiver is what is measured.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Failure;
use crate::running::Running;
use crate::work::{HEADERS, PAYLOAD_BYTES, SUBJECT};

/// Messages under way at most: as many as the default mailbox holds, so that none is dropped.
const WINDOW: u64 = 4_096;
/// Messages written at once.
const BLOCK: u64 = 64;

/// One connection to a server that publishes.
#[derive(Debug)]
pub struct Feed {
    stream: TcpStream,
    message: Vec<u8>,
}

impl Feed {
    /// Connects; `headers`: whether messages carry the eight of [`HEADERS`].
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn connect(address: &str, headers: bool) -> Result<Self, Failure> {
        Ok(Self { stream: connected(address)?, message: encode(headers) })
    }

    /// Publishes `count` messages to a receiver that counts them, and waits until it is done;
    /// returns the nanoseconds it took.
    ///
    /// # Errors
    /// When the receiver or the connection ends before.
    pub fn run(&mut self, count: u64, receiver: &Running) -> Result<u64, Failure> {
        let block = self.message.repeat(usize::try_from(BLOCK)?);
        let (mut sent, mut acknowledged) = (0, 0);
        while sent < count {
            let next = BLOCK.min(count - sent);
            while sent + next > acknowledged + WINDOW {
                acknowledged = receiver
                    .number("acknowledge ")
                    .map_err(|error| format!("{sent} sent, {acknowledged} acknowledged: {error}"))?;
            }
            self.stream.write_all(&block[..self.message.len() * usize::try_from(next)?])?;
            sent += next;
        }
        receiver
            .number("done ")
            .map_err(|error| format!("all {sent} sent, {acknowledged} acknowledged: {error}").into())
    }
}

/// A connection to a server that takes what is published and confirms nothing.
pub(crate) fn connected(address: &str) -> Result<TcpStream, Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\nPING\r\n")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    // The server's PINGs stay unanswered later: it gives up only after minutes.
    while !answer.windows(4).any(|window| window == b"PONG") {
        match stream.read(&mut buffer)? {
            0 => return Err("the server closed the feed's connection".into()),
            read => answer.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(stream)
}

fn encode(headers: bool) -> Vec<u8> {
    let payload = vec![b'x'; PAYLOAD_BYTES];
    let mut message = Vec::new();
    if headers {
        let lines: String = HEADERS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let block = format!("NATS/1.0\r\n{lines}\r\n");
        let sizes = format!("{} {}", block.len(), block.len() + payload.len());
        message.extend_from_slice(format!("HPUB {SUBJECT} {sizes}\r\n{block}").as_bytes());
    } else {
        message.extend_from_slice(format!("PUB {SUBJECT} {}\r\n", payload.len()).as_bytes());
    }
    message.extend_from_slice(&payload);
    message.extend_from_slice(b"\r\n");
    message
}
