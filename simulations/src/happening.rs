//! What stands on the event heap.

use nunect_core::{Message, Subject};

use crate::world::layered::Turn;

/// One event to come. Kept small: the heap moves it often.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A message reaches a node.
    Arrive {
        to: u32,
        /// What the subscription was called.
        tag: u32,
        /// The connection that it travels on.
        epoch: u32,
        /// When it was published, in true time.
        sent: u64,
        message: Box<Message>,
    },
    /// A message that came late, or comes again, reaches a node.
    Late { to: u32, tag: u32, epoch: u32, sent: u64, message: Box<Message> },
    /// The server says that nobody listens to a request.
    Unanswered { to: u32, epoch: u32, reply: Box<Subject> },
    /// Something of a node may be due.
    Wake { node: u32 },
    /// A node starts.
    Boot { node: u32 },
    /// The quality of a node's clocks may change.
    Clock { node: u32, turn: u32 },
    /// A node that was cut off learns it.
    Noticed { node: u32, turn: u32 },
    /// A node that was cut off reaches the server again.
    Reconnect { node: u32, turn: u32 },
    /// Something of the world's own is due.
    World(Turn),
    /// A fault of the scenario strikes.
    Strike { fault: u32 },
    /// A fault of the scenario is over.
    Over { fault: u32 },
    /// All faults have ended, and everybody recovers.
    Heal,
}
