//! A layered world without actors: clients that count.

use bytes::Bytes;
use nunect_core::{Message, Pattern, Subject, UnitId};
use serde_json::{Value, json};

use super::super::{Layered, LayeredConfig, LayeredPlan, NetFault};
use crate::checker::Checker;
use crate::happening::Happening;
use crate::heap::Heap;
use crate::scenario::file::Names;
use crate::trace::{LinkChange, What, records};
use crate::witness::Witness;
use crate::world::Harm;

pub(super) const MS: u64 = 1_000_000;
pub(super) const S: u64 = 1_000 * MS;

pub(super) fn units(count: u32) -> Vec<UnitId> {
    (0..count).map(|n| UnitId::new(&format!("n{n}")).expect("legal")).collect()
}

pub(super) fn plan(count: u32, servers: Value, mesh: Value) -> (LayeredPlan, Vec<String>) {
    let config: LayeredConfig =
        serde_json::from_value(json!({ "servers": servers, "mesh": mesh })).expect("a layered world");
    let (units, mut problems) = (units(count), Vec::new());
    let find = |names: &Names| {
        let mut found = Vec::new();
        for (position, name) in names.0.iter().enumerate() {
            let meant = |unit: &&UnitId| name == "*" || unit.as_str() == name;
            let before = found.len();
            found.extend((0..).zip(&units).filter(|(_, unit)| meant(unit)).map(|(place, _)| place));
            if found.len() == before {
                return Err((position, format!("no node is called `{name}`"), String::new()));
            }
        }
        Ok(found)
    };
    let plan = config.plan(&units, &find, &mut |key, reason, _| problems.push(format!("{key}: {reason}")));
    (plan, problems)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) at: u64,
    pub(super) to: u32,
    pub(super) tag: u32,
    pub(super) sent: u64,
    pub(super) subject: String,
}

