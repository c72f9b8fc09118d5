//! Draws without a state: functions of the seed, of names and of instants.
//!
//! Where draws happen often and for many pairs (delays of links, orders of simultaneous events) a
//! stream for each pair would cost 300 bytes a link. A draw that is a function of (seed, names,
//! instant) costs nothing to keep, and another node or fault cannot move it at all.

/// The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every bit of the input
/// moves half of the bits of the output.
pub(crate) const fn mix(input: u64) -> u64 {
    let a = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

/// A number for a name, the same in every run and on every platform: FNV-1a over 64 bits.
pub(crate) fn key(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// A number for the way from one name to another.
pub(crate) const fn link(from: u64, to: u64) -> u64 {
    mix(from ^ mix(to))
}

/// The number from `low` to `high`, both included, that 64 random bits stand for.
pub(crate) fn between(bits: u64, low: u64, high: u64) -> u64 {
    let width = u128::from(high.saturating_sub(low)) + 1;
    let above = (u128::from(bits) * width) >> 64;
    // `above` is below `width`, which fits unless it is the whole range; then it is `bits` itself.
    low.saturating_add(u64::try_from(above).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_draw_stays_within_its_bounds(bits: u64, a: u64, b: u64) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!((low..=high).contains(&between(bits, low, high)));
        }
    }

    #[test]
    fn the_bounds_themselves_are_drawn() {
        assert_eq!((between(0, 3, 7), between(u64::MAX, 3, 7), between(u64::MAX, 0, u64::MAX)), (3, 7, u64::MAX));
    }

    #[test]
    fn draws_spread_evenly() {
        let mut counts = [0_u32; 10];
        for n in 0..100_000 {
            counts[between(mix(n), 0, 9) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_way_and_the_way_back_differ() {
        assert_ne!(link(key("a"), key("b")), link(key("b"), key("a")));
    }
}
