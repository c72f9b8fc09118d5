//! Figures that are ratios: a node against the same work without it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nunect_benches::Failure;
use nunect_benches::compare::{Comparison, Sample, compare};
use nunect_benches::feed::Feed;
use nunect_benches::running::Running;
use nunect_benches::server::Server;
use nunect_benches::table::{Reach, Row};
use nunect_benches::work::{PAYLOAD_BYTES, SUBJECT, Side, echo_subject};

use crate::product::sibling;

/// Counts of messages whose difference is measured, so that start and end cancel out.
const FEW: u64 = 20_000;
const MANY: u64 = 120_000;
/// Messages of one run against the clock.
const RECEIVED: u64 = 400_000;
const RECEIVED_WITH_HEADERS: u64 = 150_000;
const BURSTS: u64 = 64 * 20_000;
const BALLS: u64 = 300_000;
/// Echo requests of one run, after some that warm it up.
const ECHOES: usize = 3_000;
const ECHOES_BEFORE: usize = 300;

/// One program of `measured`, with its arguments.
type Program<'a> = &'a [&'a str];

fn measured(side: Side, program: Program<'_>, more: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(sibling("measured")?);
    command.arg(program[0]).arg(side.as_str()).args(&program[1..]).args(more);
    Ok(command)
}

// --- instructions --------------------------------------------------------------------------------------------

pub(crate) fn instructions(profiles: Option<&Path>) -> Result<Vec<Row>, Failure> {
    let row = |what: &str, reach, (ratio, spread)| Row {
        what: format!("instructions for each message, {what}"),
        reach,
        figure: ratio,
        unit: "",
        spread,
        control: "exact".to_owned(),
        command: "tools/bench instructions",
    };
    let mut rows = Vec::new();
    for (what, reach, headers) in [
        ("NATS into `handle`, no headers", Reach::Most(1.30), false),
        ("NATS into `handle`, 8 headers read", Reach::Most(1.08), true),
    ] {
        let server = Server::start()?;
        let run = |side, count: u64| {
            let (url, count_text) = (server.url(), count.to_string());
            let mut program = vec!["receive", &url, &count_text];
            if headers {
                program.push("--headers");
            }
            let name = format!("receive-{}-{}-{count}", side_name(side), if headers { 8 } else { 0 });
            server.wait_for_silence(SUBJECT)?;
            let receiver = Running::spawn(&mut under_callgrind(side, &program, profiles, &name)?)?;
            server.wait_for_reader(SUBJECT)?;
            Feed::connect(&server.address(), headers)?.run(count, &receiver)?;
            collected(&receiver.finish()?)
        };
        rows.push(row(what, reach, for_each_message(run)?));
    }
    for (what, reach, program) in
        [("local, bursts of 64", Reach::Told, "burst"), ("local, single ping-pong", Reach::Told, "ping-pong")]
    {
        let run = |side, count: u64| {
            let (count_text, name) = (count.to_string(), format!("{program}-{}-{count}", side_name(side)));
            let running = Running::spawn(&mut under_callgrind(side, &[program, &count_text], profiles, &name)?)?;
            running.number("done ")?;
            collected(&running.finish()?)
        };
        rows.push(row(what, reach, for_each_message(run)?));
    }
    Ok(rows)
}

const fn side_name(side: Side) -> &'static str {
    side.as_str()
}

fn under_callgrind(side: Side, program: Program<'_>, profiles: Option<&Path>, name: &str) -> Result<Command, Failure> {
    let profile = match profiles {
        Some(folder) => folder.join(format!("callgrind.{name}")).display().to_string(),
        None => "/dev/null".to_owned(),
    };
    let program = measured(side, program, &["--one-thread"])?;
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={profile}"));
    command.arg(program.get_program()).args(program.get_args());
    Ok(command)
}

/// The instructions that valgrind says it counted.
fn collected(errors: &str) -> Result<u64, Failure> {
    let line = errors.lines().find_map(|line| line.split_once("Collected :")).ok_or("callgrind counted nothing")?;
    Ok(line.1.trim().parse()?)
}

/// The ratio of node to bare, and what each took.
fn for_each_message(run: impl Fn(Side, u64) -> Result<u64, Failure>) -> Result<(f64, String), Failure> {
    let one = |side| -> Result<f64, Failure> {
        let (few, many) = (run(side, FEW)?, run(side, MANY)?);
        #[expect(clippy::cast_precision_loss)]
        Ok((many - few) as f64 / (MANY - FEW) as f64)
    };
    let (node, bare) = (one(Side::Node)?, one(Side::Bare)?);
    Ok((node / bare, format!("{node:.0} / {bare:.0}")))
}