type Wanted = Vec<(Pattern, Option<&'static str>)>;

pub(super) struct Bench {
    pub(super) now: u64,
    pub(super) heap: Heap<Happening>,
    pub(super) world: Layered,
    pub(super) witness: Witness,
    pub(super) heard: Vec<Heard>,
    pub(super) unanswered: Vec<(u64, u32, String)>,
    /// When clients learned of their connection: whether it came.
    pub(super) noticed: Vec<(u64, u32, bool)>,
    pub(super) steps: u64,
    wanted: Vec<Wanted>,
    trace: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Bench {
    pub(super) fn new(count: u32, servers: Value) -> Self {
        Self::with(count, servers, json!({}))
    }

    pub(super) fn with(count: u32, servers: Value, mesh: Value) -> Self {
        Self::seeded(count, servers, mesh, 1)
    }

    pub(super) fn seeded(count: u32, servers: Value, mesh: Value, seed: u64) -> Self {
        let (plan, problems) = plan(count, servers, mesh);
        assert_eq!(problems, Vec::<String>::new());
        Self::of(plan, count, seed)
    }

    pub(super) fn of(plan: LayeredPlan, count: u32, seed: u64) -> Self {
        let trace = std::sync::Arc::<std::sync::Mutex<Vec<u8>>>::default();
        let mut witness = Witness::new(Checker::default());
        let sink = std::sync::Arc::clone(&trace);
        witness.recorder.tap(Box::new(move |block| sink.lock().expect("no poison").extend_from_slice(block)));
        let mut bench = Self {
            now: 0,
            heap: Heap::new(seed),
            world: Layered::new(plan, seed),
            witness,
            heard: Vec::new(),
            unanswered: Vec::new(),
            noticed: Vec::new(),
            steps: 0,
            wanted: vec![Vec::new(); count as usize],
            trace,
        };
        bench.world.start(&mut bench.heap);
        for node in 0..count {
            if bench.world.open(0, node, &mut bench.heap) {
                bench.connect(node);
            }
        }
        bench
    }

    fn connect(&mut self, node: u32) {
        self.world.connect(node);
        self.noticed.push((self.now, node, true));
        for (tag, (pattern, queue)) in (0..).zip(self.wanted[node as usize].clone()) {
            self.world.subscribe(self.now, node, tag, (&pattern, queue), &mut self.heap);
        }
    }

    pub(super) fn subscribe(&mut self, node: u32, pattern: &str, queue: Option<&'static str>) {
        let pattern = Pattern::parse(pattern.to_owned()).expect("legal");
        let wanted = &mut self.wanted[node as usize];
        let tag = u32::try_from(wanted.len()).expect("few");
        wanted.push((pattern.clone(), queue));
        if self.world.is_connected(node) {
            self.world.subscribe(self.now, node, tag, (&pattern, queue), &mut self.heap);
        }
    }

    pub(super) fn publish(&mut self, from: u32, subject: &str) {
        self.send(from, Message::new(Subject::parse(subject.to_owned()).expect("legal")).body("x"));
    }

    pub(super) fn publish_bytes(&mut self, from: u32, subject: &str, bytes: usize) {
        let message = Message::new(Subject::parse(subject.to_owned()).expect("legal"));
        self.send(from, message.body(Bytes::from(vec![0; bytes])));
    }

    pub(super) fn ask(&mut self, from: u32, subject: &str, reply: &str) {
        let mut message = Message::new(Subject::parse(subject.to_owned()).expect("legal"));
        message.reply = Some(Subject::parse(reply.to_owned()).expect("legal"));
        self.send(from, message);
    }

    fn send(&mut self, from: u32, message: Message) {
        if let Some(lost) = self.world.publish(self.now, from, Box::new(message), &mut self.heap) {
            self.witness.lost(self.now, from, lost.as_str());
        }
    }

    /// Takes the server of a node down, or up.
    pub(super) fn server(&mut self, node: u32, up: bool) {
        let harm = Harm::Servers(vec![node]);
        if up {
            self.world.lift(self.now, 0, &harm, &mut self.heap);
        } else {
            self.world.impose(self.now, 0, &harm, &mut self.heap);
        }
    }

    pub(super) fn cut(&mut self, nodes: &[u32], cut: bool) {
        self.harm(&Harm::Cut(nodes.to_vec()), cut);
    }

    /// Two nodes do not hear each other.
    pub(super) fn part(&mut self, a: u32, b: u32, apart: bool) {
        let mut side_of = vec![u8::MAX; self.wanted.len()];
        (side_of[a as usize], side_of[b as usize]) = (0, 1);
        self.harm(&Harm::Net(NetFault::Barrier { side_of, one_way: false }), apart);
    }

    fn harm(&mut self, harm: &Harm, begins: bool) {
        if begins {
            self.world.impose(self.now, 0, harm, &mut self.heap);
        } else {
            self.world.lift(self.now, 0, harm, &mut self.heap);
        }
    }

    /// Packets that links were given.
    pub(super) fn segments(&self) -> u64 {
        self.world.net.links().iter().map(|link| link.counters.sent).sum()
    }

    pub(super) fn run(&mut self, until: u64) {
        while let Some((at, happening)) = self.heap.pop_until(until) {
            self.now = at;
            self.steps += 1;
            self.happen(happening);
        }
        self.now = until;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive { to, tag, epoch, sent, message } if self.world.admits(to, epoch) => {
                let subject = message.subject.as_str().to_owned();
                self.heard.push(Heard { at: self.now, to, tag, sent, subject });
            }
            Happening::Arrive { to, message, .. } => self.witness.lost(self.now, to, message.subject.as_str()),
            Happening::Unanswered { to, epoch, reply } => {
                if self.world.admits(to, epoch) {
                    self.unanswered.push((self.now, to, reply.as_str().to_owned()));
                }
            }
            Happening::Noticed { node, turn } => {
                if self.world.is_turn(node, turn) && self.world.is_connected(node) {
                    self.noticed.push((self.now, node, false));
                    self.world.disconnect(self.now, node, false, &mut self.heap);
                }
            }
            Happening::Reconnect { node, turn } => {
                if self.world.is_turn(node, turn) && !self.world.is_connected(node) {
                    self.connect(node);
                }
            }
            Happening::World(turn) => self.world.happen(self.now, turn, &mut self.heap, &mut self.witness),
            Happening::Late { .. }
            | Happening::Clock { .. }
            | Happening::Wake { .. }
            | Happening::Boot { .. }
            | Happening::Strike { .. }
            | Happening::Over { .. }
            | Happening::Heal => panic!("only worlds push here"),
        }
    }

    /// When which node's end of a connection to whom changed so.
    pub(super) fn links(
        &mut self,
        wanted: impl Fn(LinkChange) -> bool,
    ) -> std::vec::IntoIter<(u64, u32, u32, LinkChange)> {
        self.witness.recorder.hash();
        let trace = self.trace.lock().expect("no poison").clone();
        let mut found = Vec::new();
        for record in records(&trace) {
            let record = record.expect("a trace of ours");
            if let What::Link { peer, change } = record.what
                && wanted(change)
            {
                found.push((record.at, record.node, peer, change));
            }
        }
        found.into_iter()
    }

    pub(super) fn lost(&self) -> u64 {
        self.witness.counters.lost
    }
}
