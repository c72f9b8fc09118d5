//! What a node of a busy mesh hears: echo requests, and the heartbeats of others. Never more is under
//! way than its mailboxes hold, so nothing is lost, and the count is exact.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nunect_core::protocol::units;

use crate::Failure;
use crate::feed;
use crate::units::Unit;
use crate::work::{PAYLOAD_BYTES, echo_subject};

/// Messages without an answer at most: a quarter of a mailbox.
const WINDOW: u64 = 1_024;
/// Messages written at once. The last is a question for the monitor, whose answer says that it has
/// heard the heartbeats before.
const BLOCK: u64 = 64;
/// One of so many messages is a heartbeat.
const HEARTBEAT_EVERY: u64 = 8;
/// The interval of the heartbeats: nobody falls silent meanwhile.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the echoes go, and where the answers of the monitor.
const ECHOES: &str = "bench.answers.echo";
const UNITS: &str = "bench.answers.units";
const ANSWERS: &str = "bench.answers.*";
/// For one unit: nobody needs more here.
const QUESTION: &str = r#"{"limit":1}"#;

/// One connection to a server that asks, and hears the answers.
#[derive(Debug)]
pub struct Load {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    question: Vec<u8>,
    units: Vec<Unit>,
    beats: usize,
    answered: u64,
}

impl Load {
    /// Connects; heartbeats will be those of so many units.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn connect(address: &str, units: usize) -> Result<Self, Failure> {
        let mut stream = feed::connected(address)?;
        stream.write_all(format!("SUB {ANSWERS} 1\r\n").as_bytes())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let publish = |subject: &str, reply: &str, payload: &[u8]| {
            let head = format!("PUB {subject} {reply} {}\r\n", payload.len());
            [head.as_bytes(), payload, b"\r\n"].concat()
        };
        Ok(Self {
            stream: BufReader::new(stream),
            request: publish(&echo_subject(), ECHOES, &[b'x'; PAYLOAD_BYTES]),
            question: publish(units::subject().as_str(), UNITS, QUESTION.as_bytes()),
            units: (0..units).map(|number| Unit::new(number, INTERVAL)).collect(),
            beats: 0,
            answered: 0,
        })
    }

    /// Sends so many messages, and waits until all were handled.
    ///
    /// # Errors
    /// When an answer stays away, or is a refusal.
    pub fn run(&mut self, messages: u64) -> Result<(), Failure> {
        let mut sent = 0;
        let mut asked = self.answered;
        let mut block = Vec::new();
        while sent < messages {
            block.clear();
            let count = BLOCK.min(messages - sent);
            for place in 1..=count {
                if place == count {
                    block.extend_from_slice(&self.question);
                } else if place.is_multiple_of(HEARTBEAT_EVERY) {
                    self.heartbeat(&mut block);
                    continue;
                } else {
                    block.extend_from_slice(&self.request);
                }
                asked += 1;
            }
            sent += count;
            self.stream.get_mut().write_all(&block)?;
            while asked > self.answered + WINDOW {
                self.hear()?;
            }
        }
        while self.answered < asked {
            self.hear()?;
        }
        Ok(())
    }

    fn heartbeat(&mut self, block: &mut Vec<u8>) {
        let place = self.beats % self.units.len();
        self.beats += 1;
        let unit = &mut self.units[place];
        let (headers, payload) = unit.beat();
        let (head, all) = (headers.len() + 12, headers.len() + 12 + payload.len());
        block.extend_from_slice(format!("HPUB {} {head} {all}\r\nNATS/1.0\r\n", unit.subject()).as_bytes());
        block.extend_from_slice(headers.as_bytes());
        block.extend_from_slice(b"\r\n");
        block.extend_from_slice(payload.as_bytes());
        block.extend_from_slice(b"\r\n");
    }

    /// Reads what the server says next.
    fn hear(&mut self) -> Result<(), Failure> {
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(|error| format!("no answer within {PATIENCE:?}: {error}"))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["MSG" | "HMSG", ..] => {}
            ["PING"] => return Ok(self.stream.get_mut().write_all(b"PONG\r\n")?),
            ["PONG" | "+OK"] | ["INFO", ..] => return Ok(()),
            _ => return Err(format!("the server said `{}`", line.trim()).into()),
        }
        let (head, all): (usize, usize) = match words[..] {
            ["HMSG", _, _, head, all] => (head.parse()?, all.parse()?),
            ["MSG", _, _, all] => (0, all.parse()?),
            _ => return Err(format!("the server said `{}`", line.trim()).into()),
        };
        let mut rest = vec![0; all + 2];
        self.stream.read_exact(&mut rest)?;
        if words[1] == ECHOES && all - head != PAYLOAD_BYTES {
            return Err(format!("the node refused: {}", String::from_utf8_lossy(&rest[..head])).into());
        }
        self.answered += 1;
        Ok(())
    }
}
