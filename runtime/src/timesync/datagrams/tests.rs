use std::os::unix::net::UnixDatagram as Daemon;

use super::*;
use crate::scratch::Scratch;

const SOON: Duration = Duration::from_secs(5);
const AT_ONCE: Duration = Duration::from_millis(30);

fn within(patience: Duration) -> Instant {
    Instant::now() + patience
}

fn cause<T>(result: Result<T, Unread>) -> (Obstacle, String) {
    let unread = result.map(|_| ()).expect_err("it is refused");
    (unread.cause, unread.detail.into_owned())
}

/// A daemon's socket in a folder of its own, and a conversation with it.
fn conversation(folder: &Scratch) -> (Daemon, Datagrams) {
    let path = folder.path().join("daemon");
    let daemon = Daemon::bind(&path).expect("a socket");
    daemon.set_read_timeout(Some(SOON)).expect("a socket");
    let datagrams = Datagrams::unix(&path, "asker").expect("a daemon that listens");
    (daemon, datagrams)
}

#[tokio::test]
async fn a_daemon_is_asked_and_answers_over_a_unix_socket() {
    let folder = Scratch::new();
    let (daemon, datagrams) = conversation(&folder);
    datagrams.send(b"what time is it", within(SOON)).await.expect("room");

    let mut buffer = [0; 64];
    let (length, from) = daemon.recv_from(&mut buffer).expect("a question");
    assert_eq!(&buffer[..length], b"what time is it");
    let file = from.as_pathname().expect("a path to answer to");
    assert_eq!(file.parent(), Some(folder.path()), "beside the daemon's socket, which it surely reaches");
    let mode = fs::metadata(file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o666, "a daemon that dropped its privileges can write to it");

    daemon.send_to(b"noon", file).expect("an answer");
    let length = datagrams.receive(&mut buffer, within(SOON)).await.expect("an answer");
    assert_eq!(&buffer[..length], b"noon");
}

#[tokio::test]
async fn a_dropped_conversation_leaves_no_file() {
    let folder = Scratch::new();
    let (_daemon, datagrams) = conversation(&folder);
    assert_eq!(folder.names().len(), 2);
    drop(datagrams);
    assert_eq!(folder.names(), ["daemon"]);
}

#[tokio::test]
async fn nobody_else_reaches_a_conversation() {
    let folder = Scratch::new();
    let (daemon, datagrams) = conversation(&folder);
    datagrams.send(b"?", within(SOON)).await.expect("room");
    let (_, from) = daemon.recv_from(&mut [0]).expect("a question");
    let file = from.as_pathname().expect("a path");

    let stranger = Daemon::bind(folder.path().join("stranger")).expect("a socket");
    assert_eq!(stranger.send_to(b"midnight", file).map_err(|error| error.kind()), Err(ErrorKind::PermissionDenied));
    assert_eq!(cause(datagrams.receive(&mut [0; 8], within(AT_ONCE)).await).0, Obstacle::Silent);
}

