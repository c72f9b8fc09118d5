//! The reader against scripted daemons, and against the real one.

use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Instant as StdInstant;

use nunect_core::clock::{PtpState, ScaledNanos};
use tokio::net::UnixDatagram;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::wire::Question;
use super::*;
use crate::scratch::Scratch;
use crate::sync::lock;

mod domains;
mod misbehaviour;
mod real;

/// The most that a reader may ever take: it is to answer within a second.
const BOUND: Duration = Duration::from_secs(1);
/// The domain of the scripted daemons, and of those whose answers they repeat.
const DOMAIN: u8 = 24;

/// What a recorded clock answered to a question, made to be the answer to `question`.
fn recorded(whose: &str, question: &Question) -> Vec<Vec<u8>> {
    let lines = include_str!("wire/golden.txt").lines().filter(|line| !line.starts_with('#'));
    let answers = lines.filter_map(|line| {
        let (name, hex) = line.strip_prefix(whose)?.trim_start().split_once(' ')?;
        (name == question.data_set.as_str()).then_some(hex)
    });
    answers
        .map(|hex| {
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
            let mut datagram: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            datagram[0] |= question.transport_specific << 4;
            datagram[4] = question.domain;
            datagram[30..32].copy_from_slice(&question.sequence.to_be_bytes());
            datagram[34..42].copy_from_slice(&question.source.clock.0);
            datagram[42..44].copy_from_slice(&question.source.port.to_be_bytes());
            datagram
        })
        .collect()
}

/// What an ordinary clock that follows says.
fn ordinary(question: &Question) -> Vec<Vec<u8>> {
    recorded("ordinary", question)
}

/// A daemon that follows a script.
struct Daemon {
    path: PathBuf,
    asked: Arc<Mutex<Vec<Question>>>,
    task: JoinHandle<()>,
}

impl Daemon {
    /// Answers at once what `script` says to the questions in its domain, as ptp4l does.
    fn answering(folder: &Scratch, script: impl FnMut(&Question) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Self::slow(folder, (DOMAIN, 0), Duration::ZERO, script)
    }

    /// The same, `late` after each question.
    fn slow(
        folder: &Scratch,
        domain: (u8, u8),
        late: Duration,
        mut script: impl FnMut(&Question) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Self {
        let path = folder.path().join("ptp4l");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 100];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.expect("a question");
                let question = Question::decode(&buffer[..length]).expect("a question");
                if (question.domain, question.transport_specific) != domain {
                    continue;
                }
                lock(&seen).push(question);
                sleep(late).await;
                for answer in script(&question) {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer, from.as_pathname().expect("a path to answer to")).await;
                }
            }
        });
        Self { path, asked, task }
    }

    fn asked(&self) -> Vec<DataSet> {
        lock(&self.asked).iter().map(|question| question.data_set).collect()
    }

    fn section(&self) -> TimeSection {
        TimeSection { ptp_socket: Some(self.path.clone()), ptp_domain: DOMAIN, ..TimeSection::default() }
    }

    fn reader(&self) -> PtpReader {
        PtpReader::new(&self.section())
    }

    /// Ends it, and leaves its socket behind, as a daemon does that is killed.
    async fn killed(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Asks once.
async fn read(reader: &mut PtpReader) -> Result<PtpStatus, Unread> {
    let clock = Clock::new();
    let reading = timeout(BOUND, reader.read(&clock)).await.expect("an answer within a second, whatever happens")?;
    let Reading::Ptp(status) = reading else { panic!("{reading:?} is not ptp4l's") };
    Ok(status)
}

/// What is wrong, and in which words.
async fn trouble(reader: &mut PtpReader) -> (Obstacle, String) {
    let unread = read(reader).await.expect_err("it cannot be read");
    (unread.cause, unread.detail.into_owned())
}

fn counted(reader: &PtpReader) -> (u64, u64, u64, u64) {
    let counters = reader.counters();
    (counters.asked, counters.timeouts, counters.strays, counters.malformed)
}

#[tokio::test]
async fn a_report_says_what_ptp4l_says() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, ordinary);
    let mut reader = daemon.reader();
    assert_eq!(reader.daemon(), TimeDaemon::Ptp4l);
    let status = read(&mut reader).await.expect("a report");
    assert_eq!((status.domain, status.port, status.steps_removed), (DOMAIN, PtpState::Slave, 2));
    assert_eq!((status.grandmaster_present, status.grandmaster_class), (true, 6));
    assert_eq!(status.grandmaster_accuracy_ns, Some(100));
    assert!(status.ingress_ns > 0 && status.offset_ns != 0 && status.path_delay > ScaledNanos(0), "{status:?}");
    assert_eq!(
        (status.announce_timeout, status.sync_interval),
        (Duration::from_millis(750), Duration::from_millis(125))
    );
    assert_eq!((status.utc_offset_s, status.ptp_timescale), (None, false));
    assert_eq!((status.hardware, status.interface.as_deref()), (Some(false), Some("s0")));
    assert_eq!((status.card, status.grandmaster_address), (None, None));
}

