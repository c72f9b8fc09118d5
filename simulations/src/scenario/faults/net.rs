//! What faults of links and servers are to the world.

use nunect_core::time::nanos;

use crate::scenario::file::faults::{LinkEntry, WHOLE};
use crate::world::layered::net::{LinkChange, NetFault};
use crate::world::{Harm, WorldPlan};

/// Sides that cannot reach each other. The first of one alone is parted from all other nodes.
pub(super) fn barrier(world: &WorldPlan, sides: &[Vec<u32>], nodes: usize, one_way: bool) -> Harm {
    match world {
        WorldPlan::Flat(_) => Harm::Cut(sides.concat()),
        WorldPlan::Layered(_) => {
            let others = if sides.len() == 1 { 1 } else { u8::MAX };
            let mut side_of = vec![others; nodes];
            for (side, members) in (0..).zip(sides) {
                for &member in members {
                    if let Some(place) = usize::try_from(member).ok().and_then(|member| side_of.get_mut(member)) {
                        *place = side;
                    }
                }
            }
            Harm::Net(NetFault::Barrier { side_of, one_way })
        }
    }
}

/// The servers of these nodes go down.
pub(super) const fn servers(nodes: Vec<u32>) -> Harm {
    Harm::Servers(nodes)
}

/// The links from `from` to `to` suffer until `end`.
pub(super) fn link(from: Vec<u32>, to: Vec<u32>, told: &LinkEntry, end: Option<u64>) -> Harm {
    let change = LinkChange {
        down: told.down,
        loss: told.loss.map_or(0.0, |share| f64::from(share.ppm) / f64::from(WHOLE)),
        delay: told.delay.map_or(0, |delay| nanos(delay.0)),
        rate: told.rate.map(|rate| rate.bits),
        clog: told.clog.then(|| end.unwrap_or(u64::MAX)),
    };
    Harm::Net(NetFault::Link { from, to, both_ways: !told.one_way, change })
}
