//! nats-py as an independent client: what it reads is what stands on the wire.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::unit;

/// A subscription; dropping it ends its process.
pub(crate) struct Listener {
    child: Child,
    messages: Receiver<Heard>,
}

/// A message as the client read it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Heard {
    /// When it was read; by this process, so a little later than it came.
    #[serde(skip, default = "Instant::now")]
    pub(crate) at: Instant,
    /// Where it was sent to.
    pub(crate) subject: String,
    /// Where an answer is expected.
    pub(crate) reply: Option<String>,
    /// Every value of every header.
    headers: BTreeMap<String, Vec<String>>,
    /// The encoding of `payload`.
    encoding: String,
    payload: String,
}

impl Heard {
    /// The names of its headers, in alphabetical order.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.headers.keys().map(String::as_str).collect()
    }

    /// The value of a header that stands there once.
    pub(crate) fn header(&self, name: &str) -> &str {
        match self.headers.get(name).map(Vec::as_slice) {
            Some([value]) => value,
            values => panic!("header {name} has the values {values:?} in {self:?}"),
        }
    }

    /// A header that is a plain decimal number: no sign, no leading zero, nothing around it.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let text = self.header(name);
        let number: u64 = text.parse().unwrap_or_else(|_| panic!("{name}: `{text}` is no number"));
        assert_eq!(number.to_string(), text, "{name} is plain decimal");
        number
    }

    /// A header that is a percentage: `12%`.
    pub(crate) fn percent(&self, name: &str) -> u8 {
        let text = self.header(name);
        let number = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
        let number = number.filter(|number| *number <= 100 && format!("{number}%") == text);
        number.unwrap_or_else(|| panic!("{name}: `{text}` is no percentage"))
    }

    /// Its payload.
    pub(crate) fn payload(&self) -> &str {
        assert_eq!(self.encoding, "utf-8", "{self:?}");
        &self.payload
    }
}

impl Listener {
    /// Subscribes, and comes back once the server has taken it. It goes on over outages of the server.
    pub(crate) fn on(url: &str, subject: &str) -> Self {
        let mut command = client("subscribe", url, subject);
        command.args(["--count", "1000000", "--timeout", "300", "--reconnect"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("Python starts");
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        while !said.ends_with("subscribed\n") {
            assert!(stderr.read_line(&mut said).is_ok_and(|read| read > 0), "nats-py did not subscribe: {said}");
        }
        // Whatever it says later must not make it wait.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(parse(&line)).is_err() {
                    return;
                }
            }
        });
        Self { child, messages }
    }

    /// The next message.
    pub(crate) fn next(&self, limit: Duration) -> Heard {
        self.messages.recv_timeout(limit).unwrap_or_else(|error| panic!("no message within {limit:?}: {error}"))
    }

    /// Every message that has come and was not looked at.
    pub(crate) fn waiting(&self) -> Vec<Heard> {
        self.messages.try_iter().collect()
    }

    /// The messages up to the first that is so, and that one.
    pub(crate) fn until(&self, limit: Duration, is: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let deadline = Instant::now() + limit;
        let mut heard = Vec::new();
        loop {
            heard.push(self.next(deadline.saturating_duration_since(Instant::now())));
            if heard.last().is_some_and(&is) {
                return heard;
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It fails only when there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks and returns the answer.
pub(crate) fn request(url: &str, subject: &str, headers: &[&str], payload: &str) -> Heard {
    let mut command = client("request", url, subject);
    command.args(["--payload", payload]);
    for header in headers {
        command.args(["--header", header]);
    }
    let output = unit::finish(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    parse(String::from_utf8(output.stdout).expect("JSON is UTF-8").trim_end())
}

fn parse(line: &str) -> Heard {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn client(mode: &str, url: &str, subject: &str) -> Command {
    let python = std::env::var_os("NUNECT_PYTHON")
        .expect("NUNECT_PYTHON names no Python: run the tests by `bash tools/test`, which fetches nats-py for it");
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/nats_client.py"));
    command.args([mode, "--url", url, "--subject", subject]);
    command
}