#[tokio::test]
async fn what_changes_rarely_is_asked_for_once_and_over_one_socket() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, ordinary);
    let mut reader = daemon.reader();
    for _ in 0..3 {
        read(&mut reader).await.expect("a report");
    }
    let each = [DataSet::Port, DataSet::TimeStatus, DataSet::Current, DataSet::Parent];
    let rarely = [DataSet::PortProperties, DataSet::TimeProperties];
    assert_eq!(daemon.asked(), [&each[..], &rarely, &each, &each].concat());
    assert_eq!(counted(&reader), (14, 0, 0, 0));
    let files = folder.names();
    assert!(matches!(&files[..], [own, daemon] if own.starts_with("nunect-ptp.") && daemon == "ptp4l"), "{files:?}");
    drop(reader);
    assert_eq!(folder.names(), ["ptp4l"]);
}

#[tokio::test]
async fn what_changes_rarely_is_asked_for_again_with_another_grandmaster() {
    let folder = Scratch::new();
    let mut parents = 0;
    let daemon = Daemon::answering(&folder, move |question| {
        let mut answers = ordinary(question);
        if question.data_set == DataSet::Parent {
            parents += 1;
            answers[0][wire::QUESTION_BYTES + 24] = if parents > 2 { 1 } else { 2 };
        }
        answers
    });
    let mut reader = daemon.reader();
    for asked in [6, 10, 16, 20] {
        read(&mut reader).await.expect("a report");
        assert_eq!(daemon.asked().len(), asked);
    }
}

#[tokio::test]
async fn of_several_ports_the_one_that_follows_counts() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |question| match question.data_set {
        DataSet::Port => {
            let mut ports = recorded("boundary", question);
            ports.reverse();
            ports
        }
        DataSet::PortProperties => {
            assert_eq!(question.target.port, 1, "only the port that counts is asked for its interface");
            recorded("boundary", question).into_iter().take(1).collect()
        }
        DataSet::ClockDescription
        | DataSet::Current
        | DataSet::Parent
        | DataSet::TimeProperties
        | DataSet::TimeStatus => recorded("boundary", question),
    });
    let mut reader = daemon.reader();
    let status = read(&mut reader).await.expect("a report");
    assert_eq!((status.port, status.steps_removed, status.interface.as_deref()), (PtpState::Slave, 1, Some("b0")));
    assert_eq!(counted(&reader), (6, 0, 0, 0));
}

#[tokio::test]
async fn the_grandmaster_tells_its_address_when_one_is_configured() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |question| match question.data_set {
        DataSet::ClockDescription => {
            assert_eq!(question.hops, 2, "as many as there are clocks in between");
            // Somebody else's answer comes first.
            let others = recorded("boundary", question).into_iter().take(1);
            others.chain(recorded("grandmaster", question)).collect()
        }
        DataSet::Current
        | DataSet::Parent
        | DataSet::TimeProperties
        | DataSet::Port
        | DataSet::TimeStatus
        | DataSet::PortProperties => ordinary(question),
    });
    let mut reader = PtpReader::new(&TimeSection { ptp_master: Some("10.9.0.1".to_owned()), ..daemon.section() });
    let address = read(&mut reader).await.expect("a report").grandmaster_address;
    assert_eq!(address, "10.9.0.1".parse().ok());
    assert_eq!(counted(&reader), (7, 0, 1, 0));
    assert_eq!(read(&mut reader).await.expect("a report").grandmaster_address, address, "it is remembered");
    assert_eq!(daemon.asked().iter().filter(|set| **set == DataSet::ClockDescription).count(), 1);
}

#[tokio::test]
async fn a_grandmaster_that_does_not_tell_its_address_costs_no_report() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |question| {
        if question.data_set == DataSet::ClockDescription { Vec::new() } else { ordinary(question) }
    });
    let mut reader = PtpReader::new(&TimeSection { ptp_master: Some("10.9.0.1".to_owned()), ..daemon.section() });
    for _ in 0..3 {
        assert_eq!(read(&mut reader).await.expect("a report").grandmaster_address, None);
    }
    assert_eq!(counted(&reader), (15, 1, 0, 0), "it is not asked every time");
}

#[test]
fn a_reader_looks_in_the_usual_places_or_in_the_one_that_is_configured() {
    let mut time = TimeSection::default();
    assert_eq!(PtpReader::new(&time).places, PLACES.map(PathBuf::from));
    time.ptp_master = Some("001122.fffe.334455".to_owned());
    assert_eq!(PtpReader::new(&time).places, PLACES.map(PathBuf::from));
    // The sockets that only answer let nothing through to the network.
    time.ptp_master = Some("10.0.0.1".to_owned());
    assert_eq!(PtpReader::new(&time).places, PLACES_TO_NETWORK.map(PathBuf::from));
    time.ptp_socket = Some("/tmp/ptp4l".into());
    assert_eq!(PtpReader::new(&time).places, [PathBuf::from("/tmp/ptp4l")]);
}

#[tokio::test]
async fn the_first_place_where_somebody_listens_counts() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, ordinary);
    let mut reader = daemon.reader();
    let left_behind = folder.path().join("ptp4lro");
    drop(StdUnixDatagram::bind(&left_behind).expect("a socket"));
    reader.places = vec![folder.path().join("nothing"), left_behind, daemon.path.clone()];
    read(&mut reader).await.expect("a report");

    reader.places.pop();
    reader.conversation = None;
    let (obstacle, why) = trouble(&mut reader).await;
    assert_eq!(obstacle, Obstacle::Absent);
    let folder = folder.path().display();
    assert_eq!(why, format!("ptp4l does not run here: nobody listens at {folder}/nothing, {folder}/ptp4lro"));
}
