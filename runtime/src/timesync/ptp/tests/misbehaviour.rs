//! Whatever a daemon does costs counters and a bounded time.

use super::*;

#[tokio::test]
async fn a_daemon_that_answers_nothing_is_silent() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |_| Vec::new());
    let mut reader = daemon.reader();
    let (obstacle, why) = trouble(&mut reader).await;
    assert_eq!(obstacle, Obstacle::Silent);
    let at = daemon.path.display();
    assert_eq!(why, format!("ptp4l at {at} does not answer in domain 24, nor in another one, within 200ms"));
    assert_eq!(counted(&reader), (4, 4, 0, 0));

    // The domains are not tried again so soon.
    let begun = StdInstant::now();
    assert_eq!(trouble(&mut reader).await.0, Obstacle::Silent);
    assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
    assert_eq!(folder.names(), ["ptp4l"], "no socket is left into which late answers would pile up");
}

#[tokio::test]
async fn a_daemon_that_answers_too_late_is_silent() {
    let folder = Scratch::new();
    let daemon = Daemon::slow(&folder, (DOMAIN, 0), PATIENCE + Duration::from_millis(50), ordinary);
    let mut reader = daemon.reader();
    assert_eq!(trouble(&mut reader).await.0, Obstacle::Silent);
    assert_eq!(counted(&reader), (4, 4, 0, 0));
}

#[tokio::test]
async fn a_daemon_that_stops_half_way_says_what_is_missing() {
    let folder = Scratch::new();
    let daemon =
        Daemon::answering(
            &folder,
            |question| {
                if question.data_set == DataSet::Current { Vec::new() } else { ordinary(question) }
            },
        );
    let mut reader = daemon.reader();
    let (obstacle, why) = trouble(&mut reader).await;
    let at = daemon.path.display();
    assert_eq!((obstacle, why), (Obstacle::Silent, format!("ptp4l at {at} does not answer CURRENT_DATA_SET in time")));
    assert_eq!(counted(&reader), (4, 1, 0, 0));
}

#[tokio::test]
async fn a_second_copy_of_an_answer_is_a_stray() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |question| [ordinary(question), ordinary(question)].concat());
    let mut reader = daemon.reader();
    read(&mut reader).await.expect("a report");
    read(&mut reader).await.expect("a report");
    // One copy of each of the ten answers; that of the last one is not read yet.
    assert_eq!(counted(&reader), (10, 0, 9, 0));
}

#[tokio::test]
async fn an_answer_with_anothers_sequence_number_or_identity_is_a_stray() {
    let folder = Scratch::new();
    for changed in [31, 43, 4, 0] {
        let daemon = Daemon::answering(&folder, move |question| {
            let mut answers = ordinary(question);
            answers.iter_mut().for_each(|answer| answer[changed] ^= 0x80);
            answers
        });
        let mut reader = daemon.reader();
        assert_eq!(trouble(&mut reader).await.0, Obstacle::Silent, "byte {changed}");
        assert_eq!(counted(&reader), (4, 4, 4, 0), "byte {changed}");
        std::fs::remove_file(&daemon.path).expect("a socket");
    }
}

#[tokio::test]
async fn what_is_no_answer_at_all_is_a_stray() {
    let folder = Scratch::new();
    // A question, and a sync message.
    let daemon = Daemon::answering(&folder, |question| {
        let mut sync = question.encode().to_vec();
        sync[0] = 0;
        [vec![question.encode().to_vec(), sync], ordinary(question)].concat()
    });
    let mut reader = daemon.reader();
    read(&mut reader).await.expect("a report");
    assert_eq!(counted(&reader), (6, 0, 12, 0));
}

#[tokio::test]
async fn an_answer_from_another_socket_does_not_arrive() {
    let folder = Scratch::new();
    let path = folder.path().join("ptp4l");
    let socket = StdUnixDatagram::bind(&path).expect("a socket");
    let stranger = StdUnixDatagram::bind(folder.path().join("stranger")).expect("a socket");
    let answering = std::thread::spawn(move || {
        let mut buffer = [0; 100];
        let (length, from) = socket.recv_from(&mut buffer).expect("a question");
        let question = Question::decode(&buffer[..length]).expect("a question");
        let answer = ordinary(&question);
        let sent = stranger.send_to(&answer[0], from.as_pathname().expect("a path"));
        (sent.map_err(|error| error.kind()), socket)
    });
    let time = TimeSection { ptp_socket: Some(path), ptp_domain: DOMAIN, ..TimeSection::default() };
    let mut reader = PtpReader::new(&time);
    // Nobody reads the other questions: the daemon's queue is full before all domains are tried.
    assert_eq!(trouble(&mut reader).await.0, Obstacle::Silent);
    let (sent, _socket) = answering.join().expect("a stranger");
    assert_eq!(sent, Err(std::io::ErrorKind::PermissionDenied));
    assert_eq!(counted(&reader), (4, 4, 0, 0));
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_malformed() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |question| {
        let mut answers = ordinary(question);
        answers.iter_mut().for_each(|answer| answer.truncate(60));
        answers
    });
    let mut reader = daemon.reader();
    let (obstacle, why) = trouble(&mut reader).await;
    let at = daemon.path.display();
    let said = format!("ptp4l at {at}: its answer cannot be read: it says that it has 80 bytes, and 60 came");
    assert_eq!((obstacle, why), (Obstacle::Malformed, said));
    assert_eq!(counted(&reader), (4, 4, 0, 4));
}

