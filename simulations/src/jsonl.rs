//! A trace as text: one JSON object a line, with names in place of numbers.
//!
//! Times are seconds with nine decimals, hashes 16 hexadecimal digits. Every line has `at`, and, where
//! it concerns one node, `node`; what it is about stands under `is`: `run`, `node`, `down`, `message`,
//! `lost`, `timeout`, `reply`, `event`, `fault`, …

use std::fmt::Write as _;
use std::io::Write as _;

use nunect_core::table::Table;

use crate::trace::{LinkChange, Record, TYPED, TraceError, WORLD, What, record_at};

/// Translates a trace as it comes, a block at a time.
#[derive(Debug, Default)]
pub struct Jsonl {
    /// What did not make a whole record yet.
    rest: Vec<u8>,
    begun: bool,
    names: Names,
}

/// What nodes and their actors are called.
#[derive(Debug, Default)]
struct Names(Table<u32, (String, Vec<String>)>);

impl Jsonl {
    /// At the beginning of a trace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the trace, and appends the lines that they complete to `lines`.
    ///
    /// # Errors
    /// When the bytes are no trace of this version.
    pub fn translate(&mut self, bytes: &[u8], lines: &mut Vec<u8>) -> Result<(), TraceError> {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        if !self.begun {
            crate::trace::check_version(&self.rest)?;
            (self.begun, at) = (true, 1);
        }
        loop {
            match record_at(&self.rest, at) {
                Ok((record, next)) => {
                    self.names.line(&record, lines);
                    at = next;
                }
                Err(TraceError::Truncated(_)) => break,
                Err(error) => return Err(error),
            }
        }
        self.rest.drain(..at);
        Ok(())
    }
}

impl Names {
    fn line(&mut self, record: &Record<'_>, lines: &mut Vec<u8>) {
        let Record { at, node, what } = record;
        if let What::Node { unit, actors } = what {
            self.0.insert(*node, (unit.to_string(), actors.clone()));
        }
        let mut line = Line(lines);
        line.raw(b"{\"at\":");
        line.seconds(*at);
        if *node != WORLD {
            line.text("node", self.0.get(node).map_or("", |(unit, _)| unit.as_str()));
        }
        let actor = |actor: u32| {
            let actors = self.0.get(node).map(|(_, actors)| actors);
            let place = usize::try_from(actor).unwrap_or(usize::MAX);
            actors.and_then(|actors| actors.get(place)).map_or("", String::as_str)
        };
        match what {
            What::Message { actor: who, subject, sequence, length, hash } => {
                line.text("actor", actor(*who));
                line.text("is", "message");
                line.text("subject", subject);
                line.number("sequence", *sequence);
                line.payload(*length, *hash);
            }
            What::Timeout { actor: who, why } => {
                line.text("actor", actor(*who));
                line.text("is", "timeout");
                line.text("why", why);
            }
            What::Reply { actor: who, number, error, length, hash } => {
                line.text("actor", actor(*who));
                line.text("is", "reply");
                line.number("request", *number);
                match error {
                    Some(error) => line.value("error", error),
                    None => line.payload(*length, *hash),
                }
            }
            What::Lost { subject } => {
                line.text("is", "lost");
                line.text("subject", subject);
            }
            What::Event { actor: who, event } => {
                if let Some(who) = who {
                    line.text("actor", actor(*who));
                }
                line.text("is", "event");
                line.text("event", event.name());
                line.value("what", event);
            }
            What::Run { seed } => {
                line.text("is", "run");
                line.number("seed", *seed);
            }
            What::Node { actors, .. } => {
                line.text("is", "node");
                line.value("actors", actors);
            }
            What::Down { how } => {
                line.text("is", "down");
                line.value("how", how);
            }
            What::Fault { fault, begins } => {
                line.text("is", "fault");
                line.number("fault", (*fault).into());
                line.value("begins", begins);
            }
            What::Link { peer, change } => {
                line.text("is", "link");
                line.text("peer", self.0.get(peer).map_or("", |(unit, _)| unit.as_str()));
                match change {
                    LinkChange::Up => line.value("up", &true),
                    LinkChange::Closed(why) => line.value("closed", why),
                }
            }
            What::Healed => line.text("is", "healed"),
            What::Clock { source, quality, offset_ns } => {
                line.text("is", "clock");
                line.text("source", source.as_str());
                line.text("quality", quality.as_str());
                line.value("offset_ns", offset_ns);
            }
        }
        line.raw(b"}\n");
    }
}

/// One line that is being written.
struct Line<'a>(&'a mut Vec<u8>);

