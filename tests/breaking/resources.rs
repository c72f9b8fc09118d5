//! What a node needs of its machine is not there, or somebody else has it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::client::Listener;
use crate::harm::{ACTORS, full, tool};
use crate::nats::{NatsServer, free_port};
use crate::unit::{Unit, folder, program, run};

/// A disk is tried again after a second, three times over.
const RETRIED: Duration = Duration::from_secs(3);
/// Open files that a node gets which has too few; it needs some twenty.
const FILES: usize = 40;

/// The configuration of a node of all actors, with `more`.
fn file(more: &str) -> String {
    full(&ACTORS[..8], more)
}

/// A node that its own monitor sees.
fn connected(url: &str, id: &str, arguments: &[&str]) -> Unit {
    let mut unit = Unit::on(url, id, arguments);
    unit.expect_about(id, "unit_online", PATIENCE);
    unit
}

/// A node that logs into `folder`.
fn logging(url: &str, id: &str, folder: &Path) -> Unit {
    let more = format!("logging: {{ file: {{ folder: \"{}\" }} }}", folder.display());
    connected(url, id, &["-c", &file(&more)])
}

/// Has a node write a line into its log.
fn log_line(url: &str, id: &str) {
    for level in ["DEBUG", "INFO"] {
        let told = tool(url, &["log-level", id, level]);
        assert_eq!(told.code, Some(0), "{told:?}");
    }
}

/// What its log shipper says about a file that cannot be written.
fn port_failed(node: &mut Unit) -> String {
    let said = node.all().lines().find(|line| line.contains("port_failed")).map(ToOwned::to_owned);
    said.unwrap_or_else(|| node.expect("logs port_failed", PATIENCE).json.to_string())
}

/// Waits until something is so.
fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lets a node be, and sees that it still lives and talks.
fn lives(url: &str, id: &str) {
    let beats = Listener::on(url, &format!("ops.heartbeat.{id}"));
    beats.next(PATIENCE);
    beats.next(PATIENCE);
}

