//! What a service manager is told: sd_notify(3), and the watchdog that the root of the actors feeds.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::nats::NatsServer;
use crate::raw::Raw;
use crate::tools::all_of;
use crate::unit::{ACTORS, Unit, clean, config, folder, program};
use crate::{PATIENCE, SOON};

/// The node is taken for hung when it is silent for so long.
const WATCHDOG: Duration = Duration::from_millis(600);
/// It says that it lives three times as often.
const PERIOD: Duration = Duration::from_millis(200);

/// A service manager, as far as a service sees one.
struct Manager {
    socket: UnixDatagram,
    folder: PathBuf,
}

impl Manager {
    fn new() -> Self {
        let folder = folder();
        let socket = UnixDatagram::bind(folder.join("notify")).expect("a socket");
        Self { socket, folder }
    }

    /// The command as this manager starts it.
    fn starts<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("NOTIFY_SOCKET", self.folder.join("notify"))
    }

    /// What it is told next.
    fn told(&self, limit: Duration) -> Option<String> {
        let mut bytes = [0; 1_024];
        self.socket.set_read_timeout(Some(limit)).expect("a limit");
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// Waits until it is told that, and returns how often it was told of life before.
    fn until(&self, state: &str, limit: Duration) -> usize {
        let deadline = Instant::now() + limit;
        let mut pings = 0;
        loop {
            let told = self.told(deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)));
            let told = told.unwrap_or_else(|| panic!("no {state} within {limit:?}"));
            if told.lines().any(|line| line == state) {
                return pings;
            }
            pings += usize::from(told.lines().any(|line| line == "WATCHDOG=1"));
        }
    }

    /// The instants of the next signs of life.
    fn pings(&self, count: usize) -> Vec<Instant> {
        let ping = |_| {
            self.until("WATCHDOG=1", PATIENCE);
            Instant::now()
        };
        (0..count).map(ping).collect()
    }

    /// Whether there is no sign of life for that time.
    fn is_silent_for(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.told(left).is_some_and(|told| told.contains("WATCHDOG=1")) {
                return false;
            }
        }
        true
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // What is left is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("this century")
}

#[test]
fn a_service_is_ready_once_its_actors_are_up_and_says_when_it_stops() {
    let manager = Manager::new();
    let mut command = program();
    let mut unit = Unit::of(manager.starts(command.args(["up", "--json", "--unit", "served"])));
    let first = manager.told(PATIENCE).expect("it starts");
    let ready = unix_ms();
    assert!(first.lines().any(|line| line == "READY=1"), "{first}");
    assert!(first.lines().any(|line| line == "STATUS=served is up"), "{first}");
    let up: Vec<String> = ACTORS.iter().map(|actor| format!("{actor} actor_started")).collect();
    for said in all_of(&mut unit, &Vec::from_iter(up.iter().map(String::as_str)), PATIENCE) {
        assert!(said.unix_ms() <= ready, "{said:?} after it was ready at {ready}");
    }
    // Nobody asked for signs of life.
    assert!(manager.is_silent_for(PERIOD * 3));
    crate::nats::signal(unit.id(), "TERM");
    assert_eq!(manager.until("STOPPING=1", SOON), 0);
    let ended = unit.end(PATIENCE);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_service_that_does_not_start_is_never_ready() {
    let manager = Manager::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it has one");
    let file = config(&format!("metrics: {{ listen: \"{address}\" }}\n")).display().to_string();
    let mut command = program();
    let unit = Unit::of(manager.starts(command.args(["up", "--json", "-c", &file])));
    let ended = unit.end(PATIENCE);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let told: Vec<String> = std::iter::from_fn(|| manager.told(Duration::from_millis(1))).collect();
    assert!(told.iter().all(|told| !told.contains("READY=1")), "{told:?}");
}

#[test]
fn signs_of_life_come_three_to_a_period_and_for_the_process_that_is_meant() {
    let manager = Manager::new();
    let usec = WATCHDOG.as_micros().to_string();
    let mut command = program();
    command.args(["up", "--json", "--unit", "watched"]).env("WATCHDOG_USEC", &usec);
    let unit = Unit::of(manager.starts(&mut command));
    manager.until("READY=1", PATIENCE);
    let pings = manager.pings(8);
    let took = pings[7].duration_since(pings[0]);
    assert!((PERIOD * 6..PERIOD * 14).contains(&took), "7 periods of {PERIOD:?} took {took:?}");
    let longest = pings.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().expect("pings");
    assert!(longest < WATCHDOG, "it would have been taken for hung: {longest:?}");
    drop(unit);

    // systemd names the process that it means: another that finds the variables is not that.
    for (pid, is_meant) in [("1", false), ("$$", true)] {
        let manager = Manager::new();
        let script = format!("WATCHDOG_PID={pid} exec \"$0\" up --json --unit watched");
        let mut command = clean(std::path::Path::new("sh"));
        command.args(["-c", &script, env!("CARGO_BIN_EXE_nunect")]).env("WATCHDOG_USEC", &usec);
        let _unit = Unit::of(manager.starts(&mut command));
        manager.until("READY=1", PATIENCE);
        if is_meant {
            manager.pings(2);
        } else {
            assert!(manager.is_silent_for(PERIOD * 4), "WATCHDOG_PID={pid}");
        }
    }
}

#[test]
fn signs_of_life_go_on_while_one_actor_hangs_and_end_when_the_root_cannot_work() {
    let server = NatsServer::start();
    let url = server.url();
    let manager = Manager::new();
    // Long enough for the silence to be seen before the process ends. Without a prober the echo has
    // nothing to answer: an answer just before the hang could wait, with the connection that it woke,
    // behind the actor that hangs (tokio's LIFO slot), and no further order would be heard.
    let text = "chaos: { enabled: true }\nsupervision: { hang_limit: 6s }\nactors: { prober: { enabled: false } }\n";
    let file = config(text).display().to_string();
    let mut command = program();
    command.args(["up", "--json", "--unit", "stuck", "--nats", &url, "-c", &file]);
    command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    let mut unit = Unit::of(manager.starts(&mut command));
    manager.until("READY=1", PATIENCE);
    all_of(&mut unit, &["commands actor_started", "monitor unit_online"], PATIENCE);
    let mut raw = Raw::on(&url);
    let mut hang = |actor: &str| {
        raw.tell("ops.cmd.node.stuck", &format!(r#"{{"command":"CHAOS","args":{{"actor":"{actor}","what":"hang"}}}}"#))
    };

    hang("echo");
    unit.expect("echo actor_hung", SOON);
    while manager.told(Duration::from_millis(1)).is_some() {}
    let pings = manager.pings(6);
    let longest = pings.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().expect("pings");
    assert!(longest < WATCHDOG, "one of two workers is free: {longest:?}");

    // A node has two threads for its actors, and now both are gone. A bare timer on a third would go on.
    hang("cluster");
    unit.expect("cluster actor_hung", SOON);
    while manager.told(Duration::from_millis(1)).is_some() {}
    assert!(manager.is_silent_for(WATCHDOG * 2), "nobody is left to give a sign of life");
    let ended = unit.end(PATIENCE);
    assert_eq!(ended.code, Some(71), "{ended:?}");
}
