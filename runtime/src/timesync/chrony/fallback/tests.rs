use std::fs;

use nunect_core::clock::Obstacle;

use super::*;
use crate::scratch::Scratch;

const LOCAL: &str = "7F7F0101,,1,1795428652.785064355,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal";
const SOURCE: &str = "^,*,127.0.0.1,1,-2,377,7,0.0,0.0,0.0";
const NTPD: &str = "leap=00, stratum=2, rootdelay=0.4, rootdisp=2.1, refid=10.0.0.1, reftime=e4a5d5c8.80000000, tc=6, \
                    offset=0.5, frequency=1.0, sys_jitter=0.1, clk_wander=0.01";

/// A folder with tools; each notes its calls in a file.
struct Tools(Scratch);

impl Tools {
    fn new() -> Self {
        Self(Scratch::new())
    }

    fn with(self, name: &str, script: &str) -> Self {
        let calls = self.0.path().join(format!("{name}.calls"));
        self.0.write(name, &format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >>{}\n{script}\n", calls.display()));
        fs::set_permissions(self.0.path().join(name), PermissionsExt::from_mode(0o755)).expect("a file of ours");
        self
    }

    fn calls(&self, name: &str) -> Vec<String> {
        self.0.read(&format!("{name}.calls")).lines().map(str::to_owned).collect()
    }

    fn fallback(&self, configured: Option<&Daemon>) -> Fallback {
        Fallback::within(configured, self.0.path().into(), EVERY)
    }
}

async fn ask(fallback: &mut Fallback) -> Result<NtpStatus, String> {
    let answer = fallback.ask(Unread::new(Obstacle::Denied, "closed")).await;
    answer.map_err(|unread| {
        assert_eq!(unread.cause, Obstacle::Denied, "the tools do not change why the daemon cannot be asked");
        unread.detail.into_owned()
    })
}

fn echo(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("echo '{line}'\n")).collect()
}

#[tokio::test]
async fn without_tools_there_is_only_the_reason_why_the_daemon_could_not_be_asked() {
    let tools = Tools::new();
    tools.0.write("chronyc", "not to be run");
    let mut fallback = tools.fallback(None);
    assert_eq!(ask(&mut fallback).await, Err("closed".into()));
    assert_eq!(fallback.counters(), ReaderCounters::default());
}

#[tokio::test]
async fn a_tool_runs_once_in_a_while_and_its_answer_ages_in_between() {
    let tools = Tools::new().with("chronyc", &echo(&[LOCAL, SOURCE]));
    let mut fallback = tools.fallback(None);
    let first = ask(&mut fallback).await.expect("a status");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let second = ask(&mut fallback).await.expect("a status");
    assert_eq!(tools.calls("chronyc"), ["-n -c -m tracking sources"]);
    assert_eq!(first.reference_time, second.reference_time);
    let since = |status: &NtpStatus| status.sources.iter().flatten().find_map(|source| source.since).expect("an age");
    assert!(since(&second) >= since(&first) + Duration::from_millis(20));

    fallback.every = Duration::ZERO;
    ask(&mut fallback).await.expect("a status");
    assert_eq!(tools.calls("chronyc").len(), 2);
    assert_eq!(fallback.counters().asked, 2);
}

#[tokio::test]
async fn chronyc_is_told_where_chronyd_is_configured_to_be_and_ntpd_is_left_alone() {
    let fail = "echo '506 Cannot talk to daemon'; exit 1";
    for (place, arguments) in [
        ("/tmp/x.sock", "-n -c -h /tmp/x.sock -m tracking sources"),
        ("10.0.0.1:323", "-n -c -h 10.0.0.1 -p 323 -m tracking sources"),
    ] {
        let tools = Tools::new().with("chronyc", fail).with("ntpq", &echo(&[NTPD]));
        let mut fallback = tools.fallback(Some(&place.parse().expect("a place")));
        let error = ask(&mut fallback).await.expect_err("nobody knows");
        assert_eq!(error, "closed; chronyc says: 506 Cannot talk to daemon");
        assert_eq!(tools.calls("chronyc"), [arguments]);
        assert!(!tools.0.names().contains(&"ntpq.calls".to_owned()));
    }
}

#[tokio::test]
async fn ntpd_is_asked_when_chronyd_is_not_there() {
    let tools = Tools::new().with("chronyc", "echo '506 Cannot talk to daemon'; exit 1").with("ntpq", &echo(&[NTPD]));
    let status = ask(&mut tools.fallback(None)).await.expect("a status");
    assert_eq!((status.server.as_deref(), status.offset_ns()), (Some("10.0.0.1"), -500_000));
    assert_eq!(tools.calls("ntpq"), ["-n -w -c rv -c peers"]);
}

#[tokio::test]
async fn what_both_tools_say_is_told() {
    let tools = Tools::new().with("chronyc", "echo no").with("ntpq", "echo 'ntpq: read: Connection refused' >&2");
    let error = ask(&mut tools.fallback(None)).await.expect_err("nobody knows");
    assert_eq!(error, "closed; chronyc says: no; ntpq says: ntpq: read: Connection refused");
}

#[tokio::test]
async fn a_tool_that_hangs_is_killed_and_one_that_never_ends_writing_is_cut_off() {
    for (script, says, timeouts) in
        [("exec sleep 60", "closed; chronyc does not answer in time", 1), ("exec yes", "closed; chronyc says: y", 0)]
    {
        let tools = Tools::new().with("chronyc", &format!("echo $$ >{}\n{script}", "\"$0\".pid"));
        let mut fallback = tools.fallback(None);
        let begun = Instant::now();
        let error = ask(&mut fallback).await.expect_err("nobody knows");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!((error.as_str(), fallback.counters().timeouts), (says, timeouts));
        let process = PathBuf::from(format!("/proc/{}", tools.0.read("chronyc.pid").trim()));
        while process.join("fd").read_dir().is_ok_and(|mut open| open.next().is_some()) {
            assert!(begun.elapsed() < Duration::from_secs(10), "{} still runs", process.display());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn nonsense_is_counted_and_asked_for_again_only_later() {
    let tools = Tools::new().with("chronyc", "echo 1,2,3");
    let mut fallback = tools.fallback(None);
    for _ in 0..3 {
        let error = ask(&mut fallback).await.expect_err("nobody knows");
        assert_eq!(error, "closed; chronyc cannot be understood: no reference time");
    }
    assert_eq!(fallback.counters(), ReaderCounters { asked: 1, malformed: 1, ..ReaderCounters::default() });
}