/// The text of a file once something in it `is` so.
fn text_when(path: &Path, limit: Duration, is: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + limit;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if is(&text) {
            return text;
        }
        assert!(Instant::now() < deadline, "{} holds only:\n{text}", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How `nunect up` ends that does not come up.
fn fails(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(&[&["up", "--json"], arguments].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_full_disk_costs_lines_in_a_file_and_nothing_else() {
    let server = NatsServer::start();
    let folder = folder();
    // Whatever is written to it, the system says that the disk is full. It may be midnight soon.
    let now = jiff::Timestamp::now();
    let days = [now, now + jiff::SignedDuration::from_hours(1)].map(|at| at.strftime("%Y-%m-%d").to_string());
    let files = days.map(|day| folder.join(format!("writer.{day}.1.jsonl")));
    let full: Vec<&PathBuf> = files.iter().filter(|file| symlink("/dev/full", file).is_ok()).collect();
    let mut node = logging(&server.url(), "writer", &folder);
    let words = port_failed(&mut node);
    assert!(words.contains("No space left") && words.contains(&folder.display().to_string()), "{words}");
    assert!(words.contains("make room"), "{words}");

    let logs = Listener::on(&server.url(), "ops.log.*.writer");
    log_line(&server.url(), "writer");
    logs.next(PATIENCE);
    lives(&server.url(), "writer");
    // It was tried again meanwhile.
    std::thread::sleep(RETRIED / 2);
    assert!(node.unexpected().iter().all(|said| !said.what().ends_with("port_failed")), "it is said once");

    full.iter().for_each(|file| std::fs::remove_file(file).expect("a link of this test"));
    let current = folder.join("writer.current.jsonl");
    // The wait before the next try doubles.
    text_when(&current, RETRIED * 4, |text| text.contains("lines are not in this file"));
    let before = std::fs::read_to_string(&current).expect("readable").lines().count();
    log_line(&server.url(), "writer");
    text_when(&current, RETRIED, |text| text.lines().count() > before);
    assert_eq!(node.stop("TERM").code, Some(0));
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}

#[test]
fn a_folder_that_cannot_be_costs_the_log_file_and_an_explicit_socket_the_start() {
    let server = NatsServer::start();
    let folder = folder();
    // Nobody makes a folder below a file, whatever the permissions.
    let file_there = folder.join("file");
    std::fs::write(&file_there, "").expect("a writable folder");
    let mut node = logging(&server.url(), "mute", &file_there.join("logs"));
    let failed = port_failed(&mut node);
    assert!(failed.contains("Not a directory") && failed.contains("name a folder"), "{failed}");
    lives(&server.url(), "mute");
    assert_eq!(node.stop("TERM").code, Some(0));

    let socket = file_there.join("n.sock").display().to_string();
    let (code, words) = fails(&["--unit", "deaf", "--socket", &socket]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains(&socket) && words.contains("Not a directory") && words.contains("--socket"), "{words}");
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}

#[test]
fn a_file_that_may_not_grow_does_not_end_the_node() {
    let server = NatsServer::start();
    let folder = folder();
    let file = file(&format!("logging: {{ file: {{ folder: \"{}\" }} }}", folder.display()));
    let mut command = Command::new("sh");
    // A kilobyte, or half of one.
    command.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(program().get_program());
    command.args(["up", "--json", "--unit", "small", "--nats", &server.url(), "-c", &file]);
    let mut node = Unit::of(&mut command);
    let words = port_failed(&mut node);
    assert!(words.contains("File too large") && words.contains("make room"), "{words}");
    lives(&server.url(), "small");
    assert_eq!(node.stop("TERM").code, Some(0));
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}

/// The first line of the answer to a question for metrics; empty when there is none.
fn metrics(port: u16) -> String {
    let mut answer = String::new();
    let mut ask = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    };
    // Whoever gets no answer has an empty one.
    let _ = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| ask(&mut stream));
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_node_without_a_descriptor_to_spare_lives_and_serves_again_when_there_is_one() {
    let server = NatsServer::start();
    let folder = folder();
    let socket = folder.join("n.sock").display().to_string();
    let port = free_port();
    let file = file(&format!("metrics: {{ listen: \"127.0.0.1:{port}\" }}"));
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" \"$@\"")]).arg(program().get_program());
    command.args(["up", "--json", "--unit", "poor", "--nats", &server.url(), "--socket", &socket, "-c", &file]);
    let mut node = Unit::of(&mut command);
    node.expect_about("poor", "unit_online", PATIENCE);
    until("it has a control socket", || Path::new(&socket).exists());
    assert_eq!(run(&["tree", "poor", "--socket", &socket]).status.code(), Some(0));

    // They connect and say nothing.
    let tools: Vec<UnixStream> = (0..FILES).map_while(|_| UnixStream::connect(&socket).ok()).collect();
    let readers: Vec<TcpStream> = (0..FILES).map_while(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
    node.expect_that("that tools wait", PATIENCE, |said| said.text("/msg").contains("Too many open files"));
    lives(&server.url(), "poor");
    let told = tool(&server.url(), &["probe", "poor", "--count", "1"]);
    assert_eq!(told.code, Some(0), "over the server it is there: {told:?}");
    let refused = run(&["tree", "poor", "--socket", &socket, "--timeout", "1s"]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && words.contains(&socket), "{refused:?}");

    drop((tools, readers));
    let tree = || run(&["tree", "poor", "--socket", &socket, "--timeout", "1s"]);
    until("the control socket serves again", || tree().status.code() == Some(0));
    until("the metrics are there again", || metrics(port).contains("200"));
    let said = node.unexpected();
    assert!(said.iter().all(|said| !said.what().contains("crash")), "{said:#?}");
    assert_eq!(node.stop("TERM").code, Some(0));
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}

#[test]
fn a_second_node_in_the_place_of_the_first_does_not_start_and_disturbs_nobody() {
    let server = NatsServer::start();
    let folder = folder();
    let socket = folder.join("n.sock").display().to_string();
    let port = free_port();
    let metered = file(&format!("metrics: {{ listen: \"127.0.0.1:{port}\" }}"));
    let mut first = connected(&server.url(), "first", &["--socket", &socket, "-c", &metered]);
    until("the first has its metrics", || metrics(port).contains("200"));
    first.unexpected();

    let (code, words) = fails(&["--unit", "second", "--nats", &server.url(), "--socket", &socket]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains(&socket) && words.contains("`first`") && words.contains("--socket"), "{words}");
    // Without a server it does not hear the first: only the socket shows that it is the same unit.
    let (code, words) = fails(&["--unit", "first", "--socket", &socket]);
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains(&socket) && words.contains("`first`"), "{words}");

    let other = folder.join("other.sock").display().to_string();
    let (code, words) = fails(&["--unit", "second", "--nats", &server.url(), "--socket", &other, "-c", &metered]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains(&format!("127.0.0.1:{port}")) && words.contains("metrics.listen"), "{words}");
    assert!(!Path::new(&other).exists(), "it leaves no socket behind");
    assert!(TcpListener::bind(("127.0.0.1", port)).is_err(), "the first still has its port");

    lives(&server.url(), "first");
    assert_eq!(run(&["tree", "first", "--socket", &socket]).status.code(), Some(0));
    assert!(metrics(port).contains("200"));
    let said = first.unexpected();
    let disturbed = said.iter().find(|said| said.what().starts_with("node ") || said.what().contains("actor_"));
    assert!(disturbed.is_none(), "{disturbed:?}");
    assert_eq!(first.stop("TERM").code, Some(0));
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}
