use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::*;
use crate::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(15);

fn options(config: Option<PathBuf>) -> NatsServerOptions {
    let binary = std::env::var_os("NUNECT_NATS_SERVER")
        .expect("NUNECT_NATS_SERVER names no nats-server: run the tests by `bash tools/test`, which fetches one");
    let (listen, unit) = ("127.0.0.1:0".parse().expect("an address"), UnitId::new("alpha").expect("legal"));
    NatsServerOptions { binary: Some(binary.into()), config, listen, unit }
}

fn greeting(address: SocketAddr) -> Option<String> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(line).filter(|line| line.starts_with("INFO "))
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(i32::try_from(process).expect("a process ID")).expect("a process ID")
}

fn lives(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // A zombie whose parent was killed may wait for somebody to bury it.
    test_kill_process(pid(process)).is_ok() && !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_answers_when_it_has_started_and_is_gone_when_it_was_stopped() {
    let server = NatsServer::start(options(None)).await.expect("a server");
    let (address, process) = (server.address, server.process().expect("it runs"));
    assert_eq!(server.url(), format!("nats://{address}"));
    assert!(server.version() >= VERSION_MIN);
    let info = greeting(address).expect("it answers");
    assert!(info.contains("\"server_name\":\"alpha\"") && !info.contains("\"jetstream\":true"), "{info}");
    server.stop().await;
    assert!(!lives(process) && greeting(address).is_none());
}

#[tokio::test]
async fn a_dropped_server_is_gone_at_once_even_when_it_stands_still() {
    let server = NatsServer::start(options(None)).await.expect("a server");
    let process = server.process().expect("it runs");
    kill_process(pid(process), Signal::STOP).expect("ours");
    drop(server);
    assert!(!lives(process));
}

#[tokio::test]
async fn a_server_that_does_not_end_as_asked_is_killed() {
    let server = NatsServer::start(options(None)).await.expect("a server");
    let process = server.process().expect("it runs");
    kill_process(pid(process), Signal::STOP).expect("ours");
    let begin = Instant::now();
    server.stop().await;
    assert!(!lives(process));
    assert!((STOP_MAX..2 * STOP_MAX).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_server_that_dies_is_back_at_once_in_the_same_place() {
    let server = NatsServer::start(options(None)).await.expect("a server");
    for restarts in 1..=2 {
        let process = server.process().expect("it runs");
        kill_process(pid(process), Signal::KILL).expect("ours");
        eventually("another process", || server.process().is_some_and(|other| other != process)).await;
        eventually("an answer", || greeting(server.address).is_some()).await;
        assert_eq!(server.restarts(), restarts);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_told_before_anything_is_started() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = other.local_addr().expect("bound");
    let error = NatsServer::start(NatsServerOptions { listen, ..options(None) }).await.expect_err("it is taken");
    assert!(matches!(error, NatsServerError::Taken { .. }));
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
}

#[tokio::test]
async fn a_configuration_file_decides_and_its_mistakes_are_told() {
    let folder = Scratch::new();
    let path = folder.path().join("nats.conf");
    let missing = NatsServer::start(options(Some(path.clone()))).await.expect_err("there is no file");
    assert!(missing.to_string().contains("nats.conf"), "{missing}");

    let listen = free("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let options = NatsServerOptions { listen, ..options(Some(path.clone())) };
    folder.write("nats.conf", &format!("server_name: beta\nlisten: \"{listen}\"\nlog_file_x: 1\n"));
    let mistaken = NatsServer::start(options.clone()).await.expect_err("it has a mistake").to_string();
    assert!(mistaken.contains("exit status: 1") && mistaken.contains("nats.conf:3:1: unknown field"), "{mistaken}");

    folder.write("nats.conf", &format!("server_name: beta\nlisten: \"{listen}\"\n"));
    let server = NatsServer::start(options).await.expect("a server");
    assert!(greeting(listen).expect("it answers").contains("\"server_name\":\"beta\""));
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_listens_elsewhere_is_told_and_ended() {
    let folder = Scratch::new();
    let elsewhere = free("127.0.0.1:0".parse().expect("an address")).expect("a port");
    folder.write("nats.conf", &format!("listen: \"{elsewhere}\"\n"));
    let options = options(Some(folder.path().join("nats.conf")));
    let error = NatsServer::start(options).await.expect_err("it answers elsewhere");
    assert!(matches!(error, NatsServerError::Silent { .. }));
    assert!(error.to_string().contains("Server is ready"), "{error}");
    assert!(greeting(elsewhere).is_none());
}

/// Names the file that the process which [`a_server_ends_with_a_process_that_is_killed`] kills is to
/// write its server's process into.
const HOLDER: &str = "NUNECT_TEST_HOLDS_A_SERVER";

#[tokio::test]
async fn a_server_ends_with_a_process_that_is_killed() {
    if let Some(file) = std::env::var_os(HOLDER).map(PathBuf::from) {
        let server = NatsServer::start(options(None)).await.expect("a server");
        let draft = file.with_extension("draft");
        std::fs::write(&draft, server.process().expect("it runs").to_string()).expect("ours");
        std::fs::rename(draft, file).expect("ours");
        return tokio::time::sleep(4 * PATIENCE).await;
    }
    let folder = Scratch::new();
    let file = folder.path().join("process");
    let name = "nats_server::tests::a_server_ends_with_a_process_that_is_killed";
    let mut holder = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", name])
        .env(HOLDER, &file)
        .stdout(Stdio::null())
        .spawn()
        .expect("this program again");
    eventually("a server of the other process", || file.exists()).await;
    let process = folder.read("process").parse().expect("a number");
    assert!(lives(process));
    holder.kill().expect("ours");
    holder.wait().expect("ours");
    eventually("the end of the server", || !lives(process)).await;
}
