//! What waits for one client: bounded, and nobody ever waits for room.

use std::collections::VecDeque;
use std::sync::Mutex;

use nunect_core::Message;
use tokio::sync::Notify;

use super::frame::{Carried, ToClient};
use crate::sync::lock;

/// Messages that may wait for a client; beyond it the oldest gives way.
pub const WAITING_MAX: usize = 4_096;
/// Bytes of messages that may wait for a client, by [`Message::weight`].
pub const WAITING_MAX_BYTES: usize = 16 << 20;
/// Answers that may wait for a client; one that asks on and reads none is let go.
const ANSWERS_MAX: usize = 4_096;

/// Something for a client.
#[derive(Debug)]
pub(super) enum Waiting {
    /// What its subscriptions hear: it gives way.
    Message { subscription: u64, message: Box<Message> },
    /// Answers and events: they do not.
    Answer(ToClient),
}

impl Waiting {
    pub(super) fn frame(self) -> ToClient {
        match self {
            Self::Message { subscription, message } => {
                ToClient::Message { subscription, message: Carried::from(&*message) }
            }
            Self::Answer(frame) => frame,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Message { message, .. } => message.weight(),
            Self::Answer(_) => 0,
        }
    }

    const fn gives_way(&self) -> bool {
        matches!(self, Self::Message { .. })
    }
}

/// What waits for one client, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    messages: usize,
    bytes: usize,
    dropped: u64,
    closed: bool,
}

impl Queue {
    pub(super) fn message(&self, subscription: u64, message: Box<Message>) {
        let mut state = lock(&self.state);
        let new = Waiting::Message { subscription, message };
        let weight = new.weight();
        if state.closed {
            return;
        }
        if weight > WAITING_MAX_BYTES {
            state.dropped += 1;
            return;
        }
        while state.messages >= WAITING_MAX || state.bytes + weight > WAITING_MAX_BYTES {
            state.drop_oldest();
        }
        state.messages += 1;
        state.bytes += weight;
        state.waiting.push_back(new);
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn answer(&self, frame: ToClient) {
        let mut state = lock(&self.state);
        if state.waiting.len() - state.messages >= ANSWERS_MAX {
            state.closed = true;
            state.waiting.clear();
        }
        if !state.closed {
            state.waiting.push_back(Waiting::Answer(frame));
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Lets what waits out, and nothing more in.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_one();
    }

    /// Some of what waits, at least one, and how many messages were lost before them; `None` when
    /// there will never be any more.
    pub(super) async fn take(&self, most: usize) -> Option<(u64, Vec<Waiting>)> {
        loop {
            {
                let mut state = lock(&self.state);
                if !state.waiting.is_empty() {
                    return Some(state.take(most));
                }
                if state.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

impl State {
    fn take(&mut self, most: usize) -> (u64, Vec<Waiting>) {
        let most = most.min(self.waiting.len());
        let taken: Vec<_> = self.waiting.drain(..most).collect();
        self.messages -= taken.iter().filter(|waiting| waiting.gives_way()).count();
        self.bytes -= taken.iter().map(Waiting::weight).sum::<usize>();
        (std::mem::take(&mut self.dropped), taken)
    }

    fn drop_oldest(&mut self) {
        // Answers in front of it are few.
        let oldest = self.waiting.iter().position(Waiting::gives_way);
        if let Some(message) = oldest.and_then(|oldest| self.waiting.remove(oldest)) {
            self.messages -= 1;
            self.bytes -= message.weight();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use nunect_core::Subject;

    use super::*;

    fn message(number: usize, bytes: usize) -> Box<Message> {
        let subject = Subject::parse(format!("a.{number}")).expect("legal");
        Box::new(Message::new(subject).body(vec![0; bytes]))
    }

    fn done(id: u64) -> ToClient {
        ToClient::Done { id }
    }

    async fn all(queue: &Queue) -> (u64, Vec<String>) {
        queue.close();
        let (mut lost, mut seen) = (0, Vec::new());
        while let Some((dropped, some)) = queue.take(64).await {
            lost += dropped;
            seen.extend(some.into_iter().map(|waiting| match waiting {
                Waiting::Message { message, .. } => message.subject.as_str().to_owned(),
                Waiting::Answer(frame) => format!("{frame:?}"),
            }));
        }
        (lost, seen)
    }

    #[tokio::test]
    async fn the_oldest_messages_give_way_and_answers_do_not() {
        let queue = Queue::default();
        queue.answer(done(1));
        (0..WAITING_MAX + 3).for_each(|number| queue.message(1, message(number, 1)));
        queue.answer(done(2));
        let (lost, seen) = all(&queue).await;
        assert_eq!((lost, seen.len()), (3, WAITING_MAX + 2));
        assert_eq!((&seen[0][..], &seen[1][..]), ("Done { id: 1 }", "a.3"));
        assert_eq!(seen.last().map(String::as_str), Some("Done { id: 2 }"));
    }

    #[tokio::test]
    async fn bytes_are_bounded_as_well_as_messages() {
        let queue = Queue::default();
        (0..40).for_each(|number| queue.message(1, message(number, 1 << 20)));
        queue.message(1, message(40, WAITING_MAX_BYTES));
        let (lost, seen) = all(&queue).await;
        assert_eq!(lost as usize + seen.len(), 41);
        assert_eq!((seen.len(), seen.last().map(String::as_str)), (15, Some("a.39")), "what fits, and the newest");
    }

    #[tokio::test]
    async fn who_asks_on_and_reads_nothing_is_let_go() {
        let queue = Queue::default();
        (0..=ANSWERS_MAX as u64).for_each(|id| queue.answer(done(id)));
        assert!(queue.take(64).await.is_none());
    }
}