impl Line<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn key(&mut self, key: &str) {
        self.raw(b",\"");
        self.raw(key.as_bytes());
        self.raw(b"\":");
    }

    fn seconds(&mut self, nanos: u64) {
        self.digits(nanos / 1_000_000_000, 1);
        self.raw(b".");
        self.digits(nanos % 1_000_000_000, 9);
    }

    /// A number with at least so many digits. By hand: nearly all of a trace are numbers, and
    /// formatting them with `write!` would take most of the time.
    fn digits(&mut self, mut number: u64, least: usize) {
        let mut digits = [b'0'; 20];
        let mut at = digits.len();
        while number > 0 || digits.len() - at < least {
            at -= 1;
            let digit = (number % 10) as u8;
            digits[at] = b'0' + digit;
            number /= 10;
        }
        self.raw(&digits[at..]);
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        self.digits(number, 1);
    }

    fn payload(&mut self, length: u32, hash: u64) {
        if length != TYPED {
            self.number("length", length.into());
        }
        self.key("hash");
        let _ = write!(self.0, "\"{hash:016x}\"");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.raw(b"\"");
            self.raw(text.as_bytes());
            self.raw(b"\"");
        } else {
            self.json(&text);
        }
    }

    fn value(&mut self, key: &str, value: &impl serde::Serialize) {
        self.key(key);
        self.json(value);
    }

    fn json(&mut self, value: &impl serde::Serialize) {
        let start = self.0.len();
        if let Err(error) = serde_json::to_writer(&mut *self.0, value) {
            // Nothing of a record has a shape that JSON cannot write; a trace must not end for it if it had.
            self.0.truncate(start);
            let mut words = String::new();
            let _ = write!(words, "\"{error:?}\"");
            self.raw(words.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use nunect_core::{Event, RequestError};
    use serde_json::{Value, json};

    use super::*;
    use crate::trace::tests::written;

    fn lines(records: &[Record<'_>], block: usize) -> Vec<Value> {
        let (bytes, _) = written(records);
        let (mut jsonl, mut lines) = (Jsonl::new(), Vec::new());
        for part in bytes.chunks(block) {
            jsonl.translate(part, &mut lines).expect("a trace of ours");
        }
        let text = String::from_utf8(lines).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn some() -> Vec<Record<'static>> {
        let event = Event::Custom { kind: "odd \"name\"".into(), fields: [("a".to_owned(), "b".to_owned())].into() };
        let error = Some(RequestError::Timeout);
        let record = |at, node, what| Record { at, node, what };
        vec![
            record(0, WORLD, What::Run { seed: 7 }),
            record(0, 0, What::Node { unit: "hub0".into(), actors: vec!["echo".to_owned(), "heart".to_owned()] }),
            record(
                1_000_000_002,
                0,
                What::Message { actor: 1, subject: "a.b".into(), sequence: 3, length: 2, hash: 0xab },
            ),
            record(1_000_000_003, 0, What::Reply { actor: 0, number: 2, error, length: 0, hash: 0 }),
            record(61_000_000_000, 0, What::Event { actor: Some(0), event: Cow::Owned(event) }),
            record(62_000_000_000, WORLD, What::Fault { fault: 2, begins: true }),
        ]
    }

    #[test]
    fn a_line_says_when_where_and_what_in_names() {
        let lines = lines(&some(), usize::MAX);
        let message = json!({
            "at": 1.000000002, "node": "hub0", "actor": "heart", "is": "message", "subject": "a.b", "sequence": 3,
            "length": 2, "hash": "00000000000000ab",
        });
        assert_eq!(lines[2], message);
        assert_eq!((&lines[0]["is"], &lines[0]["seed"], lines[0].get("node")), (&json!("run"), &json!(7), None));
        assert_eq!((&lines[3]["is"], &lines[3]["request"]), (&json!("reply"), &json!(2)));
        assert_eq!((&lines[4]["actor"], &lines[4]["event"]), (&json!("echo"), &json!("odd \"name\"")));
        assert_eq!(lines[5], json!({ "at": 62.0, "is": "fault", "fault": 2, "begins": true }));
    }

    #[test]
    fn it_does_not_matter_where_the_blocks_end() {
        for block in [1, 2, 3, 7, 50] {
            assert_eq!(lines(&some(), block), lines(&some(), usize::MAX), "blocks of {block}");
        }
    }

    #[test]
    fn what_is_no_trace_is_an_error() {
        let mut lines = Vec::new();
        assert!(matches!(Jsonl::new().translate(b"{}", &mut lines), Err(TraceError::Version)));
        assert!(lines.is_empty());
    }
}
