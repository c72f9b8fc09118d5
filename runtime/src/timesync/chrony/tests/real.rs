//! Against chronyd itself: on loopback, in a folder of its own, with `-x`, by which it never touches the clock.

use std::fs::{self, File, Permissions};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;

use nunect_core::clock::{Leap, NtpVia};

use super::*;

/// How long chronyd may take until it follows its server; it mostly takes 0.35 s.
const SYNC_PATIENCE: Duration = Duration::from_secs(30);

/// A chronyd that ends with the value.
struct Chronyd {
    folder: Scratch,
    process: Child,
    command_port: u16,
}

/// Starts chronyd with the configuration in `folder`. As its user stands whoever runs the test: it is to be able
/// to write there.
fn spawn(folder: &Scratch) -> Child {
    let log = || File::options().create(true).append(true).open(folder.path().join("log")).expect("a file of ours");
    let user = Command::new("id").arg("-un").output().expect("coreutils").stdout;
    tool("chronyd")
        .args(["-x", "-d", "-U", "-u", String::from_utf8_lossy(&user).trim(), "-f"])
        .arg(folder.path().join("conf"))
        .stdout(log())
        .stderr(log())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("chronyd cannot be started ({error}): run the tests by `bash tools/test`, or apt-get install chrony")
        })
}

fn free_port() -> u16 {
    StdUdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    // Where Debian has daemons, for users whose PATH has none.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::null());
    command
}

impl Chronyd {
    /// Starts one with these lines in its configuration.
    fn start(lines: &str) -> Self {
        let folder = Scratch::new();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o750)).expect("a folder of ours");
        let command_port = free_port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "{lines}\ncmdport {command_port}\nbindcmdaddress 127.0.0.1\nbindcmdaddress {}\npidfile {}\ndriftfile {}\n",
            at("socket"),
            at("pid"),
            at("drift"),
        );
        folder.write("conf", &configuration);
        let process = spawn(&folder);
        let chronyd = Self { folder, process, command_port };
        chronyd.wait_for("its sockets", || chronyd.folder.path().join("socket").exists());
        chronyd
    }

    fn server() -> (Self, u16) {
        let port = free_port();
        let lines = format!("local stratum 1\nallow 127.0.0.0/8\nbindaddress 127.0.0.1\nport {port}");
        (Self::start(&lines), port)
    }

    /// A client of the server at `port` that follows it, and of a reference clock that never answers.
    fn client(port: u16, options: &str) -> Self {
        let clock = "refclock SHM 99 refid GPS9 poll 0";
        let iburst = "iburst minpoll -2 maxpoll 0 xleave";
        let client = Self::start(&format!("server 127.0.0.1 port {port} {iburst} {options}\n{clock}\nport 0"));
        let follows = || {
            let tracking = client.chronyc(&["-c", "tracking"]);
            tracking.status.success() && !tracking.stdout.starts_with(b"00000000")
        };
        client.wait_for("that it follows its server", follows);
        client
    }

    fn wait_for(&self, what: &str, mut done: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !done() {
            let log = || self.folder.read("log");
            assert!(begun.elapsed() < SYNC_PATIENCE, "chronyd: waited in vain for {what}\n{}", log());
            sleep(Duration::from_millis(10));
        }
    }

    fn chronyc(&self, arguments: &[&str]) -> Output {
        let port = self.command_port.to_string();
        let mut chronyc = tool("chronyc");
        chronyc.args(["-h", "127.0.0.1", "-p", &port, "-n"]).args(arguments);
        chronyc.output().unwrap_or_else(|error| {
            panic!("chronyc cannot be run ({error}): run the tests by `bash tools/test`, or apt-get install chrony")
        })
    }

    /// What `chronyc` says of it.
    fn status(&self) -> NtpStatus {
        let output = self.chronyc(&["-c", "-m", "tracking", "sources"]);
        tools::chronyc(&String::from_utf8_lossy(&output.stdout)).expect("a status")
    }

    fn socket(&self) -> String {
        self.folder.path().join("socket").display().to_string()
    }

    fn port(&self) -> String {
        format!("127.0.0.1:{}", self.command_port)
    }
}

impl Drop for Chronyd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether `theirs`, shown with a last digit worth `digit`, is between two of our readings.
fn between(before: f64, theirs: f64, after: f64, digit: f64) -> bool {
    (before.min(after) - digit..=before.max(after) + digit).contains(&theirs)
}

/// The reader says the same as `chronyc` where the clock was not corrected in between.
async fn agrees_with_chronyc(chronyd: &Chronyd, place: &str) {
    let mut reader = reader_of(place);
    for _ in 0..200 {
        let ours = read(&mut reader).await.unwrap_or_else(|unread| panic!("{place}: {unread}"));
        let theirs = chronyd.status();
        let after = read(&mut reader).await.unwrap_or_else(|unread| panic!("{place}: {unread}"));
        if ours.reference_time != theirs.reference_time || after.reference_time != theirs.reference_time {
            continue;
        }
        assert_eq!(ours.via, NtpVia::Cmdmon);
        assert_eq!((&ours.server, ours.reference_id), (&theirs.server, theirs.reference_id));
        assert_eq!((ours.stratum, ours.leap), (theirs.stratum, theirs.leap));
        let values = |s: &NtpStatus| {
            // The first two change as time goes by.
            let seconds = [s.correction_s, s.root_dispersion_s, s.last_offset_s, s.rms_offset_s, s.root_delay_s];
            let ppm = [s.frequency_ppm, s.skew_ppm];
            let digits = [1e-9; 5].into_iter().chain([1e-3; 2]).chain([0.1]);
            seconds.into_iter().chain(ppm).chain([s.update_interval_s]).zip(digits).collect::<Vec<_>>()
        };
        for (((before, digit), (theirs, _)), (after, _)) in
            values(&ours).into_iter().zip(values(&theirs)).zip(values(&after))
        {
            assert!(between(before, theirs, after, digit), "{before} {theirs} {after}");
        }
        let shown = |status: &NtpStatus| {
            let sources = status.sources.as_deref().expect("sources");
            sources.iter().map(|s| (s.name.clone(), s.selected, s.stratum, s.poll)).collect::<Vec<_>>()
        };
        assert_eq!(shown(&ours), shown(&theirs));
        return;
    }
    panic!("the clock was corrected between each two questions");
}

