//! A host that beats, asks and answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{BufReader, split};
use tokio::time::{Instant, interval, sleep};
use turmoil::net::TcpStream;

use crate::frame::Frame;
use crate::{Counters, MONITORS, STARTUP, broker};

/// Between two heartbeats, and between two requests.
const BEAT_EVERY: Duration = Duration::from_secs(5);
const ASK_EVERY: Duration = Duration::from_secs(1);
/// After which a request counts as unanswered, as nunect's prober has it.
const PATIENCE: Duration = Duration::from_secs(1);
/// About as much as a heartbeat of nunect.
const HEARTBEAT_BYTES: usize = 160;

/// What a host is called.
pub(crate) fn name(number: usize) -> String {
    format!("n{number:04}")
}

/// What the monitors hear.
const HEARTBEAT: &str = "heartbeat";

pub(crate) async fn run(number: usize, hosts: usize, begin: Duration, counters: Arc<Counters>) -> turmoil::Result {
    sleep(begin).await;
    let (reading, mut writing) = split(TcpStream::connect(("broker", broker::PORT)).await?);
    let mut reading = BufReader::new(reading);
    let (echo, inbox) = (format!("echo.{}", name(number)), format!("inbox.{}", name(number)));
    Frame::subscribe(&echo).write(&mut writing).await?;
    Frame::subscribe(&inbox).write(&mut writing).await?;
    if number < MONITORS {
        Frame::subscribe(HEARTBEAT).write(&mut writing).await?;
    }
    let mut last_seen: BTreeMap<String, Instant> = BTreeMap::new();
    let (heard, mut frames) = tokio::sync::mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        while let Ok(frame) = Frame::read(&mut reading).await {
            if heard.send(frame).is_err() {
                return;
            }
        }
    });
    // Until everybody is there, nobody is asked.
    sleep(STARTUP).await;
    let next = format!("echo.{}", name((number + 1) % hosts));
    let (mut beat, mut ask) = (interval(BEAT_EVERY), interval(ASK_EVERY));
    let mut asked: Option<Instant> = None;
    loop {
        tokio::select! {
            _ = beat.tick() => {
                let mut payload = name(number).into_bytes();
                payload.resize(HEARTBEAT_BYTES, b' ');
                Frame::publish(HEARTBEAT, payload).write(&mut writing).await?;
            }
            now = ask.tick() => {
                if asked.replace(now).is_some() {
                    counters.unanswered.fetch_add(1, Ordering::Relaxed);
                }
                Frame::publish(&next, inbox.as_bytes()).write(&mut writing).await?;
            }
            frame = frames.recv() => {
                let Some(Frame { subject, payload, .. }) = frame else {
                    return Err("the broker is gone".into());
                };
                if subject == echo {
                    Frame::publish(String::from_utf8(payload)?, "x").write(&mut writing).await?;
                } else if subject == inbox {
                    if asked.take().is_some_and(|asked| asked.elapsed() < PATIENCE) {
                        counters.answers.fetch_add(1, Ordering::Relaxed);
                    }
                } else {
                    let sender = payload.get(..name(0).len()).unwrap_or_default();
                    last_seen.insert(String::from_utf8_lossy(sender).into_owned(), Instant::now());
                    counters.heartbeats.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}
