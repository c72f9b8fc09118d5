//! NATS's interest, wildcard and queue-group semantics as one pure table.
//!
//! The in-process bus and every simulated server are this code. Whoever publishes a request (a
//! message with a reply subject) to nobody is told so by the caller: [`Broker::route`] returns how
//! many it reached, and NATS answers `NoResponders` when that is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::protocol::inbox;
use crate::subject::{Pattern, Subject};
use crate::table::Table;

/// Subjects whose routes are remembered between changes of interest.
pub const CACHE_MAX: usize = 4_096;

/// The same for each subscription, where there are many.
pub const CACHE_PER_SUBSCRIPTION: usize = 4;

/// A client of the broker: a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// A subscription, unique within the broker for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// One delivery of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The subscription that it matched.
    pub subscription: SubscriptionId,
    /// Whose.
    pub client: ClientId,
    /// What the client called it.
    pub tag: u32,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    pattern: Pattern,
    queue: Option<Arc<str>>,
}

/// What a subject is wanted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A subscription of its own.
    By(Target),
    /// A queue group: one of its members is to get the message.
    ByOneOf(&'a Arc<str>, &'a [Target]),
}

/// Who wants what.
#[derive(Debug)]
pub struct Broker {
    next: u64,
    entries: BTreeMap<SubscriptionId, Entry>,
    root: Level,
    cache: Table<Subject, Routes>,
    cache_max: usize,
}

impl Default for Broker {
    fn default() -> Self {
        Self::with_cache(CACHE_MAX)
    }
}

/// The subscriptions that share the first tokens of their patterns.
#[derive(Debug, Default)]
struct Level {
    literal: Table<Box<str>, Level>,
    one: Option<Box<Level>>,
    rest: Vec<SubscriptionId>,
    here: Vec<SubscriptionId>,
}

/// Where a subject goes: to each of `all`, and to one of each group.
#[derive(Debug, Default)]
struct Routes {
    /// The only one, as often: it is found without looking elsewhere in memory.
    alone: Option<Target>,
    all: Vec<Target>,
    groups: Vec<(Arc<str>, Vec<Target>)>,
}

impl Broker {
    /// No interest.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No interest, and fewer or more than [`CACHE_MAX`] subjects whose routes are remembered.
    #[must_use]
    pub fn with_cache(cache_max: usize) -> Self {
        Self { next: 0, entries: BTreeMap::new(), root: Level::default(), cache: Table::default(), cache_max }
    }

    /// Notes that `client` wants what matches `pattern`, as one of the group `queue` if given.
    pub fn subscribe(&mut self, client: ClientId, tag: u32, pattern: Pattern, queue: Option<&str>) -> SubscriptionId {
        self.next += 1;
        let id = SubscriptionId(self.next);
        self.root.place(&pattern).push(id);
        let target = Target { subscription: id, client, tag };
        self.entries.insert(id, Entry { target, pattern, queue: queue.map(Arc::from) });
        self.cache.clear();
        id
    }

