//! `nunect time sync`: how far this machine's clock is from that of a unit.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use annotate_snippets::Level;
use clap::Args;
use nunect_core::clock::sync::{EXCHANGES_MAX, SyncClient, Synced};
use nunect_core::protocol::header::{ClockQuality, ClockSource};
use nunect_core::protocol::time::TimeStatus;
use nunect_core::time::Span;
use nunect_core::time::nanos;
use nunect_core::{Period, UnitId};
use serde::Serialize;

use super::super::client::{Client, Failure};
use super::super::console::{Console, Tone, count};
use super::super::output::plain;
use super::super::reach::Reach;
use super::super::wire::fail;
use super::super::{exit, problem};
use super::ask::{Asker, Silence};
use super::table::quality;

/// Between two exchanges there is at least this.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What `nunect time sync` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The unit that is asked for the time.
    #[arg(long, value_name = "UNIT")]
    from: UnitId,
    /// Exchanges, 1 to 64; the one with the shortest round trip counts.
    #[arg(long, short, value_name = "N", default_value_t = 8, value_parser = exchanges)]
    count: usize,
    /// Time between two.
    #[arg(long, short, value_name = "TIME", default_value = "200ms")]
    interval: Period,
    #[command(flatten)]
    reach: Reach,
}

fn exchanges(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=EXCHANGES_MAX).contains(number));
    number.ok_or_else(|| format!("write a number from 1 to {EXCHANGES_MAX}"))
}

/// What came of the exchanges.
#[derive(Default)]
struct Seen {
    client: SyncClient,
    /// Questions.
    asked: usize,
    answered: usize,
    /// What the unit knows of its clock, as it said last.
    status: TimeStatus,
    /// Why the last question was not answered.
    silence: Option<Silence>,
}

/// The result, for programs.
#[derive(Serialize)]
struct Json<'a> {
    unit: &'a UnitId,
    asked: usize,
    answered: usize,
    impossible: usize,
    offset_ns: Option<i64>,
    error_ns: Option<u64>,
    way_error_ns: Option<u64>,
    uncertainty_ns: Option<u64>,
    round_trip_ns: Option<RoundTrip>,
    source: Option<ClockSource>,
    quality: Option<ClockQuality>,
    holdover_ms: Option<u64>,
}

#[derive(Serialize)]
struct RoundTrip {
    min: u64,
    median: u64,
}

