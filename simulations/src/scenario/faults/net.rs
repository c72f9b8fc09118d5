//! What faults of links and servers are to the world.

use nunect_core::time::nanos;

use crate::scenario::file::faults::{LinkEntry, WHOLE};
use crate::world::layered::net::{LinkChange, NetFault};
use crate::world::{Harm, WorldPlan};

/// Sides that cannot reach each other. The first of one alone is parted from all other nodes.
pub(super) fn barrier(world: &WorldPlan, sides: &[Vec<u32>], nodes: usize, one_way: bool) -> Harm {
    match world {
        WorldPlan::Flat(_) => Harm::Cut(sides.concat()),
        WorldPlan::Layered(_) => Harm::Net(apart(sides, nodes, one_way)),
    }
}

fn apart(sides: &[Vec<u32>], nodes: usize, one_way: bool) -> NetFault {
    let others = if sides.len() == 1 { 1 } else { u8::MAX };
    let mut side_of = vec![others; nodes];
    for (side, members) in (0..).zip(sides) {
        for &member in members {
            if let Some(place) = usize::try_from(member).ok().and_then(|member| side_of.get_mut(member)) {
                *place = side;
            }
        }
    }
    NetFault::Barrier { side_of, one_way }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_parted_from_all_others_and_sides_from_each_other_only() {
        let side_of = |sides: &[Vec<u32>]| match apart(sides, 5, true) {
            NetFault::Barrier { side_of, one_way: true } => side_of,
            other @ (NetFault::Barrier { .. } | NetFault::Link { .. }) => panic!("{other:?}"),
        };
        assert_eq!(side_of(&[vec![1, 3]]), [1, 0, 1, 0, 1]);
        assert_eq!(side_of(&[vec![1, 3], vec![0]]), [1, 0, u8::MAX, 0, u8::MAX]);
    }

    #[test]
    fn a_link_suffers_what_is_written_down() {
        let yaml = r#"{ "from": "a", "to": "b", "one_way": true, "loss": "30%", "delay": "50ms", "rate": "64kbit", "clog": true }"#;
        let told = serde_json::from_str(yaml).expect("legal");
        let (loss, delay, rate, clog) = (0.3, 50_000_000, Some(64_000), Some(7));
        let change = LinkChange { down: false, loss, delay, rate, clog };
        let wanted = NetFault::Link { from: vec![0], to: vec![1], both_ways: false, change };
        assert_eq!(link(vec![0], vec![1], &told, Some(7)), Harm::Net(wanted));
    }
}
