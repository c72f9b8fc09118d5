//! The reader against daemons that do as they are told, and against chronyd itself.

use std::net::UdpSocket as StdUdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::wire::tests::{FIVE_SOURCES, SELECTED, SYNCED, bytes_of};
use super::*;
use crate::scratch::Scratch;

mod real;

/// How long a test waits before it takes something for hanging.
const HANGS: Duration = Duration::from_secs(10);

/// A reader of chronyd at one place, which runs no tools.
fn reader_of(place: &str) -> ChronyReader {
    reader_of_each(&[place])
}

fn reader_of_each(places: &[&str]) -> ChronyReader {
    let places: Vec<Daemon> = places.iter().map(|place| place.parse().expect("a place")).collect();
    ChronyReader::at(places, Fallback::within(None, "/nowhere".into(), HANGS))
}

async fn read(reader: &mut ChronyReader) -> Result<NtpStatus, Unread> {
    let clock = Clock::new();
    let answer = tokio::time::timeout(HANGS, reader.read(&clock)).await.expect("a reader never hangs");
    answer.map(|reading| match reading {
        Reading::Ntp(status) => status,
        other @ (Reading::Ptp(_) | Reading::Gps(_) | Reading::Kernel(_)) => panic!("no NTP daemon: {other:?}"),
    })
}

fn counted(asked: u64, timeouts: u64, strays: u64, malformed: u64) -> ReaderCounters {
    ReaderCounters { asked, timeouts, strays, malformed }
}

/// A recorded answer to `question`; it claims that there are `sources` of them.
fn answer(question: &[u8], sources: u32) -> Vec<u8> {
    let mut datagram = match question[5] {
        33 => bytes_of(SYNCED),
        14 => bytes_of(FIVE_SOURCES),
        15 => bytes_of(SELECTED),
        other => panic!("an unexpected command: {other}"),
    };
    if question[5] == 14 {
        datagram[28..32].copy_from_slice(&sources.to_be_bytes());
    }
    datagram[16..20].copy_from_slice(&question[8..12]);
    datagram
}

/// A daemon on a UDP port of its own that does `act` with each question; it ends with the test.
struct Fake {
    place: String,
    questions: Arc<AtomicU64>,
}

impl Fake {
    fn new(mut act: impl FnMut(&StdUdpSocket, &[u8], std::net::SocketAddr) + Send + 'static) -> Self {
        let socket = StdUdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(HANGS)).expect("a socket");
        let place = socket.local_addr().expect("an address").to_string();
        let questions = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&questions);
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                heard.fetch_add(1, Ordering::Relaxed);
                act(&socket, &buffer[..length], from);
            }
        });
        Self { place, questions }
    }
}

fn send(socket: &StdUdpSocket, datagram: &[u8], to: std::net::SocketAddr) {
    // The test may have its answer and be gone.
    let _ = socket.send_to(datagram, to);
}

/// The obstacle and the counters of a reader of this daemon, and that it took no longer than its patience.
async fn obstacle(fake: &Fake) -> (Obstacle, ReaderCounters) {
    let mut reader = reader_of(&fake.place);
    let begun = Instant::now();
    let unread = read(&mut reader).await.expect_err("it cannot be read");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    (unread.cause, reader.counters())
}

#[tokio::test]
async fn a_daemon_that_answers_is_read_in_one_round() {
    let fake = Fake::new(|socket, question, from| send(socket, &answer(question, 1), from));
    let mut reader = reader_of(&fake.place);
    for asked in [3, 6] {
        let status = read(&mut reader).await.expect("a status");
        assert_eq!(status.server.as_deref(), Some("127.0.0.1"));
        assert_eq!(status.sources.map(|sources| sources.len()), Some(1));
        assert_eq!(reader.counters(), counted(asked, 0, 0, 0));
    }
    assert_eq!(reader.daemon(), TimeDaemon::Chronyd);
}

#[tokio::test]
async fn a_daemon_that_answers_nothing_costs_its_patience() {
    let fake = Fake::new(|_, _, _| {});
    assert_eq!(obstacle(&fake).await, (Obstacle::Silent, counted(2, 2, 0, 0)));
}

#[tokio::test]
async fn answers_that_come_too_late_reach_nobody() {
    let mut first = true;
    let fake = Fake::new(move |socket, question, from| {
        if std::mem::take(&mut first) {
            std::thread::sleep(PATIENCE + Duration::from_millis(50));
        }
        send(socket, &answer(question, 0), from);
    });
    let mut reader = reader_of(&fake.place);
    assert_eq!(read(&mut reader).await.expect_err("too late").cause, Obstacle::Silent);
    // Its conversation is closed: no later round hears them.
    tokio::time::sleep(Duration::from_millis(100)).await;
    read(&mut reader).await.expect("a status");
    assert_eq!(reader.counters(), counted(4, 2, 0, 0));
}

#[tokio::test]
async fn second_copies_are_strays() {
    let fake = Fake::new(|socket, question, from| {
        (0..2).for_each(|_| send(socket, &answer(question, 0), from));
    });
    let mut reader = reader_of(&fake.place);
    read(&mut reader).await.expect("a status");
    assert!((1..=2).contains(&reader.counters().strays), "{:?}", reader.counters());
}