// --- against the clock ---------------------------------------------------------------------------------------

pub(crate) fn throughput(rounds: usize) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (what, count, headers) in [("no headers", RECEIVED, false), ("8 headers read", RECEIVED_WITH_HEADERS, true)] {
        let server = Server::start()?;
        let outcome = compare(rounds, |side| {
            let (url, count_text) = (server.url(), count.to_string());
            let headers_flag: &[&str] = if headers { &["--headers"] } else { &[] };
            server.wait_for_silence(SUBJECT)?;
            let receiver = Running::spawn(&mut measured(side, &["receive", &url, &count_text], headers_flag)?)?;
            server.wait_for_reader(SUBJECT)?;
            let nanos = Feed::connect(&server.address(), headers)?.run(count, &receiver)?;
            receiver.finish()?;
            Ok(rate(count, nanos))
        })?;
        rows.push(Row {
            what: format!("messages a second behind a server, {what}"),
            reach: Reach::Least(0.9),
            ..against_clock(&outcome, "k/s", 1e-3, "tools/bench throughput")
        });
    }
    Ok(rows)
}

pub(crate) fn echo(rounds: usize) -> Result<Vec<Row>, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = Server::start()?;
    let outcome = compare(rounds, |side| {
        server.wait_for_silence(&echo_subject())?;
        let _responder = Running::spawn(&mut measured(side, &["echo", &server.url()], &[])?)?;
        server.wait_for_reader(&echo_subject())?;
        runtime.block_on(ask(&server.url()))
    })?;
    let row = Row {
        what: "echo request-reply, p50".to_owned(),
        reach: Reach::Most(1.15),
        ..against_clock(&outcome, "µs", 1e6, "tools/bench echo")
    };
    Ok(vec![row])
}

/// The median of many requests, one after the other, in seconds.
async fn ask(url: &str) -> Result<f64, Failure> {
    let client = async_nats::connect(url).await?;
    let subject = echo_subject();
    let payload = bytes::Bytes::from(vec![b'x'; PAYLOAD_BYTES]);
    let mut took = Vec::with_capacity(ECHOES);
    for number in 0..ECHOES_BEFORE + ECHOES {
        let start = Instant::now();
        client.request(subject.clone(), payload.clone()).await?;
        if number >= ECHOES_BEFORE {
            took.push(start.elapsed().as_secs_f64());
        }
    }
    Ok(Sample::new(took).median())
}

pub(crate) fn local(rounds: usize) -> Result<Vec<Row>, Failure> {
    let run = |program: &str, side, count: u64| -> Result<u64, Failure> {
        let running = Running::spawn(&mut measured(side, &[program, &count.to_string()], &[])?)?;
        let nanos = running.number("done ")?;
        running.finish()?;
        Ok(nanos)
    };
    let bursts = compare(rounds, |side| Ok(rate(BURSTS, run("burst", side, BURSTS)?)))?;
    let balls = compare(rounds, |side| Ok(1.0 / rate(BALLS, run("ping-pong", side, BALLS)?)))?;
    Ok(vec![
        Row {
            what: "local messages a second, bursts of 64".to_owned(),
            reach: Reach::Least(1.0),
            ..against_clock(&bursts, "k/s", 1e-3, "tools/bench local")
        },
        Row {
            what: "local single ping-pong, time to and fro".to_owned(),
            reach: Reach::Most(2.0),
            ..against_clock(&balls, "µs", 1e6, "tools/bench local")
        },
    ])
}

/// Messages a second.
fn rate(count: u64, nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss)]
    let rate = count as f64 * 1e9 / nanos as f64;
    rate
}

fn against_clock(outcome: &Comparison, unit: &str, scale: f64, command: &'static str) -> Row {
    let Comparison { ratio, control, node, bare } = outcome;
    let (rounds, node, bare) = (ratio.count(), node.median() * scale, bare.median() * scale);
    Row {
        what: String::new(),
        reach: Reach::Told,
        figure: ratio.median(),
        unit: "",
        spread: format!("{}, {rounds} rounds; {node:.1} / {bare:.1} {unit}", ratio.spread()),
        control: format!("{control}, {}", control.spread()),
        command,
    }
}
