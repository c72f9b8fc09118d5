use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;
use tokio::sync::mpsc::{Sender, UnboundedReceiver};
use tokio::task::JoinHandle;

use super::*;
use crate::scratch::Scratch;

const QUICK: Retry = Retry { first: Duration::from_millis(5), last: Duration::from_millis(20) };
/// 2024-02-12T21:20:00Z.
const MONDAY: Wall = Wall::from_unix_nanos(1_707_772_800_000_000_000);
const FILE: &str = "alpha.2024-02-12.1.jsonl";

struct Shipper {
    tell: Sender<Bytes>,
    heard: UnboundedReceiver<Bytes>,
    task: JoinHandle<Result<(), String>>,
}

impl Shipper {
    fn start() -> Self {
        let (tell, heard, port) = Port::of_test("log-file");
        Self { tell, heard, task: tokio::spawn(run(port, QUICK, || MONDAY)) }
    }

    async fn open(folder: &Path) -> Self {
        let shipper = Self::start();
        let open = json!({ "folder": folder, "max_size": 65_536, "max_files": 3, "unit": "alpha" });
        shipper.say(&json!({ "open": open }).to_string()).await;
        shipper
    }

    async fn say(&self, words: &str) {
        self.tell.send(Bytes::from(words.to_owned())).await.expect("the task lives");
    }

    async fn hear(&mut self) -> Value {
        let heard = tokio::time::timeout(Duration::from_secs(10), self.heard.recv()).await;
        serde_json::from_slice(&heard.expect("soon").expect("the task lives")).expect("JSON")
    }

    /// The life is over. Returns what the task still had to say.
    async fn end(mut self) -> Vec<Value> {
        drop(self.tell);
        self.task.await.expect("no panic").expect("no error");
        std::iter::from_fn(|| self.heard.try_recv().ok())
            .map(|said| serde_json::from_slice(&said).expect("JSON"))
            .collect()
    }
}

fn failed(said: &Value) -> &str {
    said["failed"].as_str().unwrap_or_else(|| panic!("{said} tells of no failure"))
}

#[tokio::test]
async fn everything_that_was_said_is_written_when_the_life_is_over() {
    let folder = Scratch::new();
    let shipper = Shipper::open(folder.path()).await;
    let lines: Vec<_> = (0..3_000).map(|number| format!("{{\"number\":{number}}}\n")).collect();
    for line in &lines {
        shipper.say(line).await;
    }
    assert_eq!(shipper.end().await, [Value::Null; 0]);
    assert_eq!(folder.read("alpha.current.jsonl"), lines.concat());
}

#[tokio::test]
async fn a_life_that_says_nothing_and_one_that_says_nonsense() {
    assert_eq!(Shipper::start().end().await, [Value::Null; 0]);
    let shipper = Shipper::start();
    shipper.say("{\"open\":{\"folder\":\"x\",\"max_size\":0}}").await;
    let why = shipper.task.await.expect("no panic").expect_err("no size, no number, no unit");
    assert!(why.contains("first words"), "{why}");
}

#[tokio::test]
async fn a_full_disk_is_told_once_and_afterwards_how_many_lines_are_missing() {
    let folder = Scratch::new();
    let file = folder.path().join(FILE);
    symlink("/dev/full", &file).expect("a link");
    let mut shipper = Shipper::open(folder.path()).await;
    shipper.say("one\n").await;
    let said = shipper.hear().await;
    assert!(failed(&said).contains("No space left"), "{said}");
    for _ in 0..9 {
        shipper.say("lost\n").await;
    }
    // Several attempts fail meanwhile, and none is told.
    tokio::time::sleep(QUICK.last * 3).await;
    std::fs::remove_file(&file).expect("ours");
    assert_eq!(shipper.hear().await, json!({ "recovered": true }));
    shipper.say("{}\n").await;
    assert_eq!(shipper.end().await, [Value::Null; 0]);
    let text = folder.read(FILE);
    let [lost, after] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let lost: Value = serde_json::from_str(lost).expect("a record");
    assert_eq!((&lost["fields"]["lost"], &lost["lvl"], &lost["comp"]), (&json!(10), &json!("WARN"), &json!("tested")));
    assert_eq!(after, "{}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told_before_anything_is_lost() {
    let folder = Scratch::new();
    folder.write("logs", "a file in its place");
    let mut shipper = Shipper::open(&folder.path().join("logs")).await;
    assert!(failed(&shipper.hear().await).contains("logs"));
    std::fs::remove_file(folder.path().join("logs")).expect("ours");
    assert_eq!(shipper.hear().await, json!({ "recovered": true }));
    shipper.say("{}\n").await;
    assert_eq!(shipper.end().await, [Value::Null; 0]);
    assert_eq!(folder.read("logs/alpha.current.jsonl"), "{}\n");
}

#[tokio::test]
async fn what_is_lost_at_the_end_of_a_life_is_tried_once_more() {
    let folder = Scratch::new();
    folder.write("logs", "a file in its place");
    let (tell, mut heard, port) = Port::of_test("log-file");
    let never = Retry { first: Duration::from_secs(3_600), last: Duration::from_secs(3_600) };
    let task = tokio::spawn(run(port, never, || MONDAY));
    let logs = folder.path().join("logs");
    let open = json!({ "folder": logs, "max_size": 100, "max_files": 3, "unit": "alpha" });
    tell.send(json!({ "open": open }).to_string().into()).await.expect("the task lives");
    heard.recv().await.expect("a failure");
    tell.send("lost\n".into()).await.expect("the task lives");
    std::fs::remove_file(&logs).expect("ours");
    drop(tell);
    task.await.expect("no panic").expect("no error");
    assert!(folder.read("logs/alpha.current.jsonl").contains("\"lost\":1"));
}
