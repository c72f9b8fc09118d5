//! A NATS client that sends whatever it is told to, and fast: no decent client would send such things.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::PATIENCE;

/// A connection to a server.
pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
    unsent: Vec<u8>,
}

impl Raw {
    /// Connects.
    pub(crate) fn on(url: &str) -> Self {
        let address = url.strip_prefix("nats://").expect("a URL of a test server");
        let stream = TcpStream::connect(address).expect("the server takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut raw = Self { stream: BufReader::new(stream), unsent: Vec::new() };
        assert!(raw.line().starts_with("INFO "));
        raw.unsent = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":1}\r\n".to_vec();
        raw.flush();
        raw
    }

    /// Sends a message; `headers` is the whole block between its first line and its end, line ends and all.
    pub(crate) fn publish(&mut self, subject: &str, reply: &str, headers: &[u8], payload: &[u8]) {
        if headers.is_empty() {
            let _ = write!(self.unsent, "PUB {subject} {reply} {}\r\n", payload.len());
        } else {
            let length = b"NATS/1.0\r\n\r\n".len() + headers.len();
            let _ = write!(self.unsent, "HPUB {subject} {reply} {length} {}\r\nNATS/1.0\r\n", length + payload.len());
            self.unsent.extend_from_slice(headers);
            self.unsent.extend_from_slice(b"\r\n");
        }
        self.unsent.extend_from_slice(payload);
        self.unsent.extend_from_slice(b"\r\n");
        if self.unsent.len() >= 1 << 20 {
            self.send();
        }
    }

    /// Sends a message that is a word.
    pub(crate) fn tell(&mut self, subject: &str, word: &str) {
        self.publish(subject, "", b"", word.as_bytes());
        self.flush();
    }

    /// Comes back when the server has taken everything, and had nothing to say against it.
    pub(crate) fn flush(&mut self) {
        self.unsent.extend_from_slice(b"PING\r\n");
        self.send();
        loop {
            let line = self.line();
            match line.trim_end() {
                "PONG" => return,
                "PING" => {
                    self.unsent.extend_from_slice(b"PONG\r\n");
                    self.send();
                }
                info if info.starts_with("INFO ") => {}
                other => panic!("the server says {other}"),
            }
        }
    }

    fn send(&mut self) {
        self.stream.get_mut().write_all(&self.unsent).expect("the server reads");
        self.unsent.clear();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server speaks");
        line
    }
}
