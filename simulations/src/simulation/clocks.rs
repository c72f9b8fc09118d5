//! What clocks take themselves for, over time: the trace tells of each change.

use std::collections::BTreeMap;

use nunect_core::protocol::header::{ClockQuality, ClockSource};

use super::{Simulation, index};
use crate::clock::CHANGE_HORIZON_NS;
use crate::happening::Happening;
use crate::trace::What;

/// The clocks that are watched: those with GPS, since all others run free.
#[derive(Debug, Default)]
pub(super) struct Watched(BTreeMap<u32, Last>);

/// What was told of a clock last.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    told: Option<(ClockSource, ClockQuality)>,
    /// Counts looks that were put on the heap: only the latest counts.
    turn: u32,
}

impl Simulation {
    /// Tells what the clocks of a node take themselves for, if that is new, and looks again when it changes
    /// next. Comes at a node's start, and when something befell its clocks.
    pub(super) fn watch_clock(&mut self, number: u32) {
        let Some(node) = self.nodes.get(index(number)).filter(|node| node.spec.clock.gps) else { return };
        let (state, key) = (node.clock_state(self.now), node.present.key);
        let next = node.clock_change(self.now).unwrap_or_else(|| self.now.saturating_add(CHANGE_HORIZON_NS));
        let last = self.watched.0.entry(number).or_default();
        last.turn = last.turn.wrapping_add(1);
        let turn = last.turn;
        let told = (state.source, state.quality);
        if last.told.replace(told) != Some(told) {
            let what = What::Clock { source: state.source, quality: state.quality, offset_ns: state.offset_ns };
            self.witness.record(self.now, number, what);
        }
        self.heap.push(next, key, Happening::Clock { node: number, turn });
    }

    /// The quality of a clock may be another now.
    pub(super) fn clock_turns(&mut self, number: u32, turn: u32) {
        if self.watched.0.get(&number).is_some_and(|last| last.turn == turn) {
            self.watch_clock(number);
        }
    }
}
