//! `nunect sub`, `pub` and `req`: messages as they are, for people and scripts.

use std::collections::BTreeMap;
use std::io::Read;

use clap::Args;
use nunect_core::{Headers, Message, Pattern, Subject};
use nunect_runtime::bus::Inbound;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::client::{self, Client, Failure};
use super::console::{Console, Tone, count, time_of_day};
use super::exit;
use super::output::{bytes, plain};
use super::reach::Reach;

/// Bytes of a payload that is no text that a line shows.
const SHOWN_MAX_BYTES: usize = 32;
/// The payload that is read from the standard input.
const STDIN: &str = "-";

/// What `nunect sub` is told.
#[derive(Debug, Args)]
pub(super) struct Sub {
    /// Subjects; `*` stands for one token, `>` for all the rest.
    #[arg(value_name = "PATTERN", required = true, value_parser = client::pattern)]
    patterns: Vec<Pattern>,
    /// End after this many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Show headers, too.
    #[arg(long)]
    headers: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What `nunect pub` is told.
#[derive(Debug, Args)]
pub(super) struct Pub {
    #[command(flatten)]
    message: Words,
    /// Where answers are to go.
    #[arg(long, value_name = "SUBJECT", value_parser = client::subject)]
    reply: Option<Subject>,
    #[command(flatten)]
    reach: Reach,
}

/// What `nunect req` is told.
#[derive(Debug, Args)]
pub(super) struct Req {
    #[command(flatten)]
    message: Words,
    /// Take up to this many answers, of as many as come in time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    count: usize,
    /// Show headers, too.
    #[arg(long)]
    headers: bool,
    #[command(flatten)]
    reach: Reach,
}

/// A message as the command line gives it.
#[derive(Debug, Args)]
struct Words {
    /// Where it goes.
    #[arg(value_name = "SUBJECT", value_parser = client::subject)]
    subject: Subject,
    /// What it says; `-` reads it from the standard input.
    #[arg(value_name = "PAYLOAD", default_value = "", hide_default_value = true)]
    payload: String,
    /// A header; may be given several times.
    #[arg(long, short = 'H', value_name = "NAME:VALUE", value_parser = name_and_value)]
    header: Vec<(String, String)>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a number from 1 on".to_owned())
}

/// A header from `NAME:VALUE`.
fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("there is no `:`; write NAME:VALUE")?;
    let legal = |c: char| c.is_ascii_graphic() && c != ':';
    if name.is_empty() || !name.chars().all(legal) {
        return Err(format!("`{name}` is no name of a header; use letters, digits and `-`"));
    }
    if value.chars().any(char::is_control) {
        return Err("the value holds a control character; a header is one line".to_owned());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

impl Words {
    fn message(&self, console: &Console) -> Result<Message, u8> {
        let mut payload = self.payload.clone().into_bytes();
        if self.payload == STDIN {
            payload.clear();
            if let Err(error) = std::io::stdin().lock().read_to_end(&mut payload) {
                console.complain(&format!("error: reading the payload from the standard input: {error}"));
                return Err(exit::CONFIGURATION);
            }
        }
        let lines: String = self.header.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut message = Message::new(self.subject.clone()).body(payload);
        message.headers = Headers::from_raw(lines.into());
        Ok(message)
    }
}

/// A message as `--json` shows it: text, or bytes in base64.
#[derive(Serialize)]
struct Shown<'a> {
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<&'a str>,
    headers: BTreeMap<String, Vec<String>>,
    encoding: &'static str,
    payload: String,
}

/// The lines that show a message.
fn shown(message: &Message, with_headers: bool, console: &Console) -> String {
    let payload = message.payload();
    let text = std::str::from_utf8(&payload);
    let subject = message.subject.as_str();
    let reply = message.reply.as_ref().map(Subject::as_str);
    if console.is_json() {
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        message.headers.for_each(|name, value| headers.entry(name.to_owned()).or_default().push(value.to_owned()));
        let (encoding, payload) = match text {
            Ok(text) => ("utf-8", text.to_owned()),
            Err(_) => ("base64", base64(&payload)),
        };
        let shown = serde_json::to_string(&Shown { subject, reply, headers, encoding, payload });
        return shown.map(|line| line + "\n").unwrap_or_default();
    }
    let words = match text {
        Ok(text) => plain(text.strip_suffix('\n').unwrap_or(text)),
        Err(_) => hex(&payload),
    };
    let time = console.paint(Tone::Dim, &time_of_day(message.received.wall));
    let reply = reply.map(|reply| console.paint(Tone::Dim, &format!(" → {}", plain(reply)))).unwrap_or_default();
    let mut lines = format!("{time}  {}{reply}  {words}\n", console.paint(Tone::Bold, &plain(subject)));
    if with_headers {
        message.headers.for_each(|name, value| {
            lines.push_str(&console.paint(Tone::Dim, &format!("    {}: {}", plain(name), plain(value))));
            lines.push('\n');
        });
    }
    lines
}

fn hex(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(SHOWN_MAX_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > SHOWN_MAX_BYTES { "…" } else { "" };
    format!("({}) {shown}{more}", count(bytes.len() as u64, "byte"))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32, at: u32| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]);
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        let digits = (0..4).map(|at| if at as usize <= three.len() { digit(bits, at) } else { '=' });
        text.extend(digits);
    }
    text
}