#[tokio::test]
async fn an_answer_with_a_value_that_nobody_knows_is_malformed_and_not_waited_for() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |question| {
        let mut answers = ordinary(question);
        if question.data_set == DataSet::Port {
            answers[0][wire::QUESTION_BYTES + 10] = 77;
        }
        answers
    });
    let mut reader = daemon.reader();
    let begun = StdInstant::now();
    let (obstacle, why) = trouble(&mut reader).await;
    let at = daemon.path.display();
    let said = format!("ptp4l at {at}: its PORT_DATA_SET cannot be read: 77 is no state of a port");
    assert_eq!((obstacle, why), (Obstacle::Malformed, said));
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(counted(&reader), (4, 0, 0, 1));
}

/// The refusal of what a question asks for.
fn refusal(question: &Question) -> Vec<Vec<u8>> {
    let mut answers = ordinary(&Question { data_set: DataSet::Parent, ..*question });
    let id = question.data_set.id().to_be_bytes();
    answers[0][48..56].copy_from_slice(&[0, 2, 0, 8, 0, 2, id[0], id[1]]);
    answers
}

#[tokio::test]
async fn a_daemon_that_refuses_what_is_needed_is_not_read() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |question| {
        if question.data_set == DataSet::TimeStatus { refusal(question) } else { ordinary(question) }
    });
    let mut reader = daemon.reader();
    let (obstacle, why) = trouble(&mut reader).await;
    let at = daemon.path.display();
    assert_eq!(
        (obstacle, why),
        (Obstacle::Refused, format!("ptp4l at {at} refuses TIME_STATUS_NP: there is no such id"))
    );
    assert_eq!(counted(&reader), (4, 0, 0, 0));
}

#[tokio::test]
async fn a_daemon_that_does_not_know_its_interface_is_read_all_the_same() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, |question| {
        if question.data_set == DataSet::PortProperties { refusal(question) } else { ordinary(question) }
    });
    let status = read(&mut daemon.reader()).await.expect("a report");
    assert_eq!((status.hardware, status.interface), (None, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_never_stops_to_talk_is_not_listened_to_for_longer() {
    let folder = Scratch::new();
    let path = folder.path().join("ptp4l");
    let socket = StdUnixDatagram::bind(&path).expect("a socket");
    let talking = std::thread::spawn(move || {
        let mut buffer = [0; 100];
        let (_, from) = socket.recv_from(&mut buffer).expect("a question");
        let path = from.as_pathname().expect("a path").to_owned();
        let mut said = 0_u64;
        while socket.send_to(&[0; 60], &path).is_ok() {
            said += 1;
        }
        said
    });
    let time = TimeSection { ptp_socket: Some(path), ptp_domain: DOMAIN, ..TimeSection::default() };
    let mut reader = PtpReader::new(&time);
    assert_eq!(trouble(&mut reader).await.0, Obstacle::Silent);
    // It ended since the reader's socket did.
    let said = talking.join().expect("a talker");
    assert!(said > 0 && reader.counters().strays <= said, "{said} datagrams");
}

#[tokio::test]
async fn a_daemon_that_was_restarted_is_found_again_at_once() {
    let folder = Scratch::new();
    let daemon = Daemon::answering(&folder, ordinary);
    let mut reader = daemon.reader();
    read(&mut reader).await.expect("a report");
    let path = daemon.path.clone();
    daemon.killed().await;
    let (obstacle, why) = trouble(&mut reader).await;
    let said = format!("ptp4l does not run here: {}: nobody listens there", path.display());
    assert_eq!((obstacle, why), (Obstacle::Absent, said));

    std::fs::remove_file(&path).expect("a socket");
    let daemon = Daemon::answering(&folder, ordinary);
    read(&mut reader).await.expect("a report");
    daemon.killed().await;
    std::fs::remove_file(&path).expect("a socket");
    let _daemon = Daemon::answering(&folder, ordinary);
    read(&mut reader).await.expect("a report, though the socket of before is gone");
}

#[tokio::test]
async fn a_report_that_is_dropped_half_way_leaves_nothing_behind() {
    let folder = Scratch::new();
    let late = Duration::from_millis(4);
    let daemon = Daemon::slow(&folder, (DOMAIN, 0), late, ordinary);
    let mut reader = daemon.reader();
    let clock = Clock::new();
    assert!(timeout(late / 2, reader.read(&clock)).await.is_err(), "it is dropped");
    assert_eq!(folder.names(), ["ptp4l"]);
    read(&mut reader).await.expect("a report");
}