#[tokio::test]
async fn answers_to_another_sequence_number_are_strays() {
    let fake = Fake::new(|socket, question, from| {
        let mut other = question.to_vec();
        other[8] ^= 1;
        send(socket, &answer(&other, 0), from);
    });
    assert_eq!(obstacle(&fake).await, (Obstacle::Silent, counted(2, 2, 2, 0)));
}

#[tokio::test]
async fn answers_from_another_socket_are_no_answers() {
    let other = StdUdpSocket::bind("127.0.0.1:0").expect("a port");
    let fake = Fake::new(move |_, question, from| send(&other, &answer(question, 0), from));
    assert_eq!(obstacle(&fake).await, (Obstacle::Silent, counted(2, 2, 0, 0)));
}

#[tokio::test]
async fn nonsense_is_malformed() {
    let fake = Fake::new(|socket, question, from| send(socket, &answer(question, 0)[..27], from));
    assert_eq!(obstacle(&fake).await, (Obstacle::Malformed, counted(2, 2, 0, 2)));
    let fake = Fake::new(|socket, question, from| send(socket, &answer(question, 0)[..29], from));
    assert_eq!(obstacle(&fake).await, (Obstacle::Malformed, counted(2, 0, 0, 2)));
    let fake = Fake::new(|socket, _, from| send(socket, &[], from));
    assert_eq!(obstacle(&fake).await, (Obstacle::Malformed, counted(2, 2, 0, 2)));
}

#[tokio::test]
async fn a_daemon_that_never_ends_sending_is_cut_off() {
    let fake = Fake::new(|socket, _, from| {
        let end = std::time::Instant::now() + Duration::from_secs(1);
        while std::time::Instant::now() < end {
            send(socket, &[0; 60], from);
        }
    });
    let (cause, counters) = obstacle(&fake).await;
    assert_eq!((cause, counters.timeouts), (Obstacle::Malformed, 2));
}

#[tokio::test]
async fn a_daemon_of_four_billion_sources_is_asked_for_the_first_64() {
    let fake = Fake::new(|socket, question, from| send(socket, &answer(question, u32::MAX), from));
    let mut reader = reader_of(&fake.place);
    for rounds in 1..=2 {
        let status = read(&mut reader).await.expect("a status");
        assert_eq!(status.sources.map(|sources| sources.len()), Some(SOURCES_MAX));
        assert_eq!(fake.questions.load(Ordering::Relaxed), rounds * 66);
    }
}

#[tokio::test]
async fn sources_that_do_not_answer_leave_tracking_to_be_told() {
    let fake = Fake::new(|socket, question, from| {
        if question[5] != 15 {
            send(socket, &answer(question, 2), from);
        }
    });
    let mut reader = reader_of(&fake.place);
    let status = read(&mut reader).await.expect("a status");
    assert_eq!((status.sources, reader.counters()), (None, counted(4, 2, 0, 0)));
}

#[tokio::test]
async fn a_question_that_is_dropped_leaves_nothing_behind() {
    let fake = Fake::new(|socket, question, from| {
        std::thread::sleep(Duration::from_millis(20));
        send(socket, &answer(question, 0), from);
    });
    let mut reader = reader_of(&fake.place);
    let clock = Clock::new();
    let dropped = tokio::time::timeout(Duration::from_millis(5), reader.read(&clock)).await;
    assert!(dropped.is_err(), "it was to be dropped while it waits");
    read(&mut reader).await.expect("a status");
}

#[tokio::test]
async fn what_is_closed_says_which_place_and_why() {
    let free = StdUdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
    let unread = read(&mut reader_of_each(&["/nowhere/chronyd.sock", &free])).await.expect_err("nobody is there");
    assert_eq!(unread.cause, Obstacle::Absent);
    let words = format!(
        "/nowhere/chronyd.sock: there is no such socket; {free}: nobody listens there; chronyd does not run, or its \
         command port is closed (`cmdport` in chrony.conf)"
    );
    assert_eq!(unread.detail, words);
}

#[tokio::test]
async fn where_the_first_place_is_closed_the_second_is_asked() {
    let fake = Fake::new(|socket, question, from| send(socket, &answer(question, 0), from));
    read(&mut reader_of_each(&["/nowhere/chronyd.sock", &fake.place])).await.expect("a status");
}

#[test]
fn that_somebody_lets_nobody_in_is_more_than_that_nobody_is_there() {
    let absent = || Unread::new(Obstacle::Absent, "a");
    let denied = || Unread::new(Obstacle::Denied, "d");
    assert_eq!(both(&absent(), &absent()), Unread::new(Obstacle::Absent, "a; a"));
    assert_eq!(both(&denied(), &absent()), Unread::new(Obstacle::Denied, "d; a"));
    assert_eq!(both(&absent(), &denied()), Unread::new(Obstacle::Denied, "a; d"));
}

#[test]
fn chronyd_is_where_the_configuration_says_or_else_where_it_usually_is() {
    let places = |chrony| ChronyReader::new(&TimeSection { chrony, ..TimeSection::default() }).places;
    let configured: Daemon = "10.0.0.1:1323".parse().expect("a place");
    assert_eq!(places(Some(configured.clone())), [configured]);
    let usual: Vec<String> = places(None).iter().map(Daemon::to_string).collect();
    assert_eq!(usual.first().map(String::as_str), Some("/run/chrony/chronyd.sock"));
    assert_eq!(usual.last().map(String::as_str), Some("127.0.0.1:323"));
}
