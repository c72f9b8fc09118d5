//! One server: whom it serves, what they want, and to whom it says so.

use std::collections::BTreeMap;

use nunect_core::broker::{Broker, CACHE_MAX, ClientId};

use super::frame::{Key, Line};

/// The process on the server's own machine, among its clients; all others are connections.
pub(super) const PROCESS: ClientId = ClientId(u32::MAX);

/// Subjects whose routes a leaf remembers: it sees those of one node.
const LEAF_CACHE: usize = 32;

#[derive(Debug)]
pub(super) struct Server {
    /// From the name of its node.
    pub(super) key: u64,
    /// Whether it is a member of the cluster, and no leaf.
    pub(super) is_hub: bool,
    /// Faults that keep it down.
    pub(super) down: u32,
    pub(super) broker: Broker,
    /// What its own clients and leafs want.
    pub(super) interest: Interest,
    /// Connections that it opened or accepted, and has not closed.
    pub(super) conns: Vec<u32>,
    /// Those of them over which other servers learn what it wants: of a leaf the one to its hub, of a
    /// hub its routes.
    pub(super) peers: Vec<u32>,
    /// To whom it connects by itself.
    pub(super) dials: Vec<Dial>,
    /// Messages that it has routed: for draws.
    pub(super) routed: u64,
    /// Subscriptions are new since it last started.
    cache: usize,
}

/// A connection that is to be there always.
#[derive(Debug)]
pub(super) struct Dial {
    /// Its place among those of the plan's targets that is tried next.
    pub(super) next: u32,
    /// A route's only target; a leaf or client tries every hub.
    pub(super) only: Option<u32>,
    /// The try that is under way, or the connection.
    pub(super) conn: Option<u32>,
    /// Counts tries, so that one that was given up is known for it.
    pub(super) turn: u32,
    /// Tries since there was a connection.
    pub(super) tries: u32,
}

impl Dial {
    pub(super) const fn new(only: Option<u32>) -> Self {
        Self { next: 0, only, conn: None, turn: 0, tries: 0 }
    }
}

impl Server {
    pub(super) fn new(key: u64, is_hub: bool, dials: Vec<Dial>) -> Self {
        let cache = if is_hub { CACHE_MAX } else { LEAF_CACHE };
        Self {
            key,
            is_hub,
            down: 0,
            broker: Broker::with_cache(cache),
            interest: Interest::default(),
            conns: Vec::new(),
            peers: Vec::new(),
            dials,
            routed: 0,
            cache,
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        self.down == 0
    }

    /// Forgets what only a running server knows.
    pub(super) fn clear(&mut self) {
        self.broker = Broker::with_cache(self.cache);
        self.interest = Interest::default();
    }

    /// Its own process is gone: what that wanted, and what others are to be told of it.
    pub(super) fn forget_process(&mut self) -> Vec<Line> {
        self.broker.disconnect(PROCESS);
        self.interest.forget_direct()
    }
}

/// What a server's own clients and leafs want, counted: others are told once for all of them.
#[derive(Debug, Default)]
pub(super) struct Interest(BTreeMap<Key, Count>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    direct: u32,
    leafs: u32,
}

impl Count {
    const fn total(self) -> u32 {
        self.direct.saturating_add(self.leafs)
    }

    fn line(self, key: &Key) -> Line {
        Line { key: key.clone(), weight: self.total(), direct: self.direct > 0 }
    }
}

impl Interest {
    /// Where `before` stood behind a key, `after` do now, as clients of this server or of a leaf. Returns
    /// what others must be told: of plain interest only whether there is any, of a group its size.
    pub(super) fn change(&mut self, key: &Key, direct: bool, before: u32, after: u32) -> Option<Line> {
        let old = self.0.get(key).copied().unwrap_or_default();
        let mut new = old;
        let count = if direct { &mut new.direct } else { &mut new.leafs };
        *count = count.saturating_sub(before).saturating_add(after);
        if new.total() == 0 {
            self.0.remove(key);
        } else {
            self.0.insert(key.clone(), new);
        }
        told(key, old, new).then(|| new.line(key))
    }

    fn forget_direct(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        self.0.retain(|key, count| {
            let old = *count;
            count.direct = 0;
            if told(key, old, *count) {
                lines.push(count.line(key));
            }
            count.total() > 0
        });
        lines
    }

    /// Everything, for who learns it anew.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.0.iter().map(|(key, count)| count.line(key)).collect()
    }
}

fn told(key: &Key, old: Count, new: Count) -> bool {
    if key.1.is_some() { old != new } else { (old.total() > 0) != (new.total() > 0) }
}