/// Compares this machine's clock with a unit's.
pub(super) fn run(arguments: &Arguments, console: &Console) -> u8 {
    let session = match arguments.reach.open(console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let client = Arc::clone(&session.client);
    session.run(async move {
        let mut asker = match Asker::open(&client, None).await {
            Ok(asker) => asker,
            Err(failure) => return fail(console, "listening for answers", &failure),
        };
        let seen = tokio::select! {
            seen = exchange(arguments, &mut asker) => seen,
            _ = tokio::signal::ctrl_c() => return exit::NOT_MET,
        };
        told(&arguments.from, &seen, &client, console)
    })
}

async fn exchange(arguments: &Arguments, asker: &mut Asker<'_>) -> Seen {
    let mut seen = Seen::default();
    while seen.asked < arguments.count {
        if seen.asked > 0 {
            tokio::time::sleep(arguments.interval.0.max(INTERVAL_MIN)).await;
        }
        seen.asked += 1;
        match asker.ask_one(&arguments.from).await {
            Ok(told) => {
                seen.answered += 1;
                seen.client.add(told.exchange, told.clock);
                seen.status = told.status;
            }
            // Where nobody listens, nobody will within a second.
            Err(silence @ Silence::Failed(Failure::NoResponders)) => {
                seen.silence = Some(silence);
                break;
            }
            Err(silence) => seen.silence = Some(silence),
        }
    }
    seen
}

fn told(unit: &UnitId, seen: &Seen, client: &Client, console: &Console) -> u8 {
    let result = seen.client.result();
    if console.is_json() {
        let has_answered = seen.answered > 0;
        console.object(&Json {
            unit,
            asked: seen.asked,
            answered: seen.answered,
            impossible: seen.client.impossible(),
            offset_ns: result.map(|synced| synced.offset_ns),
            error_ns: result.map(|synced| synced.error_ns()),
            way_error_ns: result.map(|synced| synced.way_error_ns),
            uncertainty_ns: result.and_then(|synced| synced.uncertainty_ns),
            round_trip_ns: result.map(|synced| RoundTrip { min: nanos(synced.shortest), median: nanos(synced.median) }),
            source: result.map(|synced| synced.source),
            quality: result.map(|synced| synced.quality),
            holdover_ms: seen.status.holdover_ms.filter(|_| has_answered),
        });
    }
    let Some(synced) = result else {
        let why = match &seen.silence {
            Some(silence) => silence.to_string(),
            None => "its answers tell of times that cannot be: its clock was set in between".to_owned(),
        };
        let reason = format!("unit `{unit}` does not tell the time: {why} ({})", client.describe());
        let help = "`nunect time` shows who does";
        console.complain(&problem::render(console, Level::ERROR, &reason, None, help));
        return exit::NOT_MET;
    };
    if !console.is_json() {
        console.line(&words(unit, &synced, &seen.status));
        console.line(&how(unit, &synced, seen));
        console.line(&console.paint(Tone::Dim, &hint(unit, &synced, &seen.status)));
    }
    exit::FINE
}

fn size(ns: u64) -> String {
    Span::unsigned(ns).to_string()
}

/// What the result means.
fn words(unit: &UnitId, synced: &Synced, status: &TimeStatus) -> String {
    let size_ns = synced.offset_ns.unsigned_abs();
    let side = if synced.offset_ns < 0 { "behind" } else { "ahead of" };
    let error_ns = synced.error_ns();
    let doubt = if size_ns <= error_ns { ", which is no difference that can be told" } else { "" };
    let clock = format!("{} {}", synced.source, quality(status));
    let worth = match (synced.has_time(), synced.uncertainty_ns) {
        (false, _) => format!("{unit} has no time itself ({clock}): which of the two is off is not known"),
        (true, None) => format!("{unit} is {clock}, and does not say how far its clock may be off"),
        (true, Some(_)) => format!("{unit} is {clock}"),
    };
    format!("this machine is {} {side} {unit}, ± {}{doubt}; {worth}", size(size_ns), size(error_ns))
}

/// Where the figures come from.
fn how(unit: &UnitId, synced: &Synced, seen: &Seen) -> String {
    let shares = synced.uncertainty_ns.map_or_else(String::new, |uncertainty_ns| {
        format!("; of the ± the way takes {}, {unit}'s own clock {}", size(synced.way_error_ns), size(uncertainty_ns))
    });
    let impossible = match seen.client.impossible() {
        0 => String::new(),
        number => format!(", {number} of them impossible"),
    };
    let (shortest, median) = (size(nanos(synced.shortest)), size(nanos(synced.median)));
    let answers = count(seen.answered as u64, "answer");
    format!("{answers} of {}{impossible}, round trip min {shortest}, median {median}{shares}", seen.asked)
}

/// How the clock would be set.
fn hint(unit: &UnitId, synced: &Synced, status: &TimeStatus) -> String {
    let set = "no clock was set";
    if !synced.has_time() {
        return format!("{set}: first give {unit} a source of time; `nunect doctor` says there what is missing");
    }
    // What the unit reaches on itself is no server for others.
    let is_own = |server: &&str| server.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let server = status.ntp_server.as_deref().filter(|server| !is_own(server));
    let server = server.map_or_else(|| "HOST".to_owned(), plain);
    match synced.source {
        ClockSource::Ptp => format!("{set}: to have this one follow the same grandmaster, run ptp4l and phc2sys here"),
        ClockSource::Gps | ClockSource::Ntp | ClockSource::Unsynced => {
            format!("{set}: to have this one steered, write `server {server} iburst` into chrony.conf and run chronyd")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synced(offset_ns: i64, uncertainty_ns: Option<u64>, source: ClockSource, quality: ClockQuality) -> Synced {
        let (shortest, median) = (Duration::from_micros(400), Duration::from_micros(600));
        Synced { offset_ns, way_error_ns: 200_000, uncertainty_ns, shortest, median, source, quality }
    }

    fn said(synced: &Synced) -> String {
        let status = TimeStatus {
            active_source: synced.source,
            clock_quality: synced.quality,
            ntp_server: Some("10.0.0.1".to_owned()),
            ..TimeStatus::default()
        };
        let unit = UnitId::new("alpha").expect("legal");
        format!("{}\n{}", words(&unit, synced, &status), hint(&unit, synced, &status))
    }

    #[test]
    fn a_server_that_only_the_unit_reaches_is_no_advice() {
        let synced = synced(0, None, ClockSource::Ntp, ClockQuality::Locked);
        let unit = UnitId::new("alpha").expect("legal");
        let status = TimeStatus { ntp_server: Some("127.0.0.1".to_owned()), ..TimeStatus::default() };
        assert!(hint(&unit, &synced, &status).contains("`server HOST iburst`"));
    }

    #[test]
    fn the_result_is_told_in_words_with_what_to_do_next() {
        let steered = "no clock was set: to have this one steered, write `server 10.0.0.1 iburst` into chrony.conf and run chronyd";
        assert_eq!(
            said(&synced(1_200_000, Some(100_000), ClockSource::Ntp, ClockQuality::Locked)),
            format!("this machine is 1.2 ms ahead of alpha, ± 300.0 µs; alpha is ntp locked\n{steered}")
        );
        assert_eq!(
            said(&synced(-90_000, None, ClockSource::Ntp, ClockQuality::Tracking)),
            format!(
                "this machine is 90.0 µs behind alpha, ± 200.0 µs, which is no difference that can be told; alpha is \
                 ntp tracking, and does not say how far its clock may be off\n{steered}"
            )
        );
        assert_eq!(
            said(&synced(-5_000_000, None, ClockSource::Unsynced, ClockQuality::Freerun)),
            "this machine is 5.0 ms behind alpha, ± 200.0 µs; alpha has no time itself (unsynced freerun): which of the \
             two is off is not known\nno clock was set: first give alpha a source of time; `nunect doctor` says there \
             what is missing"
        );
    }
}
