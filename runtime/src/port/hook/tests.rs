use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::{Sender, UnboundedReceiver};
use tokio::task::JoinHandle;

use super::*;
use crate::scratch::Scratch;

struct Hooks {
    tell: Sender<Bytes>,
    heard: UnboundedReceiver<Bytes>,
    task: JoinHandle<()>,
}

impl Hooks {
    fn start(time_max: Duration) -> Self {
        let (tell, heard, port) = Port::of_test("hook");
        Self { tell, heard, task: tokio::spawn(run(port, time_max)) }
    }

    async fn order(&self, command: &[&str]) {
        self.say(&json!({ "command": command }).to_string()).await;
    }

    async fn say(&self, words: &str) {
        self.tell.send(Bytes::from(words.to_owned())).await.expect("the task lives");
    }

    async fn hear(&mut self) -> String {
        let heard = tokio::time::timeout(Duration::from_secs(10), self.heard.recv()).await;
        failed(&heard.expect("soon").expect("the task lives"))
    }

    async fn end(mut self) -> Vec<String> {
        drop(self.tell);
        self.task.await.expect("no panic");
        std::iter::from_fn(|| self.heard.try_recv().ok()).map(|said| failed(&said)).collect()
    }
}

fn failed(said: &[u8]) -> String {
    let said: Value = serde_json::from_slice(said).expect("JSON");
    said["failed"].as_str().unwrap_or_else(|| panic!("{said} tells of no failure")).to_owned()
}

#[tokio::test]
async fn a_program_runs_with_its_arguments_and_environment_and_without_a_shell() {
    let folder = Scratch::new();
    let hooks = Hooks::start(TIME_MAX);
    let script = "cat > got; printf '%s|%s' \"$1\" \"$UNIT\" >> got; mv got \"$2\"";
    let file = folder.path().join("said");
    let file = file.to_str().expect("UTF-8");
    let command = ["env", "-C", folder.path().to_str().expect("UTF-8"), "sh", "-c", script, "sh", "$HOME; *", file];
    hooks.say(&json!({ "command": command, "env": { "UNIT": "b eta" } }).to_string()).await;
    assert_eq!(hooks.end().await, [""; 0]);
    assert_eq!(folder.read("said"), "$HOME; *|b eta");
}

#[tokio::test]
async fn what_goes_wrong_is_told_with_the_reason() {
    let mut hooks = Hooks::start(TIME_MAX);
    for (command, parts) in [
        (&["sh", "-c", "echo why >&2; exit 3"][..], &["`sh`", "exit status: 3", ": why"][..]),
        (&["sh", "-c", "echo only this; kill -s TERM $$"], &["signal: 15", "only this"]),
        (&["/no/such/program"], &["`/no/such/program`", "No such file", "see that the program is there"]),
        (&["/"], &["Permission denied"]),
        (&["a\0b"], &["cannot be started"]),
        (&[], &["empty", "name a program"]),
    ] {
        hooks.order(command).await;
        let words = hooks.hear().await;
        for part in parts {
            assert!(words.contains(part), "{part}: {words}");
        }
    }
    hooks.say("run this").await;
    assert!(hooks.hear().await.contains("no command"));
    assert_eq!(hooks.end().await, [""; 0]);
}

#[tokio::test]
async fn one_that_takes_too_long_is_killed_with_what_it_started() {
    let folder = Scratch::new();
    let mut hooks = Hooks::start(Duration::from_millis(300));
    let script = format!("sleep 1000 & echo $! > {0}/part; mv {0}/part {0}/child; wait", folder.path().display());
    hooks.order(&["sh", "-c", &script]).await;
    let words = hooks.hear().await;
    assert!(words.contains("killed after 300ms"), "{words}");
    let child = folder.read("child");
    let deadline = Instant::now() + Duration::from_secs(10);
    while lives(child.trim()) {
        assert!(Instant::now() < deadline, "process {child} was left behind");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process runs; one that nobody waited for runs no more.
fn lives(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn a_flood_of_words_delays_nobody_and_a_child_that_holds_the_outputs_neither() {
    let hooks = Hooks::start(TIME_MAX);
    let begin = Instant::now();
    hooks.order(&["sh", "-c", "head -c 3000000 /dev/zero; exit 1"]).await;
    hooks.order(&["sh", "-c", "sleep 1000 & echo $! >&2; exit 2"]).await;
    let mut told = hooks.end().await;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    told.sort();
    let [flood, held] = &told[..] else { panic!("{told:?}") };
    assert!(flood.len() < 2 * QUOTED_MAX && flood.contains("exit status: 1"), "{flood}");
    let sleeper = held.rsplit(": ").next().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
    rustix::process::kill_process(sleeper.expect("a process"), Signal::KILL).expect("it still sleeps");
}

#[tokio::test]
async fn at_most_four_run_and_of_those_that_wait_the_oldest_give_way() {
    let folder = Scratch::new();
    let mut hooks = Hooks::start(TIME_MAX);
    let gate = folder.path().join("gate");
    let script = "echo $$ >> \"$1\"; while [ ! -e \"$2\" ]; do sleep 0.02; done";
    let begun = folder.path().join("begun");
    let (begun, gate) = (begun.to_str().expect("UTF-8"), gate.to_str().expect("UTF-8"));
    for _ in 0..RUNNING_MAX + WAITING_MAX + 3 {
        hooks.order(&["sh", "-c", script, "sh", begun, gate]).await;
    }
    for _ in 0..3 {
        assert!(hooks.hear().await.contains("not run"));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(folder.read("begun").lines().count(), RUNNING_MAX);
    folder.write("gate", "open");
    assert_eq!(hooks.end().await, [""; 0], "those that waited run after the life is over");
    assert_eq!(folder.read("begun").lines().count(), RUNNING_MAX + WAITING_MAX);
}

#[tokio::test]
async fn what_runs_is_killed_when_nobody_waits_for_it_any_more() {
    let folder = Scratch::new();
    let hooks = Hooks::start(TIME_MAX);
    hooks
        .order(&["sh", "-c", &format!("echo $$ > {0}/part; mv {0}/part {0}/id; sleep 1000", folder.path().display())])
        .await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !folder.path().join("id").exists() {
        assert!(Instant::now() < deadline, "it does not start");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hooks.task.abort();
    let process = folder.read("id");
    while lives(process.trim()) {
        assert!(Instant::now() < deadline, "process {process} was left behind");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