/// Prints what arrives.
pub(super) fn sub(arguments: &Sub, console: &Console) -> u8 {
    let session = match arguments.reach.open(console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let client = std::sync::Arc::clone(&session.client);
    session.run(async move {
        match listen(arguments, &client, console).await {
            Ok(()) => exit::FINE,
            Err(failure) => fail(console, &format!("listening on {}", client.describe()), &failure),
        }
    })
}

async fn listen(arguments: &Sub, client: &Client, console: &Console) -> Result<(), Failure> {
    // Before it says that it listens: whoever reads that may interrupt it at once.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| Failure::Refused(error.to_string()))?;
    let mut stream = client.listen(&arguments.patterns).await?;
    let names: Vec<&str> = arguments.patterns.iter().map(Pattern::as_str).collect();
    console.complain(&format!("listening on {} ({})", names.join(", "), client.describe()));
    let (mut seen, mut open) = (0, true);
    let most = arguments.count.unwrap_or(u64::MAX);
    while seen < most && open {
        tokio::select! {
            message = stream.next() => {
                let Some(inbound) = message else { return Err(Failure::Away) };
                if let Inbound::Message(message) = inbound {
                    open = bytes(shown(&message, arguments.headers, console).as_bytes());
                    seen += 1;
                }
            }
            _ = interrupt.recv() => break,
        }
    }
    if open {
        let lost = match stream.lost() {
            0 => String::new(),
            lost => format!(", {lost} lost: they came faster than they could be printed"),
        };
        console.complain(&format!("{}{lost}", count(seen, "message")));
    }
    Ok(())
}

/// Publishes a message.
pub(super) fn publish(arguments: &Pub, console: &Console) -> u8 {
    let mut message = match arguments.message.message(console) {
        Ok(message) => message,
        Err(code) => return code,
    };
    message.reply.clone_from(&arguments.reply);
    let session = match arguments.reach.open(console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let client = std::sync::Arc::clone(&session.client);
    let subject = message.subject.clone();
    session.run(async move {
        match client.publish(message).await {
            Ok(()) => exit::FINE,
            Err(failure) => fail(console, &format!("publishing to `{subject}`"), &failure),
        }
    })
}

/// Asks, and prints what is answered.
pub(super) fn request(arguments: &Req, console: &Console) -> u8 {
    let message = match arguments.message.message(console) {
        Ok(message) => message,
        Err(code) => return code,
    };
    let session = match arguments.reach.open(console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let client = std::sync::Arc::clone(&session.client);
    let subject = message.subject.clone();
    session.run(async move {
        match client.ask_many(message, arguments.count).await {
            Err(failure) => fail(console, &format!("asking `{subject}`"), &failure),
            Ok(answers) if answers.is_empty() => {
                fail(console, &format!("asking `{subject}`"), &Failure::Timeout(client.timeout()))
            }
            Ok(answers) => {
                for answer in &answers {
                    print(arguments, answer, console);
                }
                if answers.len() < arguments.count {
                    let failure = Failure::Timeout(client.timeout());
                    let seen = count(answers.len() as u64, "answer");
                    return fail(console, &format!("asking `{subject}`: {seen} of {}", arguments.count), &failure);
                }
                exit::FINE
            }
        }
    })
}

fn print(arguments: &Req, answer: &Message, console: &Console) {
    if console.is_json() || arguments.headers || arguments.count > 1 {
        bytes(shown(answer, arguments.headers, console).as_bytes());
        return;
    }
    // The one thing that was asked for, as it is: it may go into a file.
    let mut payload = answer.payload().to_vec();
    if std::str::from_utf8(&payload).is_ok_and(|text| !text.ends_with('\n')) {
        payload.push(b'\n');
    }
    bytes(&payload);
}

/// Says what did not come about.
pub(super) fn fail(console: &Console, doing: &str, failure: &Failure) -> u8 {
    console.complain(&format!("error: {doing}: {failure}"));
    exit::NOT_MET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_base64_as_the_standard_gives_them() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn a_header_has_a_name_and_one_line() {
        assert_eq!(name_and_value("X-Tenant: bridge"), Ok(("X-Tenant".to_owned(), "bridge".to_owned())));
        assert_eq!(name_and_value("A:b:c"), Ok(("A".to_owned(), "b:c".to_owned())));
        for wrong in ["X-Tenant", ":a", "a b:c", "a:b\r\nc: d"] {
            assert!(name_and_value(wrong).is_err(), "{wrong:?}");
        }
    }
}
