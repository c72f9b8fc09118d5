//! The reader against a socket that says what the test wants. The pulses are scripted: no receiver is here.

use std::time::Duration;

use nunect_core::clock::PulseKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const VERSION: &str = "{\"class\":\"VERSION\",\"release\":\"3.22\"}\r\n";

fn pulse(second: u64, ahead: u64) -> String {
    format!(
        "{{\"class\":\"PPS\",\"device\":\"/dev/pps0\",\"real_sec\":{second},\"real_nsec\":0,\"clock_sec\":{second},\"clock_nsec\":{ahead},\"precision\":-20}}\r\n"
    )
}

async fn listen() -> (TcpListener, GpsdReader) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let time = TimeSection { gpsd: Some(HostPort::loopback(port)), ..TimeSection::default() };
    (listener, GpsdReader::new(&time))
}

/// Takes a connection, says who it is, and waits until it is asked to watch.
async fn greet(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.expect("a watcher");
    // Else a line may wait for the acknowledgement of the one before.
    stream.set_nodelay(true).expect("a socket");
    stream.write_all(VERSION.as_bytes()).await.expect("it reads");
    let mut asked = vec![0; wire::WATCH.len()];
    stream.read_exact(&mut asked).await.expect("it asks");
    assert_eq!(asked, wire::WATCH);
    stream
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn it_watches_with_one_connection_and_tells_the_latest_pulse() {
    let (listener, mut reader) = listen().await;
    let (first, mut gpsd) = tokio::join!(reader.ask(), greet(&listener));
    assert_eq!(first.expect("it is there").pulse, None);
    let (early, late) = (pulse(1_707_782_400, 700), pulse(1_707_782_401, 900));
    // A line may come in pieces.
    let (head, tail) = late.split_at(40);
    gpsd.write_all(format!("{early}{head}").as_bytes()).await.expect("it reads");
    settle().await;
    let told = reader.ask().await.expect("it is there").pulse.expect("a pulse");
    assert_eq!((told.kind, told.offset_ns(), told.error_ns), (PulseKind::Pps, 700, 954));
    gpsd.write_all(tail.as_bytes()).await.expect("it reads");
    settle().await;
    assert_eq!(reader.ask().await.expect("it is there").pulse.map(|pulse| pulse.offset_ns()), Some(900));
    assert_eq!(reader.counters(), ReaderCounters { asked: 3, ..ReaderCounters::default() });
}

#[tokio::test]
async fn what_is_no_json_is_counted_and_passed_over() {
    let (listener, mut reader) = listen().await;
    let (_, mut gpsd) = tokio::join!(reader.ask(), greet(&listener));
    gpsd.write_all(format!("$GPZDA,1*00\r\n\r\n{}", pulse(1_707_782_400, 5)).as_bytes()).await.expect("it reads");
    settle().await;
    assert!(reader.ask().await.expect("it is there").pulse.is_some());
    assert_eq!(reader.counters().malformed, 1);
    gpsd.write_all(&vec![b'x'; 2 * LINE_MAX]).await.expect("it reads");
    settle().await;
    assert_eq!(reader.ask().await.expect_err("no line").cause, Obstacle::Malformed);
    assert_eq!(reader.counters().malformed, 2);
}

#[tokio::test]
async fn a_gpsd_that_goes_and_comes_is_found_again() {
    let (listener, mut reader) = listen().await;
    let (first, gpsd) = tokio::join!(reader.ask(), greet(&listener));
    assert!(first.is_ok());
    drop(gpsd);
    settle().await;
    let gone = reader.ask().await.expect_err("it is gone");
    assert_eq!(gone.cause, Obstacle::Absent);
    let (again, _gpsd) = tokio::join!(reader.ask(), greet(&listener));
    assert!(again.is_ok());
}

#[tokio::test]
async fn who_does_not_listen_or_is_no_gpsd_is_told_in_time() {
    let (listener, mut reader) = listen().await;
    let begun = Instant::now();
    let mute = reader.ask().await.expect_err("it never speaks");
    assert_eq!(mute.cause, Obstacle::Silent);
    assert!(mute.detail.contains("does not speak as gpsd does"), "{mute}");
    assert!(begun.elapsed() < 3 * PATIENCE);
    assert_eq!(reader.counters().timeouts, 1);
    drop(listener);
    let absent = reader.ask().await.expect_err("nobody listens");
    assert_eq!(absent.cause, Obstacle::Absent);
}