#[tokio::test]
async fn over_udp_nobody_else_reaches_a_conversation_either() {
    let daemon = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    daemon.set_read_timeout(Some(SOON)).expect("a socket");
    let port = daemon.local_addr().expect("bound").port();
    for host in ["127.0.0.1", "localhost"] {
        let address = HostPort { host: host.to_owned(), port };
        let datagrams = Datagrams::udp(&address).await.expect("an address");
        if datagrams.send(b"?", within(SOON)).await.is_err() {
            // A host whose `localhost` is ::1 alone.
            continue;
        }
        let (_, asker) = daemon.recv_from(&mut [0]).expect("a question");
        let stranger = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        stranger.send_to(b"midnight", asker).expect("sent");
        daemon.send_to(b"noon", asker).expect("sent");
        let mut buffer = [0; 8];
        let length = datagrams.receive(&mut buffer, within(SOON)).await.expect("an answer");
        assert_eq!(&buffer[..length], b"noon");
        assert_eq!(cause(datagrams.receive(&mut buffer, within(AT_ONCE)).await).0, Obstacle::Silent);
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_absent_and_costs_no_file() {
    let folder = Scratch::new();
    let path = folder.path().join("daemon");
    let (obstacle, why) = cause(Datagrams::unix(&path, "asker"));
    assert_eq!((obstacle, why), (Obstacle::Absent, format!("{}: there is no such socket", path.display())));

    drop(Daemon::bind(&path).expect("a socket"));
    let (obstacle, why) = cause(Datagrams::unix(&path, "asker"));
    assert_eq!((obstacle, why), (Obstacle::Absent, format!("{}: nobody listens there", path.display())));
    assert_eq!(folder.names(), ["daemon"]);

    let stream = folder.path().join("stream");
    let _listener = std::os::unix::net::UnixListener::bind(&stream).expect("a socket");
    assert_eq!(cause(Datagrams::unix(&stream, "asker")).0, Obstacle::Absent);
}

#[tokio::test]
async fn a_daemon_that_goes_away_is_absent_from_then_on() {
    let folder = Scratch::new();
    let (daemon, datagrams) = conversation(&folder);
    drop(daemon);
    assert_eq!(cause(datagrams.send(b"?", within(SOON)).await).0, Obstacle::Absent);
    assert_eq!(cause(datagrams.send(b"?", within(SOON)).await).0, Obstacle::Absent);

    let port = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a port").port();
    let datagrams = Datagrams::udp(&HostPort::loopback(port)).await.expect("an address");
    datagrams.send(b"?", within(SOON)).await.expect("the first one is not known to be lost");
    let (obstacle, why) = cause(datagrams.receive(&mut [0], within(SOON)).await);
    assert_eq!((obstacle, why), (Obstacle::Absent, format!("127.0.0.1:{port}: nobody listens there")));
}

#[tokio::test]
async fn a_daemon_that_reads_nothing_costs_no_more_than_the_patience() {
    let folder = Scratch::new();
    let (_daemon, datagrams) = conversation(&folder);
    let mut result = Ok(());
    // The queue of a socket is bounded by `net.unix.max_dgram_qlen` datagrams, and by their bytes.
    for _ in 0..100_000 {
        result = datagrams.send(&[0; 54], within(AT_ONCE)).await;
        if result.is_err() {
            break;
        }
    }
    assert_eq!(cause(result).0, Obstacle::Silent);
}

#[test]
fn a_path_that_no_socket_can_have_is_an_error_in_words() {
    let (obstacle, why) = cause(Datagrams::unix(Path::new("run/ptp4l"), "asker"));
    assert_eq!(
        (obstacle, why.as_str()),
        (Obstacle::Absent, "run/ptp4l: the path of a daemon's socket begins with `/`")
    );
    let (obstacle, why) = cause(Datagrams::unix(Path::new(&format!("/{}", "x".repeat(107))), "asker"));
    assert_eq!(obstacle, Obstacle::Absent);
    assert!(why.ends_with("108 bytes long; the path of a UNIX socket has at most 107, and no zero"), "{why}");
}

#[tokio::test]
async fn the_next_folder_serves_where_one_takes_no_socket() {
    let folder = Scratch::new();
    let path = folder.path().join("daemon");
    let _daemon = Daemon::bind(&path).expect("a socket");
    let gone = folder.path().join("gone");
    let long = folder.path().join("x".repeat(100));

    let second = Scratch::new();
    let unfit = [gone.clone(), long.clone()];
    let datagrams = Datagrams::unix_from(&path, &[gone, long, second.path().to_owned()], "asker").expect("a folder");
    assert_eq!(second.names().len(), 1);
    drop(datagrams);

    let (obstacle, why) = cause(Datagrams::unix_from(&path, &unfit, "asker"));
    assert_eq!(obstacle, Obstacle::Denied);
    assert!(why.contains("gone: ") && why.contains("cannot answer"), "{why}");
}

#[test]
fn the_socket_of_a_process_that_was_killed_is_removed_and_that_of_a_living_one_stays() {
    let folder = Scratch::new();
    let (dead, living) = (folder.path().join("dead"), folder.path().join("living"));
    drop(Daemon::bind(&dead).expect("a socket"));
    let _socket = Daemon::bind(&living).expect("a socket");
    remove_if_left_behind(&dead);
    remove_if_left_behind(&living);
    assert_eq!(folder.names(), ["living"]);
}

#[test]
fn the_folder_of_the_daemon_comes_first_and_the_temporary_one_last() {
    let folders = folders(Path::new("/var/run/ptp/ptp4l"));
    assert_eq!(folders.first().map(PathBuf::as_path), Some(Path::new("/var/run/ptp")));
    assert_eq!(folders.last(), Some(&env::temp_dir()));
}