#[tokio::test]
async fn it_says_what_chronyc_says_over_both_sockets() {
    let (_server, port) = Chronyd::server();
    let client = Chronyd::client(port, "");
    agrees_with_chronyc(&client, &client.socket()).await;
    agrees_with_chronyc(&client, &client.port()).await;
    assert!(client.folder.names().iter().all(|name| !name.starts_with(NAME)), "{:?}", client.folder.names());
}

#[tokio::test]
async fn it_reads_each_source_with_its_reach_and_age() {
    let (_server, port) = Chronyd::server();
    let client = Chronyd::client(port, "");
    let mut reader = reader_of(&client.socket());
    let status = read(&mut reader).await.expect("a status");
    assert_eq!(status.server.as_deref(), Some("127.0.0.1"));
    let sources = status.sources.expect("sources");
    let [clock, server] = sources.as_slice() else { panic!("two sources: {sources:?}") };
    assert_eq!((&*clock.name, clock.selected, clock.reach, clock.since), ("GPS9", false, 0, None));
    assert_eq!((&*server.name, server.selected, server.stratum), ("127.0.0.1", true, 1));
    assert!(server.reach & 1 == 1 && server.since.is_some_and(|since| since < SYNC_PATIENCE), "{server:?}");
    let asked = reader.counters().asked;
    read(&mut reader).await.expect("a status");
    assert_eq!(reader.counters(), counted(asked + 4, 0, 0, 0), "tracking, the number, and two sources");
}

#[tokio::test]
async fn a_clock_that_is_slow_has_a_negative_offset() {
    let (_server, port) = Chronyd::server();
    let client = Chronyd::client(port, "offset 0.005");
    let status = read(&mut reader_of(&client.port())).await.expect("a status");
    assert!((-5_500_000..-4_500_000).contains(&status.offset_ns()), "{status:?}");
    assert!(status.error_bound_ns() >= 4_500_000, "{status:?}");
}

#[tokio::test]
async fn a_server_of_its_own_time_and_one_that_follows_nobody_are_reported_as_they_are() {
    let (server, _) = Chronyd::server();
    let status = read(&mut reader_of(&server.socket())).await.expect("a status");
    assert_eq!((status.reference_id, status.stratum), (NtpStatus::LOCAL_REFERENCE, 1));
    assert_eq!((status.server.as_deref(), status.sources), (Some("127.127.1.1"), Some(Vec::new())));

    let unsynced = Chronyd::start(&format!("server 127.0.0.1 port {}\nport 0", free_port()));
    let status = read(&mut reader_of(&unsynced.socket())).await.expect("a status");
    assert_eq!((status.server, status.reference_id, status.stratum), (None, 0, 0));
    assert_eq!(status.leap, Leap::Unsynchronised);
    let sources = status.sources.expect("sources");
    assert!(sources.iter().all(|source| !source.selected && source.reach == 0), "{sources:?}");
}

#[tokio::test]
async fn a_chronyd_that_is_started_anew_is_found_at_once() {
    let (server, _) = Chronyd::server();
    let mut reader = reader_of_each(&["/nowhere/chronyd.sock", &server.socket(), &server.port()]);
    read(&mut reader).await.expect("a status");
    let mut gone = server;
    gone.process.kill().and_then(|()| gone.process.wait()).expect("a process of ours");
    let unread = read(&mut reader).await.expect_err("it is gone");
    assert_eq!(unread.cause, Obstacle::Absent, "{unread}");
    assert!(unread.detail.contains("its command port is closed"), "{unread}");
    gone.process = spawn(&gone.folder);
    gone.wait_for("an answer", || gone.chronyc(&["-c", "tracking"]).status.success());
    read(&mut reader).await.expect("a status");
}

#[tokio::test]
async fn many_sources_are_read_through_a_socket_that_holds_ten_datagrams() {
    let hosts = (1..=80).map(|host| format!("server 127.0.1.{host} port {}\n", free_port()));
    let chronyd = Chronyd::start(&format!("{}port 0", hosts.collect::<String>()));
    for place in [chronyd.socket(), chronyd.port()] {
        let mut reader = reader_of(&place);
        for _ in 0..2 {
            let status = read(&mut reader).await.expect("a status");
            assert_eq!(status.sources.map(|sources| sources.len()), Some(SOURCES_MAX), "{place}");
        }
        assert_eq!(reader.counters(), counted(2 * 66, 0, 0, 0), "{place}");
    }
}
