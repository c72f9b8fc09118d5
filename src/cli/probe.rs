//! `nunect probe`: how long a unit takes to answer.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use nunect_core::protocol::command::{Answer, Call, Command, HealthProbe};
use nunect_core::protocol::echo::{self, ServerTimes};
use nunect_core::{Message, Now, Period, Role, UnitId};
use nunect_runtime::bus::Inbound;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::{Client, Failure, Stream};
use super::console::{Console, Tone, clock_face, count};
use super::exit;
use super::output::micros;
use super::reach::Reach;
use super::wire::fail;

/// Between two probes there is at least this.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What `nunect probe` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The unit.
    #[arg(value_name = "UNIT")]
    unit: UnitId,
    /// End after this many; without it, when it is interrupted.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Time between two.
    #[arg(long, short, value_name = "TIME", default_value = "1s")]
    interval: Period,
    #[command(flatten)]
    reach: Reach,
}

/// What came of the probes.
#[derive(Default)]
struct Seen {
    sent: u64,
    times: Vec<Duration>,
}

/// Probes a unit.
pub(super) fn run(arguments: &Arguments, console: &Console) -> u8 {
    let session = match arguments.reach.open(console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let client = Arc::clone(&session.client);
    session.run(async move {
        health(&arguments.unit, &client, console).await;
        let mut answers = match client.answers().await {
            Ok(answers) => answers,
            Err(failure) => return fail(console, "listening for answers", &failure),
        };
        let seen = probe(arguments, &client, &mut answers, console).await;
        sum_up(&arguments.unit, seen, console)
    })
}

/// The unit's own words on how it does.
async fn health(unit: &UnitId, client: &Client, console: &Console) {
    let question = Call::new(Command::HealthProbe).message(Role::Node, unit);
    let probe = match client.ask(question).await.map(|answer| Answer::parse(&answer)) {
        Ok(Ok(answer)) if answer.error().is_none() => serde_json::from_value::<HealthProbe>(answer.body).ok(),
        Ok(_) | Err(_) => None,
    };
    match (probe, console.is_json()) {
        (Some(probe), true) => console.object(&json!({ "health": probe })),
        (None, true) => console.object(&json!({ "health": Value::Null })),
        (None, false) => console.line(&console.paint(Tone::Dim, &format!("{unit} does not say how it does"))),
        (Some(probe), false) => {
            let percent = |value: Option<u8>| value.map_or_else(|| "–".to_owned(), |value| format!("{value} %"));
            let units = probe.units.map(|units| format!(", sees {}", count(units, "unit"))).unwrap_or_default();
            console.line(&format!(
                "{} {}, up {}, cpu {}, memory {}, rtt {} / {}, clock {} {}{units}",
                console.paint(Tone::Bold, probe.unit.as_str()),
                probe.status,
                clock_face(Duration::from_secs(probe.uptime_s)),
                percent(probe.cpu_percent),
                percent(probe.memory_percent),
                micros(probe.rtt_app_us),
                micros(probe.rtt_native_us),
                probe.clock_source,
                probe.clock_quality,
            ));
        }
    }
}

async fn probe(arguments: &Arguments, client: &Client, answers: &mut Stream, console: &Console) -> Seen {
    let mut seen = Seen::default();
    let mut next = Instant::now();
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    while arguments.count.is_none_or(|most| seen.sent < most) {
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            _ = &mut interrupted => break,
        }
        next = Instant::now() + arguments.interval.0.max(INTERVAL_MIN);
        seen.sent += 1;
        let question = Message::new(echo::subject(&arguments.unit)).body(seen.sent.to_string());
        let outcome = match client.send(seen.sent, question) {
            Err(failure) => Err(failure),
            Ok(sent) => tokio::select! {
                answer = answer(client, answers, seen.sent) => answer.map(|answer| (sent, answer)),
                () = tokio::time::sleep(client.timeout()) => Err(Failure::Timeout(client.timeout())),
                _ = &mut interrupted => {
                    seen.sent -= 1;
                    break;
                }
            },
        };
        match outcome {
            Ok((sent, answer)) => seen.times.push(told(seen.sent, sent, &answer, console)),
            Err(failure) if console.is_json() => {
                console.object(&json!({ "seq": seen.sent, "rtt_app_us": Value::Null, "error": failure.to_string() }));
            }
            Err(failure) => {
                console.line(&format!("seq {}  {}", seen.sent, console.paint(Tone::Warn, &failure.to_string())));
            }
        }
    }
    seen
}

/// The answer to probe number `number`; what comes to an earlier one is too late.
async fn answer(client: &Client, answers: &mut Stream, number: u64) -> Result<Message, Failure> {
    loop {
        match answers.next().await {
            None => return Err(Failure::Away),
            Some(Inbound::Message(answer)) if client.number(&answer.subject) == Some(number) => return Ok(*answer),
            Some(Inbound::NoResponders(subject)) if client.number(&subject) == Some(number) => {
                return Err(Failure::NoResponders);
            }
            Some(Inbound::Message(_) | Inbound::NoResponders(_)) => {}
        }
    }
}

/// Shows an answer, and returns the round trip without the time that the responder kept it.
fn told(number: u64, sent: Now, answer: &Message, console: &Console) -> Duration {
    let whole = answer.received.mono.since(sent.mono);
    // A malformed time counts as none.
    let times = ServerTimes::parse(answer).ok().flatten();
    let trip = times.map_or(whole, |times| times.exchange(sent, answer.received).round_trip());
    let inside = times.map(|_| whole.saturating_sub(trip));
    let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if console.is_json() {
        console.object(&json!({ "seq": number, "rtt_app_us": us(trip), "server_us": inside.map(us) }));
    } else {
        let inside = inside.map(|inside| format!("  server {}", micros(Some(us(inside))))).unwrap_or_default();
        console.line(&format!("seq {number}  rtt {}{}", micros(Some(us(trip))), console.paint(Tone::Dim, &inside)));
    }
    trip
}

fn sum_up(unit: &UnitId, mut seen: Seen, console: &Console) -> u8 {
    seen.times.sort_unstable();
    let us = |duration: &Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let (min, max) = (seen.times.first().map(us), seen.times.last().map(us));
    let median = seen.times.get(seen.times.len() / 2).map(us);
    let lost = seen.sent - seen.times.len() as u64;
    if console.is_json() {
        let figures = json!({ "min": min, "median": median, "max": max });
        console.object(&json!({ "unit": unit, "sent": seen.sent, "lost": lost, "rtt_app_us": figures }));
    } else {
        console.line(&format!(
            "{unit}: {} of {}, min {}, median {}, max {}, {lost} lost",
            count(seen.times.len() as u64, "answer"),
            seen.sent,
            micros(min),
            micros(median),
            micros(max),
        ));
    }
    if seen.times.is_empty() { exit::NOT_MET } else { exit::FINE }
}