    /// Ends a subscription; one that is unknown or over stays so.
    pub fn unsubscribe(&mut self, id: SubscriptionId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.root.remove(entry.pattern.as_str().split('.'), id);
            self.cache.clear();
        }
    }

    /// Ends every subscription of `client`.
    pub fn disconnect(&mut self, client: ClientId) {
        let ids: Vec<_> =
            self.entries.values().map(|e| e.target).filter(|t| t.client == client).map(|t| t.subscription).collect();
        for id in ids {
            self.unsubscribe(id);
        }
    }

    /// Calls `deliver` for every subscription that a message on `subject` reaches, in the order they
    /// were made, groups last; `pick(n)` chooses below `n` which member of a group it is. Returns
    /// how many there were.
    pub fn route(
        &mut self,
        subject: &Subject,
        mut pick: impl FnMut(usize) -> usize,
        mut deliver: impl FnMut(Target),
    ) -> usize {
        self.with_routes(subject, |routes| routes.deliver(&mut pick, &mut deliver))
    }

    /// Calls `each` for everything that a message on `subject` is wanted by, in the order in which
    /// subscriptions were made, groups last: for a server that has reasons of its own to choose.
    pub fn visit(&mut self, subject: &Subject, mut each: impl FnMut(Wanted<'_>)) {
        self.with_routes(subject, |routes| {
            if let Some(alone) = routes.alone {
                return each(Wanted::By(alone));
            }
            routes.all.iter().for_each(|&target| each(Wanted::By(target)));
            routes.groups.iter().for_each(|(name, members)| each(Wanted::ByOneOf(name, members)));
        });
    }

    fn with_routes<R>(&mut self, subject: &Subject, act: impl FnOnce(&Routes) -> R) -> R {
        let Self { entries, root, cache, cache_max, .. } = self;
        // An inbox is used once, and not worth remembering; but all inboxes of one client go the same
        // way, unless somebody subscribed to a single one.
        let is_inbox = inbox::is_inbox(subject);
        let parent = if is_inbox { subject.as_str().rsplit_once('.') } else { None };
        let inboxes = parent.map(|(parent, _)| parent).filter(|parent| inbox::is_inboxes(parent));
        let key = inboxes.unwrap_or(subject.as_str());
        if let Some(routes) = cache.get(key) {
            return act(routes);
        }
        let (routes, by_last_token) = Routes::of(subject, root, entries);
        let result = act(&routes);
        if !is_inbox || (inboxes.is_some() && !by_last_token) {
            if cache.len() >= (*cache_max).max(CACHE_PER_SUBSCRIPTION * entries.len()) {
                cache.clear();
            }
            cache.insert(inboxes.map_or_else(|| subject.clone(), |inboxes| subject.part(inboxes)), routes);
        }
        result
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Routes {
    /// The routes of `subject`, and whether another last token could go elsewhere.
    fn of(subject: &Subject, root: &Level, entries: &BTreeMap<SubscriptionId, Entry>) -> (Self, bool) {
        let mut ids = Vec::new();
        let tokens: Vec<&str> = subject.tokens().collect();
        let mut by_last_token = false;
        root.collect(&tokens, &mut ids, &mut by_last_token);
        ids.sort_unstable();
        let mut routes = Self::default();
        for id in ids {
            let Some(entry) = entries.get(&id) else { continue };
            match &entry.queue {
                None => routes.all.push(entry.target),
                Some(queue) => match routes.groups.iter_mut().find(|(name, _)| name == queue) {
                    Some((_, members)) => members.push(entry.target),
                    None => routes.groups.push((Arc::clone(queue), vec![entry.target])),
                },
            }
        }
        routes.alone = match (&routes.all[..], &routes.groups[..]) {
            (&[alone], []) => Some(alone),
            (_, _) => None,
        };
        (routes, by_last_token)
    }

    fn deliver(&self, pick: &mut impl FnMut(usize) -> usize, deliver: &mut impl FnMut(Target)) -> usize {
        if let Some(alone) = self.alone {
            deliver(alone);
            return 1;
        }
        for &target in &self.all {
            deliver(target);
        }
        for (_, members) in &self.groups {
            deliver(members[pick(members.len()) % members.len()]);
        }
        self.all.len() + self.groups.len()
    }
}

impl Level {
    /// The list that a subscription on `pattern` stands in.
    fn place(&mut self, pattern: &Pattern) -> &mut Vec<SubscriptionId> {
        let mut level = self;
        for token in pattern.tokens() {
            level = match token {
                ">" => return &mut level.rest,
                "*" => level.one.get_or_insert_default(),
                literal => {
                    // Most levels have one literal for ever, and a world of servers has many levels.
                    if level.literal.is_empty() {
                        level.literal.reserve_exact(1);
                    }
                    level.literal.entry(Box::from(literal)).or_default()
                }
            };
        }
        &mut level.here
    }

    /// Takes a subscription out, and every level that is empty without it.
    fn remove<'a>(&mut self, mut tokens: impl Iterator<Item = &'a str>, id: SubscriptionId) {
        match tokens.next() {
            None => self.here.retain(|&other| other != id),
            Some(">") => self.rest.retain(|&other| other != id),
            Some("*") => {
                if let Some(level) = &mut self.one {
                    level.remove(tokens, id);
                    if level.is_empty() {
                        self.one = None;
                    }
                }
            }
            Some(literal) => {
                if let Some(level) = self.literal.get_mut(literal) {
                    level.remove(tokens, id);
                    if level.is_empty() {
                        self.literal.swap_remove(literal);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.one.is_none() && self.rest.is_empty() && self.here.is_empty()
    }

    /// Adds what matches `tokens`, and notes whether another last token could match something else.
    fn collect(&self, tokens: &[&str], ids: &mut Vec<SubscriptionId>, by_last_token: &mut bool) {
        let Some((first, others)) = tokens.split_first() else {
            ids.extend(&self.here);
            return;
        };
        *by_last_token |= others.is_empty() && !self.literal.is_empty();
        ids.extend(&self.rest);
        if let Some(level) = &self.one {
            level.collect(others, ids, by_last_token);
        }
        if let Some(level) = self.literal.get(*first) {
            level.collect(others, ids, by_last_token);
        }
    }
}

#[cfg(test)]
mod tests;
